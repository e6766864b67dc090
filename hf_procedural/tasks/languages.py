"""Artificial languages: sentences of meaningless words. Every token but the first is to be predicted.

Three by Ri and Tsuruoka 2022 (arXiv:2203.10326), with the distributions of the reference code,
Ryou0634/artificial_language at d02fdc4: `words` have no structure, pairs of words are nested in `nesting` and cross in
`flat`. And `ww` by Hu et al. 2025 (arXiv:2502.19249), whose brackets are the tasks dyck and dyck_shuffle and whose
random controls are `words` with ``sentences=False``.

The reference writes lines of text, one sentence each. Our rows are a piece of that stream: sentences, each ended by
<eos>, one after another until the row is full, which cuts the last one. So no row is padded, a row may have any length,
and what follows a token is distributed as in the language at every place (had rows to end with a sentence, long ones
would be rarer near the end).
"""

import dataclasses
import functools
import math
from typing import ClassVar

import numpy as np

from .fields import choice, flag, integer, probability
from .layouts import Stream
from .registry import register

_RI = "Ri and Tsuruoka 2022, Pretraining with Artificial Language, arXiv:2203.10326"
_HU = "Hu et al. 2025, Between Circuits and Chomsky, arXiv:2502.19249"


# ---------------------------------------------------------------- sentences


@dataclasses.dataclass(frozen=True)
class _Sentences(Stream):
    """Sentences of words, or of pairs of words, of `types` kinds; each is ended by <eos>."""

    headline: ClassVar[str] = "types"
    sizes: ClassVar[tuple[int, ...]] = (8000, 16000)
    paper: ClassVar[str] = _RI
    structure: ClassVar[int]  # of the kernel

    length: int = integer(512, 2, "tokens in a row")
    types: int = integer(8000, 1, "kinds of words, or of pairs of words", high=2**20)
    distribution: str = choice(
        "zipf", ("uniform", "zipf", "log_linear"), "of words; log_linear: a topic for each sentence"
    )
    language_seed: int = integer(0, 0, "which word vectors a log_linear language has")

    @property
    def ids_per_type(self) -> int:
        """Token ids of one kind of word: 2 where its head and its tail differ."""
        return 1

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return _vocabulary(self.types, self.ids_per_type)

    @property
    def eos_id(self) -> int:
        return self.types * self.ids_per_type

    @property
    def pad_id(self) -> int:
        return self.eos_id + 1

    def accepts(self, token_ids) -> bool:
        """Whether the tokens are sentences with <eos> between them; that of the last is optional.

        The last sentence may be unfinished if a row is full. How many words a sentence has is not looked at.
        """
        tokens = [int(token) for token in token_ids]
        if any(not 0 <= token <= self.eos_id for token in tokens):
            return False
        *whole, last = self._sentences(tokens)
        if not all(sentence and self._open(sentence) == [] for sentence in whole):
            return False
        left = self._open(last)
        return left == [] or (left is not None and len(tokens) == self.length)

    def _sentences(self, tokens: list[int]) -> list[list[int]]:
        """What stands between <eos> tokens; the last may be empty."""
        sentences = [[]]
        for token in tokens:
            if token == self.eos_id:
                sentences.append([])
            else:
                sentences[-1].append(token)
        return sentences

    def _open(self, sentence) -> list[int] | None:
        """The tails that the words of a sentence still ask for, the newest first; None where a word is wrong."""
        return []

    def _sizes(self) -> np.ndarray:
        """How many words a sentence has, or pairs of them: the probabilities of at most 0, 1, 2 ... of them."""
        return _lengths(False)

    def fill(self, state, input_ids):
        from . import languages_kernels

        log_linear = self.distribution == "log_linear"
        table = _table(1, False) if log_linear else _table(self.types, self.distribution == "zipf")
        vectors = _vectors(self.types if log_linear else 0, self.language_seed)
        p_open = float(getattr(self, "p_open", 0))
        languages_kernels.sentences(
            state, input_ids, self._sizes(), table, vectors, self.types, self.structure, p_open, self.ids_per_type
        )


