"""Sequence tasks: a list of symbols, a separator, the answer.

The seven list tasks of Jiang et al. 2026 (Procedural Pretraining, arXiv:2601.21725), with the layouts, ids and
distributions of the reference code, zlshinnick/procedural-pretraining at 5356d9e. Symbols are the ids
1..vocab_size-1, <sep> is vocab_size, <pad> is vocab_size + 1. The loss counts on the answer alone, neither on <sep>
nor on <pad>.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from .base import IGNORE, Task
from .fields import flag, integer
from .registry import register


@dataclasses.dataclass(frozen=True)
class _Sequence(Task):
    """Shared layout: `length` symbols, <sep>, the answer, padding."""

    headline: ClassVar[str] = "length"
    sizes: ClassVar[tuple[int, ...]] = (16, 32, 64)

    length: int = integer(64, 1, "symbols in the input")
    vocab_size: int = integer(100, 2, "symbols are 1..vocab_size-1; <sep> and <pad> come on top", high=2**20)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.vocab_size)), "<sep>", "<pad>")

    @property
    def max_length(self) -> int:
        return 2 * self.length + 1

    @property
    def sep_id(self) -> int:
        return self.vocab_size

    @property
    def pad_id(self) -> int:
        return self.vocab_size + 1

    def closed(self, prompt):
        return prompt if prompt[-1:] == [self.sep_id] else [*prompt, self.sep_id]

    def _symbols(self, prompt_ids) -> list[int]:
        """The prompt without separators."""
        return [int(token) for token in prompt_ids if token != self.sep_id]

    def _draw(self, rng, input_ids, start, stop):
        from . import kernels

        kernels.fill_uniform(kernels.stream(rng), input_ids, start, stop, 1, self.vocab_size - 1)

    def _sample_mapped(self, rng, n, write_answer):
        """Rows whose answer `write_answer` makes in place, from a copy of the symbols, int32 ``[n, length]``."""
        input_ids, labels = self.empty_rows(n)
        start = self.length + 1
        self._draw(rng, input_ids, 0, self.length)
        input_ids[:, self.length] = self.sep_id
        input_ids[:, start:] = input_ids[:, : self.length]
        write_answer(input_ids[:, start:])
        labels[:, :start] = IGNORE
        labels[:, start:] = input_ids[:, start:]
        return input_ids, labels


@register
@dataclasses.dataclass(frozen=True)
class Sort(_Sequence):
    """``x1 .. xL <sep> x ascending``, duplicates kept."""

    name = "sort"
    summary = "sort the symbols, duplicates kept"

    def solve(self, prompt_ids) -> list[int]:
        return sorted(self._symbols(prompt_ids))

    def sample(self, rng, n):
        return self._sample_mapped(rng, n, lambda symbols: symbols.sort(axis=1))


def _flip(symbols):
    symbols[:] = symbols[:, ::-1]


@register
@dataclasses.dataclass(frozen=True)
class Reverse(_Sequence):
    """``x1 .. xL <sep> xL .. x1``."""

    name = "reverse"
    summary = "write the symbols backwards"

    def solve(self, prompt_ids) -> list[int]:
        return self._symbols(prompt_ids)[::-1]

    def sample(self, rng, n):
        return self._sample_mapped(rng, n, _flip)


@register
@dataclasses.dataclass(frozen=True)
class Identity(_Sequence):
    """``x1 .. xL <sep> x1 .. xL``."""

    name = "identity"
    summary = "copy the symbols"

    def solve(self, prompt_ids) -> list[int]:
        return self._symbols(prompt_ids)

    def sample(self, rng, n):
        return self._sample_mapped(rng, n, lambda symbols: None)


@register
@dataclasses.dataclass(frozen=True)
class Set(_Sequence):
    """``x1 .. xL <sep> the distinct x in order of first appearance``, then <pad>."""

    name = "set"
    summary = "keep the first of each symbol, in order"

    def solve(self, prompt_ids) -> list[int]:
        return list(dict.fromkeys(self._symbols(prompt_ids)))

    def sample(self, rng, n):
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        self._draw(rng, input_ids, 0, self.length)
        input_ids[:, self.length] = self.sep_id
        kernels.write_distinct(input_ids, labels, self.length + 1, self.sep_id, self.pad_id)
        return input_ids, labels


@register
@dataclasses.dataclass(frozen=True)
class FilledSet(_Sequence):
    """``x1 .. xn <sep> the distinct x in order of first appearance``: `length` tokens in all, without padding.

    Symbols are drawn one by one until the next could not be answered any more; the place that may then be left is taken
    by one drawn from those there are. So n differs from row to row. Of arXiv:2609.39827 (Synthetic Pre-pretraining
    Survives Scale, but Not as a Grammatical Prior; code gucci-j/verify-ppt-at-scale at 4a77180), where the row is text:
    its integers, <sep> being 999, and the loss counts on all of them, as here with `score_all`.
    """

    name = "filled_set"
    sizes = (2048,)
    summary = "keep the first of each symbol, in order, in rows that are full"
    paper = "Synthetic Pre-pretraining Survives Scale, but Not as a Grammatical Prior, 2026, arXiv:2609.39827"

    length: int = integer(2048, 3, "tokens in a row: symbols, <sep> and answer", high=2**20)
    vocab_size: int = integer(999, 2, "symbols are 1..vocab_size-1; <sep> and <pad> come on top", high=2**20)
    score_all: bool = flag(False, "loss on the whole row but its first token, not on the answer alone")

    @property
    def max_length(self) -> int:
        return self.length

    @property
    def prompt_end(self) -> int:
        return self.sep_id

    def solve(self, prompt_ids) -> list[int]:
        return list(dict.fromkeys(self._symbols(prompt_ids)))

    def example(self, prompt_ids):
        input_ids, labels = super().example(prompt_ids)
        if self.score_all:
            labels[1:] = np.where(input_ids[1:] == self.pad_id, IGNORE, input_ids[1:])
        return input_ids, labels

    def prompt_ends(self, input_ids, labels):
        return self.questions(input_ids, labels)[1]

    def sample(self, rng, n):
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        starts = kernels.filled_set(kernels.stream(rng), input_ids, self.vocab_size)
        first = 1 if self.score_all else starts[:, None]
        labels[:] = np.where(np.arange(self.length) < first, np.int32(IGNORE), input_ids)
        return input_ids, labels


@register
@dataclasses.dataclass(frozen=True)
class Union(_Sequence):
    """``a1 .. ah <sep> b1 .. bh <sep> the distinct symbols of a, then b``, then <pad>; h = length // 2.

    As in the reference, an odd length still pads the answer to `length`.
    """

    name = "union"
    summary = "the distinct symbols of two lists, in order"

    length: int = integer(64, 2, "symbols in both lists together")

    @property
    def max_length(self) -> int:
        return 2 * (self.length // 2) + 2 + self.length

    def solve(self, prompt_ids) -> list[int]:
        return list(dict.fromkeys(self._symbols(prompt_ids)))

    def closed(self, prompt):
        return prompt if prompt.count(self.sep_id) > 1 else [*prompt, self.sep_id]

    def sample(self, rng, n):
        from . import kernels

        half = self.length // 2
        input_ids, labels = self.empty_rows(n)
        self._draw(rng, input_ids, 0, 2 * half + 1)
        input_ids[:, [half, 2 * half + 1]] = self.sep_id
        kernels.write_distinct(input_ids, labels, 2 * half + 2, self.sep_id, self.pad_id)
        return input_ids, labels


@register
@dataclasses.dataclass(frozen=True)
class Delete(_Sequence):
    """``x1 .. xL <sep> q <sep> x without its first q``, then <pad>.

    q is uniform on all symbols, as in the reference; where x has none, the answer is all of x.
    """

    name = "delete"
    summary = "remove the first occurrence of the queried symbol"

    @property
    def max_length(self) -> int:
        return 2 * self.length + 3

    def solve(self, prompt_ids) -> list[int]:
        *symbols, query = self._symbols(prompt_ids)
        if query in symbols:
            symbols.remove(query)
        return symbols

    def sample(self, rng, n):
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        self._draw(rng, input_ids, 0, self.length + 2)
        input_ids[:, [self.length, self.length + 2]] = self.sep_id
        kernels.write_without_first(input_ids, labels, self.length, self.pad_id)
        return input_ids, labels


@register
@dataclasses.dataclass(frozen=True)
class Stack(_Sequence):
    """``length operations <sep> the stack from top to bottom``, then <pad>, cut at 2 * length tokens.

    Id 0 pops, a symbol pushes itself; a push takes a symbol that is not on the stack. A push is forced while at most
    one symbol is held and a pop in the last step; between, a push has probability 0.75 in the first two thirds of
    the steps and 0.25 after them. As in the reference, the cut loses the last token at length 2.
    """

    name = "stack"
    summary = "replay pushes and pops, then read the stack from the top"

    length: int = integer(64, 2, "operations")
    vocab_size: int = integer(
        100, 3, "symbols are 1..vocab_size-1; <pop> is 0; <sep> and <pad> come on top", high=2**20
    )

    @property
    def turn(self) -> str:
        return "After each operation, write the whole stack, from the top down."

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return ("<pop>", *super().vocabulary[1:])

    @property
    def max_length(self) -> int:
        return 2 * self.length

    def solve(self, prompt_ids) -> list[int]:
        stack = []
        for symbol in self._symbols(prompt_ids):
            if symbol:
                stack.append(symbol)
            else:
                stack.pop()
        return stack[::-1]

    def turns(self, prompt_ids):
        operations = self._symbols(prompt_ids)
        return [([symbol], self.solve(operations[: place + 1])) for place, symbol in enumerate(operations)]

    def sample(self, rng, n):
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        kernels.stack(kernels.stream(rng), input_ids, labels, self.length, self.vocab_size)
        return input_ids, labels
