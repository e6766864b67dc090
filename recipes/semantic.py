# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural"]
# ///
"""The semantic stage: pretrains a model on text, code or maths, from scratch or from another run's weights.

    accelerate launch recipes/semantic.py recipes/configs/stdlib.yaml --output_dir runs/code_scratch
    accelerate launch recipes/semantic.py recipes/configs/stdlib.yaml --init_from runs/set --transfer attn mlp ln
    accelerate launch recipes/semantic.py recipes/configs/c4.yaml --init_from runs/set --transfer attn mlp ln --bf16
    accelerate launch --config_file recipes/accelerate/multi_gpu.yaml recipes/semantic.py recipes/configs/c4.yaml
    accelerate launch recipes/semantic.py --dataset 'data/*.jsonl.gz' --tokenizer_size 8192 --size 4_4_256 \\
        --max_tokens 20_000_000 --output_dir runs/own
    accelerate launch recipes/semantic.py recipes/configs/recycle_400m.yaml \\
        --dataset data/filtered/organic data/filtered/recycled --weights 1 1
    accelerate launch recipes/semantic.py --dataset allenai/c4:en codeparrot/codeparrot-clean-train --weights 3 1 \\
        --tokenizer gpt2 --size 12_12_768 --max_tokens 1_000_000_000 --output_dir runs/c4_and_code
    accelerate launch recipes/semantic.py recipes/configs/c4_first.yaml --bf16   # behind 2M tokens of a task
    accelerate launch recipes/semantic.py recipes/configs/stdlib.yaml --first procedural:set-64 --first_tokens 12_288 \\
        --output_dir runs/code_behind_set
    accelerate launch recipes/semantic.py recipes/configs/stdlib.yaml --dataset stdlib procedural:sort-64+set-64 \\
        --weights 0.997 0.003 --output_dir runs/code_and_rows                    # and with rows of tasks in between
    accelerate launch recipes/semantic.py recipes/configs/stdlib.yaml --noise uniform:0.1 --output_dir runs/code_noisy
    accelerate launch recipes/semantic.py runs/own/recipe.yaml --resume_from_checkpoint true   # after an interruption

Text is streamed, tokenized and packed while the model trains. stdlib.yaml (Python's own source) and pydoc.yaml (its
language reference) need no network and minutes on two CPU cores; c4.yaml, codeparrot.yaml, deepmind_math.yaml and
wikitext.yaml hold the settings of Jiang et al. 2026 (arXiv:2601.21725), recycle_400m.yaml and recycle_1_4b.yaml those
of RePro (Yu and Xiong 2025), for GPUs. Several data sets are mixed: --weights are shares of tokens, and each begins
anew when it ends; rows.json in a checkpoint says in which epoch each is. A budget is --max_tokens; with --substitutive
the tokens of the stages before count too.

Rows of procedural tasks come among the text, as a data set procedural:TASK with a weight, or in front of it, as
--first, in the tokens of the run's tokenizer; they have labels where the task has. eval_loss stays that of the text.
Each of several sources has a loss of its own, by its name: eval_c4_loss, eval_sort-64_loss. coding.json tells which
tokens a task's symbols are.

The output folder gets the model, its tokenizer, recipe.yaml, provenance.json, all_results.json, trainer_state.json
(with tokens and FLOPs at every line) and training.png; DeepMind-Math leaves modules.json, too.
"""

import dataclasses
import functools
import hashlib
import json
import math
from pathlib import Path
from typing import ClassVar

from hf_procedural.errors import user_errors
from hf_procedural.text import noise as noises
from hf_procedural.text import sources
from hf_procedural.training import parser
from hf_procedural.training.arguments import InitArguments, ModelArguments, StageSettings
from hf_procedural.training.procedural_arguments import ProceduralArguments

MODULES = "modules.json"


