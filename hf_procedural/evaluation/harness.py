"""Evaluation by lm-evaluation-harness (lm-eval): what is asked of a checkpoint, and the figures.

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
import datetime
import functools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import upstream
from ..errors import nearest
from ..files import write_text
from ..runs.folder import versions
from ..runs.stages import on_hub
from ..tasks import PRESETS, list_tasks, task
from ..terminal import logger
from ..text import documents, sources
from . import suites, yaml_tasks
from .as_rows import ROWS, Rows, rows_of_run, task_of_run, validation_rows
from .checkpoints import Checkpoint, check_text
from .core import core_config
from .in_words import PROBES, SEED, check_answers_fit, check_requests_fit, held_out_text, in_words, text_of_run
from .library import (
    HFLM,
    ConfigurableTask,
    HarnessTask,
    TaskManager,
    evaluate,
    handle_non_serializable,
    mean_stderr,
    sanitize_list,
)

if TYPE_CHECKING:
    from lm_eval.tasks.manager import TaskDict


# What a suite, or names, ask of a checkpoint


@dataclasses.dataclass
class Asked:
    """Tasks of lm-eval under a name of their own, as TaskManager.load gives them."""

    name: str
    loaded: "TaskDict"
    chance: float | None = None

    @classmethod
    def one(cls, name: str, harness_task: HarnessTask, chance: float | None = None) -> "Asked":
        """A single task."""
        return cls(name, {"tasks": {harness_task.task_name: harness_task}, "groups": {}}, chance)


@dataclasses.dataclass(frozen=True)
class Options:
    """How tasks by name are asked; the names are lm-eval's."""

    num_fewshot: int | None = None  # solved questions before one; None: as the task has it
    apply_chat_template: bool = False
    confirm_run_unsafe_code: bool = False


def core(checkpoint: Checkpoint, data: str, labels=tuple(suites.CORE)) -> tuple[list[Asked], dict[str, str]]:
    """DCLM's Core, and what of it cannot be had, with reasons by label.

    Raises ValueError where the model cannot be asked, and where the first three files cannot be had.
    """
    check_text(checkpoint, "DCLM's Core")
    tasks = {}
    missing = {}
    for label in labels:
        try:
            tasks[label] = ConfigurableTask(config=core_config(label, data, checkpoint.tokenizer))
        except Exception as error:  # whatever network, disk and damaged files raise
            missing[label] = _reason(error)
        if not tasks and len(missing) == min(3, len(labels)):  # so are all: no network, or a wrong --data
            label, reason = next(iter(missing.items()))
            raise ValueError(f"the data of {label} cannot be had: {reason} (--data FOLDER names a copy of all)")
    for label, core_task in tasks.items():
        check_answers_fit(checkpoint, label, core_task)
    return [Asked.one(label, core_task, suites.CORE[label].chance) for label, core_task in tasks.items()], missing


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def offline(checkpoint: Checkpoint, limit: int | None) -> list[Asked]:
    """What needs no network: the run's own validation rows; of a model that reads text, `pydoc`'s held-out documents,
    the run's own validation text if it is on this machine, and in words the run's own task, or else `PROBES`."""
    if not checkpoint.reads_text:
        rows = rows_of_run(checkpoint, limit)
        return [Asked.one(rows.task_name, rows)]
    recipe = checkpoint.recipe
    _, pydoc = documents.train_and_validation("pydoc")
    texts = {"pydoc": pydoc}
    names = [source.name for source in sources.named(sources.texts_of(recipe.get("dataset", [])))]
    is_pydoc = names == ["pydoc"] and not recipe.get("validation_dataset")
    own_text = None if is_pydoc else text_of_run(checkpoint)
    if own_text is not None:
        texts["own validation text"] = own_text
    of_texts = [Asked.one(name, held_out_text(checkpoint, name, text)) for name, text in texts.items()]
    probes = [recipe["task"]] if "task" in recipe else PROBES
    return of_texts + named(checkpoint, probes, None, limit)


def named(
    checkpoint: Checkpoint,
    names: Sequence[str],
    parameters: dict | None,
    limit: int | None,
    options: Options = Options(),
) -> list[Asked]:
    """Tasks by name: ours, with `parameters`, those of lm-eval, and those of the user's YAML files and folders.

    The task of the run that the checkpoint is of has that run's parameters and rows, where none are given. Raises
    ValueError for an unknown one, and for one that cannot be asked so.
    """
    asked = []
    for name in names:
        if name in PRESETS or re.split(r"[-+]", name)[0] in list_tasks():
            asked.append(Asked.one(name, _ours(checkpoint, name, parameters, limit)))
        elif yaml_tasks.is_place(name) or (name not in _manager().all_tasks and Path(name).is_dir()):
            check_text(checkpoint, name)
            loaded = yaml_tasks.load(name, options.confirm_run_unsafe_code)
            asked += [Asked(label, tasks) for label, tasks in loaded.items()]
        else:
            asked.append(Asked(name, _of_harness(checkpoint, name)))
    for one in asked:
        for label, harness_task in one.loaded["tasks"].items():
            _settle(checkpoint, label, harness_task, limit, options)
    return asked


