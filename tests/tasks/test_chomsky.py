"""The tasks of the Chomsky hierarchy against google-deepmind/neural_networks_chomsky_hierarchy at 2b8eb4b."""

import collections
import itertools
import json
import math
import random

import numpy as np
import pytest
import scipy.stats
from support.references_chomsky import chomsky_row
from support.running import TESTS

import hf_procedural as hp
from hf_procedural.tasks import chomsky

P = 1e-4
TASKS = list(chomsky.KINDS)


def rows_of(task, n, seed=0):
    """Prompts and answers of sampled rows, as lists of ids."""
    rows = []
    for input_ids, labels in zip(*task.sample(np.random.default_rng(seed), n), strict=True):
        prompt = task.prompt_of(input_ids, labels)
        rest = input_ids[len(prompt) :].tolist()
        rows.append((prompt[:-1], rest[: rest.index(task.eos_id)]))
    return rows


def same_distribution(ours, theirs):
    """Two samples of anything that can be counted, of values that are not rare."""
    counts = [collections.Counter(each) for each in (ours, theirs)]
    common = [value for value in {**counts[0], **counts[1]} if sum(count[value] for count in counts) > 10]
    table = np.array([[count[value] for value in common] for count in counts])
    return len(common) < 2 or scipy.stats.chi2_contingency(table).pvalue > P


# ---------------------------------------------------------------- the reference's rows


@pytest.mark.parametrize("name", TASKS)
def test_golden_rows(name):
    for line in (TESTS / "golden" / f"chomsky_{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        params, length = row["params"], row["params"]["length"]
        prompt, answer = ([int(word) for word in row[part].split()] for part in ("prompt", "answer"))
        task = hp.task(f"chomsky-{name}", length=length)
        kind = task.kind
        assert (kind.input_size, kind.output_size, kind.level) == tuple(
            params[key] for key in ("input_size", "output_size", "level")
        )
        assert kind.output_length(length) == params["output_length"] == len(answer)
        assert task.solve(prompt) == answer and task.ids(row["prompt"])[: len(prompt)].tolist() == prompt
        input_ids, labels = task.example(prompt)
        assert input_ids.tolist()[: len(prompt) + len(answer) + 2] == [*prompt, task.sep_id, *answer, task.eos_id]
        assert labels[labels != -100].tolist() == [*answer, task.eos_id]
        assert task.is_row(input_ids, labels)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 8])
def test_rows_are_distributed_as_in_plain_python(name, length):
    """Whole prompts, which are few at these lengths."""
    rng = random.Random(0)
    ours = rows_of(hp.task(f"chomsky-{name}", length=length, min_length=length), 4000)
    theirs = [chomsky_row(rng, name, length) for _ in range(4000)]
    assert same_distribution(*([str(row) for row in rows] for rows in (ours, theirs)))
    answers = {str(prompt): answer for prompt, answer in theirs}
    assert all(answers[str(prompt)] == answer for prompt, answer in ours if str(prompt) in answers)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("length", [23, 70])
