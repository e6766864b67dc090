"""The loops of the artificial languages, compiled by Numba. Imported by their tasks when they first sample.

Numba neither fuses nor reorders floating-point operations, so the log-linear weights have the same bits on every
machine, however wide its vectors are.
"""

import itertools
import math

import numpy as np

from .kernels import LN2, below, log, njit, uniform

BLOCK = 256  # words that are weighed side by side
_WORDS, _NESTING = 0, 1  # structures; the third is flat
_LOG2_E = 1 / LN2
_HALF = np.float32(0.5)
_TERMS = itertools.accumulate(range(1, 7), lambda term, n: term * LN2 / n, initial=1.0)
_0, _1, _2, _3, _4, _5, _6 = map(np.float32, _TERMS)


@njit
def _exp2(x):
    """2 ** x of a float32 whose result is an ordinary one, to 2e-7 of it."""
    whole = np.floor(x + _HALF)
    rest = x - whole
    power = _0 + rest * (_1 + rest * (_2 + rest * (_3 + rest * (_4 + rest * (_5 + rest * _6)))))
    return power * np.int32((np.int32(whole) + 127) << 23).view(np.float32)  # the bits of 2 ** whole


@njit
def draw_topic(state, topic):
    """Independent standard normal numbers (Marsaglia's polar method), in units of log 2: for `weigh`."""
    i = 0
    while i < len(topic):
        x = 2 * uniform(state) - 1
        y = 2 * uniform(state) - 1
        square = x * x + y * y
        if 0 < square < 1:
            scale = math.sqrt(-2 * log(square) / square) * _LOG2_E
            topic[i] = np.float32(x * scale)
            topic[i + 1] = np.float32(y * scale)
            i += 2


@njit
def weigh(vectors, topic, types, weights, at_most):
    """Each word's weight in a sentence, 2 ** (its vector times `topic`), float32 [blocks, BLOCK].

    `at_most`, float64 [BLOCK]: the weights of columns 0..i together.
    """
    t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 = topic
    columns = np.zeros(BLOCK, np.float32)
    for block in range(len(vectors)):
        x = vectors[block]
        here = weights[block]
        for i in range(min(BLOCK, types - block * BLOCK)):
            score = t0 * x[0, i] + t1 * x[1, i] + t2 * x[2, i] + t3 * x[3, i] + t4 * x[4, i]
            score += t5 * x[5, i] + t6 * x[6, i] + t7 * x[7, i] + t8 * x[8, i] + t9 * x[9, i]
            here[i] = _exp2(score)
            columns[i] += here[i]
    total = 0.0
    for i in range(BLOCK):
        total += columns[i]
        at_most[i] = total


@njit
def _weighed(state, types, weights, at_most):
    """A random word: its column by all weights in it, then its block, both by the sums of `weigh`."""
    aim = uniform(state) * at_most[-1]
    column = min(np.searchsorted(at_most, aim, side="right"), min(BLOCK, types) - 1)
    if column:
        aim -= at_most[column - 1]
    last = (types - 1 - column) // BLOCK
    block = 0
    weight = weights[0, column]
    while weight <= aim and block < last:
        block += 1
        weight += weights[block, column]
    return block * BLOCK + column


@njit
def sentences(state, input_ids, sizes, table, vectors, types, structure, p_open, ids_per_type):
    """Sentences, each with the end of sentence, types * ids_per_type, behind it, until a row is full.

    `sizes`: the probabilities of at most 0, 1, 2 ... words or pairs; `table`: a word at a uniform place in it is
    random, but if there are `vectors`. The head of word w is w * ids_per_type, the last of its ids is its tail.
    """
    n, length = input_ids.shape
    words = np.empty(len(sizes), np.int32)  # of a sentence; then the open ones among them
    sentence = np.empty(2 * len(sizes), np.int32)
    weights = np.empty((len(vectors), BLOCK), np.float32)
    at_most = np.empty(BLOCK)
    topic = np.empty(10, np.float32)
    for row in range(n):
        start = 0
        while start < length:
            size = np.searchsorted(sizes, uniform(state), side="right")
            if len(vectors):
                draw_topic(state, topic)
                weigh(vectors, topic, types, weights, at_most)
                for i in range(size):
                    words[i] = _weighed(state, types, weights, at_most)
            else:
                for i in range(size):
                    words[i] = table[below(state, len(table))]

            if structure == _WORDS:
                end = size
                sentence[:end] = words[:end]
            else:
                end = 2 * size
                used = 0
                opened = 0  # the open words are words[:opened]: never more than were used
                for i in range(end):
                    left = size - used
                    if structure == _NESTING:
                        opens = opened == 0 or (left > 0 and uniform(state) < p_open)
                    else:
                        opens = below(state, left + opened) < left
                    if opens:
                        word = words[used]
                        used += 1
                        words[opened] = word
                        opened += 1
                        sentence[i] = word * ids_per_type
                    else:
                        chosen = opened - 1 if structure == _NESTING else below(state, opened)
                        opened -= 1
                        word = words[chosen]
                        words[chosen] = words[opened]
                        sentence[i] = word * ids_per_type + ids_per_type - 1

            sentence[end] = types * ids_per_type
            for i in range(start, min(start + end + 1, length)):
                input_ids[row, i] = sentence[i - start]
            start += end + 1


@njit
def repeated(state, input_ids, symbols, shortest, longest):
    """Random strings, each followed by its copy, until a row is full."""
    n, length = input_ids.shape
    for row in range(n):
        cells = input_ids[row]
        start = 0
        while start < length:
            size = shortest + below(state, longest - shortest + 1)
            middle = min(start + size, length)
            end = min(start + 2 * size, length)
            for i in range(start, middle):
                cells[i] = below(state, symbols)
            cells[middle:end] = cells[start : start + end - middle]
            start += 2 * size
