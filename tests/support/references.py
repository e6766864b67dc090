"""Rows and sentences as the papers' own code makes them, one by one: what ours are compared with, and timed against."""

import itertools
import random

import numpy as np
import scipy.stats

from hf_procedural.tasks import languages, nonsense
from hf_procedural.tasks.lime import MODES, REASON
from hf_procedural.tasks.simpler import _OPERATIONS, _SET_OPERATIONS, AND, NAME_END, WORD_END

# lime


def lime_row(rng: random.Random, mode: str, vocab_size: int = 1000, low: int = 1, high: int = 5) -> tuple[str, str]:
    """A prompt and an answer, drawn as the reference does."""
    symbols = rng.sample(range(vocab_size), 68)
    upper, lower, math = symbols[:24], symbols[24:48], symbols[48:]

    def rewritten(string, shortest, longest):
        size = rng.randint(shortest, longest)
        start = rng.randint(0, len(string) - size)
        names = dict(zip({symbol for symbol in string[start : start + size] if symbol in lower}, upper, strict=False))
        left = [names.get(symbol, symbol) for symbol in string[start : start + size]]
        right = rng.choices(math, k=rng.randint(shortest, longest)) + list(names.values())
        rng.shuffle(right)
        back = {name: symbol for symbol, name in names.items()}
        new = [back.get(symbol, symbol) for symbol in right]
        return [*left, "->", *right], [*string[:start], *new, *string[start + size :]], list(names.values())

    if mode in REASON:
        n, literals = rng.randint(3, 5), rng.randint(5, 19)
        variables = rng.choices(upper[:n], k=2 * n)
        upper = list(set(variables))
        pattern = variables + rng.choices(math, k=literals)
        rng.shuffle(pattern)
        parts = {"pattern": pattern}
        for number in ("", " 2"):
            values = {name: rng.choices(lower + math, k=rng.randint(2, 8)) for name in upper}
            written = [word for name in upper for word in [name, ":", "[", *values[name], "]", ","]]
            parts |= {
                f"substitution{number}": written[:-1],
                f"result{number}": [word for symbol in pattern for word in values.get(symbol, [symbol])],
            }
    elif mode.startswith("rewrite_multistep"):
        n = rng.randint(5, 10)
        string = rng.choices(math, k=n) + rng.choices(lower, k=round(1.5 * n))
        rng.shuffle(string)
        rules, strings = [], [string]
        for _ in range(rng.randint(low, high)):
            rule, new, _ = rewritten(strings[-1], 3, 7)
            rules += [*rule, "<space>"]
            strings.append(new)
        every = [word for new in strings[1:] for word in [*new, "<space>"]][:-1]
        parts = {"rules": rules[:-1], "string": string, "last": strings[-1], "strings": every}
    else:
        n = rng.randint(10, 20)
        string = rng.choices(math, k=round(1.5 * n)) + rng.choices(lower, k=n)
        rng.shuffle(string)
        rule, new, upper = rewritten(string, 5, 20)
        parts = {"rules": rule, "string": string, "last": new}
    header = ["<UPPER>", *upper, "<LOWER>", *lower, "<MATH>", *math]
    given, asked = MODES[mode]
    prompt = [word for part in (header, *(parts[name] for name in given)) for word in [*part, "<space>"]][:-1]
    answer = [word for name in asked for word in [*parts[name], "<space>"]][:-1]
    return " ".join(map(str, prompt)), " ".join(map(str, answer))


# nca


def random_weights(rng, states, biases=False):
    """As Flax draws them: kernels LeCun normal, biases 0 (or, to exercise them, not)."""
    shapes = {"conv0": (3, 3, states + 2, 4), "conv1": (4, 16), "conv2": (16, states)}
    weights = {}
    for name, shape in shapes.items():
        draws = scipy.stats.truncnorm.rvs(-2, 2, size=shape, random_state=rng)
        weights[f"{name}_kernel"] = (draws / 0.87962566103423978 / np.prod(shape[:-1]) ** 0.5).astype(np.float32)
        weights[f"{name}_bias"] = (rng.normal(size=shape[-1]) * 0.3 * biases).astype(np.float32)
    return weights


def random_grid(rng, states, grid):
    share = np.exp(rng.normal(size=states))
    return rng.choice(states, size=(grid, grid), p=share / share.sum())


# nonsense


