"""The loops of coding.py: rows in other ids."""

import numpy as np

from .kernels import _IGNORE, njit


@njit
def look_up(ids, table):
    """Writes ``table[id + 100]`` over each id, int32: the table begins with what becomes of -100."""
    for place in range(len(ids)):
        ids[place] = table[np.uint32(ids[place] - _IGNORE)]


@njit
def row_sizes(input_ids, pad_id, first, rest):
    """Tokens of each row before its padding, and pieces of them all; `first` and `rest` are the words' sizes."""
    rows = len(input_ids)
    words = np.zeros(rows, np.int64)
    sizes = np.zeros(rows, np.int64)
    for row in range(rows):
        stop = input_ids.shape[1]
        while stop and input_ids[row, stop - 1] == pad_id:
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
