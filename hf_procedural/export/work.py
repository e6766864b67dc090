"""An export as work in shards: its folder, which says in export.json whose rows it holds, and its files."""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from .. import __version__
from ..data.coded import Block
from ..errors import in_bytes
from ..files import check_folder, read_mapping, whole, write_first
from ..locks import names_in
from ..tasks.coding import FILE as CODING
from ..terminal import visible
from .formats import PACKED, format_of
from .plan import Plan
from .planning import mean_length

RECORD = "export.json"
_VERSION = "hf_procedural"  # of us who wrote it, which may be another when it goes on
_SMALLEST = 50  # compressed files of rows are never so many times smaller than bare ids


@dataclasses.dataclass(frozen=True)
class Export:
    """A plan, written into a folder in a format.

    Args:
        fingerprint: of the rows, see `data.blocks`.
    """

    plan: Plan
    format: str
    folder: Path
    fingerprint: str

    @property
    def title(self) -> str:
        """Of the bar."""
        return visible(f"Writing {self.plan.rows.task.config_name}")

    @property
    def count(self) -> int:
        """Of shards."""
        return self.plan.shards

    @property
    def record(self) -> dict:
        """What export.json says, beside our version: all that the bytes depend on."""
        rows, coding = self.plan.rows, self.plan.rows.coding
        record = {
            "format": self.format,
            "task": rows.task.key,
            "seed": rows.seed,
            "split": self.plan.split,
            "rows": self.plan.count,
            "shard_rows": self.plan.shard_rows,
            "dtype": self.plan.dtype,
            "loss_masks": self.plan.masks,
            "padding": rows.padded,
            "fingerprint": self.fingerprint,
        }
        if rows.end is not None:
            record["end_token"] = rows.end
        if coding:
            record |= {"tokenizer": coding.tokenizer, "coding": coding.kind, "coding_digest": coding.digest}
        return record

    def rows(self, number: int) -> int:
        """Of a shard."""
        start, stop = self.plan.range(number)
        return stop - start

    def files(self, number: int) -> list[Path]:
        """Of a shard."""
        return [self.folder / name for name in format_of(self.format).files(self.plan.stem(number), self.plan)]

    def is_there(self, number: int) -> bool:
        """Whether a shard is whole: its last file is there, or what the format has made of all shards."""
        return self.files(number)[-1].exists() or self._finished is True

    @property
    def _finished(self) -> bool | None:
        """Whether what the format makes of all shards is there; None where it leaves them as they are."""
        finished = getattr(format_of(self.format), "finished", None)
        return None if finished is None else finished(self.folder, self.plan)

    def check(self, parts: int = 1) -> None:
        """Raises ValueError for a folder that holds something else, or whose disk cannot hold one of `parts`."""
        check_folder(self.folder)
        self.check_record()
        least = self.size / parts / (_SMALLEST if self.format in PACKED else 1)
        if self._finished is False and self.count > 1:  # shards, and beside them what is made of them
            least += self.size
        done = sum(size for _, size in self.written())
        if least > self.free + done:
            raise ValueError(
                f"{self.plan.count:,} rows need {in_bytes(least)} at the very least, and {self.folder} has "
                f"{in_bytes(self.free)} free: ask for fewer"
            )

    def check_record(self) -> None:
        """Raises ValueError for a folder that holds something else."""
        # The names first, since of what another process writes at this time the record comes first.
        names = [name for name in names_in(self.folder) if not name.startswith(".")]
        if names and not (self.folder / RECORD).is_file():
            raise ValueError(f"output_dir {self.folder} holds {names[0]}, which is of no export: choose another folder")
        found = read_mapping(self.folder / RECORD) if names else self.record
        for key in {**self.record, **found}:
            ours, theirs = self.record.get(key), found.get(key)
            if ours != theirs and key != _VERSION:
                raise ValueError(
                    f"output_dir {self.folder} holds another export, whose {key} is {theirs} and not {ours}: "
                    "choose another folder"
                )

    @property
    def size(self) -> float:
        """Bytes of the ids, uncompressed."""
        return self.plan.count * mean_length(self.plan.rows, self.plan.split) * np.dtype(self.plan.dtype).itemsize

    @property
    def free(self) -> int:
        """Bytes on the disk of the folder."""
        there = next(above for above in (self.folder.absolute(), *self.folder.absolute().parents) if above.exists())
        return shutil.disk_usage(there).free

    def written(self) -> Iterator[tuple[str, int]]:
        """The names and sizes, in bytes, of what is in the folder for readers."""
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name not in (RECORD, CODING) and not entry.name.startswith((".", "_")) and entry.is_file():
                    yield entry.name, entry.stat().st_size

    def begin(self) -> None:
        """Writes export.json, and coding.json where rows have one. Raises ValueError where it is another export's."""
        write_first(self.folder / RECORD, json.dumps({_VERSION: __version__} | self.record, indent=2) + "\n")
        self.check_record()
        if self.plan.rows.coding:
            self.plan.rows.coding.save(self.folder)

    def write(self, number: int, mark: str, tell: Callable[[int], object]) -> None:
        """Writes the files of a shard, of which the last is there when all are; tells numbers of rows."""
        with contextlib.ExitStack() as stack:
            # Each gets its name when what was entered behind it has.
            files = [stack.enter_context(whole(file, alone=True, mark=mark)) for file in reversed(self.files(number))]
            rows = self.plan.rows.read(self.plan.split, *self.plan.range(number))
            format_of(self.format).write(files[::-1], _telling(rows, tell), self.plan)

    def finish(self) -> None:
        """Writes what all shards share."""
        format_of(self.format).finish(self.folder, self.plan)


def _telling(rows: Iterable[Block], tell: Callable[[int], object]) -> Iterator[Block]:
    for block in rows:
        yield block
        tell(len(block.ends))
