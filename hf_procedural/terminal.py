"""What reaches the terminal: text from the web, names and labels are shown there and never obeyed.

All that we print goes through `tell`, `console` or a logger of `logger`; tests/test_house.py holds us to it.
"""

import logging
import re
import sys
from typing import Any

# Controls but tab and line feed, also of the direction, and what is no character (a byte of a file's name).
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """A text whose control characters but tab and line feed are shown instead of obeyed.

    >>> visible("a\\x00b\\u202ec")
    'a␀b⟨202E⟩c'
    """
    return _HIDDEN.sub(lambda hidden: _picture(ord(hidden[0])), text.replace("\r\n", "\n"))


def _picture(code: int) -> str:
    return chr(0x2400 + code) if code < 32 else f"⟨{code:04X}⟩"


def in_a_line(text) -> str:
    """The same, with line feeds and runs of spaces as one space."""
    return " ".join(visible(str(text)).split())


def tell(text, error: bool = False, flush: bool = False) -> None:
    """Prints `text`, on stderr if it is of an `error`."""
    print(visible(str(text)), file=sys.stderr if error else sys.stdout, flush=flush or error)


def console(**settings):
    """A rich Console for which nothing in a text is markup, and no control character of one a command."""
    from rich.console import Console

    class SafeConsole(Console):
        def render(self, renderable, options=None):
            for segment in super().render(renderable, options):
                yield segment if segment.control else segment._replace(text=visible(segment.text))

    plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    return SafeConsole(**plain | settings)


def logger(name: str) -> logging.Logger:
    """The logger of that name, whose messages are shown in the same way."""
    named = logging.getLogger(name)
    if _show not in named.filters:
        named.addFilter(_show)
    return named


def _show(record: logging.LogRecord) -> bool:
    record.msg, record.args = visible(record.getMessage()), None
    return True
