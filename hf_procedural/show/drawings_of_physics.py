"""How the tasks of Physics of language models, part 4.1, are drawn and explained."""

from rich.text import Text

from ..tasks import physics, physics_grammar, physics_graphs, physics_people
from .drawing import ANSWER, GUTTER, LINES, MARK, PALETTE, UNDERLINED, and_more, in_columns, labelled, legend, lines


def _ids(task, words: list[str]) -> list[int]:
    known = {word: number for number, word in enumerate(task.vocabulary)}
    return [known[word] for word in words]


# ---------------------------------------------------------------- mano


@legend.register
def _(task: physics.Mano):
    return [
        f"reads: the same with operators between their parts, modulo {task.value_mod}; {UNDERLINED}",
        "+' is the same as +: some tokens are one of two, as by a coin",
    ]


def _infix(words: list[str]) -> tuple[str, list[str]]:
    """The expression that words begin with, operators between parts, and the words behind it."""
    first, *rest = words
    if first.isdecimal():
        return first, rest
    left, rest = _infix(rest)
    right, rest = _infix(rest)
    return f"({left} {first[0]} {right})", rest


@lines.register
def _(task: physics.Mano, row, width):
    yield from in_columns("tokens", row.words, width, marks=row.scored)
    expression, (_, value) = _infix(row.words[2:])
    expression = expression.removeprefix("(").removesuffix(")") + " = "
    text = Text.assemble(expression, (value, ANSWER))
    fit = max(width - GUTTER, 1)
    yield from labelled("reads", [text[start : start + fit] for start in range(0, len(text), fit)])


# ---------------------------------------------------------------- depo and brevo


def _joined(words: list[str]) -> list[str]:
    """Tokens as the words that they spell, markers as themselves."""
    joined, tokens = [], []
    for word in words:
        tokens.append(word)
        if not word.isdecimal():
            joined.append("-".join(tokens))
            tokens = []
    return joined


def _edges(words: list[str], width: int):
    pairs = zip(words[::2], words[1::2], strict=True)
    yield from in_columns("edges", [f"{first}>{second}" for first, second in pairs], width)


@legend.register
def _(task: physics_graphs.Depo):
    return [
        "edges: a word and the one after it; a word is tokens, joined by -, of which the last has a full stop",
        Text.assemble("asked: a word, how many steps on, and the word there, on which, with <ans>, the loss counts"),
    ]


@lines.register
def _(task: physics_graphs.Depo, row, width):
    words = [word for word in _joined(row.words[1:]) if word != "<edge>"]
    start = next(place for place, word in enumerate(words) if word.startswith("<next"))
    yield from _edges(words[:start], width)
    asked = zip(words[start::4], words[start + 1 :: 4], words[start + 3 :: 4], strict=True)
    cells = [
        Text.assemble(word, f" {steps.strip('<>')} ".replace("next", "+"), (answer, ANSWER))
        for steps, word, answer in asked
    ]
    yield from in_columns("asked", cells, width)


@legend.register
def _(task: physics_graphs.Brevo):
    words = "; a word is tokens, joined by -, of which the last has a full stop" if task.multi else ""
    return [f"edges: a parent and its child{words}", "<query> and <ans> are not drawn; other orders may be right too"]


@lines.register
def _(task: physics_graphs.Brevo, row, width):
    words = _joined(row.words) if task.multi else row.words
    end = words.index("<query>")
    start = words.index("<ans>", end)
    yield from _edges(words[1:end], width)
    yield from in_columns("query", words[end + 1 : start], width, MARK)
    yield from in_columns("answer", words[start + 1 : -1], width, ANSWER)


# ---------------------------------------------------------------- lano


@legend.register
def _(task: physics_grammar.Lano):
    return ["word: what the grammar makes of its root; <eos> is not drawn; the row ends amid the last word"]


@lines.register
def _(task: physics_grammar.Lano, row, width):
    fit = max(width - GUTTER, 1)
    drawn = 0
    for word in " ".join(row.words).split("<eos>"):
        if not word:
            continue
        if drawn >= LINES:
            yield from and_more(len(word.split()), "tokens, of another word")
            continue
        text = Text("").join(Text(token, PALETTE[int(token) % len(PALETTE)]) for token in word.split())
        chunks = [text[start : start + fit] for start in range(0, len(text), fit)]
        yield from labelled("word", chunks)
        drawn += len(chunks)


# ---------------------------------------------------------------- capo


@legend.register
def _(task: physics_people.Capo):
    return [
        Text.assemble("a line or more for each sentence; what is to be remembered is ", ("marked", MARK)),
        "<bos> and <eos> are not drawn",
    ]


@lines.register
def _(task: physics_people.Capo, row, width):
    tokens = _ids(task, row.words)
    end = len(tokens) - (row.words[-1] == "<eos>")
    told, _ = task.parse(tokens[:end])
    marked = {place for _, start, stop in told for place in range(start, stop)}
    fit = max(width - GUTTER, 1)
    drawn = [Text()]
    for place in range(1, end):
        word = row.words[place]
        glue = "" if not drawn[-1] or word in (".", ",", "'s") else " "
        if len(drawn[-1]) + len(glue) + len(word) > fit:
            drawn.append(Text("  "))
            glue = ""
        drawn[-1] = Text.assemble(drawn[-1], glue, (word, MARK if place in marked else ""))
        if word == ".":
            drawn.append(Text())
    yield from labelled("tells", drawn[:-1])
