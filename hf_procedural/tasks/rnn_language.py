"""What random recurrent networks write: the language whose pre-pretraining makes models robust to noisy text.

Guo, Peng, Tong, Zhou, Lv, Lu and Guo 2026 (Synthetic Pre-Pre-Training Improves Language Model Robustness to Noisy
Pre-Training Data, arXiv:2605.10129, which some indexes list under Lv), after guox18/formal-language-prepretraining at
3097f35. `weights` and `probabilities` are the definition in NumPy; rows come from the loops of rnn_language_kernels.

Deviations, so that rows are the same bits on every machine: a weight is the sum of four uniform numbers with the
variance of the reference's normal one, in float32 (its script takes float64); powers and tanh are by arithmetic alone;
and each row has a random network of the `models`, where the reference has 100 rows of each, one network after another.
"""

import dataclasses
import hashlib
import math

import numpy as np

from .fields import choice, integer, parameter
from .layouts import Stream
from .registry import register

_ACTIVATIONS = ("linear", "relu", "tanh")


def _positive(default, help):
    def valid(value):
        return isinstance(value, int | float) and not isinstance(value, bool) and 1e-6 <= value <= 1e6

    return parameter(default, valid, "a number in 0.000001..1000000", help, convert=float)


@register
@dataclasses.dataclass(frozen=True)
class RnnLanguage(Stream):
    """``17 40211 9 ...``: `length` tokens that a random network writes, of `models` that `language_seed` has.

    The state is h = f(W h + A e), e the last token (the first one is random and not written), f the `activation`; the
    next token is drawn from softmax(C h / `temperature`). Weights are independent, with mean 0 and variance 1 /
    `vocab_size` in A and 1 / `hidden_size` in W and C; W is scaled to `spectral_radius`, as 50 products with a vector
    estimate it. The first `burn_in` tokens are left out. Token t is its number; <pad>, which never occurs, is
    `vocab_size`.

    The settings are the paper's: a network writes in the ids of Pythia's tokenizer. There A is so small that the
    softmax is nearly flat for most networks: of 10.8 nats a token next to nothing can be predicted. The estimate of the
    radius is too small for some: 5 of 100 linear networks with 64 numbers grow without end, and soon write what their
    largest score says, in loops. Both are the reference's. A low `temperature` or a small vocabulary has more to learn.

    Any token may follow: a language, of which `accepts` looks at the form; `probabilities` tells the distributions.
    """

    name = "rnn_language"
    headline = "vocab_size"
    sizes = (50277,)
    summary = "what a random recurrent network writes: structure in time, and nothing else"
    paper = "Guo et al. 2026, Synthetic Pre-Pre-Training, arXiv:2605.10129"

    vocab_size: int = integer(50277, 2, "tokens", high=2**20)
    hidden_size: int = integer(64, 1, "numbers in a network's state", high=1024)
    models: int = integer(1000, 1, "networks")
    activation: str = choice("linear", _ACTIVATIONS, "of the state")
    spectral_radius: float = _positive(0.9, "to which the recurrent matrix is scaled")
    temperature: float = _positive(1.0, "of the draws of tokens")
    burn_in: int = integer(0, 0, "tokens that are written and left out", high=2**20)
    language_seed: int = integer(0, 0, "which networks")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.vocab_size)), "<pad>")

    @property
    def pad_id(self) -> int:
        return self.vocab_size

    def accepts(self, token_ids) -> bool:
        """Whether the tokens have the form of a row: `length` of the vocabulary."""
        return len(token_ids) == self.length and all(0 <= int(token) < self.vocab_size for token in token_ids)

    def fill(self, state, input_ids):
        self._write(state, input_ids, np.empty((0, 2), np.int64))

    def sample_with_models(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rows that `sample` gives, and the network that wrote each: its number and first token, ``[n, 2]``."""
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        models = np.empty((n, 2), np.int64)
        self._write(kernels.stream(rng), input_ids, models)
        labels[:] = input_ids
        labels[:, 0] = -100
        return input_ids, labels, models

    def _write(self, state, input_ids, models):
        from . import rnn_language_kernels

        rnn_language_kernels.fill(
            state,
            input_ids,
            models,
            np.uint64(self._seed()),
            self.models,
            self.hidden_size,
            self.spectral_radius,
            self.temperature,
            _ACTIVATIONS.index(self.activation),
            self.burn_in,
            self.vocab_size,
        )

    def _seed(self) -> int:
        return int.from_bytes(hashlib.blake2b(str(self.language_seed).encode(), digest_size=8).digest(), "little")

    def weights(self, model: int) -> dict[str, np.ndarray]:
        """The matrices of a network: `A` ``[hidden, vocab]``, `W` ``[hidden, hidden]``, `C` ``[vocab, hidden]``."""
        with np.errstate(over="ignore"):
            key = _mix(np.uint64(self._seed()) + _mix(np.uint64(model)))
            hidden = self.hidden_size
            a, w, c = (
                _draw(key, matrix, rows, hidden)
                for matrix, rows in enumerate((self.vocab_size, hidden, self.vocab_size))
            )
            vector = _draw(np.uint64(0), 3, 1, hidden)[0]
        w /= math.sqrt(hidden)
        for _ in range(50):
            vector = w @ vector
            vector /= np.linalg.norm(vector) or 1.0
        radius = np.linalg.norm(w @ vector)
        return {
            "A": a.T / math.sqrt(self.vocab_size),
            "W": w * (self.spectral_radius / radius if radius else 1.0),
            "C": c / math.sqrt(hidden),
        }

    def probabilities(self, token_ids, model: int, first: int) -> np.ndarray:
        """Of all tokens at each place of a row, given those before, float64 ``[length, vocab_size]``.

        Network and first token are those of `sample_with_models`, of a task without `burn_in`.
        """
        network = self.weights(model)
        apply = {"linear": lambda x: x, "relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}[self.activation]
        h = np.zeros(self.hidden_size)
        chances = []
        for token in [first, *token_ids[:-1]]:
            h = apply(network["W"] @ h + network["A"][:, int(token)])
            while np.abs(h).sum() > 2.0**60:  # as the loops do, which changes no draw: the largest score is alone
                h *= 2.0**-20
            scores = network["C"] @ h / self.temperature
            weights = np.exp(scores - scores.max())
            chances.append(weights / weights.sum())
        return np.array(chances)


def _mix(x):
    """As the kernels' `mix`."""
    x = np.asarray(x, np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _draw(key, matrix: int, rows: int, columns: int) -> np.ndarray:
    """Independent numbers of variance 1, sums of four uniform ones, float64 ``[rows, columns]``."""
    places = _mix(_mix(key + np.uint64(matrix)) + np.arange(rows, dtype=np.uint64))
    bits = _mix(places[:, None] + np.arange(columns, dtype=np.uint64))
    lanes = [(bits >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)]
    return (sum(lane.astype(np.int64) for lane in lanes) - 131070) / 37837.21
