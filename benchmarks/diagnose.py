"""hf-procedural diagnose beside the plain forward passes of the same models over the same batches, in turns.

    python benchmarks/diagnose.py
    python benchmarks/diagnose.py --sizes 12_12_768 --rows 100 --turns 3

Plain is `model(ids, use_cache=False)` of both models as transformers loads them (attention by sdpa) for every batch.
The diagnosis is all of `compare`: hidden states, CKA, divergences, ranks, the attention of the first rows in full,
scores of heads, distances and spectra of weights. The share is plain seconds / ours, the median over turns; it must
reach 0.7. On a CPU one thread's own seconds count, which others on the machine do not take from it.
"""

import argparse
import itertools
import os
import statistics
import sys
import time
from pathlib import Path

import torch
from plain import report
from transformers import GPT2Config, GPT2LMHeadModel

import hf_procedural
from hf_procedural.data.tokenization import tokenizer
from hf_procedural.diagnosis.diagnose import BATCH_SIZE, ROWS, compare
from hf_procedural.diagnosis.models import Subject
from hf_procedural.diagnosis.rows import Rows, open_rows
from hf_procedural.diagnosis.words import data_of
from hf_procedural.errors import Parser, at_least, user_errors
from hf_procedural.models.words import parse_size

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.vocabularies import large_tokenizer

WANTED = 0.7
TASK, TEXT = "sort-64", "stdlib"  # rows of 129 tokens of 102 words; of 128 tokens of 4,096


def subjects_of(size: str, data: str, device: str) -> list[Subject]:
    """Two models of a size that read the data, as transformers makes them."""
    reads = tokenizer(data) if data != TEXT else large_tokenizer(4_096)
    positions = hf_procedural.task(data).max_length if data != TEXT else 128
    config = GPT2Config(vocab_size=len(reads), n_positions=positions, **parse_size(size))
    return [Subject(label, "", GPT2LMHeadModel(config).eval().to(device), reads) for label in "ab"]


def plain_pass(subjects: list[Subject], rows: Rows, count: int, batch_size: int) -> None:
    """What the diagnosis is measured against."""
    with torch.inference_mode():
        for batch in rows.batches(count, batch_size):
            for subject in subjects:
                subject.model(batch.ids.to(subject.model.device), use_cache=False)


def timed(function, *arguments) -> float:
    """Seconds: of a GPU those that pass, else those of this process."""
    has_gpu = torch.cuda.is_available()
    clock = time.perf_counter if has_gpu else time.process_time
    if has_gpu:
        torch.cuda.synchronize()
    start = clock()
    function(*arguments)
    if has_gpu:
        torch.cuda.synchronize()
    return clock() - start


def main():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["2_4_16", "2_4_64", "4_8_256"], metavar="LAYERS_HEADS_WIDTH")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--batch_size", type=int, default=BATCH_SIZE)
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    with user_errors():
        at_least("turns", args.turns, 1)
        sizes = [(size, parse_size(size)) for size in args.sizes]
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for data, (size, _) in itertools.product((TASK, TEXT), sizes):
        subjects = subjects_of(size, data, device)
        rows = open_rows(data_of(data), subjects)
        work = (subjects, rows, args.rows, args.batch_size)
        compare(subjects, rows, 2 * args.batch_size, args.batch_size)  # warm
        turns = [(timed(plain_pass, *work), timed(compare, *work)) for _ in range(args.turns)]
        share = statistics.median(plain / ours for plain, ours in turns)
        plain, ours = (statistics.median(each) for each in zip(*turns, strict=True))
        what = f"diagnose, 2 models {size}, {args.rows} rows of {data}, {device}"
        report(what, f"{ours:.2f} s", f"{plain:.2f} s plain", share, f">= {WANTED}")


if __name__ == "__main__":
    main()
