"""Rows of a task as a person wants to see them, on a terminal in colour, elsewhere in plain text.

A family of tasks is drawn by its own `lines` and explained by its own `legend`, registered for its class below; any
other task has the first of each, which need no more than the contract of `Task`. A row is drawn from its words, not
its ids, so that a mixture's rows are drawn like those of their members.
"""

import dataclasses
import functools
import inspect
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from rich.console import Console
from rich.text import Text

from .tasks import IGNORE, Task, automata, dyck, languages, lime, nca, nonsense, probes, sequence, simpler
from .tasks.mixture import Mixture

_GUTTER = 8  # cells on the left, for labels
_LINES = 40  # a drawing with more lines ends with the panel in which it gets there
_LABEL, _ANSWER, _MARK = "dim", "bold green", "bold yellow"
_PALETTE = ("red", "green", "yellow", "blue", "magenta", "cyan", "bright_red", "bright_green", "bright_yellow")
_ASCII = str.maketrans("█·", "#.")  # what we draw with, on a console that has no more than ASCII
_UNDERLINED = "^ marks what the loss counts on"


@dataclasses.dataclass(frozen=True)
class Row:
    """The words of a row, without its padding; but padding on which the loss counts is among them.

    `scored` tells for each word whether the loss counts on it, `start` where the answer begins: at 0 in a language, in
    which all is to be predicted, and where tokens are shuffled.
    """

    words: list[str]
    scored: list[bool]
    start: int
    padding: int

    @property
    def prompt(self) -> list[str]:
        return self.words[: self.start]

    @property
    def answer(self) -> list[str]:
        return self.words[self.start :]

    @property
    def loss(self) -> str:
        """What the loss counts on, in words."""
        wholly = [index >= self.start for index in range(len(self.words))]
        if not any(self.scored):
            return "nothing"
        if self.scored == wholly:
            return "the whole answer" if self.start else "every token"
        if self.start == 0 and self.scored == [False, *wholly[1:]]:
            return "every token but the first"
        return f"{sum(self.scored)} of the tokens"


def show(task: Task, input_ids, labels, console: Console | None = None) -> None:
    """Prints what `task` asks and how to read its rows, then the rows, arrays ``[n, max_length]``."""
    console = console or Console()
    _print(console, _header(task, console))
    for number, (ids, row_labels) in enumerate(zip(input_ids, labels, strict=True), 1):
        name, drawn, row = _read(task, ids, row_labels)
        title = f"row {number}" if drawn == task else f"row {number}: {name}"
        padding = f", then {row.padding} of padding" if row.padding else ""
        note = f"{title} ({len(row.words)} tokens{padding}; loss on {row.loss})"
        _print(console, [Text(), Text(note, _LABEL), *lines(drawn, row, console.width)])


def as_json(task: Task, input_ids, labels) -> list[dict]:
    """The rows, arrays ``[n, max_length]``, as plain JSON: `input_ids`, `labels` and `tokens`, padding included.

    `prompt` and `answer` are token strings without padding; where there is no such thing, in a language or shuffled
    rows, `text` is all of them as one string. `task` is a name, in a mixture that of the row's member.
    """
    rows, vocabulary = [], task.vocabulary
    for ids, row_labels in zip(input_ids, labels, strict=True):
        name, drawn, row = _read(task, ids, row_labels)
        plain = {"input_ids": [int(token) for token in ids], "labels": [int(label) for label in row_labels]}
        prompt, answer = ([word for word in part if word != "<pad>"] for part in (row.prompt, row.answer))
        parts = {"prompt": prompt, "answer": answer} if _answers(drawn) else {"text": " ".join(answer)}
        rows.append({"task": name, **plain, "tokens": [vocabulary[token] for token in ids], **parts})
    return rows


def _answers(task: Task) -> bool:
    """Whether its rows are a prompt and an answer: not in a language, in shuffled rows, or in a mixture as a whole."""
    return hasattr(task, "solve")


