"""The contract of a task, as a check that anyone can run on a task of their own."""

import dataclasses
import json
import traceback
from pathlib import Path

import numpy as np

from .base import IGNORE, Task
from .layouts import Asked
from .splits import SHARES


def check_task(task: Task, rows: int = 64) -> None:
    """Raises ValueError, with the reason, where a task breaks the contract of `Task`; else does nothing.

    Looks at parameters, vocabulary and `rows` sampled rows: shapes, dtypes, labels, padding, that equal generators give
    equal rows, that `solve` (or `accepts`) agrees with every row, and that each split can be drawn from.
    """

    if not isinstance(task, Task):
        raise ValueError(f"a task must be an instance of a subclass of Task, got {task!r}")
    try:
        _check(task, rows)
    except ValueError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        raise ValueError(f"{task.name}: {type(error).__name__}: {error} ({where})") from error


def _check(task: Task, rows: int) -> None:
    def demand(condition, reason):
        if not condition:
            raise ValueError(f"{task.name}: {reason}")

    demand(dataclasses.is_dataclass(task) and task.__dataclass_params__.frozen, "the class must be a frozen dataclass")
    try:
        json.dumps(task.parameters)
        hash(task)
    except TypeError as error:
        raise ValueError(f"{task.name}: parameters must be plain values, which JSON and hash() take: {error}") from None
    has_oracle = any(hasattr(task, name) for name in ("solve", "accepts", "inner", "members"))
    demand(has_oracle, "define solve(prompt_ids), or of a language accepts(token_ids)")

    words = task.vocabulary
    strings = isinstance(words, tuple) and all(isinstance(word, str) for word in words)
    demand(strings, "vocabulary must be a tuple of str")
    demand(len(set(words)) == len(words), "vocabulary has a token twice")
    bad = [word for word in words if not word or word.split() != [word]]
    demand(not bad, f"vocabulary: a token must be a word without spaces, got {bad[:1]}")
    demand("<pad>" in words and words[task.pad_id] == "<pad>", "vocabulary must have <pad>, at pad_id")
    width = task.max_length
    demand(isinstance(width, int) and width > 0, f"max_length must be a positive integer, got {width!r}")

    for n in (0, 1, rows):
        sampled = task.sample(np.random.default_rng(n), n)
        demand(isinstance(sampled, tuple) and len(sampled) == 2, "sample must give two arrays, input_ids and labels")
        for name, array in zip(("input_ids", "labels"), sampled, strict=True):
            demand(isinstance(array, np.ndarray), f"sample: {name} must be an array, got {type(array).__name__}")
            demand(array.shape == (n, width), f"sample: {name} must have the shape {(n, width)}, got {array.shape}")
            demand(array.dtype == np.int32, f"sample: {name} must be int32, got {array.dtype}")
    input_ids, labels = (array.copy() for array in sampled)  # the next call may write into them
    demand(((input_ids >= 0) & (input_ids < len(words))).all(), "sample: input_ids outside of the vocabulary")
    if task.apart:
        is_label = (labels == IGNORE) | ((labels >= 0) & (labels < len(words)))
        demand(is_label.all(), "sample: labels must be -100 or in the vocabulary")
    else:
        demand(
            ((labels == IGNORE) | (labels == input_ids)).all(),
            "sample: labels must be -100 or equal to input_ids (or apart = True must say that they are not)",
        )
    demand((labels != IGNORE).any(axis=1).all(), "sample: a row without a label teaches nothing")
    padding = input_ids == task.pad_id
    demand((padding[:, :-1] <= padding[:, 1:]).all(), "sample: <pad> must stand on the right alone")
    again = task.sample(np.random.default_rng(rows), rows)
    same = np.array_equal(again[0], input_ids) and np.array_equal(again[1], labels)
    demand(same, "sample: equal generators must give equal rows (draw from rng alone)")

    if not hasattr(task, "inner") and not hasattr(task, "members"):
        for ids, row_labels in zip(input_ids, labels, strict=True):
            _check_row(task, ids, row_labels, demand)
    for split in SHARES:
        width = task.row_length(split)
        fits = isinstance(width, int) and 0 < width <= task.max_length
        demand(fits, f"row_length must be in 1..max_length, got {width!r} for {split}")
        drawn = task.sample_split(np.random.default_rng(0), 4, split)
        is_wide = all(array.shape == (4, width) for array in drawn)
        demand(is_wide, f"sample_split: rows of {split} must have the row_length of that split, {width}")


def _check_row(task, input_ids, labels, demand):
    if hasattr(task, "solve") and not isinstance(task, Asked):
        solved = task.solve(task.prompt_of(input_ids, labels))
        demand(isinstance(solved, list), f"solve must give a list of ids, got {type(solved).__name__}")
    if task.is_row(input_ids, labels):
        if isinstance(task, Asked):
            prompt, answer = task.question(input_ids, labels)
            demand(task.is_answer(prompt, answer), f"targets and solve differ behind {task.text(prompt)}")
        return
    row = task.text(input_ids)
    if task.is_language:
        demand(not task.accepts(input_ids), f"example and sample label a row differently: {row}")
        demand(False, f"accepts refuses a sampled row: {row}")
    whole = isinstance(task, Asked)
    demand(not whole or task.is_form(input_ids.tolist()), f"is_form refuses a sampled row: {row}")
    expected = task.example(input_ids if whole else task.prompt_of(input_ids, labels))
    demand(not np.array_equal(expected[0], input_ids), f"example and sample label a row differently: {row}")
    strange = [token for token in expected[0].tolist() if not 0 <= token < len(task.vocabulary)]
    demand(not strange, f"solve gives {strange}, which is no token id, for a row: {row}")
    demand(False, f"solve contradicts a row: {row}, of which it makes {task.text(expected[0])}")
