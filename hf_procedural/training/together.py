"""Several runs at a time on one machine, each in a process and with a log of its own. Light: no torch.

A run that fails, or is killed, leaves the others alone. A process takes one run after the other, since it has imported
what they need.
"""

import itertools
import multiprocessing
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tqdm import tqdm

from ..errors import program
from ..shards.processes import end_with_parent
from ..terminal import in_a_line
from .interruption import OutOfTime

SMALL = 10_000_000  # weights of a model of which two runs are faster side by side than on all cores in turn
MEMORY = 2 * 2**30  # bytes that a run of such a model takes with its process, at most
_END = 4096  # bytes at the end of a log, where its last line is


def at_a_time(asked: int | None, runs: int, cores: int, weights: int | None, free: float) -> int:
    """How many of `runs` at a time: so many as were asked for, else one for each core and 2 GB where models are small.

    `weights` are those of the largest model on a CPU, None on a GPU; `free` is memory, in bytes.
    """
    if asked is not None:
        return min(asked, max(runs, 1))
    if weights is None or weights > SMALL:
        return 1
    return max(1, min(runs, cores, int(free // MEMORY)))


def run_together(count: int, function: Callable, jobs: list[tuple], logs: list[Path]) -> Generator[tuple[int, Future]]:
    """Calls ``function(*job)`` for all jobs, `count` at a time: the number of each with its future, as they are done.

    What a job prints, and the traceback of its error, is added to its log. Where this is left early (close it), the
    jobs that run are ended, as by Ctrl-C; none begins after one that has run out of time.
    """
    context = multiprocessing.get_context("spawn")
    before = {*multiprocessing.active_children()}
    slots: queue.SimpleQueue[ProcessPoolExecutor | None] = queue.SimpleQueue()
    for _ in range(count):
        slots.put(None)

    is_over = threading.Event()

    def run(log: Path, job: tuple):
        if is_over.is_set():
            raise CancelledError
        pool = slots.get() or ProcessPoolExecutor(1, context, _begin)  # of one, which breaks alone
        try:
            return pool.submit(_logged, log, function, job).result()
        except BrokenProcessPool:
            pool = None
            raise
        except OutOfTime:
            is_over.set()  # here, before this thread takes the next job
            raise
        finally:
            slots.put(pool)

    threads = ThreadPoolExecutor(count)
    futures = {threads.submit(run, logs[number], job): number for number, job in enumerate(jobs)}
    try:
        for done in as_completed(futures):
            if not isinstance(done.exception(), CancelledError):
                yield futures[done], done
    except BaseException:
        is_over.set()
        while wait(futures, timeout=0.1).not_done:  # one may be about to start
            for worker in {*multiprocessing.active_children()} - before:
                worker.terminate()
        raise
    finally:
        threads.shutdown()
        for pool in filter(None, itertools.starmap(slots.get, [()] * count)):
            pool.shutdown()


def _begin() -> None:
    """In a new process. Of tqdm's own lock, a semaphore, Python would warn when the process is ended by a signal."""
    end_with_parent()
    tqdm.set_lock(threading.RLock())


def _logged(log: Path, function: Callable, job: tuple):
    """In the process of a job: all that it prints goes to its log, also what libraries write without Python."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    try:
        return function(*job)
    except Exception:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()


def why(error: BaseException, log: Path) -> str:
    """Why a job failed, in a line: what it told itself, where it did."""
    if isinstance(error, BrokenProcessPool):
        return "its process was killed, for want of memory perhaps"
    if isinstance(error, SystemExit) and log.is_file():
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _END))
            lines = file.read().decode(errors="replace").split("\n")
        errors = [line for line in lines if line.startswith(f"{program()}: error: ")]
        if errors:
            return in_a_line(errors[-1].partition(": error: ")[2])
    return in_a_line(f"{type(error).__name__} {error}")
