"""Neural cellular automata: predict a small random network's next states of a torus of cells.

Lee, Han, Kumar and Agrawal 2026 (Training LMs via Neural Cellular Automata, arXiv:2603.10055), with the network, ids,
labels and distributions of the reference code, danihyunlee/nca-pre-pretraining at bdd1c71. `simulate`, `encode` and
`complexity` are the definition in NumPy; rows come from the compiled loops of nca_kernels.

Deviations: temperature 0 is the limit of small ones, where the reference divides by it; a row's rule is drawn from the
pool with replacement, where an epoch of the reference has each once; no row is too short for its length, as where the
reference's padding fails.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import itertools
import math
import os
import zlib

import numpy as np

from . import pools
from .base import IGNORE, Task
from .fields import integer, parameter
from .registry import register
from .splits import SHARES

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SCORED = 10  # frames of which the complexity of a rule is measured
_TRIES = 2000  # candidates for each rule found, on average, before we give up
_BATCH = 1024  # keys between two looks at whether to give up
_PART = 32  # keys of a thread at a time


# ---------------------------------------------------------------- the definition


def step(weights, grid, temperature=0.0, identity_bias=0.0, rng=None) -> np.ndarray:
    """The next states of all cells of a `grid`, int ``[G, G]``: a draw for each from softmax(logits / temperature).

    `weights` has the arrays conv0_kernel ``[3, 3, states + 2, 4]``, conv1_kernel ``[4, 16]``, conv2_kernel ``[16,
    states]`` and conv0_bias, conv1_bias, conv2_bias. At `temperature` 0 it is the state with the largest logit.
    """
    weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
    size = len(grid)
    states = weights["conv2_bias"].size
    cells = np.eye(states, dtype=np.float32)[grid]
    around = np.pad(cells, 1, mode="wrap")  # rows, columns and, as in the reference, channels
    hidden = weights["conv0_bias"]
    for row in range(3):
        for column in range(3):
            hidden = hidden + around[row : row + size, column : column + size] @ weights["conv0_kernel"][row, column]
    hidden = hidden @ weights["conv1_kernel"].reshape(4, 16) + weights["conv1_bias"]
    logits = np.maximum(hidden, 0) @ weights["conv2_kernel"].reshape(16, states) + weights["conv2_bias"]
    logits = logits + np.float32(identity_bias) * cells
    if temperature:
        assert rng is not None, "temperature needs rng"
        logits = logits / temperature + rng.gumbel(size=logits.shape)  # whose maximum is a draw from the softmax
    return logits.argmax(axis=-1)


def simulate(weights, grid, frames, burn_in=0, dt=1, temperature=0.0, identity_bias=0.0, rng=None) -> np.ndarray:
    """`frames` states of a `grid`, ``[frames, G, G]``: that after `burn_in` steps, then every `dt`-th."""
    grid = np.asarray(grid)
    kept = []
    for number in range(burn_in + (frames - 1) * dt + 1):
        if number:
            grid = step(weights, grid, temperature, identity_bias, rng)
        if number >= burn_in and (number - burn_in) % dt == 0:
            kept.append(grid)
    return np.stack(kept)


def encode(frames, states, patch) -> list[int]:
    """The tokens of frames, ``[frames, G, G]``: of each <frame>, the numbers of its patches, </frame>.

    A patch is a number with a digit for each cell, the cell at the top left the least significant one.
    """
    count = len(frames)
    size = len(frames[0]) // patch
    cells = np.asarray(frames).reshape(count, size, patch, size, patch).swapaxes(2, 3).reshape(count, size**2, -1)
    numbers = cells @ states ** np.arange(patch**2)
    start = np.full((count, 1), states ** (patch**2))
    return np.concatenate([start, numbers, start + 1], axis=1).ravel().tolist()


def decode(token_ids, states, grid, patch) -> np.ndarray:
    """The complete frames among a row's tokens, int ``[frames, grid, grid]``."""
    size = grid // patch
    width = size**2 + 2
    count = len(token_ids) // width
    numbers = np.asarray(token_ids[: count * width]).reshape(count, width)[:, 1:-1]
    cells = numbers[..., None] // states ** np.arange(patch**2) % states
    return cells.reshape(count, size, size, patch, patch).swapaxes(2, 3).reshape(count, grid, grid)


