"""Shuffled rows: the papers' control, which keeps what tokens a row has and takes away their order."""

import dataclasses

import numpy as np

from .base import IGNORE, Task


@dataclasses.dataclass(frozen=True)
class Shuffled(Task):
    """The tokens of each row in uniformly random order; padding and the places of the labels stay where they are.

    In Jiang et al. 2026 (arXiv:2601.21725) such rows take the gain away; what they do with padding and labels is not
    said. Splits are those of the rows before they are shuffled. There is neither `solve` nor `accepts`.
    """

    inner: Task
    length: int | None = None  # that of the inner task, where it has one; another value changes it (for a curriculum)

    def __post_init__(self):
        if self.length is not None:
            object.__setattr__(self, "inner", dataclasses.replace(self.inner, length=self.length))
        object.__setattr__(self, "length", getattr(self.inner, "length", None))

    name = property(lambda self: self.inner.name)
    paper = property(lambda self: self.inner.paper)
    summary = property(lambda self: f"{self.inner.summary}; the tokens of each row shuffled")
    config_name = property(lambda self: self.inner.config_name)
    parameters = property(lambda self: self.inner.parameters | {"shuffle_tokens": True})
    vocabulary = property(lambda self: self.inner.vocabulary)
    max_length = property(lambda self: self.inner.max_length)
    pad_id = property(lambda self: self.inner.pad_id)
    is_language = property(lambda self: self.inner.is_language)

    def example(self, prompt_ids):
        """Not of shuffled rows: raises TypeError."""
        raise TypeError(f"{self.config_name}: shuffled rows have no answer; use example without shuffle_tokens")

    def score(self, prompt, completion, graded=False):
        """Not of shuffled rows: raises TypeError."""
        raise TypeError(f"{self.config_name}: shuffled rows have no answer; use score without shuffle_tokens")

    def sample(self, rng, n):
        return self._shuffle(rng, *self.inner.sample(rng, n))

    def sample_split(self, rng, n, split):
        return self._shuffle(rng, *self.inner.sample_split(rng, n, split))

    def _shuffle(self, rng, input_ids, labels):
        order = np.where(input_ids == self.pad_id, 1.0, rng.random(input_ids.shape)).argsort(axis=1)  # padding last
        shuffled = np.take_along_axis(input_ids, order, axis=1)
        return shuffled, np.where(labels == IGNORE, labels, shuffled)
