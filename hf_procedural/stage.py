"""What all recipes share beside their arguments: the run folder, batches, metrics, the plot."""

import dataclasses
import inspect
import json
import logging
import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import yaml
from transformers import TrainingArguments, default_data_collator
from transformers.trainer_utils import get_last_checkpoint

from . import metrics
from .arguments import Loader, StageArguments
from .tasks import IGNORE

RECIPE, PROVENANCE, PLOT = "recipe.yaml", "provenance.json", "training.png"


def open_run(args: StageArguments, *others) -> str | None:
    """Checks the run folder and gives the checkpoint to resume from, if any. Writes nothing.

    Raises ValueError where the folder holds anything and no resume was asked for, is a file, or is another run's.
    """
    output, wanted = Path(args.output_dir), args.resume_from_checkpoint
    if output.exists() and not output.is_dir():
        raise ValueError(f"output_dir {output} is a file; name a folder")
    if str(wanted).lower() in ("none", "false", ""):
        if output.is_dir() and any(output.iterdir()):
            raise ValueError(
                f"output_dir {output} is not empty: choose another, or go on with --resume_from_checkpoint true"
            )
        return None
    automatic = str(wanted).lower() == "true"
    checkpoint = (get_last_checkpoint(output) if output.is_dir() else None) if automatic else wanted
    if checkpoint is None:
        strangers = (
            [file.name for file in output.iterdir() if file.name not in (RECIPE, PROVENANCE)] if output.is_dir() else []
        )
        if strangers:
            raise ValueError(f"output_dir {output} holds {strangers[0]} but no checkpoint to resume from")
        logging.getLogger(__name__).warning("no checkpoint in %s yet: starting from the beginning", output)
        return None
    folder, recipe = Path(checkpoint), Path(checkpoint).absolute().parent / RECIPE
    if not (folder / "trainer_state.json").is_file() or not folder.name.startswith("checkpoint-"):
        raise ValueError(f"resume_from_checkpoint {checkpoint} is not a checkpoint-N folder of the Trainer")
    if not recipe.is_file():
        raise ValueError(f"resume_from_checkpoint {checkpoint} has no {RECIPE} beside it: leave it in its run folder")
    if folder.absolute().parent != output.absolute() and output.is_dir() and any(output.iterdir()):
        raise ValueError(f"output_dir {output} is not empty, and {checkpoint} is of another run folder")
    before = yaml.load(recipe.read_text(), Loader)
    now = recipe_of(*others) | {"seed": args.seed, "data_seed": data_seed(args)}
    before = {"seed": 42} | before
    before = {"data_seed": before["seed"]} | before
    for key, value in now.items():
        if before.get(key) != value:
            raise ValueError(
                f"{checkpoint} belongs to a run with {key} {before.get(key)!r}, not {value!r}: "
                "choose another output_dir, or resume with its own arguments"
            )
    return checkpoint


def recipe_of(*arguments) -> dict:
    """The resolved arguments as plain values: all of ours, and those of the Trainer that are not its defaults."""
    resolved = {}
    for instance in arguments:
        defaults = {field.name: field.default for field in dataclasses.fields(instance) if field.init}
        trainers = isinstance(instance, TrainingArguments)
        values = instance.to_dict() if trainers else dataclasses.asdict(instance)
        for key, default in defaults.items():
            unset = values[key] in (None, [], {}) or (values[key] is False and default is None)
            derived = trainers and (values[key] == default or key in ("accelerator_config", "disable_tqdm", "do_eval"))
            if not unset and not derived and "token" not in key:
                resolved[key] = values[key]
    return json.loads(json.dumps(resolved))


