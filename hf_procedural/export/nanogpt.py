"""nanoGPT's train.bin and val.bin: ids as uint16 without a header, all of a split in one file.

As ``get_batch`` of karpathy/nanoGPT 3adf61e (train.py) reads them. Shards are joined when the last is there.
"""

from pathlib import Path

from ..files import whole
from . import ids

ABOUT = "nanoGPT: train.bin and val.bin, uint16 without a header"
MASKS = False

_NAMES = {"validation": "val"}


def dtypes(vocab_size: int) -> list[str]:
    """Its reader knows uint16 alone."""
    return ids.fitting(vocab_size, "uint16")


def files(stem, plan):
    return [f"{stem}.bin" if plan.shards > 1 else _name(plan)]


def write(files, blocks, plan):
    for _ in ids.write(blocks, plan, *files):
        pass


def finish(folder, plan):
    """Joins the shards into one file and removes them, if there are several."""
    if plan.shards == 1:
        return
    shards = [Path(folder, f"{plan.stem(number)}.bin") for number in range(plan.shards)]
    if not finished(folder, plan):
        with whole(Path(folder, _name(plan)), alone=True) as joined:
            ids.join(shards, joined)
    for shard in shards:
        shard.unlink(missing_ok=True)


def finished(folder, plan) -> bool:
    """Whether the one file is there, so that no shard has to be made."""
    return Path(folder, _name(plan)).is_file()


def _name(plan) -> str:
    return f"{_NAMES.get(plan.split, plan.split)}.bin"
