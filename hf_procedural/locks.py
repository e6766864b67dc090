"""One command at a time in a folder: who writes there holds its lock, which the kernel frees with the process."""

import contextlib
import datetime
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Generator
from pathlib import Path

from .errors import program, writing
from .terminal import logger

try:
    import fcntl
except ImportError:  # of Windows
    fcntl = None

LOCK = "_lock"  # what begins with _ is pushed to the Hub neither by us nor by the Trainer
_ATTEMPTS = 20  # of 50 ms: others look whether a lock is free by taking it for a moment
_held: dict[Path, int] = {}  # the lock files of this process, and their descriptors


def lock_of(file: Path) -> str:
    """The name of the lock of one file, in a folder whose other files are not held."""
    return f"_{file.name}.lock"


def names_in(folder: Path) -> list[str]:
    """The names in a folder, locks apart, sorted; none where it is not there."""
    names = sorted(file.name for file in folder.glob("*"))
    return [name for name in names if not (name.startswith("_") and name.endswith("lock"))]


def check_free(folder: Path, argument: str = "output_dir", name: str = LOCK) -> None:
    """Raises ValueError where another process holds a folder, and says which. Writes nothing.

    Of several processes of one run the first one asks, which holds it for all from some time on.
    """
    file = folder.resolve() / name
    if fcntl is None or file in _held or os.environ.get("RANK", "0") != "0":
        return
    try:
        descriptor = os.open(file, os.O_RDWR)
    except OSError:  # there is none, or it is not ours
        return
    try:
        if not _take(descriptor, folder):
            raise ValueError(_holder(file, folder, argument))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def holding(folder, argument: str = "output_dir", name: str = LOCK, is_main: bool = True) -> Generator[None]:
    """Makes a folder, and keeps other processes that ask for it out, until the end of this block or of this process.

    Of several processes of one run, the one that `is_main` holds it for all. Raises ValueError where another process
    has it, in one line that says which. A folder that was made is removed again where the block fails without a file.
    """
    folder = Path(folder)
    file = folder.resolve() / name
    if not is_main or file in _held:
        yield
        return
    with no_empty_folders(folder):
        with writing(folder):
            descriptor = _open(file, folder, argument)
        _held[file] = descriptor
        try:
            yield
        finally:
            del _held[file]
            file.unlink(missing_ok=True)  # before it is free: who opens it from now on makes a new one
            os.close(descriptor)


@contextlib.contextmanager
def in_turn(folder: Path, name: str) -> Generator[None]:
    """Around what one process after another is to do in a folder that is there; each waits for the one before it."""
    file = folder / name
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        wait_for(descriptor)
        if os.fstat(descriptor).st_nlink:
            break
        os.close(descriptor)  # of the one before, which has removed its lock
    try:
        yield
    finally:
        file.unlink(missing_ok=True)  # before it is free: who opens it from now on makes a new one
        os.close(descriptor)


@contextlib.contextmanager
def no_empty_folders(folder: Path) -> Generator[None]:
    """Around what may make `folder` and then fail: removes it again, with folders in it and those made for it."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        yield
    except BaseException:
        inside = sorted(folder.rglob("*"), reverse=True) if missing else []
        with contextlib.suppress(OSError):  # there is a file, or another process was faster
            for each in (*inside, *missing):
                each.rmdir()
        raise


def _open(file: Path, folder: Path, argument: str) -> int:
    """The descriptor of a lock file that is ours from now on, and tells so."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # another process has just removed the folder that it had made
            continue
        if not _take(descriptor, folder):
            os.close(descriptor)
            raise ValueError(_holder(file, folder, argument))
        if os.fstat(descriptor).st_nlink:
            break
        os.close(descriptor)  # of a process that ended meanwhile, and has removed its lock
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now(), "command": _command(sys.argv[1:])}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)
    return descriptor


def _take(descriptor: int, folder: Path) -> bool:
    """Whether the lock of an open file is ours now; it is where there are no locks, which a line says."""
    if fcntl is None:
        return True
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.05)
        except OSError as error:  # a network file system without them
            logger(__name__).warning(
                "%s has no locks (%s): nothing keeps a second command from writing there", folder, error
            )
            return True
    return False


def wait_for(descriptor: int) -> None:
    """Waits until the lock of an open file is ours, which it is until that is closed; not where there are no locks."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a network file system without them
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _holder(file: Path, folder: Path, argument: str) -> str:
    try:
        holder = json.loads(file.read_text(encoding="utf-8"))
        who = "process {pid} on {host} since {since} ({command})".format(**holder)
    except (OSError, ValueError, TypeError, KeyError):  # it has not told yet, or is gone
        who = "another process"
    return f"{argument} {folder} is being written by {who}: wait for its end, or choose another"


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def _command(words: list[str]) -> str:
    """The command line of this process, but for secrets.

    >>> _command(["a b", "--hub_token", "hf_1", "--seed", "1", "--hub_token=hf_1"]).partition(" ")[2]
    "'a b' --hub_token ... --seed 1 --hub_token=..."
    """
    shown, hidden = [], False
    for word in words:
        flag, equals, _ = word.partition("=")
        is_secret = flag.startswith("--") and flag.endswith("token")
        if hidden:
            shown.append("...")
        elif is_secret and equals:
            shown.append(f"{flag}=...")
        else:
            shown.append(shlex.quote(word))
        hidden = is_secret and not equals
    return " ".join([program(), *shown])


def _leave() -> None:
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)  # else a worker that outlives a killed process would hold on
