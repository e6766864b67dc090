"""The rows of the tasks of state tracking, compiled by Numba."""

from .kernels import _IGNORE, below, between, njit, uniform

_WRITE, _READ, _SKIP, _ZERO = 0, 1, 2, 3


@njit
def word_problem(state, input_ids, labels, table, low, high, ids):
    """<bos>, elements, <eos>; each label but the first two is the product of all elements before it."""
    pad, bos, eos = ids
    size = len(table)
    for row in range(len(input_ids)):
        cells, targets = input_ids[row], labels[row]
        length = between(state, low, high)
        cells[0] = bos
        targets[:2] = _IGNORE
        product = 0
        for place in range(1, length + 1):
            element = below(state, size)
            cells[place] = element
            product = table[product, element]
            targets[place + 1] = product
        cells[length + 1] = eos
        cells[length + 2 :] = pad
        targets[length + 2 :] = _IGNORE


@njit
def flip_flop(state, input_ids, labels, low, high, p_ignore, pad):
    """Commands, low..high of them, each with its bit; labels on those of reads."""
    for row in range(len(input_ids)):
        cells, targets = input_ids[row], labels[row]
        last = between(state, low, high) - 1
        written = _ZERO
        for command in range(last + 1):
            if command == 0:
                kind = _WRITE
            elif command == last:
                kind = _READ
            elif uniform(state) < p_ignore:
                kind = _SKIP
            else:
                kind = below(state, 2)
            bit = written
            if kind != _READ:
                bit = _ZERO + below(state, 2)
                if kind == _WRITE:
                    written = bit
            cells[2 * command] = kind
            cells[2 * command + 1] = bit
            targets[2 * command] = _IGNORE
            targets[2 * command + 1] = bit if kind == _READ else _IGNORE
        cells[2 * last + 2 :] = pad
        targets[2 * last + 2 :] = _IGNORE
