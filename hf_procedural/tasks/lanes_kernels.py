"""Sixteen float32 side by side, for loops that no compiler makes so by itself, as their arrays might overlap.

The functions take addresses of such numbers. Sums have an order and nothing is fused, so that the bits are the same on
every machine, however wide its registers are.
"""

from typing import Any, cast

from llvmlite import ir
from numba import extending, types

intrinsic = cast(Any, extending.intrinsic)  # whose type says that callers give `typing`, too
LANES = 16
BYTES = 4 * LANES
_NUMBER = ir.FloatType()
_VECTOR = ir.VectorType(_NUMBER, LANES)
_INTEGER = ir.IntType(64)
_INDEX = ir.IntType(32)
_LOWEST = ir.Constant(_VECTOR, [float("-inf")] * LANES)


def _load(builder, address, kind=_VECTOR):
    return builder.load(builder.inttoptr(address, ir.PointerType(kind)), align=4)


def _store(builder, lanes, address):
    builder.store(lanes, builder.inttoptr(address, ir.PointerType(lanes.type)), align=1 if lanes.type != _VECTOR else 4)


def _at(builder, address, number, size=BYTES):
    """The address of what has a number, of things of a size in bytes."""
    if isinstance(number, int):
        number = _INTEGER(number)
    return builder.add(address, builder.mul(number, _INTEGER(size)))


def _shuffled(builder, one, two, order):
    return builder.shuffle_vector(one, two, ir.Constant(ir.VectorType(_INDEX, LANES), order))


def _spread(builder, number):
    """A number in all lanes."""
    kind = ir.VectorType(number.type, LANES)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, _INDEX(0))
    return _shuffled(builder, first, first, [0] * LANES)


def _larger(builder, one, two):
    return builder.select(builder.fcmp_ordered(">", one, two), one, two)


