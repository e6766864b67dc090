"""Work in shards: files that are made one by one, each from its number alone, and are whole or not there at all.

    run(work)                                        # here
    run(work, workers=8)                             # by eight processes of this machine
    run(work, part=Part(0, 2))                       # every second shard, while another machine runs Part(1, 2)

The bytes are the same, whoever makes which shard. One that is there is not made again, so that what was interrupted
goes on. Nothing is kept of a shard beyond its number: of a million there is no list.
"""

import contextlib
import multiprocessing
import os
import pickle
import re
import signal
import sys
import threading
from collections.abc import Callable, Generator
from multiprocessing import connection
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tqdm import tqdm

from .. import locks
from ..errors import GOES_ON, at_least
from .processes import end_with_parent


class Part(NamedTuple):
    """Every `of`-th shard, from `index` on."""

    index: int = 0
    of: int = 1

    def numbers(self, count: int) -> range:
        """Its shards, of `count`."""
        return range(self.index, count, self.of)

    @property
    def mark(self) -> str:
        """What is in the names of its unfinished files, which so are never another part's; empty of all."""
        return "" if self.of == 1 else f".{self.index}-of-{self.of}"

    @property
    def lock(self) -> str:
        return locks.LOCK if self.of == 1 else f"_part{self.mark}.lock"


ALL = Part()


def part_of(text: str | None) -> Part:
    """
    >>> part_of("1/4"), part_of(None)
    (Part(index=1, of=4), Part(index=0, of=1))
    """
    if text is None:
        return ALL
    numbers = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    part = Part(*map(int, numbers.groups())) if numbers else None
    if part is None or part.index >= part.of:
        raise ValueError(f"part must be I/N with I from 0 to N - 1, such as 0/4, got {text}")
    return part


class Work(Protocol):
    """What is made in shards. It goes to other processes, and so can be pickled."""

    @property
    def folder(self) -> Path: ...

    @property
    def title(self) -> str:
        """Of the bar."""
        ...

    @property
    def count(self) -> int:
        """Of shards."""
        ...

    def rows(self, number: int) -> int:
        """How many a shard has."""
        ...

    def is_there(self, number: int) -> bool:
        """Whether a shard is whole."""
        ...

    def begin(self) -> None:
        """Writes what says whose the folder is, before the first shard. Raises ValueError where it is another's."""
        ...

    def write(self, number: int, mark: str, tell: Callable[[int], object]) -> None:
        """Makes a shard, and tells numbers of rows as they are done. Unfinished files have `mark` in their names."""
        ...

    def finish(self) -> None:
        """Writes what all shards share, when they are there; the same whoever does, and however often."""
        ...


class Bar(tqdm):
    """Without tqdm's thread, which would be in the way of `_method`."""

    monitor_interval = 0


def run(work: Work, workers: int = 1, part: Part = ALL, bar=Bar) -> bool:
    """Makes the shards of a part that are not there; whether all of all parts are there now, and `finish` was called.

    Raises ValueError where another process makes them, or the same part, and RuntimeError where a worker was killed.
    """
    at_least("num_proc", workers, 1)
    with _holding(work.folder, part):
        work.begin()
        _make(work, workers, part, bar)
        with locks.in_turn(work.folder, "_finish.lock"):
            if not is_complete(work):
                return False
            work.finish()
            return True


def is_complete(work: Work) -> bool:
    """Whether all shards are there. The last is looked for first: of several processes at work none looks far."""
    if not work.folder.is_dir():
        return False
    with os.scandir(work.folder) as names:  # on a network file system, asks the server what is new
        next(names, None)
    return all(work.is_there(number) for number in reversed(range(work.count)))


@contextlib.contextmanager
def _holding(folder: Path, part: Part) -> Generator[None]:
    """Keeps those out who would do the same: all others from the whole, and from a part who does that or the whole."""
    _check_others(folder, part)  # which writes nothing, and again, since another may have looked at the same time
    with locks.holding(folder, name=part.lock):
        _check_others(folder, part)
        if part == ALL:
            for left in [*folder.glob(".*[0-9]-of-[0-9]*.tmp"), *folder.glob("_part.*.lock")]:  # by what was killed
                if left.is_file():  # a folder of that name is told by who wants to write there
                    left.unlink(missing_ok=True)
        yield


def _check_others(folder: Path, part: Part) -> None:
    others = [locks.LOCK] if part.of > 1 else sorted(file.name for file in folder.glob("_part.*.lock"))
    for name in others:
        locks.check_free(folder, name=name)


def _make(work: Work, workers: int, part: Part, bar) -> None:
    numbers = part.numbers(work.count)
    rows = done = missing = 0
    for number in numbers:
        rows += work.rows(number)
        if work.is_there(number):
            done += work.rows(number)
        else:
            missing += 1
    if not missing:
        return
    with bar(desc=work.title, unit=" rows", unit_scale=True, total=rows, initial=done, disable=None) as shown:
        if min(workers, missing) > 1:
            _together(work, numbers, part.mark, min(workers, missing), shown.update)
            return
        for number in numbers:
            if not work.is_there(number):
                work.write(number, part.mark, shown.update)


def _together(work: Work, numbers: range, mark: str, workers: int, tell: Callable[[int], object]) -> None:
    """Makes shards in processes of their own, each of which takes the next number; all end at once where one fails."""
    context: Any = multiprocessing.get_context(_method())
    taken = context.Value("q", 0)  # how many of the numbers
    done = context.RawArray("q", workers)  # rows; without a lock, with which a worker could die
    errors = context.SimpleQueue()
    processes = []
    try:
        # An interruption is for this process, which then ends the others: they inherit that it is blocked.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for worker in range(workers):
                words = (work, numbers, mark, worker, taken, done, errors)
                processes.append(context.Process(target=_work, args=words, daemon=True))
                processes[-1].start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        told = 0
        alive = processes
        while alive:
            connection.wait([process.sentinel for process in alive], timeout=0.2)
            alive = [process for process in alive if process.exitcode is None]  # before errors, which they tell first
            if not errors.empty():
                raise errors.get()
            if any(process.exitcode for process in processes):
                raise RuntimeError(f"a worker was killed, for want of memory perhaps: with fewer workers, {GOES_ON}")
            total = sum(done)
            tell(total - told)
            told = total
    finally:
        # Another thread, such as tqdm's, may have taken the interruption before the last one was started.
        started = [process for process in processes if process.pid is not None]
        for process in started:
            process.kill()  # in the middle of a shard, whose file is not there then
        for process in started:
            process.join()


def _method() -> str:
    """How processes begin: at once as copies of this one, which is safe where nothing that has threads is loaded.

    NumPy's own take care of it. Elsewhere they begin anew, which takes some two seconds.
    """
    is_alone = threading.active_count() == 1 and not {"pyarrow", "torch"} & sys.modules.keys()
    return "fork" if is_alone and sys.platform == "linux" else "spawn"


def _work(work: Work, numbers: range, mark: str, worker: int, taken, done, errors) -> None:
    end_with_parent()

    def tell(count: int) -> None:
        done[worker] += count

    try:
        while True:
            with taken.get_lock():
                place = taken.value
                taken.value += 1
            if place >= len(numbers):
                return
            if not work.is_there(numbers[place]):
                work.write(numbers[place], mark, tell)
    except Exception as error:
        errors.put(error if _travels(error) else RuntimeError(f"{type(error).__name__}: {error}"))


def _travels(error: Exception) -> bool:
    """Whether an error can be given to another process, which those of some libraries cannot."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # of each library its own
        return False
    return True
