"""Random recurrent networks that write, in NumPy, token by token with a whole softmax, as the paper's code has it."""

import numpy as np


def rnn_row(rng: np.random.Generator, vocab_size=50277, length=2048, hidden=64, rows=1, radius=0.9) -> np.ndarray:
    """Rows of one linear network."""
    a = rng.normal(scale=vocab_size**-0.5, size=(vocab_size, hidden))
    w = rng.normal(scale=hidden**-0.5, size=(hidden, hidden))
    c = rng.normal(scale=hidden**-0.5, size=(vocab_size, hidden))
    vector = rng.normal(size=hidden)
    for _ in range(51):
        vector = w @ (vector / np.linalg.norm(vector))
    w *= radius / np.linalg.norm(vector)
    h, tokens = np.zeros((rows, hidden)), rng.integers(vocab_size, size=rows)
    written = np.empty((rows, length), np.int64)
    for step in range(length):
        h = h @ w.T + a[tokens]
        scores = h @ c.T
        weights = np.exp(scores - scores.max(axis=1, keepdims=True)).cumsum(axis=1)
        aims = rng.random(rows) * weights[:, -1]
        tokens = np.array([np.searchsorted(each, aim, side="right") for each, aim in zip(weights, aims, strict=True)])
        written[:, step] = tokens
    return written
