"""The loops of `lime`, compiled by Numba.

Symbols are handled as places in a row's private alphabet: 0..23 upper, 24..47 lower, 48..67 math; `pool` begins with
the ids that stand there. The marks' ids follow those of the vocabulary, in the order of `lime.MARKS`.
"""

import numpy as np

from .kernels import below, between, njit

_LOWER, _MATH, _END = 24, 48, 68  # where each kind of symbol ends and the next begins
_UPPERS, _LOWERS, _MATHS, _SPACE, _COLON, _OPEN, _CLOSE, _COMMA, _ARROW, _SEP, _EOS = range(11)
_PATTERN, _SUBSTITUTION, _RESULT = 0, 1, 2  # parts; the second substitution and result follow
_RULES, _START, _LAST, _ALL = 0, 1, 2, 3


@njit
def _draw_alphabet(state, pool):
    """Moves 68 different ids, drawn from all, to the front."""
    for i in range(_END):
        j = i + below(state, len(pool) - i)
        pool[i], pool[j] = pool[j], pool[i]


@njit
def _shuffle(state, items, size):
    for i in range(size - 1, 0, -1):
        j = below(state, i + 1)
        items[i], items[j] = items[j], items[i]


@njit
def _write(cells, pool, listed, parts, sizes, layout):
    """The alphabet, of whose upper ids those `listed`, then the parts in order; a negative one ends the prompt."""
    marks = len(pool)
    cells[0] = marks + _UPPERS
    end = 1
    for i in range(_LOWER):
        if listed[i]:
            cells[end] = pool[i]
            end += 1
    cells[end] = marks + _LOWERS
    cells[end + 1 : end + 25] = pool[_LOWER:_MATH]
    cells[end + 25] = marks + _MATHS
    cells[end + 26 : end + 46] = pool[_MATH:_END]
    end += 47
    cells[end - 1] = marks + _SPACE
    start = 0
    for part in layout:
        if part < 0:
            cells[end - 1] = marks + _SEP
            start = end
        else:
            size = sizes[part]
            cells[end : end + size] = parts[part, :size]
            end += size + 1
            cells[end - 1] = marks + _SPACE
    cells[end - 1] = marks + _EOS
    return start, end


@njit
def reason(state, input_ids, pool, layout, cases, starts, stops):
    """A pattern, and in each of `cases` a substitution and what it makes of the pattern."""
    marks = len(pool)
    parts = np.empty((1 + 2 * cases, input_ids.shape[1]), np.int32)
    sizes = np.empty(1 + 2 * cases, np.int64)
    pattern = np.empty(29, np.int64)
    listed = np.empty(_LOWER, np.bool_)
    values = np.empty((5, 8), np.int32)
    lengths = np.empty(5, np.int64)
    for row in range(len(input_ids)):
        _draw_alphabet(state, pool)
        variables = between(state, 3, 5)
        maths = between(state, 5, 19)
        size = 2 * variables + maths
        listed[:] = False
        for i in range(2 * variables):
            pattern[i] = below(state, variables)
            listed[pattern[i]] = True
        for i in range(2 * variables, size):
            pattern[i] = _MATH + below(state, _END - _MATH)
        _shuffle(state, pattern, size)
        for i in range(size):
            parts[_PATTERN, i] = pool[pattern[i]]
        sizes[_PATTERN] = size
        for case in range(cases):
            written = parts[_SUBSTITUTION + 2 * case]
            end = 0
            for variable in range(variables):
                if listed[variable]:
                    length = between(state, 2, 8)
                    lengths[variable] = length
                    written[end] = pool[variable]
                    written[end + 1] = marks + _COLON
                    written[end + 2] = marks + _OPEN
                    for i in range(length):
                        values[variable, i] = written[end + 3 + i] = pool[_LOWER + below(state, _END - _LOWER)]
                    written[end + 3 + length] = marks + _CLOSE
                    written[end + 4 + length] = marks + _COMMA
                    end += 5 + length
            sizes[_SUBSTITUTION + 2 * case] = end - 1  # without the last comma
            result = parts[_RESULT + 2 * case]
            end = 0
            for i in range(size):
                if pattern[i] < _LOWER:
                    for j in range(lengths[pattern[i]]):
                        result[end + j] = values[pattern[i], j]
                    end += lengths[pattern[i]]
                else:
                    result[end] = pool[pattern[i]]
                    end += 1
            sizes[_RESULT + 2 * case] = end
        starts[row], stops[row] = _write(input_ids[row], pool, listed, parts, sizes, layout)


