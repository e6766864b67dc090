"""The last lines of a recipe: training, evaluation, all that is saved."""

import contextlib
import dataclasses
import functools
import inspect
import json
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Trainer, TrainingArguments

from ..errors import disk_error, in_bytes, writing
from ..files import read_mapping, write_digests, write_text
from ..metrics import scores
from ..models import losses
from ..models.saving import prove_saving
from ..runs.checkpoints import CheckpointError, is_marked
from ..runs.folder import DIVERGED, PLOT, save_provenance
from ..runs.plot import plot
from ..runs.tables import POWER
from ..tasks import IGNORE
from . import optimizers
from .callbacks import LogShortRuns, Seal, StopWhereDone, count_without_padding
from .divergence import Diverged, WatchLoss
from .interruption import OutOfTime, resuming
from .needs import check_resume
from .outlook import Outlook
from .trackers import one_tracked_run


def predictions(logits, labels) -> torch.Tensor:
    """For `preprocess_logits_for_metrics`: the token predicted *for* each labelled position, int64 like `labels`."""
    logits = logits[0] if isinstance(logits, tuple) else logits
    predicted, shifted = torch.full_like(labels, IGNORE), labels[:, 1:] != IGNORE
    if logits.shape[:2] == labels.shape:
        predicted[:, 1:] = logits[:, :-1].argmax(-1)
    else:  # those of `score_labelled_only`, and padding where another process has more
        predicted[:, 1:][shifted] = logits[0, : shifted.sum()].argmax(-1)
    return predicted


def metric_function(extra_metrics: Callable[[], dict] = dict):
    """A `compute_metrics` for the Trainer: answer accuracy and exact match, and what `extra_metrics()` adds."""

    def compute(prediction):
        guesses, labels = prediction.predictions, prediction.label_ids
        return extra_metrics() | {name: score(guesses, labels) for name, score in scores.BY_NAME.items()}

    return compute


@dataclasses.dataclass
class Prepared:
    """What a recipe makes ready before anything is written.

    Raises ValueError for a model or tokenizer that could not be saved, or loaded again, after training.
    """

    stage: str  # its recipe
    args: TrainingArguments
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    make_trainer: Callable[[], Trainer]
    checkpoint: str | None  # to go on from
    provenance: dict  # for provenance.json
    title: str  # of training.png
    extra_metrics: Callable[[Trainer], dict[str, float]] = lambda trainer: {}  # of the last evaluation, without eval_

    def __post_init__(self):
        check_resume(getattr(self.args.optim, "value", self.args.optim), self.checkpoint)
        if self.args.fp16 and self.model.dtype == torch.float16:
            raise ValueError("dtype float16 with fp16: mixed precision trains float32 weights; leave one of them out")
        if self.args.process_index == 0:  # transformers saves nothing in others
            prove_saving(self.model, self.tokenizer)


def train_and_save(trainer: Trainer, prepared: Prepared, *arguments) -> dict:
    """Trains, and finishes the run. Gives the results of the last evaluation.

    recipe.yaml, which tells `arguments`, and provenance.json are there before the first step. Raises Diverged, and
    OutOfTime for a run that is not done, of which there is no more than a checkpoint; CheckpointError where the
    checkpoint cannot be gone on from, or the best one is damaged, and DiskError where there is no room.
    """
    args = trainer.args
    output = Path(cast(str, args.output_dir))
    save_provenance(args, *arguments, stage=prepared.stage, **prepared.provenance)
    losses.zero_without_labels(trainer.model)
    losses.zero_smoothed_without_labels(trainer)
    WatchLoss(trainer)
    trainer.add_callback(LogShortRuns())
    outlook = Outlook(trainer)
    count_without_padding(trainer)
    if args.should_save:
        (output / DIVERGED).unlink(missing_ok=True)  # of an earlier try
    optimizers.average_checkpoints(trainer)  # after all that may ask for one
    with one_tracked_run(trainer, goes_on=prepared.checkpoint is not None):
        try:
            with _saving(trainer, output):
                trained = _train(trainer, prepared.checkpoint)
        except Diverged:
            plot(trainer.state.log_history, f"{output}/{PLOT}", prepared.title)
            raise
        if outlook.ended is None:
            with writing(output, again=f"this goes on: {resuming(output)}"):
                return finish(trainer, trained, prepared.title, functools.partial(prepared.extra_metrics, trainer))
    trainer.accelerator.wait_for_everyone()  # where one process ends, the launcher may end the others
    raise OutOfTime(outlook.ended)


