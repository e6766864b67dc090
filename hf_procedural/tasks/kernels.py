"""The loops that NumPy cannot vectorise, compiled by Numba. Imported by tasks when they first sample.

All randomness comes from the caller's NumPy generator, which seeds a xoshiro256++ stream (Blackman and Vigna 2019)
for each call: four 64-bit words, advanced in the compiled loop.
"""

import numpy as np

from .. import compiled

njit = compiled.njit(nogil=True)

LN2 = 0.6931471805599453
_LN2_HIGH = 0.693147180369123816490  # its first 33 bits, so that a product with a whole number is exact, and the rest
_LN2_LOW = 1.90821492927058770002e-10
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_IGNORE = np.int32(-100)


def stream(rng: np.random.Generator) -> np.ndarray:
    """The state of a random stream for the kernels, uint64 ``[4]``."""
    return rng.integers(2**64, size=4, dtype=np.uint64)


@njit
def _rotate(x, k):
    return (x << np.uint64(k)) | (x >> np.uint64(64 - k))


@njit
def _next(state):
    result = _rotate(state[0] + state[3], 23) + state[0]
    shifted = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = _rotate(state[3], 45)
    return result


@njit
def below(state, n):
    """Uniform on 0..n-1 without bias, n < 2^32 (Lemire 2019)."""
    bound = np.uint64(n)
    product = (_next(state) >> _32) * bound
    if (product & _LOW) < bound:
        threshold = ((_LOW - bound) + np.uint64(1)) % bound
        while (product & _LOW) < threshold:
            product = (_next(state) >> _32) * bound
    return np.int32(product >> _32)


@njit
def between(state, low, high):
    """Uniform on low..high."""
    return low + below(state, high - low + 1)


@njit
def uniform(state):
    """Uniform on [0, 1) with 53 bits."""
    return np.float64(_next(state) >> np.uint64(11)) * 2.0**-53


# Those of the C library differ in their last bit from one machine to another; + - * / and sqrt do not.


