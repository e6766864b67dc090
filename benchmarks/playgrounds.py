"""`sample` of the field's playgrounds against the plain references that their tests compare them with."""

import random
import sys
from pathlib import Path

import numpy as np
from plain import report, seconds

import hf_procedural

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def plain_rows() -> dict:
    """By task, its parameters, and a function that makes a row of it as one writes it first."""
    from support import references_regbench, references_structure, references_universal
    from support.references_chomsky import chomsky_row
    from support.references_tracking import flip_flop_row, word_row

    from hf_procedural.tasks.chomsky import KINDS

    rng = random.Random(0)
    return {
        **{f"chomsky-{task}": ({"min_length": 40}, lambda task=task: chomsky_row(rng, task, 40)) for task in KINDS},
        "word_problem-S5": ({}, lambda: word_row(rng, 20)),
        "flip_flop-512": ({}, lambda: flip_flop_row(rng, 512, 0.8)),
        "regbench-12": ({}, lambda: references_regbench.regbench_row(rng)),
        "mp_struct-1024": ({}, lambda: references_structure.clauses(rng, 1024)),
        "mp_struct_core-1024": ({}, lambda: references_structure.trees(rng, 1024)),
        "utm-17": ({}, lambda: references_universal.universal_row(rng)),
    }


def playgrounds() -> None:
    """Tokens a second, padding included, of ours and of the plain reference."""
    generator = np.random.default_rng(0)
    for name, (parameters, plain) in plain_rows().items():
        task = hf_procedural.task(name, **parameters)
        fast = 1000 * task.max_length / seconds(lambda task=task: task.sample(generator, 1000), 5) / 1e6
        slow = 50 * task.max_length / seconds(lambda plain=plain: [plain() for _ in range(50)], 3) / 1e6
        what = ", ".join([name, *(f"{key}={value}" for key, value in parameters.items())])
        report(f"sample {what}", f"{fast:.1f} M tokens/s", f"{slow:.3f}", fast / slow, "50; 20 M tokens/s")
