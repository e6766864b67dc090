"""The three recall tasks of MAD: what a row has said before of a key, it is asked for again.

Poli et al. 2024 (arXiv:2403.17844), with the ids, layouts and distributions of athms/mad-lab at 0f49a45; mad.py has the
suite's other tasks. The suite trains these on all following tokens and tests them on the values alone, and `form` has
both; by default each split has the suite's own, so that accuracy on validation or test rows is a score of MAD.

Ours are: splits that share no prompt, whichever form; the pair that is kept free of noise is always one of the row's
(there, one time in length / 2, it is none, and a row may then have no key at all); fuzzy rows whose last key was not
shown before are drawn again (there, 2 % of them). Left out is noise in fuzzy recall, which the suite has not.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator

import numpy as np

from .base import IGNORE
from .fields import choice, flag, integer, probability
from .layouts import Asked
from .mad import PAPER, numbered
from .registry import register

_KEY, _VALUE, _OTHER = range(3)  # kinds of tokens


@dataclasses.dataclass(frozen=True)
class _Recall(Asked):
    """Keys and values, one behind the other; last a key that the row has shown, and its value.

    A subclass has `symbols` (keys and values together), `vocabulary`, `max_length` and `write`.
    """

    headline = "length"
    sizes = (128, 256, 512, 1024)
    paper = PAPER

    length: int = integer(128, 4, "tokens in a row, without the copy token", high=2**20)
    vocab_size: int = integer(16, 2, "ids, special ones included", high=2**20)
    multi_query: bool = flag(True, "whether all keys that are seen again are asked for, not the last alone")
    form: str = choice(
        "suite",
        ("suite", "training", "test"),
        "training: the loss counts on all following tokens; test: on values of keys seen before; suite: as training in "
        "train, as test in the other splits",
    )

    def _demand_symbols(self, taken: str) -> None:
        if self.symbols < 2:
            least = self.vocab_size + 2 - self.symbols
            raise ValueError(
                f"{self.name}: vocab_size must be at least {least}, a key, a value{taken}, got {self.vocab_size}"
            )

    @property
    def symbols(self) -> int:
        """How many keys and values there are."""
        raise TypeError(f"{type(self).__name__} must define symbols")

    @property
    def keys(self) -> int:
        """How many keys there are: the first ids."""
        return self.symbols // 2

    @property
    def copy_id(self) -> int:
        """The id of <copy>, which stands before the last key; -1 where all keys are asked for."""
        return -1 if self.multi_query else self.vocab_size - 1

    def asked(self, input_ids) -> Iterator[tuple[int, tuple[int, ...], bool]]:
        """Where the value of a key that the row has shown before is to stand, the value, and whether it is the last."""
        values = {}
        key = ()
        before = None
        for kind_here, run in itertools.groupby(enumerate(input_ids), lambda item: self._kind(item[1])):
            places, tokens = zip(*run, strict=True)
            if kind_here == _KEY:
                key = tokens
                if key in values:
                    yield places[-1] + 1, values[key], before == self.copy_id
            elif kind_here == _VALUE:
                values.setdefault(key, tokens)
            before = tokens[-1]

    def _kind(self, token: int) -> int:
        return _KEY if token < self.keys else _VALUE if token < self.symbols else _OTHER

    def is_form(self, input_ids):
        """Whether keys that are seen again have the values that they had; subclasses ask for more."""
        again = ((start, [*value]) for start, value, _ in self.asked(input_ids))
        return all(input_ids[start : start + len(value)] == value for start, value in again)

    def _labels(self, input_ids, form: str) -> list[int]:
        row = [int(token) for token in input_ids]
        labels = [IGNORE] * len(row)
        if form == "training":
            labels[1:] = [IGNORE if token == self.pad_id else token for token in row[1:]]
        for start, value, is_last in self.asked(row):
            if form == "training" or self.multi_query or is_last:
                labels[start : start + len(value)] = value[: len(row) - start]
        return labels

    def targets(self, input_ids) -> list[int]:
        return self._labels(input_ids, "training" if self.form == "training" else "test")

    def is_row(self, input_ids, labels):
        forms = ("training", "test") if self.form == "suite" else (self.form,)
        is_scored = np.asarray(labels) != IGNORE
        if not np.array_equal(np.asarray(labels)[is_scored], np.asarray(input_ids)[is_scored]):
            return False
        if not self.is_form([int(token) for token in input_ids]):
            return False
        return any(np.array_equal(self._labels(input_ids, form), labels) for form in forms)

    def prompt_ends(self, input_ids, labels):
        # Behind the last key, whichever labels there are: so training and test rows share no prompt either.
        return input_ids.shape[1] - (input_ids < self.keys)[:, ::-1].argmax(axis=1)

    def questions(self, input_ids, labels):
        stops = np.full(len(input_ids), input_ids.shape[1])
        return input_ids, self.prompt_ends(input_ids, labels), stops

    @property
    def tested(self) -> "_Recall":
        """The task of the rows to test on."""
        return dataclasses.replace(self, form="test")

    def candidates(self, rng, n, split):
        if self.form == "suite" and split != "train":
            return self.tested.candidates(rng, n, split)
        return super().candidates(rng, n, split)

    def write(self, state: np.ndarray, input_ids: np.ndarray, labels: np.ndarray) -> None:
        """Draws rows, with the labels of the test form."""
        raise TypeError(f"{type(self).__name__} must define write(state, input_ids, labels)")

    def sample(self, rng, n):
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        self.write(kernels.stream(rng), input_ids, labels)
        if self.form != "test":
            labels[:] = input_ids
            labels[:, 0] = IGNORE
        return input_ids, labels


@register
@dataclasses.dataclass(frozen=True)
class InContextRecall(_Recall):
    """``k3 v1 k0 v7 k3 v1 ..``: pairs, the value of a key uniform where it is new; the last key has been seen before.

    With `multi_query` off, ``<copy>`` stands before the last key, and a row has `length` + 1 tokens.
    """

    name = "mad_in_context_recall"
    summary = "recall the value that a key had before in the row"

    def __post_init__(self):
        super().__post_init__()
        if self.length % 2:
            raise ValueError(f"{self.name}: length must be even, got {self.length}")
        self._demand_symbols(self._taken)

    @property
    def _taken(self) -> str:
        return "" if self.multi_query else " and <copy>"

    @property
    def noises(self) -> int:
        """How many noise ids there are."""
        return 0

    @property
    def symbols(self) -> int:
        return self.vocab_size - self.noises - (not self.multi_query)

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        values = numbered("v", self.symbols - self.keys)
        special = ("<pad>",) if self.multi_query else ("<copy>", "<pad>")
        return (*numbered("k", self.keys), *values, *numbered("n", self.noises), *special)

    @property
    def max_length(self) -> int:
        return self.length + (not self.multi_query)

    def is_form(self, input_ids):
        row = list(input_ids)
        if not self.multi_query and row.pop(-3) != self.copy_id:
            return False
        noise = range(self.symbols, self.symbols + self.noises)
        pairs = list(zip(row[::2], row[1::2], strict=True))
        are_pairs = all(
            0 <= first < self.keys <= second < self.symbols or (first in noise and second in noise)
            for first, second in pairs
        )
        is_known = pairs[-1] in pairs[:-1] and row[-2] < self.keys
        return are_pairs and is_known and super().is_form(input_ids)

    def write(self, state, input_ids, labels):
        from . import mad_kernels

        mad_kernels.recall(state, input_ids, labels, self.keys, self.symbols, 0, 0.0, self.copy_id)


@register
@dataclasses.dataclass(frozen=True)
class NoisyInContextRecall(InContextRecall):
    """As mad_in_context_recall; a pair is, with probability `frac_noise`, two noise tokens instead (``n4 n11``)."""

    name = "mad_noisy_in_context_recall"
    summary = "recall the value that a key had before in the row, between noise"

    vocab_size: int = integer(32, 2, "ids, noise and special ones included", high=2**20)
    noise_vocab_size: int = integer(16, 1, "noise ids", high=2**20)
    frac_noise: float = probability(0.2, "how likely a pair is noise; one at least is none")

    @property
    def _taken(self) -> str:
        return f" and noise_vocab_size={self.noise_vocab_size}{'' if self.multi_query else ' and <copy>'}"

    @property
    def noises(self) -> int:
        return self.noise_vocab_size

    def write(self, state, input_ids, labels):
        from . import mad_kernels

        noise = (self.noise_vocab_size, self.frac_noise)
        mad_kernels.recall(state, input_ids, labels, self.keys, self.symbols, *noise, self.copy_id)


@register
@dataclasses.dataclass(frozen=True)
class FuzzyInContextRecall(_Recall):
    """``<blank> .. k3 k0 v1 k2 v4 v0 v1 ..``: keys and values of several tokens; the last key has been seen before.

    A key is of 1 to `k_motif_size` distinct tokens, in test rows of exactly as many, a value of 1 to `v_motif_size`;
    both in any order, each size as likely. A row has `length` + 1 tokens, blanks in front. As in the reference,
    training has these blanks among its targets, and a key may be the beginning of another: nothing tells
    how it goes on.
    """

    name = "mad_fuzzy_in_context_recall"
    summary = "recall values of several tokens by keys of several tokens"

    k_motif_size: int = integer(3, 1, "tokens in a key, at most", high=1024)
    v_motif_size: int = integer(3, 1, "tokens in a value, at most", high=1024)

    def __post_init__(self):
        super().__post_init__()
        self._demand_symbols(" and <blank>" if self.multi_query else ", <blank> and <copy>")
        for name, count in (("k_motif_size", self.keys), ("v_motif_size", self.symbols - self.keys)):
            if getattr(self, name) > count:
                raise ValueError(
                    f"{self.name}: {name} must be at most {count}, the {'keys' if name[0] == 'k' else 'values'} of "
                    f"vocab_size={self.vocab_size}, got {getattr(self, name)}"
                )
        least = 2 * (self.k_motif_size + self.v_motif_size) + 1
        if self.length < least:
            raise ValueError(
                f"{self.name}: length must be at least {least}, two of the longest pairs, with "
                f"k_motif_size={self.k_motif_size} and v_motif_size={self.v_motif_size}, got {self.length}"
            )

    @property
    def symbols(self) -> int:
        return self.vocab_size - 1 - (not self.multi_query)

    @functools.cached_property
    def vocabulary(self) -> tuple[str, ...]:
        values = numbered("v", self.symbols - self.keys)
        special = ("<blank>", "<pad>") if self.multi_query else ("<blank>", "<copy>", "<pad>")
        return (*numbered("k", self.keys), *values, *special)

    @property
    def max_length(self) -> int:
        return self.length + 1

    def is_form(self, input_ids):
        row = itertools.dropwhile(lambda token: token == self.symbols, input_ids)
        runs = [(kind, [*tokens]) for kind, tokens in itertools.groupby(row, self._kind)]
        if not self.multi_query:
            if runs[-3:-2] != [(_OTHER, [self.copy_id])]:
                return False
            del runs[-3]
        sizes = (self.k_motif_size, self.v_motif_size)
        are_pairs = all(
            kind == place % 2 and len({*tokens}) == len(tokens) <= sizes[kind]
            for place, (kind, tokens) in enumerate(runs)
        )
        ends_in_value = [kind for kind, _ in runs[-1:]] == [_VALUE]
        return ends_in_value and are_pairs and min(input_ids) >= 0 and super().is_form(input_ids)

    def write(self, state, input_ids, labels):
        from . import mad_kernels

        low = self.k_motif_size if self.form == "test" else 1
        sizes = (low, self.k_motif_size, self.v_motif_size)
        mad_kernels.fuzzy_recall(state, input_ids, labels, self.keys, self.symbols, self.copy_id, *sizes)
