"""Artificial languages: what is in them, and that sentences are distributed as the reference's are."""

import dataclasses
import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from support.references import Sentences, word_vectors
from support.specimens import is_right
from test_tasks import P, assert_same_distribution

import hf_procedural as hp
from hf_procedural.tasks import check_task, kernels, languages, languages_kernels

NAMES = ["words", "nesting", "flat"]
DISTRIBUTIONS = ["uniform", "zipf", "log_linear"]
STYLES = ["dependency", "parenthesis"]

# ---------------------------------------------------------------- the reference, in plain Python


def _first(task, count, seed=0):
    """The first sentence of each of `count` rows: all independent."""
    rows, _ = dataclasses.replace(task, length=64).sample(np.random.default_rng(seed), count)
    return [row[: row.index(task.eos_id)] for row in rows.tolist()]


# ---------------------------------------------------------------- the languages, by hand and by definition

SENTENCES = [  # in words, and whether they are in the language
    ("words", {}, "3 1 1 <eos> 2 <eos>", True),
    ("words", {}, "3 1 1", True),
    ("words", {}, "<eos>", False),
    ("words", {}, "3 <eos> <eos> 1", False),
    ("words", {}, "3 <pad>", False),
    ("words", {"sentences": False}, "3 1 1", True),
    ("words", {"sentences": False}, "3 1 <eos>", False),
    ("nesting", {}, "(3 (1 1) 3) (3 3) <eos> (2 2)", True),
    ("nesting", {}, "(3 (3 3) 3) <eos>", True),
    ("nesting", {}, "(3 (1 3) 1)", False),
    ("nesting", {}, "(3 (1 1) <eos> 3)", False),
    ("nesting", {}, "(3 3) (1", False),
    ("nesting", {}, "3) (3", False),
    ("flat", {}, "(3 (1 3) 1) <eos>", True),
    ("flat", {}, "(3 (3 (1 3) 1) 3)", True),
    ("flat", {}, "(3 3) 3) (3", False),
    ("flat", {}, "(3 (1 3)", False),
    ("nesting", {"style": "parenthesis"}, "3 1 1 3 2 2 <eos> 3 3", True),
    ("nesting", {"style": "parenthesis"}, "3 3 3 3", True),
    ("nesting", {"style": "parenthesis"}, "3 1 3 1", False),
    ("nesting", {"style": "parenthesis"}, "3 3 3", False),
    ("flat", {"style": "parenthesis"}, "3 1 3 1", True),
    ("flat", {"style": "parenthesis"}, "3 1 3 3", False),
    ("ww", {"shortest": 1}, "3 1 1 3 1 1", True),
    ("ww", {"shortest": 1}, "2 2 3 1 3 1", True),
    ("ww", {"shortest": 2}, "2 2 3 1 3 1", False),
    ("ww", {"shortest": 1, "longest": 2}, "3 1 1 3 1 1", False),
    ("ww", {"shortest": 1}, "3 1 3", False),
    ("ww", {"shortest": 1}, "3 3 <pad>", False),
]


@pytest.mark.parametrize(("name", "parameters", "text", "right"), SENTENCES, ids=str)
def test_sentence_by_hand(name, parameters, text, right):
    task = hp.task(f"{name}-4", length=20, **parameters)
    ids = {token: index for index, token in enumerate(task.vocabulary)}
    tokens = [ids[word] for word in text.split()]
    assert task.accepts(tokens) == task.accepts(np.array(tokens, np.int32)) == right
    assert not task.accepts([*tokens, len(ids)]) and not task.accepts([-100, *tokens])