def _train(trainer: Trainer, checkpoint: str | None) -> dict:
    before = Path(cast(str, trainer.args.output_dir)) / "train_results.json"
    stop = StopWhereDone(trainer, read_mapping(before) if checkpoint is not None and before.exists() else {})
    seal = Seal(trainer)
    try:
        trained = trainer.train(resume_from_checkpoint=checkpoint).metrics
    except Exception as error:  # of any kind, where a file is whole and holds something else
        if checkpoint is None or seal.has_begun or isinstance(error, ImportError):
            raise
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise CheckpointError(
            f"{checkpoint} cannot be gone on from ({reason}): name an older one, or begin anew"
        ) from error
    return stop.trained if stop.is_done else trained


@contextlib.contextmanager
def _saving(trainer: Trainer, output: Path) -> Generator[None]:
    """Around training: where there is no room for a checkpoint, its half is removed, and a DiskError tells it."""
    try:
        yield
    except Exception as error:  # of each library its own
        checkpoint = output / f"checkpoint-{trainer.state.global_step}"
        is_half = checkpoint.is_dir() and not is_marked(checkpoint)
        size = sum(
            weight.numel() * weight.element_size() for weight in cast(PreTrainedModel, trainer.model).parameters()
        )
        optimizer = 0 if trainer.args.save_only_model else 2  # Adam's; others have fewer states
        needed = f"about {in_bytes((1 + optimizer) * size)} needed"
        full = disk_error(error, checkpoint if is_half else None, needed, f"this goes on: {resuming(output)}")
        if full is None or full is error:
            raise
        if is_half and trainer.args.should_save:
            shutil.rmtree(checkpoint, ignore_errors=True)
        raise full from error


def finish(trainer: Trainer, trained: dict, title: str, extra_metrics: Callable[[], dict] = dict) -> dict:
    """Evaluates, and saves all that another tool needs; eval_results.json last, as the mark of a finished run.

    `trained` are the metrics of training; what `extra_metrics()` gives is added to those of the evaluation, and their
    names get an ``eval_``. Gives the results of the evaluation.
    """
    args = trainer.args
    output = Path(cast(str, args.output_dir))
    results = trainer.evaluate()
    results |= {f"eval_{name}": value for name, value in extra_metrics().items()}
    shown: dict[str, Any] = dict(results)
    if "total_flos" in shown:  # which is shown in whole GF, of small runs 0GF
        shown["flops"] = POWER(shown.pop("total_flos"))
    trainer.log_metrics("eval", shown)
    trainer.save_state()
    model = cast(PreTrainedModel, trainer.model)
    model.config.use_cache = True  # off while training; whoever loads the model wants it on
    may_push_later = "_internal_call" in inspect.signature(trainer.save_model).parameters
    internal: dict[str, Any] = {"_internal_call": True} if may_push_later else {}
    trainer.save_model(**internal)
    if args.should_save:
        write_digests(output, output.glob("*.safetensors"))
        plot(trainer.state.log_history, f"{args.output_dir}/{PLOT}", title)
    if trainer.is_world_process_zero():
        for name, metrics in {"train": trained, "all": trained | results, "eval": results}.items():
            write_text(output / f"{name}_results.json", json.dumps(metrics, indent=4, sort_keys=True))
    return results
