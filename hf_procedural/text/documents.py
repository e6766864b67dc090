"""Documents for the semantic stage, in a fixed order and constant memory: to train on, and to validate with."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import at_least
from .readers import DataError, Split, is_empty, splits_of, text_column_of
from .sources import columns_of_each, label, parse_source


class Documents:
    """Documents in a fixed order, read anew and in constant memory by each iterator.

    Args:
        rows: gives the rows of a column.
        column: of the text; or several, whose texts a blank line joins, without those that are empty.
        limit: so many documents at most, counted before any is left out.
        part: "train" or "validation", to leave out the others: see `_part`.
        shuffle_buffer: each document is drawn from the next so many at random; 0 keeps the order.
        seed: of the shuffling.
        skip_empty: leave out empty documents (null, or nothing but white space).

    Iterating raises DataError where a document is damaged, empty, or not text.
    """

    def __init__(self, rows, column="text", limit=None, part=None, shuffle_buffer=0, seed=0, skip_empty=False):
        for name, value, least in (("limit", limit, 1), ("shuffle_buffer", shuffle_buffer, 0), ("seed", seed, 0)):
            at_least(name, value, least)
        self._rows = rows
        self.columns = [column] if isinstance(column, str) else list(column)
        if not self.columns:
            raise ValueError("text_column must name at least one column, got none")
        self._limit = limit
        self._part = part
        self._shuffle_buffer = shuffle_buffer
        self._seed = seed
        self._skip_empty = skip_empty

    def __iter__(self) -> Iterator[str]:
        return self.read()

    def read(self, epoch: int = 0, start: int = 0) -> Iterator[str]:
        """The documents from number `start` on, in the order of an epoch (each has its own where they are shuffled)."""
        texts = self._texts()
        if self._shuffle_buffer > 1:
            texts = _shuffled(texts, self._shuffle_buffer, np.random.default_rng([self._seed, epoch]))
        return itertools.islice(texts, start, None)

    def _texts(self) -> Iterator[str]:
        rows = zip(*map(self._rows, self.columns), strict=True)  # each column is read for itself
        for index, cells in enumerate(itertools.islice(rows, self._limit)):
            if self._part is not None and _part(index) != self._part:
                continue
            _, place, number = cells[0]
            for column, (text, *_) in zip(self.columns, cells, strict=True):
                if text is not None and not isinstance(text, str):
                    kind = type(text).__name__
                    raise DataError(f"text_column {column!r} of {place}, document {number}, holds {kind}, not text")
            text = "\n\n".join(text for text, *_ in cells if text is not None and not is_empty(text))
            if not text:
                if self._skip_empty:
                    continue
                raise DataError(f"{place}, document {number}: empty; skip_empty leaves empty documents out")
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise DataError(f"{place}, document {number}: not valid Unicode ({error.reason})") from error
            yield text


def _part(index: int) -> str:
    """Which documents are held out where nothing else is there to validate with: every 20th."""
    return "validation" if index % 20 == 19 else "train"


def _shuffled(texts: Iterator[str], size: int, generator: np.random.Generator) -> Iterator[str]:
    buffer = list(itertools.islice(texts, size))
    for text in texts:
        place = generator.integers(len(buffer))
        yield buffer[place]
        buffer[place] = text
    for place in generator.permutation(len(buffer)):
        yield buffer[place]


def _choose(splits: dict, split: str, dataset: str, argument: str) -> Split:
    if split not in splits:
        raise ValueError(f"{argument}: {dataset} has no {split!r}, only: {', '.join(splits)}")
    return splits[split]


def _checked(documents: Documents, what: str) -> Documents:
    if next(documents._texts(), None) is None:
        raise ValueError(f"{what}: there is no document")
    return documents


def open_documents(
    dataset: str | dict, *, config: str | None = None, split: str = "train", column=None, **options
) -> Documents:
    """The documents of one split of a data set; the options are those of `Documents`: limit, shuffle_buffer ...

    Args:
        dataset: `stdlib` (code: the .py files of Python's standard library without its tests), `pydoc` (English:
            Python's language reference), a file, folder or glob, or the id of a data set on the Hub, which is streamed.
            Files are json, jsonl, txt (a paragraph is a document), each also packed as gz, zst, bz2 or lz4, and
            parquet, read in sorted order. The names of a folder's files say its splits, as to `datasets`. It may name
            its own configuration, split and column, as in `sources`.
        config: of a data set on the Hub that has several.
        column: of the text, or several (see `Documents`). Default: that which is plainly it, see `text_column_of`.

    Reads the first document, and raises ValueError in one line where that cannot be done.
    """
    source = parse_source(dataset)
    splits = splits_of(source.name, source.config or config)
    chosen = _choose(splits, source.split or split, source.name, "split")
    column = source.text_column or column or text_column_of(chosen)
    return _checked(Documents(chosen.rows, column, **options), f"dataset {label(dataset)!r}")


def train_and_validation(
    dataset: str | dict, *, text_column: str | list[str] | None = None, **options
) -> tuple[Documents, Documents]:
    """`train_and_validation_of_each` of one data set, whose `text_column` may be several, as those of `Documents`."""
    (train,), (validation,) = _of_each([dataset], [text_column], **options)
    return train, validation


def train_and_validation_of_each(
    datasets: Sequence[str | dict], *, text_column: str | list[str] | None = None, **options
) -> tuple[list[Documents], list[Documents]]:
    """Documents of each data set to train on, and others to validate with, never shuffled. As `open_documents`, and

    Args:
        text_column: one for all, or a list of one for each. What a data set says of itself goes before this, and before
            `dataset_config`, `train_split` and `validation_split`, which are for those that do not.
        validation_dataset: another data set for the validation, alone instead of parts of each; its column is that of
            the training documents where it has it.
        validation_split: of `validation_dataset` or else of each. Default: "validation" where there is one. Where
            there is none, all of `validation_dataset` is used, or every 20th document of the training split is held
            out.
        limit: of the training documents of each; those that are held out are among them.
        shuffle_buffer, seed, skip_empty: as for `Documents`.

    Raises ValueError also where a file or split is in two data sets, or in training and validation: what one holds out
    would be trained on as the other's.
    """
    return _of_each(datasets, columns_of_each(text_column, len(datasets)), **options)


@dataclasses.dataclass(frozen=True)
class _Chosen:
    """The splits of a data set to train on and to validate with; None: the latter is held out, or of another one."""

    name: str  # in words
    text_column: str | None
    train: Split
    validation: Split | None


def _of_each(
    datasets: Sequence[str | dict],
    columns: Sequence[str | list[str] | None],
    *,
    dataset_config: str | None = None,
    train_split: str = "train",
    validation_split: str | None = None,
    validation_dataset: str | dict | None = None,
    limit: int | None = None,
    shuffle_buffer: int = 0,
    seed: int = 0,
    skip_empty: bool = False,
) -> tuple[list[Documents], list[Documents]]:
    is_own = validation_dataset is None  # each validates with documents of its own
    chosen = [_choose_both(dataset, dataset_config, train_split, validation_split, is_own) for dataset in datasets]
    other = None if validation_dataset is None else _choose_other(validation_dataset, validation_split)
    _check_apart(chosen, other)
    trained = []
    validated = []
    for each, column in zip(chosen, columns, strict=True):
        what = f"dataset {each.name!r}"
        column = each.text_column or column or text_column_of(each.train)
        held_out = is_own and each.validation is None
        part = "train" if held_out else None
        texts = Documents(each.train.rows, column, limit, part, shuffle_buffer, seed, skip_empty)
        trained.append(_checked(texts, what))
        if held_out:
            what += " has no 20th document to hold out for validation; name a validation_dataset or validation_split"
            texts = Documents(each.train.rows, column, limit, "validation", skip_empty=skip_empty)
            validated.append(_checked(texts, what))
        elif each.validation is not None:
            validated.append(_checked(Documents(each.validation.rows, column, skip_empty=skip_empty), what))
    if other is not None:
        strings = {column for column, holds_strings in other.train.columns().items() if holds_strings}
        shared = [texts.columns for texts in trained if strings.issuperset(texts.columns)]
        column = other.text_column or next(iter(shared), None) or text_column_of(other.train)
        texts = Documents(other.train.rows, column, skip_empty=skip_empty)
        validated.append(_checked(texts, f"dataset {other.name!r}"))
    return trained, validated


def _choose_both(
    dataset: str | dict, config: str | None, train_split: str, validation_split: str | None, is_own: bool
) -> _Chosen:
    source = parse_source(dataset)
    splits = splits_of(source.name, source.config or config)
    train_split = source.split or train_split
    train = _choose(splits, train_split, source.name, "train_split")
    validation_split = source.validation_split or validation_split
    if validation_split is None and "validation" in splits and train_split != "validation":
        validation_split = "validation"
    validation = None
    if is_own and validation_split is not None:
        validation = _choose(splits, validation_split, source.name, "validation_split")
    return _Chosen(label(dataset), source.text_column, train, validation)


def _choose_other(dataset: str | dict, validation_split: str | None) -> _Chosen:
    """The split of a validation data set, as if it were trained on."""
    source = parse_source(dataset)
    splits = splits_of(source.name, source.config)
    default = "validation" if "validation" in splits else "train"
    split = _choose(splits, source.split or validation_split or default, source.name, "validation_split")
    return _Chosen(label(dataset), source.text_column, split, None)


def _check_apart(chosen: list[_Chosen], other: _Chosen | None) -> None:
    """Raises ValueError where a file or split is in two data sets, or in training and validation."""
    owners = {}  # of what is trained on, by shard
    for each in chosen:
        for shard in each.train.shards:
            if shard in owners:
                raise ValueError(f"dataset: {shard} is in both {owners[shard]} and {each.name}")
            owners[shard] = each.name
    validated = [each.validation for each in chosen if each.validation is not None]
    if other is not None:
        validated.append(other.train)
    for split in validated:
        in_both = owners.keys() & set(split.shards)
        if in_both:
            raise ValueError(f"validation would be on what is trained on: {min(in_both)} is in both")
