"""Random programs and what they print, compiled by Numba."""

import numpy as np

from .kernels import below, njit

LEFT, RIGHT, PLUS, MINUS, BODY_FIRST, CLOSE, BODY_LATER, PRINT = range(8)  # < > + - [ ] { .
_NOWHERE = -1


@njit
def _instruction(state, weights, first, second):
    """An instruction by the weights that follow the last two of a text, which are 8 where there is none."""
    row = weights[first, second]
    aim = below(state, row[7])
    code = 0
    while row[code] <= aim:
        code += 1
    return code


@njit
def rows(state, input_ids, stops, programs, sizes, weights, machine, length, least):
    """Runs random programs until each row has the output of one that prints `least` symbols or more.

    `stops`: how many symbols; `programs`: as far as it is wide, the instructions that were reached, `sizes` of them.
    `weights`: by the two instructions before, the sums of the first 1, 2 ... weights. `length`: of a text that is drawn
    before it is run, or 0 for one that grows while it runs.
    """
    symbols, cells, most_steps = machine
    memory = np.empty((2, cells), np.int32)
    text = np.empty(max(most_steps, length), np.int32)
    given = np.empty(length, np.int32)
    jumps = np.empty(len(text), np.int32)
    opened = np.empty(len(text), np.int32)
    n, width = input_ids.shape
    for row in range(n):
        printed = 0
        size = 0
        while printed < least:
            first, second = 8, 8
            for i in range(length):
                given[i] = _instruction(state, weights, first, second)
                first, second = second, given[i]
            printed, size = _run(
                state, input_ids[row], text, given, weights, symbols, most_steps, memory, jumps, opened
            )
        stops[row] = printed
        if programs.shape[1]:
            sizes[row] = size
            programs[row, :size] = text[:size]


@njit
def _run(state, output, text, given, weights, symbols, most_steps, memories, jumps, opened):
    """Runs a program; gives how many symbols it printed, and instructions it reached.

    Most end in a loop that prints nothing for ever: the loop that comes back to a state of an earlier lap is left.
    """
    memory, before = memories
    memory[:] = 0
    cells = len(memory)
    marked_place = marked_cell = marked_size = marked_printed = _NOWHERE  # the state in `before`
    laps = gap = 0  # until it is marked again, ever more seldom
    drawn = len(given) == 0
    first, second = 8, 8
    size = printed = place = cell = unmatched = 0
    for _ in range(most_steps):
        value = memory[cell]
        is_new = place == size
        if is_new:
            if drawn:
                code = _instruction(state, weights, first, second)
            elif size == len(given):
                break
            else:
                code = given[size]
            if code in (BODY_FIRST, BODY_LATER):
                code = BODY_FIRST if value else BODY_LATER
            first, second = second, code
            text[size] = code
            jumps[size] = _NOWHERE
            size += 1
        else:
            code = text[place]
        if code == PLUS:
            memory[cell] = value + 1 if value < symbols - 1 else 0
        elif code == MINUS:
            memory[cell] = value - 1 if value else symbols - 1
        elif code == PRINT:
            output[printed] = value
            printed += 1
            if printed == len(output):
                break
        elif code == LEFT:
            cell = cell - 1 if cell else cells - 1
        elif code == RIGHT:
            cell = cell + 1 if cell < cells - 1 else 0
        elif code == CLOSE:
            if is_new:
                jumps[place] = place
                if unmatched:
                    unmatched -= 1
                    jumps[place] = opened[unmatched] - 1
            elif place == marked_place and cell == marked_cell and printed == marked_printed and size == marked_size:
                equal = True
                for i in range(cells):
                    equal &= memory[i] == before[i]
                if equal:
                    break
            elif size != marked_size:
                laps = gap = 0
            if laps == 0:
                marked_place, marked_cell, marked_size, marked_printed = place, cell, size, printed
                for i in range(cells):
                    before[i] = memory[i]
                gap = 2 * gap + 1
                laps = gap
            laps -= 1
            place = jumps[place]
        elif is_new:
            if code == BODY_FIRST:
                opened[unmatched] = place
                unmatched += 1
        elif (code == BODY_LATER) == (value != 0):  # the part that does not follow the bracket
            if jumps[place] == _NOWHERE:
                jumps[place] = size - 1
                if code == BODY_LATER:
                    opened[unmatched] = place
                    unmatched += 1
            place = jumps[place]
        place += 1
    return printed, size
