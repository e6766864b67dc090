"""Two tasks on graphs that a row spells out, by Allen-Zhu 2025 (arXiv:2512.17351): see physics.py.

A word is what a node is called: the tokens of a word are independent and uniform on 1..mini_vocab, the last one raised
by mini_vocab, so that it ends the word; its length is uniform too, and a row's words are distinct. The number of nodes
of a row is i, from 3 to n, with the weight 1 / (i + sqrt(n)).
"""

import dataclasses
import functools
import itertools
import math
from typing import ClassVar

import numpy as np

from .base import IGNORE, Task
from .fields import flag, integer
from .physics import BOS, PAD, PAPER, QA, Told, sparse_vocabulary
from .registry import register

_FEWEST = 3  # nodes
_STEPS, _ANSWER, _EDGE = 9000, 9500, 9700  # of depo
_QUERY, _MARK = 9997, 9998  # of brevo


@functools.lru_cache(maxsize=64)
def _at_most(n: int) -> np.ndarray:
    """The probabilities that a row has at most 3, 4, 5 ... nodes."""
    weights = [1 / (i + math.sqrt(n)) for i in range(_FEWEST, n + 1)]
    at_most = list(itertools.accumulate(weights))
    return np.array([weight / at_most[-1] for weight in at_most])


def _number_of_words(vocab: int, shortest: int, longest: int) -> int:
    return sum(vocab**size for size in range(shortest, longest + 1))


def _word_names(vocab: int) -> dict[int, str]:
    """The strings of the tokens of words: those that end one have a full stop."""
    return {token: str(token) if token <= vocab else f"{token - vocab}." for token in range(1, 2 * vocab + 1)}


def words_of(tokens: list[int], vocab: int) -> list[tuple[int, ...]]:
    """The words that tokens spell, each as its tokens. Raises ValueError where the last has no end."""
    words, word = [], []
    for token in tokens:
        word.append(token)
        if token > vocab:
            words.append(tuple(word))
            word = []
    if word:
        raise ValueError(f"the last word has no end: {word}")
    return words


@dataclasses.dataclass(frozen=True)
class _Graph(Task):
    """What the two share: how many nodes rows have."""

    headline = "n"
    paper = PAPER
    pad_id = PAD
    n: ClassVar[int]  # of a subclass, as is the next
    qa: ClassVar[bool]

    def _sizes(self) -> tuple[np.ndarray, int]:
        """The probabilities that a row has at most 0, 1, 2 ... nodes more than the fewest, and the fewest."""
        return (np.ones(1), self.n) if self.qa else (_at_most(self.n), _FEWEST)


@functools.lru_cache(maxsize=16)
def _depo_vocabulary(k: int, mini_vocab: int) -> tuple[str, ...]:
    names = _word_names(mini_vocab) | {_ANSWER: "<ans>", _EDGE: "<edge>"}
    return sparse_vocabulary(names | {_STEPS + step: f"<next{step}>" for step in range(1, k + 1)})


