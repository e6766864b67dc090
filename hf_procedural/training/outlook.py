"""How long a run will take and what memory it needs, told after its first steps; and its end in time."""

import collections
import datetime
import math
import signal
import sys
import time

import psutil
import torch
from tqdm import tqdm
from transformers import TrainerCallback

from ..errors import in_bytes
from ..runs.tables import duration

STEPS = 20  # after so many a line is told
WARM = 5  # of which the first, that compile and fill caches, tell nothing


class Outlook(TrainerCallback):
    """Tells after the first steps how long the rest will take, and ends a run in time.

    With `args.max_hours` it ends before a step, or an evaluation, that would be over later than so many hours after
    this process began; with `args.enable_jit_checkpoint` after the step in which SIGTERM comes, by which Slurm and
    others announce that they will kill. Both save a checkpoint first, and `ended` then says where, and why.
    """

    def __init__(self, trainer, clock=time.time):
        self.trainer, self.clock = trainer, clock
        self.ended: str | None = None
        self.steps = collections.deque(maxlen=STEPS)  # seconds, of the last ones
        self.evaluation = self.save = 0.0  # seconds, of the longest
        self.is_evaluated = False
        self.is_asked = False  # by a signal
        trainer.add_callback(self)

    def on_train_begin(self, args, state, control, **kwargs):
        self.first = state.global_step
        self.last = self.clock()
        if args.enable_jit_checkpoint:  # in place of transformers' own, behind which a run would look finished
            signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number, frame):
        self.is_asked = True

    def on_step_end(self, args, state, control, **kwargs):
        done = state.global_step - self.first
        if done in (WARM, STEPS) and torch.cuda.is_available():
            torch.cuda.synchronize()  # else the clock is ahead of the work
        self.steps.append(self._lap())
        remaining = state.max_steps - state.global_step
        if done == STEPS and remaining > 0 and state.is_world_process_zero:
            tqdm.write(self._line(args, state, remaining), file=sys.stderr)
        if remaining > 0 and self._is_time(args):
            is_late = args.max_hours is not None and not self.is_asked
            why = f"max_hours {args.max_hours:g} asks" if is_late else "SIGTERM asked"
            self.ended = f"ended at step {state.global_step:,} of {state.max_steps:,}, as {why}"
            control.should_save = control.should_training_stop = True
            if args.save_strategy == "best":  # which would save only what an evaluation finds best
                control.should_evaluate = False

    def on_evaluate(self, args, state, control, **kwargs):
        self.evaluation = max(self.evaluation, self._lap())
        self.is_evaluated = True

    def on_save(self, args, state, control, **kwargs):
        self.save = max(self.save, self._lap())

    def _lap(self) -> float:
        before, self.last = self.last, self.clock()
        return self.last - before

    def _is_time(self, args) -> bool:
        """Whether the next step, with an evaluation and a save, would be over too late; in all processes alike."""
        if args.max_hours is None and not args.enable_jit_checkpoint:
            return False
        spent = self.clock() - psutil.Process().create_time()
        ahead = max(list(self.steps)[-WARM:]) + self.evaluation + self.save
        is_late = args.max_hours is not None and spent + ahead > args.max_hours * 3600
        if args.world_size == 1:
            return is_late or self.is_asked
        asked = torch.tensor(float(is_late or self.is_asked), device=args.device)
        return bool(self.trainer.accelerator.reduce(asked, "sum").item())

    def _line(self, args, state, remaining: int) -> str:
        step = sum(list(self.steps)[WARM:]) / (STEPS - WARM)
        seconds = remaining * step
        work = f"{remaining:,} steps of {_short(step)}"
        evaluations = _evaluations(args, state)
        if self.is_evaluated:
            seconds += evaluations * self.evaluation
            work += f" and {evaluations:,} evaluation{'s'[: evaluations > 1]} of {_short(self.evaluation)}"
        else:
            work += ", without evaluations,"
        end = datetime.datetime.now() + datetime.timedelta(seconds=seconds)
        return f"{work} will take about {duration(seconds)}, until {end:%Y-%m-%d %H:%M}; {_memory()}"


def _evaluations(args, state) -> int:
    """How many are to come, with the one at the end."""
    if args.eval_strategy == "no":
        return 1
    if args.eval_strategy == "epoch":
        return math.ceil(state.num_train_epochs - (state.epoch or 0)) + 1
    each = state.eval_steps
    return state.max_steps // each - state.global_step // each + 1


def _short(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else duration(seconds)


def _memory() -> str:
    """What this process has needed so far."""
    text = f"memory so far {in_bytes(psutil.Process().memory_info().rss)}"
    if torch.cuda.is_available():
        text += f", of the GPU {in_bytes(torch.cuda.max_memory_reserved())}"
    return text
