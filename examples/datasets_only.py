"""Rows of a task in a plain PyTorch loop: datasets and torch, nothing else. A minute on a CPU."""

import torch
from datasets import load_dataset
from transformers import AutoConfig, AutoModelForCausalLM

import hf_procedural

STEPS = 300
task = hf_procedural.task("sort-8", vocab_size=20)
rows = load_dataset("procedural", "sort-8", vocab_size=20, train_size=64 * STEPS, validation_size=256, test_size=0)
rows = rows.with_format("torch")

config = AutoConfig.for_model("gpt2", vocab_size=len(hf_procedural.tokenizer(task)), n_layer=2, n_head=4, n_embd=64)
model = AutoModelForCausalLM.from_config(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for step, batch in enumerate(torch.utils.data.DataLoader(rows["train"], batch_size=64), 1):
    loss = model(**batch).loss  # labels are -100 where nothing is to be predicted; the model shifts them
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    if step % 50 == 0:
        print(f"step {step}: loss {loss.item():.3f}")

with torch.no_grad():
    held_out = rows["validation"][:]
    guesses = model.eval()(held_out["input_ids"]).logits[:, :-1].argmax(-1)
    asked = held_out["labels"][:, 1:] != -100
    print(f"held-out tokens right: {(guesses == held_out['input_ids'][:, 1:])[asked].float().mean():.1%}")
