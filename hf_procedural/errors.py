"""What every command shares: a parser and errors in one line. Light: neither torch nor transformers."""

import argparse
import contextlib
import difflib
import errno
import os
import re
import shutil
import sys
from collections.abc import Generator
from pathlib import Path

from . import accepted, upstream
from .faults import chain
from .layout import laid_out
from .renamed import with_current_flags
from .terminal import in_a_line, tell

COMMAND = "HF_PROCEDURAL_COMMAND"  # where hf-procedural tells a recipe as what it was started
ALONE = "HF_PROCEDURAL_ALONE"  # the name of a recipe that it started without a launcher; empty where there must be one


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

    def format_help(self):
        """The help, with what stands above and below the arguments in lines that fit the terminal."""
        written = self.description, self.epilog
        self.description, self.epilog = (laid_out(text) if text else text for text in written)
        try:
            return super().format_help()
        finally:
            self.description, self.epilog = written

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


class DiskError(OSError):
    """A file that cannot be written: one line with what was needed, what is free, and what goes on."""


GOES_ON = "the same command goes on"
_FULL = {
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "it would be larger than files may be",
    errno.EROFS: "the file system is read-only",
}
_REFUSED = {
    errno.EACCES: "there is no right to write it",
    errno.EPERM: "there is no right to write it",
    errno.EISDIR: "a folder has its name",
}
_IN_WORDS = {  # as libraries in Rust and C++ tell it
    "No space left on device": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "File too large": errno.EFBIG,
    "Read-only file system": errno.EROFS,
    r"inline_container.cc:\d+\] \. unexpected pos|PytorchStreamWriter failed writing": errno.ENOSPC,
}


def _reason(error: BaseException, reasons: dict[int, str]) -> str | None:
    """Why a file could not be written, where an error says that."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and not isinstance(error, DiskError):
        number = next((number for words, number in _IN_WORDS.items() if re.search(words, str(error))), None)
    return reasons.get(number or 0)


def disk_error(error: BaseException, place=None, needed: str = "", again: str = GOES_ON) -> DiskError | None:
    """What to raise instead of an error that came from a disk that takes no more; None for any other error.

    `place` is what was written, where that is known, and `needed` its size in words; then it is told, too, where the
    right to write it is missing. `again` is what the user can do next.
    """
    for each in chain(error):
        if isinstance(each, DiskError):
            return each
        reason = _reason(each, _FULL if place is None else _FULL | _REFUSED)
        if reason is not None:
            file = place or getattr(each, "filename", None)
            room = ", ".join(filter(None, [needed, file and _free(Path(file))]))
            about = f" ({room})" if room else ""
            return DiskError(f"{file or 'a file'} cannot be written: {reason}{about}; mend that, and {again}")
    return None


def _free(file: Path) -> str:
    """How much room is free where a file is to be."""
    above = next(folder for folder in file.absolute().parents if folder.is_dir())
    return f"{in_bytes(shutil.disk_usage(above).free)} free in {above}"


def in_bytes(number: float) -> str:
    """
    >>> in_bytes(999), in_bytes(1_250_000), in_bytes(3e12)
    ('999 bytes', '1.2 MB', '3.0 TB')
    """
    if number < 1_000:
        return f"{number:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        number /= 1_000
        if number < 1_000:
            return f"{number:.1f} {unit}"
    return f"{number / 1_000:.1f} TB"


@contextlib.contextmanager
def writing(place, needed: str = "", again: str = GOES_ON) -> Generator[None]:
    """Around what writes `place`: raises DiskError where the disk is full, read-only or forbidden; see `disk_error`."""
    try:
        yield
    except Exception as error:  # of each library its own
        full = disk_error(error, place, needed, again)
        if full is None or full is error:
            raise
        raise full from error


@contextlib.contextmanager
def user_errors(*kinds: type[Exception]):
    """Turns the errors that a user's input causes (or only those of `kinds`) into one line and exit code 2.

    The same for a disk that is full, whoever met it, and as what.
    """
    kinds = kinds or (ValueError, OSError, ImportError, RuntimeError, MemoryError)
    try:
        yield
    except Exception as error:
        full = disk_error(error)
        if full is None and not isinstance(error, kinds):
            raise
        tell(f"{program()}: error: {in_a_line(full or error)}", error=True)
        sys.exit(2)
