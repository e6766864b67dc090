"""Where documents come from: Python's own text, local files, data sets of the Hub, each as splits of rows.

Local files are read here and not through `datasets`, so that what is damaged, empty or not text is told by file and
number; data sets of the Hub are streamed by it. All are read in a fixed order and in constant memory.
"""

import collections
import contextlib
import glob
import importlib.util
import io
import itertools
import json
import os
import re
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from datasets import load_dataset
from pyarrow.parquet import ParquetFile

from .. import upstream
from ..faults import reading_on, tried_again
from ..files import is_hub_id
from ..terminal import in_a_line, logger
from .sources import FORM, PROCEDURAL

_KINDS = "json, jsonl or txt (each also .gz, .zst, .bz2, .lz4) or parquet"
FILE_NAME = re.compile(r"\.(json|jsonl|txt)(\.(gz|zst|bz2|lz4))?$|\.parquet$")
# A file of DeepMind-Math, see `math_archive`: its split, and its name.
MATH_FILE = re.compile(r"(?:^|/)(train-easy|train-medium|train-hard|interpolate|extrapolate)/([^./][^/]*__[^/]*\.txt)$")
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
USUAL_COLUMNS = ("text", "content", "raw_content", "document", "article", "body", "code")  # of text, the first wins
_SEEN = 100  # documents of a JSON file that tell its columns
_OUR_FILES = {"prepare.json", "recycle.json", "filter.json", "report.json", "damaged.txt"}


class DataError(ValueError):
    """Data that turn out to be damaged, empty or not text when they are read."""


@dataclass(frozen=True)
class Split:
    """A row is (text, file or other place, number in that place from 1); the text is unchecked."""

    shards: tuple[str, ...]  # what is read, by name
    rows: Callable[[str], Iterator[tuple]]  # of a column
    columns: Callable[[], dict[str, bool]]  # of the first documents, by name: whether it holds strings


def text_column_of(split: Split) -> str:
    """The column of strings that is plainly the text: the first of `USUAL_COLUMNS`, else the only one.

    Says which in the log, unless it is "text". Raises DataError, with the columns that there are, for none or several.
    """
    columns = split.columns()
    strings = [column for column, holds_strings in columns.items() if holds_strings]
    place = split.shards[0]
    if not columns:
        return "text"  # of no document at all, which whoever reads tells
    chosen = next((column for column in USUAL_COLUMNS if column in strings), None)
    if chosen is None and len(strings) == 1:
        (chosen,) = strings
    if chosen is None and strings:
        raise DataError(f"text_column is missing: {place} has several columns of strings, {', '.join(strings)}")
    if chosen is None:
        raise DataError(f"text_column: {place} has no column of strings, only: {', '.join(columns)}")
    if chosen != "text":
        others = ", ".join(column for column in columns if column != chosen) or "no other"
        logger(__name__).warning("%s: its text is column %r (beside %s)", place, chosen, others)
    return chosen


def is_empty(text: str) -> bool:
    """Whether there is nothing but white space."""
    return not text or text.isspace()


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
            if not is_empty(text):
                yield path, text


def _pydoc() -> Iterator[tuple[str, str]]:
    from pydoc_data.topics import topics

    return iter(sorted(topics.items()))


CORPORA = {"stdlib": _stdlib, "pydoc": _pydoc}


def _corpus(name: str) -> Split:
    def rows(column):
        _check_column(column, ["text"], name)
        return ((text, place, 1) for place, text in CORPORA[name]())

    return Split((name,), rows, lambda: {"text": True})


def _check_column(column: str, existing, place: str) -> None:
    if column not in existing:
        raise DataError(f"text_column {column!r} is not in {place}, which has: {', '.join(existing)}")


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds strings, each once and numbered (categories of pandas) or as they are."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _of_schema(schema: pa.Schema) -> dict[str, bool]:
    return {field.name: is_text(field.type) or pa.types.is_null(field.type) for field in schema}


def _arrow_texts(tables: Iterable, column: str, place: str) -> Iterator[tuple]:
    """(number, text) of pyarrow tables or batches."""
    first = 1
    for table in tables:
        _check_column(column, table.schema.names, place)
        kind = table.schema.field(column).type
        if not (is_text(kind) or pa.types.is_null(kind)):
            raise DataError(f"text_column {column!r} of {place} holds {kind}, not text")
        yield from enumerate(table.column(column).to_pylist(), first)
        first += len(table)


def _json_rows(stream, place: str) -> Iterator[tuple]:
    """(number, row) of JSON Lines, where numbers are lines, or of a file that is one JSON list."""

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
        yield number, row


def _paragraphs(stream: io.TextIOBase) -> Iterator[str]:
    lines = []
    for line in itertools.chain(stream, [""]):
        if line.strip():
            lines.append(line)
        elif lines:
            yield "".join(lines).rstrip("\n")
            lines = []


def _is_plain(file: str) -> bool:
    return file.endswith(".txt") or ".txt." in file


def _unpacked(file: str) -> io.BufferedReader:
    """The bytes of a file, unpacked where its name says how; a missing end is an error."""
    if not os.path.getsize(file):
        raise DataError(f"{file} is an empty file")
    return io.BufferedReader(pa.input_stream(file), 2**20)


def _file_texts(file: str, column: str) -> Iterator[tuple]:
    """(number, text) of a file of any of our formats."""
    with _unpacked(file) as stream:
        if file.endswith(".parquet"):
            parquet = ParquetFile(file)
            _check_column(column, parquet.schema_arrow.names, file)
            if parquet.schema_arrow.names.count(column) > 1:
                raise DataError(f"{file} has the column {column!r} twice")
            yield from _arrow_texts(parquet.iter_batches(256, columns=[column]), column, file)
        elif _is_plain(file):
            _check_column(column, ["text"], file)
            yield from enumerate(_paragraphs(io.TextIOWrapper(stream, "utf-8-sig")), 1)
        else:
            for number, row in _json_rows(stream, file):
                _check_column(column, row, f"{file}, document {number}")
                yield number, row[column]


