"""Rows packed from documents, for the semantic stage.

Documents become rows of exactly `length` tokens:

    documents        "a b c"   "d e"   "f g h i" ...
    separator eos    a b c <eos> | d e <eos> f | g h i <eos> ...          length 4
    separator bos    <bos> a b c | <bos> d e <bos> | f g h i ...          as CodeParrot's reference
    separator none   a b c d | e f g h | i ...                            as the C4 reference of Jiang et al. 2026

No token is lost or doubled: the next epoch's documents fill up an epoch's last row. A special token that stands written
out in a document becomes that token, as everywhere in transformers. Labels equal the ids, not shifted, so that a row
predicts `length` - 1 tokens; those of a task's rows, which `mixing` packs too, go with their tokens. Rows of several
sources are in `mixing`, tokenizers trained on text in `tokenizers`.
"""

import bisect
import copy
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info
from transformers import PreTrainedTokenizerFast

from ..errors import at_least
from ..tasks import IGNORE
from . import batches
from .batches import SEPARATORS, groups_of, made_ahead, pieces_of
from .documents import Documents
from .noise import Corrupter
from .readers import DataError


class _Encoder:
    """Turns documents into tokens with their separator, with the tokenizer's own threads."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, separator: str):
        if separator not in SEPARATORS:
            raise ValueError(f"separator must be one of {', '.join(SEPARATORS)}, got {separator!r}")
        token_ids = {"eos": tokenizer.eos_token_id, "bos": tokenizer.bos_token_id}
        if separator in token_ids and token_ids[separator] is None:
            raise ValueError(
                f"separator {separator!r}: the tokenizer has no {separator} token; choose another separator"
            )
        self._before = np.array([token_ids["bos"]] if separator == "bos" else [], np.int32)
        self._after = np.array([token_ids["eos"]] if separator == "eos" else [], np.int32)
        # A copy: whoever else holds the tokenizer may have it cut or pad, or may do so later.
        self._backend = copy.deepcopy(tokenizer.backend_tokenizer)
        self._backend.no_truncation()
        self._backend.no_padding()

    def __call__(self, texts: list[str]) -> list[np.ndarray]:
        """The tokens of each document with its separator, int32."""
        return [self.framed([ids]) for ids in self.bare(texts)]

    def bare(self, texts: list[str]) -> list[np.ndarray]:
        """The tokens of each document alone, int32."""
        if max(map(len, texts)) <= batches.PIECE:
            return self._encode(texts)
        return [self._encode_long(text) for text in texts]

    def framed(self, documents: list[np.ndarray]) -> np.ndarray:
        """Documents one behind another, each with its separator."""
        return np.concatenate([part for ids in documents for part in (self._before, ids, self._after)])

    def separated(self, row: np.ndarray) -> np.ndarray:
        """A row of a task, ids and labels int32 ``[2, tokens]``, as a document. Its separator has no label."""
        before, after = ([tokens, np.full_like(tokens, IGNORE)] for tokens in (self._before, self._after))
        return np.concatenate((before, row, after), axis=1)

    def _encode_long(self, text: str) -> np.ndarray:
        return np.concatenate([self._encode([piece])[0] for piece in pieces_of(text)])

    def _encode(self, texts: list[str]) -> list[np.ndarray]:
        encodings = self._backend.encode_batch_fast(texts, add_special_tokens=False)
        return [np.fromiter(encoding.ids, np.int32, len(encoding)) for encoding in encodings]


class PackedRows(IterableDataset):
    """Endless training rows: documents, epoch after epoch, joined and cut into rows of `length` tokens.

    A row is {"input_ids": int64 [length], "labels": the same, or those of its tokens}. Another thread reads and
    tokenizes ahead, so workers are of no use. More than one would repeat each other's rows, and raises ValueError;
    `mark` does not see what one reads.

    Args:
        documents: read in the order of each epoch.
        separator: "eos", "bos" or "none", as at the top.
        noise: what it makes of each document.
    """

    has_labels = False  # of its own; else labels are the ids

    def __init__(
        self,
        documents: Documents,
        tokenizer: PreTrainedTokenizerFast,
        length: int,
        separator: str = "eos",
        noise: Corrupter | None = None,
    ):
        at_least("length", length, 2)
        self.documents, self.length, self.noise = documents, length, noise
        self._encode = _Encoder(tokenizer, separator)
        self._pools: dict[int, np.ndarray] = {}  # of each source, tokens of its text for the noise
        self.start_at(0)

    def _top(self) -> dict:
        """The place of the first batch, as `_batches` takes and gives places."""
        return {"epoch": 0, "document": 0}

    def start_at(self, row: int, mark: dict | None = None) -> None:
        """Lets iterators begin at `row`. All text from `mark` (of `row` or an earlier one) or the top is read again."""
        mark = mark or {"row": 0, "tokens": 0} | self._top()
        if row < mark["row"]:
            raise ValueError(f"row must be at least the mark's, {mark['row']}, got {row}")
        self.start = row
        place = {key: mark[key] for key in self._top()}
        self._origin = (mark["row"] * self.length - mark["tokens"], place)
        self._marks = [self._origin]  # (number of its first token in the stream, place) of batches

    def mark(self, row: int) -> dict:
        """Where `row` begins: `tokens` tokens behind the start of document `document` of epoch `epoch`.

        Raises ValueError for a row before that of an earlier call, and for one before the start.
        """
        token = row * self.length  # its number in the stream
        batch = bisect.bisect_right(self._marks, token, key=lambda mark: mark[0]) - 1
        if batch < 0:
            raise ValueError(f"row must not lie before that of an earlier mark or the start, got {row}")
        del self._marks[:batch]  # rows are marked in order, so that the list stays as short as what is read ahead
        first, place = self._marks[0]
        return {"row": row, **place, "tokens": token - first}

    def __iter__(self):
        info = get_worker_info()
        if info is not None and info.num_workers > 1:
            raise ValueError(f"dataloader_num_workers must be 0 or 1 for packed rows, got {info.num_workers}")
        self._marks = [self._origin]
        number, begin = self._origin
        drop = self.start * self.length - number  # tokens between the mark and the first row that is asked for
        unused = np.empty((1 + self.has_labels, 0), np.int32)
        for place, tokens in made_ahead(self._batches(**begin)):
            self._marks.append((number, place))
            size = tokens.shape[1]
            number += size
            unused = np.concatenate((unused, tokens[:, drop:]), axis=1)
            drop = max(0, drop - size)
            count = unused.shape[1] // self.length
            rows, unused = np.split(unused, [count * self.length], axis=1)
            rows = torch.from_numpy(rows.astype(np.int64)).view(len(rows), count, self.length)
            for input_ids, labels in zip(rows[0], rows[-1], strict=True):
                yield {"input_ids": input_ids, "labels": labels}

    def _batches(self, epoch: int, document: int) -> Iterator[tuple[dict, np.ndarray]]:
        """The place of a batch, which is that of its first document, and all its tokens, int32 ``[1, tokens]``.

        Where rows have labels of their own, ``[2, tokens]``: ids and labels.
        """
        for now, first, tokens in self._passes(self.documents, epoch, document):
            yield {"epoch": now, "document": first}, np.concatenate(tokens)[None]

    def _passes(
        self, documents: Documents, epoch: int, document: int, source: int = 0
    ) -> Iterator[tuple[int, int, list[np.ndarray]]]:
        """Epoch and number of a group's first document, and the tokens of each document; epoch after epoch."""
        while True:
            count = 0
            for texts in groups_of(documents.read(epoch, document)):
                tokens = self._encoded(documents, texts, (source, epoch, document))
                yield epoch, document, tokens
                count += sum(map(len, tokens))
                document += len(texts)
            if not count:  # else this would go round for ever
                raise DataError(f"there is no token in the training documents from document {document} on")
            epoch += 1
            document = 0

    def _encoded(self, documents: Documents, texts: list[str], place: tuple[int, int, int]) -> list[np.ndarray]:
        """The tokens of each document, with noise where there is one, from the place of the first on."""
        if self.noise is None:
            return self._encode(texts)
        source, epoch, first = place
        if source not in self._pools:
            known = next(groups_of(documents.read())) if self.noise.needs_text else []
            self._pools[source] = np.concatenate([*self._encode.bare(known)] if known else [np.empty(0, np.int32)])
        noised = (
            self.noise(tokens, self._pools[source], (source, epoch, number))
            for number, tokens in enumerate(self._encode.bare(texts), first)
        )
        return list(map(self._encode.framed, noised))


