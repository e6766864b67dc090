"""Word problems against jopetty/word-problem at 8f910f9, whose rows are golden; flip-flops against plain Python."""

import itertools
import json
import random

import numpy as np
import pytest
import scipy.stats
from support.references_tracking import flip_flop_row, permutations, word_row
from support.running import TESTS

import hf_procedural as hp
from hf_procedural.tasks import tracking

P = 1e-4
GROUPS = ["S2", "S3", "S4", "S5", "A4", "A5", "Z2", "Z7", "Z60", "A4_x_Z5"]


def assert_same_distribution(ours, theirs):
    values = sorted({*ours, *theirs})
    table = np.array([[list(sample).count(value) for value in values] for sample in (ours, theirs)])
    assert len(values) == 1 or scipy.stats.chi2_contingency(table).pvalue > P


def test_golden_word_problems():
    for line in (TESTS / "golden" / "word_problem.jsonl").read_text().splitlines():
        row = json.loads(line)
        params = row["params"]
        task = hp.task(f"word_problem-{params['group']}", length=params["k"])
        given, products = ([int(word) for word in row[part].split()] for part in ("prompt", "answer"))
        assert len(task.vocabulary) == params["order"] + 4 and task.bos_id == params["order"] + 1
        input_ids, labels = task.example([task.bos_id, *given, task.eos_id])
        assert labels.tolist() == [-100, -100, *products]
        assert task.is_row(input_ids, labels)
        for place, product in enumerate(products, 1):
            assert task.solve([task.bos_id, *given[:place]]) == [product]
        assert task.question(input_ids, labels) == ([task.bos_id, *given], products[-1:])


@pytest.mark.parametrize("group", GROUPS)
def test_tables_are_groups(group):
    table, size = tracking.table(group), tracking.order(group)
    assert table.shape == (size, size) and len(tracking.elements(group)) == size
    np.testing.assert_array_equal(table[0], range(size))
    np.testing.assert_array_equal(table[:, 0], range(size))
    assert (np.sort(table, axis=0) == np.arange(size)[:, None]).all()
    rng = random.Random(0)
    for _ in range(200):
        a, b, c = (rng.randrange(size) for _ in range(3))
        assert table[table[a, b], c] == table[a, table[b, c]]
        elements = tracking.elements(group)
        assert elements[table[a, b]] == tracking.times(group, elements[a], elements[b])


def test_the_largest_groups():
    for group, size in (("S6", 720), ("A6", 360)):
        task = hp.task(f"word_problem-{group}", length=9)
        assert len(tracking.table(group)) == size == len(task.vocabulary) - 4
        assert all(task.is_row(*row) for row in zip(*task.sample(np.random.default_rng(0), 20), strict=True))


def test_products_by_hand():
    """123 is the identity; 213 * 132 does 132 first: 1 -> 1 -> 2, 2 -> 3 -> 3, 3 -> 2 -> 1, which is 231."""
    task = hp.task("word_problem-S3", length=3)
    names = ["123", "132", "213", "231", "312", "321"]
    assert ["".join(map(str, each)) for each in permutations(3)] == names
    given = [names.index(name) for name in ("213", "132", "321")]
    assert task.solve([task.bos_id, *given[:2]]) == [names.index("231")]
    assert task.solve([task.bos_id, *given]) == [names.index("132")]
    assert hp.task("word_problem-Z5").solve([6, 3, 4]) == [2]


def test_elements_are_uniform_and_independent():
    task = hp.task("word_problem-S3", length=6)
    input_ids, labels = task.sample(np.random.default_rng(0), 20_000)
    given = input_ids[:, 1:7]
    for one, other in itertools.combinations(range(6), 2):
        pairs = np.bincount(given[:, one] * 6 + given[:, other], minlength=36)
        assert scipy.stats.chisquare(pairs).pvalue > P
    rng = random.Random(0)
    theirs = np.array([word_row(rng, 6, 3)[1] for _ in range(20_000)])
    for place in range(6):
        assert_same_distribution(labels[:, 2 + place].tolist(), theirs[:, place].tolist())


def test_lengths():
    task = hp.task("word_problem-S5", length=12, min_length=4, test_length=30)
    for split, low, high in (("train", 4, 12), ("validation", 4, 12), ("test", 13, 30)):
        input_ids, labels = task.sample_split(np.random.default_rng(0), 2000, split)
        assert input_ids.shape[1] == task.row_length(split) == high + 2
        sizes = (input_ids == task.eos_id).argmax(axis=1) - 1
        assert scipy.stats.chisquare(np.bincount(sizes - low, minlength=high - low + 1)).pvalue > P
        assert all(task.is_row(*row) for row in zip(input_ids[:40], labels[:40], strict=True))
    fixed = hp.task("word_problem-S5", length=12).sample(np.random.default_rng(0), 50)[0]
    assert (fixed[:, 13] == task.eos_id).all()


