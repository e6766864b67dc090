#!/usr/bin/env bash
# litgpt pretrains on rows of a task, which are exported in its own format. A minute on a CPU: pip install litgpt litdata
#
# A row of sort-16 is 33 tokens, and litgpt's block is max_seq_length + 1: with 32 every block is a row.
set -euo pipefail
steps=${STEPS:-20}
export TORCHDYNAMO_DISABLE=1  # litgpt compiles the model first, which takes a CPU minutes
hf-procedural export sort-16 --format litdata --output_dir data/litgpt/train --tokens 3e5
hf-procedural export sort-16 --format litdata --output_dir data/litgpt/val --tokens 3e4 --split validation
litgpt pretrain pythia-14m --precision 32-true --devices 1 --logger_name csv --out_dir runs/litgpt \
    --data LitData --data.data_path data/litgpt --data.split_names '[train, val]' --data.num_workers 1 \
    --train.max_seq_length 32 --train.micro_batch_size 8 --train.global_batch_size 8 \
    --train.max_tokens $((steps * 8 * 32)) --train.lr_warmup_steps 5 --train.save_interval null --eval.max_iters 2
