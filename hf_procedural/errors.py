"""What every command shares: a parser and errors in one line. Light: neither torch nor transformers."""

import argparse
import contextlib
import difflib
import os
import sys
from pathlib import Path

from . import upstream
from .renamed import with_current_flags
from .terminal import in_a_line, tell

COMMAND = "HF_PROCEDURAL_COMMAND"  # where hf-procedural tells a recipe as what it was started


def program() -> str:
    """What a user knows this program as: ``hf-procedural pretrain``, or the name of the script."""
    return " ".join(started_as().split()[:2]) if COMMAND in os.environ else Path(sys.argv[0]).name


def started_as(script: str | None = None) -> str:
    """What starts this recipe, without its own arguments: ``hf-procedural pretrain --num_processes 2``.

    Of a script, shown as `script`, flags of accelerate are not known: ``accelerate launch recipes/pretrain.py``.
    """
    return os.environ.get(COMMAND) or f"accelerate launch {script or sys.argv[0]}"


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and ends with exit code 2. Takes the older names of flags, too, and says so."""

    tells_renamed = True  # but once where a command line is read twice

    def __init__(self, prog: str | None = None, **settings):
        super().__init__(prog or program(), **settings)

    def parse_known_args(self, args=None, namespace=None):
        words = sys.argv[1:] if args is None else list(args)
        known = {option.removeprefix("--") for option in options_of(self)}
        teller = self.prog if self.tells_renamed else None
        return super().parse_known_args(with_current_flags(words, known, teller), namespace)

    def parse_args(self, args=None, namespace=None):
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            word = unknown[0].partition("=")[0]
            self.error(f"unknown argument {word}{nearest(word, options_of(self))} (--help lists all)")
        return parsed

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {in_a_line(message)}\n")


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """All spellings of a parser's flags."""
    actions = upstream.of(parser, "argparse:ArgumentParser._actions") or ()
    return [option for action in actions for option in action.option_strings]


def nearest(name: str, known, most: int = 1, cutoff: float = 0.6) -> str:
    """The end of an error's line that names the closest of `known`, `most` of them; empty where none is close.

    `cutoff` is how alike they must be, from 0 (anything) to 1 (the same).
    """
    close = difflib.get_close_matches(name, known, n=most, cutoff=cutoff)
    return f": did you mean {', '.join(close)}?" if close else ""


def at_least(name: str, value: float | None, low: float) -> None:
    """Raises ValueError, in the user's words, for an argument `name` below `low`; None is an argument not given."""
    if value is not None and value < low:
        raise ValueError(f"{name} must be at least {low}, got {value}")


def required(arguments, **examples: str) -> None:
    """Raises ValueError where one of `arguments` is not given; `examples` has values such as users have, by name."""
    for name, example in examples.items():
        if not getattr(arguments, name):
            raise ValueError(f"{name} is missing: give --{name} {example}, or a YAML with the key {name}")


@contextlib.contextmanager
def user_errors(*kinds: type[Exception]):
    """Turns the errors that a user's input causes (or only those of `kinds`) into one line and exit code 2."""
    kinds = kinds or (ValueError, OSError, ImportError, RuntimeError, MemoryError)
    try:
        yield
    except kinds as error:
        tell(f"{program()}: error: {in_a_line(error)}", error=True)
        sys.exit(2)
