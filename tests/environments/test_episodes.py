"""Questions by number and episodes of one or more turns: the same everywhere, worth what the verifier says."""

import json
import random
import re
import subprocess
import sys

import pytest
from datasets import load_dataset
from support.completions import random_completion
from support.running import ROOT

import hf_procedural as hp
from hf_procedural.environments import Episode, Questions
from hf_procedural.environments.episodes import questions_of
from hf_procedural.environments.package import Package
from hf_procedural.rl import answer_reward
from hf_procedural.rl.prompts import member_of

STEPWISE = {
    "stack-6": {},
    "eca-110": {"width": 8, "steps": 4},
    "word_problem-S3": {"length": 6, "min_length": 1},
    "flip_flop-20": {"p_ignore": 0.3},
    "stack-5+word_problem-S4": {},
}


def text_of(task, ids):
    return " ".join(task.vocabulary[token] for token in ids)


def test_question_i_is_row_i():
    rows = load_dataset("procedural", "set-5", seed=3, validation_size=2000, train_size=8, test_size=8, vocab_size=30)
    task, questions = hp.task("set-5", vocab_size=30), Questions("set-5", seed=3, split="validation", vocab_size=30)
    for number in (0, 1, 1023, 1024, 1999, 7):
        row = rows["validation"][number]
        prompt, answer = task.question(row["input_ids"], row["labels"])
        question = questions[number]
        assert (question.number, question.prompt_ids) == (number, prompt)
        assert f"Input: {text_of(task, prompt)}\n" in question.text and task.summary in question.text
        assert questions.score(question, f"It is {text_of(task, answer)}.") == 1


@pytest.mark.parametrize("name", STEPWISE)
def test_steps_lead_to_the_answer(name):
    questions = Questions(name, split="test", turns=True, **STEPWISE[name])
    for number in range(20):
        episode = Episode(questions, number)
        member = member_of(questions.task, episode.question.prompt_ids)
        prompt = member.read(text_of(questions.task, episode.question.prompt_ids), strict=True)
        turns = member.turns(prompt)
        answers = [token for _, answer in turns for token in answer]
        solved = [token for token in member.solve(prompt) if member.vocabulary[token] != "<end>"]
        assert (answers if name.startswith("eca") else turns[-1][1]) == solved
        for turn, (shown, answer) in enumerate(turns):
            assert text_of(member, shown) in episode.observation and not episode.done
            assert (turn == 0) == (member.turn in episode.observation)
            assert episode.step(rf"\boxed{{{text_of(member, answer)}}}") == 1 / len(turns)
        assert episode.done and episode.reward == 1 and episode.observation == ""


def test_a_wrong_step_costs_its_share():
    episode = Episode(Questions("stack-4", turns=True), 0)
    task = episode.questions.task
    right = [text_of(task, answer) for _, answer in task.turns(episode.question.prompt_ids)]
    rewards = [episode.step("no" if turn == 1 else answer) for turn, answer in enumerate(right)]
    assert rewards == [0.25, 0, 0.25, 0.25] and episode.reward == 0.75


def test_replies_lead_to_the_same_state_again():
    episode = Episode(Questions("stack-4", seed=5, split="test", turns=True), 9)
    episode.step("1"), episode.step("\\boxed{}")
    state = json.loads(json.dumps(episode.state()))
    same = Questions(state["task"], seed=state["seed"], split=state["split"], turns=True, **state["parameters"])
    again = Episode.again(same, state)
    assert again.state() == state and again.observation == episode.observation
    for other, differs in (({"vocab_size": 50}, "parameters"), ({"seed": 6}, "seed"), ({"strict": True}, "strict")):
        with pytest.raises(ValueError, match=f"state is of other questions: .*{differs}"):
            Episode.again(Questions("stack-4", **{"seed": 5, "split": "test", "turns": True} | other), state)


