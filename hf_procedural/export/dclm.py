"""DCLM's tokenized tars, which open_lm reads through webdataset, and their manifest.

    STEM.tar          00000000.json.gz and so on: JSON lists of ids, gzipped, each a sample
    STEM.tar.json     {"num_sequences": how many}
    manifest.jsonl    {"shard": STEM, "num_sequences": ...}, a line for each shard, and a newline behind the last, which
                      open_lm does not see without (``file_utils.get_metadata_file``)

A list has 2,049 ids: DCLM's context of 2,048 and the token after. Rows fill them one after another, so that rows of
2,049 ids (sort-1024, ``dyck-64 --length 2049``) are a list each; at a shard's end padding fills the last. Rows that are
all longer are a list each, too. open_lm skips lists shorter than ``--seq-len`` + 1, with a warning, and takes a random
window of longer ones (``data.py``).

As mlfoundations/dclm 361714b writes them (``rust_processing/tokshuf-rs``), for mlfoundations/open_lm 9bb92ef.
"""

import gzip
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..data.coded import Block
from ..files import write_text
from . import ids

ABOUT = "DCLM, open_lm (webdataset): .tar of gzipped JSON lists of 2,049 ids, manifest.jsonl"
MASKS = False

LENGTH = 2049


def dtypes(vocab_size: int) -> list[str]:
    """That of all our rows: JSON holds any."""
    return ids.fitting(vocab_size, "int32")


def files(stem, plan):
    return [f"{stem}.tar", f"{stem}.tar.json"]


def write(files, blocks, plan):
    write_sequences(files, _sequences(blocks, plan), plan)


def write_sequences(files, sequences: Iterable[np.ndarray], plan) -> None:
    """Writes a shard of lists of ids, int32 ``[length]`` each."""
    archive, record = files
    words = [str(id).encode() for id in range(plan.rows.vocab_size)]
    number = 0
    with archive.open("wb") as stream:
        for number, sequence in enumerate(sequences, 1):
            text = b"[%b]" % b",".join(map(words.__getitem__, sequence.tolist()))
            packed = gzip.compress(text, 1, mtime=0)
            member = tarfile.TarInfo(f"{number - 1:08d}.json.gz")  # of 1970, and nobody's
            member.size = len(packed)
            stream.write(member.tobuf(tarfile.USTAR_FORMAT))
            stream.write(packed)
            stream.write(bytes(-len(packed) % tarfile.BLOCKSIZE))
        stream.write(bytes(2 * tarfile.BLOCKSIZE))
    record.write_text(json.dumps({"num_sequences": number}), encoding="utf-8")


def finish(folder, plan):
    """Writes manifest.jsonl."""
    lines = []
    for stem in map(plan.stem, range(plan.shards)):
        _, record = files(stem, plan)
        lines.append(json.dumps({"shard": stem} | json.loads(Path(folder, record).read_text(encoding="utf-8"))) + "\n")
    write_text(Path(folder, "manifest.jsonl"), "".join(lines))


def _sequences(blocks: Iterable[Block], plan) -> Iterator[np.ndarray]:
    """Lists of ids, int32 ``[length]``."""
    length = max(LENGTH, plan.row_length or 0)
    rest = np.empty(0, np.int32)
    for block in blocks:
        tokens = np.concatenate([rest, block.tokens])
        whole = len(tokens) // length * length
        yield from tokens[:whole].reshape(-1, length)
        rest = tokens[whole:]
    if len(rest):
        pad_id = (plan.rows.coding or plan.rows.task).pad_id
        yield np.append(rest, np.full(length - len(rest), pad_id, np.int32))
