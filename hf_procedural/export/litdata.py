"""litdata's chunks of tokens, which litgpt reads by ``TokensLoader``, and their index.json.

    STEM.bin      uint32 1, 12 and the size of the file: one item from byte 12 on; then the ids
    index.json    the chunks with their tokens, and the dtype

As ``BinaryWriter`` of litdata 0.2.76 writes a chunk of one tensor (``streaming/writer.py``), byte for byte. Where the
index has a time, ours has what readers take it for: a name of what is in the folder, under which they cache chunks.
"""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np

from ..data.blocks import fingerprint
from ..files import write_text
from . import ids

ABOUT = "litdata, litgpt (TokensLoader): .bin chunks of ids, index.json"
MASKS = False

_HEADER = struct.Struct("<3I")
_FORMATS = {"int32": 16, "uint16": 20}  # torch's dtypes, as litdata/constants.py numbers them
_SPEC = '[1, {"type": null, "context": null, "children_spec": []}]'  # of a tensor, as torch.utils._pytree writes it


def dtypes(vocab_size: int) -> list[str]:
    """litgpt's own choice first, torch.int."""
    return ids.fitting(vocab_size, "int32", "uint16")


def files(stem, plan):
    return [f"{stem}.bin"]


def check(plan):
    ids.within_uint32("litdata", _HEADER.size + ids.shard_bytes(plan))


def write(files, blocks, plan):
    (file,) = files
    check(plan)
    size, itemsize = _HEADER.size, np.dtype(plan.dtype).itemsize
    for block in ids.write(blocks, plan, file, header=bytes(_HEADER.size)):
        size = ids.within_uint32("litdata", size + len(block.tokens) * itemsize)
    with file.open("r+b") as stream:
        stream.write(_HEADER.pack(1, _HEADER.size, size))


def finish(folder, plan):
    """Writes index.json."""
    chunks = []
    for number in range(plan.shards):
        (name,) = files(plan.stem(number), plan)
        size = Path(folder, name).stat().st_size
        dim = (size - _HEADER.size) // np.dtype(plan.dtype).itemsize
        chunks.append({"chunk_bytes": size, "chunk_size": 1, "dim": dim, "filename": name})
    config = dict.fromkeys(
        ["chunk_size", "compression", "compression_batch_size", "compression_level", "encryption", "ipc_compression"]
    )
    config |= {"chunk_bytes": max(chunk["chunk_bytes"] for chunk in chunks), "item_loader": "TokensLoader"}
    config |= {"data_format": [f"no_header_tensor:{_FORMATS[plan.dtype]}"], "data_spec": _SPEC, "types": "tensor"}
    index = {"chunks": chunks, "config": config, "updated_at": _name(chunks, plan)}
    write_text(Path(folder, "index.json"), json.dumps(index, sort_keys=True))


def _name(chunks: list, plan) -> str:
    """Of these ids in these chunks."""
    rows = plan.rows
    whose = [fingerprint(rows.task, rows.seed, plan.split), rows.padded, rows.coding and rows.coding.digest]
    return hashlib.blake2b(json.dumps([whose, plan.dtype, chunks]).encode(), digest_size=8).hexdigest()
