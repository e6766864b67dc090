"""Rows by index: fixed blocks, each with a random generator of its own.

A block's rows depend on seed, task, parameters, split and block number alone, so they are the same however many rows
are asked for and however they are sharded over processes, workers or machines.
"""

import hashlib
import json

import numpy as np

from ..tasks import Task
from ..tasks.splits import SHARES

_BLOCK_TOKENS = 2**17  # large enough to spread the cost of a block, small enough for the cache


def block_rows(task: Task) -> int:
    """The number of rows in a block of `task`."""
    return max(8, min(1024, _BLOCK_TOKENS // task.max_length))


def row_length(task: Task) -> int | None:
    """The tokens in a row; None where those of one split are wider than those of another."""
    widths = {task.row_length(split) for split in SHARES}
    return widths.pop() if len(widths) == 1 else None


def name(task: Task, seed: int, split: str) -> str:
    """What tells the blocks of one split from all others: 32 hexadecimal digits."""
    return hashlib.blake2b(f"{seed} {split} {task.key}".encode(), digest_size=16).hexdigest()


def block(task: Task, seed: int, split: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Block `number` of a split: `input_ids` and `labels`, int32 ``[block_rows(task), task.row_length(split)]``.

    Raises ValueError where the task has too few distinct prompts for the split.
    """
    key = bytes.fromhex(name(task, seed, split))
    # The block number is the counter's highest word, so that no block runs into the numbers of the next.
    generator = np.random.Philox(key=int.from_bytes(key, "little"), counter=[0, 0, 0, number])
    return task.sample_split(np.random.Generator(generator), block_rows(task), split)


def check(task: Task, split: str) -> None:
    """Raises ValueError where a task, or a member of a mixture, has too few distinct prompts for a split."""
    for member in getattr(task, "members", [task]):
        member.sample_split(np.random.default_rng(0), 1, split)


def fingerprint(task: Task, seed: int, split: str) -> str:
    """A digest of a split's rows: of its first block, which changes with all that any row depends on."""
    return digest(*block(task, seed, split, 0))


def digest(input_ids: np.ndarray, labels: np.ndarray) -> str:
    """The `fingerprint` of a split whose first block is at hand."""
    return hashlib.blake2b(input_ids.tobytes() + labels.tobytes(), digest_size=8).hexdigest()


def fingerprint_of(rows, columns=None) -> str:
    """A digest of the values of a Dataset's `columns`, or of all: the same on every machine, unlike its own."""
    rows = rows.select_columns(list(columns or rows.column_names))
    digest = hashlib.blake2b(digest_size=8)
    for batch in rows.iter(batch_size=1_000):
        digest.update(json.dumps(batch, sort_keys=True, default=bytes.hex).encode())
    return digest.hexdigest()
