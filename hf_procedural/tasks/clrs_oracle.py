"""CLRS-Text's algorithms in plain Python: the steps that each shows of itself, and its output.

An algorithm takes the inputs that stand in the text, numbers as they are written there, and gives the list of its steps
and what it returns: numbers, lists, matrices (lists of lists), pairs, or a list and a number.
"""

import bisect
import itertools


def _places(numbers, reverse=False) -> list[int]:
    """Places from the least number on, or from the largest; of equal numbers, the first comes first."""
    return sorted(range(len(numbers)), key=lambda place: -numbers[place] if reverse else numbers[place])


# ---------------------------------------------------------------- sorting


def insertion_sort(key):
    steps = [list(key)]
    for j in range(1, len(key)):
        done, item, rest = steps[-1][:j], key[j], list(key[j + 1 :])
        bisect.insort(done, item, key=float)
        steps.append(done + rest)
    return steps, steps[-1]


def bubble_sort(key):
    a = list(key)
    steps = [a[:]]
    for i in range(len(a) - 1):
        for j in reversed(range(i + 1, len(a))):
            a[j - 1 : j + 1] = sorted(a[j - 1 : j + 1], key=float)
            steps.append(a[:])
    return steps, a


def heapsort(key):
    a = list(key)
    steps = [a[:]]

    def sink(place, size):
        children = [child for child in (2 * place + 1, 2 * place + 2) if child < size]
        largest = max([place, *children], key=lambda node: float(a[node]))
        a[place], a[largest] = a[largest], a[place]
        steps.append(a[:])
        if largest != place:
            sink(largest, size)

    for place in reversed(range(len(a))):
        sink(place, len(a))
    for last in reversed(range(1, len(a))):
        a[0], a[last] = a[last], a[0]
        steps.append(a[:])
        sink(0, last)
    return steps, a


def _partition(a, low, high, note):
    """Hoare's partition by the last item, `note` called after each comparison; gives where that item comes to stand."""
    middle = low
    for j in range(low, high):
        if float(a[j][0]) <= float(a[high][0]):
            a[middle], a[j] = a[j], a[middle]
            middle += 1
        note(a[high])
    a[middle], a[high] = a[high], a[middle]
    note(a[middle])
    return middle


def quicksort(key):
    a = [(item, place) for place, item in enumerate(key)]
    steps = []

    def sort(low, high):
        if low < high:
            middle = _partition(a, low, high, lambda _: steps.append([item for item, _ in a]))
            sort(low, middle - 1)
            sort(middle + 1, high)

    sort(0, len(a) - 1)
    return steps, [item for item, _ in a]


# ---------------------------------------------------------------- searching


def minimum(key):
    steps = [_places(list(map(float, key[: size + 1])))[0] for size in range(len(key))]
    return steps, steps[-1]


def binary_search(key, target):
    low, high = 0, len(key) - 1
    steps = [(low, high)]
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if float(target) <= float(key[middle]) else (middle + 1, high)
        steps.append((low, high))
    return steps, high


def quickselect(key):
    a = [(item, place) for place, item in enumerate(key)]
    steps = []
    low, high = 0, len(a) - 1
    while True:
        middle = _partition(a, low, high, lambda pivot: steps.append(pivot[1]))
        if middle == len(a) // 2:
            return steps, a[middle][1]
        low, high = (middle + 1, high) if middle < len(a) // 2 else (low, middle - 1)


def find_maximum_subarray_kadane(key):
    numbers = list(map(float, key))
    start, total = 0, numbers[0]
    best = (0, 0)
    best_total = total
    steps = [best]
    for end, number in enumerate(numbers[1:], 1):
        if total + number >= number:
            total += number
        else:
            start, total = end, number
        if total > best_total:
            best, best_total = (start, end), total
        steps.append(best)
    return steps, best


# ---------------------------------------------------------------- greedy


def activity_selector(s, f):
    starts, ends = list(map(float, s)), list(map(float, f))
    chosen = []
    steps = [[0] * len(s)]
    for place in _places(ends):
        if not chosen or starts[place] >= ends[chosen[-1]]:
            chosen.append(place)
        steps.append([int(other in chosen) for other in range(len(s))])
    return steps, steps[-1]


