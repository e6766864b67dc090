"""MAD: the six token manipulation tasks that architectures are designed on.

Poli et al. 2024 (Mechanistic Design and Scaling of Hybrid Architectures, arXiv:2403.17844), with the ids, layouts and
distributions of the reference, athms/mad-lab at 0f49a45; the defaults are its suite's baselines, its harder settings
are presets. All its ids keep their places; <pad> is one more, behind them, and no row has any.

The three recall tasks are in mad_recall.py. Those that are here are asked for what the row does not show: labels stand
apart from it.

Ours are: splits that share no prompt (there, train and test are draws of one generator); the places of the blanks of
selective copying come from the row's own generator; compression is laid out for a causal model, as its class says. The
maps of memorization are the reference's, by `kv_map_seed`. Left out is noise in memorization and compression, which the
functions of the reference take and its suite has not.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator

import numpy as np

from .base import IGNORE
from .fields import integer
from .layouts import Asked
from .registry import register

PAPER = "Poli et al. 2024, Mechanistic Design and Scaling of Hybrid Architectures, arXiv:2403.17844"


def numbered(letter: str, count: int) -> tuple[str, ...]:
    """So many token strings: a letter and a number."""
    return tuple(f"{letter}{number}" for number in range(count))


@register
@dataclasses.dataclass(frozen=True)
class SelectiveCopying(Asked):
    """``7 <blank> 2 <blank> <blank> 2 <copy> <blank> <blank> ..``: at the end, the tokens are to be told in order.

    `num_tokens_to_copy` tokens, uniform, with blanks before each, their places uniform; <copy>, and a blank more than
    there are tokens. The first is to be predicted behind the first of these blanks. A row has `length` + 1 tokens; the
    last, which no causal model reads, is where the last label stands.
    """

    name = "mad_selective_copying"
    headline = "length"
    sizes = (256, 512, 1024)
    summary = "copy the tokens that stand between blanks"
    paper = PAPER
    apart = True

    length: int = integer(256, 4, "tokens in a row, as the reference counts: without the last", high=2**20)
    vocab_size: int = integer(16, 3, "ids: tokens, <blank> and <copy>", high=2**20)
    num_tokens_to_copy: int = integer(16, 1, "tokens to copy")

    def __post_init__(self):
        super().__post_init__()
        least = 2 * self.num_tokens_to_copy + 2
        if self.length < least:
            raise ValueError(
                f"{self.name}: length must be at least {least} with num_tokens_to_copy={self.num_tokens_to_copy}, got "
                f"{self.length}"
            )

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.vocab_size - 2)), "<blank>", "<copy>", "<pad>")

    @property
    def max_length(self) -> int:
        return self.length + 1

    def is_form(self, input_ids):
        blank_id, copy_id = self.vocab_size - 2, self.vocab_size - 1
        end = len(input_ids) - self.num_tokens_to_copy - 2
        tokens = [token for token in input_ids[:end] if token != blank_id]
        is_asked = input_ids[end:] == [copy_id, *[blank_id] * (self.num_tokens_to_copy + 1)]
        return is_asked and len(tokens) == self.num_tokens_to_copy and 0 <= min(tokens) <= max(tokens) < blank_id

    def targets(self, input_ids) -> list[int]:
        row = [int(token) for token in input_ids]
        blank_id, copy_id = self.vocab_size - 2, self.vocab_size - 1
        labels = [IGNORE] * len(row)
        if copy_id in row:
            end = row.index(copy_id)
            tokens = [token for token in row[:end] if token != blank_id]
            labels[end + 2 : end + 2 + len(tokens)] = tokens
        return labels

    def sample(self, rng, n):
        from . import kernels, mad_kernels

        input_ids, labels = self.empty_rows(n)
        mad_kernels.selective_copying(
            kernels.stream(rng), input_ids, labels, self.vocab_size - 2, self.num_tokens_to_copy
        )
        return input_ids, labels


@register
@dataclasses.dataclass(frozen=True)
class Compression(Asked):
    """``7 2 2 .. <compress> <blank> <blank> ..``: behind <compress>, the tokens are to be told in order, one a place.

    `length` - 1 tokens, uniform and independent, <compress>, and as many blanks: <compress> asks for the first token,
    the first blank for the second, and so on; the last blank is read by no causal model. In the reference, an
    autoencoder has the `length` tokens up to <compress>, and an MLP decodes all of them from the last state and the
    number of a place. No causal model can do that in a row, so this layout is ours: blanks are the numbers of places.
    It asks for compression of models whose memory has one size; attention may look back past <compress>, unless a mask
    forbids it, and then copies. The suite's own rows, for who has such a decoder, are the first `length` tokens of
    ours, which are the targets there too.
    """

    name = "mad_compression"
    headline = "length"
    sizes = (32, 64, 128, 256)
    summary = "tell all tokens again from the state behind them"
    paper = PAPER
    apart = True

    length: int = integer(32, 2, "tokens to compress, and <compress>", high=2**20)
    vocab_size: int = integer(16, 2, "ids: tokens and <compress>", high=2**20)

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.vocab_size - 1)), "<compress>", "<blank>", "<pad>")

    @property
    def max_length(self) -> int:
        return 2 * self.length - 1

    def is_form(self, input_ids):
        tokens = input_ids[: self.length - 1]
        compress_id, blank_id = self.vocab_size - 1, self.vocab_size
        is_asked = input_ids[self.length - 1 :] == [compress_id, *[blank_id] * (self.length - 1)]
        return is_asked and 0 <= min(tokens) <= max(tokens) < compress_id

    def targets(self, input_ids) -> list[int]:
        row = [int(token) for token in input_ids]
        labels = [IGNORE] * len(row)
        if self.vocab_size - 1 in row:
            end = row.index(self.vocab_size - 1)
            labels[end + 1 : 2 * end + 1] = row[:end]
        return labels

    def sample(self, rng, n):
        from . import kernels

        tokens = self.length - 1
        input_ids, labels = self.empty_rows(n)
        kernels.fill_uniform(kernels.stream(rng), input_ids, 0, tokens, 0, self.vocab_size - 2)
        input_ids[:, tokens] = self.vocab_size - 1
        input_ids[:, self.length :] = self.vocab_size
        labels[:, : self.length] = IGNORE
        labels[:, self.length :] = input_ids[:, :tokens]
        return input_ids, labels


def _draws(seed: int) -> Iterator[int]:
    """The 32-bit numbers of a seed, in the order in which NumPy's generator of it takes them."""
    bits = np.random.PCG64(seed)
    while True:
        number = int(bits.random_raw())
        yield number & 0xFFFFFFFF
        yield number >> 32


