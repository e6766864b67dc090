#!/usr/bin/env bash
# mosaicml-streaming 0.13.0: `num_canonical_nodes`, "for shuffling with resumption" on another number of nodes, changes
# what is read without shuffling, too. On one node with shuffle=False and 64 of them, 201 samples come out of order (0, 3,
# 6, ...), 55 of them twice: each canonical node has as many, of which the last overlap. `size` still says 201. Who wants
# rows in the order of the files, such as procedural rows first, leaves it out, or gives 1. Expected: the order of the
# files, each once; resumption needs no more of a run that is not shuffled. Seen on 2026-11-29:
#   mosaicml-streaming 0.13.0: num_canonical_nodes 1: 201 of 201, in order; 64: 256 of 201, first 0 3 6 9 12 15
# Exits 0 while it is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.1.3 transformers==4.57.6 pillow==12.0.0 tqdm filelock xxhash==3.6.0
# without torchvision, which it imports for images alone, and which wants torch with CUDA; and without cloud storage
"$folder/venv/bin/pip" install -q --no-deps mosaicml-streaming==0.13.0 brotli==1.2.1 catalogue==2.0.10 cramjam==2.14.0 \
    python-snappy==0.7.3 zstd==1.5.7.2
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - <<'PYTHON'
import importlib.metadata
import importlib.util
import sys
import types

package = types.ModuleType("streaming")  # whose __init__ imports torchvision
package.__path__ = importlib.util.find_spec("streaming").submodule_search_locations
sys.modules["streaming"] = package
from streaming.base import MDSWriter, StreamingDataset

with MDSWriter(out="rows", columns={"row": "int"}, size_limit=2_000) as writer:
    for row in range(201):
        writer.write({"row": row})


def read(nodes):
    dataset = StreamingDataset(local="rows", batch_size=8, shuffle=False, num_canonical_nodes=nodes)
    assert dataset.size == 201
    return [sample["row"] for sample in dataset]


one, many = read(1), read(64)
version = importlib.metadata.version("mosaicml-streaming")
print(
    f"mosaicml-streaming {version}: num_canonical_nodes 1: {len(one)} of 201{', in order' * (one == sorted(one))}; "
    f"64: {len(many)} of 201, first {' '.join(map(str, many[:6]))}"
)
assert one == list(range(201))
assert len(many) == 256 and set(many) == set(one) and many != sorted(many)
PYTHON