def complexity(numbers) -> float:
    """The share of its size to which gzip compresses the numbers of patches, as little-endian int32."""
    raw = np.asarray(numbers, "<i4").tobytes()
    return (len(zlib.compress(raw, 9)) + 12) / len(raw)  # gzip's header and trailer have 12 bytes more than zlib's


# ---------------------------------------------------------------- the task


def _number(default, help, low=-math.inf):
    def valid(value):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and math.isfinite(value) and value >= low

    return parameter(default, valid, "a number" if low == -math.inf else f"a number >= {low}", help)


def _band(default, help):
    def valid(value):
        if not isinstance(value, list | tuple | np.ndarray) or len(value) != 2:
            return False
        if any(isinstance(bound, bool) or not isinstance(bound, int | float | np.number) for bound in value):
            return False
        low, high = value
        return 0 <= low < high < math.inf

    return parameter(default, valid, "two numbers, 0 <= low < high, such as (0.5, 1.0)", help, optional=True)


@register
@dataclasses.dataclass(frozen=True)
class NeuralAutomaton(Task):
    """``<frame> patches </frame> <frame> patches </frame> ...``: states of a torus of cells, cut at `length` tokens.

    A rule is a random network: the one-hot cells, a 3x3 convolution to 4 channels, 1x1 to 16, ReLU, 1x1 to a logit for
    each state; kernels LeCun normal, biases 0. As in the reference, the channels are padded on a ring like rows and
    columns. All cells change at once, each to a draw from softmax((logits + `identity_bias` at its state) /
    `temperature`), at 0 to the state of the largest logit. The first grid has independent cells from one softmax of
    normal logits; `burn_in` steps later the first frame is written, then every `dt`-th state.

    A patch is the token ``01/23`` of its cells, row by row; its id is their number in base `states`, the first cell the
    least significant. <frame> is states^(patch^2), then </frame>, then <pad>, which never occurs. The loss counts on
    all but the first frame. The rule is hidden, and a frame can follow any other: so a language, whose `accepts` looks
    at the form; what decides the split is the first frame.

    Rules are candidates whose complexity (gzip's compressed over raw size, of 10 frames of a simulation of their own)
    is strictly inside a band. A row has a random rule of a pool, which each split has for itself, and a first grid of
    its own. Number i of a pool is the first rule in a stream of candidates that belongs to it, found when first needed.
    """

    name = "nca"
    headline = "states"
    sizes = (10,)
    summary = "successive states of a neural cellular automaton on a torus, its network random and unknown"
    paper = "Lee et al. 2026, Training LMs via Neural Cellular Automata, arXiv:2603.10055"

    states: int = integer(10, 2, "states of a cell", high=256)
    grid: int = integer(12, 1, "cells on each side of the torus", high=1024)
    patch: int = integer(2, 1, "cells on each side of what is one token; states^(patch^2) ids at most 2^20", high=4)
    length: int = integer(1024, 2, "tokens in a row, the last frame cut")
    temperature: float = _number(1e-4, "of the draws of states", low=0)
    identity_bias: float = _number(0.0, "added to the logit of the state that a cell is in")
    burn_in: int = integer(10, 0, "steps before the first frame")
    dt: int = integer(1, 1, "steps from frame to frame")
    complexity: tuple[float, float] | None = _band((0.5, 1.0), "band of gzip ratios to keep rules of; null: all")
    rules: int | None = integer(16_000, 1, "rules in a pool; null: a new one for each row", 10**7, optional=True)
    rules_seed: int = integer(0, 0, "which pool")

    def __post_init__(self):
        super().__post_init__()
        for field in ("temperature", "identity_bias"):
            object.__setattr__(self, field, float(getattr(self, field)))
        if self.complexity is not None:
            object.__setattr__(self, "complexity", tuple(map(float, self.complexity)))
        if self.grid % self.patch:
            raise ValueError(f"{self.name}: patch must divide grid = {self.grid}, got {self.patch}")
        if self.states ** (self.patch**2) + 3 > 2**20:
            raise ValueError(
                f"{self.name}: states^(patch^2) patches are too many tokens (with <frame>, </frame> and <pad> at most "
                f"{2**20}), got {self.states}^{self.patch**2}"
            )
        if self.length <= self.frame_length:
            raise ValueError(
                f"{self.name}: length must be more than the first frame's {self.frame_length} tokens, got {self.length}"
            )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return _vocabulary(self.states, self.patch)

    @property
    def max_length(self) -> int:
        return self.length

    @property
    def frame_length(self) -> int:
        """Tokens of a frame, delimiters included."""
        return (self.grid // self.patch) ** 2 + 2

    @property
    def start_id(self) -> int:
        return self.states ** (self.patch**2)

    @property
    def prompt_end(self) -> int:
        return self.start_id + 1

    @property
    def pad_id(self) -> int:
        return self.start_id + 2

    def accepts(self, token_ids) -> bool:
        """Whether the tokens have the form of a row: frames of the right size, cut at `length`."""
        tokens = [int(token) for token in token_ids]
        if len(tokens) != self.length:
            return False
        for number, token in enumerate(tokens):
            place = number % self.frame_length
            if place == 0:
                fits = token == self.start_id
            elif place == self.frame_length - 1:
                fits = token == self.prompt_end
            else:
                fits = 0 <= token < self.start_id
            if not fits:
                return False
        return True

    def example(self, token_ids):
        input_ids = np.array(token_ids, np.int32)
        if not self.accepts(input_ids):
            raise ValueError(f"{self.config_name}: a row is frames of {self.frame_length} tokens, cut at {self.length}")
        return input_ids, self._labels(input_ids, np.empty_like(input_ids))

    def _labels(self, input_ids, labels):
        labels[:] = input_ids
        labels[..., : self.frame_length] = IGNORE
        return labels

    def frames(self, token_ids) -> np.ndarray:
        """The complete frames of a row, int ``[frames, grid, grid]``."""
        return decode(token_ids, self.states, self.grid, self.patch)

    def rule(self, number: int, split: str = "train") -> dict[str, np.ndarray]:
        """The weights of a rule of a split's pool, as `simulate` takes them."""
        if split not in SHARES or not 0 <= number < (self.rules or 2**63):
            raise ValueError(
                f"{self.config_name}: no rule {number} of {split}: it has {self.rules} in each of {[*SHARES]}"
            )
        keys = self._keys(np.array([number]), split)
        shapes = {"conv0": (3, 3, self.states + 2, 4), "conv1": (4, 16), "conv2": (16, self.states)}
        kernels = {f"{name}_kernel": np.empty(shape, np.float32) for name, shape in shapes.items()}
        biases = {f"{name}_bias": np.zeros(shape[-1], np.float32) for name, shape in shapes.items()}
        _kernels().draw_rule(np.empty(4, np.uint64), keys[0], self._find(keys)[0], *kernels.values())
        return kernels | biases

    def _draw(self, rng, n, split):
        """Which rule of the split's pool each of `n` rows has (its key, and the number of the candidate), and the seed
        of its simulation."""
        if self.rules is None:
            keys = rng.integers(2**64, size=n, dtype=np.uint64)
            attempts = self._find(keys)
        else:
            numbers = rng.integers(self.rules, size=n)
            pool = _pool(self, split)  # filled in place, as rules are first needed: finding one takes simulations
            new = np.unique(numbers[pool[numbers] < 0])
            if len(new):
                pool[new] = self._known(new, split)
            keys = self._keys(numbers, split)
            attempts = pool[numbers]
        return keys, attempts, rng.integers(2**64, size=n, dtype=np.uint64)

    def _known(self, numbers, split):
        """The number of the candidate that is each rule of a pool, from the disk or found."""
        if self.complexity is None:
            return np.zeros(len(numbers), np.int32)
        decisive = self.parameters | {"split": split, "length": None, "rules": None}
        return pools.known(
            pools.name_of(decisive), numbers, lambda those: self._find(self._keys(those, split), _processors())
        )

    def sample(self, rng, n):
        """Rows with rules of the pool of train."""
        input_ids, labels = self.empty_rows(n)
        self._fill(*self._draw(rng, n, "train"), input_ids, False)
        return input_ids, self._labels(input_ids, labels)

    def candidates(self, rng, n, split):
        keys, attempts, seeds = self._draw(rng, n, split)
        first = np.empty((n, self.frame_length), np.int32)  # which decides the split
        self._fill(keys, attempts, seeds, first, False)

        def write(kept, input_ids, labels):
            # Simulated anew from the same seeds: whole rows of all candidates would take more memory and time.
            self._fill(keys[kept], attempts[kept], seeds[kept], input_ids, False)
            self._labels(input_ids, labels)

        return (first, np.full_like(first, IGNORE)), write

    def _keys(self, numbers, split):
        """What the streams of candidates depend on, of the rules with these numbers."""
        digest = hashlib.blake2b(f"{self.rules_seed} {split}".encode(), digest_size=8).digest()
        return np.uint64(int.from_bytes(digest, "little")) + numbers.astype(np.uint64)

    def _fill(self, keys, attempts, seeds, rows, own):
        """A simulation of each rule in `rows`: as tokens, or (its `own`, which tells its complexity) without frames."""
        _kernels().fill(keys, attempts, seeds, rows, own, *self._dynamics())

    def _dynamics(self):
        size = (self.states, self.grid, self.patch)
        return size, (self.burn_in, self.dt, self.temperature, self.identity_bias)

    def _find(self, keys, threads=1):
        """The number of the first candidate of each key that is in the band, int32 ``[n]``.

        `threads` change nothing but the time, nor which candidates were looked at when we give up.
        """
        attempts = np.zeros(len(keys), np.int32)
        if self.complexity is None:
            return attempts
        kernels = _kernels()
        scored = _SCORED * (self.frame_length - 2)

        def look(part):
            numbers = attempts[part]
            tried, found = kernels.find(keys[part], numbers, self.complexity, 2 * len(part), scored, *self._dynamics())
            attempts[part] = numbers
            return tried, part[found:]

        pending = np.arange(len(keys))
        total = 0
        with concurrent.futures.ThreadPoolExecutor(threads) as executor:
            while len(pending):
                batch, later = pending[:_BATCH], pending[_BATCH:]
                parts = np.array_split(batch, math.ceil(len(batch) / _PART))
                looked = list(executor.map(look, parts) if threads > 1 else map(look, parts))
                total += sum(tried for tried, _ in looked)
                pending = np.concatenate([*(left for _, left in looked), later])
                kept = len(keys) - len(pending)
                if total > _TRIES * (1 + kept):
                    raise self._hopeless(keys, attempts, kept, total)
        return attempts

    def _hopeless(self, keys, attempts, kept, total) -> ValueError:
        """What to say of a band in which there are next to no rules; of some that were tried, how complex they are."""
        tried = np.repeat(keys, attempts)[:_TRIES]
        numbers = np.concatenate([np.arange(count, dtype=np.int32) for count in attempts])[:_TRIES]
        rows = np.empty((len(tried), _SCORED * (self.frame_length - 2)), np.int32)
        self._fill(tried, numbers, tried, rows, True)
        ratios = [complexity(row) for row in rows]
        return ValueError(
            f"{self.config_name}: complexity {self.complexity} keeps {kept} of {total} rules; theirs is "
            f"{min(ratios):.2f} to {max(ratios):.2f}, {np.median(ratios):.2f} in the middle: take another band"
        )


def _kernels():
    """The compiled loops. Raises ValueError where Numba is told to compile nothing."""
    from .. import compiled
    from . import nca_kernels

    if compiled.is_switched_off():
        raise ValueError("nca: its loops work on vector registers and must be compiled: unset NUMBA_DISABLE_JIT")
    return nca_kernels


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.lru_cache(maxsize=16)
def _pool(task, split) -> np.ndarray:
    """The number of the candidate that is each rule of a pool, -1 where it is not yet known."""
    return np.full(task.rules, -1, np.int32)


@functools.lru_cache(maxsize=16)
def _vocabulary(states, patch) -> tuple[str, ...]:
    if patch == 1:
        return (*map(str, range(states)), "<frame>", "</frame>", "<pad>")
    patches = []
    for digits in itertools.product(_DIGITS[:states], repeat=patch**2):
        cells = "".join(reversed(digits))  # the first cell is the least significant digit
        lines = [cells[start : start + patch] for start in range(0, patch**2, patch)]
        patches.append("/".join(lines))
    return (*patches, "<frame>", "</frame>", "<pad>")
