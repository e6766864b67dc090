"""The rows of the simpler synthetic tasks, compiled by Numba."""

import numpy as np

from .kernels import below, between, njit, uniform
from .simpler_ids import AND, EOS, FIRST, NAME_END, NO, NOTHING, SEP, WORD_END, YES

# the operations' codes, in the order of simpler's
_COPY, _SET, _FIRST_CHAR, _LAST_CHAR, _DUPLICATE, _DEDUPLICATE, _REVERSE, _LENGTH, _LONGEST_WORD = range(9)
_COUNT, _SEARCH, _DELETE, _SORT, _REPLACE = range(9, 14)
_UNION, _INTERSECT, _SET_1_MINUS_2, _SET_2_MINUS_1 = range(14, 18)
_FILTER, _GET_INDEX, _REPLACE_MANY = range(18, 21)


@njit
def rows(state, input_ids, operations, names, numbers, low, high, pool):
    """Name, body, <sep>, answer and <eos> in each row; gives where answers begin and where rows end."""
    n = len(input_ids)
    starts = np.empty(n, np.int32)
    stops = np.empty(n, np.int32)
    ids = np.arange(FIRST, FIRST + pool).astype(np.int32)  # shuffled in place, row by row
    spare = np.empty(high + 1, np.int32)
    sizes = np.empty(high + 1, np.int32)
    # By id: two of the row it was seen in last, so that nothing need be cleared from row to row, and a value.
    marks = np.zeros((3, SEP), np.int32)
    for row in range(n):
        operation = operations[below(state, len(operations))]
        name = names[operation]
        cells = input_ids[row]
        start = 0
        while name[start] != NAME_END:
            cells[start] = name[start]
            start += 1
        cells[start] = NAME_END
        body = cells[start + 1 :]
        first, second = _body(state, body, operation, low, high, pool, ids, spare, sizes, marks[0], row + 1)
        size = first + 1 + second
        body[size] = SEP
        answer = body[size + 1 :]
        end = _answer(body, first, second, answer, operation, numbers, sizes, marks, row + 1)
        if end == 0:
            answer[0] = NOTHING
            end = 1
        answer[end] = EOS
        starts[row] = start + size + 2
        stops[row] = starts[row] + end + 1
    return starts, stops


# ---------------------------------------------------------------- bodies


@njit
def _fill(state, out, start, stop, pool):
    for i in range(start, stop):
        out[i] = FIRST + below(state, pool)


@njit
def _choose(state, out, size, number):
    """Makes the first `number` of out[:size] a random choice of them, in random order."""
    for i in range(number):
        other = i + below(state, size - i)
        out[i], out[other] = out[other], out[i]


@njit
def _partition(state, total, runs, least, sizes):
    """Sizes that add up to `total`, each `least` and what falls to it of the rest, part by part at random."""
    sizes[:runs] = least
    for _ in range(total - runs * least):
        sizes[below(state, runs)] += 1


