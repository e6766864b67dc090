"""Multi-query associative recall against the reference's rows, and against its rules in plain Python."""

import dataclasses
import fractions
import itertools
import json
import random

import numpy as np
import pytest
import scipy.stats
from support import references_mqar as references
from support.running import TESTS
from test_tasks import P, assert_same_distribution

import hf_procedural as hp
from hf_procedural.tasks import mqar

NAMES = ["mqar", "forgetting_mqar", "compositional_mqar"]
ROWS = 3000
OUR_WORDS = {"input_seq_len": "length"}


# ---------------------------------------------------------------- rows of the reference


def _golden(name):
    for line in (TESTS / "golden" / f"{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        parameters = {OUR_WORDS.get(key, key): value for key, value in row["params"].items()}
        del parameters["seed"], parameters["index"]
        yield hp.task(name, **parameters), np.array(row["input_ids"]), np.array(row["labels"])


@pytest.mark.parametrize("name", NAMES)
def test_golden_rows_are_ours_id_for_id(name):
    for task, input_ids, labels in _golden(name):
        assert task.max_length == len(input_ids) and len(task.vocabulary) == task.vocab_size + 1
        assert task.is_row(input_ids, labels)
        prompt, answer = task.question(input_ids, labels)
        assert task.solve(prompt) == answer == [labels[labels != -100][-1]]
        if not task.random_non_queries:
            ours = task.example(input_ids)
            np.testing.assert_array_equal(ours[0], input_ids)
            np.testing.assert_array_equal(ours[1], labels)


@pytest.mark.parametrize("random_non_queries", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_token_or_label_is_no_row(name, random_non_queries):
    rng = random.Random(0)
    task = hp.task(name, length=48, vocab_size=60, num_kv_pairs=4, random_non_queries=random_non_queries)
    for input_ids, labels in zip(*task.sample(np.random.default_rng(0), 30), strict=True):
        assert task.is_row(input_ids, labels)
        place = rng.choice(np.flatnonzero(labels != -100).tolist())
        for wrong in (-100, *{3, 59} - {int(labels[place])}):
            other = labels.copy()
            other[place] = wrong
            assert not task.is_row(input_ids, other)
        other = labels.copy()
        other[place - 1] = labels[place]
        assert not task.is_row(input_ids, other)
        for changed in (0, place - 1):
            other = input_ids.copy()
            other[changed] = 0
            assert not task.is_row(other, labels)
        if not random_non_queries:
            other = input_ids.copy()
            other[-1] = 1
            assert not task.is_row(other, labels)


# ---------------------------------------------------------------- by hand

HAND = [  # in words: the row, and its labels, "." where there is none
    ("mqar-2", {"length": 10}, "k3 v1 k1 v4 k1 <blank> <blank> <blank> k3 <blank>", ". . . . . v4 . . . v1"),
    (
        "forgetting_mqar-2",
        {"length": 10, "num_updates": 1},
        "k3 v1 k1 v4 k3 v0 k1 <blank> k3 <blank>",
        ". . . . . . . v4 . v0",
    ),
    (
        "compositional_mqar-1",
        {"length": 12},
        "a2 b1 v0 <blank> <blank> <blank> a2 b1 <blank> <blank> <blank> <blank>",
        ". . . . . . . . v0 . . .",
    ),
]


@pytest.mark.parametrize(("name", "parameters", "text", "scored"), HAND, ids=lambda value: str(value).replace(" ", ""))
def test_row_by_hand(name, parameters, text, scored):
    task = hp.task(name, vocab_size=10, random_non_queries=False, **parameters)
    ids = {token: index for index, token in enumerate(task.vocabulary)} | {".": -100}
    row, labels = ([ids[word] for word in words.split()] for words in (text, scored))
    assert task.example(row)[1].tolist() == labels and task.is_row(row, labels)
    assert dataclasses.replace(task, random_non_queries=True).is_row(row, labels)
    prompt, answer = task.question(row, labels)
    assert task.score(prompt, answer) == 1 > task.score(prompt, [1])


def test_noise_may_be_a_key_which_is_not_asked_for():
    task = hp.task("mqar-2", vocab_size=10, length=10)
    row, labels = [3, 6, 1, 9, 1, 0, 3, 8, 3, 5], np.full(10, -100)
    labels[[5, 9]] = [9, 6]
    assert task.is_row(row, labels)
    labels[7] = 6  # the other place where 3 stands: both can be the one that is asked for, but not both of them
    assert not task.is_row(row, labels)
    labels[9] = -100
    assert task.is_row(row, labels)
    assert task.solve(row[:9]) == [6]


def test_lengths_are_those_of_the_paper_unless_told():
    lengths = {4: 64, 8: 64, 16: 64, 32: 128, 64: 256, 128: 512, 256: 1024}
    assert {pairs: hp.task("mqar", num_kv_pairs=pairs).max_length for pairs in lengths} == lengths
    assert hp.task("compositional_mqar-9").max_length == 64 and hp.task("compositional_mqar-25").max_length == 150
    assert hp.task("forgetting_mqar-8", num_updates=8).max_length == 64


# ---------------------------------------------------------------- the power law


@pytest.mark.parametrize("power_a", [0.01, 0.5, 1, 1.7, 3])
@pytest.mark.parametrize("slots", [1, 2, 28, 500])
def test_weights_are_those_of_the_power_law(slots, power_a):
    theirs = np.arange(1, slots + 1) ** (power_a - 1.0)
    ours = mqar.slot_weights(slots, power_a)
    np.testing.assert_allclose(ours / ours.sum(), theirs / theirs.sum(), rtol=1e-6, atol=1e-12)
    assert ours.sum() <= 2**45


def test_weights_do_not_depend_on_the_last_bit_of_any_power():
    """Those of powers that are rational numbers, by integers alone."""
    assert mqar.slot_weights(9, 1.0).tolist() == [2**44 // 9] * 9
    assert mqar.slot_weights(5, 2.0).tolist() == [2**44 // 5 * slot // 5 for slot in range(1, 6)]
    exact = [fractions.Fraction(2**44 // 4) / slot for slot in range(1, 5)]
    powers = mqar.slot_weights(4, 2.0**-200)  # 1 / slot, as near as can be
    assert [int(weight) - weight_ours for weight, weight_ours in zip(exact, powers.tolist(), strict=True)] == [0] * 4


# ---------------------------------------------------------------- distributions, against plain Python


def _reference(task, count):
    rng, generator = random.Random(0), np.random.default_rng(0)
    row = references.compositional_row if task.name.startswith("comp") else references.mqar_row
    parameters = task.parameters | {"length": task.max_length}
    return [np.array(part) for part in zip(*(row(rng, generator, **parameters) for _ in range(count)), strict=True)]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mqar-4", {"length": 64}),
        ("mqar-8", {"length": 64, "vocab_size": 128, "random_non_queries": False}),
        ("mqar-16", {"vocab_size": 256}),
        ("mqar-5", {"length": 40, "vocab_size": 64, "power_a": 1.0}),
        ("mqar-3", {"length": 24, "vocab_size": 9, "power_a": 2.5}),
        ("forgetting_mqar-6", {"vocab_size": 40, "num_updates": 3}),
        ("forgetting_mqar-2", {"vocab_size": 7, "num_updates": 2, "length": 20}),
        ("compositional_mqar-4", {"length": 64, "vocab_size": 300}),
        ("compositional_mqar-9", {"length": 64, "vocab_size": 30, "random_non_queries": False, "power_a": 0.5}),
    ],
    ids=str,
)
def test_rows_are_distributed_as_in_the_reference(name, parameters):
    task = hp.task(name, **parameters)
    ours, theirs = task.sample(np.random.default_rng(0), ROWS), _reference(task, ROWS)
    asked = [_slots(task, *rows) for rows in (ours, theirs)]
    for pair in range(task.num_kv_pairs):
        assert_same_distribution(asked[0][:, pair], asked[1][:, pair], f"slot of pair {pair}")
    for what, statistic in {
        "first slot": lambda slots: slots.min(axis=1),
        "last slot": lambda slots: slots.max(axis=1),
        "first two slots": lambda slots: slots[:, 0] * task.slots + slots[:, 1],
        "order": lambda slots: (np.diff(slots, axis=1) > 0).sum(axis=1),
    }.items():
        assert_same_distribution(*map(statistic, asked), what)
    shift = max(task.vocab_size // 40, 1)
    for column in {0, 1, task.context - 2, task.context - 1, task.context, task.context + 1, task.max_length - 1}:
        assert_same_distribution(ours[0][:, column] // shift, theirs[0][:, column] // shift, f"token {column}")
    noise = [(rows[0][:, task.context :] < task.vocab_size // 2).sum(axis=1) for rows in (ours, theirs)]
    assert_same_distribution(*noise, "keys behind the context")
    if name.startswith("forgetting"):
        renewed = [_renewed(task, rows[0]) for rows in (ours, theirs)]
        for update in range(task.num_updates):
            assert_same_distribution(renewed[0][:, update], renewed[1][:, update], f"key of update {update}")


def _slots(task, input_ids, labels):
    """In which slot each key is asked for, int ``[rows, pairs]``."""
    size = task.key_size + 1
    slots = np.full((len(input_ids), task.num_kv_pairs), -1)
    for row, (ids, own) in enumerate(zip(input_ids.tolist(), labels.tolist(), strict=True)):
        keys = [*task.given(ids)]
        for place, label in enumerate(own):
            if label != -100:
                slots[row, keys.index(tuple(ids[place - size + 1 : place]))] = (place - size + 1 - task.context) // size
    assert slots.min() >= 0
    return slots


def _renewed(task, input_ids):
    """Which pair each update is of."""
    pairs = task.num_kv_pairs
    keys, again = input_ids[:, : 2 * pairs : 2], input_ids[:, 2 * pairs : task.context : 2]
    return (again[:, :, None] == keys[:, None]).argmax(axis=2)


def test_a_new_value_is_any_but_the_old_one():
    task = hp.task("forgetting_mqar-2", vocab_size=10, length=20, num_updates=2)
    rows, _ = task.sample(np.random.default_rng(0), 20_000)
    for update in (0, 1):
        pair = _renewed(task, rows)[:, update]
        change = (rows[:, 5 + 2 * update] - np.where(pair, rows[:, 3], rows[:, 1])) % 5
        counts = np.bincount(change, minlength=5)
        assert counts[0] == 0 and scipy.stats.chisquare(counts[1:]).pvalue > P


def test_keys_values_and_noise_are_uniform():
    task = hp.task("mqar-4", vocab_size=20, length=40)
    input_ids, _ = task.sample(np.random.default_rng(0), 20_000)
    for column, values in ((0, 9), (1, 10), (6, 9), (7, 10), (9, 20), (39, 20)):
        counts = np.bincount(input_ids[:, column], minlength=20)
        assert (counts > 0).sum() == values and scipy.stats.chisquare(counts[counts > 0]).pvalue > P
    together = input_ids[:, 0] * 20 + input_ids[:, 2]
    counts = np.bincount(together)
    assert (counts > 0).sum() == 72 and scipy.stats.chisquare(counts[counts > 0]).pvalue > P
    between = input_ids[1:, 0] * 20 + input_ids[:-1, 0]  # rows are independent of their neighbours
    counts = np.bincount(between)
    assert (counts > 0).sum() == 81 and scipy.stats.chisquare(counts[counts > 0]).pvalue > P


def test_all_slots_in_any_order_where_there_are_as_many_as_keys():
    task = hp.task("mqar-4", length=16, vocab_size=30, power_a=1.0)
    slots = _slots(task, *task.sample(np.random.default_rng(0), 10_000))
    orders, counts = np.unique(slots @ [64, 16, 4, 1], return_counts=True)
    assert len(orders) == 24 and scipy.stats.chisquare(counts).pvalue > P


def test_the_mixture_of_the_paper():
    task = hp.task("arora2024-mqar")
    sizes = [(member.num_kv_pairs, member.max_length) for member in task.members]
    assert sizes == [(4, 64), (8, 128), (16, 256), (32, 256), (64, 256)]
    assert task.weights == (5 / 9, *[1 / 9] * 4) and len(task.vocabulary) == 8193
    prompts = [
        {
            tuple(task.prompt_of(*row))
            for row in zip(*task.sample_split(np.random.default_rng(0), 200, split), strict=True)
        }
        for split in ("train", "test")
    ]
    assert not prompts[0] & prompts[1]


# ---------------------------------------------------------------- refusals

BAD_INPUT = [
    ("mqar-8", {"length": 30}, "mqar: length must be at least 32 with num_kv_pairs=8, got 30"),
    ("mqar-8", {"length": 33}, "mqar: length must be even, got 33"),
    ("mqar-8", {"vocab_size": 17}, "mqar: vocab_size must be at least 18 with num_kv_pairs=8, got 17"),
    ("mqar-0", {}, "mqar: num_kv_pairs must be an integer in 1..16384, got 0"),
    ("mqar-8", {"power_a": 0}, "mqar: power_a must be a number > 0, at most 100, got 0"),
    ("mqar-8", {"power_a": float("nan")}, "mqar: power_a must be a number > 0, at most 100, got nan"),
    ("mqar-8", {"random_non_queries": 1}, "mqar: random_non_queries must be true or false, got 1"),
    ("mqar-8", {"num_updates": 1}, "mqar: unknown parameter 'num_updates'"),
    (
        "forgetting_mqar-3",
        {},
        "forgetting_mqar: num_updates must be at most num_kv_pairs = 3, got 4",
    ),
    (
        "forgetting_mqar-4",
        {"length": 22},
        "forgetting_mqar: length must be at least 24 with num_kv_pairs=4 and num_updates=4, got 22",
    ),
    ("compositional_mqar-8", {}, "compositional_mqar: num_kv_pairs must be a square, got 8"),
    (
        "compositional_mqar-4",
        {"vocab_size": 11},
        "compositional_mqar: vocab_size must be at least 12 with num_kv_pairs=4, got 11",
    ),
    (
        "compositional_mqar-4",
        {"length": 22},
        "compositional_mqar: length must be at least 24 with num_kv_pairs=4, got 22",
    ),
]


@pytest.mark.parametrize(("name", "parameters", "message"), BAD_INPUT, ids=str)
def test_bad_input_is_refused_in_one_line(name, parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task(name, **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_too_few_prompts_for_splits_are_told():
    task = hp.task("mqar-1", vocab_size=4, length=4, random_non_queries=False)
    with pytest.raises(ValueError, match="mqar-1: too few distinct prompts for a"):
        for split in itertools.chain(("train", "validation", "test")):
            task.sample_split(np.random.default_rng(0), 8, split)
