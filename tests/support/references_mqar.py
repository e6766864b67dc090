"""Rows of multi-query associative recall, one by one: what ours are compared with, and timed against."""

import random

import numpy as np


def _asked(rng, generator, context, answers, length, vocab_size, power_a, noise):
    """The context, then the keys of `answers` in slots of their own, with noise below `noise` in between if any."""
    size = len(next(iter(answers))) + 1
    slots = (length - len(context)) // size
    weights = np.arange(1, slots + 1) ** (power_a - 1)
    chosen = generator.choice(slots, len(answers), replace=False, p=weights / weights.sum())
    row = context + [rng.randrange(vocab_size) if noise else 0 for _ in range(length - len(context))]
    labels = [-100] * length
    for slot, (key, value) in zip(chosen.tolist(), answers.items(), strict=True):
        start = len(context) + size * slot
        row[start : start + size - 1] = key
        labels[start + size - 1] = value
    return row, labels


def mqar_row(
    rng: random.Random,
    generator: np.random.Generator,
    num_kv_pairs: int = 8,
    length: int = 64,
    vocab_size: int = 8192,
    power_a: float = 0.01,
    random_non_queries: bool = True,
    num_updates: int = 0,
) -> tuple[list[int], list[int]]:
    """A row of mqar, or with `num_updates` of forgetting_mqar."""
    half = vocab_size // 2
    keys = rng.sample(range(1, half), num_kv_pairs)
    pairs = list(zip(keys, rng.sample(range(half, vocab_size), num_kv_pairs), strict=True))
    for key, value in rng.sample(pairs, num_updates):
        pairs.append((key, rng.choice([other for other in range(half, vocab_size) if other != value])))
    context = [token for pair in pairs for token in pair]
    answers = {(key,): value for key, value in pairs}
    return _asked(rng, generator, context, answers, length, vocab_size, power_a, random_non_queries)


def compositional_row(
    rng: random.Random,
    generator: np.random.Generator,
    num_kv_pairs: int = 4,
    length: int = 64,
    vocab_size: int = 8192,
    power_a: float = 0.01,
    random_non_queries: bool = True,
) -> tuple[list[int], list[int]]:
    side, third = round(num_kv_pairs**0.5), vocab_size // 3
    firsts, seconds = rng.sample(range(1, third), side), rng.sample(range(third, 2 * third), side)
    pairs = [(first, second) for first in firsts for second in seconds]
    rng.shuffle(pairs)
    answers = dict(zip(pairs, rng.sample(range(2 * third, vocab_size), num_kv_pairs), strict=True))
    context = [token for key, value in answers.items() for token in (*key, value)]
    return _asked(rng, generator, context, answers, length, vocab_size, power_a, random_non_queries)
