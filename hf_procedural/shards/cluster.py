"""datatrove's executors: shards on Slurm or on Ray, and for recycling here, too.

    submit("slurm", work, tasks=64, options={"partition": "cpu", "time": "4:00:00"})   # each task is a part of the work

datatrove's own logs, statistics and marks are in FOLDER/.datatrove.
"""

import contextlib
import copy
import importlib.util
import multiprocessing
import os
import shutil
import sys
import threading
import types
from collections.abc import Callable, Generator
from concurrent import futures
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from .. import upstream
from ..errors import GOES_ON
from .executors import EXECUTORS, HIDDEN
from .processes import end_with_parent
from .work import Part, Work, is_complete, run

try:
    import datatrove.utils.logging
    from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
    from datatrove.pipeline.base import PipelineStep
except ImportError as error:
    raise ImportError(f"executors are datatrove's: pip install 'hf-procedural[recycle]' ({error})") from error

_METHODS = ("get_incomplete_ranks", "save_executor_as_json", "_run_for_rank")
_STDERR, _SET_UP = "datatrove.utils.logging:sys", "datatrove.utils.logging:setup_default_logger"
_MARK = "datatrove.executor:LocalPipelineExecutor.mark_rank_as_completed"
TASKS = 1_000  # of a cluster, where nobody says how many


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


CLASSES = dict(zip(EXECUTORS, (Local, SlurmPipelineExecutor, RayPipelineExecutor), strict=True))


def executor(kind: str, pipeline: list, output: Path, *, tasks: int, workers: int | None, options: dict, **more):
    """One of EXECUTORS, of a pipeline; `workers` None: 1 here, elsewhere all.

    Raises ValueError for wrong options, ImportError or OSError where there is no Ray or Slurm.
    """
    workers = (1 if kind == "local" else -1) if workers is None else workers
    # fsspec gives the same folder, of the first working directory, for the same relative name again.
    settings: dict[str, Any] = {"tasks": tasks, "workers": workers, "logging_dir": str(output.absolute() / HIDDEN)}
    try:
        chosen = CLASSES[kind](pipeline, **settings | more, **options)
    except TypeError as error:
        raise ValueError(f"executor_options {options}: {str(error).rpartition('__init__() ')[2]}") from error
    if kind == "ray" and importlib.util.find_spec("ray") is None:
        raise ImportError("executor ray is not installed: pip install ray")
    if kind == "slurm" and shutil.which("sbatch") is None:
        raise FileNotFoundError("executor slurm: there is no sbatch on this machine")
    return chosen


def mark(output: Path, done: list[bool]) -> None:
    """Has datatrove's marks say which tasks are complete."""
    marks = output / HIDDEN / "completions"
    marks.mkdir(parents=True, exist_ok=True)
    for rank, is_done in enumerate(done):
        file = marks / f"{rank:05d}"
        if is_done:
            file.touch()
        else:
            file.unlink(missing_ok=True)


def check_marks(made, done: list[bool], folder: Path) -> None:
    """Says in one line where datatrove would do tasks again."""
    missing = [rank for rank, is_done in enumerate(done) if not is_done]
    upstream.agrees(_MARK, lambda: list(made.get_incomplete_ranks()) == missing, str(folder))


@contextlib.contextmanager
def watched(look: Callable[[], float], bar=tqdm, **settings) -> Generator[None]:
    """A bar with the `settings` of tqdm, of which ``look()`` says now and then how far all processes are."""

    def update(shown):
        shown.update(int(look()) - shown.n)

    def watch(shown):
        while not ended.wait(0.5):
            update(shown)

    ended = threading.Event()
    with bar(**settings) as shown:
        thread = threading.Thread(target=watch, args=[shown], daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            update(shown)


# Work of hf_procedural.shards


class MakePart(PipelineStep):
    """The shards of a part of some work: a task is one, of as many as there are tasks."""

    type, name = "💽 - WRITER", "shards"

    def __init__(self, work: Work):
        super().__init__()
        self.work = work

    def run(self, data=None, rank: int = 0, world_size: int = 1) -> None:
        run(self.work, part=Part(rank, world_size))


def check(kind: str, work: Work, options: dict) -> None:
    """Raises ValueError, ImportError or OSError where `submit` could not begin; writes nothing."""
    executor(kind, [MakePart(work)], work.folder, tasks=1, workers=None, options=options)


def submit(kind: str, work: Work, tasks: int | None, options: dict) -> int:
    """Makes shards that are not there by tasks of a cluster; gives how many tasks are in its queue.

    Ray is waited for, and then there are none. `tasks` None: one for each shard, but not more than 1,000. The folder
    must be the same for all machines.
    """
    hide_logs()
    parts = [Part(index, min(tasks or TASKS, work.count)) for index in range(min(tasks or TASKS, work.count))]
    done = [all(map(work.is_there, part.numbers(work.count))) for part in parts]
    if all(done):
        run(work)
        return 0
    made = executor(kind, [MakePart(work)], work.folder, tasks=len(parts), workers=None, options=options)
    work.folder.mkdir(parents=True, exist_ok=True)
    work.begin()
    mark(work.folder, done)
    check_marks(made, done, work.folder)
    if kind == "slurm":
        made.run()
        return done.count(False)
    with watched(Done(work, parts), desc=work.title, unit=" rows", unit_scale=True, total=_rows(work), disable=None):
        made.run()
    if not is_complete(work):  # Ray gives up after some attempts
        raise RuntimeError(f"not all shards were made (see {work.folder / HIDDEN / 'logs'}): {GOES_ON}")
    return 0


def _rows(work: Work) -> int:
    return sum(map(work.rows, range(work.count)))


class Done:
    """How many rows are there, by looking at the next shard of each part, of which each makes one after another."""

    def __init__(self, work: Work, parts: list[Part]):
        self.work = work
        self.numbers = [part.numbers(work.count) for part in parts]
        self.places = [0] * len(parts)
        self.done = 0

    def __call__(self) -> int:
        for index, numbers in enumerate(self.numbers):
            while self.places[index] < len(numbers) and self.work.is_there(numbers[self.places[index]]):
                self.done += self.work.rows(numbers[self.places[index]])
                self.places[index] += 1
        return self.done
