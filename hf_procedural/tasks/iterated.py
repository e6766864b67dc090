"""Iterated random networks: sequences that random recurrent networks have rewritten, one after another.

Bloem 2025 (Universal pre-training by iterated random computation, arXiv:2506.20057), after the source "lstm" of its
code, pbloem/up at b368244: a random LSTM writes each row symbol by symbol, always the likeliest, while it reads another
sequence; what was written is what later networks read. So structure builds up that comes from no data.

Ours by decision, since rows here depend on nothing but themselves:
- There, rows are in a buffer, of which some are made anew at each step, and some rewritten; here, a row begins as one
  symbol or at random and is rewritten by a number of networks with a geometric distribution, as rows of that buffer
  are (`again`). Half of its rows were never rewritten, and are noise: `min_networks` leaves them out.
- A network rewrites sixteen rows side by side (there, about a hundred). The first symbols of a row, its seed, are taken
  from what the next of these rows was (there, from any row of the buffer), at one random place in all.
- tanh is x (27 + x^2) / (27 + 9 x^2), cut at -1 and 1, and the sigmoid follows from it; embeddings are sums of four
  uniform numbers instead of normal ones. So rows have the same bits on every machine.
- Embeddings are of the size that PyTorch draws; there, they are times 1e-8 by default (`spread`), with which a network
  hardly sees what it reads, and mostly repeats one symbol.
"""

import dataclasses

from .fields import integer, parameter, probability
from .layouts import Stream
from .registry import register


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_gains(value) -> bool:
    is_pair = isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))
    return is_pair and 0 <= value[0] <= value[1] <= 100


@register
@dataclasses.dataclass(frozen=True)
class IteratedNetworks(Stream):
    """``77 147 76 122 77 147 ...``: what the last of some random networks wrote, `length` symbols.

    A network has `layers` layers of `width` units, with PyTorch's initial weights, those of the layers times a number
    that is uniform in `gains`: the larger, the nearer to chaos. The row's first `seed_length` symbols are given to it.
    Symbol s is id s; <pad>, id `symbols`, never occurs.
    """

    name = "iterated_rnn"
    headline = "width"
    sizes = (32, 128)
    summary = "what random recurrent networks make of sequences that others of them wrote"
    paper = "Bloem 2025, Universal pre-training by iterated random computation, arXiv:2506.20057"

    width: int = integer(32, 1, "units in a layer", high=1024)
    layers: int = integer(1, 1, "layers of a network", high=16)
    symbols: int = integer(256, 2, "kinds of symbols", high=256)
    length: int = integer(512, 9, "symbols in a row", high=2**16)
    seed_length: int = integer(8, 1, "symbols at the beginning that a network is given", high=2**16)
    gains: tuple[float, float] = parameter(
        (1.0, 3.5),
        _is_gains,
        "two numbers in 0..100, the lower one first",
        "what a network's weights are multiplied by: uniform between these",
        convert=lambda pair: tuple(map(float, pair)),
    )
    spread: float = parameter(
        1.0,
        lambda value: _is_number(value) and 0 <= value <= 1e6,
        "a number in 0..1000000",
        "standard deviation of the embeddings",
        convert=float,
    )
    again: float = probability(0.5, "probability that another network follows")
    min_networks: int = integer(1, 0, "networks that rewrite a row, at least", high=64)
    max_networks: int = integer(8, 0, "networks that rewrite a row, at most", high=64)

    def __post_init__(self):
        super().__post_init__()
        if self.seed_length >= self.length:
            raise ValueError(
                f"{self.name}: seed_length must be at most {self.length - 1} with length={self.length}, "
                f"got {self.seed_length}"
            )
        if self.min_networks > self.max_networks:
            raise ValueError(
                f"{self.name}: min_networks must be at most max_networks = {self.max_networks}, got {self.min_networks}"
            )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.symbols)), "<pad>")

    @property
    def pad_id(self) -> int:
        return self.symbols

    def accepts(self, token_ids) -> bool:
        """Whether the tokens are symbols, and fill a row: a row alone says no more, as its networks are not in it."""
        tokens = [int(token) for token in token_ids]
        return len(tokens) == self.length and all(0 <= token < self.symbols for token in tokens)

    def fill(self, state, input_ids):
        from . import iterated_kernels

        size = self.symbols, self.width, self.layers
        networks = self.min_networks, self.max_networks
        iterated_kernels.fill(state, input_ids, size, self.seed_length, self.gains, self.spread, self.again, networks)
