"""`hf-procedural environment`: packages that are the same each time, run, and are never written over other things."""

import asyncio
import json
import sys
import types

import pytest
from support.judge_server import serve

import hf_procedural as hp
from hf_procedural.cli import main
from hf_procedural.environments import Questions, package
from hf_procedural.files import load_yaml
from hf_procedural.rl.prompts import member_of


def write(folder, *words):
    main(["environment", *words, "--output_dir", str(folder)])
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["verifiers", "openenv", "nemo-gym"])
def test_the_same_command_gives_the_same_bytes(tmp_path, kind, capsys):
    words = ["sort-4", "--kind", kind, "--seed", "3", "--vocab_size", "9", "--strict"]
    words += ["--rows", "7"] if kind != "openenv" else []
    first = write(tmp_path / "one", *words)
    assert f"{tmp_path / 'one'}: sort-4, for {kind}" in capsys.readouterr().out
    assert write(tmp_path / "one", *words) == first == write(tmp_path / "two", *words)
    assert b" ".join(map(str.encode, words[:3])) in first["README.md"]
    assert json.loads(first["hf_procedural.json"])["parameters"] == {"vocab_size": 9}


@pytest.mark.parametrize("kind", ["verifiers", "openenv", "nemo-gym"])
def test_a_package_of_reasoning_gym_says_what_it_needs(tmp_path, kind, monkeypatch):
    pytest.importorskip("reasoning_gym", reason="needs pip install 'hf-procedural[reasoning-gym]'")
    needs = f"hf-procedural[reasoning-gym]>={hp.__version__}".encode()
    asked = write(tmp_path / "gcd", "reasoning_gym-gcd", "--kind", kind)
    assert sum(needs in text for text in asked.values()) == 1 and b"HASHSEED" not in asked["README.md"]
    monkeypatch.setattr(package, "ORDERED", {"gcd"})
    assert b"PYTHONHASHSEED=0" in write(tmp_path / "two", "reasoning_gym-gcd", "--kind", kind)["README.md"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["dyck-4", "--kind", "verifiers"], "dyck-4 is a language"),
        (["sorr-4", "--kind", "verifiers"], "did you mean sort"),
        (["sort-4", "--kind", "gym"], "invalid choice: 'gym'"),
        (["sort-4", "--kind", "verifiers", "--turns"], "its questions have no steps"),
        (["sort-4", "--kind", "openenv", "--rows", "5"], "rows 5: an OpenEnv server has questions without an end"),
        (["stack-4", "--kind", "nemo-gym", "--turns"], "kind nemo-gym asks in one reply only"),
        (["sort-4", "--kind", "verifiers", "--rows", "0"], "rows must be at least 1"),
        (["sort-4", "--kind", "verifiers", "--seed", "-1"], "seed must be at least 0"),
        (["sort-4", "--kind", "verifiers", "--template", "nowhere.txt"], "template nowhere.txt"),
        (["sort-4", "--kind", "verifiers", "--p_open", "3"], "unknown argument --p_open"),
        (["my_sort-4", "--kind", "openenv", "--task_file", "mine.py"], "argument --task_file: a package cannot know"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(tmp_path, words, reason, capsys):
    with pytest.raises(SystemExit) as ended:
        write(tmp_path / "here", *words)
    told = capsys.readouterr().err
    assert ended.value.code == 2 and reason in told and len(told.splitlines()) == 1
    assert not (tmp_path / "here").exists()


def test_folders_of_others_are_left_alone(tmp_path, capsys):
    (tmp_path / "pyproject.toml").write_text("mine")
    for folder, reason in ((tmp_path, "is not empty"), (tmp_path / "pyproject.toml", "is a file")):
        with pytest.raises(SystemExit):
            main(["environment", "sort-4", "--kind", "verifiers", "--output_dir", str(folder)])
        assert reason in capsys.readouterr().err
    first = write(tmp_path / "new", "sort-4", "--kind", "verifiers")
    with pytest.raises(SystemExit):
        write(tmp_path / "new", "sort-5", "--kind", "verifiers")
    assert "holds another environment (sort-4, verifiers, or of other settings)" in capsys.readouterr().err
    assert write(tmp_path / "new", "sort-4", "--kind", "verifiers") == first
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["pyproject.toml"]


@pytest.mark.parametrize("kind", ["verifiers", "openenv"])
def test_an_edited_file_and_another_template_are_left_alone(tmp_path, kind, capsys):
    asked, folder = tmp_path / "asked.txt", tmp_path / "made"
    asked.write_text("{summary}: {prompt}")
    words = ["sort-4", "--kind", kind, "--template", str(asked)]
    first = write(folder, *words)
    (folder / "pyproject.toml").unlink()
    (folder / "README.md").write_text("mine")
    with pytest.raises(SystemExit):
        write(folder, *words)
    told = capsys.readouterr().err
    assert f"{folder}: README.md is not as it would be written" in told and told.count("\n") == 1
    assert (folder / "README.md").read_text() == "mine" and not (folder / "pyproject.toml").exists()
    (folder / "README.md").unlink()
    asked.write_text("other: {prompt}")
    with pytest.raises(SystemExit):
        write(folder, *words)
    assert "template.txt is not as it would be written" in capsys.readouterr().err
    assert not (folder / "README.md").exists()
    asked.write_text("{summary}: {prompt}")
    assert write(folder, *words) == first


@pytest.mark.parametrize(("name", "turns"), [("sort-4", False), ("stack-3+word_problem-S3", True)])
def test_a_package_of_verifiers_is_run_by_its_id(tmp_path, name, turns, monkeypatch):
    pytest.importorskip("verifiers.v1", reason="verifiers needs Python 3.11")
    from verifiers.v1.cli.eval.runner import run_eval
    from verifiers.v1.configs.cli.eval import EvalConfig

    (tmp_path / "asked.txt").write_text("{summary}: {prompt}")
    words = [name, "--kind", "verifiers", "--seed", "4", "--split", "test", "--rows", "5"]
    write(tmp_path / "package", *words, "--template", str(tmp_path / "asked.txt"), *["--turns"] * turns)
    (tmp_path / "asked.txt").unlink()  # the package has its own
    monkeypatch.syspath_prepend(tmp_path / "package")
    module = "procedural_stack_3_word_problem_s3" if turns else "procedural_sort_4"
    with serve(lambda question, number: "1") as server:
        config = {
            "env": {"taskset": {"id": module.replace("_", "-")}},
            "client": {"base_url": server.url},
            "output_dir": tmp_path,
            "rich": None,
            "push": False,
        }
        episodes = asyncio.run(asyncio.wait_for(run_eval(EvalConfig.model_validate(config)), 120))
    assert len(episodes) == 5 and all(episode.ok for episode in episodes)
    questions = Questions(name, seed=4, split="test")
    for row, episode in enumerate(episodes):
        data = episode.traces[0].task.data
        assert (data.row, data.prompt_ids) == (row, questions[row].prompt_ids)
        assert data.prompt.startswith(member_of(questions.task, data.prompt_ids).summary)


def stand_in():
    """As much of nemo_gym 0.5 as a resources server takes: it cannot be had here, for it wants openai below 2.8."""
    from pydantic import BaseModel

    class Response(BaseModel):
        output: list[dict]

    class BaseVerifyRequest(BaseModel):
        responses_create_params: dict
        response: Response

    class BaseVerifyResponse(BaseVerifyRequest):
        reward: float

    class SimpleResourcesServer:
        pass

    module = types.ModuleType("nemo_gym.base_resources_server")
    for each in (BaseVerifyRequest, BaseVerifyResponse, SimpleResourcesServer):
        setattr(module, each.__name__, each)
    module.BaseResourcesServerConfig = BaseModel
    return module


def test_rows_of_nemo_gym_are_scored_by_its_server(tmp_path, monkeypatch):
    files = write(tmp_path, "sort-4", "--kind", "nemo-gym", "--rows", "9", "--split", "validation")
    folder = "resources_servers/procedural_sort_4"
    config = load_yaml(files[f"{folder}/configs/procedural_sort_4.yaml"].decode())
    data = config["procedural_sort_4_simple_agent"]["responses_api_agents"]["simple_agent"]["datasets"]
    assert [(each["type"], files[each["jsonl_fpath"]].count(b"\n")) for each in data] == [
        ("example", 5),
        ("validation", 9),
    ]
    monkeypatch.setitem(sys.modules, "nemo_gym", types.ModuleType("nemo_gym"))
    monkeypatch.setitem(sys.modules, "nemo_gym.base_resources_server", stand_in())
    monkeypatch.delitem(sys.modules, "hf_procedural.environments.nemo_gym", raising=False)
    from hf_procedural.environments import nemo_gym

    task, server = hp.task("sort-4"), nemo_gym.ProceduralResourcesServer()
    for line in files[f"{folder}/data/validation.jsonl"].splitlines():
        row = json.loads(line)
        right = task.text(task.solve(row["prompt_ids"]))
        for reply, reward in ((right, 1), (f"So: {right}.", 1), (f"{right} 1", 0), ("", 0)):
            body = nemo_gym.ProceduralVerifyRequest(**row, response=response_of(reply))
            assert asyncio.run(server.verify(body)).reward == reward
    monkeypatch.delitem(sys.modules, "hf_procedural.environments.nemo_gym")


def response_of(text):
    """A response of OpenAI's Responses API, after some reasoning."""
    said = [{"type": "output_text", "text": text, "annotations": []}]
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "1 2 3"}]}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": said}
    return {"id": "resp_1", "object": "response", "output": [thought, message]}
