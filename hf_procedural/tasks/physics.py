"""The playground of Allen-Zhu 2025, Physics of Language Models: Part 4.1 (arXiv:2512.17351): five tasks, each for one
skill of a language model.

`mano` here, `depo` and `brevo` in physics_graphs.py, `lano` in physics_grammar.py, `capo` in physics_people.py. The
reference is facebookresearch/PhysicsLM4 at 7580696; its scripts for mano, depo and brevo are excerpts, run with the
imports and the begin id 9999 that they lack.

These three have the reference's ids, raw and sparse up to 9999, and id 0, which it never uses, as <pad>. Its examples
are of any length and it does not say how they were packed: a row of ours is one example, padded. Each has `qa`, the
form of the paper's tests: the largest size alone.
"""

import dataclasses
import functools

import numpy as np

from .base import IGNORE
from .fields import flag, integer, parameter
from .layouts import Asked
from .registry import register

PAPER = "Allen-Zhu 2025, Physics of Language Models: Part 4.1, arXiv:2512.17351"
PAD, BOS = 0, 9999
QA = "the form of the paper's tests: the largest size alone"


def sparse_vocabulary(names: dict[int, str]) -> tuple[str, ...]:
    """The 10,000 token strings of which those of `names` are used, <pad> aside."""
    names = {PAD: "<pad>", BOS: "<bos>"} | names
    return tuple(names.get(token, f"<unused{token}>") for token in range(10_000))


@dataclasses.dataclass(frozen=True)
class Told(Asked):
    """What mano, depo and capo share: what is no row of theirs at all is told apart without an error."""

    paper = PAPER
    pad_id = PAD

    def is_row(self, input_ids, labels):
        try:
            return super().is_row(input_ids, labels)
        except (ValueError, LookupError, StopIteration):
            return False


_BOS_AGAIN, _VALUES = 9998, 5000
_OPERATORS = {"a": "+", "s": "-", "m": "*", "d": "/"}  # in the order of their ids, 1 to 4
_SETS = ["".join(letter for place, letter in enumerate(_OPERATORS) if chosen >> place & 1) for chosen in range(1, 16)]


_LEAST = 1e-3  # of expressions must not divide by 0, as others are drawn again


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % factor for factor in range(2, int(number**0.5) + 1))


@functools.lru_cache(maxsize=16)
def _mano_vocabulary(length: int, value_mod: int) -> tuple[str, ...]:
    names = {_BOS_AGAIN: "<bos'>"}
    for place, operator in enumerate(_OPERATORS.values(), 1):
        names |= {place: operator, place + 4: f"{operator}'"}
    for size in range(1, length + 1):
        names |= {10 * size: f"<len{size}>", 10 * size + 1: f"<len{size}'>"}
        names |= {10 * size + 4: f"<ans{size}>", 10 * size + 5: f"<ans{size}'>"}
    return sparse_vocabulary(names | {_VALUES + value: str(value) for value in range(value_mod)})


