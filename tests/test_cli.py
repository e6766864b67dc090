"""`hf-procedural` as users type it. Publishing to a Hub is tested in test_hub.py."""

import configparser
import dataclasses
import io
import json
import os
import re
import runpy
import shlex
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets import get_dataset_config_names, load_dataset
from huggingface_hub import DatasetCard
from huggingface_hub import logging as hub_logging
from huggingface_hub.cli.extensions import ExtensionManifest
from rich.console import Console
from support import compared, starting
from support.cluster import jobs_of, with_slurm
from support.running import RECIPES, ROOT
from support.vocabularies import large_tokenizer
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

import hf_procedural as hp
from hf_procedural import cli
from hf_procedural.cli import diagnose, environment, export, launch, publish, recipes, rows, space, study, try_
from hf_procedural.data import blocks, parquet
from hf_procedural.data.builder import SIZES
from hf_procedural.show import rows as rows_module
from hf_procedural.studies import engine, report
from hf_procedural.tasks import task_class
from hf_procedural.terminal import tell
from hf_procedural.training import catalogue

COMMANDS = ("list", "show", "generate", "export", "publish", "environment", "diagnose", "try", "study", "space")
SMALL = ["--train_size", "30", "--validation_size", "5", "--test_size", "4"]
SMALL_SIZES = {"train_size": 30, "validation_size": 5, "test_size": 4}
FORMS = [{"view": view} for view in ("text", "prompt_completion", "messages")]
FORMS += [{"tokenizer": "tokenizer", "coding": coding} for coding in ("symbols", "text")]
GRID = [f"{name}-{size}" for name in hp.list_tasks() for size in task_class(name).sizes]


