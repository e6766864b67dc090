"""How rows that are text are drawn: as that text, the question line by line, then the answer."""

import textwrap
from collections.abc import Iterator

from rich.text import Text

from ..tasks import byte_text, reasoning_gym
from .drawing import ANSWER, GUTTER, LINES, and_more, labelled, legend, lines


@legend.register
def _(task: reasoning_gym.ReasoningGym):
    return ["bytes as the text that they are; the loss counts on the answer and <eos>"]


@lines.register
def _(task: reasoning_gym.ReasoningGym, row, width):
    yield from labelled("prompt", _wrapped(byte_text.spell(row.prompt), width))
    yield from labelled("answer", _wrapped(byte_text.spell(row.answer), width, ANSWER))


def _wrapped(text: str, width: int, style: str = "") -> Iterator[Text]:
    """The lines of a text, several for one that is longer than `width` cells, `LINES` at most."""
    room = max(width - GUTTER, 1)
    cut = []
    for line in text.splitlines() or [""]:
        cut += [line] if len(line) <= room else textwrap.wrap(line, room, drop_whitespace=False)
    yield from (Text(line, style) for line in cut[:LINES])
    yield from and_more(len(cut) - LINES, "lines")
