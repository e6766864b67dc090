"""What every head attends to: entropy of its attention, and scores of the patterns of Olsson et al. 2022.

In-context Learning and Induction Heads (arXiv:2209.11895), where a head is told by its attention on random tokens that
repeat. Here sequences are `LENGTH` distinct random tokens, twice (theirs are 25 tokens four times, behind a beginning
token); at position i of the second time, counted from 0, a head's attention

    induction       to the token behind the same one: position i + 1 of the first time (their prefix matching score)
    copy            to the same token: position i of the first time
    previous_token  to the token before it (over all positions but the first of the sequence)

each the mean over positions and sequences, from 0 to 1. `copy` is about where a head looks; what it then writes, as
their copying score does, is not asked, since each architecture keeps its output matrices in another place.
"""

from collections.abc import Iterable

import numpy as np
import torch

LENGTH = 25  # tokens that repeat, at most; fewer where the vocabulary or the positions are
LEAST = 4
SEQUENCES = 16
SCORES = ("induction", "copy", "previous_token")


def entropy(attention: torch.Tensor) -> torch.Tensor:
    """The entropy, in nats, of attention ``[..., queries, keys]`` of each query: ``[..., queries]``.

    A query that sees n tokens has at most log n.
    """
    return torch.special.entr(attention).sum(-1, dtype=torch.float32)


def scores(attention: torch.Tensor) -> torch.Tensor:
    """The `SCORES` of each head, float64 ``[3, heads]``, of attention ``[rows, heads, 2 n, 2 n]`` on n tokens twice."""
    again = attention.shape[-1] // 2
    diagonals = [attention.diagonal(shift, -2, -1) for shift in (1 - again, -again, -1)]  # [rows, heads, places]
    induction, copy, previous = diagonals
    # The diagonal of induction begins one query early, where the token before the second time looks at the first one.
    return torch.stack([each.double().mean((0, -1)) for each in (induction[..., 1:], copy, previous)])


def repeated(usable: np.ndarray, positions: int | None, seed: int) -> torch.Tensor | None:
    """Sequences of n distinct random tokens of `usable` ids, twice: int64 ``[SEQUENCES, 2 n]``.

    `positions` is how many tokens a model reads at most. None where n is too small.
    """
    room = LENGTH if positions is None else positions // 2
    length = min(LENGTH, room, len(usable))
    if length < LEAST:
        return None
    generator = np.random.default_rng([seed, 1])
    once = np.stack([generator.permutation(usable)[:length] for _ in range(SEQUENCES)])
    return torch.from_numpy(np.tile(once, 2).astype(np.int64))


class Heads:
    """Entropies of all heads of a model, summed over queries."""

    def __init__(self):
        self._sums: list[torch.Tensor] = []  # of each layer float64 [heads]
        self._queries = 0

    def add(self, attentions: Iterable[tuple[slice, list[torch.Tensor]]], is_token: torch.Tensor) -> None:
        """Attention as `Subject.attentions` gives it, of rows whose tokens, and not padding, `is_token` says."""
        for rows, layers in attentions:
            counted = is_token[rows]
            sums = []
            for layer in layers:
                values = entropy(layer).double() * counted[:, None]
                sums.append(values.sum((0, 2)).cpu())
            self._sums = [before + now for before, now in zip(self._sums, sums, strict=True)] if self._sums else sums
            self._queries += int(counted.sum())

    def means(self) -> list[list[float]]:
        """Of each layer, of each head, the mean entropy in nats; an empty list where no attention was given."""
        return [(each / self._queries).tolist() for each in self._sums]


def mean_scores(attentions: Iterable[tuple[slice, list[torch.Tensor]]]) -> dict[str, list[list[float]]]:
    """Of each of `SCORES`, of each layer, of each head; empty lists where no attention was given."""
    sums: list[torch.Tensor] = []
    rows = 0
    for _, layers in attentions:
        count = len(layers[0])
        now = [scores(layer).cpu() * count for layer in layers]
        sums = [before + each for before, each in zip(sums, now, strict=True)] if sums else now
        rows += count
    return {name: [(each[number] / rows).tolist() for each in sums] for number, name in enumerate(SCORES)}