@pytest.fixture(autouse=True)
def shell(tmp_path, monkeypatch):
    """An empty working folder, and the console of a log file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/hf-procedural"])
    verbosity, hub_verbosity = datasets.logging.get_verbosity(), hub_logging.get_verbosity()
    yield
    datasets.logging.set_verbosity(verbosity)
    hub_logging.set_verbosity(hub_verbosity)


@pytest.fixture
def run(capsys):
    """Runs a command, given as it is typed or as its words, and gives what it prints."""

    def run(*words) -> str:
        cli.main(shlex.split(words[0]) if len(words) == 1 else list(map(str, words)))
        return capsys.readouterr().out

    return run


def flags_of(parameters: dict) -> list[str]:
    return [word for key, value in parameters.items() for word in (f"--{key}", json.dumps(value))]


def tree(folder) -> dict:
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*")}


def rows_of(dataset) -> list:
    return list(dataset.with_format(None))


# ---------------------------------------------------------------- list


def test_list_names_every_task(run):
    printed = run("list")
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80 and "\x1b" not in printed
    flat = " ".join(printed.split())
    for name in hp.list_tasks():
        kind = task_class(name)
        task = hp.task(f"{name}-{kind.sizes[-1]}")
        (line,) = (line for line in lines[1 : lines.index("")] if line.startswith(f"{name} "))
        numbers = [f"{len(task.vocabulary):,}", f"{task.max_length:,}"]
        assert line.split()[1 : 1 + len(numbers)] == numbers
        assert task.paper in flat and f"{name}-: {', '.join(map(str, kind.sizes))} ({kind.headline})" in flat
        assert task.summary.split()[0] in line


def test_list_as_json_is_the_registry(run):
    listed = json.loads(run("list --json"))
    assert [each["name"] for each in listed] == hp.list_tasks()
    for each in listed:
        kind = task_class(each["name"])
        task = hp.task(f"{each['name']}-{kind.sizes[-1]}")
        assert each["sizes"] == list(kind.sizes) and each["headline"] == kind.headline
        assert each["summary"] == task.summary and each["paper"] == task.paper
        assert [each["vocabulary_size"], each["row_length"]] == [len(task.vocabulary), task.max_length]
        assert each["is_language"] == task.is_language
        assert each["parameters"].keys() | {"shuffle_tokens"} == task.parameters.keys() | {"shuffle_tokens"}
        assert all(facts["help"] and facts["accepted"] for facts in each["parameters"].values())
        defaults = {key: facts["default"] for key, facts in each["parameters"].items()}
        assert json.loads(json.dumps(hp.task(each["name"], **defaults).parameters)) == defaults  # each is a flag


# ---------------------------------------------------------------- show


def test_show_draws_the_first_rows_of_load_dataset(run, specimen, task):
    name, parameters = specimen
    words = ["show", name, *flags_of(parameters), "-n", 5, "--seed", 7, "--split", "validation"]
    data = load_dataset("procedural", name, seed=7, **parameters, **SMALL_SIZES)["validation"]
    rows = [np.array(column, np.int32) for column in (data["input_ids"], data["labels"])]
    drawn = Console(file=io.StringIO(), width=80)
    rows_module.show(task, *rows, console=drawn)
    printed = run(*words)
    assert printed == drawn.file.getvalue() and "row 5" in printed
    assert max(map(len, printed.splitlines())) <= 80 and "\x1b" not in printed
    listed = json.loads(run(*words, "--json"))
    assert listed == rows_module.as_json(task, *rows)
    assert [row["input_ids"] for row in listed] == list(data["input_ids"])


def test_show_more_rows_than_a_block_has(run):
    shown = json.loads(run("show dyck-2 --length 16384 -n 9 --json"))
    data = load_dataset("procedural", "dyck-2", length=16384, train_size=9, validation_size=0, test_size=0)
    assert blocks.block_rows(hp.task("dyck-2", length=16384)) == 8
    assert [row["input_ids"] for row in shown] == list(data["train"]["input_ids"])


@pytest.mark.parametrize(
    ("words", "name", "parameters"),
    [
        ("dyck-3 --length 32", "dyck-3", {"length": 32}),
        ("dyck-3 --length=32 --balanced", "dyck-3", {"length": 32, "balanced": True}),
        ("dyck-3 --balanced --length 32", "dyck-3", {"length": 32, "balanced": True}),
        ("dyck-3 --length 32 --balanced true", "dyck-3", {"length": 32, "balanced": True}),
        ("dyck-3 --length 32 --balanced True", "dyck-3", {"length": 32, "balanced": True}),
        ("dyck-3 --length 32 --balanced false", "dyck-3", {"length": 32}),
        ("dyck-3 --length 32 --p_open=0.4", "dyck-3", {"length": 32, "p_open": 0.4}),
        ("dyck-3 --length 32 --max_depth 4", "dyck-3", {"length": 32, "max_depth": 4}),
        ("dyck-3 --length 32 --max_depth None", "dyck-3", {"length": 32}),
        ("dyck --k 3 --length 32", "dyck-3", {"length": 32}),
        ("sort-17", "sort-17", {}),
        ("sort-4 --shuffle_tokens", "sort-4", {"shuffle_tokens": True}),
        ("eca-30 --width 40 --steps 20", "eca-30", {"width": 40, "steps": 20}),
        ("sort-4+set-6 --weights '[0.6, 0.4]'", "sort-4+set-6", {"weights": [0.6, 0.4]}),
        ("sort-4+dyck-2 --dyck.length 64", "sort-4+dyck-2", {"dyck.length": 64}),
        (
            "sort-4+dyck-2 --length=16 --vocab_size 20 --shuffle_tokens",
            "sort-4+dyck-2",
            {"length": 16, "vocab_size": 20, "shuffle_tokens": True},
        ),
    ],
)
def test_parameters_are_flags(words, name, parameters, run):
    shown = json.loads(run(f"show {words} --json"))
    expected = blocks.block(hp.task(name, **parameters), 0, "train", 0)[0][:3]
    assert [row["input_ids"] for row in shown] == expected.tolist()


# ---------------------------------------------------------------- generate


def test_generated_files_hold_the_rows(run, specimen, tmp_path):
    name, parameters = specimen
    printed = run("generate", name, *flags_of(parameters), "--rows", 40, "--seed", 3, "--output_dir", "data")
    run("generate", name, *flags_of(parameters), "--rows", 7, "--seed", 3, "--output_dir", "data", "--split", "test")
    sizes = {"train_size": 40, "validation_size": 0, "test_size": 7}
    expected = load_dataset("procedural", name, seed=3, **parameters, **sizes)
    loaded = load_dataset("data", cache_dir=str(tmp_path / "cache"))
    assert loaded.keys() == expected.keys()
    for split in loaded:
        assert loaded[split].features == expected[split].features
        assert rows_of(loaded[split]) == rows_of(expected[split])
    tokens = 40 * hp.task(name, **parameters).row_length("train")
    assert re.fullmatch(rf"data: 40 rows, {tokens:,} tokens, 0\.\d MB in 1 Parquet file\n", printed)


def test_generate_leaves_an_export_alone(run, tmp_path, capsys):
    run("export sort-4 --format megatron --rows 40 --output_dir data")
    before = tree(tmp_path)
    with pytest.raises(SystemExit):
        run("generate sort-4 --rows 40 --output_dir data")
    assert "output_dir data holds export.json, that of an export: choose another folder" in capsys.readouterr().err
    assert tree(tmp_path) == before


def test_generate_again_changes_no_file(run, tmp_path):
    words = "generate sort-4 --rows 40 --output_dir data"
    printed, before = run(words), tree(tmp_path)
    assert run(words) == printed and tree(tmp_path).keys() == before.keys()
    files = [path for path in before if path.is_file()]
    assert files and all(path.stat().st_mtime_ns == before[path] for path in files)


@pytest.mark.parametrize("num_proc", [1, 2])
def test_an_interruption_is_one_line_and_the_next_run_goes_on(num_proc, tmp_path, monkeypatch, run):
    """SIGINT for the whole process group, as on a terminal."""
    script = """
