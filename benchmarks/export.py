"""Measures exports on one core: rows of sort-64 as others read them, in tokens/s, and prints a table.

    python benchmarks/export.py                       # all formats, some minutes
    python benchmarks/export.py megatron datatrove
    python benchmarks/export.py --workers 2 megatron  # the command with two processes against one, and their memory

Those that are held to Parquet's speed make their rows, as the reference does: `hf-procedural generate`'s own function.
The reference of those that are held to a library's own writer gets arrays that are ready: a row at a time, as that
library's pipeline does, against ours that makes its rows; and in bulk, where it has a function for that, against ours
with the same arrays. Ours and theirs take turns, so that the load of the machine falls on both; each figure is the best
of several.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

import datasets
import numpy as np
from plain import compare, report

import hf_procedural
from hf_procedural.data import parquet
from hf_procedural.data.coded import Block, CodedRows
from hf_procedural.export.formats import FORMATS, format_of
from hf_procedural.export.plan import Plan

ROWS = CodedRows(hf_procedural.task("sort-64"))


def datatrove_rows(folder: str, plan: Plan, ready: list[Block]) -> None:
    """A document at a time, as DocumentTokenizer, from arrays: its `write` takes lists, at a third of the speed."""
    file = _datatrove_file(folder)
    for block in ready:
        for tokens, labels in zip(*rows_of(block), strict=True):
            file.write_bytes(tokens.astype(plan.dtype).tobytes())
            file.write_loss_bytes((labels != -100).tobytes())
    file.close()


def datatrove_bulk(folder: str, plan: Plan, ready: list[Block]) -> None:
    """A block of documents at a time, as its shuffler of chunks."""
    file = _datatrove_file(folder)
    for block in ready:
        file.write_bytes(block.tokens.astype(plan.dtype).tobytes(), block.ends.tolist())
        file.write_loss_bytes((block.labels != -100).tobytes())
    file.close()


def _datatrove_file(folder: str):
    from datatrove.pipeline.tokens.tokenizer import TokenizedFile

    return TokenizedFile(folder, "rows.ds", save_loss_metadata=True, save_final_metadata=True)


def litdata_rows(folder: str, plan: Plan, ready: list[Block]) -> None:
    """An item a row."""
    _litdata(folder, (row for block in ready for row in rows_of(block)[0].astype(plan.dtype)))


def litdata_bulk(folder: str, plan: Plan, ready: list[Block]) -> None:
    """An item a block of rows: TokensLoader asks for no more."""
    _litdata(folder, (block.tokens.astype(plan.dtype) for block in ready))


def _litdata(folder: str, items) -> None:
    import torch
    from litdata import TokensLoader
    from litdata.streaming.writer import BinaryWriter

    writer = BinaryWriter(folder, chunk_bytes="2GB", item_loader=TokensLoader())
    for number, item in enumerate(items):
        writer.add_item(number, torch.from_numpy(item))
    writer.done()
    writer.merge()


def mds_rows(folder: str, plan: Plan, ready: list[Block]) -> None:
    """A sample a row, which is all that it takes."""
    if "streaming" not in sys.modules:  # its __init__ wants torchvision
        package = types.ModuleType("streaming")
        package.__path__ = importlib.util.find_spec("streaming").submodule_search_locations
        sys.modules["streaming"] = package
    from streaming.base import MDSWriter

    columns = dict.fromkeys(("labels", "tokens"), f"ndarray:int32:{ROWS.task.max_length}")
    with MDSWriter(out=os.path.join(folder, "mds"), columns=columns, size_limit=None) as writer:
        for block in ready:
            for tokens, labels in zip(*rows_of(block), strict=True):
                writer.write({"labels": labels, "tokens": tokens})


def dclm_rows(folder: str, plan: Plan, ready: list[Block]) -> None:
    """Lists of 2,049 ids, as open_lm's tokenize_shuffle.py."""
    from webdataset import TarWriter

    tokens = np.concatenate([block.tokens for block in ready])
    with TarWriter(os.path.join(folder, "rows.tar")) as writer:
        for number, start in enumerate(range(0, len(tokens), 2049)):
            writer.write({"__key__": f"{number:08d}", "json.gz": tokens[start : start + 2049].tolist()})


def rows_of(block: Block):
    """Tokens and labels of a block, int32 ``[rows, tokens]`` each."""
    return block.tokens.reshape(len(block.ends), -1), block.labels.reshape(len(block.ends), -1)


