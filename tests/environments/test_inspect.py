"""Tasks as evaluations of inspect-ai, by its own command against a model that is a server on loopback."""

import os
import subprocess
import sys

import pytest
from support.judge_server import serve

from hf_procedural.environments import Episode, Questions

pytest.importorskip("inspect_ai", reason="inspect-ai 0.3.285 takes no fsspec of CI's version: see constraints.txt")

from inspect_ai.log import list_eval_logs, read_eval_log


def evaluate(server, folder, *words) -> subprocess.CompletedProcess:
    environment = os.environ | {"STUB_BASE_URL": server.url, "STUB_API_KEY": "none", "INSPECT_LOG_DIR": str(folder)}
    command = [sys.executable, "-m", "inspect_ai", "eval", *words, "--model", "openai-api/stub/judge"]
    command += ["--display", "plain", "--no-fail-on-error"]
    # Elsewhere than here, where an egg-info would hide from inspect-ai that this package is installed.
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)


def log_of(folder):
    (log,) = list_eval_logs(str(folder))
    return read_eval_log(log)


def test_samples_are_rows_of_the_test_split_and_scores_those_of_the_task(tmp_path):
    questions = Questions("sort-16", split="test", seed=3, vocab_size=30)
    answers = {}
    for number in range(5, 17):
        question = questions[number]
        right = questions.task.text(questions.task.solve(question.prompt_ids))
        said = [rf"\boxed{{{right}}}", f"The answer is {right.replace(' ', ', ')}.", right[:-1], "no idea"]
        answers[question.text] = said[number % 4]
    with serve(lambda question, number: answers[question]) as server:
        words = ["-T", "rows=12", "-T", "first=5", "-T", "seed=3", "-T", "vocab_size=30"]
        done = evaluate(server, tmp_path, "hf_procedural/sort-16", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    log = log_of(tmp_path)
    assert log.status == "success" and [sample.id for sample in log.samples] == list(range(5, 17))
    for sample in log.samples:
        question = questions[sample.id]
        assert sample.input == question.text and sample.metadata["prompt_ids"] == question.prompt_ids
        assert questions.score(question, sample.target) == 1 and sample.metadata["row"] == sample.id
        score = sample.scores["task_score"].value
        assert score == questions.score(question, answers[question.text]) == float(sample.id % 4 < 2)
    assert log.results.scores[0].metrics["accuracy"].value == 0.5


def test_a_task_in_steps(tmp_path):
    with serve(lambda question, number: r"I say \boxed{1}") as server:
        words = ["-T", "task=stack-4", "-T", "turns=true", "-T", "rows=3"]
        done = evaluate(server, tmp_path, "hf_procedural/procedural", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    questions = Questions("stack-4", split="test", turns=True)
    for sample in log_of(tmp_path).samples:
        episode = Episode(questions, sample.id)
        asked = []
        while not episode.done:
            asked.append(episode.observation)
            episode.step(r"I say \boxed{1}")
        assert [message.text for message in sample.messages if message.role == "user"] == asked and len(asked) > 1
        assert sample.scores["task_score"].value == episode.reward


@pytest.mark.parametrize(
    "words, message",
    [
        (["-T", "task=srot-4"], "unknown task 'srot': did you mean sort"),
        (["-T", "task=dyck-2"], "dyck-2 is a language"),
        (["-T", "rows=0"], "rows must be at least 1, got 0"),
        (["-T", "first=a"], "first must be a whole number, got 'a'"),
        (["-T", "task=3"], "task must be a name such as sort-64, got 3"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(words, message, monkeypatch):
    from inspect_ai._util.error import PrerequisiteError

    from hf_procedural.environments import inspect

    asked = dict(word.split("=") for word in words[1::2])
    asked = {name: int(value) if value.isdigit() else value for name, value in asked.items()}
    with pytest.raises(PrerequisiteError) as caught:
        inspect.procedural(**asked)
    assert message in caught.value.message and "\n" not in caught.value.message