from hf_procedural import cli
from hf_procedural.data import parquet
parquet.SHARD_BYTES = 1  # a block in each file
cli.main()
"""
    words = ["generate", "sort-64", "--rows", "150_000", "--output_dir", "data", "--num_proc", str(num_proc)]
    done = starting.run("-c", script, *words, signal_at=("data/*.parquet", signal.SIGINT))
    last = "hf-procedural: interrupted; run the same command again, it goes on where it stopped"
    assert done.returncode == 1 and done.stderr.splitlines() == [last]
    made = sorted(tmp_path.glob("data/*.parquet"))
    before = {file: file.stat().st_mtime_ns for file in made}
    assert 0 < len(made) < 140
    monkeypatch.setattr(parquet, "SHARD_BYTES", 1)
    assert run(*words[:-1], 1).startswith("data: 150,000 rows")
    after = {file: file.stat().st_mtime_ns for file in tmp_path.glob("data/*.parquet")}
    assert before.items() <= after.items() and len(after) == 148
    assert not list(tmp_path.glob("data/*.tmp")) + list(tmp_path.glob("data/.*.tmp"))


def test_parts_of_generated_files_make_the_whole(run):
    words = ["generate", "sort-4", "--rows", "9e3", "--shard_rows", "2048", "--output_dir"]
    assert run(*words, "parts", "--part", "1/2") == "parts: part 1/2 is done; others are still to come\n"
    assert [file.name for file in sorted(Path("parts").iterdir())] == [
        f"train-0000{n}-of-00005.parquet" for n in (1, 3)
    ]
    assert run(*words, "parts", "--part", "0/2").startswith("parts: 9,000 rows, 81,000 tokens, ")
    run(*words, "whole", "--workers", "2")
    parts, whole = ({file.name: file.read_bytes() for file in Path(name).iterdir()} for name in ("parts", "whole"))
    assert parts == whole and len(whole) == 5


# ---------------------------------------------------------------- publish, to a folder


def test_a_cluster_makes_what_is_published(run, monkeypatch, tmp_path_factory):
    submitted = with_slurm(monkeypatch, tmp_path_factory.mktemp("slurm"))
    words = ["publish", "sort-4", "set-4", *SMALL, "--output_dir"]
    cluster = ["--executor", "slurm", "--executor_options", '{"partition": "a", "time": "1:00"}', "--workers", "2"]
    assert run(*words, "out", *cluster).count("2 tasks in the queue") == 2 and not Path("out/README.md").exists()
    for job in jobs_of(submitted):
        for task in range(2):
            job.run(monkeypatch, task)
    assert "[2/2] set-4: in out\n" in run(*words, "out", *cluster)
    run(*words, "here")
    made, expected = ([*sorted(Path(name).rglob("*.parquet"))] for name in ("out", "here"))
    assert [file.read_bytes() for file in made] == [file.read_bytes() for file in expected] and len(made) == 6


def test_publish_twice(run, tmp_path):
    words = f"publish sort-8 dyck-3+set-6 --dyck.length 16 --output_dir data {shlex.join(SMALL)} --seed 2"
    with pytest.raises(SystemExit):  # sort has no such parameter
        run(words)
    words = words.replace("sort-8 ", "")
    assert run(words).splitlines() == ["[1/1] dyck-3+set-6-dyck.length_16: in data"]
    printed = run(f"publish sort-8 set-4 --output_dir data {shlex.join(SMALL)} --seed 2").splitlines()
    assert printed == ["[1/2] sort-8: in data", "[2/2] set-4: in data"]
    before = tree(tmp_path)
    assert run(words).splitlines() == [
        "[1/1] dyck-3+set-6-dyck.length_16: already there",
        "nothing to do: all of it is there already",
    ]
    after = tree(tmp_path)
    assert after.keys() == before.keys()
    assert all(after[path] == before[path] for path in before if path.suffix == ".parquet")
    configs = {"sort-8": {}, "set-4": {}, "dyck-3+set-6-dyck.length_16": {"dyck.length": 16}}
    assert set(datasets.get_dataset_config_names("data")) == set(configs)
    for config, parameters in configs.items():
        name = "dyck-3+set-6" if parameters else config
        loaded = load_dataset("data", config, cache_dir=str(tmp_path / "cache"))
        expected = load_dataset("procedural", name, seed=2, **parameters, **SMALL_SIZES)
        assert loaded.keys() == expected.keys()
        for split in loaded:
            assert loaded[split].features == expected[split].features
            assert rows_of(loaded[split]) == rows_of(expected[split])
    card = DatasetCard.load("data/README.md")
    assert {config["config_name"] for config in card.data["configs"]} == set(configs)
    assert all(f"### {config}\n" in card.text for config in configs)


@pytest.mark.parametrize(
    "words",
    [
        "sort-4",
        "sort",
        "dyck-3 --length 16 --p_open=0.4 --balanced --seed 4",
        "dyck-3 --length 16 --max_depth none",
        "sort-4 --fixed_size false",
        "sort-4+dyck-2 --dyck.length 16 --weights '[0.6, 0.4]' --shuffle_tokens",
        "sort-4 --view text",
        "haystack-4 --vocab_size 40 --view messages --seed 2",
        "sort-4 --tokenizer tokenizer --coding_seed 3",
        "sort-4 --tokenizer tokenizer --coding text",
    ],
)
def test_a_config_names_the_command_that_makes_it(words, run, tmp_path):
    if "--tokenizer" in words:
        large_tokenizer().save_pretrained("tokenizer")
    run(f"publish {words} --output_dir 'my data' {shlex.join(SMALL)}")
    ((config, entry),) = json.loads(Path("my data/hf_procedural.json").read_text()).items()
    assert f"`{entry['command']}`" in Path("my data/README.md").read_text()
    before = {path.relative_to("my data"): path.read_bytes() for path in Path("my data").glob("*/*")}
    Path("my data").rename("first")
    name, *command = shlex.split(entry["command"])
    assert name == "hf-procedural" and run(*command) == f"[1/1] {config}: in my data\n"
    assert {path.relative_to("my data"): path.read_bytes() for path in Path("my data").glob("*/*")} == before
    assert json.loads(Path("my data/hf_procedural.json").read_text()) == {config: entry}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_rows_are_published_and_written_in_every_form(form, run, tmp_path):
    large_tokenizer().save_pretrained("tokenizer")
    flags = shlex.join(word for key, value in form.items() for word in (f"--{key}", value))
    expected = load_dataset("procedural", "haystack-4", seed=2, **form, **SMALL_SIZES)
    run(f"publish haystack-4 {flags} --seed 2 --output_dir data {shlex.join(SMALL)}")
    (config,) = get_dataset_config_names(str(tmp_path / "data"))
    published = load_dataset("data", config, cache_dir=str(tmp_path / "cache"))
    rows = len(expected["train"])
    run(f"generate haystack-4 {flags} --seed 2 --output_dir rows --rows {rows} --workers 2 --shard_rows 8")
    written = load_dataset("rows", cache_dir=str(tmp_path / "other_cache"))
    for loaded in (published, written):
        assert loaded["train"].features == expected["train"].features
        assert list(loaded["train"]) == list(expected["train"])
    if "tokenizer" in form:
        kept = [hp.Coding.load(folder) for folder in (f"data/{config}", "rows")]
        made = hp.Coding.make(hp.task("haystack-4"), large_tokenizer(), form["coding"])
        assert [(coding.kind, coding.digest) for coding in kept] == [(made.kind, made.digest)] * 2
    code = re.search(r"```python\n(.*?)```", Path("data/README.md").read_text(), re.S)[1]
    assert "print" in code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_dry_run_of_the_grid(run, tmp_path, monkeypatch):
    monkeypatch.setattr("hf_procedural.data.blocks._BLOCK_TOKENS", 0)  # first blocks of 8 rows
    run(f"publish sort-16 --output_dir data {shlex.join(SMALL)}")
    before = tree(tmp_path)
    printed = run("publish --all --dry_run --output_dir data")
    table = {line.split()[-1]: (line[:13].strip(), line[13:].split()[0]) for line in printed.splitlines()[:-2]}
    assert list(table) == GRID and max(map(len, printed.splitlines())) <= 80
    rows = sum(SIZES.values())
    assert printed.splitlines()[-2].startswith(f"{sum(rows * hp.task(name).max_length for name in GRID):,} tokens")
    for name, (what, shown_rows) in table.items():
        assert shown_rows == f"{rows:,}"
        assert what == ("other rows" if name == "sort-16" else "new")
    assert "Nothing was pushed or written" in printed and printed.splitlines()[-1] == "It would go to data."
    shuffled = run("publish --all --shuffle_tokens --dry_run --output_dir data").splitlines()[:-2]
    assert [line.split()[-1] for line in shuffled] == [f"{name}-shuffle_tokens_True" for name in GRID]
    assert run(f"publish sort-16 --output_dir data --dry_run {shlex.join(SMALL)}").startswith("already there")
    run("publish sort-16 --output_dir new/folder --dry_run")
    assert tree(tmp_path) == before


def test_presets_are_configs_of_their_own(run, tmp_path):
    small = "--output_dir data --train_size 20 --validation_size 4 --test_size 0"
    run(f"publish lee2026-web wu2021-mixed nca-10 {small}")
    run(f"publish lee2026-web --length 76 {small}")
    names = get_dataset_config_names(str(tmp_path / "data"))
    assert names == ["lee2026-web", "lee2026-web-length_76", "nca-10", "wu2021-mixed"]
    listed = run("list --presets")
    assert all(name in listed for name in hp.tasks.PRESETS) and max(map(len, listed.splitlines())) <= 80
    assert json.loads(run("list --presets --json"))["lee2026-code"]["parameters"] == {"complexity": [0.3, 0.4]}


@pytest.mark.parametrize("other", ["--train_size 31", "--test_size 5", "--seed 1"])
def test_other_rows_of_a_config_are_refused(other, run, tmp_path, error_of):
    words = f"publish sort-4 --output_dir data {shlex.join(SMALL)}"
    run(words)
    message = error_of(f"{words} {other}", tmp_path)
    assert "data/sort-4/" in message and "does not hold these rows: choose another folder, or remove it" in message


def test_script_of_a_checkout(monkeypatch, capsys):
    script = ROOT / "dataset_scripts" / "publish.py"
    monkeypatch.setattr(sys, "argv", [str(script), "sort-8", "--output_dir", "data", *SMALL])
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out == "[1/1] sort-8: in data\n"
    assert load_dataset("data", "sort-8").num_rows == {"train": 30, "validation": 5, "test": 4}
    for command in re.findall(r"^    python dataset_scripts/publish.py (.*?) +#", script.read_text(), re.MULTILINE):
        cli.parse(["publish", *shlex.split(command)])


# ---------------------------------------------------------------- recipes


def test_every_recipe_is_a_command_with_its_settings(run):
    assert sorted(catalogue.FILES.values()) == sorted(path.name for path in RECIPES.glob("[!_]*.py"))
    listed = " ".join(run("recipe list").split())
    for name in catalogue.FILES:
        assert f"{name} {catalogue.summary_of(name)}" in listed
    configs = [config for name in catalogue.FILES for config in catalogue.configs_of(name)]
    assert sorted(configs) == sorted(path.stem for path in (RECIPES / "configs").glob("*.yaml"))
    assert all(f"{config}" in listed for config in configs)
    assert f"For hf-procedural study: {', '.join(catalogue.studies())} " in listed and "laptop" in catalogue.studies()
    for path in (RECIPES / "configs").glob("*.yaml"):
        assert path.read_text().startswith(f"# hf-procedural {catalogue.recipe_of(path)} {path.stem}\n")


@pytest.mark.parametrize("name", catalogue.FILES)
def test_a_copied_recipe_has_all_that_it_needs(name, run, tmp_path, error_of):
    printed = run("recipe", "copy", name, "mine").splitlines()
    script = Path("mine", catalogue.FILES[name])
    assert script.read_text() == (RECIPES / script.name).read_text()
    assert all(Path(line).is_file() for line in printed[:-1]) and f"{script} --help" in printed[-1]
    text = script.read_text()
    templates = re.findall(r'(?:TEMPLATES|templates_of\(__file__\)) / "(\w+\.txt)"', text)
    needed = {Path("mine/templates", name) for name in templates}
    needed |= {Path("mine/pretrain.py")} if "import pretrain" in text else set()
    assert {Path(line) for line in printed[:-1]} == {script, *needed}
    assert f"{script} is there already" in error_of(f"recipe copy {name} mine", tmp_path)


def test_what_is_accelerates_and_what_the_recipes():
    from accelerate.commands.launch import launch_command_parser

    from hf_procedural.training.stage_arguments import StageArguments

    options = {option for action in launch_command_parser()._actions for option in action.option_strings}
    fields = {f"--{field.name}" for field in dataclasses.fields(StageArguments)}
    assert options & fields == launch.RECIPES_OWN - {"--help"}
    assert options >= launch._SPREADS
    words = shlex.split("a.yaml --num-processes=2 --init_from x y --config_file single_gpu --cpu --seed 1")
    taken = {"--num_processes": True, "--config_file": True, "--cpu": False}
    ours, theirs = launch.split(words, taken)
    assert ours == shlex.split("a.yaml --init_from x y --seed 1")
    single = str(RECIPES / "accelerate" / "single_gpu.yaml")
    assert theirs == ["--num_processes", "2", "--config_file", single, "--cpu"]


@pytest.mark.parametrize("name", catalogue.launch_configurations())
def test_a_configuration_is_one_of_accelerates(name):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(RECIPES / "accelerate" / f"{name}.yaml"))
    assert config.mixed_precision == "bf16"


def test_completion_names_commands_and_settings(run):
    script = run("--print_completion bash")
    assert all(word in script for word in ("pretrain", "quickstart", "single_gpu", "--dry_run"))
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


# ---------------------------------------------------------------- mistakes


@pytest.fixture
def error_of(capsys):
    """The one line with which a command ends that is refused, and changes nothing in a folder."""

    def error_of(command: str, folder) -> str:
        before = tree(folder)
        with pytest.raises(SystemExit) as exit_:
            cli.main(shlex.split(command))
        captured = capsys.readouterr()
        assert exit_.value.code == 2 and captured.out == ""
        assert captured.err.count("\n") == 1, captured.err
        assert re.match(r"hf-procedural( \w+){0,2}: error: ", captured.err)
        assert tree(folder) == before
        return captured.err

    return error_of


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "required: COMMAND"),
        (
            "lst",
            "unknown command 'lst': did you mean list? (commands: list, show, generate, export, publish, environment",
        ),
        ("pretran quickstart", "unknown command 'pretran': did you mean pretrain?"),
        ("recipe", "required: COMMAND"),
        ("recipe cpy", "unknown command 'cpy': did you mean copy? (commands: list, copy)"),
        ("recipe copy pretran .", "unknown recipe 'pretran': did you mean pretrain?"),
        ("recipe copy pretrain", "required: DIR"),
        ("recipe copy pretrain file", "DIR file is a file; name a folder"),
        ("recipe copy pretrain new --config quickstrat", "no settings 'quickstrat': did you mean quickstart?"),
        ("recipe copy pretrain new --config quikstart.yaml", "no file 'quikstart.yaml': did you mean quickstart?"),
        ("recipe copy pretrain new --config .", "config: no file '.'"),
        ("recipe copy pretrain new --config c4", "c4 is no setting of pretrain: hf-procedural semantic c4"),
        (
            "pretrain quickstrat",
            "pretrain has no settings 'quickstrat': did you mean quickstart? (its own: brevo, capo",
        ),
        ("pretrain c4", "c4 is no setting of pretrain: hf-procedural semantic c4"),
        ("pretrain quickstart --config_file single_gpus", "no file 'single_gpus': did you mean single_gpu?"),
        ("pretrain quickstart --num_processes two", "argument --num_processes"),
        ("--print_completion fsh", "invalid choice: 'fsh'"),
        ("list --jsn", "unknown argument '--jsn': did you mean --json?"),
        ("list sort-64", "unknown argument 'sort-64'"),
        ("show", "required: NAME"),
        ("show srot-64", "unknown task 'srot': did you mean sort"),
        ("show sort-x", "the size after the dash must be an integer, as in sort-64, got 'x'"),
        ("show sort-4+srot-3", "unknown task 'srot': did you mean sort"),
        ("show --length 32 dyck-3", "--length 32: the name of a task comes first, its parameters follow"),
        ("show --dyck.length 32 sort-4+dyck-3", "--dyck.length 32: the name of a task comes first"),
        ("show --jsn sort-4", "unknown argument --jsn: did you mean --json?"),
        ("show sort-4 set-4", "unknown argument 'set-4'"),
        ("show sort-4 --vocabsize 30", "unknown argument --vocabsize: did you mean --vocab_size?"),
        ("show sort-4 --lenght=30", "unknown argument --lenght: did you mean --length?"),
        ("show sort-4 --spl train", "unknown argument --spl: did you mean --split?"),
        ("show sort-4 --split dev", "invalid choice: 'dev' (choose from 'train', 'validation', 'test')"),
        ("show sort-4 --vocab_size x", "vocab_size must be an integer in 2..1048576, got 'x'"),
        ("show sort-4 --vocab_size", "vocab_size must be an integer in 2..1048576, got True"),
        ("show sort-4 --length 5", "length=5 contradicts the size in the name"),
        ("show sort-4 --weights '[1]'", "unknown parameter 'weights'"),
        ("show sort-4 --train_size 5", "unknown argument --train_size"),
        ("show dyck-3 --p_open 2", "p_open must be a number in 0..1, got 2"),
        ("show sort-4+dyck-2 --dyk.length 64", "no member has a parameter 'dyk.length'"),
        ("show sort-4+dyck-2 --weights 3", "weights must be 2 positive numbers"),
        ("show sort-4 -n 0", "-n must be at least 1, got 0"),
        ("show sort-4 --seed -1", "seed must be at least 0, got -1"),
        ("show sort-1 --vocab_size 3 -n 9 --split test", "sort"),
        ("generate sort-4 --rows 5", "required: --output_dir"),
        ("generate sort-4 --output_dir data", "required: --rows"),
        ("generate sort-4 --output_dir data --rows 0", "rows must be at least 1, got 0"),
        ("generate sort-4 --output_dir data --rows 1.5", "must be a whole number, such as 1_000_000 or 1e6, got '1.5'"),
        ("generate sort-4 --output_dir data --rows 5 --part 2/2", "part must be I/N with I from 0 to N - 1"),
        ("publish sort-4 --repo a/b --executor slurm", "executor slurm needs --output_dir DIR"),
        ("generate sort-4 --output_dir data --rows 5 --num_proc 0", "num_proc must be at least 1, got 0"),
        ("generate sort-4 --output_dir data --rows 5 --fixed_size no", "fixed_size must be true or false, got 'no'"),
        ("generate sort-4 --output_dir data --rows 5 --num_procs 2", "did you mean --num_proc?"),
        ("generate sort-4 --output_dir file --rows 5", "file"),
        ("generate sort-4 --output_dir taken --rows 5", "taken/train-00000-of-00001.parquet does not hold these rows"),
        ("publish", "name the tasks to publish, such as sort-64, or give --all; one of the two"),
        ("publish sort-4 --all --output_dir data", "one of the two"),
        ("publish --length 32 dyck-3 --output_dir data", "--length 32: the name of a task comes first"),
        (
            "publish --all --vocab_sise=50 --output_dir data",
            "unknown argument --vocab_sise: did you mean --vocab_size?",
        ),
        ("publish --all --vocab_size=50 --output_dir data", "dyck: unknown parameter 'vocab_size'"),
        ("publish sort-4", "where to? Give --repo USER/NAME, or --output_dir DIR for a folder"),
        ("publish srot-4 --output_dir data", "unknown task 'srot': did you mean sort"),
        ("publish sort-4 srot-4 --output_dir data", "unknown task 'srot': did you mean sort"),
        (
            "publish sort-4 --output_dir data --trian_size 3",
            "unknown argument --trian_size: did you mean --train_size?",
        ),
        ("publish sort-4 --output_dir data --dry-run", "unknown argument --dry-run: did you mean --dry_run?"),
        ("publish sort-4 --output_dir data --train_size 0 --validation_size 0 --test_size 0", "there are no rows"),
        ("publish sort-4 --output_dir data --num_proc 0", "num_proc must be at least 1, got 0"),
        ("publish sort-4 --output_dir file", "file"),
        ("publish sort-4 --output_dir strange", "hf_procedural.json of strange is damaged"),
        ("publish run --output_dir data", "run is a folder: a run is published alone"),
        ("publish sort-4 --repo", "argument --repo: expected one argument"),
        ("study labtop --dry_run", "there is no study 'labtop': did you mean laptop? (by name: "),
        ("study labtop.yaml", "no configuration file labtop.yaml"),
        ("space --runs nowhere", "runs: no folder nowhere"),
        ("space --port 70000", "port must be from 1 to 65535, got 70000"),
        ("space --dry_run", "dry_run is of --publish USER/NAME or --output_dir DIR"),
        ("space --publish a/b --output_dir data", "publish and output_dir: give one of the two"),
        ("space --publish a/b --port 80", "port is of a page that is opened here"),
        ("space --output_dir file", "file"),
        ("space --output_dir others", "others has an app.py of somebody else's"),
        ("diagnose run", "required: --data"),
        ("diagnose --data sort-4", "required: MODEL"),
        ("diagnose runs --data sort-4", "runs: no model there ("),
        ("diagnose ./rum --data sort-4", "no model ./rum: did you mean run?"),
        ("diagnose run run --data sort-4", "two models are called 'run': name them, as in first=run second=run"),
        ("diagnose a=run --data srot-4", "data: unknown task 'srot': did you mean sort?"),
        ("diagnose a=run --data sort-4 --rows 0", "rows must be at least 1, got 0"),
        ("diagnose a=run --data sort-4 --task_parameters 3", "task_parameters must be JSON of keys and values, got 3"),
        ("diagnose a=run --data sort-4 --task_parameters '{\"vocab\": 9}'", "unknown parameter 'vocab'"),
        ("diagnose a=run --data file --task_parameters '{\"k\": 9}'", "task_parameters: file is text, which has none"),
        ("try", "required: RUN_OR_REPO"),
        ("try runs", "runs: no model there ("),
        ("try ./rum", "no model ./rum: did you mean run? (a folder, or a Hub id such as ORG/NAME)"),
        ("try run -n -1", "-n must be at least 0, got -1"),
        ("try run --max_new_tokens 0", "max_new_tokens must be at least 1, got 0"),
        ("try run --task srot-4", "unknown task 'srot': did you mean sort"),
        ("try run --task_parameters '{\"k\": 9}'", "task_parameters: there is no task that has them; give --task, too"),
        ("try run --task sort-4 --task_parameters 3", "task_parameters must be a mapping of names to values, got 3"),
        ("try run --task sort-4 --data pydoc", "task and data: a model is asked one or the other; leave one out"),
        ("try run --task_file gone.py", "there is no task_file gone.py"),
        (
            "diagnose a=run --data sort-4 --output_dir taken",
            "taken holds train-00000-of-00001.parquet, which is not of",
        ),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(command, message, run, tmp_path, error_of, capsys):
    Path("file").write_text("x")
    for folder in ("strange", "run", "others"):
        Path(folder).mkdir()
    Path("others/app.py").write_text("import gradio")
    Path("strange/hf_procedural.json").write_text("{")
    Path("run/config.json").write_text("{}")
    run("generate set-4 --rows 5 --output_dir taken")
    assert message in error_of(command, tmp_path)


# ---------------------------------------------------------------- help


def help_of(capsys, *words) -> str:
    with pytest.raises(SystemExit) as exit_:
        cli.main([*words, "--help"])
    assert not exit_.value.code
    return capsys.readouterr().out


def examples_in(text: str) -> list[str]:
    text = re.sub(r" \\\n +", " ", text)
    return [line.partition("#")[0].strip() for line in re.findall(r"^    ((?:hf-procedural|python) .*)", text, re.M)]


def a_tokenizer() -> PreTrainedTokenizerFast:
    """Of 300 words."""
    words = {f"w{number}": number for number in range(300)}
    tokenizer = Tokenizer(WordLevel(words, "w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def _plan(graph, *_) -> bool:
    (graph.study.output / ".study").mkdir(parents=True, exist_ok=True)
    (graph.study.output / ".study/plan.json").write_text(json.dumps({"name": graph.study.name}))
    return True


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_flag_and_its_examples_run(command, capsys, run, monkeypatch):
    monkeypatch.setattr(engine, "make", _plan)  # tests/studies makes the runs of some
    monkeypatch.setattr(report, "write", lambda *_: "# laptop\n\nNothing is made.\n\n")
    monkeypatch.setattr("hf_procedural.space.app.serve", lambda *told: tell(told))  # tests/space opens it
    if command == "space":
        Path("runs").mkdir()
    text = help_of(capsys, command)
    words = [] if command in ("list", "publish", "space") else ["sort-4"]
    required = ["--rows", "1", "--output_dir", "x"] if command in ("generate", "export") else []
    required += ["--format", "olmo"] if command == "export" else []
    required += ["--data", "sort-4"] if command == "diagnose" else []
    required += ["--kind", "verifiers", "--output_dir", "x"] if command == "environment" else []
    args = cli.parse([command, *words, *required])
    for action in args.parser._actions:
        assert action.help and all(flag in text for flag in action.option_strings)
        assert action.option_strings or action.metavar in text
    examples = examples_in(text)
    assert len(examples) >= 2
    a_tokenizer().save_pretrained("gpt2")
    if command in ("diagnose", "try"):
        compared.save_all(Path())
        Path("runs/sort/recipe.yaml").write_text("task: sort-16")
        monkeypatch.setattr(sys, "stdin", io.StringIO("7 3 9 3\n"))
    for example in examples:
        if example.startswith("python"):
            exec(shlex.split(example)[2], {})
            assert "num_rows: 20" in capsys.readouterr().out
            continue
        name, *words = shlex.split(example.partition("|")[0])
        words = [
            ("20" if before in ("--rows", "--tokens") else word)
            for before, word in zip([name, *words], words, strict=False)
        ]
        assert name == "hf-procedural" and words[0] == command
        if "--repo" in words or "--publish" in words:
            assert cli.parse(words)  # test_hub.py and test_space_publish.py publish
        else:
            assert run(*words, *(SMALL if command == "publish" else ()))


def test_help_names_the_commands(capsys, run):
    text = help_of(capsys)
    assert all(re.search(rf"^    {command} ", text, re.M) for command in (*COMMANDS, "recipe", *catalogue.FILES))
    examples = [shlex.split(example)[1:] for example in examples_in(text)]
    assert [words[0] for words in examples] == [*COMMANDS, "recipe", "pretrain"]
    runs = [rows.list_, rows.show, rows.generate, export.export, publish.publish, environment.environment]
    runs += [diagnose.diagnose, try_.try_, study.study, space.space]
    assert [cli.parse(words).run for words in examples] == [*runs, recipes.list_, launch.run]


# ---------------------------------------------------------------- as a command of the shell


SCRIPT = Path(sys.executable).with_name("hf-procedural")


def test_console_script():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options.entry_points"]["console_scripts"].strip() == "hf-procedural = hf_procedural.cli:main"
    assert SCRIPT.is_file(), "pip install -e . makes it"


def test_extension_of_hf(tmp_path, monkeypatch, run):
    """`hf procedural list`, with the manifest that `hf extensions install` writes."""
    ExtensionManifest(
        owner="me",
        repo="hf-procedural",
        repo_id="me/hf-procedural",
        short_name="procedural",
        executable_path=str(SCRIPT),
        type="python",
        installed_at=datetime.now(UTC),
    ).save(tmp_path / ".local/share/hf/extensions/hf-procedural")
    settings = {"HOME": str(tmp_path), "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    hf = [Path(sys.executable).with_name("hf"), "procedural"]
    pipes = {"env": os.environ | settings, "capture_output": True, "text": True}
    listed = subprocess.run([*hf, "list"], check=True, **pipes)
    assert listed.stdout == run("list") and listed.stderr == ""
    mistake = subprocess.run([*hf, "show", "srot-64"], **pipes)
    assert mistake.returncode == 2 and mistake.stderr.startswith("hf-procedural: error: unknown task 'srot'")


@pytest.mark.parametrize("words", ["list", "show sort-64 -n 300 --json"])
def test_head_has_seen_enough(words):
    """What is not read is no mistake."""
    command = f"{shlex.quote(str(SCRIPT))} {words} | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert len(done.stdout) == 1 and done.stderr == "" and done.returncode in (0, 1)


def test_looking_needs_no_torch():
    """Which takes seconds to import; nor do the lists need datasets or numba."""
    script = """
