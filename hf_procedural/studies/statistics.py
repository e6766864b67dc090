"""Differences between arms with their intervals over seeds, by scipy.

Where two arms have seeds in common, a seed's two runs are a pair: the same rows in the same order, and new weights
drawn alike, so that their difference is without what a seed does to both. The interval is that of a paired t test
(Student 1908), or a BCa bootstrap of the differences (Efron 1987); without two common seeds it is Welch's t (1947), or
a bootstrap of both. With three seeds, a bootstrap can hardly leave the range of the three differences, and holds the
true one less often than its 95 % say: docs/guides/studies-report.md has how often. It is there for many seeds.

scipy has answers of its own where there is nothing to say: of one seed nan with a warning, of differences without
spread an interval of width 0 and p 0. Here that is `ONE_SEED` and `NO_SPREAD`, without interval and p.
"""

import dataclasses
import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

try:
    from scipy import stats
except ImportError as error:
    raise ImportError(f"a study needs scipy, for its report: pip install 'hf-procedural[study]' ({error})") from error

Seed = TypeVar("Seed", bound=Hashable)
CONFIDENCE = 0.95
METHODS = ("t", "bootstrap")
SEPARATED, WORSE, NOT_SEPARATED = "separated", "separated, worse", "not separated"
ONE_SEED, NO_SPREAD, UNFINISHED = "one seed", "no spread over seeds", "no finished run"
NO_NUMBER = "no number"  # of a final value that is infinite or nan
_RESAMPLES = 9_999  # of a bootstrap, from a generator of seed 0


@dataclasses.dataclass(frozen=True)
class Difference:
    """What an arm has more than another one, in units of the metric; positive is better."""

    verdict: str
    seeds: int  # pairs; of unpaired arms the seeds of the smaller one
    gain: float | None = None  # of means; None without finished runs, and of no numbers
    low: float | None = None
    high: float | None = None
    p: float | None = None  # two-sided, of the t test
    test: str = ""  # what the interval is by; empty for none


def difference(
    values: Mapping[Seed, float], others: Mapping[Seed, float], sign: int = 1, method: str = "t"
) -> Difference:
    """The difference of two arms, each with a value for every seed.

    Of arms with two common seeds or more, only these count. `sign` is -1 where less is better. Raises ValueError for
    what is no method.

    >>> found = difference({0: 0.9, 1: 0.8, 2: 1.0}, {0: 0.1, 1: 0.2, 2: 0.3})
    >>> found.verdict, found.test, round(found.gain, 3), round(found.low, 3), round(found.high, 3)
    ('separated', 'paired t', 0.7, 0.452, 0.948)
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    common = sorted(values.keys() & others.keys(), key=list(values).index)
    pairs = min(len(values), len(others)) > 1 and len(common) > 1
    if pairs:
        values, others = ({seed: arm[seed] for seed in common} for arm in (values, others))
    if not values or not others:
        return Difference(UNFINISHED, 0)
    arm, other = (sign * np.array(list(each.values()), np.float64) for each in (values, others))
    seeds = min(len(arm), len(other))
    if not (np.isfinite(arm).all() and np.isfinite(other).all()):
        return Difference(NO_NUMBER, seeds)
    gain = float(arm.mean() - other.mean())
    if seeds < 2:
        if len(common) == 1:  # the same seed of both
            gain = sign * (values[common[0]] - others[common[0]])
        return Difference(ONE_SEED, seeds, gain)
    size = max(np.abs(arm).max(), np.abs(other).max())
    if not any(_spread(each, size) for each in ([arm - other] if pairs else [arm, other])):
        return Difference(NO_SPREAD if abs(gain) > _rounding(size) else NOT_SEPARATED, seeds, gain)
    low, high, p = _interval(arm, other, pairs, method)
    verdict = SEPARATED if low > 0 else WORSE if high < 0 else NOT_SEPARATED
    names = {"t": ("Welch's t", "paired t"), "bootstrap": ("BCa bootstrap, unpaired", "BCa bootstrap, paired")}
    return Difference(verdict, seeds, gain, low, high, p, names[method][pairs])


def _rounding(size: float) -> float:
    """What is left of the difference of equal numbers of a size in float64."""
    return 8 * np.finfo(np.float64).eps * size


def _spread(values: np.ndarray, size: float) -> bool:
    """Whether values, computed from numbers of a size, differ by more than rounding."""
    return bool(np.ptp(values) > _rounding(size))


def _interval(arm: np.ndarray, other: np.ndarray, pairs: bool, method: str) -> tuple[float, float, float]:
    """The ends of the interval of mean(arm) - mean(other), and the t test's p value; arrays are float64 ``[seeds]``."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)  # of one arm without spread, beside another
        tested = stats.ttest_rel(arm, other) if pairs else stats.ttest_ind(arm, other, equal_var=False)
    interval = tested.confidence_interval(CONFIDENCE)
    if method == "bootstrap":
        data, statistic = ((arm - other,), np.mean) if pairs else ((arm, other), _between)
        options = {"confidence_level": CONFIDENCE, "n_resamples": _RESAMPLES, "rng": np.random.default_rng(0)}
        interval = stats.bootstrap(data, statistic, method="BCa", **options).confidence_interval
    return float(interval.low), float(interval.high), float(tested.pvalue)


def _between(arm: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
    return arm.mean(axis) - other.mean(axis)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p values corrected for how many there are, by Holm (1979); None stays None and is not counted.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    ordered = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(ordered):
        largest = max(largest, min(1.0, (len(ordered) - rank) * p))
        corrected[index] = largest
    return corrected
