#!/usr/bin/env bash
# datatrove's DocumentTokenizer and MegatronDocumentTokenizer put no end token between documents by default, where the
# former's docstring says "(default: "<|endoftext|>")", and the former writes documents in another order at each run.
#
# `eos_token` is None by default, which leaves the tokenizer's own post-processor, and GPT-2's adds nothing: in the .ds
# a document begins in the middle of a window and nothing in it says so. `seed` is None, too, and shuffle_documents is
# True: two runs of the same pipeline over the same input give files of different bytes.
#
# Seen with datatrove 0.10.1, tokenizers 0.23.3: "end tokens of 200 documents: 0 by default, 200 with eos_token;
# the same bytes twice: False, with a seed True". Exits 0 as long as it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "datatrove[processing]==0.10.1" tokenizers==0.23.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.utils.logging import logger
from tokenizers import Tokenizer, models, pre_tokenizers

logger.remove()
END = "<|endoftext|>"
words = Tokenizer(models.WordLevel({END: 0} | {str(number): number + 1 for number in range(200)}, unk_token=END))
words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
words.save("tokenizer.json")
documents = [Document(f"{number} {number}", str(number)) for number in range(200)]


def written(name: str, **settings) -> bytes:
    for _ in DocumentTokenizer(name, "tokenizer.json", **settings)(iter(documents)) or ():
        pass
    (file,) = Path(name).glob("*.ds")
    return file.read_bytes()


def ends(content: bytes) -> int:
    return sum(content[place : place + 2] == b"\0\0" for place in range(0, len(content), 2))


default, again = written("default"), written("again")
with_end = written("end", eos_token=END)
same, seeded = default == again, written("seed", seed=0) == written("seed again", seed=0)
print(
    f"end tokens of 200 documents: {ends(default)} by default, {ends(with_end)} with eos_token; "
    f"the same bytes twice: {same}, with a seed {seeded}"
)
assert '(default: "<|endoftext|>")' in DocumentTokenizer.__doc__
sys.exit(0 if (ends(default), ends(with_end), same, seeded) == (0, 200, False, True) else 1)
PYTHON
