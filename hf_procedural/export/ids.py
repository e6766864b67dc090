"""Ids as they stand in others' files: bare numbers of one dtype, little-endian, one after another."""

import contextlib
import functools
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..data.coded import Block
from ..errors import in_bytes
from ..tasks import IGNORE
from .plan import Plan


def fitting(vocab_size: int, *dtypes: str) -> list[str]:
    """Those of some dtypes that hold all ids below `vocab_size`."""
    return [dtype for dtype in dtypes if vocab_size - 1 <= np.iinfo(dtype).max]


def chosen(name: str, dtypes: list[str], vocab_size: int, dtype: str | None = None) -> str:
    """The dtype of an export to the format `name`, which can hold these ids in `dtypes`: the first of them for None.

    Raises ValueError for a dtype that the ids do not fit into, or that the format does not have, and where none fits.
    """
    largest = f"ids go up to {vocab_size - 1:,}"
    if not dtypes:
        raise ValueError(f"format {name} has no dtype for these rows, whose {largest}: choose another format")
    if dtype is not None and dtype not in dtypes:
        raise ValueError(f"dtype must be {' or '.join(dtypes)} for format {name}, where {largest}, got {dtype}")
    return dtype or dtypes[0]


def write(blocks: Iterable[Block], plan: Plan, tokens: Path, mask: Path | None = None, header=b"") -> Iterator[Block]:
    """Writes the ids of blocks behind a header, into `mask` a byte for each, 1 where the loss counts. Gives the blocks.

    Raises ValueError, before anything is written, where an id could be larger than the plan's dtype holds: NumPy would
    cut it silently.
    """
    check_dtype(plan)
    return _write(blocks, np.dtype(plan.dtype).newbyteorder("<"), tokens, mask, header)


def _write(blocks: Iterable[Block], dtype: np.dtype, tokens: Path, mask: Path | None, header) -> Iterator[Block]:
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(tokens.open("wb"))
        loss = stack.enter_context(mask.open("wb")) if mask else None
        stream.write(header)
        for block in blocks:
            stream.write(block.tokens.astype(dtype).data)
            if loss:
                loss.write((block.labels != IGNORE).data)
            yield block


def check_dtype(plan: Plan) -> None:
    """Raises ValueError where an id could be larger than the plan's dtype holds."""
    if not fitting(plan.rows.vocab_size, plan.dtype):
        most, largest = np.iinfo(plan.dtype).max, plan.rows.vocab_size - 1
        raise ValueError(f"dtype {plan.dtype} holds ids up to {most:,}, and these go up to {largest:,}")


def within(limit: int, format: str, size: int) -> int:
    """A size in bytes, up to which a format's offsets reach. Raises ValueError where it is no smaller than `limit`."""
    if size >= limit:
        most = f"{limit // 2**30} GiB"
        raise ValueError(
            f"a shard of {format} has fewer than {most}, and this has {in_bytes(size)}: ask for smaller shards"
        )
    return size


within_uint32 = functools.partial(within, 2**32)


def join(files: Iterable[Path], joined: Path) -> None:
    """Writes the contents of files, one after another, into another."""
    with joined.open("wb") as stream:
        for file in files:
            with file.open("rb") as part:
                shutil.copyfileobj(part, stream, 2**24)


def shard_bytes(plan: Plan) -> int:
    """Of the ids of a shard; 0 where rows differ, so that nobody knows before."""
    rows = min(plan.shard_rows, plan.count)
    return rows * (plan.row_length or 0) * np.dtype(plan.dtype).itemsize
