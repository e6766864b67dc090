"""CLRS-Text's algorithms on graphs, compiled by Numba: inputs, the steps of each, rows."""

import functools

import numpy as np

from .clrs_ids import COLON, COMMA, ZERO
from .clrs_kernels import (
    LIST,
    LIST_AND_NUMBER,
    MATRIX,
    copy,
    finish,
    put,
    put_matrix,
    random_communities,
    random_graph,
    random_weights,
)
from .kernels import below, njit

DFS, TOPOLOGICAL, ARTICULATION, BRIDGES, COMPONENTS, DAG_PATHS = range(6)  # by depth-first search
BFS, KRUSKAL, PRIM, BELLMAN_FORD, DIJKSTRA, FLOYD_WARSHALL = range(6, 12)


@functools.cache
def rows_of(algorithm):
    """The loop of an algorithm, compiled without the others."""

    @njit
    def rows(state, input_ids, starts, stops, sizes, words, asked, values, with_trace, most, p, floats):
        """Draws graphs and writes rows, as those of clrs_sequences_kernels do; an edge is there with probability `p`.

        `floats`: the tokens of no edge and of an edge, where there are no weights.
        """
        longest = sizes.max()
        is_matrix = algorithm in (BRIDGES, KRUSKAL, FLOYD_WARSHALL)
        size_of_step = longest * longest if is_matrix else longest + 1
        steps = np.empty((most, size_of_step), np.int32)
        output = np.empty(size_of_step, np.int32)
        edges = np.empty(longest * longest, np.int8)
        graph = np.empty(longest * longest, np.int32)
        order = np.empty(longest, np.int64)
        numbers = np.empty((10, longest), np.int64)
        distances = np.empty((4, longest * longest), np.float64)
        weighted = algorithm in (DAG_PATHS, KRUSKAL, PRIM, BELLMAN_FORD, DIJKSTRA, FLOYD_WARSHALL)
        directed = algorithm in (DFS, TOPOLOGICAL, DAG_PATHS)
        acyclic = algorithm in (TOPOLOGICAL, DAG_PATHS)
        from_source = algorithm in (BFS, PRIM, BELLMAN_FORD, DIJKSTRA, DAG_PATHS)
        for row in range(len(input_ids)):
            cells = input_ids[row]
            for _ in range(10_000):
                n = sizes[below(state, len(sizes))]
                if algorithm == COMPONENTS:
                    random_communities(state, n, p, 0.01, edges, order)
                else:
                    random_graph(state, n, p, directed, acyclic, edges, order)
                if weighted:
                    random_weights(state, n, directed, edges, graph)
                else:
                    for i in range(n * n):
                        graph[i] = floats[edges[i]]
                source = below(state, n) if from_source else 0
                end = 0
                for token in words[:3]:
                    end = put(cells, end, token)
                if from_source:
                    end = put(cells, put(cells, end, words[3]), COLON)
                    end = put(cells, put(cells, end, ZERO + source), COMMA)
                end = put(cells, end, words[len(words) - 1])
                end = put(cells, end, COLON)
                end = put_matrix(cells, end, graph[: n * n], n)
                if end > len(cells):
                    continue
                weights = distances[0]
                for i in range(n * n):
                    weights[i] = values[graph[i]]
                shape, width = MATRIX, n
                if algorithm <= DAG_PATHS:
                    count = _search(algorithm, weights, n, source, steps, output, numbers)
                    if algorithm == TOPOLOGICAL:
                        shape, width = LIST_AND_NUMBER, n + 1
                    elif algorithm != BRIDGES:
                        shape = LIST
                elif algorithm == KRUSKAL:
                    count = _kruskal(weights, n, steps, output, numbers)
                elif algorithm == FLOYD_WARSHALL:
                    count = _floyd_warshall(weights, n, steps, output, distances)
                else:
                    shape = LIST
                    if algorithm == BFS:
                        count = _bfs(weights, n, source, steps, output, numbers)
                    elif algorithm == BELLMAN_FORD:
                        count = _bellman_ford(weights, n, source, steps, output, numbers, distances)
                    else:
                        count = _nearest_first(algorithm == PRIM, weights, n, source, steps, output, numbers, distances)
                if count > len(steps):
                    continue
                used = n * n if shape == MATRIX else width
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
def _push(steps, count, values, offset):
    """A step of the trace: the values, as they are or as integers."""
    if count < len(steps):
        for i in range(len(values)):
            steps[count, i] = offset + values[i]
    return count + 1


@njit
def _fill_output(values, output):
    for i in range(len(values)):
        output[i] = ZERO + values[i]


# ---------------------------------------------------------------- depth-first search


@njit
def _push_search(algorithm, steps, count, n, parents, topology, head, cuts, bridges, components):
    if count < len(steps):
        if algorithm == BRIDGES:
            return _push(steps, count, bridges[: n * n], 0)
        if algorithm == TOPOLOGICAL:
            _push(steps, count, topology[:n], ZERO)
            steps[count, n] = ZERO + head
        elif algorithm == ARTICULATION:
            _push(steps, count, cuts[:n], ZERO)
        elif algorithm == COMPONENTS:
            _push(steps, count, components[:n], ZERO)
        else:
            _push(steps, count, parents[:n], ZERO)
    return count + 1


