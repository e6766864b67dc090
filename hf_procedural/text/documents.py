"""Documents for the semantic stage, from anywhere: Python's own text, local files, the Hub.

Read in a fixed order and in constant memory. Local files are read here and not through `datasets`, so that what is
damaged, empty or not text is told by file and number; data sets of the Hub are streamed by it.
"""

import collections
import contextlib
import glob
import importlib.util
import io
import itertools
import json
import logging
import os
import re
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import load_dataset
from pyarrow.parquet import ParquetFile

from .. import upstream
from ..errors import at_least
from ..files import is_hub_id

_KINDS = "json, jsonl or txt (each also .gz, .zst, .bz2, .lz4) or parquet"
FILE_NAME = re.compile(r"\.(json|jsonl|txt)(\.(gz|zst|bz2|lz4))?$|\.parquet$")
# What datasets 5.2 reads from the names of a folder's files, for a version that does not tell.
_SPLIT_WORDS = {
    "train": ["train", "training"],
    "validation": ["validation", "valid", "dev", "val"],
    "test": ["test", "testing", "eval", "evaluation"],
}
_NO_DATA = {
    "README.md",
    "config.json",
    "dataset_info.json",
    "dataset_infos.json",
    "dummy_data.zip",
    "dataset_dict.json",
}
_OUR_FILES = {"prepare.json", "recycle.json", "filter.json", "report.json", "damaged.txt"}


class DataError(ValueError):
    """Data that turn out to be damaged, empty or not text when they are read."""


# Where documents come from. A row is (text, file or other place, number in that place from 1); the text is unchecked.


@dataclass(frozen=True)
class _Split:
    shards: tuple[str, ...]  # what is read, by name
    rows: Callable[[str], Iterator[tuple]]  # of a column


def _stdlib() -> Iterator[tuple[str, str]]:
    root = sysconfig.get_path("stdlib")
    left_out = {"site-packages", "dist-packages", "test", "tests", "idle_test"}
    paths = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in left_out]  # in place: os.walk goes into what is left
        paths += [Path(folder, name).relative_to(root).as_posix() for name in names if name.endswith(".py")]
    for path in sorted(paths):
        with contextlib.suppress(UnicodeDecodeError):  # a file may declare another encoding
            text = Path(root, path).read_text("utf-8")
            if not _is_empty(text):
                yield path, text


def _pydoc() -> Iterator[tuple[str, str]]:
    from pydoc_data.topics import topics

    return iter(sorted(topics.items()))


CORPORA = {"stdlib": _stdlib, "pydoc": _pydoc}


def _corpus(name: str) -> _Split:
    def rows(column):
        _check_column(column, ["text"], name)
        return ((text, place, 1) for place, text in CORPORA[name]())

    return _Split((name,), rows)


def _check_column(column: str, existing, place: str) -> None:
    if column not in existing:
        raise DataError(f"text_column {column!r} is not in {place}, which has: {', '.join(existing)}")


def _arrow_texts(tables: Iterable, column: str, place: str) -> Iterator[tuple]:
    """(number, text) of pyarrow tables or batches."""
    first = 1
    for table in tables:
        _check_column(column, table.schema.names, place)
        kind = table.schema.field(column).type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
            raise DataError(f"text_column {column!r} of {place} holds {kind}, not text")
        yield from enumerate(table.column(column).to_pylist(), first)
        first += len(table)


def _json_texts(stream, column: str, place: str) -> Iterator[tuple]:
    """(number, text) of JSON Lines, where numbers are lines, or of a file that is one JSON list."""

    def parsed(content, number):
        try:
            return json.loads(content)
        except ValueError as error:
            raise DataError(f"{place}, line {number}: not valid JSON ({getattr(error, 'msg', error)})") from error

    def rows():
        for number, line in enumerate(stream, 1):
            if number == 1 and line.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
                yield from enumerate(parsed(line + stream.read(), 1), 1)
            elif not line.isspace():
                yield number, parsed(line, number)

    for number, row in rows():
        if not isinstance(row, dict):
            raise DataError(f"{place}, document {number}: {type(row).__name__} instead of an object")
        _check_column(column, row, f"{place}, document {number}")
        yield number, row[column]


def _paragraphs(stream: io.TextIOBase) -> Iterator[str]:
    lines = []
    for line in itertools.chain(stream, [""]):
        if line.strip():
            lines.append(line)
        elif lines:
            yield "".join(lines).rstrip("\n")
            lines = []


def _file_texts(file: str, column: str) -> Iterator[tuple]:
    """(number, text) of a file of any of our formats."""
    if not os.path.getsize(file):
        raise DataError(f"{file} is an empty file")
    if file.endswith(".parquet"):
        parquet = ParquetFile(file)
        _check_column(column, parquet.schema_arrow.names, file)
        yield from _arrow_texts(parquet.iter_batches(256, columns=[column]), column, file)
        return
    with io.BufferedReader(pa.input_stream(file), 2**20) as stream:  # unpacks, and notices a missing end
        if file.endswith(".txt") or ".txt." in file:
            _check_column(column, ["text"], file)
            yield from enumerate(_paragraphs(io.TextIOWrapper(stream, "utf-8-sig")), 1)
        else:
            yield from _json_texts(stream, column, file)