def _in_pairs(word, nests, is_pair):
    """By definition: the first token has a partner, and what is left is in pairs (apart, where they nest)."""
    if not word:
        return True
    for end in range(1, len(word)):
        parts = (word[1:end], word[end + 1 :])
        parts = parts if nests else (sum(parts, ()),)
        if is_pair(word[0], word[end]) and all(_in_pairs(part, nests, is_pair) for part in parts):
            return True
    return False


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["nesting", "flat"])
def test_pairs_are_accepted_and_nothing_else(name, style):
    types, longest = (2, 6) if style == "dependency" else (3, 6)
    task = hp.task(name, types=types, style=style, length=100)

    def is_pair(head, tail):
        return tail == head + 1 and head % 2 == 0 if style == "dependency" else head == tail

    right = {
        word
        for size in range(1, longest + 1)
        for word in itertools.product(range(task.eos_id), repeat=size)
        if _in_pairs(word, name == "nesting", is_pair)
    }
    for size in range(1, longest + 1):
        full = dataclasses.replace(task, length=max(size, 2))
        starts = {word[:size] for word in right if len(word) >= size}
        for word in itertools.product(range(task.eos_id), repeat=size):
            assert task.accepts(word) == task.accepts((*word, task.eos_id)) == (word in right), word
            if 2 <= size <= longest // 2:  # of which each beginning can be finished
                assert full.accepts(word) == (word in starts), word


@pytest.mark.parametrize(("shortest", "longest"), [(1, 1), (1, 2), (2, 3)])
def test_ww_accepts_its_words_alone(shortest, longest):
    task = hp.task("ww", symbols=2, shortest=shortest, longest=longest, length=7)
    strings = [word + word for size in range(shortest, longest + 1) for word in itertools.product((0, 1), repeat=size)]
    whole, new = {()}, {()}
    while new:
        new = {word + string for word in new for string in strings if len(word) < 7}
        whole |= new
    rows = {word[:7] for word in whole if len(word) >= 7}
    for size in range(1, 8):
        for word in itertools.product((0, 1), repeat=size):
            assert task.accepts(word) == (word in whole or word in rows), word


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("style", STYLES)
def test_vocabulary(name, style):
    task = hp.task(name, types=2, **({} if name == "words" else {"style": style}))
    double = name != "words" and style == "dependency"
    assert task.vocabulary == (*("(0 0) (1 1)" if double else "0 1").split(), "<eos>", "<pad>")
    assert task.vocabulary[task.eos_id] == "<eos>" and task.vocabulary[task.pad_id] == "<pad>"


def test_a_completion_must_finish_its_sentence():
    task = hp.task("nesting-4")
    assert task.score("(3 (1 1)", "3) <eos>") == task.score("(3 (1 1)", "3)") == 1
    assert task.score("(3 (1 1)", "<eos>") == task.score("(3 (1 1)", "3) (2 <eos> 2)") == task.score("(3", "1)") == 0
    assert hp.task("ww-4", shortest=2).score("3 1", "3 1") == 1 > hp.task("ww-4", shortest=2).score("3 1", "1 3")


# ---------------------------------------------------------------- rows

GRID = [
    *(
        ("words", {"distribution": distribution, "types": types})
        for distribution in DISTRIBUTIONS
        for types in (1, 300)
    ),
    *(
        (name, {"distribution": distribution, "style": style, "types": types})
        for name in ("nesting", "flat")
        for distribution in DISTRIBUTIONS
        for style in STYLES
        for types in (3, 300)
    ),
    ("words", {"sentences": False, "types": 2, "length": 100}),
    ("words", {"sentences": False, "distribution": "log_linear", "length": 40}),
    ("nesting", {"p_open": 0.0}),
    ("flat", {"length": 9}),
    ("ww", {}),
    ("ww", {"symbols": 2, "shortest": 3, "longest": 3, "length": 25}),
]


@pytest.mark.parametrize(("name", "parameters"), GRID, ids=str)
def test_contract(name, parameters):
    check_task(hp.task(name, **{"length": 80} | parameters))


@pytest.mark.parametrize("name", [*NAMES, "ww"])
@settings(max_examples=40)
@given(data=st.data())
def test_any_parameters(name, data):
    drawn = {
        "length": st.integers(2, 150),
        "types": st.integers(1, 600),
        "distribution": st.sampled_from(DISTRIBUTIONS),
        "language_seed": st.integers(0, 3),
        "sentences": st.booleans(),
        "style": st.sampled_from(STYLES),
        "p_open": st.floats(0, 1),
        "symbols": st.integers(1, 5),
        "shortest": st.integers(1, 20),
        "longest": st.integers(20, 40),
    }
    fields = [field.name for field in dataclasses.fields(hp.tasks.task_class(name))]
    task = hp.task(name, **{field: data.draw(drawn[field], label=field) for field in fields})
    rows = task.sample(np.random.default_rng(data.draw(st.integers(0, 2**32), label="seed")), 8)
    assert all(is_right(task, input_ids, labels) for input_ids, labels in zip(*rows, strict=True))


