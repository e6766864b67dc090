#!/usr/bin/env bash
# megatron-core's IndexedDatasetBuilder writes an id that does not fit into its dtype as another id, without an error.
#
# `add_document` and `add_item` take a tensor and convert it with `numpy.array(tensor, dtype=self.dtype)`, which wraps:
# 65,537 becomes 1 in a uint16 file (and -100, where labels are written, 65,436). The dtype is chosen once, from the
# size of a vocabulary (`DType.optimal_dtype`), so that a tokenizer which grew afterwards, or whose `vocab_size` leaves
# added tokens out, damages the file in silence. A list in place of the tensor raises OverflowError.
#
# Seen with megatron-core 0.16.1, torch 2.13.0, numpy 2.4.6: "written [1, 65537], read [1, 1]".
# Exits 0 as long as it is so, 1 when it has changed. Our export refuses a dtype that does not hold all ids.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet megatron-core==0.16.1 torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import torch
from megatron.core.datasets.indexed_dataset import DType, IndexedDataset, IndexedDatasetBuilder

written = [1, 65_537]
builder = IndexedDatasetBuilder("rows.bin", dtype=DType.optimal_dtype(50_000))
builder.add_document(torch.tensor(written), [2])
builder.finalize("rows.idx")
dataset = IndexedDataset("rows")
read = dataset[0].tolist()
print(f"written {written}, read {read}")
sys.exit(0 if read == [1, 1] else 1)
PYTHON
