"""How each family of tasks is drawn and explained: its own `lines` and `legend`, registered for its class."""

import itertools
from collections.abc import Iterator

import numpy as np
from rich.text import Text

from ..tasks import automata, dyck, languages, lime, lime_oracle, nca, nonsense, probes, sequence, simpler
from .drawing import (
    ANSWER,
    GUTTER,
    LABEL,
    LINES,
    MARK,
    PALETTE,
    UNDERLINED,
    and_more,
    in_columns,
    labelled,
    legend,
    lines,
)

# ---------------------------------------------------------------- sequences


def _firsts(prompt: list[str]) -> set[int]:
    return {prompt.index(symbol) for symbol in prompt if symbol != "<sep>"}


def _removed(prompt: list[str]) -> set[int]:
    *symbols, _, query, _ = prompt
    return {symbols.index(query)} if query in symbols else set()


def _kept(prompt: list[str]) -> set[int]:
    stack = []
    for index, symbol in enumerate(prompt):
        if symbol == "<pop>":
            stack.pop()
        elif symbol != "<sep>":
            stack.append(index)
    return set(stack)


_MARKED = {  # what is marked in a prompt
    sequence.Set: ("* marks the first of each symbol", _firsts),
    sequence.Union: ("* marks the first of each symbol, in both lists together", _firsts),
    sequence.Delete: ("* marks the symbol to remove, if there is one", _removed),
    sequence.Stack: ("a number is pushed, pop takes off the top; * marks what is never taken off", _kept),
}
_SECOND = {sequence.Union: "and", sequence.Delete: "remove"}  # the label of a prompt's second list


@legend.register
def _(task: sequence._Sequence):
    marks = [_MARKED[type(task)][0]] if type(task) in _MARKED else []
    return [*marks, "<sep> is not drawn"]


@lines.register
def _(task: sequence._Sequence, row, width):
    mark = type(task) in _MARKED
    marked = _MARKED[type(task)][1](row.prompt) if mark else ()

    def cells(start, end, style):
        for index, word in enumerate(row.words[start:end], start):
            symbol = (word.strip("<>"), MARK if index in marked else style)
            yield Text.assemble(symbol, ("*" if index in marked else " " * mark, MARK))

    size = len(str(task.vocab_size - 1)) + mark
    start, label = 0, "prompt"
    for end in [index for index, word in enumerate(row.prompt) if word == "<sep>"]:
        yield from in_columns(label, cells(start, end, ""), width, size=size)
        start, label = end + 1, _SECOND.get(type(task), "then")
    yield from in_columns("answer", cells(row.start, None, ANSWER), width, size=size)


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
        yield from [Text()] * (shown > 0) + panel
        shown, drawn = shown + fit, drawn + len(panel)
    yield from and_more(number - shown, "tokens")


@legend.register
def _(task: dyck.Dyck):
    return [_kinds(task.k), "left to right, each bracket on the line of its depth: so partners are on one line"]


