"""Rows of a task as Parquet files, through the builder: constant memory, several processes, resumed file by file."""

import dataclasses
import json
import math
import multiprocessing
import shutil
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets.utils import tqdm

from ..errors import at_least, in_bytes
from ..files import check_folder, whole
from ..locks import holding
from ..terminal import visible
from . import blocks

SHARD_BYTES = 2 * 2**30  # in memory; a tenth to a third of it on disk
GROUP_BLOCKS = 64  # blocks in a row group: some 64 MiB in memory
SMALLEST = 50  # Parquet files of rows are never so many times smaller than the rows in memory; of ours 16 times at most


@dataclasses.dataclass(frozen=True)
class Shard:
    """One Parquet file: its name, and which rows of which split it holds."""

    file: str
    split: str
    start: int  # the first of its rows
    stop: int
    origin: dict  # task with its parameters, seed and fingerprint; fixed_size where that is false

    @property
    def rows(self) -> int:
        return self.stop - self.start

    @property
    def metadata(self) -> bytes:
        """What the file says about itself, under the key hf_procedural."""
        return json.dumps(self.origin | {"split": self.split, "rows": [self.start, self.stop]}).encode()


def shards(builder) -> list[Shard]:
    """The files that hold all rows of a `Procedural` builder, in order: ``train-00000-of-00002.parquet`` and so on."""
    task, seed = builder.config.task, builder.config.seed
    block = blocks.block_rows(task)
    rows_each = max(1, SHARD_BYTES // (2 * 4 * task.max_length * block)) * block
    planned = []
    for split, rows in builder.config.rows().items():
        count = math.ceil(rows / rows_each)
        origin = {"task": task.key, "seed": seed, "fingerprint": blocks.fingerprint(task, seed, split)}
        if not builder.config.fixed_size:
            origin["fixed_size"] = False
        for number in range(count):
            start = number * rows_each
            stop = min(rows, start + rows_each)
            planned.append(Shard(f"{split}-{number:05d}-of-{count:05d}.parquet", split, start, stop, origin))
    return planned


def write(builder, folder, num_proc: int = 1) -> list[Path]:
    """Writes all rows of a `Procedural` builder into `folder`, and gives the files.

    A file that is there and holds the rows wanted is left alone; each is complete or not there at all. Raises
    ValueError, before anything is written, as `missing_shards` does.
    """
    at_least("num_proc", num_proc, 1)
    folder = Path(folder)
    missing_shards(builder, folder)
    with holding(folder):
        return _write_missing(builder, folder, num_proc)


def _write_missing(builder, folder: Path, num_proc: int) -> list[Path]:
    planned = shards(builder)
    missing = missing_shards(builder, folder)
    rows = sum(shard.rows for shard in planned)
    done = rows - sum(shard.rows for shard in missing)
    title = visible(f"Writing {builder.config.name}")
    with tqdm(desc=title, unit=" rows", unit_scale=True, total=rows, initial=done, disable=not missing) as bar:
        if num_proc == 1 or len(missing) < 2:
            for shard in missing:
                for count in _write(builder, shard, folder):
                    bar.update(count)
        else:
            for count in _write_in_parallel(builder, missing, folder, num_proc):
                bar.update(count)
    return [folder / shard.file for shard in planned]


def missing_shards(builder, folder) -> list[Shard]:
    """The shards that `folder` does not hold yet.

    Raises ValueError where it holds Parquet files of other rows; those of other splits of the same task may be there.
    And where the disk cannot hold what is asked for.
    """
    folder = Path(folder)
    _check_room(builder, folder)
    planned = shards(builder)
    check_folder(folder)
    wanted = {shard.file: shard.metadata for shard in planned}
    for file in sorted(folder.glob("*.parquet")):
        metadata = _metadata(file)
        is_wanted = metadata == wanted.get(file.name, b"")
        if not is_wanted and not _is_other_split(metadata, builder):
            raise ValueError(f"{file} does not hold these rows: choose another folder, or remove it")
    return [shard for shard in planned if not (folder / shard.file).exists()]


def _check_room(builder, folder: Path) -> None:
    """Raises ValueError for more rows than the disk of `folder` can hold in the best case."""
    rows, width = sum(builder.config.rows().values()), builder.config.task.max_length
    needed = 2 * 4 * rows * width // SMALLEST
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
        task, split, fixed_size = origin["task"], origin["split"], origin.get("fixed_size", True)
    except (ValueError, KeyError, TypeError, AttributeError):  # not of ours
        return False
    is_same = task == builder.config.task.key and fixed_size == builder.config.fixed_size
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


def _write_in_parallel(builder, missing: list[Shard], folder: Path, num_proc: int):
    """Writes files in processes of their own, and gives the number of rows of each. They end at once where one fails.

    An interruption is for this process, which then ends the others: on a terminal all of them would be told.
    """
    others = set(multiprocessing.active_children())
    spawn = multiprocessing.get_context("spawn")  # fork is not safe where there are threads
    with ProcessPoolExecutor(min(num_proc, len(missing)), spawn) as pool:
        try:
            # The new processes, which `submit` starts, inherit that an interruption is blocked.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            jobs = [pool.submit(_write_whole, builder, shard, folder) for shard in missing]
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for job in as_completed(jobs):
                yield job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise


def _write_whole(builder, shard: Shard, folder: Path) -> int:
    return sum(_write(builder, shard, folder))


def _write(builder, shard: Shard, folder: Path):
    """Writes a file, and gives the number of rows of each of its row groups as it is written."""
    schema = builder.info.features.arrow_schema
    schema = schema.with_metadata(schema.metadata | {"hf_procedural": shard.metadata})
    block_rows = blocks.block_rows(builder.config.task)
    first = shard.start // block_rows
    last = math.ceil(shard.stop / block_rows)
    # A hidden file, since load_dataset(folder) would take train-*.parquet.tmp for data.
    with (
        whole(folder / shard.file, alone=True) as temporary,
        pq.ParquetWriter(temporary, schema, write_statistics=False) as writer,
    ):
        for start in range(first, last, GROUP_BLOCKS):
            ranges = [(start, min(last, start + GROUP_BLOCKS))]
            tables = [table for _, table in builder._generate_tables(shard.split, shard.stop, ranges)]
            group = pa.concat_tables(tables).replace_schema_metadata(schema.metadata)
            writer.write_table(group, row_group_size=len(group))
            yield len(group)
