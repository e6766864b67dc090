"""A run whose loss is not a number: found at its step, before anything of it is saved, and told."""

import math
from pathlib import Path

import torch
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from .. import upstream
from ..runs.folder import DIVERGED, last_checkpoint
from ..runs.measured import DIVERGED_STEP
from ..terminal import logger, tell

_SUM = "transformers:Trainer._tr_loss"
_LOSSES = ("loss", "eval_loss", "train_loss")


class Diverged(Exception):
    """The line with which a run ends that has diverged."""


class WatchLoss(TrainerCallback):
    """Ends a run, or with `args.on_nan` warn says so once, where a loss or the norm of a gradient is not a number.

    The steps with a finite loss are counted on the device, which is waited for only where the Trainer logs or saves. A
    save looks at the weights, too. Of float16 the gradient's norm may be none: the scaler leaves such a step out.
    """

    def __init__(self, trainer):
        self.trainer = trainer
        self.logged_step = 0
        self.finite_steps = torch.zeros(1, dtype=torch.long, device=trainer.args.device)  # since then
        trainer.add_callback(self)

    def on_train_begin(self, args, state, control, **kwargs):
        self.logged_step = state.global_step

    def on_step_end(self, args, state, control, model=None, **kwargs):
        loss = upstream.of(self.trainer, _SUM)
        self.finite_steps += 1 if loss is None else loss.detach().isfinite()  # once it is not, it stays so until a log
        if control.should_save and not self._has_numbers(model):
            self._end(args, state, self._first_step(state), "the loss is not a number")

    def on_log(self, args, state, control, logs, **kwargs):
        for name in _LOSSES:
            if not math.isfinite(logs.get(name, 0)):
                step = self._first_step(state) if name == "loss" else state.global_step
                self._end(args, state, step, f"{name} is {logs[name]}")
        if math.isnan(logs.get("grad_norm") or 0) and not args.fp16:
            self._end(args, state, state.global_step, f"grad_norm is {logs['grad_norm']}")
        if "loss" in logs:
            self.logged_step = state.global_step
            self.finite_steps.zero_()

    def _has_numbers(self, model) -> bool:
        """Whether all weights are numbers, in all processes."""
        device = self.finite_steps.device
        own = [_local(weight.detach()).isfinite().all().to(device) for weight in model.parameters()]
        return bool(self.trainer.accelerator.gather(torch.stack(own).all().reshape(1)).all())

    def _first_step(self, state) -> int:
        """The first step since the last log whose loss is not finite in some process; else the present one."""
        steps = int(self.trainer.accelerator.gather(self.finite_steps).min())
        return min(self.logged_step + steps + 1, state.global_step)

    def _end(self, args, state, step: int, what: str) -> None:
        line = f"step {step}: {what}, so the run has diverged"
        is_known = any(DIVERGED_STEP in entry for entry in state.log_history)
        if not is_known:
            state.log_history.append({"step": state.global_step, DIVERGED_STEP: step})
        if args.should_log and not is_known and not args.disable_tqdm:
            tell("", error=True)  # else the line would begin behind the bar
        if args.on_nan == "warn":
            if args.should_log and not is_known:
                logger(__name__).warning("%s; it goes on, as on_nan warn says", line)
            return
        if not args.should_save:
            raise SystemExit(2)  # the main process tells
        state.save_to_json(str(Path(args.output_dir, DIVERGED)))
        checkpoint = last_checkpoint(Path(args.output_dir))
        before = f"{checkpoint} is of before" if checkpoint else "there is no checkpoint of before"
        raise Diverged(f"{line}, and ends here: {before}. Try a lower learning_rate; --on_nan warn goes on")


def _local(weight: torch.Tensor) -> torch.Tensor:
    """What this process has of a weight that is sharded."""
    return weight.to_local() if isinstance(weight, DTensor) else weight