def test_a_language_stays_the_same():
    """The vectors depend on the language's seed alone, and a larger language goes on from a smaller one."""
    np.testing.assert_array_equal(word_vectors(700)[:300], word_vectors(300))
    assert (word_vectors(300, 1) != word_vectors(300)).all()
    one, same, other = (
        hp.task("words-50", distribution="log_linear", length=200, language_seed=seed) for seed in (3, 3, 4)
    )
    shares = [
        np.bincount(task.sample(np.random.default_rng(seed), 400)[0].ravel(), minlength=51)
        for seed, task in enumerate((one, same, other))
    ]
    assert (
        np.corrcoef(shares[0][:50], shares[1][:50])[0, 1]
        > 0.98
        > 0.7
        > np.corrcoef(shares[0][:50], shares[2][:50])[0, 1]
    )


# ---------------------------------------------------------------- distributions

COUNT = 3000


def _distances(sentence):
    """How far tails are from their heads, where each pair has a kind of its own; as a rough number."""
    places = {token: place for place, token in enumerate(sentence)}
    total = sum(places[token + 1] - place for token, place in places.items() if token % 2 == 0)
    return int(10 * total / len(sentence))


def _depth(sentence):
    return max(itertools.accumulate(1 if token % 2 == 0 else -1 for token in sentence))


