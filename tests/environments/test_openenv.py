"""OpenEnv: our server as a process on loopback, and the package's own clients, which lose and confuse nothing."""

import contextlib
import importlib
import json
import os
import random
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest
from support.completions import random_completion
from support.openenv_server import FORK, forked, serve

import hf_procedural as hp
from hf_procedural.environments import Episode, Questions

pytest.importorskip("openenv", reason="openenv wants another mcp than verifiers, so that CI cannot hold both")

from fastapi.testclient import TestClient
from openenv.core import GenericEnvClient

from hf_procedural.environments.openenv import LONGEST, ProceduralAction, ProceduralEnv, main
from hf_procedural.environments.openenv_package import files
from hf_procedural.environments.package import Package

SORT = {"vocab_size": 30}
QUESTIONS = Questions("sort-6", seed=2, **SORT)
STEPS = Questions("stack-4", turns=True)


@pytest.fixture(scope="module")
def servers():
    sort = ("sort-6", "--task_parameters", "{vocab_size: 30}", "--seed", 2, "--max_concurrent_envs", 3)
    with serve(*sort) as (one, process), serve("stack-4", "--turns") as (two, _):
        yield one, two, process.pid


@pytest.fixture(params=[0, 1], ids=["one reply", "in steps"])
def asked(request, servers):
    """A server, and the questions that it should ask."""
    return servers[request.param], (QUESTIONS, STEPS)[request.param]


def right(episode: Episode) -> str:
    questions, prompt = episode.questions, episode.question.prompt_ids
    if questions.turns:
        return " ".join(questions.steps(prompt)[len(episode.replies)][1])
    return " ".join(questions.task.vocabulary[token] for token in questions.task.solve(prompt))


def test_an_episode_goes_as_its_questions_say(asked):
    address, questions = asked
    with ProceduralEnv(base_url=address).sync() as env:
        assert env.state().row is None
        for row in (0, 7):
            episode = Episode(questions, row)
            result = env.reset(row=row, episode_id=f"number {row}")
            assert result.reward is None and env.state().episode_id == f"number {row}"
            assert {name: result.metadata[name] for name in ("seed", "split", "row")} == {
                "seed": questions.seed,
                "split": "train",
                "row": row,
            }
            while not episode.done:
                assert not result.done and result.observation.text == episode.observation
                reply = "no" if len(episode.replies) == 1 else right(episode)
                result = env.step(ProceduralAction(reply=reply))
                assert result.reward == episode.step(reply)
            assert result.done and result.observation.text == ""
            state = env.state()
            assert {name: getattr(state, name) for name in episode.state()} == episode.state()
            assert state.reward == (0.75 if questions.turns else 1) and state.step_count == episode.turns


def test_seed_split_and_row_are_the_question(asked):
    address, questions = asked
    with ProceduralEnv(base_url=address).sync() as env, ProceduralEnv(base_url=address).sync() as other:
        texts = {}
        for client in (env, other):
            for where in (
                {"row": 5},
                {"index": 5},
                {"row": 6},
                {"seed": 9},
                {"seed": 9, "row": 0},
                {"split": "test", "row": 5},
            ):
                text = client.reset(**where).observation.text
                assert texts.setdefault(str(where), text) == text
        assert texts["{'row': 5}"] == texts["{'index': 5}"] == questions[5].text
        assert texts["{'seed': 9}"] == texts["{'seed': 9, 'row': 0}"]
        assert len(set(texts.values())) == 4
        rows = [client.reset().metadata["row"] for client in (env, other, env, other)]
        assert rows == list(range(rows[0], rows[0] + 4))


