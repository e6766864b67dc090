"""The documentation against the code: its Python runs, its commands are read by what they start, its YAML loads."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import click
import pytest
from huggingface_hub.cli import hf
from support.pages import DOCS, PAGES, blocks_of, commands_of, name_of
from support.running import RECIPES, ROOT, in_folder, made_once
from support.vocabularies import large_tokenizer

import hf_procedural
from hf_procedural import cli
from hf_procedural.cli import launch
from hf_procedural.files import load_yaml
from hf_procedural.training import catalogue, needs, parser

SCRIPTS = {file: name for name, file in catalogue.FILES.items()}
# Programs that are not ours, or read no arguments that could be checked here.
OTHERS = (
    "pip cd export source git pytest mkdocs tensorboard trackio curl ruff ty bash sbatch trl vllm "
    "pre-commit lm_eval jupyter mkdir ls cat echo inspect ng_run vf-eval vf-validate uvicorn docker openenv "
    "prime litgpt wandb "
)
PLAIN = ("report", "rpt_evaluate")  # recipes that read their few flags by argparse
MADE = ("runs/", "data/", "mine/")  # files of these folders are made by the commands before


def _with(kind, *kinds) -> list:
    return [pytest.param(page, id=name_of(page)) for page in PAGES if kind(page, *kinds)]


@pytest.fixture
def own_task(tmp_path, own_registry):
    """A folder with the guide's my_task.py, whose task is known until the test ends."""
    (tmp_path / "my_task.py").write_text(blocks_of(DOCS / "guides" / "your-own-task.md", "python")[0])
    return tmp_path


@pytest.mark.parametrize("page", _with(commands_of))
def test_every_command_is_one(page, monkeypatch, own_task):
    monkeypatch.setattr(needs, "installed", lambda *_: None)  # such as vllm
    monkeypatch.chdir(own_task)
    for command in commands_of(page):
        try:
            _check(command)
        except (ValueError, SystemExit, click.ClickException) as error:
            pytest.fail(f"{name_of(page)}: {' '.join(command)}: {error}")


def _check(command: list[str]) -> None:
    program, *words = command
    if program == "hf":
        _check(_of_a_job(words))
    elif command[:2] == ["uv", "run"]:
        _check(["python", *words[1:]])
    elif program in ("accelerate", "python", "python3", "torchrun"):
        place = next((i for i, word in enumerate(words) if word.endswith(".py")), None)
        if place is None:
            return
        script = words[place].removeprefix("mine/")
        if script.removeprefix("recipes/") in SCRIPTS:
            _check_recipe(SCRIPTS[script.removeprefix("recipes/")], words[place + 1 :])
        elif "/" in script:
            assert (ROOT / script).is_file(), f"no {script}"
    elif program == "hf-procedural":
        args = cli.parse(words)
        if args.run is launch.run:
            _check_recipe(args.name, args.words)
        elif args.takes_parameters:
            names = args.names if hasattr(args, "names") else [args.name]
            for name in names:
                hf_procedural.task(name, **args.parameters)
    else:
        assert program in OTHERS.split() or program.startswith("$"), f"unknown program {program}"


def _of_a_job(words: list[str]) -> list[str]:
    """The command that a job runs, as huggingface_hub reads its line; click's SystemExit or error where it does not."""
    command = hf.app
    while hasattr(command, "get_command"):
        name, *words = words
        command = command.get_command(click.Context(command), name)
    context = command.make_context("hf", words)
    script = context.params["script"]
    return ["python"] * script.endswith(".py") + [script, *(context.params["script_args"] or []), *context.args]


def _check_recipe(name: str, words: list[str]) -> None:
    """Raises ValueError where a recipe would refuse its words."""
    if {"--help", "-h"} & set(words):
        return
    words = launch._ours(words)
    if words and not words[0].startswith("-"):
        if words[0].startswith(MADE):
            words = words[1:]
        else:
            given = ROOT / words[0]
            words[0] = str(given if given.is_file() else catalogue.config_of(name, words[0]))
    script = catalogue.script_of(name)
    if name in PLAIN:
        assert all(word in script.read_text() for word in words if word.startswith("--")), words
    else:
        parser.of_recipe(script).read(words)


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """A folder with the run that pages begin from, after four steps in place of its 600."""

    def make(folder):
        few = "--max_steps 4 --eval_steps 4 --save_steps 2 --train_size 512 --validation_size 64"
        command = [sys.executable, RECIPES / "pretrain.py", RECIPES / "configs" / "quickstart.yaml", *few.split()]
        done = subprocess.run(command, **in_folder(folder))
        assert done.returncode == 0, done.stderr[-3000:]
        shutil.copytree(folder / "runs/quickstart/checkpoint-2", folder / "runs/quickstart/checkpoint-300")

    return made_once(tmp_path_factory, "quickstart-in-four-steps", make)


@pytest.mark.parametrize("page", _with(blocks_of, "python"))
def test_the_python_of_a_page_runs(page, tmp_path, request):
    """All blocks of a page, one after the other, in one process and a folder with what commands have left there."""
    blocks = [block for block in blocks_of(page, "python") if "localhost" not in block]  # a server has tests of its own
    code = "\n".join(blocks)
    for package in set(re.findall(r"^(?:from|import) (trl|torchdata|reasoning_gym|gradio)", code, re.MULTILINE)):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"no {package}")
    if "runs/quickstart" in code:
        shutil.copytree(request.getfixturevalue("quickstart"), tmp_path, dirs_exist_ok=True)
    for name in set(re.findall(r"Qwen/[\w.-]+", code)):
        large_tokenizer().save_pretrained(tmp_path / name)
    for place, block in enumerate(blocks):
        (tmp_path / f"block_{place}.py").write_text(block)
    lines = ["scope = {'__name__': '__main__'}"]
    names = [f"block_{place}.py" for place in range(len(blocks))]
    lines += [f"exec(compile(open({name!r}).read(), {name!r}, 'exec'), scope)" for name in names]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], **in_folder(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("page", _with(blocks_of, "yaml"))
def test_the_yaml_of_a_page_loads(page):
    for block in blocks_of(page, "yaml"):
        load_yaml(block)


def test_commands_stand_where_they_are_read():
    """In blocks for `sh`, by that name alone."""
    assert [name_of(page) for page in PAGES if blocks_of(page, "bash", "shell", "console")] == []


def test_there_is_something_to_check():
    """Nothing above is empty: a change of how blocks are written does not go by unseen."""
    assert sum(len(commands_of(page)) for page in PAGES) > 80
    assert sum(len(blocks_of(page, "python")) for page in PAGES) > 10
    assert os.environ["HF_HUB_OFFLINE"] == "1"
