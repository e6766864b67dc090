"""The loops of coding.py: rows in other ids."""

import numpy as np

from .kernels import njit

_IGNORE = np.int32(-100)


@njit
def look_up(input_ids, labels, table):
    """Writes each id's entry in `table`, int32 ``[ids]``, over it, in both arrays ``[tokens]``; -100 stays."""
    for place in range(len(input_ids)):
        input_ids[place] = table[input_ids[place]]
        label = labels[place]
        # two selections rather than a branch, so that the loop is one of vectors
        entry = table[max(label, np.int32(0))]
        labels[place] = entry if label >= 0 else label


@njit
def row_sizes(input_ids, labels, pad_id, first, rest):
    """Tokens of each row before its padding, and pieces of them all; `first` and `rest` are the words' sizes."""
    rows = len(input_ids)
    words = np.zeros(rows, np.int64)
    sizes = np.zeros(rows, np.int64)
    for row in range(rows):
        stop = input_ids.shape[1]
        while stop and input_ids[row, stop - 1] == pad_id and labels[row, stop - 1] == _IGNORE:
            stop -= 1
        words[row] = stop
        for place in range(stop):
            sizes[row] += (rest if place else first)[input_ids[row, place]]
    return words, sizes


@njit
def write_pieces(input_ids, labels, words, pieces, starts, tokens, token_labels):
    """Writes the pieces of each row's words, one after another, and their labels: all of a word's or none.

    Args:
        pieces: int32, of all words as the first of a row, then of all behind another; one begins at `starts`.
    """
    number = len(starts) // 2  # of words
    end = 0
    for row in range(len(input_ids)):
        for place in range(words[row]):
            word = input_ids[row, place] + (number if place else 0)
            is_scored = labels[row, place] != _IGNORE
            for piece in range(starts[word], starts[word + 1]):
                tokens[end] = pieces[piece]
                token_labels[end] = pieces[piece] if is_scored else _IGNORE
                end += 1
