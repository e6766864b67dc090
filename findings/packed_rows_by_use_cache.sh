#!/usr/bin/env bash
# transformers 5.23.0: whether packed rows see each other depends on use_cache and on the architecture.
#
# Rows packed one behind the other, told apart by position_ids that begin anew (DataCollatorWithFlattening, TRL's
# packing=True), get a mask by row with attention other than Flash Attention, too, but only where no cache is made: with
# use_cache=True, the default of a model's config, the second row attends to the first. Trainer and TRL set it to False;
# a forward pass of one's own does not. OPT, Falcon and BLOOM mix rows either way, and Mamba carries its state over.
# TRL's warning, that packing without Flash Attention may contaminate, is the same for all of them.
#
# Output seen (largest difference of the logits of a packed row to those of the row alone):
#   transformers 5.23.0
#   llama: use_cache=False 0.0, use_cache=True more than 1
#   gpt2: use_cache=False 0.0, use_cache=True more than 1
#   opt: use_cache=False more than 1, use_cache=True more than 1
#   falcon: use_cache=False more than 1, use_cache=True more than 1
#   bloom: use_cache=False more than 1, use_cache=True more than 1
#   mamba: use_cache=False more than 1, use_cache=True more than 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==5.23.0 torch==2.13.0
cat > "$folder/try.py" <<'PYTHON'
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

LLAMA = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
SIZES = {
    "llama": LLAMA,
    "gpt2": {"n_layer": 2, "n_head": 2, "n_embd": 16},
    "opt": {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "ffn_dim": 32, "word_embed_proj_dim": 16},
    "falcon": {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2},
    "bloom": {"n_layer": 2, "n_head": 2, "hidden_size": 16},
    "mamba": {"num_hidden_layers": 2, "hidden_size": 16, "state_size": 4},
}
print("transformers", transformers.__version__)
mixes = {}
for name, sizes in SIZES.items():
    torch.manual_seed(0)
    special = {"vocab_size": 12, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    spread = {"init_std": 0.5} if name == "opt" else {"initializer_range": 0.5}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **sizes, **special, **spread)).eval()
    first, second = torch.randint(1, 12, (1, 9)), torch.randint(1, 12, (1, 7))
    packed = {
        "input_ids": torch.cat([first, second], dim=1),
        "position_ids": torch.cat([torch.arange(9), torch.arange(7)])[None],
    }
    with torch.no_grad():
        alone = model(input_ids=second, use_cache=False).logits
        apart = {cache: (model(**packed, use_cache=cache).logits[:, 9:] - alone).abs().max() for cache in (False, True)}
    told = {cache: "more than 1" if value > 1 else f"{value:.1f}" for cache, value in apart.items()}
    print(f"{name}: " + ", ".join(f"use_cache={cache} {words}" for cache, words in told.items()))
    assert all(value > 1 or value < 1e-4 for value in apart.values()), apart
    mixes[name] = tuple(bool(value > 1) for value in apart.values())
apart_without_cache = {name for name, found in mixes.items() if found == (False, True)}
assert apart_without_cache == {"llama", "gpt2"}, mixes
assert {name for name, found in mixes.items() if found == (True, True)} == SIZES.keys() - apart_without_cache, mixes
PYTHON
HF_HOME="$folder" "$folder/venv/bin/python" -W ignore "$folder/try.py" 2> "$folder/err" || { tail -5 "$folder/err"; exit 1; }