def save_provenance(args, *others, **facts) -> None:
    """Writes the resolved recipe, and versions, seeds and other facts about the run, next to the model."""
    if not args.should_save:
        return
    output = Path(args.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    recipe = {key: value for key, value in recipe_of(*others, args).items() if key != "resume_from_checkpoint"}
    _write(output / RECIPE, yaml.safe_dump(recipe, sort_keys=False))
    packages = ("hf-procedural", "torch", "transformers", "datasets", "accelerate", "tokenizers", "numpy", "numba")
    provenance = {
        "versions": {"python": platform.python_version()} | {package: version(package) for package in packages},
        "seed": args.seed,
        "data_seed": data_seed(args),
        **facts,
    }
    _write(output / PROVENANCE, json.dumps(provenance, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def data_seed(args) -> int:
    """The seed of the rows: `data_seed`, or `seed` where that is not set."""
    return args.seed if args.data_seed is None else args.data_seed


def rows_per_step(args) -> int:
    """Rows in one optimizer step, over all processes."""
    return args.train_batch_size * args.gradient_accumulation_steps * args.world_size


def steps_for(args, rows: int) -> int:
    """Optimizer steps: `max_steps`, or as many as `num_train_epochs` over `rows` rows take."""
    return args.max_steps if args.max_steps > 0 else max(1, int(args.num_train_epochs * (rows // rows_per_step(args))))


def collator(model, args):
    """The data collator: `collate`, or the stock one where the architecture or label smoothing wants all logits."""
    takes = "logits_to_keep" in inspect.signature(model.forward).parameters
    return collate if takes and not args.label_smoothing_factor else default_data_collator


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    """A batch of rows (int64 ``[batch, length]``) that asks the model for no logits before the first labelled token.

    The stock `default_data_collator` does as well; this one saves the output head and the loss what they would throw
    away. `logits_to_keep` counts positions from the right; `shift_labels` ``[batch, logits_to_keep]`` are the labels
    as the loss wants them.
    """
    input_ids, labels = (torch.stack([row[name] for row in rows]) for name in ("input_ids", "labels"))
    labelled = (labels != IGNORE).any(0).nonzero()
    keep = labels.shape[1] - max(int(labelled[0]) - 1, 0) if len(labelled) else 1
    shifted = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORE)[:, -keep:].contiguous()
    return {"input_ids": input_ids, "labels": labels, "shift_labels": shifted, "logits_to_keep": keep}


def predictions(logits, labels) -> torch.Tensor:
    """For `preprocess_logits_for_metrics`: the token predicted *for* each position, int64 like `labels`."""
    logits = logits[0] if isinstance(logits, tuple) else logits
    predicted = torch.full_like(labels, IGNORE)
    kept = logits.shape[1]
    predicted[:, labels.shape[1] - kept + 1 :] = logits[:, :-1].argmax(-1)
    return predicted


def metric_function(more=None):
    """A `compute_metrics` for the Trainer: answer accuracy and exact match, and what `more()` adds."""
    modules = [metrics.load(name) for name in metrics.NAMES]

    def compute(prediction):
        guesses, labels = prediction.predictions, prediction.label_ids
        used = (labels != IGNORE).any(0)  # all other columns carry no label in any row
        results = more() if more else {}
        for module in modules:
            results |= module.compute(predictions=guesses[:, used], references=labels[:, used])
        return results

    return compute


def plot(history: list[dict], path, title: str) -> None:
    """Draws loss and answer accuracy over steps from a Trainer's log history, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    curves = [
        (left, "loss", "training"),
        (left, "eval_loss", "validation"),
        (right, "eval_answer_accuracy", "answer tokens"),
        (right, "eval_exact_match", "whole answers"),
    ]
    for axis, key, label in curves:
        points = [(entry["step"], entry[key]) for entry in history if key in entry]
        if points:
            axis.plot(*np.array(points).T, label=label, marker="." if len(points) < 40 else None)
    lengths = [
        (entry["step"], entry["eval_curriculum_length"]) for entry in history if "eval_curriculum_length" in entry
    ]
    if lengths:
        twin = right.twinx()
        twin.step(*np.array(lengths).T, color="gray", where="post", linestyle=":")
        twin.set_ylabel("curriculum length (dotted)")
    right.set_ylim(0, 1.02)
    for axis, label in ((left, "loss (nats per token)"), (right, "validation accuracy")):
        axis.set(xlabel="optimizer step", ylabel=label)
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
