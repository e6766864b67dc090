"""Supervised training on a task by TRL's SFTTrainer. A minute on a CPU: pip install "hf-procedural[rl]"."""

from datasets import load_dataset
from transformers import AutoConfig, AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

import hf_procedural

STEPS = 100
tokenizer = hf_procedural.tokenizer("sort-4")
rows = load_dataset("procedural", "sort-4", view="prompt_completion", train_size=32 * STEPS, validation_size=100)
sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64, "intermediate_size": 128}
model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", vocab_size=len(tokenizer), **sizes))
args = SFTConfig(
    "runs/trl_sft",
    max_steps=STEPS,
    per_device_train_batch_size=32,
    learning_rate=3e-3,
    logging_steps=10,
    eval_strategy="steps",
    eval_steps=50,
    bf16=False,  # which a CPU does slowly; TRL's default
    report_to="none",
)
trainer = SFTTrainer(
    model, args=args, train_dataset=rows["train"], eval_dataset=rows["validation"], processing_class=tokenizer
)
trainer.train()
trainer.save_model()
