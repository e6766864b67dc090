"""Random recurrent networks in NumPy, number by number as the kernels have it, and in float64 as PyTorch has it."""

import numpy as np


def squash(x):
    """The kernels' tanh, in the precision of `x`."""
    x = np.clip(x, x.dtype.type(-3), x.dtype.type(3))
    square = x * x
    return x * (27 + square) / (27 + 9 * square)


def share(x):
    half = x.dtype.type(0.5)
    return half + half * squash(half * x)


def _total(start, weights, values):
    """`start` and the sum of weights ``[units, values, 4]`` times values ``[values]``, value by value."""
    total = start.copy()
    for place, value in enumerate(values):
        total += weights[:, place] * value
    return total


def rewritten(seed, read, network, symbols: int) -> list[int]:
    """What a network writes behind a seed while it reads a sequence; `network` as `draw_network` fills it in."""
    embedding, inputs, hidden, biases, out, offset = network
    layers, width = biases.shape[:2]
    memory, output = np.zeros((2, layers, width), embedding.dtype)
    tables = []
    for weights in inputs:
        table = np.zeros((len(embedding), 4 * width), embedding.dtype)
        for place in range(width):
            table += embedding[:, place, None] * weights[place]
        tables.append(table.reshape(-1, width, 4))
    row = list(seed)
    for place in range(len(read) - 1):
        for layer in range(layers):
            gates = biases[layer].copy()
            if layer:
                gates = _total(gates, hidden[layers + layer - 1], output[layer - 1])
            else:
                gates = gates + (tables[0][row[place]] + tables[1][read[place]])
            gates = _total(gates, hidden[layer], output[layer])
            enter, keep, new, show = gates.T
            memory[layer] = share(keep) * memory[layer] + share(enter) * squash(new)
            output[layer] = share(show) * squash(memory[layer])
        if place + 1 >= len(seed):
            scores = _total(offset, out, output[-1]).reshape(-1)[:symbols]
            row.append(int(scores.argmax()))
    return row


def random_network(rng, symbols: int, width: int, layers: int, gains=(1.0, 3.5)):
    """A network of float32 numbers, drawn by NumPy."""
    fours, scale = (symbols + 3) // 4, width**-0.5
    gain = rng.uniform(*gains)

    def uniform(scale, *shape):
        return rng.uniform(-scale, scale, shape).astype(np.float32)

    biases = uniform(scale, layers, width, 4) + uniform(scale, layers, width, 4)
    inputs, hidden = uniform(gain * scale, 2, width, 4 * width), uniform(gain * scale, 2 * layers - 1, width, width, 4)
    embedding = rng.normal(size=(symbols, width)).astype(np.float32)
    return embedding, inputs, hidden, biases, uniform(scale, fours, width, 4), uniform(scale, fours, 4)


def iterated_row(rng, symbols=256, width=32, layers=1, length=512, seed=8) -> list[int]:
    """A row that one network or more have written, as the reference does it, one by one."""
    row = rng.integers(symbols, size=length).tolist() if rng.random() < 0.5 else [int(rng.integers(symbols))] * length
    for _ in range(int(min(rng.geometric(0.5), 8))):
        start = int(rng.integers(length - seed))
        row = rewritten(row[start : start + seed], row, random_network(rng, symbols, width, layers), symbols)
    return row
