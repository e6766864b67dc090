"""Rows of a task that is chosen by clicking: drawn, moving, and what goes with them."""

import base64
import functools
import json
import tempfile
from pathlib import Path

import numpy as np

from ..data import blocks
from ..show.drawing import has_answers
from ..show.html import explained_html, rows_html
from ..show.image import image
from ..tasks import Task, automata, nca, task_class
from ..tasks.splits import SIZES
from . import fields
from .limits import LONG, ROWS, SHOWN, WIDTHS, bounded_task, whole_number
from .take_along import take_along

_LONGEST = 2**32  # of seeds
_PADDING = 4  # characters, of the box that the explanation is in
ANSWER, WORD, NOTHING = "answer", "word", "nothing"  # what can be checked


def look(name: str, values: dict, split: str, seed, row, width) -> dict:
    """Rows from number `row` on, drawn, with what is said of the task, and all that is taken along.

    `values` are those of the controls, by parameter. ``chosen`` is what the other questions want to be told.
    """
    if split not in SIZES:
        raise ValueError(f"split must be one of {', '.join(SIZES)}, got {str(split)[:40]!r}")
    seed = whole_number("seed", seed, 0, _LONGEST)
    row = whole_number("row", row, 1, ROWS)
    width = min(max(whole_number("width", width, 1, 10_000), WIDTHS[0]), WIDTHS[-1])
    bounded_task(name, {})  # a name that is none is told as such
    full, parameters = fields.read(task_class(name), values)
    chosen = {"name": full, "parameters": parameters, "split": split, "seed": seed, "row": row}
    task = task_of(chosen)
    shown = SHOWN if task.max_length <= LONG else 1
    input_ids, labels = rows_from(chosen, row - 1, shown + 1)
    return {
        "chosen": chosen | {"moves": _moves(task)},
        "explained": explained_html(task, width - _PADDING),
        "rows": rows_html(task, input_ids[:shown], labels[:shown], width, row),
        "checked": ANSWER if has_answers(task) else WORD if hasattr(task, "accepts") else NOTHING,
        "question": _question(task, input_ids[shown], labels[shown]),
        **take_along(full, parameters, split, seed, row),
    }


def task_of(chosen: dict) -> Task:
    """The task of what `look` calls ``chosen``, within bounds."""
    name, _, size = str(chosen["name"]).partition("-")
    parameters = dict(chosen["parameters"])
    if size:
        kind = task_class(name)
        parameters[kind.headline] = size if isinstance(kind.sizes[-1], str) else int(size)
    return _task(name, json.dumps(parameters, sort_keys=True))


@functools.lru_cache(8)
def _task(name: str, parameters: str) -> Task:
    return bounded_task(name, json.loads(parameters))


def rows_from(chosen: dict, start: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` rows of a split from index `start` on, int32 ``[count, row length]`` each: those of `load_dataset`."""
    task = task_of(chosen)
    size = blocks.block_rows(task)
    first, last = start // size, (start + count - 1) // size
    made = [_block(task, chosen["seed"], chosen["split"], number) for number in range(first, last + 1)]
    input_ids, labels = (np.concatenate(both) for both in zip(*made, strict=True))
    here = slice(start - first * size, start - first * size + count)
    return input_ids[here], labels[here]


@functools.lru_cache(4)
def _block(task: Task, seed: int, split: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    return blocks.block(task, seed, split, number)


def _question(task: Task, input_ids, labels) -> str:
    """The prompt of a row, or a whole row where it has none, in words."""
    ids = task.prompt_of(input_ids, labels) if has_answers(task) else input_ids
    return task.text(ids)


def _moves(task: Task) -> bool:
    return isinstance(task, automata.ElementaryAutomaton | nca.NeuralAutomaton)


def moving(chosen: dict) -> str:
    """The first row of an automaton as a moving picture, a GIF in base64; empty for other tasks."""
    task = task_of(chosen)
    if not _moves(task):
        return ""
    input_ids, labels = rows_from(chosen, chosen["row"] - 1, 1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "automaton.gif")
        image(task, input_ids, labels, file)
        return base64.b64encode(file.read_bytes()).decode()