@register
@dataclasses.dataclass(frozen=True)
class Depo(_Graph, Told):
    """``<bos> a b c a b c <next2> a <ans> c <next1> b <ans> c``: the word that is k steps on, along a cycle of words.

    First the edges of the cycle, in random order, each a word and the one after it (with `separator`, <edge> before
    each), then queries: as many as there are words, at most `m`, of different words. Steps are uniform on 1..k, and
    go round again where the cycle is shorter. Words have `min_tlen` to `max_tlen` tokens. The loss counts on each <ans>
    and its word, as in the reference's mask; its comment says that all tokens do as well, only slower.

    With `qa` a row has n words, and steps are the powers of two up to k and k itself; as in the reference, 24 also
    where k is 32, and 32 then twice as often. Ids: tokens of words 1..2 mini_vocab, <next k> 9000 + k, <ans> 9500,
    <edge> 9700, <bos> 9999. A prompt ends before the last answer.
    """

    name = "depo"
    sizes = (75, 100, 125, 225, 300, 375)
    summary = "the word that is k steps on in a cycle: depth of reasoning"

    n: int = integer(125, _FEWEST, "words in the cycle, at most", high=2**16)
    k: int = integer(16, 1, "steps from a word to the one asked for, at most", high=499)
    m: int = integer(10, 1, "queries in a row, at most", high=2**16)
    mini_vocab: int = integer(3, 1, "different tokens in words, before their ends", high=4499)
    min_tlen: int = integer(5, 1, "tokens in a word, at least", high=64)
    max_tlen: int = integer(7, 1, "tokens in a word, at most", high=64)
    separator: bool = flag(False, "<edge> before each edge")
    qa: bool = flag(False, f"{QA}, and steps that are powers of two")

    def __post_init__(self):
        super().__post_init__()
        if self.min_tlen > self.max_tlen:
            raise ValueError(f"{self.name}: min_tlen must be at most max_tlen = {self.max_tlen}, got {self.min_tlen}")
        words = _number_of_words(self.mini_vocab, self.min_tlen, self.max_tlen)
        if self.n > words:
            lengths = f"mini_vocab={self.mini_vocab}, min_tlen={self.min_tlen} and max_tlen={self.max_tlen}"
            raise ValueError(f"{self.name}: n must be at most {words}, the words with {lengths}, got {self.n}")
        if self.max_length > 2**20:
            raise ValueError(
                f"{self.name}: n must be less with m={self.m} and max_tlen={self.max_tlen}, got {self.n}: a row would "
                f"have {self.max_length} tokens, more than {2**20}"
            )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return _depo_vocabulary(self.k, self.mini_vocab)

    @property
    def max_length(self) -> int:
        edges = self.n * (2 * self.max_tlen + self.separator)
        return 1 + edges + min(self.n, self.m) * (2 + 2 * self.max_tlen)

    @property
    def steps(self) -> list[int]:
        """The steps that queries are drawn of, each entry as likely."""
        if not self.qa:
            return list(range(1, self.k + 1))
        powers = [2**power for power in range(self.k.bit_length())]
        powers += [24] * (self.k == 32)
        return powers if powers[-1] == self.k else [*powers, self.k]

    def solve(self, prompt_ids) -> list[int]:
        prompt = [int(token) for token in prompt_ids]
        start = max(place for place, token in enumerate(prompt) if _STEPS < token < _ANSWER)
        (asked,) = words_of(prompt[start + 1 :], self.mini_vocab)
        return [_ANSWER, *self._steps_on(prompt, asked, prompt[start] - _STEPS)]

    def _steps_on(self, tokens: list[int], word: tuple[int, ...], steps: int) -> tuple[int, ...]:
        """The word that is so many steps on from `word` in the cycle that tokens begin with."""
        end = next(place for place, token in enumerate(tokens) if _STEPS < token < _ANSWER)
        words = words_of([token for token in tokens[1:end] if token != _EDGE], self.mini_vocab)
        after = dict(zip(words[::2], words[1::2], strict=True))
        for _ in range(steps):
            word = after[word]
        return word

    def is_form(self, input_ids):
        row = self._unpadded(input_ids)
        starts = [place for place, token in enumerate(row) if _STEPS < token < _ANSWER]
        words = words_of([token for token in row[1 : starts[0]] if token != _EDGE], self.mini_vocab)
        edges = list(zip(words[::2], words[1::2], strict=True))
        expected = [BOS]
        for word, after in edges:
            expected += [*[_EDGE] * self.separator, *word, *after]
        asked = []
        for start, stop in itertools.pairwise([*starts, len(row)]):
            marked = [token for token in row[start + 1 : stop] if token != _ANSWER]
            word, answer = words_of(marked, self.mini_vocab)
            asked.append(word)
            expected += [row[start], *word, _ANSWER, *answer]
        cycle = [words[0]]
        while (word := dict(edges)[cycle[-1]]) not in cycle:
            cycle.append(word)
        return (
            row == expected
            and word == words[0]
            and len(cycle) == len(edges)
            and (self.n if self.qa else _FEWEST) <= len(cycle) <= self.n
            and all(self.min_tlen <= len(word) <= self.max_tlen for word in cycle)
            and all(0 < token <= 2 * self.mini_vocab for word in cycle for token in word)
            and len({*asked}) == len(asked) == min(len(cycle), self.m)
            and {row[start] - _STEPS for start in starts} <= {*self.steps}
        )

    def targets(self, input_ids) -> list[int]:
        tokens = [int(token) for token in input_ids]
        labels = [IGNORE] * len(tokens)
        for place, token in enumerate(tokens):
            if token == _ANSWER:
                answer = self.solve(tokens[:place])
                labels[place : place + len(answer)] = answer
        return labels

    def sample(self, rng, n):
        from . import kernels, physics_kernels

        input_ids, labels = self.empty_rows(n)
        words = (self.mini_vocab, self.min_tlen, self.max_tlen)
        queries = (np.array(self.steps), self.m, self.separator)
        physics_kernels.depo(kernels.stream(rng), input_ids, labels, *self._sizes(), *queries, *words)
        return input_ids, labels


@functools.lru_cache(maxsize=16)
def _brevo_vocabulary(tokens: int, vocab: int | None) -> tuple[str, ...]:
    names = _word_names(vocab) if vocab else {token: str(token) for token in range(1, tokens + 1)}
    return sparse_vocabulary(names | {_QUERY: "<query>", _MARK: "<ans>"})


