"""CLRS-Text's algorithms on graphs in plain Python, as clrs_oracle.py has the others."""

import itertools


def _weights(matrix) -> list[list[float]]:
    return [list(map(float, row)) for row in matrix]


class _Search:
    """Depth-first search as the reference walks: a stack of nodes, each looking for its next neighbour from the first.

    `note` is called after each change, `left` when a node is done, `met` at a neighbour that is known already.
    """

    def __init__(self, graph, note, met=None, left=None, reached=None, notes_entries=True):
        self.graph, self.note = graph, note
        self.met, self.left, self.reached = met, left, reached
        self.notes_entries = notes_entries
        self.known, self.entered, self.time = set(), {}, 0

    def walk(self, root):
        if root in self.known:
            return
        self.note()
        stack = [root]
        while stack:
            u = stack[-1]
            if u not in self.known or (self.notes_entries and u not in self.entered):
                self.known.add(u)
                self.time += 1
                self.entered[u] = self.time
                self.note()
            if not self._step(u, stack):
                stack.pop()
                self.time += 1
                if self.left:
                    self.left(u)
                self.note()

    def _step(self, u, stack) -> bool:
        for v, weight in enumerate(self.graph[u]):
            if weight and v not in self.known:
                self.known.add(v)
                stack.append(v)
                if self.reached:
                    self.reached(u, v)
                self.note()
                return True
            if weight and self.met and self.met(u, v):
                self.note()
        return False


def dfs(A):
    parents = list(range(len(A)))
    steps = []
    search = _Search(_weights(A), lambda: steps.append(parents[:]), reached=lambda u, v: parents.__setitem__(v, u))
    for node in range(len(A)):
        search.walk(node)
    return steps, parents


def _topology(A, roots):
    """The order in which nodes are left, the last first, as a list of successors, and its head; and the steps."""
    following = list(range(len(A)))
    done = []
    steps = []

    def left(u):
        head = done[-1] if done else 0
        if head in done or head == u:
            following[u] = head
        done.append(u)

    def note():
        steps.append((following[:], done[-1] if done else 0))

    search = _Search(_weights(A), note, left=left, notes_entries=False)
    for node in roots:
        search.walk(node)
    return steps, (following, done[-1])


def topological_sort(A):
    return _topology(A, range(len(A)))


def dag_shortest_paths(s, A):
    graph = _weights(A)
    searched, (following, node) = _topology(A, [int(s)])
    parents = list(range(len(A)))
    steps = [parents[:] for _ in searched]
    distances = {node: 0.0}
    while following[node] != node:
        steps.append(parents[:])
        for v, weight in enumerate(graph[node]):
            if weight and (v not in distances or distances[node] + weight < distances[v]):
                distances[v] = distances[node] + weight
                parents[v] = node
        node = following[node]
    steps.append(parents[:])
    return steps, parents


def _low_search(A, note, left):
    """Depth-first search that knows of each node the earliest that is reached from below it."""
    parents = list(range(len(A)))
    low = {}

    def met(u, v):
        if v == parents[u]:
            return False
        low[u] = min(low.get(u, search.entered[u]), search.entered[v])
        return True

    def finish(u):
        children = [v for v in range(len(A)) if parents[v] == u]
        low[u] = min(low.get(v, search.entered.get(v)) for v in [u, *children])
        left(u, [v for v in children if v != u], parents, low, search.entered)

    search = _Search(_weights(A), note, met, finish, lambda u, v: parents.__setitem__(v, u))
    for node in range(len(A)):
        search.walk(node)


def articulation_points(A):
    is_cut = [0] * len(A)
    steps = []

    def left(u, children, parents, low, entered):
        is_root = parents[u] == u
        if len(children) > 1 if is_root else any(low[v] >= entered[u] for v in children):
            is_cut[u] = 1

    _low_search(A, lambda: steps.append(is_cut[:]), left)
    return steps, is_cut


