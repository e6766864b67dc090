"""State tracking: word problems of groups, and the flip-flop language.

Word problems are those of Merrill, Petty and Sabharwal 2024 (The Illusion of State in State-Space Models,
arXiv:2404.08819), in the layout, ids and order of jopetty/word-problem at 8f910f9, which has its groups from
jopetty/abstract_algebra at 94226a0; Liu et al. 2023 (Transformers Learn Shortcuts to Automata, arXiv:2210.10749) ask
the same of transformers. S_n has the permutations of 1..n in lexicographic order as its elements 0, 1, 2, ..., A_n the
even ones of these; a * b is b first, then a; of a product, elements are in the order of their pairs. The reference has
its rows of each length without repetition and the label <bos> at <bos>; here rows are independent, and that label is
none.

The flip-flop language is that of Liu et al. 2023 (Exposing Attention Glitches with Flip-Flop Language Modeling,
arXiv:2306.00946), of whose code there is none: ids are those that its published rows, synthseq/flipflop, are read with.
"""

import dataclasses
import functools
import itertools
import math

import numpy as np

from .base import IGNORE
from .fields import integer, parameter, probability
from .layouts import Asked
from .lengths import Lengths
from .registry import register

_GROUPS = (
    *(f"S{n}" for n in range(2, 7)),
    *(f"A{n}" for n in range(4, 7)),
    *(f"Z{n}" for n in range(2, 61)),
    "A4_x_Z5",
)
_BETWEEN = "tokens in a row, at least; each length is as likely; null: all have `length`"


def _factors(group: str) -> list[tuple[str, int]]:
    return [(part[0], int(part[1:])) for part in group.split("_x_")]


def order(group: str) -> int:
    """How many elements a group has."""
    sizes = {"S": math.factorial, "A": lambda n: math.factorial(n) // 2, "Z": int}
    return math.prod(sizes[kind](n) for kind, n in _factors(group))


def _is_even(permutation) -> bool:
    return sum(a > b for a, b in itertools.combinations(permutation, 2)) % 2 == 0


@functools.cache
def elements(group: str) -> list[tuple]:
    """The elements in the order of their ids: of each factor a permutation of 0..n-1, or a number."""
    parts = []
    for kind, n in _factors(group):
        if kind == "Z":
            parts.append(range(n))
        else:
            permutations = itertools.permutations(range(n))
            parts.append([each for each in permutations if kind == "S" or _is_even(each)])
    return list(itertools.product(*parts))


def times(group: str, first: tuple, second: tuple) -> tuple:
    """The product of two elements: of permutations, the one that does `second`, then `first`."""
    result = []
    for (kind, n), a, b in zip(_factors(group), first, second, strict=True):
        result.append((a + b) % n if kind == "Z" else tuple(a[place] for place in b))
    return tuple(result)


@functools.lru_cache(maxsize=8)
def table(group: str) -> np.ndarray:
    """The ids of all products, int16 ``[order, order]``."""
    product = np.zeros((1, 1), np.int64)
    for kind, n in _factors(group):
        if kind == "Z":
            own = np.add.outer(np.arange(n), np.arange(n)) % n
        else:
            factor = np.array(elements(f"{kind}{n}"))[:, 0]
            weights = n ** np.arange(n)[::-1]  # by which codes are in lexicographic order
            own = np.searchsorted(factor @ weights, factor[:, factor] @ weights)
        size = len(product) * len(own)
        product = product[:, None, :, None] * len(own) + own[None, :, None, :]
        product = product.reshape(size, size)
    return product.astype(np.int16)


@register
@dataclasses.dataclass(frozen=True)
class WordProblem(Lengths, Asked):
    """``<bos> g1 .. gn <eos>``, then <pad>: behind each element, the product of all so far is to be predicted.

    The label of the token behind gi is g1 * .. * gi, which does not stand in the row; <eos> is there for the last.
    """

    name = "word_problem"
    headline = "group"
    sizes = ("S3", "S4", "A5", "Z60", "A4_x_Z5", "S5")
    summary = "the running product of elements of a group: what a model must track its state for"
    paper = "Merrill et al. 2024, The Illusion of State in State-Space Models, arXiv:2404.08819"
    apart = True
    one_by_one = True

    group: str = parameter(
        "S5",
        _GROUPS.__contains__,
        "one of S2..S6, A4..A6, Z2..Z60, A4_x_Z5",
        "the group: symmetric, alternating, cyclic, or the product of two",
        options=_GROUPS,
    )
    length: int = integer(20, 1, "elements in a row, at most", high=2**20)
    min_length: int | None = integer(
        None, 1, "elements in a row, at least; each length is as likely; null: all have `length`", 2**20, optional=True
    )

    @property
    def turn(self) -> str:
        return "After each element, write the product of all so far."

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(order(self.group))), "<pad>", "<bos>", "<unk>", "<eos>")

    @property
    def pad_id(self) -> int:
        return order(self.group)

    @property
    def bos_id(self) -> int:
        return self.pad_id + 1

    @property
    def eos_id(self) -> int:
        return self.pad_id + 3

    def width(self, length) -> int:
        return length + 2

    def is_form(self, input_ids):
        row = self._unpadded(input_ids)
        ends = [self.bos_id, self.eos_id]
        return len(row) > 2 and [row[0], row[-1]] == ends and all(0 <= token < self.pad_id for token in row[1:-1])

    def targets(self, input_ids) -> list[int]:
        every = elements(self.group)
        labels = [IGNORE] * len(input_ids)
        product = every[0]
        for place, token in enumerate(input_ids[:-1]):
            if token < len(every):
                product = times(self.group, product, every[token])
                labels[place + 1] = every.index(product)
        return labels

    def draw(self, rng, low, high, input_ids, labels):
        from . import kernels, tracking_kernels

        ids = (self.pad_id, self.bos_id, self.eos_id)
        tracking_kernels.word_problem(kernels.stream(rng), input_ids, labels, table(self.group), low, high, ids)


