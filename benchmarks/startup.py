"""Measures what it costs to start: CPU seconds as a multiple of ``python -c "import numpy"``, medians of several runs.

    python benchmarks/startup.py
    git worktree add /tmp/before 6c6f827
    python benchmarks/startup.py --against /tmp/before --runs 3       # and as shares of another checkout's
    python benchmarks/startup.py --first_step --against /tmp/before   # the quickstart, until its first step is done

Every command is run once to warm up, and then in turn with all others, so that the load of the machine falls on all of
them alike. CPU seconds are those of the process and its children, user and system. The first step is done when its loss
is told; then the run is killed. Cold is without compiled loops (a fresh NUMBA_CACHE_DIR), its rows are in the cache;
new is without rows, too. Each checkout has caches of its own. One whose hf-procedural has no recipes is
measured by `accelerate launch` in its place, which its README names.
"""

import argparse
import importlib.util
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

HERE = Path(__file__).parent.parent
UNIT = 'python -c "import numpy"'
COMMAND = "import sys; from hf_procedural.cli import main; sys.exit(main())"
COMMANDS = {  # and the exit code
    UNIT: (["-c", "import numpy"], 0),
    "import hf_procedural": (["-c", "import hf_procedural"], 0),
    "hf-procedural --help": (["-c", COMMAND, "--help"], 0),
    "hf-procedural list": (["-c", COMMAND, "list"], 0),
    "recipes/pretrain.py --help": (["recipes/pretrain.py", "--help"], 0),
    "recipes/rlvr.py --help": (["recipes/rlvr.py", "--help"], 0),
    "recipes/recycle_filter.py --help": (["recipes/recycle_filter.py", "--help"], 0),
    "recipes/pretrain.py --max_stepz 3": (["recipes/pretrain.py", "--max_stepz", "3"], 2),
    "recipes/pretrain.py --task srot-4": (["recipes/pretrain.py", "--task", "srot-4"], 2),
    "recipes/rlvr.py --temperature hot": (["recipes/rlvr.py", "--temperature", "hot"], 2),
}
QUICKSTART = {  # the ways to start it
    "hf-procedural pretrain": ["-c", COMMAND, "pretrain", "quickstart"],
    "python": ["recipes/pretrain.py", "recipes/configs/quickstart.yaml"],
    "accelerate launch": [
        *("-m", "accelerate.commands.accelerate_cli", "launch"),
        *("recipes/pretrain.py", "recipes/configs/quickstart.yaml"),
    ],
}
CACHES = {"warm": (), "cold": ("NUMBA_CACHE_DIR",), "new": ("NUMBA_CACHE_DIR", "HF_DATASETS_CACHE")}  # fresh ones


def environment_of(checkout: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return environment | {"PYTHONPATH": str(checkout), "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}


def cpu_seconds(checkout: Path, words: list[str], code: int) -> float:
    """Of a fresh interpreter with a checkout's package, whose exit code must be `code`."""
    started = subprocess.Popen(
        [sys.executable, *words],
        cwd=checkout,
        env=environment_of(checkout),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    error = started.stderr.read().decode()
    _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode != code:
        sys.exit(f"{checkout}: {' '.join(words)} ended with {started.returncode}: {error[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def first_step(checkout: Path, words: list[str], caches: dict[str, str]) -> tuple[float, float]:
    """Seconds, and CPU seconds, from a command of QUICKSTART to the end of its first optimizer step."""
    environment = environment_of(checkout) | caches | {"PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        words = [sys.executable, *words, "--logging_steps", "1", "--output_dir", f"{folder}/run"]
        begin = time.perf_counter()
        pipes = {"stdout": subprocess.PIPE, "stderr": errors, "text": True}
        started = subprocess.Popen(words, cwd=checkout, env=environment, start_new_session=True, **pipes)
        line = next((line for line in started.stdout if "'loss'" in line), None)
        seconds = time.perf_counter() - begin
        if line is None:
            errors.seek(0)
            sys.exit(f"{checkout}: {' '.join(words)} ended without a step: {errors.read()[-2000:]}")
        process = psutil.Process(started.pid)
        cpu = sum(sum(each.cpu_times()[:4]) for each in [process, *process.children(recursive=True)])
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
    return seconds, cpu


def first_steps(checkouts: list[Path], runs: int) -> None:
    """Prints the table of QUICKSTART under CACHES."""
    compared = len(checkouts) > 1
    print(f"| quickstart | caches | s | CPU s |{' other: s | CPU s | share of s | of CPU s |' if compared else ''}")
    print(f"|---|---|---|---|{'---|---|---|---|' if compared else ''}", flush=True)
    with tempfile.TemporaryDirectory() as home:
        for state, fresh in CACHES.items():
            for name, words in QUICKSTART.items():
                measured = {checkout: [] for checkout in checkouts}
                for number in range(runs + 1):
                    for checkout in checkouts:
                        base = Path(home, str(checkouts.index(checkout)))
                        caches = {cache: str(base / cache) for cache in ("NUMBA_CACHE_DIR", "HF_DATASETS_CACHE")}
                        if number:  # the first warms up
                            caches |= {cache: tempfile.mkdtemp(dir=home) for cache in fresh}
                        has_recipes = (checkout / "hf_procedural/cli/launch.py").is_file()
                        known = words if has_recipes or "pretrain" not in words else QUICKSTART["accelerate launch"]
                        taken = first_step(checkout, known, caches)
                        if number:
                            measured[checkout].append(taken)
                medians = [
                    statistics.median(values) for pairs in measured.values() for values in zip(*pairs, strict=True)
                ]
                cells = [f"{value:.2f}" for value in medians]
                if compared:
                    cells += [f"{one / two:.3f}" for one, two in zip(medians[:2], medians[2:], strict=True)]
                print(f"| {name} | {state} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="of each command, in turn (default: 9)")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout to compare with")
    parser.add_argument("--first_step", action="store_true", help="the quickstart until its first step, instead")
    args = parser.parse_args()
    if args.runs < 1:
        parser.error(f"runs must be at least 1, got {args.runs}")
    if args.against and not (args.against / "recipes/pretrain.py").is_file():
        parser.error(f"{args.against} is no checkout of hf_procedural")
    if not args.first_step and importlib.util.find_spec("trl") is None:
        parser.error("recipes/rlvr.py needs TRL: pip install 'hf-procedural[rl]'")
    checkouts = [HERE, *([args.against.resolve()] if args.against else [])]
    if args.first_step:
        first_steps(checkouts, args.runs)
        return
    seconds = {(checkout, name): [] for checkout in checkouts for name in COMMANDS}
    for number in range(args.runs + 1):
        for (checkout, name), measured in seconds.items():
            taken = cpu_seconds(checkout, *COMMANDS[name])
            if number:  # the first warms up
                measured.append(taken)
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    other = " | the other checkout, CPU s | share of it |" if args.against else " |"
    print(f"| what | CPU s | times {UNIT}{other}\n|---|---|---|{'---|---|' if args.against else ''}")
    for name in COMMANDS:
        ours = medians[HERE, name]
        line = f"| {name} | {ours:.2f} | {ours / medians[HERE, UNIT]:.1f} |"
        if args.against:
            theirs = medians[checkouts[1], name]
            line += f" {theirs:.2f} | {ours / theirs:.3f} |"
        print(line)


if __name__ == "__main__":
    main()
