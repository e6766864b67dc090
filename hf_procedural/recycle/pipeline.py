"""Shards through datatrove: the same steps in one process, in several, on Slurm or on Ray, and again after a kill.

    record = {}                                      # that the steps of a shard share, and its file keeps
    steps = [Read(output, record, ...), ..., Write(output, schema, record)]
    run("local", steps, output, counts, finish, workers=2, options={})

A task of datatrove is a shard of the plan, which `begin` keeps in the output folder: a run that is started again has
the same shards, and does those whose files are not there. A file is whole or absent. datatrove's own logs, statistics
and marks are in OUTPUT/.datatrove.
"""

import contextlib
import copy
import importlib.util
import itertools
import json
import multiprocessing
import os
import shutil
import sys
import threading
import types
from collections.abc import Generator, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets.utils import tqdm

from .. import upstream
from ..files import whole
from ..moved import old_names
from ..training.launch import end_with_parent
from . import choices, reading
from .output import HIDDEN, METADATA, read_plan, shard_file

__getattr__ = old_names(__name__)

try:
    import datatrove.utils.logging
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
    from datatrove.pipeline.base import PipelineStep
except ImportError as error:
    raise ImportError(f"recycling runs through datatrove: pip install 'hf-procedural[recycle]' ({error})") from error

_METHODS = ("get_incomplete_ranks", "save_executor_as_json", "_run_for_rank")
_STDERR, _SET_UP = "datatrove.utils.logging:sys", "datatrove.utils.logging:setup_default_logger"
_MARK = "datatrove.executor:LocalPipelineExecutor.mark_rank_as_completed"
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


# Executors


class Local(LocalPipelineExecutor):
    """datatrove's, whose run (0.10) waits for ever for a worker that was killed, and leaves a process when it is."""

    def run(self) -> None:
        if any(upstream.get(f"datatrove.executor:LocalPipelineExecutor.{name}") is None for name in _METHODS):
            super().run()
            return
        ranks = self.get_incomplete_ranks()
        pipeline = self.pipeline
        self.save_executor_as_json()
        if self.workers == 1:
            for rank in ranks:
                self.pipeline = copy.deepcopy(pipeline)  # with statistics of its own
                self._run_for_rank(rank)
            return
        before = multiprocessing.active_children()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(sorted({step.__module__ for step in pipeline}))
        with futures.ProcessPoolExecutor(self.workers, context, initializer=_start_worker) as pool:
            try:
                tasks = [pool.submit(self._run_for_rank, rank) for rank in ranks]
                pool.submit(int)  # the death of its last worker is missed by a pool that is not used again
                for task in futures.as_completed(tasks):
                    task.result()
            except BaseException as error:  # Ctrl-C too
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in {*multiprocessing.active_children()}.difference(before):
                    worker.kill()  # in the middle of a shard, whose file is not there then
                if isinstance(error, futures.process.BrokenProcessPool):
                    message = "a worker was killed, for want of memory perhaps: run this again, with fewer workers"
                    raise RuntimeError(message) from error
                raise


def hide_logs() -> None:
    """Keeps what datatrove logs to its files, in this whole process: for the main of a script.

    datatrove 0.10 gives `sys.stderr` to loguru anew for each task, and has no switch for it.
    """
    if upstream.get(_STDERR) is None or upstream.get(_SET_UP) is None:
        return
    silent = vars(sys) | {"stderr": open(os.devnull, "w")}  # noqa: SIM115
    datatrove.utils.logging.sys = types.SimpleNamespace(**silent)  # ty: ignore[invalid-assignment]  (in its place)
    upstream.need(_SET_UP)()


def _start_worker() -> None:
    hide_logs()
    end_with_parent()


EXECUTORS = dict(zip(choices.EXECUTORS, (Local, SlurmPipelineExecutor, RayPipelineExecutor), strict=True))