@register
@dataclasses.dataclass(frozen=True)
class FlipFlop(Lengths, Asked):
    """``w 1 i 0 r 1 ..``: write, ignore or read, each with its bit; a read has the bit that was written last.

    A row begins with a write and ends with a read. Between, each is an ignore with `p_ignore`, else as likely a write
    as a read; the bits of writes and ignores are fair. The loss counts on the bits of reads, as no other can be known.
    """

    name = "flip_flop"
    headline = "length"
    sizes = (512,)
    summary = "remember the bit that was written last, whatever stands between"
    paper = "Liu et al. 2023, Exposing Attention Glitches with Flip-Flop Language Modeling, arXiv:2306.00946"
    one_by_one = True

    length: int = integer(512, 4, "tokens in a row, at most: an even number", high=2**20)
    min_length: int | None = integer(None, 4, _BETWEEN, 2**20, optional=True)
    p_ignore: float = probability(0.8, "of an ignore: 0.8 to train on, 0.98 and 0.1 for tests, sparse and dense")

    def __post_init__(self):
        super().__post_init__()
        for name in ("length", "min_length", "test_length"):
            if (getattr(self, name) or 0) % 2:
                raise ValueError(f"{self.name}: {name} must be even, got {getattr(self, name)}")

    @property
    def turn(self) -> str:
        return "Write the bit that was written last."

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return ("w", "r", "i", "0", "1", "<pad>")

    @property
    def pad_id(self) -> int:
        return 5

    def width(self, length) -> int:
        return length

    def is_form(self, input_ids):
        words = self.text(input_ids).split()
        commands, bits = words[::2], words[1::2]
        in_order = commands[:1] == ["w"] and commands[-1] == "r" and len(commands) == len(bits)
        return in_order and {*commands} <= {*"wri"} and {*bits} <= {*"01"}

    def targets(self, input_ids) -> list[int]:
        labels = [IGNORE] * len(input_ids)
        written = IGNORE
        for place in range(0, len(input_ids) - 1, 2):
            command = self.vocabulary[input_ids[place]]
            if command == "w":
                written = input_ids[place + 1]
            elif command == "r":
                labels[place + 1] = written
        return labels

    def draw(self, rng, low, high, input_ids, labels):
        from . import kernels, tracking_kernels

        state = kernels.stream(rng)
        tracking_kernels.flip_flop(state, input_ids, labels, (low + 1) // 2, high // 2, self.p_ignore, self.pad_id)
