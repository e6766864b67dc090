#!/usr/bin/env bash
# trl 1.16.0: GRPOTrainer gives its rewards every column of the data set but the one named completion.
#
# The class says that any additional column is passed on to the reward functions, and a prompt-completion data set, the
# one that SFTTrainer trains on, is the nearest at hand: its completion is the true answer that a reward wants to
# compare with. It is left out with prompt and completion_ids, which have values of their own; completion has none. A
# reward that takes `completion` ends in a TypeError at the first step, one with `completion=None` or **columns never
# sees the answer. Renamed to anything else, it arrives.
#
# Output seen:
#   trl 1.16.0
#   columns completion, answer: the reward gets ['answer']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q trl==1.16.0 transformers==5.23.0 datasets==5.2.0 torch==2.13.0
cat > "$folder/try.py" <<'PYTHON'
import tokenizers
import transformers
import trl
from datasets import Dataset

words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<pad>": 0, "1": 1, "2": 2, "3": 3}))
words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<pad>")
sizes = {"num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
model = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=4, **sizes))
seen = set()


def reward(prompts, completions, **columns):
    seen.update(name for name in columns if name in ("completion", "answer"))
    return [0.0] * len(prompts)


rows = [{"prompt": "1 2", "completion": " 3", "answer": " 3"}, {"prompt": "2 1", "completion": " 3", "answer": " 3"}]
quiet = {"report_to": "none", "use_cpu": True, "bf16": False, "disable_tqdm": True, "save_strategy": "no"}
args = trl.GRPOConfig("out", max_steps=1, per_device_train_batch_size=4, num_generations=2, max_completion_length=2, **quiet)
trl.GRPOTrainer(model, reward, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer).train()
print("trl", trl.__version__)
print("columns completion, answer: the reward gets", sorted(seen))
assert seen == {"answer"}
PYTHON
cd "$folder"
HF_HOME="$folder" venv/bin/python -W ignore try.py 2> err | grep -E "^(trl|columns)" || { tail -5 err; exit 1; }
