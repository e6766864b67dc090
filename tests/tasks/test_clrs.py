"""CLRS-Text: text for text what the reference prints, inputs and answers distributed as there."""

import collections
import functools
import json
import random

import numpy as np
import pytest
from support.references_clrs import clrs_row
from support.running import TESTS
from tasks.test_tasks import assert_same_distribution

import hf_procedural as hp
from hf_procedural.tasks import clrs

GOLDEN = [json.loads(line) for line in (TESTS / "golden" / "clrs.jsonl").read_text().splitlines()]
ANSWERS = json.loads((TESTS / "golden" / "clrs_answers.json").read_text())
DENSE = {"articulation_points": 0.6, "bridges": 0.6, "mst_kruskal": 0.7}


def _task(algorithm, **parameters):
    return hp.task("clrs", algorithm=algorithm, max_tokens=30_000, **parameters)


@pytest.mark.parametrize("algorithm", clrs.ALGORITHMS)
def test_text_and_answers_are_those_of_the_reference(algorithm):
    rows = [row for row in GOLDEN if row["params"]["algorithm"] == algorithm]
    assert len(rows) >= 12 and {row["params"]["use_hints"] for row in rows} == {True, False}
    for row in rows:
        task = _task(algorithm, lengths=row["params"]["length"], trace=row["params"]["use_hints"])
        prompt, answer = task.encode(row["prompt"], row["answer"])
        assert task.as_text([*prompt, *answer, task.eos_id, task.pad_id]) == row["prompt"] + row["answer"]
        if task.solve(prompt) != answer:
            assert algorithm == "task_scheduling" and _has_equal(task.inputs_of(prompt)[1]["w"])
            continue
        input_ids, labels = task.example(prompt)
        assert task.is_row(input_ids, labels) and task.prompt_of(input_ids, labels) == prompt


def _has_equal(numbers) -> bool:
    """Whether numbers that are to be sorted are equal, which NumPy's sort puts in any order."""
    return len(set(numbers)) < len(numbers)


@pytest.mark.parametrize("trace", [True, False])
@pytest.mark.parametrize("algorithm", clrs.ALGORITHMS)
def test_rows_are_what_the_oracle_says(algorithm, trace):
    for length in ([4, 5, 6, 9], 13):
        task = _task(algorithm, lengths=length, trace=trace)
        rows = list(zip(*task.sample(np.random.default_rng(0), 60), strict=True))
        if algorithm in DENSE:
            dense = _task(algorithm, lengths=[4, 7, 8], trace=trace, p=DENSE[algorithm])
            rows += zip(*dense.sample(np.random.default_rng(1), 60), strict=True)
            task = dense
        for input_ids, labels in rows:
            prompt = task.prompt_of(input_ids, labels)
            assert task.solve(prompt) == [token for token in input_ids[len(prompt) :] if token > task.eos_id]


def test_rows_have_the_lengths_that_are_asked_for():
    task = _task("minimum", lengths=[4, 8, 31], trace=False)
    sizes = collections.Counter()
    for input_ids, labels in zip(*task.sample(np.random.default_rng(0), 3000), strict=True):
        sizes[len(task.inputs_of(task.prompt_of(input_ids, labels))[1]["key"])] += 1
    assert sizes.keys() == {4, 8, 31} and min(sizes.values()) > 900
    assert hp.task("clrs-bridges").items == (4, 5) and hp.task("clrs-bfs").items[-1] == 31


@pytest.mark.parametrize("algorithm", [name for name in clrs.ALGORITHMS if clrs.ALGORITHMS[name].outputs != "pred"])
def test_answers_are_distributed_as_in_the_reference(algorithm):
    """1,500 answers of the reference to questions of four items (strings of five), without traces."""
    is_string = algorithm in ("naive_string_matcher", "kmp_matcher")
    task = _task(algorithm, lengths=5 if is_string else 4, trace=False)
    theirs = [answer for answer, count in ANSWERS[algorithm].items() for _ in range(count)]
    ours = []
    for input_ids, labels in zip(*task.sample(np.random.default_rng(2), 6000), strict=True):
        start = len(task.prompt_of(input_ids, labels))
        ours.append(task.as_text(input_ids[start:]).strip())
    assert len(theirs) == 1500
    assert_same_distribution(ours, theirs, algorithm)


