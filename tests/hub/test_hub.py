"""Publishing, through the real clients and the Hub of tests/hub_server.py."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from datasets import load_dataset
from huggingface_hub import DatasetCard, ModelCard, parse_eval_result_entries
from support import starting
from support.hub_server import empty_hub, environment, python, strays  # noqa: F401
from support.running import ROOT

from hf_procedural import cli
from hf_procedural.cli import publish

SIZES = ("--train_size", "3000", "--validation_size", "40", "--test_size", "0")
BOTH = ("publish", "sort-8", "set-8", "--repo", "alice/procedural", *SIZES)


@pytest.fixture
def command(hub, tmp_path):
    """Runs hf-procedural, or a recipe, as alice would; gives exit code, stdout and stderr."""

    def run(*words, token="hf_alice", recipe=None, fresh=False, **more):
        script = [str(ROOT / recipe)] if recipe else ["-m", "hf_procedural.cli"]
        options = {"env": environment(hub, tmp_path / "home", token) | more, "cwd": tmp_path}
        if not fresh:
            return starting.run(*script, *words, **options)
        return subprocess.run([sys.executable, *script, *map(str, words)], capture_output=True, text=True, **options)

    return run


def good(run) -> str:
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def line_of(run) -> str:
    """The one line that a mistake is told in."""
    said = [line for line in run.stderr.splitlines() if line and not line.startswith("Writing")]
    assert run.returncode == 2 and len(said) == 1 and "Traceback" not in run.stderr, run.stdout + run.stderr
    return said[0]


LOAD = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
from transformers import AutoTokenizer
try:
    import hf_procedural
    raise SystemExit("this is to run without the package")
except ImportError:
    pass
repo, found = sys.argv[1], {}
for name in get_dataset_config_names(repo):
    data = load_dataset(repo, name)
    streamed = load_dataset(repo, name, split="train", streaming=True)
    assert list(streamed.take(5)) == data["train"].to_list()[:5]
    tokenizer = AutoTokenizer.from_pretrained(f"{repo}-{name}")
    found[name] = {split: rows.to_dict() for split, rows in data.items()} | {
        "features": str(data["train"].features),
        "text": tokenizer.decode(data["train"][0]["input_ids"]),
        "ids": tokenizer(tokenizer.decode(data["train"][0]["input_ids"]))["input_ids"],
    }
print(json.dumps(found))
"""


def test_what_is_published_loads_without_this_package(hub, command, tmp_path):
    assert "[2/2] set-8: in alice/procedural, tokenizer in alice/procedural-set-8" in good(command(*BOTH))
    found = json.loads(python(LOAD, environment(hub, tmp_path / "fresh", bare=True), "alice/procedural"))
    assert sorted(found) == ["set-8", "sort-8"] and not strays(tmp_path / "fresh") and not strays(tmp_path / "home")
    for name, made in found.items():
        local = load_dataset("procedural", name, train_size=3000, validation_size=40, test_size=0)
        assert {split: made[split] for split in local} == {split: rows.to_dict() for split, rows in local.items()}
        assert made["features"] == str(local["train"].features)
        assert made["ids"] == local["train"][0]["input_ids"] and "<sep>" in made["text"]
    files = hub.files("datasets", "alice/procedural")
    card = DatasetCard(files["README.md"].decode())
    assert [config["config_name"] for config in card.data.configs] == ["set-8", "sort-8"]
    assert card.data.license == "apache-2.0" and card.data.size_categories == ["1K<n<10K"]
    assert "hf-procedural publish sort-8 --train_size 3000 --validation_size 40 --test_size 0" in card.text
    for name in found:
        tokenizer_files = hub.files("models", f"alice/procedural-{name}")
        tokenizer_card = ModelCard(tokenizer_files["README.md"].decode())
        assert tokenizer_card.data.datasets == ["alice/procedural"] and "tokenizer.json" in tokenizer_files


def test_the_code_on_the_cards_runs(hub, command, tmp_path):
    good(command("publish", "set-8", "--repo", "alice/procedural", *SIZES))
    for kind, repo in (("datasets", "alice/procedural"), ("models", "alice/procedural-set-8")):
        blocks = re.findall(r"```python\n(.*?)```", hub.files(kind, repo)["README.md"].decode(), re.DOTALL)
        script = f"import os; os.chdir({str(tmp_path)!r})\n" + "\n".join(blocks).replace("=1000", "=2")
        assert blocks and "Traceback" not in python(script, environment(hub, tmp_path / "fresh", bare=True))


