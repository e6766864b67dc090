"""Sixteen float32 numbers side by side as one value of Numba's loops, which the compiler keeps in vector registers.

A head of 4 dimensions fills no vector register, sixteen heads beside each other fill four. LLVM finds that by itself in
the plainest of loops only, so that here it is said: a `Block` is ``[dims, 16]`` numbers, and an operation on it is an
operation on vectors of 16, of which LLVM makes what the machine has (one of AVX-512, two of AVX2, four of SSE or NEON).
`+`, `-`, `*` and `/` work on blocks of the same `dims`, on one of many and one of 1, and with single numbers.

Memory is addresses in bytes (int64), as of ``array.ctypes.data`` or ``tensor.data_ptr()``.
"""

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.extending import lower_builtin, models, register_model, type_callable

intrinsic: Any = extending.intrinsic  # Numba's own types are those of a decorated method
LANES = 16
BYTES = 4 * LANES  # of a vector

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_WORDS = ir.VectorType(ir.IntType(32), LANES)
_LONG, _WORD = ir.IntType(64), ir.IntType(32)
# A product and a sum may be one operation. No more: infinities and NaN (of a run that diverged) keep their meaning.
_FAST = ("contract", "arcp")


class Block(types.Type):
    """The type of ``[dims, 16]`` float32 numbers."""

    def __init__(self, dims: int):
        self.dims = dims
        super().__init__(name=f"Block({dims})")


@register_model(Block)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, manager, block):
        super().__init__(manager, block, ir.ArrayType(_VECTOR, block.dims))


def _vectors(builder, value, kind, dims: int) -> list:
    """The `dims` vectors of a block, or of a number."""
    if not isinstance(kind, Block):
        return [_spread(builder, value, kind)] * dims
    return [builder.extract_value(value, d % kind.dims) for d in range(dims)]


def _block(builder, vectors):
    block = ir.Constant(ir.ArrayType(_VECTOR, len(vectors)), ir.Undefined)
    for d, vector in enumerate(vectors):
        block = builder.insert_value(block, vector, d)
    return block


def _spread(builder, number, kind):
    if kind != types.float32:
        number = builder.fptrunc(number, ir.FloatType())
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(_WORD, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_WORDS, [0] * LANES))


def _numbers(number: float):
    return ir.Constant(_VECTOR, [float(np.float32(number))] * LANES)


def _words(word: int):
    return ir.Constant(_WORDS, [word] * LANES)


def _at(builder, address, offset: int, kind):
    return builder.inttoptr(builder.add(address, ir.Constant(_LONG, offset)), kind.as_pointer())


def _operate(operation, instruction: str) -> None:
    @type_callable(operation)
    def typed(context):
        def resolve(one, two):
            blocks = [kind for kind in (one, two) if isinstance(kind, Block)]
            numbers = [kind for kind in (one, two) if isinstance(kind, types.Float)]
            if blocks and len(blocks) + len(numbers) == 2:
                return Block(max(block.dims for block in blocks))
            return None

        return resolve

    def lower(context, builder, signature, arguments):
        dims = signature.return_type.dims
        one, two = (_vectors(builder, value, kind, dims) for value, kind in zip(arguments, signature.args, strict=True))
        emit = getattr(builder, instruction)
        return _block(builder, [emit(a, b, flags=_FAST) for a, b in zip(one, two, strict=True)])

    for kinds in ((Block, Block), (Block, types.Float), (types.Float, Block)):
        lower_builtin(operation, *kinds)(lower)


_operate(operator.add, "fadd")
_operate(operator.sub, "fsub")
_operate(operator.mul, "fmul")
_operate(operator.truediv, "fdiv")


@intrinsic(prefer_literal=True)
def fill(context, number, dims):
    """A block of `dims`, all of one number."""
    kind = Block(dims.literal_value)

    def emit(context, builder, signature, arguments):
        return _block(builder, _vectors(builder, arguments[0], signature.args[0], kind.dims))

    return kind(types.unliteral(number), dims), emit


@intrinsic(prefer_literal=True)
def load(context, address, dims):
    """The block of `dims` that stands at an address, one vector after the other."""
    kind = Block(dims.literal_value)

    def emit(context, builder, signature, arguments):
        places = [_at(builder, arguments[0], d * BYTES, _VECTOR) for d in range(kind.dims)]
        return _block(builder, [builder.load(place, align=4) for place in places])

    return kind(types.int64, dims), emit


