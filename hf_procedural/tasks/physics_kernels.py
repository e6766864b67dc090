"""The loops of physics.py, physics_graphs.py, physics_grammar.py and physics_people.py."""

import numpy as np

from .kernels import _IGNORE, below, between, mix, njit, uniform


@njit
def _shuffle(state, items, size, count):
    """Puts `count` of the first `size` items, drawn without replacement, in front."""
    for i in range(count):
        other = i + below(state, size - i)
        items[i], items[other] = items[other], items[i]


@njit
def _size(state, at_most, smallest):
    """A number from `smallest` on, by the probabilities that it is at most that many."""
    u = uniform(state)
    low, high = 0, len(at_most) - 1
    while low < high:
        middle = (low + high) // 2
        if u < at_most[middle]:
            high = middle
        else:
            low = middle + 1
    return smallest + low


# ---------------------------------------------------------------- mano


@njit
def _expression(state, cells, start, size, operators, modulus, augment, sizes):
    """Writes an expression of `size` operators from `start` on, gives its end."""
    end = start
    sizes[0] = size
    waiting = 1  # parts that are still to be written, the next one on top
    while waiting:
        waiting -= 1
        left = sizes[waiting]
        if left == 0:
            cells[end] = 5000 + below(state, modulus)
        else:
            cells[end] = operators[below(state, len(operators))]
            if augment:
                cells[end] += 4 * below(state, 2)
            first = below(state, left)
            sizes[waiting] = left - 1 - first
            sizes[waiting + 1] = first
            waiting += 2
        end += 1
    return end


@njit
def _value(cells, start, end, modulus, inverses, values):
    """The value of an expression in prefix form, read from its end; -1 where it divides by 0."""
    known = 0
    for i in range(end - 1, start - 1, -1):
        token = cells[i]
        if token >= 5000:
            values[known] = token - 5000
            known += 1
            continue
        known -= 1
        a, b = values[known], values[known - 1]
        operator = (token - 1) & 3
        if operator == 0:
            result = a + b
        elif operator == 1:
            result = a - b + modulus
        elif operator == 2:
            result = a * b
        elif b == 0:
            return -1
        else:
            result = a * inverses[b]
        values[known - 1] = result % modulus
    return values[0]


@njit
def mano(state, input_ids, labels, low, high, operators, modulus, inverses, augment, score_all):
    """Begin, size, expression of low..high operators, answer marker, value; then padding (0)."""
    sizes = np.empty(high + 2, np.int64)
    values = np.empty(high + 2, np.int64)
    for row in range(len(input_ids)):
        cells = input_ids[row]
        size = between(state, low, high)
        value = -1
        end = 2
        while value < 0:
            end = _expression(state, cells, 2, size, operators, modulus, augment, sizes)
            value = _value(cells, 2, end, modulus, inverses, values)
        cells[0] = 9999
        cells[1] = 10 * size
        cells[end] = 10 * size + 4
        if augment:
            cells[0] -= below(state, 2)
            cells[1] += below(state, 2)
            cells[end] += below(state, 2)
        cells[end + 1] = 5000 + value
        first = 1 if score_all else end + 1
        labels[row, :first] = _IGNORE
        labels[row, first : end + 2] = cells[first : end + 2]
        cells[end + 2 :] = 0
        labels[row, end + 2 :] = _IGNORE


# ---------------------------------------------------------------- depo and brevo


@njit
def _words(state, words, sizes, count, vocab, shortest, longest, firsts, keys, used, mark):
    """Draws `count` distinct words: tokens 1..vocab, the last one raised by `vocab`. What was drawn is known by the
    `mark` in `used`: at a word's number, where `firsts` has those of each length, else in a hash table with `keys`."""
    places = np.uint64(len(keys) - 1)
    done = 0
    while done < count:
        size = between(state, shortest, longest)
        key = np.uint64(size)
        number = 0
        for i in range(size):
            token = below(state, vocab)
            words[done, i] = token + 1
            if len(firsts):
                number = number * vocab + token
            else:
                key = mix(key + np.uint64(token + 1))
        words[done, size - 1] += vocab
        if len(firsts):
            place = np.uint64(firsts[size - shortest] + number)
        else:
            place = key & places
            while used[place] == mark and keys[place] != key:
                place = (place + np.uint64(1)) & places
            keys[place] = key
        if used[place] != mark:
            used[place] = mark
            sizes[done] = size
            done += 1