def _settle(checkpoint: Checkpoint, name: str, harness_task: HarnessTask, limit: int | None, options: Options) -> None:
    """Sets the number of shots. Raises ValueError for requests that cannot be made, or that do not fit the model."""
    if isinstance(harness_task, Rows):
        for option in ("num_fewshot", "apply_chat_template"):
            if getattr(options, option):
                raise ValueError(f"{option}: {checkpoint.path} reads {name} as rows of tokens, not as questions")
        return
    if options.apply_chat_template and not checkpoint.tokenizer.chat_template:
        raise ValueError(f"apply_chat_template: the tokenizer of {checkpoint.path} has no chat template")
    shots = harness_task.get_config("num_fewshot")
    if options.num_fewshot is not None and shots == 0:
        logger(__name__).warning("num_fewshot: %s is defined without any, and stays so", name)
    elif options.num_fewshot is not None:
        harness_task.set_config("num_fewshot", options.num_fewshot)
    _set_defaults(harness_task)
    try:
        harness_task.build_all_requests(limit=limit)
    except Exception as error:  # of templates, columns, too few examples
        shots = harness_task.get_config("num_fewshot")
        reason = _reason(error)
        raise ValueError(f"tasks: no requests can be made of {name}, num_fewshot {shots}: {reason}") from error
    check_requests_fit(checkpoint, name, harness_task)


def _set_defaults(harness_task: HarnessTask) -> None:
    harness_task.set_fewshot_seed(SEED)
    if harness_task.get_config("num_fewshot") is None:
        harness_task.set_config("num_fewshot", 0)


def _ours(checkpoint: Checkpoint, name: str, parameters: dict | None, limit: int | None) -> HarnessTask:
    """A procedural task, in words to a checkpoint that reads text, else as rows."""
    is_own = name == checkpoint.recipe.get("task") and not parameters
    procedural = task_of_run(checkpoint) if is_own else task(name, **parameters or {})
    if checkpoint.reads_text:
        return in_words(checkpoint, name, procedural, limit)
    if is_own:
        return rows_of_run(checkpoint, limit)
    return validation_rows(checkpoint, name, procedural, 42, ROWS, limit)


@functools.cache
def _manager() -> TaskManager:
    return TaskManager()


def _of_harness(checkpoint: Checkpoint, name: str) -> "TaskDict":
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

_NO_METRICS = ("name", "alias", "sample_len", "sample_count")  # keys beside "METRIC,FILTER" in lm-eval's results


def figures(
    model: HFLM,
    asked: Asked,
    limit: int | None = None,
    options: Options = Options(),
    samples: dict[str, list[dict]] | None = None,
) -> list[dict]:
    """What was measured: a dict for each task and metric, in processes other than the first an empty list.

    A dict has task, metric, value, documents, shots and version, and where they are known stderr, chance and centred.
    `samples`, where that is given, gets what was asked and answered, a list for each task.
    Raises ValueError where memory does not suffice.
    """
    output = _evaluated(model, asked.loaded, limit, options, samples)
    if not output:
        return []
    is_one = any("," in key for key in output["results"].get(asked.name, ()))  # a task, or a group with its means
    names = [asked.name] if is_one else list(asked.loaded["tasks"])
    rows = []
    for name in names:
        results = output["results"][name]
        if not any("," in key for key in results):
            raise upstream.lacking("lm_eval.evaluator:evaluate")
        tasks = [asked.loaded["tasks"][name]] if name in asked.loaded["tasks"] else asked.loaded["tasks"].values()
        in_all_rows = {
            "task": name if len(names) > 1 else asked.name,
            "documents": results["sample_len"],
            "version": output["versions"].get(name),
            # Of rows and of held-out text there are no examples to show.
            "shots": None if {"loss,none", "bits_per_byte,none"} & {*results} else output["n-shot"].get(name),
        } | _dataset_on_hub(tasks)
        rows += [in_all_rows | measured for measured in _measured(name, results, asked.chance)]
    return rows


