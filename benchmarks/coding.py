"""Measures rows in the ids of another tokenizer, of Qwen's size, against rows in ids, and prints a table.

    python benchmarks/coding.py

On one core. Ours and the reference take turns, so that the load of the machine falls on both; each figure is the best
of several. The tokenizer is that of the tests, as real ones cannot be had everywhere.
"""

import argparse
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import datasets
import numpy as np
from plain import compare, report

import hf_procedural
from hf_procedural.data.coded import CodedRows
from hf_procedural.tasks import Coding

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.vocabularies import large_tokenizer

NAME = "sort-64"


def read(rows: CodedRows, count: int) -> None:
    """Makes so many rows, a block at a time."""
    for _ in rows.read("train", 0, count):
        pass


def prepare(count: int, **form) -> None:
    """Loads so many rows from nothing."""
    with tempfile.TemporaryDirectory() as cache:
        sizes = {"train_size": count, "validation_size": 0, "test_size": 0}
        datasets.load_dataset("procedural", NAME, cache_dir=cache, **sizes, **form)


def stream(count: int, **form) -> None:
    """Reads so many rows of a stream."""
    sizes = {"train_size": count, "validation_size": 0, "test_size": 0}
    rows = datasets.load_dataset("procedural", NAME, streaming=True, split="train", **sizes, **form)
    for _ in rows.with_format("numpy"):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help=f"of {NAME} (default: 200000)")
    parser.add_argument("--repetitions", type=int, default=5, help="of each (default: 5)")
    args = parser.parse_args()
    if min(args.rows, args.repetitions) < 1:
        parser.error(f"rows and repetitions must be at least 1, got {args.rows} and {args.repetitions}")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core, as ours
    datasets.disable_progress_bars()
    print("| what | ours | reference | ratio | must reach |\n|---|---|---|---|---|")
    task, tokenizer = hf_procedural.task(NAME), large_tokenizer()
    start = time.perf_counter()
    symbols = Coding.make(task, tokenizer)
    report("choosing symbols", f"{time.perf_counter() - start:.2f} s", "1 s", 1 / (time.perf_counter() - start), "1")
    text = Coding.make(task, tokenizer, "text")
    count, tokens = args.rows, args.rows * task.max_length
    plain, coded = CodedRows(task), CodedRows(task, coding=symbols)
    settings = (tokens, args.repetitions)
    compare("blocks, symbols against ids", lambda: read(coded, count), lambda: read(plain, count), *settings, "0.8")
    for make in (prepare, stream):
        what = f"{make.__name__}, symbols against ids"
        compare(what, partial(make, count, coding=symbols), partial(make, count), *settings, "0.8")

    count = min(count, 10_000)
    blocks = list(CodedRows(task, coding=text).read("train", 0, count))
    texts = [tokenizer.decode(ids) for block in blocks for ids in np.split(block.tokens, block.ends)[:-1]]
    tokens = sum(len(block.tokens) for block in blocks)
    written = CodedRows(task, coding=text)
    encode = tokenizer.backend_tokenizer.encode_batch
    settings = (tokens, args.repetitions)
    compare("blocks, text against encode_batch", lambda: read(written, count), lambda: encode(texts), *settings, "0.8")


if __name__ == "__main__":
    main()
