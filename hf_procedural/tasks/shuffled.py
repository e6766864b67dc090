"""Shuffled rows: the papers' control, which keeps what tokens a row has and takes away their order."""

import dataclasses
from operator import attrgetter

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

    # Not by __getattr__, which is asked only for what `Task` does not define itself.
    config_name = property(attrgetter("inner.config_name"))
    vocabulary = property(attrgetter("inner.vocabulary"))
    max_length = property(attrgetter("inner.max_length"))
    pad_id = property(attrgetter("inner.pad_id"))
    is_language = property(attrgetter("inner.is_language"))
    is_ours = property(attrgetter("inner.is_ours"))

    @property
    def apart(self) -> bool:
        return self.inner.apart

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def paper(self) -> str:
        return self.inner.paper

    @property
    def summary(self) -> str:
        return f"{self.inner.summary}; the tokens of each row shuffled"

    @property
    def parameters(self) -> dict:
        return self.inner.parameters | {"shuffle_tokens": True}

    def example(self, prompt_ids):
        """Not of shuffled rows: raises TypeError."""
        raise TypeError(f"{self.config_name}: shuffled rows have no answer; use example without shuffle_tokens")

    def score(self, prompt, completion, graded=False, strict=False):
        """Not of shuffled rows: raises TypeError."""
        raise TypeError(f"{self.config_name}: shuffled rows have no answer; use score without shuffle_tokens")

    def questions(self, input_ids, labels):
        return (self.inner if self.apart else super()).questions(input_ids, labels)

    def stand_apart(self, input_ids, labels):
        return self.inner.stand_apart(input_ids, labels)

    def row_length(self, split):
        return self.inner.row_length(split)

    def sample(self, rng, n):
        return self._shuffle(rng, *self.inner.sample(rng, n))

    def sample_split(self, rng, n, split):
        return self._shuffle(rng, *self.inner.sample_split(rng, n, split))

    def _shuffle(self, rng, input_ids, labels):
        places = np.where(input_ids == self.pad_id, 1.0, rng.random(input_ids.shape))  # in [0, 1): padding comes last
        order = places.argsort(axis=1)
        shuffled = np.take_along_axis(input_ids, order, axis=1)
        stays = (labels == IGNORE) | self.inner.stand_apart(input_ids, labels)[:, None]
        return shuffled, np.where(stays, labels, shuffled)
