"""Spectra: effective rank of activations and of weights, singular values, and how far apart weights are.

The effective rank of Roy & Vetterli 2007 (EUSIPCO): exp of the entropy of the singular values divided by their sum,
from 1 to the number of them. Of activations these are the singular values of tokens x width, centred over tokens: the
roots of the covariance's eigenvalues.
"""

import itertools

import torch

from ..models.transfer import components_of


def effective_rank(values: torch.Tensor) -> float:
    """Of singular values ``[n]``; nan where all are 0."""
    shares = values.double() / values.double().sum()
    return float(torch.special.entr(shares).sum().exp())


class Spread:
    """The scatter of activations around their mean, of all layers of a model, over minibatches (Chan et al. 1979)."""

    def __init__(self):
        self._scatter: torch.Tensor | None = None  # float64 [layers, width, width]
        self._mean: torch.Tensor | None = None  # float64 [layers, 1, width]
        self._examples = 0

    def add(self, centred: torch.Tensor, mean: torch.Tensor) -> None:
        """Examples less their mean, float64 ``[layers, examples, width]``, and that, ``[layers, 1, width]``."""
        count = centred.shape[1]
        if self._scatter is None or self._mean is None:
            self._scatter, self._mean, self._examples = centred.mT @ centred, mean, count
            return
        total = self._examples + count
        shift = mean - self._mean
        self._scatter.baddbmm_(centred.mT, centred)
        self._scatter.baddbmm_(shift.mT, shift, alpha=self._examples * count / total)
        self._mean = self._mean + shift * (count / total)
        self._examples = total

    def ranks(self) -> list[float]:
        """The effective rank of each layer."""
        if self._scatter is None:
            return []
        eigenvalues = torch.linalg.eigvalsh(self._scatter)
        return [effective_rank(values.clamp_min(0).sqrt()) for values in eigenvalues]


def spectra(model) -> dict[str, dict]:
    """Of each matrix of a model, by its name: component, singular values from the largest, effective rank.

    What a parameter holds beyond two dimensions (experts, kernels) is one matrix below another; one that holds several
    matrices side by side, as GPT-2's of queries, keys and values, is one.
    """
    components = components_of(model)
    matrices = {name: each.detach() for name, each in model.named_parameters() if each.ndim > 1}
    tables = {}
    for name, matrix in matrices.items():
        values = torch.linalg.svdvals(matrix.flatten(0, -2).float())
        rank = effective_rank(values)
        tables[name] = {"component": components[name], "effective_rank": rank, "singular_values": values.tolist()}
    return tables


def distances(first, second) -> dict:
    """How far a second model's weights are from a first's: of each component and parameter that both have alike.

    ``distance`` is the Frobenius norm of the difference relative to the first's; ``cosine`` that of all entries;
    ``weights`` how many. `left_out` are the names that only one has, or that differ in shape.
    """
    ours, theirs = dict(first.named_parameters()), dict(second.named_parameters())
    components = components_of(first)
    shared = [name for name in ours if name in theirs and ours[name].shape == theirs[name].shape]
    left_out = sorted((ours.keys() | theirs.keys()) - {*shared})
    products = {name: _products(ours[name].detach(), theirs[name].detach()) for name in shared}
    shared.sort(key=lambda name: components[name])  # stable: within a component by layer
    by_component = {}
    for component, names in itertools.groupby(shared, key=lambda name: components[name]):
        by_component[component] = _measures(torch.stack([products[name] for name in names]).sum(0))
    by_name = {name: {"component": components[name]} | _measures(products[name]) for name in ours if name in products}
    return {"components": by_component, "parameters": by_name, "left_out": left_out}


def _products(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Float64 ``[5]``: squares of the first, the second and the difference, product, number of entries."""
    first, second = first.flatten().double(), second.flatten().double()
    difference = second - first
    pairs = ((first, first), (second, second), (difference, difference), (first, second))
    return torch.stack([*(torch.dot(*pair).cpu() for pair in pairs), torch.tensor(float(len(first)))])


def _measures(products: torch.Tensor) -> dict:
    own, other, difference, product, weights = products.tolist()
    measures = {"weights": int(weights)}
    if own:
        measures["distance"] = (difference / own) ** 0.5
    if own and other:
        measures["cosine"] = product / (own * other) ** 0.5
    return measures