@pytest.mark.parametrize(
    "name", ["sort-4", "stack-4+sort-3", "sort-4+addition-3", "addition-3", "word_problem-S3", "lime-rewrite"]
)
@pytest.mark.parametrize("strict", [False, True])
def test_any_answer_is_worth_what_the_task_says(name, strict):
    questions, draw = Questions(name, strict=strict), random.Random(0)
    task, rewards = questions.task, []
    verify = answer_reward(task, strict=strict)
    for number in range(100):
        episode = Episode(questions, number)
        prompt = episode.question.prompt_ids
        completion = random_completion(task, prompt, draw)
        rewards.append(task.score(prompt, completion, strict=strict))
        assert episode.step(completion) == episode.reward == episode.state()["reward"] == rewards[-1]
        assert verify([""], [completion], prompt_ids=[prompt]) == rewards[-1:]  # as TRL asks
    assert (1 if strict else 20) < sum(rewards) < 80


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        (None, {}, "task must be a name such as sort-64, got None"),
        ("dyck-4", {}, "dyck-4 is a language"),
        ("sort-4", {"turns": True}, "sort-4: its questions have no steps"),
        ("sort-4", {"split": "dev"}, "split must be one of train, validation, test, got 'dev'"),
        ("sort-4", {"split": ["test"]}, "split must be one of .* got \\['test'\\]"),
        (3, {}, "task must be a name such as sort-64, got 3"),
        *[("sort-4", {"seed": seed}, "seed must be an integer >= 0, got ") for seed in (-1, 1.5, "x", True, None)],
        ("sort-4", {"seed": 2**70}, "seed must be at least 0 and at most "),
        ("sort-4", {"shuffle_tokens": True}, "leave out shuffle_tokens"),
        ("sort-4", {"template": "nowhere.txt"}, "template nowhere.txt"),
        ("sort-1", {"vocab_size": 2, "split": "test"}, "too few distinct prompts"),
    ],
)
def test_what_has_no_questions(name, settings, reason):
    with pytest.raises(ValueError, match=reason) as error:
        Questions(name, **settings)
    assert "\n" not in str(error.value)


def test_a_template_in_json_from_elsewhere_is_not_opened(tmp_path):
    (tmp_path / "ask.txt").write_text("mine: {prompt}")
    asked = {"task": "sort-4", "seed": 3}
    questions = questions_of(json.dumps(asked | {"template": str(tmp_path / "ask.txt")}))
    assert questions[0] == Questions(**asked)[0] and questions_of(json.dumps(asked | {"template": "/nowhere"}))
    assert questions_of(json.dumps(asked), str(tmp_path / "ask.txt"))[0].text.startswith("mine: ")


@pytest.mark.parametrize("name", ["seed", "split", "template", "turns", "strict", "task", "self"])
def test_parameters_named_like_an_argument_override_nothing(name):
    with pytest.raises(ValueError, match=f"which '{name}' is not: give it as {name}"):
        _ = Package("nemo-gym", "sort-4", {name: "test"}).questions


def test_the_current_folder_changes_no_template_of_ours(monkeypatch, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    (here / "rlvr").write_text("mine: {prompt}")
    (here / "turns").mkdir()
    texts = [Questions("stack-4", turns=turns)[0].text for turns in (False, True)]
    monkeypatch.chdir(here)
    assert [Questions("stack-4", turns=turns)[0].text for turns in (False, True)] == texts
    assert Questions("stack-4", template="rlvr")[0].text == texts[0]
    assert Questions("stack-4", template="./rlvr")[0].text.startswith("mine: ")


def test_mistakes_in_an_episode():
    questions = Questions("sort-4")
    for number in (-1, 2**31, 1.5, "3", None, True):
        with pytest.raises(ValueError, match="row must be a whole number"):
            questions[number]
    episode = Episode(questions, 0)
    with pytest.raises(ValueError, match="reply must be text, got NoneType"):
        episode.step(None)
    episode.step("")
    with pytest.raises(ValueError, match="row 0: the episode is over"):
        episode.step("")
    assert episode.state()["replies"] == [""]


def test_the_documentation_runs_as_it_is_written(capsys):
    text = (ROOT / "docs" / "guides" / "environments.md").read_text().partition("## What counts")[0]
    names = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, names)
    assert "Input: 6 7 7 3 <sep>" in capsys.readouterr().out and names["episode"].done
    assert names["questions"].score(names["question"], "The answer is 3, 6, 7, 7.") == 1


def test_environments_need_neither_torch_nor_transformers():
    script = "import sys, hf_procedural.environments; print({'torch', 'datasets', 'transformers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "set()"
