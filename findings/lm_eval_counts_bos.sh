#!/usr/bin/env bash
# lm-eval's perplexities of documents count bos as a token of the text, for every tokenizer that puts bos before a text
# (Llama's, Gemma's ...): `HFLM.loglikelihood_rolling` tokenizes with special tokens, and puts its prefix token, which is
# bos, before that. So bos is predicted behind bos, once a document, and word_perplexity, byte_perplexity and
# bits_per_byte of tasks such as wikitext are too high: by some nats a document, more where documents are short.
#
# Seen with lm_eval 0.4.13, tokenizers 0.23.3, transformers 5.23.0: "windows predict 4 tokens of a text of 3: [0, 1, 2, 3]".
# Exits 0 as long as it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lm_eval==0.4.13 transformers==5.23.0 tokenizers==0.23.3 \
    torch==2.13.0 accelerate==1.15.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

words = Tokenizer(models.WordLevel({"<s>": 0, "a": 1, "b": 2, "c": 3}, unk_token="a"))
words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
words.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", pad_token="<s>")
config = GPT2Config(vocab_size=4, n_positions=16, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
harness = HFLM(pretrained=GPT2LMHeadModel(config).eval(), tokenizer=tokenizer, backend="causal", device="cpu")
predicted = []
score = harness._loglikelihood_tokens


def noted(requests, **settings):
    predicted.extend(continuation for _, _, continuation in requests)
    return score(requests, **settings)


harness._loglikelihood_tokens = noted
harness.loglikelihood_rolling([Instance("loglikelihood_rolling", {}, ("a b c",), 0)], disable_tqdm=True)
(tokens,) = predicted
print(f"windows predict {len(tokens)} tokens of a text of 3: {tokens}")
sys.exit(0 if tokens == [0, 1, 2, 3] else 1)
PYTHON
