"""The taskset, run by verifiers itself against a model that is a server of ours: rewards are what the verifier says."""

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from support.completions import random_completion
from support.judge_server import serve

import hf_procedural as hp
from hf_procedural.environments import Episode, Questions

vf = pytest.importorskip("verifiers.v1", reason="verifiers needs Python 3.11")
from pydantic import ValidationError  # noqa: E402
from verifiers.v1.cli.eval.runner import run_eval  # noqa: E402
from verifiers.v1.configs.cli.eval import EvalConfig  # noqa: E402

from hf_procedural.environments.verifiers import ProceduralConfig, ProceduralTaskset, QuestionTask  # noqa: E402

ID = "hf-procedural-verifiers"


def evaluated(folder, url, rows, agent=None, client=None, **settings):
    """The traces of questions 0, 1, ..., as verifiers' own runner gives them."""
    config = {
        "env": {"taskset": {"id": ID, **settings}, "agent": agent or {}},
        "model": "stub",
        "client": {"base_url": url, **(client or {})},
        "select": {"limit": rows},
        "output_dir": folder,
        "rich": None,
        "push": False,
    }
    episodes = asyncio.run(asyncio.wait_for(run_eval(EvalConfig.model_validate(config)), 120))
    traces = [trace for episode in episodes for trace in episode.traces]
    return sorted(traces, key=lambda trace: trace.task.data.row)


def test_replies_are_worth_what_the_verifier_says(tmp_path):
    questions = Questions("sort-4", seed=2, split="test", vocab_size=10)
    right = {questions[row].text: questions.answer(questions[row]) for row in range(6)}
    said = ["{}", r"<think>9</think> So \boxed{{{}}}.", "{} 1", "", "I do not know", "The answer is {}."]
    replies = {text: form.format(right[text]) for text, form in zip(right, said, strict=True)}
    with serve(lambda question, number: replies[question]) as server:
        settings = {"task_name": "sort-4", "parameters": {"vocab_size": 10}, "seed": 2, "split": "test"}
        traces = evaluated(tmp_path, server.url, 6, **settings)
    assert [trace.rewards["answer"].score for trace in traces] == [1, 1, 0, 0, 0, 1]
    assert [trace.task.data.prompt for trace in traces] == list(right) and not any(trace.errors for trace in traces)
    assert all("tools" not in request for request in server.asked)  # a model answers by itself


def test_steps_are_asked_one_by_one(tmp_path):
    questions = Questions("stack-4", turns=True)
    episodes = [Episode(questions, row) for row in range(3)]
    answers = {episode.observation: episode.answers() for episode in episodes}

    def reply(conversation):
        turn = sum(message["role"] == "assistant" for message in conversation)
        return answers[conversation[0]["content"]][turn] if turn != 2 else "1 2 3 4 5 6"

    with serve(lambda question, number: reply(server.asked[number - 1]["messages"])) as server:
        traces = evaluated(tmp_path, server.url, 3, task_name="stack-4", turns=True)
    assert [(trace.reward, trace.num_turns) for trace in traces] == [(0.75, 4)] * 3
    last = max(server.asked, key=lambda request: len(request["messages"]))["messages"]
    assert [message["role"] for message in last] == ["user", "assistant"] * 3 + ["user"]
    assert last[-1]["content"].startswith("Step 4 of 4:")


@pytest.mark.parametrize(
    ("answer", "told"),
    [(500, "500"), (404, "404"), ({"choices": []}, ""), ({"error": "no"}, ""), (5.0, "")],
    ids=["error", "not found", "no choices", "not OpenAI's", "silent"],
)
def test_a_model_that_fails_is_told_of_its_rollout(tmp_path, answer, told):
    with serve(lambda question, number: answer) as server:
        (trace,) = evaluated(
            tmp_path, server.url, 1, agent={"timeout": {"rollout": 20}}, client={"timeout": {"read": 0.2}}
        )
    assert not trace.ok and trace.reward == 0 and trace.last_error.type == "ProviderError"
    assert told in trace.last_error.message


def test_a_server_that_dies_takes_its_own_rollouts_only(tmp_path):
    questions = Questions("sort-8")
    first = questions[0]
    with serve(lambda question, number: questions.answer(first) if question == first.text else 503) as server:
        traces = evaluated(tmp_path, server.url, 3)
    assert [trace.ok for trace in traces] == [True, False, False] and traces[0].reward == 1


