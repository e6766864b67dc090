"""Balanced brackets: k-Dyck and its shuffled variant. Every token but the first is to be predicted.

After Jiang et al. 2026 (arXiv:2601.21725), whose code (zlshinnick/procedural-pretraining at 5356d9e) gives the ids
and the distributions. The opening bracket of kind j is id j, written ``(j``; its closing bracket is k + j, written
``)j``; <pad> is 2k and never occurs in a row. Depth limits as in Hu et al. 2025 (arXiv:2502.19249).
"""

import dataclasses
from typing import ClassVar

from .fields import flag, integer, probability
from .layouts import Stream
from .registry import register


@dataclasses.dataclass(frozen=True)
class _Brackets(Stream):
    """Shared layout: `length` brackets of `k` kinds, all labelled but the first."""

    headline: ClassVar[str] = "k"
    sizes: ClassVar[tuple[int, ...]] = (8, 16, 32, 64)

    k: int = integer(64, 1, "kinds of brackets", high=2**20)
    p_open: float = probability(0.5, "probability of an opening bracket where both are possible")
    balanced: bool = flag(False, "end with every bracket closed, for which the length must be even")

    def __post_init__(self):
        super().__post_init__()
        if self.balanced and self.length % 2:
            raise ValueError(f"{self.name}: length must be even with balanced=True, got {self.length}")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        opening = [f"({kind}" for kind in range(self.k)]
        closing = [f"){kind}" for kind in range(self.k)]
        return (*opening, *closing, "<pad>")

    @property
    def pad_id(self) -> int:
        return 2 * self.k


@register
@dataclasses.dataclass(frozen=True)
class Dyck(_Brackets):
    """Words in which the bracket opened last is closed first.

    At depth 0 a uniform kind opens; once only the open brackets fit, all close; between, a uniform kind opens with
    probability `p_open` (while the depth is below `max_depth`, if set), else the last one closes. An odd length ends
    with one unmatched opening bracket, as in the reference; `balanced` refuses it.
    """

    name = "dyck"
    summary = "balanced brackets of k kinds, last opened first closed"

    max_depth: int | None = integer(None, 1, "open brackets at most", optional=True)

    def accepts(self, token_ids) -> bool:
        """Whether the tokens are a word: balanced, but for a last opening bracket where their number is odd."""
        tokens = [int(token) for token in token_ids]
        if len(tokens) % 2 and not self.balanced and 0 <= tokens[-1] < self.k:
            tokens.pop()
        opened = []
        for token in tokens:
            if 0 <= token < self.k:
                opened.append(token)
                if self.max_depth is not None and len(opened) > self.max_depth:
                    return False
            elif not opened or token != self.k + opened.pop():
                return False
        return not opened

    def fill(self, state, input_ids):
        from . import kernels

        kernels.dyck(state, input_ids, self.k, float(self.p_open), self.max_depth or self.length)


@register
@dataclasses.dataclass(frozen=True)
class DyckShuffle(_Brackets):
    """Words of interleaved kinds: a close picks a kind uniformly among those that are open.

    At depth 0 a uniform kind opens, at `max_depth` one closes, between one opens with probability `p_open`. As in the
    reference, a word simply stops at `length`, mostly unbalanced; `balanced` closes what is open in time.
    """

    name = "dyck_shuffle"
    summary = "brackets of k kinds that interleave, each kind balanced by itself"

    max_depth: int = integer(16, 1, "open brackets at most")

    def accepts(self, token_ids) -> bool:
        """Whether the tokens are a word, or without `balanced` the beginning of one."""
        counts = [0] * self.k
        depth = 0
        for token in map(int, token_ids):
            if not 0 <= token < 2 * self.k:
                return False
            step = 1 if token < self.k else -1
            counts[token % self.k] += step
            depth += step
            if counts[token % self.k] < 0 or depth > self.max_depth:
                return False
        return not (self.balanced and any(counts))

    def fill(self, state, input_ids):
        from . import kernels

        kernels.dyck_shuffle(state, input_ids, self.k, float(self.p_open), self.max_depth, self.balanced)
