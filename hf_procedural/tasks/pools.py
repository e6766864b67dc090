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
            descriptor = os.open(folder() / name, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
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
    for place, number in enumerate(numbers.tolist()):
        file.seek(_ENTRY.size * number)
        entry = file.read(_ENTRY.size)
        if len(entry) == _ENTRY.size:
            value, digest = _ENTRY.unpack(entry)
            if digest == _digest(name, number, value):
                found[place] = value


def _write(file, name: str, numbers, found) -> None:
    for number, value in zip(numbers.tolist(), found.tolist(), strict=True):
        file.seek(_ENTRY.size * number)
        file.write(_ENTRY.pack(value, _digest(name, number, value)))


def _digest(name: str, number: int, value: int) -> bytes:
    return hashlib.blake2b(f"{name} {number} {value}".encode(), digest_size=8).digest()