@pytest.mark.parametrize("name", NAMES)
def test_sentences_are_distributed_as_in_the_reference(name):
    reference = Sentences(2**20, "uniform")  # hardly ever the same word twice
    theirs = [getattr(reference, name)() for _ in range(COUNT)]
    ours = _first(hp.task(name, types=2**20, distribution="uniform"), COUNT)
    statistics = {"length": len, "a word's bits": lambda sentence: sentence[-1] // 2 % 32}
    if name != "words":
        ours, theirs = ([words for words in part if len(set(words)) == len(words)] for part in (ours, theirs))
        statistics |= {
            "depth": _depth,
            "distances": _distances,
            "first tail": lambda sentence: next(i for i, token in enumerate(sentence) if token % 2),
            "third to last": lambda sentence: sentence[-3] % 2,
            "partner of the first": lambda sentence: sentence.index(sentence[0] + 1),
            "partner of the last": lambda sentence: len(sentence) - sentence.index(sentence[-1] - 1),
        }
    for what, statistic in statistics.items():
        assert_same_distribution([*map(statistic, ours)], [*map(statistic, theirs)], f"{name}: {what}")


def test_styles_differ_in_ids_alone():
    for name in ("nesting", "flat"):
        two, one = (hp.task(name, style=style).sample(np.random.default_rng(0), 20)[0] for style in STYLES)
        np.testing.assert_array_equal(two // 2, one - (one == 8000) * 0)


def test_a_row_goes_on_as_it_begins():
    """Sentences in the middle of a long row are as long as any."""
    task = hp.task("words", length=400_000)
    row = task.sample(np.random.default_rng(0), 1)[0][0]
    lengths = np.diff(np.flatnonzero(row == task.eos_id)) - 1
    expected = np.diff(languages._lengths(False), prepend=0)
    assert lengths.min() == 6 and lengths.max() == 60
    counts = np.bincount(lengths, minlength=62)[6:61]
    assert scipy.stats.chisquare(counts, expected[6:61] * len(lengths)).pvalue > P
    assert abs(lengths.mean() - 24.6) < 0.5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("distribution", ["uniform", "zipf"])
def test_frequencies_of_words(name, distribution):
    task = hp.task(name, types=500, distribution=distribution)
    firsts = [sentence[0] // task.ids_per_type for sentence in _first(task, 20_000)]
    weights = np.array([1 if distribution == "uniform" else int(500 / rank) for rank in range(1, 501)])
    expected = weights / weights.sum() * len(firsts)
    assert scipy.stats.chisquare(np.bincount(firsts, minlength=500), expected).pvalue > P


def test_random_strings_are_uniform():
    task = hp.task("words-2", sentences=False, distribution="uniform", length=64)
    rows = task.sample(np.random.default_rng(0), 5000)[0]
    codes = rows.reshape(-1, 8) @ (1 << np.arange(8))
    assert scipy.stats.chisquare(np.bincount(codes, minlength=256)).pvalue > P


@pytest.mark.parametrize("types", [1, 10, 256, 257, 8000])
def test_weights_are_a_softmax(types):
    topic, at_most = np.empty(10, np.float32), np.empty(languages_kernels.BLOCK)
    vectors, state = languages._vectors(types, 0), kernels.stream(np.random.default_rng(0))
    weights = np.zeros((len(vectors), languages_kernels.BLOCK), np.float32)
    for scale in (1, 1, 1, 0, 3):
        languages_kernels.draw_topic(state, topic)
        topic *= np.float32(scale)
        languages_kernels.weigh(vectors, topic, types, weights, at_most)
        expected = np.exp(word_vectors(types) @ (topic * np.log(2)))
        np.testing.assert_allclose(weights.ravel()[:types], expected, rtol=1e-5)
        np.testing.assert_allclose(at_most[-1], expected.sum(), rtol=1e-5)
        draws = [languages_kernels._weighed(state, types, weights, at_most) for _ in range(2000)]
        order = np.argsort(-expected)
        found, due = np.bincount(draws, minlength=types)[order], expected[order] / expected.sum() * len(draws)
        cut = max(int((due > 10).sum()), 1)  # the rare words count together
        found, due = np.append(found[:cut], found[cut:].sum()), np.append(due[:cut], due[cut:].sum() + 1e-9)
        assert scipy.stats.chisquare(found, due * found.sum() / due.sum()).pvalue > P


@pytest.mark.parametrize(("name", "types"), [("words", 20), ("words", 600), ("nesting", 20), ("flat", 600)])
def test_log_linear_words_are_distributed_as_in_the_reference(name, types):
    reference = Sentences(types, "log_linear", word_vectors(types))
    theirs = [getattr(reference, name)() for _ in range(COUNT)]
    task = hp.task(name, types=types, distribution="log_linear")
    ours = _first(task, COUNT)
    for what, statistic in {
        "first word": lambda sentence: sentence[0] // task.ids_per_type,
        "last word": lambda sentence: sentence[-1] // task.ids_per_type,
        "kinds of words": lambda sentence: len(set(sentence)),
        "of the first": lambda sentence: sentence.count(sentence[0]),
    }.items():
        assert_same_distribution([*map(statistic, ours)], [*map(statistic, theirs)], f"{name}: {what}")


def test_strings_and_copies():
    """Lengths and symbols are uniform, for the strings at the start and for those behind."""
    task = hp.task("ww", symbols=50, shortest=3, longest=12, length=60)
    sizes, symbols = [[], []], []
    for row in task.sample(np.random.default_rng(0), 3000)[0].tolist():
        for found in sizes:
            found.append(next(size for size in range(3, 13) if row[:size] == row[size : 2 * size]))
            symbols.append(row[0])
            row = row[2 * found[-1] :]
    assert all(scipy.stats.chisquare(np.bincount(found)[3:]).pvalue > P for found in sizes)
    assert scipy.stats.chisquare(np.bincount(symbols, minlength=50)).pvalue > P


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("words-0", {}, "words: types must be an integer in 1..1048576, got 0"),
        ("words", {"distribution": "zip"}, "words: distribution must be one of uniform, zipf, log_linear, got 'zip'"),
        ("words", {"language_seed": -1}, "words: language_seed must be an integer >= 0, got -1"),
        ("words", {"style": "dependency"}, "words: unknown parameter 'style'"),
        ("flat", {"p_open": 0.4}, "flat: unknown parameter 'p_open'"),
        ("nesting", {"p_open": 2}, "nesting: p_open must be a number in 0..1, got 2"),
        ("nesting", {"style": "same"}, "nesting: style must be one of dependency, parenthesis, got 'same'"),
        ("nesting-x", {}, "nesting-x: the size after the dash must be an integer, as in nesting-16000, got 'x'"),
        ("flat", {"length": 1}, "flat: length must be an integer >= 2, got 1"),
        ("ww", {"shortest": 9, "longest": 8}, "ww: shortest must be at most longest = 8, got 9"),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_one_line(name, parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task(name, **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)