def _file_columns(file: str) -> dict[str, bool]:
    """The columns of a file, as `Split.columns`."""
    if _is_plain(file):
        return {"text": True}
    with _unpacked(file) as stream:
        if file.endswith(".parquet"):
            return _of_schema(ParquetFile(file).schema_arrow)
        columns = {}
        for _, row in itertools.islice(_json_rows(stream, file), _SEEN):
            for column, value in row.items():
                columns[column] = columns.get(column, True) and isinstance(value, str | None)
        return columns


@contextlib.contextmanager
def _reading(place: str):
    """Turns whatever reading `place` raises into a DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # whatever disk, network, unpacking and parsing raise
        raise DataError(f"{place} cannot be read: {in_a_line(error) or type(error).__name__}") from error


def _located(texts: Iterable[tuple], place: str) -> Iterator[tuple]:
    """Rows of (number, text) pairs."""
    with _reading(place):
        for number, text in texts:
            yield text, place, number


def _files(files: list[str]) -> Split:
    def rows(column):
        for file in files:
            yield from _located(_file_texts(file, column), file)

    def columns():
        for file in files:
            with _reading(file):
                of_file = _file_columns(file)
            if of_file:
                return of_file
        return {}

    return Split(tuple(map(os.path.realpath, files)), rows, columns)


def _streamed(dataset, place: str) -> Split:
    """A split of a `datasets.IterableDataset`, which is read on after faults of the network that pass."""
    tables = dataset.with_format("arrow")

    def rows(column):
        return _located(enumerate(_shards_texts(tables, column, place), 1), place)

    def columns():
        with _reading(place):
            first = next(reading_on(lambda number: itertools.islice(tables.iter(1), number, None), place), pa.table({}))
        return _of_schema(first.schema)

    return Split((place,), rows, columns)


def _shards_texts(tables, column: str, place: str) -> Iterator[str]:
    """The texts of a stream, a file or shard after the other: of these one is read again where it failed."""
    for index in range(tables.num_shards):
        shard = tables.shard(tables.num_shards, index)

        def texts(number, shard=shard):
            numbered = itertools.islice(_arrow_texts(shard.iter(256), column, place), number, None)
            return (text for _, text in numbered)

        yield from reading_on(texts, f"{place}, shard {index + 1} of {tables.num_shards}")


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
    files = [path] if os.path.lexists(path) else _globbed(path)
    for file in files:
        if not os.path.isfile(file):
            raise ValueError(f"{argument}: {file} is no file, but a pipe, a device or a link that leads nowhere")
        if not pattern.search(file):
            raise ValueError(f"{argument}: {file} is not {kinds}")
    if not files and (FILE_NAME.search(path) or not is_hub_id(name)):
        raise ValueError(f"{argument} {name!r}: there is no such file or folder")
    return {"train": files} if files else None


def _globbed(pattern: str) -> list[str]:
    """What a pattern matches beside folders, sorted; by the shortest path, where links to folders give several."""
    files = {}
    for path in sorted(glob.glob(pattern, recursive=True), key=len):
        folder, name = os.path.split(path)
        if not os.path.isdir(path):
            files.setdefault((os.path.realpath(folder), name), path)
    return sorted(files.values())


def _folder_files(folder: str, pattern: re.Pattern, kinds: str, argument: str) -> dict[str, list[str]]:
    """The splits that the words in the names of a folder's files mean to `datasets`."""
    splits = collections.defaultdict(list)
    split_words = upstream.get("datasets.data_files:SPLIT_KEYWORDS") or _SPLIT_WORDS
    no_data = {*(upstream.get("datasets.data_files:FILES_TO_IGNORE") or _NO_DATA), *_OUR_FILES}
    for path in sorted(path for path in Path(folder).rglob("*") if pattern.search(path.name) and path.is_file()):
        name = path.relative_to(folder).as_posix()
        is_hidden = "/." in f"/{name}"
        if MATH_FILE.search(path.as_posix()):
            raise ValueError(
                f"{argument} {folder!r} holds DeepMind-Math ({name}), which is no prose: recipes/semantic.py reads it "
                "by characters, where its folder or packed archive is the only data set"
            )
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
        logger(__name__).warning(
            "%s: files whose names say no split are left out, such as %s (%d in all)", folder, others[0], len(others)
        )
    return dict(splits)


def splits_of(dataset: str, config: str | None) -> dict[str, Split]:
    """The splits of an embedded corpus, of local files or of a data set of the Hub, by name."""
    if dataset in CORPORA:
        splits = {"train": _corpus(dataset)}
    else:
        files = local_files(dataset, FILE_NAME, _KINDS, "dataset")
        if files is None and dataset == PROCEDURAL:
            raise ValueError(f"dataset {PROCEDURAL}:{config}: rows of a task, and text is to be read here")
        if files is None:
            return _hub_splits(dataset, config)
        splits = {split: _files(paths) for split, paths in files.items()}
    if config is not None:
        raise ValueError(
            f"dataset_config: {dataset} is not a data set of the Hub and has none, got {config!r} "
            f"(in {FORM} a field may be empty)"
        )
    return splits


def _hub_splits(dataset: str, config: str | None) -> dict[str, Split]:
    try:
        streams = tried_again(lambda: load_dataset(dataset, config, streaming=True))
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
