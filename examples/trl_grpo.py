"""GRPO on a task by TRL, its reward the task's own verifier. A minute on a CPU: pip install "hf-procedural[rl]".

The model is new and the task small, so that now and then it guesses right; `graded` pays for a right beginning, too.
For longer ones begin with a model that can answer a little, such as the folder that trl_sft.py leaves.
"""

from datasets import load_dataset
from transformers import AutoConfig, AutoModelForCausalLM
from trl import GRPOConfig, GRPOTrainer

import hf_procedural
from hf_procedural.rl import answer_reward

STEPS = 60
task = hf_procedural.task("sort-2", vocab_size=6)
tokenizer = hf_procedural.tokenizer(task)
rows = load_dataset("procedural", "sort-2", vocab_size=6, view="prompt_completion", split="train", train_size=1000)
sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64, "intermediate_size": 128}
model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", vocab_size=len(tokenizer), **sizes))
args = GRPOConfig(
    "runs/trl_grpo",
    max_steps=STEPS,
    per_device_train_batch_size=64,
    num_generations=8,
    max_completion_length=2,
    learning_rate=3e-3,
    logging_steps=10,
    bf16=False,  # which a CPU does slowly; TRL's default
    report_to="none",
)
reward = answer_reward(task, graded=True)
GRPOTrainer(model, reward, args=args, train_dataset=rows, processing_class=tokenizer).train()
