"""How the languages of structure building are drawn: a derivation to a line or more, its brackets by their depth."""

from collections.abc import Iterator

from rich.text import Text

from ..tasks import structure
from .drawing import ANSWER, GUTTER, LABEL, LINES, MARK, PALETTE, and_more, labelled, legend, lines

_MOVED = ("MOV", "TR", "(1", ")1")


@legend.register
def _(task: structure._Derivations):
    return [
        "a derivation to a line or more, with its number; the brackets of one depth have one colour",
        "bold: labels and heads (green), and what moves or was moved (yellow)",
    ]


@lines.register
def _(task: structure._Derivations, row, width):
    ids = {word: number for number, word in enumerate(task.vocabulary)}
    derivations = task.derivations([ids[word] for word in row.words]) or [[ids[word] for word in row.words]]
    drawn = 0
    for number, derivation in enumerate(derivations):
        if drawn >= LINES:
            return (yield from and_more(len(derivations) - number, "derivations"))
        panel = list(_flowing(f"{number + 1:>6}", _coloured(task.vocabulary[token] for token in derivation), width))
        yield from panel
        drawn += len(panel)


def _coloured(words) -> Iterator[Text]:
    depth = 0
    for word in words:
        if word in ("[", "[0"):
            yield Text(word, PALETTE[depth % len(PALETTE)])
            depth += 1
        elif word in ("]", "]0"):
            depth -= 1
            yield Text(word, PALETTE[depth % len(PALETTE)])
        elif word.startswith(_MOVED):
            yield Text(word, MARK)
        else:
            yield Text(word, LABEL if word[0] in "()" else ANSWER)


def _flowing(label: str, words: Iterator[Text], width: int) -> Iterator[Text]:
    """Words one behind another, as many to a line as fit."""
    texts = [Text()]
    for word in words:
        if texts[-1] and texts[-1].cell_len + 1 + word.cell_len > width - GUTTER:
            texts.append(Text())
        texts[-1] = Text(" ").join([texts[-1], word]) if texts[-1] else word
    return labelled(label, texts)
