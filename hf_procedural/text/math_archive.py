"""The archive of DeepMind-Math, mathematics_dataset-v1.0: its files, whether they are whole, and their problems.

Five folders, `SPLITS`, of files module__name.txt, in which the lines are a question, its answer, the next question ...
It is read as it was published (see `math_packed`), unpacked, or in part: with some of the difficulties to train on, and
one of the splits to validate with.
"""

import itertools
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from ..errors import at_least
from ..terminal import logger
from .math_packed import PACKED, unpacked
from .readers import FILE_NAME, MATH_FILE, DataError

DIFFICULTIES = ("train-easy", "train-medium", "train-hard")
TO_VALIDATE = ("interpolate", "extrapolate")
SPLITS = (*DIFFICULTIES, *TO_VALIDATE)

Problems = dict[str, list[tuple[str, str]]]  # of each module: question and answer

_CHUNK = 2**16  # bytes of a file that are in memory at a time, and more than any line has
_READ_WHOLE = 2**20  # bytes up to which a file is checked from beginning to end before anything starts


def math_folder(path: str | Path) -> Path | None:
    """Where DeepMind-Math is: a packed archive, its folder, or the one folder below `path` that holds all text there.

    None where `path` is nothing of the kind. Raises ValueError for one of its splits alone.
    """
    path = Path(path).expanduser()
    if path.is_file() and PACKED.search(path.name):
        return path
    if not path.is_dir():
        return None
    if path.resolve().name in SPLITS and _modules_in(path):
        raise ValueError(
            f"dataset {str(path)!r} is a part of DeepMind-Math: give the folder above, {path.resolve().parent}"
        )
    if any((path / split).is_dir() for split in DIFFICULTIES):
        return path
    texts = [file for file in path.rglob("[!.]*") if FILE_NAME.search(file.name)]
    roots = {file.parent.parent for file in texts if MATH_FILE.search(file.as_posix())}
    if len(roots) != 1:
        return None
    (root,) = roots
    beside = any(root not in file.parents for file in texts)
    return None if beside else root


def find_modules(folder: str | Path) -> dict[str, dict[str, Path]]:
    """The files of each split that is there by module, in the order of `SPLITS` and of names.

    Files up to 1 MB are checked whole, of larger ones the beginning, the end and samples; the rest when it is read.

    Args:
        folder: as for `math_folder`. A packed archive is unpacked first, see `math_packed`.

    Raises:
        ValueError: where there is no such folder, or no split to train on, or to validate with; and, together, for all
            modules that one of the training and interpolation splits lacks and another has, and all damaged files.
    """
    folder = math_folder(folder) or Path(folder)
    if folder.is_file():
        folder = unpacked(folder)
    if not folder.is_dir():
        raise ValueError(f"the DeepMind-Math folder {folder} does not exist, or is no folder")
    files = {split: _modules_in(folder / split) for split in SPLITS if (folder / split).is_dir()}
    for splits, purpose in ((DIFFICULTIES, "train on"), (TO_VALIDATE, "validate with")):
        if not files.keys() & set(splits):
            raise ValueError(f"{folder} lacks the folders {', '.join(splits)}: one of them is needed to {purpose}")
    flaws = {"missing": _missing(files), "damaged": _damaged(files)}
    flaws = [f"{flaw}: {', '.join(places)}" for flaw, places in flaws.items() if places]
    if flaws:
        raise ValueError(f"{folder}: {'; '.join(flaws)}")
    return files


def present(files: dict[str, dict[str, Path]], splits: tuple[str, ...], purpose: str) -> list[str]:
    """Those of `splits` that are there; says in the log which are not."""
    there = [split for split in splits if split in files]
    if len(there) < len(splits):
        lacking = ", ".join(split for split in splits if split not in files)
        message = "DeepMind-Math: %s missing; %s comes from %s alone"
        logger(__name__).warning(message, lacking, purpose, ", ".join(there))
    return there


def _modules_in(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("[!.]*__*.txt"))}


def _missing(files: dict[str, dict[str, Path]]) -> list[str]:
    """Splits without a file, and files that other splits have; extrapolate has modules of its own."""
    missing = [f"all modules of {split}" for split in files if not files[split]]
    alike = [split for split in files if split != "extrapolate" and files[split]]
    modules = sorted(set().union(*(files[split] for split in alike)))
    for split in alike:
        missing += [f"{split}/{module}.txt" for module in modules if module not in files[split]]
    return missing


