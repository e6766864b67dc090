#!/bin/sh
# transformers 5.23.0 with trackio 0.43.0: curves stand over the number of what was logged, not over optimizer steps.
#
# The callback that --report_to trackio brings calls trackio.log(values) without a step; trackio then counts its own calls
# from 0. A training that logs every 5 of 20 steps and evaluates twice has its points at 0, 1, 2 ..., evaluations among
# them, so that two runs with other logging_steps, or more evaluations, do not lie over each other. The optimizer's step
# stands beside as a value, train/global_step. W&B's callback makes that value the axis; nothing does so here.
#
# Seen on 30 November 2026: "steps 0 1 2 3 4 5 6, train/global_step 5 10 10 15 20 20 20". Exits non-zero if that changes.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 trackio==0.43.0
cd "$folder"
cat > try.py <<'PYTHON'
import json
import sqlite3
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

config = LlamaConfig(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
rows = [{"input_ids": row, "labels": row} for row in torch.randint(0, 50, (8, 12))]
args = TrainingArguments(
    "out", max_steps=20, per_device_train_batch_size=8, logging_steps=5, eval_strategy="steps", eval_steps=10,
    report_to="trackio", project="steps", run_name="one", save_strategy="no", use_cpu=True, disable_tqdm=True,
)
Trainer(LlamaForCausalLM(config), args, train_dataset=rows, eval_dataset=rows).train()
(file,) = Path("trackio").glob("steps*.db")
logged = sqlite3.connect(file).execute("select step, metrics from metrics order by id").fetchall()
steps = [step for step, _ in logged]
told = [json.loads(values)["train/global_step"] for _, values in logged]
print(f"steps {' '.join(map(str, steps))}, train/global_step {' '.join(map(str, told))}")
assert steps == list(range(len(steps))) and told == [5, 10, 10, 15, 20, 20, 20], "behaviour has changed"
PYTHON
TRACKIO_DIR="$folder/trackio" HF_HUB_OFFLINE=1 "$folder/venv/bin/python" try.py
