"""How languages are drawn and explained, whose rows are to be predicted wholly: brackets, sentences, frames of cells.

As in drawings.py, each family has `lines` and a `legend` of its own, registered for its class.
"""

import collections
import itertools
from collections.abc import Iterator

import numpy as np
from rich.text import Text

from ..tasks import dyck, languages, nca, rnn_language
from .drawing import ANSWER, GUTTER, LABEL, LINES, PALETTE, and_more, in_columns, labelled, legend, lines

# ---------------------------------------------------------------- brackets


_SHAPES = ("()", "[]", "{}", "<>")


def _bracket(word: str, k: int) -> Text:
    """A bracket in its kind's colour, and in its kind's shape if there are enough shapes."""
    kind = int(word[1:])
    shape = _SHAPES[kind][word[0] == ")"] if k <= len(_SHAPES) else word
    return Text(shape, PALETTE[kind % len(PALETTE)])


def _kinds(k: int) -> Text:
    """Some words on the brackets, all of them or the first few."""
    pairs = [(f"({kind}", f"){kind}") for kind in range(min(k, len(_SHAPES)))]
    shown = Text(" ").join(_bracket(opens, k) + _bracket(closes, k) for opens, closes in pairs)
    tokens = f", for the tokens {' '.join(map(''.join, pairs))}" if k <= len(_SHAPES) else " ..."
    return Text.assemble(f"{k} kind{'s' * (k > 1)} of brackets: ", shown, tokens)


def _steps(words: list[str]) -> list[int]:
    """1 where a bracket opens, -1 where one closes."""
    return [1 if word[0] == "(" else -1 for word in words]


def _panels(number: int, fit: int, draw) -> Iterator[Text]:
    """What `draw` makes of each range of `fit` brackets, until that is enough."""
    shown = drawn = 0
    while shown < number and drawn < LINES:
        panel = list(draw(range(shown, min(shown + fit, number))))
        if shown:
            yield Text()
        yield from panel
        shown += fit
        drawn += len(panel)
    yield from and_more(number - shown, "tokens")


@legend.register
def _(task: dyck.Dyck):
    return [_kinds(task.k), "left to right, each bracket on the line of its depth: so partners are on one line"]