@njit
def _write(cells, end, words, sizes, word):
    # all that words have room for, without a branch: what is behind this one is written over
    for i in range(words.shape[1]):
        cells[end + i] = words[word, i]
    return end + sizes[word]


@njit
def _memory(count, vocab, shortest, longest):
    """For `_words`, up to `count` of them: `firsts`, empty where words are too many to be numbered, `keys`, `used`."""
    firsts = np.empty(longest - shortest + 1, np.int64)
    total, of_size = 0, 1.0
    for size in range(1, longest + 1):
        of_size *= vocab
        if of_size > 1 << 16:
            total = 1 << 20
            break
        if size >= shortest:
            firsts[size - shortest] = total
            total += np.int64(of_size)
    if total <= 1 << 16:
        return firsts, np.zeros(0, np.uint64), np.zeros(total, np.int64)
    places = 4
    while places < 2 * count:
        places *= 2
    return firsts[:0], np.zeros(places, np.uint64), np.zeros(places, np.int64)


@njit
def depo(state, input_ids, labels, at_most, smallest, steps, queries, separator, vocab, shortest, longest):
    """Begin, edges of a cycle of words, queries with their answers, which are labelled; then padding (0)."""
    most = smallest + len(at_most) - 1
    words = np.empty((most, longest), np.int32)
    sizes = np.empty(most, np.int64)
    cycle = np.empty(most, np.int64)
    order = np.empty(most, np.int64)
    firsts, keys, used = _memory(most, vocab, shortest, longest)
    for row in range(len(input_ids)):
        cells = input_ids[row]
        n = _size(state, at_most, smallest)
        _words(state, words, sizes, n, vocab, shortest, longest, firsts, keys, used, row + 1)
        for i in range(n):
            cycle[i] = i
            order[i] = i
        _shuffle(state, cycle, n, n)
        _shuffle(state, order, n, n)
        cells[0] = 9999
        end = 1
        for i in range(n):
            if separator:
                cells[end] = 9700
                end += 1
            first = order[i]
            second = first + 1 if first + 1 < n else 0
            end = _write(cells, end, words, sizes, cycle[first])
            end = _write(cells, end, words, sizes, cycle[second])
        labels[row] = _IGNORE
        asked = min(n, queries)
        _shuffle(state, order, n, asked)
        for i in range(asked):
            k = steps[below(state, len(steps))]
            cells[end] = 9000 + k
            end = _write(cells, end + 1, words, sizes, cycle[order[i]])
            start = end
            cells[end] = 9500
            end = _write(cells, end + 1, words, sizes, cycle[(order[i] + k) % n])
            for j in range(start, end):
                labels[row, j] = cells[j]
        cells[end:] = 0