@dataclasses.dataclass
class TextArguments(sources.ReadingArguments):
    """What to read, and as which tokens."""

    _argument_group_name = "text"
    described: ClassVar = ("dataset", "validation_dataset")

    dataset: list[str] = dataclasses.field(
        default_factory=list,
        metadata={
            "help": sources.HELP + " Or several of them, or DeepMind-Math alone: its folder, or mathematics_dataset-"
            "v1.0.tar.gz. Among several also procedural:TASK, such as procedural:sort-64+set-64: rows of a task. "
            "In a YAML also mappings with the keys " + ", ".join(sources.KEYS) + "."
        },
    )
    text_column: list[str] = dataclasses.field(
        default_factory=list,
        metadata={"help": f"{sources.COLUMN_HELP} Of several data sets one for all, or one for each."},
    )
    weights: list[float] = dataclasses.field(
        default_factory=list,
        metadata={
            "help": "Shares of the tokens that several data sets give, in their order, such as 3 1; those with and "
            "without a label count alike. Default: equal."
        },
    )
    train_split: str = dataclasses.field(default="train", metadata={"help": "Split to train on."})
    validation_split: str | None = dataclasses.field(
        default=None, metadata={"help": "Default: validation where there is one, else every 20th document is held out."}
    )
    validation_dataset: str | None = dataclasses.field(
        default=None, metadata={"help": "Another data set to validate with, named as dataset is."}
    )
    tokenizer: str | None = dataclasses.field(
        default=None,
        metadata={"help": "Folder or Hub id. Default: a byte-level BPE trained on the documents."},
    )
    tokenizer_size: int = dataclasses.field(default=4_096, metadata={"help": "Tokens of a tokenizer that is trained."})
    sequence_length: int = dataclasses.field(default=1_024, metadata={"help": "Tokens in a row."})
    separator: str = dataclasses.field(
        default="eos", metadata={"help": "Between documents: eos after each, bos before each, or none."}
    )
    noise: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "KIND or KIND:RATE, such as uniform:0.1: noise in the training text. Of tokens (a share): "
            "uniform, insert, delete, shuffle; of rows (noise tokens for each clean one): uniform_rows, unigram_rows, "
            "shuffled_rows. Validation stays clean."
        },
    )
    validation_size: int = dataclasses.field(
        default=256, metadata={"help": "Rows of the validation documents, at most."}
    )
    cut_validation: bool = dataclasses.field(
        default=False,
        metadata={"help": "Validate with a row for each document, cut or padded, not packed."},
    )
    validation_problems: int = dataclasses.field(
        default=32, metadata={"help": "DeepMind-Math: problems of each module to validate with."}
    )
    greedy: bool = dataclasses.field(
        default=True, metadata={"help": "DeepMind-Math: at the end, also generate the answers greedily."}
    )
    max_tokens: int | None = dataclasses.field(
        default=None, metadata={"help": "Budget in tokens, instead of max_steps; whole steps that fit."}
    )
    substitutive: bool = dataclasses.field(
        default=False, metadata={"help": "Count the tokens of the stages behind --init_from against max_tokens."}
    )

    def __post_init__(self):
        self.dataset, self.weights = sources.checked_sources(self.dataset, self.weights)
        if self.validation_dataset is not None:
            self.validation_dataset, weight = sources.checked_source(self.validation_dataset)
            if weight is not None:
                raise ValueError(f"validation_dataset: it is alone, and has no weight, got {weight!r}")
            if not sources.texts_of(self.validation_dataset):
                label = sources.label(self.validation_dataset)
                raise ValueError(f"validation_dataset must be text, got {label!r}: tasks have losses of their own")
        if self.noise is not None:
            self.noise = str(noises.Noise.parse(self.noise))
        number = len(self.texts)
        if self.dataset and not number:
            labels = " ".join(map(sources.label, self.dataset))
            raise ValueError(f"dataset {labels} has no text: name some, too, or train with recipes/pretrain.py")
        if number > 1 and self.dataset_config is not None:
            raise ValueError(
                f"dataset_config: {number} data sets have none in common, got {self.dataset_config!r}; "
                f"each may have its own: {sources.FORM}"
            )
        if number:
            sources.columns_of_each(self.text_column, number)

    @property
    def texts(self) -> list:
        """Those of `dataset` that are text."""
        return sources.texts_of(self.dataset)

    @property
    def name(self) -> str:
        """What the data are called in short."""
        return "+".join(source.task or Path(source.name).stem for source in sources.named(self.dataset))

    @property
    def is_math(self) -> bool:
        """Whether `dataset` is DeepMind-Math: its folder, the one above, or its packed archive."""
        named = sources.named(self.dataset)
        return len(named) == 1 and math_archive.math_folder(named[0].name) is not None


