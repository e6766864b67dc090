"""Rows of word problems and of the flip-flop language, one by one in plain Python."""

import functools
import itertools
import random


@functools.cache
def permutations(n: int, is_even: bool = False) -> list[tuple]:
    """Of 1..n, in lexicographic order; the even ones alone."""
    every = itertools.permutations(range(1, n + 1))
    swaps = ((each, sum(a > b for a, b in itertools.combinations(each, 2))) for each in every)
    return [each for each, count in swaps if not (is_even and count % 2)]


def word_row(rng: random.Random, length: int, n: int = 5) -> tuple[list[int], list[int]]:
    """Elements of S_n, and their running products."""
    group = permutations(n)
    ids = {element: index for index, element in enumerate(group)}
    given, products = [rng.randrange(len(group)) for _ in range(length)], []
    product = group[0]
    for index in given:
        product = tuple(product[place - 1] for place in group[index])
        products.append(ids[product])
    return given, products


def flip_flop_row(rng: random.Random, length: int, p_ignore: float) -> list[str]:
    """Commands and bits."""
    commands = rng.choices("wri", [(1 - p_ignore) / 2, (1 - p_ignore) / 2, p_ignore], k=length // 2)
    commands[0], commands[-1] = "w", "r"
    row, written = [], None
    for command in commands:
        bit = written if command == "r" else rng.choice("01")
        if command == "w":
            written = bit
        row += [command, bit]
    return row