def test_rewards_are_the_verifier_s(servers):
    draw, task = random.Random(0), hp.task("sort-6", **SORT)
    rewards = []
    with ProceduralEnv(base_url=servers[0]).sync() as env:
        for row in range(300):
            prompt = QUESTIONS[row].prompt_ids
            completion = random_completion(task, prompt, draw)
            env.reset(row=row)
            rewards.append(env.step(ProceduralAction(reply=completion)).reward)
            assert rewards[-1] == task.score(prompt, completion), completion
    assert 0.2 < sum(rewards) / 300 < 0.8


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ({}, "action: reply: Field required"),
        ({"reply": 5}, "action: reply: Input should be a valid string"),
        ({"reply": None}, "action: reply: Input should be a valid string"),
        ({"reply": "1", "answer": "1"}, "action: answer: Extra inputs are not permitted"),
        ({"reply": "1 " * LONGEST}, "action: reply: String should have at most 1048576 characters"),
    ],
)
def test_a_bad_action_changes_nothing(asked, action, reason):
    address, questions = asked
    episode = Episode(questions, 3)
    with GenericEnvClient(base_url=address).sync() as env:
        with pytest.raises(RuntimeError, match="step before reset"):
            env.step({"reply": "1"})
        text = env.reset(row=3).observation["text"]
        if questions.turns:
            text = env.step({"reply": right(episode)}).observation["text"]
            episode.step(right(episode))
        with pytest.raises(RuntimeError) as error:
            env.step(action)
        assert reason in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 200
        assert env.state()["replies"] == episode.replies and text == episode.observation
        while not episode.done:
            result = env.step({"reply": right(episode)})
            episode.step(right(episode))
        assert result.done and env.state()["reward"] == 1
        with pytest.raises(RuntimeError, match="row 3: the episode is over"):
            env.step({"reply": "1"})
        assert env.state()["reward"] == 1


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ({"split": "dev"}, "split must be one of train, validation, test, got 'dev'"),
        ({"split": ["test"]}, r"split must be one of .* got \['test'\]"),
        ({"row": 2**31}, "row must be a whole number in 0..2147483647, got 2147483648"),
        ({"row": "3"}, "row must be a whole number"),
        ({"row": 1, "index": 2}, "row and index are two names"),
        ({"seed": -1}, "seed must be an integer >= 0, got -1"),
        ({"seed": 1.5}, "seed must be an integer >= 0, got 1.5"),
        ({"seed": True}, "seed must be an integer >= 0, got True"),
        ({"episode_id": 5}, "episode_id must be text, got 5"),
        ({"rwo": 5}, r"reset takes seed, split, row \(or index\) and episode_id, got rwo"),
    ],
)
def test_a_bad_reset_leaves_the_episode(servers, where, reason):
    with ProceduralEnv(base_url=servers[1]).sync() as env:
        env.reset(row=1)
        env.step(ProceduralAction(reply="1"))
        before = env.state()
        with pytest.raises(RuntimeError, match=reason) as error:
            env.reset(**where)
        assert "\n" not in str(error.value) and env.state() == before
        env.step(ProceduralAction(reply="1"))


def test_two_clients_have_two_episodes(servers):
    episodes = [Episode(STEPS, row) for row in (10, 11)]
    with ProceduralEnv(base_url=servers[1]).sync() as one, ProceduralEnv(base_url=servers[1]).sync() as two:
        clients = (one, two)
        for client, episode in zip(clients, episodes, strict=True):
            client.reset(row=episode.question.number)
        for turn in range(4):
            for number, (client, episode) in enumerate(zip(clients, episodes, strict=True)):
                reply = right(episode) if number or turn % 2 else "nothing"
                assert client.step(ProceduralAction(reply=reply)).reward == episode.step(reply)
        for client, episode in zip(clients, episodes, strict=True):
            assert client.state().replies == episode.replies
        assert (one.state().reward, two.state().reward) == (0.5, 1)


def begin_and_wait(address: str, begun) -> None:
    ProceduralEnv(base_url=address).sync().reset(row=4)
    begun.set()
    time.sleep(600)


def test_clients_that_die_free_their_sessions(servers):
    address = servers[0]  # with room for three
    begun = [FORK.Event(), FORK.Event()]
    with (
        ProceduralEnv(base_url=address).sync() as env,
        forked(begin_and_wait, address, begun[0]) as one,
        forked(begin_and_wait, address, begun[1]) as two,
    ):
        env.reset(row=4)
        assert all(event.wait(60) for event in begun)
        full = GenericEnvClient(base_url=address).sync()
        with pytest.raises(RuntimeError, match="CAPACITY_REACHED"), full:
            full.reset()
        one.kill(), two.kill()
        assert room_for(address, 2)
        assert env.step(ProceduralAction(reply=right(Episode(QUESTIONS, 4)))).reward == 1


def room_for(address: str, number: int, seconds: float = 30) -> bool:
    """Whether so many clients find room, now or soon."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(RuntimeError), contextlib.ExitStack() as clients:
            for _ in range(number):
                clients.enter_context(ProceduralEnv(base_url=address).sync()).reset(row=4)
            return True
        time.sleep(0.1)
    return False


def test_after_a_time_out_the_episode_is_replayed(servers):
    address, _, process = servers
    with ProceduralEnv(base_url=address, message_timeout_s=0.5).sync() as env:
        text = env.reset(row=8, split="validation").observation.text
        state = env.state()
        os.kill(process, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                env.step(ProceduralAction(reply="1 2 3"))
        finally:
            os.kill(process, signal.SIGCONT)
        with pytest.raises(RuntimeError, match="step before reset"):  # the socket is another, and so is the session
            env.step(ProceduralAction(reply="1 2 3"))
        assert env.reset(seed=state.seed, split=state.split, row=state.row).observation.text == text
        assert env.step(ProceduralAction(reply=right(Episode(Questions("sort-6", 2, "validation", **SORT), 8)))).done


def ask(address: str, path: str, body=None):
    """What the server says by plain HTTP: the status, and what it sends."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, content, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_plain_http(servers):
    address = servers[0]
    answer = right(Episode(QUESTIONS, 3))
    status, reset = ask(address, "/reset", {"row": 3})
    assert status == 200 and reset["observation"]["text"] == QUESTIONS[3].text
    status, stepped = ask(address, "/step", {"action": {"reply": answer}, "row": 3})
    assert (status, stepped["reward"], stepped["done"]) == (200, 1, True)
    assert ask(address, "/step", {"action": {"reply": answer}})[1]["detail"].startswith("step before reset")
    assert ask(address, "/step", {"action": {"reply": 5}, "row": 3}) == (
        422,
        {"detail": "action: reply: Input should be a valid string"},
    )
    assert ask(address, "/reset", {"split": "dev"})[0] == 422
    assert set(ask(address, "/schema")[1]["state"]["properties"]) > {"seed", "split", "row", "replies"}
    assert ask(address, "/metadata")[1]["name"] == "sort-6"