@njit
def _search(algorithm, graph, n, source, steps, output, numbers):
    """Depth-first search, which all of these are; a node that has a parent is coloured before it is entered."""
    parents, topology, cuts, components, colours, entered, left, low, previous, children = numbers
    low_is_kept = algorithm in (ARTICULATION, BRIDGES)
    in_order = algorithm in (TOPOLOGICAL, DAG_PATHS)
    for i in range(n):
        parents[i] = topology[i] = components[i] = previous[i] = i
        cuts[i] = colours[i] = entered[i] = left[i] = low[i] = children[i] = 0
    if algorithm == BRIDGES:
        for i in range(n * n):
            output[i] = ZERO - 1 + (graph[i] != 0.0 or i % (n + 1) == 0)
    time = head = count = 0
    for phase in range(2 if algorithm == COMPONENTS else 1):
        if phase:
            for i in range(n):
                colours[i] = 0
                previous[i] = i
                cuts[i] = left[i]  # the second phase leaves nodes, too
        for number in range(1 if algorithm == DAG_PATHS else n):
            root = source if algorithm == DAG_PATHS else number
            if phase:
                root = _nth_left(cuts[:n], number)
            if colours[root]:
                continue
            last = u = root
            count = _push_search(algorithm, steps, count, n, parents, topology, head, cuts, output, components)
            while True:
                if phase:
                    components[u] = root
                if colours[u] == 0 or (entered[u] == 0 and not in_order):
                    time += 1
                    entered[u] = low[u] = time
                    colours[u] = 1
                    count = _push_search(algorithm, steps, count, n, parents, topology, head, cuts, output, components)
                for v in range(n):
                    if graph[n * v + u if phase else n * u + v] == 0.0:
                        continue
                    if colours[v] == 0:
                        if not in_order:
                            parents[v] = u
                        colours[v] = 1
                        previous[v] = last
                        last = v
                        children[u] += 1
                        count = _push_search(
                            algorithm, steps, count, n, parents, topology, head, cuts, output, components
                        )
                        break
                    if low_is_kept and v != parents[u]:
                        low[u] = min(low[u], entered[v])
                        count = _push_search(
                            algorithm, steps, count, n, parents, topology, head, cuts, output, components
                        )
                if last == u:
                    colours[u] = 2
                    time += 1
                    left[u] = time
                    if low_is_kept:
                        for v in range(n):
                            if parents[v] == u:
                                low[u] = min(low[u], low[v])
                                if algorithm == BRIDGES:
                                    if low[v] > entered[u]:
                                        output[n * u + v] = ZERO + 1
                                        output[n * v + u] = ZERO + 1
                                elif parents[u] != u and low[v] >= entered[u]:
                                    cuts[u] = 1
                        if algorithm == ARTICULATION and parents[u] == u and children[u] > 1:
                            cuts[u] = 1
                    elif in_order:
                        if colours[head] == 2:
                            topology[u] = head
                        head = u
                    count = _push_search(algorithm, steps, count, n, parents, topology, head, cuts, output, components)
                    if previous[u] == u:
                        break
                    before = previous[last]
                    previous[last] = last
                    last = before
                u = last
    if algorithm == TOPOLOGICAL:
        _fill_output(topology[:n], output)
        output[n] = ZERO + head
    elif algorithm == ARTICULATION:
        _fill_output(cuts[:n], output)
    elif algorithm == COMPONENTS:
        _fill_output(components[:n], output)
    elif algorithm == DAG_PATHS:
        count = _relax_in_order(graph, n, head, topology, parents, colours, steps, count)
        _fill_output(parents[:n], output)
    elif algorithm == DFS:
        _fill_output(parents[:n], output)
    return count


@njit
def _nth_left(left, number):
    """The node that was left last but `number`."""
    for i in range(len(left)):
        later = 0
        for other in left:
            later += other > left[i]
        if later == number:
            return i
    return -1


@njit
def _relax_in_order(graph, n, head, topology, parents, marked, steps, count):
    """The second half of shortest paths in a graph without cycles."""
    distances = np.zeros(n)
    for i in range(n):
        marked[i] = 0
    marked[head] = 1
    while topology[head] != head:
        marked[head] = 1
        count = _push(steps, count, parents[:n], ZERO)
        for j in range(n):
            weight = graph[n * head + j]
            if weight != 0.0 and (not marked[j] or distances[head] + weight < distances[j]):
                distances[j] = distances[head] + weight
                parents[j] = head
                marked[j] = 1
        head = topology[head]
    return _push(steps, count, parents[:n], ZERO)


# ---------------------------------------------------------------- others


