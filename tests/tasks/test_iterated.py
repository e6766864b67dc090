"""Iterated random networks: bit for bit what plain NumPy makes of the same weights, and like PyTorch's own LSTM."""

import numpy as np
import pytest
import scipy.stats
import torch
from support.references_iterated import iterated_row, random_network, rewritten, share, squash
from tasks.test_tasks import P, assert_same_distribution

import hf_procedural as hp
from hf_procedural.tasks import iterated_kernels, kernels
from hf_procedural.tasks.lanes_kernels import LANES


def _stream(seed=0):
    return kernels.stream(np.random.default_rng(seed))


@pytest.mark.parametrize(("symbols", "width", "layers"), [(256, 32, 1), (7, 5, 3), (2, 1, 1), (30, 16, 2)])
def test_a_row_is_what_numpy_makes_of_the_same_weights(symbols, width, layers):
    """One network, one group of rows: the stream is replayed step by step."""
    length, seed = 40, 4
    rows = np.empty((LANES, length), np.int32)
    iterated_kernels.fill(_stream(3), rows, (symbols, width, layers), seed, (1.0, 3.5), 1.0, 0.0, (1, 1))
    state = _stream(3)
    read = np.empty((LANES, length), np.int32)
    for lane in range(LANES):
        is_constant = kernels.below(state, 2)
        symbol = kernels.below(state, symbols)
        for place in range(length):
            read[lane, place] = symbol if is_constant else kernels.below(state, symbols)
    network = iterated_kernels.empty_network(symbols, width, layers)
    iterated_kernels.draw_network(state, network, (1.0, 3.5), 1.0)
    first = kernels.below(state, length - seed)
    for lane in range(LANES):
        given = read[(lane + 1) % LANES, first : first + seed].tolist()
        assert rewritten(given, read[lane], network, symbols) == rows[lane].tolist()


def test_a_network_is_pytorchs_but_for_its_tanh():
    """With the activations of ours in place of torch's, gates and scores are those of nn.LSTM's equations."""
    width, symbols = 12, 20
    rng = np.random.default_rng(0)
    network = random_network(rng, symbols, width, 1)
    embedding, inputs, hidden, biases, out, offset = (torch.tensor(part) for part in network)
    cell = torch.nn.LSTMCell(2 * width, width)
    gates = torch.cat([inputs[0], inputs[1]]).reshape(2 * width, width, 4).permute(2, 1, 0)  # gate, unit, input
    cell.weight_ih.data = gates.reshape(4 * width, 2 * width)
    cell.weight_hh.data = hidden[0].permute(2, 0, 1).reshape(4 * width, width)
    cell.bias_ih.data = biases[0].T.reshape(-1)
    cell.bias_hh.data = torch.zeros(4 * width)
    read = rng.integers(symbols, size=30)
    ours = rewritten(read[:4].tolist(), read, network, symbols)
    state, compared = None, 0
    for place in range(29):
        state = cell(torch.cat([embedding[ours[place]], embedding[read[place]]])[None], state)
        scores = (torch.einsum("fig,i->fg", out, state[0][0]) + offset).reshape(-1)[:symbols]
        if place >= 3 and scores.topk(2).values.diff().abs() > 0.1:  # clear enough for another tanh
            assert int(scores.argmax()) == ours[place + 1]
            compared += 1
    assert compared > 5


def test_the_activations_are_near_those_that_they_stand_for():
    x = np.linspace(-9, 9, 10_001, dtype=np.float32)
    assert np.abs(squash(x) - np.tanh(x)).max() < 0.024 and np.abs(share(x) - 1 / (1 + np.exp(-x))).max() < 0.012
    assert (np.diff(squash(x)) >= -1e-6).all() and squash(np.float32([3, -3, 0])).tolist() == [1, -1, 0]


def test_weights_are_distributed_as_pytorch_draws_them():
    network = iterated_kernels.empty_network(256, 64, 3)
    iterated_kernels.draw_network(_stream(), network, (2.0, 2.0), 1.5)
    embedding, inputs, hidden, biases, out, offset = (part.ravel() for part in network)
    for part, bound in ((inputs, 2 / 8), (hidden, 2 / 8), (out, 1 / 8), (offset, 1 / 8)):
        assert scipy.stats.kstest(part[:20_000], scipy.stats.uniform(-bound, 2 * bound).cdf).pvalue > P
    assert scipy.stats.kstest(biases * 8, scipy.stats.triang(0.5, -2, 4).cdf).pvalue > P
    assert abs(embedding.std() - 1.5) < 0.02 and abs(embedding.mean()) < 0.05
    assert np.abs(embedding).max() <= 2 * 3**0.5 * 1.5


def _statistics():
    yield "kinds of symbols", lambda row: int(np.log2(len(set(row))) * 2)
    yield "kinds at the end", lambda row: min(len(set(row[-16:])), 9)
    yield "repeats", lambda row: sum(a == b for a, b in zip(row, row[1:], strict=False)) // 5


def test_rows_are_distributed_as_in_the_reference():
    """Rows of a group share their networks, so that one of each group is compared."""
    size = {"symbols": 30, "width": 8, "layers": 2, "length": 40}
    rng = np.random.default_rng(0)
    theirs = [iterated_row(rng, **size, seed=4) for _ in range(300)]
    task = hp.task("iterated_rnn", seed_length=4, **size)
    ours = task.sample(np.random.default_rng(1), 500 * LANES)[0][::LANES].tolist()
    for what, statistic in _statistics():
        assert_same_distribution([*map(statistic, ours)], [*map(statistic, theirs)], what)


def test_how_many_networks_rewrite_a_row():
    none = hp.task("iterated_rnn", min_networks=0, max_networks=0, length=40, symbols=50)
    rows = none.sample(np.random.default_rng(0), 4000)[0]
    constant = (rows == rows[:, :1]).all(axis=1)
    assert scipy.stats.binomtest(int(constant.sum()), 4000, 0.5).pvalue > P
    assert scipy.stats.chisquare(np.bincount(rows[~constant].ravel(), minlength=50)).pvalue > P


def test_rows_do_not_depend_on_what_is_drawn_behind_them():
    task = hp.task("iterated_rnn", length=30, width=4)
    few, many = (task.sample(np.random.default_rng(0), n)[0] for n in (20, 40))
    np.testing.assert_array_equal(few, many[:20])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"width": 0}, "iterated_rnn: width must be an integer in 1..1024, got 0"),
        ({"symbols": 257}, "iterated_rnn: symbols must be an integer in 2..256, got 257"),
        ({"length": 8}, "iterated_rnn: length must be an integer in 9..65536, got 8"),
        ({"length": 9, "seed_length": 9}, "iterated_rnn: seed_length must be at most 8 with length=9, got 9"),
        ({"gains": [3, 1]}, "iterated_rnn: gains must be two numbers in 0..100, the lower one first, got [3, 1]"),
        ({"gains": 2}, "iterated_rnn: gains must be two numbers in 0..100, the lower one first, got 2"),
        ({"spread": -1}, "iterated_rnn: spread must be a number in 0..1000000, got -1"),
        ({"again": 2}, "iterated_rnn: again must be a number in 0..1, got 2"),
        ({"min_networks": 9}, "iterated_rnn: min_networks must be at most max_networks = 8, got 9"),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_one_line(parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task("iterated_rnn", **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)
