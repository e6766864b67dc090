"""CLRS-Text's rows one by one, with inputs drawn as its samplers do: ours are compared with them, and timed against."""

import math
import random

from hf_procedural.tasks import clrs


def _cut(number: float) -> str:
    """A number cut to three decimals, as NumPy writes it."""
    return str(math.trunc(number * 1000) / 1000)


def _floats(rng, n, low=0.0, high=1.0) -> list[str]:
    return [_cut(rng.uniform(low, high)) for _ in range(n)]


def _graph(rng, n, p, directed, acyclic=False) -> list[list[int]]:
    edges = [[int(rng.random() < p) for _ in range(n)] for _ in range(n)]
    if not directed:
        return [[edges[i][j] * edges[j][i] for j in range(n)] for i in range(n)]
    if acyclic:
        order = rng.sample(range(n), n)
        return [[edges[order[i]][order[j]] * (order[i] < order[j]) for j in range(n)] for i in range(n)]
    return edges


def _weighted(rng, edges, directed) -> list[list[str]]:
    n = len(edges)
    weights = [[rng.random() for _ in range(n)] for _ in range(n)]
    if not directed:
        weights = [[math.sqrt(weights[i][j] * weights[j][i] + 1e-3) for j in range(n)] for i in range(n)]
    return [[_cut(edges[i][j] * weights[i][j]) for j in range(n)] for i in range(n)]


def _communities(rng, n, p) -> list[list[str]]:
    communities = [min(i // (n // 4), 3) for i in range(n)]
    mat = [[int(communities[i] == communities[j] and rng.random() < p) for j in range(n)] for i in range(n)]
    for i in range(n):
        for j in range(n):
            if rng.random() < 0.01 and communities[i] <= communities[j]:
                mat[i][j] = 1 - mat[i][j]
    order = rng.sample(range(n), n)
    return [[str(float(mat[order[i]][order[j]])) for j in range(n)] for i in range(n)]


def clrs_inputs(rng: random.Random, algorithm: str, n: int, p: float | None = None) -> dict:
    """The inputs of an algorithm of `n` items, by name, as words."""
    if algorithm in clrs.GRAPHS:
        about = clrs.GRAPHS[algorithm]
        p = about.p if p is None else p
        if algorithm == "strongly_connected_components":
            return {"A": _communities(rng, n, p)}
        acyclic = algorithm in ("topological_sort", "dag_shortest_paths")
        directed = acyclic or algorithm == "dfs"
        edges = _graph(rng, n, p, directed, acyclic)
        if algorithm in ("dfs", "topological_sort", "articulation_points", "bridges", "bfs"):
            graph = [list(map(str, row)) for row in edges]
        else:
            graph = _weighted(rng, edges, directed)
        return {"s": str(rng.randrange(n)), "A": graph} if about.inputs == "s A" else {"A": graph}
    if algorithm == "binary_search":
        return {"key": sorted(_floats(rng, n), key=float), "target": _cut(rng.random())}
    if algorithm == "find_maximum_subarray_kadane":
        return {"key": _floats(rng, n, -1, 1)}
    if algorithm == "activity_selector":
        pairs = [sorted(rng.random() for _ in range(2)) for _ in range(n)]
        return {"s": [_cut(start) for start, _ in pairs], "f": [_cut(end) for _, end in pairs]}
    if algorithm == "task_scheduling":
        return {"d": [str(rng.randint(1, n)) for _ in range(n)], "w": _floats(rng, n)}
    if algorithm in ("lcs_length", "naive_string_matcher", "kmp_matcher"):
        key = [str(rng.randrange(4)) for _ in range(n)]
        size = n // 2 if algorithm == "lcs_length" else max(n // 5, 1)
        if algorithm != "lcs_length":
            place = rng.randrange(n - 2 * size)
            key[place : place + size] = key[n - size :]
        return {"string": ["0"] * (n - size) + ["1"] * size, "key": key}
    if algorithm == "optimal_bst":
        numbers = [rng.random() for _ in range(2 * n + 1)]
        shares = [_cut(number / sum(numbers)) for number in numbers]
        return {"p": [*shares[:n], "0.0"], "q": shares[n:]}
    return {clrs.ALGORITHMS[algorithm].inputs: _floats(rng, n)}


def clrs_row(rng: random.Random, task: clrs.CLRS) -> tuple[list[str], list[str]]:
    """The words of a question and of its answer."""
    inputs = clrs_inputs(rng, task.algorithm, rng.choice(task.items), task.p)
    return task.words(task.algorithm, inputs, task.trace)
