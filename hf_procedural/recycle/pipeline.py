"""Shards through datatrove: the same steps in one process, in several, on Slurm or on Ray, and again after a kill.

    record = {}                                      # that the steps of a shard share, and its file keeps
    steps = [Read(output, record, ...), ..., Write(output, schema, record)]
    run("local", steps, output, counts, finish, workers=2, options={})

A task of datatrove is a shard of the plan, which `begin` keeps in the output folder: a run that is started again has
the same shards, and does those whose files are not there. A file is whole or absent. datatrove's own logs, statistics
and marks are in OUTPUT/.datatrove.
"""

import contextlib
import functools
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets.utils import tqdm

from ..files import whole
from ..moved import old_names
from . import reading
from .output import HIDDEN, METADATA, read_plan, shard_file

__getattr__ = old_names(__name__)

try:
    from datatrove.data import Document
    from datatrove.pipeline.base import PipelineStep

    from ..shards.cluster import check_marks, executor, hide_logs, mark, watched
except ImportError as error:
    raise ImportError(f"recycling runs through datatrove: pip install 'hf-procedural[recycle]' ({error})") from error

__all__ = ["Document", "Finish", "PipelineStep", "Read", "Write", "executor", "hide_logs", "run", "tell_progress"]
_GROUP = 1_000  # rows in a row group, which is in memory as a whole

# Steps


class Read(PipelineStep):
    """The good rows of a shard as documents; what is damaged is on record."""

    type, name = "📖 - READER", "shard of the plan"

    def __init__(self, output: Path, record: dict, text_column: str, id_column: str, strict: bool):
        super().__init__()
        self.output = output
        self.record = record
        self.columns: dict[str, Any] = {"text_column": text_column, "id_column": id_column, "strict": strict}

    def run(self, data=None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        # Now, and not when the first document is asked for, which is after other steps have begun their records.
        self.record.clear()  # this process may have had another shard
        self.record["damaged"] = damaged = []
        plan = read_plan(self.output)
        return self._documents(reading.Shard(*plan["shards"][rank]), damaged)

    def _documents(self, shard: reading.Shard, damaged: list[str]) -> Iterator[Document]:
        for row in reading.read(shard, **self.columns, damaged=damaged.append):
            document = Document(row["text"], row["id"], metadata=row["metadata"])
            self.update_doc_stats(document)
            yield document


class Write(PipelineStep):
    """The file of a shard: of each document id, text, and its metadata, which are the other columns of the schema."""

    type, name = "💽 - WRITER", "parquet"

    def __init__(self, output: Path, schema: pa.Schema, record: dict):
        super().__init__()
        self.output = output
        self.schema = schema
        self.record = record

    def run(self, data, rank: int = 0, world_size: int = 1) -> None:
        rows = ({"id": document.id, "text": document.text} | document.metadata for document in data)
        file = shard_file(self.output, rank, world_size)
        with whole(file) as temporary, pq.ParquetWriter(temporary, self.schema, compression="zstd") as writer:
            while group := list(itertools.islice(rows, _GROUP)):
                with self.track_time("group"):
                    writer.write_table(pa.Table.from_pylist(group, self.schema))
            writer.add_key_value_metadata({METADATA: json.dumps(self.record)})


class Finish(PipelineStep):
    """Calls a function of no arguments: the last step of a run that nobody waits for."""

    type, name = "✅ - SUMMARY", "finish"

    def __init__(self, function):
        super().__init__()
        self.function = function

    def run(self, data=None, rank: int = 0, world_size: int = 1) -> None:
        self.function()


# All shards


def run(kind: str, pipeline: list, output: Path, counts: list[int], finish, **settings) -> bool:
    """Runs a pipeline for all shards whose file is not there, and calls `finish`; `counts` are the shards' documents.

    `settings` are those of `executor`. False where all that happens later: Slurm has a queue of its own.
    """
    files = [shard_file(output, rank, len(counts)) for rank in range(len(counts))]
    done = [file.is_file() for file in files]
    mark(output, done)
    progress = output / HIDDEN / "progress"
    progress.mkdir(parents=True, exist_ok=True)
    for file in progress.iterdir():  # of a run before this one, which was killed
        file.unlink()
    shards = executor(kind, pipeline, output, tasks=len(counts), **settings)
    check_marks(shards, done, output)
    if kind == "slurm":
        logs = str(output.absolute() / HIDDEN / "finish")
        after_shards = {"depends": shards, "logging_dir": logs, "skip_completed": False}
        executor(kind, [Finish(finish)], output, tasks=1, **settings, **after_shards).run()
        return False
    look = functools.partial(_documents, output, files, counts)
    with watched(look, tqdm, total=sum(counts), unit=" documents"):
        shards.run()
    missing = [file for file in files if not file.is_file()]
    if missing:  # Ray gives up after some attempts
        logs = output / HIDDEN / "logs"
        raise RuntimeError(f"{len(missing)} of {len(files)} shards were not made (see {logs}): run this again")
    finish()
    return True


def tell_progress(output: Path, rank: int, done: float | None) -> None:
    """Lets the bar know how many documents of a shard are done; None when there is a file for it."""
    file = output / HIDDEN / "progress" / str(rank)
    if done is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(str(done))


def _documents(output: Path, files: list[Path], counts: list[int]) -> float:
    """How many are done by all processes: those in the folder, and what shards that are under way tell."""
    complete = {file.name for file in os.scandir(output)}
    done: float = sum(count for file, count in zip(files, counts, strict=True) if file.name in complete)
    for progress in (output / HIDDEN / "progress").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it is done now
            done += float(progress.read_text() or 0)
    return done