def _dataset_on_hub(tasks: Iterable[HarnessTask]) -> dict[str, dict]:
    """What tells the data set of the Hub that tasks ask of; empty where there is none, or where they are of several.

    Its configuration, split and revision are None where that is the default, or tasks differ.
    """
    keys = ("dataset_path", "dataset_name", "test_split", "validation_split", "dataset_kwargs")
    configs = [{key: task.get_config(key) for key in keys} for task in tasks]
    ids = {config["dataset_path"] for config in configs}
    (id_,) = ids if len(ids) == 1 else (None,)
    if id_ is None or "/" not in id_ or not on_hub(id_):
        return {}
    asked = [
        {
            "config": config["dataset_name"],
            "split": config["test_split"] or config["validation_split"],
            "revision": (config["dataset_kwargs"] or {}).get("revision"),
        }
        for config in configs
    ]
    shared = {key: value for key, value in asked[0].items() if all(each[key] == value for each in asked)}
    return {"dataset": {"id": id_} | dict.fromkeys(asked[0]) | shared}


def _measured(name: str, results: dict, chance: float | None) -> Iterator[dict]:
    """Metric, value, and what is known of stderr, chance and centred, from lm-eval's results of a task."""
    for key, value in results.items():
        metric, comma, filtered = key.partition(",")
        if metric.endswith("_stderr") or key in _NO_METRICS:
            continue
        if not comma:
            logger(__name__).warning("%s: lm-eval gives %r, which is no METRIC,FILTER; left out", name, key)
            continue
        row = {"metric": metric if filtered == "none" else f"{metric}, {filtered}", "value": float(value)}
        error = results.get(f"{metric}_stderr,{filtered}", "N/A")
        if error != "N/A":
            row["stderr"] = float(error)
        if chance is not None:
            row |= {"chance": chance, "centred": suites.centred(value, chance)}
        yield row


def _evaluated(model: HFLM, loaded: "TaskDict", limit: int | None, options: Options, samples: dict | None) -> dict:
    """What lm-eval gives for tasks; of rows, over all their turns. Empty in processes other than the first."""
    for harness_task in loaded["tasks"].values():
        _set_defaults(harness_task)
    name, first = next(iter(loaded["tasks"].items()))
    is_rows = isinstance(first, Rows)
    turns = first.turns() if is_rows else [None]
    settings = {"limit": limit, "bootstrap_iters": 1_000, "confirm_run_unsafe_code": options.confirm_run_unsafe_code}
    if options.apply_chat_template:  # shots as turns of a talk, as lm-eval's command does it
        settings |= {"apply_chat_template": True, "fewshot_as_multiturn": True}
    try:
        for _ in turns:  # the metrics of `Rows` are over all turns so far, so that the last has them all
            output = evaluate(model, loaded, log_samples=samples is not None, **settings) or {}
            if samples is not None:
                for task_name, answered in output.get("samples", {}).items():
                    samples.setdefault(task_name, []).extend(answered)
    except torch.OutOfMemoryError as error:
        raise ValueError(f"batch_size: {model.batch_size} sequences are too much for {model.device}") from error
    if is_rows and output:
        right = first.values["exact_match"]
        output["results"][name]["sample_len"] = len(right)
        if len(right) > 1:
            output["results"][name]["exact_match_stderr,none"] = mean_stderr(right)
    return output


def save_samples(folder: Path, samples: dict[str, list[dict]]) -> list[str]:
    """Writes what was asked and answered as lm-eval does, samples_TASK_DATE.jsonl; gives the names of the files."""
    date = datetime.datetime.now().isoformat().replace(":", "-")
    names = []
    for task_name, answered in samples.items():
        lines = [json.dumps(_plain(sample), default=handle_non_serializable, ensure_ascii=False) for sample in answered]
        name = re.sub(r"[^\w.+-]", "_", task_name)
        names.append(f"samples_{name}_{date}.jsonl")
        write_text(folder / names[-1], "".join(f"{line}\n" for line in lines))
    return names


def _plain(sample: dict) -> dict:
    """A sample in columns of one type, so that `datasets` reads it: lm-eval's form."""
    arguments = {}
    for number, given in enumerate(sample["arguments"]):
        arguments[f"gen_args_{number}"] = {f"arg_{place}": value for place, value in enumerate(given)}
    texts = {name: sanitize_list(sample[name]) for name in ("resps", "filtered_resps")}
    return sample | texts | {"arguments": arguments, "target": str(sample["target"])}


def report(checkpoint: Checkpoint, suite: str, rows: list[dict], limit: int | None, missing: dict, **settings) -> dict:
    """All that evaluation_SUITE.json holds; Core only where none of its tasks is missing."""
    record = {"suite": suite, "model": checkpoint.path, "limit": limit, "figures": rows, "settings": settings}
    if suite == "core":
        score = suites.core({row["task"]: row["value"] for row in rows})
        if score is not None:
            record["core"] = score
        record |= {"core_is_the_mean_of": list(suites.AVERAGED), "missing": missing}
    record["versions"] = versions("hf-procedural", "lm_eval", "torch", "transformers", "datasets", "tokenizers")
    return record
