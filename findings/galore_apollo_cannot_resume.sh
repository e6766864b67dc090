#!/bin/sh
# transformers 5.23.0 with galore-torch 1.0 and apollo-torch 1.0.3: no checkpoint of these optimizers can be resumed.
#
# Both keep projectors, objects of classes of their own, in the optimizer's state. Trainer writes optimizer.pt by
# torch.save and reads it by torch.load(..., weights_only=True), which refuses the classes: the run ends with
# UnpicklingError when it shall go on. The _layerwise variants go on without an error and without their state: the
# optimizer that the Trainer saves is a dummy, so that moments and projections begin anew.
#
# Seen on 29 November 2026:
#   galore_adamw: UnpicklingError
#   apollo_adamw: UnpicklingError
#   galore_adamw_layerwise: goes on, with other weights than the run that was not interrupted
#   adamw_torch: goes on, with the same weights
# Exits non-zero if that changes. Our recipes refuse such a resume, and say so when the run begins.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 bitsandbytes==0.50.2 \
    galore-torch==1.0 apollo-torch==1.0.3
cd "$folder"
cat > try.py <<'PYTHON'
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, set_seed

sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
rows = [{"input_ids": row, "labels": row} for row in torch.randint(0, 50, (24, 12), generator=torch.manual_seed(0))]


def train(folder, optim, checkpoint=None):
    set_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=50, **sizes))
    low_rank = {} if optim == "adamw_torch" else {"optim_target_modules": "all-linear", "optim_args": "rank=4"}
    args = TrainingArguments(
        folder, optim=optim, learning_rate=1e-2, max_steps=6, save_steps=3, per_device_train_batch_size=4,
        report_to="none", use_cpu=True, disable_tqdm=True, logging_strategy="no", **low_rank,
    )
    Trainer(model, args, train_dataset=rows).train(resume_from_checkpoint=checkpoint)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def outcome(optim):
    whole = train(f"{optim}/whole", optim)
    try:
        resumed = train(f"{optim}/resumed", optim, f"{optim}/whole/checkpoint-3")
    except Exception as error:
        return type(error).__name__
    same = torch.equal(whole, resumed)
    return f"goes on, with {'the same weights' if same else 'other weights than the run that was not interrupted'}"


seen = {}
for optim in ("galore_adamw", "apollo_adamw", "galore_adamw_layerwise", "adamw_torch"):
    seen[optim] = outcome(optim)
    print(f"{optim}: {seen[optim]}")
assert list(seen.values()) == [
    "UnpicklingError",
    "UnpicklingError",
    "goes on, with other weights than the run that was not interrupted",
    "goes on, with the same weights",
], "behaviour has changed"
PYTHON
"$folder/venv/bin/python" try.py
