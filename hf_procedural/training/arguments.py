"""The arguments of recipes: dataclasses, whose `check` refuses what can be refused before anything heavy is imported.

Light: neither torch nor transformers. StageSettings is our part of the Trainer's arguments; `StageArguments`, in
stage_arguments.py, is the whole.
"""

import contextlib
import dataclasses
import functools
import itertools
from pathlib import Path
from typing import ClassVar, cast

from .. import accepted, metrics
from ..errors import at_least
from ..models.words import (
    ENCODERS,
    SIZE,
    check_components,
    check_dtype,
    check_embeddings,
    check_model_type,
    layer_pairs,
    parse_size,
    parse_sources,
)
from ..tasks import Task, load_task_file, task
from . import declared, needs
from .words import check_words, mapping


@dataclasses.dataclass
class TaskArguments:
    """Which task, and how it is validated."""

    _argument_group_name = "task and data"

    task: str | None = dataclasses.field(
        default=None, metadata={"help": "Task and size, such as sort-64, dyck-8 or the mixture sort-64+set-64."}
    )
    task_parameters: dict | str | None = dataclasses.field(
        default=None, metadata={"help": """The task's other parameters as JSON, such as '{"vocab_size": 50}'."""}
    )
    task_file: str | None = dataclasses.field(
        default=None, metadata={"help": "A Python file with tasks of your own (docs/guides/your-own-task.md)."}
    )
    validation_size: int = dataclasses.field(default=4_096, metadata={"help": "Validation rows."})
    curriculum: bool = dataclasses.field(
        default=False,
        metadata={"help": "Begin with short rows and lengthen them each time validation accuracy shows mastery."},
    )
    curriculum_start: int = dataclasses.field(default=2, metadata={"help": "Symbols, or digits, in the first rows."})
    curriculum_step: int = dataclasses.field(default=2, metadata={"help": "Symbols, or digits, added at each mastery."})
    curriculum_threshold: float = dataclasses.field(
        default=0.99, metadata={"help": "Validation answer accuracy that counts as mastery."}
    )

    def __post_init__(self):
        self.task_parameters = mapping("task_parameters", self.task_parameters)
        if self.task_file is not None:
            load_task_file(self.task_file)
            self.task_file = str(Path(self.task_file).absolute())  # as recipe.yaml keeps it

    @property
    def curriculum_settings(self) -> dict:
        """As LengthCurriculum takes them."""
        return {name: getattr(self, f"curriculum_{name}") for name in ("start", "step", "threshold")}

    def resolve(self) -> Task:
        """The task itself. Raises ValueError for a name or parameter that is not one."""
        if self.task is None:
            raise ValueError("task is missing: give --task sort-64, or a YAML with the key task")
        return task(self.task, **cast(dict, self.task_parameters))

    def check(self) -> None:
        """Raises ValueError for a name or parameter that is not one."""
        self.resolve()


@dataclasses.dataclass
class RowArguments(TaskArguments):
    """Which rows to train on, and how many."""

    _argument_group_name = TaskArguments._argument_group_name

    train_size: int = dataclasses.field(
        default=160_064, metadata={"help": "Training rows. The default is the budget of Jiang et al. 2026."}
    )
    streaming: bool = dataclasses.field(
        default=False, metadata={"help": "Make training rows on the fly, without a cache on disk."}
    )


@dataclasses.dataclass
class WeightArguments:
    """The number type of the weights, in every recipe that trains a model."""

    dtype: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "Number type of the weights: float32, bfloat16 or float16. Default: float32, in whatever type a "
            "checkpoint or configuration was stored; mixed precision is --bf16."
        },
    )

    def __post_init__(self):
        check_dtype(self.dtype)


DEFAULT_SIZE = "2_4_16"


