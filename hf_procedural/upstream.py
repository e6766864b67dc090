"""What we lean on in other libraries beyond what they promise: each such name once, with what happens without it.

An entry ends in one of two ways where the installed version has changed: in the library's own way of doing it (`get`
gives None, `agrees` is false; slower is fine), or in one line that names the versions that work (`need`). Nothing is
looked up before it is used, so that a name that is gone harms only what needs it. To add one, write its entry below and
what takes it away into tests/test_upstream.py, which asks for one of each.
"""

import dataclasses
import pkgutil
import re
from collections.abc import Callable

from .terminal import logger


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is known of a name, ``module:name`` or ``module:Class.name``, also of what only instances have."""

    why: str  # what we do with it
    works: str  # the versions that it was written against, as pip takes them
    until: str  # what would end the need
    without: str  # what happens where it is gone

    @property
    def package(self) -> str:
        return self.works.partition(">")[0].partition("=")[0]


_DATASETS = "datasets>=5.2,<6"
_TRANSFORMERS = "transformers>=5.23,<6"
_ACCELERATE = "accelerate>=1.15,<2"
_TRL = "trl>=1.16,<2"
_DATATROVE = "datatrove>=0.10,<0.11"
_NUMBA = "numba>=0.61,<0.69"
_HARNESS = "lm_eval>=0.4.13,<0.5"

PRIVATE: dict[str, Entry] = {}


def _lean(works: str, *names: str, why: str, until: str, without: str) -> None:
    for name in names:
        PRIVATE[name] = Entry(why, works, until, without)


_lean(
    _DATASETS,
    "datasets.load:_PACKAGED_DATASETS_MODULES",
    "datasets.load:PackagedDatasetModuleFactory.get_module",
    "datasets.load:DatasetModule",
    "datasets.load:DataFilesDict",
    why='load_dataset("procedural", ...)',
    until="datasets lets a package register a builder",
    without="one line when datasets is imported, and an error of one line where our recipes and commands ask for rows",
)
_lean(
    _DATASETS,
    "datasets.iterable_dataset:_BaseExamplesIterable",
    "datasets.iterable_dataset:IterableDataset._prepare_ex_iterable_for_iteration",
    "datasets.formatting:get_formatter",
    "datasets.builder:DatasetBuilder._as_streaming_dataset_single",
    why="a stream of formatted rows at the speed of batches",
    until="datasets formats the rows of a stream many at once",
    without="streams are the stock ones, which give the same rows and are slower",
)
_lean(
    _DATASETS,
    "datasets.builder:DatasetBuilder._create_builder_config",
    why="a configuration for any task, size and parameter",
    until="datasets lets a builder make its configurations",
    without="an error of one line",
)
_lean(
    _DATASETS,
    "datasets.builder:Key",
    why="the key of a table among the rows of a shard",
    until="datasets exports it",
    without="keys are pairs, as those of older builders",
)
_lean(
    _DATASETS,
    "datasets.data_files:SPLIT_KEYWORDS",
    "datasets.data_files:FILES_TO_IGNORE",
    why="what the names of files say of their splits, and which are no data",
    until="datasets exports them",
    without="our own lists, which are those of datasets 5.2",
)
_lean(
    _TRANSFORMERS,
    "transformers.integrations.sdpa_attention:sdpa_attention_forward",
    "transformers.masking_utils:sdpa_mask",
    "transformers:PreTrainedModel._supports_attention_backend",
    "transformers:PreTrainedModel._supports_sdpa",
    why="attention for small heads on CPUs",
    until="PyTorch's kernel is as fast on heads of 4 dimensions",
    without="attention is PyTorch's, which is slower on small heads",
)
_lean(
    _TRANSFORMERS,
    "transformers.utils.import_utils:create_import_structure_from_path",
    why="a start of a recipe in which transformers reads the sources of its models once",
    until="transformers keeps what it has read of them (its cache has 128 places for 450 folders)",
    without="it reads them a second time, which takes a tenth of a second",
)
_lean(
    _TRANSFORMERS,
    "transformers.models.gpt2.modeling_gpt2:GPT2MLP",
    why="GPT-2's MLP of few dimensions in one pass on CPUs",
    until="transformers lets us register an MLP",
    without="MLPs are matrix products of PyTorch, which are slower on so few dimensions",
)
_lean(
    _TRANSFORMERS,
    "transformers:PreTrainedModel.loss_type",
    why="no warning of a loss that GPT-2's name does not tell",
    until="transformers sets it for GPT-2",
    without="the warning",
)
_lean(
    _TRANSFORMERS,
    "transformers:PreTrainedModel.loss_function",
    why="logits of labelled tokens alone, whose labels reach the loss as shift_labels",
    until="transformers takes labels of its own choice of positions (logits_to_keep as a tensor does for one row)",
    without="all logits are computed, which gives the same loss and is slower",
)
_lean(
    _TRANSFORMERS,
    "transformers:Trainer._get_num_items_in_batch",
    "transformers:Trainer.model_accepts_loss_kwargs",
    why="an evaluation loss over all tokens alike, by num_items_in_batch",
    until="the Trainer weighs batches by their tokens in evaluation",
    without="the loss is the Trainer's mean over batches, which depends on their size",
)
_lean(
    _TRANSFORMERS,
    "transformers:Trainer.store_flos",
    why="FLOPs beside everything that is logged",
    until="the Trainer logs them",
    without="the FLOPs that are logged are those of the Trainer's last save",
)
_lean(
    _TRANSFORMERS,
    "transformers:Trainer._tr_loss",
    why="the very step at which a loss is not a number",
    until="callbacks are given the loss of a step",
    without="the step that is told is the next one that is logged or saved",
)
_lean(
    _TRANSFORMERS,
    "transformers:Trainer._run_epoch",
    why="no step more where a run that is done is resumed",
    until="the Trainer asks whether steps are left before it takes one",
    without="a step more, as by the stock Trainer",
)
_lean(
    _TRANSFORMERS,
    "transformers:Trainer._track_num_input_tokens",
    why="a count of tokens without padding that takes an end that is scored, or pads, for a token",
    until="the Trainer counts labelled tokens",
    without="tokens with the id of the padding are not counted",
)
_lean(
    _TRANSFORMERS,
    "transformers:Trainer._load_rng_state",
    why="a run that goes on as if it had not stopped",
    until="the Trainer restores random numbers after the data loader has started",
    without="an error of one line before a run goes on",
)
_lean(
    _TRANSFORMERS,
    "transformers:Trainer.callback_handler",
    why="figures that trackers see, too",
    until="the Trainer takes callbacks that come before its own",
    without="trackers do not see them; the log of the run has them",
)
_lean(
    _TRANSFORMERS,
    "transformers:Trainer.save_model._internal_call",
    why="a model that is saved first and pushed later, with its card",
    until="save_model takes whether to push",
    without="it is pushed twice, without its card at first",
)
_lean(
    _TRANSFORMERS,
    "transformers:PreTrainedModel._is_stateful",
    "transformers:GenerationMixin.init_continuous_batching",
    "transformers:ContinuousBatchingConfig",
    why="continuous batching",
    until="transformers says which models it can serve",
    without="completions come from padded batches",
)
_lean(
    _TRANSFORMERS,
    "transformers.generation.continuous_batching:ContinuousBatchingManager.background_thread_status",
    why="the cause of a failure of continuous batching",
    until="get_result gives it",
    without="the error does not tell the cause",
)
_lean(
    _TRANSFORMERS,
    "transformers:PreTrainedConfig._commit_hash",
    why="the revision of a proxy model, on record beside the questions that it chose",
    until="transformers tells the revision of what it has loaded",
    without="the revision is not on record",
)
_lean(
    _ACCELERATE,
    "accelerate.commands.launch:_validate_launch_command",
    why="several processes on CPUs",
    until="accelerate launch --cpu --num_processes N starts N processes",
    without="one process, which a line says",
)
_lean(
    _ACCELERATE,
    "accelerate.commands.launch:launch_command_parser",
    "accelerate.commands.launch:launch_command",
    why="a recipe under accelerate launch",
    until="accelerate documents them",
    without="an error of one line, or one process on CPUs",
)
_lean(
    _TRL,
    "trl:GRPOTrainer._tokenize_prompts",
    "trl:GRPOTrainer._generate_single_turn",
    "trl:GRPOTrainer._generate",
    "trl:GRPOTrainer._generate_and_score_completions",
    "trl:GRPOTrainer._step",
    why="evaluation by verified answers, and dynamic sampling",
    until="TRL lets a trainer generate for given prompts and replace groups",
    without="an error of one line before training",
)
_lean(
    _TRL,
    "trl:GRPOTrainer._buffered_inputs",
    why="checkpoints between steps that share their completions",
    until="TRL saves with a checkpoint what it has sampled",
    without="an error of one line before training, where steps share completions",
)
_lean(
    _TRL,
    "trl:GRPOTrainer._metrics",
    why="the figures of dynamic sampling in the log",
    until="TRL logs figures of a subclass",
    without="they are not logged",
)
_lean(
    _TRL,
    "trl.trainer.grpo_trainer:create_model_from_path",
    why="a KL term against the model that was given, where TRL would load another",
    until="GRPOTrainer takes a reference model",
    without="an error of one line before training with beta",
)
_lean(
    _DATATROVE,
    "datatrove.executor:LocalPipelineExecutor.get_incomplete_ranks",
    "datatrove.executor:LocalPipelineExecutor.save_executor_as_json",
    "datatrove.executor:LocalPipelineExecutor._run_for_rank",
    why="workers that end when one is killed",
    until="datatrove's own executor does not wait for a worker that was killed",
    without="datatrove's own executor, which waits for a killed worker",
)
_lean(
    "fasttext-numpy2-wheel>=0.9.2,<0.10",
    "fasttext.FastText:_FastText.f",
    why="scores by compiled loops, faster than fastText's own",
    until="fastText gives its matrices without a copy of them, and scores as fast",
    without="fastText's own predict",
)
_lean(
    _DATATROVE,
    "datatrove.executor:LocalPipelineExecutor.mark_rank_as_completed",
    why="marks of what is done, completions/00000",
    until="datatrove lets us say which tasks are complete",
    without="shards that are there may be made again",
)
_lean(
    _DATATROVE,
    "datatrove.utils.logging:sys",
    "datatrove.utils.logging:setup_default_logger",
    why="a terminal without the log of every task",
    until="datatrove has a switch for it",
    without="the log is on the terminal, too",
)
_lean(
    _DATATROVE,
    "datatrove.pipeline.dedup:MinhashDedupCluster.save_cluster_id",
    why="copies by minhash: folders bucket_000, files of clusters as pairs of uint32",
    until="datatrove gives clusters by an interface",
    without="an error of one line before texts are compared",
)
_lean(
    _HARNESS,
    "lm_eval.api.task:Task._config",
    why="rows as a task of lm-eval",
    until="lm-eval lets a task in Python set its configuration",
    without="an error of one line",
)
_lean(
    _HARNESS,
    "lm_eval.models.huggingface:HFLM._model_call",
    why="all tokens of a row in one forward pass",
    until="lm-eval gives the logits of a batch",
    without="an error of one line",
)
_lean(
    _HARNESS,
    "lm_eval.api.samplers:ContextSampler.df",
    "lm_eval.api.samplers:ContextSampler.rnd",
    why="examples of a row's own category in DCLM's Core",
    until="lm-eval has a sampler by category",
    without="an error of one line",
)
_lean(
    _HARNESS,
    "lm_eval.evaluator:evaluate",
    why="figures under keys metric,filter",
    until="lm-eval documents its results",
    without="an error of one line instead of an empty table",
)
_lean(
    _HARNESS,
    "lm_eval.utils:env",
    why="templates of a YAML task in Jinja's sandbox",
    until="lm-eval renders them in it",
    without="an error of one line",
)
_lean(
    "inspect-ai>=0.3.285,<0.4",
    "inspect_ai._util.error:PrerequisiteError",
    why="mistakes told in one line by inspect eval",
    until="inspect-ai exports it",
    without="inspect eval shows where it was raised, too",
)
_lean(
    "bert-score>=0.3.13,<0.4",
    "bert_score.utils:bert_cos_score_idf",
    why="BERTScore of pairs with a model that is in memory",
    until="bert-score's BERTScorer takes empty texts and models of any length",
    without="an error of one line",
)
_lean(
    _NUMBA,
    "numba.core.caching:FunctionCache",
    "numba.core.caching:FunctionCache._impl_class",
    "numba.core.caching:CompileResultCacheImpl._locator_classes",
    "numba.core.dispatcher:Dispatcher._cache",
    "numba.core.ccallback:CFunc",
    why="compiled loops that are kept under a digest of all their sources",
    until="numba's cache notices a change in a function of another file",
    without="loops are compiled in each process, which takes seconds",
)
_lean(
    "python>=3.10",
    "argparse:ArgumentParser._actions",
    why="hints at the nearest of a parser's flags",
    until="argparse tells the flags of a parser",
    without="no hint, and no older name of a flag",
)
_lean(
    "python>=3.10",
    "multiprocessing.process:BaseProcess._identity",
    why="a GPU of its own for each worker",
    until="workers are told their number",
    without="all workers take the first GPU",
)


def get(name: str):
    """The object of that name; None where the installed version has none."""
    if name not in PRIVATE:
        raise KeyError(f"{name} has no entry in hf_procedural/upstream.py")
    try:
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return None


def of(owner, name: str):
    """What an object has under that name; None where it has none."""
    if name not in PRIVATE:
        raise KeyError(f"{name} has no entry in hf_procedural/upstream.py")
    return getattr(owner, re.split(r"[.:]", name)[-1], None)


def need(name: str):
    """The object of that name. Raises ImportError in one line where the installed version has none."""
    thing = get(name)
    if thing is None:
        raise lacking(name)
    return thing


def lacking(name: str) -> ImportError:
    """The error that says which versions have what this one has not."""
    entry = PRIVATE[name]
    return ImportError(
        f"{entry.why} needs {name.replace(':', '.')}, which {entry.package} {_version(entry.package)} does not have "
        f"as we know it: pip install '{entry.works}'"
    )


def _version(package: str) -> str:
    from importlib import metadata  # which costs more than the rest of this file

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


_checked: dict[tuple, bool] = {}


def agrees(name: str, check: Callable[[], bool], *about) -> bool:
    """Whether `check()` finds our way and the plain way to agree: asked at first use, once in a process for `about`.

    Where it does not, or cannot be asked, one line is logged: what happens instead.
    """
    key = (name, *about)
    if key not in _checked:
        try:
            reason = None if check() else "it gives other results"
        except ImportError:
            reason = "it is not there"
        except Exception as error:  # whatever another version does where we expect something else
            reason = " ".join(f"{type(error).__name__}: {error}".split())
        _checked[key] = reason is None
        if reason is not None:
            tell(name, reason)
    return _checked[key]


def assure(name: str, check: Callable[[], bool]) -> None:
    """Raises ImportError in one line unless `check()` is true: asked at first use, where there is no plain way."""
    if (name,) not in _checked:
        try:
            _checked[name,] = bool(check())
        except Exception as error:  # as above
            raise lacking(name) from error
    if not _checked[name,]:
        raise lacking(name)


def tell(name: str, reason: str) -> None:
    """Logs what happens instead of what we lean on."""
    entry = PRIVATE[name]
    changed = f"{name.replace(':', '.')} of {entry.package} {_version(entry.package)} has changed ({reason})"
    logger("hf_procedural").warning("%s: %s. As we know it: pip install '%s'", changed, entry.without, entry.works)
