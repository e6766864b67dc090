"""Text of several sources, mixed by weights, each source in passes of its own.

A weight is a share of the *tokens* that are trained on, as the field weighs mixtures, and not of the documents. The
next document comes, at random by weight, from one of the sources that are not ahead of their share, so that the shares
hold at every point of the stream to within the longest document. A source that ends begins anew, whatever the others
do: none of its documents is lost or doubled within a pass.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from . import batches, packing
from .documents import Documents


def draw(sizes: list[int], weights: list[float], seed: int) -> int:
    """The source of the next document, where the sources have given so much so far.

    The random choice follows from the arguments alone.
    """
    total = sum(sizes)
    shares = np.array(weights)
    turns = np.array(sizes) / shares
    behind = np.flatnonzero(turns <= max(total / shares.sum(), turns.min()))
    if len(behind) == 1:
        return int(behind[0])
    chances = shares[behind] / shares[behind].sum()
    return int(np.random.default_rng([seed, int(total)]).choice(behind, p=chances))


def merged(sources: Sequence[Iterable[str]], weights: list[float], seed: int) -> Iterator[str]:
    """The documents of all sources, each once; the weights are shares of the characters until a source ends."""
    iterators = [iter(source) for source in sources]
    weights = list(weights)
    sizes = [0] * len(weights)
    while iterators:
        source = draw(sizes, weights, seed)
        text = next(iterators[source], None)
        if text is None:  # the others go on in their own proportions
            del iterators[source], weights[source], sizes[source]
        else:
            sizes[source] += len(text)
            yield text


class MixedRows(packing.PackedRows):
    """Endless training rows of several sources: as PackedRows, where the next document is of the source that is drawn.

    Args:
        documents: of each source.
        weights: positive, one for each source; only their proportions count.
        seed: of the draws.

    A mark holds, instead of one epoch and document, `sources`: for each the epoch and number of the next document that
    it gives, and the `tokens` that it gave before.
    """

    def __init__(self, documents: list[Documents], weights: list[float], *options, seed: int = 0):
        self.sources = documents
        self.weights = list(weights)
        self.seed = seed
        super().__init__(documents[0], *options)

    def _top(self) -> dict:
        return {"sources": [{"epoch": 0, "document": 0, "tokens": 0} for _ in self.sources]}

    def _batches(self, sources: list[dict]) -> Iterator[tuple[dict, np.ndarray]]:
        streams = [
            self._single(documents, source["epoch"], source["document"])
            for documents, source in zip(self.sources, sources, strict=True)
        ]
        totals = [source["tokens"] for source in sources]
        waiting = list(map(next, streams))  # the next document of each source
        while True:
            place = [
                {"epoch": epoch, "document": document, "tokens": total}
                for (epoch, document, _), total in zip(waiting, totals, strict=True)
            ]
            batch = []
            enough = sum(totals) + batches.BATCH // 4  # a token is about four characters
            while sum(totals) < enough:
                drawn = draw(totals, self.weights, self.seed)
                _, _, tokens = waiting[drawn]
                batch.append(tokens)
                totals[drawn] += len(tokens)
                waiting[drawn] = next(streams[drawn])
            yield {"sources": place}, np.concatenate(batch)

    def _single(self, documents: Documents, epoch: int, document: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """Epoch, number and tokens of each document of a source."""
        for now, first, group in self._passes(documents, epoch, document):
            for number, tokens in enumerate(group, first):
                yield now, number, tokens