@dataclasses.dataclass
class TextStageSettings(StageSettings):
    """As in recipes/pretrain.py; patience waits for a lower loss."""

    best = "loss"
    known = ("loss",)

    z_loss: float = dataclasses.field(
        default=0.0,
        metadata={"help": "Coefficient of the mean of log(Z)^2 in the loss of training, and in its log. Usual: 1e-4."},
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ("use_liger_kernel", "label_smoothing_factor"):
            if self.z_loss and getattr(self, name):
                raise ValueError(f"z_loss needs logits and labels, which {name} keeps for itself: leave one out")


parser.answer_early(
    __name__, __doc__, TextArguments, ProceduralArguments, InitArguments, ModelArguments, TextStageSettings
)

from transformers import EarlyStoppingCallback, Trainer, default_data_collator, set_seed

from hf_procedural.data import tokenization
from hf_procedural.files import write_text
from hf_procedural.hub.runs import train_and_publish
from hf_procedural.models import losses, suited
from hf_procedural.runs import folder
from hf_procedural.text import deepmind_math, documents, math_archive, mixing, packing, tokenizers
from hf_procedural.training import begin, callbacks, finish, procedural
from hf_procedural.training.launch import expect_threads
from hf_procedural.training.stage_arguments import StageArguments


@dataclasses.dataclass
class TextStageArguments(TextStageSettings, StageArguments):
    """All of transformers.TrainingArguments, with the defaults of TextStageSettings."""


def open_text(text, seed: int):
    """Documents of each data set to train on, and those to validate with; names the columns in `text`."""
    train, validation = documents.train_and_validation_of_each(
        text.texts,
        dataset_config=text.dataset_config,
        train_split=text.train_split,
        validation_split=text.validation_split,
        validation_dataset=text.validation_dataset,
        text_column=text.text_column,
        limit=text.limit,
        shuffle_buffer=text.shuffle_buffer,
        seed=seed,
        skip_empty=text.skip_empty,
    )
    columns = [column for texts in train for column in texts.columns]
    text.text_column = columns if len(set(columns)) > 1 else columns[:1]
    return train, validation


def load_text(text, rows, seed: int, train, validation):
    """Tokenizer, training rows, validation rows of what `open_text` gives, the procedural ones, and those of each."""
    every = text.weights or [1.0] * len(text.dataset)
    named = zip(every, sources.named(text.dataset), strict=True)
    weights = [weight for weight, source in named if source.task is None]
    if text.tokenizer is None:
        tokenizer = tokenizers.train_tokenizer(mixing.merged(train, weights, seed), text.tokenizer_size)
    else:
        tokenizer = tokenization.load_tokenizer(text.tokenizer)
        suited.check_text(text.tokenizer, tokenizer)
    options = (tokenizer, text.sequence_length, text.separator)
    noise = noises.Noise.parse(text.noise) if text.noise else None
    corrupter = None if noise is None else noises.Corrupter(noise, len(tokenizer), text.sequence_length, seed)
    layout = procedural.Layout(*options, rows.packing, seed, corrupter)
    tasks = procedural.Procedural(rows, text.dataset, every, layout)

    def held_out(documents):
        return packing.validation_rows(documents, *options, rows=text.validation_size, cut=text.cut_validation)

    validated = held_out(mixing.merged(validation, weights[: len(validation)], seed))
    of_each = tasks.validation_rows(text.validation_size)
    if len(validation) > 1:
        of_each |= zip(sources.names(text.texts, [procedural.TEXT, *of_each]), map(held_out, validation), strict=True)
    return tokenizer, tasks.training_rows(train), validated, tasks, of_each


def load_math(text, seed: int):
    """Tokenizer, training rows and validation rows of DeepMind-Math, and the problems of these by split/module."""
    unused = ("tokenizer", "limit", "shuffle_buffer", "skip_empty", "cut_validation", "validation_dataset", "noise")
    unused += ("dataset_config", "train_split", "validation_split", "text_column")
    usual = {"train_split": "train", "text_column": ["text"]}  # as every recipe.yaml says
    for name in unused:
        if getattr(text, name) not in (None, False, 0, usual.get(name)):
            raise ValueError(f"{name}: DeepMind-Math is read by characters and modules, got {getattr(text, name)!r}")
    (source,) = sources.named(text.dataset)
    folder = source.name
    if source != sources.TextSource(folder):
        raise ValueError(f"dataset: DeepMind-Math has no configuration, split or column, got {text.dataset[0]!r}")
    problems = math_archive.validation_problems(folder, text.validation_problems)
    rows = deepmind_math.MathRows(folder, seed, text.sequence_length)
    validation = deepmind_math.MathValidation(problems)
    if validation.length > text.sequence_length:
        raise ValueError(f"sequence_length must be at least {validation.length} here, got {text.sequence_length}")
    return deepmind_math.character_tokenizer(), rows, validation, problems


def fingerprint(rows) -> str:
    """A digest of the first row."""
    return hashlib.blake2b(next(iter(rows))["input_ids"].numpy().tobytes(), digest_size=8).hexdigest()


def steps_within(text, init, args) -> int:
    """Optimizer steps that the budget pays for."""
    if text.max_tokens is None:
        if args.max_steps < 1:
            raise ValueError("max_tokens is missing: give --max_tokens 10_000_000, or --max_steps")
        return args.max_steps
    each, before = begin.rows_per_step(args) * text.sequence_length, 0
    if text.substitutive:
        sources = (folder.earlier_stages(init.init_from) or {}).get("sources", [])
        if not sources or not all(source.get("tokens") for source in sources):
            raise ValueError(f"substitutive: the tokens behind init_from {init.init_from} are not known")
        before = sum({source["path"]: source["tokens"] for source in sources}.values())
    if (steps := int((text.max_tokens - before) // each)) < 1:
        raise ValueError(f"max_tokens {text.max_tokens} less {before} of earlier stages is no step of {each} tokens")
    if args.max_steps > 0 and args.max_steps != steps:
        raise ValueError(f"max_steps {args.max_steps} and max_tokens {text.max_tokens}, {steps} steps, contradict")
    return steps


def text_metrics(bytes_per_token: float):
    """What follows from a logged evaluation loss, in nats per token."""

    def derived(logs):
        if "eval_loss" not in logs:
            return {}
        loss = logs["eval_loss"]
        perplexity = math.inf if loss > 700 else math.exp(loss)
        return {"eval_perplexity": perplexity, "eval_bits_per_byte": losses.bits_per_byte(loss, bytes_per_token)}

    return derived


def no_metrics(_) -> dict:
    """Where there is nothing to add."""
    return {}


def math_metrics(modules):
    """A `compute_metrics`: accuracies over all problems and over those of each split."""
    splits = [module.partition("/")[0] for module in modules]

    def compute(prediction):
        overall, by_split = deepmind_math.accuracy(prediction.predictions, prediction.label_ids, splits)
        return overall | {f"{split}_{name}": value for split in by_split for name, value in by_split[split].items()}

    return compute


def save_modules(text, problems, validation, trainer) -> dict[str, float]:
    """DeepMind-Math's accuracies by module, as modules.json; whole answers also by greedy generation, if asked for.

    Gives the generated answers' accuracies over all modules.
    """
    args, overall = trainer.args, {}
    predicted = trainer.predict(validation)
    _, modules = deepmind_math.accuracy(predicted.predictions, predicted.label_ids, validation.modules)
    if not args.should_save:
        return overall
    if text.greedy:
        answered = (trainer.model, trainer.processing_class, problems, args.eval_batch_size)
        overall, generated = deepmind_math.greedy_exact_match(*answered)
        modules = {module: scores | generated[module] for module, scores in modules.items()}
    write_text(Path(args.output_dir, MODULES), json.dumps(modules, indent=2) + "\n")
    return overall


def prepare(text, rows, init, model_args, args) -> finish.Prepared:
    """All that training needs. Raises ValueError for all that can be wrong; writes nothing."""
    if not text.dataset:
        raise ValueError("dataset is missing: give --dataset stdlib, or a YAML with the key dataset")
    if args.dataloader_num_workers:
        raise ValueError(f"dataloader_num_workers must be 0 (a thread reads ahead), got {args.dataloader_num_workers}")
    args.output_dir = args.output_dir or f"runs/{text.name}"
    args.max_steps = steps_within(text, init, args)
    tokens = args.max_steps * begin.rows_per_step(args) * text.sequence_length
    if rows.first_tokens is not None and rows.first_tokens > tokens:
        raise ValueError(f"first_tokens must be at most the {tokens} tokens of the run, got {rows.first_tokens}")
    args.accelerator_config.dispatch_batches = None  # endless rows: the main process reads and tokenizes for all
    seed = folder.data_seed(args)
    is_math, of_each = text.is_math, {}
    if is_math:
        text.text_column = text.text_column or ["text"]  # as every recipe.yaml says, so that older runs go on
        if rows.first is not None or rows.task_parameters:
            raise ValueError("first, task_parameters: DeepMind-Math is read by characters, which code no task's rows")
        checkpoint = folder.open_run(args, text, rows, init, model_args)
        tokenizer, train, validation, problems = load_math(text, seed)
    else:
        opened = open_text(text, seed)
        checkpoint = folder.open_run(args, text, rows, init, model_args)
        tokenizer, train, validation, tasks, of_each = load_text(text, rows, seed, *opened)
    set_seed(args.seed)
    model = model_args.build(tokenizer, text.sequence_length, like=init.config_source())
    provenance = begin.transfer_and_freeze(init, model, tokenizer, args)
    provenance["dataset_fingerprints"] = {"train": fingerprint(train), "validation": fingerprint(validation)}
    if is_math:
        losses.score_labelled_only(model)
        validated = dict.fromkeys(module.partition("/")[0] for module in validation.modules)
        provenance["math_splits"] = {"train": train.difficulties, "validation": list(validated)}
        derived, extra_metrics = no_metrics, functools.partial(save_modules, text, problems, validation)
    else:
        provenance |= {"bytes_per_token": validation.bytes_per_token} | tasks.about()
        derived, extra_metrics = text_metrics(validation.bytes_per_token), no_metrics
    if args.z_loss:
        losses.add_z_loss(model, args.z_loss)

    def make_trainer():
        trainer = Trainer(
            model,
            args,
            data_collator=default_data_collator,
            train_dataset=train,
            eval_dataset=validation,
            processing_class=tokenizer,
            compute_metrics=math_metrics(validation.modules) if is_math else None,
            preprocess_logits_for_metrics=finish.predictions,
            callbacks=[EarlyStoppingCallback(args.patience)] if args.patience else [],
        )
        weighed = losses.weigh_by_tokens(trainer, validation)
        callbacks.LogMore(trainer, derived)
        if of_each:
            procedural.LogSources(trainer, tasks, of_each, weighed)
        callbacks.SavePlace(trainer, checkpoint)
        return trainer

    names = " + ".join(map(sources.label, text.dataset))
    if text.noise is not None:
        provenance["noise"] = text.noise
        names += f" with noise {text.noise}"
    if rows.first is not None:
        names = f"{sources.label(rows.first)}, then {names}"
    title = f"{names}, {model.config.model_type}"
    described = (provenance, title, extra_metrics)
    return finish.Prepared("semantic", args, model, tokenizer, make_trainer, checkpoint, *described)


def main():
    types = (TextArguments, ProceduralArguments, InitArguments, ModelArguments, TextStageArguments)
    text, rows, init, model_args, args = parser.parse(__doc__, *types)
    begin.hide_mask_warning()
    with user_errors():
        prepared = prepare(text, rows, init, model_args, args)
    begin.print_transfer(prepared.provenance, args)
    with user_errors(documents.DataError):
        train_and_publish(prepared, text, rows, init, model_args)
    expect_threads()


if __name__ == "__main__":
    main()