def test_plain_http_names_the_row_where_it_is_missing(servers):
    for where in ({"split": "test"}, {"seed": 3}):
        status, told = ask(servers[0], "/step", {"action": {"reply": "1"}, **where})
        assert status == 422 and told["detail"].endswith("add row")


def test_the_replies_of_an_episode_are_bounded(servers):
    with ProceduralEnv(base_url=servers[1]).sync() as env:
        env.reset(row=1)
        env.step(ProceduralAction(reply="1" * (LONGEST - 1)))
        before = env.state()
        with pytest.raises(RuntimeError, match="at most 1,048,576 characters, got 1,048,577"):
            env.step(ProceduralAction(reply="22"))
        assert env.state() == before
        env.step(ProceduralAction(reply="2"))
        assert env.state().turn == 2


def test_the_task_api(servers):
    address = servers[0]
    assert [split["name"] for split in ask(address, "/sort-6/splits")[1]] == ["train", "validation", "test"]
    assert ask(address, "/sort-6/num_tasks", {"split": "test"}) == (200, {"num_tasks": 2**31})
    task = ask(address, "/sort-6/task", {"split": "train", "index": 5})[1]["task"]
    assert task == {"id": "sort-6-2-train-5", "split": "train", "index": 5, "prompt": QUESTIONS[5].text}
    shown = ask(address, "/sort-6/task_range", {"split": "train", "start": 4, "stop": 7})[1]["tasks"]
    assert [one["index"] for one in shown] == [4, 5, 6] and shown[1] == task
    assert len(ask(address, "/sort-6/tasks", {"split": "train"})[1]["tasks"]) == 100
    assert ask(address, "/sort-6/task", {"split": "train", "index": -1}) == (400, {"detail": "Invalid task index"})
    assert "at most 1,000 tasks" in ask(address, "/sort-6/task_range", {"split": "train"})[1]["detail"]
    assert ask(address, "/sort-6/task", {"split": "dev", "index": 0})[0] == 422


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["dyck-4"], "dyck-4 is a language"),
        (["sort-4", "--turns"], "sort-4: its questions have no steps"),
        (["sortt-4"], "did you mean sort"),
        (["sort-4", "--task_parameters", "5"], "task_parameters must be"),
        (["sort-4", "--task_parameters", "{seed: 3}"], "unknown parameter 'seed'"),
        (["sort-4", "--seed", "-1"], "seed must be at least 0"),
        (["sort-4", "--port", "0"], "port must be at least 1"),
        (["sort-4", "--max_concurrent_envs", "0"], "max_concurrent_envs must be at least 1"),
    ],
)
def test_what_cannot_be_served(capsys, words, reason):
    with pytest.raises(SystemExit) as exit_:
        main(words)
    error = capsys.readouterr().err
    assert exit_.value.code == 2 and reason in error and error.count("\n") == 1


def test_a_port_that_is_used(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as exit_:
            main(["sort-4", "--port", str(port)])
    assert exit_.value.code == 2
    assert f"port {port} of 127.0.0.1: Address already in use; choose another --port" in capsys.readouterr().err


def test_an_action_is_of_its_type(servers):
    with ProceduralEnv(base_url=servers[0]).sync() as env:
        env.reset(row=3)
        with pytest.raises(ValueError, match="action must be ProceduralAction"):
            env.step({"reply": "1"})
        assert env.step(ProceduralAction(reply="1")).done


def test_a_package_serves_what_it_was_written_for(monkeypatch, tmp_path):
    template = tmp_path / "ask.txt"
    template.write_text("{turn} {prompt}!")
    package = Package("openenv", "stack-4", {"vocab_size": 7}, None, 3, "test", turns=True, template=str(template))
    for path, text in files(package).items():
        (tmp_path / "made" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "made" / path).write_text(text)
    template.unlink()
    monkeypatch.syspath_prepend(tmp_path / "made")
    made = importlib.import_module("server.app").app
    with TestClient(made) as client, client.websocket_connect("/ws") as session:
        session.send_json({"type": "reset", "data": {"row": 2}})
        asked = session.receive_json()["data"]["observation"]["text"]
    expected = Questions("stack-4", 3, "test", turns=True, vocab_size=7)[2].text
    assert asked.endswith(expected.splitlines()[-1] + "!") and asked.startswith(package.questions.task.turn)