@njit
def rewrite(state, input_ids, pool, layout, scale, lower_share, math_share, window, steps, list_all, starts, stops):
    """A string, then in each step a rule made of a substring of what is there, and what it makes of it.

    `scale`, `window` and `steps` are (low, high): of the string's n, of which it has round(share * n) lower and math
    symbols; of the length of a left side and the number of math symbols on the right; of the number of steps. Listed
    are all upper ids, or those of the rules.
    """
    marks = len(pool)
    longest = np.rint(lower_share * scale[1]) + np.rint(math_share * scale[1]) + steps[1] * window[1]
    room = steps[1] * (int(longest) + 1)
    parts = np.empty((4, room), np.int32)
    sizes = np.empty(4, np.int64)
    string = np.empty(room, np.int64)
    right = np.empty(window[1] + _LOWER, np.int64)  # of a rule
    listed = np.empty(_LOWER, np.bool_)
    upper_of = np.empty(_END, np.int64)  # the upper symbol that a rule has for a lower one, -1 for none
    lower_of = np.empty(_LOWER, np.int64)
    for row in range(len(input_ids)):
        _draw_alphabet(state, pool)
        n = between(state, scale[0], scale[1])
        lowers = int(np.rint(lower_share * n))
        size = lowers + int(np.rint(math_share * n))
        for i in range(size):
            string[i] = _LOWER + below(state, _MATH - _LOWER) if i < lowers else _MATH + below(state, _END - _MATH)
        _shuffle(state, string, size)
        for i in range(size):
            parts[_START, i] = pool[string[i]]
        sizes[_START] = size
        rules = strings = 0  # where they end
        listed[:] = list_all
        for _ in range(between(state, steps[0], steps[1])):
            length = between(state, window[0], min(window[1], size))
            start = below(state, size - length + 1)
            # The lower symbols of the substring become upper ones in the order of the alphabet.
            upper_of[:] = -1
            for i in range(start, start + length):
                upper_of[string[i]] = 0
            uppers = 0
            for lower in range(_LOWER, _MATH):
                if upper_of[lower] == 0:
                    upper_of[lower] = uppers
                    lower_of[uppers] = lower
                    listed[uppers] = True
                    uppers += 1
            for i in range(start, start + length):
                parts[_RULES, rules] = pool[upper_of[string[i]] if string[i] < _MATH else string[i]]
                rules += 1
            parts[_RULES, rules] = marks + _ARROW
            replaced = uppers + between(state, window[0], window[1])
            for i in range(replaced):
                right[i] = i if i < uppers else _MATH + below(state, _END - _MATH)
            _shuffle(state, right, replaced)
            for i in range(replaced):
                parts[_RULES, rules + 1 + i] = pool[right[i]]
            parts[_RULES, rules + 1 + replaced] = marks + _SPACE
            rules += replaced + 2

            # In the string, the right side takes the substring's place; what stands behind it moves.
            rest = size - start - length
            string[start + replaced : start + replaced + rest] = string[start + length : size].copy()
            size += replaced - length
            for i in range(replaced):
                string[start + i] = lower_of[right[i]] if right[i] < _LOWER else right[i]
            for i in range(size):
                parts[_LAST, i] = parts[_ALL, strings + i] = pool[string[i]]
            sizes[_LAST] = size
            parts[_ALL, strings + size] = marks + _SPACE
            strings += size + 1
        sizes[_RULES] = rules - 1  # without the last <space>
        sizes[_ALL] = strings - 1
        starts[row], stops[row] = _write(input_ids[row], pool, listed, parts, sizes, layout)
