"""Megatron-LM's indexed data set, a row a document: PREFIX.bin and PREFIX.idx.

The .bin has the ids. The .idx, as megatron-core 0.16.1 reads it (``datasets/indexed_dataset.py``; all little-endian):

    bytes                                what
    9, 8, 1                              MMIDIDX and two zeros; 1, the version; 8 for uint16 or 4 for int32
    8, 8                                 the number of rows; that of documents and one
    4 x rows                             int32 lengths of rows, in tokens
    8 x rows                             int64 beginnings of rows in the .bin, in bytes
    8 x (documents + 1)                  int64 numbers of documents' first rows, and of the row behind the last
"""

import struct

import numpy as np

from . import ids

ABOUT = "Megatron-LM, NeMo (megatron-core's IndexedDataset): .bin of ids, .idx of rows"
MASKS = False

_CODES = {"uint16": 8, "int32": 4}
_AT_A_TIME = 2**20  # rows, so that memory stays flat


def dtypes(vocab_size: int) -> list[str]:
    """Its own choice first (``DType.optimal_dtype``): uint16 below 65,500 ids, int32 from there on."""
    return ids.fitting(vocab_size, *(("uint16", "int32") if vocab_size < 65_500 else ("int32", "uint16")))


def files(stem, plan):
    return [f"{stem}.bin", f"{stem}.idx"]


def write(files, blocks, plan):
    tokens, index = files
    lengths = np.concatenate([_lengths(block) for block in ids.write(blocks, plan, tokens)])
    with index.open("wb") as stream:
        stream.write(struct.pack("<9sQBQQ", b"MMIDIDX", 1, _CODES[plan.dtype], len(lengths), len(lengths) + 1))
        stream.write(lengths.data)
        start = 0
        for first in range(0, len(lengths), _AT_A_TIME):
            ends = start + np.cumsum(lengths[first : first + _AT_A_TIME], dtype="<i8") * np.dtype(plan.dtype).itemsize
            stream.write(np.concatenate([[start], ends[:-1]]).astype("<i8").data)
            start = ends[-1]
        for first in range(0, len(lengths) + 1, _AT_A_TIME):
            stream.write(np.arange(first, min(len(lengths) + 1, first + _AT_A_TIME), dtype="<i8").data)


def _lengths(block) -> np.ndarray:
    return np.diff(block.ends, prepend=0).astype("<i4")


def finish(folder, plan):
    """Nothing: each shard is a data set, and a run takes several prefixes (--data-path)."""