import sys
from hf_procedural import cli
words_of = [["list"], ["recipe", "list"], ["--print_completion", "bash"], ["show", "sort-8"]]
for words in (*words_of, ["generate", "sort-8", "--rows", "9", "--output_dir", "data"]):
    cli.main(words)
    print("loaded:", *(name for name in ("torch", "transformers", "datasets", "numba") if name in sys.modules))
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    loaded = [line for line in printed.splitlines() if line.startswith("loaded:")]
    assert loaded == ["loaded:"] * 3 + ["loaded: datasets numba"] * 2


TERMINATED = """
import os, signal, subprocess, sys
from hf_procedural.cli import launch
signal.signal(signal.SIGTERM, launch._end_script)
script = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
os.kill(os.getpid(), signal.SIGTERM)
print(script.wait())
"""


def test_what_ends_a_launcher_ends_its_script():
    assert int(subprocess.check_output([sys.executable, "-c", TERMINATED], timeout=60)) == -signal.SIGTERM


# ---------------------------------------------------------------- try


@pytest.fixture
def asked(run, monkeypatch):
    """Asks a model of sort-16 what is typed, and gives what is printed."""
    compared.save_of_task(Path("sort"))
    Path("sort/recipe.yaml").write_text("task: sort-16")

    def asked(typed: str, *words) -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        return run("try", "sort", *words)

    return asked