def nonsense_row(rng, operation, letters):
    """A document and its answer by the rules of the reference code, at its own settings but for the words."""

    def sentence():
        return [*rng.choices(letters, k=10 + rng.randint(-5, 5)), "."]

    document = [sentence() for _ in range(10 + rng.randint(-3, 3))]
    tasks = [nonsense.SUBTASKS.index(operation) + 1] if operation != "composite" else rng.sample(nonsense.USED, 3)
    for d in tasks:
        _change(rng, d, document)
    answers = [rng.choice(list(nonsense._answers(d, document))) for d in tasks]
    return sum(document, []), " ".join(itertools.chain(*answers)).split()


def _change(rng, d, document):
    keywords = [f"__d{d}__{name}__" for name in nonsense._KEYWORDS.get(d, ())]
    if d == 7:
        line = rng.choice(document)
        begin = rng.randrange(1 if "_" in line[0] else 0, len(line))
        end = rng.randrange(begin + 1, len(line) + 1)
        line[:] = [*line[:begin], keywords[0], *line[begin:end], keywords[1], *line[end:]]
    elif d == 8:
        rng.choice(document).insert(0, keywords[0])
    elif d == 20:
        line = rng.choice(document)
        places = rng.sample([i for i, word in enumerate(line[:-1]) if "_" not in word], 2)
        for place, keyword in zip(places, rng.sample(keywords, 2), strict=True):
            line[place] = keyword
    elif d > 2:
        size = {4: 3, 5: 3, 6: 3, 9: rng.randint(0, 1), 12: rng.choice([3, 5]), 13: rng.randint(2, 5), 15: 2, 19: 3}
        size = size.get(d, rng.randint(1, 4) if d in (16, 17) else 1)
        chosen = rng.sample(keywords, size) if d in (6, 15, 16, 17, 19) else rng.choices(keywords, k=size)
        for line, keyword in zip(rng.sample(document, size), chosen, strict=True):
            places = [i for i, word in enumerate(line[:-1]) if "_" not in word and (d != 19 or i < len(line) - 2)]
            line[rng.choice(places)] = keyword


def nonsense_step_row(rng, operation, letters, required=60, following=20, spans=(10, 25)):
    document = []
    while sum(map(len, document)) <= required:
        document.append([*rng.choices(letters, k=rng.randint(5, 15)), "."])
    answer = sum(document, [])
    if operation == "sentence_reordering":
        return sum(rng.sample(document, len(document)), []), answer
    if operation == "next_sentence_generation":
        return answer[: required - following], answer[required - following : required]
    prompt, span = list(answer), rng.randint(*spans)
    begin = rng.randint(0, required - span)
    for i in range(begin, begin + span):
        chance = rng.random()
        prompt[i] = "<extra_id_0>" if chance < 0.8 else rng.choice(letters) if chance < 0.9 else prompt[i]
    return prompt, answer


# simpler


def _partition(rng, n, parts, least):
    sizes = [least] * parts
    for _ in range(n - least * parts):
        sizes[rng.randrange(parts)] += 1
    return sizes


def stands_in(query, ids):
    return any(ids[start : start + len(query)] == query for start in range(len(ids) - len(query) + 1))


