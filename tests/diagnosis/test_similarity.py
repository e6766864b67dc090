"""CKA, divergences, spectra: against plain float64 references, and what must not change them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from hf_procedural.diagnosis.predictions import Predictions, divergences
from hf_procedural.diagnosis.similarity import Similarity
from hf_procedural.diagnosis.spectra import Spread, distances, effective_rank, spectra
from hf_procedural.models.build import new_model

SEEDS = st.integers(0, 2**32 - 1)


def centred(layers: np.ndarray) -> torch.Tensor:
    """As the diagnosis hands minibatches over: float32 activations in float64, less their mean."""
    layers = torch.from_numpy(layers.astype(np.float32)).double()
    return layers - layers.mean(1, keepdim=True)


def similarity_of(batches: list[list[np.ndarray]]) -> np.ndarray:
    similarity = Similarity()
    for stacks in batches:
        similarity.add(list(map(centred, stacks)))
    return similarity.cka().numpy()


def plain_hsic(first: np.ndarray, second: np.ndarray) -> float:
    """Song et al. 2012, equation 5, of examples [n, width], as it is written there."""
    n = len(first)
    ours, theirs = (each.astype(np.float64) @ each.astype(np.float64).T for each in (first, second))
    np.fill_diagonal(ours, 0)
    np.fill_diagonal(theirs, 0)
    one = np.ones(n)
    middle = one @ ours @ one * (one @ theirs @ one) / ((n - 1) * (n - 2))
    return (np.trace(ours @ theirs) + middle - 2 / (n - 2) * (one @ ours @ theirs @ one)) / (n * (n - 3))


def plain_cka(batches: list[list[np.ndarray]]) -> np.ndarray:
    """Of all layers of all models, the means of HSIC over minibatches, which weigh as many examples as they have."""
    layers = [[layer for stack in stacks for layer in stack] for stacks in batches]
    sizes = [len(each[0]) for each in layers]
    count = len(layers[0])
    hsic = np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            hsic[i, j] = np.average([plain_hsic(each[i], each[j]) for each in layers], weights=sizes)
    return hsic / np.sqrt(np.outer(np.diag(hsic), np.diag(hsic)))


@settings(max_examples=40, deadline=None)
@given(
    SEEDS,
    st.lists(st.integers(4, 40), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 30)), min_size=1, max_size=3),
    st.sampled_from([0.0, 3.0]),
)
def test_cka_is_the_plain_reference(seed, sizes, models, offset):
    """Models of different depth and width, minibatches of different sizes, activations with a common offset."""
    rng = np.random.default_rng(seed)
    batches = []
    for size in sizes:
        shared = rng.normal(size=(size, 5))  # else unlike layers have a CKA of about 0
        batch = []
        for number, (layers, width) in enumerate(models):
            mixing = np.random.default_rng(number).normal(size=(layers, 5, width))
            stack = shared @ mixing + 0.3 * rng.normal(size=(layers, size, width)) + offset
            batch.append(stack.astype(np.float32))
        batches.append(batch)
    assert np.abs(similarity_of(batches) - plain_cka(batches)).max() < 1e-6


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(8, 60), st.integers(2, 20), st.floats(1e-3, 1e3))
def test_cka_knows_no_rotation_scale_or_shift(seed, size, width, scale):
    rng = np.random.default_rng(seed)
    rotation = stats.ortho_group(width, seed=rng).rvs() if width > 1 else np.eye(1)
    batches = []
    for _ in range(3):
        layer = rng.normal(size=(size, width))
        other = rng.normal(size=(size, width))
        batches.append([layer[None], (scale * (layer @ rotation) + 1)[None], (layer + other)[None]])
    cka = similarity_of(batches)
    assert cka[0, 1] == pytest.approx(1, abs=1e-5)
    assert cka[0, 2] == pytest.approx(cka[1, 2], abs=1e-5)  # nor does the CKA with any third layer
    assert cka[0, 2] < 0.99


def test_cka_of_unrelated_layers_is_0_however_small_the_minibatches():
    """Without bias: the usual estimate on 8 examples of width 64 would be about 0.9."""
    rng = np.random.default_rng(0)
    batches = [[rng.normal(size=(1, 8, 64)), rng.normal(size=(1, 8, 64))] for _ in range(2_000)]
    assert abs(similarity_of(batches)[0, 1]) < 0.02


def test_cka_of_too_few_examples_is_none():
    assert similarity_of([[np.ones((1, 3, 2))]]).size == 0
    assert np.isnan(similarity_of([[np.ones((1, 9, 2))]])).all()  # the same for all examples


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(1, 20), st.integers(2, 200), st.floats(0.01, 30))
def test_divergences_are_scipys(seed, tokens, vocabulary, scale):
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(scale * rng.normal(size=(2, tokens, vocabulary))).float()
    logs = logits.double().log_softmax(-1).numpy()
    p, q = np.exp(logs)
    middle = (p + q) / 2
    expected = [special.rel_entr(*pair).sum(-1) for pair in ((p, q), (q, p), (p, middle), (q, middle))]
    expected = [expected[0], expected[1], (expected[2] + expected[3]) / 2]
    log_p, log_q = logits.log_softmax(-1)
    for ours, theirs in zip(divergences(log_p, log_q, log_p.exp(), log_q.exp()), expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=2e-6 * max(1, scale))
    measured = Predictions(2, [(0, 1)])
    targets = [torch.from_numpy(rng.integers(vocabulary, size=tokens)) for _ in range(2)]
    for row in range(tokens):
        row = slice(row, row + 1)
        measured.add([each[row] for each in logits], [each[row] for each in targets])
    np.testing.assert_allclose(measured.divergences()[0], np.mean(expected, 1), rtol=1e-4, atol=2e-6 * max(1, scale))
    losses = [-log[np.arange(tokens), target].mean() for log, target in zip(logs, targets, strict=True)]
    np.testing.assert_allclose(measured.losses(), losses, rtol=1e-5, atol=1e-6)


@given(SEEDS, st.floats(0.01, 100))
def test_a_model_does_not_diverge_from_itself(seed, scale):
    log = (scale * torch.randn(7, 50, generator=torch.Generator().manual_seed(seed))).log_softmax(-1)
    kl, kl_reversed, js = divergences(log, log.clone(), log.exp(), log.exp())
    assert not kl.any() and not kl_reversed.any()
    assert js.abs().max() < 1e-7


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 12), st.sampled_from([0, 1e3]))
def test_the_rank_of_activations_is_that_of_all_minibatches_together(seed, sizes, width, offset):
    rng = np.random.default_rng(seed)
    batches = [rng.normal(size=(2, size, width)) * np.arange(1, width + 1) + offset for size in sizes]
    spread = Spread()
    for batch in batches:
        batch = torch.from_numpy(batch)
        mean = batch.mean(1, keepdim=True)
        spread.add(batch - mean, mean)
    whole = np.concatenate(batches, 1)
    for rank, layer in zip(spread.ranks(), whole, strict=True):
        values = np.linalg.svd(layer - layer.mean(0), compute_uv=False)
        if values.sum() > 1e-9:
            expected = math.exp(stats.entropy(values / values.sum()))
            assert rank == pytest.approx(expected, rel=1e-3)  # roots of eigenvalues: half of the digits near 0


@pytest.mark.parametrize(("values", "rank"), [([1.0] * 7, 7), ([5.0, 0.0, 0.0], 1), ([2.0, 1.0, 1.0], 2**1.5)])
def test_effective_rank(values, rank):
    assert effective_rank(torch.tensor(values)) == pytest.approx(rank)


def test_distances_are_by_component(small_config):
    torch.manual_seed(0)
    first, second, wider = new_model(small_config()), new_model(small_config()), new_model(small_config(vocab_size=40))
    with torch.no_grad():
        for (name, ours), theirs in zip(first.named_parameters(), second.parameters(), strict=True):
            theirs.copy_(3 * ours if ".attn." in name else -ours if ".mlp." in name else ours)
    measured = distances(first, second)["components"]
    assert {name: round(each["distance"], 6) for name, each in measured.items()} == {
        "attn": 2.0, "embed": 0.0, "ln": 0.0, "mlp": 2.0
    }  # fmt: skip
    assert {name: round(each["cosine"], 6) for name, each in measured.items()} == {
        "attn": 1.0, "embed": 1.0, "ln": 1.0, "mlp": -1.0
    }  # fmt: skip
    assert sum(each["weights"] for each in measured.values()) == first.num_parameters()
    assert distances(first, wider)["left_out"] == ["transformer.wte.weight"]


def test_spectra_are_numpys(small_config):
    model = new_model(small_config())
    for name, matrix in spectra(model).items():
        values = np.linalg.svd(model.get_parameter(name).detach().numpy(), compute_uv=False)
        np.testing.assert_allclose(matrix["singular_values"], values, atol=1e-5)
        assert matrix["effective_rank"] == pytest.approx(math.exp(stats.entropy(values / values.sum())), rel=1e-4)


@pytest.fixture
def small_config():
    """Makes configurations of GPT-2 with two layers."""
    from transformers import GPT2Config

    def make(**fields):
        sizes = {"vocab_size": 30, "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2}
        return GPT2Config(**sizes | fields)

    return make
