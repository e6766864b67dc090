"""Rows as torch data sets: those of a cache, or made when they are read, endless for training."""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import datasets
import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from ..tasks import Task
from . import blocks
from .sharing import Shared


def _tensors(input_ids: np.ndarray, labels: np.ndarray) -> dict[str, torch.Tensor]:
    return {"input_ids": _int64(input_ids), "labels": _int64(labels)}


def _int64(ids: np.ndarray) -> torch.Tensor:
    """A copy."""
    return torch.from_numpy(ids.astype(np.int64))


@dataclasses.dataclass(frozen=True)
class Part:
    """What one of several processes has of a stream.

    Args:
        process, processes: the process, from 0, and how many there are.
        place, places: the same of those on its machine.
        folder: where these share blocks.
    """

    process: int
    processes: int
    place: int
    places: int
    folder: Path


class TrainRows(IterableDataset):
    """Endless training rows of a task that may change: row i of the stream is row i of the current task's split.

    Args:
        task: rows are of this task; assign another one to `task` to change it, for the next iterator.
        seed: of the rows.
        batch_size: rows in a batch, over all processes. Worker w of W gives the batches w, w + W, ..., so that the
            order of rows is the same for any number of workers, and that of `load_dataset`.
        part: where only the rows of one of several processes are wanted: as many None stand for the others', which
            accelerate's IterableDatasetShard passes over. Blocks are made together with the others on the machine.
    """

    def __init__(self, task: Task, seed: int, batch_size: int, part: Part | None = None):
        self.task, self.seed, self.batch_size, self.part = task, seed, batch_size, part
        self.start = 0  # the row at which the next iterator begins

    def __iter__(self):
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        size = blocks.block_rows(self.task)
        shared = self._shared(worker, workers) if self.part else None
        read = shared.block if shared else self._make
        own = self.batch_size // (self.part.processes if self.part else 1)
        before = own * (self.part.process if self.part else 0)
        at_hand, block = -1, ()
        for batch in itertools.count(worker, workers):
            first = self.start + batch * self.batch_size
            if shared:
                shared.make_own(first // size, (first + self.batch_size - 1) // size)
            yield from itertools.repeat(None, before)
            for number, rows in _places(first + before, own, size):
                if number != at_hand:
                    at_hand, block = number, read(number)
                columns = _tensors(*(column[rows] for column in block))
                for row in zip(*columns.values(), strict=True):
                    yield dict(zip(columns, row, strict=True))
            yield from itertools.repeat(None, self.batch_size - before - own)

    def _make(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return blocks.block(self.task, self.seed, "train", number)

    def _shared(self, worker: int, workers: int) -> Shared:
        """The blocks that the workers of all processes on this machine make together."""
        part = cast(Part, self.part)
        places = part.places * workers
        groups = self.batch_size // (blocks.block_rows(self.task) * places) + 2  # that a batch may touch
        name = blocks.name(self.task, self.seed, "train")
        # A worker is asked for two batches more than are waited for, so that they are three turns apart at most.
        kept = groups * (3 * workers + 1)
        return Shared(part.folder, part.place * workers + worker, places, kept, name, self._make)


def _places(first: int, count: int, size: int) -> Iterator[tuple[int, slice]]:
    """Where rows lie from `first` on: the number of a block of `size` rows, and which of its rows."""
    row, end = first, first + count
    while row < end:
        start = row % size
        stop = min(start + end - row, size)
        yield row // size, slice(start, stop)
        row += stop - start


class CachedRows(Dataset):
    """The rows of a `datasets.Dataset` of token ids, all equally long, as int64 tensors.

    Those of a batch are taken from Arrow at once, in less than half the time of its own torch format.
    """

    def __init__(self, rows: datasets.Dataset):
        self._rows = rows.with_format("arrow")

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, index: int):
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]):
        table = self._rows[indices]
        columns = {name: _int64(table[name].combine_chunks().flatten().to_numpy()) for name in table.column_names}
        rows = zip(*(column.view(len(indices), -1) for column in columns.values()), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]


class ValidationRows(Dataset):
    """The first `size` validation rows of a task, which `set_task` changes; or those of another split."""

    def __init__(self, task: Task, seed: int, size: int, split: str = "validation"):
        self.seed, self.size, self.split = seed, size, split
        self.set_task(task)

    def set_task(self, task: Task) -> None:
        """Draws the rows of another task in place of those before."""
        count = math.ceil(self.size / blocks.block_rows(task))
        drawn = [blocks.block(task, self.seed, self.split, number) for number in range(count)]
        input_ids, labels = (np.concatenate(column)[: self.size] for column in zip(*drawn, strict=True))
        self.task = task
        self._rows = _tensors(input_ids, labels)

    @property
    def input_ids(self) -> np.ndarray:
        """All rows, int64 ``[size, tokens]``."""
        return self._rows["input_ids"].numpy()

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return {name: column[index] for name, column in self._rows.items()}
