"""Rows of a task as Parquet files, through the builder: constant memory, several processes, resumed file by file."""

import dataclasses
import functools
import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets.utils import tqdm

from ..errors import in_bytes
from ..files import check_folder, whole
from ..shards.work import run
from ..terminal import visible
from . import blocks

SHARD_BYTES = 2 * 2**30  # in memory; a tenth to a third of it on disk
GROUP_BLOCKS = 64  # blocks in a row group: some 64 MiB in memory
_OF_ALL = {"task", "seed", "fingerprint", "split", "rows"}  # what every file says about itself
SMALLEST = 50  # Parquet files of rows are never so many times smaller than the rows in memory; of ours 16 times at most


@dataclasses.dataclass(frozen=True)
class Shard:
    """One Parquet file: its name, and which rows of which split it holds."""

    file: str
    split: str
    start: int  # the first of its rows
    stop: int
    origin: dict  # task with its parameters, seed and fingerprint; and the form of rows, where that is not the usual

    @property
    def rows(self) -> int:
        return self.stop - self.start

    @property
    def metadata(self) -> bytes:
        """What the file says about itself, under the key hf_procedural."""
        return json.dumps(self.origin | {"split": self.split, "rows": [self.start, self.stop]}).encode()


@dataclasses.dataclass(frozen=True)
class Rows:
    """All rows of a `Procedural` builder as files of `rows_each`, a `shards.work.Work`.

    Their names are ``train-00000-of-00002.parquet`` and so on, split by split.
    """

    builder: Any  # a Procedural, which builder.py makes
    folder: Path
    rows_each: int

    @classmethod
    def of(cls, builder, folder, rows_each: int | None = None) -> "Rows":
        """With files of 2 GiB in memory where nothing else is said, always of whole blocks."""
        size = blocks.block_rows(builder.config.task)
        most = SHARD_BYTES // (2 * 4 * builder.config.task.max_length) if rows_each is None else rows_each
        return cls(builder, Path(folder), max(1, most // size) * size)

    @property
    def title(self) -> str:
        """Of the bar."""
        return visible(f"Writing {self.builder.config.name}")

    @functools.cached_property
    def _splits(self) -> list[tuple[str, int, int, dict]]:
        """Each split with its rows, files, and what files say about themselves."""
        config, splits = self.builder.config, []
        for split, rows in config.rows().items():
            fingerprint = blocks.fingerprint(config.task, config.seed, split)
            origin = {"task": config.task.key, "seed": config.seed, "fingerprint": fingerprint}
            splits.append((split, rows, -(-rows // self.rows_each), origin | config.form))
        return splits

    @property
    def count(self) -> int:
        """Of files."""
        return sum(count for _, _, count, _ in self._splits)

    def shard(self, number: int) -> Shard:
        """What a file holds."""
        for split, rows, count, origin in self._splits:
            if number < count:
                start = number * self.rows_each
                stop = min(rows, start + self.rows_each)
                return Shard(f"{split}-{number:05d}-of-{count:05d}.parquet", split, start, stop, origin)
            number -= count
        raise IndexError("there is no such file")

    def __iter__(self) -> Iterator[Shard]:
        return map(self.shard, range(self.count))

    def rows(self, number: int) -> int:
        """Of a file."""
        return self.shard(number).rows

    def is_there(self, number: int) -> bool:
        """Whether a file is."""
        return (self.folder / self.shard(number).file).exists()

    def begin(self) -> None:
        """Raises ValueError as `check` does."""
        self.check()

    def check(self) -> None:
        """Raises ValueError where the folder has Parquet files of other rows, or its disk has no room for these.

        Those of other splits of the same task may be there.
        """
        _check_room(self.builder, self.folder)
        check_folder(self.folder)
        for file in sorted(self.folder.glob("*.parquet")):
            metadata = _metadata(file)
            if metadata != self._expected(file.name) and not _is_other_split(metadata, self.builder):
                raise ValueError(f"{file} does not hold these rows: choose another folder, or remove it")

    def _expected(self, name: str) -> bytes:
        """What a file of that name says about itself; nothing where there is none."""
        before = 0
        for split, _, count, _ in self._splits:
            found = re.fullmatch(rf"{split}-(\d+)-of-{count:05d}\.parquet", name)
            if found and int(found[1]) < count:
                return self.shard(before + int(found[1])).metadata
            before += count
        return b""

    def write(self, number: int, mark: str, tell: Callable[[int], object]) -> None:
        """Writes a file, and tells the number of rows of each of its row groups as it is written."""
        shard, builder = self.shard(number), self.builder
        schema = builder.info.features.arrow_schema
        schema = schema.with_metadata(schema.metadata | {"hf_procedural": shard.metadata})
        size = blocks.block_rows(builder.config.task)
        ranges = [(shard.start // size, -(-shard.stop // size))]
        tables = (table for _, table in builder._generate_tables(shard.split, shard.stop, ranges))
        # A hidden file, since load_dataset(folder) would take train-*.parquet.tmp for data.
        with whole(self.folder / shard.file, alone=True, mark=mark) as temporary:
            for count in write_tables(temporary, tables, schema):
                tell(count)

    def finish(self) -> None:
        """Writes the coding of rows in a tokenizer's ids."""
        if self.builder.config.coding:
            self.builder.config.coding.save(self.folder)


def write(builder, folder, num_proc: int = 1) -> list[Path]:
    """Writes all rows of a `Procedural` builder into `folder`, and gives the files.

    A file that is there and holds the rows wanted is left alone; each is complete or not there at all. Raises
    ValueError, before anything is written, as `Rows.check` does.
    """
    rows = Rows.of(builder, folder)
    rows.check()
    run(rows, num_proc, bar=tqdm)
    return [rows.folder / shard.file for shard in rows]


def shards(builder) -> list[Shard]:
    """What the files of all rows of a `Procedural` builder hold, in order."""
    return list(Rows.of(builder, ""))


def missing_shards(builder, folder) -> list[Shard]:
    """The shards that `folder` does not hold yet. Raises ValueError as `Rows.check` does."""
    rows = Rows.of(builder, folder)
    rows.check()
    return [shard for shard in rows if not (rows.folder / shard.file).exists()]


def write_tables(file: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[int]:
    """Writes tables, one of each block of rows, into a Parquet file; gives the rows of each row group when it is done.

    With the page index, as `datasets` 5.2 writes it: the Hub's viewer reads a page of it and not a row group.
    """
    rest = iter(tables)
    with pq.ParquetWriter(file, schema, write_statistics=False, write_page_index=True) as writer:
        while count := _write_group(writer, list(itertools.islice(rest, GROUP_BLOCKS)), schema):
            yield count


def _write_group(writer: pq.ParquetWriter, tables: list[pa.Table], schema: pa.Schema) -> int:
    """Writes a row group, which is in memory until then; gives its rows, 0 for none."""
    if not tables:
        return 0
    group = pa.concat_tables(tables).replace_schema_metadata(schema.metadata)
    writer.write_table(group, row_group_size=len(group))
    return len(group)


def _check_room(builder, folder: Path) -> None:
    """Raises ValueError for more rows than the disk of `folder` can hold in the best case."""
    task, sizes = builder.config.task, builder.config.rows()
    rows, width = sum(sizes.values()), task.max_length
    needed = 2 * 4 * sum(count * task.row_length(split) for split, count in sizes.items()) // SMALLEST
    there = next(above for above in (folder.absolute(), *folder.absolute().parents) if above.exists())
    free = shutil.disk_usage(there).free
    done = sum(file.stat().st_size for file in folder.glob("*.parquet")) if folder.is_dir() else 0
    if needed > free + done:
        raise ValueError(
            f"{rows:,} rows of {width:,} tokens need {in_bytes(needed)} at the very least, and {there} has "
            f"{in_bytes(free)} free: ask for fewer"
        )


def _is_other_split(metadata: bytes | None, builder) -> bool:
    """Whether a file is of the same task, but of a split that is not written now."""
    if metadata is None:
        return False
    try:
        origin = json.loads(metadata)
        task, split = origin["task"], origin["split"]
        form = {key: origin[key] for key in origin.keys() - _OF_ALL}
    except (ValueError, KeyError, TypeError, AttributeError):  # not of ours
        return False
    is_same = task == builder.config.task.key and form == builder.config.form
    return is_same and split not in builder.config.rows()


def _metadata(file: Path) -> bytes | None:
    if not file.is_file():  # a pipe would be waited for
        return None
    try:
        return (pq.read_schema(file).metadata or {}).get(b"hf_procedural")
    except (pa.ArrowInvalid, OSError) as error:
        if getattr(error, "errno", None) is not None:  # of the disk; Arrow's own of damaged files have none
            raise
        return None
