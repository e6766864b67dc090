"""What random networks write: by the definition in NumPy, and as much alike as what the reference's networks write."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
from support.references_rnn_language import rnn_row
from test_tasks import P

import hf_procedural as hp
from hf_procedural.tasks import check_task
from hf_procedural.tasks import rnn_language_kernels as kernels

SETTINGS = [
    {"vocab_size": 12, "temperature": 0.05},
    {"vocab_size": 12, "temperature": 0.05, "activation": "tanh"},
    {"vocab_size": 300, "temperature": 0.02, "activation": "tanh"},
    {"vocab_size": 40, "temperature": 0.03, "activation": "relu", "spectral_radius": 1.2},
    {"vocab_size": 500},  # where tokens are drawn by rejection
    {"vocab_size": 2000, "temperature": 0.1, "hidden_size": 8},
    {"vocab_size": 5000, "temperature": 0.03, "hidden_size": 20},  # of large states, by lists
    {"vocab_size": 5000, "temperature": 0.1, "spectral_radius": 1.4},
    {"vocab_size": 4100, "temperature": 0.003, "activation": "tanh"},
    {"vocab_size": 5000, "temperature": 0.01, "hidden_size": 1},
]


@pytest.mark.parametrize("parameters", SETTINGS, ids=str)
def test_tokens_are_drawn_from_the_softmax(parameters):
    """As often as due: likely and unlikely tokens, and each token; the sum of log-probabilities is that of draws."""
    task = hp.task("rnn_language", **{"length": 60, "hidden_size": 13} | parameters)
    rows = 100 if task.vocab_size < 4000 else 30
    input_ids, labels, models = task.sample_with_models(np.random.default_rng(0), rows)
    np.testing.assert_array_equal((input_ids, labels), task.sample(np.random.default_rng(0), rows))
    surplus = variance = 0.0
    due, seen = np.zeros(task.vocab_size), np.zeros(task.vocab_size)
    rng, likelier = np.random.default_rng(1), []
    for row, (model, first) in zip(input_ids, models.tolist(), strict=True):
        chances = task.probabilities(row, model, first)
        its = chances[np.arange(task.length), row]
        likelier.append(np.where(chances > its[:, None], chances, 0).sum(axis=1) + its * rng.random(task.length))
        logs = np.log(np.maximum(chances, 1e-300))
        mean = (chances * logs).sum(axis=1)
        surplus += (np.log(its) - mean).sum()
        variance += ((chances * logs**2).sum(axis=1) - mean**2).sum()
        due += chances.sum(axis=0)
        seen += np.bincount(row, minlength=task.vocab_size)
    assert abs(surplus) < 4 * variance**0.5
    assert scipy.stats.kstest(np.concatenate(likelier), "uniform").pvalue > P
    common = due > 20
    deviations = (seen - due)[common] / due[common] ** 0.5  # of draws, at most 1
    assert np.abs(deviations).max(initial=0) < 5


@pytest.mark.parametrize(("size", "outside"), [(3, 0.5), (5, 0.2), (8, 0.1), (40, 0)])
def test_a_list_of_tokens_does_not_change_the_draws(size, outside):
    """Of a state that is partly outside the list's basis, and tokens with a weight below the bound of the others."""
    rng = np.random.default_rng(0)
    out = rng.normal(size=(300, 8)).astype(np.float32)
    direction, across = np.eye(8, dtype=np.float32)[:2]
    longest = np.sqrt((out**2).sum(axis=1).max())
    tokens, lengths = np.empty(40, np.int32), np.empty(41, np.float32)
    count = kernels._list(out, longest, direction, np.zeros(300, np.float32), tokens, lengths)
    along = np.abs(out[:, 0])
    assert sorted(tokens[:count]) == sorted(np.argsort(-along)[:count]) and 30 < count <= 40
    assert (lengths[:count] >= along[tokens[:count]]).all() and (np.diff(lengths[: count + 1]) <= 0).all()
    h = np.float32(size) * (direction + np.float32(outside) * across)
    state, scores = np.arange(1, 5, dtype=np.uint64), np.empty(300, np.float32)
    sizes = np.float32(size), np.float32(longest * size * outside)
    drawn = [kernels._from_list(state, out, h, *sizes, tokens[:count], lengths, scores) for _ in range(20_000)]
    weights = 2.0 ** (out.astype(float) @ h)
    due = weights / weights.sum() * len(drawn)
    seen = np.bincount(drawn, minlength=300)
    rare = due < 10
    seen, due = (np.append(x[~rare], x[rare].sum()) for x in (seen, due))
    assert scipy.stats.chisquare(seen[due > 0], due[due > 0]).pvalue > P


def test_a_state_that_grows_fast_stays_a_number():
    """Rows end alike of all networks where it does not: no score is larger than another one."""
    task = hp.task("rnn_language", vocab_size=12, hidden_size=8, spectral_radius=1e6, length=1500)
    last = task.sample(np.random.default_rng(0), 600)[0][:, -1]
    assert scipy.stats.chisquare(np.bincount(last, minlength=12)).pvalue > P


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


@pytest.mark.parametrize("parameters", [{"length": 100}, *SETTINGS[:6]], ids=str)
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
