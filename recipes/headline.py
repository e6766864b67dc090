"""A laptop's headline: does a procedural warm-up help to learn Python, and does its structure, or only its size?

    python recipes/headline.py                                # no network; MINUTES minutes on two CPU cores
    python recipes/headline.py --seeds 0 1 --output runs/two  # fewer seeds

1. Warm-up: recipes/pretrain.py with recipes/configs/headline_warmup.yaml (looking up values by their keys).
2. The source of Python's standard library, from four beginnings with the same budget and every seed:
   recipes/semantic.py with recipes/configs/headline.yaml, from scratch, from the warm-up, and from its controls
   (`permuted`: the same weights, shuffled within each tensor; `statistics`: each tensor drawn at their mean and
   standard deviation).
3. recipes/report.py over all runs.

Each run has a folder of its own, and beside it its output in FOLDER.log. Finished runs are not run again, interrupted
ones go on.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hf_procedural import arguments, report, stage

RECIPES = Path(__file__).parent


def run(recipe: str, config: str, folder: Path, threads: int, *words: str) -> None:
    """Runs a recipe in a process of its own. Raises RuntimeError, with its last line, where it fails."""
    if stage.is_finished(folder):
        return
    start = time.time()
    words += ("--resume_from_checkpoint", "true") if folder.is_dir() else ()
    command = [sys.executable, RECIPES / recipe, config, "--output_dir", folder, "--disable_tqdm", "true", *words]
    log = folder.parent / f"{folder.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "true"}
        failed = subprocess.run(
            list(map(str, command)), stdout=file, stderr=subprocess.STDOUT, env=environment
        ).returncode
    if failed:
        raise RuntimeError(f"{folder} failed: {log.read_text().splitlines()[-1]} (see {log})")
    print(f"{folder}: {time.time() - start:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="runs/headline", help="folder of all runs (default: runs/headline)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(default: 0 1 2)")
    parser.add_argument("--parallel", type=int, default=os.cpu_count(), help="runs at a time (default: one per core)")
    for name in ("headline_warmup", "headline"):
        default = RECIPES / "configs" / f"{name}.yaml"
        parser.add_argument(f"--{name}", default=default, help=f"YAML (default: {default.name})")
    args = parser.parse_args()
    with arguments.user_errors():
        cores, output = os.cpu_count() or 1, Path(args.output)
        warmup = output / "warmup"
        run("pretrain.py", args.headline_warmup, warmup, cores)
        arms = {"scratch": None, "warmup": warmup} | {kind: f"{kind}:{warmup}" for kind in ("permuted", "statistics")}
        with ThreadPoolExecutor(args.parallel) as pool:
            jobs = [
                pool.submit(
                    run,
                    "semantic.py",
                    args.headline,
                    output / "runs" / arm / f"seed_{seed}",
                    max(1, cores // args.parallel),
                    "--seed",
                    str(seed),
                    *(() if source is None else ("--init_from", str(source))),
                )
                for seed in args.seeds
                for arm, source in arms.items()
            ]
            for job in jobs:
                job.result()
        print(report.write(report.read_runs([output / "runs"]), output / "report"))


if __name__ == "__main__":
    main()
