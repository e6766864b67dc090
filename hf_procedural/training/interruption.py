"""Ctrl-C ends a recipe with one line, which says how to go on, and exit code 130, as shells have it for SIGINT."""

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


def tell_how_to_go_on(*arguments) -> None:
    """From now on, an interruption that nothing catches ends so. `arguments`: a recipe's, once they are read."""
    sys.excepthook = functools.partial(_end, arguments, sys.excepthook)


def _end(arguments, otherwise, kind, error, traceback) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        otherwise(kind, error, traceback)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one is enough; a second would show where the ending stands
    for child in multiprocessing.active_children():  # who would be waited for at the end
        child.terminate()
    is_first = os.environ.get("RANK", "0") == "0"  # of several processes
    if is_first and all(getattr(each, "should_save", True) for each in arguments):
        tell(f"\n{_line(arguments)}", error=True)
    sys.exit(128 + signal.SIGINT)


def _line(arguments) -> str:
    """What is told. recipe.yaml stands in the folder of a run from its first step on."""
    for each in arguments:
        output = Path(getattr(each, "output_dir", None) or "")
        if hasattr(each, "resume_from_checkpoint") and (output / RECIPE).is_file():
            return f"{program()}: interrupted; this goes on from the last checkpoint: {resuming(output)}"
    return f"{program()}: interrupted; run the same command again"


def resuming(output: Path) -> str:
    """The command that goes on with the run of a folder, whose recipe.yaml is its own command's YAML."""
    return f"{started_as()} {shlex.quote(str(output / RECIPE))} --resume_from_checkpoint true"