@njit
def _bfs(graph, n, source, steps, output, numbers):
    parents, reached, before = numbers[0], numbers[1], numbers[2]
    for i in range(n):
        parents[i] = i
        reached[i] = 0
    reached[source] = 1
    count = 0
    changed = True
    while changed:
        copy(reached[:n], before)
        count = _push(steps, count, parents[:n], ZERO)
        changed = False
        for i in range(n):
            for j in range(n):
                if graph[n * i + j] != 0.0 and before[i]:
                    if parents[j] == j and j != source:
                        parents[j] = i
                    reached[j] = 1
                    changed |= not before[j]
    _fill_output(parents[:n], output)
    return count


@njit
def _bellman_ford(graph, n, source, steps, output, numbers, distances):
    parents, reached, before = numbers[0], numbers[1], numbers[2]
    now, old = distances[1], distances[2]
    for i in range(n):
        parents[i] = i
        reached[i] = 0
        now[i] = 0.0
    reached[source] = 1
    count = 0
    changed = True
    while changed:
        copy(reached[:n], before)
        copy(now[:n], old)
        count = _push(steps, count, parents[:n], ZERO)
        for u in range(n):
            for v in range(n):
                weight = graph[n * u + v]
                if before[u] and weight != 0.0:
                    if not reached[v] or old[u] + weight < now[v]:
                        now[v] = old[u] + weight
                        parents[v] = u
                    reached[v] = 1
        changed = False
        for i in range(n):
            changed |= now[i] != old[i]
    _fill_output(parents[:n], output)
    return count


@njit
def _nearest_first(is_prim, graph, n, source, steps, output, numbers, distances):
    """Dijkstra's and Prim's: they differ in what is added to an edge."""
    parents, marked, queued = numbers[0], numbers[1], numbers[2]
    keys = distances[1]
    for i in range(n):
        parents[i] = i
        marked[i] = queued[i] = 0
        keys[i] = 0.0
    queued[source] = 1
    count = _push(steps, 0, parents[:n], ZERO)
    for _ in range(n):
        u = -1
        for i in range(n):
            if queued[i] and (u < 0 or keys[i] < keys[u]):
                u = i
        if u < 0:
            break
        marked[u] = 1
        queued[u] = 0
        for v in range(n):
            weight = graph[n * u + v]
            if weight == 0.0 or marked[v]:
                continue
            key = weight if is_prim else keys[u] + weight
            if not queued[v] or key < keys[v]:
                parents[v] = u
                keys[v] = key
                queued[v] = 1
        count = _push(steps, count, parents[:n], ZERO)
    _fill_output(parents[:n], output)
    return count


@njit
def _floyd_warshall(graph, n, steps, output, distances):
    now, old, known = distances[1], distances[2], distances[3]
    before = np.empty(n * n, np.bool_)
    for i in range(n * n):
        now[i] = graph[i]
        known[i] = graph[i] != 0.0 or i % (n + 1) == 0
        output[i] = ZERO + i // n
    count = 0
    for k in range(n):
        for i in range(n * n):
            old[i] = now[i]
            before[i] = known[i] != 0.0
        count = _push(steps, count, output[: n * n], 0)
        for i in range(n):
            for j in range(n):
                if before[n * i + k] and before[n * k + j]:
                    here = n * i + j
                    total = old[n * i + k] + old[n * k + j]
                    if not known[here] or total < now[here]:
                        now[here] = total
                        output[here] = output[n * k + j]
                    else:
                        now[here] = old[here]
                    known[here] = 1
    return count


@njit
def _kruskal(graph, n, steps, output, numbers):
    parents, on_one, on_other = numbers[0], numbers[1], numbers[2]
    for i in range(n):
        parents[i] = i
    for i in range(n * n):
        output[i] = ZERO
    ends = np.empty((n * n, 2), np.int64)
    size = 0
    for i in range(n):
        for j in range(i + 1, n):
            weight = graph[n * i + j]
            if weight > 0.0:
                place = size
                while place > 0 and graph[n * ends[place - 1, 0] + ends[place - 1, 1]] > weight:
                    ends[place] = ends[place - 1]
                    place -= 1
                ends[place, 0] = i
                ends[place, 1] = j
                size += 1
    count = _push(steps, 0, output[: n * n], 0)
    for edge in range(size):
        u, v = ends[edge]
        count = _push(steps, count, output[: n * n], 0)
        one = u
        other = v
        for i in range(n):
            on_one[i] = i == u
            on_other[i] = i == v
        while parents[one] != one:
            one = parents[one]
            for i in range(n):
                if on_one[i]:
                    parents[i] = one
            on_one[one] = 1
            count = _push(steps, count, output[: n * n], 0)
        while parents[other] != other:
            other = parents[other]
            for i in range(n):
                if on_other[i]:
                    parents[i] = other
            on_other[other] = 1
            count = _push(steps, count, output[: n * n], 0)
        if one != other:
            output[n * u + v] = ZERO + 1
            output[n * v + u] = ZERO + 1
            parents[min(one, other)] = max(one, other)
        count = _push(steps, count, output[: n * n], 0)
    return count
