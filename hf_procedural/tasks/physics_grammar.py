"""Words of a context-free grammar, by Allen-Zhu 2025 (arXiv:2512.17351): see physics.py.

The grammars cfg3b to cfg3i are those of Allen-Zhu and Li 2023, Physics of Language Models: Part 1 (arXiv:2305.13673).

The reference makes single words, without begin or end, and has an end id. Our rows, which is our decision, are words
that each end with <eos>, one after another until the row is full. They begin with a word, and end amid one.
"""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from .fields import choice
from .layouts import Stream
from .physics import PAD, PAPER
from .physics_grammars import GRAMMARS, LETTERS
from .registry import register

Rules = Mapping[int, Sequence[Sequence[int]]]


@functools.cache
def rules_of(grammar: str) -> tuple[dict[int, list[list[int]]], int]:
    """The right-hand sides of each symbol of a published grammar, and how many terminals it has.

    Terminals are 1, 2 ...; behind them three ids are left out; other symbols follow, level by level, the root last.
    """
    levels = [[symbol.split(",") for symbol in level.split()] for level in GRAMMARS[grammar].split("/")[:-1]]
    terminals = 1 + max(LETTERS.index(letter) for symbol in levels[-1] for side in symbol for letter in side)
    rules = {}
    first, start = 1, terminals + 4  # the first symbol of the level below, and of this one
    for level in reversed(levels):
        for number, sides in enumerate(level):
            rules[start + number] = [[first + LETTERS.index(letter) for letter in side] for side in sides]
        first, start = start, start + len(level)
    return rules, terminals


def ends_of(word: Sequence[int], rules: Rules) -> tuple[bool, bool]:
    """Whether the grammar makes `word`, and whether it makes a longer one that begins with it.

    A dynamic programme over where a symbol begins, for where it may end; the root is the largest symbol.
    """
    size = len(word)
    beyond = size + 1  # the end of what is only begun
    known: dict[tuple[int, int], frozenset[int]] = {}

    def ends(symbol: int, start: int) -> frozenset[int]:
        if start >= size:
            return frozenset([beyond])
        if symbol not in rules:
            return frozenset([start + 1]) if word[start] == symbol else frozenset()
        if (symbol, start) not in known:
            every = set()
            for side in rules[symbol]:
                places = {start}
                for part in side:
                    places = set().union(*(ends(part, place) for place in places))
                every |= places
            known[symbol, start] = frozenset(every)
        return known[symbol, start]

    every = ends(max(rules), 0)
    return size in every, beyond in every


@register
@dataclasses.dataclass(frozen=True)
class Lano(Stream):
    """``word <eos> word <eos> ...``: each word is drawn from a context-free grammar, its root first.

    Every symbol takes one of its right-hand sides, each as likely; a grammar has 6 or 7 levels of symbols, of which
    only the last are tokens. The end of one part is told by nothing but its structure: the next token may depend on
    hundreds before. The ids of terminals are 1 .. their number t (3; cfg3e1 9, cfg3e2 4), <eos> is t + 1, and 0, which
    the reference leaves out, is <pad> and never occurs. Words have 113 to 931 tokens.
    """

    name = "lano"
    headline = "grammar"
    sizes = tuple(GRAMMARS)
    summary = "words of a context-free grammar, many levels deep: hierarchical structure"
    paper = PAPER
    pad_id = PAD

    grammar: str = choice("cfg3f", GRAMMARS, "which of the published grammars")

    @property
    def eos_id(self) -> int:
        return rules_of(self.grammar)[1] + 1

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return ("<pad>", *map(str, range(1, self.eos_id)), "<eos>")

    def accepts(self, token_ids) -> bool:
        """Whether the tokens are words with <eos> between them; that of the last is optional.

        The last word may be unfinished if a row is full.
        """
        tokens = [int(token) for token in token_ids]
        if any(not 0 < token <= self.eos_id for token in tokens):
            return False
        *whole, last = self._words(tokens)
        rules, _ = rules_of(self.grammar)
        if not all(ends_of(word, rules)[0] for word in whole):
            return False
        if not last:
            return bool(whole)
        is_word, is_begun = ends_of(last, rules)
        return is_word or (is_begun and len(tokens) == self.length)

    def _words(self, tokens: list[int]) -> list[list[int]]:
        """What stands between <eos> tokens; the last may be empty."""
        words = [[]]
        for token in tokens:
            if token == self.eos_id:
                words.append([])
            else:
                words[-1].append(token)
        return words

    def fill(self, state, input_ids):
        from . import physics_kernels

        physics_kernels.lano(state, input_ids, *_tables(self.grammar), self.eos_id)


@functools.cache
def _tables(grammar: str) -> tuple[np.ndarray, ...]:
    """Of each symbol: its right-hand sides, ``[symbols, most, 3]``, their lengths, and how many there are.

    Then of the symbols two levels above terminals: the strings that each right-hand side makes, all as likely,
    ``[symbols, most, most strings, longest]``, their lengths, and how many there are.
    """
    rules, terminals = rules_of(grammar)
    symbols = max(rules) + 1
    most = max(map(len, rules.values()))
    sides = np.zeros((symbols, most, 3), np.int32)
    lengths = np.zeros((symbols, most), np.int64)
    counts = np.zeros(symbols, np.int64)
    for symbol, alternatives in rules.items():
        counts[symbol] = len(alternatives)
        for number, side in enumerate(alternatives):
            sides[symbol, number, : len(side)] = side
            lengths[symbol, number] = len(side)
    lowest = {symbol for symbol, alternatives in rules.items() if max(map(max, alternatives)) <= terminals}
    strings = {
        (symbol, number): [sum(parts, []) for parts in itertools.product(*(rules[part] for part in side))]
        for symbol, alternatives in rules.items()
        if lowest.issuperset(itertools.chain(*alternatives))
        for number, side in enumerate(alternatives)
    }
    last = 1 + max(symbol for symbol, _ in strings)
    every = sum(strings.values(), [])
    table = np.zeros((last, most, max(map(len, strings.values())), max(map(len, every))), np.int32)
    sizes = np.zeros(table.shape[:3], np.int64)
    numbers = np.zeros(table.shape[:2], np.int64)
    for (symbol, side), made in strings.items():
        numbers[symbol, side] = len(made)
        for number, string in enumerate(made):
            table[symbol, side, number, : len(string)] = string
            sizes[symbol, side, number] = len(string)
    return sides, lengths, counts, table, sizes, numbers
