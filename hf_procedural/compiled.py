"""Compiled loops that are kept from process to process, and never outlive the source that they were compiled from.

Numba's own cache (`cache=True`) follows the file of a function, not those of the functions that it calls: after an
upgrade it gives loops with an older version's helpers in them. Here a function is kept in a folder that is named by a
digest: of numba's version, of the sources of all our loops, and of the files of the function and of what it calls. The
name of its own file there follows from the numbers that it takes from elsewhere, which are compiled into it.
"""

import contextlib
import functools
import hashlib
import importlib.resources
import importlib.util
import json
import linecache
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, ModuleType

import numba
import numpy as np

from . import upstream
from .terminal import logger

_CACHING = "numba.core.caching"
_NAMES = (
    f"{_CACHING}:FunctionCache",
    f"{_CACHING}:FunctionCache._impl_class",
    f"{_CACHING}:CompileResultCacheImpl._locator_classes",
)
_OF_FUNCTION = "numba.core.dispatcher:Dispatcher._cache"
_CALLBACK = "numba.core.ccallback:CFunc"
_ROOMS = [os.path.join(os.path.dirname(__file__), room) for room in ("tasks", "models", "recycle")]
_OURS = re.compile(r".*(kernels|_ids|lanes)\.py")  # there: loops, and what else they import
_FOLDERS = 16  # so many are kept, those that were used last: of versions, checkouts, and tasks of other people


def njit(**options) -> Callable:
    """As ``numba.njit(cache=True, **options)``, for functions that call compiled ones of other files, too.

    Those must be in its module, by names of their own or as ``module.function``. Loops are kept below NUMBA_CACHE_DIR,
    else in the user's cache folder, or beside the package where that cannot be written.
    """
    compiled = numba.njit(**options)

    def decorate(function):
        dispatcher = compiled(function)
        if hasattr(dispatcher, "py_func"):  # with NUMBA_DISABLE_JIT it is the function itself
            _keep(dispatcher)
        return dispatcher

    return decorate


def callback(signature, **options) -> Callable:
    """As ``numba.cfunc(signature, cache=True, **options)``, kept as the loops of `njit` are."""

    def decorate(function):
        make = upstream.get(_CALLBACK)
        if make is None:
            _tell(_CALLBACK, "it is not there")
            return numba.cfunc(signature, **options)(function)
        compiled = make(function, (signature.args, signature.return_type), {}, options)
        cache = _cache_of(function)
        if cache is not None:
            compiled._cache = cache
        compiled.compile()
        return compiled

    return decorate


def compile_ahead(module: str, calls: dict[str, list[list]], rows_of: Sequence = ()) -> None:
    """Has a process of its own call factories of loops, as ``{"attention_forward": [[16, False]]}``, of one of ours.

    It ends by itself, and is not begun where it has done the same before. Who needs one of these loops here meanwhile
    waits for it. Before, it makes a row of a task, whose name and parameters are in `rows_of`, for the loops of that.
    """
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None  # it is one of ours
    folder = _folder(frozenset([spec.origin]))
    if folder is None or is_switched_off():
        return
    asked = json.dumps([module, calls, rows_of])
    done = folder / f"ahead-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"
    if done.exists():
        return
    words = [sys.executable, "-c", _HELPER, json.dumps(sys.path), asked, str(done)]
    null = subprocess.DEVNULL
    helper = subprocess.Popen(words, stdin=null, stdout=null, stderr=null)
    _helpers.update(dict.fromkeys(calls, helper))


_helpers: dict[str, subprocess.Popen] = {}  # by the factories that they call
_HELPER = """
import contextlib, gc, importlib, json, pathlib, sys
gc.disable()
sys.path[:] = json.loads(sys.argv[1])
module, calls, rows_of = json.loads(sys.argv[2])
done = pathlib.Path(sys.argv[3])
if rows_of:
    import numpy, hf_procedural
    with contextlib.suppress(Exception):  # of a user's task, which is not known here
        hf_procedural.task(rows_of[0], **rows_of[1]).sample(numpy.random.default_rng(0), 1)
for name, each in calls.items():
    for arguments in each:
        getattr(importlib.import_module(module), name)(*arguments)
done.touch()
"""


def _is_coming(factory: str) -> bool:
    """Whether a helper still compiles loops of that factory."""
    return factory in _helpers and _helpers[factory].poll() is None


def is_switched_off() -> bool:
    """Whether NUMBA_DISABLE_JIT is set, under which there are no callbacks."""
    return bool(vars(numba.config).get("DISABLE_JIT"))


def _keep(dispatcher) -> None:
    """Gives a function its cache; without one it is compiled in each process, which is slow and right."""
    cache = _cache_of(dispatcher.py_func)
    if cache is None:
        return
    if upstream.of(dispatcher, _OF_FUNCTION) is None:
        _tell(_OF_FUNCTION, "it is not there")
    else:
        dispatcher._cache = cache


def _cache_of(function):
    files, numbers = _made_of(function)
    folder = _folder(files)
    make = _cache_in(folder, numbers) if folder else None
    if folder is None or make is None:
        return None
    cache = make(function)
    if Path(cache.cache_path) != folder:  # NUMBA_CACHE_LOCATOR_CLASSES is set, to places where they may be stale
        _tell(_NAMES[2], f"loops would be kept in {cache.cache_path}")
        return None
    return cache


_tell = functools.cache(upstream.tell)


