"""CLRS-Text's algorithms on lists, intervals and strings, compiled by Numba: inputs, the steps of each, rows."""

import functools

import numpy as np

from .clrs_ids import COLON, COMMA, FLOAT, NEGATIVE, ZERO
from .clrs_kernels import (
    LIST,
    MATRIX,
    NUMBER,
    PAIR,
    copy,
    fill_floats,
    fill_numbers,
    finish,
    put,
    put_list,
)
from .kernels import below, njit, uniform

INSERTION, BUBBLE, HEAP, QUICK, MINIMUM, BINARY, QUICKSELECT, KADANE, ACTIVITY, TASKS = range(10)
NAIVE, KMP, LCS, MATRIX_CHAIN, OPTIMAL_BST = range(10, 15)


@functools.cache
def rows_of(algorithm):
    """The loop of an algorithm. Each is compiled by itself, without the others: all together take a minute."""

    @njit
    def rows(state, input_ids, starts, stops, sizes, words, asked, values, with_trace, most):
        """Draws inputs and writes rows; gives whether each was short enough within some thousands of tries.

        `sizes`: one is drawn for each row; `words`: the tokens of the algorithm's name and of its inputs' names;
        `asked`: of its outputs' names; `values`: the number that each token is; `most`: steps that are kept.
        """
        longest = sizes.max()
        columns = longest + 1
        size_of_step = columns * columns if algorithm >= LCS else columns
        steps = np.empty((most, size_of_step), np.int32)
        output = np.empty(size_of_step, np.int32)
        first = np.empty(2 * columns, np.int32)
        second = np.empty(columns, np.int32)
        work = np.empty((4, columns * columns), np.float64)
        places = np.empty((3, 2 * columns), np.int64)
        for row in range(len(input_ids)):
            cells = input_ids[row]
            for _ in range(10_000):
                n = sizes[below(state, len(sizes))]
                keys = first[:n]
                others = second[:n]
                end = 0
                for token in words[:3]:  # the name, a colon, a new line
                    end = put(cells, end, token)
                names = words[3:]
                shape = LIST
                width = n  # numbers in a step, or in one line of it
                if algorithm <= QUICKSELECT:
                    fill_floats(state, keys)
                    if algorithm == BINARY:
                        keys.sort()
                    end = _put_input(cells, end, names[0], keys)
                    if algorithm == BINARY:
                        others[0] = FLOAT + below(state, 1000)
                        end = put(cells, put(cells, put(cells, end, COMMA), names[1]), COLON)
                        end = put(cells, end, others[0])
                    if algorithm <= QUICK:
                        count = _sort(algorithm, keys, values, steps)
                    elif algorithm == MINIMUM:
                        shape, width = NUMBER, 1
                        count = _minimum(keys, steps, output)
                    elif algorithm == BINARY:
                        shape, width = PAIR, 2
                        count = _binary_search(keys, others[0], steps)
                    else:
                        shape, width = NUMBER, 1
                        count = _quickselect(keys, steps, output, places[0])
                    if algorithm <= QUICK:
                        copy(keys, output)
                    elif algorithm == BINARY:
                        copy(steps[count - 1, :2], output)
                        if not with_trace:
                            shape, width = NUMBER, 1
                            output[0] = output[1]
                elif algorithm == KADANE:
                    for i in range(n):
                        keys[i] = (NEGATIVE if below(state, 2) else FLOAT) + below(state, 1000)
                    end = _put_input(cells, end, names[0], keys)
                    shape, width = PAIR, 2
                    count = _kadane(keys, values, steps)
                    copy(steps[count - 1, :2], output)
                elif algorithm == ACTIVITY:
                    for i in range(n):
                        one, other = below(state, 1000), below(state, 1000)
                        keys[i] = FLOAT + min(one, other)
                        others[i] = FLOAT + max(one, other)
                    end = _put_input(cells, end, names[0], keys)
                    end = _put_input(cells, put(cells, end, COMMA), names[1], others)
                    count = _activities(keys, others, steps, output, places[0])
                elif algorithm == TASKS:
                    for i in range(n):
                        keys[i] = ZERO + 1 + below(state, n)
                    fill_floats(state, others)
                    end = _put_input(cells, end, names[0], keys)
                    end = _put_input(cells, put(cells, end, COMMA), names[1], others)
                    count = _tasks(keys, others, steps, output, places[0])
                elif algorithm <= LCS:
                    split = n - n // 2 if algorithm == LCS else n - max(n // 5, 1)
                    for i in range(n):
                        keys[i] = below(state, 4)
                    if algorithm != LCS:
                        needle = n - split
                        place = below(state, split - needle)
                        copy(keys[split:], keys[place:])
                    for i in range(n):
                        others[i] = ZERO + (i >= split)
                    end = _put_input(cells, end, names[0], others)
                    fill_numbers(keys, others)
                    end = _put_input(cells, put(cells, end, COMMA), names[1], others)
                    if algorithm == LCS:
                        shape = MATRIX
                        count = _lcs(keys[:split], keys[split:], steps, output, work)
                    elif algorithm == NAIVE:
                        shape, width = NUMBER, 1
                        count = _naive(keys[:split], keys[split:], steps, output)
                    else:
                        shape, width = NUMBER, 1
                        count = _kmp(keys[:split], keys[split:], steps, output, places)
                elif algorithm == MATRIX_CHAIN:
                    shape = MATRIX
                    fill_floats(state, keys)
                    end = _put_input(cells, end, names[0], keys)
                    count = _matrix_chain(keys, values, steps, output, work)
                else:
                    shape = MATRIX
                    width = n + 1
                    shares = work[0]
                    total = 0.0
                    for i in range(2 * n + 1):
                        shares[i] = uniform(state)
                        total += shares[i]
                    for i in range(2 * n + 1):  # the first n, then a 0 for the end, then n + 1
                        first[i + (i >= n)] = FLOAT + int(shares[i] / total * 1000.0)
                    first[n] = FLOAT
                    end = _put_input(cells, end, names[0], first[:width])
                    end = _put_input(cells, put(cells, end, COMMA), names[1], first[width : 2 * width])
                    count = _optimal_bst(first[:width], first[width:], values, steps, output, work)
                if count > len(steps):
                    continue
                used = width * width if shape == MATRIX else width
                start, end = finish(cells, end, steps[:, :used], count, output[:used], shape, width, asked, with_trace)
                if end <= len(cells):
                    starts[row] = start
                    stops[row] = end
                    break
            else:
                return False
        return True

    return rows