# ---------------------------------------------------------------- flip-flops


@pytest.mark.parametrize(("length", "p_ignore"), [(4, 0.8), (6, 0.8), (8, 0.1), (40, 0.98), (40, 0.0), (12, 1.0)])
def test_flip_flops_are_distributed_as_in_plain_python(length, p_ignore):
    task, rng = hp.task(f"flip_flop-{length}", p_ignore=p_ignore), random.Random(0)
    ours = [task.text(row) for row in task.sample(np.random.default_rng(0), 4000)[0]]
    theirs = [" ".join(flip_flop_row(rng, length, p_ignore)) for _ in range(4000)]
    for statistic in (
        lambda row: row if length < 9 else row[:5],
        lambda row: row[-9:],
        lambda row: row.count("r"),
        lambda row: row.count("i"),
        lambda row: row.count("1") * 2 > length // 2,
        lambda row: row[::-1].find("w") // 16,
    ):
        common = [value for value in set(map(statistic, theirs)) if list(map(statistic, theirs)).count(value) > 20]
        keep = [[value for value in map(statistic, rows) if value in common] for rows in (ours, theirs)]
        assert_same_distribution(*keep)


def test_flip_flops_by_hand():
    task = hp.task("flip_flop-8")
    input_ids, labels = task.example(task.ids("w 1 r 1 i 0 r 1"))
    assert labels.tolist() == [-100, -100, -100, 4, -100, -100, -100, 4]
    assert task.question(input_ids, labels) == (input_ids[:-1].tolist(), [4])
    assert task.solve(task.ids("w 0 i 1 r")[:5]) == [3]
    assert task.score("w 0 i 1 w 1 r", "1") == 1 and task.score("w 0 i 1 w 1 r", "0") == 0
    assert task.vocabulary[:5] == ("w", "r", "i", "0", "1")


def test_every_flip_flop_begins_with_a_write_and_ends_with_a_read():
    task = hp.task("flip_flop-24", test_length=60)
    for split, sizes in (("train", {24}), ("test", set(range(26, 61, 2)))):
        input_ids, labels = task.sample_split(np.random.default_rng(0), 1000, split)
        ends = (input_ids != task.pad_id).sum(axis=1)
        assert set(ends.tolist()) == sizes and (input_ids[:, 0] == 0).all()
        assert (np.take_along_axis(input_ids, ends[:, None] - 2, 1) == 1).all()
        assert ((labels != -100)[:, 1:] == (input_ids == 1)[:, :-1]).all()


def test_published_settings():
    shares = {"liu2023-ffl": 0.8, "liu2023-ffl_sparse": 0.98, "liu2023-ffl_dense": 0.1}
    for name, p_ignore in shares.items():
        task = hp.task(name)
        assert (task.length, task.p_ignore) == (512, p_ignore)
        kinds = np.bincount(task.sample(np.random.default_rng(0), 500)[0][:, 2:-2:2].ravel(), minlength=3)
        expected = kinds.sum() * np.array([1 - p_ignore, 1 - p_ignore, 2 * p_ignore]) / 2
        assert scipy.stats.chisquare(kinds, expected).pvalue > P


BAD_INPUT = [
    ("word_problem-S7", {}, r"word_problem: group must be one of S2\.\.S6, A4\.\.A6, Z2\.\.Z60, A4_x_Z5, got 'S7'"),
    ("word_problem-s5", {}, "got 's5'"),
    ("word_problem-S5", {"length": 0}, "word_problem: length must be an integer in 1..1048576, got 0"),
    ("word_problem-S5", {"min_length": 21}, "word_problem: min_length must be at most length = 20, got 21"),
    ("word_problem-S5", {"test_length": 5}, "word_problem: test_length must be above length = 20, got 5"),
    ("flip_flop-511", {}, "flip_flop: length must be even, got 511"),
    ("flip_flop-512", {"test_length": 601}, "flip_flop: test_length must be even, got 601"),
    ("flip_flop-2", {}, "flip_flop: length must be an integer in 4..1048576, got 2"),
    ("flip_flop-8", {"p_ignore": 1.2}, "flip_flop: p_ignore must be a number in 0..1, got 1.2"),
]


@pytest.mark.parametrize(("name", "parameters", "message"), BAD_INPUT)
def test_bad_input_is_refused_in_one_line(name, parameters, message):
    with pytest.raises(ValueError, match=message) as refusal:
        hp.task(name, **parameters)
    assert "\n" not in str(refusal.value)
