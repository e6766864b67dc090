"""Completions that several optimizer steps share, kept with a checkpoint between two of these steps."""

from pathlib import Path

import torch
from accelerate.utils import send_to_device
from transformers import TrainerCallback

from .. import upstream

_BUFFER, _STEP = "trl:GRPOTrainer._buffered_inputs", "trl:GRPOTrainer._step"


class KeepCompletions(TrainerCallback):
    """Saves the completions that the next steps of `trainer` train on, too, and gives them back to a run that goes on.

    TRL 1.16 samples once for `num_iterations` x `steps_per_generation` batches and keeps what it sampled in memory, so
    that a run that goes on between two samplings would train on others. Each process has a file of its own,
    completions_0.pt, in checkpoints between two samplings alone. Raises ImportError where TRL keeps them elsewhere.
    """

    def __init__(self, trainer):
        args = trainer.args
        self.trainer = trainer
        self.window = args.steps_per_generation * args.num_iterations  # batches that share their completions
        self.checkpoint: str | None = None  # that the run goes on from
        if args.gradient_accumulation_steps % self.window:
            for name in (_BUFFER, _STEP):
                if not hasattr(trainer, name.rpartition(".")[2]):
                    raise upstream.lacking(name)
            trainer.add_callback(self)

    def _file(self, checkpoint, args) -> Path:
        return Path(checkpoint) / f"completions_{args.process_index}.pt"

    def _is_between(self, args, state) -> bool:
        """Whether the next batch is of completions that others before it were of."""
        return state.global_step * args.gradient_accumulation_steps % self.window != 0

    def on_train_begin(self, args, state, control, **kwargs):
        """Raises ValueError where a checkpoint lacks the completions that its next step needs."""
        self.trainer._step = state.global_step * args.gradient_accumulation_steps
        self.trainer._buffered_inputs = None
        if self.checkpoint is None or not self._is_between(args, state):
            return
        file = self._file(self.checkpoint, args)
        if not file.is_file():
            raise ValueError(f"it lacks {file.name}, which its next step shares with those before it")
        batches = torch.load(file, map_location="cpu", weights_only=True)
        self.trainer._buffered_inputs = send_to_device(batches, args.device)

    def on_save(self, args, state, control, **kwargs):
        if self._is_between(args, state) and not args.save_only_model:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            torch.save(self.trainer._buffered_inputs, self._file(folder, args))
