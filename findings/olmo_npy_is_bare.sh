#!/usr/bin/env bash
# OLMo-core's "numpy arrays on disk" are no files of numpy.save: they are bare ids. One that numpy.save has written is
# taken too, and its header of 128 bytes is trained on as 64 tokens, which also moves every window behind it.
#
# NumpyFSLDataset reads ranges of bytes. A .npy is told neither from its head nor from ids that are beyond `vocab_size`,
# which the data set is given. The dtype is not in the file, either: NumpyDatasetConfig without one takes the smallest
# that holds `vocab_size`, uint8 for up to 256 ids.
#
# Seen with ai2-olmo-core 3.0.0, torch 2.13.0, numpy 2.4.6: "160 tokens instead of 96; ids up to 32032 in a
# vocabulary of 1000". Exits 0 as long as it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ai2-olmo-core==3.0.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from olmo_core.data import NumpyFSLDatasetConfig, TokenizerConfig

ids = np.arange(1, 97, dtype=np.uint16)
np.save("saved.npy", ids)
ids.tofile("bare.npy")
tokenizer = TokenizerConfig(vocab_size=1_000, eos_token_id=0, pad_token_id=0)
read = {}
for name in ("saved", "bare"):
    config = NumpyFSLDatasetConfig(tokenizer=tokenizer, paths=[f"{name}.npy"], sequence_length=32, work_dir=".")
    dataset = config.build()
    dataset.prepare()
    read[name] = np.concatenate([dataset[number]["input_ids"] for number in range(len(dataset))])
assert (read["bare"] == ids).all()
count, largest = len(read["saved"]), read["saved"].max()
print(f"{count} tokens instead of {len(ids)}; ids up to {largest} in a vocabulary of 1000")
sys.exit(0 if count == 64 + 96 and largest >= 1_000 and (read["saved"][64:] == ids).all() else 1)
PYTHON
