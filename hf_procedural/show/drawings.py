"""How tasks with prompts and answers are drawn and explained: each family has `lines` and a `legend` of its own.

They are registered for the family's class; drawings_of_languages.py has those whose rows are to be predicted wholly.
"""

from rich.text import Text

from ..tasks import automata, lime, lime_oracle, nonsense, probes, sequence, simpler
from .drawing import ANSWER, GUTTER, LABEL, LINES, MARK, UNDERLINED, and_more, in_columns, labelled, legend, lines

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


_MARKED: dict[type, tuple] = {  # what is marked in a prompt
    sequence.Set: ("* marks the first of each symbol", _firsts),
    sequence.Union: ("* marks the first of each symbol, in both lists together", _firsts),
    sequence.Delete: ("* marks the symbol to remove, if there is one", _removed),
    sequence.Stack: ("a number is pushed, pop takes off the top; * marks what is never taken off", _kept),
}
_SECOND = {sequence.Union: "and", sequence.Delete: "remove"}  # the label of a prompt's second list


@legend.register
def _(task: sequence._Sequence):
    if type(task) in _MARKED:
        marks, _ = _MARKED[type(task)]
        return [marks, "<sep> is not drawn"]
    return ["<sep> is not drawn"]


@lines.register
def _(task: sequence._Sequence, row, width):
    size = len(str(task.vocab_size - 1))
    marked = set()
    unmarked = ""  # what stands where others have a mark
    if type(task) in _MARKED:
        _, find = _MARKED[type(task)]
        marked = find(row.prompt)
        unmarked = " "
        size += 1

    def cells(start, end, style):
        for index, word in enumerate(row.words[start:end], start):
            symbol = word.strip("<>")
            if index in marked:
                yield Text.assemble((symbol, MARK), ("*", MARK))
            else:
                yield Text.assemble((symbol, style), (unmarked, MARK))

    start = 0
    label = "prompt"
    for end, word in enumerate(row.prompt):
        if word == "<sep>":
            yield from in_columns(label, cells(start, end, ""), width, size=size)
            start = end + 1
            label = _SECOND.get(type(task), "then")
    yield from in_columns("answer", cells(row.start, None, ANSWER), width, size=size)


# ---------------------------------------------------------------- automata


@legend.register
def _(task: automata.ElementaryAutomaton):
    numbers = range(7, -1, -1)  # of a cell and its neighbours, three bits
    around = " ".join(f"{number:03b}" for number in numbers).replace("0", "·").replace("1", "█")
    after = " ".join(f" {'·█'[task.rule >> number & 1]} " for number in numbers)
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
    key_size = len(f"k{task.length - 1}")
    value_size = len(str(task.vocab_size // 2 - 1))
    cells = []
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        pair = f"{key:>{key_size}}: {value:>{value_size}}"
        is_asked = key[1:] == query[1:]
        cells.append(Text(f"{pair}*", MARK) if is_asked else Text(f"{pair} "))
    yield from in_columns("prompt", cells, width)
    yield from in_columns("query", [query], width, MARK)
    yield from in_columns("answer", row.answer, width, ANSWER)


@legend.register
def _(task: probes._Arithmetic):
    text = f"before = the prompt, after it the answer (its digits are tokens of their own, a0 to a9); {UNDERLINED}"
    return [text, "the second line is the same with the most significant digit first"] if task.reverse else [text]


@lines.register
def _(task: probes._Arithmetic, row, width):
    fit = max(width - GUTTER, 1)
    middle = row.prompt.index(task.operator)
    a = "".join(row.prompt[:middle])
    b = "".join(row.prompt[middle + 1 : -1])
    prompt = f"{a:>{task.digits}} {task.operator} {b:>{task.digits}} = "
    answer = ""
    ends = ""  # <stop>, and <pad> where the loss counts on it
    under = " " * len(prompt)
    for word, scored in zip(row.answer, row.scored[row.start :], strict=True):
        if word[0] == "a":  # a digit, drawn without the letter
            drawn = word[1:]
            answer += drawn
        else:
            drawn = f" {word}"
            ends += drawn
        marks = "^" * len(drawn.strip()) if scored else ""
        under += marks.rjust(len(drawn))
    text = Text.assemble(prompt, (answer, ANSWER), ends)
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
    prompt = [int(word) for word in row.prompt if word.isdecimal()]
    answer = [int(word) for word in row.answer if word.isdecimal()]
    operation, first, second = task.parse(prompt)
    size = max(map(len, row.words[: row.start - 1]))
    symbols = ["|" if token == simpler.WORD_END else str(token) for token in first]
    marks = [False] * len(first)
    if operation in _SEARCHING:
        start = simpler.index_of(first, second)
        if start >= 0:
            marks[start : start + len(second)] = [True] * len(second)
    yield from labelled("does", [Text(operation, "bold")])
    yield from in_columns("list", symbols, width, "", size, marks)
    if simpler.AND in prompt:
        yield from in_columns("with", map(str, second), width, size=size)
    yield from in_columns("answer", row.answer, width, ANSWER, size)
    if answer == [simpler.NOTHING] or operation in ("length", "count", "search", "get_index"):
        yield from labelled("that is", [_plainly(answer, task.length)])


# ---------------------------------------------------------------- documents


@legend.register
def _(task: nonsense.Nonsense):
    return ["a line for each sentence; __d8__bullet__ is a keyword of sub-task d8; <sep> and <eos> are not drawn"]


@lines.register
def _(task: nonsense.Nonsense, row, width):
    for label, words, style in (("prompt", row.prompt, ""), ("answer", row.answer, ANSWER)):
        drawn = []
        for sentence in nonsense.sentences_of([word for word in words if word not in ("<sep>", "<eos>")]):
            drawn += _filled(sentence, width - GUTTER, style)
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
    lower_from, math_from = header.index("<LOWER>"), header.index("<MATH>")
    upper = header[1:lower_from]

    def cells(words, style):
        return [Text(word, MARK if word in upper else style) for word in words]

    yield from in_columns("upper", cells(upper, LABEL), width)
    yield from in_columns("lower", cells(header[lower_from + 1 : math_from], LABEL), width)
    yield from in_columns("math", cells(header[math_from + 1 :], LABEL), width)
    asked = lime_oracle.split(row.answer[:-1], "<space>")
    for names, pieces, style in zip(lime.MODES[task.mode], (given, asked), ("", ANSWER), strict=True):
        names = [names[0]] * (len(pieces) - len(names)) + list(names)  # the first may be several: rules, strings
        for name, words in zip(names, pieces, strict=True):
            name = name.removesuffix(" 2")
            if name == "substitution":
                columns = [Text(" ").join(cells(value, style)) for value in lime_oracle.split(words, ",")]
            else:
                columns = cells(words, style)
            yield from in_columns(_LIME.get(name, name), columns, width)
