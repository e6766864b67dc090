"""Exports to read back: plans of some shards, what is written of them, and the rows that must come out."""

from pathlib import Path

import numpy as np

import hf_procedural as hp
from hf_procedural.data.coded import CodedRows
from hf_procedural.export.formats import format_of
from hf_procedural.export.plan import Plan


def plan_of(
    name,
    task="stack-8",
    count=2_500,
    shard_rows=1_000,
    dtype=None,
    masks=None,
    split="train",
    padded=True,
    **parameters,
) -> Plan:
    """Of three shards as it is, whose borders are not those of blocks; the last has half the rows."""
    format = format_of(name)
    rows = CodedRows(hp.task(task, **parameters), padded=padded)
    dtype = dtype or format.dtypes(rows.vocab_size)[0]
    return Plan(rows, split, count, shard_rows, dtype, format.MASKS if masks is None else masks)


def export(name: str, folder: Path, plan: Plan, order=None) -> list[list[Path]]:
    """Writes an export, its shards in some order, and gives the files of each."""
    format, shards = format_of(name), {}
    folder.mkdir(exist_ok=True)
    for number in order or range(plan.shards):
        files = [folder / file for file in format.files(plan.stem(number), plan)]
        format.write(files, plan.rows.read(plan.split, *plan.range(number)), plan)
        assert all(file.is_file() for file in files)
        shards[number] = files
    format.finish(folder, plan)
    return [shards[number] for number in sorted(shards)]


def rows_of(plan: Plan) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The tokens of each row, and its labels."""
    tokens, labels = [], []
    for block in plan.rows.read(plan.split, 0, plan.count):
        tokens += np.split(block.tokens, block.ends[:-1])
        labels += np.split(block.labels, block.ends[:-1])
    assert len(tokens) == plan.count
    assert len({len(row) for row in tokens}) == (1 if plan.rows.row_length else 3)  # of 11, 13, 15 tokens
    return tokens, labels


def same(read, wanted) -> None:
    """Holds rows that were read to those wanted."""
    assert len(read) == len(wanted)
    for row, right in zip(read, wanted, strict=True):
        np.testing.assert_array_equal(row, right)