@lines.register
def _(task: dyck.Dyck, row, width):
    size = 1 if task.k <= len(_SHAPES) else len(f"({task.k - 1}")
    steps = _steps(row.words)
    depths = [depth + (step < 0) for depth, step in zip(itertools.accumulate(steps), steps, strict=True)]

    def draw(places):
        here = {depths[place] for place in places}
        for depth in range(max(here), min(here) - 1, -1):
            brackets = (row.words[place] if depths[place] == depth else None for place in places)
            cells = (_bracket(word, task.k) if word else Text() for word in brackets)
            yield from labelled(f"{depth:>6}", [Text().join(cell + Text(" " * (size - len(cell))) for cell in cells)])

    return _panels(len(steps), max((width - GUTTER) // size, 1), draw)


@legend.register
def _(task: dyck.DyckShuffle):
    kinds = "left to right, each kind on a line with its number, with - as long as one is open"
    return [_kinds(task.k), kinds, "below, how many brackets are open: read downwards, 1 over 2 is 12"]


@lines.register
def _(task: dyck.DyckShuffle, row, width):
    steps, kinds = _steps(row.words), [int(word[1:]) for word in row.words]
    depths = list(itertools.accumulate(steps))
    opened = {
        kind: list(itertools.accumulate(step * (kind == other) for step, other in zip(steps, kinds, strict=True)))
        for kind in sorted(set(kinds))
    }

    def draw(places):
        for kind, counts in opened.items():
            if any(counts[place] or kinds[place] == kind for place in places):
                cells = (
                    _bracket(row.words[place], task.k)[:1] if kinds[place] == kind else "-" if counts[place] else " "
                    for place in places
                )
                yield from labelled(f"{kind:>6}", [Text.assemble(*cells)])
        size = len(str(max(depths)))
        digits = zip(*(f"{depths[place]:>{size}}" for place in places), strict=True)
        yield from labelled("open", [Text("".join(line), LABEL) for line in digits if set(line) != {" "}])

    return _panels(len(steps), max(width - GUTTER, 1), draw)


# ---------------------------------------------------------------- automata


@legend.register
def _(task: automata.ElementaryAutomaton):
    around = " ".join(f"{number:03b}" for number in range(7, -1, -1)).replace("0", "·").replace("1", "█")
    after = " ".join(f" {'·█'[task.rule >> number & 1]} " for number in range(7, -1, -1))
    return [
        "time goes down, a line for each state; █ is a cell that is 1, · is 0; <end> is not drawn",
        "a cell and its two neighbours, and below what it becomes:",
        Text(around),
        Text(after),
    ]


@lines.register
def _(task: automata.ElementaryAutomaton, row, width):
    number = len(str(task.steps))
    room = max(width - GUTTER - number - 2, 1)
    fit = min(task.width, room)
    blocks = {"0": "·", "1": "█"} if 2 * fit > room else {"0": " ·", "1": "██"}
    labels = {0: "prompt", 1: "answer"}
    states = range(0, len(row.words), task.width + 1)
    for step, start in enumerate(states[:LINES]):
        cells = "".join(blocks[cell] for cell in row.words[start : start + fit])
        state = Text.assemble((f"{step:>{number}}  ", LABEL), (cells, ANSWER if step else ""))
        yield from labelled(labels.get(step, ""), [state])
    yield from and_more(len(states) - LINES, "states")
    yield from and_more(task.width - fit, "cells in each state, to the right")


# ---------------------------------------------------------------- probes


@legend.register
def _(task: probes.Haystack):
    return ["k3: 17 is the key k3 with the value 17; ?3 asks for the value of k3; * marks the pair that has it"]


@lines.register
def _(task: probes.Haystack, row, width):
    *pairs, query = row.prompt
    key_size, value_size = len(f"k{task.length - 1}"), len(str(task.vocab_size // 2 - 1))
    cells = []
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        asked = key[1:] == query[1:]
        cells.append(Text(f"{key:>{key_size}}: {value:>{value_size}}{' *'[asked]}", MARK if asked else ""))
    yield from in_columns("prompt", cells, width)
    yield from in_columns("query", [query], width, MARK)
    yield from in_columns("answer", row.answer, width, ANSWER)


@legend.register
def _(task: probes._Arithmetic):
    text = f"before = the prompt, after it the answer (its digits are tokens of their own, a0 to a9); {UNDERLINED}"
    return [text, "the second line is the same with the most significant digit first"] if task.reverse else [text]


@lines.register
def _(task: probes._Arithmetic, row, width):
    middle, fit = row.prompt.index(task.operator), max(width - GUTTER, 1)
    a, b = ("".join(operand) for operand in (row.prompt[:middle], row.prompt[middle + 1 : -1]))
    answer = "".join(word[1:] for word in row.answer if word[0] == "a")
    prompt = f"{a:>{task.digits}} {task.operator} {b:>{task.digits}} = "
    ends = [word for word in row.answer if word[0] != "a"]
    text = Text.assemble(prompt, (answer, ANSWER), *(f" {word}" for word in ends))
    under = " " * len(prompt)
    for word, scored in zip(row.answer, row.scored[row.start :], strict=True):
        under += (" " * (word in ends)) + " ^"[scored] * (len(word) if word in ends else 1)
    for start in range(0, len(text), fit):
        marks = Text(under[start : start + fit], MARK)
        yield from labelled("" if start else "tokens", [text[start : start + fit], marks])
    if task.reverse:
        usual = f"{a[::-1]:>{task.digits}} {task.operator} {b[::-1]:>{task.digits}} = {answer[::-1]}"
        yield from labelled("reads", [Text(usual[start : start + fit]) for start in range(0, len(usual), fit)])


# ---------------------------------------------------------------- simpler synthetic tasks


_SEARCHING = ("count", "search", "delete", "filter", "get_index")


def _plainly(answer: list[int], highest: int) -> Text:
    """What an answer means that is no list of symbols: a number up to `highest`, or a word."""
    numbers = (str(number) for number in range(-1, highest + 1) if simpler.pieces(number) == answer)
    words = {simpler.YES: "yes", simpler.NO: "no", simpler.NOTHING: "nothing"}
    return Text(words.get(answer[0]) or next(numbers, ""), ANSWER)


@legend.register
def _(task: simpler.Simpler):
    return [
        "does: what the prompt asks for, list and with: its arguments; a symbol is the id of a T5 piece",
        "| stands between words, ^ marks the first place of what is searched for",
    ]


@lines.register
def _(task: simpler.Simpler, row, width):
    operation, first, second = task.parse(int(word) for word in row.prompt if word.isdecimal())
    start = simpler.index_of(first, second) if operation in _SEARCHING else -1
    marks = [start >= 0 and start <= index < start + len(second) for index in range(len(first))]
    answer, size = [int(word) for word in row.answer if word.isdecimal()], max(map(len, row.words[: row.start - 1]))
    yield from labelled("does", [Text(operation, "bold")])
    yield from in_columns(
        "list", ["|" if token == simpler.WORD_END else str(token) for token in first], width, "", size, marks
    )
    if simpler.AND in map(int, filter(str.isdecimal, row.prompt)):
        yield from in_columns("with", map(str, second), width, size=size)
    yield from in_columns("answer", row.answer, width, ANSWER, size)
    if answer == [simpler.NOTHING] or operation in ("length", "count", "search", "get_index"):
        yield from labelled("that is", [_plainly(answer, task.length)])


# ---------------------------------------------------------------- artificial languages


def _sentences(words: list[str]) -> list[list[str]]:
    ends = [index for index, word in enumerate(words) if word == "<eos>"]
    parts = [words[start:end] for start, end in itertools.pairwise([0, *(end + 1 for end in ends), len(words)])]
    return [[word for word in part if word != "<eos>"] for part in parts if part]


def _coloured(task: languages._Sentences, words: list[str]) -> Iterator[Text]:
    """The words of a sentence, both of a pair in one colour; without pairs, equal words in equal colours."""
    if not isinstance(task, languages._Pairs):
        yield from (Text(word, PALETTE[int(word) % len(PALETTE)]) for word in words)
        return
    opened, colours = [], itertools.cycle(PALETTE)  # the open heads with their colours, the newest first
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
    sentences, drawn = _sentences(row.words), 0
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
    words, drawn, cell = row.words, 0, len(str(task.symbols - 1))
    while words and drawn < LINES:
        sizes = range(task.shortest, len(words))
        size = next((size for size in sizes if words[size : 2 * size] == words[: len(words) - size][:size]), len(words))
        panel = list(in_columns("string", words[:size], width, size=cell))
        if words[size:]:
            panel += in_columns("copy", words[size : 2 * size], width, ANSWER, size=cell)
        yield from panel
        words, drawn = words[2 * size :], drawn + len(panel)
    yield from and_more(len(words), "tokens")


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
        some = range(shown, min(shown + fit, len(frames)))
        steps = "  ".join(f"{task.burn_in + number * task.dt:<{side * size}}" for number in some)
        grids = (
            Text("  ").join(Text.assemble(*map(cell, frames[number][y, :side])) for number in some)
            for y in range(task.grid)
        )
        yield from [Text()] * (shown > 0)
        yield from labelled("step", [Text(steps, LABEL)])
        yield from labelled("", grids)
        shown, drawn = shown + len(some), drawn + task.grid + 1
    yield from and_more(len(frames) - shown, "frames")
    yield from and_more(task.grid - side, "cells in each line, to the right")
    yield from and_more(len(row.words) - len(frames) * task.frame_length, "tokens, of a frame that is cut")


# ---------------------------------------------------------------- documents


@legend.register
def _(task: nonsense.Nonsense):
    return ["a line for each sentence; __d8__bullet__ is a keyword of sub-task d8; <sep> and <eos> are not drawn"]


@lines.register
def _(task: nonsense.Nonsense, row, width):
    for label, words, style in (("prompt", row.prompt, ""), ("answer", row.answer, ANSWER)):
        sentences = nonsense.sentences_of([word for word in words if word not in ("<sep>", "<eos>")])
        drawn = [line for sentence in sentences for line in _filled(sentence, width - GUTTER, style)]
        yield from labelled(label, drawn[:LINES] or [Text("(empty)", LABEL)])
        yield from and_more(len(drawn) - LINES, "lines")


def _filled(words, fit: int, style) -> list[Text]:
    """Words in lines of at most `fit` cells, the later ones indented; keywords and masks are marked."""
    drawn = []
    for word in words:
        text = Text(word, MARK if word.startswith(("__", "<extra_id")) else style)
        if drawn and len(drawn[-1]) + 1 + len(text) <= fit:
            drawn[-1] = Text.assemble(drawn[-1], " ", text)
        else:
            drawn.append(Text.assemble("  " if drawn else "", text))
    return drawn


# ---------------------------------------------------------------- LIME


_LIME = {"substitution": "where", "rules": "rule", "string": "string", "last": "becomes", "strings": "becomes"}


@legend.register
def _(task: lime.Lime):
    rewrites = task.mode in lime.REWRITE
    return [
        Text.assemble("ids are dealt anew in each row; the ", ("upper", MARK), " ones are variables"),
        "a rule's variables stand for one lower id each" if rewrites else "where: what each variable stands for",
        "<UPPER>, <LOWER>, <MATH>, <space>, <sep> and <eos> are not drawn",
    ]


@lines.register
def _(task: lime.Lime, row, width):
    header, *given = lime_oracle.split(row.prompt[:-1], "<space>")
    ends = [header.index(mark) for mark in ("<UPPER>", "<LOWER>", "<MATH>")]
    upper, lower, maths = (header[start + 1 : end] for start, end in zip(ends, [*ends[1:], None], strict=True))

    def cells(part, style):
        return [Text(word, MARK if word in upper else style) for word in part]

    for label, kind in (("upper", upper), ("lower", lower), ("math", maths)):
        yield from in_columns(label, cells(kind, LABEL), width)
    asked = lime_oracle.split(row.answer[:-1], "<space>")
    for names, parts, style in zip(lime.MODES[task.mode], (given, asked), ("", ANSWER), strict=True):
        names = [names[0]] * (len(parts) - len(names)) + list(names)
        for name, part in zip(names, parts, strict=True):
            name = name.removesuffix(" 2")
            if name == "substitution":
                part = [Text(" ").join(cells(one, style)) for one in lime_oracle.split(part, ",")]
            else:
                part = cells(part, style)
            yield from in_columns(_LIME.get(name, name), part, width)
