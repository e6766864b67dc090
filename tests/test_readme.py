"""The README against the registry, the recipe's flags and its own examples."""

import dataclasses
import importlib
import re
import shlex

import pytest
from support.running import ROOT

import hf_procedural
from hf_procedural import cli
from hf_procedural.cli import launch, parameters
from hf_procedural.tasks import task_class
from hf_procedural.training import catalogue

README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", hf_procedural.list_tasks())
def test_the_table_tells_every_task_as_it_is(name):
    cls = task_class(name)
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}-{cls.sizes[-1]}` |"))
    _, _, headline, summary, parameters, _ = (cell.strip() for cell in row.split("|"))
    assert (headline, summary) == (cls.headline, cls.summary)
    written = dict(re.findall(r"`(\w+)` \((.+?)\)(?:, |$)", parameters))
    defaults = {field.name: field.default for field in dataclasses.fields(cls) if field.name != cls.headline}
    assert written == {key: "none" if value is None else str(value).lower() for key, value in defaults.items()}


def test_every_flag_and_file_named_exists(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "recipes")
    known = {"help", "quiet", "cpu", "num_processes", "compile", "output"}  # of accelerate launch and plain scripts
    known |= {"no"}  # --no-deps of pip
    known |= {"questions", "template", "max_new_tokens", "models", "runs"}  # of recipes/rpt_evaluate.py
    known |= {"first_step", "against"}  # of benchmarks
    known |= {
        "length",
        "width",
        "json",
        "repo",
        "all",
        "rows",
        "private",
        "revision",
        "dry_run",
        "presets",
        "image",
        "config",
        "config_file",
        "print_completion",
        "fixed_size",
        "format",
        "tokens",
        "workers",
        "executor",
        "part",
        "kind",
        "data",
    }  # of hf-procedural
    recipes = ("pretrain", "probe", "semantic", "rlvr", "rpt", "rpt_prepare", "recycle_train", "recycle_rephrase")
    recipes += ("recycle_report", "recycle_classifier", "recycle_filter", "run_suite")
    for recipe in recipes:
        kinds = [kind for kind in vars(importlib.import_module(recipe)).values() if dataclasses.is_dataclass(kind)]
        known |= {field.name for kind in kinds for field in dataclasses.fields(kind)}
    assert set(re.findall(r"--(\w+)", README)) <= known
    files = re.findall(r"(?:recipes|benchmarks|hf_procedural)/[\w/]+\.(?:py|yaml)", README)
    assert files and all((ROOT / file).is_file() for file in files)


def test_every_command_of_hf_procedural_is_one(monkeypatch):
    monkeypatch.setattr(cli, "load_task_file", lambda file: None)  # my_task.py, with digit_sum
    monkeypatch.setattr(parameters, "read", lambda *_: {})
    commands = re.findall(r"^hf-procedural (.+?)(?: > .*| +#.*)?$", README, re.MULTILINE)
    assert len(commands) > 10
    for words in map(shlex.split, commands):
        args = cli.parse(words)
        if args.run is launch.run:
            assert catalogue.config_of(words[0], words[1]).is_file()


def test_the_first_look_runs(capsys):
    code = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    exec(compile(code, "README.md", "exec"), scope := {})
    printed = capsys.readouterr().out
    start, end = re.search(r"# ([\d ]+) \.\.\. <sep> ([\d ]+) \.\.\.", code).groups()
    question, answer = printed.split(" <sep> ")
    assert question.startswith(start) and answer.startswith(end)
    assert scope["task"].solve([7, 3, 9, 3]) == [3, 3, 7, 9]
