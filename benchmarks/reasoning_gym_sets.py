"""What was seen of each data set of reasoning-gym, as the table of docs/guides/reasoning-gym.md.

    python benchmarks/reasoning_gym_sets.py                  # writes the table anew, in about 15 minutes on one core
    python benchmarks/reasoning_gym_sets.py gcd chain_sum    # prints the lines of some

Each set is constructed with its defaults, and some of its items are made: in this process, and in two others with other
hashes. Nothing is fetched: a set that wanted to would be seen as one that does not construct, as the network is shut.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).resolve()
PAGE = SCRIPT.parent.parent / "docs" / "guides" / "reasoning-gym.md"
BEGIN, END = "<!-- made by benchmarks/reasoning_gym_sets.py -->", "<!-- end -->"
SEEDS = [random.Random(7).getrandbits(32) + offset for offset in range(0, 4000, 1000)]
HEADS = (
    "data set",
    "constructs offline",
    "its answer scores 1",
    "score of no answer",
    "of an empty one",
    "1s for wrong answers",
    "of these here",
    "item depends on size",
    "seed + 1 shifts by one",
    "same in each process",
    "draws globally",
    "bytes of a row",
    "ms an item",
    "here",
)


def made(name: str, seed: int, size: int = 1, index: int = 0):
    """The data set of a seed, and its item."""
    import reasoning_gym

    random.seed(seed)
    np.random.seed(seed % 2**32)
    dataset = reasoning_gym.create_dataset(name, seed=seed, size=size)
    return dataset, dataset[index]


def told(item) -> str:
    return json.dumps([item["question"], item["answer"]])


def items(names: list[str]) -> dict[str, list[str] | str]:
    """Question and answer of some items of each set; in words, why there are none."""
    made_of = {}
    for name in names:
        try:
            made_of[name] = [told(made(name, seed)[1]) for seed in SEEDS]
        except Exception as error:  # of each set its own
            made_of[name] = f"{type(error).__name__}: {error}"
    return made_of


def elsewhere(names: list[str], hash_seed: str) -> dict[str, list[str] | str]:
    """`items` of a process with other hashes."""
    command = [sys.executable, str(SCRIPT), "--items", *names]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def line(name: str, here: list[str], others: list[list[str] | str]) -> list[str]:
    """What was seen of a set."""
    from hf_procedural.tasks.reasoning_gym_sets import LENGTHS, ORDERED, REFUSED

    scores, nothing, empty, draws, sizes, times = set(), set(), set(), set(), [], []
    for seed in SEEDS:
        start = time.perf_counter()
        dataset, item = made(name, seed)
        times.append(time.perf_counter() - start)
        untouched = random.Random(seed).getstate(), np.random.RandomState(seed % 2**32).get_state()[1].tolist()
        draws.add(untouched != (random.getstate(), np.random.get_state()[1].tolist()))
        scores.add(_score(dataset, item["answer"], item))
        nothing.add(_score(dataset, None, item))
        empty.add(_score(dataset, "", item))
        sizes.append(len(str(item["question"]).encode()) + len(str(item["answer"]).encode()) + 2)
    shifted = all(told(made(name, s + 1, 3)[1]) == told(made(name, s, 3, 1)[1]) for s in SEEDS[:2])
    resized = any(told(made(name, s, 7)[1]) != told(made(name, s, 1)[1]) for s in SEEDS[:2])
    stance = "refused" if name in REFUSED else "PYTHONHASHSEED=0" if name in ORDERED else f"length {LENGTHS[name]}"
    return [
        f"`{name}`",
        "yes",
        _words(scores == {1}),
        _all(nothing),
        _all(empty),
        *overpaid(name),
        _words(resized),
        _words(shifted),
        _words(all(other == here for other in others)),
        _words(True in draws),
        f"{min(sizes):,} to {max(sizes):,}",
        f"{1000 * sorted(times)[len(times) // 2]:.3g}",
        stance,
    ]


def overpaid(name: str) -> list[str]:
    """How many wrong answers score 1 there, and how many of these here: those of other items, ``0``, ``nan``, ``x``."""
    from hf_procedural.tasks.reasoning_gym import can_be_right

    if name == "intermediate_integration":  # sympy takes minutes over some of its wrong answers
        return ["not asked", "not asked"]
    asked, paid, here = 0, 0, 0
    own = [made(name, seed) for seed in SEEDS]
    answers = {"0", "nan", "x", *(item["answer"] for _, item in own)}
    for dataset, item in own:
        for answer in sorted(answers - {item["answer"]}):
            asked += 1
            if _score(dataset, answer, item) == 1:
                paid += 1
                here += can_be_right(name, answer, item)
    return [f"{paid} of {asked}", str(here)]


def _score(dataset, answer, item):
    try:
        return round(float(dataset.score_answer(answer, item)), 4)
    except Exception as error:  # of each set its own
        return type(error).__name__


def _words(value: bool) -> str:
    return "yes" if value else "no"


def _all(values: set) -> str:
    return ", ".join(sorted(f"{value:g}" if isinstance(value, float) else value for value in values))


def _shut(*_, **__):
    raise OSError("the network is shut")


def main() -> None:
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:  # programs of codeio write files
        os.chdir(folder)
        try:
            tell()
        finally:
            os.chdir(home)


def tell() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="Data sets; none: all, written to docs/guides/reasoning-gym.md.")
    parser.add_argument("--items", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    from hf_procedural.tasks.reasoning_gym_sets import LENGTHS

    wrong = [name for name in args.names if name not in LENGTHS]
    if wrong:
        parser.error(f"{wrong[0]} is no data set of reasoning-gym")
    socket.socket.connect = _shut
    names = sorted(args.names or LENGTHS)
    if args.items:
        with contextlib.redirect_stdout(io.StringIO()):
            own = items(names)
        print(json.dumps(own))
        return
    here, *others = (elsewhere(names, hash_seed) for hash_seed in ("1", "2", "3"))
    rows = []
    for name in names:
        if isinstance(here[name], str):
            rows.append([f"`{name}`", f"no: {here[name]}", *[""] * (len(HEADS) - 2)])
        else:
            with contextlib.redirect_stdout(io.StringIO()):
                rows.append(line(name, here[name], [other[name] for other in others]))
        print(" | ".join(rows[-1]), file=sys.stderr)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (HEADS, ["---"] * len(HEADS), *rows))
    version = importlib.metadata.version("reasoning-gym")
    python = ".".join(map(str, sys.version_info[:3]))
    seen = f"Seen with reasoning-gym {version}, NumPy {np.__version__}, Python {python}:\n\n{table}"
    if args.names:
        print(seen)
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{seen}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
