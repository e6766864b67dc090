"""Text of several sources, and rows of tasks among it, mixed by weights, each source in passes of its own.

A weight is a share of the *tokens* that are trained on, as the field weighs mixtures, and not of the documents. The
next document comes, at random by weight, from one of the sources that are not ahead of their share, so that the shares
hold at every point of the stream to within the longest document. A source that ends begins anew, whatever the others
do: none of its documents is lost or doubled within a pass. Rows of a task are documents like others, but have no end,
and labels of their own; a token without a label counts as one with.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, cast

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


class TaskRows(Protocol):
    """The rows of a task in the ids of a tokenizer, without end."""

    def read(self, start: int) -> Iterator[np.ndarray]:
        """Each row from number `start` on: ids and labels, int32 ``[2, tokens]``."""
        ...


class MixedRows(packing.PackedRows):
    """Endless training rows of several sources: as PackedRows, where the next document is of the source that is drawn.

    Args:
        sources: documents, or rows of a task.
        weights: positive, one for each source; only their proportions count.
        seed: of the draws.
        noise: in the documents, as for PackedRows.

    A mark holds, instead of one epoch and document, `sources`: for each the epoch and number of the next document that
    it gives, or the number of the next `task_row`, and the `tokens` that it gave before.
    """

    def __init__(
        self, sources: Sequence[Documents | TaskRows], weights: list[float], *options, seed: int = 0, noise=None
    ):
        self.sources = sources
        self.weights = list(weights)
        self.seed = seed
        self.has_labels = not all(isinstance(source, Documents) for source in sources)
        super().__init__(
            cast(Documents, sources[0]), *options, noise=noise
        )  # of which it knows nothing: `_batches` reads

    def _top(self) -> dict:
        document, row = {"epoch": 0, "document": 0, "tokens": 0}, {"task_row": 0, "tokens": 0}
        return {"sources": [document if isinstance(source, Documents) else row for source in self.sources]}

    def _batches(self, sources: list[dict]) -> Iterator[tuple[dict, np.ndarray]]:
        streams = [self._single(*each) for each in zip(self.sources, sources, range(len(sources)), strict=True)]
        totals = [place["tokens"] for place in sources]
        waiting = list(map(next, streams))  # the next document of each source
        while True:
            place = [where | {"tokens": total} for (where, _), total in zip(waiting, totals, strict=True)]
            batch = []
            enough = sum(totals) + batches.BATCH // 4  # a token is about four characters
            while sum(totals) < enough:
                drawn = draw(totals, self.weights, self.seed)
                _, tokens = waiting[drawn]
                batch.append(tokens)
                totals[drawn] += tokens.shape[1]
                waiting[drawn] = next(streams[drawn])
            kinds = (0, -1) if self.has_labels else (0,)  # of text, the ids are the labels
            yield {"sources": place}, np.stack([np.concatenate([tokens[kind] for tokens in batch]) for kind in kinds])

    def _single(self, source: Documents | TaskRows, place: dict, which: int) -> Iterator[tuple[dict, np.ndarray]]:
        """Where each document of a source is, and its tokens, ``[1, tokens]``, or ``[2, tokens]`` with labels."""
        if isinstance(source, Documents):
            for epoch, first, group in self._passes(source, place["epoch"], place["document"], which):
                for number, tokens in enumerate(group, first):
                    yield {"epoch": epoch, "document": number}, tokens[None]
        else:
            for number, row in enumerate(source.read(place["task_row"]), place["task_row"]):
                yield {"task_row": number}, self._encode.separated(row)
