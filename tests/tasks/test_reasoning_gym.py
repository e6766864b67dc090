"""Data sets of reasoning-gym as tasks: rows of text whose verifier is the set's own."""

import os
import random
import runpy
import subprocess
import sys
import time

import numpy as np
import pytest
from support.running import ROOT

import hf_procedural as hp
from hf_procedural.environments import Questions
from hf_procedural.tasks import reasoning_gym
from hf_procedural.tasks.reasoning_gym_sets import FORMULAS, LENGTHS, LITERALS, ORDERED, REFUSED

pytest.importorskip("reasoning_gym", reason="needs pip install 'hf-procedural[reasoning-gym]'")
QUICK = [
    "chain_sum",
    "gcd",
    "word_sorting",
    "leg_counting",
    "maze",
    "binary_matrix",
    "acre",
    "countdown",
    "list_functions",
]


def rows(name, n=4, **parameters):
    """A task and some of its rows: prompt, as text, and answer."""
    task = hp.task(name, **parameters)
    read = (task.question(*row) for row in zip(*task.sample(np.random.default_rng(7), n), strict=True))
    return task, [(task.text(prompt), task.text(answer).removesuffix("<eos>")) for prompt, answer in read]


@pytest.mark.parametrize("name", QUICK)
def test_the_verifier_is_that_of_the_data_set(name):
    """Scores are those of reasoning-gym's own `score_answer`, on right, wrong, malformed and empty answers."""
    import reasoning_gym

    task, asked = rows(f"reasoning_gym-{name}")
    theirs = reasoning_gym.create_dataset(name, seed=0, size=1)
    for prompt, answer in asked:
        item = task.item(prompt)
        assert prompt == item["question"] + "<sep>" and answer == item["answer"]
        assert task.score(prompt, answer) == task.score(prompt, rf"So \boxed{{{answer}}}.") == 1
        for said in (answer, answer + "0", answer[:-1] + "?", "7", "no idea", "[[1]]", "٣"):
            expected = theirs.score_answer(said, item)
            if name in FORMULAS and expected == 0.01:  # which is for any text
                expected = 0
            assert task.score(prompt, said, graded=True, strict=True) == expected, said
            assert task.score(prompt, said, strict=True) == (expected == 1)
        for nothing in ("", " \n", "<eos>", "<think>" + answer):
            assert task.score(prompt, nothing, graded=True) == 0
        assert task.score(prompt, [255, 254]) == task.score(prompt, [task.sep_id]) == task.score(prompt, [-1]) == 0


def test_a_score_above_one_is_not_right():
    """Of spell_backward, whose scores of words that are too long add up to a little more than 1."""
    import reasoning_gym

    theirs = reasoning_gym.create_dataset("spell_backward", seed=0, size=1)
    task, asked = rows("reasoning_gym-spell_backward", 20)
    above = [
        (prompt, answer + "x") for prompt, answer in asked if theirs.score_answer(answer + "x", task.item(prompt)) > 1
    ]
    assert above and {task.score(*each) for each in above} == {0.0}
    assert {task.score(*each, graded=True) for each in above} == {1.0}


def test_rows_follow_their_generator_and_leave_the_users_alone():
    for name in ("chain_sum", "coin_flip", "pool_matrix", "list_functions"):
        task = hp.task(f"reasoning_gym-{name}")
        random.seed(1)
        np.random.seed(1)
        before = random.getstate(), np.random.get_state()[1].tolist()
        first = task.sample(np.random.default_rng(3), 5)[0]
        assert before == (random.getstate(), np.random.get_state()[1].tolist())
        random.seed(2)
        assert np.array_equal(first, task.sample(np.random.default_rng(3), 5)[0])


def test_neighbouring_seeds_share_no_rows():
    texts = []
    for seed in (0, 1):
        sample = hp.task("reasoning_gym-chain_sum").sample_split(np.random.default_rng(seed), 50, "train")[0]
        texts.append({tuple(row) for row in sample.tolist()})
    assert not texts[0] & texts[1]


