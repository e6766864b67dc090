"""How CLRS-Text's rows are written, and what their inputs are drawn from, compiled by Numba."""

import math

from .clrs_ids import BAR, CLOSE, COLON, COMMA, EOS, FLOAT, INITIAL, LEFT, NEWLINE, OPEN, RIGHT, SEP, TRACE, ZERO
from .kernels import below, njit, uniform

LIST, MATRIX, NUMBER, PAIR, LIST_AND_NUMBER = range(5)  # what a step of a trace looks like


@njit
def copy(values, out):
    """As ``out[: len(values)] = values``, which takes seconds to compile."""
    for i in range(len(values)):
        out[i] = values[i]


@njit
def put_list(cells, end, values):
    """``[a b c]`` at `end` of a row; gives the new end. Where a row is too short, what does not fit is left out."""
    if end + len(values) + 2 <= len(cells):
        cells[end] = OPEN
        for i in range(len(values)):
            cells[end + 1 + i] = values[i]
        cells[end + 1 + len(values)] = CLOSE
    return end + len(values) + 2


@njit
def put(cells, end, token):
    if end < len(cells):
        cells[end] = token
    return end + 1


@njit
def put_matrix(cells, end, values, width):
    """``[[a b], [c d]]``."""
    end = put(cells, end, OPEN)
    for start in range(0, len(values), width):
        if start:
            end = put(cells, end, COMMA)
        end = put_list(cells, end, values[start : start + width])
    return put(cells, end, CLOSE)


@njit
def _put_step(cells, end, values, shape, width, in_brackets):
    if shape == LIST:
        return put_list(cells, end, values)
    if shape == MATRIX:
        return put_matrix(cells, end, values, width)
    if shape == NUMBER:
        return put(cells, end, values[0])
    if shape == PAIR:
        if in_brackets:
            end = put(cells, end, LEFT)
        end = put(cells, end, values[0])
        end = put(cells, end, COMMA)
        end = put(cells, end, values[1])
        return put(cells, end, RIGHT) if in_brackets else end
    end = put_list(cells, end, values[:-1])
    end = put(cells, end, COMMA)
    return put(cells, end, values[-1])


@njit
def finish(cells, end, steps, count, output, shape, width, asked, with_trace):
    """What follows the inputs: the first step, what is asked, <sep>, the others, the output, <eos>.

    Gives where the answer begins, and where the row ends: behind the row where it has no room for it.
    """
    if with_trace:
        end = put(cells, end, COMMA)
        end = put(cells, end, INITIAL)
        end = put(cells, end, COLON)
        end = _put_step(cells, end, steps[0], shape, width, True)
    end = put(cells, end, NEWLINE)
    if with_trace:
        end = put(cells, end, TRACE)
        end = put(cells, end, BAR)
    for token in asked:
        end = put(cells, end, token)
    end = put(cells, end, COLON)
    end = put(cells, end, SEP)
    start = end
    if with_trace:
        for step in range(1, count - 1):
            if step > 1:
                end = put(cells, end, COMMA)
            end = _put_step(cells, end, steps[step], shape, width, True)
        end = put(cells, end, BAR)
    end = _put_step(cells, end, output, shape, width, with_trace)
    return start, put(cells, end, EOS)


# ---------------------------------------------------------------- inputs


@njit
def float_id(thousandths):
    return FLOAT + thousandths


@njit
def fill_floats(state, out):
    """Numbers of [0, 1), cut to three decimals."""
    for i in range(len(out)):
        out[i] = FLOAT + below(state, 1000)


@njit
def random_graph(state, n, p, directed, acyclic, edges, order):
    """An Erdos-Renyi graph, int8 ``[n * n]``: an edge that is not directed needs both of two draws."""
    for i in range(n):
        order[i] = i
    for i in range(n * n):
        edges[i] = uniform(state) < p
    if acyclic:
        for i in range(n):
            other = i + below(state, n - i)
            order[i], order[other] = order[other], order[i]
    for i in range(n):
        for j in range(i + 1):
            if not directed:
                both = edges[n * i + j] & edges[n * j + i]
                edges[n * i + j] = both
                edges[n * j + i] = both
            elif acyclic:  # the draws are independent: those of one triangle, in the order of the nodes, do
                edges[n * i + j] &= order[i] < order[j]
                edges[n * j + i] &= order[j] < order[i]


@njit
def random_weights(state, n, directed, edges, out):
    """Token ids of a graph's weights, 0.0 where there is no edge."""
    for i in range(n):
        for j in range(n):
            if directed:
                out[n * i + j] = FLOAT + (below(state, 1000) if edges[n * i + j] else 0)
            elif j <= i:
                weight = 0
                if edges[n * i + j]:
                    one = uniform(state)
                    other = one if i == j else uniform(state)
                    weight = int(math.sqrt(one * other + 1e-3) * 1000.0)
                out[n * i + j] = FLOAT + weight
                out[n * j + i] = FLOAT + weight


@njit
def random_communities(state, n, p, noise, edges, order):
    """Four communities, directed: edges within with probability `p`, some toggled, none back to an earlier one."""
    for i in range(n):
        order[i] = i
    for i in range(n):
        other = i + below(state, n - i)
        order[i], order[other] = order[other], order[i]
    size = n // 4
    for i in range(n):
        for j in range(n):
            one = min(order[i] // size, 3)
            other = min(order[j] // size, 3)
            edge = one == other and uniform(state) < p
            toggled = one <= other and uniform(state) < noise
            edges[n * i + j] = edge != toggled


@njit
def fill_numbers(values, out):
    """Token ids of integers."""
    for i in range(len(values)):
        out[i] = ZERO + values[i]
