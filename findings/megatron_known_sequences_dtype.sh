#!/usr/bin/env bash
# megatron-core has two rules for the dtype of ids, which disagree for vocabularies of 65,500 to 65,536 tokens: whoever
# gives the counts of sequences beforehand, which saves reading each .idx's head (GPTDatasetConfig.sequences_per_dataset,
# --per-dataset-sequences-path), then trains on every second id a zero, without an error.
#
# `DType.optimal_dtype`, by which Megatron's own preprocessing writes, says int32 from 65,500 on. GPTDatasetConfig says
# uint16 up to 65,536 (`token_dtype_code`), and with counts given, that wins over the code that stands in the .idx.
#
# Seen with megatron-core 0.16.1, torch 2.13.0, numpy 2.4.6: "vocabulary of 65500, int32: [1, 2, 3] is read as
# [1, 0, 2]", and right at 65,499 and at 65,537. Exits 0 as long as it is so, 1 when it has changed.
# Our export writes int32 there as Megatron does, and takes --dtype uint16, which both read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet megatron-core==0.16.1 torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import collections
import sys
import types

import torch
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder

read = {}
for vocab_size in (65_499, 65_500, 65_536, 65_537):
    prefix = f"rows-{vocab_size}"
    dtype = DType.optimal_dtype(vocab_size)
    builder = IndexedDatasetBuilder(f"{prefix}.bin", dtype=dtype)
    builder.add_document(torch.tensor([1, 2, 3]), [3])
    builder.finalize(f"{prefix}.idx")
    config = GPTDatasetConfig(
        random_seed=0,
        sequence_length=3,
        blend_per_split=[([prefix], None), None, None],
        tokenizer=types.SimpleNamespace(
            vocab_size=vocab_size, eod=0, pad=-1, unique_identifiers=collections.OrderedDict(name="any")
        ),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        path_to_cache="cache",
        sequences_per_dataset={prefix: (1, 2)},  # what is in the .idx: sequences, and documents with the end
    )
    dataset = GPTDataset.build_low_level_dataset(prefix, config)
    read[vocab_size] = dataset[0].tolist()
    print(f"vocabulary of {vocab_size}, {dtype.__name__}: [1, 2, 3] is read as {read[vocab_size]}")
right, wrong = [1, 2, 3], [1, 0, 2]
sys.exit(0 if read == {65_499: right, 65_500: wrong, 65_536: wrong, 65_537: right} else 1)
PYTHON
