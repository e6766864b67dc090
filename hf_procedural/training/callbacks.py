"""Callbacks that every recipe gives its Trainer."""

import json
from pathlib import Path

from transformers import Trainer, TrainerCallback
from transformers.trainer_utils import IntervalStrategy

from .. import upstream
from ..files import expected, read_mapping, write_digests, write_text
from ..runs import checkpoints
from ..runs.measured import PASSES, whole_passes
from ..tasks import IGNORE
from .begin import rows_per_step

_HANDLER = "transformers:Trainer.callback_handler"
_RESTORE = "transformers:Trainer._load_rng_state"
_FLOPS = "transformers:Trainer.store_flos"
_EPOCH = "transformers:Trainer._run_epoch"
_TOKENS = "transformers:Trainer._track_num_input_tokens"
_OTHER = "go on from another checkpoint"


class LogMore(TrainerCallback):
    """Adds to everything that `trainer` logs, beside its count of tokens, the FLOPs so far (`total_flos`, the Trainer's
    estimate of 6 per token and weight outside of the embeddings), and what `derived(logs)` gives."""

    def __init__(self, trainer, derived=lambda logs: {}):
        self.trainer, self.derived = trainer, derived
        handler = upstream.of(trainer, _HANDLER)
        if handler is None:
            trainer.add_callback(self)
        else:
            handler.callbacks.insert(0, self)  # before the trackers, so that they see it

    def on_log(self, args, state, control, logs, **kwargs):
        store = upstream.of(self.trainer, _FLOPS)
        if store is not None:
            store()
        more = {"total_flos": state.total_flos} | self.derived(logs)
        logs.update(more)
        state.log_history[-1].update(more)


class LogShortRuns(TrainerCallback):
    """Has a run of few steps, for which nobody gave `logging_steps`, log ten times, so that its curve is one.

    Arguments and state stay as they are, for recipe.yaml and for a run that goes on with more steps.
    """

    def on_step_end(self, args, state, control, **kwargs):
        is_usual = args.logging_steps == type(args).logging_steps and "logging_steps" not in args.given
        by_steps = args.logging_strategy == IntervalStrategy.STEPS
        is_first = state.global_step == 1 and args.logging_first_step
        if is_usual and by_steps and not is_first and 1 < state.max_steps < 4 * args.logging_steps:
            control.should_log = state.global_step % max(state.max_steps // 10, 1) == 0


class SavePlace(TrainerCallback):
    """Saves in every checkpoint where the next row begins, and begins there when `trainer` resumes from `checkpoint`.

    Adds to the log how often all text was read before.

    The rows, `trainer.train_dataset`, have `mark(row)` and `start_at(row, mark)`, as `packing.PackedRows`.
    """

    FILE = "rows.json"

    def __init__(self, trainer, checkpoint: str | None):
        self.rows, self.trainer, self.checkpoint = trainer.train_dataset, trainer, checkpoint
        self.ahead = 0  # rows more than the steps so far have now, where earlier steps had others
        trainer.add_callback(self)
        if checkpoint is not None:
            upstream.need(_RESTORE)
            step = checkpoints.check_state(Path(checkpoint) / checkpoints.STATE)["global_step"]
            mark = Path(checkpoint) / self.FILE
            known = read_mapping(mark, _OTHER) if mark.exists() else None
            with expected(mark, _OTHER):
                row = known["row"] if known is not None else step * rows_per_step(trainer.args)
                self.ahead = row - step * rows_per_step(trainer.args)
                self.rows.start_at(row, known)
            trainer.args.ignore_data_skip = True  # the rows before it are not read again

    def on_step_begin(self, args, state, control, **kwargs):
        if self.checkpoint is not None:  # a data loader draws a number when it starts, after the Trainer has done this
            self.trainer._load_rng_state(self.checkpoint)
            self.checkpoint = None

    def _mark(self, args, state) -> dict:
        return self.rows.mark(state.global_step * rows_per_step(args) + self.ahead)

    def on_log(self, args, state, control, **kwargs):
        if state.is_world_process_zero and (passes := whole_passes(self._mark(args, state))) is not None:
            state.log_history[-1][PASSES] = passes

    def on_save(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            mark = self._mark(args, state)
            write_text(Path(args.output_dir) / f"checkpoint-{state.global_step}" / self.FILE, json.dumps(mark))


class Seal(TrainerCallback):
    """Writes the digests of each checkpoint of `trainer`, and compares those of the best one before it is loaded.

    It is the last callback, after those that add files to a checkpoint.
    """

    def __init__(self, trainer: Trainer):
        self.trainer = trainer
        self.has_begun = False  # all that a run goes on from is loaded
        trainer.add_callback(self)

    def on_train_begin(self, args, state, control, **kwargs):
        self.has_begun = True

    def on_save(self, args, state, control, **kwargs):
        self.trainer.accelerator.wait_for_everyone()  # each process has files of its own
        if args.should_save:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            write_digests(folder, [file for file in folder.rglob("*") if file.is_file()])

    def on_log(self, args, state, control, logs, **kwargs):
        at_end = "train_runtime" in logs  # right before the best one is loaded
        if at_end and args.load_best_model_at_end and state.best_model_checkpoint is not None:
            again = "--resume_from_checkpoint true --load_best_model_at_end false keeps the last model"
            checkpoints.check(Path(state.best_model_checkpoint), again)


class StopWhereDone(TrainerCallback):
    """Takes no step where `trainer` resumes from a checkpoint of the last one, where transformers 5.23 takes one more.

    It asks whether steps are left behind each step alone. The figures of training stay as `trained` has them, those of
    the run that ended; of no step there would be a loss of 0.
    """

    def __init__(self, trainer, trained: dict):
        self.trainer, self.trained = trainer, trained
        self.is_done = False
        trainer.add_callback(self)

    def on_train_begin(self, args, state, control, **kwargs):
        self.is_done = state.global_step >= state.max_steps and upstream.of(self.trainer, _EPOCH) is not None
        if self.is_done:
            self.trainer._run_epoch = lambda *_, **__: None
            control.should_training_stop = True

    def on_log(self, args, state, control, logs, **kwargs):
        if self.is_done and "train_runtime" in logs:
            of_no_step = state.log_history.pop()
            if self.trained:
                state.log_history.append(of_no_step | self.trained)


def count_without_padding(trainer) -> None:
    """With include_num_input_tokens_seen non_padding, counts tokens that are not padding, or are scored.

    Our rows have no attention mask, and the Trainer takes every token with the id of the padding for such: the ends of
    documents, where the tokenizer pads with them, and answers that are padded, which are learned.
    """
    track = upstream.of(trainer, _TOKENS)
    if track is None or trainer.args.include_num_input_tokens_seen != "non_padding":
        return

    def track_tokens(inputs):
        is_token = (inputs["input_ids"] != trainer.processing_class.pad_token_id) | (inputs["labels"] != IGNORE)
        track(inputs | {"attention_mask": is_token})

    trainer._track_num_input_tokens = track_tokens