@register
@dataclasses.dataclass(frozen=True)
class Brevo(_Graph):
    """``<bos> a b b c a c <query> c <ans> a b c <ans>``: all that must come before a node, in an order that may be.

    First edges, in random order, each a parent and a child; then a node and, as the answer, all its ancestors and
    itself, every node behind its parents. Any such order is right; the row's is drawn: backwards from the node, one
    after another of those whose children are placed. The loss counts on both <ans> and what is between them.

    The first nodes, 1 to (nodes - 1) // 4 + 1 of them, have no parents; each later one has 1 to 4, uniform, among the
    earlier ones that have fewer than 4 children. The last is asked for. Nodes are different numbers of 1..n; with
    `multi`, words of 2 to 4 tokens of 1..4, so that 5..8 end them. With `qa` a row has n nodes: the code of the paper's
    tests is not public. Ids: <query> 9997, <ans> 9998, <bos> 9999. The reference ends rows with 9998, though its own
    checker asks for 9999; it also takes answers that name a node twice.
    """

    name = "brevo"
    sizes = (30, 40, 50, 70, 90, 110)
    summary = "all that comes before a node of a graph, in a topological order: breadth of reasoning"
    words: ClassVar = (4, 2, 4)  # of `multi`: tokens, lengths from, to

    n: int = integer(110, _FEWEST, "nodes, at most", high=_QUERY - 1)
    multi: bool = flag(False, "nodes are words of several tokens")
    qa: bool = flag(False, QA)

    def __post_init__(self):
        super().__post_init__()
        words = _number_of_words(*self.words)
        if self.multi and self.n > words:
            raise ValueError(f"{self.name}: n must be at most {words} with multi, the number of words, got {self.n}")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return _brevo_vocabulary(self.n, self.words[0]) if self.multi else _brevo_vocabulary(self.n, None)

    @property
    def max_length(self) -> int:
        edges = sum(min(node, 4) for node in range(1, self.n))
        size = self.words[2] if self.multi else 1
        return 4 + (2 * edges + 1 + self.n) * size

    def _nodes(self, tokens: list[int]) -> list[tuple[int, ...]]:
        return words_of(tokens, self.words[0] if self.multi else 0)

    def parents_of(self, prompt_ids) -> tuple[dict, tuple[int, ...]]:
        """The parents of each node that the query needs, and the node that is asked for, itself the first of them."""
        prompt = [int(token) for token in prompt_ids]
        end = prompt.index(_QUERY)
        edges = self._nodes(prompt[1:end])
        (query,) = self._nodes(prompt[end + 1 :])
        parents = {query: []}
        for node in (needed := [query]):
            parents[node] = [a for a, b in zip(edges[::2], edges[1::2], strict=True) if b == node]
            needed += [parent for parent in parents[node] if parent not in needed]
        return parents, query

    def solve(self, prompt_ids) -> list[int]:
        """One of the right answers."""
        parents, _ = self.parents_of(prompt_ids)
        order = []
        while len(order) < len(parents):
            able = [node for node, before in parents.items() if node not in order and set(before) <= set(order)]
            if not able:
                raise ValueError(f"{self.config_name}: the prompt's edges go in a circle")
            order += able
        return [_MARK, *itertools.chain(*order), _MARK]

    def is_answer(self, prompt_ids, answer_ids) -> bool:
        parents, _ = self.parents_of(prompt_ids)
        answer = [int(token) for token in answer_ids]
        if len(answer) < 2 or answer[0] != _MARK or answer[-1] != _MARK:
            return False
        try:
            order = self._nodes(answer[1:-1])
        except ValueError:
            return False
        if sorted(order) != sorted(parents):
            return False
        return all(order.index(before) < order.index(node) for node in order for before in parents[node])

    def is_row(self, input_ids, labels):
        prompt = self.prompt_of(input_ids, labels)
        row = self._unpadded(input_ids)
        expected = np.full(len(input_ids), IGNORE)
        expected[len(prompt) : len(row)] = row[len(prompt) :]
        try:
            is_right = self.is_answer(prompt, row[len(prompt) :])
        except ValueError:  # of what is no prompt
            return False
        return is_right and prompt[0] == BOS and np.array_equal(labels, expected)

    def sample(self, rng, n):
        from . import kernels, physics_kernels

        input_ids, labels = self.empty_rows(n)
        words = self.words if self.multi else (1, 1, 1)
        physics_kernels.brevo(kernels.stream(rng), input_ids, labels, *self._sizes(), self.multi, *words)
        return input_ids, labels