@intrinsic
def store(context, address, block):
    """Writes a block to where `load` reads it."""

    def emit(context, builder, signature, arguments):
        for d in range(block.dims):
            vector = builder.extract_value(arguments[1], d)
            builder.store(vector, _at(builder, arguments[0], d * BYTES, _VECTOR), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, block), emit


def _lane(builder, table, lane: int, offset):
    """The address of a lane that stands apart."""
    return builder.add(builder.load(_at(builder, table, 8 * lane, _LONG)), offset)


@intrinsic(prefer_literal=True)
def gather(context, table, offset, dims):
    """The block whose lanes stand apart: `table` is the address of their 16 addresses, `offset` is added to each."""
    kind = Block(dims.literal_value)

    def emit(context, builder, signature, arguments):
        vectors = [ir.Constant(_VECTOR, ir.Undefined)] * kind.dims
        for lane in range(LANES):
            start = _lane(builder, arguments[0], lane, arguments[1])
            for d in range(kind.dims):
                number = builder.load(_at(builder, start, 4 * d, ir.FloatType()), align=4)
                vectors[d] = builder.insert_element(vectors[d], number, ir.Constant(_WORD, lane))
        return _block(builder, vectors)

    return kind(types.int64, types.int64, dims), emit


@intrinsic
def scatter(context, table, offset, block):
    """Writes a block to where `gather` reads it."""

    def emit(context, builder, signature, arguments):
        for lane in range(LANES):
            start = _lane(builder, arguments[0], lane, arguments[1])
            for d in range(block.dims):
                vector = builder.extract_value(arguments[2], d)
                number = builder.extract_element(vector, ir.Constant(_WORD, lane))
                builder.store(number, _at(builder, start, 4 * d, ir.FloatType()), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, block), emit


@intrinsic
def dot(context, one, two):
    """The sum over dims of the products of two blocks, as a block of 1."""

    def emit(context, builder, signature, arguments):
        pairs = zip(*(_vectors(builder, value, one, one.dims) for value in arguments), strict=True)
        products = [builder.fmul(a, b, flags=_FAST) for a, b in pairs]
        sums = products[:4]  # each waits for the one before it
        for number, product in enumerate(products[4:]):
            sums[number % 4] = builder.fadd(sums[number % 4], product, flags=_FAST)
        while len(sums) > 1:
            sums = [builder.fadd(sums[0], sums[1], flags=_FAST), *sums[2:]]
        return _block(builder, sums)

    return Block(1)(one, two), emit


@intrinsic(prefer_literal=True)
def spread(context, address, dims):
    """The block of `dims` numbers that stand at an address one after the other, each the same in all lanes."""
    kind = Block(dims.literal_value)

    def emit(context, builder, signature, arguments):
        places = [_at(builder, arguments[0], 4 * d, ir.FloatType()) for d in range(kind.dims)]
        numbers = [builder.load(place, align=4) for place in places]
        return _block(builder, [_spread(builder, number, types.float32) for number in numbers])

    return kind(types.int64, dims), emit


@intrinsic
def sum_lanes(context, address, block):
    """Writes the sums of a block over its lanes to an address, one after the other."""

    def emit(context, builder, signature, arguments):
        for d in range(block.dims):
            vector = builder.extract_value(arguments[1], d)
            for half in (8, 4, 2, 1):
                moved = [(lane + half) % LANES for lane in range(LANES)]
                words = ir.Constant(_WORDS, moved)
                vector = builder.fadd(vector, builder.shuffle_vector(vector, vector, words))
            total = builder.extract_element(vector, ir.Constant(_WORD, 0))
            builder.store(total, _at(builder, arguments[0], 4 * d, ir.FloatType()), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, block), emit


@intrinsic
def first_lanes(context, number):
    """1 in so many lanes, and 0 in the others, as a block of 1."""

    def emit(context, builder, signature, arguments):
        number = builder.trunc(arguments[0], _WORD)
        first = builder.insert_element(ir.Constant(_WORDS, ir.Undefined), number, ir.Constant(_WORD, 0))
        numbers = builder.shuffle_vector(first, first, _words(0))
        is_first = builder.icmp_signed("<", ir.Constant(_WORDS, list(range(LANES))), numbers)
        return _block(builder, [builder.select(is_first, _numbers(1), _numbers(0))])

    return Block(1)(types.int64), emit