def trace_of(task, *replies):
    nodes = [{"message": {"role": "user", "content": task.data.prompt}, "sampled": False}]
    for place, reply in enumerate(replies):
        message = {"role": "assistant", "content": reply}
        nodes.append({"message": message, "sampled": True, "parent": place})
    told = {"type": "QuestionTask", "data": task.data, "key": task.key, "hash": task.hash}
    agent = vf.AgentInfo(config=vf.AgentConfig(), name="agent")
    return vf.Trace(task=vf.TraceTask(**told), state=vf.State(), agent=agent, nodes=nodes)


@pytest.mark.parametrize("name", ["sort-4", "stack-4+sort-3", "addition-3", "word_problem-S3"])
@pytest.mark.parametrize("strict", [False, True])
def test_any_completion_is_worth_what_the_task_says(name, strict):
    task, draw = hp.task(name), random.Random(1)
    taskset = ProceduralTaskset(ProceduralConfig(id=ID, task_name=name, strict=strict, rows=150))
    total = 0
    for each in taskset:
        completion = random_completion(task, each.data.prompt_ids, draw)
        trace = trace_of(QuestionTask(type(each.data).model_validate_json(each.data.model_dump_json())), completion)
        asyncio.run(each.score(trace))
        assert trace.reward == task.score(each.data.prompt_ids, completion, strict=strict)
        total += trace.reward
    assert (2 if strict else 30) < total < 120


def test_views_and_no_end():
    endless = ProceduralTaskset(ProceduralConfig(id=ID, task_name="set-5"))
    assert not endless.bounded and [task.data.row for task in endless.skip(3).take(2)] == [3, 4]
    finite = ProceduralTaskset(ProceduralConfig(id=ID, task_name="set-5", rows=4))
    assert finite.bounded and sorted(task.data.row for task in finite.shuffle(seed=1)) == [0, 1, 2, 3]
    assert [task.key for task in finite] == [task.key for task in endless.take(4)]


@pytest.mark.parametrize("name", ["sort-4", "stack-4", "stack-4+sort-3", "eca-30"])
@pytest.mark.parametrize("turns", [False, True])
def test_the_solution_is_right_and_silence_is_not(name, turns):
    if turns and "sort" in name:
        return
    for task in ProceduralTaskset(ProceduralConfig(id=ID, task_name=name, turns=turns, rows=5)):
        assert asyncio.run(task.validate(None))
        trace = trace_of(task)
        asyncio.run(task.score(trace))
        assert trace.reward == 0


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"task_name": "sorr-4"}, "unknown task 'sorr': did you mean sort"),
        ({"task_name": "dyck-4"}, "dyck-4 is a language"),
        ({"task_name": "sort-4", "turns": True}, "sort-4: its questions have no steps"),
        ({"task_name": "sort-4", "rows": 0}, "rows must be at least 1, got 0"),
        ({"task_name": "sort-4", "parameters": {"vocab": 3}}, "vocab"),
        ({"task_name": "sort-4", "seed": 3, "parameters": {"seed": 9}}, "give it as seed, beside them"),
        ({"task_name": "sort-4", "parameters": {"template": "x"}}, "give it as template, beside them"),
    ],
)
def test_mistakes(settings, reason):
    with pytest.raises(ValidationError) as error:
        ProceduralConfig(id=ID, **settings)
    (wrong,) = error.value.errors()
    assert reason in wrong["msg"] and "\n" not in wrong["msg"]


def test_its_own_command(tmp_path):
    questions = Questions("sort-4")
    answers = {questions[row].text: questions.answer(questions[row]) for row in range(2)}
    with serve(lambda question, number: answers[question]) as server:
        words = f"{ID} --env.taskset.task-name sort-4 --client.base-url {server.url} -m stub -n 2 --no-rich --no-push"
        command = [Path(sys.executable).with_name("vf-eval"), *words.split(), "--run.name", "first", "-o", tmp_path]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    lines = map(json.loads, (tmp_path / "first" / "traces.jsonl").read_text().splitlines())
    assert [line["traces"][0]["rewards"]["answer"]["score"] for line in lines] == [1, 1]
