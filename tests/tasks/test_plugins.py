"""Other people's tasks: the guide's example, from file, entry point and decorator; broken ones and their reasons."""

import dataclasses
import importlib.metadata
import json
import re
import sys

import numpy as np
import pytest
from datasets import load_dataset
from support.running import ROOT, run_here

import hf_procedural as hp
from hf_procedural import cli
from hf_procedural.tasks import lookup, plugins
from hf_procedural.tasks.registry import REGISTRY

GUIDE = (ROOT / "docs" / "guides" / "your-own-task.md").read_text()
SOURCE = re.search(r"Save this as `my_task.py`:\n\n```python\n(.*?)```", GUIDE, re.DOTALL)[1]
pytestmark = pytest.mark.usefixtures("own_registry")


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my_task.py"
    path.write_text(SOURCE)
    return path


def test_the_readme_s_task_is_about_twenty_lines_and_right(file):
    assert len([line for line in SOURCE.splitlines() if line.strip()]) <= 30
    assert hp.load_task_file(file) == ["largest_digit"] == hp.load_task_file(file)
    hp.check_task(hp.task("largest_digit-5"))
    data = load_dataset("procedural", "largest_digit-6", train_size=100)
    streamed = load_dataset("procedural", "largest_digit-6", train_size=100, split="train", streaming=True)
    assert list(streamed) == data["train"].to_list()
    words = hp.tokenizer("largest_digit-6").decode(data["train"][0]["input_ids"]).split()
    assert max(map(int, words[:6])) == int(words[-1])
    task = hp.task("largest_digit-4")
    assert task.score("1 2 3 4 =", "4") == 1 and task.score("1 2 3 4 =", "1") == 0


def test_it_trains_shows_and_publishes(file, monkeypatch, tmp_path, capsys):
    words = ["--task", "largest_digit-4", "--task_file", file, "--size", "1_1_8", "--max_steps", "4"]
    words += ["--train_size", "500", "--validation_size", "32", "--eval_steps", "2", "--learning_rate", "1e-2"]
    run_here(monkeypatch, "pretrain", *words, "--output_dir", "run")
    results = json.loads((tmp_path / "run" / "eval_results.json").read_text())
    assert 0 <= results["eval_exact_match"] <= 1 and (tmp_path / "run" / "model.safetensors").is_file()
    study = [
        "--task",
        "largest_digit-4",
        "--task_file",
        file,
        "--size",
        "1_1_8",
        "--max_steps",
        "2",
        "--validation_size",
        "8",
    ]
    run_here(monkeypatch, "probe", *study, "--output_dir", "study")
    capsys.readouterr()
    cli.main(["show", "largest_digit-4", "--task_file", str(file), "-n", "1"])
    assert "the largest of the digits" in capsys.readouterr().out
    cli.main(["list", "--task_file", str(file)])
    assert "largest_digit" in capsys.readouterr().out
    cli.main(["publish", "largest_digit-4", "--task_file", str(file), "--output_dir", "data", "--train_size", "40"])
    assert load_dataset("data", "largest_digit-4", split="train").num_rows == 40
    assert f"--task_file {file}" in (tmp_path / "data" / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("largest_digit-6", {}), ("largest_digit-6", {"shuffle_tokens": True}), ("sort-4+largest_digit-6", {})],
)
def test_rows_of_a_changed_task_are_not_those_in_the_cache(name, parameters, file):
    hp.load_task_file(file)
    assert not hp.task(name, **parameters).is_ours and hp.task("sort-4", **parameters).is_ours
    first = load_dataset("procedural", name, train_size=50, split="train", **parameters)["labels"]
    del sys.modules["my_task"], REGISTRY["largest_digit"]
    file.write_text(SOURCE.replace("[max(", "[min(").replace(".max(", ".min("))
    hp.load_task_file(file)
    assert load_dataset("procedural", name, train_size=50, split="train", **parameters)["labels"] != first