def _larger(builder, one, two):
    return builder.select(builder.fcmp_ordered("<", one, two), two, one)  # `one` where it is not a number


@intrinsic
def larger(context, one, two):
    """The larger numbers of two blocks of 1; those of the first where it has NaN."""

    def emit(context, builder, signature, arguments):
        return _block(builder, [_larger(builder, *(builder.extract_value(value, 0) for value in arguments))])

    return Block(1)(one, two), emit


# e^x is 2^n e^r with n = round(x / ln 2) and r = x - n ln 2 in two steps, so that large x lose nothing; e^r is
# 1 + r + r^2 p(r) (Cephes, expf).
_POLYNOMIAL = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LN2 = (0.693359375, -2.12194440e-4)
_ROUNDING = 1.5 * 2**23  # a float32 that is added to this has no room for a fraction


@intrinsic
def exp(context, block):
    """e^x of a block of 1, to a relative 2e-7 for x from -87 to 88, and as at these ends beyond them."""

    def emit(context, builder, signature, arguments):
        def times(one, two, added):
            return builder.fadd(builder.fmul(one, two, flags=_FAST), added, flags=_FAST)

        x = _larger(builder, builder.extract_value(arguments[0], 0), _numbers(-87))
        x = builder.select(builder.fcmp_ordered(">", x, _numbers(88)), _numbers(88), x)
        shifted = times(x, _numbers(1 / np.log(2)), _numbers(_ROUNDING))
        whole = builder.fsub(shifted, _numbers(_ROUNDING))
        rest = x
        for part in _LN2:
            rest = times(whole, _numbers(-part), rest)
        power = _numbers(_POLYNOMIAL[0])
        for coefficient in _POLYNOMIAL[1:]:
            power = times(power, rest, _numbers(coefficient))
        power = times(times(power, rest, _numbers(1)), rest, _numbers(1))
        exponent = builder.shl(builder.bitcast(shifted, _WORDS), _words(23))  # to where float32 has it
        return _block(builder, [builder.bitcast(builder.add(builder.bitcast(power, _WORDS), exponent), _VECTOR)])

    return Block(1)(block), emit


@intrinsic
def dropped(context, row, stride, column, seed, threshold, gain):
    """`gain` where dropout keeps a number, and 0 elsewhere, as a block of 1: in lane l of row ``row + l * stride``.

    A hash of where it stands (murmur3's finaliser) that is below `threshold` drops it, so that nothing is stored.
    """

    def emit(context, builder, signature, arguments):
        row, stride, column, seed, threshold = (builder.trunc(word, _WORD) for word in arguments[:5])

        def spread(word):
            first = builder.insert_element(ir.Constant(_WORDS, ir.Undefined), word, ir.Constant(_WORD, 0))
            return builder.shuffle_vector(first, first, ir.Constant(_WORDS, [0] * LANES))

        def shifted(x, bits: int):
            return builder.xor(x, builder.lshr(x, _words(bits)))

        rows = builder.mul(spread(stride), ir.Constant(_WORDS, list(range(LANES))))
        x = builder.mul(builder.add(spread(row), rows), _words(0x9E3779B1))
        x = builder.add(x, spread(builder.mul(column, ir.Constant(_WORD, 0x85EBCA77))))
        x = builder.xor(x, spread(seed))
        x = builder.mul(shifted(x, 16), _words(0x85EBCA6B))
        x = builder.mul(shifted(x, 13), _words(0xC2B2AE35))
        is_kept = builder.icmp_unsigned(">=", shifted(x, 16), spread(threshold))
        return _block(builder, [builder.select(is_kept, _spread(builder, arguments[5], types.float32), _numbers(0))])

    return Block(1)(*[types.int64] * 5, types.float32), emit


@intrinsic
def take(context, counter):
    """The number at an address, which is one more for whoever takes it next, in whatever thread."""

    def emit(context, builder, signature, arguments):
        return builder.atomic_rmw("add", _at(builder, arguments[0], 0, _LONG), ir.Constant(_LONG, 1), "monotonic")

    return types.int64(types.int64), emit


@intrinsic
def address_of(context, pointer):
    """Where a pointer of C points to."""

    def emit(context, builder, signature, arguments):
        return builder.ptrtoint(arguments[0], _LONG)

    return types.int64(pointer), emit