@register
@dataclasses.dataclass(frozen=True)
class Mano(Told):
    """``<bos> <len3> * + 4 17 - 9 22 <ans3> 11``: an expression in prefix form, and its value modulo `value_mod`.

    It has 1 to `length` operators, each number as likely (`qa`: `length`). One of l operators is one of `operators`, a
    left part of 0 to l-1 of the others, each number as likely, and a right part of what is left; one of none is a value
    of 0..value_mod-1. Where / (the inverse of a value) meets 0, all is drawn again; value_mod must be a prime for it.

    With `knowledge_augment` each token that is no value is one of two, as by a coin: + or +', <len3> or <len3'>. Ids:
    operators 1..4 and 5..8 for + - * /, <len l> 10l and 10l + 1, <ans l> 10l + 4 and 10l + 5, the value v 5000 + v,
    <bos> 9999 and 9998. The reference returns no mask: the loss counts on every token but the first or, without
    `score_all`, on the value alone. Prompts, and so splits, are all before the value.
    """

    name = "mano"
    headline = "length"
    sizes = (10, 13, 16)
    summary = "the value of an expression in modular arithmetic, worked out in the head"
    one_by_one = True

    length: int = integer(10, 1, "operators in the longest expression", high=498)
    operators: str = parameter(
        "asm",
        _SETS.__contains__,
        "letters of asmd in this order, each at most once",
        "operators to draw: a (+), s (-), m (*), d (/)",
        options=_SETS,
    )
    value_mod: int = integer(23, 2, "the modulus", high=4998)
    knowledge_augment: bool = flag(True, "two tokens for each operator, size and mark, one of them as by a coin")
    qa: bool = flag(False, QA)
    score_all: bool = flag(True, "count the loss on every token but the first; else on the value alone")

    def __post_init__(self):
        super().__post_init__()
        if "d" in self.operators and not _is_prime(self.value_mod):
            raise ValueError(f"{self.name}: value_mod must be a prime where operators have d (/), got {self.value_mod}")
        share = _share_without_a_zero(self.length, self.operators, self.value_mod)
        if share < _LEAST:
            raise ValueError(
                f"{self.name}: length must be less with operators={self.operators} and value_mod={self.value_mod}, got "
                f"{self.length}: of 1,000 such expressions, nearly all divide by 0"
            )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return _mano_vocabulary(self.length, self.value_mod)

    @property
    def max_length(self) -> int:
        return 2 * self.length + 5

    def solve(self, prompt_ids) -> list[int]:
        _, size, *expression, mark = (int(token) for token in prompt_ids)
        value, rest = self._value(expression)
        if rest or size // 10 != mark // 10 or len(expression) != 2 * (size // 10) + 1:
            raise ValueError(f"{self.config_name}: the prompt must be <bos>, a size, an expression of it and its mark")
        return [_VALUES + value]

    def _value(self, tokens: list[int]) -> tuple[int, list[int]]:
        """The value of the expression that tokens begin with, and what is behind it."""
        first, *rest = tokens
        if first >= _VALUES:
            return first - _VALUES, rest
        left, rest = self._value(rest)
        right, rest = self._value(rest)
        operator = list(_OPERATORS.values())[(first - 1) % 4]
        if operator == "/":
            return left * pow(right, -1, self.value_mod) % self.value_mod, rest
        result = {"+": left + right, "-": left - right, "*": left * right}[operator]
        return result % self.value_mod, rest

    def is_form(self, input_ids):
        words = self.text(input_ids).split()
        plain = [word.replace("'", "") for word in words]  # of two tokens that mean the same, the first
        if words != plain and not self.knowledge_augment:
            return False
        first, size, *expression, mark, _ = plain
        operators = len(expression) // 2
        least = self.length if self.qa else 1
        symbols = {*map(str, range(self.value_mod)), *(_OPERATORS[letter] for letter in self.operators)}
        is_asked = [first, size, mark] == ["<bos>", f"<len{operators}>", f"<ans{operators}>"]
        return is_asked and least <= operators <= self.length and {*expression} <= symbols

    def targets(self, input_ids) -> list[int]:
        tokens = [int(token) for token in input_ids]
        end = tokens.index(PAD) if PAD in tokens else len(tokens)
        answer = self.solve(tokens[: end - 1])
        before = tokens[1 : end - 1] if self.score_all else [IGNORE] * (end - 2)
        return [IGNORE, *before, *answer, *[IGNORE] * (len(tokens) - end)]

    def sample(self, rng, n):
        from . import kernels, physics_kernels

        input_ids, labels = self.empty_rows(n)
        low = self.length if self.qa else 1
        operators = np.array([place for place, letter in enumerate(_OPERATORS, 1) if letter in self.operators])
        sizes = (low, self.length, operators, self.value_mod, _inverses(self.value_mod))
        options = (self.knowledge_augment, self.score_all)
        physics_kernels.mano(kernels.stream(rng), input_ids, labels, *sizes, *options)
        return input_ids, labels


@functools.lru_cache(maxsize=64)
def _share_without_a_zero(length: int, operators: str, modulus: int) -> float:
    """The share of expressions of `length` operators that do not divide by 0, modulo a prime where one may divide.

    Of parts of each size: the share that have a value, and that have the value 0; all other values are as likely.
    """
    if "d" not in operators:
        return 1.0
    shares = [(1.0, 1 / modulus)]
    for size in range(1, length + 1):
        valued = zero = 0.0
        for first in range(size):
            (a, a_zero), (b, b_zero) = shares[first], shares[size - 1 - first]
            others = (a - a_zero) * (b - b_zero)
            both = {"a": a_zero * b_zero + others / (modulus - 1), "m": a * b - others, "d": a_zero * (b - b_zero)}
            both["s"] = both["a"]
            for operator in operators:
                valued += a * (b - b_zero) if operator == "d" else a * b
                zero += both[operator]
        shares.append((valued / size / len(operators), zero / size / len(operators)))
    return shares[length][0]


@functools.lru_cache(maxsize=16)
def _inverses(modulus: int) -> np.ndarray:
    """The inverse of each value but 0 modulo a prime; of another modulus, what no operator reads."""
    inverses = np.zeros(modulus, np.int64)
    if _is_prime(modulus):
        inverses[1:] = [pow(value, -1, modulus) for value in range(1, modulus)]
    return inverses
