"""Intervals against values that are worked out by hand, and what scipy says where there is nothing to say."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hf_procedural.studies import statistics
from hf_procedural.studies.statistics import difference, holm

# Quantiles of Student's t at 0.975, from any table.
T = {1: 12.7062047, 2: 4.3026527, 4: 2.7764451}
NUMBERS = st.floats(-10, 10, allow_nan=False).map(lambda value: round(value, 4))


def seeds(*values):
    return dict(enumerate(values))


def test_a_paired_interval_is_that_of_the_differences():
    # differences 0.8, 0.6, 0.7: mean 0.7, sample standard deviation 0.1
    found = difference(seeds(0.9, 0.8, 1.0), seeds(0.1, 0.2, 0.3))
    assert found.gain == pytest.approx(0.7) and found.seeds == 3 and found.test == "paired t"
    half = T[2] * 0.1 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((0.7 - half, 0.7 + half), rel=1e-7)
    t = 0.7 / (0.1 / math.sqrt(3))
    assert found.p == pytest.approx(1 - t / math.sqrt(2 + t**2))  # the distribution of two degrees in closed form
    assert found.verdict == "separated"


def test_two_seeds_have_one_degree_of_freedom():
    # differences 0.5 and 0.7: mean 0.6, standard deviation 0.1 sqrt(2), so that the error of the mean is 0.1
    found = difference(seeds(0.6, 0.9), seeds(0.1, 0.2))
    assert (found.low, found.high) == pytest.approx((0.6 - T[1] * 0.1, 0.6 + T[1] * 0.1), rel=1e-7)
    assert found.p == pytest.approx(1 - 2 / math.pi * math.atan(6))  # Cauchy's distribution
    assert found.verdict == "not separated"


def test_only_seeds_of_both_arms_are_pairs():
    paired = difference({0: 0.9, 1: 0.8, 2: 1.0, 7: 55.0}, {9: -3.0, 2: 0.3, 1: 0.2, 0: 0.1})
    assert paired == difference(seeds(0.9, 0.8, 1.0), seeds(0.1, 0.2, 0.3))


def test_arms_of_other_seeds_are_compared_by_welch():
    # three and three values of standard deviation 0.1, so that there are four degrees of freedom
    found = difference(seeds(0.9, 0.8, 1.0), {5: 0.1, 6: 0.2, 7: 0.3})
    half = T[4] * 0.1 * math.sqrt(2 / 3)
    assert found.test == "Welch's t" and found.verdict == "separated"
    assert (found.gain, found.low, found.high) == pytest.approx((0.7, 0.7 - half, 0.7 + half), rel=1e-7)
    assert difference(seeds(0.9, 0.8, 1.0), {0: 0.1, 6: 0.2, 7: 0.3}).test == "Welch's t"  # one pair is none


def test_where_less_is_better_the_gain_is_positive_for_less():
    one, other = seeds(2.0, 2.1, 1.9), seeds(3.0, 3.2, 2.8)
    assert difference(one, other, -1).verdict == "separated" and difference(one, other, -1).gain == pytest.approx(1)
    assert difference(other, one, -1).verdict == "separated, worse"
    assert difference(one, seeds(2.1, 1.9, 2.1), -1).verdict == "not separated"


@pytest.mark.parametrize("method", statistics.METHODS)
def test_where_there_is_nothing_to_say_nothing_is_said(method):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # which scipy gives with its nan
        one = difference(seeds(0.9), seeds(0.1, 0.2, 0.4), method=method)
        assert (one.verdict, one.seeds, one.gain) == ("one seed", 1, pytest.approx(0.8))  # of the same seed
        assert difference({5: 0.9}, seeds(0.1, 0.3), method=method).gain == pytest.approx(0.7)
        for value in (math.nan, math.inf):  # which is no better and no worse
            none = statistics.Difference("no number", 2)
            assert difference(seeds(0.9, value), seeds(0.1, 0.2), method=method) == none
            assert difference(seeds(0.9, 0.8), seeds(0.1, value), method=method) == none
        same = difference(seeds(1.0, 1.0, 1.0), seeds(1.0, 1.0, 1.0), method=method)
        assert (same.verdict, same.gain) == ("not separated", 0)
        always = difference(seeds(1.0, 1.0), seeds(0.0, 0.0), method=method)
        assert (always.verdict, always.gain) == ("no spread over seeds", 1)
        shifted = difference(seeds(0.9, 0.8, 0.7), seeds(0.8, 0.7, 0.6), method=method)  # equal but for rounding
        assert (shifted.verdict, shifted.gain) == ("no spread over seeds", pytest.approx(0.1))
        apart = difference(seeds(1.0, 1.0), {5: 0.0, 6: 0.0}, method=method)
        assert apart.verdict == "no spread over seeds"
        none = difference({}, seeds(0.1, 0.2), method=method)
        assert (none.verdict, none.gain) == ("no finished run", None)
        assert {(each.low, each.high, each.p, each.test) for each in (one, same, always, shifted, apart, none)} == {
            (None, None, None, "")
        }


def test_the_values_of_scipy_that_are_kept_back():
    """What scipy answers there, and would be taken for a result."""
    from scipy import stats

    constant = stats.ttest_rel([1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    interval = constant.confidence_interval()
    assert constant.pvalue == 0 and interval.low == interval.high == 1
    with pytest.warns(RuntimeWarning):
        assert math.isnan(stats.ttest_rel([1.0], [0.0]).pvalue)


def test_one_constant_arm_is_enough_of_a_spread_in_the_other():
    found = difference(seeds(1.0, 1.0, 1.0), {5: 0.1, 6: 0.2, 7: 0.3})  # two degrees of freedom, those of the other
    half = T[2] * 0.1 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((0.8 - half, 0.8 + half), rel=1e-7)
    unpaired = difference(seeds(1.0, 1.0, 1.0), {5: 0.1, 6: 0.2, 7: 0.3}, method="bootstrap")
    assert 0.7 <= unpaired.low < unpaired.high <= 0.9


def test_a_bootstrap_is_of_the_differences_and_always_the_same():
    rng = np.random.default_rng(3)
    one, other = seeds(*rng.normal(1, 0.3, 40)), seeds(*rng.normal(0, 0.3, 40))
    found, by_t = difference(one, other, method="bootstrap"), difference(one, other)
    assert found == difference(one, other, method="bootstrap")
    assert found.test == "BCa bootstrap, paired" and found.p == by_t.p
    width = by_t.high - by_t.low  # of many normal values both are alike
    assert (found.low, found.high) == pytest.approx((by_t.low, by_t.high), abs=0.1 * width)
    unpaired = difference(one, {key + 100: value for key, value in other.items()}, method="bootstrap")
    assert unpaired.test == "BCa bootstrap, unpaired" and unpaired.low > 0.5


def test_a_bootstrap_of_three_seeds_stays_within_them():
    found = difference(seeds(0.9, 0.8, 1.0), seeds(0.1, 0.2, 0.3), method="bootstrap")
    assert 0.6 - 1e-9 <= found.low < found.high <= 0.8 + 1e-9


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=6))
def test_the_other_way_round_it_is_the_opposite(pairs):
    one, other = (seeds(*values) for values in zip(*pairs, strict=True))
    found, back = difference(one, other), difference(other, one)
    assert back.gain == pytest.approx(-found.gain) and back.p == pytest.approx(found.p)
    if found.low is not None:
        assert (back.low, back.high) == pytest.approx((-found.high, -found.low))
        assert (found.verdict == "not separated") == (found.low <= 0 <= found.high)
        assert (found.p <= 0.05) == (found.verdict != "not separated") or found.p == pytest.approx(0.05)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=8), st.randoms(use_true_random=False))
def test_holm_is_its_definition_and_takes_any_order(values, random):
    known = sorted(p for p in values if p is not None)
    assume(len(set(known)) == len(known))
    corrected, largest = holm(values), 0.0
    for index, p in enumerate(
        known
    ):  # from the smallest on: times how many are left, at most 1, never less than before
        largest = max(largest, min(1, (len(known) - index) * p))
        assert corrected[values.index(p)] == pytest.approx(largest)
    assert [c is None for c in corrected] == [p is None for p in values]
    order = [*range(len(values))]
    random.shuffle(order)
    assert holm([values[index] for index in order]) == [corrected[index] for index in order]


def test_a_method_is_one_of_those():
    with pytest.raises(ValueError, match="method must be one of t, bootstrap, got 'sign'"):
        difference(seeds(1.0), seeds(2.0), method="sign")
