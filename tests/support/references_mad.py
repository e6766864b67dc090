"""Rows of MAD's tasks, one by one, by the rules of the reference: what ours are compared with, and timed against."""

import random

import numpy as np


def recall_row(
    rng: random.Random,
    length: int = 128,
    vocab_size: int = 16,
    multi_query: bool = True,
    noise_vocab_size: int = 0,
    frac_noise: float = 0.0,
) -> tuple[list[int], list[int]]:
    """Tokens and labels of the test form; the pair free of noise is one of the row's."""
    symbols = vocab_size - noise_vocab_size - (not multi_query)
    keys = symbols // 2
    values, row, labels = {}, [], []
    pairs = length // 2 - 1
    clean = rng.randrange(pairs)
    for pair in range(pairs):
        if frac_noise and pair != clean and rng.random() < frac_noise:
            row += [symbols + rng.randrange(noise_vocab_size) for _ in range(2)]
            labels += [-100, -100]
            continue
        key = rng.randrange(keys)
        labels += [-100, values[key] if multi_query and key in values else -100]
        row += [key, values.setdefault(key, rng.randrange(keys, symbols))]
    if not multi_query:
        row.append(vocab_size - 1)
        labels.append(-100)
    key = rng.choice(list(values))
    return [*row, key, values[key]], [*labels, -100, values[key]]


def fuzzy_row(
    rng: random.Random,
    length: int = 128,
    vocab_size: int = 16,
    multi_query: bool = True,
    k_motif_size: int = 3,
    v_motif_size: int = 3,
    is_training: bool = True,
) -> tuple[list[int], list[int]] | None:
    """Tokens and labels of the test form, or None where the last key has not been seen before."""
    symbols = vocab_size - 1 - (not multi_query)
    all_keys, all_values = range(symbols // 2), range(symbols // 2, symbols)

    def new_key():
        return tuple(rng.sample(all_keys, rng.randint(1, k_motif_size) if is_training else k_motif_size))

    def new_value():
        return tuple(rng.sample(all_values, rng.randint(1, v_motif_size)))

    probe, probed = new_key(), new_value()
    size = len(probe) + len(probed)
    shown_from = rng.randrange(length - 2 * size)
    values, row, labels = {}, [], []
    while len(row) < length - size - k_motif_size - v_motif_size:
        key, value = new_key(), new_value()
        if len(row) >= shown_from and probe not in values:
            key = probe
        if key == probe:
            value = probed
        is_new = key not in values
        value = values.setdefault(key, value)
        row += [*key, *value]
        labels += [-100] * len(key) + [-100 if is_new or not multi_query else token for token in value]
    if probe not in values:
        return None
    if not multi_query:
        row.append(vocab_size - 1)
        labels.append(-100)
    row += [*probe, *probed]
    labels += [*[-100] * len(probe), *probed]
    blanks = length + 1 - len(row)
    return [symbols] * blanks + row, [-100] * blanks + labels


def selective_copying_row(
    rng: random.Random, length: int = 256, vocab_size: int = 16, num_tokens_to_copy: int = 16
) -> tuple[list[int], list[int]]:
    tokens = [rng.randrange(vocab_size - 2) for _ in range(num_tokens_to_copy)]
    blanks = length - 2 * num_tokens_to_copy - 1
    places = [rng.randrange(num_tokens_to_copy) for _ in range(blanks)]
    row = np.insert(tokens, places, vocab_size - 2).tolist()
    row += [vocab_size - 1, *[vocab_size - 2] * (num_tokens_to_copy + 1)]
    return row, [-100] * (length + 1 - num_tokens_to_copy) + tokens


def compression_row(rng: random.Random, length: int = 32, vocab_size: int = 16) -> tuple[list[int], list[int]]:
    tokens = [rng.randrange(vocab_size - 1) for _ in range(length - 1)]
    return [*tokens, vocab_size - 1, *[vocab_size] * len(tokens)], [-100] * length + tokens


def memorization_row(
    rng: random.Random, kv_map: dict, length: int = 32, vocab_size: int = 256
) -> tuple[list[int], list[int]]:
    keys = [rng.choice(list(kv_map)) for _ in range(length // 2)]
    row = [token for key in keys for token in (key, vocab_size - 1)] + [vocab_size - 1]
    return row, [-100, -100, *[label for key in keys for label in (kv_map[key], -100)]][: length + 1]
