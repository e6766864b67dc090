"""What is measured has one name: whoever shows it finds it there."""

import pytest
from matplotlib.figure import Figure

from hf_procedural.recycle.rewards import WEIGHTS
from hf_procedural.runs import plot, read, report
from hf_procedural.runs.measured import MEASURES, REWARDS, THRESHOLDS, measure_of


@pytest.mark.parametrize(
    "logged, key, better",
    [
        ("loss", "loss", -1),
        ("eval_loss", "loss", -1),
        ("eval_bits_per_byte", "bits_per_byte", -1),
        ("eval_answer_accuracy", "answer_accuracy", 1),
        ("eval_extrapolate_exact_match", "exact_match", 1),
        ("eval_greedy_exact_match", "greedy_exact_match", 1),
        ("eval_accuracy_hard", "accuracy_hard", 1),
        ("eval_pass@3", "pass@3", 1),
        ("eval_length_ratio", "length_ratio", 0),
    ],
)
def test_a_logged_name_tells_its_measure(logged, key, better):
    measure = measure_of(logged)
    assert (measure.key, measure.better) == (key, better) and read.sign_of(logged) == better


@pytest.mark.parametrize("logged", ["epoch", "grad_norm", "eval_runtime", "eval_steps_per_second"])
def test_other_numbers_are_no_measures(logged):
    assert measure_of(logged) is None and read.sign_of(logged) == 0


def test_all_that_is_shown_is_among_them():
    assert {*report.COLUMNS, *report.EFFICIENCY} <= MEASURES.keys()
    for key in (key for keys in plot._PANELS.values() for key in keys):
        assert measure_of(key).curve, key
    assert tuple(WEIGHTS) == REWARDS
    assert sorted(THRESHOLDS.values()) == list(THRESHOLDS.values()), "each set of questions holds the next one"


def test_values_are_written_as_people_read_them():
    values = {"tokens": 2_500_000, "flops": 1.5e12, "seconds": 90, "exact_match": 0.5, "perplexity": 12.345}
    shown = [MEASURES[key].format(value) for key, value in values.items()]
    assert shown == ["2.5M", "1.5e+12", "0:01:30", "50.0%", "12.35"]


def test_the_curves_of_sources_stand_beside_that_of_text(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plot, "_draw", lambda axis, history, curves, first=0: drawn.append(curves) or len(curves))
    entry = {"step": 2, "eval_loss": 5.0, "eval_text_loss": 5.0, "eval_sort-6_loss": 4.0}
    plot.plot([entry], tmp_path / "training.png", "stdlib")
    plot.plot([{key: value for key, value in entry.items() if "text" not in key}], tmp_path / "training.png", "sort")
    usual = {"loss": "training", "eval_loss": "validation"}
    assert drawn[::2] == [usual | {"eval_sort-6_loss": "validation, sort-6"}, usual]


def test_there_are_no_half_steps_on_an_axis():
    axis = Figure().subplots()
    plot._draw(axis, [{"step": 2, "loss": 5.7}], {"loss": "training"})
    assert all(float(tick).is_integer() for tick in axis.get_xticks())