def task_scheduling(d, w):
    chosen = set()
    steps = [[0] * len(d)]
    for place in _places(list(map(float, w)), reverse=True):
        if not chosen or len(chosen) < int(d[place]):
            chosen.add(place)
        steps.append([int(other in chosen) for other in range(len(d))])
    return steps, steps[-1]


# ---------------------------------------------------------------- strings


def _halves(string, key):
    size = string.count("0")
    return key[:size], key[size:]


def naive_string_matcher(string, key):
    text, needle = _halves(string, key)
    steps = []
    for start in range(len(text) - len(needle) + 1):
        equal = len(list(itertools.takewhile(bool, map(str.__eq__, needle, text[start:]))))
        steps += [start] * (min(equal, len(needle) - 1) + 1)
        if equal == len(needle):
            return steps, start
    raise ValueError("the needle is not in the text")


def kmp_matcher(string, key):
    text, needle = _halves(string, key)
    border = []  # of each beginning of the needle, the length of its longest border
    steps = [0]
    for q in range(len(needle)):
        size = border[-1] if q else 0
        while q and size and needle[size] != needle[q]:
            size = border[size - 1]
            steps.append(0)
        border.append(size + 1 if q and needle[size] == needle[q] else 0)
        steps += [0] * bool(q)
    size = 0  # characters of the needle that match at the end of what was read
    for place, character in enumerate(text):
        start = max(0, place - len(needle) + 1)
        steps.append(start)
        while size and needle[size] != character:
            size = border[size - 1]
            steps.append(start)
        size += needle[size] == character
        if size == len(needle):
            return steps, start
    raise ValueError("the needle is not in the text")


# ---------------------------------------------------------------- dynamic programming


def lcs_length(string, key):
    x, y = _halves(string, key)
    size = len(x) + len(y)
    lengths = [[0] * len(y) for _ in x]
    choices = [[0] * len(y) for _ in x]
    for i in range(len(x)):
        match = x[i] == y[0]
        lengths[i][0] = int(match or (i > 0 and lengths[i - 1][0] == 1))
        choices[i][0] = 0 if match else 1
    for j in range(len(y)):
        match, before = x[0] == y[j], j > 0 and lengths[0][j - 1] == 1
        lengths[0][j] = int(match or before)
        choices[0][j] = 0 if match else 2 if before else 1

    def table():
        rows = [[-1] * len(x) + row for row in choices]
        return rows + [[-1] * size for _ in y]

    steps = []
    while True:
        steps.append(table())
        old = [row[:] for row in lengths]
        for i, j in itertools.product(range(1, len(x)), range(1, len(y))):
            above, left = old[i - 1][j], old[i][j - 1]
            if x[i] == y[j]:
                lengths[i][j], choices[i][j] = old[i - 1][j - 1] + 1, 0
            else:
                lengths[i][j], choices[i][j] = max(above, left), 1 if above >= left else 2
        if lengths == old:
            return steps, table()


def matrix_chain_order(p):
    sizes = list(map(float, p))
    n = len(sizes)
    costs = {(i, i): 0.0 for i in range(1, n)}
    splits = [[0] * n for _ in p]
    steps = []
    while True:
        steps.append([row[:] for row in splits])
        old = dict(costs)
        for i, j in itertools.combinations(range(1, n), 2):
            for k in range(i, j):
                if (i, k) in old and (k + 1, j) in old:
                    cost = old[i, k] + old[k + 1, j] + sizes[i - 1] * sizes[k] * sizes[j]
                    if (i, j) not in costs or cost < costs[i, j]:
                        costs[i, j] = cost
                        splits[i][j] = k
        if all(cost == old.get(chain, 0.0) for chain, cost in costs.items()):
            return steps, splits


def optimal_bst(p, q):
    keys, gaps = list(map(float, p)), list(map(float, q))
    n = len(gaps)
    costs = {(i, i): gap for i, gap in enumerate(gaps)}
    weights = dict(costs)
    roots = [[0] * n for _ in gaps]
    steps = [[row[:] for row in roots]]
    for size in range(1, n):
        for i in range(n - size):
            j = i + size
            weights[i, j] = weights[i, j - 1] + keys[j - 1] + gaps[j]
            trees = [costs[i, root] + costs[root + 1, j] + weights[i, j] for root in range(i, j)]
            costs[i, j] = min(trees)
            roots[i][j] = i + trees.index(costs[i, j])
        steps.append([row[:] for row in roots])
    return steps, roots
