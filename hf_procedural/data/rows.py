"""Rows as torch data sets, made when they are read: endless for training, a fixed number for validation."""

import math

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from ..tasks import Task
from . import blocks


def _tensors(input_ids: np.ndarray, labels: np.ndarray) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.from_numpy(input_ids).long(), "labels": torch.from_numpy(labels).long()}


class TrainRows(IterableDataset):
    """Endless training rows of a task that may change: row i of the stream is row i of the current task's split.

    Args:
        task: rows are of this task; assign another one to `task` to change it, for the next iterator.
        seed: of the rows.
        batch_size: rows in a batch, over all processes. Worker w of W gives the batches w, w + W, ..., so that the
            order of rows is the same for any number of workers, and that of `load_dataset`.
    """

    def __init__(self, task: Task, seed: int, batch_size: int):
        self.task, self.seed, self.batch_size = task, seed, batch_size
        self.start = 0  # the row at which the next iterator begins

    def __iter__(self):
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        size = blocks.block_rows(self.task)
        number, rows = -1, {}  # the block at hand
        first = self.start + worker * self.batch_size
        while True:
            for row in range(first, first + self.batch_size):
                if row // size != number:
                    number = row // size
                    rows = _tensors(*blocks.block(self.task, self.seed, "train", number))
                yield {name: column[row % size] for name, column in rows.items()}
            first += workers * self.batch_size


class ValidationRows(Dataset):
    """The first `size` validation rows of a task, which `set_task` changes."""

    def __init__(self, task: Task, seed: int, size: int):
        self.seed, self.size = seed, size
        self.set_task(task)

    def set_task(self, task: Task) -> None:
        """Draws the rows of another task in place of those before."""
        count = math.ceil(self.size / blocks.block_rows(task))
        drawn = [blocks.block(task, self.seed, "validation", number) for number in range(count)]
        input_ids, labels = (np.concatenate(column)[: self.size] for column in zip(*drawn, strict=True))
        self.task = task
        self._rows = _tensors(input_ids, labels)

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return {name: column[index] for name, column in self._rows.items()}
