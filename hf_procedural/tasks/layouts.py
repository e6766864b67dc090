"""The layouts that several families share: rows of text, prompts with answers, rows asked at many places."""

import dataclasses
import itertools
from typing import ClassVar

import numpy as np

from .base import IGNORE, Task
from .fields import integer


@dataclasses.dataclass(frozen=True)
class Stream(Task):
    """Rows of `length` tokens, all labelled but the first. A subclass has `fill`."""

    length: int = integer(2048, 2, "tokens in a row")

    @property
    def max_length(self) -> int:
        return self.length

    def fill(self, state: np.ndarray, input_ids: np.ndarray) -> None:
        """Writes rows into `input_ids`, drawing from `state`, a stream of the kernels."""
        raise TypeError(f"{type(self).__name__} must define fill(state, input_ids)")

    def sample(self, rng, n):
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        self.fill(kernels.stream(rng), input_ids)
        labels[:] = input_ids
        labels[:, 0] = IGNORE
        return input_ids, labels


@dataclasses.dataclass(frozen=True)
class Answered(Task):
    """``prompt <sep> answer <eos>``, then <pad>; the loss counts on the answer and on <eos>.

    The references of these families are encoder-decoders: their source is the prompt, their target, with its end of
    sequence, the answer. A subclass has `vocabulary` (with <sep>, <eos> and <pad>), `max_length`, `solve` (the answer,
    without <eos>) and `write`.
    """

    sep_id: ClassVar[int]
    eos_id: ClassVar[int]

    @property
    def prompt_end(self) -> int:
        """The id of <sep>, which ends a prompt."""
        return self.sep_id

    def write(self, rng: np.random.Generator, input_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Draws a prompt and writes it with <sep>, its answer and <eos> into each row of `input_ids`.

        Gives where answers begin, and where rows end (behind <eos>), int32 ``[n]`` each.
        """
        raise TypeError(f"{type(self).__name__} must define write(rng, input_ids)")

    def sample(self, rng, n):
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        starts, stops = self.write(rng, input_ids)
        kernels.close_rows(input_ids, labels, starts, stops, self.pad_id)
        return input_ids, labels

    def example(self, prompt_ids):
        prompt = self.closed([int(token) for token in prompt_ids])
        row = [*prompt, *self.solve(prompt), self.eos_id]
        width = self.max_length
        if len(row) > width:
            raise ValueError(f"{self.config_name}: prompt and answer take {len(row)} tokens, more than {width}")
        input_ids = np.full(width, self.pad_id, np.int32)
        labels = np.full(width, IGNORE, np.int32)
        input_ids[: len(row)] = row
        labels[len(prompt) : len(row)] = row[len(prompt) :]
        return input_ids, labels

    def is_row(self, input_ids, labels):
        # Not that of `example`, since a row may have another right answer than that of `solve`.
        prompt = self.prompt_of(input_ids, labels)
        row = [int(token) for token in input_ids]
        start = len(prompt)
        if self.eos_id not in row[start:]:
            return False
        end = row.index(self.eos_id, start)
        expected = np.full(len(row), IGNORE)
        expected[start : end + 1] = row[start : end + 1]
        if not np.array_equal(labels, expected) or any(token != self.pad_id for token in row[end + 1 :]):
            return False
        return self.is_answer(prompt, row[start:end])

    def closed(self, prompt):
        return prompt if prompt[-1:] == [self.sep_id] else [*prompt, self.sep_id]


def last_questions(input_ids: np.ndarray, labels: np.ndarray, one_by_one: bool):
    """As `Task.questions`, where the last labels side by side, or the very last, are the answer, put in its place."""
    from . import kernels

    starts, stops = kernels.last_labels(labels, one_by_one)
    places = np.arange(input_ids.shape[1])
    is_answer = (places >= starts[:, None]) & (places < stops[:, None])
    return np.where(is_answer, labels, input_ids), starts, stops


@dataclasses.dataclass(frozen=True)
class Asked(Task):
    """Rows that are asked at many places: `labels[i]` is the token to be predicted at index i from those before it.

    It need not be the row's own token: where a subclass says `apart`, a blank or noise may stand there instead, as in
    MAD (Poli et al. 2024) and MQAR (Arora et al. 2023). The last question of a row is its prompt and answer, for
    splits, views and rewards: the last labels in a row are the answer, with `one_by_one` the very last alone, and all
    before them is the prompt. A subclass has `targets`, `is_form`, and `is_row` if labels do not follow from the row.
    """

    one_by_one: ClassVar[bool] = False  # whether each label is an answer by itself, where labels stand side by side

    def targets(self, input_ids) -> list[int]:
        """The labels of a row, ``[max_length]``, in plain Python; of a beginning, then padding: those it has so far."""
        raise TypeError(f"{type(self).__name__} must define targets(input_ids)")

    def is_form(self, input_ids: list[int]) -> bool:
        """Whether the tokens of a row stand as the layout says, whatever its labels are."""
        return any(token != self.pad_id for token in input_ids)

    def questions(self, input_ids, labels):
        rows, starts, stops = last_questions(input_ids, labels, self.one_by_one)
        if self.apart:
            return rows, starts, stops
        return input_ids, starts, super().questions(input_ids, labels)[2]

    def prompt_ends(self, input_ids, labels):
        from . import kernels

        return kernels.last_labels(labels, self.one_by_one)[0]

    def solve(self, prompt_ids) -> list[int]:
        """What is to be predicted behind the beginning of a row: one token, or all until a place without a label."""
        prompt = [int(token) for token in prompt_ids]
        padding = [self.pad_id] * (self.max_length - len(prompt))
        answer = list(itertools.takewhile(lambda label: label != IGNORE, self.targets(prompt + padding)[len(prompt) :]))
        return answer[:1] if self.one_by_one else answer

    def turns(self, prompt_ids):
        """Each of the row's questions that a prompt has, its last one too: the tokens since the one before."""
        prompt = [int(token) for token in prompt_ids]
        labels = self.targets(prompt + [self.pad_id] * (self.max_length - len(prompt)))[: len(prompt) + 1]
        places = [place for place, label in enumerate(labels) if label != IGNORE]
        return [(prompt[start:stop], [labels[stop]]) for start, stop in itertools.pairwise([0, *places])]

    def example(self, prompt_ids):
        """The row of a whole row's tokens, with its labels, int32 ``[max_length]`` each."""
        input_ids = np.full(self.max_length, self.pad_id, np.int32)
        input_ids[: len(prompt_ids)] = prompt_ids
        return input_ids, np.array(self.targets(input_ids.tolist()), np.int32)

    def is_row(self, input_ids, labels):
        labels = np.asarray(labels)
        if not self.apart and ((labels != IGNORE) & (labels != input_ids)).any():
            return False
        row = [int(token) for token in input_ids]
        return self.is_form(row) and np.array_equal(self.targets(row), labels)
