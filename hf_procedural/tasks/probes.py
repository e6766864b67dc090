"""Probe tasks: the small tasks on which the papers measure what procedural pretraining has taught a model.

Haystack, addition, reversed addition and sorting of Shinnick et al. 2025 (Transformers pretrained on procedural data
contain modular structures, arXiv:2505.22308), multiplication of Jiang et al. 2026 (arXiv:2601.21725). Layouts, ids,
labels and distributions are those of the reference code, zlshinnick/procedural-pretraining at 5356d9e; <pad> fills
the rows:

    haystack         key value key value ... query value
    arithmetic       digits of a, + or *, digits of b, =, digits of the answer, <stop>
    sorting          x1 .. xL <sep> x ascending

Deviations: a hash of the prompt decides the split, where the reference draws an evaluation set (repeats and all) and
rejects its rows in training, with operands of one digit every row there is; `min_digits` works for reversed addition
too, where the reference ignores the range; a haystack may have as many keys as the vocabulary has room for, and any
vocabulary size. Kept are the arithmetic labels, with `score_all` as the clean option. Sorting is reported but has no
code: its layout is that of our `sort`; length 10 and 100 symbols are our choice.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from .base import IGNORE, Task
from .fields import flag, integer
from .registry import register
from .sequence import Sort

_SHINNICK = (
    "Shinnick et al. 2025, Transformers pretrained on procedural data contain modular structures, arXiv:2505.22308"
)


@register
@dataclasses.dataclass(frozen=True)
class Haystack(Task):
    """``key value key value ... query value``, then <pad>: the one label is the value of the key that is queried.

    1 to `length` pairs, each number as likely; the keys differ and come in random order, the values are independent and
    uniform, the queried key is any of those present. <pad> is 0, values are 1..vocab_size//2-1, key a is vocab_size//2
    + a and its query is that + length; the ids beyond are unused.
    """

    name = "haystack"
    headline = "length"
    sizes = (30,)
    summary = "find the value of the queried key among pairs of keys and values"
    paper = _SHINNICK

    length: int = integer(30, 1, "pairs of key and value, at most; at most vocab_size // 4")
    vocab_size: int = integer(256, 4, "ids: the first half <pad> and values, the second keys and queries", high=2**20)

    def __post_init__(self):
        super().__post_init__()
        if self.length > self.vocab_size // 4:
            raise ValueError(
                f"{self.name}: length must be at most vocab_size // 4 = {self.vocab_size // 4}, got {self.length}"
            )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        half = self.vocab_size // 2
        values = [str(value) for value in range(1, half)]
        keys = [f"k{key}" for key in range(self.length)]
        queries = [f"?{key}" for key in range(self.length)]
        unused = [_unused(token) for token in range(half + 2 * self.length, self.vocab_size)]
        return ("<pad>", *values, *keys, *queries, *unused)

    @property
    def max_length(self) -> int:
        return 2 * self.length + 3

    @property
    def pad_id(self) -> int:
        return 0

    def solve(self, prompt_ids) -> list[int]:
        *pairs, query = map(int, prompt_ids)
        return [pairs[pairs.index(query - self.length) + 1]]

    def sample(self, rng, n):
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        kernels.haystack(kernels.stream(rng), input_ids, labels, self.length, self.vocab_size)
        return input_ids, labels


def _unused(token: int) -> str:
    return f"<unused{token}>"


_OPERATOR = 10
_EQUALS = 11
_PAD = 12
_ZERO = 20  # of an answer, whose digit d is _ZERO + d
_STOP = 30


@dataclasses.dataclass(frozen=True)
class _Arithmetic(Task):
    """Shared layout: ``a operator b = answer <stop>``, a token for each digit, then <pad>.

    Each operand has `min_digits` to `digits` digits, each number of them as likely, and is uniform among the numbers of
    that many digits. As in the reference, the loss leaves out the answer's first digit and counts on its other digits,
    <stop> and, where the row is not full, the one <pad> behind it; `score_all` has the whole answer and no padding.
    Operands' digits are the ids 0..9, the operator is 10, = is 11, <pad> is 12, the answer's digits are 20..29, <stop>
    is 30; 13..19 are unused.
    """

    headline: ClassVar[str] = "digits"
    sizes: ClassVar[tuple[int, ...]] = (5,)
    paper: ClassVar[str] = _SHINNICK
    prompt_end: ClassVar[int] = _EQUALS
    operator: ClassVar[str] = "+"
    reverse: ClassVar[bool] = False  # whether numbers begin with their least significant digit

    digits: int = integer(5, 1, "digits of an operand, at most")
    min_digits: int | None = integer(None, 1, "digits of an operand, at least; none: all have `digits`", optional=True)
    score_all: bool = flag(False, "loss on the whole answer, its first digit too, and on no padding")

    def __post_init__(self):
        super().__post_init__()
        if self.min_digits is not None and self.min_digits > self.digits:
            raise ValueError(f"{self.name}: min_digits must be at most digits = {self.digits}, got {self.min_digits}")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        digits = [str(digit) for digit in range(10)]
        unused = [_unused(token) for token in range(_PAD + 1, _ZERO)]
        of_answers = [f"a{digit}" for digit in range(10)]
        return (*digits, self.operator, "=", "<pad>", *unused, *of_answers, "<stop>")

    @property
    def max_length(self) -> int:
        return (5 if self.operator == "*" else 3) * self.digits + 4

    @property
    def pad_id(self) -> int:
        return _PAD

    def solve(self, prompt_ids) -> list[int]:
        """The ids of the answer's digits, the first one too, and of <stop>."""
        prompt = [int(token) for token in prompt_ids if token != _EQUALS]
        middle = prompt.index(_OPERATOR)
        order = 1 if self.reverse else -1  # between the written order and the least significant digit first
        a = _number(prompt[:middle][::order])
        b = _number(prompt[middle + 1 :][::order])
        number = a * b if self.operator == "*" else a + b
        answer = []  # the least significant digit first; not by str, which refuses very long numbers
        while number or not answer:
            number, digit = divmod(number, 10)
            answer.append(_ZERO + digit)
        return [*answer[::order], _STOP]

    def example(self, prompt_ids):
        input_ids, labels = super().example(prompt_ids)
        if not self.score_all:  # each label one token later
            labels[1:] = np.where(labels[:-1] == IGNORE, IGNORE, input_ids[1:])
        return input_ids, labels

    def closed(self, prompt):
        return prompt if prompt[-1:] == [_EQUALS] else [*prompt, _EQUALS]

    def sample(self, rng, n):
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        sizes = (self.min_digits or self.digits, self.digits)
        settings = (self.operator == "*", self.reverse, self.score_all)
        ids = (_OPERATOR, _EQUALS, _PAD, _ZERO, _STOP)
        kernels.arithmetic(kernels.stream(rng), input_ids, labels, *sizes, *settings, ids)
        return input_ids, labels


