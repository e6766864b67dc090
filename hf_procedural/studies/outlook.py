"""What a study will be, before it is run: its arms with tokens, FLOPs and hours."""

import functools
import json
import time

import numpy as np

from ..runs.folder import RESULTS
from ..runs.tables import POWER, markdown_table, si
from .engine import left
from .graph import Graph, Planned
from .job import gpus_here

_TRAINS_AT = 0.25  # of the FLOPs of a matrix product, roughly
_START = 6.0  # seconds until the first step
_GPU = 4e14  # FLOPs in a second of a current GPU's matrix products, in bfloat16


def outlook(graph: Graph) -> str:
    """A table of all arms, in Markdown, and what is left to be done, in all.

    Hours are told by finished runs of the stage, or of the study, and else by how fast this machine multiplies
    matrices, or GPUs do where a stage asks for them, which is rough.
    """
    to_do = {planned.name for planned in left(graph)}
    speeds = _speeds(graph)
    lines, total = [], {"runs": 0, "tokens": 0, "flops": 0.0, "hours": 0.0}
    for stage, arms in graph.by_arm.items():
        for name, seeds in arms.items():
            run = next(iter(seeds.values()))
            hours = _hours(run, speeds)
            waiting = [planned for planned in seeds.values() if planned.name in to_do]
            amount = run.amount
            lines.append(
                {
                    "stage": stage,
                    "arm": name,
                    "seeds": " ".join(map(str, seeds)),
                    "begins from": ", ".join(f"{before.stage}/{before.arm_name}" for before in run.after),
                    "tokens": si(amount.tokens) if amount else "",
                    "FLOPs": POWER(amount.flops) if amount and amount.flops else "",
                    "hours": "" if hours is None else f"{hours:.2g}",
                    "finished": f"{len(seeds) - len(waiting)} of {len(seeds)}",
                }
            )
            total["runs"] += len(waiting)
            total["tokens"] += len(waiting) * (amount.tokens if amount else 0)
            total["flops"] += len(waiting) * (amount.flops if amount else 0)
            total["hours"] += len(waiting) * (hours or 0)
    how = "by finished runs" if speeds else "roughly, by matrix products of this machine, or of a GPU"
    return (
        f"{markdown_table(lines)}\n\n{total['runs']} of {len(graph.runs)} runs are left: {si(total['tokens'])} tokens, "
        f"{POWER(total['flops'])} FLOPs, {total['hours']:.2g} hours one after another ({how})."
    )


def _speeds(graph: Graph) -> dict[str, float]:
    """FLOPs in a second, by stage and in all (""), of finished runs."""
    of_stage: dict[str, list[float]] = {}
    for name, planned in graph.runs.items():
        results = graph.study.output / name / "all_results.json"
        if planned.amount and planned.amount.flops and (results.parent / RESULTS).is_file() and results.is_file():
            seconds = json.loads(results.read_text(encoding="utf-8")).get("train_runtime")
            if seconds:
                for stage in (planned.stage, ""):
                    of_stage.setdefault(stage, []).append(planned.amount.flops / seconds)
    return {stage: float(np.median(speeds)) for stage, speeds in of_stage.items()}


def _hours(planned: Planned, speeds: dict[str, float]) -> float | None:
    if planned.amount is None or not planned.amount.flops:
        return None
    gpus = int(planned.resources.get("gpu", 0)) or min(1, len(gpus_here()))
    roughly = _TRAINS_AT * (gpus * _GPU or _multiplications())
    speed = speeds.get(planned.stage) or speeds.get("") or roughly
    return (_START + planned.amount.flops / speed) / 3600


@functools.cache
def _multiplications() -> float:
    """FLOPs in a second of one core in float32 matrix products of NumPy, whatever else runs beside."""
    size = 512
    matrix = np.ones((size, size), np.float32)
    matrix @ matrix
    began, count = time.process_time(), 0
    while time.process_time() - began < 0.1:
        matrix @ matrix
        count += 1
    return count * 2 * size**3 / (time.process_time() - began)
