"""Mixtures: rows of several tasks in given proportions over the union of their vocabularies."""

import contextlib
import dataclasses
import functools
import itertools
import json
import math

import numpy as np

from ..moved import old_names
from . import byte_text
from .base import IGNORE, Task, ids_of_words
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


def _is_row(member: Task, input_ids, labels) -> bool:
    try:
        return member.is_row(input_ids, labels)
    except Exception:  # an oracle may stumble over the row of another member; a shuffled task has none
        return False


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

    @property
    def is_text(self) -> bool:
        return any(member.is_text for member in self.members)

    def stand_apart(self, input_ids, labels):
        whose = self._members_of(input_ids, labels)
        return np.append([member.apart for member in self.members], False)[whose]

    def questions(self, input_ids, labels):
        rows, starts, stops = super().questions(input_ids, labels)
        ends = {member.vocabulary[member.prompt_end] for member in self.members if member.prompt_end is not None}
        if len(ends) < 2 and not any(isinstance(member, Asked) or member.apart for member in self.members):
            return rows, starts, stops
        rows = rows.copy()
        whose = self._members_of(input_ids, labels)
        for number, member in enumerate(self.members):
            here = np.flatnonzero(whose == number)
            told, starts[here], stops[here] = member.questions(*self._in_ids_of(member, input_ids[here], labels[here]))
            rows[here, : told.shape[1]] = self.ids_of(member)[told]
        return rows, starts, stops

    def _members_of(self, input_ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The number of the member that each row is of, the first where it is right for several; -1 for none."""
        may_be = []
        for member in self.members:
            ids, own_labels = self._in_ids_of(member, input_ids, labels)
            rest = input_ids[:, ids.shape[1] :]
            is_known = (ids >= 0).all(axis=1) & ((own_labels >= 0) | (own_labels == IGNORE)).all(axis=1)
            may_be.append(is_known & (rest == self.pad_id).all(axis=1))
        may_be = np.stack(may_be)
        whose = np.where(may_be.any(axis=0), may_be.argmax(axis=0), -1)
        for row in np.flatnonzero(may_be.sum(axis=0) > 1):
            readings = self.readings(input_ids[row], labels[row])
            if readings:
                whose[row] = readings[0][0]
        return whose

    def readings(self, input_ids: np.ndarray, labels: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """The number of each member that a row, ``[max_length]``, is right for; row and labels in its ids."""
        readings = []
        for number, member in enumerate(self.members):
            (ids,), (own_labels,) = self._in_ids_of(member, input_ids[None], labels[None])
            is_known = (ids >= 0).all() and ((own_labels >= 0) | (own_labels == IGNORE)).all()
            if is_known and (input_ids[len(ids) :] == self.pad_id).all() and _is_row(member, ids, own_labels):
                readings.append((number, ids, own_labels))
        return readings

    def _in_ids_of(self, member: Task, input_ids: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows in the ids of a member, as wide as its own at most; -1 for what it has not."""
        own = np.full(len(self.vocabulary), -1, np.int32)
        own[self.ids_of(member)] = np.arange(len(member.vocabulary))
        width = min(input_ids.shape[1], member.max_length)
        scored = labels[:, :width] != IGNORE
        own_labels = np.where(scored, own[labels[:, :width] * scored], np.int32(IGNORE))  # -100 is no index
        return own[input_ids[:, :width]], own_labels

    def ids_of(self, member: Task) -> np.ndarray:
        """The mixture's id of each of a member's ids, int32 ``[len(member.vocabulary)]``."""
        ids = {token: index for index, token in enumerate(self.vocabulary)}
        return np.array([ids[token] for token in member.vocabulary], np.int32)

    def example(self, prompt_ids):
        """Not of a mixture: raises TypeError."""
        raise TypeError(f"{self.config_name}: a prompt belongs to one member; use that member's example")

    def score(self, prompt, completion, graded=False, strict=False) -> float:
        """The best score that a member gives, of those that take the prompt; ids are the mixture's."""
        asked = prompt if isinstance(prompt, str) else self.text(prompt)
        if isinstance(prompt, str) and self.is_text:
            prompt = [ids_of_words(self).get(word, -1) for word in self.words_of(prompt)]
        if isinstance(completion, str) and not strict and not self.is_text:  # a token of any member is one
            read = self.read(completion)
            completion = [-1] if read is None else read
        scores = []
        for member in self.members:
            own = self.own_ids[member]
            told = (x if isinstance(x, str) else [own.get(int(token), -1) for token in x] for x in (prompt, completion))
            with contextlib.suppress(ValueError):
                scores.append(member.score(*told, graded, strict))
        if not scores:
            raise ValueError(f"{self.config_name}: no member takes the prompt {asked!r}")
        return max(scores)

    @functools.cached_property
    def own_ids(self) -> dict[Task, dict[int, int]]:
        """For each member, its id of each of the mixture's that it has."""
        return {member: {id: own for own, id in enumerate(self.ids_of(member).tolist())} for member in self.members}

    def spell(self, words):
        return byte_text.spell(words, "" if byte_text.is_wholly_text(self) else " ")

    def words_of(self, text):
        words = text.split()
        is_plain = not self.is_text or all(word in self.vocabulary for word in words)
        return words if is_plain else byte_text.words_of(text)

    def read(self, text, strict=False):
        """As `Task.read`; as all members do where these are text."""
        return (self.members[0] if byte_text.is_wholly_text(self) else super()).read(text, strict)

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
