"""Measures this checkout against another one, in turn, and prints the ratios of their medians.

    git worktree add /tmp/before 6c6f827
    python benchmarks/against.py /tmp/before                  # some ten minutes on two CPU cores
    python benchmarks/against.py /tmp/before pretrain --runs 3

Each checkout runs its own recipes and its own benchmarks/speed.py, with itself on PYTHONPATH, so that the packages
around it are the same. A ratio above 1 means that this checkout is faster, or takes less memory.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent.parent
MODEL = ["--size", "2_4_16", "--dropout", "0", "--eval_strategy", "no", "--save_strategy", "no", "--report_to", "none"]
RULES = """
import sys, time
import numpy as np
import hf_procedural
task = hf_procedural.task(sys.argv[1])
task.sample(np.random.default_rng(0), 1)  # loads the loops
numbers = np.arange(task.rules)
start = time.perf_counter()
task._known(numbers, "validation") if hasattr(task, "_known") else task._find(task._keys(numbers, "validation"))
print(len(numbers) / (time.perf_counter() - start))
"""  # all rules of a pool, looked for at once
PROBE = ["--task", "haystack-30", "--per_device_train_batch_size", "1000"]
PARTS = {  # of benchmarks/speed.py, or words of a recipe
    "sampling": None,
    "packing": None,
    "filtering": None,
    "rules": RULES,
    "pretrain": ["pretrain", "--task", "set-64", "--streaming", "--validation_size", "64", "--max_steps", "600"],
    "probe": ["probe", *PROBE, "--max_steps", "60"],
    "memory": ["probe", *PROBE, "--max_steps", "20", "--skip_memory_metrics", "false"],
}


def run(checkout: Path, *words: str, **variables: str) -> str:
    """What a script of a checkout prints, with that checkout's package."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    environment |= variables
    done = subprocess.run(
        [sys.executable, *words], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{checkout}: {' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def rates(checkout: Path, part: str) -> dict[str, float]:
    """What a part measures in a checkout, by name: more is better."""
    words = PARTS[part]
    if words is RULES:
        with tempfile.TemporaryDirectory() as cache:
            return {
                f"rules of {name}, {process} process": float(run(checkout, "-c", RULES, name, HF_DATASETS_CACHE=cache))
                for name in ("lee2026-web", "lee2026-code")
                for process in ("first", "second")
            }
    if words is None:
        table = run(checkout, "benchmarks/speed.py", part)
        lines = re.findall(r"^\| ([^|]+?) \| ([\d.,]+) ([^|]+?) \|", table, re.MULTILINE)
        values = {name: (float(value.replace(",", "")), unit) for name, value, unit in lines}
        return {name: 1 / value if unit.startswith("us/") else value for name, (value, unit) in values.items()}
    with tempfile.TemporaryDirectory() as folder:
        run(checkout, f"recipes/{words[0]}.py", *words[1:], *MODEL, "--output_dir", f"{folder}/run")
        (file,) = Path(folder).rglob("train_results.json")
        results = json.loads(file.read_text())
    if part == "memory":
        before = sum(results[f"{stage}_mem_cpu_alloc_delta"] for stage in ("init", "train"))
        of_training = results["train_mem_cpu_alloc_delta"] + results["train_mem_cpu_peaked_delta"]
        whole = results["before_init_mem_cpu"] + before + results["train_mem_cpu_peaked_delta"]
        return {"probes in a GB, at the peak": 1e9 / whole, "the same of training alone": 1e9 / of_training}
    return {f"{part}, steps/s": results["train_steps_per_second"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="the folder of the other checkout")
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"which of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--runs", type=int, default=7, help="of each checkout, in turn (default: 7)")
    args = parser.parse_args()
    if not (args.checkout / "recipes/pretrain.py").is_file():
        parser.error(f"{args.checkout} is no checkout of hf_procedural")
    if args.runs < 1:
        parser.error(f"runs must be at least 1, got {args.runs}")
    if unknown := set(args.parts) - PARTS.keys():
        parser.error(f"unknown part {min(unknown)}: choose from {', '.join(PARTS)}")
    print("| what | this checkout | the other | ratio | lowest to highest of single pairs |\n|---|---|---|---|---|")
    for part in args.parts:
        pairs = [(rates(HERE, part), rates(args.checkout.resolve(), part)) for _ in range(args.runs)]
        for name in pairs[0][0]:
            ours = [mine[name] for mine, _ in pairs]
            others = [other[name] for _, other in pairs]
            single = sorted(one / two for one, two in zip(ours, others, strict=True))
            mine, other = statistics.median(ours), statistics.median(others)
            span = f"{single[0]:.2f} to {single[-1]:.2f}"
            print(f"| {name} | {mine:,.4g} | {other:,.4g} | {mine / other:.2f} | {span} |", flush=True)


if __name__ == "__main__":
    main()
