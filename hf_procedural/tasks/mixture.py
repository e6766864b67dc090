"""Mixtures: rows of several tasks in given proportions over the union of their vocabularies."""

import contextlib
import dataclasses
import functools
import itertools
import json
import math

import numpy as np

from ..moved import old_names
from .base import IGNORE, Task
from .layouts import Asked

__getattr__ = old_names(__name__)


def proportions(weights, count: int) -> tuple[float, ...]:
    """`weights` divided by their sum; None: `count` equal ones. Raises ValueError for what are not `count` of them."""
    if weights is None:
        weights = [1] * count
    if isinstance(weights, np.ndarray | list | tuple):
        weights = [weight.item() if isinstance(weight, np.generic) else weight for weight in weights]
    fitting = isinstance(weights, list) and len(weights) == count and all(map(_is_weight, weights))
    if not fitting:
        raise ValueError(f"weights must be {count} positive numbers, one for each task of the mixture, got {weights!r}")
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def _is_weight(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


@dataclasses.dataclass(frozen=True)
class Mixture(Task):
    """Rows of `members`, chosen independently with probabilities `weights`, padded to the longest.

    A token string has one id, whichever member it comes from; <pad> closes the shorter rows.
    """

    name = "mixture"
    headline = "members"
    sizes = ()
    summary = "rows of several tasks in given proportions"

    members: tuple[Task, ...]
    weights: tuple[float, ...]

    @property
    def paper(self) -> str:
        return "; ".join(dict.fromkeys(member.paper for member in self.members))

    @property
    def config_name(self) -> str:
        return "+".join(member.config_name for member in self.members)

    @property
    def parameters(self) -> dict:
        return {"weights": list(self.weights)} | {member.config_name: member.parameters for member in self.members}

    @property
    def key(self) -> str:
        members = [member.key for member in self.members]
        return json.dumps([members, self.weights])

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        tokens = itertools.chain.from_iterable(member.vocabulary for member in self.members)
        return tuple(dict.fromkeys(tokens))

    @property
    def max_length(self) -> int:
        return max(member.max_length for member in self.members)

    def row_length(self, split):
        return max(member.row_length(split) for member in self.members)

    @property
    def is_language(self) -> bool:
        return all(member.is_language for member in self.members)

    @property
    def is_ours(self) -> bool:
        return all(member.is_ours for member in self.members)

    @property
    def prompt_end(self) -> int | None:
        ends = [member.vocabulary[member.prompt_end] for member in self.members if member.prompt_end is not None]
        return self.vocabulary.index(ends[0]) if ends else None

    @property
    def apart(self) -> bool:
        return any(member.apart for member in self.members)

    def questions(self, input_ids, labels):
        """As of each row's member; where answers of a member stand side by side and apart, the last one alone."""
        from . import kernels

        rows, starts, stops = super().questions(input_ids, labels)
        if not any(isinstance(member, Asked) or member.apart for member in self.members):
            return rows, starts, stops
        is_apart = ((labels != IGNORE) & (labels != input_ids)).any(axis=1)
        asked, last_stops = kernels.last_labels(labels, False)
        last, _ = kernels.last_labels(labels, True)
        has_end = np.zeros(len(rows), bool) if self.prompt_end is None else (input_ids == self.prompt_end).any(axis=1)
        starts = np.where(is_apart, last, np.where(has_end, starts, np.minimum(asked, stops)))
        stops = np.where(is_apart, last_stops, stops)
        places = np.arange(input_ids.shape[1])
        is_answer = is_apart[:, None] & (places >= starts[:, None]) & (places < stops[:, None])
        return np.where(is_answer, labels, input_ids), starts, stops

    def ids_of(self, member: Task) -> np.ndarray:
        """The mixture's id of each of a member's ids, int32 ``[len(member.vocabulary)]``."""
        ids = {token: index for index, token in enumerate(self.vocabulary)}
        return np.array([ids[token] for token in member.vocabulary], np.int32)

    def example(self, prompt_ids):
        """Not of a mixture: raises TypeError."""
        raise TypeError(f"{self.config_name}: a prompt belongs to one member; use that member's example")

    def score(self, prompt, completion, graded=False) -> float:
        """The best score that a member gives, of those that take the prompt; ids are the mixture's."""
        if not isinstance(prompt, str):
            prompt = " ".join(self.vocabulary[token] for token in prompt)
        if not isinstance(completion, str):
            words = dict(enumerate(self.vocabulary))
            completion = " ".join(words.get(int(token), "<unknown>") for token in completion)
        scores = []
        for member in self.members:
            with contextlib.suppress(ValueError):
                scores.append(member.score(prompt, completion, graded))
        if not scores:
            raise ValueError(f"{self.config_name}: no member takes the prompt {prompt!r}")
        return max(scores)

    def is_row(self, input_ids, labels):
        """Not of a mixture: raises TypeError."""
        raise TypeError(f"{self.config_name}: a row belongs to one member; ask that one")

    def sample(self, rng, n):
        return self._mix(rng, n, self.max_length, lambda member, count: member.sample(rng, count))

    def sample_split(self, rng, n, split):
        width = self.row_length(split)
        return self._mix(rng, n, width, lambda member, count: member.sample_split(rng, count, split))

    def _mix(self, rng, n, width, draw):
        input_ids = np.full((n, width), self.pad_id, np.int32)
        labels = np.full_like(input_ids, IGNORE)
        chosen = rng.choice(len(self.members), size=n, p=self.weights)
        for index, member in enumerate(self.members):
            rows = np.flatnonzero(chosen == index)
            ids, own_labels = draw(member, len(rows))
            own = ids.shape[1]
            ids_here = self.ids_of(member)
            input_ids[rows, :own] = ids_here[ids]
            scored = own_labels != IGNORE
            labels[rows, :own] = np.where(scored, ids_here[own_labels * scored], IGNORE)  # -100 is no index
        return input_ids, labels
