"""The loop of the structure-building languages, compiled by Numba: derivations drawn, copied and filled with words."""

import numpy as np

from .kernels import below, njit, uniform


@njit
def _option(state, thresholds, options, choice):
    """How many of the thresholds of a choice, in ascending order, a uniform number reaches."""
    number = uniform(state)
    option = 0
    while option < options[choice] - 1 and thresholds[choice, option] <= number:
        option += 1
    return option


@njit
def fill(state, input_ids, thresholds, options, groups, starts, cells, words, slots):
    """Derivations, one after another, until a row is full.

    `thresholds`, float64 ``[choices, most]``: of each choice, the first for the whole row; `options`: how many each
    has. Together they number a group of derivations: groups[g] to groups[g + 1] - 1, all as likely. Derivation d is
    cells[starts[d] : starts[d + 1]], where -1 - s is the word drawn from words[slots[s] : slots[s + 1]].
    """
    n, length = input_ids.shape
    drawn = np.empty(len(slots) - 1, np.int32)
    for row in range(n):
        for_row = _option(state, thresholds, options, 0)
        end = 0
        while end < length:
            group = for_row
            for choice in range(1, len(options)):
                group = group * options[choice] + _option(state, thresholds, options, choice)
            for slot in range(len(drawn)):
                drawn[slot] = words[slots[slot] + below(state, slots[slot + 1] - slots[slot])]
            number = groups[group]
            if groups[group + 1] - number > 1:
                number += below(state, groups[group + 1] - number)
            start = starts[number]
            for i in range(min(starts[number + 1] - start, length - end)):
                cell = cells[start + i]
                input_ids[row, end + i] = cell if cell >= 0 else drawn[-1 - cell]
            end += starts[number + 1] - start
