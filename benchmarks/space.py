"""How soon the page is there, and how long a row takes: what a person waits for.

    python benchmarks/space.py                  # about a minute on two CPU cores
    python benchmarks/space.py --starts 5 --looks 20

A start is `hf-procedural space` until the page answers, the loops being compiled already. A row is a look at another
seed of a task as the page begins with it: drawn, explained, and all that is taken along, in the process that answers; a
whole block of rows is made for each. The times of the processor stand beside those of the clock, which other programs
make longer.
"""

import argparse
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil

from hf_procedural import list_tasks
from hf_procedural.space import rows
from hf_procedural.space.style import POLICY

STARTED = "shows it"
MANY = {"sort, a million symbols": ("sort", {"vocab_size": 1_000_000}), "capo, as published": ("capo", {"n": 100_000})}


def start() -> tuple[float, float]:
    """Seconds until a page that is started answers, and those of the processor until then."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "hf_procedural.cli", "space"]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as server:
        assert server.stdout is not None
        address = next((line.split()[0] for line in server.stdout if STARTED in line), None)
        if address is None:
            sys.exit(f"the page did not start: {server.communicate()[1][-2000:]}")
        answer = urllib.request.urlopen(address, timeout=60)
        took = time.perf_counter() - began
        assert answer.headers["content-security-policy"] == POLICY
        spent = psutil.Process(server.pid).cpu_times()
        server.terminate()
    return took, spent.user + spent.system


def look(name: str, values: dict, looks: int) -> tuple[float, float]:
    """Milliseconds of a look, and those of the processor: the medians of several, after one that compiles."""
    rows.look(name, values, "train", 0, 1, 100)
    clock, processor = [], []
    for seed in range(1, looks + 1):
        began, spent = time.perf_counter(), time.process_time()
        rows.look(name, values, "train", seed, 1, 100)
        clock.append(1_000 * (time.perf_counter() - began))
        processor.append(1_000 * (time.process_time() - spent))
    return statistics.median(clock), statistics.median(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=3, help="Of the page, the first of which is not counted.")
    parser.add_argument("--looks", type=int, default=5, help="At each task.")
    parser.add_argument("--tasks", nargs="+", default=list_tasks(), help="Default: all.")
    args = parser.parse_args()
    if min(args.starts, args.looks) < 1:
        parser.error(f"starts and looks must be at least 1, got {args.starts} and {args.looks}")
    if unknown := [name for name in args.tasks if name not in list_tasks()]:
        parser.error(f"unknown task {unknown[0]}")
    measured = [start() for _ in range(args.starts + 1)][1:]
    took, spent = (statistics.median(each) for each in zip(*measured, strict=True))
    print(f"start: {took:.1f} s, of the processor {spent:.1f} s (below 5 s is wanted)\n")
    print("| a row of | ms | ms of the processor |\n|---|--:|--:|")
    chosen = {name: (name, {}) for name in args.tasks} | MANY
    late = []
    for label, (name, values) in chosen.items():
        clock, processor = look(name, values, args.looks)
        late += [label] if processor > 200 else []
        print(f"| {label} | {clock:.0f} | {processor:.0f} |", flush=True)
    print(f"\nabove 200 ms of the processor: {', '.join(late) or 'none'}")


if __name__ == "__main__":
    main()