@dataclasses.dataclass
class ModelArguments(WeightArguments):
    """Which model to train."""

    _argument_group_name = "model"

    model_type: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "A causal language model of transformers: gpt2, llama, qwen3 ... Default: that of the "
            "configuration or of --init_from, or gpt2."
        },
    )
    size: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "layers_heads_width, such as 2_4_16 or 12_12_768 (GPT-2's 124M). Default: that of --init_from, or "
            "2_4_16."
        },
    )
    num_hidden_layers: int | None = dataclasses.field(
        default=None, metadata={"help": "Layers, instead of those of --size or --init_from."}
    )
    num_attention_heads: int | None = dataclasses.field(
        default=None, metadata={"help": "Attention heads, instead of those of --size or --init_from."}
    )
    hidden_size: int | None = dataclasses.field(
        default=None, metadata={"help": "Width, instead of that of --size or --init_from."}
    )
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
        super().__post_init__()
        self.model_overrides = mapping("model_overrides", self.model_overrides)

    def check(self) -> None:
        """Raises ValueError for a size or an architecture that is none."""
        self.given_size()
        if self.model_type is not None:
            with contextlib.suppress(declared.Unreadable):  # else transformers tells it, later
                auto = functools.partial(declared.keys_of, "transformers.models.auto.modeling_auto")
                encoders = itertools.chain.from_iterable(map(auto, ENCODERS))
                check_model_type(self.model_type, auto("MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"), [*encoders])
        needs.check_attention(self.attn_implementation)

    @property
    def _parts(self) -> dict[str, int]:
        """Those of layers, heads and width that are given one by one."""
        return {name: getattr(self, name) for name in SIZE if getattr(self, name) is not None}

    def given_size(self) -> dict[str, int]:
        """Layers, heads and width; empty where neither --size nor one of them is given."""
        given = self._parts
        if not given and not self.size:
            return {}
        if self.config_name is not None:
            raise ValueError(
                "config_name: a configuration has a size of its own; leave size and its parts out, or change it by "
                "model_overrides"
            )
        size = parse_size(self.size or DEFAULT_SIZE) | given
        parse_size("_".join(str(size[name]) for name in SIZE))
        return size

    def like(self, source: str | None) -> "ModelArguments":
        """What these leave open, taken from the model in `source`, a folder or Hub id.

        That is its whole configuration, with another number of layers or the like where only that is given, or else,
        of another size, its architecture.
        """
        parts = self._parts
        if source is None or self.config_name is not None:
            return self
        from ..models.build import model_type_of, stretch_of

        if self.size or len(parts) == len(SIZE):
            model_type = self.model_type or model_type_of(source)
            return self if model_type == "gpt2" else dataclasses.replace(self, model_type=model_type)
        overrides = cast(dict, self.model_overrides)
        for name, value in parts.items():
            at_least(name, value, 1)
            _check_agreement(name, value, overrides.get(name, value))
        overrides = stretch_of(source) | parts | overrides
        return dataclasses.replace(self, config_name=source, model_overrides=overrides, **dict.fromkeys(SIZE, None))

    def build(self, tokenizer, row_length: int, like: str | None = None):
        """A new model for rows of `row_length` tokens; what is not given is as of the model in `like`.

        Raises ValueError for sizes that do not fit, together or into this machine.
        """
        import torch

        from ..models.build import new_config, new_model

        chosen = self.like(like)
        size = chosen.given_size()
        given = size
        if chosen.config_name is None and not size:
            size = parse_size(DEFAULT_SIZE)
        positions = row_length if self.context_length is None else self.context_length
        if positions < row_length:
            raise ValueError(f"context_length must be at least the row length {row_length}, got {positions}")
        config = new_config(
            tokenizer,
            positions,
            model_type=chosen.model_type,
            config_name=chosen.config_name,
            dropout=self.dropout,
            dtype=self.dtype,
            overrides=cast(dict, chosen.model_overrides),
            **size,
        )
        if self.attn_implementation == "flex_attention" and not torch.accelerator.is_available():
            raise ValueError("attn_implementation flex_attention trains on GPUs only; sdpa does on CPUs, too")
        for name, value in given.items():
            _check_agreement(name, value, getattr(config, name, value))
        return new_model(config, self.attn_implementation)


