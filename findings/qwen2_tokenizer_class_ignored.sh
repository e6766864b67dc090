#!/usr/bin/env bash
# transformers 5.23.0: AutoTokenizer ignores the tokenizer_class that is saved beside a qwen2 (or qwen3_5) model.
#
# A tokenizer that was saved as TokenizersBackend is loaded as a Qwen2Tokenizer where config.json says qwen2 (its
# MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS), with Qwen's way of cutting a text: the word 10 of a tokenizer of words
# comes back as 1 and 0, and an <|endoftext|> is added behind the model's vocabulary. No word is said; beside a llama
# the same files are read right. Whoever trains a small qwen2 with a tokenizer of his own evaluates it on other tokens;
# PreTrainedTokenizerFast.from_pretrained reads it right.
#
# Output seen:
#   transformers 5.23.0 llama TokenizersBackend [1, 10] 12 qwen2 Qwen2Tokenizer [1, 1, 0] 13
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==5.23.0
cd "$folder"
HF_HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON' 2>errors
import json
import pathlib

import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

words = Tokenizer(models.WordLevel({str(number): number for number in range(11)} | {"<pad>": 11}))
words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>")
seen = []
for kind in ("llama", "qwen2"):
    pathlib.Path(kind).mkdir()
    pathlib.Path(kind, "config.json").write_text(json.dumps({"model_type": kind, "vocab_size": 12}))
    tokenizer.save_pretrained(kind)
    loaded = transformers.AutoTokenizer.from_pretrained(kind)
    seen += [kind, type(loaded).__name__, loaded("1 10")["input_ids"], len(loaded)]
print("transformers", transformers.__version__, *seen)
assert seen == ["llama", "TokenizersBackend", [1, 10], 12, "qwen2", "Qwen2Tokenizer", [1, 1, 0], 13]
PYTHON