@register
@dataclasses.dataclass(frozen=True)
class Words(_Sentences):
    """``w1 .. wm <eos> w1 .. wm <eos> ...``: the words of a sentence are independent.

    A sentence has a number of words like an English one: from the normal distribution with mean 22.69 and deviation
    11.69, cut at 6 and 60, rounded up or down as by a coin. `distribution` of words: uniform; zipf, word i (from 0)
    with the weight int(types / (i + 1)); log_linear, where each word has a vector of 10 standard normal numbers, a part
    of the language (`language_seed`), each sentence such a vector as its topic, and a word's probability is the
    softmax of its product with the topic. The command line of the reference keeps a topic for 64 sentences at a time;
    the paper, and we, for one. Without `sentences` a row is one endless sentence, without <eos>: the random strings of
    Hu et al. 2025 (arXiv:2502.19249).
    """

    name = "words"
    summary = "sentences of independent words: what frequencies alone teach"
    structure = 0

    types: int = integer(16000, 1, "kinds of words", high=2**20)
    sentences: bool = flag(True, "end sentences by <eos>; else a row is one endless sentence")

    def accepts(self, token_ids) -> bool:
        """Whether the tokens are words, with <eos> behind some of them, or not at all without `sentences`."""
        return super().accepts(token_ids) and (self.sentences or self.eos_id not in token_ids)

    def _sizes(self):
        return super()._sizes() if self.sentences else np.append(np.zeros(self.length), 1.0)


@dataclasses.dataclass(frozen=True)
class _Pairs(_Sentences):
    """Sentences in which each word, a head, asks for its tail later on."""

    style: str = choice(
        "dependency", ("dependency", "parenthesis"), "parenthesis: head and tail are the same token; dependency: two"
    )

    @property
    def ids_per_type(self) -> int:
        return 2 if self.style == "dependency" else 1

    def _sizes(self):
        return _lengths(True)

    def _open(self, sentence):
        opened = []
        for token in sentence:
            if self.style == "parenthesis":  # a word is its own tail: it closes what it can
                tail = token
                closes = tail in self._closable(opened)
            else:  # heads are even, and each one's tail is the odd number behind it
                tail = token | 1
                closes = token == tail
            if not closes:
                opened.insert(0, tail)
            elif tail in self._closable(opened):
                opened.remove(tail)  # the newest of its kind
            else:
                return None
        return opened

    @staticmethod
    def _closable(opened: list) -> list:
        """Those of the open tails, the newest first, that may come next."""
        return opened


@register
@dataclasses.dataclass(frozen=True)
class Nesting(_Pairs):
    """``(a (b b) a) (c c) <eos> ...``: pairs of words, the head opened last has its tail first.

    Words are drawn as in the task words, with half as many pairs to a sentence (its half or, as by a coin, one more).
    While there are pairs to open, one does with probability `p_open`, and where none is open; else the newest closes.
    With the `style` parenthesis a word is its own tail (``a b b a c c``), so a sentence is one that vanishes when equal
    neighbours cancel. Head t is id 2t, written ``(t``, its tail 2t + 1, written ``t)``; or both are t.
    """

    name = "nesting"
    summary = "sentences of paired words that nest: the head opened last has its tail first"
    structure = 1

    p_open: float = probability(0.4, "probability of a head where a tail is possible too")

    @staticmethod
    def _closable(opened):
        return opened[:1]


@register
@dataclasses.dataclass(frozen=True)
class Flat(_Pairs):
    """``(a (b a) (c b) c) <eos> ...``: pairs of words that cross.

    Words are drawn as in the task words, with half as many pairs to a sentence (its half or, as by a coin, one more).
    With r pairs to open and o open ones, a head comes with probability r / (r + o), else the tail of any open one. With
    the `style` parenthesis a word is its own tail, so a sentence is one that has each word an even number of times.
    Head t is id 2t, written ``(t``, its tail 2t + 1, written ``t)``; or both are t.
    """

    name = "flat"
    summary = "sentences of paired words that cross: each head has its tail somewhere later"
    structure = 2