def _check_agreement(name: str, value: int, other) -> None:
    """Raises ValueError where model_overrides say something else of the size than the flags do."""
    if value != other:
        raise ValueError(f"{name} is {value} by its flag or --size, and {other} by model_overrides: give one of them")


SCRATCH = "scratch"


@dataclasses.dataclass
class InitArguments:
    """Which weights to begin with, and which to train."""

    _argument_group_name = "weights to begin with"

    init_from: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "A run's folder, Hub id or reference .pth whose weights to begin with, or scratch; permuted:DIR or "
            "statistics:DIR for its controls, noise0.1:DIR for noise; attn=DIR,mlp=DIR for several sources, "
            "0.6*DIR,0.4*DIR for their average."
        },
    )
    transfer: list[str] = dataclasses.field(
        default_factory=lambda: ["all"],
        metadata={"help": "Components to take from it: attn, mlp, ln, embed (or all)."},
    )
    embeddings: str = dataclasses.field(
        default="average",
        metadata={"help": "Token embeddings, with embed or all: average, partial, retain, by_token, resample, reinit."},
    )
    layers: list[str] = dataclasses.field(
        default_factory=list,
        metadata={"help": "Source and target layers where the depths differ: 0:0 1:3, or 0-5:6-11."},
    )
    train_components: list[str] = dataclasses.field(
        default_factory=list, metadata={"help": "Components to train, all others frozen. Default: all."}
    )

    def __post_init__(self):
        if self.init_from == SCRATCH:
            self.init_from = None
        check_components([*self.transfer, *self.train_components])
        check_embeddings(self.embeddings)
        layer_pairs(self.layers)

    def check(self) -> None:
        """Raises ValueError for a source that is none, and for layers without a source."""
        if self.init_from is not None:
            parse_sources(self.init_from)
        elif self.layers:
            raise ValueError(f"layers {' '.join(self.layers)}: there is no model to copy them from; give --init_from")

    def config_source(self) -> str | None:
        """The folder or Hub id of the first source, if it has a configuration."""
        paths = [source.path for source in parse_sources(self.init_from)] if self.init_from else []
        return next((path for path in paths if not path.endswith((".pth", ".pt", ".bin"))), None)