@njit
def _put_input(cells, end, name, values):
    end = put(cells, end, name)
    end = put(cells, end, COLON)
    return put_list(cells, end, values)


@njit
def _push(steps, count, values):
    if count < len(steps):
        for i in range(len(values)):
            steps[count, i] = values[i]
    return count + 1


@njit
def _push_pair(steps, count, one, other):
    if count < len(steps):
        steps[count, 0] = ZERO + one
        steps[count, 1] = ZERO + other
    return count + 1


@njit
def _push_number(steps, count, number):
    if count < len(steps):
        steps[count, 0] = ZERO + number
    return count + 1


# ---------------------------------------------------------------- sorting


@njit
def _sort(algorithm, a, values, steps):
    """All keys are of one sign, so that their ids are in the order of the numbers."""
    if algorithm == INSERTION:
        return _insertion_sort(a, steps)
    if algorithm == BUBBLE:
        return _bubble_sort(a, steps)
    if algorithm == HEAP:
        return _heapsort(a, steps)
    return _quicksort(a, 0, len(a) - 1, steps, 0)


@njit
def _insertion_sort(a, steps):
    count = _push(steps, 0, a)
    for j in range(1, len(a)):
        key = a[j]
        i = j - 1
        while i >= 0 and a[i] > key:
            a[i + 1] = a[i]
            i -= 1
        a[i + 1] = key
        count = _push(steps, count, a)
    return count


@njit
def _bubble_sort(a, steps):
    count = _push(steps, 0, a)
    for i in range(len(a) - 1):
        for j in range(len(a) - 1, i, -1):
            if a[j] < a[j - 1]:
                a[j], a[j - 1] = a[j - 1], a[j]
            count = _push(steps, count, a)
    return count


@njit
def _sink(a, i, size, steps, count):
    while True:
        largest = i
        if 2 * i + 1 < size and a[2 * i + 1] > a[i]:
            largest = 2 * i + 1
        if 2 * i + 2 < size and a[2 * i + 2] > a[largest]:
            largest = 2 * i + 2
        a[i], a[largest] = a[largest], a[i]
        count = _push(steps, count, a)
        if largest == i:
            return count
        i = largest


@njit
def _heapsort(a, steps):
    count = _push(steps, 0, a)
    for i in range(len(a) - 1, -1, -1):
        count = _sink(a, i, len(a), steps, count)
    for i in range(len(a) - 1, 0, -1):
        a[0], a[i] = a[i], a[0]
        count = _push(steps, count, a)
        count = _sink(a, 0, i, steps, count)
    return count


