"""What every command shares: a parser and errors in one line. Light: neither torch nor transformers."""

import argparse
import contextlib
import difflib
import sys
from pathlib import Path


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and ends with exit code 2."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def nearest(name: str, known) -> str:
    """The end of an error's line that names the closest of `known`; empty where none is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {close[0]}?" if close else ""


@contextlib.contextmanager
def user_errors(*kinds: type[Exception]):
    """Turns the errors that a user's input causes (or only those of `kinds`) into one line and exit code 2."""
    kinds = kinds or (ValueError, OSError, ImportError, RuntimeError, MemoryError)
    try:
        yield
    except kinds as error:
        print(f"{Path(sys.argv[0]).name}: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