def _shuffled(numbers, draws: Iterator[int]) -> list[int]:
    """As `numpy.random.Generator.shuffle` does with a list; written out, as NumPy does not promise its stream."""
    numbers = list(numbers)
    for last in range(len(numbers) - 1, 0, -1):
        mask = (1 << last.bit_length()) - 1
        other = next(number for number in (draw & mask for draw in draws) if number <= last)
        numbers[last], numbers[other] = numbers[other], numbers[last]
    return numbers


@functools.lru_cache(maxsize=64)
def kv_map(symbols: int, seed: int) -> dict[int, int]:
    """The value of each key, fixed by a seed: the reference's `generate_kv_map`, whose keys and values are shuffled."""
    draws = _draws(seed)
    keys = _shuffled(range(symbols // 2), draws)
    values = _shuffled(range(symbols // 2, symbols), draws)
    return dict(zip(keys, values, strict=False))


@register
@dataclasses.dataclass(frozen=True)
class Memorization(Asked):
    """``k3 <insert> k0 <insert> ..``: behind each <insert>, the value of the key before it, by a fixed map.

    Keys are uniform. Values are in no row, so the map must be learned from the labels alone; `kv_map_seed` sets it. The
    label of an <insert> stands one place further. A row has `length` + 1 tokens, the last an <insert> that no causal
    model reads. All splits have the same map: other rows, no other facts.
    """

    name = "mad_memorization"
    headline = "vocab_size"
    sizes = (256, 512, 1024, 2048, 4096, 8192)
    summary = "learn by heart which value a key has"
    paper = PAPER
    apart = True

    vocab_size: int = integer(256, 3, "ids: keys, values and <insert>", high=2**20)
    length: int = integer(32, 2, "tokens in a row, as the reference counts: without the last", high=2**20)
    kv_map_seed: int = integer(12_345, 0, "which values keys have")

    def __post_init__(self):
        super().__post_init__()
        if self.length % 2:
            raise ValueError(f"{self.name}: length must be even, got {self.length}")

    @property
    def keys(self) -> int:
        """How many keys there are: the first ids."""
        return (self.vocab_size - 1) // 2

    @property
    def kv_map(self) -> dict[int, int]:
        """The value of each key."""
        return kv_map(self.vocab_size - 1, self.kv_map_seed)

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        values = numbered("v", self.vocab_size - 1 - self.keys)
        return (*numbered("k", self.keys), *values, "<insert>", "<pad>")

    @property
    def max_length(self) -> int:
        return self.length + 1

    def is_form(self, input_ids):
        *pairs, last = input_ids
        are_keys = all(0 <= key < self.keys for key in pairs[::2])
        return are_keys and {*pairs[1::2], last} == {self.vocab_size - 1}

    def targets(self, input_ids) -> list[int]:
        row = [int(token) for token in input_ids]
        labels = [IGNORE] * len(row)
        pairs = self.kv_map
        for place, (key, insert) in enumerate(itertools.pairwise(row[:-1])):
            if insert == self.vocab_size - 1 and key in pairs:
                labels[place + 2] = pairs[key]
        return labels

    def sample(self, rng, n):
        from . import kernels, mad_kernels

        pairs = self.kv_map
        values = np.array([pairs[key] for key in range(self.keys)], np.int32)
        input_ids, labels = self.empty_rows(n)
        mad_kernels.memorization(kernels.stream(rng), input_ids, labels, values, self.vocab_size - 1)
        return input_ids, labels