def _damaged(files: dict[str, dict[str, Path]]) -> list[str]:
    damage = [_damage(path) for modules in files.values() for path in modules.values()]
    return list(filter(None, damage))


def _damage(path: Path) -> str | None:
    """What is wrong with a file, as far as can be seen without reading much."""
    if path.is_fifo():  # which would be waited for
        return f"{path} (a pipe)"
    try:
        size = path.stat().st_size
        if size <= _READ_WHOLE:
            deque(_chunks(path), maxlen=0)  # reads all, keeps nothing
            return None
        samples = (0, size // 4, size // 2, 3 * size // 4, size - _CHUNK // 2)
        for offset in samples:
            lines_at(path, offset, inside=offset > 0)
    except (DataError, OSError) as error:
        return str(error)


def _chunks(path: Path) -> Iterator[list[bytes]]:
    """All lines of a file, some at a time."""
    offset = 0
    while lines := lines_at(path, offset):
        yield lines
        offset += sum(map(len, lines)) + len(lines)


def lines_at(path: Path, offset: int, inside: bool = False) -> list[bytes]:
    """The whole problems in the next 64 kB from byte `offset` on, question and answer in turn; none at the end.

    With `inside`, `offset` need not be where a problem begins: its line is left out, and any may be the first.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(_CHUNK)
            at_end = not file.read(1)
            *lines, rest = data.split(b"\n")
            lines = lines[1:] if inside else lines
            flaw = _first_flaw(lines, rest if at_end else None, inside)
            if flaw:
                place, reason = flaw
                file.seek(0)
                number = file.read(offset).count(b"\n") + inside + place + 1
                raise DataError(f"{path} (line {number} {reason})")
    except OSError as error:
        raise DataError(f"{path} ({error.strerror})") from error
    if not lines and offset == 0:
        raise DataError(f"{path} (the file is empty)")
    return lines[: len(lines) // 2 * 2]


def _first_flaw(lines: list[bytes], rest: bytes | None, inside: bool) -> tuple[int, str] | None:
    """The place of the first bad line and what is wrong with it. `rest`: what follows the last line at a file's end."""
    for place, line in enumerate(lines):
        flaw = _flaw(line)
        if flaw:
            return place, flaw
    if rest is None:
        return (0, f"opens a problem of more than {_CHUNK} bytes") if len(lines) < 2 else None
    if rest:
        return len(lines), "has no end: the file was cut off"
    if len(lines) % 2 and not inside:
        return len(lines) - 1, "is a question without an answer: an odd number of lines"
    return None


def _flaw(line: bytes) -> str | None:
    if not line.strip():
        return "is empty"
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    if text.isprintable():
        return None
    control = next(character for character in text if not character.isprintable())
    return f"holds {control!r}"


def problems(folder: str | Path, split: str, per_module: int | None = None) -> Problems:
    """The problems of a split, or the first `per_module` of each module.

    Raises ValueError for a split that is not there, what `find_modules` refuses, and damage.
    """
    files = find_modules(folder)
    if split not in files:
        raise ValueError(f"split must be one of {', '.join(files)}, got {split!r}")
    return _first_problems(files[split], per_module)


def _first_problems(paths: dict[str, Path], per_module: int | None) -> Problems:
    at_least("per_module", per_module, 1)
    pairs = {}
    for module, path in paths.items():
        lines = itertools.chain.from_iterable(_chunks(path))
        texts = [line.decode() for line in itertools.islice(lines, per_module and 2 * per_module)]
        pairs[module] = list(zip(texts[::2], texts[1::2], strict=True))
    return pairs


def validation_problems(folder: str | Path, per_module: int) -> Problems:
    """The first `per_module` problems of each module of the splits to validate with, by split/module."""
    chosen = {}
    files = find_modules(folder)
    for split in present(files, TO_VALIDATE, "validation"):
        for module, pairs in _first_problems(files[split], per_module).items():
            chosen[f"{split}/{module}"] = pairs
    return chosen


def flat(problems: Problems) -> Iterator[tuple[str, str, str]]:
    """Module, question and answer of each problem."""
    for module, pairs in problems.items():
        for question, answer in pairs:
            yield module, question, answer