def _transposed(builder, rows):
    """Columns as vectors: four times, the first half of the rows is interleaved with the second."""
    low, high = ([lane // 2 + lane % 2 * LANES + half for lane in range(LANES)] for half in (0, LANES // 2))
    for _ in range(4):
        pairs = zip(rows[: LANES // 2], rows[LANES // 2 :], strict=True)
        rows = [_shuffled(builder, one, two, order) for one, two in pairs for order in (low, high)]
    return rows


def _loop(builder, count, start, body):
    """Runs `body(number, *values)`, which gives the next values, for the numbers below `count`, at least once."""
    before = builder.block
    block = builder.append_basic_block("lanes")
    builder.branch(block)
    builder.position_at_end(block)
    number = builder.phi(_INTEGER)
    number.add_incoming(_INTEGER(0), before)
    values = [builder.phi(value.type) for value in start]
    for phi, value in zip(values, start, strict=True):
        phi.add_incoming(value, before)
    following = body(number, *values)
    for phi, value in zip(values, following, strict=True):
        phi.add_incoming(value, builder.block)
    next_number = builder.add(number, _INTEGER(1))
    number.add_incoming(next_number, builder.block)
    after = builder.append_basic_block("after")
    builder.cbranch(builder.icmp_unsigned("<", next_number, count), block, after)
    builder.position_at_end(after)
    return following


@intrinsic
def add(typing, target, addresses):
    """Writes max(0, sum) of the numbers at the addresses, a tuple, in its order."""

    def code(context, builder, signature, arguments):
        target, addresses = arguments
        total = _load(builder, builder.extract_value(addresses, 0))
        for number in range(1, len(signature.args[1])):
            total = builder.fadd(total, _load(builder, builder.extract_value(addresses, number)))
        _store(builder, _larger(builder, total, ir.Constant(_VECTOR, [0.0] * LANES)), target)
        return target

    return types.int64(types.int64, types.UniTuple(types.int64, len(addresses))), code


@intrinsic
def multiply(typing, rows, kernel, offset, target, columns):
    """Writes offset + rows @ kernel, transposed, ``[columns, 16]``: of sixteen rows of sixteen numbers, and a kernel
    ``[columns, 16]`` that is transposed, too."""

    def code(context, builder, signature, arguments):
        rows, kernel, offset, target, columns = arguments
        numbers = _transposed(builder, [_load(builder, _at(builder, rows, row)) for row in range(LANES)])

        def column(number):
            total = _spread(builder, _load(builder, _at(builder, offset, number, 4), _NUMBER))
            weights = _at(builder, kernel, number)
            for place in range(LANES):
                weight = _spread(builder, _load(builder, _at(builder, weights, place, 4), _NUMBER))
                total = builder.fadd(total, builder.fmul(numbers[place], weight))
            _store(builder, total, _at(builder, target, number))
            return []

        _loop(builder, columns, [], column)
        return target

    return types.int64(*[types.int64] * 5), code


@intrinsic
def largest(typing, scores, rows, window, target):
    """Writes the row, uint8 ``[16]``, of the largest number of each column; the first of equal ones.

    Gives the columns, as bits, with another number that is at most `window` below the largest.
    """

    def code(context, builder, signature, arguments):
        scores, rows, window, target = arguments
        byte = ir.VectorType(ir.IntType(8), LANES)

        def row(number, best, second, chosen):
            new = _load(builder, _at(builder, scores, number))
            more = builder.fcmp_ordered(">", new, best)
            second = _larger(builder, second, builder.select(more, best, new))
            number = _spread(builder, builder.trunc(number, ir.IntType(8)))
            return builder.select(more, new, best), second, builder.select(more, number, chosen)

        best, second, chosen = _loop(builder, rows, [_LOWEST, _LOWEST, ir.Constant(byte, [0] * LANES)], row)
        _store(builder, chosen, target)
        close = builder.fcmp_ordered("<=", builder.fsub(best, second), _spread(builder, window))
        return builder.zext(builder.bitcast(close, ir.IntType(LANES)), _INTEGER)

    return types.int64(types.int64, types.int64, types.float32, types.int64), code


@intrinsic
def accumulate(typing, values, weights, target, count):
    """Adds to four rows of sixteen numbers `count` rows of values, ``[count, 16]``, each with four weights,
    ``[count, 4]``: in the order of the values."""

    def code(context, builder, signature, arguments):
        values, weights, target, count = arguments

        def value(number, *totals):
            row = _load(builder, _at(builder, values, number))
            here = _at(builder, weights, number, 16)
            spread = [_spread(builder, _load(builder, _at(builder, here, place, 4), _NUMBER)) for place in range(4)]
            products = [builder.fmul(row, weight) for weight in spread]
            return [builder.fadd(total, product) for total, product in zip(totals, products, strict=True)]

        start = [_load(builder, _at(builder, target, place)) for place in range(4)]
        for place, total in enumerate(_loop(builder, count, start, value)):
            _store(builder, total, _at(builder, target, place))
        return target

    return types.int64(*[types.int64] * 4), code


def _squash(builder, x):
    """x (27 + x^2) / (27 + 9 x^2), which is nearly tanh, between -3 and 3; beyond, -1 and 1."""

    def number(value):
        return ir.Constant(_VECTOR, [float(value)] * LANES)

    x = builder.select(builder.fcmp_ordered("<", x, number(-3)), number(-3), x)
    x = builder.select(builder.fcmp_ordered(">", x, number(3)), number(3), x)
    square = builder.fmul(x, x)
    above = builder.fmul(x, builder.fadd(number(27), square))
    return builder.fdiv(above, builder.fadd(number(27), builder.fmul(number(9), square)))


@intrinsic
def lstm(typing, gates, memory, output):
    """A unit's next memory and output, sixteen numbers each, from its input, forget, cell and output gates, before
    they are squashed: ``[4, 16]``."""

    def code(context, builder, signature, arguments):
        gates, memory, output = arguments
        half = ir.Constant(_VECTOR, [0.5] * LANES)
        rows = [_load(builder, _at(builder, gates, place)) for place in range(4)]

        def share(x):
            return builder.fadd(half, builder.fmul(half, _squash(builder, builder.fmul(half, x))))

        kept = builder.fmul(share(rows[1]), _load(builder, memory))
        new = builder.fadd(kept, builder.fmul(share(rows[0]), _squash(builder, rows[2])))
        _store(builder, new, memory)
        _store(builder, builder.fmul(share(rows[3]), _squash(builder, new)), output)
        return output

    return types.int64(*[types.int64] * 3), code
