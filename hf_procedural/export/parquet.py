"""Parquet, as `hf-procedural generate` writes it: the columns input_ids and labels, which load_dataset reads."""

import json

from ..data.blocks import fingerprint
from . import ids

ABOUT = "Parquet, for datasets: the files of hf-procedural generate"
MASKS = True
LABELS = True  # files hold the labels themselves


def dtypes(vocab_size: int) -> list[str]:
    """That of all our rows."""
    return ids.fitting(vocab_size, "int32")


def files(stem, plan):
    return [f"{stem}.parquet"]


def write(files, blocks, plan):
    import datasets
    import pyarrow as pa

    from ..data.parquet import write_tables
    from ..data.views import id_column, id_lists

    column = id_column(plan.row_length)
    names = ["input_ids", "labels"] if plan.masks else ["input_ids"]
    schema = datasets.Features(dict.fromkeys(names, column)).arrow_schema

    def tables():
        for block in blocks:
            columns = [id_lists(column, tokens, block.ends) for tokens in (block.tokens, block.labels)[: len(names)]]
            yield pa.Table.from_arrays(columns, schema=schema)

    for _ in write_tables(*files, tables(), schema.with_metadata(schema.metadata | {"hf_procedural": _origin(plan)})):
        pass


def _origin(plan) -> bytes:
    """What files say about themselves."""
    rows = plan.rows
    origin = {"task": rows.task.key, "seed": rows.seed, "split": plan.split}
    origin["fingerprint"] = fingerprint(rows.task, rows.seed, plan.split)
    if rows.coding:
        origin["coding"] = rows.coding.digest
    return json.dumps(origin).encode()


def finish(folder, plan):
    """Nothing: load_dataset takes all files of the folder."""
