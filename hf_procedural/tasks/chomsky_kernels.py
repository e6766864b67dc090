"""The rows of the tasks of the Chomsky hierarchy, compiled by Numba. Large integers are bits, or limbs of 32 bits."""

import numpy as np

from .kernels import _next, below, between, njit

# the tasks' codes, in the order of chomsky's
_PARITY, _PAIRS, _CYCLE, _MODULAR, _BRACKETS, _REVERSE, _EQUATION, _STACK = range(8)
_MISSING, _DUPLICATE, _ODDS, _SORT, _ADDITION, _MULTIPLICATION, _SQRT = range(8, 15)

_MODULUS = 5
_PLUS, _MINUS, _TIMES = 5, 6, 7
_LIMB = np.uint64(0xFFFFFFFF)
_0, _1, _2, _30, _31, _32 = (np.uint64(number) for number in (0, 1, 2, 30, 31, 32))


@njit
def rows(state, input_ids, task, low, high, sep, eos):
    """Prompt, <sep>, answer and <eos> in each row; gives where answers begin and where rows end."""
    n = len(input_ids)
    starts = np.empty(n, np.int32)
    stops = np.empty(n, np.int32)
    spare = np.empty((2, high + 5), np.int32)  # and of digits
    limbs = np.zeros((3, high // 16 + 4), np.uint64)
    for row in range(n):
        cells = input_ids[row]
        size, hidden = _prompt(state, cells, task, between(state, low, high), spare)
        cells[size] = sep
        end = size + 1 + _answer(cells, size, cells[size + 1 :], task, hidden, spare, limbs)
        if end < len(cells):
            cells[end] = eos
        starts[row] = size + 1
        stops[row] = end + 1
    return starts, stops


@njit
def blank(input_ids, labels, starts, stops, empty, eos, pad):
    """Puts the empty token in the places of <sep> and of all of an answer but its last token, which <eos> has.

    Labels stay where the answer was: each is to be predicted from what stands before, the empty tokens included.
    """
    for row in range(len(input_ids)):
        cells, targets = input_ids[row], labels[row]
        start, end = starts[row], stops[row] - 1
        targets[:start] = -100
        targets[start:end] = cells[start:end]
        targets[end:] = -100
        cells[start - 1 : end - 1] = empty
        cells[end - 1] = eos
        cells[end:] = pad


# ---------------------------------------------------------------- prompts


@njit
def _prompt(state, cells, task, length, spare):
    """Writes a prompt; gives its size, and the answer where that cannot be told from it at once."""
    if task in (_PARITY, _PAIRS, _REVERSE, _DUPLICATE, _ODDS):
        _bits(state, cells, 0, length)
    elif task == _CYCLE:
        _digits(state, cells, length, 3)
    elif task == _SORT:
        _digits(state, cells, length, 5)
    elif task == _MODULAR:
        length -= 1 - length % 2
        for place in range(length):
            cells[place] = _PLUS + below(state, 3) if place % 2 else below(state, _MODULUS)
    elif task == _BRACKETS:
        _expression(state, cells, length, 3, _TIMES + 1, spare)
    elif task == _EQUATION:
        return length, _equation(state, cells, length, spare)
    elif task == _STACK:
        held = between(state, 1, max(length - 1, 1))
        _bits(state, cells, 0, held)
        for place in range(held, length):
            cells[place] = 2 + below(state, 3)
    elif task == _MISSING:
        return length, _missing(state, cells, length)
    elif task == _SQRT:
        _positive(state, cells, 0, length)
    elif length <= 2:  # of addition and multiplication: one number, 2 ** length - 1 being left out
        number = below(state, 2**length - 1)
        for place in range(length):
            cells[place] = (number >> place) & 1
    else:
        first = between(state, 1, length - 2)
        _positive(state, cells, 0, first)
        cells[first] = 2
        _positive(state, cells, first + 1, length)
    return length, 0


@njit
def _bits(state, cells, start, stop):
    for begin in range(start, stop, 64):
        word = _next(state)
        for place in range(min(64, stop - begin)):
            cells[begin + place] = np.int32((word >> np.uint64(place)) & _1)


@njit
def _positive(state, cells, start, stop):
    """Bits that are not all 0."""
    while True:
        _bits(state, cells, start, stop)
        for place in range(start, stop):
            if cells[place]:
                return


@njit
def _digits(state, cells, length, count):
    for place in range(length):
        cells[place] = below(state, count)


@njit
def _missing(state, cells, length):
    """A string twice, with one of its bits, which is given, taken out."""
    if length == 1:
        cells[0] = 1
        return 1
    half = length // 2
    _bits(state, cells, 0, half)
    cells[half : 2 * half] = cells[:half]
    if length % 2:
        cells[length - 1] = 3
    place = below(state, 2 * half)
    missing = cells[place]
    cells[place] = 2
    return missing


@njit
def _expression(state, cells, length, operators, opens, spare):
    """A bracketed expression: what is split in two, again and again, and digits of four characters at most."""
    starts, sizes = spare[0], spare[1]
    starts[0] = 0
    sizes[0] = length
    held = 1
    while held:
        held -= 1
        start = starts[held]
        size = sizes[held]
        if size > 2:
            cells[start] = opens
            cells[start + size - 1] = opens + 1
        if size < 5:
            if size % 2 == 0:
                cells[start + size // 2 - 1] = _MINUS
            cells[start + size // 2] = below(state, _MODULUS)
        else:
            left = between(state, 1, size - 4)
            cells[start + 1 + left] = _PLUS + below(state, operators)
            starts[held] = start + 1
            sizes[held] = left
            starts[held + 1] = start + 2 + left
            sizes[held + 1] = size - 3 - left
            held += 2


@njit
def _equation(state, cells, length, spare):
    """An expression without products in which one digit, which is given, is x, = and its value."""
    if length < 3:
        cells[:length] = 0
        return 0
    size = length - 2
    _expression(state, cells, size, 2, 7, spare)
    value = _value(cells, size, 7, spare)
    place = below(state, size)
    while cells[place] >= _MODULUS:
        place = (place + 1) % size
    digit = cells[place]
    cells[place] = 9
    cells[size] = 10
    cells[size + 1] = value
    return digit


# ---------------------------------------------------------------- answers


@njit
def _answer(cells, size, out, task, hidden, spare, limbs):
    """Writes the answer of the prompt cells[:size] into `out`; gives its size."""
    if task in (_EQUATION, _MISSING):
        out[0] = hidden
    elif task == _PARITY:
        out[0] = cells[:size].sum() % 2
    elif task == _PAIRS:
        out[0] = cells[0] != cells[size - 1]
    elif task == _CYCLE:
        out[0] = (cells[:size].sum() - size) % 5
    elif task == _MODULAR:
        out[0] = _value_of_products(cells, size)
    elif task == _BRACKETS:
        out[0] = _value(cells, size, _TIMES + 1, spare)
    elif task == _REVERSE:
        for place in range(size):
            out[place] = cells[size - 1 - place]
        return size
    elif task == _STACK:
        return _stack(cells, size, out, spare[0])
    elif task == _DUPLICATE:
        out[:size] = cells[:size]
        out[size : 2 * size] = cells[:size]
        return 2 * size
    elif task == _ODDS:
        half = size // 2
        for place in range(half):
            out[place] = cells[2 * place + 1]
        for place in range(size - half):
            out[half + place] = cells[2 * place]
        return size
    elif task == _SORT:
        return _sort(cells, size, out, spare[0])
    elif task == _ADDITION:
        return _ended(out, _sum(cells, size, out), size + 1)
    elif task == _MULTIPLICATION:
        return _ended(out, _product(cells, size, out, limbs), size)
    else:
        return _root(cells, size, out, limbs)
    return 1


@njit
def _value(cells, size, opens, spare):
    """The value of a bracketed expression modulo 5."""
    values, operators = spare[0], spare[1]
    depth = 0
    current = 0
    is_negative = False
    is_value = False  # what stands before
    operators[0] = 0
    for place in range(size):
        token = cells[place]
        if token < _MODULUS:
            current = (_MODULUS - token) % _MODULUS if is_negative else token
            is_negative = False
            is_value = True
        elif token == opens:
            depth += 1
            operators[depth] = 0
            is_value = False
        elif token == opens + 1:
            if operators[depth]:
                current = _combined(operators[depth], values[depth], current)
            depth -= 1
        elif is_value:
            operators[depth] = token
            values[depth] = current
            is_value = False
        else:
            is_negative = True
    return current


@njit
def _combined(operator, left, right):
    if operator == _PLUS:
        return (left + right) % _MODULUS
    if operator == _MINUS:
        return (left - right) % _MODULUS
    return left * right % _MODULUS


@njit
def _value_of_products(cells, size):
    """The value modulo 5 of digits with operators between them, of which * binds first."""
    total = 0
    product = cells[0]
    for place in range(1, size, 2):
        digit = cells[place + 1]
        if cells[place] == _TIMES:
            product = product * digit % _MODULUS
        else:
            total += product
            product = digit if cells[place] == _PLUS else _MODULUS - digit
    return (total + product) % _MODULUS


@njit
def _stack(cells, size, out, held):
    top = 0
    for place in range(size):
        token = cells[place]
        if token == 2:
            top = max(top - 1, 0)
        else:
            held[top] = token % 3  # 3 pushes 0, 4 pushes 1
            top += 1
    for place in range(top):
        out[place] = held[top - 1 - place]
    return _ended(out, top, size + 1)


@njit
def _sort(cells, size, out, counts):
    counts[:5] = 0
    for place in range(size):
        counts[cells[place]] += 1
    end = 0
    for digit in range(5):
        out[end : end + counts[digit]] = digit
        end += counts[digit]
    return size


@njit
def _ended(out, used, size):
    """The end of an answer, and zeros up to its `size`."""
    out[used] = 2
    out[used + 1 : size] = 0
    return size


# ---------------------------------------------------------------- large integers


@njit
def _operator(cells, size):
    """Where the first of two numbers ends; at `size` where there is one alone."""
    place = 0
    while place < size and cells[place] != 2:
        place += 1
    return place


@njit
def _sum(cells, size, out):
    """Bits of the sum, least significant first; gives how many there are, one at least."""
    first = _operator(cells, size)
    second = size - first - 1
    carry = 0
    used = 1
    for place in range(max(first, second) + 1):
        if place < first:
            carry += cells[place]
        if place < second:
            carry += cells[first + 1 + place]
        out[place] = carry & 1
        carry >>= 1
        if out[place]:
            used = place + 1
    return used


@njit
def _pack(cells, start, stop, limbs):
    """Bits, least significant first, as limbs; gives how many."""
    count = (stop - start + 31) // 32
    for limb in range(count):
        word = _0
        begin = start + 32 * limb
        for place in range(min(32, stop - begin)):
            word |= np.uint64(cells[begin + place]) << np.uint64(place)
        limbs[limb] = word
    return count


@njit
def _product(cells, size, out, limbs):
    """Bits of the product, least significant first; gives how many. Of one number alone, its bits but one are 0."""
    if size <= 2:
        out[: size - 1] = 0
        return size - 1
    middle = _operator(cells, size)
    a, b, product = limbs[0], limbs[1], limbs[2]
    first = _pack(cells, 0, middle, a)
    second = _pack(cells, middle + 1, size, b)
    product[: first + second] = 0
    for i in range(first):
        carry = _0
        for j in range(second):
            carry += a[i] * b[j] + product[i + j]
            product[i + j] = carry & _LIMB
            carry >>= _32
        product[i + second] = carry
    used = 0
    for place in range(size - 1):
        bit = np.int32((product[place // 32] >> np.uint64(place % 32)) & _1)
        out[place] = bit
        if bit:
            used = place + 1
    return used


@njit
def _root(cells, size, out, limbs):
    """Bits of the square root, most significant first, two of the number for one of it; gives how many."""
    steps = (size + 1) // 2
    if size <= 52:  # exact as a float, so that its root, rounded down, is right
        number = 0
        for place in range(size):
            number = 2 * number + cells[place]
        small = np.int64(np.sqrt(np.float64(number)))
        for step in range(steps):
            out[step] = (small >> (steps - 1 - step)) & 1
        return steps
    root, rest = limbs[0], limbs[1]
    root[: steps // 32 + 2] = 0
    rest[: steps // 32 + 2] = 0
    place = -(size % 2)  # an odd number of bits has a 0 before it
    for step in range(steps):
        used = (step + 3) // 32 + 1
        more = np.uint64(2 * (cells[place] if place >= 0 else 0) + cells[place + 1])
        place += 2
        for limb in range(used):
            word = rest[limb]
            rest[limb] = ((word << _2) | more) & _LIMB
            more = word >> _30
        is_one = _at_least(rest, root, used)
        if is_one:
            _subtract(rest, root, used)
        carry = _1 if is_one else _0
        for limb in range(used):
            word = root[limb]
            root[limb] = ((word << _1) | carry) & _LIMB
            carry = word >> _31
        out[step] = is_one
    return steps


@njit
def _next_odd(root, limb):
    """A limb of 4 * root + 1."""
    if limb == 0:
        return ((root[0] << _2) | _1) & _LIMB
    return ((root[limb] << _2) | (root[limb - 1] >> _30)) & _LIMB


@njit
def _at_least(rest, root, used):
    for limb in range(used - 1, -1, -1):
        other = _next_odd(root, limb)
        if rest[limb] != other:
            return rest[limb] > other
    return True


@njit
def _subtract(rest, root, used):
    borrow = _0
    for limb in range(used):
        taken = _next_odd(root, limb) + borrow
        borrow = _1 if rest[limb] < taken else _0
        rest[limb] = (rest[limb] + (borrow << _32)) - taken
