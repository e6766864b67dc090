"""Zoology: multi-query associative recall, the task on which recall of efficient architectures is compared.

Arora et al. 2023 (Zoology: Measuring and Improving Recall in Efficient Language Models, arXiv:2312.04927), with the
ids, layouts and distributions of the reference, HazyResearch/zoology at d88d6f5, and of the two variants that stand
beside it there: keys that get a new value, and keys of two tokens. All its ids keep their places; <pad> is one more,
behind them, and no row has any. Labels stand apart from the row: a value is asked for right behind its key, where the
row has a blank, or noise.

Ours are: splits that share no prompt (there, other seeds); a new value that is never the key's old one (there, by
mistake, never that of some other key); fewer ids than tokens, where they suffice. Left out is `num_passes`, with which
the reference fails at this commit.
"""

import dataclasses
import decimal
import functools
import math
from typing import ClassVar

import numpy as np

from .base import IGNORE
from .fields import flag, integer, parameter
from .layouts import Asked
from .registry import register

_WEIGHT = 2**44  # the weights of all slots together, at most


@functools.lru_cache(maxsize=64)
def slot_weights(slots: int, power_a: float) -> np.ndarray:
    """How likely slot i = 1, 2 .. is, i ** (power_a - 1), as whole numbers of one scale, int64 ``[slots]``."""
    # In decimal arithmetic, which rounds correctly: the last bits of a machine's own power would be seen in the rows.
    context = decimal.Context(prec=28, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, traps=[])
    exponent = context.subtract(decimal.Decimal(power_a), decimal.Decimal(1))
    logs = [context.ln(decimal.Decimal(slot)) for slot in range(1, slots + 1)]
    highest = logs[-1] if power_a > 1 else logs[0]
    scale = decimal.Decimal(_WEIGHT // slots)
    powers = (context.exp(context.multiply(exponent, context.subtract(log, highest))) for log in logs)
    return np.array([max(int(context.multiply(power, scale)), 1) for power in powers], np.int64)


def _is_power(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100


@dataclasses.dataclass(frozen=True)
class _Mqar(Asked):
    """A context that gives keys their values, then all the keys, each in a slot of its own."""

    headline = "num_kv_pairs"
    paper = "Arora et al. 2023, Zoology: Measuring and Improving Recall in Efficient Language Models, arXiv:2312.04927"
    apart = True
    key_size: ClassVar[int] = 1  # tokens in a key; a slot has one more

    num_kv_pairs: int = integer(8, 1, "keys in a row", high=2**14)
    length: int = integer(None, 4, "tokens in a row; null: 64, or as few as the pairs need", high=2**16, optional=True)
    vocab_size: int = integer(8192, 4, "ids: blank, keys and values", high=2**20)
    power_a: float = parameter(
        0.01,
        _is_power,
        "a number > 0, at most 100",
        "slot i is as likely as i ** (power_a - 1); 1: all alike",
        convert=float,
    )
    random_non_queries: bool = flag(True, "whether noise, ids of any kind, stands where else there would be blanks")

    def __post_init__(self):
        super().__post_init__()
        least = self.context + self.num_kv_pairs * (self.key_size + 1)
        if self.length is not None and self.length < least:
            raise ValueError(f"{self.name}: length must be at least {least}{self._sizes}, got {self.length}")
        if self.max_length % 2:
            raise ValueError(f"{self.name}: length must be even, got {self.length}")

    @property
    def _sizes(self) -> str:
        return f" with num_kv_pairs={self.num_kv_pairs}"

    @property
    def context(self) -> int:
        """How many tokens give the keys their values."""
        return self.num_kv_pairs * (self.key_size + 1)

    @property
    def slots(self) -> int:
        """How many places there are for a key to be asked for."""
        return (self.max_length - self.context) // (self.key_size + 1)

    @property
    def max_length(self) -> int:
        least = self.context + self.num_kv_pairs * (self.key_size + 1)
        return self.length or max(64, least + least % 2)

    def given(self, input_ids) -> dict[tuple[int, ...], int]:
        """The value that each key has in the end."""
        row = [int(token) for token in input_ids[: self.context]]
        size = self.key_size + 1
        return {tuple(row[start : start + size - 1]): row[start + size - 1] for start in range(0, len(row), size)}

    def targets(self, input_ids) -> list[int]:
        row = [int(token) for token in input_ids]
        values = self.given(row)
        labels = [IGNORE] * len(row)
        size = self.key_size + 1
        for slot in range(self.slots):
            start = self.context + slot * size
            key = tuple(row[start : start + size - 1])
            if key in values:  # so may be noise, which has no label: `is_row` knows
                labels[start + size - 1] = values[key]
        return labels

    def is_context(self, row: list[int]) -> bool:
        """Whether the beginning of a row gives keys values as it must."""
        raise TypeError(f"{type(self).__name__} must define is_context(row)")

    def is_form(self, input_ids):
        return 0 <= min(input_ids) <= max(input_ids) < self.vocab_size and self.is_context(input_ids[: self.context])

    def is_row(self, input_ids, labels):
        row = [int(token) for token in input_ids]
        if not self.is_form(row):
            return False
        expected = self.targets(row)
        places = np.flatnonzero(np.asarray(labels) != IGNORE).tolist()
        if any(labels[place] != expected[place] for place in places):
            return False
        asked = [tuple(row[place - self.key_size : place]) for place in places]
        if sorted(asked) != sorted(self.given(row)):
            return False
        if self.random_non_queries:
            return True
        used = {place - back for place in places for back in range(1, self.key_size + 1)}
        rest = set(range(self.context, len(row))) - used
        return not any(row[place] for place in rest) and np.array_equal(expected, labels)

    @property
    def noise(self) -> int:
        """Below which number noise is; 0: there is none."""
        return self.vocab_size if self.random_non_queries else 0

    @property
    def _power_law(self) -> np.ndarray:
        return slot_weights(self.slots, self.power_a)


@dataclasses.dataclass(frozen=True)
class _Pairs(_Mqar):
    """Keys of one token: the first half of the ids, without blank 0; values are the rest."""

    def __post_init__(self):
        super().__post_init__()
        if self.num_kv_pairs > self.keys:
            least = 2 * (self.num_kv_pairs + 1)
            raise ValueError(f"{self.name}: vocab_size must be at least {least}{self._sizes}, got {self.vocab_size}")

    @property
    def updates(self) -> int:
        """How many keys get another value."""
        return 0

    @property
    def context(self) -> int:
        return 2 * (self.num_kv_pairs + self.updates)

    @property
    def keys(self) -> int:
        """How many keys there are: the ids from 1 on."""
        return self.vocab_size // 2 - 1

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        keys = (f"k{key}" for key in range(1, self.keys + 1))
        values = (f"v{value}" for value in range(self.vocab_size - self.keys - 1))
        return ("<blank>", *keys, *values, "<pad>")

    def is_context(self, row):
        pairs = list(zip(row[::2], row[1::2], strict=True))
        if not all(0 < key <= self.keys < value < self.vocab_size for key, value in pairs):
            return False
        before = dict(pairs[: self.num_kv_pairs])
        renewed = dict(pairs[self.num_kv_pairs :])
        return (
            len(before) == len({*before.values()}) == self.num_kv_pairs
            and len(renewed) == self.updates
            and renewed.keys() <= before.keys()
        )

    def sample(self, rng, n):
        from . import kernels, mqar_kernels

        input_ids, labels = self.empty_rows(n)
        sizes = (self.num_kv_pairs, self.updates, self.vocab_size, self.noise)
        mqar_kernels.rows(kernels.stream(rng), input_ids, labels, *sizes, self._power_law)
        return input_ids, labels


@register
@dataclasses.dataclass(frozen=True)
class Mqar(_Pairs):
    """``k4 v7 k9 v1 <blank> <blank> k9 <blank> k4 <blank> ..``: behind each key in the second part, its value.

    `num_kv_pairs` distinct keys and as many distinct values, uniform; then the keys, in the order of the pairs, draw
    their slots of two tokens, one after the other, of those left. With `random_non_queries`, each <blank> is any id
    instead: noise may so be a key of the row, which then has no label. The ids are <blank> (0), keys, and from
    vocab_size // 2 on values.
    """

    name = "mqar"
    sizes = (4, 8, 16, 32, 64, 128, 256)
    summary = "tell the values of many keys, each when it is seen again"


@register
@dataclasses.dataclass(frozen=True)
class ForgettingMqar(_Pairs):
    """As mqar, but behind the pairs `num_updates` of the keys come with another value, which then is theirs."""

    name = "forgetting_mqar"
    sizes = (4, 9, 16, 25, 36, 64, 144, 256)
    summary = "tell the values of many keys, some of which were given new ones"

    num_updates: int = integer(4, 0, "keys that get another value")

    def __post_init__(self):
        super().__post_init__()
        if self.num_updates > self.num_kv_pairs:
            raise ValueError(
                f"{self.name}: num_updates must be at most num_kv_pairs = {self.num_kv_pairs}, got {self.num_updates}"
            )

    @property
    def _sizes(self) -> str:
        return f"{super()._sizes} and num_updates={self.num_updates}"

    @property
    def updates(self) -> int:
        return self.num_updates


@register
@dataclasses.dataclass(frozen=True)
class CompositionalMqar(_Mqar):
    """``a3 b1 v4 a0 b1 v8 .. <blank> a0 b1 <blank> ..``: as mqar, with keys of two tokens.

    Each of some first tokens comes with each of as many second ones, in any order, so that neither tells the value by
    itself; `num_kv_pairs` is a square. The ids are <blank> (0), first tokens, and from each further third of vocab_size
    on second tokens and values. A slot has three tokens.
    """

    name = "compositional_mqar"
    sizes = (4, 9, 16, 25, 36, 64, 144, 256)
    summary = "tell the values of many keys of two tokens, each when it is seen again"
    key_size = 2

    num_kv_pairs: int = integer(4, 1, "keys in a row, a square", high=2**14)

    def __post_init__(self):
        super().__post_init__()
        if self.side**2 != self.num_kv_pairs:
            raise ValueError(f"{self.name}: num_kv_pairs must be a square, got {self.num_kv_pairs}")
        least = 3 * max(self.side + 1, self.num_kv_pairs)
        if self.vocab_size < least:
            raise ValueError(f"{self.name}: vocab_size must be at least {least}{self._sizes}, got {self.vocab_size}")

    @property
    def side(self) -> int:
        """How many first tokens a row has, and how many second ones."""
        return math.isqrt(self.num_kv_pairs)

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        third = self.vocab_size // 3
        firsts = (f"a{number}" for number in range(1, third))
        seconds = (f"b{number}" for number in range(third))
        values = (f"v{number}" for number in range(self.vocab_size - 2 * third))
        return ("<blank>", *firsts, *seconds, *values, "<pad>")

    def is_context(self, row):
        third = self.vocab_size // 3
        firsts, seconds, values = ({*row[place::3]} for place in range(3))
        return (
            min(firsts) > 0
            and max(firsts) < third <= min(seconds)
            and max(seconds) < 2 * third <= min(values)
            and max(values) < self.vocab_size
            and len(firsts) == len(seconds) == self.side
            and len(values) == len(self.given(row)) == self.num_kv_pairs
        )

    def sample(self, rng, n):
        from . import kernels, mqar_kernels

        input_ids, labels = self.empty_rows(n)
        sizes = (self.side, self.vocab_size, self.noise)
        mqar_kernels.grids(kernels.stream(rng), input_ids, labels, *sizes, self._power_law)
        return input_ids, labels
