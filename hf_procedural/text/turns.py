"""Rows of several kinds in turn: of a task in front of text, or among it as rows of their own."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset

from ..tasks import IGNORE
from .mixing import TaskRows, draw
from .readers import DataError

Turn = Callable[[list[int]], int]  # from the rows that each kind has given so far to the kind that is next


def after(count: int) -> Turn:
    """The first `count` rows are of the first kind, all others of the second."""
    return lambda given: int(given[0] >= count)


def by_weights(weights: list[float], seed: int) -> Turn:
    """The next row is drawn as `mixing.draw` draws documents; weights are shares of rows, which are equally long."""
    return lambda given: draw(given, weights, seed)


class PaddedRows(IterableDataset):
    """Endless training rows, each one row of a task, padded to `length` with `filler`, which has no label.

    A row is {"input_ids": int64 [length], "labels": int64 [length]}. Iterating raises DataError where one is longer.
    """

    def __init__(self, rows: TaskRows, length: int, filler: int):
        self.rows, self.length, self.filler = rows, length, filler
        self.start_at(0)

    def start_at(self, row: int, mark: dict | None = None) -> None:
        """Lets iterators begin at `row`, for which no mark is needed."""
        self.start = row

    def mark(self, row: int) -> dict:
        """Where `row` begins: at itself."""
        return {"row": row}

    def __iter__(self):
        for row in self.rows.read(self.start):
            size = row.shape[1]
            if size > self.length:
                raise DataError(f"{self.rows} has a row of {size} tokens, and sequence_length is {self.length}")
            padded = np.empty((2, self.length), np.int64)
            padded[:, :size] = row
            padded[:, size:] = [[self.filler], [IGNORE]]
            input_ids, labels = torch.from_numpy(padded)
            yield {"input_ids": input_ids, "labels": labels}


class RowsInTurn(IterableDataset):
    """Endless rows of several kinds: the next is of the kind that `turn` says, each kind in its own order.

    Args:
        kinds: endless rows with `start_at` and `mark`, as `packing.PackedRows`.
        turn: decides from how many rows each kind has given, alone.

    A mark holds `kinds`: for each the mark of its own next row.
    """

    def __init__(self, kinds: Sequence[Any], turn: Turn):
        self.kinds, self.turn = kinds, turn
        self.start_at(0)

    def start_at(self, row: int, mark: dict | None = None) -> None:
        """Lets iterators begin at `row`. What the kinds gave since `mark`, of an earlier row, is read again."""
        marks = [None] * len(self.kinds) if mark is None else mark["kinds"]
        self._row = 0 if mark is None else mark["row"]
        self._given = [0 if each is None else each["row"] for each in marks]
        self._go_to(row)
        self._start = list(self._given)
        for kind, given, each in zip(self.kinds, self._given, marks, strict=True):
            kind.start_at(given, each)

    def mark(self, row: int) -> dict:
        """Where `row` begins. Raises ValueError for a row before that of an earlier call, or before the start."""
        self._go_to(row)
        marks = [kind.mark(given) for kind, given in zip(self.kinds, self._given, strict=True)]
        return {"row": row, "kinds": marks}

    def _go_to(self, row: int) -> None:
        """Counts what each kind gives before `row`."""
        if row < self._row:
            raise ValueError(f"row must be at least {self._row}, got {row}")
        for _ in range(row - self._row):
            self._given[self.turn(self._given)] += 1
        self._row = row

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        given = list(self._start)
        iterators = list(map(iter, self.kinds))  # which begin to read when their turn comes
        while True:
            turn = self.turn(given)
            given[turn] += 1
            yield next(iterators[turn])
