"""Noise in the text that is trained on, to study who is robust to it: ``--noise uniform:0.1``.

Of tokens, RATE being the share that is hit, which are ours:

    uniform     a token becomes any token of the vocabulary
    insert      a random token is put in front of it
    delete      it is left out
    shuffle     of stretches of 16 tokens, RATE are hit: their tokens come in random order

Of whole rows, as Guo et al. 2026 have it (arXiv:2605.10129; guox18/formal-language-prepretraining at 3097f35), RATE
being noise tokens for each clean one:

    uniform_rows    rows of random tokens come between the documents
    unigram_rows    the same, of tokens as frequent as in the text's first million characters (theirs: 150M tokens)
    shuffled_rows   documents whose tokens come in random order (theirs: others than the clean ones; here it is
                    drawn which are)

What a document becomes follows from the run's seed and the document's number alone, so that a resume meets the same.
Separators, rows of tasks and validation stay clean. Rows are of the run's length, and labels are the ids, noise or not.
"""

import dataclasses
import hashlib
from typing import ClassVar

import numpy as np

from ..errors import nearest

USUAL = 0.1
_STRETCH = 16  # tokens that `shuffle` brings into another order


@dataclasses.dataclass(frozen=True)
class Noise:
    """Of a kind, at a rate."""

    kind: str
    rate: float

    KINDS: ClassVar[tuple[str, ...]] = (
        "uniform",
        "insert",
        "delete",
        "shuffle",
        "uniform_rows",
        "unigram_rows",
        "shuffled_rows",
    )

    @classmethod
    def parse(cls, text: str) -> "Noise":
        """``KIND`` or ``KIND:RATE``. Raises ValueError in one line."""
        kind, _, rate = str(text).partition(":")
        if kind not in cls.KINDS:
            raise ValueError(f"noise must be one of {', '.join(cls.KINDS)}, got {text!r}{nearest(kind, cls.KINDS)}")
        most = 100.0 if kind.endswith("_rows") else 1.0
        try:
            number = float(rate) if ":" in str(text) else USUAL
        except ValueError:
            number = -1.0
        if not 0 <= number <= most:
            raise ValueError(f"noise {kind}: the rate must be a number in 0..{most:g}, as in {kind}:0.1, got {text!r}")
        return cls(kind, number)

    def __str__(self):
        return f"{self.kind}:{self.rate:g}"


@dataclasses.dataclass(frozen=True)
class Corrupter:
    """Noise for a run: its vocabulary, the length of its rows, its seed."""

    noise: Noise
    vocab_size: int
    length: int
    seed: int

    @property
    def needs_text(self) -> bool:
        """Whether tokens of the text must be known to draw from."""
        return self.noise.kind == "unigram_rows"

    def __call__(self, tokens: np.ndarray, pool: np.ndarray, place: tuple[int, int, int]) -> list[np.ndarray]:
        """What becomes of a document, int32: itself with noise, and rows of noise behind it.

        Args:
            pool: tokens of the text to draw from.
            place: the numbers of its source, epoch and document.
        """
        digest = hashlib.blake2b(repr((self.seed, str(self.noise), place)).encode(), digest_size=16).digest()
        rng = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
        kind, rate = self.noise.kind, self.noise.rate
        if kind.endswith("_rows"):
            if kind == "shuffled_rows":  # of noise and clean text together, so that the rate is as for the others
                return [rng.permutation(tokens) if rng.random() < rate / (1 + rate) else tokens]
            count = int(rate * len(tokens) / self.length + rng.random())
            drawn = rng.integers(len(pool) if self.needs_text else self.vocab_size, size=(count, self.length))
            return [tokens, *(pool[drawn] if self.needs_text else drawn).astype(np.int32)]
        if kind == "shuffle":
            order = np.arange(len(tokens))
            for start in range(0, len(tokens), _STRETCH):
                if rng.random() < rate:
                    rng.shuffle(order[start : start + _STRETCH])
            return [tokens[order]]
        hit = rng.random(len(tokens)) < rate
        drawn = rng.integers(self.vocab_size, size=int(hit.sum())).astype(np.int32)
        if kind == "delete":
            return [tokens[~hit]]
        if kind == "insert":
            return [np.insert(tokens, np.flatnonzero(hit), drawn)]
        tokens = tokens.copy()
        tokens[hit] = drawn
        return [tokens]