PARQUET = {"megatron": 2, "nanogpt": 2, "llmc": 2, "olmo": 2}  # at least so many times its speed
# Rows made, at least 0.9 of these with ready arrays
ROW_BY_ROW = {"datatrove": datatrove_rows, "litdata": litdata_rows, "mds": mds_rows, "dclm": dclm_rows}
IN_BULK = {"datatrove": datatrove_bulk, "litdata": litdata_bulk}  # rows ready, at least 0.9 of this
PACKAGES = {"datatrove": "datatrove", "litdata": "litdata", "mds": "streaming", "dclm": "webdataset"}


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
    ready = list(ROWS.read("train", 0, count)) if name in ROW_BY_ROW or name in IN_BULK else []

    def own(writer):
        with tempfile.TemporaryDirectory() as folder:
            writer(folder, plan, ready)

    if name in ROW_BY_ROW:
        compare(
            f"{name}, rows made, against its own writer row by row",
            lambda: export(name, plan, ROWS.read("train", 0, count)),
            lambda: own(ROW_BY_ROW[name]),
            tokens,
            repetitions,
            "0.9",
        )
    if name in IN_BULK:
        compare(
            f"{name}, rows ready, against its own writer in bulk",
            lambda: export(name, plan, ready),
            lambda: own(IN_BULK[name]),
            tokens,
            repetitions,
            "0.9",
        )


def by_workers(name: str, tokens: int, workers: int, repetitions: int) -> None:
    """The whole command, its start included: with so many processes against one, and the most memory of a process."""
    times, most = {1: [], workers: []}, 0
    for _ in range(repetitions):
        for number in times:
            with tempfile.TemporaryDirectory() as folder:
                words = ["export", "sort-64", "--format", name, "--tokens", tokens, "--output_dir", f"{folder}/out"]
                command = [sys.executable, "-m", "hf_procedural.cli", *words, "--workers", number]
                start = time.perf_counter()
                process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                _, status, used = os.wait4(process.pid, 0)  # the largest of the process and those that it waited for
                times[number].append(time.perf_counter() - start)
                process.returncode = os.waitstatus_to_exitcode(status)
                if process.returncode:
                    sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}")
                most = max(most, used.ru_maxrss / 1e3)
    one, several = (tokens / min(times[number]) / 1e6 for number in (1, workers))
    what = f"{name}, {tokens:,} tokens, {workers} workers against one"
    report(what, f"{several:.1f} M tokens/s", f"{one:.1f}", several / one, f"{0.9 * workers:g}")
    report(f"{name}, memory of a process, at most", f"{most:.0f} MB", "500", most / 500, "at most 1")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    missing = [name for name, package in PACKAGES.items() if importlib.util.find_spec(package) is None]
    measured = [name for name in FORMATS if name in {*PARQUET, *ROW_BY_ROW, *IN_BULK}.difference(missing)]
    parser.add_argument("formats", nargs="*", default=measured, help=f"which of {', '.join(measured)} (default: all)")
    parser.add_argument("--rows", type=int, default=200_000, help="of sort-64 (default: 200000)")
    parser.add_argument("--repetitions", type=int, default=5, help="of each (default: 5)")
    parser.add_argument("--workers", type=int, help="instead: the command with so many processes against one")
    parser.add_argument("--tokens", type=float, default=1e9, help="of sort-64, with --workers (default: 1e9)")
    args = parser.parse_args()
    if unknown := set(args.formats) - set(measured):
        parser.error(f"unknown format {min(unknown)}: choose from {', '.join(measured)}")
    if min(args.rows, args.repetitions) < 1:
        parser.error(f"rows and repetitions must be at least 1, got {args.rows} and {args.repetitions}")
    if args.workers is not None:
        if args.workers < 2:
            parser.error(f"workers must be at least 2, got {args.workers}")
        print("| what | ours | reference | ratio | must reach |\n|---|---|---|---|---|")
        for name in args.formats:
            by_workers(name, int(args.tokens), args.workers, args.repetitions)
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    datasets.disable_progress_bars()
    if missing:
        print(f"without {', '.join(missing)}: pip install --no-deps -r tests/readers.txt", file=sys.stderr)
    print("| what | ours | reference | ratio | must reach |\n|---|---|---|---|---|")
    for name in args.formats:
        measure(name, args.rows, args.repetitions)


if __name__ == "__main__":
    main()
