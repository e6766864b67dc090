"""RegBench against the reference's rows and automata: its language, its splits, and how rows are distributed."""

import itertools
import json
import random

import numpy as np
import pytest
from support.references_regbench import regbench_automaton, regbench_words
from support.running import TESTS
from test_tasks import assert_same_distribution

import hf_procedural as hp
from hf_procedural.tasks import check_task
from hf_procedural.tasks.regbench import Automaton, _letter

FIELDS = list(hp.task("regbench").parameters)


def _golden(name):
    return [json.loads(line) for line in (TESTS / "golden" / f"{name}.jsonl").read_text().splitlines()]


def _task(params):
    return hp.task("regbench", **{field: params[field] for field in FIELDS})


GOLDEN = _golden("regbench")
ROWS = _golden("regbench_rows")  # more of berlino/seq_icl at 9b9223d, of one setting; the first line has that


# ---------------------------------------------------------------- rows of the reference


def _automaton(params) -> Automaton:
    """That of a golden row, whose states are not numbered from 0."""
    states = [*params["transitions"]]
    transitions = (
        {int(letter): states.index(str(target)) for letter, target in edges.items()}
        for edges in params["transitions"].values()
    )
    return Automaton(tuple(transitions), states.index(str(params["initial_state"])))


@pytest.mark.parametrize("row", GOLDEN, ids=range(len(GOLDEN)))
def test_golden_rows_are_words_of_their_automaton(row):
    task, automaton = _task(row["params"]), _automaton(row["params"])
    ids, labels = task.example(row["input_ids"])
    size = len(row["input_ids"])
    assert ids[:size].tolist() == row["input_ids"] and (ids[size:] == task.pad_id).all()
    assert labels[:size].tolist() == row["labels"] and (labels[size:] == -100).all()
    assert task.accepts(row["input_ids"]) and task.accepts(ids, automaton) and task.is_row(ids, labels)
    assert len(automaton.minimal().transitions) == len(automaton.transitions)  # the reference's is minimal
    assert task.vocabulary[row["params"]["separator"]] == "|" and row["params"]["noop"] == task.pad_id


def test_a_golden_row_with_a_wrong_letter_is_refused_by_its_automaton():
    rng = random.Random(0)
    for row in GOLDEN:
        task, automaton = _task(row["params"]), _automaton(row["params"])
        word = rng.choice(task.words(row["input_ids"]))
        allowed = automaton.transitions[automaton.state(word[:-1])]
        wrong = [token for token in range(1, task.separator_id) if token not in allowed]
        words = task.words(row["input_ids"])
        words[words.index(word)] = [*word[:-1], rng.choice(wrong)]
        assert not task.accepts([token for each in words for token in (*each, task.separator_id)][:-1], automaton)


STATISTICS = {
    "words": len,
    "letters": lambda words: sum(map(len, words)),
    "length of the last word": lambda words: len(words[-1]),
    "first letter": lambda words: words[0][0],
    "last letter": lambda words: words[-1][-1],
    "distinct letters": lambda words: len({letter for word in words for letter in word}),
    "distinct first letters": lambda words: len({word[0] for word in words}),
    "letters behind the first": lambda words: len({word[1] for word in words if word[0] == words[0][0] and word[1:]}),
    "distinct pairs": lambda words: len({pair for word in words for pair in itertools.pairwise(word)}),
    "doubles": lambda words: sum(one == other for word in words for one, other in itertools.pairwise(word)) > 0,
}


@pytest.mark.parametrize("split", [None, "train"])
def test_rows_are_distributed_as_the_original_code_makes_them(split):
    (params, *rows) = ROWS
    task = _task(params["params"])
    theirs = [task.words(row["input_ids"]) for row in rows]
    input_ids, _, automata = task.sample_with_automata(np.random.default_rng(0), 3000, split)
    ours = [task.words(row) for row in input_ids]
    for what, statistic in STATISTICS.items():
        assert_same_distribution([*map(statistic, ours)], [*map(statistic, theirs)], what)
    states = [len(automaton.transitions) for automaton in automata]
    assert_same_distribution(states, [row["states"] for row in rows], "states")
    edges = [sum(map(len, automaton.transitions)) for automaton in automata]
    assert_same_distribution(edges, [row["edges"] for row in rows], "edges")


