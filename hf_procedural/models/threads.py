"""Runs a compiled callback in the threads that torch has already.

After each operation torch's threads wait for the next one in a loop that keeps their cores busy. Threads of our own
would share these cores with them, and on two of them a second one made a training step slower; in torch's own team they
are free.
"""

import ctypes
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import torch

_pool = ThreadPoolExecutor(max_workers=64)


def run(kernel, job: Sequence[int]) -> None:
    """Has all threads work on a job: its pieces, and what `kernel` (of `compiled.callback`) is told besides.

    Memory that a job names by its address must be there until this returns.
    """
    fields = np.array([0, *job], np.int64)  # from piece 0 on
    threads = max(1, min(torch.get_num_threads(), job[0]))
    team = _team()
    if team is not None:
        team(kernel.address, fields.ctypes.data, threads, 0)
        return
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(kernel.address)
    # Half as many: torch's keep the other cores busy for a while.
    others = [_pool.submit(call, fields.ctypes.data) for _ in range(threads // 2 - 1)]
    try:
        call(fields.ctypes.data)
    finally:
        wait(others)  # as long as they write where the job says


def bits(number: float) -> int:
    """A float32 as an integer of a job."""
    return int(np.float32(number).view(np.int32))


@functools.cache
def _team() -> Callable | None:
    """GCC's call of a function in all threads of a team: as torch makes it, which has one for each calling thread.

    None where torch was built for another library (which may do without it).
    """
    bundled = [str(file) for file in sorted(Path(torch.__file__).parent.glob("lib/libgomp*.so*"))]
    for library in (*bundled, None):
        try:
            call = ctypes.CDLL(library).GOMP_parallel
        except (OSError, AttributeError, TypeError):  # TypeError: Windows has no library of the whole process
            continue
        call.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        call.restype = None
        return call
    return None
