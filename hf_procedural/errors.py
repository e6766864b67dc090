"""What every command shares: a parser and errors in one line. Light: neither torch nor transformers."""

import argparse
import contextlib
import difflib
import os
import re
import sys
from pathlib import Path

from . import accepted, upstream
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
    """Says what is wrong in one line, and ends with exit code 2. Takes the older names of flags, too, and says so.

    Numbers are held against accepted.py; `ranges` has those of this command alone, by name. A ``~`` at the beginning of
    a value is the home folder, as in a shell, which does not see those behind a ``=`` or in a YAML.
    """

    tells_renamed = True  # but once where a command line is read twice
    empty_is_none = False  # whether an empty word says that there is none

    def __init__(self, prog: str | None = None, **settings):
        super().__init__(prog or program(), **settings)
        self.ranges: dict[str, accepted.Accepted] = {}

    def parse_known_args(self, args=None, namespace=None):
        words = sys.argv[1:] if args is None else list(args)
        known = {option.removeprefix("--") for option in options_of(self)}
        teller = self.prog if self.tells_renamed else None
        parsed, unknown = super().parse_known_args(with_current_flags(words, known, teller), namespace)
        for action in actions_of(self):
            if action.dest in vars(parsed):
                self._check(action, parsed)
        return parsed, unknown

    def _check(self, action: argparse.Action, parsed: argparse.Namespace) -> None:
        """Ends the program where an argument has a value that it does not accept; finds its home folder."""
        value = getattr(parsed, action.dest)
        if value is action.default or value == action.default:
            return
        spelled = f"--{action.dest}" in action.option_strings or not action.option_strings
        try:
            shown = action.dest if spelled else action.option_strings[0]
            accepted.check(action.dest, value, self.ranges.get(action.dest), shown)
            if value == "" and not self.empty_is_none:
                raise ValueError(f"{shown} is empty: give a value, or leave it out")
        except ValueError as error:
            self.error(str(error))
        if isinstance(value, str | list):
            setattr(parsed, action.dest, accepted.at_home(value))

    def parse_args(self, args=None, namespace=None):
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            word = unknown[0].partition("=")[0]
            self.error(f"unknown argument {word}{nearest(word, options_of(self))} (--help lists all)")
        return parsed

    def error(self, message):
        no_number = re.match(r"argument (?:.*/)?--(\w+): invalid (int|float) value: ", message)
        if no_number:
            name, kind = no_number.groups()
            range_ = self.ranges.get(name) or accepted.of(name, {"int": int, "float": float}[kind])
            whole = "a whole number, " if kind == "int" and name in accepted.ACCEPTED else ""
            message += f" (it must be {whole}{range_.words})"
        self.exit(2, f"{self.prog}: error: {in_a_line(message)}\n")


def actions_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a parser reads: its flags and names."""
    return upstream.of(parser, "argparse:ArgumentParser._actions") or []


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """All spellings of a parser's flags."""
    return [option for action in actions_of(parser) for option in action.option_strings]


def nearest(name: str, known, most: int = 1, cutoff: float = 0.6) -> str:
    """The end of an error's line that names the closest of `known`, `most` of them; empty where none is close.

    `cutoff` is how alike they must be, from 0 (anything) to 1 (the same).
    """
    close = difflib.get_close_matches(name, known, n=most, cutoff=cutoff)
    return f": did you mean {', '.join(close)}?" if close else ""


def at_least(name: str, value: float | None, low: float) -> None:
    """Raises ValueError, in the user's words, for an argument `name` below `low`; None is an argument not given."""
    if value is not None and not value >= low:  # nan is not
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