@njit
def _body(state, body, operation, low, high, pool, ids, spare, sizes, seen, stamp):
    """Draws a body; gives the sizes of its two arguments, the second -1 where there is one alone."""
    second = -1
    if operation in (_SET, _DEDUPLICATE):
        first = between(state, low, high)
        runs = between(state, 1, first)
        _partition(state, first, runs, 1, sizes)
        _fill(state, spare, 0, runs, pool)
        _repeat(body, spare, sizes, runs)
        if operation == _SET:
            _choose(state, body, first, first)
    elif operation == _LONGEST_WORD:
        first = _words(state, body, low, high, pool, sizes)
    elif operation < _COUNT:
        first = between(state, low, high)
        _fill(state, body, 0, first, pool)
    elif operation == _COUNT:
        first = between(state, low - 2, high - 2)
        second = 1
        query = FIRST + below(state, pool)
        placed = between(state, 0, first)
        body[:placed] = query
        _fill(state, body, placed, first, pool)
        _choose(state, body, first, first)
        body[first + 1] = query
    elif operation == _SORT:
        second = between(state, low // 2, (high - 1) // 2)
        first = between(state, second, high - 1 - second)
        order = body[first + 1 :]
        _fill(state, order, 0, second, pool)
        for i in range(second):
            spare[i] = order[below(state, second)]
        _partition(state, first, second, 1, sizes)
        _repeat(body, spare, sizes, second)
        _choose(state, body, first, first)
    elif operation in (_REPLACE, _REPLACE_MANY):
        pairs = 1
        if operation == _REPLACE:
            first = between(state, low - 3, high - 3)
        else:
            pairs = between(state, 2, (high - 1) // 3)
            first = between(state, max(pairs, low - 1 - 2 * pairs), high - 1 - 2 * pairs)
            _choose(state, ids, pool, pairs)
            body[:pairs] = ids[:pairs]  # so that there are as many different ones
        second = 2 * pairs
        _fill(state, body, 0 if operation == _REPLACE else pairs, first, pool)
        if operation == _REPLACE_MANY:
            _choose(state, body, first, first)
        distinct = _distinct(body[:first], spare, 0, seen, stamp)
        for i in range(distinct):
            seen[spare[i]] = 0  # `_answer` uses it for the same row
        _choose(state, spare, distinct, pairs)
        for i in range(pairs):
            body[first + 1 + 2 * i] = spare[i]
            body[first + 2 + 2 * i] = FIRST + below(state, pool)
    elif _UNION <= operation <= _SET_2_MINUS_1:
        total = between(state, low - 1, high - 1)
        first = between(state, 0, total)
        second = total - first
        some = total // 2
        _choose(state, ids, pool, some)
        for i in range(total + 1):
            body[i] = ids[below(state, some)]
    else:
        present = 0.5 if operation == _SEARCH else 0.75
        first = second = 0
        while first + 1 + second < low or first + 1 + second > high:
            if uniform(state) < present:
                first, second = _query_present(state, body, low, high, pool, spare, sizes)
            else:
                first, second = _query_absent(state, body, low, high, pool)
    if second >= 0:
        body[first] = AND
    return first, second


@njit
def _repeat(out, symbols, sizes, runs):
    """The first symbols, each as often as its size says."""
    end = 0
    for i in range(runs):
        out[end : end + sizes[i]] = symbols[i]
        end += sizes[i]


@njit
def _words(state, body, low, high, pool, sizes):
    """Random words with marks between them; gives where they end."""
    words = between(state, 1, max(high // 2, 1))
    least = max(low - words + 1, words)
    _partition(state, between(state, least, high - words + 1), words, 1, sizes)
    end = -1
    for i in range(words):
        if i > 0:
            body[end] = WORD_END
        _fill(state, body, end + 1, end + 1 + sizes[i], pool)
        end += 1 + sizes[i]
    return end


@njit
def _query_present(state, body, low, high, pool, spare, sizes):
    """A sequence in which a query stands one or more times, and the query; gives their sizes. It may be too short."""
    second = between(state, 1, (high - 1) // 3)
    first = between(state, 2 * second, high - 1 - second)
    _fill(state, body, first + 1, first + 1 + second, pool)
    times = between(state, 1, first // second)
    _partition(state, first - times * second, times + 1, 0, sizes)
    end = 0
    for i in range(times + 1):
        _fill(state, body, end, end + sizes[i], pool)
        end += sizes[i]
        if i < times:
            for j in range(second):
                body[end + j] = body[first + 1 + j]
            end += second
    return first, second


@njit
def _query_absent(state, body, low, high, pool):
    """A sequence and a query that does not stand in it; gives their sizes. Only sizes that fit are written."""
    if uniform(state) < 0.01:
        second = between(state, low + 1, high)
        first = between(state, 0, second - 1)
    else:
        first = between(state, low, high)
        second = between(state, low, first)
    if first + 1 + second <= high:
        _fill(state, body, 0, first + 1 + second, pool)
        while _index(body, first, second) >= 0:
            _fill(state, body, 0, first + 1 + second, pool)
    return first, second


# ---------------------------------------------------------------- answers


@njit
def _index(body, first, second):
    """Where the second argument first stands in the first; -1 if nowhere."""
    for start in range(first - second + 1):
        same = 0
        while same < second and body[start + same] == body[first + 1 + same]:
            same += 1
        if same == second:
            return start
    return -1


@njit
def _distinct(symbols, out, end, seen, stamp):
    """Adds the symbols that have not been seen to out[:end]; gives the new end."""
    for symbol in symbols:
        if seen[symbol] != stamp:
            seen[symbol] = stamp
            out[end] = symbol
            end += 1
    return end


@njit
def _write(number, numbers, answer):
    """Writes a number's pieces, which zeros end (of -1 too: the last row); gives how many there are."""
    end = 0
    while numbers[number, end] != 0:
        answer[end] = numbers[number, end]
        end += 1
    return end


@njit
def _answer(body, first, second, answer, operation, numbers, sizes, marks, stamp):
    """Writes the answer to a body; gives its size."""
    sequence, other = body[:first], body[first + 1 : first + 1 + max(second, 0)]
    seen, in_other, value = marks
    end = 0
    if operation == _COPY:
        answer[:first] = sequence
        end = first
    elif operation == _REVERSE:
        for i in range(first):
            answer[i] = sequence[first - 1 - i]
        end = first
    elif operation == _DUPLICATE:
        for i in range(first):
            answer[2 * i] = answer[2 * i + 1] = sequence[i]
        end = 2 * first
    elif operation in (_FIRST_CHAR, _LAST_CHAR):
        answer[0] = sequence[0] if operation == _FIRST_CHAR else sequence[first - 1]
        end = 1
    elif operation == _LENGTH:
        end = _write(first, numbers, answer)
    elif operation == _SET:
        end = _distinct(sequence, answer, 0, seen, stamp)
    elif operation == _DEDUPLICATE:
        for i in range(first):
            if i == 0 or sequence[i] != sequence[i - 1]:
                answer[end] = sequence[i]
                end += 1
    elif operation == _LONGEST_WORD:
        start = 0
        for i in range(first + 1):
            if i == first or sequence[i] == WORD_END:
                if i - start > end:
                    end = i - start
                    answer[:end] = sequence[start:i]
                start = i + 1
    elif operation == _COUNT:
        number = 0
        for symbol in sequence:
            number += symbol == other[0]
        end = _write(number, numbers, answer)
    elif operation == _GET_INDEX:
        end = _write(_index(body, first, second), numbers, answer)
    elif operation == _SEARCH:
        answer[0] = YES if _index(body, first, second) >= 0 else NO
        end = 1
    elif operation == _DELETE:
        start = _index(body, first, second)
        for i in range(first):
            if start < 0 or i < start or i >= start + second:
                answer[end] = sequence[i]
                end += 1
    elif operation == _FILTER:
        for symbol in sequence:  # the first query is the one that ends first: take it away there
            answer[end] = symbol
            end += 1
            same = 0
            while same < second and same < end and answer[end - 1 - same] == other[second - 1 - same]:
                same += 1
            if same == second:
                end -= second
    elif operation == _SORT:
        for i in range(second):
            value[other[i]] = i  # the last place counts
            sizes[i] = 0
        for symbol in sequence:
            sizes[value[symbol]] += 1
        _repeat(answer, other, sizes, second)
        end = first
    elif operation in (_REPLACE, _REPLACE_MANY):
        for i in range(0, second, 2):
            seen[other[i]] = stamp
            value[other[i]] = other[i + 1]
        for i in range(first):
            symbol = sequence[i]
            answer[i] = value[symbol] if seen[symbol] == stamp else symbol
        end = first
    elif operation == _UNION:
        end = _distinct(other, answer, _distinct(sequence, answer, 0, seen, stamp), seen, stamp)
    else:
        if operation == _SET_2_MINUS_1:
            sequence, other = other, sequence
        for symbol in other:
            in_other[symbol] = stamp
        for symbol in sequence:
            if seen[symbol] != stamp:
                seen[symbol] = stamp
                if (in_other[symbol] == stamp) == (operation == _INTERSECT):
                    answer[end] = symbol
                    end += 1
    return end
