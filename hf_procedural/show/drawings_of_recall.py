"""How the tasks of MAD and of Zoology are drawn: keys with their values, and what is asked for apart from the row."""

import itertools

from rich.text import Text

from ..tasks import mad, mad_recall, mqar
from .drawing import ANSWER, LABEL, MARK, in_columns, labelled, legend, lines

_BLANK = "·"


# ---------------------------------------------------------------- recall


def _runs(words: list[str]) -> list[tuple[str, list[str]]]:
    """Words that stand side by side and are of one kind: k, v, n, or < for special ones."""
    return [(letter, list(run)) for letter, run in itertools.groupby(words, lambda word: word[0])]


@legend.register
def _(task: mad_recall._Recall):
    more = ["n4 n11 is noise"] if "n0" in task.vocabulary else []
    loss = {
        "training": "the loss counts on all tokens but the first",
        "test": f"the loss counts on {'these values' if task.multi_query else 'the last value'}",
        "suite": "the loss counts on all following tokens in training, on these values in validation and test"
        if task.multi_query
        else "the loss counts on all following tokens in training, on the last value in validation and test",
    }
    return [
        "k3: v1 is the key k3 and its value; * marks a value that the row has given its key before",
        "; ".join([loss[task.form], *more, "<copy> and blanks are not drawn"]),
    ]


@lines.register
def _(task: mad_recall._Recall, row, width):
    cells = []
    known = set()
    key = ""
    runs = _runs(row.words)
    for letter, run in runs:
        text = " ".join(run)
        if letter == "k":
            key = text
        elif letter == "v":
            is_known = key in known
            known.add(key)
            cells.append(
                Text.assemble(f"{key}: ", (text, ANSWER if is_known else ""), ("*" if is_known else " ", MARK))
            )
        elif letter == "n":
            cells += [Text(f"{' '.join(pair)} ", LABEL) for pair in zip(run[::2], run[1::2], strict=True)]
    yield from in_columns("pairs", cells, width)
    yield from labelled("asks", [Text(key, MARK)])
    yield from in_columns("answer", row.answer, width, ANSWER)


# ---------------------------------------------------------------- copying, compression, memorization


@legend.register
def _(task: mad.SelectiveCopying):
    return [f"{_BLANK} is a blank; the answer is asked for behind all this, a blank in the place of each of its tokens"]


@legend.register
def _(task: mad.Compression):
    return ["the answer is asked for behind all this, a blank in the place of each of its tokens"]


@lines.register(mad.SelectiveCopying)
@lines.register(mad.Compression)
def _(task, row, width):
    ends = [word for word in ("<copy>", "<compress>") if word in row.words]
    shown = row.words[: row.words.index(ends[0])] if ends else row.words
    size = max(map(len, task.vocabulary[:-3]))
    yield from in_columns(
        "tokens", [Text(_BLANK, LABEL) if word == "<blank>" else word for word in shown], width, size=size
    )
    yield from in_columns("answer", [target for target in row.targets if target], width, ANSWER, size)


@legend.register
def _(task: mad.Memorization):
    return ["k3 -> v1: the row has k3 and <insert>, and asks for v1, which it has nowhere: the value of k3 in all rows"]


@lines.register
def _(task: mad.Memorization, row, width):
    asked = zip(row.words[:-1:2], row.targets[2::2], strict=True)
    yield from in_columns("pairs", [Text.assemble(f"{key} -> ", (value, ANSWER)) for key, value in asked], width)


# ---------------------------------------------------------------- multi-query associative recall


@legend.register
def _(task: mqar._Mqar):
    rest = "noise" if task.random_non_queries else "blanks"
    return [
        "k3: v1 gives the key k3 its value; +7 k3 -> v1: seven tokens behind these, k3 stands again and asks for v1",
        f"v1 is not there again; the {rest} in all other places are not drawn",
    ]


@lines.register
def _(task: mqar._Mqar, row, width):
    size = task.key_size + 1
    given = [" ".join(row.words[start : start + size - 1]) for start in range(0, task.context, size)]
    values = row.words[size - 1 : task.context : size]
    yield from in_columns("given", [f"{key}: {value}" for key, value in zip(given, values, strict=True)], width)
    cells = []
    for place, target in enumerate(row.targets):
        if target:
            key = " ".join(row.words[place - size + 1 : place])
            gap = f"+{place - size + 1 - task.context} "
            cells.append(Text.assemble((gap, LABEL), f"{key} -> ", (target, ANSWER)))
    yield from in_columns("asked", cells, width)