def _made_of(function) -> tuple[frozenset[str], str]:
    """What a compiled function is made of: files, and a digest of numbers ("" for none, as of ours).

    They are of the function and of the ones that are in its module, or in one that it imports: it may call any.
    """
    files = set()
    numbers = set()
    waiting = [function]
    while waiting:
        function = waiting.pop()
        file = function.__code__.co_filename
        values = list(function.__globals__.values())
        if os.path.dirname(file) not in _ROOMS:  # of ours all sources are in the digest
            numbers.update(_numbers(function.__code__, function.__globals__))
            values += [value for module in values if isinstance(module, ModuleType) for value in vars(module).values()]
        if file not in files:
            files.add(file)
            linecache.lazycache(file, function.__globals__)  # where it is in a zip, only its loader can read it
            waiting += [value.py_func for value in values if isinstance(value, _DISPATCHER)]
    return frozenset(files), hashlib.sha256("\n".join(sorted(numbers)).encode()).hexdigest()[:16] if numbers else ""


def _numbers(code: CodeType, names: dict) -> Iterator[str]:
    """Name and value of what a function takes from its module, or one that is there, and Numba compiles into it."""
    for name in code.co_names:
        value = names.get(name)
        inside = vars(value) if isinstance(value, ModuleType) else {}
        for place in ({name: value}, {attribute: inside.get(attribute) for attribute in code.co_names}):
            yield from (f"{key} {_exact(number)}" for key, number in place.items() if isinstance(number, _FROZEN))
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _numbers(inner, names)


_DISPATCHER = type(numba.njit(lambda: None))  # of functions that are compiled
_FROZEN = (int, float, complex, str, bytes, tuple, np.generic, np.ndarray)


def _exact(value) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_exact, value))})"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    return repr(value)


@functools.cache
def _folder(files: frozenset[str]) -> Path | None:
    """The folder of what is compiled from these files; None where there can be none, or a file has no source."""
    sources = ["".join(linecache.getlines(file)).encode() for file in files]
    if not all(sources):
        return None
    name = _digest([*sources, *_our_sources()])
    for place in _places():
        folder = place / name
        is_new = not folder.is_dir()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.utime(folder)
        except OSError:
            if is_new:
                continue
        if is_new:
            forget_oldest(place, _FOLDERS)
        return folder
    _tell_none()
    return None


@functools.cache
def _tell_none() -> None:
    logger(__name__).warning(
        "no folder for compiled loops can be written, so that each process compiles them: set NUMBA_CACHE_DIR"
    )


def _digest(sources: list[bytes]) -> str:
    digests = {hashlib.sha256(source).digest() for source in sources}
    version = numba.__version__.encode()
    return hashlib.sha256(b"".join([version, *sorted(digests)])).hexdigest()[:32]


@functools.cache
def _our_sources() -> list[bytes]:
    rooms = [importlib.resources.files("hf_procedural") / os.path.basename(room) for room in _ROOMS]
    files = [file for room in rooms for file in room.iterdir()]
    return [file.read_bytes() for file in files if _OURS.fullmatch(file.name)]


def _places() -> Iterator[Path]:
    chosen = vars(numba.config).get("CACHE_DIR")
    if chosen:
        yield Path(chosen, "hf_procedural")
    else:
        yield Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "hf_procedural", "loops")
        yield Path(__file__).with_name("__pycache__") / "loops"


def forget_oldest(place: Path, kept: int) -> None:
    """Removes all files and folders in a folder but so many, those that were used last."""
    with contextlib.suppress(OSError):  # another process does the same
        inside = sorted(place.iterdir(), key=lambda each: each.stat().st_mtime)
        for each in inside[:-kept]:
            if each.is_dir():
                shutil.rmtree(each)  # a process that still uses it makes it anew
            else:
                each.unlink()


@functools.cache
def _cache_in(folder: Path, numbers: str):
    """Numba's class of a function's cache, for this folder and digest of numbers; None where it has none such."""
    missing = [name for name in _NAMES if upstream.get(name) is None]
    if missing:
        _tell(missing[0], "it is not there")
        return None
    cache, results, _ = map(upstream.need, _NAMES)

    class Locator:
        def __init__(self, function, file):
            self._py_file = file  # which warnings name
            self.line = function.__code__.co_firstlineno

        @classmethod
        def from_function(cls, function, file):
            return cls(function, file)

        def get_cache_path(self):
            return str(folder)

        def ensure_cache_path(self):
            folder.mkdir(parents=True, exist_ok=True)

        def get_source_stamp(self):
            return folder.name

        def get_disambiguator(self):
            return f"{self.line}{numbers and '-'}{numbers}"

    class Results(results):
        _locator_classes = [Locator]  # noqa: RUF012

    class Cache(cache):
        _impl_class = Results

        def __init__(self, function):
            super().__init__(function)
            self.factory = function.__qualname__.partition(".")[0]

        def load_overload(self, *arguments):
            while True:
                is_coming = _is_coming(self.factory)  # asked first, so that what is saved meanwhile is found
                loaded = self._load(*arguments)
                if loaded is not None or not is_coming:
                    return loaded
                time.sleep(0.01)

        def _load(self, *arguments):
            try:
                return super().load_overload(*arguments)
            except Exception as error:  # whatever a damaged file raises
                logger(__name__).info("%s: a function is compiled anew (%s)", folder, error)
                with contextlib.suppress(OSError):
                    self.flush()
                return None

        def save_overload(self, *arguments):
            # Disks are full, and folders are removed: the loop is there all the same.
            with contextlib.suppress(OSError):
                super().save_overload(*arguments)

    return Cache