BROKEN = [
    ("    def solve(self, prompt_ids):", "    def answer(self, prompt_ids):", "define solve(prompt_ids)"),
    ("return [max(", "return [1 + max(", ", of which it makes "),
    ("return [max(", "return [90 + max(", "which is no token id, for a row: "),
    ("return [max(", "return [mox(", "NameError: name 'mox' is not defined (my_task.py, line "),
    ("labels[:, -1] = input_ids[:, -1]", "labels[:, -1] = 3", "labels must be -100 or equal to input_ids"),
    ("labels[:, -1] = input_ids[:, -1]", "", "a row without a label teaches nothing"),
    (
        "return input_ids, labels",
        "return input_ids[:, 1:], labels",
        "input_ids must have the shape (0, 10), got (0, 9)",
    ),
    ("return input_ids, labels", "return input_ids.astype('int64'), labels", "input_ids must be int32, got int64"),
    ("return input_ids, labels", "return input_ids", "sample must give two arrays"),
    ("rng.integers(10,", "np.random.default_rng().integers(10,", "equal generators must give equal rows"),
    ('"=", "<pad>"', '"=", "pad"', "vocabulary must have <pad>"),
    ('"=", "<pad>"', '"=", "=", "<pad>"', "vocabulary has a token twice"),
    ("frozen=True", "frozen=False", "frozen"),
    ('name = "largest_digit"', 'name = "Largest-Digit"', "name must be a word of lower-case letters"),
    ('headline = "length"', 'headline = "size"', "headline must be one of its fields"),
    ('    summary = "the largest of the digits"\n', "", "summary must be a line"),
    ('name = "largest_digit"', 'name = "sort"', "task name 'sort' is taken by hf_procedural.tasks.sequence.Sort"),
    ("import numpy as np", "import nothing_of_this_name", "ModuleNotFoundError"),
    ("@hp.register\n", "", "registers no task"),
    ("return [max(token for token in prompt_ids if token < 10)]", "return 9", "solve must give a list of ids, got int"),
]


@pytest.mark.parametrize(("right", "wrong", "reason"), BROKEN, ids=lambda value: value[:30].strip())
def test_a_broken_one_is_refused_with_the_reason(right, wrong, reason, file, capsys):
    assert right in SOURCE
    file.write_text(SOURCE.replace(right, wrong))
    before = list(REGISTRY)
    with pytest.raises(ValueError, match=re.escape(reason)) as error:
        hp.load_task_file(file)
    assert "\n" not in str(error.value) and list(REGISTRY) == before
    with pytest.raises(SystemExit):
        cli.main(["show", "largest_digit-4", "--task_file", str(file)])
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [("no.py", "no task_file no.py"), ("json.py", "give the file another name"), ("no.txt", "got no.txt")],
)
def test_files_that_cannot_be_tasks(name, reason, file):
    if name == "json.py":
        file.rename(name)
    with pytest.raises(ValueError, match=reason):
        hp.load_task_file(name)


def test_a_decorated_class_is_checked_when_it_is_first_used():
    @hp.register
    @dataclasses.dataclass(frozen=True)
    class Bad(hp.Task):
        name, headline, sizes, summary = "bad", "length", (3,), "nothing"
        length: int = hp.integer(3, 1, "tokens")
        vocabulary, max_length = ("a", "<pad>"), 3

        def sample(self, rng, n):
            return np.zeros((n, 3), np.int32), np.zeros((n, 3), np.int32)

    with pytest.raises(ValueError, match="bad: define solve"):
        hp.task("bad-3")


def test_packages_offer_tasks_by_entry_points(file, monkeypatch):
    monkeypatch.syspath_prepend(file.parent)
    (file.parent / "my_broken.py").write_text("raise KeyError('oh')")
    points = [importlib.metadata.EntryPoint(name, f"my_{name}", plugins.GROUP) for name in ("task", "broken")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group == plugins.GROUP else ())
    lookup._load_entry_points.cache_clear()
    with pytest.warns(UserWarning, match="entry point broken = my_broken: KeyError: 'oh'"):
        assert hp.list_tasks()[-1] == "largest_digit"
    assert hp.task("largest_digit-4").solve([1, 2, 3, 4]) == [4]
