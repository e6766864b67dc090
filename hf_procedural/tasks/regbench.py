"""RegBench: learning a language in its context, from words of a random automaton that no other row has.

Akyurek, Wang, Kim and Andreas 2024 (In-Context Language Learning: Architectures and Algorithms, arXiv:2401.12973), with
the distributions and ids of the reference code, berlino/seq_icl at 9b9223d. `Automaton` and `RegBench.accepts` are the
definition in plain Python; rows come from the compiled loops of regbench_kernels.

Deviations: automata of two splits differ as languages, where the reference tells them apart as objects, so that equal
ones are in its training and test sets; each row has an automaton of its own there, too, and words are as long as drawn,
where the reference cuts its text at 4,096 characters, which its settings never reach. Letters behind z are aa, ab ...,
where the reference's 27th letter is { and its 28th the separator.
"""

import dataclasses
import functools
import itertools

import numpy as np

from . import splits
from .base import IGNORE, Task, whole_rows
from .fields import integer
from .registry import register


@dataclasses.dataclass(frozen=True)
class Automaton:
    """A deterministic automaton of which all states accept: for each state, the next one by letter (a token id)."""

    transitions: tuple[dict[int, int], ...]
    start: int = 0

    def state(self, letters) -> int | None:
        """Where a word ends, None where there is no such edge."""
        state = self.start
        for letter in letters:
            if letter not in self.transitions[state]:
                return None
            state = self.transitions[state][letter]
        return state

    def minimal(self) -> "Automaton":
        """The smallest automaton of the same language, states numbered as a search letter by letter meets them.

        Two automata have the same words where these are equal.
        """
        classes = [0] * len(self.transitions)
        while True:
            signatures = [
                (classes[state], sorted((letter, classes[target]) for letter, target in edges.items()))
                for state, edges in enumerate(self.transitions)
            ]
            known = [signature for i, signature in enumerate(signatures) if signature not in signatures[:i]]
            if len(known) == len(set(classes)):
                break
            classes = [known.index(signature) for signature in signatures]
        met = [classes[self.start]]
        transitions = []
        for number in met:  # which grows
            edges = {}
            for letter, target in sorted(self.transitions[classes.index(number)].items()):
                if classes[target] not in met:
                    met.append(classes[target])
                edges[letter] = met.index(classes[target])
            transitions.append(edges)
        return Automaton(tuple(transitions))


