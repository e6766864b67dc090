"""The loops of a training step of small models, compiled by Numba: attention and GELU, forwards and backwards.

Each is a callback of C on one array of int64, its job: ``job[0]`` counts the pieces of work that are taken, ``job[1]``
says how many there are, and what follows is told at each. Any number of threads work on the same job at once; what a
piece gives depends on no other, nor on who takes it.
"""

import functools

import numpy as np
from numba import carray, njit, types

from .. import compiled
from .lanes import (
    BYTES,
    LANES,
    address_of,
    dot,
    dropped,
    exp,
    fill,
    first_lanes,
    gather,
    larger,
    load,
    scatter,
    spread,
    store,
    sum_lanes,
    take,
)

_callback = compiled.callback(types.void(types.CPointer(types.int64)), error_model="numpy")
# Where the arrays of an attention stand in its job: each with its address and its strides of rows, heads and tokens.
_FIRST, _FIELDS = 10, 4
TABLE = 8 * LANES  # bytes of the addresses of 16 heads
CHUNK = 64  # vectors of a piece of an activation
TOKENS = 64 * LANES  # of a piece of an MLP
TILE = 16  # times 16 tokens of it at once, which stay in the second level's cache


@njit
def _aligned(memory):
    return (memory.ctypes.data + BYTES - 1) // BYTES * BYTES


@njit
def _find_lanes(job, array, piece, table):
    """Writes the addresses of a piece's 16 heads; the last head again where there are no more."""
    field = _FIRST + _FIELDS * array
    address, row, head = job[field], job[field + 1], job[field + 2]
    heads, last = job[2], job[3] - 1
    for lane in range(LANES):
        number = min(piece * LANES + lane, last)
        table[lane] = address + number // heads * row + number % heads * head


@functools.cache
def attention_forward(dims: int, drops: bool):
    """Job: counter, pieces of 16 heads, heads of a row, heads of all rows, tokens, bits of the scale, seed, threshold
    and bits of the gain of dropout, statistics; then queries, keys, values, outputs.

    Statistics are ``[pieces, tokens, 2, 16]``: the largest score, and 1 / the sum of exp(score - largest).
    """

    @_callback
    def attend(pointer):
        job = carray(pointer, _FIRST + _FIELDS * 4)
        tokens, scale, gain = job[4], np.int32(job[5]).view(np.float32), np.int32(job[8]).view(np.float32)
        memory = np.empty((2 * dims + 1) * LANES * tokens + LANES, np.float32)
        keys = _aligned(memory)
        values = keys + dims * BYTES * tokens
        scores = values + dims * BYTES * tokens
        tables = np.empty((4, LANES), np.int64)
        queries_at = tables.ctypes.data
        keys_at, values_at, outs_at = queries_at + TABLE, queries_at + 2 * TABLE, queries_at + 3 * TABLE
        piece = take(address_of(pointer))
        while piece < job[1]:
            for array in range(4):
                _find_lanes(job, array, piece, tables[array])
            for j in range(tokens):
                store(keys + j * dims * BYTES, gather(keys_at, j * job[17], dims))
                store(values + j * dims * BYTES, gather(values_at, j * job[21], dims))
            for i in range(tokens):
                query = gather(queries_at, i * job[13], dims) * scale
                top = dot(query, load(keys, dims))
                for j in range(i + 1):
                    score = dot(query, load(keys + j * dims * BYTES, dims))
                    store(scores + j * BYTES, score)
                    top = larger(top, score)
                total = fill(0.0, 1)
                out = fill(0.0, dims)
                for j in range(i + 1):
                    share = exp(load(scores + j * BYTES, 1) - top)
                    total = total + share
                    if drops:
                        row = piece * LANES * tokens + i
                        share = share * dropped(row, tokens, j, job[6], job[7], gain)
                    out = out + share * load(values + j * dims * BYTES, dims)
                statistic = job[9] + (piece * tokens + i) * 2 * BYTES
                store(statistic, top)
                store(statistic + BYTES, 1.0 / total)
                scatter(outs_at, i * job[25], out / total)
            piece = take(address_of(pointer))
        memory[0] = 0  # Numba frees it after its last use

    return attend


