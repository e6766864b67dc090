#!/bin/sh
# transformers 5.23.0: some settings in optim_args reach the optimizer as words.
#
# stable_adamw (torch-optimi): decouple_lr and kahan_sum go through bool("..."), so that decouple_lr=False switches it
# on. adamw_torch_8bit and adamw_torch_4bit (torchao): block_size=256 stays "256", and the first step of the optimizer
# ends with a TypeError.
#
# Seen on 29 November 2026: "decouple_lr=False gives True" and "block_size=256 gives '256'". Exits non-zero if that
# changes. Our recipes refuse both.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 torch-optimi==0.3.3 torchao==0.18.0
cd "$folder"
cat > try.py <<'PYTHON'
from transformers import Trainer, TrainingArguments

seen = []
for optim, setting in (("stable_adamw", "decouple_lr=False"), ("adamw_torch_8bit", "block_size=256")):
    args = TrainingArguments("out", optim=optim, optim_args=setting, report_to="none", use_cpu=True)
    _, settings = Trainer.get_optimizer_cls_and_kwargs(args)
    seen.append(settings[setting.partition("=")[0]])
    print(f"{setting} gives {seen[-1]!r}")
assert seen[0] is True and seen[1] == "256", "behaviour has changed"
PYTHON
"$folder/venv/bin/python" try.py
