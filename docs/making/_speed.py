"""How fast each task makes rows: measured on a named machine, kept in speed.json, not made anew with the pages.

python docs/make.py --measure
"""

import json
import platform
import re
import time
from pathlib import Path

import numpy as np

from . import _rows
from ._families import OURS

FILE = Path(__file__).with_name("speed.json")


def read() -> dict:
    """The machine, and rows and tokens a second of each task."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def measure() -> None:
    """Times `sample` of each task's published size, on one core, and keeps the fastest of a few turns."""
    tasks = {}
    for name in OURS:
        task = _rows.published(name)
        rng = np.random.default_rng(0)
        count = max(8, min(1024, 2**17 // task.max_length))
        task.sample(rng, 8)  # compiles, and makes what rows have in common
        turns = []
        while len(turns) < 3 or (sum(turns) < 1 and len(turns) < 50):
            start = time.perf_counter()
            task.sample(rng, count)
            turns.append(time.perf_counter() - start)
        rows = count / min(turns)
        tasks[name] = {"rows": _short(rows), "tokens": _short(rows * task.max_length)}
        print(f"{name}: {tasks[name]['rows']:,} rows/s, {tasks[name]['tokens']:,} tokens/s")
    machine = {"processor": _processor(), "python": platform.python_version(), "numpy": np.__version__}
    FILE.write_text(json.dumps({"machine": machine, "tasks": tasks}, indent=2) + "\n", encoding="utf-8")


def _short(number: float) -> int:
    """Two digits, which is as much as a measurement holds."""
    return int(float(f"{number:.2g}"))


def _processor() -> str:
    known = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return known.group(1).strip() if known else platform.processor()
