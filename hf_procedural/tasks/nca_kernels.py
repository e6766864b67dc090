"""The loops of neural cellular automata, compiled by Numba: rules, first grids, steps, tokens.

Cells are one-hot and nothing stands between the first two convolutions, so that both together are a sum over the nine
cells around a cell of vectors of `HIDDEN` numbers, one for each place and state: a table. No reassociation, and so the
same bits on every machine.
"""

import math

import numpy as np

from .kernels import mix, njit, uniform

CHANNELS = 4  # outputs of the first convolution
HIDDEN = 16  # outputs of the second
_TRUNCATED_SD = 0.87962566103423978  # standard deviation of a standard normal cut at -2 and 2
_BLOCK = 16  # logits are computed so many at once
_NOTHING = 40.0  # a weight of exp(-40) is less than the last of the 53 bits of a draw


@njit
def _seed(state, key, attempt):
    """The stream of a candidate: attempt number `attempt` at the rule of a key."""
    for i in range(4):
        state[i] = mix(mix(np.uint64(key) ^ mix(np.uint64(attempt))) + np.uint64(i + 1))


@njit
def _normal(state):
    """Standard normal (polar method)."""
    while True:
        x = 2.0 * uniform(state) - 1.0
        y = 2.0 * uniform(state) - 1.0
        square = x * x + y * y
        if 0.0 < square < 1.0:
            return x * math.sqrt(-2.0 * math.log(square) / square)


@njit
def _fill_kernel(state, kernel, inputs):
    """LeCun normal: variance 1 / inputs, cut at two standard deviations of the normal before it is cut."""
    scale = 1.0 / (math.sqrt(inputs) * _TRUNCATED_SD)
    for i in range(kernel.size):
        while True:
            x = 4.0 * uniform(state) - 2.0
            if uniform(state) < math.exp(-0.5 * x * x):
                break
        kernel[i] = np.float32(scale * x)


@njit
def draw_rule(state, key, attempt, conv0, conv1, conv2):
    """The kernels of a candidate, whose biases are 0; its stream goes on behind them."""
    _seed(state, key, attempt)
    _fill_kernel(state, conv0.reshape(conv0.size), 9 * conv0.shape[2])
    _fill_kernel(state, conv1.reshape(conv1.size), CHANNELS)
    _fill_kernel(state, conv2.reshape(conv2.size), HIDDEN)


