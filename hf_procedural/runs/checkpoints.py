"""Checkpoints of a run: which of them are whole, and which one a run goes on from.

A checkpoint of ours has digests.json, written last: the SHA-256 of each of its files. One that has none is of an older
version, or was cut short; then its files are looked at, as far as they tell of damage by themselves.
"""

import dataclasses
import functools
from pathlib import Path

from ..files import DIGESTS, MEND, changed_file, look_into, read_mapping

STATE = "trainer_state.json"


class CheckpointError(ValueError):
    """A checkpoint that nothing can go on from, in one line that says what can be done."""


@dataclasses.dataclass
class Chosen:
    """The checkpoint to go on from, if any, and a line about newer ones that are not taken, if there are any."""

    folder: Path | None
    note: str | None = None

    @property
    def name(self) -> str | None:
        return None if self.folder is None else str(self.folder)


def newest(output: Path) -> Chosen:
    """The newest whole checkpoint of a run folder: of those with digests, or where none of them is whole, without.

    Raises CheckpointError where there are checkpoints, but damaged ones alone. A first one that a kill cut short is as
    good as none.
    """
    folders = [folder for folder in output.glob("checkpoint-*") if folder.name[11:].isdigit()]
    folders.sort(key=lambda folder: -int(folder.name[11:]))
    faults = {}  # of those newer than the one at hand
    unmarked = None
    for folder in folders:
        fault = cut_short(folder) or damage(folder)
        if fault is None and is_marked(folder):
            return Chosen(folder, _note(faults, folder))
        if fault is None and unmarked is None:
            unmarked = Chosen(folder, _note(faults, folder))
        faults[folder] = fault or f"it has no {DIGESTS}, which comes last"
    if unmarked is not None:
        return unmarked
    damaged = {folder: fault for folder, fault in faults.items() if cut_short(folder) is None}
    if damaged:
        folder, fault = next(iter(damaged.items()))
        raise CheckpointError(
            f"{folder} is damaged: {fault}; no other one is whole: put back a copy of it, or remove "
            f"{output}/checkpoint-* to start from the beginning"
        )
    return Chosen(None, _note(faults, None))


def _note(faults: dict[Path, str], chosen: Path | None) -> str | None:
    if not faults:
        return None
    reasons = "; ".join(f"{folder} is not whole: {fault}" for folder, fault in faults.items())
    return f"{reasons}: going on from {chosen}" if chosen else reasons


def check(checkpoint: Path, again: str) -> None:
    """Raises CheckpointError, which ends with what to do (`again`), for a checkpoint that is not whole."""
    fault = cut_short(checkpoint) or damage(checkpoint)
    if fault is not None:
        raise CheckpointError(f"{checkpoint} is not whole: {fault}; {again}")


def is_marked(checkpoint: Path) -> bool:
    """Whether a checkpoint has digests."""
    return (checkpoint / DIGESTS).exists()


def cut_short(checkpoint: Path) -> str | None:
    """Why a checkpoint was not saved to its end; None where it was."""
    if is_marked(checkpoint):
        return None
    state = checkpoint / STATE
    ended = state.is_file() and state.read_bytes().rstrip().endswith(b"}")
    return None if ended else f"its {STATE}, which comes last, is not complete"


def damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint that was saved to its end; None where nothing is known to be."""
    files = [file for file in sorted(checkpoint.rglob("*")) if file.is_file()]
    stamps = [(str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    return _damage(checkpoint, tuple(stamps))


@functools.lru_cache(8)
def _damage(checkpoint: Path, stamps: tuple) -> str | None:
    """`damage`, once in a process for files with these names, times and sizes: weights take long to read."""
    try:
        if is_marked(checkpoint):
            changed = changed_file(checkpoint)
            return changed and f"{changed} is not as it was saved ({DIGESTS})"
        check_state(checkpoint / STATE)
        for name, _, _ in stamps:
            look_into(Path(name))
    except ValueError as error:
        return str(error)
    return None


def check_state(file: Path) -> dict:
    """A trainer_state.json. Raises ValueError, in one line, where it is not the state of a Trainer."""
    state = read_mapping(file)
    step, history = state.get("global_step"), state.get("log_history")
    are_entries = isinstance(history, list) and all(isinstance(entry, dict) and "step" in entry for entry in history)
    if type(step) is not int or not are_entries:
        raise ValueError(f"{file} is not the state of a Trainer (global_step {step!r}); {MEND}")
    return state