def bridges(A):
    nodes = range(len(A))
    found = [[0 if u == v or float(A[u][v]) else -1 for v in nodes] for u in nodes]
    steps = []

    def left(u, children, parents, low, entered):
        for v in children:
            if low[v] > entered[u]:
                found[u][v] = found[v][u] = 1

    _low_search(A, lambda: steps.append([row[:] for row in found]), left)
    return steps, found


def strongly_connected_components(A):
    graph = _weights(A)
    components = list(range(len(A)))
    steps = []
    done = []

    def note():
        steps.append(components[:])

    search = _Search(graph, note, left=done.append)
    for node in range(len(A)):
        search.walk(node)
    root = 0

    class Labels(_Search):
        def _step(self, u, stack):
            components[u] = root
            return super()._step(u, stack)

    back = Labels([list(column) for column in zip(*graph, strict=True)], note, notes_entries=False)
    for root in reversed(done):
        back.walk(root)
    return steps, components


# ---------------------------------------------------------------- others


def bfs(s, A):
    graph, source = _weights(A), int(s)
    parents = list(range(len(A)))
    reached = {source}
    steps = []
    while True:
        steps.append(parents[:])
        new = set(reached)
        for u, v in itertools.product(range(len(A)), repeat=2):
            if graph[u][v] and u in reached:
                if parents[v] == v and v != source:
                    parents[v] = u
                new.add(v)
        if new == reached:
            return steps, parents
        reached = new


def bellman_ford(s, A):
    graph = _weights(A)
    distances = {int(s): 0.0}
    parents = list(range(len(A)))
    steps = []
    while True:
        steps.append(parents[:])
        old = dict(distances)
        for u, v in itertools.product(range(len(A)), repeat=2):
            if u in old and graph[u][v] and (v not in distances or old[u] + graph[u][v] < distances[v]):
                distances[v] = old[u] + graph[u][v]
                parents[v] = u
        if distances == old:
            return steps, parents


def _nearest_first(s, A, cost):
    graph = _weights(A)
    keys, done = {int(s): 0.0}, set()
    parents = list(range(len(A)))
    steps = [parents[:]]
    while keys.keys() > done:
        u = min(sorted(keys.keys() - done), key=keys.__getitem__)
        done.add(u)
        for v, weight in enumerate(graph[u]):
            if weight and v not in done and (v not in keys or cost(keys[u], weight) < keys[v]):
                keys[v] = cost(keys[u], weight)
                parents[v] = u
        steps.append(parents[:])
    return steps, parents


def mst_prim(s, A):
    return _nearest_first(s, A, lambda _, weight: weight)


def dijkstra(s, A):
    return _nearest_first(s, A, lambda key, weight: key + weight)


def floyd_warshall(A):
    nodes = range(len(A))
    distances = {(u, u): 0.0 for u in nodes}
    for u, row in enumerate(_weights(A)):
        for v, weight in enumerate(row):
            if weight:
                distances[u, v] = weight
    before = [[u] * len(A) for u in nodes]
    steps = []
    for k in nodes:
        steps.append([row[:] for row in before])
        old = dict(distances)
        for u, v in itertools.product(nodes, nodes):
            if (u, k) in old and (k, v) in old:
                total = old[u, k] + old[k, v]
                if (u, v) not in distances or total < distances[u, v]:
                    distances[u, v] = total
                    before[u][v] = before[k][v]
    return steps, before


def mst_kruskal(A):
    graph, nodes = _weights(A), range(len(A))
    parents = list(nodes)
    tree = [[0] * len(A) for _ in nodes]
    steps = [[row[:] for row in tree]]

    def root_of(node):
        on_path = {node}
        while parents[node] != node:
            node = parents[node]
            for other in on_path:
                parents[other] = node
            on_path.add(node)
            steps.append([row[:] for row in tree])
        return node

    edges = [(u, v) for u, v in itertools.combinations(nodes, 2) if graph[u][v]]
    for u, v in sorted(edges, key=lambda edge: graph[edge[0]][edge[1]]):
        steps.append([row[:] for row in tree])
        one, other = root_of(u), root_of(v)
        if one != other:
            tree[u][v] = tree[v][u] = 1
            parents[min(one, other)] = max(one, other)
        steps.append([row[:] for row in tree])
    return steps, tree
