"""Blocks that the processes of one machine make together, in memory that they share: each makes its own of a group.

    block        0 1 2 3 | 4 5 6 7 | ...        of four processes: a group of four at a time
    made by      0 1 2 3 | 0 1 2 3 | ...

Rows of a global batch are next to one another in a block, which only one generator can make; so that who needs some of
them reads the others' blocks. Sharing is a matter of speed alone: a block that does not come is made here.
"""

import atexit
import dataclasses
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

from ..files import whole
from ..terminal import logger

_MEMORY = Path("/dev/shm")
_ROOM = 2**30  # bytes free in memory; a container often has 64 MB, which PyTorch's workers need, and die without
_PREFIX = "hf_procedural-blocks-"
_PATIENCE = 60.0  # seconds; processes that train together are hardly further apart
_POLL = 0.0005
Columns = np.ndarray | tuple[np.ndarray, np.ndarray]  # [2, rows, length], or two of [rows, length]


def new_folder() -> Path:
    """A folder in memory, or where temporary files are, until this process ends. Removes those of killed ones."""
    disk = Path(tempfile.gettempdir())
    for old in itertools.chain(_MEMORY.glob(f"{_PREFIX}*-*"), disk.glob(f"{_PREFIX}*-*")):
        owner = old.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    has_room = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM
    place = _MEMORY if has_room else disk
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@dataclasses.dataclass
class Shared:
    """The blocks of a stream, of which this process makes those whose number is `place` modulo `places`.

    Args:
        folder: the same for all processes of a machine.
        place: of this process among them, from 0.
        places: how many they are.
        kept: groups; as far apart processes may be.
        name: of the stream: blocks of the same name and number are equal.
        make: gives the block of a number.
    """

    folder: Path
    place: int
    places: int
    kept: int
    name: str
    make: Callable[[int], Columns]
    groups: int = 0  # of those before this one, this process has made its part
    is_alone: bool = False  # there is no room, or the others do not come

    def make_own(self, first: int, last: int) -> None:
        """Makes this process's part of the groups from that of block `first` to that of block `last`."""
        end = last // self.places + 1
        for group in range(max(self.groups, first // self.places), end):
            self._publish(group * self.places + self.place)
        self.groups = max(end, self.groups)

    def block(self, number: int) -> Columns:
        """A block, which may be read-only; waits for the process whose it is."""
        end = time.monotonic() + _PATIENCE
        while not self.is_alone:
            try:
                return np.load(self._file(number), mmap_mode="r")
            except FileNotFoundError:
                if not self.folder.is_dir() or time.monotonic() > end:
                    self._leave("blocks of the other processes do not come")
                time.sleep(_POLL)
        return self.make(number)

    def _publish(self, number: int) -> None:
        file = self._file(number)
        if self.is_alone or file.exists():
            return
        try:
            with whole(file, alone=True) as temporary, temporary.open("wb") as stream:
                np.save(stream, self.make(number))
            mine = sorted(self.folder.glob(f"{self.place}-*"), key=lambda file: file.stat().st_mtime_ns)
            for old in mine[: -self.kept]:
                old.unlink()
        except OSError as error:
            self._leave(error)

    def _leave(self, reason) -> None:
        self.is_alone = True
        shutil.rmtree(self.folder, ignore_errors=True)  # by which the others see that they are alone, too
        logger(__name__).warning("%s: %s; each process makes all rows from now on", self.folder, reason)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number % self.places}-{self.name}-{number}.npy"
