"""Rows of a task as a person wants to see them, on a terminal in colour, elsewhere in plain text.

A family of tasks is drawn by its own `lines` and explained by its own `legend`, registered in drawings.py and
drawings_of_*.py; any other task has those of drawing.py, which need no more than the contract of `Task`. A row is drawn
from its words, not its ids, so that a mixture's rows are drawn like those of their members.
"""

import functools
import inspect
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from rich.console import Console
from rich.text import Text

from .. import terminal
from ..tasks import IGNORE, Task
from ..tasks.mixture import Mixture
from . import (  # noqa: F401  (which register how each family is drawn)
    drawings,
    drawings_of_chomsky,
    drawings_of_clrs,
    drawings_of_languages,
    drawings_of_physics,
    drawings_of_recall,
    drawings_of_regbench,
    drawings_of_structure,
    drawings_of_text,
    drawings_of_tracking,
    drawings_of_universal,
)
from .drawing import GUTTER, LABEL, Row, has_answers, labelled, legend, lines

_ASCII = str.maketrans("█·", "#.")  # what we draw with, on a console that has no more than ASCII


def show(task: Task, input_ids, labels, console: Console | None = None) -> None:
    """Prints what `task` asks and how to read its rows, then the rows, arrays ``[n, max_length]``."""
    console = console or terminal.console()
    for line in itertools.chain(explained(task, console), drawn_rows(task, input_ids, labels, console)):
        console.print(line)


def explained(task: Task, console: Console) -> Iterator[Text]:
    """What `task` asks and how to read its rows, in lines for a console."""
    yield from _wrapped(console, _header(task, console))


def drawn_rows(task: Task, input_ids, labels, console: Console, first: int = 1) -> Iterator[Text]:
    """Rows, arrays ``[n, max_length]``, in lines for a console; the number of the first row is `first`."""
    for number, (ids, row_labels) in enumerate(zip(input_ids, labels, strict=True), first):
        name, drawn, row = _read(task, ids, row_labels)
        title = f"row {number}" if drawn == task else f"row {number}: {name}"
        padding = f", then {row.padding} of padding" if row.padding else ""
        note = f"{title} ({len(row.words)} tokens{padding}; loss on {row.loss})"
        yield from _wrapped(console, [Text(), Text(note, LABEL), *lines(drawn, row, console.width)])


def as_json(task: Task, input_ids, labels) -> list[dict]:
    """The rows, arrays ``[n, max_length]``, as plain JSON: `input_ids`, `labels` and `tokens`, padding included.

    `prompt` and `answer` are token strings without padding; where there is no such thing, in a language or shuffled
    rows, `text` is all of them as one string. `task` is a name, in a mixture that of the row's member.
    """
    rows = []
    vocabulary = task.vocabulary
    for ids, row_labels in zip(input_ids, labels, strict=True):
        name, drawn, row = _read(task, ids, row_labels)
        as_plain = {
            "task": name,
            "input_ids": [int(token) for token in ids],
            "labels": [int(label) for label in row_labels],
            "tokens": [vocabulary[token] for token in ids],
        }
        answer = [word for word in row.answer if word != "<pad>"]
        if row.stands_apart and has_answers(drawn):
            answer = [target for target in row.targets[row.start :] if target]
        if has_answers(drawn):
            as_plain["prompt"] = [word for word in row.prompt if word != "<pad>"]
            as_plain["answer"] = answer
        else:
            as_plain["text"] = " ".join(answer)
        rows.append(as_plain)
    return rows


def _read(task: Task, input_ids, labels) -> tuple[str, Task, Row]:
    """The name and the task to draw a row by, and its words: for a mixture, the member that the row is of.

    Where it is right for several members, the first draws it and all are named; where for none (rows of shuffled
    members say too little), the mixture itself does.
    """
    drawn, ids, names = task, input_ids, [task.config_name]
    if isinstance(task, Mixture) and (readings := task.readings(np.asarray(input_ids), np.asarray(labels))):
        number, ids, labels = readings[0]
        drawn = task.members[number]
        names = [task.members[each].config_name for each, _, _ in readings]
    scored = np.asarray(labels) != IGNORE
    is_content = scored | (np.asarray(ids) != drawn.pad_id)
    end = int(np.flatnonzero(is_content).max(initial=-1)) + 1
    start = len(drawn.prompt_of(ids, labels)) if has_answers(drawn) else 0
    vocabulary = _vocabulary(drawn)
    words = [vocabulary[token] for token in ids[:end]]
    targets = ["" if label == IGNORE else vocabulary[label] for label in labels[:end]]
    row = Row(words, scored[:end].tolist(), start, len(input_ids) - end, targets)
    return " or ".join(dict.fromkeys(names)), drawn, row


@functools.lru_cache(maxsize=2)
def _vocabulary(task: Task) -> tuple[str, ...]:
    """A task's, which may have a million tokens, once for all rows."""
    return task.vocabulary


def _members(task: Task) -> tuple[Task, ...]:
    return task.members if isinstance(task, Mixture) else ()


def _wrapped(console: Console, texts: Iterable[Text]) -> Iterator[Text]:
    for line in itertools.chain.from_iterable(text.wrap(console, console.width) for text in texts):
        line.rstrip()
        if console.options.ascii_only:
            line.plain = line.plain.translate(_ASCII)
        yield line


def _header(task: Task, console: Console) -> Iterator[Text]:
    """What a task is, in its own words, and its legend; of a mixture, then the same of each member."""
    layout = inspect.cleandoc(type(task).__doc__ or "").partition("\n\n")[0]
    if layout.startswith(f"{type(task).__name__}("):  # no docstring, but what dataclass puts in place of none
        layout = ""
    settings = ", ".join(f"{name}={value}" for name, value in task.parameters.items())
    paragraphs = {
        "task": [task.summary],
        "row": [layout.replace("``", "").replace("\n", " ")],
        "with": [] if _members(task) else [settings],
        "read": legend(task),
    }
    yield Text(task.config_name, "bold")
    for label, texts in paragraphs.items():
        texts = [text if isinstance(text, Text) else Text(text) for text in texts if text]
        wrapped = (text.wrap(console, max(console.width - GUTTER, 1)) for text in texts)
        yield from labelled(label, itertools.chain.from_iterable(wrapped))
    for member, weight in zip(task.members, task.weights, strict=True) if isinstance(task, Mixture) else ():
        name, *rest = _header(member, console)
        yield from (Text(), Text.assemble(name, (f", {100 * weight:.3g}% of the rows", LABEL)), *rest)