def _located(texts: Iterable[tuple], place: str) -> Iterator[tuple]:
    """Rows of (number, text) pairs."""
    try:
        for number, text in texts:
            yield text, place, number
    except DataError:
        raise
    except Exception as error:  # whatever disk, network, unpacking and parsing raise
        raise DataError(f"{place} cannot be read: {str(error) or type(error).__name__}") from error


def _files(files: list[str]) -> _Split:
    def rows(column):
        for file in files:
            yield from _located(_file_texts(file, column), file)

    return _Split(tuple(map(os.path.realpath, files)), rows)


def _streamed(dataset, place: str) -> _Split:
    """A split of a `datasets.IterableDataset`."""
    tables = dataset.with_format("arrow")
    return _Split((place,), lambda column: _located(_arrow_texts(tables.iter(256), column, place), place))


def local_files(name: str, pattern: re.Pattern, kinds: str, argument: str) -> dict[str, list[str]] | None:
    """The files of a file, folder or glob by split, sorted; None where the name may be that of a data set of the Hub.

    Args:
        pattern: what file names must match, and in a folder those of the others are left out.
        kinds: the same in words, and
        argument: where the name was given, for the ValueError where there are no such files.
    """
    path = os.path.expanduser(name)
    if os.path.isdir(path):
        return _folder_files(path, pattern, kinds, argument)
    files = [path] if os.path.isfile(path) else sorted(filter(os.path.isfile, glob.glob(path, recursive=True)))
    for file in files:
        if not pattern.search(file):
            raise ValueError(f"{argument}: {file} is not {kinds}")
    if not files and (FILE_NAME.search(path) or not is_hub_id(name)):
        raise ValueError(f"{argument} {name!r}: there is no such file or folder")
    return {"train": files} if files else None


def _folder_files(folder: str, pattern: re.Pattern, kinds: str, argument: str) -> dict[str, list[str]]:
    """The splits that the words in the names of a folder's files mean to `datasets`."""
    splits = collections.defaultdict(list)
    split_words = upstream.get("datasets.data_files:SPLIT_KEYWORDS") or _SPLIT_WORDS
    no_data = {*(upstream.get("datasets.data_files:FILES_TO_IGNORE") or _NO_DATA), *_OUR_FILES}
    for path in sorted(path for path in Path(folder).rglob("*") if pattern.search(path.name) and path.is_file()):
        name = path.relative_to(folder).as_posix()
        is_hidden = "/." in f"/{name}"
        if path.name not in no_data and not is_hidden:
            words = set(re.split(r"[-._ 0-9/]", name))
            named = (str(split) for split, keywords in split_words.items() if words.intersection(keywords))
            splits[next(named, None)].append(str(path))
    if not splits:
        raise ValueError(f"{argument} {folder!r}: the folder has no file that is {kinds}")
    others = splits.pop(None, [])
    if others and not splits:
        return {"train": others}
    if others:
        logging.getLogger(__name__).warning(
            "%s: files whose names say no split are left out, such as %s (%d in all)", folder, others[0], len(others)
        )
    return dict(splits)


def _splits(dataset: str, config: str | None) -> dict[str, _Split]:
    """The splits of an embedded corpus, of local files or of a data set of the Hub, by name."""
    if dataset in CORPORA:
        splits = {"train": _corpus(dataset)}
    else:
        files = local_files(dataset, FILE_NAME, _KINDS, "dataset")
        if files is None:
            return _hub_splits(dataset, config)
        splits = {split: _files(paths) for split, paths in files.items()}
    if config is not None:
        raise ValueError(f"dataset_config: {dataset} is not a data set of the Hub and has none, got {config!r}")
    return splits


def _hub_splits(dataset: str, config: str | None) -> dict[str, _Split]:
    try:
        streams = load_dataset(dataset, config, streaming=True)
    except Exception as error:  # whatever network, Hub and damaged data raise
        with_config = f" with dataset_config {config!r}" if config else ""
        packed = importlib.util.find_spec("zstandard") is None
        remedy = " (where its files end in .zst: pip install zstandard)" if packed else ""
        raise ValueError(
            f"dataset {dataset!r} is no file, no folder, none of {', '.join(CORPORA)}, and cannot be had from the "
            f"Hub{with_config}: {error}{remedy}"
        ) from error
    place = f"{dataset} {config or ''}".strip()
    return {str(split): _streamed(stream, f"{place} {split}") for split, stream in streams.items()}


# Documents


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
            text = "\n\n".join(text for text, *_ in cells if text is not None and not _is_empty(text))
            if not text:
                if self._skip_empty:
                    continue
                raise DataError(f"{place}, document {number}: empty; skip_empty leaves empty documents out")
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise DataError(f"{place}, document {number}: not valid Unicode ({error.reason})") from error
            yield text


def _is_empty(text: str) -> bool:
    return not text or text.isspace()


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


def _choose(splits: dict, split: str, dataset: str, argument: str) -> _Split:
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
    rows = _choose(_splits(dataset, config), split, dataset, "split").rows
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
    splits = _splits(dataset, dataset_config)
    train = _choose(splits, train_split, dataset, "train_split")
    held_out = False
    if validation_dataset is not None:
        others = _splits(validation_dataset, None)
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
        splits = _splits(dataset, options.get("dataset_config"))
        for shard in splits[options.get("train_split", "train")].shards:
            if shard in owners:
                raise ValueError(f"dataset: {shard} is in both {owners[shard]} and {dataset}")
            owners[shard] = dataset
    return trained, validated if validation_dataset is None else validated[:1]
