"""The loops of random recurrent networks that write, compiled by Numba.

All is sums, products and quotients in a fixed order, the powers of the softmax too, so that rows are the same bits
everywhere. A weight is a function of the network's key and of its place, so that large matrices need not be kept.

A token is drawn by rejection: any token is tried, and kept with its weight over a bound of all weights. Of a large
state a few tokens have nearly all the weight, and it moves in few directions: those in which it has moved are a basis,
and a token's score in it is at most the state's length there times the token's. So the tokens that are longest there
have their weights, as many as it takes, and the bound is one of the others alone.
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
_FLAT = 8  # log2 of the tries for which no output matrix is made
_FEW = np.float32(10)  # log2 of the tries that are less work than to weigh the tokens of a list
_TRIES = 12  # and than to weigh all tokens
_SHARE = np.float32(12)  # log2 of how much lighter than the heaviest token one is that need not be weighed
_DIRECTIONS = 8  # in a basis
_LISTED = 4096  # tokens in a list
_LEVELS = 1024  # of lengths, by which they are sorted
_LISTS = 16  # that each row may make, and one more for so many tokens
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
        for column in range(hidden):  # not weights[:] *=, which takes seconds to compile
            for row in range(hidden):
                weights[column, row] *= np.float32(radius / size)


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
def _weigh(scores, top):
    """Makes scores weights, of which a score of `top` has 1; their sum."""
    total = 0.0
    for i in range(len(scores)):
        scores[i] = _exp2(max(scores[i] - top, np.float32(-120)))
        total += scores[i]
    return total


@njit
def _at(weights, aim):
    """The first place up to which the weights sum to more than `aim`."""
    i = 0
    total = np.float64(weights[0])
    while total <= aim and i < len(weights) - 1:
        i += 1
        total += weights[i]
    return i


@njit
def _project(basis, rest):
    """The length of a vector in a basis; what is outside stays in `rest`."""
    square = np.float32(0)
    for direction in basis:
        along = _dot(direction, rest)
        square += along * along
        for i in range(len(rest)):
            rest[i] -= along * direction[i]
    return np.sqrt(square)


@njit
def _level(square, longest):
    return min(np.int64(np.float32(_LEVELS) / longest * np.sqrt(square)), _LEVELS - 1)


@njit
def _list(out, longest, direction, squares, tokens, lengths):
    """Lists the tokens that are longest in a basis with one more direction; returns how many.

    `squares`, float32 [vocab], are of the lengths of all. `lengths`, float32, are at most 1 / 1024 of `longest` more
    than those of the `tokens`, the longest first, and then than that of any other.
    """
    places = np.zeros(_LEVELS, np.int64)
    for token in range(len(out)):
        along = _dot(direction, out[token])
        squares[token] += along * along
        places[_level(squares[token], longest)] += 1
    count, lowest = 0, _LEVELS
    while lowest > 0 and count + places[lowest - 1] <= len(tokens):
        lowest -= 1
        places[lowest], count = count, count + places[lowest]
    for token in range(len(out)):
        level = _level(squares[token], longest)
        if level >= lowest:
            place = places[level]
            tokens[place], lengths[place] = token, longest / _LEVELS * (level + 1)
            places[level] += 1
    lengths[count] = longest / _LEVELS * lowest
    return count


@njit
def _from_list(state, out, h, inside, outside, tokens, lengths, scores):
    """A token drawn by its weight in state `h`, or -1 where that may take too many tries.

    A token of length x in the basis has a score of at most x * `inside` + `outside`.
    """
    best = np.float32(-3e38)
    bound = lengths[0] * inside + outside  # of the scores of tokens that were not looked at
    count = 0
    while count < len(tokens) and bound > max(best - _SHARE, _FEW):
        scores[count] = _dot(out[tokens[count]], h)
        best = max(best, scores[count])
        count += 1
        bound = lengths[count] * inside + outside
    weights, top = scores[:count], max(best, bound)
    _weigh(weights, top)
    # Any token is tried, and kept with its weight over the bound, or surely; what is above the bound is drawn apart.
    level = _exp2(max(bound - top, np.float32(-120)))
    above = 0.0
    for i in range(count):
        weights[i] = max(weights[i] - level, np.float32(0))
        above += weights[i]
    tried = np.float64(level) * len(out)
    if bound > _TRIES and tried > above * 2.0**_TRIES:  # the mean of all weights is about 1
        return -1
    while True:
        aim = uniform(state) * (above + tried)
        if aim < above:
            return tokens[_at(weights, aim)]
        token = below(state, len(out))
        if uniform(state) < _exp2(min(max(_dot(out[token], h) - bound, np.float32(-120)), np.float32(0))):
            return token


@njit
def _of_large(state, out, longest, h, kept, counts, lists):
    """A token drawn by its weight in a large state `h`; no row of `out` is longer than `longest`.

    `kept`: the basis, the list and what is written over. `counts`: directions, tokens, and lists that the row has made,
    of `lists` that it may make.
    """
    basis, squares, tokens, lengths, scores, rest = kept
    if counts[0] == 0:
        lengths[0] = 0
    while len(out) > _LISTED:
        for i in range(len(h)):
            rest[i] = h[i]
        inside = _project(basis[: counts[0]], rest)
        outside = np.sqrt(_dot(rest, rest))
        token = _from_list(state, out, h, inside, longest * outside, tokens[: counts[1]], lengths, scores)
        if token >= 0:
            return token
        if counts[2] == lists:
            break
        if counts[0] == 0 or counts[0] == len(basis) or outside < np.float32(0.03) * inside:
            squares[:] = 0  # a new basis, as one more direction would not help
            counts[0] = 0
            for i in range(len(h)):
                rest[i] = h[i]
            outside = np.sqrt(_dot(rest, rest))
        direction = basis[counts[0]]
        for i in range(len(h)):
            direction[i] = rest[i] / outside
        counts[0] += 1
        counts[1] = _list(out, longest, direction, squares, tokens, lengths)
        counts[2] += 1
    best = np.float32(-3e38)
    for token in range(len(out)):
        scores[token] = _dot(out[token], h)
        best = max(best, scores[token])
    return _at(scores, uniform(state) * _weigh(scores, best))


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
    counts = np.zeros(3, np.int64)
    kept = (
        np.empty((_DIRECTIONS, width), np.float32),
        np.empty(vocab_size, np.float32),
        np.empty(_LISTED, np.int32),
        np.empty(_LISTED + 1, np.float32),
        np.empty(vocab_size, np.float32),
        of_token,
    )
    sharpness = np.float32(_LOG2_E / temperature)
    into, back = _scale(vocab_size), _scale(hidden) * sharpness
    bound = np.float32(WIDEST / np.sqrt(np.float64(hidden))) * sharpness
    for row in range(n):
        model = np.int64(below(state, models))
        key = mix(np.uint64(seed) + mix(np.uint64(model)))
        recurrent(key, hidden, radius, weights, vector, product)
        longest = np.float32(0)  # once the output matrix is there
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
            while reach > _GROWN:
                for i in range(hidden):
                    h[i] *= _SHRUNK
                reach *= _SHRUNK
            reach *= bound  # no score is larger
            if reach < _FLAT and np.int64(8) << np.int64(reach) < vocab_size:
                # A random token is kept with a probability like its weight: few scores are needed.
                while True:
                    token = below(state, vocab_size)
                    draw(key, 2, token, back, of_token[:hidden])
                    if uniform(state) < _exp2(_dot(of_token, h) - reach):
                        break
            else:
                if longest == 0:
                    if len(out) == 0:
                        out = np.zeros((vocab_size, width), np.float32)
                    for i in range(vocab_size):
                        draw(key, 2, i, back, out[i, :hidden])
                        longest = max(longest, np.sqrt(_dot(out[i], out[i])))
                    counts[:] = 0
                token = _of_large(state, out, longest, h, kept, counts, _LISTS + step // _LISTS)
            if step >= burn_in:
                input_ids[row, step - burn_in] = token
