"""Outputs of random programs: against the reference's rows, and against programs that are run as trees of blocks."""

import json
import random

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from support.references_universal import tree_output, universal_row
from support.running import TESTS
from tasks.test_tasks import P, assert_same_distribution

import hf_procedural as hp
from hf_procedural.tasks import kernels, universal, universal_kernels

GOLDEN = [json.loads(line) for line in (TESTS / "golden" / "utm.jsonl").read_text().splitlines()]
PRINTED = [json.loads(line) for line in (TESTS / "golden" / "utm_outputs.jsonl").read_text().splitlines()]
PROGRAMS = st.text(alphabet=universal.INSTRUCTIONS, max_size=80)


def _machine(params) -> hp.Task:
    words = {"max_output_length": "length"}
    names = ("alphabet_size", "memory_size", "maximum_steps", "max_output_length")
    return hp.task("utm", **{words.get(name, name): params[name] for name in names})


def _outputs(task, n, seed=0) -> list[list[int]]:
    input_ids, _ = task.sample(np.random.default_rng(seed), n)
    return [row[row != task.pad_id].tolist() for row in input_ids]


def test_programs_print_what_they_print_in_the_reference():
    assert {row["params"]["mode"] for row in GOLDEN} == {"sampled", "given"} and len(GOLDEN) == 72
    for row in GOLDEN:
        task = _machine(row["params"])
        output = [int(symbol) for symbol in row["answer"].split()]
        assert task.run(row["prompt"]) == output
        assert task.run(row["params"].get("given_program", row["prompt"])) == output
        if len(output) > 1:
            input_ids, labels = task.example(output)
            assert input_ids[: len(output)].tolist() == output and (input_ids[len(output) :] == task.pad_id).all()
            assert labels[1 : len(output)].tolist() == output[1:] and (labels[len(output) :] == -100).all()
            assert task.accepts(input_ids) and task.is_row(input_ids, labels)


@settings(max_examples=300)
@given(program=PROGRAMS, cells=st.integers(1, 4), symbols=st.integers(2, 5), steps=st.integers(16, 200))
def test_a_text_and_a_tree_of_blocks_are_one_program(program, cells, symbols, steps):
    task = hp.task("utm", alphabet_size=symbols, memory_size=cells, maximum_steps=steps, length=30)
    tree = tree_output(lambda text: program[len(text) : len(text) + 1], symbols, cells, steps, 30)
    assert task.run(program) == tree


@pytest.mark.parametrize(
    ("program", "output"),
    [
        ("+++.-.", [3, 2]),
        ("+++[.-].", [3, 2, 1, 0]),
        ("++[>+++<-]>.", [6]),
        ("-.<.>.", [16, 0, 16]),
        ("[.]+.", [0, 1]),  # met at 0: what follows is no body
        ("]]+.", [1]),
        ("{+[<]<-.", [16]),
        ("+[]", []),
        ("", []),
    ],
)
def test_programs_by_hand(program, output):
    assert hp.task("utm-17").run(program) == output


SETTINGS = [
    {},
    {"sampler": "markov", "min_output": 20},
    {"program_length": 100},
    {"program_length": 30, "sampler": "markov"},
    {"alphabet_size": 2, "memory_size": 1, "maximum_steps": 64, "length": 16, "min_output": 8},
    {"maximum_steps": 5000, "length": 30, "min_output": 30},
]


@pytest.mark.parametrize("parameters", SETTINGS, ids=str)
def test_a_row_is_what_its_program_prints(parameters):
    task = hp.task("utm", **parameters)
    programs = task.programs(np.random.default_rng(4), 500)
    for output, program in zip(_outputs(task, 500, 4), programs, strict=True):
        assert task.run(program) == output and task.min_output <= len(output) <= task.length
        if task.program_length:
            assert len(program) <= task.program_length


def _statistics():
    yield "length", lambda output: min(len(output).bit_length(), 6)
    yield "first two", lambda output: tuple(output[:2])
    yield "last", lambda output: output[-1]
    yield "different ones", lambda output: len(set(output))
    yield "changes", lambda output: min(sum(a != b for a, b in zip(output, output[1:], strict=False)), 20)


@pytest.mark.parametrize(
    "machine",
    [{}, {"alphabet_size": 3, "memory_size": 2, "maximum_steps": 50, "length": 12}],
    ids=["published", "small"],
)
def test_outputs_are_distributed_as_in_the_reference(machine):
    rng = random.Random(0)
    names = {"maximum_steps": "steps"}
    theirs = [
        universal_row(rng, **{names.get(name, name): value for name, value in machine.items()}) for _ in range(4000)
    ]
    ours = _outputs(hp.task("utm", **machine), 4000)
    for what, statistic in _statistics():
        pairs = [[hash(statistic(output)) for output in part] for part in (ours, theirs)]
        assert_same_distribution(*pairs, what)


