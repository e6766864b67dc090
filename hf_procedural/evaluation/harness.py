"""Evaluation by lm-evaluation-harness (lm-eval): our tasks for it, the models that answer, and the figures.

A checkpoint whose vocabulary is a task's reads *rows*: validation rows of a task, as the stage that trained it
evaluates them. Each labelled token is a loglikelihood request of its own, with all that stands before it:

    row          3 1 2 <sep> 1 2 3       labels on the last three
    requests     "3 1 2 <sep>" -> " 1"    "3 1 2 <sep> 1" -> " 2"    "3 1 2 <sep> 1 2" -> " 3"

so that answer_accuracy is the share of requests whose token is the greedy one, exact_match the share of rows where all
are, and loss the mean of their negative log-probabilities: the figures of recipes/pretrain.py and recipes/probe.py,
from other code, the saved model and the saved tokenizer. Where rows differ in their number of labels, the Trainer's
loss is a mean over batches of the mean of each, and so it is here.

A checkpoint that reads text gets held-out text (perplexity, bits per byte) and tasks as questions in words, with solved
ones before them: exact_match is the share of answers that greedy decoding gives. It can also be asked DCLM's Core,
which `suites` defines, and any task of lm-eval by its name.
"""

import dataclasses
import functools
import platform
import re
from importlib.metadata import version

import torch

from ..errors import nearest
from ..tasks import PRESETS, list_tasks, task
from ..text import documents
from . import suites
from .as_rows import ROWS, Rows, own_rows, own_task, task_rows
from .checkpoints import Checkpoint, check_text
from .core import core_config
from .in_words import PROBES, SEED, checked_task, held_out_text, in_words, own_text
from .library import HFLM, ConfigurableTask, HarnessTask, TaskManager, evaluate, mean_stderr

# Checkpoints


# Tasks for checkpoints with the vocabulary of a task


# Tasks for checkpoints that read text


# What a suite, or names, ask of a checkpoint


@dataclasses.dataclass
class Asked:
    """Tasks of lm-eval under a name of their own, as TaskManager.load gives them."""

    name: str
    loaded: dict
    chance: float | None = None


def _asked(name: str, found: HarnessTask, chance: float | None = None) -> Asked:
    return Asked(name, {"tasks": {found.task_name: found}, "groups": {}}, chance)


def core(checkpoint: Checkpoint, data: str, labels=tuple(suites.CORE)) -> tuple[list[Asked], dict[str, str]]:
    """DCLM's Core, and what of it cannot be had, with reasons by label.

    Raises ValueError where the model cannot be asked, and where the first three files cannot be had.
    """
    check_text(checkpoint, "DCLM's Core")
    tasks, missing = {}, {}
    for label in labels:
        try:
            tasks[label] = ConfigurableTask(config=core_config(label, data, checkpoint.tokenizer))
        except Exception as error:  # whatever network, disk and damaged files raise
            missing[label] = _reason(error)
        if not tasks and len(missing) == min(3, len(labels)):
            label, reason = next(iter(missing.items()))
            raise ValueError(f"the data of {label} cannot be had: {reason} (--data FOLDER names a copy of all)")
    checked = {label: checked_task(checkpoint, label, found) for label, found in tasks.items()}
    return [_asked(label, found, suites.CORE[label].chance) for label, found in checked.items()], missing


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def offline(checkpoint: Checkpoint, limit: int | None) -> list[Asked]:
    """What needs no network: the run's own validation rows; of a model that reads text, `pydoc`'s held-out documents,
    the run's own validation text if it is on this machine, and in words the run's own task, or else `PROBES`."""
    if not checkpoint.reads_text:
        found = own_rows(checkpoint, limit)
        return [_asked(found.config.task, found)]
    _, pydoc = documents.train_and_validation("pydoc")
    texts, recipe = {"pydoc": pydoc}, checkpoint.recipe
    of_pydoc = recipe.get("dataset") == "pydoc" and not recipe.get("validation_dataset")
    if not of_pydoc and (own := own_text(checkpoint)) is not None:
        texts["own validation text"] = own
    found = [_asked(name, held_out_text(checkpoint, name, text)) for name, text in texts.items()]
    probes = [recipe["task"]] if "task" in recipe else PROBES
    return found + [asked for name in probes for asked in named(checkpoint, [name], None, limit)]


