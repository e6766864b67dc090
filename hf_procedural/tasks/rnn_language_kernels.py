"""The loops of random recurrent networks that write, compiled by Numba.

All is sums, products and quotients in a fixed order, the powers of the softmax too, so that rows are the same bits
everywhere. A weight is a function of the network's key and of its place, so that large matrices need not be kept.
"""

import numpy as np

from .kernels import below, mix, njit, uniform
from .languages_kernels import _exp2

_LANES = 8
_16 = np.uint64(16)
_LANE = np.uint64(0xFFFF)
_LOG2_E = np.float32(1.4426950408889634)
_GROWN, _SHRUNK = np.float32(2.0**60), np.float32(2.0**-20)  # of states that grow without end
WIDEST = 3.4641016  # the largest size that a weight can have, in standard deviations
LINEAR, RELU = 0, 1  # activations; the third is tanh


@njit
def draw(key, matrix, number, scale, out):
    """Independent weights, of a row of a matrix: sums of four uniform numbers, of variance scale ** 2."""
    place = mix(mix(key + np.uint64(matrix)) + np.uint64(number))
    for i in range(len(out)):
        bits = mix(place + np.uint64(i))
        total = np.int64(bits & _LANE) + np.int64((bits >> _16) & _LANE)
        bits = bits >> np.uint64(32)
        total += np.int64(bits & _LANE) + np.int64(bits >> _16)
        out[i] = np.float32(total - 131070) * scale


@njit
def _scale(size):
    """What makes sums of four 16-bit numbers have the variance 1 / size."""
    return np.float32(1 / (37837.21 * np.sqrt(np.float64(size))))


@njit
def recurrent(key, hidden, radius, weights, vector, product):
    """The transposed recurrent matrix, scaled to a spectral radius as the reference estimates it, by 50 products."""
    for row in range(hidden):
        draw(key, 1, row, _scale(hidden), vector)
        for column in range(hidden):
            weights[column, row] = vector[column]
    draw(np.uint64(0), 3, 0, _scale(1), vector)
    values = vector.astype(np.float64)
    size = 1.0
    for turn in range(51):
        product[:] = 0
        for column in range(hidden):
            for row in range(hidden):
                product[row] += np.float64(weights[column, row]) * values[column]
        size = 0.0
        for row in range(hidden):
            size += product[row] * product[row]
        size = np.sqrt(size)
        if size == 0.0:
            return
        if turn < 50:
            for row in range(hidden):
                values[row] = product[row] / size
    if radius > 0:
        weights[:hidden, :hidden] *= np.float32(radius / size)


@njit
def _dot(one, other):
    """The product of two vectors of a multiple of 8 numbers, summed in eight lanes."""
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = np.float32(0)
    for i in range(0, len(one), _LANES):
        a0 += one[i] * other[i]
        a1 += one[i + 1] * other[i + 1]
        a2 += one[i + 2] * other[i + 2]
        a3 += one[i + 3] * other[i + 3]
        a4 += one[i + 4] * other[i + 4]
        a5 += one[i + 5] * other[i + 5]
        a6 += one[i + 6] * other[i + 6]
        a7 += one[i + 7] * other[i + 7]
    return ((a0 + a4) + (a1 + a5)) + ((a2 + a6) + (a3 + a7))


@njit
def _tanh(x):
    if x > 9:
        return np.float32(1)
    if x < -9:
        return np.float32(-1)
    return np.float32(1) - np.float32(2) / (_exp2(2 * _LOG2_E * x) + np.float32(1))


@njit
def fill(state, input_ids, chosen, seed, models, hidden, radius, temperature, activation, burn_in, vocab_size):
    """Text of a random network in each row; `chosen`, int64 ``[rows, 2]`` or empty: its number and first token."""
    n, length = input_ids.shape
    width = (hidden + _LANES - 1) // _LANES * _LANES
    weights = np.zeros((hidden, width), np.float32)
    product = np.empty(hidden, np.float64)
    vector = np.empty(hidden, np.float32)
    h, new = np.zeros(width, np.float32), np.zeros(width, np.float32)
    of_token = np.zeros(width, np.float32)
    out = np.empty((0, width), np.float32)  # all rows of the output matrix, where they are needed
    scores = np.empty(vocab_size, np.float32)
    sharpness = np.float32(_LOG2_E / temperature)
    into, back = _scale(vocab_size), _scale(hidden) * sharpness
    bound = np.float32(WIDEST / np.sqrt(np.float64(hidden))) * sharpness
    for row in range(n):
        model = np.int64(below(state, models))
        key = mix(np.uint64(seed) + mix(np.uint64(model)))
        recurrent(key, hidden, radius, weights, vector, product)
        filled = False
        h[:] = 0
        token = below(state, vocab_size)
        if row < len(chosen):
            chosen[row, 0], chosen[row, 1] = model, token
        for step in range(length + burn_in):
            draw(key, 0, token, into, new[:hidden])
            for j in range(hidden):
                size = h[j]
                for i in range(width):
                    new[i] += weights[j, i] * size
            reach = np.float32(0)
            for i in range(hidden):
                x = new[i]
                if activation == RELU:
                    x = max(x, np.float32(0))
                elif activation != LINEAR:
                    x = _tanh(x)
                h[i] = x
                reach += abs(x)
            if reach > _GROWN:
                h *= _SHRUNK
                reach *= _SHRUNK
            reach *= bound  # no score is larger
            if reach < 24 and np.int64(8) << np.int64(reach) < vocab_size:
                # A random token is kept with a probability like its weight: few scores are needed.
                while True:
                    token = below(state, vocab_size)
                    draw(key, 2, token, back, of_token[:hidden])
                    if uniform(state) < _exp2(_dot(of_token, h) - reach):
                        break
            else:
                if not filled:
                    if len(out) == 0:
                        out = np.zeros((vocab_size, width), np.float32)
                    for i in range(vocab_size):
                        draw(key, 2, i, back, out[i, :hidden])
                    filled = True
                best = np.float32(-3e38)
                for i in range(vocab_size):
                    scores[i] = _dot(out[i], h)
                    best = max(best, scores[i])
                total = 0.0
                for i in range(vocab_size):
                    scores[i] = _exp2(max(scores[i] - best, np.float32(-120)))
                    total += scores[i]
                aim = uniform(state) * total
                token = 0
                total = np.float64(scores[0])
                while total <= aim and token < vocab_size - 1:
                    token += 1
                    total += scores[token]
            if step >= burn_in:
                input_ids[row, step - burn_in] = token