@functools.lru_cache(maxsize=16)
def _vocabulary(types: int, ids_per_type: int) -> tuple[str, ...]:
    words = []
    for word in range(types):
        words += [str(word)] if ids_per_type == 1 else [f"({word}", f"{word})"]
    return (*words, "<eos>", "<pad>")


@functools.cache
def _lengths(pairs: bool) -> np.ndarray:
    """The probabilities that a sentence has at most 0, 1, 2 ... words, or pairs of words."""
    mean, deviation = 22.69367947, 11.68913353  # of English Wikipedia
    low, high = 6, 60  # cut at -1.428 and 3.192 deviations
    normal = np.array([math.erf((x - mean) / deviation / math.sqrt(2)) for x in range(low, high + 1)])
    words = np.zeros(high + 2)
    words[low:high] = np.diff(normal)
    words = words + np.roll(words, 1)  # one more, as by a coin
    if pairs:
        words = words.reshape(-1, 2).sum(axis=1)  # half as many
        words = np.append(words, 0) + np.append(0, words)
    at_most = np.cumsum(words / words.sum())
    return np.round(at_most * 2**40) / 2**40  # the last bits, which are the C library's, decide on no length


@functools.lru_cache(maxsize=4)
def _table(types: int, zipf: bool) -> np.ndarray:
    """Each word as often as its weight says, int32: a uniform place in it has a word of the distribution."""
    words = np.arange(types, dtype=np.int32)
    return np.repeat(words, types // (words + 1)) if zipf else words


@functools.lru_cache(maxsize=4)
def _vectors(types: int, seed: int) -> np.ndarray:
    """The word vectors of a log-linear language, float32 ``[blocks, 10, BLOCK]``, BLOCK words to a block."""
    from .languages_kernels import BLOCK

    blocks = math.ceil(types / BLOCK)
    vectors = np.zeros((blocks * BLOCK, 10), np.float32)
    vectors[:types] = np.random.default_rng(seed).standard_normal((types, 10))
    return np.ascontiguousarray(vectors.reshape(-1, BLOCK, 10).transpose(0, 2, 1))


# ---------------------------------------------------------------- strings


@register
@dataclasses.dataclass(frozen=True)
class Repeated(Stream):
    """``w w v v u u ...``: random strings, each followed by itself, one after another without a separator.

    A string has `shortest` to `longest` symbols, each number as likely; symbols are independent and uniform, with the
    ids 0 .. symbols-1; <pad> is `symbols` and never occurs. As in the reference (michahu/pre-pretraining; read in a
    copy of its generator), the row ends at `length`, mostly amid a string.
    """

    name = "ww"
    headline = "symbols"
    sizes = (64,)
    summary = "random strings, each followed by its copy"
    paper = _HU

    symbols: int = integer(64, 1, "kinds of symbols", high=2**20)
    shortest: int = integer(10, 1, "symbols in a string, at least")
    longest: int = integer(510, 1, "symbols in a string, at most", high=2**20)

    def __post_init__(self):
        super().__post_init__()
        if self.shortest > self.longest:
            raise ValueError(f"{self.name}: shortest must be at most longest = {self.longest}, got {self.shortest}")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.symbols)), "<pad>")

    @property
    def pad_id(self) -> int:
        return self.symbols

    def accepts(self, token_ids) -> bool:
        """Whether the tokens are strings and their copies; the last may be unfinished if a row is full."""
        tokens = [int(token) for token in token_ids]
        if any(not 0 <= token < self.symbols for token in tokens):
            return False
        full = len(tokens) == self.length
        starts = {0}  # where a string may start
        while starts:
            start = min(starts)
            starts.remove(start)
            rest = tokens[start:]
            if not rest or (full and len(rest) <= self.longest):
                return True
            for size in range(self.shortest, min(self.longest, len(rest)) + 1):
                copy = rest[size : 2 * size]
                if copy == rest[: len(copy)] and (full or len(copy) == size):
                    starts.add(start + size + len(copy))
        return False

    def fill(self, state, input_ids):
        from . import languages_kernels

        languages_kernels.repeated(state, input_ids, self.symbols, self.shortest, self.longest)