@lines.register
def _(task: dyck.Dyck, row, width):
    size = 1 if task.k <= len(_SHAPES) else len(f"({task.k - 1}")
    steps = _steps(row.words)
    # Of a closing bracket the depth before it, which is that of its partner.
    depths = [depth + (step < 0) for depth, step in zip(itertools.accumulate(steps), steps, strict=True)]

    def draw(places):
        here = {depths[place] for place in places}
        for depth in range(max(here), min(here) - 1, -1):
            line = Text()
            for place in places:
                cell = _bracket(row.words[place], task.k) if depths[place] == depth else Text()
                line += cell + Text(" " * (size - len(cell)))
            yield from labelled(f"{depth:>6}", [line])

    return _panels(len(steps), max((width - GUTTER) // size, 1), draw)


@legend.register
def _(task: dyck.DyckShuffle):
    kinds = "left to right, each kind on a line with its number, with - as long as one is open"
    return [_kinds(task.k), kinds, "below, how many brackets are open: read downwards, 1 over 2 is 12"]


@lines.register
def _(task: dyck.DyckShuffle, row, width):
    steps = _steps(row.words)
    kinds = [int(word[1:]) for word in row.words]
    depths = list(itertools.accumulate(steps))
    opened = {}  # of each kind, how many are open at each place
    for kind in sorted(set(kinds)):
        own_steps = [step if other == kind else 0 for step, other in zip(steps, kinds, strict=True)]
        opened[kind] = list(itertools.accumulate(own_steps))

    def cell(place, kind):
        if kinds[place] == kind:
            return _bracket(row.words[place], task.k)[:1]
        return "-" if opened[kind][place] else " "

    def draw(places):
        for kind, counts in opened.items():
            if any(counts[place] or kinds[place] == kind for place in places):
                yield from labelled(f"{kind:>6}", [Text.assemble(*(cell(place, kind) for place in places))])
        size = len(str(max(depths)))
        digits = zip(*(f"{depths[place]:>{size}}" for place in places), strict=True)
        yield from labelled("open", [Text("".join(line), LABEL) for line in digits if set(line) != {" "}])

    return _panels(len(steps), max(width - GUTTER, 1), draw)


# ---------------------------------------------------------------- artificial languages


def _sentences(words: list[str]) -> list[list[str]]:
    sentences = [[]]
    for word in words:
        if word == "<eos>":
            sentences.append([])
        else:
            sentences[-1].append(word)
    if not sentences[-1]:  # nothing follows the last <eos>
        sentences.pop()
    return sentences


def _coloured(task: languages._Sentences, words: list[str]) -> Iterator[Text]:
    """The words of a sentence, both of a pair in one colour; without pairs, equal words in equal colours."""
    if not isinstance(task, languages._Pairs):
        yield from (Text(word, PALETTE[int(word) % len(PALETTE)]) for word in words)
        return
    colours = itertools.cycle(PALETTE)
    opened = []  # the open heads with their colours, the newest first
    for word in words:
        kind = word.strip("()")
        closable = [other for other, _ in task._closable(opened)]
        if word.endswith(")") or (task.style == "parenthesis" and kind in closable):
            _, colour = opened.pop(closable.index(kind))
        else:
            colour = next(colours)
            opened.insert(0, (kind, colour))
        yield Text(word, colour)


@legend.register
def _(task: languages._Sentences):
    alike = "the two words of a pair" if isinstance(task, languages._Pairs) else "equal words"
    return ["a sentence to a line or more, with its number; <eos> is not drawn", f"{alike} have one colour"]


@lines.register
def _(task: languages._Sentences, row, width):
    sentences = _sentences(row.words)
    drawn = 0
    for number, words in enumerate(sentences):
        if drawn >= LINES:
            return (yield from and_more(len(sentences) - number, "sentences"))
        panel = list(in_columns(f"{number + 1:>6}", _coloured(task, words), width))
        yield from panel
        drawn += len(panel)


@legend.register
def _(task: languages.Repeated):
    return ["a string and its copy, again and again; the last one is mostly unfinished"]


@lines.register
def _(task: languages.Repeated, row, width):
    words = row.words
    cell = len(str(task.symbols - 1))
    drawn = 0
    while words and drawn < LINES:
        size = _size_of_string(words, task.shortest)
        panel = list(in_columns("string", words[:size], width, size=cell))
        if words[size:]:
            panel += in_columns("copy", words[size : 2 * size], width, ANSWER, size=cell)
        yield from panel
        words = words[2 * size :]
        drawn += len(panel)
    yield from and_more(len(words), "tokens")


def _size_of_string(words: list[str], shortest: int) -> int:
    """Words in the shortest string that the same words follow, as far as there are any; all of them if there is none.

    Where it is drawn by chance, two strings may be read as one that is longer or shorter: a row does not tell.
    """
    for size in range(shortest, len(words)):
        copy = words[size : 2 * size]
        if copy == words[: len(copy)]:
            return size
    return len(words)


# ---------------------------------------------------------------- neural cellular automata


@legend.register
def _(task: nca.NeuralAutomaton):
    cells = "a digit (0-9, a-z)" if task.states <= 36 else "two hexadecimal digits"
    return [
        f"a grid for each frame, its step above it, {cells} for the state of each cell",
        "the loss counts on all but the first frame; <frame> and </frame> are not drawn",
    ]


@lines.register
def _(task: nca.NeuralAutomaton, row, width):
    ids = {word: number for number, word in enumerate(task.vocabulary)}
    frames = task.frames([ids[word] for word in row.words])
    size = 1 if task.states <= 36 else 2
    room = max((width - GUTTER) // size, 1)
    side = min(task.grid, room)
    fit = max((width - GUTTER + 2) // (side * size + 2), 1)

    def cell(state):
        return np.base_repr(state, 36 if size == 1 else 16).lower().zfill(size), PALETTE[state % len(PALETTE)]

    shown = drawn = 0
    while shown < len(frames) and drawn < LINES:
        numbers = range(shown, min(shown + fit, len(frames)))
        steps = "  ".join(f"{task.burn_in + number * task.dt:<{side * size}}" for number in numbers)
        if shown:
            yield Text()
        yield from labelled("step", [Text(steps, LABEL)])
        for y in range(task.grid):
            lines_of_frames = [Text.assemble(*map(cell, frames[number][y, :side])) for number in numbers]
            yield from labelled("", [Text("  ").join(lines_of_frames)])
        shown += len(numbers)
        drawn += task.grid + 1
    yield from and_more(len(frames) - shown, "frames")
    yield from and_more(task.grid - side, "cells in each line, to the right")
    yield from and_more(len(row.words) - len(frames) * task.frame_length, "tokens, of a frame that is cut")


# ---------------------------------------------------------------- recurrent networks


@legend.register
def _(task: rnn_language.RnnLanguage):
    return [
        "tokens that come again in the row are in a colour, the same each time; the loss counts on all but the first"
    ]


@lines.register
def _(task: rnn_language.RnnLanguage, row, width):
    again = [word for word, count in collections.Counter(row.words).most_common() if count > 1]
    colours = {word: PALETTE[place % len(PALETTE)] for place, word in enumerate(again)}
    yield from in_columns("tokens", [Text(word, colours.get(word, "")) for word in row.words], width)