def named(checkpoint: Checkpoint, names: list[str], parameters: dict | None, limit: int | None) -> list[Asked]:
    """Tasks by name: ours, with `parameters`, and those of lm-eval. Raises ValueError for an unknown one.

    The task of the run that the checkpoint is of has that run's parameters and rows, where none are given.
    """
    found = []
    for name in names:
        if name in PRESETS or re.split(r"[-+]", name)[0] in list_tasks():
            own = name == checkpoint.recipe.get("task") and not parameters
            asked = own_task(checkpoint) if own else task(name, **parameters or {})
            if checkpoint.reads_text:
                made = in_words(checkpoint, name, asked, limit)
            else:
                made = own_rows(checkpoint, limit) if own else task_rows(checkpoint, name, asked, 42, ROWS, limit)
            found.append(_asked(name, made))
        else:
            found.append(Asked(name, _of_harness(checkpoint, name)))
    return found


@functools.cache
def _manager() -> TaskManager:
    return TaskManager()


def _of_harness(checkpoint: Checkpoint, name: str) -> dict:
    """A task, group or tag of lm-eval."""
    if name not in _manager().all_tasks:
        near = nearest(name, [*list_tasks(), *PRESETS, *_manager().all_tasks])
        raise ValueError(f"tasks: neither we nor lm-eval {version('lm_eval')} have a task {name!r}{near}")
    check_text(checkpoint, name)
    try:
        return _manager().load([name])
    except Exception as error:  # whatever network, disk and packages that a task needs raise
        raise ValueError(f"{name}: its data cannot be had: {_reason(error)}") from error


# Figures


def figures(model: HFLM, asked: Asked, limit: int | None = None) -> list[dict]:
    """What was measured: a dict for each task and metric, in processes other than the first an empty list.

    It has task, metric, value, documents, shots and version, and where they are known stderr, chance and centred.
    Raises ValueError where memory does not suffice.
    """
    found, rows = _evaluated(model, asked.loaded, limit), []
    if not found:
        return rows
    as_one = any("," in key for key in found["results"].get(asked.name, ()))  # a task, or a group with its means
    names = [asked.name] if as_one else list(asked.loaded["tasks"])
    for name in names:
        results = found["results"][name]
        about = {"task": name if len(names) > 1 else asked.name}
        about |= {"documents": results["sample_len"], "version": found["versions"].get(name)}
        about["shots"] = (
            None if "loss,none" in results or "bits_per_byte,none" in results else found["n-shot"].get(name)
        )
        for key, value in results.items():
            metric, comma, filtered = key.partition(",")
            if not comma or metric.endswith("_stderr"):
                continue
            row = about | {"metric": metric if filtered == "none" else f"{metric}, {filtered}", "value": float(value)}
            error = results.get(f"{metric}_stderr,{filtered}", "N/A")
            row |= {} if error == "N/A" else {"stderr": float(error)}
            if asked.chance is not None:
                row |= {"chance": asked.chance, "centred": suites.centred(value, asked.chance)}
            rows.append(row)
    return rows


def _evaluated(model: HFLM, loaded: dict, limit: int | None) -> dict:
    """What lm-eval gives for tasks; of rows, over all their turns."""
    for each in loaded["tasks"].values():
        each.set_fewshot_seed(SEED)
        if each.get_config("num_fewshot") is None:
            each.set_config("num_fewshot", 0)
    name, first = next(iter(loaded["tasks"].items()))
    try:
        for _ in first.turns() if isinstance(first, Rows) else [None]:
            found = evaluate(model, loaded, limit=limit, log_samples=False, bootstrap_iters=1_000) or {}
    except torch.OutOfMemoryError as error:
        raise ValueError(f"batch_size: {model.batch_size} sequences are too much for {model.device}") from error
    if isinstance(first, Rows) and found:
        right = first.seen["exact_match"]
        found["results"][name]["sample_len"] = len(right)
        if len(right) > 1:
            found["results"][name]["exact_match_stderr,none"] = mean_stderr(right)
    return found


def report(checkpoint: Checkpoint, suite: str, rows: list[dict], limit: int | None, missing: dict, **settings) -> dict:
    """All that evaluation_SUITE.json holds; Core only where none of its tasks is missing."""
    found = {"suite": suite, "model": checkpoint.path, "limit": limit, "figures": rows, "settings": settings}
    if suite == "core":
        score = suites.core({row["task"]: row["value"] for row in rows})
        found |= {"core": score} if score is not None else {}
        found |= {"core_is_the_mean_of": list(suites.AVERAGED), "missing": missing}
    packages = ("hf-procedural", "lm_eval", "torch", "transformers", "datasets", "tokenizers")
    found["versions"] = {"python": platform.python_version()} | {package: version(package) for package in packages}
    return found
