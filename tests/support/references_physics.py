"""Rows as the code of Physics of Language Models, part 4.1, makes them, one by one, in plain Python."""

import random
import re

from hf_procedural.tasks.physics_grammar import rules_of
from hf_procedural.tasks.physics_sentences import SENTENCES


def mano_row(rng: random.Random, length: int, operators: str = "asm", value_mod: int = 23, augment: bool = True):
    def expression(size):
        if size == 0:
            value = rng.randint(0, value_mod - 1)
            return [5000 + value], value
        operator = rng.choice(operators)
        first = rng.randint(0, size - 1)
        (left, a), (right, b) = expression(first), expression(size - 1 - first)
        place = "asmd".index(operator) + 1
        tokens = [rng.choice([place + 4, place] if augment else [place]), *left, *right]
        if a is None or b is None or (operator == "d" and b == 0):
            return tokens, None
        if operator == "a":
            value = a + b
        elif operator == "s":
            value = a - b
        else:
            value = a * b if operator == "m" else a * pow(b, -1, value_mod)
        return tokens, value % value_mod

    def either():
        return rng.randint(0, 1) if augment else 0

    size = rng.randint(1, length)
    value = None
    while value is None:
        tokens, value = expression(size)
    return [9999 - either(), 10 * size + either(), *tokens, 10 * size + 4 + either(), 5000 + value]


def words(rng: random.Random, n: int, vocab: int, shortest: int, longest: int) -> list[list[int]]:
    drawn = set()
    while len(drawn) < n:
        word = [rng.randint(1, vocab) for _ in range(rng.randint(shortest, longest))]
        word[-1] += vocab
        drawn.add(tuple(word))
    return [list(word) for word in drawn]


def number_of_nodes(rng: random.Random, n: int) -> int:
    sizes = list(range(3, n + 1))
    return rng.choices(sizes, [1 / (size + n**0.5) for size in sizes])[0]


def depo_row(rng: random.Random, n, k, m=10, qa=False, separator=False, mini_vocab=3, min_tlen=5, max_tlen=7):
    """The tokens, and whether each is an answer's or its marker."""
    size = n if qa else number_of_nodes(rng, n)
    cycle = words(rng, size, mini_vocab, min_tlen, max_tlen)
    rng.shuffle(cycle)
    tokens = [9999]
    for i in rng.sample(range(size), size):
        tokens += [9700] * separator + cycle[i] + cycle[(i + 1) % size]
    answers = [0] * len(tokens)
    powers = [2**i for i in range(k.bit_length())]
    powers += [24] * (k == 32)
    powers += [k] * (powers[-1] != k)
    for i in rng.sample(range(size), min(size, m)):
        steps = rng.choice(powers) if qa else rng.randint(1, k)
        asked, answer = cycle[i], cycle[(i + steps) % size]
        tokens += [9000 + steps, *asked, 9500, *answer]
        answers += [0] * (1 + len(asked)) + [1] * (1 + len(answer))
    return tokens, answers


def brevo_row(rng: random.Random, n: int, multi: bool = False) -> list[int]:
    size = number_of_nodes(rng, n)
    nodes = rng.sample(range(1, n + 1), size)
    parents, children = {}, dict.fromkeys(nodes, 0)
    for i in range(rng.randint(1, (size - 1) // 4 + 1), size):
        able = [node for node in nodes[:i] if children[node] < 4]
        parents[nodes[i]] = rng.sample(able, rng.randint(1, min(len(able), 4)))
        for parent in parents[nodes[i]]:
            children[parent] += 1
    query = nodes[-1]
    needed, stack = set(), [query]
    while stack:
        node = stack.pop()
        if node not in needed:
            needed.add(node)
            stack += parents.get(node, [])
    later = dict.fromkeys(needed, 0)
    for node in needed:
        for parent in parents.get(node, []):
            later[parent] += 1
    order, ready = [], [query]
    while ready:
        node = ready.pop(rng.randint(0, len(ready) - 1))
        order.append(node)
        for parent in parents.get(node, []):
            later[parent] -= 1
            if later[parent] == 0:
                ready.append(parent)
    edges = [(parent, node) for node, before in parents.items() for parent in before]
    rng.shuffle(edges)
    names = {node: [node] for node in nodes}
    if multi:
        present = sorted({node for edge in edges for node in edge})
        names = dict(zip(present, words(rng, len(present), 4, 2, 4), strict=True))
    tokens = [9999]
    for parent, node in edges:
        tokens += names[parent] + names[node]
    tokens += [9997, *names[query], 9998]
    for node in reversed(order):
        tokens += names[node]
    return [*tokens, 9998]


def lano_word(rng: random.Random, grammar: str) -> list[int]:
    rules, _ = rules_of(grammar)

    def generate(symbol, above):
        if symbol not in rules:
            return [[symbol, *above]]  # each token with what it stands for, level by level
        made = []
        for part in rules[symbol][rng.randint(0, len(rules[symbol]) - 1)]:
            made += generate(part, [symbol, *above])
        return made

    return [token[0] for token in generate(max(rules), [])]


def capo_text(rng: random.Random, name: str, pronoun: str, values: list[str]) -> str:
    """A biography of bioS: each sentence as one of its wordings, the name in the first."""
    text = ""
    for subject, texts, value in zip([name, *[pronoun] * 5], SENTENCES, values, strict=True):
        text += " " + rng.choice(texts).replace("~", subject).replace("*", value)
    return text[1:]


def lano_row(rng: random.Random, grammar: str, length: int) -> list[int]:
    """Words with the end id behind each, until the row is full."""
    _, terminals = rules_of(grammar)
    row = []
    while len(row) < length:
        row += [*lano_word(rng, grammar), terminals + 1]
    return row[:length]


def capo_row(rng: random.Random, people: list[tuple[str, str, list[str]]], ids: dict[str, int]) -> list[int]:
    """The tokens of a biography of one of the people: name, pronoun, and values."""
    text = capo_text(rng, *rng.choice(people))
    words = re.findall(r"[\w'-]*\w|[.,]", text)
    return [1, *(ids.get(word, 0) for word in words), 2]
