"""The size to which zlib compresses at level 9, compiled by Numba: no bytes are written, on any machine the same.

The loops of deflate.c and trees.c of zlib 1.2.13 (Gailly and Adler): lazy matches in hash chains, then the shorter of
Huffman codes of their own, the fixed ones, and none. Other compressors that call themselves zlib give other sizes.
"""

import numpy as np

from .. import compiled
from .kernels import njit

_inlined = compiled.njit(nogil=True, forceinline=True)  # a call hands over each field of each array

_WINDOW = 32768
_FARTHEST = _WINDOW - 262  # distance of a match at most
_AHEAD = 262  # with less known of what follows, zlib moves its window on
_SHORTEST = 3
_LONGEST = 258
_TOO_FAR = 4096  # further away, a match of three bytes costs more than it spares
_GOOD = 32  # with such a match at hand, a quarter of the chain is looked at
_CHAIN = 4096
_SYMBOLS = 16383  # of a block at most
_LITERALS = 286  # bytes, the end of a block, lengths
_END = 256
_DISTANCES = 30
_LENGTHS = 19  # of codes of the two
_HEAP = 2 * _LITERALS + 1
_ORDER = np.array([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15])


def _extra_bits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bits that follow a symbol's code: of literals and lengths, of distances, of lengths of codes."""
    lengths = [0] * 257 + [0] * 4 + [bits for bits in range(6) for _ in range(4)] + [0]
    distances = [0, 0] + [bits for bits in range(14) for _ in range(2)]
    return np.array(lengths), np.array(distances), np.array([0] * 16 + [2, 3, 7])


