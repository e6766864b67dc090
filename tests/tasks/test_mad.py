"""MAD against the reference's rows, and against its rules in plain Python: layouts, forms, splits, distributions."""

import dataclasses
import itertools
import json
import random

import numpy as np
import pytest
import scipy.stats
from support import references_mad as references
from support.running import TESTS
from test_tasks import P, assert_same_distribution, assert_same_shares

import hf_procedural as hp
from hf_procedural.tasks.mad import kv_map

NAMES = [name for name in hp.list_tasks() if name.startswith("mad_")]
RECALL = [name for name in NAMES if name.endswith("recall")]
ROWS = 3000


# ---------------------------------------------------------------- rows of the reference


def _golden(name):
    """The rows of a file: the task of each, its input ids and its labels, and its other parameters."""
    fields = {field.name for field in dataclasses.fields(type(hp.task(name)))}
    for line in (TESTS / "golden" / f"{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        parameters = row["params"] | {"length": row["params"]["seq_len"]}
        if "is_training" in parameters:
            parameters["form"] = "training" if parameters["is_training"] else "test"
        task = hp.task(name, **{key: value for key, value in parameters.items() if key in fields})
        yield task, np.array(row["input_ids"]), np.array(row["labels"]), row["params"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mad_compression"])
def test_golden_rows_are_ours_id_for_id(name):
    unknown = 0
    for task, input_ids, labels, params in _golden(name):
        assert task.max_length == len(input_ids) and (input_ids < params["vocab_size"]).all()
        assert len(task.vocabulary) == params["vocab_size"] + 1
        ours = task.example(input_ids)
        np.testing.assert_array_equal(ours[0], input_ids)
        np.testing.assert_array_equal(ours[1], labels)
        assert task.is_row(input_ids, labels)
        prompt, answer = task.question(input_ids, labels)
        unknown += task.solve(prompt) == []
        assert task.solve(prompt) in ([], answer)
        if "kv_map" in params:
            assert all(task.kv_map[key] == value for key, value in params["kv_map"])
        if "form" in task.parameters:
            assert dataclasses.replace(task, form="suite").is_row(input_ids, labels)
            other = "test" if task.form == "training" else "training"
            assert not dataclasses.replace(task, form=other).is_row(input_ids, labels)
    assert unknown == (3 if name == "mad_fuzzy_in_context_recall" else 0)  # their last key was not seen before


def test_a_wrong_token_or_label_is_no_row():
    rng = random.Random(0)
    for name in NAMES:
        for form in ("training", "test") if name in RECALL else (None,):
            task = hp.task(name, **({"form": form} if form else {}))
            for input_ids, labels in zip(*task.sample(np.random.default_rng(0), 12), strict=True):
                wrong = labels.copy()
                place = rng.choice(np.flatnonzero(labels != -100).tolist())
                wrong[place] = rng.choice([token for token in range(task.pad_id) if token != labels[place]])
                assert not task.is_row(input_ids, wrong)
                wrong[place] = -100
                assert not task.is_row(input_ids, wrong)
                if name in RECALL:
                    other = input_ids.copy()
                    other[-1] = other[-1] - 1 if other[-1] > task.keys else other[-1] + 1
                    assert not task.is_row(other, labels)


# ---------------------------------------------------------------- by hand

HAND = [  # in words: the row, and its labels, "." where there is none
    ("mad_in_context_recall-8", {"form": "test"}, "k1 v5 k0 v2 k1 v5 k0 v2", ". . . . . v5 . v2"),
    ("mad_in_context_recall-8", {"form": "training"}, "k1 v5 k0 v2 k1 v5 k0 v2", ". v5 k0 v2 k1 v5 k0 v2"),
    (
        "mad_in_context_recall-6",
        {"form": "test", "multi_query": False},
        "k1 v5 k1 v5 <copy> k1 v5",
        ". . . . . . v5",
    ),
    ("mad_noisy_in_context_recall-8", {"form": "test"}, "k1 v5 n3 n3 k1 v5 k1 v5", ". . . . . v5 . v5"),
    (
        "mad_fuzzy_in_context_recall-17",
        {"form": "test"},
        "<blank> <blank> <blank> k1 v5 k1 k0 v5 v2 k1 v5 k0 k1 v3 k1 k0 v5 v2",
        ". . . . . . . . . . v5 . . . . . v5 v2",
    ),
    (
        "mad_selective_copying-9",
        {"num_tokens_to_copy": 3},
        "<blank> 4 0 <blank> 4 <copy> <blank> <blank> <blank> <blank>",
        ". . . . . . . 4 0 4",
    ),
    ("mad_compression-4", {}, "4 0 4 <compress> <blank> <blank> <blank>", ". . . . 4 0 4"),
    ("mad_memorization-16", {"length": 4}, "k5 <insert> k4 <insert> <insert>", ". . v0 . v2"),
]


@pytest.mark.parametrize(("name", "parameters", "text", "scored"), HAND, ids=lambda value: str(value).replace(" ", ""))
def test_row_by_hand(name, parameters, text, scored):
    task = hp.task(name, **parameters)
    ids = {token: index for index, token in enumerate(task.vocabulary)} | {".": -100}
    row, labels = ([ids[word] for word in words.split()] for words in (text, scored))
    assert task.max_length == len(row)
    assert task.example(row)[1].tolist() == labels and task.is_row(row, labels)
    prompt, answer = task.question(row, labels)
    assert task.solve(prompt) == answer and task.score(prompt, answer) == 1
    if name.startswith("mad_fuzzy"):
        assert (task.text(prompt), task.text(answer)) == (text[: -len(" v5 v2")], "v5 v2")


@pytest.mark.parametrize("seed", [0, 1, 12_345])
@pytest.mark.parametrize("symbols", [2, 15, 255, 8191])
def test_maps_are_those_that_numpy_shuffles(symbols, seed):
    generator = np.random.default_rng(seed)
    keys = [(key,) for key in range(symbols // 2)]
    values = [(value,) for value in range(symbols // 2, symbols)]
    for numbers in (keys, values):
        generator.shuffle(numbers)
    assert list(kv_map(symbols, seed).items()) == [(*key, *value) for key, value in zip(keys, values, strict=False)]


# ---------------------------------------------------------------- forms and splits


@pytest.mark.parametrize("name", RECALL)
def test_each_split_has_the_form_that_the_suite_gives_it(name):
    task, rows = hp.task(name), {}
    for split in ("train", "validation", "test"):
        input_ids, labels = rows[split] = task.sample_split(np.random.default_rng(5), 400, split)
        form = dataclasses.replace(task, form="training" if split == "train" else "test")
        np.testing.assert_array_equal(rows[split], form.sample_split(np.random.default_rng(5), 400, split))
        if split == "train":
            np.testing.assert_array_equal(labels[:, 1:], input_ids[:, 1:])
        else:
            assert (labels == -100).mean() > 0.5
            np.testing.assert_array_equal(labels[:, -1], input_ids[:, -1])
    prompts = {split: {tuple(task.prompt_of(*row)) for row in zip(*rows[split], strict=True)} for split in rows}
    assert not prompts["train"] & prompts["test"]


@pytest.mark.parametrize("name", RECALL)
def test_a_prompt_is_in_one_split_whatever_the_form(name):
    """Or else who trains on one form would have seen what others test on."""
    parameters = {"length": 14 if "fuzzy" in name else 6}
    small = {"k_motif_size": 1, "v_motif_size": 1, "vocab_size": 7} if "fuzzy" in name else {}
    prompts = {}
    for split in ("train", "test"):
        for form in ("training", "test"):
            task = hp.task(name, form=form, **parameters, **small)
            rows = task.sample_split(np.random.default_rng(1), 2000, split)
            prompts[split, form] = {tuple(task.prompt_of(*row)) for row in zip(*rows, strict=True)}
    assert not (prompts["train", "training"] | prompts["train", "test"]) & prompts["test", "test"]
    assert not prompts["train", "test"] & prompts["test", "training"]
    assert prompts["test", "training"] & prompts["test", "test"]


# ---------------------------------------------------------------- distributions, against plain Python


def _reference(row, count, *args, **parameters):
    rng = random.Random(0)
    rows = (row(rng, *args, **parameters) for _ in itertools.count())
    chosen = itertools.islice((pair for pair in rows if pair is not None), count)
    return [np.array(part) for part in zip(*chosen, strict=True)]


def _ours(name, count, **parameters):
    return hp.task(name, **parameters).sample(np.random.default_rng(0), count)


def _assert_same_columns(ours, theirs, what):
    for column in {0, 1, ours.shape[1] // 2, ours.shape[1] - 2, ours.shape[1] - 1}:
        assert_same_distribution(ours[:, column], theirs[:, column], f"{what} at {column}")


@pytest.mark.parametrize(
    "parameters",
    [
        {"length": 128},
        {"length": 32, "vocab_size": 9},
        {"length": 12, "vocab_size": 8, "multi_query": False},
        {"length": 64, "vocab_size": 32, "noise_vocab_size": 16, "frac_noise": 0.2},
        {"length": 16, "vocab_size": 20, "noise_vocab_size": 9, "frac_noise": 0.8, "multi_query": False},
        {"length": 8, "vocab_size": 20, "noise_vocab_size": 9, "frac_noise": 1.0},
    ],
    ids=str,
)
def test_recall_is_distributed_as_in_the_reference(parameters):
    name = "mad_noisy_in_context_recall" if "frac_noise" in parameters else "mad_in_context_recall"
    task = hp.task(name, form="test", **parameters)
    ours, theirs = _ours(name, ROWS, form="test", **parameters), _reference(references.recall_row, ROWS, **parameters)
    _assert_same_columns(ours[0], theirs[0], "token")
    assert_same_shares(ours[1] != -100, theirs[1] != -100, "label")
    statistics = {
        "pairs of noise": lambda rows: ((rows >= task.symbols) & (rows != task.copy_id)).sum(axis=1) // 2,
        "labels": lambda rows: (rows != -100).sum(axis=1),
        "distinct keys": lambda rows: [len({*row[row < task.keys].tolist()}) for row in rows],
        "first two tokens": lambda rows: rows[:, 0] * 100 + rows[:, 1],
        "where the last key was first": lambda rows: (rows == rows[:, -2:-1]).argmax(axis=1),
    }
    for what, statistic in statistics.items():
        sources = (ours[1], theirs[1]) if what == "labels" else (ours[0], theirs[0])
        assert_same_distribution(*(np.array(statistic(rows)) for rows in sources), what)


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize(
    "parameters",
    [
        {"length": 64},
        {"length": 40, "vocab_size": 12, "k_motif_size": 2, "v_motif_size": 3, "multi_query": False},
        {"length": 30, "vocab_size": 8, "k_motif_size": 3, "v_motif_size": 1},
        {"length": 13},
    ],
    ids=str,
)
def test_fuzzy_recall_is_distributed_as_in_the_reference(parameters, is_training):
    name = "mad_fuzzy_in_context_recall"
    task = hp.task(name, **parameters)
    theirs = _reference(references.fuzzy_row, ROWS, is_training=is_training, **parameters)
    ours = _ours(name, ROWS, form="training" if is_training else "test", **parameters)
    labels = np.array([dataclasses.replace(task, form="test").targets(row) for row in ours[0].tolist()])
    _assert_same_columns(ours[0], theirs[0], "token")
    assert_same_shares(labels != -100, theirs[1] != -100, "label")
    starts = [_first_of_last_pair(task, rows) for rows in (ours[0], theirs[0])]
    for what, numbers in {
        "blanks": [(rows == task.symbols).sum(axis=1) for rows in (ours[0], theirs[0])],
        "size of the last key": [size for size, _ in starts],
        "where the last pair was first": [place for _, place in starts],
        "labels": [(rows != -100).sum(axis=1) for rows in (labels, theirs[1])],
        "pairs": [
            ((rows[:, :-1] >= task.keys) & (rows[:, 1:] < task.keys)).sum(axis=1) for rows in (ours[0], theirs[0])
        ],
    }.items():
        assert_same_distribution(*numbers, what)


def _first_of_last_pair(task, rows):
    """The size of each row's last key, and where that key and its value stand first, in tenths of the row."""
    sizes, places = [], []
    for row in rows.tolist():
        end = max(place for place, token in enumerate(row) if token < task.keys) + 1
        start = next(place for place in range(end, 0, -1) if row[place - 1] >= task.keys)
        pair = row[start:]
        first = next(place for place in range(len(row)) if row[place : place + len(pair)] == pair)
        sizes.append(end - start)
        places.append(10 * first // len(row))
    return np.array(sizes), np.array(places)


def test_keys_and_values_of_several_tokens_are_uniform():
    task = hp.task("mad_fuzzy_in_context_recall", vocab_size=8, k_motif_size=3, v_motif_size=2, length=40, form="test")
    rows = task.sample(np.random.default_rng(0), 20_000)[0]
    starts = (rows[:, :20] != task.symbols).argmax(axis=1)[:, None] + np.arange(4)
    keys = np.take_along_axis(rows, starts, axis=1)
    keys, counts = np.unique(keys[:, :3] @ [100, 10, 1], return_counts=True)
    assert len(keys) == 6 and scipy.stats.chisquare(counts).pvalue > P


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"length": 32, "vocab_size": 9, "num_tokens_to_copy": 5},
        {"length": 6, "vocab_size": 4, "num_tokens_to_copy": 2},
    ],
    ids=str,
)
def test_selective_copying_is_distributed_as_in_the_reference(parameters):
    ours = _ours("mad_selective_copying", ROWS, **parameters)
    theirs = _reference(references.selective_copying_row, ROWS, **parameters)
    _assert_same_columns(ours[0], theirs[0], "token")
    _assert_same_columns(ours[1], theirs[1], "label")
    blank_id = parameters.get("vocab_size", 16) - 2
    runs = [[max(len([*run]) for _, run in itertools.groupby(row)) for row in rows] for rows in (ours[0], theirs[0])]
    assert_same_distribution(*map(np.array, runs), "longest run")
    assert_same_distribution(*((rows != blank_id).argmax(axis=1) for rows in (ours[0], theirs[0])), "blanks in front")


def test_compression_and_memorization_are_uniform():
    for name, parameters in (("mad_compression", {}), ("mad_memorization", {"vocab_size": 30})):
        task = hp.task(name, **parameters)
        input_ids, labels = task.sample(np.random.default_rng(0), ROWS)
        rng = random.Random(0)
        more = (task.kv_map, 32, 30) if name == "mad_memorization" else ()
        row = references.memorization_row if more else references.compression_row
        theirs = [np.array(part) for part in zip(*(row(rng, *more) for _ in range(ROWS)), strict=True)]
        _assert_same_columns(input_ids, theirs[0], "token")
        _assert_same_columns(labels, theirs[1], "label")
        np.testing.assert_array_equal(labels == -100, theirs[1] == -100)
        drawn = input_ids[:, :30:2] if more else input_ids[:, :31]
        assert scipy.stats.chisquare(np.bincount(drawn.ravel())).pvalue > P


def test_all_splits_of_memorization_have_one_map():
    task = hp.task("mad_memorization-64")
    seen = {}
    for split in ("train", "validation", "test"):
        for row in task.sample_split(np.random.default_rng(0), 200, split)[0].tolist():
            seen |= {key: label for key, label in zip(row, task.targets(row)[2:], strict=False) if label != -100}
    assert seen == task.kv_map
    assert task.kv_map != hp.task("mad_memorization-64", kv_map_seed=1).kv_map


# ---------------------------------------------------------------- refusals

BAD_INPUT = [
    ("mad_in_context_recall-7", {}, "mad_in_context_recall: length must be even, got 7"),
    ("mad_in_context_recall-2", {}, "mad_in_context_recall: length must be an integer in 4..1048576, got 2"),
    (
        "mad_in_context_recall-8",
        {"vocab_size": 2, "multi_query": False},
        "mad_in_context_recall: vocab_size must be at least 3, a key, a value and <copy>, got 2",
    ),
    (
        "mad_in_context_recall-8",
        {"form": "eval"},
        "mad_in_context_recall: form must be one of suite, training, test, got 'eval'",
    ),
    (
        "mad_in_context_recall-8",
        {"frac_noise": 0.5},
        "mad_in_context_recall: unknown parameter 'frac_noise'",
    ),
    (
        "mad_noisy_in_context_recall-8",
        {"vocab_size": 17},
        "mad_noisy_in_context_recall: vocab_size must be at least 18, a key, a value and noise_vocab_size=16, got 17",
    ),
    (
        "mad_noisy_in_context_recall-8",
        {"frac_noise": 1.2},
        "mad_noisy_in_context_recall: frac_noise must be a number in 0..1, got 1.2",
    ),
    (
        "mad_fuzzy_in_context_recall-128",
        {"k_motif_size": 8},
        "mad_fuzzy_in_context_recall: k_motif_size must be at most 7, the keys of vocab_size=16, got 8",
    ),
    (
        "mad_fuzzy_in_context_recall-12",
        {},
        "mad_fuzzy_in_context_recall: length must be at least 13, two of the longest pairs, with k_motif_size=3 and",
    ),
    (
        "mad_fuzzy_in_context_recall-64",
        {"vocab_size": 3, "multi_query": False},
        "mad_fuzzy_in_context_recall: vocab_size must be at least 4, a key, a value, <blank> and <copy>, got 3",
    ),
    (
        "mad_selective_copying-33",
        {},
        "mad_selective_copying: length must be at least 34 with num_tokens_to_copy=16, got 33",
    ),
    ("mad_compression-1", {}, "mad_compression: length must be an integer in 2..1048576, got 1"),
    ("mad_memorization-2", {}, "mad_memorization: vocab_size must be an integer in 3..1048576, got 2"),
    ("mad_memorization-9", {"length": 5}, "mad_memorization: length must be even, got 5"),
]


@pytest.mark.parametrize(("name", "parameters", "message"), BAD_INPUT, ids=str)
def test_bad_input_is_refused_in_one_line(name, parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task(name, **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mad_in_context_recall-4", {"vocab_size": 2}),
        ("mad_memorization-4", {"length": 2}),
        ("mad_compression-2", {"vocab_size": 2}),
    ],
    ids=str,
)
def test_too_few_prompts_for_splits_are_told(name, parameters):
    with pytest.raises(ValueError, match="too few distinct prompts for a"):
        for split in ("train", "validation", "test"):
            hp.task(name, **parameters).sample_split(np.random.default_rng(0), 8, split)
