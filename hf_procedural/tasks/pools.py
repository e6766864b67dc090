"""Pools of rules that were found once, kept in the cache of datasets: the next process need not look for them.

A file has 16 bytes for each number of a pool: what was found, and a digest of that, the number and the pool's name.
Where the digest is another one, as in a file that is damaged or too short, it is found and written anew.
"""

import contextlib
import functools
import hashlib
import importlib.resources
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import locks

_SOURCES = ("kernels.py", "lanes_kernels.py", "deflate_kernels.py", "nca_kernels.py", "nca.py")  # which decide on rules
_FILES = 64  # so many pools are kept, those that were used last
_ENTRY = struct.Struct("<q8s")


def name_of(decisive: dict) -> str:
    """The name of a pool: a digest of what decides its rules, the sources that find them among it."""
    return hashlib.sha256(f"{json.dumps(decisive, sort_keys=True)} {_version()}".encode()).hexdigest()[:32]


@functools.cache
def _version() -> str:
    sources = importlib.resources.files("hf_procedural") / "tasks"
    return hashlib.sha256(b"".join((sources / name).read_bytes() for name in _SOURCES)).hexdigest()


def folder() -> Path:
    """Where pools are kept: below HF_DATASETS_CACHE, found as datasets does, which is not imported here."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    cache = Path(os.environ.get("HF_HOME") or home, "datasets")
    return Path(os.environ.get("HF_DATASETS_CACHE") or cache).expanduser() / "procedural_rules"


def known(name: str, numbers: np.ndarray, find: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What was found for each of the numbers of a pool, int32 ``[n]``, by `find` for those that are not yet known.

    Of several processes one at a time looks for rules, with all processors, and the others wait and read what it found.
    Where the folder cannot be written, each looks for itself.
    """
    with contextlib.ExitStack() as stack:
        file = None
        with contextlib.suppress(OSError):
            folder().mkdir(parents=True, exist_ok=True)
            is_new = not (folder() / name).exists()
            descriptor = os.open(folder() / name, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            os.utime(folder() / name)
            if is_new:
                from .. import compiled  # which imports Numba

                compiled.forget_oldest(folder(), _FILES)
            file = stack.enter_context(open(descriptor, "r+b", buffering=0))
            locks.wait_for(descriptor)
        found = np.full(len(numbers), -1, np.int32)
        if file is not None:
            with contextlib.suppress(OSError):
                _read(file, name, numbers, found)
        new = np.flatnonzero(found < 0)
        if len(new):
            found[new] = find(numbers[new])
            if file is not None:
                with contextlib.suppress(OSError):  # a full disk
                    _write(file, name, numbers[new], found[new])
        return found


def _read(file, name: str, numbers, found) -> None:
    for run in _runs(numbers):
        file.seek(_ENTRY.size * int(numbers[run[0]]))
        content = file.read(_ENTRY.size * len(run))
        entries = _ENTRY.iter_unpack(content[: len(content) // _ENTRY.size * _ENTRY.size])
        for place, (value, digest) in zip(run.tolist(), entries, strict=False):  # the file may end before
            if digest == _digest(name, int(numbers[place]), value):
                found[place] = value


def _write(file, name: str, numbers, found) -> None:
    for run in _runs(numbers):
        values = zip(numbers[run].tolist(), found[run].tolist(), strict=True)
        file.seek(_ENTRY.size * int(numbers[run[0]]))
        file.write(b"".join(_ENTRY.pack(value, _digest(name, number, value)) for number, value in values))


def _runs(numbers):
    """The places of numbers that follow each other, which are read and written at once."""
    return np.split(np.arange(len(numbers)), np.flatnonzero(np.diff(numbers) != 1) + 1)


def _digest(name: str, number: int, value: int) -> bytes:
    return hashlib.blake2b(f"{name} {number} {value}".encode(), digest_size=8).digest()