def test_parameters_of_the_data_set():
    task, asked = rows("reasoning_gym-chain_sum", config={"min_terms": 5, "max_terms": 5})
    assert all(prompt.count(" + ") + prompt.count(" - ") == 4 for prompt, _ in asked)
    assert task == hp.task(task.config_name, **task.parameters) and task.key != hp.task("reasoning_gym-chain_sum").key


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        (
            "chain_summ",
            {},
            "reasoning_gym: dataset must be a data set of .*, got 'chain_summ': did you mean chain_sum?",
        ),
        (
            "chain_sum",
            {"config": {"min_term": 3}},
            ".* config .* is refused: .*'min_term' .its parameters: min_terms, ",
        ),
        ("chain_sum", {"config": {"min_terms": 9}}, ".* is refused: max_terms must be >= min_terms .its parameters: "),
        (
            "chain_sum",
            {"config": {"seed": 9}},
            "reasoning_gym: config must be .* without seed and size, got {'seed': 9}",
        ),
        ("chain_sum", {"config": "["}, "reasoning_gym: config must be the data set's own parameters by name"),
        (
            "chain_sum",
            {"length": 40},
            "reasoning_gym-chain_sum: none of 200 items fits into length=40 .*; raise length",
        ),
        ("rubiks_cube", {}, "reasoning_gym: rubiks_cube is refused: it gives no answer that scores in "),
    ],
)
def test_mistakes_are_told_in_one_line(name, parameters, message):
    with pytest.raises(ValueError, match=f"^{message}") as told:
        rows(f"reasoning_gym-{name}", **parameters)
    assert "\n" not in str(told.value)


def test_an_unknown_prompt_says_what_to_do():
    with pytest.raises(
        ValueError, match="'What\\?' is no prompt of the rows that this process made last: make the rows"
    ):
        hp.task("reasoning_gym-chain_sum").score("What?", "3")


def test_what_a_model_writes_is_not_run(tmp_path):
    """Nine sets run an answer as Python to score it."""
    file = tmp_path / "written"
    code = f"__import__('pathlib').Path({str(file)!r}).touch()"
    for name in sorted(LITERALS | FORMULAS - ORDERED):
        task, [(prompt, _)] = rows(f"reasoning_gym-{name}", 1)
        for said in (code, f"[{code}]", f"({code}) or 1"):
            assert task.score(prompt, said, graded=True, strict=True) <= 0.01
        assert not file.exists(), name
    task, [(prompt, answer)] = rows("reasoning_gym-countdown", 1)
    assert task.score(prompt, f"{answer}*9**9**9", graded=True) == 0  # nor does it take for ever


def test_an_answer_is_right_with_what_is_around_it():
    questions = Questions("reasoning_gym-gcd")
    question = questions[0]
    assert "symbols" not in question.text and question.text.endswith("inside \\boxed{} at the very end.")
    right = questions.answer(question)
    wraps = (r"\boxed{\text{%s}}", "**%s**", "**%s.**", "$%s$", "The answer is %s.", "7.\nAnswer: %s\nSo it is.")
    for wrap in wraps:
        assert questions.score(question, wrap % right) == 1, wrap
        assert questions.score(question, wrap % (right + "7")) == 0, wrap
        assert Questions("reasoning_gym-gcd", strict=True).score(question, wrap % right) == 0, wrap


@pytest.mark.parametrize("name", ["reasoning_gym-gcd", "reasoning_gym-gcd+sort-4"])
def test_questions_are_scored_in_a_process_that_did_not_make_them(name):
    asked = Questions(name)
    question = next(asked[row] for row in range(50) if "Find" in asked[row].text)
    answer = asked.answer(question)
    for ask in (lambda: asked.score(question, answer) == 1, lambda: asked.answer(question) == answer):
        reasoning_gym._seeds.clear()
        assert ask()