def test_try_shows_answers_beside_the_right_ones(asked):
    printed = asked("", "-n", "2")
    assert max(map(len, printed.splitlines()[1:])) <= 80 and "\x1b" not in printed
    assert printed.startswith("Validation rows of sort-16, never trained on. It was trained on prompts of 17 tokens.")
    assert [printed.count(f"\n{label} ") for label in ("prompt", "model", "right")] == [2, 2, 2]
    assert "0 of 2 are right (0%)." in printed


def test_try_reads_prompts_from_a_pipe_and_goes_on_after_a_mistake(asked):
    symbols = " ".join("9876543219876543")
    lines = [json.loads(line) for line in asked(f"{symbols}\n\n7 x\n7 3 9 3", "-n", "0", "--json").splitlines()]
    answered, mistaken, short = lines
    assert answered["prompt"] == f"{symbols} <sep>" and answered["right"] == " ".join("1233445566778899")
    assert answered["warning"] is None and answered["is_right"] is False
    assert mistaken == {"prompt": "7 x", "error": mistaken["error"]} and "'x' is no token" in mistaken["error"]
    assert short["right"] == "3 3 7 9" and "this prompt has 5 tokens" in short["warning"]


def test_try_tells_the_lengths_before_the_first_prompt(asked):
    printed = asked("7 3 9 3", "-n", "0")
    assert "warning   this prompt has 5 tokens; training had prompts of 17 alone, so expect" in printed


def test_a_port_that_is_taken_is_told_before_anything_heavy_is_imported(capsys):
    pytest.importorskip("gradio")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as end:
        cli.main(["space", "--port", str(taken.getsockname()[1])])
    error = capsys.readouterr().err
    assert end.value.code == 2 and "is not free" in error and "give another --port" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["--host", "nowhere.invalid"], ["--host", "256.1.1.1", "--port", "7999"], ["--host", "a..b"]]
)
def test_a_host_that_is_none_is_told(words, capsys):
    pytest.importorskip("gradio")
    with pytest.raises(SystemExit) as end:
        cli.main(["space", *words])
    error = capsys.readouterr().err
    assert end.value.code == 2 and f"host must be an address of this machine, got '{words[1]}'" in error
    assert error.count("\n") == 1
