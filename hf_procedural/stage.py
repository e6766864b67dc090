"""What all recipes share: arguments from YAML and command line, the run folder, metrics, the plot."""

import argparse
import contextlib
import dataclasses
import difflib
import inspect
import json
import logging
import os
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import yaml
from transformers import HfArgumentParser, TrainingArguments, default_data_collator
from transformers.trainer_utils import get_last_checkpoint

from . import metrics, modeling
from .launch import start_cpu_processes
from .tasks import IGNORE, Task, task

RECIPE, PROVENANCE, PLOT = "recipe.yaml", "provenance.json", "training.png"


@dataclasses.dataclass
class TaskArguments:
    """Which rows to train on."""

    _argument_group_name = "task and data"

    task: str | None = dataclasses.field(
        default=None, metadata={"help": "Task and size, such as sort-64, dyck-8 or the mixture sort-64+set-64."}
    )
    task_parameters: dict | str | None = dataclasses.field(
        default=None, metadata={"help": """The task's other parameters as JSON, such as '{"vocab_size": 50}'."""}
    )
    train_size: int = dataclasses.field(
        default=160_064, metadata={"help": "Training rows. The default is the budget of Jiang et al. 2026."}
    )
    validation_size: int = dataclasses.field(default=4_096, metadata={"help": "Validation rows."})
    streaming: bool = dataclasses.field(
        default=False, metadata={"help": "Make training rows on the fly, without a cache on disk."}
    )
    curriculum: bool = dataclasses.field(
        default=False,
        metadata={"help": "Begin with short rows and lengthen them each time validation accuracy shows mastery."},
    )
    curriculum_start: int = dataclasses.field(default=2, metadata={"help": "Symbols in the first rows."})
    curriculum_step: int = dataclasses.field(default=2, metadata={"help": "Symbols added at each mastery."})
    curriculum_threshold: float = dataclasses.field(
        default=0.99, metadata={"help": "Validation answer accuracy that counts as mastery."}
    )

    def __post_init__(self):
        self.task_parameters = _mapping("task_parameters", self.task_parameters)

    def resolve(self) -> Task:
        """The task itself. Raises ValueError for a name or parameter that is not one."""
        if self.task is None:
            raise ValueError("task is missing: give --task sort-64, or a YAML with the key task")
        for name in ("train_size", "validation_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        return task(self.task, **self.task_parameters)


@dataclasses.dataclass
class ModelArguments:
    """Which model to train."""

    _argument_group_name = "model"

    model_type: str = dataclasses.field(
        default="gpt2", metadata={"help": "Any causal language model of transformers: gpt2, llama, qwen3 ..."}
    )
    size: str | None = dataclasses.field(
        default=None, metadata={"help": "layers_heads_width, such as 2_4_16 or 12_12_768 (GPT-2's 124M)."}
    )
    num_hidden_layers: int | None = dataclasses.field(default=None, metadata={"help": "Layers, instead of --size."})
    num_attention_heads: int | None = dataclasses.field(
        default=None, metadata={"help": "Attention heads, instead of --size."}
    )
    hidden_size: int | None = dataclasses.field(default=None, metadata={"help": "Width, instead of --size."})
    config_name: str | None = dataclasses.field(
        default=None, metadata={"help": "Hub id or folder of a configuration, instead of --model_type and --size."}
    )
    context_length: int | None = dataclasses.field(
        default=None, metadata={"help": "Positions of the model, where more than the task's row length is wanted."}
    )
    dropout: float | None = dataclasses.field(
        default=None, metadata={"help": "Every dropout of the architecture. Default: the architecture's own."}
    )
    attn_implementation: str | None = dataclasses.field(
        default=None, metadata={"help": "Attention of transformers: sdpa, eager, flash_attention_2 ... Default: best."}
    )
    model_overrides: dict | str | None = dataclasses.field(
        default=None,
        metadata={"help": """Other configuration fields, e.g. '{"tie_word_embeddings": false}'."""},
    )

    def __post_init__(self):
        self.model_overrides = _mapping("model_overrides", self.model_overrides)

    def build(self, tokenizer, row_length: int):
        """A new model for rows of `row_length` tokens. Raises ValueError for sizes that do not fit."""
        names = ("num_hidden_layers", "num_attention_heads", "hidden_size")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.config_name is not None and (given or self.size):
            raise ValueError("config_name: a configuration has a size of its own; leave size and its parts out")
        if self.config_name is None:
            given = modeling.parse_size(self.size or "2_4_16") | given
            modeling.parse_size("_".join(str(given[name]) for name in names))
        positions = row_length if self.context_length is None else self.context_length
        if positions < row_length:
            raise ValueError(f"context_length must be at least the row length {row_length}, got {positions}")
        config = modeling.new_config(
            tokenizer,
            positions,
            model_type=self.model_type,
            config_name=self.config_name,
            dropout=self.dropout,
            overrides=self.model_overrides,
            **given,
        )
        return modeling.new_model(config, self.attn_implementation)


@dataclasses.dataclass
class StageArguments(TrainingArguments):
    """All of transformers.TrainingArguments. Defaults that differ: output_dir (runs/TASK), logging_steps (50),
    eval_strategy and save_strategy (steps), report_to (none), disable_tqdm (only where there is no terminal to show
    it), train_sampling_strategy (sequential: rows are independent, and reading them in order is faster)."""

    _argument_group_name = "training: all of transformers.TrainingArguments, and"

    logging_steps: float = dataclasses.field(default=50, metadata={"help": "Steps between two logs."})
    eval_strategy: str = dataclasses.field(default="steps", metadata={"help": "When to evaluate: no, steps or epoch."})
    eval_steps: float | None = dataclasses.field(default=500, metadata={"help": "Steps between two evaluations."})
    train_sampling_strategy: str = dataclasses.field(
        default="sequential", metadata={"help": "Order of rows: sequential or random."}
    )
    report_to: None | str | list[str] = dataclasses.field(
        default="none", metadata={"help": "Trackers: none, all, wandb, tensorboard, trackio, mlflow ..."}
    )
    dataloader_pin_memory: bool = dataclasses.field(
        default=torch.cuda.is_available(), metadata={"help": "Pin memory. Default: where there is a GPU."}
    )
    ddp_find_unused_parameters: bool | None = dataclasses.field(
        default=False, metadata={"help": "Look for parameters without a gradient in every step; slower."}
    )
    patience: int | None = dataclasses.field(
        default=None, metadata={"help": "Stop after so many evaluations without a better answer accuracy."}
    )

    def __post_init__(self):
        if self.patience is not None:
            if self.patience < 1:
                raise ValueError(f"patience must be at least 1, got {self.patience}")
            self.metric_for_best_model = self.metric_for_best_model or "answer_accuracy"
            self.greater_is_better = True if self.greater_is_better is None else self.greater_is_better
            self.restore_callback_states_from_checkpoint = True
        super().__post_init__()


def _mapping(name: str, value) -> dict:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"{name} must be JSON such as '{{\"key\": 1}}', got {value!r} ({error})") from None
    if not isinstance(value or {}, dict):
        raise ValueError(f"{name} must be a mapping of names to values, got {value!r}")
    return value or {}


