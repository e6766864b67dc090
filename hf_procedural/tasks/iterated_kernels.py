"""Random recurrent networks that rewrite sequences, compiled by Numba.

Sixteen rows go through a network side by side. Every sum is of one row, in the order of the units, so that it has the
same bits however wide the processor's vectors are; all is + - * / and comparisons of float32 numbers.
"""

import math

import numpy as np

from . import lanes_kernels as lanes
from .kernels import below, njit, uniform
from .lanes_kernels import BYTES, LANES

_WEIGHTS = 16  # bytes of four weights


@njit
def _fill_uniform(state, out, scale):
    """Uniform on (-scale, scale)."""
    flat = out.reshape(out.size)
    for i in range(len(flat)):
        flat[i] = np.float32(scale * (2.0 * uniform(state) - 1.0))


@njit
def _fill_bell(state, out, scale):
    """Of variance `scale` squared: a sum of four uniform numbers, which is nearly normal."""
    flat = out.reshape(out.size)
    factor = scale * math.sqrt(3.0)
    for i in range(len(flat)):
        total = uniform(state) + uniform(state) + uniform(state) + uniform(state)
        flat[i] = np.float32(factor * (total - 2.0))


@njit
def draw_network(state, network, gains, spread):
    """Draws the weights of a network as PyTorch does; those of the layers are times one number in `gains`.

    `embedding`: ``[symbols, width]``, of the standard deviation `spread`; `inputs`: of the first layer, for what was
    written and for what is read, ``[2, width, units, 4]``, where 4 are the gates of a unit: input, forget, cell and
    output; `hidden`: ``[2 * layers - 1, units, width, 4]``, of each layer from itself, then of each but the first from
    the one below; `biases`: ``[layers, units, 4]``; `out`: ``[symbols / 4, width, 4]``; `offset`: ``[symbols / 4, 4]``.
    """
    embedding, inputs, hidden, biases, out, offset = network
    scale = 1.0 / math.sqrt(embedding.shape[1])
    gain = gains[0] + (gains[1] - gains[0]) * uniform(state)
    _fill_bell(state, embedding, spread)
    _fill_uniform(state, inputs, gain * scale)
    _fill_uniform(state, hidden, gain * scale)
    flat = biases.reshape(biases.size)
    for i in range(len(flat)):  # of two that are added up
        flat[i] = np.float32(scale * (2.0 * (uniform(state) + uniform(state)) - 2.0))
    _fill_uniform(state, out, scale)
    _fill_uniform(state, offset, scale)


@njit
def project(embedding, weights, out):
    """What each symbol adds to the gates of the first layer, ``[symbols, 4 * width]``, in the order of the units."""
    out[:] = 0
    for symbol in range(len(out)):
        row = out[symbol]
        for i in range(embedding.shape[1]):
            x = embedding[symbol, i]
            here = weights[i]
            for j in range(len(row)):
                row[j] += x * here[j]


@njit
def rewrite(symbols, read, seed, network, tables, memory, output, gates, scores):
    """Writes each lane's `symbols`, ``[length, LANES]``, behind the first `seed` of them: the likeliest one each time.

    At each place the network gets what was written there, and what stands there in `read`.
    """
    _, _, hidden, biases, out, offset = network
    layers, width, _ = memory.shape
    memory[:] = 0
    output[:] = 0
    best = np.empty(LANES, np.uint8)
    gates_at = np.int64(gates.ctypes.data)
    scores_at = np.int64(scores.ctypes.data)
    row = BYTES * width
    for place in range(len(symbols) - 1):
        for layer in range(layers):
            for unit in range(width):
                for gate in range(4):
                    bias = biases[layer, unit, gate]
                    for lane in range(LANES):
                        gates[unit, gate, lane] = bias
            if layer == 0:
                for lane in range(LANES):
                    one = tables[0, symbols[place, lane]]
                    other = tables[1, read[place, lane]]
                    for unit in range(width):
                        for gate in range(4):
                            gates[unit, gate, lane] += one[4 * unit + gate] + other[4 * unit + gate]
            here = np.int64(output.ctypes.data) + layer * row
            own = np.int64(hidden.ctypes.data) + layer * width * width * _WEIGHTS
            lower = np.int64(hidden.ctypes.data) + (layers + layer - 1) * width * width * _WEIGHTS
            for unit in range(width):
                at = gates_at + unit * 4 * BYTES
                weights = unit * width * _WEIGHTS
                if layer:
                    lanes.accumulate(here - row, lower + weights, at, width)
                lanes.accumulate(here, own + weights, at, width)
            kept = np.int64(memory.ctypes.data) + layer * row
            for unit in range(width):
                lanes.lstm(gates_at + unit * 4 * BYTES, kept + unit * BYTES, here + unit * BYTES)
        if place + 1 < seed:
            continue
        top = np.int64(output.ctypes.data) + (layers - 1) * row
        for four in range(len(out)):
            for number in range(4):
                for lane in range(LANES):
                    scores[4 * four + number, lane] = offset[four, number]
            weights = np.int64(out.ctypes.data) + four * width * _WEIGHTS
            lanes.accumulate(top, weights, scores_at + four * 4 * BYTES, width)
        lanes.largest(scores_at, len(tables[0]), np.float32(0), best.ctypes.data)
        for lane in range(LANES):
            symbols[place + 1, lane] = best[lane]


@njit
def empty_network(symbols, width, layers):
    fours = (symbols + 3) // 4
    return (
        np.zeros((symbols, width), np.float32),
        np.zeros((2, width, 4 * width), np.float32),
        np.zeros((2 * layers - 1, width, width, 4), np.float32),
        np.zeros((layers, width, 4), np.float32),
        np.zeros((fours, width, 4), np.float32),
        np.zeros((fours, 4), np.float32),
    )


@njit
def fill(state, rows, size, seed, gains, spread, again, bounds):
    """Rows begin as one symbol or at random; each network of sixteen of them then rewrites them.

    With probability `again` another network follows, within the `bounds` of their number.
    """
    symbols, width, layers = size
    length = rows.shape[1]
    network = empty_network(symbols, width, layers)
    tables = np.empty((2, symbols, 4 * width), np.float32)
    memory = np.empty((layers, width, LANES), np.float32)
    output = np.empty((layers, width, LANES), np.float32)
    gates = np.empty((width, 4, LANES), np.float32)
    scores = np.empty((symbols + 4, LANES), np.float32)
    now = np.empty((length, LANES), np.int32)
    read = np.empty((length, LANES), np.int32)
    for start in range(0, len(rows), LANES):
        for lane in range(LANES):
            is_constant = below(state, 2)
            symbol = below(state, symbols)
            for place in range(length):
                now[place, lane] = symbol if is_constant else below(state, symbols)
        number = bounds[0]
        while number < bounds[1] and uniform(state) < again:
            number += 1
        for _ in range(number):
            draw_network(state, network, gains, spread)
            project(network[0], network[1][0], tables[0])
            project(network[0], network[1][1], tables[1])
            read[:] = now
            first = below(state, length - seed)  # where seeds are taken from, of the next row
            for place in range(seed):
                for lane in range(LANES):
                    now[place, lane] = read[first + place, (lane + 1) % LANES]
            rewrite(now, read, seed, network, tables, memory, output, gates, scores)
        for lane in range(min(LANES, len(rows) - start)):
            for place in range(length):
                rows[start + lane, place] = now[place, lane]
