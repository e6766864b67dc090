#!/bin/sh
# transformers 5.23.0 with schedulefree 1.4.1: a warmup that is given as a share, --warmup_steps 0.1, multiplies the
# first step of Schedule-Free by 1 / 0.1.
#
# TrainingArguments(warmup_steps=0.1) is "a float in range [0, 1): interpreted as ratio of total training steps", and
# Trainer.create_scheduler resolves it. The optimizer gets the bare 0.1: AdamWScheduleFree asks k < warmup_steps, which
# holds for k = 0, and takes (k + 1) / warmup_steps = 10 times the learning rate, which also stays its lr_max, by which
# averages are weighted. No error, no warning. (A run of 100 steps meant 10 steps of warmup.)
#
# Seen on 29 November 2026: "first step at 0.01 instead of 0.0001, lr_max 0.01". Exits non-zero if that changes.
# Our recipes refuse a share with these optimizers.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 schedulefree==1.4.1
cd "$folder"
cat > try.py <<'PYTHON'
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments

config = LlamaConfig(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
rows = [{"input_ids": row, "labels": row} for row in torch.randint(0, 50, (8, 12))]
seen = []


class Look(TrainerCallback):
    def on_optimizer_step(self, args, state, control, optimizer=None, **kwargs):
        seen.append((optimizer.param_groups[0]["scheduled_lr"], optimizer.param_groups[0]["lr_max"]))


args = TrainingArguments(
    "out", optim="schedule_free_adamw", learning_rate=1e-3, warmup_steps=0.1, max_steps=100, num_train_epochs=100,
    lr_scheduler_type="constant", per_device_train_batch_size=8, report_to="none", save_strategy="no", use_cpu=True,
    disable_tqdm=True, logging_strategy="no",
)
Trainer(LlamaForCausalLM(config), args, train_dataset=rows, callbacks=[Look()]).train()
first, largest = seen[0][0], seen[-1][1]
print(f"first step at {first:g} instead of {1e-3 / 10:g}, lr_max {largest:g}")
assert abs(first - 1e-2) < 1e-9 and abs(largest - 1e-2) < 1e-9, "behaviour has changed"
PYTHON
"$folder/venv/bin/python" try.py
