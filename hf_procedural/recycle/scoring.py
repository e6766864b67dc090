"""fastText's probabilities of a label by our own loops, to the last bit, with its weights where they lie in memory."""

import functools
from collections.abc import Callable

import numpy as np

from .. import compiled, upstream
from . import score_kernels

_MODEL = "fasttext.FastText:_FastText.f"
_PREFIX = np.frombuffer(b"__label__", np.uint8)
_END = np.frombuffer(b"</s>", np.uint8)


def can_score(model) -> bool:
    """Whether a model is of the kind that the loops know: softmax, whole weights, and no pieces of words."""
    inner = upstream.of(model, _MODEL)
    if inner is None:
        return True  # as far as one sees: `is_exact` tells that it is not so
    options = inner.getArgs()
    is_known = not inner.isQuant() and options.maxn <= 0 and options.loss.name == "softmax"
    return is_known and not compiled.is_switched_off()


def is_exact(model, texts: list[str], label: str, expected: Callable[[], np.ndarray]) -> bool:
    """Whether the loops give what fastText gives for the first texts of a model; asked once."""
    return upstream.agrees(_MODEL, lambda: np.array_equal(scores(model, texts, label), expected()), id(model))


def scores(model, texts: list[str], label: str) -> np.ndarray:
    """Probabilities of a label, float32 [n]; 0 where no token is known."""
    options, labels, vocabulary, words, weights, output = _parts(model)
    if label not in labels:
        return np.zeros(len(texts), np.float32)
    # fastText sees a text's lines joined by spaces, and the end of a line as a word.
    lines = [text.strip().encode() + b" </s>" for text in texts]
    content = np.frombuffer(b"".join(lines), np.uint8)
    ends = np.cumsum([*map(len, lines)])
    shares = np.empty(len(texts), np.float32)
    settings = (options.wordNgrams, options.bucket, weights, output, labels.index(label), shares)
    score_kernels.scores(content, ends, vocabulary, words, _PREFIX, _END, *settings)
    return shares


@functools.lru_cache(1)
def _parts(model) -> tuple:
    inner = upstream.of(model, _MODEL)
    words, labels = model.get_words(), model.get_labels()
    entries = [b"", *(entry.encode() for entry in [*words, *labels])]
    starts = np.cumsum([0, *map(len, entries)])
    content = np.frombuffer(b"".join(entries), np.uint8)
    table = np.zeros(1 << (4 * len(entries)).bit_length(), np.uint64)
    score_kernels.fill(table, content, starts)
    weights, output = np.asarray(inner.getInputMatrix()), np.asarray(inner.getOutputMatrix())
    return inner.getArgs(), labels, (table, content, starts), len(words), weights, output


def forget() -> None:
    """Frees the memory of the latest model."""
    _parts.cache_clear()
