"""LIME: rows of the reference, its distributions, and which answers are right."""

import json
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.references import lime_row
from support.running import TESTS
from test_tasks import assert_same_distribution

import hf_procedural as hp
from hf_procedural.tasks import check_task
from hf_procedural.tasks.lime import MODES, REWRITE

QUICK = [mode for mode in MODES if mode not in ("induct_v3", "induct_v2_double")]  # the others take 50 ms a row
GOLDEN = ("induct", "deduct", "abduct", "rewrite_multistep_easy", "rewrite_multistep_hard")


def halves(task, row) -> tuple[list[int], list[int]]:
    """Prompt and answer of a row, without <sep>, <eos> and <pad>."""
    ids = [token for token in row.tolist() if token != task.pad_id]
    middle = ids.index(task.sep_id)
    assert ids[-1] == task.eos_id
    return ids[:middle], ids[middle + 1 : -1]


def texts(task, n, seed=0) -> list[tuple[str, str]]:
    """Prompts and answers of sampled rows, as the reference writes them."""
    words = task.vocabulary
    rows = (halves(task, row) for row in task.sample(np.random.default_rng(seed), n)[0])
    return [tuple(" ".join(words[token] for token in part) for part in row) for row in rows]


# ---------------------------------------------------------------- rows of the reference


@pytest.mark.parametrize("mode", GOLDEN)
def test_answers_are_those_of_the_reference(mode):
    equal = 0
    lines = (TESTS / "golden" / f"lime_{mode}.jsonl").read_text().splitlines()
    for line in map(json.loads, lines):
        parameters = {"vocab_size": line["params"]["vocab_size"]}
        if "nsteps" in line["params"]:
            parameters |= {"min_steps": line["params"]["nsteps"][0], "steps": line["params"]["nsteps"][-1]}
        task = hp.task(f"lime-{mode}", **parameters)
        tokenizer = hp.tokenizer(task)
        prompt, answer = (tokenizer(line[part])["input_ids"] for part in ("prompt", "answer"))
        assert [int(word) for word in line["answer"].split() if word.isdigit()] == [
            token for token in answer if token < task.vocab_size
        ]
        assert task.is_answer(prompt, answer) and task.score(line["prompt"], line["answer"]) == 1
        assert task.is_answer(prompt, task.solve(prompt))
        if task.solve(prompt) == answer:
            equal += 1
            assert tokenizer.decode(task.solve(prompt)) == line["answer"]
            row = [*prompt, task.sep_id, *answer, task.eos_id]
            rest = task.max_length - len(row)
            assert task.example(prompt)[0].tolist() == row + [task.pad_id] * rest
            labels = [-100] * (len(prompt) + 1) + [*answer, task.eos_id] + [-100] * rest
            assert task.example(prompt)[1].tolist() == labels
    # where the reference's answer is not the only one, `solve` may give another
    assert len(lines) == 24 and equal >= {"abduct": 23, "rewrite_multistep_easy": 22}.get(mode, 24) - 4 * (
        "hard" in mode
    )


# ---------------------------------------------------------------- the contract, and the oracle


@pytest.mark.parametrize("mode", MODES)
def test_contract(mode):
    check_task(hp.task(f"lime-{mode}", vocab_size=90), rows=64 if mode in QUICK else 8)


@pytest.mark.parametrize("steps", [1, 12])
@pytest.mark.parametrize("mode", ["rewrite_multistep_easy", "rewrite_multistep_hard"])
def test_contract_of_steps(mode, steps):
    check_task(hp.task(f"lime-{mode}", steps=steps, min_steps=steps, vocab_size=68))