def filler(tokenizer) -> int:
    """What a row is padded with; it has no label, so that any token does."""
    tokens = (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id, 0)
    return next(token for token in tokens if token is not None)


class ValidationText(Dataset):
    """Rows of text in memory: input_ids, int32 [rows, length], of which the first `sizes` are text, the others padding.

    `bytes_per_token` is the number of UTF-8 bytes of the documents divided by that of their tokens with separators.
    """

    def __init__(self, input_ids: np.ndarray, sizes: np.ndarray, bytes_per_token: float):
        self.input_ids = input_ids
        self.sizes = sizes
        self.bytes_per_token = bytes_per_token

    def __len__(self):
        return len(self.input_ids)

    def __getitem__(self, index):
        input_ids = torch.from_numpy(self.input_ids[index]).long()
        labels = input_ids.clone()
        labels[self.sizes[index] :] = IGNORE
        return {"input_ids": input_ids, "labels": labels}


def validation_rows(
    documents: Iterable[str],
    tokenizer: PreTrainedTokenizerFast,
    length: int,
    separator: str = "eos",
    rows: int | None = None,
    cut: bool = False,
) -> ValidationText:
    """The first `rows` rows of the documents, packed as in training, the last one padded and its padding not labelled.

    With `cut`, a row is one document, cut to its first `length` tokens or padded, as the C4 reference evaluates.
    Rows of a single token, which predict nothing, are left out. Raises DataError where nothing is left.
    """
    at_least("length", length, 2)
    at_least("rows", rows, 1)
    tokenized = []  # a document each
    size = 0  # bytes
    count = 0  # tokens
    for text, tokens in _encoded(documents, _Encoder(tokenizer, separator)):
        tokenized.append(tokens[:length] if cut else tokens)
        size += len(text.encode())
        count += len(tokens)
        rows_so_far = len(tokenized) if cut else count // length
        if rows is not None and rows_so_far >= rows:
            break
    if not cut:
        joined = np.concatenate(tokenized or [[]])
        tokenized = [joined[start : start + length] for start in range(0, len(joined), length)]
    kept = [row for row in tokenized[:rows] if len(row) > 1]
    if not kept:
        raise DataError("the validation documents hold fewer than two tokens")
    table = np.full((len(kept), length), filler(tokenizer), np.int32)
    for padded, row in zip(table, kept, strict=True):
        padded[: len(row)] = row
    return ValidationText(table, np.array(list(map(len, kept))), size / count)


def _encoded(documents: Iterable[str], encode: _Encoder) -> Iterator[tuple[str, np.ndarray]]:
    """Each document with its tokens."""
    for group in groups_of(documents):
        yield from zip(group, encode(group), strict=True)
