#!/usr/bin/env bash
# OLMo-core's NumpyPackedFSLDataset drops what stands behind the last end token of a file, and of a file without end
# tokens everything: a data set of 0 instances, without an error or a warning.
#
# Documents are found by their end token, also where the .csv.gz with the starts and ends of documents lies beside the
# file, as the Dolma toolkit writes it: that is read for a URL, or with use_array_if_local=False. So the same folder is
# complete from S3, and cut or empty from disk. (NumpyPaddedFSLDataset cuts in the same way, and raises where there is
# no end token at all; NumpyFSLDataset needs none.)
#
# Seen with ai2-olmo-core 3.0.0, torch 2.13.0, numpy 2.4.6: "tokens kept of 9: 9 by the .csv.gz, 6 by default;
# without end tokens: 9 and 0". Exits 0 as long as it is so, 1 when it has changed.
# Our export writes the .csv.gz, so that rows need no end token.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ai2-olmo-core==3.0.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > try.py <<'PYTHON'
import gzip
import os
import sys

import numpy as np
from olmo_core.data import NumpyPackedFSLDatasetConfig, TokenizerConfig

END, PAD = 0, 999


def kept(name: str, ids: list[int], **settings) -> int:
    """How many tokens of a file of three documents the data set has."""
    np.array(ids, np.uint16).tofile(f"{name}.npy")
    with gzip.open(f"{name}.csv.gz", "wt") as rows:
        rows.write("0,3\n3,6\n6,9\n")
    tokenizer = TokenizerConfig(vocab_size=1_000, eos_token_id=END, pad_token_id=PAD)
    config = NumpyPackedFSLDatasetConfig(
        tokenizer=tokenizer, paths=[os.path.abspath(f"{name}.npy")], sequence_length=16, work_dir=".", **settings
    )
    dataset = config.build()
    dataset.prepare()
    return sum(int((dataset[number]["input_ids"] != PAD).sum()) for number in range(len(dataset)))


if __name__ == "__main__":
    cut, without = [1, 2, END, 3, 4, END, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7, 8, 9]
    told = [kept(name, ids, use_array_if_local=False) for name, ids in (("cut", cut), ("without", without))]
    found = [kept(name, ids) for name, ids in (("cut", cut), ("without", without))]
    print(f"tokens kept of 9: {told[0]} by the .csv.gz, {found[0]} by default; without end tokens: {told[1]} and {found[1]}")
    sys.exit(0 if (told, found) == ([9, 9], [6, 0]) else 1)
PYTHON
"$folder/venv/bin/python" -W ignore try.py
