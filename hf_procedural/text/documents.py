"""Documents for the semantic stage, in a fixed order and constant memory: to train on, and to validate with."""

import itertools
from collections.abc import Iterator

import numpy as np

from ..errors import at_least
from .readers import DataError, Split, is_empty, splits_of


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
        self._columns = [column] if isinstance(column, str) else list(column)
        if not self._columns:
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
        rows = zip(*map(self._rows, self._columns), strict=True)  # each column is read for itself
        for index, cells in enumerate(itertools.islice(rows, self._limit)):
            if self._part is not None and _part(index) != self._part:
                continue
            _, place, number = cells[0]
            for column, (text, *_) in zip(self._columns, cells, strict=True):
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


def open_documents(dataset: str, *, config: str | None = None, split: str = "train", **options) -> Documents:
    """The documents of one split of a data set; the options are those of `Documents`: column, limit, shuffle_buffer ...

    Args:
        dataset: `stdlib` (code: the .py files of Python's standard library without its tests), `pydoc` (English:
            Python's language reference), a file, folder or glob, or the id of a data set on the Hub, which is streamed.
            Files are json, jsonl, txt (a paragraph is a document), each also packed as gz, zst, bz2 or lz4, and
            parquet, read in sorted order. The names of a folder's files say its splits, as to `datasets`.
        config: of a data set on the Hub that has several.

    Reads the first document, and raises ValueError in one line where that cannot be done.
    """
    rows = _choose(splits_of(dataset, config), split, dataset, "split").rows
    return _checked(Documents(rows, **options), f"dataset {dataset!r}")


def train_and_validation(
    dataset: str,
    *,
    dataset_config: str | None = None,
    train_split: str = "train",
    validation_split: str | None = None,
    validation_dataset: str | None = None,
    text_column: str | list[str] = "text",
    limit: int | None = None,
    shuffle_buffer: int = 0,
    seed: int = 0,
    skip_empty: bool = False,
) -> tuple[Documents, Documents]:
    """Documents to train on, and others to validate with, which are never shuffled. As for `open_documents`, and

    Args:
        validation_dataset: another data set for the validation.
        validation_split: of `validation_dataset` or else of `dataset`. Default: "validation" where there is one. Where
            there is none, all of `validation_dataset` is used, or every 20th document of `train_split` is held out.
        limit: of the training documents; those that are held out are among them.

    Raises ValueError also where files or splits would be in both.
    """
    splits = splits_of(dataset, dataset_config)
    train = _choose(splits, train_split, dataset, "train_split")
    held_out = False
    if validation_dataset is not None:
        others = splits_of(validation_dataset, None)
        default = "validation" if "validation" in others else "train"
        validation = _choose(others, validation_split or default, validation_dataset, "validation_split")
    elif validation_split is not None or ("validation" in splits and train_split != "validation"):
        validation = _choose(splits, validation_split or "validation", dataset, "validation_split")
    else:
        validation = train
        held_out = True
    in_both = set(train.shards) & set(validation.shards)
    if in_both and not held_out:
        raise ValueError(f"validation would be on what is trained on: {min(in_both)} is in both")
    what = f"dataset {dataset!r}"
    train_part = "train" if held_out else None
    trained = Documents(train.rows, text_column, limit, train_part, shuffle_buffer, seed, skip_empty)
    _checked(trained, what)
    if not held_out:
        return trained, _checked(Documents(validation.rows, text_column, skip_empty=skip_empty), what)
    what += " has no 20th document to hold out for validation; name a validation_dataset or validation_split"
    validated = Documents(validation.rows, text_column, limit, "validation", skip_empty=skip_empty)
    return trained, _checked(validated, what)


def train_and_validation_of_each(
    datasets: list[str], *, validation_dataset: str | None = None, **options
) -> tuple[list[Documents], list[Documents]]:
    """`train_and_validation` of each of several data sets: documents to train on, and others to validate with.

    The latter are of each, too, or of `validation_dataset` alone. Raises ValueError also where a file or split is in
    two data sets: what one holds out would be trained on as the other's.
    """
    trained = []
    validated = []
    owners = {}
    for dataset in datasets:
        train, validation = train_and_validation(dataset, validation_dataset=validation_dataset, **options)
        trained.append(train)
        validated.append(validation)
        splits = splits_of(dataset, options.get("dataset_config"))
        for shard in splits[options.get("train_split", "train")].shards:
            if shard in owners:
                raise ValueError(f"dataset: {shard} is in both {owners[shard]} and {dataset}")
            owners[shard] = dataset
    return trained, validated if validation_dataset is None else validated[:1]
