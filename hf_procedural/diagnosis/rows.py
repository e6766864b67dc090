"""The rows that all models read: those of a task, or of held-out text, streamed, each model in its own ids.

Rows of a task are validation rows, first to last: in the ids of a model by the strings of its tokens, or by the
coding.json of its run. Text is read with one tokenizer, that of the first model, which the others must agree with; it
comes from the validation documents of the semantic stage, packed in groups, so that memory does not depend on the
number of rows; the last row of a group is padded.
"""

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..data import blocks
from ..models.suited import check_text
from ..tasks import IGNORE, Task
from ..tasks.coding import FILE, Coding
from ..text.batches import groups_of
from ..text.documents import Documents, train_and_validation
from ..text.packing import validation_rows
from ..text.readers import DataError
from .models import Subject
from .words import Data

TEXT_LENGTH = 256  # tokens in a row of text, where nothing else is said and the models can read as many
_MARK = re.compile(r"<[a-z]\w*>")  # a token that is no symbol, such as <sep>
_TRIED = 64  # documents on which tokenizers must agree


class Batch(NamedTuple):
    """Rows in common ids, `Subject.own` gives a model's.

    ids: int64 ``[rows, tokens]``.
    labels: the same, -100 where no loss counts, not shifted.
    is_token: bool ``[rows, tokens]``, false for padding.
    """

    ids: torch.Tensor
    labels: torch.Tensor
    is_token: torch.Tensor

    @property
    def is_predicting(self) -> torch.Tensor:
        """Bool ``[rows, tokens]``: whether the loss of what a place predicts counts."""
        counts = torch.zeros_like(self.is_token)
        counts[:, :-1] = self.labels[:, 1:] != IGNORE
        return counts


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of one length.

    Args:
        name: in words.
        length: tokens in a row.
        chunks: gives them anew, some at a time: ids, labels and whether a token is none of the padding, as `Batch`.
        special: ids of no symbols or text.
    """

    name: str
    length: int
    chunks: Callable[[], Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]]
    special: frozenset[int]

    def batches(self, rows: int, batch_size: int) -> Iterator[Batch]:
        """The first `rows` rows, or all where there are fewer."""
        held = [np.zeros((0, self.length), kind) for kind in (np.int64, np.int64, bool)]
        for chunk in self.chunks():
            chunk = [each[:rows] for each in chunk]
            rows -= len(chunk[0])
            held = [np.concatenate(pair) for pair in zip(held, chunk, strict=True)]
            while len(held[0]) >= batch_size:
                yield _batch(each[:batch_size] for each in held)
                held = [each[batch_size:] for each in held]
            if not rows:
                break
        if len(held[0]):
            yield _batch(held)


def _batch(arrays) -> Batch:
    return Batch(*(torch.from_numpy(np.ascontiguousarray(each)) for each in arrays))


def open_rows(data: Data, subjects: list[Subject], sequence_length: int | None = None, seed: int = 0) -> Rows:
    """The rows of a data set for models, which may be outlines. Sets each model's `table`.

    Raises ValueError where a model cannot read them: its tokenizer, or its positions; and where there is none.
    """
    if data.task is not None:
        if sequence_length is not None:
            raise ValueError(f"sequence_length: rows of {data.name} have a length of their own")
        return _of_task(data.name, data.task, subjects, seed)
    return _of_text(data.name, subjects, sequence_length)


def _check_positions(subjects: list[Subject], name: str, length: int) -> None:
    for subject in subjects:
        if subject.positions is not None and length > subject.positions:
            raise ValueError(
                f"{subject.label} reads {subject.positions} tokens at a time, and rows of {name} have {length}"
            )


def _of_task(name: str, task: Task, subjects: list[Subject], seed: int) -> Rows:
    blocks.check(task, "validation")
    length = task.row_length("validation")
    for subject in subjects:
        subject.table = table_of(task, subject)
    _check_positions(subjects, name, length)

    def chunks():
        for number in itertools.count():
            ids, labels = blocks.block(task, seed, "validation", number)
            yield ids.astype(np.int64), labels.astype(np.int64), ids != task.pad_id

    special = frozenset(id for id, word in enumerate(task.vocabulary) if _MARK.fullmatch(word))
    return Rows(name, length, chunks, special)


def table_of(task: Task, subject: Subject) -> torch.Tensor | None:
    """The model's id of each token of a task; None where these are the task's own.

    Raises ValueError where it lacks one.
    """
    coding = _coding_of(Path(subject.path), task)
    if coding is not None:
        ids, _ = coding.symbols(np.arange(len(task.vocabulary), dtype=np.int32)[None], np.zeros((1, 1), np.int32))
        return torch.from_numpy(ids[0].astype(np.int64))
    known = subject.tokenizer.get_vocab() if subject.tokenizer else dict(zip(task.vocabulary, itertools.count()))
    lacking = [word for word in task.vocabulary if word not in known and not word.startswith("<unused")]
    if lacking:
        raise ValueError(
            f"{subject.label}: its tokenizer has no token {lacking[0]!r}, which {task.config_name} has: name the task "
            "that it was trained on, or a text data set"
        )
    ids = torch.tensor([known.get(word, 0) for word in task.vocabulary])
    return None if torch.equal(ids, torch.arange(len(ids))) else ids


def _coding_of(folder: Path, task: Task) -> Coding | None:
    """How a run wrote the symbols of a task in the ids of a tokenizer, where it did."""
    run = folder.parent if folder.name.startswith("checkpoint-") else folder
    for file in sorted([*run.glob(FILE), *run.glob(f"codings/*/{FILE}")]):
        coding = Coding.load(file)
        if coding.words == task.vocabulary and not coding.is_text:
            return coding
    return None


def _of_text(name: str, subjects: list[Subject], sequence_length: int | None) -> Rows:
    for subject in subjects:
        check_text(subject.label, subject.tokenizer)
    length = sequence_length or min([TEXT_LENGTH, *(each.positions for each in subjects if each.positions is not None)])
    _check_positions(subjects, name, length)
    first, *others = subjects
    _, documents = train_and_validation(name, skip_empty=True)
    _check_readings(first, others, documents)
    tokenizer = first.tokenizer
    separator = "none" if tokenizer.eos_token_id is None else "eos"

    def chunks():
        empty = True
        for texts in groups_of(documents):
            try:
                packed = validation_rows(texts, tokenizer, length, separator)
            except DataError:  # of a group without a row
                continue
            empty = False
            is_token = np.arange(length) < packed.sizes[:, None]
            ids = packed.input_ids.astype(np.int64)
            yield ids, np.where(is_token, ids, IGNORE), is_token
        if empty:
            raise DataError(f"data {name}: its held-out documents have no row of two tokens")

    return Rows(name, length, chunks, frozenset(tokenizer.all_special_ids))


def _check_readings(first: Subject, others: list[Subject], documents: Documents) -> None:
    """Raises ValueError where a model's tokenizer makes other ids of the documents than the first model's."""
    texts = list(itertools.islice(documents, _TRIED))
    read = functools.partial(_ids_of, texts)
    for other in others:
        if read(other.tokenizer) != read(first.tokenizer):
            raise ValueError(
                f"{other.label}: its tokenizer reads text otherwise than that of {first.label}, so that their tokens "
                "are not the same: compare them on rows of a task, or each by itself"
            )


def _ids_of(texts: list[str], tokenizer) -> list[list[int]]:
    return tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