@dataclasses.dataclass
class StageSettings:
    """Our part of StageArguments: `patience`, `on_nan`, `max_hours`, and other defaults.

    Those that differ: output_dir (runs/TASK), logging_steps (50), eval_strategy (steps), eval_steps (500), report_to
    (none), dataloader_pin_memory (with a GPU), ddp_find_unused_parameters (false), include_num_input_tokens_seen (all),
    logging_nan_inf_filter (false) and train_sampling_strategy (sequential: rows are independent, and reading them in
    order is faster).
    """

    _argument_group_name = "training: all of transformers.TrainingArguments, and"
    extends: ClassVar[tuple[str, str]] = ("transformers", "TrainingArguments")
    best: ClassVar[str] = "answer_accuracy"  # the metric that patience waits for, where none is named
    known: ClassVar[tuple[str, ...]] = ("loss", *metrics.NAMES)

    logging_steps: float = dataclasses.field(default=50, metadata={"help": "Steps between two logs."})
    eval_strategy: str = dataclasses.field(
        default="steps", metadata={"help": "When to evaluate: no, steps or epoch.", "choices": ["no", "steps", "epoch"]}
    )
    eval_steps: float | None = dataclasses.field(default=500, metadata={"help": "Steps between two evaluations."})
    include_num_input_tokens_seen: str = dataclasses.field(
        default="all",
        metadata={
            "help": "Tokens that are counted and logged: all, non_padding or no.",
            "choices": ["all", "non_padding", "no"],
        },
    )
    train_sampling_strategy: str = dataclasses.field(
        default="sequential",
        metadata={
            "help": "Order of rows: sequential or random.",
            "choices": ["random", "sequential", "group_by_length", "batch_rebalance"],
        },
    )
    optim: str = dataclasses.field(
        default="adamw_torch_fused",
        metadata={
            "help": "Optimizer: one of transformers.training_args.OptimizerNames, muon or soap "
            "(docs/guides/pretrain.md)."
        },
    )
    optim_args: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "Settings of the optimizer, name=value,name=value: muon has momentum, ns_steps, adjust_lr_fn and "
            "adamw_lr, soap beta1, beta2, precondition_frequency and max_precondition_dim."
        },
    )
    report_to: None | str | list[str] = dataclasses.field(
        default="none", metadata={"help": "Trackers: none, all, wandb, tensorboard, trackio, mlflow ..."}
    )
    ddp_find_unused_parameters: bool | None = dataclasses.field(
        default=False, metadata={"help": "Look for parameters without a gradient in every step; slower."}
    )
    logging_nan_inf_filter: bool = dataclasses.field(
        default=False, metadata={"help": "Must stay false: it logs 0 where a loss is not a number."}
    )
    on_nan: str = dataclasses.field(
        default="stop", metadata={"help": "What a loss, or gradient, that is not a number does to a run: stop or warn."}
    )
    do_train: bool = dataclasses.field(default=True, metadata={"help": "Must stay true."})
    do_eval: bool = dataclasses.field(
        default=True, metadata={"help": "Must stay true; --eval_strategy no evaluates at the end alone."}
    )
    max_hours: float | None = dataclasses.field(
        default=None,
        metadata={
            "help": "End with a checkpoint rather than run longer than so many hours; --resume_from_checkpoint true "
            "goes on."
        },
    )
    resume_from_checkpoint: str | None = dataclasses.field(
        default=None,
        metadata={"help": "Go on: true from the newest checkpoint of output_dir, or a checkpoint-N folder."},
    )
    enable_jit_checkpoint: bool = dataclasses.field(
        default=False, metadata={"help": "End with a checkpoint at SIGTERM, as Slurm sends it before it kills."}
    )
    patience: int | None = dataclasses.field(
        default=None, metadata={"help": "Stop after so many evaluations without a better answer accuracy."}
    )
    given: frozenset[str] = dataclasses.field(default=frozenset(), init=False)  # names that the command, or YAML, has

    def __post_init__(self):
        if str(self.fsdp).lower() in ("true", "false"):  # else a word of FSDP's older settings
            self.fsdp = str(self.fsdp).lower() == "true"
        if self.patience is not None:
            self.metric_for_best_model = self.metric_for_best_model or self.best
            if self.greater_is_better is None:
                self.greater_is_better = not self.metric_for_best_model.endswith("loss")
            self.restore_callback_states_from_checkpoint = True
        for field in dataclasses.fields(self):
            accepted.check(field.name, getattr(self, field.name))
        if vars(self)["output_dir"] == "":  # None is the recipe's own
            raise ValueError("output_dir is empty: name a folder, or leave it out")
        if self.on_nan not in ("stop", "warn"):
            raise ValueError(f"on_nan must be stop or warn, got {self.on_nan!r}")
        if self.logging_nan_inf_filter:
            raise ValueError("logging_nan_inf_filter must stay false: on_nan says what such a loss does")
        ends_early = self.max_hours is not None or self.enable_jit_checkpoint
        if ends_early and getattr(self, "save_only_model"):  # noqa: B009  (a field of the class that it `extends`)
            raise ValueError(
                "save_only_model: with max_hours or enable_jit_checkpoint a run is to go on from checkpoints"
            )
        check_words(self)
        needs.check(self)
        optimizer = self.optim
        if optimizer in needs.OURS:
            self.optim = "adamw_torch"  # transformers takes its own names only; optimizers.make tells the Trainer
        super().__post_init__()  # ty: ignore[missing-attribute]  (that of the class that it `extends`)
        if optimizer in needs.OURS:
            self.optim = optimizer
        if self.patience is not None and self.eval_strategy == "no":
            raise ValueError("patience: there is nothing to wait for with eval_strategy no")
        best = self.metric_for_best_model
        if best is not None and best.removeprefix("eval_") not in self.known:
            raise ValueError(f"metric_for_best_model must be one of {', '.join(self.known)}, got {best!r}")
