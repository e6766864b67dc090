#!/usr/bin/env bash
# litdata 0.2.76: TokensLoader drops what is left of each chunk behind its last whole block, and a chunk with fewer tokens
# than a block altogether, without a word. Each chunk is cut anew, so that the loss grows with the number of chunks, of
# which each worker of `optimize` leaves a short one; `len` counts what is left. Twenty chunks of 2,000 tokens, at the
# block of 2,049 that litgpt takes for a context of 2,048, are no data at all; and epochs end at once, without an error.
# Expected: a warning, as the loader knows all sizes from index.json. Seen on 2026-11-29:
#   litdata 0.2.76: 10 chunks of 3,000 tokens: 20,490 of 30,000 tokens; 20 chunks of 2,000: 0 of 40,000; warnings: 0
# Exits 0 while it is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 filelock==3.29.0 requests==2.34.2 packaging==26.3
# without torchvision, which it imports for images alone, and which wants torch with CUDA
"$folder/venv/bin/pip" install -q --no-deps litdata==0.2.76 lightning-utilities==0.15.3 boto3==1.44.8 botocore==1.44.8 \
    s3transfer==0.19.3 jmespath==1.1.0 python-dateutil==2.9.0 six==1.17.0
cd "$folder"
DATA_OPTIMIZER_CACHE_FOLDER="$folder/cache" venv/bin/python - <<'PYTHON'
import importlib.metadata
import warnings

import torch
from litdata import StreamingDataset, TokensLoader
from litdata.streaming.writer import BinaryWriter


def read(chunks, documents, length, block=2_049):
    """The tokens of whole documents in chunks, and those that come back."""
    name = f"{chunks}_chunks"
    writer = BinaryWriter(name, chunk_bytes=4 * documents * length, item_loader=TokensLoader())
    for number in range(chunks * documents):
        writer[number] = torch.full((length,), number, dtype=torch.int32)
    writer.done()
    writer.merge()
    dataset = StreamingDataset(name, item_loader=TokensLoader(block_size=block))
    assert len(dataset) == sum(1 for _ in dataset)
    return len(dataset) * block, chunks * documents * length


with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    some, of_some = read(10, 4, 750)
    none, of_none = read(20, 2, 1_000)
told = [warning for warning in told if "token" in str(warning.message) or "chunk" in str(warning.message)]
print(
    f"litdata {importlib.metadata.version('litdata')}: 10 chunks of 3,000 tokens: {some:,} of {of_some:,} tokens; "
    f"20 chunks of 2,000: {none:,} of {of_none:,}; warnings: {len(told)}"
)
assert (some, of_some, none, of_none, len(told)) == (20_490, 30_000, 0, 40_000, 0)
PYTHON
