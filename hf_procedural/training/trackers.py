"""Trackers (W&B, TensorBoard, trackio ...): a training is one run of theirs, told at the steps of the training."""

import contextlib
import importlib
import re
from typing import Any
from unittest import mock

from transformers.integrations import TrackioCallback, get_reporting_integration_callbacks

from .. import upstream

_HANDLER = "transformers:Trainer.callback_handler"
_SEED = re.compile(r"[_/]seed_\d+$")  # the end of a run's name in a study


@contextlib.contextmanager
def one_tracked_run(trainer, goes_on: bool = False):
    """Leaves trackers open behind training, so that what follows is of the same run.

    transformers 5.23 closes them at the end of `train`; what is evaluated after that would open another run or file.
    `goes_on`: training resumes from a checkpoint, and so does its run.
    """
    handler = upstream.of(trainer, _HANDLER)
    kinds = tuple(get_reporting_integration_callbacks(trainer.args.report_to))
    trackers = [callback for callback in (handler.callbacks if handler else ()) if isinstance(callback, kinds)]
    with contextlib.ExitStack() as stack:  # after an error, too, another run of this process begins its own
        if TrackioCallback in kinds:
            stack.enter_context(_trackio_told(trainer, goes_on))
        for tracker in trackers:
            tracker.on_train_end = lambda *_, **__: None
            stack.callback(_end, tracker, trainer)
        yield


def _end(tracker, trainer) -> None:
    del tracker.on_train_end
    things = {"model": trainer.model, "processing_class": trainer.processing_class}
    tracker.on_train_end(trainer.args, trainer.state, trainer.control, **things)


@contextlib.contextmanager
def _trackio_told(trainer, goes_on: bool):
    """Tells trackio the step of each log, and which runs belong together, as transformers 5.23 does not.

    trackio 0.43 would count logs in place of steps, evaluations among them; TRL logs too, and mostly tells the step. A
    run of the same name is gone on with only where training goes on: after its folder was removed, the same command is
    another run.
    """
    args = trainer.args
    trackio = importlib.import_module("trackio")
    init, log = trackio.init, trackio.log
    more: dict[str, Any] = {"group": group_of(args.run_name), "resume": "allow" if goes_on else "never"}
    more["name"] = args.run_name.removeprefix(f"{args.project}_")  # which stands above all runs of the project
    begun = mock.patch.object(trackio, "init", lambda **settings: init(**settings | more))

    def log_at_step(metrics, step=None):
        log(metrics, step=trainer.state.global_step if step is None else step)

    with begun, mock.patch.object(trackio, "log", log_at_step):
        yield


def group_of(run_name: str) -> str | None:
    """The arm of a study, whose runs differ in their seeds; None of a run that stands alone.

    >>> group_of("probe/scratch/seed_0")
    'probe/scratch'
    """
    arm = _SEED.sub("", run_name)
    return arm if arm != run_name else None
