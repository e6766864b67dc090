"""The rows of MAD's tasks, compiled by Numba."""

import numpy as np

from .kernels import _IGNORE, below, between, njit, uniform


@njit
def recall(state, input_ids, labels, keys, symbols, noises, frac_noise, copy):
    """Pairs of key and value, or of noise; then, behind `copy` if that is an id, a key that the row has, and its value.

    Labels: the values of all keys that are seen again, with `copy` of the last alone.
    """
    n, width = input_ids.shape
    last = width - 2
    pairs = last // 2
    values = np.empty(keys, np.int32)
    seen = np.full(keys, -1, np.int64)  # the row in which a key was seen last
    order = np.empty(keys, np.int32)  # the keys of the row
    for row in range(n):
        cells = input_ids[row]
        own = labels[row]
        own[:] = _IGNORE
        clean = below(state, pairs) if noises else 0
        distinct = 0
        for pair in range(pairs):
            place = 2 * pair
            if noises and pair != clean and uniform(state) < frac_noise:
                cells[place] = symbols + below(state, noises)
                cells[place + 1] = symbols + below(state, noises)
                continue
            key = below(state, keys)
            cells[place] = key
            if seen[key] == row:
                if copy < 0:
                    own[place + 1] = values[key]
            else:
                seen[key] = row
                order[distinct] = key
                distinct += 1
                values[key] = keys + below(state, symbols - keys)
            cells[place + 1] = values[key]
        if copy >= 0:
            cells[last - 1] = copy
        key = order[below(state, distinct)]
        cells[last] = key
        cells[last + 1] = own[last + 1] = values[key]


@njit
def _distinct(state, pool, size, first, out, start):
    """Writes `size` different numbers of `pool`, in any order, with `first` added; leaves the pool in another order."""
    for i in range(size):
        other = i + below(state, len(pool) - i)
        pool[i], pool[other] = pool[other], pool[i]
        out[start + i] = first + pool[i]


@njit
def _find(tokens, start, size, entries, slots, stamp):
    """The entry of a key, tokens[start : start + size], or else minus the free slot for it, minus 1."""
    code = np.uint64(size)
    for i in range(start, start + size):
        code = (code ^ np.uint64(tokens[i] + 1)) * np.uint64(0x9E3779B97F4A7C15)
        code ^= code >> np.uint64(29)
    slot = np.int64(code & np.uint64(len(slots) - 1))
    while slots[slot, 0] == stamp:
        entry = slots[slot, 1]
        if entries[entry, 1] == size:
            at = entries[entry, 0]
            same = True
            for i in range(size):
                same = same and tokens[at + i] == tokens[start + i]
            if same:
                return entry
        slot = (slot + 1) & (len(slots) - 1)
    return -slot - 1


@njit
def _fuzzy_row(state, tokens, told, room, probe, sizes, pools, keys, copy, entries, slots, stamp):
    """Draws a row into `tokens`, its labels into `told`; gives its end, or 0 where its last key was not shown before.

    `probe` is where in `tokens` the last pair is kept. Entries: where a key stands, its size, the same of its value,
    and whether it has been shown. Slots: the stamp of the row that wrote them, and the entry.
    """
    low, high, highest_value = sizes
    key_pool, value_pool = pools
    probe_key = between(state, low, high)
    probe_value = between(state, 1, highest_value)
    _distinct(state, key_pool, probe_key, 0, tokens, probe)
    _distinct(state, value_pool, probe_value, keys, tokens, probe + probe_key)
    probe_size = probe_key + probe_value
    entries[0] = (probe, probe_key, probe + probe_key, probe_value, 0)
    slot = -_find(tokens, probe, probe_key, entries, slots, stamp) - 1
    slots[slot, 0], slots[slot, 1] = stamp, 0
    count = 1
    told[:] = _IGNORE
    shown_from = below(state, room - 2 * probe_size)
    end = 0
    while end < room - probe_size - high - highest_value:
        if end >= shown_from and entries[0, 4] == 0:
            entries[0, 4] = 1
            for i in range(probe_size):
                tokens[end + i] = tokens[probe + i]
            end += probe_size
            continue
        size = between(state, low, high)
        value_size = between(state, 1, highest_value)
        _distinct(state, key_pool, size, 0, tokens, end)
        entry = _find(tokens, end, size, entries, slots, stamp)
        value = end + size
        if entry < 0:
            slot = -entry - 1
            slots[slot, 0], slots[slot, 1] = stamp, count
            entries[count] = (end, size, value, value_size, 1)
            count += 1
            _distinct(state, value_pool, value_size, keys, tokens, value)
        else:
            known = entries[entry, 2]
            value_size = entries[entry, 3]
            again = entries[entry, 4] and copy < 0
            entries[entry, 4] = 1
            for i in range(value_size):
                tokens[value + i] = tokens[known + i]
                if again:
                    told[value + i] = tokens[known + i]
        end = value + value_size
    if not entries[0, 4]:
        return 0
    if copy >= 0:
        tokens[end] = copy
        end += 1
    for i in range(probe_size):
        tokens[end + i] = tokens[probe + i]
        if i >= probe_key:
            told[end + i] = tokens[probe + i]
    return end + probe_size


@njit
def fuzzy_recall(state, input_ids, labels, keys, symbols, copy, low, high, highest_value):
    """Pairs of keys of `low` to `high` tokens and values of 1 to `highest_value`; then, behind `copy` if that is an id,
    a key that the row has, and its value; blanks (the id `symbols`) in front.

    Labels: the values of all keys that are seen again, with `copy` of the last alone.
    """
    n, width = input_ids.shape
    tokens = np.empty(width + high + highest_value, np.int32)
    told = np.empty(width, np.int32)
    pools = (np.arange(keys), np.arange(symbols - keys))
    entries = np.empty((width, 5), np.int64)
    size = 4
    while size < 2 * width:
        size *= 2
    slots = np.full((size, 2), -1, np.int64)
    stamp = 0
    sizes = (low, high, highest_value)
    for row in range(n):
        end = 0
        while end == 0:
            stamp += 1
            end = _fuzzy_row(state, tokens, told, width - 1, width, sizes, pools, keys, copy, entries, slots, stamp)
        start = width - end
        input_ids[row, :start] = symbols
        labels[row, :start] = _IGNORE
        input_ids[row, start:] = tokens[:end]
        labels[row, start:] = told[:end]


@njit
def selective_copying(state, input_ids, labels, blank, size):
    """`size` tokens below `blank`, blanks before each, the next id, and blanks; labels: the tokens, at the end."""
    n, width = input_ids.shape
    blanks = width - 2 * size - 2
    before = np.empty(size, np.int64)
    first = width - size
    for row in range(n):
        cells = input_ids[row]
        own = labels[row]
        before[:] = 0
        for _ in range(blanks):
            before[below(state, size)] += 1
        cells[:] = blank
        own[:first] = _IGNORE
        place = 0
        for i in range(size):
            place += before[i]
            cells[place] = own[first + i] = below(state, blank)
            place += 1
        cells[place] = blank + 1


@njit
def memorization(state, input_ids, labels, values, insert):
    """Keys, an `insert` behind each, and one more; labels: a key's value, two places behind it."""
    n, width = input_ids.shape
    for row in range(n):
        cells = input_ids[row]
        own = labels[row]
        own[0] = own[1] = _IGNORE
        for place in range(0, width - 1, 2):
            key = below(state, len(values))
            cells[place] = key
            cells[place + 1] = insert
            own[place + 2] = values[key]
            if place + 3 < width:
                own[place + 3] = _IGNORE
        cells[width - 1] = insert
