"""Documents of JSON Lines and parquet files, here or on the Hub, in shards of which each is read alone.

What is damaged is told by file and line, and left out: web text comes in thousands of files, of which some are cut
short. (hf_procedural/text/readers.py, which feeds the training, ends at the first.)
"""

import gzip
import itertools
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import fsspec
import pyarrow as pa
from datasets import load_dataset_builder
from datasets.utils import tqdm
from huggingface_hub import HfFileSystem, hf_hub_download
from pyarrow.parquet import ParquetFile

from ..faults import reading_on, tried_again
from ..text.readers import DataError, is_text, local_files
from .choices import KINDS

if TYPE_CHECKING:
    from huggingface_hub.hf_file_system import HfFileSystemResolvedRepositoryPath

_FILE_NAME = re.compile(r"\.jsonl?(\.(gz|zst))?$|\.parquet$")
_PACKED = (".gz", ".zst")
_LOST = re.compile(r", line (\d+): this and all rows to (\d+) cannot be read")
_BATCH = 256  # rows of a parquet file in memory
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Shard:
    """Lines of a file, or rows of a parquet file."""

    file: str  # a path, or hf://...
    first: int  # from 0
    count: int
    offset: int | None  # the byte where the first line begins, None for packed files and parquet
    name: str = ""  # of the file in the ids of its rows: its path below the folder that all files of the plan are in


def find_files(source: str, config: str | None = None, split: str = "train") -> list[str]:
    """The files of a file, folder, glob or data set of the Hub, sorted; of the Hub as hf:// paths of one revision.

    The names of a folder's files say its splits, as to `datasets`. Raises ValueError where there are none.
    """
    splits = local_files(source, _FILE_NAME, KINDS, "dataset")
    if splits is not None and config is not None:
        raise ValueError(f"dataset_config: {source} is not a data set of the Hub and has none, got {config!r}")
    if splits is None:
        splits = _hub_files(source, config)
        for file in splits.get(split, []):
            if not _FILE_NAME.search(file):
                raise ValueError(f"dataset: {file} is not {KINDS}")
    if split not in splits:
        raise ValueError(f"split: {source} has no {split!r}, only: {', '.join(splits)}")
    return sorted(map(str, splits[split]))


def _hub_files(source: str, config: str | None) -> dict[str, list[str]]:
    try:
        files = tried_again(lambda: load_dataset_builder(source, config)).config.data_files
    except Exception as error:  # whatever network and Hub raise
        with_config = f" with dataset_config {config!r}" if config else ""
        raise ValueError(
            f"dataset {source!r} is no file, no folder, and cannot be had from the Hub{with_config}: {error}"
        ) from error
    return {str(split): paths for split, paths in (files or {}).items()}


def plan(files: list[str], shard_documents: int | None, limit: int | None = None) -> list[Shard]:
    """Shards of so many lines or rows, the last of each file shorter; None: one of each file.

    Reads every file once, to count; or as far as `limit` lines and rows. Where the rest of a packed file cannot be
    read, that counts as a line. Raises ValueError for a .json file that is one list.
    """
    shards = []
    root = os.path.commonpath([os.path.dirname(file) for file in files])
    left = float("inf") if limit is None else limit
    for file in tqdm(files, desc="counting documents", unit=" files", disable=len(files) < 2):
        starts_of = _parquet_starts if file.endswith(".parquet") else _line_starts
        starts, rows = starts_of(file, shard_documents, left)
        ends = [first for first, _ in starts[1:]] + [rows]
        name = os.path.relpath(file, root)
        for (first, offset), end in zip(starts, ends, strict=True):
            shards.append(Shard(file, first, end - first, offset, name))
        left -= rows
        if not left:
            break
    return shards


def _parquet_starts(file: str, shard_documents: int | None, limit: float) -> tuple[list[tuple], int]:
    """Where shards begin, as (first row, None), and the number of rows."""
    rows = int(min(tried_again(lambda: _parquet_rows(file)), limit))
    if not rows:
        return [(0, None)], 0
    return [(first, None) for first in range(0, rows, shard_documents or rows)], rows


def _line_starts(file: str, shard_documents: int | None, limit: float) -> tuple[list[tuple], int]:
    """Where shards begin, as (first line, byte), and the number of lines; the byte is None in a packed file."""
    packed = file.endswith(_PACKED)
    starts = [(0, None if packed else 0)]
    lines = 0
    offset = 0
    for line in reading_on(lambda number: itertools.islice(_lines(file), number, None), file):
        if lines == limit:
            break
        if lines and shard_documents and lines % shard_documents == 0:
            starts.append((lines, None if packed else offset))
        is_first = not lines and isinstance(line, bytes)
        if is_first and file.endswith(".json") and line.removeprefix(_BOM).lstrip()[:1] == b"[":
            raise ValueError(f"dataset: {file} is one JSON list; write JSON Lines, an object to a line")
        lines += 1
        if isinstance(line, bytes):  # and not the error that ends a packed file
            offset += len(line)
    return starts, lines


