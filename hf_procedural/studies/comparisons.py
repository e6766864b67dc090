"""What a study's arms have more than their baselines and controls, and how much of a gain each control reproduces."""

import contextlib
import dataclasses

import numpy as np

from ..runs.read import finals, metric_of, sign_of
from .arms import WHOLE, Arm, baseline_of, controls_of, whole_of
from .statistics import NO_SPREAD, SEPARATED, Difference, difference, holm

BASELINE = "baseline"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """An arm beside another one of its group."""

    group: str
    metric: str  # the logged key
    arm: Arm
    other: Arm
    role: str  # of the other: baseline, whole, or what `arms.controls_of` calls it
    difference: Difference
    corrected: float | None = None  # p by Holm, over all of a report
    gain: float | None = None  # of the arm over its baseline, by means; None where none is separated
    share: float | None = None  # of that gain, which a control or matched baseline reproduces


def metrics_of(groups: dict[str, list[Arm]], metric: str | None = None) -> dict[str, str]:
    """The logged key by which each group is compared, of groups with a run. For `metric` and errors see `metric_of`.

    Models that an `evaluate` stage asked different things have none in common, and are not compared.
    """
    metrics = {}
    for title, group in groups.items():
        runs = {arm.label: arm.runs for arm in group}
        if any(runs.values()):
            of_training = metric is not None or group[0].plans[0]["recipe"] != "evaluate"
            with contextlib.nullcontext() if of_training else contextlib.suppress(ValueError):
                metrics[title] = metric_of(runs, metric)
    return metrics


def values_of(arm: Arm, metric: str) -> dict[tuple, float]:
    """The final values of the seeds that count, by seed and seed of the data."""
    keyed = {(run.seed, run.recipe.get("data_seed", run.seed)): run.last(metric) for run in arm.counted}
    return {key: value for key, value in keyed.items() if value is not None}


def compare(groups: dict[str, list[Arm]], metrics: dict[str, str], method: str = "t") -> list[Comparison]:
    """Each arm beside its baseline; of real weights, beside its controls, and one of some components beside the whole.

    `metrics` are those of `metrics_of`, `method` is one of statistics.METHODS.
    """
    compared = []
    for title, metric in metrics.items():
        for arm in groups[title]:
            base = baseline_of(arm, groups[title])
            others = ({} if base is None else {BASELINE: base}) | controls_of(arm, groups[title])
            whole = whole_of(arm, groups[title])
            others |= {} if whole is None else {WHOLE: whole}
            gain = None
            for role, other in others.items():
                found = difference(values_of(arm, metric), values_of(other, metric), sign_of(metric), method)
                if role == BASELINE:
                    gain = _gain(arm, other, metric) if found.verdict in (SEPARATED, NO_SPREAD) else None
                comparison = Comparison(title, metric, arm, other, role, found, gain=gain)
                if base is not None and role not in (BASELINE, WHOLE) and gain is not None:
                    theirs = _gain(other, base, metric, -np.inf)
                    comparison = dataclasses.replace(comparison, share=None if theirs is None else theirs / gain)
                compared.append(comparison)
    corrected = holm([each.difference.p for each in compared])
    return [dataclasses.replace(each, corrected=p) for each, p in zip(compared, corrected, strict=True)]


def _gain(arm: Arm, base: Arm, metric: str, above: float = 0) -> float | None:
    """The finite difference of means, positive is better; None without finished runs, and where it is not `above`."""
    values, ground = finals(arm.runs, metric), finals(base.runs, metric)
    if not values or not ground:
        return None
    gain = float(sign_of(metric) * (np.mean(values) - np.mean(ground)))
    return gain if above < gain < np.inf else None