@register
@dataclasses.dataclass(frozen=True)
class RegBench(Task):
    """``a c a | a | b b c a ...``: words of one random automaton, which the row alone has, joined by |, then <pad>.

    An automaton has `max_outgoing_edges` to `max_num_nodes` states, each number as likely, and so many of the
    `vocab_size` - 2 letters, at random, as from `max_outgoing_edges` to all of them. A state has 1 to
    `max_outgoing_edges` - 1 edges, with distinct letters, to distinct other states. A row has
    `min_num_in_context_examples` to `max_num_in_context_examples` - 1 words, a word 1 to `max_len_per_example` - 1
    letters: from state 0, each a random edge of its state. All states accept. <pad> is id 0 (the reference's '.'),
    letters a, b ... are 1 to `vocab_size` - 2, | is `vocab_size` - 1.

    The loss counts on all but the row's first letter and each |; so on the first letters of later words, too, which no
    one could know, but guess.

    A row does not tell its automaton. So `accepts` looks at what a row can show: the tree of its words' beginnings must
    not have more edges at a place than a state has. `accepts(row, automaton)` is exact, and `sample_with_automata`
    gives the minimal automaton of each row with the rows; `distributions` is what the paper measures a model against.
    A split has automata of its own, by a hash of their minimal form.
    """

    name = "regbench"
    headline = "max_num_nodes"
    sizes = (12,)
    summary = "words of a random automaton, which must be learnt from the row"
    paper = "Akyurek et al. 2024, In-Context Language Learning, arXiv:2401.12973"

    vocab_size: int = integer(20, 4, "letters, and two for <pad> and |", high=2**16)
    max_num_nodes: int = integer(12, 2, "states of an automaton, at most", high=1024)
    min_num_in_context_examples: int = integer(10, 2, "words in a row, at least")
    max_num_in_context_examples: int = integer(20, 3, "words in a row, less than", high=2**20)
    max_outgoing_edges: int = integer(4, 2, "edges of a state, less than; states and letters, at least", high=256)
    max_len_per_example: int = integer(50, 2, "letters in a word, less than", high=2**20)

    def __post_init__(self):
        super().__post_init__()
        bounds = [
            ("max_outgoing_edges", self.max_outgoing_edges, "max_num_nodes", self.max_num_nodes),
            ("max_outgoing_edges", self.max_outgoing_edges, "vocab_size - 2", self.vocab_size - 2),
            (
                "min_num_in_context_examples",
                self.min_num_in_context_examples,
                "max_num_in_context_examples - 1",
                self.max_num_in_context_examples - 1,
            ),
        ]
        for field, value, what, bound in bounds:
            if value > bound:
                raise ValueError(f"{self.name}: {field} must be at most {what} = {bound}, got {value}")
        if self.max_length > 2**20:
            raise ValueError(
                f"{self.name}: max_len_per_example * max_num_in_context_examples must be at most {2**20}, the tokens "
                f"of a row, got {self.max_len_per_example} * {self.max_num_in_context_examples}"
            )

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        return ("<pad>", *map(_letter, range(self.vocab_size - 2)), "|")

    @property
    def separator_id(self) -> int:
        return self.vocab_size - 1

    @property
    def pad_id(self) -> int:
        return 0

    @property
    def max_length(self) -> int:
        return (self.max_num_in_context_examples - 1) * self.max_len_per_example - 1

    def words(self, token_ids) -> list[list[int]]:
        """The words of a row, or of a part of one, padded or not."""
        words = [[]]
        for token in self._unpadded(token_ids):
            if token == self.separator_id:
                words.append([])
            else:
                words[-1].append(token)
        return words

    def accepts(self, token_ids, automaton: Automaton | None = None) -> bool:
        """Whether the tokens, padded or not, are words of an automaton: of the one given, else of any, as can be seen.

        Without `automaton` this refuses no row of the task, but takes some that no automaton of so few states has.
        """
        words = self.words(token_ids)
        if not self.min_num_in_context_examples <= len(words) < self.max_num_in_context_examples:
            return False
        if not all(0 < len(word) < self.max_len_per_example for word in words):
            return False
        if not all(0 < token < self.separator_id for word in words for token in word):
            return False
        if automaton is not None:
            return all(automaton.state(word) is not None for word in words)
        tree = [{}]  # of each beginning of a word, the letters behind it, and which beginnings they end
        for word in words:
            node = 0
            for letter in word:
                if letter not in tree[node]:
                    tree[node][letter] = len(tree)
                    tree.append({})
                node = tree[node][letter]
        return max(map(len, tree)) < self.max_outgoing_edges

    def example(self, token_ids):
        tokens = np.array(token_ids, np.int32)
        if not self.accepts(tokens):
            raise ValueError(f"{self.config_name}: a row is words of an automaton, joined by |")
        input_ids = np.full(self.max_length, self.pad_id, np.int32)
        input_ids[: len(tokens)] = tokens
        labels = np.where((input_ids == self.pad_id) | (input_ids == self.separator_id), IGNORE, input_ids)
        labels[0] = IGNORE
        return input_ids, labels

    def distributions(self, token_ids, automaton: Automaton) -> np.ndarray:
        """What each token of a row may be, given those before it, float64 ``[max_length, vocab_size]``.

        All edges of a state are as likely; there are zeros where a row has no label. The accuracy of the paper is the
        share of labelled places at which a model's likeliest token has a probability here.
        """
        chances = np.zeros((self.max_length, self.vocab_size))
        place = 0
        for word in self.words(token_ids):
            for size in range(len(word)):
                state = automaton.state(word[:size])
                if state is None:
                    raise ValueError(f"{self.config_name}: the row has a word that the automaton has not")
                edges = automaton.transitions[state]
                chances[place + size, [*edges]] = 1 / len(edges)
            place += len(word) + 1
        chances[0] = 0
        return chances

    def sample(self, rng, n):
        """Rows of automata of all splits."""
        return self._sample(rng, n, None, False)[0]

    def sample_with_automata(
        self, rng: np.random.Generator, n: int, split: str | None = None
    ) -> tuple[np.ndarray, np.ndarray, list[Automaton]]:
        """The rows that `sample` gives, or `sample_split` of a `split`, and the minimal automaton of each."""
        if split is None:
            rows, automata = self._sample(rng, n, None, True)
            return *rows, automata
        automata = []

        def candidates(rng, n, split):
            rows, drawn = self._sample(rng, n, split, True)
            write_rows = whole_rows(rows)[1]

            def write(kept, *targets):
                write_rows(kept, *targets)
                automata.extend(drawn[row] for row in kept)

            return rows, write

        return *self._sample_split(rng, n, split, candidates), automata

    def candidates(self, rng, n, split):
        return whole_rows(self._sample(rng, n, split, False)[0])

    def _sample(self, rng, n, split, tells):
        """Rows of automata of a split, and these if it `tells`."""
        from . import kernels, regbench_kernels

        input_ids, labels = self.empty_rows(n)
        low, high = (0, 2**64 - 1) if split is None else splits.bounds(split)
        edges = self.max_outgoing_edges - 1
        number = n if tells else 0
        counts = np.empty(number, np.int32)
        degrees = np.empty((number, self.max_num_nodes), np.int32)
        letters, targets = np.empty((2, number, self.max_num_nodes, edges), np.int32)
        done = regbench_kernels.fill(
            kernels.stream(rng),
            input_ids,
            labels,
            (self.max_outgoing_edges, self.max_num_nodes),
            edges,
            (self.min_num_in_context_examples, self.max_num_in_context_examples - 1),
            self.max_len_per_example - 1,
            self.separator_id,
            np.uint64(low),
            np.uint64(high),
            (counts, degrees, letters, targets),
        )
        if done < n:
            raise ValueError(
                f"{self.config_name}: too few distinct automata for a {split} split of its own; raise "
                f"{self.headline} or another parameter, or set {split}_size=0"
            )
        automata = [
            Automaton(
                tuple(
                    dict(zip(letters[row, state, :degree].tolist(), targets[row, state, :degree].tolist(), strict=True))
                    for state, degree in enumerate(degrees[row, : counts[row]])
                )
            )
            for row in range(number)
        ]
        return (input_ids, labels), automata


def _letter(number: int) -> str:
    """a to z, then aa, ab ..."""
    word = ""
    for size in itertools.count(1):
        if number < 26**size:
            break
        number -= 26**size
    for _ in range(size):
        word = chr(ord("a") + number % 26) + word
        number //= 26
    return word
