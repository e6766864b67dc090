"""RegBench as its paper's own code makes rows, one by one, without its minimising, which changes no row."""

import random


def regbench_automaton(rng: random.Random, letters: int = 18, nodes: int = 12, edges: int = 4) -> list[dict[int, int]]:
    """The edges of each state; state 0 is the first. Letters are numbers from 1."""
    count = rng.randint(edges, nodes)
    alphabet = rng.sample(range(1, letters + 1), rng.randint(edges, letters))
    transitions = []
    for node in range(count):
        degree = rng.randint(1, edges - 1)
        targets = rng.sample([other for other in range(count) if other != node], degree)
        transitions.append(dict(zip(rng.sample(alphabet, degree), targets, strict=True)))
    return transitions


def regbench_words(
    rng: random.Random, transitions: list[dict[int, int]], low: int = 10, high: int = 20, longest: int = 50
) -> list[list[int]]:
    """Words of an automaton: fewer than `high`, of fewer than `longest` letters."""
    words = []
    for _ in range(rng.randint(low, high - 1)):
        state, word = 0, []
        for _ in range(rng.randint(1, longest - 1)):
            word.append(rng.choice(list(transitions[state])))
            state = transitions[state][word[-1]]
        words.append(word)
    return words


def regbench_row(rng: random.Random) -> list[int]:
    """A row of the published setting."""
    words = regbench_words(rng, regbench_automaton(rng))
    return [token for word in words for token in (*word, 19)][:-1]
