"""Measures what it costs to start: CPU seconds as a multiple of ``python -c "import numpy"``, medians of several runs.

    python benchmarks/startup.py
    git worktree add /tmp/before 6c6f827
    python benchmarks/startup.py --against /tmp/before --runs 3       # and as shares of another checkout's

Every command is run once to warm up, and then in turn with all others, so that the load of the machine falls on all of
them alike. CPU seconds are those of the process and its children, user and system.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

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


def cpu_seconds(checkout: Path, words: list[str], code: int) -> float:
    """Of a fresh interpreter with a checkout's package, whose exit code must be `code`."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    started = subprocess.Popen(
        [sys.executable, *words], cwd=checkout, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    error = started.stderr.read().decode()
    _, status, usage = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode != code:
        sys.exit(f"{checkout}: {' '.join(words)} ended with {started.returncode}: {error[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="of each command, in turn (default: 9)")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout to compare with")
    args = parser.parse_args()
    checkouts = [HERE, *([args.against.resolve()] if args.against else [])]
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
