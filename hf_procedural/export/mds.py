"""MosaicML's MDS, a row a sample: the column tokens, which llm-foundry reads, and labels; their index.json.

    STEM.mds      uint32 number of rows; uint32 where each begins, and the last ends; the columns, as JSON; the rows
    index.json    the shards with their rows

As ``MDSWriter`` of mosaicml-streaming 0.13.0 writes them (``base/format/mds/writer.py``), byte for byte. Where all rows
have one length, it stands in the encoding of the columns and not in the rows.
"""

import json
from pathlib import Path

import numpy as np

from ..files import write_text
from . import ids

ABOUT = "MosaicML streaming, llm-foundry (MDS): .mds of tokens and labels, index.json"
MASKS = True
LABELS = True  # files hold the labels themselves

_PART = 2**24  # bytes


def dtypes(vocab_size: int) -> list[str]:
    """llm-foundry's own choice first (``convert_dataset_hf.py``)."""
    return ids.fitting(vocab_size, "int32", "uint16", "int64")


def files(stem, plan):
    return [f"{stem}.mds"]


def check(plan):
    rows, length = min(plan.shard_rows, plan.count), plan.row_length or 0
    row = 4 + length * sum(dtype.itemsize for dtype in _columns(plan).values())
    ids.within_uint32("mds", rows * row)


def write(files, blocks, plan):
    (file,) = files
    ids.check_dtype(plan)
    check(plan)
    config = json.dumps(_config(plan), sort_keys=True).encode()
    most, length = min(plan.shard_rows, plan.count), plan.row_length
    size = start = 4 * (most + 2) + len(config)
    sizes = []
    with file.open("w+b") as stream:
        stream.seek(start)
        for block in blocks:
            samples, block_sizes = (_fixed if length else _variable)(block, plan)
            size = ids.within_uint32("mds", size + len(samples))
            stream.write(samples)
            sizes.append(block_sizes)
        rows = sum(map(len, sizes))
        gap = 4 * (most - rows)
        _close_gap(stream, start, size, gap)
        stream.seek(0)
        stream.write(np.array(rows, "<u4").data)
        stream.write(np.concatenate([[start - gap], *sizes], dtype="<u4", casting="unsafe").cumsum(dtype="<u4").data)
        stream.write(config)


def finish(folder, plan):
    """Writes index.json."""
    shards = []
    for number in range(plan.shards):
        (name,) = files(plan.stem(number), plan)
        start, stop = plan.range(number)
        raw = {"basename": name, "bytes": Path(folder, name).stat().st_size, "hashes": {}}
        shards.append(_config(plan) | {"raw_data": raw, "samples": stop - start, "zip_data": None})
    write_text(Path(folder, "index.json"), json.dumps({"shards": shards, "version": 2}, sort_keys=True))


def _columns(plan) -> dict[str, np.dtype]:
    """By name, in the order in which they stand in a row."""
    labels = {"labels": np.dtype("<i4")} if plan.masks else {}
    return labels | {"tokens": np.dtype(plan.dtype).newbyteorder("<")}


def _config(plan) -> dict:
    length = plan.row_length
    columns = _columns(plan).values()
    shape = f":{length}" if length else ""
    return {
        "version": 2,
        "format": "mds",
        "compression": None,
        "hashes": [],
        "size_limit": None,
        "column_names": list(_columns(plan)),
        "column_encodings": [f"ndarray:{dtype.name}{shape}" for dtype in columns],
        "column_sizes": [length * dtype.itemsize if length else None for dtype in columns],
    }


def _fixed(block, plan) -> tuple[bytes, np.ndarray]:
    """Rows of one length as samples, and the size of each."""
    columns = [getattr(block, name).astype(dtype) for name, dtype in _columns(plan).items()]
    rows = [column.reshape(len(block.ends), -1).view(np.uint8) for column in columns]
    samples = np.concatenate(rows, axis=1)
    return samples.tobytes(), np.full(len(samples), samples.shape[1], np.uint32)


def _variable(block, plan) -> tuple[bytes, np.ndarray]:
    """Rows of several lengths as samples, the size and the shape of each column before it, and the size of each."""
    columns = [(getattr(block, name).astype(dtype).tobytes(), dtype.itemsize) for name, dtype in _columns(plan).items()]
    lengths = np.diff(block.ends, prepend=0).tolist()
    shapes = {length: _shape(length) for length in set(lengths)}
    samples, start = [], 0
    for length in lengths:
        shape = shapes[length]
        sizes = [len(shape) + length * itemsize for _, itemsize in columns]
        arrays = [shape + column[start * itemsize : (start + length) * itemsize] for column, itemsize in columns]
        samples.append(b"".join([np.array(sizes, "<u4").tobytes(), *arrays]))
        start += length
    return b"".join(samples), np.array([len(sample) for sample in samples], np.uint32)


def _shape(length: int) -> bytes:
    """Of a vector, as ``NDArray`` encodes it: the number of dimensions and the dtype of their sizes, and these."""
    code = 0 if length < 2**8 else 1 if length < 2**16 else 2
    return bytes([1 << 2 | code]) + length.to_bytes(2**code, "little")


def _close_gap(stream, start: int, stop: int, gap: int) -> None:
    """Moves what stands from `start` to `stop` forward, as the last shard has fewer rows than there was room for."""
    for place in range(start, stop if gap else start, _PART):
        stream.seek(place)
        part = stream.read(min(_PART, stop - place))
        stream.seek(place - gap)
        stream.write(part)
    stream.truncate(stop - gap)
