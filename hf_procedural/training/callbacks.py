"""Callbacks that every recipe gives its Trainer."""

import json
from pathlib import Path

from transformers import TrainerCallback, TrainerState

from .. import upstream
from ..files import write_text
from .begin import rows_per_step

_HANDLER = "transformers:Trainer.callback_handler"
_RESTORE = "transformers:Trainer._load_rng_state"
_FLOPS = "transformers:Trainer.store_flos"


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


class SavePlace(TrainerCallback):
    """Saves in every checkpoint where the next row begins, and begins there when `trainer` resumes from `checkpoint`.

    The rows, `trainer.train_dataset`, have `mark(row)` and `start_at(row, mark)`, as `packing.PackedRows`.
    """

    FILE = "rows.json"

    def __init__(self, trainer, checkpoint: str | None):
        self.rows, self.trainer, self.checkpoint = trainer.train_dataset, trainer, checkpoint
        self.ahead = 0  # rows more than the steps so far have now, where earlier steps had others
        trainer.add_callback(self)
        if checkpoint is not None:
            upstream.need(_RESTORE)
            step = TrainerState.load_from_json(f"{checkpoint}/trainer_state.json").global_step
            mark = Path(checkpoint) / self.FILE
            known = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else None
            row = known["row"] if known else step * rows_per_step(trainer.args)
            self.ahead = row - step * rows_per_step(trainer.args)
            self.rows.start_at(row, known)
            trainer.args.ignore_data_skip = True  # the rows before it are not read again

    def on_step_begin(self, args, state, control, **kwargs):
        if self.checkpoint is not None:  # a data loader draws a number when it starts, after the Trainer has done this
            self.trainer._load_rng_state(self.checkpoint)
            self.checkpoint = None

    def on_save(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            mark = self.rows.mark(state.global_step * rows_per_step(args) + self.ahead)
            write_text(Path(args.output_dir) / f"checkpoint-{state.global_step}" / self.FILE, json.dumps(mark))
