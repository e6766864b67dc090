"""The size to which zlib compresses at level 9, compiled by Numba: no bytes are written, on any machine the same.

The loops of deflate.c and trees.c of zlib 1.2.13 (Gailly and Adler): lazy matches in hash chains, then the shorter of
Huffman codes of their own, the fixed ones, and none. Other compressors that call themselves zlib give other sizes.
"""

import numpy as np

from .kernels import njit

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
_ENTROPY = np.arange(_SYMBOLS + 2) * np.log2(np.maximum(1, np.arange(_SYMBOLS + 2)))  # of a symbol that is so often
_HEAP = 2 * _LITERALS + 1
_SHIFT = 16
_SYMBOL = 2**16 - 1
_DEPTH = _SYMBOL << 16
_NO_NODE = np.iinfo(np.int64).max
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
_FIXED = np.repeat([8, 9, 7, 8], [144, 112, 24, 6])  # the fixed code's bits of literals and lengths
_FIXED_DISTANCES = np.repeat(5, _DISTANCES)


@njit
def workspace(size):
    """What `deflated` needs for at most `size` bytes, and need not be cleared between two calls."""
    heads = np.zeros(_WINDOW, np.uint32), np.zeros(_WINDOW, np.uint32)
    before = np.zeros(size, np.uint32), np.zeros(size, np.uint32), np.zeros(size, np.uint32)
    counts = np.zeros(_HEAP, np.int32), np.zeros(2 * _DISTANCES + 1, np.int32), np.zeros(2 * _LENGTHS + 1, np.int32)
    heap = np.empty(_LITERALS + 2, np.int64)
    tree = heap, np.empty(_HEAP, np.int32), np.empty(_HEAP, np.int32), np.empty(16, np.int32)
    lengths = np.empty(_HEAP, np.int32), np.empty(2 * _DISTANCES + 1, np.int32), np.empty(2 * _LENGTHS + 1, np.int32)
    return heads, before, counts, lengths, tree, np.zeros(1, np.int64)


@njit
def _link(data, heads, before, used):
    """Fills in the `words` of four bytes, and the place before each in its chains; 0 is none, as zlib finds none there.

    Chains are zlib's, of three bytes, and ours, of four: a match is in both, or has three bytes.
    """
    heads_of_three, heads_of_four = heads
    before_of_three, before_of_four, words = before
    size = len(data)
    if used[0] + size >= 2**32:
        heads_of_three[:] = 0
        heads_of_four[:] = 0
        used[0] = 0
    first = used[0]  # heads are those of all calls: what an earlier one left there is below it
    used[0] = first + size
    for at in range(size - 3):
        word = np.uint32(data[at]) | np.uint32(data[at + 1]) << 8 | np.uint32(data[at + 2]) << 16
        words[at] = word | np.uint32(data[at + 3]) << 24
    word = 0
    for at in range(size - 1, max(size - 4, -1), -1):
        word = word << 8 | np.int64(data[at])
        words[at] = word
    for at in range(size - 2):
        word = np.int64(words[at])
        code = (word << 10 ^ word >> 3 & 0x1FE0 ^ word >> 16 & 0xFF) & (_WINDOW - 1)
        before_of_three[at] = max(np.int64(heads_of_three[code]), first) - first
        heads_of_three[code] = first + at
        code = word * 2654435761 >> 17 & (_WINDOW - 1)
        before_of_four[at] = max(np.int64(heads_of_four[code]), first) - first
        heads_of_four[code] = first + at


@njit
def _is_deep(there, at, chain, before):
    """Whether a place is further down its chain than zlib looks."""
    while chain and at != there:
        at = np.int64(before[at])
        chain -= 1
    return at != there


@njit
def _code(counts, lengths, symbols, longest, extra, tree):
    """Huffman code of symbols that were counted: fills in their `lengths`; the bits it takes, and the last symbol.

    In the heap a node, or symbol, is a number: how often it is, how deep, and which, so that one comparison does.
    """
    heap, order, parent, numbers = tree
    size = 0
    last = -1
    for symbol in range(symbols):
        lengths[symbol] = 0
        heap[size + 1] = np.int64(counts[symbol]) << 2 * _SHIFT | symbol
        if counts[symbol]:
            size += 1
            last = symbol
    bits = 0
    while size < 2:  # there are two codes at least
        if last < 2:
            last += 1
        symbol = last if last < 2 else 0
        size += 1
        counts[symbol] = 1
        heap[size] = 1 << 2 * _SHIFT | symbol
        bits -= 1
    node = symbols
    top = _HEAP
    start = size // 2  # places from there up are put in order
    moved = heap[start]
    one = np.int64(-1)  # the smallest, if it is taken
    while True:
        heap[size + 1] = _NO_NODE
        place = start
        child = 2 * place
        while child <= size:
            child += heap[child + 1] >> _SHIFT <= heap[child] >> _SHIFT
            if moved >> _SHIFT <= heap[child] >> _SHIFT:
                break
            heap[place] = heap[child]
            place = child
            child *= 2
        heap[place] = moved
        if start > 1:
            start -= 1
            moved = heap[start]
        elif one < 0:
            if size < 2:
                break
            one = heap[1]
            moved = heap[size]
            size -= 1
        else:
            two = heap[1]
            top -= 2
            order[top + 1] = one & _SYMBOL
            order[top] = two & _SYMBOL
            parent[one & _SYMBOL] = parent[two & _SYMBOL] = node
            depth = max(one & _DEPTH, two & _DEPTH) + (1 << _SHIFT)
            moved = (one >> 2 * _SHIFT) + (two >> 2 * _SHIFT) << 2 * _SHIFT | depth | node
            node += 1
            one = np.int64(-1)
    numbers[:] = 0
    lengths[node - 1] = 0
    overflow = 0
    for place in range(top, _HEAP):
        symbol = order[place]
        length = lengths[parent[symbol]] + 1
        if length > longest:
            length = longest
            overflow += 1
        lengths[symbol] = length
        if symbol < symbols:
            numbers[length] += 1
            bits += counts[symbol] * (length + extra[symbol])
    if overflow:
        bits += _shorten(counts, lengths, symbols, longest, overflow, order, numbers)
    return bits, last