def executor(kind: str, pipeline: list, output: Path, *, tasks: int, workers: int | None, options: dict, **more):
    """One of EXECUTORS, of a pipeline; `workers` None: 1 here, elsewhere all.

    Raises ValueError for wrong options, ImportError or OSError where there is no Ray or Slurm.
    """
    workers = (1 if kind == "local" else -1) if workers is None else workers
    settings: dict[str, Any] = {"tasks": tasks, "workers": workers, "logging_dir": str(output / HIDDEN)}
    try:
        chosen = EXECUTORS[kind](pipeline, **settings | more, **options)
    except TypeError as error:
        raise ValueError(f"executor_options {options}: {str(error).rpartition('__init__() ')[2]}") from error
    if kind == "ray" and importlib.util.find_spec("ray") is None:
        raise ImportError("executor ray is not installed: pip install ray")
    if kind == "slurm" and shutil.which("sbatch") is None:
        raise FileNotFoundError("executor slurm: there is no sbatch on this machine")
    return chosen


def run(kind: str, pipeline: list, output: Path, counts: list[int], finish, **settings) -> bool:
    """Runs a pipeline for all shards whose file is not there, and calls `finish`; `counts` are the shards' documents.

    `settings` are those of `executor`. False where all that happens later: Slurm has a queue of its own.
    """
    files = [shard_file(output, rank, len(counts)) for rank in range(len(counts))]
    _mark(output, files)
    shards = executor(kind, pipeline, output, tasks=len(counts), **settings)
    _check_marks(shards, files)
    if kind == "slurm":
        after_shards = {"depends": shards, "logging_dir": str(output / HIDDEN / "finish"), "skip_completed": False}
        executor(kind, [Finish(finish)], output, tasks=1, **settings, **after_shards).run()
        return False
    with _progress(output, files, counts):
        shards.run()
    missing = [file for file in files if not file.is_file()]
    if missing:  # Ray gives up after some attempts
        logs = output / HIDDEN / "logs"
        raise RuntimeError(f"{len(missing)} of {len(files)} shards were not made (see {logs}): run this again")
    finish()
    return True


def _mark(output: Path, files: list[Path]) -> None:
    """Has datatrove's marks say what the files say: which tasks are complete."""
    marks = output / HIDDEN / "completions"
    progress = output / HIDDEN / "progress"
    for folder in (marks, progress):
        folder.mkdir(parents=True, exist_ok=True)
    for rank, file in enumerate(files):
        mark = marks / f"{rank:05d}"
        if file.is_file():
            mark.touch()
        else:
            mark.unlink(missing_ok=True)
    for file in progress.iterdir():  # of a run before this one, which was killed
        file.unlink()


def _check_marks(made, files: list[Path]) -> None:
    """Says in one line where datatrove would make shards that are there."""
    missing = [rank for rank, file in enumerate(files) if not file.is_file()]
    upstream.agrees(_MARK, lambda: list(made.get_incomplete_ranks()) == missing, str(files[0].parent))


def tell_progress(output: Path, rank: int, done: float | None) -> None:
    """Lets the bar know how many documents of a shard are done; None when there is a file for it."""
    file = output / HIDDEN / "progress" / str(rank)
    if done is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(str(done))


@contextlib.contextmanager
def _progress(output: Path, files: list[Path], counts: list[int]) -> Generator[None]:
    """A bar over documents, of all processes: of what is in the folder, and what shards that are under way tell."""

    def look(bar):
        complete = {file.name for file in os.scandir(output)}
        done = sum(count for file, count in zip(files, counts, strict=True) if file.name in complete)
        for progress in (output / HIDDEN / "progress").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it is done now
                done += float(progress.read_text() or 0)
        bar.update(int(done) - bar.n)

    def watch(bar):
        while not ended.wait(0.5):
            look(bar)

    ended = threading.Event()
    with tqdm(total=sum(counts), unit=" documents") as bar:
        thread = threading.Thread(target=watch, args=[bar], daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            look(bar)