@settings(max_examples=60)
@given(
    mode=st.sampled_from(QUICK), vocab_size=st.integers(68, 3000), steps=st.integers(1, 9), seed=st.integers(0, 2**32)
)
def test_drawn_and_solved_answers_are_right(mode, vocab_size, steps, seed):
    task = hp.task("lime", mode=mode, vocab_size=vocab_size, steps=steps, min_steps=(steps + 1) // 2)
    for row in task.sample(np.random.default_rng(seed), 8)[0]:
        prompt, answer = halves(task, row)
        assert task.is_answer(prompt, answer)
        solved = task.solve([*prompt, task.sep_id])
        assert task.is_answer(prompt, solved)
        assert mode not in ("deduct",) or solved == answer


@pytest.mark.parametrize(("mode", "least"), [("deduct", 1), ("induct", 0.98), ("abduct", 0.93), ("rewrite", 0.99)])
def test_most_answers_are_the_only_ones(mode, least):
    task = hp.task(f"lime-{mode}")
    rows = [halves(task, row) for row in task.sample(np.random.default_rng(5), 300)[0]]
    assert np.mean([task.solve(prompt) == answer for prompt, answer in rows]) >= least


@pytest.mark.parametrize("mode", MODES)
def test_a_changed_answer_is_wrong(mode):
    task, rng = hp.task(f"lime-{mode}", vocab_size=68), random.Random(0)
    rows = [halves(task, row) for row in task.sample(np.random.default_rng(2), 100)[0]]
    wrong = 0
    for prompt, answer in rows:
        place = rng.randrange(len(answer))
        other = rng.choice([token for token in range(68) if token != answer[place]])
        changed = [*answer[:place], other, *answer[place + 1 :]]
        wrong += not task.is_answer(prompt, changed)
        assert not task.is_answer(prompt, [])
        assert not task.is_answer(prompt, [task.sep_id, *answer])
    assert wrong >= (80 if mode in ("induct_hard", "induct_v3") else 97)  # there values may take up a symbol


BY_HAND = [  # mode, what stands behind the header; the answer of `solve`, other right ones, wrong ones
    (
        "deduct",
        "1 20 2 1 <space> 1 : [ 10 11 ] , 2 : [ 12 21 ]",
        ["10 11 20 12 21 10 11"],
        ["10 11 20 12 21", "1 20 1"],
    ),
    (
        "induct",
        "10 11 20 21 10 11 <space> 1 : [ 10 11 ] , 2 : [ 20 21 ]",
        ["1 2 1", "1 20 21 1"],
        ["1 2", "10 11 2 1", "1 2 1 <space> 1", "1 2 3"],
    ),
    (
        "abduct",
        "1 2 20 1 <space> 10 11 12 10 20 10 11",
        ["1 : [ 10 11 ] , 2 : [ 12 10 ]", "2 : [ 12 10 ] , 1 : [ 10 11 ]"],
        ["1 : [ 10 11 ] , 2 : [ 12 11 ]", "1 : [ 10 11 ]", "1 : [ 10 11 ] , 2 : [ 12 10 ] , 2 : [ 12 10 ]", "1 :"],
    ),
    (
        "abduct",
        "1 2 <space> 10 11 12 10 20",
        ["1 : [ 10 11 ] , 2 : [ 12 10 20 ]", "1 : [ 10 11 12 ] , 2 : [ 10 20 ]"],
        ["1 : [ 10 ] , 2 : [ 11 12 10 20 ]", "1 : [ 10 11 12 10 20 ] , 2 : [ ]", "1 : [ 10 11 ] 2 : [ 12 10 20 ]"],
    ),
    ("induct_hard", "10 11 20 10 11 21 12 21", ["1 20 1 21 2", "1 20 1 2 21"], ["1 1", "1 20 1 12", "1 2 1"]),
    (
        "induct_v2",
        "10 11 20 10 11 21",
        ["1 : [ 10 11 ] , 2 : [ 10 11 ] <space> 1 20 1 21", "1 : [ 10 11 ] , 2 : [ 20 21 ] <space> 1 20 1 21"],
        ["1 20 1 21", "1 : [ 10 11 20 ] , 2 : [ 10 11 ] <space> 1 2 20", "1 : [ 10 11 ] <space> 1 20 1 21"],
    ),
    ("induct_v3", "10 11 20 10 11 <space> 12 11 20 12 11", ["1 20 1", "1 20 2"], ["1 21 1", "1 20", "10 11 20 1"]),
    (
        "induct_v2_double",
        "10 11 20 10 11 <space> 12 11 20 12 11",
        [
            "1 : [ 10 11 ] , 2 : [ 10 11 ] <space> 1 : [ 12 11 ] , 2 : [ 10 11 ] <space> 1 20 1",
            "1 : [ 10 11 ] , 2 : [ 10 11 ] <space> 1 : [ 12 11 ] , 2 : [ 12 11 ] <space> 1 20 2",
        ],
        ["1 : [ 12 11 ] , 2 : [ 10 11 ] <space> 1 : [ 10 11 ] , 2 : [ 10 11 ] <space> 1 20 1", "1 20 1"],
    ),
    ("rewrite", "1 20 -> 21 1 <space> 22 10 20 11 20", ["22 21 10 11 20", "22 10 20 21 11"], ["22 21 10 21 11", "22"]),
    ("rewrite", "1 2 1 -> 2 1 <space> 10 10 10 11 10", ["10 10 11 10"], ["10 10 11 10 10", "10 11 10"]),
    (
        "rewrite_multistep_hard",  # the first rule must leave the second its 10 20
        "1 20 -> 21 1 <space> 1 20 11 -> 22 1 <space> 10 20 12 20 11",
        [],
        ["21 10 12 20 11"],
    ),
    (
        "rewrite_multistep_easy",
        "1 20 -> 21 1 <space> 1 20 -> 22 1 <space> 10 20 11 20",
        ["21 10 11 20 <space> 21 10 22 11", "10 20 21 11 <space> 22 10 21 11"],
        ["21 10 22 11", "21 10 11 20", "10 20 21 11 <space> 21 10 22 11", "21 10 11 20 <space> 21 10 22 11 <space> 1"],
    ),
    (
        "induct_rewrite",
        "20 10 21 11 12 10 22 <space> 20 21 10 12 21 21 11 21 22",
        ["1 21 2 3 1 -> 21 1 3 21 21 2 21", "2 21 1 3 2 -> 21 2 3 21 21 1 21", "20 1 21 2 3 1 -> 20 21 1 3 21 21 2 21"],
        ["10 21 2 3 1 -> 21 1 3 21 21 2 21", "1 21 2 3 1", "1 21 2 3 1 -> 21 1 3 21 21 2 21 -> 21", "1 -> 1"],
    ),
]


@pytest.mark.parametrize(("mode", "prompt", "right", "wrong"), BY_HAND, ids=[case[0] for case in BY_HAND])
def test_answers_by_hand(mode, prompt, right, wrong):
    upper = "1 2 3" if "induct_rewrite" in mode else "1 2"
    prompt = f"<UPPER> {upper} <LOWER> 10 11 12 <MATH> 20 21 22 <space> {prompt}"
    task = hp.task(f"lime-{mode}", vocab_size=68)
    ids = hp.tokenizer(task)(prompt)["input_ids"]
    if right:
        assert hp.tokenizer(task).decode(task.solve(ids)) == right[0]
    assert [task.score(prompt, f"{answer} <eos>") for answer in right] == [1] * len(right)
    assert [task.score(prompt, answer) for answer in [*wrong, "", "<space>"]] == [0] * (len(wrong) + 2)


@pytest.mark.parametrize("mode", ["induct", "abduct", "induct_hard", "induct_v3", "rewrite", "induct_rewrite"])
def test_what_has_no_answer_or_is_no_prompt_is_refused(mode):
    task = hp.task(f"lime-{mode}", vocab_size=68)
    header = "<UPPER> 1 <LOWER> 10 11 <MATH> 20 21 <space> "
    unsolvable = {
        "induct": "10 <space> 1 : [ 10 11 ]",
        "abduct": "1 20 <space> 10 11 21",
        "induct_hard": "10",
        "induct_v3": "10 11 <space> 20",
        "rewrite": "1 20 -> 21 1 <space> 10 21",
        "induct_rewrite": "10 20 20 20 20 20 <space> 11 20 20 20 20 20",
    }
    read = hp.tokenizer(task)
    with pytest.raises(ValueError, match=rf"^lime-{mode}: no answer follows from this prompt$"):
        task.solve(read(header + unsolvable[mode])["input_ids"])
    for prompt in ("10 11 20", header.replace("<MATH>", "") + unsolvable[mode], header + "1 <space> 1 <space> 1"):
        if mode == "rewrite" and prompt.startswith(header):
            continue  # two rules are no other layout
        with pytest.raises(ValueError, match=rf"^lime-{mode}: a prompt must be <UPPER> ids <LOWER> .*, got '.*'$"):
            task.solve(read(prompt)["input_ids"])


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("lime-indukt", {}, r"lime: mode must be one of induct, deduct, .*, got 'indukt': did you mean induct\?"),
        ("lime", {"vocab_size": 67}, "lime: vocab_size must be an integer in 68..1048576, got 67"),
        ("lime", {"steps": 0}, "lime: steps must be an integer in 1..32, got 0"),
        ("lime", {"steps": 2, "min_steps": 3}, "lime: min_steps must be at most steps = 2, got 3"),
        ("lime-induct", {"mode": "deduct"}, ".*contradicts.*"),
    ],
)
def test_bad_parameters_are_refused(name, parameters, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        hp.task(name, **parameters)


def test_names_and_vocabulary():
    assert [hp.task(f"lime-{mode}").config_name for mode in MODES] == [f"lime-{mode}" for mode in MODES]
    words = hp.task("lime", vocab_size=70).vocabulary
    assert words[:70] == tuple(map(str, range(70)))
    assert " ".join(words[70:]) == "<UPPER> <LOWER> <MATH> <space> : [ ] , -> <sep> <eos> <pad>"
    sizes = {mode: hp.task(f"lime-{mode}").max_length for mode in MODES}
    assert [sizes[mode] for mode in ("induct", "deduct", "abduct", "rewrite", "induct_rewrite")] == [248] * 3 + [
        252
    ] * 2
    assert hp.task("lime-induct").vocabulary is hp.task("lime-rewrite").vocabulary


def test_the_mixture_of_the_paper_has_equal_shares():
    task = hp.task("lime-induct+lime-deduct+lime-abduct")
    assert len(task.vocabulary) == 1012 and task.max_length == 248
    rows = task.sample(np.random.default_rng(0), 3000)
    prompts = [" ".join(task.vocabulary[i] for i in task.prompt_of(*row)) for row in zip(*rows, strict=True)]
    given = np.array([prompt.count(":") > 0 for prompt in prompts])  # a substitution, so not abduct
    assert_same_distribution(given, np.arange(3000) % 3 > 0, "modes with a substitution in the prompt")


# ---------------------------------------------------------------- distributions, against plain Python


def measured(prompt: str, answer: str) -> dict:
    """What is to be distributed alike: sizes, and where symbols of each kind stand."""
    header, *parts = prompt.split(" <space> ")
    upper, lower, math = (part.split() for part in re.split("<UPPER>|<LOWER>|<MATH>", header)[1:])
    kinds = dict.fromkeys(upper, "U") | dict.fromkeys(lower, "l") | dict.fromkeys(math, "m")
    asked = answer.split(" <space> ")
    found = {"upper ids": len(upper), "parts": len(parts), "answers": len(asked), "second upper": int(upper[1:2] == [])}
    for name, part in [*((f"given {i}", part) for i, part in enumerate((parts[0], parts[-1]))), ("asked", asked[-1])]:
        words = part.split()
        shape = "".join(kinds.get(word, word) for word in words)
        found |= {
            f"{name}: length": len(words) // 4,
            f"{name}: uppers": shape.count("U"),
            f"{name}: maths": shape.count("m") // 2,
            f"{name}: distinct": len(set(words)) // 3,
            f"{name}: start": shape[:2],
            f"{name}: end": shape[-2:],
        }
        if "->" in part:
            left, right = shape.split("->")
            order = [upper.index(word) for word in dict.fromkeys(words) if word in upper]
            found |= {f"{name}: left": len(left), f"{name}: right": len(right), f"{name}: order": str(order[:3])}
        if ":" in part:
            found[f"{name}: value"] = part.split("]")[0].count(" ")
    return found


@pytest.mark.parametrize("mode", MODES)
def test_rows_are_distributed_as_in_the_reference(mode):
    rng, n = random.Random(0), 2000
    task = hp.task(f"lime-{mode}")
    theirs = [measured(*lime_row(rng, mode)) for _ in range(n)]
    ours = [measured(*text) for text in texts(task, n)]
    for name in {name for row in ours + theirs for name in row}:
        assert_same_distribution(
            *(np.array([str(row.get(name)) for row in rows]) for rows in (ours, theirs)), f"{mode}: {name}"
        )


@pytest.mark.parametrize("mode", sorted(REWRITE))
def test_rows_are_distributed_as_in_the_reference_for_other_parameters(mode):
    rng, n = random.Random(1), 1500
    task = hp.task(f"lime-{mode}", vocab_size=68, steps=3, min_steps=2)
    theirs = [lime_row(rng, mode, 68, 2, 3) for _ in range(n)]
    ours = texts(task, n, seed=1)
    for what in ("<space>", "->"):
        assert_same_distribution(
            *(np.array([prompt.count(what) for prompt, _ in rows]) for rows in (ours, theirs)), f"{mode}: {what}"
        )


def test_ids_are_dealt_uniformly():
    """Each place of the alphabet has any id."""
    rows = hp.task("lime-rewrite_multistep_hard", vocab_size=80).sample(np.random.default_rng(0), 8000)[0]
    dealt = np.concatenate([rows[:, 1:25], rows[:, 26:50], rows[:, 51:71]], axis=1)
    assert all(len(set(row)) == 68 for row in dealt.tolist())
    for place in (0, 23, 24, 47, 48, 67):
        assert_same_distribution(dealt[:, place], np.arange(8000) % 80, f"place {place}")


def test_the_order_of_the_variables_tells_nothing_of_the_pattern():
    """Which of the listed ids stands first in the pattern is even, as in the reference."""
    places = []
    for prompt, answer in texts(hp.task("lime-induct"), 4000):
        upper = prompt.split("<LOWER>")[0].split()[1:]
        if len(upper) == 3:
            places.append(next(upper.index(word) for word in answer.split() if word in upper))
    assert_same_distribution(np.array(places), np.arange(len(places)) % 3, "first variable")