@njit
def _shorten(counts, lengths, symbols, longest, overflow, order, numbers):
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
            symbol = order[place]
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
def _bounds(literals, distances):
    """The bits of a block in the fixed codes, and what codes of its own do not get below: the entropy of its symbols.

    To tell the own codes takes 3 bits that say so, 14 for their numbers, 12 for four lengths at least, and for six
    symbols 3, if they are told by one repetition.
    """
    fixed = 3
    least = 3.0 + 14 + 12 - 1e-6  # more than all roundings together
    for counts, extra, flat in ((literals, _LITERAL_BITS, _FIXED), (distances, _DISTANCE_BITS, _FIXED_DISTANCES)):
        total = 0
        for symbol in range(len(extra)):
            count = counts[symbol]
            if count:
                total += count
                fixed += count * (flat[symbol] + extra[symbol])
                least += 0.5 + count * extra[symbol] - _ENTROPY[count]
        least += _ENTROPY[total]
    return fixed, least


@njit
def _block(size, bits, counts, lengths, tree):
    """The bits of the stream after a block of `size` bytes, that was counted."""
    literals, distances, codes = counts
    fixed, _ = _bounds(literals, distances)
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
def deflated(data, work, low=0.0, high=0.0):
    """The bytes of a deflate stream of bytes, uint8 ``[n]``, without what zlib and gzip add to it.

    With bounds it may be another number on the same side of both, where that is certain before codes are made.
    """
    heads, before, counts, lengths, tree, used = work
    literals, distances, _ = counts
    before_of_three, before_of_four, words = before
    size = len(data)
    _link(data, heads, before, used)
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
        old_length = length
        old_match = match
        length = _SHORTEST - 1
        head = np.int64(before_of_three[at])
        if ahead >= _SHORTEST and old_length < min(_LONGEST, ahead) and head > base and head >= at - _FARTHEST:
            # The longest match, the last of equal ones: no function, as to hand arrays over takes longer than a search.
            limit = max(base, at - _FARTHEST) - (head == at - _FARTHEST)  # so far away only the first one may be
            nice = min(_LONGEST, ahead)
            chain = _CHAIN // 4 if old_length >= _GOOD else _CHAIN
            best = max(old_length, _SHORTEST)
            last = words[at + best - 3]
            there = np.int64(before_of_four[at])
            while there > limit and best < nice:
                if words[there + best - 3] == last:
                    same = 0
                    while same < nice and words[there + same] == words[at + same]:
                        same += 4
                    if same < nice:
                        other = words[there + same] ^ words[at + same]
                        same += (other & 0xFF == 0) + (other & 0xFFFF == 0) + (other & 0xFFFFFF == 0)
                    same = min(same, nice)
                    if same > best:
                        if at - there >= chain and _is_deep(there, at, chain, before_of_three):
                            break
                        best = length = same
                        match = there
                        last = words[at + best - 3]
                there = np.int64(before_of_four[there])
            if length < _SHORTEST and old_length < _SHORTEST:
                there = head
                while there > limit and (words[there] ^ words[at]) & 0xFFFFFF != 0:
                    there = np.int64(before_of_three[there])
                if there > limit and not (at - there >= chain and _is_deep(there, at, chain, before_of_three)):
                    length = _SHORTEST
                    match = there
            if length == _SHORTEST and at - match > _TOO_FAR:
                length = _SHORTEST - 1
        if old_length >= _SHORTEST and length <= old_length:
            distance = at - 2 - old_match
            literals[_LENGTH_CODE[old_length]] += 1
            distances[_DISTANCE_CODE[distance if distance < 256 else 256 + (distance >> 7)]] += 1
            symbols += 1
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
    if high and start == 0:
        fixed, least = _bounds(literals, distances)
        most = (fixed + 7) // 8 + 1  # one more if it is stored, for being no longer
        fewest = min(int(least / 8), fixed // 8, size)
        if most < low - 1 or fewest > high + 1 or (fewest > low + 1 and most < high - 1):  # whatever is rounded here
            return most if most < low else fewest
    bits = _block(size - start, bits, counts, lengths, tree)
    return (bits + 7) // 8
