"""The loops of neural cellular automata, compiled by Numba: rules, first grids, steps, tokens.

Cells are one-hot and nothing stands between the first two convolutions, so that both together are a sum over the nine
cells around a cell of vectors of `HIDDEN` numbers, one for each place and state: a table. No reassociation, and so the
same bits on every machine.
"""

import math

import numpy as np

from . import deflate_kernels
from . import lanes_kernels as lanes
from .kernels import exp, log, mix, njit, uniform
from .lanes_kernels import BYTES, LANES

CHANNELS = 4  # outputs of the first convolution
HIDDEN = 16  # outputs of the second
_TRUNCATED_SD = 0.87962566103423978  # standard deviation of a standard normal cut at -2 and 2
_GZIP = 18  # bytes of its header and trailer
_LANE = np.zeros(37, np.int64)  # of one bit, by its remainder
_LANE[2 ** np.arange(LANES) % 37] = np.arange(LANES)
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
            return x * math.sqrt(-2.0 * log(square) / square)


@njit
def _fill_kernel(state, kernel, inputs):
    """LeCun normal: variance 1 / inputs, cut at two standard deviations of the normal before it is cut."""
    scale = 1.0 / (math.sqrt(inputs) * _TRUNCATED_SD)
    i = 0
    while i < kernel.size:
        x = 4.0 * uniform(state) - 2.0
        u = uniform(state)
        kernel[i] = np.float32(scale * x)  # the next x takes its place unless it is accepted: no branch to be guessed
        half = 0.5 * x * x
        density = _exp_minus(half)
        if abs(u - density) < 1e-6:  # where the series cannot tell
            density = exp(-half)
        i += u < density


@njit
def _exp_minus(x):
    """exp(-x) of 0 <= x <= 2, to 1e-7: the series of exp(-x / 8), to the eighth power."""
    y = x * 0.125
    series = 1.0 - y * (1.0 - y / 2.0 * (1.0 - y / 3.0 * (1.0 - y / 4.0 * (1.0 - y / 5.0 * (1.0 - y / 6.0)))))
    square = series * series
    fourth = square * square
    return fourth * fourth


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

    `table[3 * row + column, state]` is what that state there adds to the hidden vector, with the bias in the first;
    `out` and `offset` are the last convolution.
    """
    table, out, offset = rule
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
        for state in range(states):
            table[0, state, j] += np.float32(total)
    for state in range(states):
        out[state] = conv2[:, state]
        offset[state] = bias2[state]


@njit
def _aligned(count):
    """A float32 array that begins where a line of the processor's cache does; its numbers are 0."""
    numbers = np.zeros(count + LANES, np.float32)
    start = -numbers.ctypes.data % BYTES // 4
    return numbers[start : start + count]


@njit
def empty_rule(states):
    """The arrays that `prepare` fills in."""
    table = _aligned(9 * states * HIDDEN).reshape((9, states, HIDDEN))
    out = _aligned(states * HIDDEN).reshape((states, HIDDEN))
    return table, out, _aligned(states)


@njit
def workspace(grid, states):
    """What `step` works with: hidden vectors, logits and next states, `LANES` cells in a block; for draws, the cells
    that wait for one, and states and their weights."""
    blocks = (grid * grid + LANES - 1) // LANES
    hidden = _aligned(blocks * LANES * HIDDEN).reshape((blocks * LANES, HIDDEN))
    logits = _aligned(blocks * states * LANES).reshape((blocks, states, LANES))
    draws = np.empty(blocks * LANES, np.int64), np.empty(states, np.int64), np.empty(states)
    return hidden, logits, np.zeros(blocks * LANES, np.uint8), draws


@njit
def first_grid(state, cells, share):
    """Independent cells, with one random softmax for all of them."""
    states = len(share)
    total = 0.0
    for c in range(states):
        total += exp(_normal(state))
        share[c] = total
    grid = cells.shape[0]
    for y in range(grid):
        for x in range(grid):
            u = uniform(state) * total
            c = 0
            for other in range(states - 1):  # they grow: no branch to be guessed
                c += share[other] <= u
            cells[y, x] = c


