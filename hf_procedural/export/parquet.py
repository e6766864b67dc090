"""Parquet, as `hf-procedural generate` writes it: the columns input_ids and labels, which load_dataset reads."""

from ..data import parquet

ABOUT = "Parquet, for datasets: input_ids and labels, as hf-procedural generate writes"
MASKS = True


def dtypes(vocab_size: int) -> list[str]:
    """That of `datasets`, whatever the ids."""
    return ["int32"]


def files(stem, plan):
    return [f"{stem}.parquet"]


def write(files, blocks, plan):
    (file,) = files
    parquet.write_blocks(file, blocks, plan)


def finish(folder, plan):
    """Nothing: load_dataset takes all files of the folder."""