def _number(digits: list[int]) -> int:
    """The number of digits, the least significant first."""
    return sum(digit * 10**place for place, digit in enumerate(digits))


@register
@dataclasses.dataclass(frozen=True)
class Addition(_Arithmetic):
    """``a + b = sum <stop>``, then <pad>; a token for each digit, the most significant first."""

    name = "addition"
    summary = "add two numbers, most significant digit first"


@register
@dataclasses.dataclass(frozen=True)
class ReversedAddition(_Arithmetic):
    """``a + b = sum <stop>``, then <pad>; a token for each digit, the least significant first."""

    name = "reversed_addition"
    sizes = (10,)
    summary = "add two numbers, least significant digit first"
    reverse = True

    digits: int = integer(10, 1, "digits of an operand, at most")


@register
@dataclasses.dataclass(frozen=True)
class Multiplication(_Arithmetic):
    """``a * b = product <stop>``, then <pad>; a token for each digit, the most significant first."""

    name = "multiplication"
    summary = "multiply two numbers, most significant digit first"
    paper = Task.paper
    operator = "*"


@register
@dataclasses.dataclass(frozen=True)
class Sorting(Sort):
    """``x1 .. xL <sep> x ascending``, duplicates kept: `sort`, as small as the other probes."""

    name = "sorting"
    sizes = (10,)
    summary = "sort the symbols, duplicates kept: `sort` as a probe"
    paper = _SHINNICK

    length: int = integer(10, 1, "symbols in the input")
