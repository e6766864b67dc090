"""How universal data is drawn and explained: what programs and networks that nobody sees have written."""

from rich.text import Text

from ..tasks import iterated, universal
from .drawing import LABEL, PALETTE, in_columns, labelled, legend, lines

_CYCLE = 8  # symbols at the end that make a cycle, at least
_LONG = 4096  # symbols of a row in which cycles are not looked for


def _coloured(label: str, words: list[str], width: int):
    """Symbols in columns, each symbol in its colour."""
    symbols = [Text(word, PALETTE[int(word) % len(PALETTE)]) for word in words]
    yield from in_columns(label, symbols, width, size=len(max(words, key=len)))


def _period(words: list[str]) -> tuple[int, int]:
    """Where the words begin to repeat, and after how many: the fewest that repeat twice or more; else (end, 0)."""
    end = len(words)
    for size in range(1, end // 3 + 1):
        start = end
        while start > 0 and (start > end - size or words[start - 1] == words[start - 1 + size]):
            start -= 1
        if end - start >= max(3 * size, _CYCLE):
            return start, size
    return end, 0


@legend.register
def _(task: universal.UniversalMachine):
    return [
        "what a program printed, each symbol in its colour; the program is not in the row",
        "where the end repeats itself three times or more, it is said from which symbol on",
    ]


@lines.register
def _(task: universal.UniversalMachine, row, width):
    yield from _coloured("printed", row.words, width)
    start, size = _period(row.words) if len(row.words) <= _LONG else (0, 0)
    if size:
        what = f"the same {size} symbols" if size > 1 else "the same symbol"
        yield from labelled("cycle", [Text(f"from symbol {start + 1} on, {what} again and again", LABEL)])


@legend.register
def _(task: iterated.IteratedNetworks):
    return [f"the first {task.seed_length} symbols are given to the network that wrote the row, each in its colour"]


@lines.register
def _(task: iterated.IteratedNetworks, row, width):
    yield from _coloured("seed", row.words[: task.seed_length], width)
    yield from _coloured("written", row.words[task.seed_length :], width)