@functools.cache
def attention_backward(dims: int, drops: bool):
    """Job: as `attention_forward`'s, but after the values also gradients of outputs, outputs, and then what is written:
    the gradients of queries, keys and values.
    """
    tile = max(1, 96 // dims)  # keys at once, which with values and their gradients stay in the first level's cache

    @_callback
    def attend(pointer):
        job = carray(pointer, _FIRST + _FIELDS * 8)
        tokens, scale, gain = job[4], np.int32(job[5]).view(np.float32), np.int32(job[8]).view(np.float32)
        memory = np.empty((4 * dims * tile + (3 * dims + 1) * tokens + 1) * LANES, np.float32)
        keys = _aligned(memory)
        values, dkeys, dvalues = keys + dims * BYTES, keys + 2 * dims * BYTES, keys + 3 * dims * BYTES
        queries = keys + 4 * dims * BYTES * tile
        grads, dqueries, inners = queries + dims * BYTES, queries + 2 * dims * BYTES, queries + 3 * dims * BYTES
        step, stride = 4 * dims * BYTES, (3 * dims + 1) * BYTES
        tables = np.empty((8, LANES), np.int64)
        first = tables.ctypes.data
        piece = take(address_of(pointer))
        while piece < job[1]:
            for array in range(8):
                _find_lanes(job, array, piece, tables[array])
            for i in range(tokens):
                grad = gather(first + 3 * TABLE, i * job[25], dims)
                store(queries + i * stride, gather(first, i * job[13], dims) * scale)
                store(grads + i * stride, grad)
                store(dqueries + i * stride, fill(0.0, dims))
                store(inners + i * stride, dot(grad, gather(first + 4 * TABLE, i * job[29], dims)))
            for start in range(0, tokens, tile):
                stop = min(start + tile, tokens)
                for j in range(start, stop):
                    place = (j - start) * step
                    store(keys + place, gather(first + TABLE, j * job[17], dims))
                    store(values + place, gather(first + 2 * TABLE, j * job[21], dims))
                    store(dkeys + place, fill(0.0, dims))
                    store(dvalues + place, fill(0.0, dims))
                for i in range(start, tokens):
                    query, grad = load(queries + i * stride, dims), load(grads + i * stride, dims)
                    dquery, inner = load(dqueries + i * stride, dims), load(inners + i * stride, 1)
                    statistic = job[9] + (piece * tokens + i) * 2 * BYTES
                    top, part = load(statistic, 1), load(statistic + BYTES, 1)
                    for j in range(start, min(i + 1, stop)):
                        place = (j - start) * step
                        key = load(keys + place, dims)
                        share = exp(dot(query, key) - top) * part
                        dshare = dot(grad, load(values + place, dims))
                        kept = share
                        if drops:
                            mask = dropped(piece * LANES * tokens + i, tokens, j, job[6], job[7], gain)
                            dshare = dshare * mask
                            kept = share * mask
                        dscore = share * (dshare - inner)
                        store(dvalues + place, load(dvalues + place, dims) + kept * grad)
                        store(dkeys + place, load(dkeys + place, dims) + dscore * query)
                        dquery = dquery + dscore * key
                    store(dqueries + i * stride, dquery)
                for j in range(start, stop):
                    place = (j - start) * step
                    scatter(first + 6 * TABLE, j * job[37], load(dkeys + place, dims))
                    scatter(first + 7 * TABLE, j * job[41], load(dvalues + place, dims))
            for i in range(tokens):
                scatter(first + 5 * TABLE, i * job[33], load(dqueries + i * stride, dims) * scale)
            piece = take(address_of(pointer))
        memory[0] = 0  # Numba frees it after its last use

    return attend


_INNER, _CUBIC = 2 * (2 / np.pi) ** 0.5, 0.044715  # of the tanh in GELU, as of the logistic function


@njit
def _gate(x):
    """What GELU multiplies x by."""
    return 1.0 / (1.0 + exp(-_INNER * x * (1.0 + _CUBIC * x * x)))


@njit
def _slope(x, gate):
    """The derivative of GELU at x."""
    return gate + gate * (1.0 - gate) * x * (_INNER + 3.0 * _INNER * _CUBIC * x * x)


@functools.cache
def gelu_forward():
    """Job: counter, pieces of `CHUNK` vectors, numbers (16 at least); addresses of x and of the outputs."""

    @_callback
    def activate(pointer):
        job = carray(pointer, 5)
        piece = take(address_of(pointer))
        while piece < job[1]:
            for vector in range(piece * CHUNK, (piece + 1) * CHUNK):
                place = 4 * min(vector * LANES, job[2] - LANES)
                x = load(job[3] + place, 1)
                store(job[4] + place, x * _gate(x))
            piece = take(address_of(pointer))

    return activate


@functools.cache
def gelu_backward():
    """Job: as `gelu_forward`'s, but x, the gradients of outputs, and the gradients that are written."""

    @_callback
    def activate(pointer):
        job = carray(pointer, 6)
        piece = take(address_of(pointer))
        while piece < job[1]:
            for vector in range(piece * CHUNK, (piece + 1) * CHUNK):
                place = 4 * min(vector * LANES, job[2] - LANES)
                x, grad = load(job[3] + place, 1), load(job[4] + place, 1)
                store(job[5] + place, grad * _slope(x, _gate(x)))
            piece = take(address_of(pointer))

    return activate


@njit
def _find_tokens(address, first, tokens, size, table):
    """Writes the addresses of 16 tokens of so many bytes; the last one again where there are no more."""
    for lane in range(LANES):
        table[lane] = address + min(first + lane, tokens - 1) * size


@functools.cache
def mlp_forward(dims: int):
    """Job: counter, pieces of `TOKENS` tokens, tokens, inner units; addresses of x, of weights and biases of the first
    layer (a row for each unit) and of the second (likewise), and of the outputs.
    """

    @_callback
    def compute(pointer):
        job = carray(pointer, 10)
        tokens, units = job[2], job[3]
        tables = np.empty((2, LANES), np.int64)
        x_at, out_at = tables.ctypes.data, tables.ctypes.data + TABLE
        piece = take(address_of(pointer))
        while piece < job[1]:
            for first in range(piece * TOKENS, min((piece + 1) * TOKENS, tokens), LANES):
                _find_tokens(job[4], first, tokens, 4 * dims, tables[0])
                _find_tokens(job[9], first, tokens, 4 * dims, tables[1])
                x = gather(x_at, 0, dims)
                out = spread(job[8], dims)
                for unit in range(units):
                    h = dot(x, spread(job[5] + unit * 4 * dims, dims)) + spread(job[6] + unit * 4, 1)
                    out = out + h * _gate(h) * spread(job[7] + unit * 4 * dims, dims)
                scatter(out_at, 0, out)
            piece = take(address_of(pointer))

    return compute


@functools.cache
def mlp_backward(dims: int):
    """Job: as `mlp_forward`'s, but without the bias of the second layer; the gradients of outputs, and the addresses of
    what is written: gradients of x, and for each piece those of weights and biases in their order.
    """

    @_callback
    def compute(pointer):
        job = carray(pointer, 11)
        tokens, units = job[2], job[3]
        size = units * (2 * dims + 1) + dims
        memory = np.empty((size + TILE * 2 * (dims + units) + 1) * LANES, np.float32)
        sums = _aligned(memory)
        bias_sums = sums + units * dims * BYTES
        second_sums = bias_sums + units * BYTES
        rest_sums = second_sums + units * dims * BYTES
        xs = sums + size * BYTES
        grads = xs + TILE * dims * BYTES
        actives = grads + TILE * dims * BYTES
        slopes = actives + TILE * units * BYTES
        tables = np.empty((3, LANES), np.int64)
        x_at, grad_at, dx_at = tables.ctypes.data, tables.ctypes.data + TABLE, tables.ctypes.data + 2 * TABLE
        piece = take(address_of(pointer))
        while piece < job[1]:
            memory[: size * LANES + LANES] = 0
            for start in range(piece * TOKENS, min((piece + 1) * TOKENS, tokens), TILE * LANES):
                groups = min(TILE, (tokens - start + LANES - 1) // LANES)
                for group in range(groups):
                    first = start + group * LANES
                    _find_tokens(job[4], first, tokens, 4 * dims, tables[0])
                    _find_tokens(job[8], first, tokens, 4 * dims, tables[1])
                    _find_tokens(job[9], first, tokens, 4 * dims, tables[2])
                    x, grad = gather(x_at, 0, dims), gather(grad_at, 0, dims)
                    is_token = first_lanes(tokens - first)
                    for unit in range(units):
                        h = dot(x, spread(job[5] + unit * 4 * dims, dims)) + spread(job[6] + unit * 4, 1)
                        gate = _gate(h)
                        store(actives + (unit * TILE + group) * BYTES, h * gate)
                        store(slopes + (unit * TILE + group) * BYTES, _slope(h, gate))
                    dx = fill(0.0, dims)
                    for unit in range(units):
                        slope = load(slopes + (unit * TILE + group) * BYTES, 1)
                        dh = dot(grad, spread(job[7] + unit * 4 * dims, dims)) * slope
                        dx = dx + dh * spread(job[5] + unit * 4 * dims, dims)
                        store(slopes + (unit * TILE + group) * BYTES, dh)
                    scatter(dx_at, 0, dx)
                    store(xs + group * dims * BYTES, x * is_token)
                    store(grads + group * dims * BYTES, grad * is_token)
                    store(rest_sums, load(rest_sums, dims) + grad * is_token)
                    for unit in range(units):
                        dh = load(slopes + (unit * TILE + group) * BYTES, 1) * is_token
                        store(bias_sums + unit * BYTES, load(bias_sums + unit * BYTES, 1) + dh)
                for unit in range(units):
                    place = unit * dims * BYTES
                    first_sum, second_sum = load(sums + place, dims), load(second_sums + place, dims)
                    for group in range(groups):
                        x, grad = load(xs + group * dims * BYTES, dims), load(grads + group * dims * BYTES, dims)
                        first_sum = first_sum + load(slopes + (unit * TILE + group) * BYTES, 1) * x
                        second_sum = second_sum + load(actives + (unit * TILE + group) * BYTES, 1) * grad
                    store(sums + place, first_sum)
                    store(second_sums + place, second_sum)
            for number in range(size):
                sum_lanes(job[10] + 4 * (piece * size + number), load(sums + number * BYTES, 1))
            piece = take(address_of(pointer))
        memory[0] = 0

    return compute
