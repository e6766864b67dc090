"""Linear CKA of layers, in minibatches.

Nguyen, Raghu & Kornblith 2021 (arXiv:2010.15327), section 3: HSIC is estimated without bias on each minibatch (Song et
al. 2012, JMLR 13, equation 5), averaged over minibatches, and CKA is HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) of these
averages, so that it needs no more memory for more rows, and its expectation does not depend on the minibatches' size.
An example is a token. Minibatches of different sizes weigh as many examples as they have; Nguyen's are all of one.
Unbiased as it is, CKA of unlike layers may be a little below 0.

Song's estimator of HSIC is the scalar product of two Gram matrices that are centred without their diagonals (Székely &
Rizzo 2014, arXiv:1310.2926, equation 2.10), so that one matrix product has all pairs of layers.
"""

import torch

LEAST = 4  # examples of a minibatch: fewer have no unbiased estimate


class Similarity:
    """HSIC of every layer with every layer, summed over minibatches."""

    def __init__(self):
        self._sum: torch.Tensor | float = 0.0  # float64 [layers, layers]
        self._examples = 0

    def add(self, stacks: list[torch.Tensor]) -> None:
        """A minibatch: of each model its layers, float64 ``[layers, examples, width]``, centred over examples."""
        examples = stacks[0].shape[1]
        if examples < LEAST:
            return
        grams = torch.cat([torch.bmm(stack, stack.mT) for stack in stacks])
        _centre(grams)
        flat = grams.view(len(grams), -1)
        self._sum = self._sum + flat @ flat.T / (examples * (examples - 3)) * examples
        self._examples += examples

    def cka(self) -> torch.Tensor:
        """Float64 ``[layers, layers]`` of all models' layers, one model behind another.

        nan with layers that are the same for all examples, and where there was no minibatch.
        """
        if not self._examples:
            return torch.zeros(0, 0)
        hsic = torch.as_tensor(self._sum) / self._examples
        own = hsic.diagonal().sqrt()
        return (hsic / own[:, None] / own).cpu()


def _centre(grams: torch.Tensor) -> None:
    """Centres Gram matrices ``[layers, n, n]`` without their diagonals, in place."""
    n = grams.shape[-1]
    grams.diagonal(dim1=1, dim2=2).zero_()
    rows = grams.sum(-1, keepdim=True)
    shares = rows / (n - 2) - rows.sum(1, keepdim=True) / (2 * (n - 1) * (n - 2))
    grams -= shares
    grams -= shares.mT
    grams.diagonal(dim1=1, dim2=2).zero_()
