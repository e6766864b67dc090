"""What the `evaluate` modules beside this compute, from arrays as they are: no table of Arrow is written and read."""

from collections.abc import Sequence

import numpy as np

_IGNORE = -100  # the label of a position that is not scored


def answer_accuracy(predictions: Sequence, references: Sequence) -> float:
    """The share in 0..1 of labelled positions, of all rows together, that are predicted.

    Args:
        predictions: token ids, an array ``[rows, length]`` or rows of any lengths: the token *for* each position.
        references: labels of the same shape, -100 where no token is scored.

    Raises ValueError where shapes differ, and where no position is labelled.
    """
    right, scored, _ = _flat(predictions, references)
    return float(right[scored].mean())


def exact_match(predictions: Sequence, references: Sequence) -> float:
    """The share in 0..1 of rows in which every labelled position is predicted; arguments as of `answer_accuracy`.

    Rows without a label do not count. Raises ValueError where shapes differ, and where no position is labelled.
    """
    right, scored, rows = _flat(predictions, references)
    labels = np.bincount(rows[scored])
    hits = np.bincount(rows[scored & right], minlength=len(labels))
    return float((hits == labels)[labels > 0].mean())


BY_NAME = {"answer_accuracy": answer_accuracy, "exact_match": exact_match}


def _flat(predictions: Sequence, references: Sequence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all positions, row after row: whether it is right (bool), whether it is scored (bool), and its row (int64)."""
    lengths = [len(row) for row in references]
    if [len(row) for row in predictions] != lengths:
        raise ValueError("predictions and references: rows must be equally long, pair by pair")
    guesses = np.concatenate([[], *predictions])
    labels = np.concatenate([[], *references])
    scored = labels != _IGNORE
    if not scored.any():
        raise ValueError("references: every label is -100, there is nothing to score")
    return guesses == labels, scored, np.repeat(np.arange(len(lengths)), lengths)