def test_the_code_on_the_card_of_a_folder_runs(hub, tmp_path, monkeypatch, own_registry):
    """Without this package, of a task that only its author has."""
    page = (ROOT / "docs" / "guides" / "your-own-task.md").read_text()
    monkeypatch.chdir(tmp_path)
    Path("my_task.py").write_text(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0])
    cli.main(["publish", "largest_digit-8", "--task_file", "my_task.py", "--output_dir", "data", *SIZES])
    blocks = re.findall(r"```python\n(.*?)```", Path("data/README.md").read_text(), re.DOTALL)
    script = f"import os; os.chdir({str(tmp_path)!r})\n" + "\n".join(blocks).replace("=1000", "=2")
    printed = python(script, environment(hub, tmp_path / "fresh", bare=True))
    assert re.search(r"^(\d ){8}= \d$", printed, re.MULTILINE) and not strays(tmp_path / "fresh")


def test_publishing_again_changes_what_is_new_and_nothing_else(hub, command, tmp_path):
    good(command(*BOTH))
    before, commits = hub.files("datasets", "alice/procedural"), hub.commits("datasets", "alice/procedural")
    said = good(command(*BOTH))
    assert "[1/2] sort-8: already there" in said and "nothing to do" in said
    assert hub.commits("datasets", "alice/procedural") == commits
    assert len(hub.commits("models", "alice/procedural-sort-8")) == 2  # the initial commit and ours

    dry = command("publish", "sort-8", "stack-8", "--repo", "alice/procedural", "--seed", "1", *SIZES, "--dry_run")
    assert re.search(r"other rows .* sort-8\nnew .* stack-8\n", good(dry))
    assert hub.commits("datasets", "alice/procedural") == commits

    # another seed, fewer splits: the old shards go, the other config stays
    good(command("publish", "sort-8", "--repo", "alice/procedural", "--train_size", "10", "--seed", "1", *SIZES[4:]))
    good(
        command(
            "publish",
            "sort-8",
            "--repo",
            "alice/procedural",
            "--train_size",
            "10",
            "--validation_size",
            "0",
            *SIZES[4:],
        )
    )
    after = hub.files("datasets", "alice/procedural")
    assert sorted(name for name in after if name.startswith("sort-8/")) == ["sort-8/train-00000-of-00001.parquet"]
    assert all(after[name] == before[name] for name in before if name.startswith("set-8/"))
    found = json.loads(python(LOAD, environment(hub, tmp_path / "fresh", bare=True), "alice/procedural"))
    assert len(found["sort-8"]["train"]["labels"]) == 10 and len(found["set-8"]["train"]["labels"]) == 3000


def test_what_others_wrote_stays(hub, command, tmp_path):
    python(
        """
from datasets import Dataset
from huggingface_hub import DatasetCard
Dataset.from_dict({"x": [1, 2]}).push_to_hub("alice/procedural", "mine")
card = DatasetCard.load("alice/procedural")
card.text, card.data.license, card.data.language = "My own words.", "mit", ["de"]
card.push_to_hub("alice/procedural")
""",
        environment(hub, tmp_path / "home", "hf_alice"),
    )
    for name in ("sort-8", "set-8"):
        good(command("publish", name, "--repo", "alice/procedural", *SIZES))
    card = DatasetCard(hub.files("datasets", "alice/procedural")["README.md"].decode())
    assert card.text.strip().startswith("My own words.") and card.text.count("# Procedural pretraining data") == 1
    assert card.data.license == "mit" and card.data.language == ["de"]
    script = "from datasets import load_dataset; print(load_dataset('alice/procedural', 'mine', split='train')['x'])"
    assert "[1, 2]" in python(script, environment(hub, tmp_path / "fresh"))


def test_a_config_of_somebody_else_is_left_alone(hub, command, tmp_path):
    script = "from datasets import Dataset; Dataset.from_dict({'x': [1]}).push_to_hub('alice/procedural', 'sort-8')"
    python(script, environment(hub, tmp_path / "home", "hf_alice"))
    before = hub.files("datasets", "alice/procedural")
    message = line_of(command("publish", "sort-8", "--repo", "alice/procedural", *SIZES))
    assert "alice/procedural has a config sort-8 of somebody else's" in message and len(hub.repos) == 1
    assert hub.files("datasets", "alice/procedural") == before


