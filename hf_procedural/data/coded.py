"""Rows for others' frameworks: tokens of variable rows, one after another, in a task's own ids or a tokenizer's."""

import dataclasses
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..tasks import IGNORE, Task
from ..tasks.coding import Coding, check_kind
from . import blocks


class Block(NamedTuple):
    """Rows, one after another.

    tokens: int32 ``[tokens]``.
    labels: int32 ``[tokens]``, the token where the loss counts, -100 elsewhere, not shifted.
    ends: int64 ``[rows]``, where each row ends.
    """

    tokens: np.ndarray
    labels: np.ndarray
    ends: np.ndarray


@dataclasses.dataclass(frozen=True)
class CodedRows:
    """The rows of a task, as others read them: row i of a split is row i of ``load_dataset("procedural", ...)``.

    Args:
        coding: in whose ids; None: the task's own.
        padded: whether rows keep the padding behind them, so that all are equally long; a coding as text has none.
        end: an id that ends each row, with a loss; rows that end with it are left as they are. Without padding alone.
        in_place: whether rows whose targets stand apart are told as text is, with the answer in its place.
    """

    task: Task
    seed: int = 0
    padded: bool = True
    coding: Coding | None = None
    end: int | None = None
    in_place: bool = False

    @property
    def vocab_size(self) -> int:
        """All ids are below it."""
        return self.coding.vocab_size if self.coding else len(self.task.vocabulary)

    @property
    def is_even(self) -> bool:
        """Whether all rows of a split have as many tokens."""
        return self.padded and (self.coding is None or not self.coding.is_text)

    @property
    def row_length(self) -> int | None:
        """Tokens in each row; None where rows differ."""
        return blocks.row_length(self.task) if self.is_even else None

    def row_length_of(self, split: str) -> int | None:
        """Tokens in each row of a split; None where rows differ."""
        return self.task.row_length(split) if self.is_even else None

    def __post_init__(self):
        if self.end is not None and self.padded:
            raise ValueError(f"end token {self.end}: it stands behind rows without padding, and these are padded")

    def block(self, split: str, number: int) -> Block:
        """Block `number` of a split, of ``blocks.block_rows(task)`` rows."""
        rows = self._block(split, number)
        return rows if self.end is None else _ended(rows, self.end)

    def _block(self, split: str, number: int) -> Block:
        rows = blocks.block(self.task, self.seed, split, number)
        return in_ids(self.task, *rows, self.coding, self.padded, self.in_place)

    def read(self, split: str, start: int, stop: int) -> Iterator[Block]:
        """The rows from `start` to `stop` of a split, a block at a time."""
        size = blocks.block_rows(self.task)
        for number in range(start // size, -(-stop // size)):
            first = number * size
            yield _rows_of(self.block(split, number), max(0, start - first), min(size, stop - first))


def in_ids(
    task: Task,
    input_ids: np.ndarray,
    labels: np.ndarray,
    coding: Coding | None = None,
    padded: bool = True,
    in_place: bool = False,
) -> Block:
    """Rows of a task, int32 ``[n, max_length]`` each, which may be written over, as `CodedRows` tells them."""
    is_text = coding is not None and coding.is_text
    if task.apart and (is_text or in_place):
        input_ids, labels = _in_place(task, input_ids, labels)
    if coding is not None and is_text:
        return Block(*coding.text(input_ids, labels))
    rows, width = input_ids.shape
    is_token = None if padded else input_ids != task.pad_id
    if coding is not None:
        input_ids, labels = coding.symbols(input_ids, labels)
    if is_token is None:
        return Block(input_ids.reshape(-1), labels.reshape(-1), np.arange(1, rows + 1, dtype=np.int64) * width)
    return Block(input_ids[is_token], labels[is_token], np.cumsum(is_token.sum(axis=1)))


def _in_place(task: Task, input_ids: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows up to the answer of their last question, which has the labels, where these stood apart; others as before."""
    is_apart = task.stand_apart(input_ids, labels)[:, None]
    ids, starts, stops = task.questions(input_ids, labels)
    places = np.arange(ids.shape[1])
    is_answer = (places >= starts[:, None]) & (places < stops[:, None])
    ids = np.where(places < stops[:, None], ids, np.int32(task.pad_id))
    labels = np.where(is_apart, np.where(is_answer, ids, np.int32(IGNORE)), labels)
    return ids, labels


def _ended(block: Block, end: int) -> Block:
    """Rows with `end` behind each that does not end with it."""
    lacks = block.tokens[block.ends - 1] != end
    places = block.ends[lacks]
    tokens, labels = (np.insert(ids, places, end) for ids in (block.tokens, block.labels))
    return Block(tokens, labels, block.ends + np.cumsum(lacks))


def end_id(task: Task, coding: Coding | None = None) -> int:
    """The id that ends a row: of the coding's tokenizer, or of the task's own, see `tokenization.tokenizer`.

    Raises ValueError for a tokenizer without one.
    """
    if coding is None:
        return task.vocabulary.index("<eos>") if "<eos>" in task.vocabulary else task.pad_id
    if coding.end_id is None:
        raise ValueError(f"end_token: tokenizer {coding.tokenizer} has no end token (eos_token)")
    return coding.end_id


def coding_of(task: Task, tokenizer=None, coding: str | Coding | None = None, seed: int = 0) -> Coding | None:
    """How rows of a task are written in the ids of a tokenizer; None for its own ids, where there is no tokenizer.

    Args:
        tokenizer: a folder, an id of the Hub, or a fast tokenizer of transformers.
        coding: one of coding.KINDS (None: symbols), or what is already made of a tokenizer.
        seed: of the choice of symbols.

    Raises ValueError as `Coding.make` and `load_tokenizer` do, for a coding or a seed without a tokenizer, and for a
    coding of other tokens than the task's, or with a tokenizer or another seed beside its own.
    """
    if isinstance(coding, Coding):
        if tokenizer is not None:
            raise ValueError(f"tokenizer: the coding has its own, {coding.tokenizer}; leave one of the two out")
        if seed not in (0, coding.seed):
            raise ValueError(f"coding_seed must be the coding's own, {coding.seed}, got {seed}")
        if coding.words != task.vocabulary:
            raise ValueError(f"coding: it is of other tokens than those of {task.config_name}")
        return coding
    if coding is not None:
        check_kind(coding)
    if tokenizer is None:
        for name, value in (("coding", coding), ("coding_seed", seed)):
            if value:
                raise ValueError(f"{name}: there is no tokenizer whose ids rows could have; give tokenizer, too")
        return None
    if isinstance(tokenizer, str | os.PathLike):
        from .tokenization import load_tokenizer

        tokenizer = load_tokenizer(os.fspath(tokenizer))
    return Coding.make(task, tokenizer, coding or "symbols", seed)


def _rows_of(block: Block, start: int, stop: int) -> Block:
    """Some rows of a block."""
    if start == 0 and stop == len(block.ends):
        return block
    first = block.ends[start - 1] if start else 0
    last = block.ends[stop - 1]
    return Block(block.tokens[first:last], block.labels[first:last], block.ends[start:stop] - first)
