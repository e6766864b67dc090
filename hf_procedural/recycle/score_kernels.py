"""fastText's arithmetic for a line of text, compiled: src/dictionary.cc and src/loss.cc of fastText 0.9.2.

Sums are taken in fastText's order, so that a score is its own to the last bit. What makes this faster: fastText reads
characters through a C++ stream, and looks words up in a table of 120 MB, whatever the size of the vocabulary.
"""

import math

import numpy as np

from .. import compiled

njit = compiled.njit(nogil=True)

_FIRST = np.uint32(2166136261)  # FNV-1a
_PRIME = np.uint32(16777619)
_NUMBER = np.uint64(2**32 - 1)
_BLANK = np.zeros(256, np.uint8)  # of a byte: 1 where it separates words, 2 where it may begin what does
_BLANK[[0, *range(9, 14), *range(28, 31), 32]] = 1
_BLANK[[0xC2, 0xE2]] = 2


@njit
def _mixed(value, byte):
    """The hash of a word and one byte more, which is signed."""
    return np.uint32((value ^ np.uint32(np.int8(byte))) * _PRIME)


@njit
def _slot(table, entries, starts, content, start, end, value):
    """Where in a table a word is, or would be."""
    mask = np.uint64(len(table) - 1)
    slot = np.uint64(value) & mask
    while table[slot]:
        if table[slot] >> np.uint64(32) == value:
            first = starts[table[slot] & _NUMBER]
            length = starts[(table[slot] & _NUMBER) + np.uint64(1)] - first
            place = 0
            while place < length and place < end - start and entries[first + place] == content[start + place]:
                place += 1
            if place == length == end - start:
                break
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit
def fill(table, entries, starts):
    """Puts words, bytes ``entries[starts[i]:starts[i + 1]]``, into a table of zeros, uint64: hash, and i from 1."""
    for number in range(1, len(starts) - 1):
        value = _FIRST
        for place in range(starts[number], starts[number + 1]):
            value = _mixed(value, entries[place])
        slot = _slot(table, entries, starts, entries, starts[number], starts[number + 1], value)
        table[slot] = np.uint64(value) << np.uint64(32) | np.uint64(number)


@njit
def _blank(content, place, end):
    """How many bytes of a separator of words begin here: of fastText's, and of Python's for lines."""
    kind = _BLANK[content[place]]
    if kind < 2:
        return kind
    if content[place] == 0xC2 and place + 1 < end and content[place + 1] == 0x85:
        return 2
    if content[place] == 0xE2 and place + 2 < end and content[place + 1] == 0x80:
        return 3 if 0xA8 <= content[place + 2] <= 0xA9 else 0
    return 0


@njit
def _starts_with(content, start, end, prefix):
    if end - start < len(prefix):
        return False
    place = 0
    while place < len(prefix) and content[start + place] == prefix[place]:
        place += 1
    return place == len(prefix)


@njit
def _add(total, row):
    for column in range(len(total)):
        total[column] += row[column]


@njit
def scores(content, ends, vocabulary, words, prefix, last, grams, bucket, weights, output, label, shares):
    """Writes the probability of a label for each text, 0 where it has no known token.

    Args:
        content: uint8, all texts, with the token `last` at the end of each.
        ends: int64, where each text ends.
        vocabulary: table, entries, starts, as of `fill`; entry 0 is none, labels stand behind the `words`.
        prefix, last: uint8, how labels begin, and the token that ends a line.
        weights, output: float32, a row for each word and bucket, and for each label.
        shares: float32 [texts], written.
    """
    table, entries, starts = vocabulary
    dim = weights.shape[1]
    hidden = np.empty(dim, np.float32)
    logits = np.empty(len(output), np.float32)
    begin = 0
    for text in range(len(ends)):
        end = ends[text]
        rows = np.empty((end - begin) // 2 + 2, np.int64)
        hashes = np.empty(len(rows), np.uint64)
        count, tokens = 0, 0
        place = begin
        while place < end:
            blank = _blank(content, place, end)
            if blank:
                place += blank
                continue
            start = place
            value = _FIRST
            while place < end and not _blank(content, place, end):
                value = _mixed(value, content[place])
                place += 1
            number = np.int64(table[_slot(table, entries, starts, content, start, place, value)] & _NUMBER)
            is_word = number <= words if number else not _starts_with(content, start, place, prefix)
            if is_word:
                if number:
                    rows[count] = number - 1
                    count += 1
                hashes[tokens] = np.uint64(np.int64(np.int32(value)))  # C++ fills up with the sign
                tokens += 1
            if place - start == len(last) and _starts_with(content, start, place, last):
                break
        begin = end
        hidden[:] = 0
        for number in range(count):
            _add(hidden, weights[rows[number]])
        for first in range(tokens):
            value = hashes[first]
            for second in range(first + 1, min(tokens, first + grams)):
                value = value * np.uint64(116049371) + hashes[second]
                _add(hidden, weights[words + np.int64(value % np.uint64(bucket))])
                count += 1
        if not count:
            shares[text] = 0
            continue
        hidden *= np.float32(1.0 / count)
        for number in range(len(output)):
            total = np.float32(0)
            for column in range(dim):
                total += output[number, column] * hidden[column]
            logits[number] = total
        most = logits.max()
        total = np.float32(0)
        for number in range(len(output)):
            logits[number] = np.float32(math.exp(np.float64(logits[number] - most)))  # as in C
            total += logits[number]
        share = np.float32(logits[label] / total)
        shares[text] = np.float32(math.exp(np.float32(math.log(np.float64(share) + 1e-5))))