def _read(task: Task, input_ids, labels) -> tuple[str, Task, Row]:
    """The name and the task to draw a row by, and its words: for a mixture, the member that the row is of.

    Where it is right for several members, the first draws it and all are named; where for none (rows of shuffled
    members say too little), the mixture itself does.
    """
    members = [found for member in _members(task) if (found := _as_row_of(member, task, input_ids, labels))]
    drawn, ids, labels = members[0] if members else (task, input_ids, labels)
    name = " or ".join(dict.fromkeys(member.config_name for member, *_ in members)) or task.config_name
    scored, vocabulary = np.asarray(labels) != IGNORE, drawn.vocabulary
    end = int(np.flatnonzero(scored | (np.asarray(ids) != drawn.pad_id)).max(initial=-1)) + 1
    start = len(drawn.prompt_of(ids, labels)) if _answers(drawn) else 0
    words = [vocabulary[token] for token in ids[:end]]
    return name, drawn, Row(words, scored[:end].tolist(), start, len(input_ids) - end)


def _members(task: Task) -> tuple[Task, ...]:
    return task.members if isinstance(task, Mixture) else ()


def _as_row_of(member: Task, mixture: Mixture, input_ids, labels):
    """`member` and the row in its own ids, if the member's oracle makes that very row; else None."""
    own = {token: index for index, token in enumerate(member.vocabulary)}
    vocabulary = mixture.vocabulary
    words = [vocabulary[token] for token in input_ids]
    width = member.max_length
    if any(word not in own for word in words[:width]) or any(word != "<pad>" for word in words[width:]):
        return None
    ids = np.array([own[word] for word in words[:width]], np.int32)
    own_labels = np.where(np.asarray(labels[:width]) == IGNORE, IGNORE, ids)
    try:
        right = member.is_row(ids, own_labels)
    except Exception:  # an oracle may stumble over the row of another member; a shuffled task has none
        return None
    return (member, ids, own_labels) if right else None


def _print(console: Console, texts: Iterable[Text]) -> None:
    for line in itertools.chain.from_iterable(text.wrap(console, console.width) for text in texts):
        line.rstrip()
        if console.options.ascii_only:
            line.plain = line.plain.translate(_ASCII)
        console.print(line)


def _header(task: Task, console: Console) -> Iterator[Text]:
    """What a task is, in its own words, and its legend; of a mixture, then the same of each member."""
    layout = inspect.cleandoc(type(task).__doc__ or "").partition("\n\n")[0]
    facts = {
        "task": [task.summary],
        "row": [] if layout.startswith(f"{type(task).__name__}(") else [layout.replace("``", "").replace("\n", " ")],
        "with": [] if _members(task) else [", ".join(f"{name}={value}" for name, value in task.parameters.items())],
        "read": legend(task),
    }  # a layout that starts like that is no docstring, but what dataclass puts in place of none
    yield Text(task.config_name, "bold")
    for label, texts in facts.items():
        texts = [text if isinstance(text, Text) else Text(text) for text in texts if text]
        wrapped = (text.wrap(console, max(console.width - _GUTTER, 1)) for text in texts)
        yield from _labelled(label, itertools.chain.from_iterable(wrapped))
    for member, weight in zip(_members(task), getattr(task, "weights", ()), strict=False):
        name, *rest = _header(member, console)
        yield from (Text(), Text.assemble(name, (f", {100 * weight:.3g}% of the rows", _LABEL)), *rest)


# ---------------------------------------------------------------- any task


@functools.singledispatch
def legend(task: Task) -> list[str | Text]:
    """What a person has to know to read `lines`, beside what the task's class says of itself."""
    return [_UNDERLINED]


@functools.singledispatch
def lines(task: Task, row: Row, width: int) -> Iterator[Text]:
    """A row, drawn in lines of at most `width` cells."""
    if _answers(task):
        yield from _grid("prompt", row.prompt, width, marks=row.scored[: row.start])
        yield from _grid("answer", row.answer, width, _ANSWER, marks=row.scored[row.start :])
    else:
        yield from _grid("tokens", row.words, width, marks=row.scored)


def _labelled(label: str, texts: Iterable[Text]) -> Iterator[Text]:
    """The lines with a label in front of the first, and as many cells in front of the others."""
    for text in texts:
        yield Text.assemble((f"{label:<{_GUTTER}}", _LABEL), text)
        label = ""