def read(
    shard: Shard,
    *,
    text_column: str = "text",
    id_column: str = "id",
    strict: bool = False,
    damaged: Callable[[str], None],
) -> Iterator[dict]:
    """The good rows of a shard in order: {"id": str, "text": str, "metadata": the other columns}.

    A row without an id has FILE:LINE, with lines and rows from 1. Of each damaged line `damaged` is told "file, line N:
    reason"; where `strict`, the first raises DataError instead. Blank lines are no rows.
    Raises DataError also for a parquet file without a text column.
    """
    for number, row in _rows(shard, text_column):
        reason = _damage_of(row, text_column, id_column)
        if reason is None:
            text = row.pop(text_column)
            own_id = row.pop(id_column, None)
            yield {"id": f"{shard.name}:{number}" if own_id is None else str(own_id), "text": text, "metadata": row}
            continue
        message = f"{shard.file}, line {number}: {reason}"
        if strict:
            raise DataError(message)
        damaged(message)


def lost(damaged: Iterable[str]) -> int:
    """How many lines and rows `read` told damaged: of what is lost of a row group, told once, all rows count."""
    ranges = [_LOST.search(line) for line in damaged]
    return sum(int(rows[2]) - int(rows[1]) + 1 if rows else 1 for rows in ranges)


def check_columns(shards: Iterable[Shard], text_column: str, id_column: str | None = None) -> None:
    """Raises ValueError where there is no row, or none with one of these columns; reads until both were seen."""
    missing = {"text_column": text_column} | ({"id_column": id_column} if id_column else {})
    seen = {}
    damage = ""
    for shard in shards:
        for number, row in _rows(shard, text_column):
            if isinstance(row, dict):
                seen |= dict.fromkeys(row)
                missing = {argument: column for argument, column in missing.items() if column not in seen}
                if not missing:
                    return
            elif isinstance(row, Exception):
                damage = damage or f" that can be read ({shard.file}, line {number}: {' '.join(str(row).split())})"
    if not seen:
        raise ValueError(f"dataset: there is no document{damage}")
    for argument, column in missing.items():
        raise ValueError(f"{argument} {column!r} is in no document of the dataset, which have: {', '.join(seen)}")


def _damage_of(row, text_column: str, id_column: str) -> str | None:
    """Why a row is damaged; None where it is not."""
    if isinstance(row, Exception):
        return " ".join(str(row).split())
    if not isinstance(row, dict):
        return f"{type(row).__name__} instead of an object"
    if text_column not in row:
        return f"no {text_column!r}"
    text = row[text_column]
    if not isinstance(text, str):
        return f"{text_column!r} is {'null' if text is None else type(text).__name__}, not text"
    return _not_unicode(text, text_column) or _not_unicode(row.get(id_column), id_column)


def _not_unicode(value, column: str) -> str | None:
    try:
        str(value).encode()
    except UnicodeEncodeError as error:
        return f"{column!r} is not valid Unicode ({error.reason})"


def _rows(shard: Shard, text_column: str) -> Iterator[tuple]:
    """(number from 1, row); instead of what cannot be read an exception, or another value of JSON."""

    def rows(had):
        numbered = _parquet_shard(shard, text_column) if shard.file.endswith(".parquet") else _json_shard(shard)
        return itertools.islice(numbered, had, None)

    return ((number + 1, row) for number, row in reading_on(rows, shard.file))


# JSON Lines


def _json_shard(shard: Shard) -> Iterator[tuple]:
    """(number from 0, row)."""
    skipped = 0 if shard.offset is not None else shard.first
    lines = itertools.islice(_lines(shard.file, shard.offset or 0), skipped, skipped + shard.count)
    for number, line in enumerate(lines, shard.first):
        if isinstance(line, Exception):
            yield number, line
            continue
        if number == 0:
            line = line.removeprefix(_BOM)
        if line.strip():
            yield number, _parsed(line)


def _parsed(line: bytes):
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError as error:
        return ValueError(f"not UTF-8 ({error.reason} at byte {error.start})")
    except (ValueError, RecursionError) as error:
        return ValueError(f"not valid JSON ({getattr(error, 'msg', error)})")


