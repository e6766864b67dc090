"""How the tasks of state tracking are drawn and explained: elements of groups as permutations, commands with bits."""

from rich.text import Text

from ..tasks import tracking
from .drawing import ANSWER, MARK, in_columns, in_pairs, legend, lines


def _name(element: tuple) -> str:
    """2134 is the permutation that exchanges 1 and 2; a number of a cyclic group is itself."""
    parts = ("".join(str(place + 1) for place in part) if isinstance(part, tuple) else str(part) for part in element)
    return ",".join(parts)


@legend.register
def _(task: tracking.WordProblem):
    written = "numbers, which are added" if task.group[0] == "Z" else "where it puts 1, 2, ..; a * b is b first, then a"
    return [f"an element is written as {written}", "below each token, the product of all before it, to be predicted"]


@lines.register
def _(task: tracking.WordProblem, row, width):
    names = dict(enumerate(map(_name, tracking.elements(task.group))))
    words, targets = (
        [names[int(word)] if word.isdigit() else word for word in column] for column in (row.words, row.targets)
    )
    yield from in_pairs("row", "product", words, targets, width)


@legend.register
def _(task: tracking.FlipFlop):
    return ["w1 writes 1, i0 is to be ignored, r1 reads what was written last; the loss counts on the bits of reads"]


@lines.register
def _(task: tracking.FlipFlop, row, width):
    styles = {"w": MARK, "r": ANSWER, "i": ""}
    commands, bits = row.words[::2], row.words[1::2]
    words = [Text(command + bit, styles.get(command, "")) for command, bit in zip(commands, bits, strict=True)]
    yield from in_columns("row", words, width)
