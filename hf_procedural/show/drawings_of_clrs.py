"""How CLRS-Text is drawn and explained: inputs, the steps of an algorithm below each other, what it returns."""

from collections.abc import Iterator

from rich.text import Text

from ..tasks import clrs
from .drawing import ANSWER, LINES, and_more, in_columns, legend, lines

_SIGNS = ("[", "]", "(", ")", ",")


def _pieces(words: list[str]) -> list[list[str]]:
    """What stands between commas that are in no brackets."""
    pieces, depth = [[]], 0
    for word in words:
        depth += (word in "[(") - (word in "])")
        if word == "," and not depth:
            pieces.append([])
        else:
            pieces[-1].append(word)
    return [piece for piece in pieces if piece]


def _value(label: str, words: list[str], width: int, style="") -> Iterator[Text]:
    """A number, a pair or a list in a line, a matrix line by line, lists in columns as wide as their widest word."""
    if words[:2] != ["[", "["]:
        yield from in_columns(label, [word for word in words if word not in _SIGNS], width, style)
        return
    size = max(map(len, words))
    for row in _pieces(words[1:-1]):
        yield from in_columns(label, row[1:-1], width, style, size=size)
        label = ""


@legend.register
def _(task: clrs.CLRS):
    words = "the inputs by name, the steps of the algorithm with their numbers, and what it returns"
    if not task.trace:
        return ["the inputs by name, and what the algorithm returns"]
    return [words, "step 1 stands in the prompt; the last one is left out"]


@lines.register
def _(task: clrs.CLRS, row, width):
    prompt = row.prompt[3:]
    inputs = prompt[: prompt.index("<newline>")] if "<newline>" in prompt else prompt
    pieces = _pieces(inputs)
    values = [(piece[0], piece[2:]) for piece in pieces if piece[1:2] == [":"]]
    together = 2 if clrs.ALGORITHMS[task.algorithm].form == "list and number" else 1
    first = pieces[-together:] if task.trace else []
    for name, words in values:
        if name != "initial_trace":
            yield from _value(name[:7], words, width)
    steps = [[word for piece in first for word in piece if word not in ("initial_trace", ":")]] if first else []
    answer = [word for word in row.answer if word != "<eos>"]
    if "|" in answer:
        bar = answer.index("|")
        traced = _pieces(answer[:bar])
        steps += [sum(traced[start : start + together], []) for start in range(0, len(traced), together)]
        answer = answer[bar + 1 :]
    drawn = 0
    for number, step in enumerate(steps, 1):
        if drawn >= LINES:
            yield from and_more(len(steps) - number + 1, "steps")
            break
        panel = list(_value(f"{number:>6}", step, width))
        yield from panel
        drawn += len(panel)
    yield from _value("answer", answer, width, ANSWER)