@njit
def prepare(conv0, bias0, conv1, bias1, conv2, bias2, rule):
    """Fills in a `rule` as `step` takes it, from the six arrays of weights.

    `table[3 * row + column, state]` is what that state there adds to the hidden vector, `base` what is there without;
    `out` and `offset` are the last convolution, `_BLOCK` states at once.
    """
    table, base, out, offset = rule
    states = table.shape[1]
    channels = np.empty(CHANNELS)
    for place in range(9):
        kernel = conv0[place // 3, place % 3]
        for state in range(states):
            for m in range(CHANNELS):
                channels[m] = kernel[state + 1, m]
                if state == states - 1:  # channels are padded on a ring too
                    channels[m] += kernel[0, m]
                if state == 0:
                    channels[m] += kernel[states + 1, m]
            for j in range(HIDDEN):
                total = 0.0
                for m in range(CHANNELS):
                    total += channels[m] * conv1[m, j]
                table[place, state, j] = np.float32(total)
    for j in range(HIDDEN):
        total = np.float64(bias1[j])
        for m in range(CHANNELS):
            total += bias0[m] * conv1[m, j]
        base[j] = np.float32(total)
    out[:] = 0
    offset[:] = 0
    for state in range(states):
        out[state // _BLOCK, :, state % _BLOCK] = conv2[:, state]
        offset[state // _BLOCK, state % _BLOCK] = bias2[state]


@njit
def empty_rule(states):
    """The arrays that `prepare` fills in."""
    blocks = (states + _BLOCK - 1) // _BLOCK
    table = np.empty((9, states, HIDDEN), np.float32)
    base = np.empty(HIDDEN, np.float32)
    out = np.empty((blocks, HIDDEN, _BLOCK), np.float32)
    offset = np.empty((blocks, _BLOCK), np.float32)
    return table, base, out, offset


@njit
def first_grid(state, cells, share):
    """Independent cells, with one random softmax for all of them."""
    states = len(share)
    total = 0.0
    for c in range(states):
        total += math.exp(_normal(state))
        share[c] = total
    grid = cells.shape[0]
    for y in range(grid):
        for x in range(grid):
            u = uniform(state) * total
            c = 0
            while c < states - 1 and share[c] <= u:
                c += 1
            cells[y, x] = c


@njit
def _hidden(cells, table, base, hidden):
    """The second layer at each cell, float32 ``[grid, grid, HIDDEN]``, from the table."""
    grid = cells.shape[0]
    for y in range(grid):
        above = cells[(y if y > 0 else grid) - 1]
        here = cells[y]
        below = cells[y + 1 if y < grid - 1 else 0]
        for x in range(grid):
            left = (x if x > 0 else grid) - 1
            right = x + 1 if x < grid - 1 else 0
            # One sum with an order, rather than one place after another: the compiler makes all of `HIDDEN` at once.
            t0, t1, t2 = table[0, above[left]], table[1, above[x]], table[2, above[right]]
            t3, t4, t5 = table[3, here[left]], table[4, here[x]], table[5, here[right]]
            t6, t7, t8 = table[6, below[left]], table[7, below[x]], table[8, below[right]]
            target = hidden[y, x]
            for j in range(HIDDEN):
                total = base[j] + t0[j] + t1[j] + t2[j] + t3[j] + t4[j] + t5[j] + t6[j] + t7[j] + t8[j]
                target[j] = max(total, np.float32(0.0))


@njit
def _logits(hidden, out, offset, logits):
    """The logit of each state at each cell, float32 ``[grid, grid, states]``, padded to whole blocks."""
    for block in range(len(out)):
        kernel = out[block]
        bias = offset[block]
        start = _BLOCK * block
        for y in range(hidden.shape[0]):
            for x in range(hidden.shape[0]):
                source = hidden[y, x]
                target = logits[y, x, start : start + _BLOCK]
                for c in range(_BLOCK):  # in this order of the loops, the compiler makes all of a block at once
                    total = bias[c]
                    for j in range(HIDDEN):
                        total += source[j] * kernel[j, c]
                    target[c] = total


@njit
def step(state, cells, after, rule, temperature, identity_bias, hidden, logits):
    """One step of all cells: a draw for each from the softmax of its logits / temperature; at 0, of the largest."""
    table, base, out, offset = rule
    grid = cells.shape[0]
    states = table.shape[1]
    window = np.float32(_NOTHING * temperature)  # further below the largest logit, no draw can take a state
    _hidden(cells, table, base, hidden)
    _logits(hidden, out, offset, logits)
    for y in range(grid):
        for x in range(grid):
            scores = logits[y, x]
            if identity_bias != 0.0:
                scores[cells[y, x]] += np.float32(identity_bias)
            best = scores[0]
            chosen = 0
            for c in range(1, states):
                if scores[c] > best:
                    best = scores[c]
                    chosen = c
            close = 0  # states within the window: with one alone, as mostly, nothing need be drawn
            for c in range(states):
                close += best - scores[c] <= window
            if close > 1:
                chosen = _draw(state, scores, states, best, temperature)
            after[y, x] = chosen


@njit
def _draw(state, scores, states, best, temperature):
    """A state with the probabilities of the softmax."""
    total = 0.0
    for c in range(states):
        total += _weight(best - scores[c], temperature)
    u = uniform(state) * total
    below = 0.0
    chosen = 0
    for c in range(states):
        weight = _weight(best - scores[c], temperature)
        below += weight
        if weight > 0.0:
            chosen = c  # the last of these, if rounding leaves `u` at the total
            if u < below:
                break
    return chosen


@njit
def _weight(gap, temperature):
    """Of a state whose logit is `gap` below the largest."""
    if gap == np.float32(0.0):
        return 1.0
    return math.exp(-np.float64(gap) / temperature) if gap <= np.float32(_NOTHING * temperature) else 0.0


@njit
def simulate(state, rule, cells, row, patch, burn_in, dt, temperature, identity_bias, delimited):
    """Writes frames into `row` until it is full: the patches of one, between delimiters or not; cells come back."""
    grid = cells.shape[0]
    states = rule[0].shape[1]
    hidden = np.empty((grid, grid, HIDDEN), np.float32)
    logits = np.empty((grid, grid, rule[3].size), np.float32)
    before = cells
    after = np.empty_like(cells)
    opening = 1  # <frame>, which follows the numbers of all patches; </frame> comes next
    for _ in range(patch * patch):
        opening *= states
    steps = burn_in
    end = 0
    while True:
        for _ in range(steps):
            step(state, before, after, rule, temperature, identity_bias, hidden, logits)
            before, after = after, before
        steps = dt
        if delimited:
            row[end] = opening
            end += 1
        for y in range(0, grid, patch):
            for x in range(0, grid, patch):
                if end == len(row):
                    return
                number = 0
                place = 1
                for i in range(patch):
                    for j in range(patch):
                        number += place * before[y + i, x + j]
                        place *= states
                row[end] = number
                end += 1
        if delimited and end < len(row):
            row[end] = opening + 1
            end += 1
        if end == len(row):
            return


@njit
def fill(keys, attempts, seeds, rows, own, size, dynamics):
    """A simulation for each row: the candidate `attempts` of its key, from a random first grid.

    Draws from a stream of its seed and delimits frames, or draws from the candidate's `own`, behind its weights.
    """
    states, grid, patch = size
    burn_in, dt, temperature, identity_bias = dynamics
    conv0 = np.empty((3, 3, states + 2, CHANNELS), np.float32)
    conv1 = np.empty((CHANNELS, HIDDEN), np.float32)
    conv2 = np.empty((HIDDEN, states), np.float32)
    bias0 = np.zeros(CHANNELS, np.float32)
    bias1 = np.zeros(HIDDEN, np.float32)
    bias2 = np.zeros(states, np.float32)
    rule = empty_rule(states)
    candidate = np.empty(4, np.uint64)
    seeded = np.empty(4, np.uint64)
    cells = np.empty((grid, grid), np.uint8)
    share = np.empty(states)
    for row in range(len(rows)):
        draw_rule(candidate, keys[row], attempts[row], conv0, conv1, conv2)
        prepare(conv0, bias0, conv1, bias1, conv2, bias2, rule)
        _seed(seeded, seeds[row], np.int32(-1))  # which is no candidate's number
        stream = candidate if own else seeded
        first_grid(stream, cells, share)
        simulate(stream, rule, cells, rows[row], patch, burn_in, dt, temperature, identity_bias, not own)