@njit
def _quicksort(a, low, high, steps, count):
    opened = np.empty((len(a) + 1, 2), np.int64)  # ranges that are still to be sorted, the next one on top
    opened[0, 0] = low
    opened[0, 1] = high
    top = 1
    while top:
        top -= 1
        low = opened[top, 0]
        high = opened[top, 1]
        if low >= high:
            continue
        i = low
        for j in range(low, high):
            if a[j] <= a[high]:
                a[i], a[j] = a[j], a[i]
                i += 1
            count = _push(steps, count, a)
        a[i], a[high] = a[high], a[i]
        count = _push(steps, count, a)
        opened[top, 0] = i + 1
        opened[top, 1] = high
        opened[top + 1, 0] = low
        opened[top + 1, 1] = i - 1
        top += 2
    return count


# ---------------------------------------------------------------- searching


@njit
def _minimum(a, steps, output):
    best = 0
    count = _push_number(steps, 0, 0)
    for i in range(1, len(a)):
        if a[best] > a[i]:
            best = i
        count = _push_number(steps, count, best)
    output[0] = ZERO + best
    return count


@njit
def _binary_search(a, target, steps):
    low, high = 0, len(a) - 1
    count = _push_pair(steps, 0, low, high)
    while low < high:
        middle = (low + high) // 2
        if target <= a[middle]:
            high = middle
        else:
            low = middle + 1
        count = _push_pair(steps, count, low, high)
    return count


@njit
def _quickselect(a, steps, output, places):
    for i in range(len(a)):
        places[i] = i
    low, high = 0, len(a) - 1
    rank = len(a) // 2
    count = 0
    while True:
        i = low
        for j in range(low, high):
            if a[j] <= a[high]:
                a[i], a[j] = a[j], a[i]
                places[i], places[j] = places[j], places[i]
                i += 1
            count = _push_number(steps, count, places[high])
        a[i], a[high] = a[high], a[i]
        places[i], places[high] = places[high], places[i]
        count = _push_number(steps, count, places[i])
        if rank == i - low:
            output[0] = ZERO + places[i]
            return count
        if rank < i - low:
            high = i - 1
        else:
            rank -= i - low + 1
            low = i + 1


@njit
def _kadane(a, values, steps):
    best_low = best_high = begin = 0
    best = total = values[a[0]]
    count = _push_pair(steps, 0, 0, 0)
    for j in range(1, len(a)):
        x = values[a[j]]
        if total + x >= x:
            total += x
        else:
            begin = j
            total = x
        if total > best:
            best_low, best_high, best = begin, j, total
        count = _push_pair(steps, count, best_low, best_high)
    return count


# ---------------------------------------------------------------- greedy


@njit
def _in_order(keys, places, sign):
    """The places of keys, from the least on, or from the largest on; of equal ones, the first comes first."""
    for i in range(len(keys)):
        place = i
        while place > 0 and sign * keys[places[place - 1]] > sign * keys[i]:
            places[place] = places[place - 1]
            place -= 1
        places[place] = i


@njit
def _activities(begins, ends, steps, output, order):
    n = len(begins)
    output[:n] = ZERO
    count = _push(steps, 0, output[:n])
    _in_order(ends, order, 1)
    last = order[0]
    for m in range(n):
        if m == 0 or begins[order[m]] >= ends[last]:
            last = order[m]
            output[last] = ZERO + 1
        count = _push(steps, count, output[:n])
    return count


@njit
def _tasks(deadlines, weights, steps, output, order):
    n = len(deadlines)
    output[:n] = ZERO
    count = _push(steps, 0, output[:n])
    _in_order(weights, order, -1)
    time = 0
    for m in range(n):
        if m == 0 or time < deadlines[order[m]] - ZERO:
            output[order[m]] = ZERO + 1
            time += 1
        count = _push(steps, count, output[:n])
    return count


# ---------------------------------------------------------------- strings


@njit
def _naive(text, needle, steps, output):
    count = 0
    for s in range(len(text) - len(needle) + 1):
        count = _push_number(steps, count, s)
        j = 0
        while text[s + j] == needle[j]:
            if j == len(needle) - 1:
                output[0] = ZERO + s
                return count
            j += 1
            count = _push_number(steps, count, s)
    return count  # the needle is always there