def test_a_config_whose_files_are_gone_leaves_the_card(hub, command, tmp_path):
    good(command(*BOTH))
    script = "import huggingface_hub as h; h.delete_folder('sort-8', 'alice/procedural', repo_type='dataset')"
    python(script, environment(hub, tmp_path / "home", "hf_alice"))
    good(command("publish", "stack-8", "--repo", "alice/procedural", *SIZES))
    found = json.loads(python(LOAD, environment(hub, tmp_path / "fresh", bare=True), "alice/procedural"))
    assert sorted(found) == ["set-8", "stack-8"]
    assert "in alice/procedural" in good(command(*BOTH))


@pytest.mark.parametrize("content", ["[1]", "null", '{"sort-8": 3}', '{"a":', '{"set-8": {}}'])
def test_damaged_facts_are_told(content, command, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hf_procedural.json").write_text(content)
    message = line_of(command("publish", "sort-8", "--output_dir", "data", *SIZES, "--repo", "alice/procedural"))
    assert "hf_procedural.json of data is damaged" in message
    (tmp_path / "data" / "hf_procedural.json").unlink()
    (tmp_path / "data" / "README.md").write_text("---\nfoo: [1\n---\n")
    assert "README.md of data is damaged" in line_of(command("publish", "sort-8", "--output_dir", "data", *SIZES))


def test_a_killed_publish_is_completed_by_the_next(hub, command, tmp_path):
    words = ["-m", "hf_procedural.cli", *BOTH]
    process = starting.Process(words, env=environment(hub, tmp_path / "home", "hf_alice"), cwd=tmp_path)

    def kill(request):
        request.read(1000)
        os.kill(process.pid, signal.SIGKILL)
        raise ConnectionAbortedError

    for _ in range(3):  # the two files of the first config, and one of the second
        hub.before("PUT", "/lfs/", lambda request: None)
    hub.before("PUT", "/lfs/", kill)
    assert process.wait().returncode == -signal.SIGKILL, "fewer uploads than expected: nothing was killed"
    said = good(command(*BOTH))
    assert "nothing to do" not in said
    found = json.loads(python(LOAD, environment(hub, tmp_path / "fresh", bare=True), "alice/procedural"))
    assert sorted(found) == ["set-8", "sort-8"]


def test_the_hub_fails_twice_then_works(hub, command, tmp_path):
    for method, path in (
        ("POST", "/api/repos/create"),
        ("GET", "/api/datasets/alice/procedural"),
        ("POST", "/commit/"),
        ("POST", "/preupload/"),
        ("POST", "/info/lfs/objects/batch"),
        ("PUT", "/lfs/"),
    ):
        hub.fail(method, path, status=500, times=2)
    hub.cut("PUT", "/lfs/")
    good(command("publish", "sort-8", "--repo", "alice/procedural", *SIZES))
    found = json.loads(python(LOAD, environment(hub, tmp_path / "fresh", bare=True), "alice/procedural"))
    assert len(found["sort-8"]["train"]["labels"]) == 3000


def test_two_publish_at_once(hub, command, tmp_path):
    """A commit that loses a race is made again on top of the other's."""
    words = ["-m", "hf_procedural.cli", "publish", "set-8", "--repo", "alice/procedural", *SIZES]

    def other(request):
        starting.run(*words, env=environment(hub, tmp_path / "other", "hf_alice"), cwd=tmp_path, check=True)

    hub.before("POST", "/api/datasets/alice/procedural/commit/", other)
    good(command("publish", "sort-8", "--repo", "alice/procedural", *SIZES))
    found = json.loads(python(LOAD, environment(hub, tmp_path / "fresh", bare=True), "alice/procedural"))
    assert sorted(found) == ["set-8", "sort-8"]


def test_what_the_hub_refuses_is_said_in_one_line(hub, command, tmp_path):
    words = ("publish", "sort-8", "--repo", "alice/procedural", *SIZES)
    assert "run hf auth login, or set HF_TOKEN" in line_of(command(*words, token=None))
    assert "does not accept the token" in line_of(command(*words, token="hf_wrong"))
    assert "may not write alice/procedural" in line_of(command(*words, token="hf_reader"))
    assert "may not write alice/procedural" in line_of(command(*words, token="hf_bob"))
    assert not hub.repos
    assert "HF_HUB_OFFLINE is set" in line_of(command(*words, HF_HUB_OFFLINE="1"))
    silent = command(*words, HF_ENDPOINT="http://127.0.0.1:9")
    first, second, error = silent.stderr.splitlines()
    assert first.endswith("attempt 2 of 3") and second.endswith("attempt 3 of 3")
    assert silent.returncode == 2 and "does not answer" in error
    good(command(*words, "--private"))
    commits = hub.commits("datasets", "alice/procedural")
    for token in ("hf_bob", "hf_reader"):
        other_seed = command(*words, "--seed", "1", token=token)
        assert "alice/procedural" in line_of(other_seed)
    hub.fail(
        "POST", "/info/lfs/objects/batch", status=403, body='{"error": "Private repository storage limit reached"}'
    )
    assert "no room for alice/procedural" in line_of(command(*words, "--seed", "1"))
    assert hub.commits("datasets", "alice/procedural") == commits


@pytest.mark.parametrize("words", [["--dry_run"], []])
def test_whether_the_hub_answers_is_known_before_any_work(words, monkeypatch, capsys):
    monkeypatch.setattr(publish, "_configs", lambda args: pytest.fail("minutes of work for nothing"))
    with pytest.raises(SystemExit) as end:
        cli.main(["publish", "--all", "--repo", "alice/procedural", *words])
    assert end.value.code == 2 and "HF_HUB_OFFLINE is set" in capsys.readouterr().err


def test_private_and_revision(hub, command, tmp_path):
    words = ("publish", "sort-8", "--repo", "alice/procedural", *SIZES)
    good(command(*words, "--private", "--revision", "draft"))
    assert hub.repos["datasets", "alice/procedural"].private and hub.repos["models", "alice/procedural-sort-8"].private
    assert "README.md" not in hub.files("datasets", "alice/procedural")
    assert "sort-8/train-00000-of-00001.parquet" in hub.files("datasets", "alice/procedural", revision="draft")
    assert 'revision="draft"' in hub.files("datasets", "alice/procedural", revision="draft")["README.md"].decode()
    assert "nothing to do" in good(command(*words, "--revision", "draft"))
    good(command("publish", "set-8", "--repo", "alice/procedural", *SIZES))  # of a private data set
    assert hub.repos["models", "alice/procedural-set-8"].private
    good(command(*words))
    good(command("publish", "set-8", "--repo", "alice/open", *SIZES))
    assert "alice/open exists and is public" in line_of(
        command("publish", "sort-8", "--repo", "alice/open", *SIZES, "--private")
    )


RUN = ("--task", "sort-6", "--size", "2_2_16", "--max_steps", "20", "--train_size", "2000", "--validation_size", "64")
RUN += ("--eval_steps", "10", "--save_steps", "10", "--use_cpu", "true", "--push_to_hub")

MODEL = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = (kind.from_pretrained(sys.argv[1]) for kind in (AutoModelForCausalLM, AutoTokenizer))
ids = torch.tensor([tokenizer("3 1 2 <sep>")["input_ids"]])
torch.save({"ids": ids, "logits": model(input_ids=ids).logits}, sys.argv[2])
"""


def logits(hub, tmp_path, source: str):
    import torch

    python(MODEL, environment(hub, tmp_path / "fresh", bare=True), source, tmp_path / "logits.pt")
    return {
        name: value.detach().numpy() for name, value in torch.load(tmp_path / "logits.pt", weights_only=True).items()
    }


def test_a_recipe_leaves_a_model_repo_with_its_card(hub, command, tmp_path):
    hub.before("POST", "/api/repos/create", lambda request: None)  # ours works, the Trainer's own fails
    hub.fail("POST", "/api/repos/create", status=500, times=2)
    run = command(*RUN, "--output_dir", "run", "--hub_model_id", "alice/sorter", recipe="recipes/pretrain.py")
    good(run)
    files = hub.files("models", "alice/sorter")
    assert {"model.safetensors", "tokenizer.json", "training.png", "recipe.yaml", "README.md"} <= files.keys()
    assert not [name for name in files if name.startswith("checkpoint-")]
    card, results = ModelCard(files["README.md"].decode()), json.loads(files["eval_results.json"])
    assert {result.metric_value for result in card.data.eval_results} >= {results["eval_exact_match"]}
    assert "alice/sorter" in card.text and "training.png" in card.text
    local, remote = (logits(hub, tmp_path, source) for source in (tmp_path / "run", "alice/sorter"))
    assert all(np.array_equal(local[name], remote[name]) for name in local)
    # a finished run can be pushed again, and to another place
    assert "nothing to do" in good(command("publish", "run", "--repo", "alice/sorter"))
    good(command("publish", "run", "--repo", "alice/copy"))
    assert "alice/copy" in hub.files("models", "alice/copy")["README.md"].decode()
    # what somebody writes into the card, on the Hub or here, stays; hidden files stay here
    python(
        "from huggingface_hub import ModelCard; card = ModelCard.load('alice/copy'); card.text += '\\n\\nMine.'\n"
        "card.data.tags.append('sorted'); card.push_to_hub('alice/copy')",
        environment(hub, tmp_path / "home", "hf_alice"),
    )
    (tmp_path / "run" / ".env").write_text("secret")
    report = {"suite": "tasks", "limit": None, "versions": {"lm_eval": "0.4.13"}}
    dataset = {"id": "openai/gsm8k", "config": "main", "split": "test", "revision": None}
    figure = {"task": "gsm8k", "metric": "exact_match", "value": 0.5, "shots": 5, "documents": 4, "dataset": dataset}
    (tmp_path / "run" / "evaluation_tasks.json").write_text(json.dumps(report | {"figures": [figure]}))
    good(command("publish", "run", "--repo", "alice/copy"))
    copied = hub.files("models", "alice/copy")
    assert "Mine." in copied["README.md"].decode() and ".env" not in copied
    # scores are where the Hub reads them, and go where there are none any more
    (score,) = parse_eval_result_entries(yaml.safe_load(copied[".eval_results/hf_procedural.yaml"]))
    assert (score.dataset_id, score.task_id, score.value) == ("openai/gsm8k", "main", 0.5)
    assert score.source_url.endswith("/alice/copy") and not [name for name in files if name.startswith(".eval")]
    (tmp_path / "run" / "evaluation_tasks.json").unlink()
    good(command("publish", "run", "--repo", "alice/copy"))
    assert ".eval_results/hf_procedural.yaml" not in hub.files("models", "alice/copy")
    assert "nothing to do" in good(command("publish", "run", "--repo", "alice/copy"))


def test_a_push_that_fails_loses_nothing(hub, command, tmp_path):
    words = (*RUN, "--hub_strategy", "end", "--hub_model_id", "alice/sorter")
    assert "does not accept the token" in line_of(
        command(*words, "--output_dir", "no", recipe="recipes/pretrain.py", token="hf_wrong")
    )
    assert not (tmp_path / "no").exists()
    hub.fail("POST", "/commit/", status=500, times=2)
    good(command(*words, "--output_dir", "twice", recipe="recipes/pretrain.py"))
    assert "model.safetensors" in hub.files("models", "alice/sorter")
    hub.fail("POST", "/commit/", status=500, times=4)  # the Trainer's attempt and our three
    failed = command(*words, "--output_dir", "run", recipe="recipes/pretrain.py")
    assert failed.returncode == 2 and "Traceback" not in failed.stderr
    last = failed.stderr.splitlines()[-1]
    assert "hf-procedural publish run --repo alice/sorter pushes it" in last
    good(command(*re.search(r"hf-procedural (publish .*) pushes it", last)[1].split()))
    assert (tmp_path / "run/model.safetensors").read_bytes() == hub.files("models", "alice/sorter")["model.safetensors"]


def test_each_run_of_a_study_has_a_repo(hub, command, tmp_path):
    words = (
        "--task",
        "sorting-4",
        "--size",
        "1_1_8",
        "--max_steps",
        "2",
        "--validation_size",
        "16",
        "--seeds",
        "0",
        "1",
    )
    words += ("--use_cpu", "true", "--output_dir", "study", "--push_to_hub", "--hub_model_id", "alice/study")
    good(command(*words, recipe="recipes/probe.py"))
    for seed in (0, 1):
        assert "model.safetensors" in hub.files("models", f"alice/study-sorting-4-scratch-seed_{seed}")


def test_tokens_are_nowhere(hub, command, tmp_path):
    """Not in what is printed, even by debug logging, nor in any file, here or on the Hub."""
    secret = "hf_alice"
    loud = {
        "HF_DEBUG": "1",
        "HF_HUB_VERBOSITY": "debug",
        "TRANSFORMERS_VERBOSITY": "debug",
        "DATASETS_VERBOSITY": "debug",
    }
    runs = [
        command("publish", "sort-8", "--repo", "alice/procedural", *SIZES, **loud, fresh=True),
        command("publish", "sort-8", "--repo", "alice/procedural", *SIZES, **loud),
        command(
            *RUN, "--output_dir", "run", "--hub_model_id", "alice/a",
            recipe="recipes/pretrain.py", **loud, fresh=True,
        ),
        command(
            *RUN, "--output_dir", "run2", "--hub_model_id", "alice/b", "--hub_token", secret,
            recipe="recipes/pretrain.py", token=None, **loud,
        ),
    ]  # fmt: skip
    for run in runs:
        good(run)
        assert secret not in run.stdout + run.stderr
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes(), file
    for kind, name in hub.repos:
        for file, content in hub.files(kind, name).items():
            assert secret.encode() not in content, (name, file)