def test_long_rows_are_distributed_as_in_plain_python(name, length):
    rng = random.Random(1)
    ours = rows_of(hp.task(f"chomsky-{name}", length=length, min_length=length), 3000)
    theirs = [chomsky_row(rng, name, length) for _ in range(3000)]
    for statistic in (
        lambda prompt, answer: prompt[0],
        lambda prompt, answer: tuple(prompt[-3:]),
        lambda prompt, answer: tuple(prompt[length // 2 :][:2]),
        lambda prompt, answer: max(map(prompt.count, set(prompt))),
        lambda prompt, answer: prompt.index(2) if 2 in prompt else -1,
        lambda prompt, answer: sum(a == b for a, b in itertools.pairwise(prompt)),
        lambda prompt, answer: tuple(answer[:3]),
        lambda prompt, answer: tuple(answer[-3:]),
        lambda prompt, answer: answer.index(2) if 2 in answer else -1,
    ):
        assert same_distribution(*([statistic(*row) for row in rows] for rows in (ours, theirs)))


@pytest.mark.parametrize("name", TASKS)
def test_prompts_are_distributed_as_those_of_the_reference(name):
    """Counts of whole prompts in 5,000 rows that its own code drew at a short length."""
    drawn = json.loads((TESTS / "golden" / "chomsky_counts.json").read_text())[name]
    length, counts = drawn["length"], collections.Counter(drawn["counts"])
    ours = [
        " ".join(map(str, prompt))
        for prompt, _ in rows_of(hp.task(f"chomsky-{name}", length=length, min_length=length), 5000)
    ]
    assert sum(counts.values()) == 5000
    assert same_distribution(ours, counts.elements())
    assert sum(prompt in counts for prompt in ours) > 4500


# ---------------------------------------------------------------- blanks


@pytest.mark.parametrize("name", TASKS)
def test_blanks_stand_where_answers_are_read_off(name):
    """The rows are those with <sep>, draw for draw; the label behind the i-th blank is the answer's i-th token."""
    parameters = {"length": 11, "test_length": 15}
    plain, blanks = (hp.task(f"chomsky-{name}", blanks=each, **parameters) for each in (False, True))
    assert blanks.max_length == plain.max_length - 1 and blanks.apart and not plain.apart
    assert blanks.vocabulary == plain.vocabulary
    input_ids, labels = blanks.sample(np.random.default_rng(3), 200)
    for (prompt, answer), ids, targets in zip(rows_of(plain, 200, seed=3), input_ids, labels, strict=True):
        n, m = len(prompt), len(answer)
        assert ids[: n + m + 1].tolist() == [*prompt, *[blanks.sep_id] * m, blanks.eos_id]
        assert (ids[n + m + 1 :] == blanks.pad_id).all()
        assert targets[n + 1 : n + m + 1].tolist() == answer
        assert (targets[: n + 1] == -100).all() and (targets[n + m + 1 :] == -100).all()
        assert blanks.question(ids, targets) == ([*prompt, blanks.sep_id], answer)
        assert [part.tolist() for part in blanks.example(prompt)] == [ids.tolist(), targets.tolist()]
        assert blanks.score(prompt, answer) == 1
    for split in ("train", "test"):
        rows = blanks.sample_split(np.random.default_rng(3), 20, split)
        assert rows[0].shape[1] == blanks.row_length(split) and all(map(blanks.is_row, *rows))
    wrong = labels.copy()
    wrong[0, np.flatnonzero(labels[0] != -100)[0]] ^= 1
    assert not blanks.is_row(input_ids[0], wrong[0])


# ---------------------------------------------------------------- lengths


@pytest.mark.parametrize("name", TASKS)
def test_lengths_are_uniform_and_splits_have_their_own(name):
    task = hp.task(f"chomsky-{name}", length=24, min_length=5, test_length=33)
    widths = {split: task.row_length(split) for split in ("train", "validation", "test")}
    assert widths["train"] == widths["validation"] == task.width(24) < widths["test"] == task.max_length
    for split, low, high in (("train", 5, 24), ("validation", 5, 24), ("test", 25, 33)):
        input_ids, labels = task.sample_split(np.random.default_rng(0), 3000, split)
        assert input_ids.shape == labels.shape == (3000, widths[split])
        sizes = (input_ids == task.sep_id).argmax(axis=1)
        if name != "modular_arithmetic":
            assert sizes.min() == low and sizes.max() == high
            if split != "validation" or name not in ("solve_equation",):
                counts = np.bincount(sizes - low, minlength=high - low + 1)[8 if split != "test" else 0 :]
                assert scipy.stats.chisquare(counts).pvalue > P
        else:
            assert (sizes % 2 == 1).all() and sizes.max() <= high
        assert all(task.is_row(*row) for row in zip(input_ids[:50], labels[:50], strict=True))


@pytest.mark.parametrize("shuffle_tokens", [False, True])
@pytest.mark.parametrize("blanks", [False, True])
@pytest.mark.parametrize("name", TASKS)
def test_lengths_of_rows_are_those_of_their_prompts(name, blanks, shuffle_tokens):
    task = hp.task(f"chomsky-{name}", length=9, test_length=20, blanks=blanks)
    for split in ("train", "test"):
        input_ids, _ = rows = task.sample_split(np.random.default_rng(0), 100, split)
        sizes = (input_ids == task.sep_id).argmax(axis=1)
        if shuffle_tokens:
            shuffled = hp.task(f"chomsky-{name}", length=9, test_length=20, blanks=blanks, shuffle_tokens=True)
            input_ids, _ = shuffled._shuffle(np.random.default_rng(0), *rows)
        assert task.lengths_of(input_ids).tolist() == sizes.tolist()


@pytest.mark.parametrize(("length", "test_length", "lengths"), [(39, 44, [41, 43]), (40, 41, [41]), (2, 6, [3, 5])])
def test_test_rows_of_modular_arithmetic_are_longer_than_those_of_training(length, test_length, lengths):
    task = hp.task("chomsky-modular_arithmetic", length=length, test_length=test_length)
    trained, tested = (task.sample_split(np.random.default_rng(0), 300, split)[0] for split in ("train", "test"))
    assert task.lengths_of(trained).max() <= length and {*task.lengths_of(tested)} == {*lengths}


def test_without_a_test_length_all_splits_are_as_long():
    task = hp.task("chomsky-reverse_string", length=12)
    assert {task.row_length(split) for split in ("train", "validation", "test")} == {task.max_length} == {26}


@pytest.mark.parametrize("length", [64, 65, 127, 128, 129, 500, 1001])
def test_large_integers(length):
    for name in ("binary_addition", "binary_multiplication", "compute_sqrt"):
        task = hp.task(f"chomsky-{name}", length=length, min_length=length)
        assert all(task.solve(prompt) == answer for prompt, answer in rows_of(task, 40, seed=length))


def test_square_roots_near_squares():
    """Where the last bit of the root turns: squares and the numbers before them, written over sampled rows."""
    from hf_procedural.tasks import chomsky_kernels

    rng = random.Random(0)
    limbs = np.zeros((3, 80), np.uint64)
    for size in (1, 2, 7, 31, 32, 33, 50, 51, 52, 53, 54, 62, 63, 64, 65, 66, 200, 500):
        for _ in range(20):
            root = rng.randint(1, 2 ** (size // 2))
            for number in (root**2 - 1, root**2, root**2 + 1, 2**size - 1, 2 ** (size - 1)):
                if not 0 <= number < 2**size:
                    continue
                cells = np.array([int(bit) for bit in f"{number:b}".zfill(size)], np.int32)
                out = np.empty(size + 1, np.int32)
                count = chomsky_kernels._root(cells, size, out, limbs)
                assert int("".join(map(str, out[:count])), 2) == math.isqrt(number)


# ---------------------------------------------------------------- by hand


BY_HAND = [  # the examples of the reference's docstrings, in words, and the short lengths
    ("parity_check", "1 0 1 0 1 0 0", "1"),
    ("even_pairs", "0 1 0 1 0 0 1", "1"),
    ("cycle_navigation", "2 0 1 0 0", "3"),
    ("modular_arithmetic", "1 5 2 7 3", "2"),
    ("modular_arithmetic", "1 6 1 6 1", "4"),
    ("modular_arithmetic", "0 7 1 5 4 7 3 6 2", "0"),
    ("modular_arithmetic_brackets", "8 3 6 6 2 9", "0"),  # (3--2)
    ("modular_arithmetic_brackets", "6 2", "3"),
    ("reverse_string", "0 1 1", "1 1 0"),
    ("solve_equation", "7 9 6 3 8 10 2", "0"),  # (x-3)=2
    ("solve_equation", "0 0", "0"),
    ("stack_manipulation", "0 1 1 0 4 2 2", "1 1 0 2 0 0 0 0"),
    ("stack_manipulation", "1 1 0 2 2 2", "2 0 0 0 0 0 0"),
    ("stack_manipulation", "1 2 2 3", "0 2 0 0 0"),
    ("missing_duplicate_string", "0 1 1 0 0 2 1 0", "1"),
    ("missing_duplicate_string", "1 0 1 1 2 1 3", "0"),
    ("duplicate_string", "1 0 1", "1 0 1 1 0 1"),
    ("odds_first", "0 0 1 1 0 1 0 1", "0 1 1 1 0 1 0 0"),
    ("bucket_sort", "1 0 2 0 4 1 1 2", "0 0 1 1 1 2 2 4"),
    ("binary_addition", "0 0 1 2 0 1 1 0 1", "0 1 0 1 1 2 0 0 0 0"),
    ("binary_addition", "0 1", "0 1 2"),
    ("binary_addition", "0 0", "0 2 0"),
    ("binary_multiplication", "0 0 1 2 0 1 1 0 1", "0 0 0 1 1 0 1 2 0"),
    ("binary_multiplication", "0 1", "0 2"),
    ("binary_multiplication", "0", "2"),
    ("compute_sqrt", "1 0 0 1 0 1", "1 1 0"),
    ("compute_sqrt", "1 1 1", "1 0"),
]


@pytest.mark.parametrize(("name", "prompt", "answer"), BY_HAND)
def test_answers_by_hand(name, prompt, answer):
    task = hp.task(f"chomsky-{name}", length=12)
    prompt, answer = ([int(word) for word in text.split()] for text in (prompt, answer))
    assert task.solve(prompt) == task.solve([*prompt, task.sep_id]) == answer
    assert task.score(prompt, answer) == task.score(prompt, [*answer, task.eos_id]) == 1
    assert task.score(prompt, answer[:-1]) == 0


@pytest.mark.parametrize("text", ["", "1+", "(1", "1)", "1 1", "*2", "(+1)", "a"])
def test_what_is_no_expression_has_no_value(text):
    with pytest.raises((ValueError, StopIteration)):
        chomsky.value(text)


BAD_INPUT = [
    ("chomsky-parity", {}, "chomsky: task must be one of parity_check, .*, got 'parity': did you mean parity_check"),
    ("chomsky-compute_sqrt", {"length": 2**20}, "chomsky: length must be at most 65536 for compute_sqrt, got 1048576"),
    (
        "chomsky-binary_multiplication",
        {"test_length": 65537},
        "chomsky: test_length must be at most 65536 for binary_multiplication, got 65537",
    ),
    ("chomsky-parity_check", {"length": 0}, "chomsky: length must be an integer in 1..1048576, got 0"),
    ("chomsky-parity_check", {"min_length": 41}, "chomsky: min_length must be at most length = 40, got 41"),
    ("chomsky-parity_check", {"min_length": None}, "chomsky: min_length must be an integer in 1..1048576, got None"),
    ("chomsky-parity_check", {"test_length": 40}, "chomsky: test_length must be above length = 40, got 40"),
    (
        "chomsky-modular_arithmetic",
        {"length": 39, "test_length": 40},
        "chomsky: test_length must be at least 41, the next length, got 40",
    ),
    ("chomsky-parity_check", {"test_length": "500"}, "chomsky: test_length must be an integer in 2..1048576, or null"),
    ("chomsky-parity_check", {"max_length": 40}, "chomsky: unknown parameter 'max_length': did you mean"),
]


@pytest.mark.parametrize(("name", "parameters", "message"), BAD_INPUT)
def test_bad_input_is_refused_in_one_line(name, parameters, message):
    with pytest.raises(ValueError, match=message) as refusal:
        hp.task(name, **parameters)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("split", ["train", "test"])
def test_too_few_prompts_for_a_split(split):
    task = hp.task("chomsky-binary_addition", length=1)  # whose only prompt, 0, is of validation
    with pytest.raises(ValueError, match=f"too few distinct prompts for a {split} split of its own"):
        task.sample_split(np.random.default_rng(0), 5, split)