@njit
def _kmp(text, needle, steps, output, places):
    """With the reference's flags in place of -1: `resets` of the prefix table, `is_reset` of the state."""
    table, resets = places[0], places[1]
    size = len(needle)
    for i in range(size):
        table[i] = i
        resets[i] = 0
    resets[0] = 1
    count = _push_number(steps, 0, 0)
    k, is_reset = 0, True
    for q in range(1, size):
        while not is_reset and needle[k + 1] != needle[q]:
            if resets[k]:
                k, is_reset = 0, True
            else:
                k = table[k]
            count = _push_number(steps, count, 0)
        if is_reset:
            k, is_reset = -1, False
        if needle[k + 1] == needle[q]:
            k += 1
        if k == -1:
            k, is_reset = 0, True
            resets[q] = 1
        table[q] = k
        count = _push_number(steps, count, 0)
    q, is_reset, s = 0, True, 0
    for i in range(len(text)):
        s += i >= size
        count = _push_number(steps, count, s)
        while not is_reset and needle[q + 1] != text[i]:
            if resets[q]:
                q, is_reset = 0, True
            else:
                q = table[q]
            count = _push_number(steps, count, s)
        if is_reset:
            q, is_reset = -1, False
        if needle[q + 1] == text[i]:
            if q == size - 2:
                output[0] = ZERO + s
                return count
            q += 1
        if q == -1:
            q, is_reset = 0, True
    return count


# ---------------------------------------------------------------- dynamic programming


@njit
def _put_table(choices, rows, columns, output):
    """A table of two strings' characters, as one of all characters with each other, -1 elsewhere."""
    n = rows + columns
    for i in range(n):
        for j in range(n):
            inside = i < rows and j >= rows
            output[n * i + j] = ZERO + (int(choices[columns * i + j - rows]) if inside else -1)


@njit
def _lcs(x, y, steps, output, work):
    rows, columns = len(x), len(y)
    lengths, before, choices = work[0], work[1], work[2]
    n = rows + columns
    lengths[: rows * columns] = 0
    choices[: rows * columns] = 0
    for i in range(rows):
        equal = x[i] == y[0]
        above = i > 0 and lengths[columns * (i - 1)] == 1
        lengths[columns * i] = equal or above
        choices[columns * i] = not equal
    for j in range(columns):
        equal = x[0] == y[j]
        left = j > 0 and lengths[j - 1] == 1
        lengths[j] = equal or left
        choices[j] = 0 if equal else (2 if left else 1)
    count = 0
    while True:
        before[: rows * columns] = lengths[: rows * columns]
        _put_table(choices, rows, columns, output)
        count = _push(steps, count, output[: n * n])
        changed = False
        for i in range(1, rows):
            for j in range(1, columns):
                here = columns * i + j
                above, left = before[here - columns], before[here - 1]
                if x[i] == y[j]:
                    lengths[here] = before[here - columns - 1] + 1
                    choices[here] = 0
                elif above >= left:
                    lengths[here] = above
                    choices[here] = 1
                else:
                    lengths[here] = left
                    choices[here] = 2
                changed |= lengths[here] != before[here]
        if not changed:
            break
    _put_table(choices, rows, columns, output)
    return count


@njit
def _matrix_chain(keys, values, steps, output, work):
    """Costs of all chains at once, from those of the round before, until no cost changes."""
    n = len(keys)
    costs, before, known, old = work[0], work[1], work[2], work[3]
    costs[: n * n] = 0
    known[: n * n] = 0
    output[: n * n] = ZERO
    for i in range(1, n):
        known[n * i + i] = 1
    count = 0
    while True:
        before[: n * n] = costs[: n * n]
        old[: n * n] = known[: n * n]
        count = _push(steps, count, output[: n * n])
        changed = False
        for i in range(1, n):
            for j in range(i + 1, n):
                here = n * i + j
                settled = old[here] == 1
                for k in range(i, j):
                    if old[n * i + k] == 1 and old[n * (k + 1) + j] == 1:
                        known[here] = 1
                        last = values[keys[i - 1]] * values[keys[k]] * values[keys[j]]
                        cost = before[n * i + k] + before[n * (k + 1) + j] + last
                        if not settled or cost < costs[here]:
                            costs[here] = cost
                            output[here] = ZERO + k
                            settled = True
                changed |= costs[here] != before[here]
        if not changed:
            return count


@njit
def _optimal_bst(keys, dummies, values, steps, output, work):
    width = len(dummies[: len(keys)])
    costs, weights = work[1], work[2]
    output[: width * width] = ZERO
    for i in range(width):
        costs[width * i + i] = values[dummies[i]]
        weights[width * i + i] = values[dummies[i]]
    count = _push(steps, 0, output[: width * width])
    for size in range(1, width):
        for i in range(width - size):
            j = i + size
            here = width * i + j
            costs[here] = 1e9
            weights[here] = weights[here - 1] + values[keys[j - 1]] + values[dummies[j]]
            for r in range(i, j):
                cost = costs[width * i + r] + costs[width * (r + 1) + j] + weights[here]
                if cost < costs[here]:
                    costs[here] = cost
                    output[here] = ZERO + r
        count = _push(steps, count, output[: width * width])
    return count
