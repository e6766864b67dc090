"""How RegBench is drawn: the words of a row below each other, and what they show of the automaton."""

from rich.text import Text

from ..tasks import regbench
from .drawing import GUTTER, LINES, PALETTE, and_more, in_columns, labelled, legend, lines

_SHOWN = 6  # beginnings of words of which the next letters are told


@legend.register
def _(task: regbench.RegBench):
    return [
        "words of one automaton, each with its number, equal letters in equal colours; | is not drawn",
        "below, which letters the row has behind the beginnings that most of its words have",
    ]


@lines.register
def _(task: regbench.RegBench, row, width):
    letters = {word: number for number, word in enumerate(task.vocabulary)}
    words = [[]]
    for word in row.words:
        if word == "|":
            words.append([])
        else:
            words[-1].append(word)
    following = {}
    for word in words:
        for place, letter in enumerate(word):
            following.setdefault(tuple(word[:place]), []).append(letter)
    drawn = 0
    for number, word in enumerate(words):
        if drawn >= LINES:
            yield from and_more(len(words) - number, "words")
            break
        coloured = [Text(letter, PALETTE[letters[letter] % len(PALETTE)]) for letter in word]
        panel = list(in_columns(f"{number + 1:>6}", coloured, width))
        yield from panel
        drawn += len(panel)
    yield Text()
    most = sorted(following, key=lambda beginning: (-len(following[beginning]), len(beginning)))[:_SHOWN]
    texts = []
    for beginning in most:
        seen = sorted(set(following[beginning]), key=letters.__getitem__)
        texts.append(Text(f"{' '.join(beginning) or 'start'} -> {' '.join(seen)}"))
        texts[-1].truncate(max(width - GUTTER, 1), overflow="ellipsis")
    yield from labelled("next", texts)