def _statistics(words: list[str]) -> dict:
    numbers = [float(word) for word in words if word[-1].isdigit()]
    above = [number for number in numbers if number]
    return {
        "numbers but 0": min(len(above), 40),
        "first": int(numbers[0] * 20),
        "last": int(numbers[-1] * 20),
        "middle": int(numbers[len(numbers) // 2] * 20),
        "sum": int(sum(number * (1 + place % 3) for place, number in enumerate(numbers)) * 2),
        "third": words[3 + 9],
    }


@pytest.mark.parametrize("algorithm", clrs.ALGORITHMS)
def test_questions_are_distributed_as_in_a_plain_reference(algorithm):
    rng = random.Random(1)
    task = _task(algorithm, lengths=[5, 6], trace=False)
    theirs = [_statistics(clrs_row(rng, task)[0]) for _ in range(1500)]
    ours = []
    for input_ids, labels in zip(*task.sample(np.random.default_rng(3), 3000), strict=True):
        ours.append(_statistics(task.text(task.prompt_of(input_ids, labels)).split()))
    for what in theirs[0]:
        parts = [[row[what] for row in part] for part in (ours, theirs)]
        assert_same_distribution(*parts, f"{algorithm}: {what}")


def test_rows_that_are_too_long_are_drawn_again():
    free = _task("kmp_matcher", lengths=20)
    short = hp.task("clrs-kmp_matcher", lengths=20, max_tokens=88)
    lengths = [(task.sample(np.random.default_rng(0), 2000)[0] != task.pad_id).sum(axis=1) for task in (free, short)]
    assert lengths[0].max() > 88 >= lengths[1].max() and short.max_length == 88
    assert_same_distribution(lengths[1], lengths[0][lengths[0] <= 88], "tokens")
    with pytest.raises(ValueError, match="clrs-bubble_sort: hardly any row has 400 tokens or less: raise max_tokens"):
        hp.task("clrs-bubble_sort", lengths=10, max_tokens=400).sample(np.random.default_rng(0), 1)


def test_the_text_of_a_row_and_the_way_back():
    task = hp.task("clrs-find_maximum_subarray_kadane")
    for row in task.sample(np.random.default_rng(0), 50)[0]:
        text = task.as_text(row)
        question, answer = text.split("best_high):\n")
        prompt, rest = task.encode(question + "best_high):\n", answer)
        assert [*prompt, *rest, task.eos_id] == row[row != task.pad_id].tolist() and text.endswith(")\n\n")
    assert task.ids(task.text(row)).tolist() == row.tolist()


def test_a_prompt_that_is_none_is_told():
    task = hp.task("clrs-minimum", trace=False)
    encode = functools.partial(task.encode, answer="")
    prompt = encode("minimum:\nkey: [0.5 0.1 0.7]\nmin:\n")[0]
    assert task.solve(prompt) == encode("1\n")[0][:1]
    for wrong in ("minimum:\nkey: [0.5 0.1]\nmatch:\n", "minimum:\nkey [0.5]\nmin:\n", "key: [0.5]\n"):
        with pytest.raises(ValueError, match="no prompt of this task|clrs-minimum: "):
            task.score(encode(wrong)[0], [5])


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("clrs-bogo_sort", {}, "clrs: algorithm must be one of insertion_sort, bubble_sort, "),
        ("clrs", {"lengths": 3}, "clrs: lengths must be an integer in 4..64, or a list of such, or null, got 3"),
        ("clrs", {"lengths": [4, 65]}, "clrs: lengths must be an integer in 4..64, or a list of such, or null, got"),
        ("clrs", {"lengths": []}, "clrs: lengths must be an integer in 4..64, or a list of such, or null, got []"),
        ("clrs-bfs", {"p": 2}, "clrs: p must be a number in 0..1, or null, got 2"),
        ("clrs-minimum", {"p": 0.5}, "clrs: p must be null for minimum, which is of no graph, got 0.5"),
        ("clrs", {"trace": 1}, "clrs: trace must be true or false, got 1"),
        ("clrs-bfs", {"lengths": 31, "max_tokens": 999}, "clrs: max_tokens must be at least 1175 for bfs of 31 items"),
        ("clrs", {"max_tokens": 63}, "clrs: max_tokens must be an integer in 64..131072, got 63"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(name, parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task(name, **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)
