"""The plan of an export from what was asked for: how many rows, in which shards, with which dtype."""

import dataclasses
import functools
import math

import numpy as np

from ..data import blocks
from ..data.coded import Block, CodedRows
from ..tasks import IGNORE
from . import ids
from .formats import FORMATS, format_of
from .plan import Plan

SHARD_TOKENS = 2**26  # some seconds of work, so that many workers have some


def mean_length(rows: CodedRows, split: str) -> float:
    """Tokens of a row: of each, where all have as many, else the mean of the first block."""
    return rows.row_length_of(split) or float(_first_block(rows, split).ends[-1] / len(_first_block(rows, split).ends))


def labelled(rows: CodedRows, split: str) -> float:
    """The share of tokens on which the loss counts, in the first block, of all that stand behind another in a row."""
    block = _first_block(rows, split)
    counts = block.labels != IGNORE
    return float(np.delete(counts, np.append(0, block.ends[:-1])).mean())


@functools.lru_cache(maxsize=1)
def _first_block(rows: CodedRows, split: str) -> Block:
    return rows.block(split, 0)


def plan(
    rows: CodedRows,
    format: str,
    split: str = "train",
    count: int | None = None,
    tokens: int | None = None,
    shard_rows: int | None = None,
    shard_bytes: int | None = None,
    dtype: str | None = None,
    masks: bool | None = None,
) -> Plan:
    """The plan of an export to a format. Raises ValueError for what the format cannot hold, and for other mistakes.

    Args:
        count: rows, from the first; or
        tokens: at least so many, in whole rows. Where rows differ, they are counted by the mean of the first block.
        shard_rows: rows in a shard; or
        shard_bytes: at most so many of ids in a shard, in whole blocks of rows if that is possible. Default of both:
            2**26 tokens.
        dtype: default: the format's own choice.
        masks: default: where the format can hold them. Rows whose targets stand apart are told as text is, with the
            last answer in its place, where a format holds no labels.
    """
    chosen = format_of(format)
    if masks and not chosen.MASKS:
        able = [name for name in FORMATS if format_of(name).MASKS]
        raise ValueError(f"loss_masks: format {format} holds none (these do: {', '.join(able)})")
    masks = chosen.MASKS if masks is None else masks
    if rows.task.apart and not (masks and getattr(chosen, "LABELS", False)):
        rows = dataclasses.replace(rows, in_place=True)  # what a file of tokens cannot tell otherwise
    dtype = ids.chosen(format, chosen.dtypes(rows.vocab_size), rows.vocab_size, dtype)
    if (count is None) == (tokens is None):
        raise ValueError("how much? Give --rows or --tokens, one of the two")
    if shard_rows is not None and shard_bytes is not None:
        raise ValueError("give --shard_rows or --shard_size, one of the two")
    length = mean_length(rows, split)
    if count is None:
        assert tokens is not None  # one of the two
        count = math.ceil(tokens / length)
    if shard_rows is None:
        most = SHARD_TOKENS if shard_bytes is None else shard_bytes // np.dtype(dtype).itemsize
        block = blocks.block_rows(rows.task)
        shard_rows = max(1, int(most / length))
        shard_rows -= shard_rows % block if shard_rows > block else 0
    asked = Plan(rows, split, count, shard_rows, dtype, masks)
    if hasattr(chosen, "check"):
        chosen.check(asked)
    return asked