@njit
def _hidden(cells, table, hidden):
    """The second layer at each cell, float32 ``[cells, HIDDEN]``, from the table."""
    grid = cells.shape[0]
    rows = np.int64(table.ctypes.data)
    place = BYTES * table.shape[1]
    target = np.int64(hidden.ctypes.data)
    for y in range(grid):
        above = cells[y - 1]  # the last one, of the first
        here = cells[y]
        below = cells[y + 1 if y < grid - 1 else 0]
        above_left, above_here = rows + BYTES * above[-1], rows + BYTES * above[0]
        left, middle = rows + BYTES * here[-1], rows + BYTES * here[0]
        below_left, below_here = rows + BYTES * below[-1], rows + BYTES * below[0]
        for x in range(grid):
            right = np.uint64(x + 1 if x < grid - 1 else 0)
            above_right = rows + BYTES * above[right]
            there = rows + BYTES * here[right]
            below_right = rows + BYTES * below[right]
            addresses = (
                above_left,
                above_here + place,
                above_right + 2 * place,
                left + 3 * place,
                middle + 4 * place,
                there + 5 * place,
                below_left + 6 * place,
                below_here + 7 * place,
                below_right + 8 * place,
            )
            lanes.add(target, addresses)
            target += BYTES
            above_left, above_here = above_here, above_right
            left, middle = middle, there
            below_left, below_here = below_here, below_right


