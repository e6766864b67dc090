"""How far apart what models predict is: Kullback-Leibler and Jensen-Shannon divergences, in nats per token."""

import itertools
import math

import torch
from torch.nn import functional

_CHUNK = 2**24  # logits of one model that are compared at a time


class Predictions:
    """Losses of models, and divergences of pairs of them, summed over tokens.

    Args:
        models: how many.
        pairs: those of them whose predictions are of the same tokens.
    """

    def __init__(self, models: int, pairs: list[tuple[int, int]]):
        self.pairs = pairs
        self.tokens = 0
        self._losses = torch.zeros(models, dtype=torch.float64)
        self._sums = torch.zeros(len(pairs), 3, dtype=torch.float64)

    def add(self, logits: list[torch.Tensor], targets: list[torch.Tensor]) -> None:
        """Of each model logits ``[tokens, its vocabulary]``, and which token came, in its ids, int64 ``[tokens]``."""
        tokens = len(targets[0])
        step = max(1, _CHUNK // max(each.shape[1] for each in logits))
        for first in range(0, tokens, step):
            chunk = slice(first, first + step)
            logs = [each[chunk].float().log_softmax(-1) for each in logits]
            for model, (log, target) in enumerate(zip(logs, targets, strict=True)):
                self._losses[model] -= log.gather(1, target[chunk, None]).double().sum().cpu()
            compared = {model: logs[model].exp() for model in {*itertools.chain(*self.pairs)}}
            for number, (one, other) in enumerate(self.pairs):
                sums = divergences(logs[one], logs[other], compared[one], compared[other])
                self._sums[number] += torch.stack([each.double().sum() for each in sums]).cpu()
        self.tokens += tokens

    def losses(self) -> list[float]:
        """Of each model the mean of -log p of the token that came."""
        return (self._losses / self.tokens).tolist()

    def divergences(self) -> list[list[float]]:
        """Of each pair the means of KL(first || second), KL(second || first) and Jensen-Shannon, in nats."""
        return (self._sums / self.tokens).tolist()


def divergences(log_p, log_q, p, q) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """KL(p || q), KL(q || p) and Jensen-Shannon of distributions and their logarithms ``[tokens, vocabulary]``.

    In nats, ``[tokens]`` each. By the ratio of p and q alone, so that all three are exactly 0 for two that are equal.
    """
    ratio = log_q - log_p
    under = math.log(2) - functional.softplus(ratio)  # log p / ((p + q) / 2)
    kl_p = -_dot(p, ratio)
    kl_q = _dot(q, ratio)
    return kl_p, kl_q, (_dot(p, under) + _dot(q, under) + kl_q) / 2


def _dot(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The sum of each line's products, in one pass."""
    return torch.bmm(weights[:, None], values[:, :, None]).view(-1)
