"""llm.c's data files: a header of 256 int32 and the ids.

    header[0], [1], [2]     20240520, 1, the number of tokens (uint16, for GPT-2; also modded-nanogpt)
                            20240801, 7, the number of tokens (uint32, for Llama 3)

As karpathy/llm.c f1e2ace writes them (``dev/data/data_common.py``); its C loader reads those of uint16 alone, and
train_llama3.py those of uint32.
"""

import numpy as np

from . import ids

ABOUT = "llm.c, modded-nanogpt: .bin with a header of 256 int32 (uint16 as for GPT-2, uint32 as for Llama 3)"
MASKS = False

_LIMIT = 2**31  # bytes: llmc/dataloader.h seeks with a C int
_HEADERS = {"uint16": (20240520, 1), "uint32": (20240801, 7)}


def dtypes(vocab_size: int) -> list[str]:
    return ids.fitting(vocab_size, "uint16", "uint32")


def files(stem, plan):
    return [f"{stem}.bin"]


def check(plan):
    ids.within(_LIMIT, "llmc", 1024 + ids.shard_bytes(plan))


def write(files, blocks, plan):
    (file,) = files
    header = np.zeros(256, "<i4")
    header[:2] = _HEADERS[plan.dtype]
    for block in ids.write(blocks, plan, file, header=header.data):
        header[2] += len(block.tokens)
        ids.within(_LIMIT, "llmc", 1024 + int(header[2]) * np.dtype(plan.dtype).itemsize)
    with file.open("r+b") as stream:
        stream.write(header.data)


def finish(folder, plan):
    """Nothing: a run takes a pattern of files."""