@njit
def step(state, cells, after, rule, temperature, identity_bias, work):
    """One step of all cells: a draw for each from the softmax of its logits / temperature; at 0, of the largest.

    Gives whether a step after it may differ: some cell changed, or was drawn.
    """
    table, out, offset = rule
    hidden, logits, chosen, (waiting, near, weights) = work
    grid = cells.shape[0]
    states = len(offset)
    window = np.float32(_NOTHING * temperature)  # further below the largest logit, no draw can take a state
    count = 0
    _hidden(cells, table, hidden)
    hidden_at = np.int64(hidden.ctypes.data)
    logits_at = np.int64(logits.ctypes.data)
    chosen_at = np.int64(chosen.ctypes.data)
    for block in range(len(logits)):
        start = LANES * block
        scores = logits_at + block * states * BYTES
        lanes.multiply(hidden_at + start * BYTES, out.ctypes.data, offset.ctypes.data, scores, states)
        filled = min(LANES, grid * grid - start)
        if identity_bias != 0.0:
            for lane in range(filled):
                cell = cells[(start + lane) // grid, (start + lane) % grid]
                logits[block, cell, lane] += np.float32(identity_bias)
        close = lanes.largest(scores, states, window, chosen_at + start)
        close &= (1 << filled) - 1  # states within the window: with one alone, as mostly, nothing need be drawn
        while close:
            waiting[count] = start + _LANE[(close & -close) % 37]
            count += 1
            close &= close - 1
    for number in range(count):  # not in a function: to hand arrays over takes longer than a draw
        place = waiting[number]
        block = place // LANES
        lane = place % LANES
        best = logits[block, chosen[place], lane]
        several = 0  # states, those whose logit is near the best
        for c in range(states):
            near[several] = c
            several += best - logits[block, c, lane] <= window
        total = 0.0
        for i in range(several):
            gap = np.float64(best - logits[block, near[i], lane])
            weights[i] = exp(-gap / temperature) if gap else 1.0
            total += weights[i]
        u = uniform(state) * total
        below = 0.0
        for i in range(several):
            below += weights[i]
            chosen[place] = near[i]  # the last one, if rounding leaves `u` at the total
            if u < below:
                break
    flat = after.reshape(after.size)
    old = cells.reshape(cells.size)
    changed = 0
    for place in range(len(flat)):
        changed |= chosen[place] ^ old[place]
        flat[place] = chosen[place]
    return count > 0 or changed != 0


@njit
def simulate(state, rule, cells, row, patch, burn_in, dt, temperature, identity_bias, delimited):
    """Writes frames into `row` until it is full: the patches of one, between delimiters or not; cells come back."""
    grid = cells.shape[0]
    states = rule[0].shape[1]
    work = workspace(grid, states)
    before = cells
    after = np.empty_like(cells)
    opening = 1  # <frame>, which follows the numbers of all patches; </frame> comes next
    for _ in range(patch * patch):
        opening *= states
    steps = burn_in
    moves = True
    end = 0
    while True:
        for _ in range(steps):
            if moves:
                moves = step(state, before, after, rule, temperature, identity_bias, work)
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
def empty_candidate(states):
    """The weights that a candidate is drawn into, its biases, 0, and its stream."""
    conv0 = np.empty((3, 3, states + 2, CHANNELS), np.float32)
    conv1 = np.empty((CHANNELS, HIDDEN), np.float32)
    conv2 = np.empty((HIDDEN, states), np.float32)
    biases = np.zeros(CHANNELS, np.float32), np.zeros(HIDDEN, np.float32), np.zeros(states, np.float32)
    return (conv0, conv1, conv2), biases, np.empty(4, np.uint64)


@njit
def _draw_candidate(candidate, key, attempt, rule):
    """Draws a candidate, and fills in its rule."""
    (conv0, conv1, conv2), (bias0, bias1, bias2), state = candidate
    draw_rule(state, key, attempt, conv0, conv1, conv2)
    prepare(conv0, bias0, conv1, bias1, conv2, bias2, rule)


@njit
def fill(keys, attempts, seeds, rows, own, size, dynamics):
    """A simulation for each row: the candidate `attempts` of its key, from a random first grid.

    Draws from a stream of its seed and delimits frames, or draws from the candidate's `own`, behind its weights.
    """
    states, grid, patch = size
    burn_in, dt, temperature, identity_bias = dynamics
    candidate = empty_candidate(states)
    rule = empty_rule(states)
    seeded = np.empty(4, np.uint64)
    cells = np.empty((grid, grid), np.uint8)
    share = np.empty(states)
    for row in range(len(rows)):
        _draw_candidate(candidate, keys[row], attempts[row], rule)
        _seed(seeded, seeds[row], np.int32(-1))  # which is no candidate's number
        stream = candidate[2] if own else seeded
        first_grid(stream, cells, share)
        simulate(stream, rule, cells, rows[row], patch, burn_in, dt, temperature, identity_bias, not own)


@njit
def find(keys, attempts, band, tries, scored, size, dynamics):
    """Raises `attempts` to the number of each key's first candidate in the band; gives how many were looked at.

    A candidate's complexity is that of a simulation of its own of `scored` patches. After so many `tries` those that
    are not found are left, from some key on: it comes back, too.
    """
    states, grid, patch = size
    burn_in, dt, temperature, identity_bias = dynamics
    low, high = band
    candidate = empty_candidate(states)
    rule = empty_rule(states)
    cells = np.empty((grid, grid), np.uint8)
    share = np.empty(states)
    numbers = np.empty(scored, np.int32)
    raw = numbers.view(np.uint8)
    work = deflate_kernels.workspace(len(raw))
    tried = 0
    for place in range(len(keys)):
        while tried < tries:
            _draw_candidate(candidate, keys[place], attempts[place], rule)
            first_grid(candidate[2], cells, share)
            simulate(candidate[2], rule, cells, numbers, patch, burn_in, dt, temperature, identity_bias, False)
            tried += 1
            compressed = deflate_kernels.deflated(raw, work, low * len(raw) - _GZIP, high * len(raw) - _GZIP)
            if low < (compressed + _GZIP) / len(raw) < high:
                break
            attempts[place] += 1
        else:
            return tried, place
    return tried, len(keys)