def _lines(file: str, offset: int = 0) -> Iterator[bytes | Exception]:
    """The lines of a file from a byte on, which end with \\n alone; an error comes last where it cannot be unpacked."""
    if file.startswith("hf://") and file.endswith(_PACKED):  # of which each shard is read from the beginning
        place = cast("HfFileSystemResolvedRepositoryPath", HfFileSystem().resolve_path(file))
        file = hf_hub_download(place.repo_id, place.path_in_repo, repo_type=place.repo_type, revision=place.revision)
    with fsspec.open(file) as stream:
        stream.seek(offset)
        lines = stream
        if file.endswith(".gz"):
            lines = gzip.GzipFile(fileobj=stream)
        elif file.endswith(".zst"):
            lines = _split(_unzstd(stream))
        try:
            yield from lines
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            yield ValueError(f"the rest of the file cannot be unpacked ({error})")


def _unzstd(stream) -> Iterator[bytes]:
    """What all frames of a stream unpack to. Raises EOFError where the last has no end, which zstandard passes over."""
    import zstandard

    frame = None
    while chunk := stream.read(2**17):
        while chunk:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            try:
                yield frame.decompress(chunk)
            except zstandard.ZstdError as error:
                raise EOFError(error) from error
            chunk = b""
            if frame.eof:  # another may follow: `zstd` of several files, joined
                chunk = frame.unused_data
                frame = None
    if frame:
        raise EOFError("it ends inside of a frame")


def _split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


# Parquet


def _parquet_rows(file: str) -> int:
    """How many rows a file has; 1 where that cannot be read, which `read` tells is damaged."""
    with fsspec.open(file) as stream:
        try:
            return ParquetFile(stream).metadata.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            _damage(error)
            return 1


def _parquet_shard(shard: Shard, text_column: str) -> Iterator[tuple]:
    """(number from 0, row). What is damaged of a row group is told once, and the next is read."""
    end = shard.first + shard.count
    with fsspec.open(shard.file) as stream:
        try:
            parquet = ParquetFile(stream)
        except (pa.ArrowInvalid, OSError) as error:
            yield shard.first, _damage(error)
            return
        _check_schema(parquet.schema_arrow, shard.file, text_column)
        last = 0
        for group in range(parquet.num_row_groups):
            number = last
            last += parquet.metadata.row_group(group).num_rows
            if last <= shard.first or number >= end:
                continue
            try:
                for batch in parquet.iter_batches(_BATCH, row_groups=[group]):
                    wanted = range(max(number, shard.first), min(number + len(batch), end))
                    yield from zip(wanted, _values(batch.slice(wanted.start - number, len(wanted))), strict=True)
                    number += len(batch)
            except (pa.ArrowInvalid, OSError) as error:
                number = max(number, shard.first)
                if number < end:
                    yield number, _damage(error, f"this and all rows to {min(last, end)} cannot be read")


def _check_schema(schema: pa.Schema, file: str, text_column: str) -> None:
    twice = _twice(schema)
    if twice is not None:  # of which a row would have one
        raise DataError(f"{file} has the column {twice!r} twice")
    if text_column not in schema.names:
        raise DataError(f"text_column {text_column!r} is not in {file}, which has: {', '.join(schema.names)}")
    kind = schema.field(text_column).type
    if not is_text(kind):
        raise DataError(f"text_column {text_column!r} of {file} holds {kind}, not text")


def _twice(fields: Iterable[pa.Field]) -> str | None:
    """The first name that stands twice, beside one another or inside of a column."""
    names = set()
    for field in fields:
        if field.name in names:
            return field.name
        names.add(field.name)
        inside = [field.type.field(place) for place in range(field.type.num_fields)]
        twice = _twice(inside)
        if twice is not None:
            return twice
    return None


def _damage(error: Exception, what: str = "the file cannot be read") -> ValueError:
    """An error of Arrow as damage of a file; raised again where it is of the disk or the network."""
    if not isinstance(error, pa.ArrowInvalid) and (type(error) is not OSError or error.errno is not None):
        raise error
    return ValueError(f"{what} ({error})")


def _values(batch: pa.RecordBatch) -> list:
    """The rows of a batch; an exception for one that has values which Python has not, such as text in no UTF-8."""
    damage = {}  # by row
    columns = [_column(column, damage) for column in batch.columns]
    rows: list = [dict(zip(batch.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]
    for row, error in damage.items():
        rows[row] = error
    return rows


def _column(column: pa.Array, damage: dict[int, Exception]) -> list:
    """The values of a column; of those that Python has not None, and their error in `damage`."""
    try:
        return column.to_pylist()
    except (ValueError, OverflowError):
        values = []
        for row, value in enumerate(column):
            try:
                values.append(value.as_py())
            except (ValueError, OverflowError) as error:
                damage.setdefault(row, ValueError(error))
                values.append(None)
        return values
