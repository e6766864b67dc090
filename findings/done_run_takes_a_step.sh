#!/usr/bin/env bash
# transformers 5.23.0 with torch 2.13.0: a Trainer that is done, resumed from the checkpoint of its last step, takes one
# more step where max_steps ends within an epoch: whether steps are left is asked behind each step alone. Whoever runs
# the same command again (Slurm, a loop in a shell) has other weights, and a global_step above max_steps, each time.
# Output seen:
#   transformers 5.23.0 max_steps 4 global_step 5 weights changed True
# Exits 0 while it is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 numpy
cd "$folder"
HF_HOME="$folder/home" "$folder/venv/bin/python" - <<'PYTHON'
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, default_data_collator

rows = [{"input_ids": torch.arange(8), "labels": torch.arange(8)} for _ in range(64)]
settings = {"max_steps": 4, "per_device_train_batch_size": 8, "save_steps": 4, "lr_scheduler_type": "constant"}
args = TrainingArguments("run", use_cpu=True, report_to="none", disable_tqdm=True, **settings)


def run(checkpoint):
    model = GPT2LMHeadModel(GPT2Config(vocab_size=8, n_positions=8, n_embd=8, n_layer=1, n_head=1, eos_token_id=0))
    trainer = Trainer(model, args, train_dataset=rows, data_collator=default_data_collator)
    trainer.train(resume_from_checkpoint=checkpoint)
    return trainer.state.global_step, model.transformer.wte.weight.detach().clone()


_, before = run(None)
step, after = run("run/checkpoint-4")
changed = not torch.equal(before, after)
print("transformers", transformers.__version__, "max_steps 4 global_step", step, "weights changed", changed)
assert step == 5 and changed
PYTHON