def test_towers_of_powers_are_seen_at_once():
    start = time.perf_counter()
    hanging = ("1" * 24 + "!", "9**" + " " * 8000, "1" * 2000)
    towers = ("9**(9*9*9*9*9)", "9^(9*9)", "9**(99*99)", "((9**99)**99)**99", "9**9**9", "9**999", "2**exp(9)")
    for answer in (*hanging, *towers):
        assert not reasoning_gym._is_harmless("simple_integration", answer), answer
    assert not reasoning_gym._is_harmless("puzzle24", "exp(99**99)")
    assert reasoning_gym._is_harmless("simple_integration", "2*(4*X + 2)**(3/2)/3 + x**10/7 + C")
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("game_of_life_halting", ("x", "0")),
        ("complex_arithmetic", ("nan", "nan+1j")),
        ("puzzle24", ("8*3*1*1", "6*4*1*1")),
        ("coin_flip", ("0", "0.", "1e999999999")),
        ("tower_of_hanoi", ("Move disk 1 from Peg 9 to Peg 8",)),
    ],
)
def test_constants_are_worth_nothing(name, constants, capsys):
    task, asked = rows(f"reasoning_gym-{name}", 6)
    for prompt, answer in asked:
        assert task.score(prompt, answer) == 1
        assert {task.score(prompt, said, graded, strict=True) for said in constants for graded in (0, 1)} == {0.0}
    assert not capsys.readouterr().out


def test_items_in_the_order_of_sets_need_a_fixed_hash():
    """Of processes with other hashes the items differ; with none, they are the same."""
    code = """if True:
        import numpy, hf_procedural as hp
        task = hp.task("reasoning_gym-ransom_note", config={"min_note_length": 2})
        print(hp.task("reasoning_gym-ransom_note").sample(numpy.random.default_rng(0), 3)[0].sum(axis=1))
    """
    for value, code_of_exit in (("0", 0), ("7", 1)):
        environment = os.environ | {"PYTHONHASHSEED": value}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert done.returncode == code_of_exit, done.stderr
    assert done.stderr.splitlines()[-1].endswith("start Python with PYTHONHASHSEED=0")


def test_without_the_package_tasks_are_listed_and_rows_say_what_to_install():
    code = """if True:
        import sys
        sys.modules["reasoning_gym"] = None
        import numpy, hf_procedural as hp
        assert "reasoning_gym" in hp.list_tasks()
        task = hp.task("reasoning_gym-gcd")
        assert task.max_length == 128
        task.sample(numpy.random.default_rng(0), 1)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: tasks of reasoning-gym need it: pip install 'hf-procedural[reasoning-gym]'" in done.stderr


def test_all_data_sets_are_known():
    from reasoning_gym.factory import DATASETS

    theirs = {name for name in DATASETS if not name.startswith("hf_procedural.")} - {"composite"}
    assert theirs == set(LENGTHS) and len(theirs) == 105 and REFUSED.keys() < theirs


def test_a_mixture_of_text_and_numbers():
    task = hp.task("reasoning_gym-gcd+sort-4", **{"sort.vocab_size": 20})
    scored = 0
    for row in zip(*task.sample(np.random.default_rng(0), 20), strict=True):
        prompt, answer = task.question(*row)
        is_text = "Find" in task.text(prompt)
        assert task.score(prompt, answer) == task.score(task.text(prompt), task.text(answer)) == 1
        assert task.ids(task.text(row[0])).tolist() == row[0].tolist()
        assert task.score(prompt, [*answer[:-1], 999]) == 0
        scored += is_text
    assert 0 < scored < 20


def test_the_page_tells_what_is_seen():
    """Some lines of the table, without times, as its command makes them now."""
    seen = runpy.run_path(str(ROOT / "benchmarks" / "reasoning_gym_sets.py"))
    page = (ROOT / "docs" / "guides" / "reasoning-gym.md").read_text()
    told = _cells(page)
    assert len(told) == len(LENGTHS)
    for name in ("gcd", "acre", "coin_flip", "list_functions", "rubiks_cube", "pool_matrix"):
        here = seen["items"]([name])[name]
        *cells, _, stance = seen["line"](name, here, [here])
        assert told[cells[0]] == [*cells[1:], stance]


def _cells(page: str) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    return {name: [*cells, stance] for name, *cells, _, stance in lines}
