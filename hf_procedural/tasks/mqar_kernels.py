"""The rows of multi-query associative recall, compiled by Numba."""

import numpy as np

from .kernels import _IGNORE, below, njit, uniform


@njit
def _tree(weights):
    """Sums of weights, node i those of 2 i and 2 i + 1; the weights themselves are the leaves, at the end."""
    size = 1
    while size < len(weights):
        size *= 2
    sums = np.zeros(2 * size, np.int64)
    sums[size : size + len(weights)] = weights
    for node in range(size - 1, 0, -1):
        sums[node] = sums[2 * node] + sums[2 * node + 1]
    return sums


@njit
def _take(state, sums):
    """Draws a leaf by its weight, and takes it out."""
    aim = min(np.int64(uniform(state) * sums[1]), sums[1] - 1)
    node = 1
    size = len(sums) // 2
    while node < size:
        left = sums[2 * node]
        is_right = aim >= left
        aim -= left * is_right
        node = 2 * node + is_right
    weight = sums[node]
    leaf = node - size
    while node > 0:
        sums[node] -= weight
        node //= 2
    return leaf


@njit
def _choose(state, pool, size):
    """Makes the first `size` of `pool` a random choice of them, in random order."""
    for i in range(size):
        other = i + below(state, len(pool) - i)
        pool[i], pool[other] = pool[other], pool[i]


@njit
def _rest(state, cells, start, noise):
    """Noise behind the context, ids below `noise`, or blanks if that is 0."""
    for i in range(start, len(cells)):
        cells[i] = below(state, noise) if noise else 0


@njit
def rows(state, input_ids, labels, pairs, updates, vocab_size, noise, weights):
    """Pairs of key and value, `updates` of the keys with another value, then all keys in slots of two.

    Labels: behind each key there, its last value.
    """
    first = vocab_size // 2
    keys = np.arange(1, first).astype(np.int32)
    values = np.arange(first, vocab_size).astype(np.int32)
    renewed = np.arange(pairs)
    last = np.empty(pairs, np.int32)
    all_slots = _tree(weights)
    left = all_slots.copy()
    context = 2 * (pairs + updates)
    for row in range(len(input_ids)):
        cells = input_ids[row]
        own = labels[row]
        own[:] = _IGNORE
        _choose(state, keys, pairs)
        _choose(state, values, pairs)
        for pair in range(pairs):
            cells[2 * pair] = keys[pair]
            cells[2 * pair + 1] = last[pair] = values[pair]
        _choose(state, renewed, updates)
        for update in range(updates):
            pair = renewed[update]
            value = first + below(state, vocab_size - first - 1)
            last[pair] = value + (value >= values[pair])  # any but the old one
            cells[2 * (pairs + update)] = keys[pair]
            cells[2 * (pairs + update) + 1] = last[pair]
        _rest(state, cells, context, noise)
        left[:] = all_slots
        for pair in range(pairs):
            place = context + 2 * _take(state, left)
            cells[place] = keys[pair]
            own[place + 1] = last[pair]


@njit
def grids(state, input_ids, labels, side, vocab_size, noise, weights):
    """Triples of two keys and a value, of each of `side` first keys with each of `side` second ones, in any order; then
    the pairs of keys in slots of three. Labels: the value behind each pair there."""
    third = vocab_size // 3
    firsts = np.arange(1, third).astype(np.int32)
    seconds = np.arange(third, 2 * third).astype(np.int32)
    values = np.arange(2 * third, vocab_size).astype(np.int32)
    pairs = side * side
    order = np.arange(pairs)
    all_slots = _tree(weights)
    left = all_slots.copy()
    context = 3 * pairs
    for row in range(len(input_ids)):
        cells = input_ids[row]
        own = labels[row]
        own[:] = _IGNORE
        _choose(state, firsts, side)
        _choose(state, seconds, side)
        _choose(state, values, pairs)
        _choose(state, order, pairs)
        _rest(state, cells, context, noise)
        left[:] = all_slots
        for pair in range(pairs):
            place = context + 3 * _take(state, left)
            first = firsts[order[pair] // side]
            second = seconds[order[pair] % side]
            cells[3 * pair] = cells[place] = first
            cells[3 * pair + 1] = cells[place + 1] = second
            cells[3 * pair + 2] = own[place + 2] = values[pair]
