"""How a row is drawn: in labelled lines of columns.

`lines` and `legend` serve any task; families have their own in drawings.py and drawings_of_languages.py.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator

from rich.text import Text

from ..tasks import Task
from ..tasks.layouts import Asked
from ..tasks.mixture import Mixture

GUTTER = 8  # cells on the left, for labels
LINES = 40  # a drawing with more lines ends with the panel in which it gets there
LABEL, ANSWER, MARK = "dim", "bold green", "bold yellow"
PALETTE = ("red", "green", "yellow", "blue", "magenta", "cyan", "bright_red", "bright_green", "bright_yellow")
UNDERLINED = "^ marks what the loss counts on"
APART = "below a token stands what is to be predicted in its place, from the tokens before it"


@dataclasses.dataclass(frozen=True)
class Row:
    """The words of a row, without its padding; but padding on which the loss counts is among them.

    `scored` tells for each word whether the loss counts on it, `start` where the answer begins: at 0 in a language, in
    which all is to be predicted, and where tokens are shuffled. `targets` are what is to be predicted: words, in places
    without a loss empty.
    """

    words: list[str]
    scored: list[bool]
    start: int
    padding: int
    targets: list[str]

    @property
    def prompt(self) -> list[str]:
        return self.words[: self.start]

    @property
    def answer(self) -> list[str]:
        return self.words[self.start :]

    @property
    def stands_apart(self) -> bool:
        """Whether a target is another word than that in its place."""
        return any(target not in ("", word) for target, word in zip(self.targets, self.words, strict=True))

    @property
    def loss(self) -> str:
        """What the loss counts on, in words."""
        wholly = [index >= self.start for index in range(len(self.words))]
        if not any(self.scored):
            return "nothing"
        if self.stands_apart:
            return f"{sum(self.scored)} targets, which are not in the row"
        if self.scored == wholly:
            return "the whole answer" if self.start else "every token"
        if self.start == 0 and self.scored == [False, *wholly[1:]]:
            return "every token but the first"
        return f"{sum(self.scored)} of the tokens"


def has_answers(task: Task) -> bool:
    """Whether its rows are a prompt and an answer: not in a language, in shuffled rows, or in a mixture as a whole."""
    return hasattr(task, "solve")


@functools.singledispatch
def legend(task: Task) -> list[str | Text]:
    """What a person has to know to read `lines`, beside what the task's class says of itself."""
    return [APART if task.apart else UNDERLINED]


@functools.singledispatch
def lines(task: Task, row: Row, width: int) -> Iterator[Text]:
    """A row, drawn in lines of at most `width` cells."""
    if row.stands_apart:
        yield from in_pairs("row", "target", row.words, row.targets, width)
    elif isinstance(task, Asked):
        yield from in_columns("tokens", row.words, width, marks=row.scored)
    elif has_answers(task):
        yield from in_columns("prompt", row.prompt, width, marks=row.scored[: row.start])
        yield from in_columns("answer", row.answer, width, ANSWER, marks=row.scored[row.start :])
    else:
        yield from in_columns("tokens", row.words, width, marks=row.scored)


def labelled(label: str, texts: Iterable[Text]) -> Iterator[Text]:
    """The lines with a label in front of the first, and as many cells in front of the others."""
    for text in texts:
        yield Text.assemble((f"{label:<{GUTTER}}", LABEL), text)
        label = ""


def and_more(number: int, what: str) -> Iterator[Text]:
    if number > 0:
        yield Text(f"{'':<{GUTTER}}... {number} more {what}", LABEL)


def in_columns(label: str, words, width: int, style="", size=0, marks=()) -> Iterator[Text]:
    """Words, right-aligned in columns of `size` cells or more, a multiple of 8 to a line; `^` under those to mark."""
    words = [word if isinstance(word, Text) else Text(_visible(word), style) for word in words]
    size = min(max([size, *(word.cell_len for word in words)]), max(width - GUTTER, 1))
    fit = max((width - GUTTER + 1) // (size + 1), 1)
    if len(words) <= fit:
        fit = len(words)
    elif fit >= 8:
        fit -= fit % 8
    drawn = []
    shown = 0
    while shown < len(words) and len(drawn) < LINES:
        on_line = words[shown : shown + fit]
        marks_on_line = marks[shown : shown + fit]
        drawn.append(Text(" ").join(Text(" " * (size - word.cell_len)) + word for word in on_line))
        if any(marks_on_line):
            under = (f"{'^' * word.cell_len * mark:>{size}}" for word, mark in zip(on_line, marks_on_line, strict=True))
            drawn.append(Text(" ".join(under), MARK))
        shown += fit
    yield from labelled(label, drawn or [Text("(empty)", LABEL)])
    yield from and_more(len(words) - shown, "tokens")


def in_pairs(label: str, below: str, words: list[str], targets: list[str], width: int) -> Iterator[Text]:
    """Words in columns, and under each its target, where it has one: what is predicted there from the words before."""
    size = min(max(map(len, map(_visible, [*words, *targets])), default=1), max(width - GUTTER, 1))
    fit = max((width - GUTTER + 1) // (size + 1), 1)
    fit -= fit % 8 if fit >= 8 else 0
    for start in range(0, min(len(words), LINES // 2 * fit), fit):
        line = " ".join(f"{_visible(word):>{size}}" for word in words[start : start + fit])
        yield from labelled(label, [Text(line)])
        under = " ".join(f"{_visible(target):>{size}}" for target in targets[start : start + fit])
        if under.strip():
            yield from labelled(below, [Text(under, ANSWER)])
    yield from and_more(len(words) - LINES // 2 * fit, "tokens")


def _visible(word: str) -> str:
    return word if word.isprintable() else repr(word)[1:-1]


@legend.register
def _(task: Mixture):
    return []
