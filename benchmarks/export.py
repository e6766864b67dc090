"""Measures exports on one core: rows of sort-64 as others read them, in tokens/s, and prints a table.

    python benchmarks/export.py                       # all formats, some minutes
    python benchmarks/export.py megatron datatrove

Where the issue asks for a multiple of Parquet's speed, the reference makes and writes the same rows with
`hf-procedural generate`'s own function. Where it asks for a share of a library's own writer, that is given arrays that
are ready, by whatever of its public functions is fastest; ours makes its rows, and is measured with ready ones too.
Ours and theirs take turns, so that the load of the machine falls on both; each figure is the best of several.
"""

import argparse
import os
import tempfile
from pathlib import Path

import datasets
from plain import report, seconds

import hf_procedural
from hf_procedural.data import parquet
from hf_procedural.data.coded import Block, CodedRows
from hf_procedural.export.formats import FORMATS, format_of
from hf_procedural.export.plan import Plan

ROWS = CodedRows(hf_procedural.task("sort-64"))


def datatrove(folder: str, plan: Plan, ready: list[Block]) -> None:
    """A block of documents at a time, as its merger writes them: three times as fast as one at a time."""
    from datatrove.pipeline.tokens.tokenizer import TokenizedFile

    file = TokenizedFile(folder, "rows.ds", save_loss_metadata=True, save_final_metadata=True)
    for block in ready:
        file.write_bytes(block.tokens.astype(plan.dtype).tobytes(), block.ends.tolist())
        file.write_loss_bytes((block.labels != -100).tobytes())
    file.close()


PARQUET = {"megatron": 2, "nanogpt": 2, "llmc": 2, "olmo": 2}  # at least so many times its speed
OWN = {"datatrove": datatrove}  # at least 0.9 of a library's own writer


def plan_of(name: str, count: int) -> Plan:
    """An export in one shard, with masks where they can be held."""
    format = format_of(name)
    return Plan(ROWS, "train", count, count, format.dtypes(ROWS.vocab_size)[0], format.MASKS)


def export(name: str, plan: Plan, blocks) -> None:
    """Writes an export in this process."""
    format = format_of(name)
    with tempfile.TemporaryDirectory() as folder:
        format.write([Path(folder, file) for file in format.files(plan.stem(0), plan)], blocks, plan)
        format.finish(Path(folder), plan)


def write_parquet(count: int) -> None:
    builder = datasets.load_dataset_builder("procedural", "sort-64", train_size=count, validation_size=0, test_size=0)
    with tempfile.TemporaryDirectory() as folder:
        parquet.write(builder, folder)


def compare(what: str, ours, theirs, tokens: int, repetitions: int, wanted: str) -> None:
    pairs = [(seconds(ours, 1, 0), seconds(theirs, 1, 0)) for _ in range(repetitions + 1)][1:]
    fast, slow = (tokens / min(times) / 1e6 for times in zip(*pairs, strict=True))
    report(what, f"{fast:.1f} M tokens/s", f"{slow:.1f}", fast / slow, wanted)


def measure(name: str, count: int, repetitions: int) -> None:
    """A format against what it is held to."""
    plan, tokens = plan_of(name, count), count * ROWS.task.max_length
    if name in PARQUET:
        compare(
            f"{name} against Parquet, rows made",
            lambda: export(name, plan, ROWS.read("train", 0, count)),
            lambda: write_parquet(count),
            tokens,
            repetitions,
            str(PARQUET[name]),
        )
    if name in OWN:
        ready = list(ROWS.read("train", 0, count))

        def theirs():
            with tempfile.TemporaryDirectory() as folder:
                OWN[name](folder, plan, ready)

        made = f"{name}, rows made, against its own writer"
        compare(made, lambda: export(name, plan, ROWS.read("train", 0, count)), theirs, tokens, repetitions, "0.9")
        compare(f"{name}, rows ready", lambda: export(name, plan, ready), theirs, tokens, repetitions, "0.9")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measured = [name for name in FORMATS if name in PARQUET or name in OWN]
    parser.add_argument("formats", nargs="*", default=measured, help=f"which of {', '.join(measured)} (default: all)")
    parser.add_argument("--rows", type=int, default=200_000, help="of sort-64 (default: 200000)")
    parser.add_argument("--repetitions", type=int, default=5, help="of each (default: 5)")
    args = parser.parse_args()
    if unknown := set(args.formats) - set(measured):
        parser.error(f"unknown format {min(unknown)}: choose from {', '.join(measured)}")
    if min(args.rows, args.repetitions) < 1:
        parser.error(f"rows and repetitions must be at least 1, got {args.rows} and {args.repetitions}")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    datasets.disable_progress_bars()
    print("| what | ours | reference | ratio | must reach |\n|---|---|---|---|---|")
    for name in args.formats:
        measure(name, args.rows, args.repetitions)


if __name__ == "__main__":
    main()
