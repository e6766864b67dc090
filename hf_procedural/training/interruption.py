"""The end of a recipe that is not done: one line, which says how to go on.

The exit code is 130 of Ctrl-C, as shells have it for SIGINT, and 0 where the time is over that the recipe was given.
"""

import functools
import multiprocessing
import os
import shlex
import signal
import sys
from pathlib import Path

from ..errors import program, started_as
from ..runs.folder import RECIPE
from ..terminal import tell


class OutOfTime(Exception):
    """A run was ended in time, with a checkpoint; the message says where."""


def tell_how_to_go_on(*arguments) -> None:
    """From now on, an interruption that nothing catches ends so. `arguments`: a recipe's, once they are read."""
    sys.excepthook = functools.partial(_end, arguments, sys.excepthook)


def _end(arguments, otherwise, kind, error, traceback) -> None:
    if not issubclass(kind, KeyboardInterrupt | OutOfTime):
        otherwise(kind, error, traceback)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one is enough; a second would show where the ending stands
    is_planned = issubclass(kind, OutOfTime)
    for child in multiprocessing.active_children():  # who would be waited for at the end
        if not is_planned:  # else it has a checkpoint to save
            child.terminate()
    is_first = os.environ.get("RANK", "0") == "0"  # of several processes
    if is_first and all(getattr(each, "should_save", True) for each in arguments):
        tell(f"\n{_line(arguments, str(error) if is_planned else 'interrupted')}", error=True)
    sys.exit(0 if is_planned else 128 + signal.SIGINT)


def _line(arguments, why: str) -> str:
    """What is told. recipe.yaml stands in the folder of a run from its first step on."""
    for each in arguments:
        output = Path(getattr(each, "output_dir", None) or "")
        if hasattr(each, "resume_from_checkpoint") and (output / RECIPE).is_file():
            return f"{program()}: {why}; this goes on from the last checkpoint: {resuming(output)}"
    return f"{program()}: {why}; run the same command again"


def resuming(output: Path) -> str:
    """The command that goes on with the run of a folder, whose recipe.yaml is its own command's YAML."""
    return f"{started_as()} {shlex.quote(str(output / RECIPE))} --resume_from_checkpoint true"