def _more(number: int, what: str) -> Iterator[Text]:
    if number > 0:
        yield Text(f"{'':<{_GUTTER}}... {number} more {what}", _LABEL)


def _grid(label: str, words, width: int, style="", size=0, marks=()) -> Iterator[Text]:
    """Words, right-aligned in columns of `size` cells or more, a multiple of 8 to a line; `^` under those to mark."""
    words = [word if isinstance(word, Text) else Text(_visible(word), style) for word in words]
    size = min(max([size, *(word.cell_len for word in words)]), max(width - _GUTTER, 1))
    fit = max((width - _GUTTER + 1) // (size + 1), 1)
    fit = min(fit, len(words)) if len(words) <= fit else fit - fit % 8 or fit
    drawn, shown = [], 0
    while shown < len(words) and len(drawn) < _LINES:
        some, marked = words[shown : shown + fit], marks[shown : shown + fit]
        drawn.append(Text(" ").join(Text(" " * (size - word.cell_len)) + word for word in some))
        if any(marked):
            under = (f"{'^' * word.cell_len * mark:>{size}}" for word, mark in zip(some, marked, strict=True))
            drawn.append(Text(" ".join(under), _MARK))
        shown += fit
    yield from _labelled(label, drawn or [Text("(empty)", _LABEL)])
    yield from _more(len(words) - shown, "tokens")


def _visible(word: str) -> str:
    return word if word.isprintable() else repr(word)[1:-1]


@legend.register
def _(task: Mixture):
    return []


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
            symbol = (word.strip("<>"), _MARK if index in marked else style)
            yield Text.assemble(symbol, ("*" if index in marked else " " * mark, _MARK))

    size = len(str(task.vocab_size - 1)) + mark
    start, label = 0, "prompt"
    for end in [index for index, word in enumerate(row.prompt) if word == "<sep>"]:
        yield from _grid(label, cells(start, end, ""), width, size=size)
        start, label = end + 1, _SECOND.get(type(task), "then")
    yield from _grid("answer", cells(row.start, None, _ANSWER), width, size=size)


# ---------------------------------------------------------------- brackets


_SHAPES = ("()", "[]", "{}", "<>")


def _bracket(word: str, k: int) -> Text:
    """A bracket in its kind's colour, and in its kind's shape if there are enough shapes."""
    kind = int(word[1:])
    shape = _SHAPES[kind][word[0] == ")"] if k <= len(_SHAPES) else word
    return Text(shape, _PALETTE[kind % len(_PALETTE)])


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
    while shown < number and drawn < _LINES:
        panel = list(draw(range(shown, min(shown + fit, number))))
        yield from [Text()] * (shown > 0) + panel
        shown, drawn = shown + fit, drawn + len(panel)
    yield from _more(number - shown, "tokens")


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
            yield from _labelled(f"{depth:>6}", [Text().join(cell + Text(" " * (size - len(cell))) for cell in cells)])

    return _panels(len(steps), max((width - _GUTTER) // size, 1), draw)


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
                yield from _labelled(f"{kind:>6}", [Text.assemble(*cells)])
        size = len(str(max(depths)))
        digits = zip(*(f"{depths[place]:>{size}}" for place in places), strict=True)
        yield from _labelled("open", [Text("".join(line), _LABEL) for line in digits if set(line) != {" "}])

    return _panels(len(steps), max(width - _GUTTER, 1), draw)


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
    room = max(width - _GUTTER - number - 2, 1)
    fit = min(task.width, room)
    blocks = {"0": "·", "1": "█"} if 2 * fit > room else {"0": " ·", "1": "██"}
    labels = {0: "prompt", 1: "answer"}
    states = range(0, len(row.words), task.width + 1)
    for step, start in enumerate(states[:_LINES]):
        cells = "".join(blocks[cell] for cell in row.words[start : start + fit])
        state = Text.assemble((f"{step:>{number}}  ", _LABEL), (cells, _ANSWER if step else ""))
        yield from _labelled(labels.get(step, ""), [state])
    yield from _more(len(states) - _LINES, "states")
    yield from _more(task.width - fit, "cells in each state, to the right")


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
        cells.append(Text(f"{key:>{key_size}}: {value:>{value_size}}{' *'[asked]}", _MARK if asked else ""))
    yield from _grid("prompt", cells, width)
    yield from _grid("query", [query], width, _MARK)
    yield from _grid("answer", row.answer, width, _ANSWER)


@legend.register
def _(task: probes._Arithmetic):
    text = f"before = the prompt, after it the answer (its digits are tokens of their own, a0 to a9); {_UNDERLINED}"
    return [text, "the second line is the same with the most significant digit first"] if task.reverse else [text]


@lines.register
def _(task: probes._Arithmetic, row, width):
    middle, fit = row.prompt.index(task.operator), max(width - _GUTTER, 1)
    a, b = ("".join(operand) for operand in (row.prompt[:middle], row.prompt[middle + 1 : -1]))
    answer = "".join(word[1:] for word in row.answer if word[0] == "a")
    prompt = f"{a:>{task.digits}} {task.operator} {b:>{task.digits}} = "
    ends = [word for word in row.answer if word[0] != "a"]
    text = Text.assemble(prompt, (answer, _ANSWER), *(f" {word}" for word in ends))
    under = " " * len(prompt)
    for word, scored in zip(row.answer, row.scored[row.start :], strict=True):
        under += (" " * (word in ends)) + " ^"[scored] * (len(word) if word in ends else 1)
    for start in range(0, len(text), fit):
        marks = Text(under[start : start + fit], _MARK)
        yield from _labelled("" if start else "tokens", [text[start : start + fit], marks])
    if task.reverse:
        usual = f"{a[::-1]:>{task.digits}} {task.operator} {b[::-1]:>{task.digits}} = {answer[::-1]}"
        yield from _labelled("reads", [Text(usual[start : start + fit]) for start in range(0, len(usual), fit)])


# ---------------------------------------------------------------- simpler synthetic tasks


_SEARCHING = ("count", "search", "delete", "filter", "get_index")


def _plainly(answer: list[int], highest: int) -> Text:
    """What an answer means that is no list of symbols: a number up to `highest`, or a word."""
    numbers = (str(number) for number in range(-1, highest + 1) if simpler.pieces(number) == answer)
    words = {simpler.YES: "yes", simpler.NO: "no", simpler.NOTHING: "nothing"}
    return Text(words.get(answer[0]) or next(numbers, ""), _ANSWER)


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
    yield from _labelled("does", [Text(operation, "bold")])
    yield from _grid(
        "list", ["|" if token == simpler.WORD_END else str(token) for token in first], width, "", size, marks
    )
    if simpler.AND in map(int, filter(str.isdecimal, row.prompt)):
        yield from _grid("with", map(str, second), width, size=size)
    yield from _grid("answer", row.answer, width, _ANSWER, size)
    if answer == [simpler.NOTHING] or operation in ("length", "count", "search", "get_index"):
        yield from _labelled("that is", [_plainly(answer, task.length)])


# ---------------------------------------------------------------- artificial languages


def _sentences(words: list[str]) -> list[list[str]]:
    ends = [index for index, word in enumerate(words) if word == "<eos>"]
    parts = [words[start:end] for start, end in itertools.pairwise([0, *(end + 1 for end in ends), len(words)])]
    return [[word for word in part if word != "<eos>"] for part in parts if part]


def _coloured(task: languages._Sentences, words: list[str]) -> Iterator[Text]:
    """The words of a sentence, both of a pair in one colour; without pairs, equal words in equal colours."""
    if not isinstance(task, languages._Pairs):
        yield from (Text(word, _PALETTE[int(word) % len(_PALETTE)]) for word in words)
        return
    opened, colours = [], itertools.cycle(_PALETTE)  # the open heads with their colours, the newest first
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
        if drawn >= _LINES:
            return (yield from _more(len(sentences) - number, "sentences"))
        panel = list(_grid(f"{number + 1:>6}", _coloured(task, words), width))
        yield from panel
        drawn += len(panel)


@legend.register
def _(task: languages.Repeated):
    return ["a string and its copy, again and again; the last one is mostly unfinished"]


@lines.register
def _(task: languages.Repeated, row, width):
    words, drawn, cell = row.words, 0, len(str(task.symbols - 1))
    while words and drawn < _LINES:
        sizes = range(task.shortest, len(words))
        size = next((size for size in sizes if words[size : 2 * size] == words[: len(words) - size][:size]), len(words))
        panel = list(_grid("string", words[:size], width, size=cell))
        if words[size:]:
            panel += _grid("copy", words[size : 2 * size], width, _ANSWER, size=cell)
        yield from panel
        words, drawn = words[2 * size :], drawn + len(panel)
    yield from _more(len(words), "tokens")


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
    room = max((width - _GUTTER) // size, 1)
    side = min(task.grid, room)
    fit = max((width - _GUTTER + 2) // (side * size + 2), 1)

    def cell(state):
        return np.base_repr(state, 36 if size == 1 else 16).lower().zfill(size), _PALETTE[state % len(_PALETTE)]

    shown = drawn = 0
    while shown < len(frames) and drawn < _LINES:
        some = range(shown, min(shown + fit, len(frames)))
        steps = "  ".join(f"{task.burn_in + number * task.dt:<{side * size}}" for number in some)
        grids = (
            Text("  ").join(Text.assemble(*map(cell, frames[number][y, :side])) for number in some)
            for y in range(task.grid)
        )
        yield from [Text()] * (shown > 0)
        yield from _labelled("step", [Text(steps, _LABEL)])
        yield from _labelled("", grids)
        shown, drawn = shown + len(some), drawn + task.grid + 1
    yield from _more(len(frames) - shown, "frames")
    yield from _more(task.grid - side, "cells in each line, to the right")
    yield from _more(len(row.words) - len(frames) * task.frame_length, "tokens, of a frame that is cut")


# ---------------------------------------------------------------- documents


@legend.register
def _(task: nonsense.Nonsense):
    return ["a line for each sentence; __d8__bullet__ is a keyword of sub-task d8; <sep> and <eos> are not drawn"]


@lines.register
def _(task: nonsense.Nonsense, row, width):
    for label, words, style in (("prompt", row.prompt, ""), ("answer", row.answer, _ANSWER)):
        sentences = nonsense.sentences_of([word for word in words if word not in ("<sep>", "<eos>")])
        drawn = [line for sentence in sentences for line in _filled(sentence, width - _GUTTER, style)]
        yield from _labelled(label, drawn[:_LINES] or [Text("(empty)", _LABEL)])
        yield from _more(len(drawn) - _LINES, "lines")


def _filled(words, fit: int, style) -> list[Text]:
    """Words in lines of at most `fit` cells, the later ones indented; keywords and masks are marked."""
    drawn = []
    for word in words:
        text = Text(word, _MARK if word.startswith(("__", "<extra_id")) else style)
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
        Text.assemble("ids are dealt anew in each row; the ", ("upper", _MARK), " ones are variables"),
        "a rule's variables stand for one lower id each" if rewrites else "where: what each variable stands for",
        "<UPPER>, <LOWER>, <MATH>, <space>, <sep> and <eos> are not drawn",
    ]


@lines.register
def _(task: lime.Lime, row, width):
    header, *given = lime.split(row.prompt[:-1], "<space>")
    ends = [header.index(mark) for mark in ("<UPPER>", "<LOWER>", "<MATH>")]
    upper, lower, maths = (header[start + 1 : end] for start, end in zip(ends, [*ends[1:], None], strict=True))

    def cells(part, style):
        return [Text(word, _MARK if word in upper else style) for word in part]

    for label, kind in (("upper", upper), ("lower", lower), ("math", maths)):
        yield from _grid(label, cells(kind, _LABEL), width)
    asked = lime.split(row.answer[:-1], "<space>")
    for names, parts, style in zip(lime.MODES[task.mode], (given, asked), ("", _ANSWER), strict=True):
        names = [names[0]] * (len(parts) - len(names)) + list(names)
        for name, part in zip(names, parts, strict=True):
            name = name.removesuffix(" 2")
            if name == "substitution":
                part = [Text(" ").join(cells(one, style)) for one in lime.split(part, ",")]
            else:
                part = cells(part, style)
            yield from _grid(_LIME.get(name, name), part, width)
