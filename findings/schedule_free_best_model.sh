#!/bin/sh
# transformers 5.23.0 with schedulefree 1.4.1: after a run that stops between two evaluations, load_best_model_at_end
# gives weights that the next evaluation changes; and what a checkpoint holds depends on what came before it.
#
# Schedule-Free trains at one point and is evaluated at another, an average; optimizer.eval() and train() go from the
# one to the other. The Trainer calls eval() where it evaluates, not where it saves, and not at the end of training:
# - a checkpoint without an evaluation at its step holds the point of training, not the average;
# - a callback that stops the run there (a time limit, say) leaves the optimizer in training mode; the best weights are
#   loaded, and trainer.evaluate() or predict() then calls optimizer.eval(), which moves them by the state of the last
#   step. What is reported and saved next is not the best model.
#
# Seen on 29 November 2026: "best 3.799..., evaluated afterwards 3.805..." and "checkpoint-3 holds
# the average: False". Exits non-zero if that changes. Our recipes call optimizer.eval() before both.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 schedulefree==1.4.1
cd "$folder"
cat > try.py <<'PYTHON'
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments, set_seed

sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
rows = [{"input_ids": row, "labels": row} for row in torch.randint(0, 50, (48, 12), generator=torch.manual_seed(0))]


class StopAtFive(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = state.global_step == 5


def trainer_of(folder, **settings):
    set_seed(0)
    args = TrainingArguments(
        folder, optim="schedule_free_adamw", lr_scheduler_type="constant", learning_rate=1e-2, max_steps=6,
        per_device_train_batch_size=8, report_to="none", use_cpu=True, disable_tqdm=True, **settings,
    )
    model = LlamaForCausalLM(LlamaConfig(vocab_size=50, **sizes))
    return Trainer(model, args, train_dataset=rows, eval_dataset=rows[:8], callbacks=[StopAtFive()])


best = trainer_of("best", eval_strategy="steps", eval_steps=2, save_steps=2, load_best_model_at_end=True)
best.train()
afterwards = best.evaluate()["eval_loss"]
print(f"best {best.state.best_metric}, evaluated afterwards {afterwards}")

trainer_of("saved", save_steps=3).train()
group = torch.load("saved/checkpoint-3/optimizer.pt", weights_only=True)["param_groups"][0]
print(f"checkpoint-3 holds the average: {not group['train_mode']}")
assert afterwards != best.state.best_metric and group["train_mode"], "behaviour has changed"
PYTHON
"$folder/venv/bin/python" try.py
