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
    from support import (
        references_clrs,
        references_iterated,
        references_mad,
        references_mqar,
        references_regbench,
        references_rnn_language,
        references_structure,
        references_universal,
    )
    from support import references_physics as physics
    from support.references_chomsky import chomsky_row
    from support.references_tracking import flip_flop_row, word_row

    from hf_procedural.tasks.chomsky import KINDS

    rng, generator = random.Random(0), np.random.default_rng(0)
    kv_map = hf_procedural.task("mad_memorization-256").kv_map
    depo1 = {"k": 8, "mini_vocab": 50, "min_tlen": 1, "max_tlen": 2}
    people, ids = people_of(hf_procedural.task("capo-50000"))
    return {
        **{f"chomsky-{task}": ({"min_length": 40}, lambda task=task: chomsky_row(rng, task, 40)) for task in KINDS},
        "word_problem-S5": ({}, lambda: word_row(rng, 20)),
        "flip_flop-512": ({}, lambda: flip_flop_row(rng, 512, 0.8)),
        "regbench-12": ({}, lambda: references_regbench.regbench_row(rng)),
        "mp_struct-1024": ({}, lambda: references_structure.clauses(rng, 1024)),
        "mp_struct_core-1024": ({}, lambda: references_structure.trees(rng, 1024)),
        "mad_in_context_recall-128": ({}, lambda: references_mad.recall_row(rng)),
        "mad_noisy_in_context_recall-128": ({}, lambda: references_mad.recall_row(rng, 128, 32, True, 16, 0.2)),
        "mad_fuzzy_in_context_recall-128": ({}, lambda: references_mad.fuzzy_row(rng)),
        "mad_selective_copying-256": ({}, lambda: references_mad.selective_copying_row(rng)),
        "mad_compression-32": ({}, lambda: references_mad.compression_row(rng)),
        "mad_memorization-256": ({}, lambda: references_mad.memorization_row(rng, kv_map)),
        "mqar-4": ({}, lambda: references_mqar.mqar_row(rng, generator, 4, 64)),
        "mqar-64": ({}, lambda: references_mqar.mqar_row(rng, generator, 64, 256)),
        "forgetting_mqar-9": ({}, lambda: references_mqar.mqar_row(rng, generator, 9, 64, num_updates=4)),
        "compositional_mqar-9": ({}, lambda: references_mqar.compositional_row(rng, generator, 9, 64)),
        "utm-17": ({}, lambda: references_universal.universal_row(rng)),
        "mano-10": ({}, lambda: physics.mano_row(rng, 10)),
        "mano-16": ({}, lambda: physics.mano_row(rng, 16)),
        "depo-375": (depo1, lambda: physics.depo_row(rng, 375, **depo1)),
        "depo-125": ({}, lambda: physics.depo_row(rng, 125, 16)),
        "brevo-110": ({}, lambda: physics.brevo_row(rng, 110)),
        "brevo-50": ({"multi": True}, lambda: physics.brevo_row(rng, 50, True)),
        "lano-cfg3f": ({}, lambda: physics.lano_row(rng, "cfg3f", 2048)),
        "lano-cfg3k": ({}, lambda: physics.lano_row(rng, "cfg3k", 2048)),
        "capo-50000": ({}, lambda: physics.capo_row(rng, people, ids)),
        **{
            f"clrs-{name}": ({}, lambda name=name: references_clrs.clrs_row(rng, hf_procedural.task(f"clrs-{name}")))
            for name in ("insertion_sort", "minimum", "kmp_matcher", "bfs", "dijkstra", "dfs")
        },
        "rnn_language-50277": ({"length": 256}, lambda: references_rnn_language.rnn_row(generator, length=256)),
        "iterated_rnn-32": ({"length": 100}, lambda: references_iterated.iterated_row(generator, length=100)),
    }


def people_of(task) -> tuple[list, dict[str, int]]:
    """Some people of capo as a plain program has them, and the ids of words."""
    people = [
        (task.text(task.name_of(person)), "He", list(map(task.text, task.values_of(person)))) for person in range(1000)
    ]
    return people, {word: number for number, word in enumerate(task.vocabulary)}


def playgrounds() -> None:
    """Tokens a second, without padding, of ours and of the plain reference."""
    generator = np.random.default_rng(0)
    for name, (parameters, plain) in plain_rows().items():
        task = hf_procedural.task(name, **parameters)
        rows, few = (20, 2) if name.startswith("rnn_language") else (1000, 50)  # a token of it is much work
        tokens = (task.sample(np.random.default_rng(1), rows)[0] != task.pad_id).sum() / rows
        fast = rows * tokens / seconds(lambda task=task, rows=rows: task.sample(generator, rows), 5) / 1e6
        slow = few * tokens / seconds(lambda plain=plain, few=few: [plain() for _ in range(few)], 3) / 1e6
        what = ", ".join([name, *(f"{key}={value}" for key, value in parameters.items())])
        report(f"sample {what}", f"{fast:.1f} M tokens/s", f"{slow:.3f}", fast / slow, "50; 20 M tokens/s")
