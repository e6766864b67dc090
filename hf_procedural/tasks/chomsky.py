"""The tasks of the Chomsky hierarchy, for length generalisation: trained on short strings, tested on longer ones.

Deletang et al. 2023 (Neural Networks and the Chomsky Hierarchy, arXiv:2207.02098), with the ids and distributions of
google-deepmind/neural_networks_chomsky_hierarchy at 2b8eb4b. Token strings are the reference's ids in decimal, as one
id may mean two things (2 is the plus of binary_addition, and what ends its sum); the drawings write operators.

    task                         prompt of n tokens                                       answer
    parity_check                 bits                                                     the number of 1s modulo 2
    even_pairs                   bits                                                     unequal neighbours modulo 2
    cycle_navigation             0 left, 1 stay, 2 right                                  where one ends, modulo 5
    modular_arithmetic           digits 0..4 with 5 +, 6 -, 7 * between                   the value modulo 5
    modular_arithmetic_brackets  the same with 8 ( and 9 )                                the value modulo 5
    reverse_string               bits                                                     backwards
    solve_equation               expression = value; 5 +, 6 -, 7 (, 8 ), 9 x, 10 =        x
    stack_manipulation           a stack, then 2 pop, 3 push 0, 4 push 1                  the stack from its top, 2, 0s
    missing_duplicate_string     bits twice, one of them 2; 3 at the end of an odd n      that bit
    duplicate_string             bits                                                     twice
    odds_first                   bits                                                     places 1, 3, .., then 0, 2, ..
    bucket_sort                  digits 0..4                                              ascending
    binary_addition              two numbers, least significant bit first, 2 between      the sum, 2, 0s
    binary_multiplication        the same                                                 the product, 2, 0s
    compute_sqrt                 a number, most significant bit first                     its square root, rounded down

The reference draws a length for each batch, here each row has its own. <sep> has the id of the empty token that stands
between prompt and answer of its autoregressive models; <eos> is ours. As there: lengths below those that a task needs
have prompts of their own (one number without a partner, an equation that is all 0), an even length of
modular_arithmetic gives one less (but in tests no length of training), a - in front binds to its digit, and the zeros
behind the end of an answer are predicted, too.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .base import IGNORE
from .fields import choice, flag
from .layouts import Answered, last_questions
from .lengths import Lengths
from .registry import register

MODULUS = 5
_LONGEST = 2**16  # number that is multiplied, or whose root is drawn: 0.03 s a row
PLAIN = "01234+-*"  # what the ids of modular_arithmetic mean
BRACKETS = "01234+-*()"
EQUATION = "01234+-()x="


def value(text) -> int:
    """The value of an expression modulo 5. Raises ValueError for what is none."""
    rest = iter([*text, ""])
    token = next(rest)

    def factor() -> int:
        nonlocal token
        first = token
        token = next(rest)
        if first == "-":
            return -factor()
        if first != "(":
            return int(first)
        inner = total()
        if token != ")":
            raise ValueError(f"a bracket is open before {token!r}")
        token = next(rest)
        return inner

    def product() -> int:
        nonlocal token
        result = factor()
        while token == "*":
            token = next(rest)
            result *= factor()
        return result

    def total() -> int:
        nonlocal token
        result = product()
        while token in ("+", "-"):
            sign = 1 if token == "+" else -1
            token = next(rest)
            result += sign * product()
        return result

    result = total()
    if token:
        raise ValueError(f"no operator before {token!r}")
    return result % MODULUS


def _unknown(ids) -> list[int]:
    """The digit for which an equation holds; there is one, as x stands in it once and in no product."""
    if len(ids) < 3:
        return [0]
    text = "".join(EQUATION[token] for token in ids)
    left, right = text.split("=")
    return [next(digit for digit in range(MODULUS) if value(left.replace("x", str(digit))) == int(right))]


def _stack(ids) -> list[int]:
    stack = []
    for token in ids:
        if token != 2:
            stack.append(token % 3)
        elif stack:
            stack.pop()
    return _ended(stack[::-1], len(ids) + 1)


def _missing(ids) -> list[int]:
    if len(ids) == 1:
        return [1]
    half = len(ids) // 2
    return [ids[(ids.index(2) + half) % (2 * half)]]


def _ended(answer: list[int], size: int) -> list[int]:
    return answer + [2] + [0] * (size - len(answer) - 1)


def _numbers(ids) -> list[int]:
    """The one or two numbers of a prompt, least significant bit first."""
    texts = "".join(map(str, ids)).split("2")
    return [int(text[::-1], 2) for text in texts]


def _bits(number: int, size: int = 0) -> list[int]:
    """Most significant first, `size` of them at least, and one."""
    return [int(bit) for bit in f"{number:b}".zfill(size)]


def _sum(ids) -> list[int]:
    return _ended(_bits(sum(_numbers(ids)))[::-1], len(ids) + 1)


def _product(ids) -> list[int]:
    if len(ids) < 3:
        return _ended([0] * (len(ids) - 1), len(ids))
    first, second = _numbers(ids)
    return _ended(_bits(first * second)[::-1], len(ids))


def _root(ids) -> list[int]:
    number = int("".join(map(str, ids)), 2)
    return _bits(math.isqrt(number), -(-len(ids) // 2))


class _Kind(NamedTuple):
    """One of the tasks, in the words of the reference."""

    level: str  # of the hierarchy: regular, deterministic context-free, context-sensitive
    input_size: int  # symbols of prompts
    output_size: int  # symbols of answers
    answer: Callable[[list[int]], list[int]]
    output_length: Callable[[int], int] = lambda length: 1


KINDS = {
    "parity_check": _Kind("regular", 2, 2, lambda x: [sum(x) % 2]),
    "even_pairs": _Kind("regular", 2, 2, lambda x: [sum(a != b for a, b in itertools.pairwise(x)) % 2]),
    "cycle_navigation": _Kind("regular", 3, 5, lambda x: [sum(token - 1 for token in x) % 5]),
    "modular_arithmetic": _Kind("regular", 9, 5, lambda x: [value(PLAIN[token] for token in x)]),
    "modular_arithmetic_brackets": _Kind("dcf", 11, 5, lambda x: [value(BRACKETS[token] for token in x)]),
    "reverse_string": _Kind("dcf", 2, 2, lambda x: x[::-1], lambda length: length),
    "solve_equation": _Kind("dcf", 11, 5, _unknown),
    "stack_manipulation": _Kind("dcf", 5, 3, _stack, lambda length: length + 1),
    "missing_duplicate_string": _Kind("cs", 4, 2, _missing),
    "duplicate_string": _Kind("cs", 2, 2, lambda x: x + x, lambda length: 2 * length),
    "odds_first": _Kind("cs", 2, 2, lambda x: x[1::2] + x[::2], lambda length: length),
    "bucket_sort": _Kind("cs", 5, 5, sorted, lambda length: length),
    "binary_addition": _Kind("cs", 3, 3, _sum, lambda length: length + 1),
    "binary_multiplication": _Kind("cs", 3, 3, _product, lambda length: length),
    "compute_sqrt": _Kind("cs", 2, 2, _root, lambda length: -(-length // 2)),
}


@register
@dataclasses.dataclass(frozen=True)
class Chomsky(Lengths, Answered):
    """``prompt <sep> answer <eos>``, then <pad>; one of fifteen tasks, by their level in the Chomsky hierarchy.

    With `blanks`, the layout of the paper's other models: ``prompt <sep> .. <sep> <eos>``, with as many <sep> as
    the answer has tokens, each of which is read off at one of them, without a look at those before.
    """

    name = "chomsky"
    headline = "task"
    sizes = tuple(KINDS)
    summary = "one of fifteen tasks by level of the Chomsky hierarchy, also on strings longer than those trained on"
    paper = "Deletang et al. 2023, Neural Networks and the Chomsky Hierarchy, arXiv:2207.02098"

    task: str = choice("parity_check", KINDS, "which of the fifteen")
    blanks: bool = flag(False, "whether the answer is read off at empty tokens, so that it does not stand in the row")

    def __post_init__(self):
        super().__post_init__()
        if self.task in ("binary_multiplication", "compute_sqrt"):  # whose rows cost the square of their length
            for name in ("length", "test_length"):
                if (getattr(self, name) or 0) > _LONGEST:
                    raise ValueError(
                        f"{self.name}: {name} must be at most {_LONGEST} for {self.task}, got {getattr(self, name)}"
                    )

    @property
    def apart(self) -> bool:
        return self.blanks

    @property
    def kind(self) -> _Kind:
        """The sizes and the answer of the task."""
        return KINDS[self.task]

    @property
    def symbols(self) -> int:
        """Symbols in prompts and answers."""
        return max(self.kind.input_size, self.kind.output_size)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*map(str, range(self.symbols)), "<sep>", "<eos>", "<pad>")

    @property
    def sep_id(self) -> int:
        return self.symbols

    @property
    def prompt_end(self) -> int | None:
        return None if self.blanks else self.sep_id

    @property
    def eos_id(self) -> int:
        return self.symbols + 1

    @property
    def pad_id(self) -> int:
        return self.symbols + 2

    def width(self, length) -> int:
        return length + self.kind.output_length(length) + (1 if self.blanks else 2)

    def lengths(self, split):
        low, high = super().lengths(split)
        is_longer = split == "test" and self.test_length is not None
        if is_longer and self.task == "modular_arithmetic":
            low |= 1  # as an even one gives one less, which may be a length of training
        return low, high

    def solve(self, prompt_ids) -> list[int]:
        prompt = [int(token) for token in prompt_ids if token != self.sep_id]
        if not prompt or max(prompt) >= self.kind.input_size:
            raise ValueError(f"{self.config_name}: a prompt has ids below {self.kind.input_size}, got {prompt}")
        return self.kind.answer(prompt)

    def draw(self, rng, low, high, input_ids, labels):
        from . import chomsky_kernels, kernels

        state, code = kernels.stream(rng), list(KINDS).index(self.task)
        starts, stops = chomsky_kernels.rows(state, input_ids, code, low, high, self.sep_id, self.eos_id)
        if self.blanks:
            chomsky_kernels.blank(input_ids, labels, starts, stops, self.sep_id, self.eos_id, self.pad_id)
        else:
            kernels.close_rows(input_ids, labels, starts, stops, self.pad_id)

    def questions(self, input_ids, labels):
        if self.blanks:
            return last_questions(input_ids, labels, one_by_one=False)
        return super().questions(input_ids, labels)

    def prompt_ends(self, input_ids, labels):
        # With the token behind it, as in `sort` and its like: equal prompts of both are in one split.
        return self.questions(input_ids, labels)[1]

    def example(self, prompt_ids):
        if not self.blanks:
            return super().example(prompt_ids)
        prompt = [int(token) for token in prompt_ids if token < self.symbols]
        answer = self.solve(prompt)
        start = len(prompt) + 1
        input_ids = np.full(self.max_length, self.pad_id, np.int32)
        labels = np.full(self.max_length, IGNORE, np.int32)
        input_ids[: start + len(answer)] = [*prompt, *[self.sep_id] * len(answer), self.eos_id]
        labels[start : start + len(answer)] = answer
        return input_ids, labels

    def is_row(self, input_ids, labels):
        if not self.blanks:
            return super().is_row(input_ids, labels)
        width = len(input_ids)
        expected = self.example(self.prompt_of(input_ids, labels))
        is_same = (np.array_equal(own[:width], row) for own, row in zip(expected, (input_ids, labels), strict=True))
        return all(is_same)