@pytest.mark.parametrize(("vocab_size", "nodes", "edges"), [(20, 12, 4), (6, 4, 3), (5, 3, 2), (9, 8, 7)])
def test_rows_are_distributed_as_in_the_reference(vocab_size, nodes, edges):
    rng = random.Random(0)
    automata = [regbench_automaton(rng, vocab_size - 2, nodes, edges) for _ in range(2000)]
    theirs = [regbench_words(rng, automaton, 2, 6, 9) for automaton in automata]
    sizes = [len(Automaton(tuple(automaton)).minimal().transitions) for automaton in automata]
    task = hp.task(
        f"regbench-{nodes}",
        vocab_size=vocab_size,
        max_outgoing_edges=edges,
        min_num_in_context_examples=2,
        max_num_in_context_examples=6,
        max_len_per_example=9,
    )
    input_ids, _, own = task.sample_with_automata(np.random.default_rng(0), 3000)
    ours = [task.words(row) for row in input_ids]
    for what, statistic in STATISTICS.items():
        assert_same_distribution([*map(statistic, ours)], [*map(statistic, theirs)], what)
    assert_same_distribution([len(automaton.transitions) for automaton in own], sizes, "states")


# ---------------------------------------------------------------- automata


def _language(automaton, length):
    letters = {letter for edges in automaton.transitions for letter in edges}
    return {word for word in itertools.product(sorted(letters), repeat=length) if automaton.state(word) is not None}


def test_the_minimal_automaton_is_the_smallest_of_its_language():
    """Two states of it are told apart by some word; and it has the same words."""
    rng = random.Random(0)
    for _ in range(60):
        automaton = Automaton(tuple(regbench_automaton(rng, 4, 5, 3)))
        small = automaton.minimal()
        assert len(small.transitions) <= len(automaton.transitions) and small.minimal() == small
        assert all(_language(small, length) == _language(automaton, length) for length in range(6))
        words = [
            frozenset(itertools.chain(*(_language(Automaton(small.transitions, state), length) for length in range(6))))
            for state in range(len(small.transitions))
        ]
        assert len(set(words)) == len(words)


def test_minimal_by_hand():
    """State 2 is like 0, 3 is not reached; states are numbered as they are met, the smaller letter first."""
    automaton = Automaton(({5: 1, 2: 4}, {1: 2}, {5: 1, 2: 4}, {1: 0}, {3: 1}))
    assert automaton.minimal() == Automaton(({2: 1, 5: 2}, {3: 2}, {1: 0}))
    assert automaton.state([5, 1, 5]) == 1 and automaton.state([5, 5]) is None


@pytest.mark.parametrize("split", [None, "train", "validation", "test"])
def test_automata_are_those_of_the_rows(split):
    """Minimal, and the rows are those that are given without them."""
    task = hp.task("regbench-6", vocab_size=9)
    *rows, automata = task.sample_with_automata(np.random.default_rng(3), 200, split)
    plain = (
        task.sample_split(np.random.default_rng(3), 200, split) if split else task.sample(np.random.default_rng(3), 200)
    )
    np.testing.assert_array_equal(rows, plain)
    assert len(automata) == 200
    for row, automaton in zip(rows[0], automata, strict=True):
        assert task.accepts(row, automaton) and automaton.minimal() == automaton


def test_no_automaton_is_in_two_splits():
    """Of few automata, so that each comes again and again."""
    task = hp.task("regbench-3", vocab_size=6, max_outgoing_edges=3, min_num_in_context_examples=2)
    languages = {
        split: {repr(each) for each in task.sample_with_automata(np.random.default_rng(0), 2000, split)[2]}
        for split in ("train", "validation", "test")
    }
    assert all(len(automata) > 20 for automata in languages.values())
    assert not any(one & other for one, other in itertools.combinations(languages.values(), 2))
    every = {repr(each) for each in task.sample_with_automata(np.random.default_rng(1), 2000)[2]}
    assert all(every & automata for automata in languages.values())


def test_distributions_are_those_of_the_automaton():
    """By hand; and over many words of one automaton, letters come as often."""
    task = hp.task("regbench-4", vocab_size=8)
    automaton = Automaton(({1: 1, 2: 0, 4: 1}, {3: 0}))
    words = [[1, 3, 2], [2], *([[1]] * 8)]
    row = [token for word in words for token in (*word, task.separator_id)][:-1]
    chances = task.distributions(row, automaton)
    assert chances.shape == (task.max_length, 8)
    assert not chances[[0, 3]].any() and chances[1].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    third = pytest.approx(1 / 3)
    assert chances[2].tolist() == [0, third, third, 0, third, 0, 0, 0] == chances[4].tolist()
    input_ids, labels, automata = hp.task("regbench-12").sample_with_automata(np.random.default_rng(0), 200)
    expected, variance, seen = 0.0, 0.0, 0
    for ids, row_labels, automaton in zip(input_ids, labels, automata, strict=True):
        chances = hp.task("regbench-12").distributions(ids, automaton)
        assert ((chances.sum(axis=1) > 0) == (row_labels != -100)).all()
        least = chances.argmax(axis=1)  # the smallest letter of each state
        p = chances.max(axis=1)[row_labels != -100]
        expected, variance = expected + p.sum(), variance + (p * (1 - p)).sum()
        seen += int((least == row_labels)[row_labels != -100].sum())
    assert abs(seen - expected) < 4 * variance**0.5


