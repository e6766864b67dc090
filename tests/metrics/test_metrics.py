"""The `evaluate` modules against values by hand."""

import numpy as np
import pytest

from hf_procedural import metrics
from hf_procedural.metrics import scores

_ = -100
CASES = [  # predictions, references, answer_accuracy, exact_match
    ("all right", [[1, 2, 3]], [[_, 2, 3]], 1.0, 1.0),
    ("all wrong", [[1, 2, 3]], [[_, 3, 2]], 0.0, 0.0),
    ("unlabelled do not count", [[9, 9, 3]], [[_, _, 3]], 1.0, 1.0),
    ("one of four", [[0, 5], [0, 6], [0, 7], [0, 8]], [[_, 5], [_, 1], [_, 1], [_, 1]], 0.25, 0.25),
    ("tokens count, not rows", [[0, 5, 9, 9], [0, 6, 7, 8]], [[_, 5, _, _], [_, 6, 7, 1]], 0.75, 0.5),
    ("a row without labels", [[0, 5, 6], [0, 0, 0]], [[_, 5, 6], [_, _, _]], 1.0, 1.0),
    ("rows of different lengths", [[0, 5], [0, 1, 2, 3]], [[_, 5], [_, 1, 2, 4]], 0.75, 0.5),
    ("token 0 is a token", [[0, 0]], [[0, 1]], 0.5, 0.0),
]


@pytest.mark.parametrize(
    ("case", "predictions", "references", "accuracy", "exact"), CASES, ids=[case[0] for case in CASES]
)
def test_values_by_hand(case, predictions, references, accuracy, exact):
    for name, value in (("answer_accuracy", accuracy), ("exact_match", exact)):
        result = metrics.load(name).compute(predictions=predictions, references=references)
        assert result == {name: pytest.approx(value)}, case
        assert scores.BY_NAME[name](predictions, references) == result[name], case


def test_batches_add_up():
    """`add_batch` with arrays, as the Trainer's `batch_eval_metrics` has them."""
    rng = np.random.default_rng(0)
    predictions, references = rng.integers(0, 3, (2, 50, 7))
    references[rng.random((50, 7)) < 0.5] = -100
    right, scored = (predictions == references), references != -100
    rows = scored.any(axis=1)
    expected = {
        "answer_accuracy": (right & scored).sum() / scored.sum(),
        "exact_match": (right | ~scored)[rows].all(axis=1).mean(),
    }
    assert 0 < expected["exact_match"] < expected["answer_accuracy"] < 1
    for name in metrics.NAMES:
        assert scores.BY_NAME[name](predictions, references) == pytest.approx(expected[name])
        metric = metrics.load(name)
        for start in range(0, 50, 20):
            metric.add_batch(predictions=predictions[start : start + 20], references=references[start : start + 20])
        assert metric.compute() == {name: pytest.approx(expected[name])}


@pytest.mark.parametrize("name", metrics.NAMES)
def test_nothing_to_score_raises(name):
    with pytest.raises(ValueError, match="references: every label is -100, there is nothing to score"):
        metrics.load(name).compute(predictions=[[1, 2]], references=[[-100, -100]])
    for nothing in ([], [[]], np.empty((0, 3)), np.full((2, 3), -100)):
        with pytest.raises(ValueError, match="references: every label is -100, there is nothing to score"):
            scores.BY_NAME[name](nothing, nothing)


@pytest.mark.parametrize("name", metrics.NAMES)
def test_rows_of_unequal_length_raise(name):
    for score in (scores.BY_NAME[name], lambda *rows: metrics.load(name)._compute(*rows)):
        with pytest.raises(ValueError, match="rows must be equally long, pair by pair"):
            score([[1, 2], [1, 2, 3]], [[1, 2, 3], [1, 2]])


def test_every_name_has_its_score():
    assert tuple(scores.BY_NAME) == metrics.NAMES


def test_an_unknown_name_raises():
    with pytest.raises(ValueError, match=r"unknown metric 'accuracy' \(metrics: answer_accuracy, exact_match\)"):
        metrics.load("accuracy")
