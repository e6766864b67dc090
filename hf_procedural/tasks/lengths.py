"""Rows of several lengths, and tests at lengths beyond those that were trained on.

A row has a length that is uniform on min_length..length. Where `test_length` is set, those of the split test have one
that is uniform on length + 1..test_length; training and validation keep theirs. Of a task that has even or odd lengths
alone, all test rows are longer than training's, too. Rows are as wide as their split needs.
"""

import dataclasses

import numpy as np

from .base import Task, whole_rows
from .fields import integer


@dataclasses.dataclass(frozen=True)
class Lengths(Task):
    """A task with a `length`. A subclass has `width` and `draw`."""

    length: int = integer(40, 1, "symbols in a prompt, at most; each length is as likely", high=2**20)
    min_length: int | None = integer(1, 1, "symbols in a prompt, at least", high=2**20)
    test_length: int | None = integer(
        None, 2, "the split test has lengths from length + 1 to this one, not those of training", 2**20, optional=True
    )

    def __post_init__(self):
        super().__post_init__()
        if self.shortest > self.length:
            raise ValueError(f"{self.name}: min_length must be at most length = {self.length}, got {self.min_length}")
        if self.test_length is not None and self.test_length <= self.length:
            raise ValueError(f"{self.name}: test_length must be above length = {self.length}, got {self.test_length}")
        least, most = self.lengths("test")
        if least > most:
            raise ValueError(f"{self.name}: test_length must be at least {least}, the next length, got {most}")

    @property
    def shortest(self) -> int:
        """The least length."""
        return self.length if self.min_length is None else self.min_length

    def width(self, length: int) -> int:
        """Tokens in the rows of a length, without padding: more than in those of the length before."""
        raise TypeError(f"{type(self).__name__} must define width(length)")

    def draw(self, rng: np.random.Generator, low: int, high: int, input_ids, labels) -> None:
        """Writes rows with lengths uniform on low..high into two arrays."""
        raise TypeError(f"{type(self).__name__} must define draw(rng, low, high, input_ids, labels)")

    def lengths_of(self, input_ids: np.ndarray) -> np.ndarray:
        """The length of each row, shuffled or not, from ``[n, tokens]``: int64 ``[n]``."""
        widths = [self.width(length) for length in range((self.test_length or self.length) + 1)]
        return np.searchsorted(widths, (input_ids != self.pad_id).sum(axis=1))

    def lengths(self, split: str) -> tuple[int, int]:
        """The least and the largest length in a split."""
        if split == "test" and self.test_length is not None:
            return self.length + 1, self.test_length
        return self.shortest, self.length

    @property
    def max_length(self) -> int:
        return self.width(self.test_length or self.length)

    def row_length(self, split):
        return self.width(self.lengths(split)[1])

    def sample(self, rng, n):
        """`n` rows of the lengths of training, int32 ``[n, max_length]`` each."""
        return self._rows(rng, n, self.max_length, "train")

    def candidates(self, rng, n, split):
        return whole_rows(self._rows(rng, n, self.row_length(split), split))

    def _rows(self, rng, n, width, split):
        input_ids, labels = self.empty_rows(n, width)
        self.draw(rng, *self.lengths(split), input_ids, labels)
        return input_ids, labels