class _Parser(HfArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def parse(description: str, *types, argv: list[str] | None = None):
    """One instance of each dataclass, from ``[CONFIG.yaml] [--key value ...]``; the command line wins.

    Unknown keys and flags, and values of the wrong type, end the program with one line and exit code 2.
    """
    start_cpu_processes()
    program = Path(sys.argv[0]).name
    parser = _Parser(
        types,
        prog=program,
        usage=f"accelerate launch recipes/{program} [CONFIG.yaml] [--key value ...]",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("config", nargs="?", metavar="CONFIG.yaml", help="Keys are the flags below, without dashes.")
    argv = sys.argv[1:] if argv is None else argv
    known = sorted({option for action in parser._actions for option in action.option_strings} - {"-h"})
    with user_errors(program):
        file = argv[0] if argv and not argv[0].startswith("-") else None
        tokens, direct = _yaml_arguments(file, parser) if file else ([], {})
        parser.set_defaults(**direct)
        namespace, unknown = parser.parse_known_args([*([file] if file else []), *tokens, *argv[bool(file) :]])
        if unknown:
            flag = unknown[0].split("=")[0]
            raise ValueError(f"unknown argument {flag}{_nearest(flag, known)} (--help lists all)")
        values = vars(namespace)
        return tuple(
            kind(**{field.name: values[field.name] for field in dataclasses.fields(kind) if field.init})
            for kind in types
        )


def _nearest(name: str, known) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]}?" if close else ""


class _Loader(yaml.SafeLoader):
    """YAML with the numbers of YAML 1.2: 2_4_16 is a string, 5e-4 is a number, and only true and false are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("int", "float", "bool")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, _pattern, _first in (
    ("int", r"[-+]?\d+", "-+0123456789"),
    ("float", r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?|[-+]?\.inf|\.nan", "-+.0123456789"),
    ("bool", r"true|false", "tf"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})\Z"), list(_first))


def _yaml_arguments(file: str, parser) -> tuple[list[str], dict]:
    """A YAML as command-line words, so that both are checked alike, and what no word can say."""
    try:
        content = yaml.load(Path(file).read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        near = _nearest(Path(file).name, [other.name for other in Path(file).parent.glob("*.yaml")])
        raise ValueError(f"no configuration file {file}{near}") from None
    except IsADirectoryError:
        raise ValueError(f"{file} is a folder, not a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} must hold keys and values (key: value), got {type(content).__name__}")
    actions = {action.dest: action for action in parser._actions if action.option_strings and action.dest != "help"}
    words, direct = [], {}
    for key, value in content.items():
        if key not in actions:
            raise ValueError(f"{file}: unknown key {key!r}{_nearest(str(key), actions)}")
        if value is None or isinstance(value, list | dict):
            direct[key] = value
        else:
            words += [f"--{key}={value}"]
    return words, direct


@contextlib.contextmanager
def user_errors(program: str | None = None):
    """Turns the errors that a user's input causes into one line and exit code 2."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        line = " ".join(str(error).split())
        print(f"{program or Path(sys.argv[0]).name}: error: {line}", file=sys.stderr)
        sys.exit(2)


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
    if not (Path(checkpoint) / "trainer_state.json").is_file():
        raise ValueError(f"resume_from_checkpoint {checkpoint} is not a checkpoint folder of the Trainer")
    recipe = Path(checkpoint).parent / RECIPE
    if recipe.is_file():
        before, now = yaml.load(recipe.read_text(), _Loader), recipe_of(*others)
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


def steps_for(args, rows: int) -> int:
    """Optimizer steps: `max_steps`, or as many as `num_train_epochs` over `rows` rows take."""
    total = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    return args.max_steps if args.max_steps > 0 else max(1, int(args.num_train_epochs * (rows // total)))


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
