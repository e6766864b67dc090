"""Rows of the tasks of the Chomsky hierarchy, one by one in plain Python, drawn as the reference draws them."""

import math
import random


def chomsky_row(rng: random.Random, task: str, length: int) -> tuple[list[int], list[int]]:
    """A prompt of a length, and its answer."""
    return _ROWS[task](rng, length)


def _digits(rng, length, count=2):
    return [rng.randrange(count) for _ in range(length)]


def _of_string(answer, count=2):
    def row(rng, length):
        prompt = _digits(rng, length, count)
        return prompt, answer(prompt)

    return row


def _modular(rng, length):
    length -= 1 - length % 2
    prompt = _digits(rng, length, 5)
    terms, sign = [prompt[0]], 1
    for place in range(1, length, 2):
        prompt[place] = 5 + rng.randrange(3)
        digit = prompt[place + 1]
        if prompt[place] == 7:
            terms[-1] *= digit
        else:
            sign = 1 if prompt[place] == 5 else -1
            terms.append(sign * digit)
    return prompt, [sum(terms) % 5]


def _expression(rng, length, operators) -> tuple[str, int]:
    if length < 5:
        digit = rng.randrange(5)
        return {1: f"{digit}", 2: f"-{digit}", 3: f"({digit})", 4: f"(-{digit})"}[length], digit * (-1) ** (length + 1)
    size = rng.randint(1, length - 4)
    left, first = _expression(rng, size, operators)
    right, second = _expression(rng, length - 3 - size, operators)
    operator = rng.choice(operators)
    value = {"+": first + second, "-": first - second, "*": first * second}[operator]
    return f"({left}{operator}{right})", value % 5


def _brackets(rng, length):
    text, value = _expression(rng, length, "+-*")
    return ["01234+-*()".index(symbol) for symbol in text], [value % 5]


def _equation(rng, length):
    if length < 3:
        return [0] * length, [0]
    text, value = _expression(rng, length - 2, "+-")
    place = rng.randrange(len(text))
    while not text[place].isdigit():
        place = (place + 1) % len(text)
    text, digit = f"{text[:place]}x{text[place + 1 :]}={value % 5}", int(text[place])
    return ["01234+-()x=".index(symbol) for symbol in text], [digit]


def _stack(rng, length):
    held = rng.randint(1, max(length - 1, 1))
    stack = _digits(rng, held)
    actions = [2 + rng.randrange(3) for _ in range(length - held)]
    prompt = stack + actions
    for action in actions:
        stack = [*stack, action - 3] if action > 2 else stack[:-1]
    return prompt, _ended(stack[::-1], length + 1)


def _missing(rng, length):
    if length == 1:
        return [1], [1]
    prompt = 2 * _digits(rng, length // 2)
    place = rng.randrange(len(prompt))
    answer, prompt[place] = prompt[place], 2
    return prompt + [3] * (length % 2), [answer]


def _ended(answer, size):
    return [*answer, 2, *[0] * (size - len(answer) - 1)]


def _bits(number, size=0):
    return [int(bit) for bit in f"{number:b}".zfill(size)]


def _of_numbers(operation, extra):
    def row(rng, length):
        if length <= 2:
            number = rng.randrange(2**length - 1)
            result = _bits(number)[::-1] if extra else [0] * (length - 1)
            return _bits(number, length)[::-1], _ended(result, length + extra)
        sizes = rng.randint(1, length - 2)
        first, second = rng.randint(1, 2**sizes - 1), rng.randint(1, 2 ** (length - 1 - sizes) - 1)
        prompt = [*_bits(first, sizes)[::-1], 2, *_bits(second, length - 1 - sizes)[::-1]]
        return prompt, _ended(_bits(operation(first, second))[::-1], length + extra)

    return row


def _root(rng, length):
    number = rng.randint(1, 2**length - 1)
    return _bits(number, length), _bits(math.isqrt(number), (length + 1) // 2)


_ROWS = {
    "parity_check": _of_string(lambda x: [x.count(1) % 2]),
    "even_pairs": _of_string(lambda x: [int(x[0] != x[-1])]),
    "cycle_navigation": _of_string(lambda x: [(x.count(2) - x.count(0)) % 5], 3),
    "modular_arithmetic": _modular,
    "modular_arithmetic_brackets": _brackets,
    "reverse_string": _of_string(lambda x: x[::-1]),
    "solve_equation": _equation,
    "stack_manipulation": _stack,
    "missing_duplicate_string": _missing,
    "duplicate_string": _of_string(lambda x: 2 * x),
    "odds_first": _of_string(lambda x: x[1::2] + x[::2]),
    "bucket_sort": _of_string(sorted, 5),
    "binary_addition": _of_numbers(int.__add__, 1),
    "binary_multiplication": _of_numbers(int.__mul__, 0),
    "compute_sqrt": _root,
}
