"""Rows made as they are read: those of `load_dataset`, in its order, for any number of workers."""

import itertools

import numpy as np
import pytest
import torch

import hf_procedural as hp
from hf_procedural.data import blocks
from hf_procedural.data.rows import TrainRows, ValidationRows

SHORT, LONG = hp.task("sort-4"), hp.task("set-6")


def expected(task, seed, split, count):
    """The first rows of a split, int32 ``[2, count, max_length]``."""
    numbers = range(-(-count // blocks.block_rows(task)))
    return np.concatenate([blocks.block(task, seed, split, number) for number in numbers], axis=1)[:, :count]


def read(rows, count):
    """The next rows, joined: int64 ``[2, count, max_length]``."""
    rows = list(itertools.islice(iter(rows), count))
    return np.stack([torch.stack([row[name] for row in rows]).numpy() for name in ("input_ids", "labels")])


@pytest.mark.parametrize("start", [0, 40, 1030])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_training_rows_keep_their_order(workers, start):
    rows = TrainRows(SHORT, seed=3, batch_size=100)
    rows.start = start
    loader = torch.utils.data.DataLoader(rows, batch_size=100, num_workers=workers)
    batches = list(itertools.islice(iter(loader), 12))
    for place, name in enumerate(("input_ids", "labels")):
        column = torch.cat([batch[name] for batch in batches])
        assert column.dtype == torch.int64
        np.testing.assert_array_equal(column, expected(SHORT, 3, "train", start + 1200)[place, start:])


def test_another_task_takes_over_with_the_next_iterator():
    rows = TrainRows(SHORT, seed=0, batch_size=8)
    np.testing.assert_array_equal(read(rows, 20), expected(SHORT, 0, "train", 20))
    rows.task, rows.start = LONG, 20
    np.testing.assert_array_equal(read(rows, 20), expected(LONG, 0, "train", 40)[:, 20:])


@pytest.mark.parametrize("size", [1, 1500])
def test_validation_rows_are_the_first_of_their_split(size):
    rows = ValidationRows(SHORT, seed=5, size=size)
    for task in (SHORT, LONG):
        rows.set_task(task)
        assert len(rows) == size
        np.testing.assert_array_equal(read([rows[i] for i in range(size)], size), expected(task, 5, "validation", size))