@njit
def log(x):
    """The natural logarithm of an ordinary positive number, to the last two bits."""
    bits = np.float64(x).view(np.int64)
    exponent = ((bits >> 52) & 0x7FF) - 1023
    mantissa = np.int64((bits & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000).view(np.float64)  # 1 to 2
    if mantissa > 1.4142135623730951:
        mantissa *= 0.5
        exponent += 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    series = 0.0
    for odd in range(21, 1, -2):
        series = (series + 1.0 / odd) * square
    return exponent * _LN2_HIGH + (2.0 * s + (2.0 * s * series + exponent * _LN2_LOW))


@njit
def exp(x):
    """e to the power x, -700 <= x <= 700, to the last two bits; 0 below."""
    if x < -700.0:
        return 0.0
    whole = np.floor(x / LN2 + 0.5)
    rest = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    series = 1.0
    for n in range(14, 0, -1):
        series = 1.0 + rest / n * series
    return series * np.int64((np.int64(whole) + 1023) << 52).view(np.float64)


@njit
def hash_prompts(input_ids, labels, whole, pad, last, ends, codes):
    """A 64-bit hash of each row's prompt, uint64 [n], from a code for each id: the unlabelled tokens but `pad`,
    before the first `last` if that is an id, or the `whole` row; or, if there are `ends`, all before a row's end."""
    n, width = input_ids.shape
    weights = np.empty(width, np.uint64)
    for i in range(width):
        weights[i] = mix(np.uint64(i + 1)) | np.uint64(1)
    hashes = np.empty(n, np.uint64)
    for row in range(n):
        total = np.uint64(0)
        end = width
        if len(ends):
            end = ends[row]
        elif last >= 0:
            end = 0
            while end < width and input_ids[row, end] != last:
                end += 1
        for i in range(end):
            used = whole or (labels[row, i] == _IGNORE and input_ids[row, i] != pad)
            total += weights[i] * codes[input_ids[row, i]] if used else np.uint64(0)
        hashes[row] = mix(total)
    return hashes


@njit
def last_labels(labels, one_by_one):
    """Where the last labels side by side start and end in each row, int64 [n]: with `one_by_one`, the last alone."""
    n, width = labels.shape
    starts = np.zeros(n, np.int64)
    stops = np.zeros(n, np.int64)
    for row in range(n):
        stop = width
        while stop > 0 and labels[row, stop - 1] == _IGNORE:
            stop -= 1
        start = max(stop - 1, 0)
        while not one_by_one and start > 0 and labels[row, start - 1] != _IGNORE:
            start -= 1
        starts[row], stops[row] = start, stop
    return starts, stops


@njit
def mix(x):
    x = x * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit
def fill_uniform(state, out, start, stop, low, high):
    """Fills the columns start..stop-1 with independent uniform values on low..high."""
    for row in range(out.shape[0]):
        for i in range(start, stop):
            out[row, i] = low + below(state, high - low + 1)


@njit
def _close(input_ids, labels, start, end, pad):
    """Padding behind the answer start..end-1 of a row, and no loss but on the answer."""
    labels[:start] = _IGNORE
    input_ids[end:] = pad
    labels[end:] = _IGNORE


@njit
def close_rows(input_ids, labels, starts, stops, pad):
    """Labels on each row's tokens starts..stops-1, <pad> behind them."""
    for row in range(len(input_ids)):
        for place in range(starts[row]):  # assigned as slices, these took many seconds to compile
            labels[row, place] = _IGNORE
        for place in range(starts[row], stops[row]):
            labels[row, place] = input_ids[row, place]
        for place in range(stops[row], input_ids.shape[1]):
            input_ids[row, place] = pad
            labels[row, place] = _IGNORE


@njit
def write_distinct(input_ids, labels, start, size, pad):
    """After `start`: the distinct symbols 1..size-1 before it, in order of first appearance, then padding."""
    seen = np.full(size + 1, -1, np.int64)
    for row in range(input_ids.shape[0]):
        seen[size] = row  # the separator is no symbol
        end = start
        for i in range(start - 1):
            symbol = input_ids[row, i]
            input_ids[row, end] = symbol  # without a branch: the next symbol overwrites one seen before
            labels[row, end] = symbol
            end += seen[symbol] != row
            seen[symbol] = row
        _close(input_ids[row], labels[row], start, end, pad)


@njit
def filled_set(state, input_ids, size):
    """Symbols 1..size-1, `size`, the distinct ones in order, which together fill the row. Gives where answers start."""
    n, width = input_ids.shape
    seen = np.full(size, -1, np.int64)
    distinct = np.empty(width, np.int32)
    starts = np.empty(n, np.int64)
    for row in range(n):
        drawn = kinds = 0
        while True:
            symbol = 1 + below(state, size - 1)
            is_new = seen[symbol] != row
            if drawn + kinds + 1 + is_new > width - 1:
                break
            if is_new:
                seen[symbol] = row
                distinct[kinds] = symbol
                kinds += 1
            input_ids[row, drawn] = symbol
            drawn += 1
        if drawn + kinds < width - 1:
            input_ids[row, drawn] = distinct[below(state, kinds)]
            drawn += 1
        input_ids[row, drawn] = size
        input_ids[row, drawn + 1 :] = distinct[:kinds]
        starts[row] = drawn + 1
    return starts


@njit
def write_without_first(input_ids, labels, length, pad):
    """After x <sep> q <sep>: x without the first q, then padding."""
    start = length + 3
    for row in range(input_ids.shape[0]):
        query = input_ids[row, length + 1]
        end = start
        removed = False
        for i in range(length):
            symbol = input_ids[row, i]
            if symbol == query and not removed:
                removed = True
            else:
                input_ids[row, end] = symbol
                labels[row, end] = symbol
                end += 1
        _close(input_ids[row], labels[row], start, end, pad)


@njit
def stack(state, input_ids, labels, length, vocab_size):
    """Operations (a symbol pushes itself, 0 pops), <sep>, the stack from top to bottom, <pad>; cut at the width."""
    n, width = input_ids.shape
    content = np.empty(length + 1, np.int32)
    held = np.zeros(vocab_size, np.bool_)
    for row in range(n):
        depth = 0
        for step in range(length):
            if step == length - 1 and depth > 1:
                push = False
            elif depth <= 1:
                push = True
            elif step < (2 * length) // 3:
                push = uniform(state) < 0.75
            else:
                push = uniform(state) >= 0.75
            if push and depth < vocab_size - 1:
                symbol = 1 + below(state, vocab_size - 1)
                while held[symbol]:
                    symbol = 1 + below(state, vocab_size - 1)
                held[symbol] = True
                content[depth] = symbol
                depth += 1
                input_ids[row, step] = symbol
            else:
                depth -= 1
                held[content[depth]] = False
                input_ids[row, step] = 0
            labels[row, step] = _IGNORE
        input_ids[row, length] = vocab_size
        labels[row, length] = _IGNORE
        for i in range(length + 1, width):
            if depth > 0:
                depth -= 1
                input_ids[row, i] = content[depth]
                labels[row, i] = content[depth]
                held[content[depth]] = False
            else:
                input_ids[row, i] = vocab_size + 1
                labels[row, i] = _IGNORE
        while depth > 0:  # what the cut left out
            depth -= 1
            held[content[depth]] = False


@njit
def dyck(state, input_ids, k, p_open, max_depth):
    """Words of k brackets, last in first out: opening j is j, closing j is k + j."""
    n, length = input_ids.shape
    opened = np.empty(length + 1, np.int32)
    for row in range(n):
        depth = 0
        for i in range(length):
            left = length - i
            if depth == 0:
                opens = True
            elif left <= depth or depth >= max_depth:
                opens = False
            else:
                opens = uniform(state) < p_open and depth < left - 1
            if opens:
                kind = below(state, k)
                opened[depth] = kind
                depth += 1
                input_ids[row, i] = kind
            else:
                depth -= 1
                input_ids[row, i] = k + opened[depth]


@njit
def dyck_shuffle(state, input_ids, k, p_open, max_depth, balanced):
    """Interleaved words: a close picks uniformly among the kinds that are open. Only `balanced` ones end at depth 0."""
    n, length = input_ids.shape
    counts = np.empty(k, np.int64)
    kinds = np.empty(k, np.int32)  # the open kinds, and where each stands among them
    place = np.empty(k, np.int64)
    for row in range(n):
        counts[:] = 0
        depth = 0
        distinct = 0
        for i in range(length):
            left = length - i
            if depth == 0:
                opens = True
            elif depth >= max_depth or (balanced and left <= depth):
                opens = False
            else:
                opens = uniform(state) < p_open and not (balanced and depth >= left - 1)
            if opens:
                kind = below(state, k)
                if counts[kind] == 0:
                    kinds[distinct] = kind
                    place[kind] = distinct
                    distinct += 1
                counts[kind] += 1
                depth += 1
                input_ids[row, i] = kind
            else:
                kind = kinds[below(state, distinct)]
                counts[kind] -= 1
                depth -= 1
                if counts[kind] == 0:
                    distinct -= 1
                    kinds[place[kind]] = kinds[distinct]
                    place[kinds[distinct]] = place[kind]
                input_ids[row, i] = k + kind


@njit
def automaton(input_ids, rule, width):
    """Fills in every state after the first, each followed by what ends the first, on a ring."""
    for row in range(input_ids.shape[0]):
        cells = input_ids[row]
        end = cells[width]
        for new in range(width + 1, len(cells), width + 1):
            old = new - width - 1
            for i in range(width):
                left = cells[old + (i - 1 if i > 0 else width - 1)]
                right = cells[old + (i + 1 if i < width - 1 else 0)]
                cells[new + i] = (rule >> (4 * left + 2 * cells[old + i] + right)) & 1
            cells[new + width] = end


@njit
def haystack(state, input_ids, labels, length, vocab_size):
    """Pairs of key and value, a query, the value of the key it asks for, padding (0)."""
    first = vocab_size // 2
    keys = np.arange(length)  # shuffled in place, pair by pair
    input_ids[:] = 0
    labels[:] = _IGNORE
    for row in range(input_ids.shape[0]):
        pairs = 1 + below(state, length)
        for i in range(pairs):
            other = i + below(state, length - i)
            keys[i], keys[other] = keys[other], keys[i]
            input_ids[row, 2 * i] = first + keys[i]
            input_ids[row, 2 * i + 1] = 1 + below(state, first - 1)
        asked = below(state, pairs)
        input_ids[row, 2 * pairs] = first + length + keys[asked]
        input_ids[row, 2 * pairs + 1] = labels[row, 2 * pairs + 1] = input_ids[row, 2 * asked + 1]


@njit
def arithmetic(state, input_ids, labels, low, high, multiply, reverse, score_all, ids):
    """a, operator, b, equals, the answer, stop, padding: a and b of low..high digits, all numbers with the most
    significant digit first unless `reverse`. `ids`: operator, equals, padding, an answer's digit 0, stop."""
    operator, equals, pad, zero, stop = ids
    width = input_ids.shape[1]
    digits = np.empty((2, high), np.int32)  # of a and b; these and the answer's: least significant first
    answer = np.empty(2 * high, np.int32)
    later = 0 if score_all else 1
    input_ids[:] = pad
    labels[:] = _IGNORE
    for row in range(input_ids.shape[0]):
        cells = input_ids[row]
        end = 0
        for operand in range(2):
            size = low + below(state, high - low + 1)
            for i in range(size):
                digits[operand, i] = below(state, 10) if i < size - 1 else 1 + below(state, 9)
                cells[end + (i if reverse else size - 1 - i)] = digits[operand, i]
            digits[operand, size:] = 0
            cells[end + size] = equals if operand else operator
            end += size + 1
        answer[:] = 0
        for i in range(high):
            if multiply:
                for j in range(high):
                    answer[i + j] += digits[0, i] * digits[1, j]
            else:
                answer[i] = digits[0, i] + digits[1, i]
        carry, size = np.uint32(0), 0  # unsigned division is the fast one
        for i in range(2 * high if multiply else high + 1):
            carry += np.uint32(answer[i])
            answer[i] = carry % np.uint32(10)
            carry //= np.uint32(10)
            if answer[i]:
                size = i + 1
        for i in range(size):
            cells[end + (i if reverse else size - 1 - i)] = zero + answer[i]
        cells[end + size] = stop
        for i in range(end + later, min(end + size + 1 + later, width)):
            labels[row, i] = cells[i]
