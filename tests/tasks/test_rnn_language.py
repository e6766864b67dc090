"""What random networks write: by the definition in NumPy, and as much alike as what the reference's networks write."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
from support.references_rnn_language import rnn_row
from test_tasks import P

import hf_procedural as hp
from hf_procedural.tasks import check_task

SETTINGS = [
    {"vocab_size": 12, "temperature": 0.05},
    {"vocab_size": 12, "temperature": 0.05, "activation": "tanh"},
    {"vocab_size": 300, "temperature": 0.02, "activation": "tanh"},
    {"vocab_size": 40, "temperature": 0.03, "activation": "relu", "spectral_radius": 1.2},
    {"vocab_size": 500},  # where tokens are drawn by rejection
    {"vocab_size": 2000, "temperature": 0.1, "hidden_size": 8},
]


@pytest.mark.parametrize("parameters", SETTINGS, ids=str)
def test_tokens_are_drawn_from_the_softmax(parameters):
    """The sum of log-probabilities is that of draws; and how often each token is due."""
    task = hp.task("rnn_language", **{"length": 60, "hidden_size": 13} | parameters)
    input_ids, labels, models = task.sample_with_models(np.random.default_rng(0), 100)
    np.testing.assert_array_equal((input_ids, labels), task.sample(np.random.default_rng(0), 100))
    surplus = variance = 0.0
    due, seen = np.zeros(task.vocab_size), np.zeros(task.vocab_size)
    for row, (model, first) in zip(input_ids, models.tolist(), strict=True):
        chances = task.probabilities(row, model, first)
        logs = np.log(np.maximum(chances, 1e-300))
        mean = (chances * logs).sum(axis=1)
        surplus += (logs[np.arange(task.length), row] - mean).sum()
        variance += ((chances * logs**2).sum(axis=1) - mean**2).sum()
        due += chances.sum(axis=0)
        seen += np.bincount(row, minlength=task.vocab_size)
    assert abs(surplus) < 4 * variance**0.5
    common = due > 20
    deviations = (seen - due)[common] / due[common] ** 0.5  # of draws, at most 1
    assert common.any() and np.abs(deviations).max() < 5


def test_weights_are_nearly_normal_with_the_variances_of_the_reference():
    network = hp.task("rnn_language", vocab_size=3000, hidden_size=64).weights(7)
    for name, variance in (("A", 1 / 3000), ("C", 1 / 64)):
        values = network[name].ravel() / variance**0.5
        assert abs(values.mean()) < 0.02 and abs(values.var() - 1) < 0.02
        assert abs(scipy.stats.kurtosis(values) + 0.3) < 0.05  # a normal one has 0
    radii = [
        np.abs(np.linalg.eigvals(hp.task("rnn_language", vocab_size=2).weights(model)["W"])).max()
        for model in range(200)
    ]
    assert 0.88 < np.median(radii) < 0.92 and 0.01 < np.mean(np.array(radii) > 1) < 0.12  # reference: 0.900, 0.053


def test_rows_repeat_as_much_as_those_of_the_reference():
    """Of small vocabularies at temperature 1: how often neighbours are equal, over many networks."""
    rng = np.random.default_rng(0)
    theirs = np.concatenate([rnn_row(rng, 5, 30, 16, 4) for _ in range(300)])
    ours = dataclasses.replace(hp.task("rnn_language", vocab_size=5, hidden_size=16), length=30, models=100_000).sample(
        np.random.default_rng(0), 1200
    )[0]
    for distance in (1, 2, 3):
        counts = [(rows[:, distance:] == rows[:, :-distance]).sum(axis=1) for rows in (ours, theirs)]
        assert scipy.stats.ks_2samp(*counts).pvalue > P
    most = [np.array([np.bincount(row, minlength=5).max() for row in rows]) for rows in (ours, theirs)]
    assert scipy.stats.ks_2samp(*most).pvalue > P


def test_a_language_stays_the_same_and_others_differ():
    task = hp.task("rnn_language", vocab_size=30, length=20)
    other = dataclasses.replace(task, language_seed=1)
    assert (task.weights(3)["A"] == dataclasses.replace(task, length=9).weights(3)["A"]).all()
    assert (task.weights(3)["A"] != other.weights(3)["A"]).mean() > 0.99
    assert (task.weights(3)["C"] != task.weights(4)["C"]).mean() > 0.99
    late = dataclasses.replace(task, burn_in=5).sample(np.random.default_rng(0), 1)[0]
    np.testing.assert_array_equal(late[0][:15], task.sample(np.random.default_rng(0), 1)[0][0, 5:])


@pytest.mark.parametrize("parameters", [{"length": 100}, *SETTINGS], ids=str)
def test_contract(parameters):
    check_task(hp.task("rnn_language", **{"length": 60} | parameters))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"vocab_size": 1}, "rnn_language: vocab_size must be an integer in 2..1048576, got 1"),
        ({"temperature": 0}, "rnn_language: temperature must be a number in 0.000001..1000000, got 0"),
        ({"activation": "tan"}, "rnn_language: activation must be one of linear, relu, tanh, got 'tan'"),
        ({"models": 0}, "rnn_language: models must be an integer >= 1, got 0"),
        ({"hidden_size": 2000}, "rnn_language: hidden_size must be an integer in 1..1024, got 2000"),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_one_line(parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task("rnn_language", **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)