@njit
def brevo(state, input_ids, labels, at_most, smallest, multi, vocab, shortest, longest):
    """Begin, edges from parents to children, a query, what must come before it in an order; then padding (0)."""
    most = smallest + len(at_most) - 1
    nodes = np.arange(1, most + 1)  # shuffled in place, row by row
    parents = np.empty((most, 4), np.int64)
    counts = np.empty(most, np.int64)
    children = np.empty(most, np.int64)
    able = np.empty(most, np.int64)  # those that may have one more child
    edges = np.empty(4 * most, np.int64)  # parent and child in one number
    later = np.empty(most, np.int64)  # children that are not placed, of what the query asks for; else -1
    queue = np.empty(most, np.int64)
    place_of = np.empty(most + 1, np.int64)
    words = np.empty((most, longest), np.int32)
    drawn = np.empty((most, longest), np.int32)
    sizes = np.ones(most, np.int64)
    sizes_drawn = np.empty(most, np.int64)
    firsts, keys, used = _memory(most, vocab, shortest, longest)
    for row in range(len(input_ids)):
        cells = input_ids[row]
        n = _size(state, at_most, smallest)
        _shuffle(state, nodes, most, n)

        leaves = between(state, 1, (n - 1) // 4 + 1)
        open_nodes = 0
        size = 0
        for i in range(n):
            children[i] = 0
            counts[i] = 0
            later[i] = -1
            if i >= leaves:
                counts[i] = between(state, 1, min(4, open_nodes))
                _shuffle(state, able, open_nodes, counts[i])
                for j in range(counts[i]):
                    parents[i, j] = able[j]
                    children[able[j]] += 1
                    edges[size] = able[j] << 32 | i
                    size += 1
                for j in range(counts[i] - 1, -1, -1):  # from behind: what takes a place has room, or had its turn
                    if children[able[j]] == 4:
                        open_nodes -= 1
                        able[j] = able[open_nodes]
            able[open_nodes] = i
            open_nodes += 1
        _shuffle(state, edges, size, size)

        if multi:
            present = 0
            place_of[:] = -1
            for i in range(n):
                if children[i] or counts[i]:
                    place_of[nodes[i]] = i
                    present += 1
            _words(state, drawn, sizes_drawn, present, vocab, shortest, longest, firsts, keys, used, row + 1)
            word = 0
            for i in place_of:
                if i >= 0:
                    words[i] = drawn[word]
                    sizes[i] = sizes_drawn[word]
                    word += 1
        else:
            for i in range(n):
                words[i, 0] = nodes[i]

        cells[0] = 9999
        end = 1
        if multi:
            for i in range(size):
                end = _write(cells, end, words, sizes, edges[i] >> 32)
                end = _write(cells, end, words, sizes, edges[i] & 0xFFFFFFFF)
        else:
            for i in range(size):
                cells[end] = words[edges[i] >> 32, 0]
                cells[end + 1] = words[edges[i] & 0xFFFFFFFF, 0]
                end += 2
        cells[end] = 9997
        end = _write(cells, end + 1, words, sizes, n - 1)
        start = end
        cells[end] = 9998
        end += 1

        # backwards from the query: parents stand before their children, so one pass sees what it asks for
        later[n - 1] = 0
        for i in range(n - 1, -1, -1):
            if later[i] >= 0:
                for j in range(counts[i]):
                    parent = parents[i, j]
                    later[parent] = 1 if later[parent] < 0 else later[parent] + 1
        queue[0] = n - 1
        ready, placed = 1, 0
        while ready:
            pick = below(state, ready)
            node = queue[pick]
            ready -= 1
            queue[pick] = queue[ready]
            able[placed] = node  # no longer needed for the edges
            placed += 1
            for j in range(counts[node]):
                parent = parents[node, j]
                later[parent] -= 1
                if later[parent] == 0:
                    queue[ready] = parent
                    ready += 1
        for i in range(placed - 1, -1, -1):
            end = _write(cells, end, words, sizes, able[i])
        cells[end] = 9998
        end += 1
        labels[row] = _IGNORE
        labels[row, start:end] = cells[start:end]
        cells[end:] = 0


# ---------------------------------------------------------------- lano


@njit
def lano(state, input_ids, sides, lengths, counts, strings, sizes, numbers, eos):
    """Words of a grammar, each with `eos` behind it, until the row is full. The root is the last symbol.

    The right-hand sides of symbols below `len(numbers)` are `numbers` of strings of terminals, each as likely.
    """
    root = len(counts) - 1
    waiting = np.empty(4 * len(counts), np.int32)  # the symbols that are still to be written, the next one on top
    longest = strings.shape[3]
    for row in range(len(input_ids)):
        cells = input_ids[row]
        left = 0
        end = 0
        while end < len(cells):
            if left == 0:
                if end:
                    cells[end] = eos
                    end += 1
                waiting[0] = root
                left = 1
                continue
            left -= 1
            symbol = waiting[left]
            side = below(state, counts[symbol])
            if symbol < len(numbers):
                string = below(state, numbers[symbol, side])
                # all that strings have room for, without a branch: what is behind this one is written over
                for i in range(min(longest, len(cells) - end)):
                    cells[end + i] = strings[symbol, side, string, i]
                end += sizes[symbol, side, string]
            else:
                for i in range(lengths[symbol, side] - 1, -1, -1):
                    waiting[left] = sides[symbol, side, i]
                    left += 1


# ---------------------------------------------------------------- capo


@njit
def _half(key, turn, half):
    return np.int64(mix(key + np.uint64(turn << 14 | half)) >> np.uint64(50))


@njit
def _name(person, key, people):
    """The number of a person's name: a permutation, four rounds of Feistel's, of all that are below `people`."""
    while True:
        left, right = person >> 14, person & 0x3FFF
        for turn in range(4):
            left, right = right, left ^ _half(key, turn, right)
        person = left << 14 | right
        if person < people:
            return person


@njit
def _copy(cells, end, table, sizes, item):
    for i in range(sizes[item]):
        cells[end + i] = table[item, i]
    return end + sizes[item]


@njit
def capo(
    state,
    input_ids,
    labels,
    people,
    key,
    first,
    middle,
    last,
    values,
    value_sizes,
    before,
    before_sizes,
    after,
    after_sizes,
    kinds,
    wordings,
    marks,
    permute,
    company_first,
    reverse_md,
    score_all,
):
    """Begin (1), six sentences about a person, end (2), then padding (0).

    `kinds` is where months, days, years, cities, universities, fields, companies and their cities begin among the
    values, `wordings` where those of each sentence do.
    """
    comma, of, he, she = marks
    told = np.empty(7, np.int64)
    order = np.arange(6)
    if company_first:
        order[4], order[5] = 5, 4
    for row in range(len(input_ids)):
        cells = input_ids[row]
        person = np.int64(below(state, people))
        name = _name(person, key, len(first) * len(middle) * len(last))
        for i in range(7):
            draw = mix(key + np.uint64((1 << 40) + 8 * person + i)) >> np.uint64(32)
            told[i] = kinds[i] + np.int64((draw * np.uint64(kinds[i + 1] - kinds[i])) >> np.uint64(32))
        if permute:
            _shuffle(state, order, 6, 6)
        if not score_all:
            labels[row] = _IGNORE
        cells[0] = 1
        end = 1
        for i in range(6):
            kind = order[i]
            if i == 0:
                cells[1] = first[name // (len(middle) * len(last))]
                cells[2] = middle[name // len(last) % len(middle)]
                cells[3] = last[name % len(last)]
                end = 4
            else:
                cells[end] = she if person & 1 else he
                end += 1
            wording = between(state, wordings[kind], wordings[kind + 1] - 1)
            end = _copy(cells, end, before, before_sizes, wording)
            start = end
            if kind == 0:
                month, day = values[told[0], 0], values[told[1], 0]
                if reverse_md:
                    cells[end], cells[end + 1], cells[end + 2] = day, of, month
                    end += 3
                else:
                    cells[end], cells[end + 1] = month, day
                    end += 2
                cells[end], cells[end + 1] = comma, values[told[2], 0]
                end += 2
            else:
                # told has the company last, behind whose list that of its cities stands
                place = told[6] - kinds[6] + kinds[7] if kind == 4 else told[6] if kind == 5 else told[kind + 2]
                end = _copy(cells, end, values, value_sizes, place)
            if not score_all:
                for j in range(start, end):
                    labels[row, j] = cells[j]
            end = _copy(cells, end, after, after_sizes, wording)
        cells[end] = 2
        end += 1
        cells[end:] = 0
        if score_all:
            labels[row, 0] = _IGNORE
            labels[row, 1:end] = cells[1:end]
            labels[row, end:] = _IGNORE