def _query(rng, low, high, pool, present):
    if rng.random() < present:
        size = rng.randint(1, (high - 1) // 3)
        length = rng.randint(2 * size, high - 1 - size)
        query = rng.choices(pool, k=size)
        times = rng.randint(1, length // size)
        ids = []
        for index, free in enumerate(_partition(rng, length - times * size, times + 1, 0)):
            ids += rng.choices(pool, k=free) + query * (index < times)
        return ids, query
    if rng.random() < 0.01:
        size = rng.randint(low + 1, high)
        return rng.choices(pool, k=rng.randint(0, size - 1)), rng.choices(pool, k=size)
    length = rng.randint(low, high)
    size = rng.randint(low, length)
    while True:
        ids, query = rng.choices(pool, k=length), rng.choices(pool, k=size)
        if not stands_in(query, ids):
            return ids, query


def _arguments(rng, operation, low, high, pool):
    """One draw of the reference: the arguments, as lists."""
    if operation in ("set", "deduplicate"):
        length = rng.randint(low, high)
        parts = rng.randint(1, length)
        ids = [each for size in _partition(rng, length, parts, 1) for each in [rng.choice(pool)] * size]
        if operation == "set":
            rng.shuffle(ids)
        return (ids,)
    if operation == "longest_word":
        words = rng.randint(1, high // 2)
        letters = rng.randint(max(low - words + 1, words), high - words + 1)
        text = [[WORD_END, *rng.choices(pool, k=size)] for size in _partition(rng, letters, words, 1)]
        return (sum(text, [])[1:],)
    if operation == "count":
        length, query = rng.randint(low - 2, high - 2), rng.choice(pool)
        placed = rng.randint(0, length)
        ids = [query] * placed + rng.choices(pool, k=length - placed)
        rng.shuffle(ids)
        return ids, [query]
    if operation in ("search", "delete", "filter", "get_index"):
        return _query(rng, low, high, pool, 0.5 if operation == "search" else 0.75)
    if operation == "sort":
        order = rng.choices(pool, k=rng.randint(low // 2, (high - 1) // 2))
        length = rng.randint(len(order), high - 1 - len(order))
        ids = [each for size in _partition(rng, length, len(order), 1) for each in [rng.choice(order)] * size]
        rng.shuffle(ids)
        return ids, order
    if operation in ("replace", "replace_many"):
        if operation == "replace":
            pairs, ids = 1, rng.choices(pool, k=rng.randint(low - 3, high - 3))
        else:
            pairs = rng.randint(2, (high - 1) // 3)
            length = rng.randint(max(pairs, low - 1 - 2 * pairs), high - 1 - 2 * pairs)
            ids = rng.sample(pool, pairs) + rng.choices(pool, k=length - pairs)
            rng.shuffle(ids)
        keys = rng.sample(list(set(ids)), pairs)
        return ids, [each for key in keys for each in (key, rng.choice(pool))]
    if operation in _SET_OPERATIONS:
        total = rng.randint(low - 1, high - 1)
        some, first = rng.sample(pool, total // 2), rng.randint(0, total)
        return rng.choices(some, k=first), rng.choices(some, k=total - first)
    return (rng.choices(pool, k=rng.randint(low, high)),)


def simpler_row(rng, operation, low, high, pool):
    """A prompt of the reference without its separator, bodies outside of the range drawn again."""
    while True:
        arguments = _arguments(rng, operation, low, high, pool)
        body = arguments[0] if len(arguments) == 1 else [*arguments[0], AND, *arguments[1]]
        if low <= len(body) <= high:
            return [*_OPERATIONS[operation].name, NAME_END, *body]


# languages


class Sentences:
    """Sentences as Ryou0634/artificial_language makes them one by one, without its text."""

    def __init__(self, types, distribution, vectors=None, seed=0):
        self.rng, self.numpy = random.Random(seed), np.random.default_rng(seed)
        self.types, self.distribution, self.vectors = types, distribution, vectors
        self.weights = np.cumsum([int(types / rank) for rank in range(1, types + 1)])

    def words(self):
        low, high, mean, deviation = -1.42813662, 3.19153859, 22.69367947, 11.68913353
        length = scipy.stats.truncnorm.rvs(low, high, mean, deviation, random_state=self.numpy)
        length = int(length + 1 if self.rng.random() < 0.5 else length)
        if self.distribution == "uniform":
            return [self.rng.randint(0, self.types - 1) for _ in range(length)]
        if self.distribution == "zipf":
            places = self.numpy.integers(self.weights[-1], size=(length, 1))
            return np.argmax(self.weights > places, axis=1).tolist()
        scores = self.vectors.dot(self.numpy.normal(size=10))
        weights = np.exp(scores - scores.max())
        return self.numpy.choice(np.arange(self.types), p=weights / weights.sum(), size=length).tolist()

    def pairs(self):
        words = self.words()
        half = len(words) // 2 + (self.rng.random() < 0.5)
        return [(2 * word, 2 * word + 1) for word in words[: max(half, 1)]]

    def nesting(self):
        pairs, opened, sentence = self.pairs(), [], []
        while pairs:
            if not opened or self.rng.random() < 0.4:
                head, tail = pairs.pop()
                opened.append(tail)
                sentence.append(head)
            else:
                sentence.append(opened.pop())
        return sentence + opened[::-1]

    def flat(self):
        pairs, opened, sentence = self.pairs(), [], []
        while pairs:
            if not opened or len(pairs) / (len(opened) + len(pairs)) > self.rng.random():
                head, tail = pairs.pop()
                sentence.append(head)
                opened.append(tail)
                self.rng.shuffle(opened)
            else:
                sentence.append(opened.pop())
        return sentence + opened[::-1]


def word_vectors(types, seed=0):
    """The vectors of a log-linear language, ``[types, 10]``."""
    return languages._vectors(types, seed).transpose(0, 2, 1).reshape(-1, 10)[:types].astype(float)