@pytest.mark.parametrize(
    "row", PRINTED, ids=lambda row: f"{row['params']['sampler']}-{row['params']['program_length']}"
)
def test_outputs_are_distributed_as_those_of_the_reference(row):
    parameters = {name: value for name, value in row["params"].items() if name != "seed"}
    theirs = [[int(symbol) for symbol in answer.split()] for answer in row["answers"]]
    ours = _outputs(hp.task("utm", **parameters), 6000)
    for what, statistic in _statistics():
        pairs = [[hash(statistic(output)) for output in part] for part in (ours, theirs)]
        assert_same_distribution(*pairs, what)


def test_a_row_that_prints_more_is_one_that_happens_to():
    more = hp.task("utm", min_output=100)
    some = [output for output in _outputs(hp.task("utm"), 8000, 1) if len(output) >= 100]
    enough = _outputs(more, len(some))
    for what, statistic in _statistics():
        pairs = [[hash(statistic(output)) for output in part] for part in (enough, some)]
        assert_same_distribution(*pairs, what)


@pytest.mark.parametrize("sampler", ["uniform", "markov"])
def test_instructions_follow_the_last_two_of_a_text(sampler):
    weights = np.diff(universal._weights(sampler), axis=-1, prepend=0)
    assert weights.shape == (9, 9, 8) and (weights >= 0).all()
    if sampler == "uniform":
        assert (weights == [1, 1, 1, 1, 1, 1, 0, 1]).all()
    else:
        codes = {instruction: code for code, instruction in enumerate(universal.INSTRUCTIONS)}
        assert weights[8, 8].tolist() == [387, 383, 385, 403, 1, 1, 1, 447]  # counts 193 ... and half a count each
        assert weights[codes["."], codes["."], codes["."]] == 2 * 827 + 1
        assert (weights[codes["["], codes["]"]] == 1).all()  # which never occurs there
    state = kernels.stream(np.random.default_rng(0))
    for first, second in ((8, 8), (8, 2), (7, 7), (4, 5)):
        draws = [universal_kernels._instruction(state, weights.cumsum(axis=-1), first, second) for _ in range(8000)]
        due = weights[first, second] / weights[first, second].sum() * len(draws)
        shown = due > 0
        counts = np.bincount(draws, minlength=8)
        assert not counts[~shown].any() and scipy.stats.chisquare(counts[shown], due[shown]).pvalue > P


def test_rows_print_more_with_the_counts_of_the_reference():
    plain, markov = (
        np.mean([*map(len, _outputs(hp.task("utm", sampler=name), 1000))]) for name in ("uniform", "markov")
    )
    assert 60 < plain < 90 and 170 < markov < 210


def test_what_a_row_alone_tells():
    task = hp.task("utm", alphabet_size=9, length=6, maximum_steps=16)
    assert task.accepts([4, 0]) and task.accepts([8] * 6) and task.accepts([4, 0, 9, 9, 9, 9])
    for wrong in ([4], [], [9, 9], [4, 9, 4], [1] * 7, [-1, 2]):
        assert not task.accepts(wrong)
    assert not hp.task("utm-60", maximum_steps=16).accepts([30, 30])  # 30 changes
    with pytest.raises(ValueError, match="utm-17: a program has the instructions .*, got 'x'"):
        hp.task("utm").run("+x.")


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("utm-1", {}, "utm: alphabet_size must be an integer in 2..65536, got 1"),
        ("utm", {"memory_size": 0}, "utm: memory_size must be an integer in 1..65536, got 0"),
        ("utm", {"maximum_steps": 15}, "utm: maximum_steps must be an integer in 16..1048576, got 15"),
        (
            "utm",
            {"sampler": "marcov"},
            "utm: sampler must be one of uniform, markov, got 'marcov': did you mean markov?",
        ),
        ("utm", {"program_length": 7}, "utm: program_length must be an integer in 8..1048576, or null, got 7"),
        ("utm", {"min_output": 1}, "utm: min_output must be an integer >= 2, got 1"),
        (
            "utm",
            {"min_output": 126},
            "utm: min_output must be at most 125 with length=256 and maximum_steps=1000, got 126",
        ),
        ("utm", {"length": 1}, "utm: length must be an integer in 2..1048576, got 1"),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_one_line(name, parameters, message):
    with pytest.raises(ValueError) as refusal:
        hp.task(name, **parameters)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)