def _codes() -> tuple[np.ndarray, np.ndarray]:
    """The symbol of a length, uint16 ``[259]``, and that of a distance - 1 below 256, or of its upper bits behind."""
    literal_bits, distance_bits, _ = _extra_bits()
    lengths = np.zeros(_LONGEST + 1, np.int32)
    start = _SHORTEST
    for symbol in range(257, _LITERALS - 1):
        lengths[start : start + 2 ** literal_bits[symbol]] = symbol
        start += 2 ** literal_bits[symbol]
    lengths[_LONGEST] = _LITERALS - 1
    distances = np.zeros(512, np.int32)
    start = 0
    for symbol in range(_DISTANCES):
        count = 2 ** distance_bits[symbol]
        if start < 256:
            distances[start : start + count] = symbol
        else:
            distances[256 + start // 128 : 256 + (start + count) // 128] = symbol
        start += count
    return lengths, distances


_LITERAL_BITS, _DISTANCE_BITS, _LENGTH_BITS = _extra_bits()
_LENGTH_CODE, _DISTANCE_CODE = _codes()
_FIXED = np.repeat([8, 9, 7, 8], [144, 112, 24, 6])  # the fixed code's bits of literals and lengths; 5 of distances


@njit
def workspace():
    """What `deflated` needs, and need not be cleared between two calls."""
    chains = np.zeros(_WINDOW, np.int32), np.zeros(_WINDOW, np.int32), np.zeros(_WINDOW, np.int32)
    chains_of_four = np.zeros(4096, np.int32), np.zeros(_WINDOW, np.int32)
    counts = np.zeros(_HEAP, np.int32), np.zeros(2 * _DISTANCES + 1, np.int32), np.zeros(2 * _LENGTHS + 1, np.int32)
    tree = np.empty(_HEAP, np.int32), np.empty(_HEAP, np.int32), np.empty(_HEAP, np.int32), np.empty(_HEAP, np.int32)
    lengths = np.empty(_HEAP, np.int32), np.empty(2 * _DISTANCES + 1, np.int32), np.empty(2 * _LENGTHS + 1, np.int32)
    return chains, chains_of_four, counts, lengths, tree, np.zeros(1, np.int64)


@_inlined
def _insert(data, at, first, chains, chains_of_four):
    """Puts the string at a place at the heads of its chains; those that were there come back.

    Chains are zlib's, of three bytes, and ours, of four: a match is in both, or has three bytes.
    """
    heads, before, ranks = chains
    three = np.int64(data[at]) << 10 ^ np.int64(data[at + 1]) << 5 ^ np.int64(data[at + 2])
    code = three & (_WINDOW - 1)
    slot = at & (_WINDOW - 1)
    old = heads[code]
    before[slot] = old
    ranks[slot] = ranks[(old - first) & (_WINDOW - 1)] + 1 if old >= first else 0
    heads[code] = first + at
    if at + 3 >= len(data):
        return np.int64(old), np.int64(-1)
    heads, before = chains_of_four
    four = (
        np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24
    )
    code = four * 2654435761 >> 20 & 4095
    old_of_four = heads[code]
    before[slot] = old_of_four
    heads[code] = first + at
    return np.int64(old), np.int64(old_of_four)


@_inlined
def _longest(data, at, ahead, length, old, first, base, chains, chains_of_four):
    """The longest match of the string at a place, if longer than `length`, and where it is: the last of equal ones.

    zlib looks at so many of its chain, and not at its window's first string; ranks tell how far down one stands.
    """
    _, before, ranks = chains
    _, before_of_four = chains_of_four
    head = old[0] - first
    nice = min(_LONGEST, ahead)
    limit = max(at - _FARTHEST, base)
    lowest = ranks[head & (_WINDOW - 1)] - (_CHAIN // 4 if length >= _GOOD else _CHAIN)
    start = np.int64(-1)
    there = head
    while length < _SHORTEST:
        same = _same(data, there, at, nice)
        if same > length:
            length = same
            start = there
            break
        there = before[there & (_WINDOW - 1)] - first
        if there <= limit or ranks[there & (_WINDOW - 1)] <= lowest:
            break
    there = old[1] - first
    while length < nice and (there > limit or (there == head and there >= 0)):
        if data[there + length] == data[at + length]:
            same = _same(data, there, at, nice)
            if same > length and ranks[there & (_WINDOW - 1)] > lowest:
                length = same
                start = there
        there = before_of_four[there & (_WINDOW - 1)] - first
    return length, start


@_inlined
def _same(data, one, two, most):
    """How many bytes are the same from two places on."""
    same = 0
    while same < most and data[one + same] == data[two + same]:
        same += 1
    return same


@njit
def _sift(heap, size, place, counts, depth):
    moved = heap[place]
    count = counts[moved]
    deep = depth[moved]
    child = 2 * place
    while child <= size:
        other = heap[child]
        if child < size:
            right = heap[child + 1]
            if counts[right] < counts[other] or (counts[right] == counts[other] and depth[right] <= depth[other]):
                child += 1
                other = right
        if count < counts[other] or (count == counts[other] and deep <= depth[other]):
            break
        heap[place] = other
        place = child
        child *= 2
    heap[place] = moved


@njit
def _code(counts, lengths, symbols, longest, extra, tree):
    """Huffman code of symbols that were counted: fills in their `lengths`; the bits it takes, and the last symbol."""
    heap, depth, parent, numbers = tree
    size = 0
    last = -1
    for symbol in range(symbols):
        lengths[symbol] = 0
        if counts[symbol]:
            size += 1
            heap[size] = last = symbol
            depth[symbol] = 0
    bits = 0
    while size < 2:  # there are two codes at least
        if last < 2:
            last += 1
        symbol = last if last < 2 else 0
        size += 1
        heap[size] = symbol
        counts[symbol] = 1
        depth[symbol] = 0
        bits -= 1
    for place in range(size // 2, 0, -1):
        _sift(heap, size, place, counts, depth)
    node = symbols
    top = _HEAP
    while True:
        one = heap[1]
        heap[1] = heap[size]
        size -= 1
        _sift(heap, size, 1, counts, depth)
        two = heap[1]
        top -= 2
        heap[top + 1] = one
        heap[top] = two
        counts[node] = counts[one] + counts[two]
        depth[node] = max(depth[one], depth[two]) + 1
        parent[one] = parent[two] = node
        heap[1] = node
        node += 1
        _sift(heap, size, 1, counts, depth)
        if size < 2:
            break
    top -= 1
    heap[top] = heap[1]
    numbers[: longest + 1] = 0
    lengths[heap[top]] = 0
    overflow = 0
    for place in range(top + 1, _HEAP):
        symbol = heap[place]
        length = lengths[parent[symbol]] + 1
        if length > longest:
            length = longest
            overflow += 1
        lengths[symbol] = length
        if symbol < symbols:
            numbers[length] += 1
            bits += counts[symbol] * (length + extra[symbol])
    if overflow:
        bits += _shorten(counts, lengths, symbols, longest, overflow, heap, numbers)
    return bits, last


@njit
def _shorten(counts, lengths, symbols, longest, overflow, heap, numbers):
    """Mends a code with lengths above `longest`; the bits that this costs."""
    while overflow > 0:
        length = longest - 1
        while numbers[length] == 0:
            length -= 1
        numbers[length] -= 1
        numbers[length + 1] += 2
        numbers[longest] -= 1
        overflow -= 2
    bits = 0
    place = _HEAP
    for length in range(longest, 0, -1):
        left = numbers[length]
        while left:
            place -= 1
            symbol = heap[place]
            if symbol < symbols:
                bits += (length - lengths[symbol]) * counts[symbol]
                lengths[symbol] = length
                left -= 1
    return bits


@njit
def _count_lengths(lengths, last, counts):
    """Counts the symbols by which lengths of codes, 0 to `last`, are told: themselves, or that some repeat."""
    previous = -1
    count = 0
    for symbol in range(last + 1):
        length = lengths[symbol]
        following = lengths[symbol + 1] if symbol < last else -1
        count += 1
        most = 138 if length == 0 else 6 if length == previous else 7
        if count < most and length == following:
            continue
        if count < (3 if length == 0 or length == previous else 4):
            counts[length] += count
        elif length:
            if length != previous:
                counts[length] += 1
            counts[16] += 1
        elif count <= 10:
            counts[17] += 1
        else:
            counts[18] += 1
        count = 0
        previous = length


@njit
def _block(size, bits, counts, lengths, tree):
    """The bits of the stream after a block of `size` bytes, that was counted."""
    literals, distances, codes = counts
    fixed = 3
    for symbol in range(_LITERALS):
        fixed += literals[symbol] * (_FIXED[symbol] + _LITERAL_BITS[symbol])
    for symbol in range(_DISTANCES):
        fixed += distances[symbol] * (5 + _DISTANCE_BITS[symbol])
    own, last_literal = _code(literals, lengths[0], _LITERALS, 15, _LITERAL_BITS, tree)
    more, last_distance = _code(distances, lengths[1], _DISTANCES, 15, _DISTANCE_BITS, tree)
    own += more
    _count_lengths(lengths[0], last_literal, codes)
    _count_lengths(lengths[1], last_distance, codes)
    more, _ = _code(codes, lengths[2], _LENGTHS, 7, _LENGTH_BITS, tree)
    told = _LENGTHS
    while told > 4 and lengths[2][_ORDER[told - 1]] == 0:
        told -= 1
    own += more + 3 + 5 + 5 + 4 + 3 * told
    best = min((own + 7) // 8, (fixed + 7) // 8)
    if size + 4 <= best:
        bits = (bits + 3 + 7) // 8 * 8 + 8 * (4 + size)
    elif (fixed + 7) // 8 == best:
        bits += fixed
    else:
        bits += own
    literals[:] = 0
    literals[_END] = 1
    distances[:] = 0
    codes[:] = 0
    return bits


@njit
def deflated(data, work):
    """The bytes of a deflate stream of bytes, uint8 ``[n]``, without what zlib and gzip add to it."""
    chains, chains_of_four, counts, lengths, tree, used = work
    literals, distances, _ = counts
    if used[0] > 2**30:
        for array in (chains[0], chains_of_four[0]):
            array[:] = 0
        used[0] = 0
    first = used[0]  # chains are those of all calls: what an earlier one left there is before this place
    size = len(data)
    used[0] = first + size
    literals[:] = 0
    literals[_END] = 1
    distances[:] = 0
    counts[2][:] = 0
    base = 0  # of the window: its first string is never found
    read = min(size, 2 * _WINDOW)
    bits = 0
    symbols = 0
    start = 0  # of the block
    length = _SHORTEST - 1
    match = np.int64(0)
    waits = False  # a literal, for whether a longer match begins behind it
    at = 0
    while at < size:
        if read - at < _AHEAD:
            if at - base >= _WINDOW + _FARTHEST:
                base += _WINDOW
            read = min(size, base + 2 * _WINDOW)
        ahead = read - at
        old = np.int32(0), np.int32(0)
        if ahead >= _SHORTEST:
            old = _insert(data, at, first, chains, chains_of_four)
        old_length = length
        old_match = match
        length = _SHORTEST - 1
        if old[0] > first + base and old_length < min(_LONGEST, ahead) and first + at - old[0] <= _FARTHEST:
            length, match = _longest(data, at, ahead, old_length, old, first, base, chains, chains_of_four)
            if length == _SHORTEST and at - match > _TOO_FAR:
                length = _SHORTEST - 1
        if old_length >= _SHORTEST and length <= old_length:
            distance = at - 2 - old_match
            literals[_LENGTH_CODE[old_length]] += 1
            distances[_DISTANCE_CODE[distance if distance < 256 else 256 + (distance >> 7)]] += 1
            symbols += 1
            for following in range(at + 1, min(at + old_length - 1, size - 2)):
                _insert(data, following, first, chains, chains_of_four)
            at += old_length - 1
            waits = False
            length = _SHORTEST - 1
            if symbols == _SYMBOLS:
                bits = _block(at - start, bits, counts, lengths, tree)
                symbols = 0
                start = at
        else:
            if waits:
                literals[data[at - 1]] += 1
                symbols += 1
                if symbols == _SYMBOLS:
                    bits = _block(at - start, bits, counts, lengths, tree)
                    symbols = 0
                    start = at
            waits = True
            at += 1
    if waits:
        literals[data[at - 1]] += 1
    bits = _block(size - start, bits, counts, lengths, tree)
    return (bits + 7) // 8