# ---------------------------------------------------------------- the task


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("a b a | b", True),
        ("a b a | b c b | c", False),  # three first letters, of two edges
        ("a b | a c | b", True),
        ("a b | a c | a d", False),
        ("a b a", False),  # one word is too few
        ("a b | a b | a b | a b", False),  # and four are too many
        ("a b | | a", False),
        ("a a a a a a | b", False),  # a word is too long
        ("a <pad> b | a", False),
        ("a b | b <pad> <pad>", True),
    ],
)
def test_what_a_row_can_show(text, right):
    small = {"min_num_in_context_examples": 2, "max_num_in_context_examples": 4, "max_len_per_example": 6}
    task = hp.task("regbench-5", vocab_size=7, max_outgoing_edges=3, **small)
    ids = [task.vocabulary.index(word) for word in text.split()]
    assert task.accepts(ids) == task.accepts(np.array(ids)) == right
    assert not task.accepts([*ids, 7]) and not task.accepts([-100, *ids])


def test_vocabulary():
    assert " ".join(hp.task("regbench").vocabulary) == f"<pad> {' '.join('abcdefghijklmnopqr')} |"
    assert [_letter(number) for number in (0, 25, 26, 27, 701, 702)] == ["a", "z", "aa", "ab", "zz", "aaa"]
    assert hp.task("regbench").max_length == 19 * 49 + 18


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"max_outgoing_edges": 2},
        {"vocab_size": 800, "max_num_nodes": 40},
        {"min_num_in_context_examples": 2, "max_num_in_context_examples": 3, "max_len_per_example": 2},
    ],
    ids=str,
)
def test_contract(parameters):
    check_task(hp.task("regbench", **parameters))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_num_nodes": 3}, "regbench: max_outgoing_edges must be at most max_num_nodes = 3, got 4"),
        ({"vocab_size": 5}, "regbench: max_outgoing_edges must be at most vocab_size - 2 = 3, got 4"),
        ({"vocab_size": 3}, "regbench: vocab_size must be an integer in 4..65536, got 3"),
        (
            {"min_num_in_context_examples": 20},
            "regbench: min_num_in_context_examples must be at most max_num_in_context_examples - 1 = 19, got 20",
        ),
        ({"max_len_per_example": 1}, "regbench: max_len_per_example must be an integer in 2..1048576, got 1"),
        ({"max_outgoing_edges": 1}, "regbench: max_outgoing_edges must be an integer in 2..256, got 1"),
        ({"max_outgoing_edges": 1024}, "regbench: max_outgoing_edges must be an integer in 2..256, got 1024"),
        ({"vocab_size": 2**20}, "regbench: vocab_size must be an integer in 4..65536, got 1048576"),
        (  # a row of one word of one letter would have no label
            {"min_num_in_context_examples": 1, "max_num_in_context_examples": 3, "max_len_per_example": 3},
            "regbench: min_num_in_context_examples must be an integer >= 2, got 1",
        ),
        (
            {"min_num_in_context_examples": 1, "max_num_in_context_examples": 2, "max_len_per_example": 2},
            "regbench: min_num_in_context_examples must be an integer >= 2, got 1",
        ),
        (
            {"max_len_per_example": 2**20},
            "regbench: max_len_per_example * max_num_in_context_examples must be at most 1048576, the tokens of a row",
        ),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_one_line(parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task("regbench", **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_too_few_automata_are_told():
    task = hp.task("regbench-2", vocab_size=4, max_outgoing_edges=2)  # two letters, two states: four languages
    with pytest.raises(
        ValueError, match="too few distinct automata for a (validation|test) split of its own; raise"
    ) as told:
        for split in ("validation", "test"):
            task.sample_split(np.random.default_rng(0), 4, split)
    assert "\n" not in str(told.value)
