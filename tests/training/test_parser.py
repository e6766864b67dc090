"""Recipes' flags: those that HfArgumentParser would give them, told and checked without importing what is heavy."""

import argparse
import ast
import dataclasses
import json
import os
import re
import runpy
import subprocess
import sys
import typing

import pytest
from accelerate.commands.launch import launch_command_parser
from support.arguments import OF_DATACLASSES, SCRIPTS
from support.running import RECIPES, ROOT, error_of
from transformers import HfArgumentParser
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from hf_procedural import cli
from hf_procedural.cli import launch
from hf_procedural.training import catalogue, declared, parser
from hf_procedural.training.arguments import InitArguments, ModelArguments, RowArguments, StageSettings
from hf_procedural.training.stage_arguments import StageArguments

PRETRAIN = (RowArguments, InitArguments, ModelArguments, StageArguments)
WORDS = ["3", "0.5", "-1e-4", "true", "No", "steps", "adamw_torch", "{}", "", "underflow_overflow"]


@pytest.fixture(params=OF_DATACLASSES)
def kinds(request, monkeypatch):
    """The dataclasses of a recipe: those that it answers early with, and those that it trains with."""
    seen = {}
    monkeypatch.syspath_prepend(RECIPES)
    monkeypatch.setattr(parser, "answer_early", lambda module, doc, *kinds: seen.setdefault(module, kinds))

    def stop(doc, *kinds, **settings):
        seen["parse"] = kinds
        raise StopIteration

    monkeypatch.setattr(parser, "parse", stop)
    with pytest.raises(StopIteration):
        runpy.run_path(str(RECIPES / f"{request.param}.py"), run_name="__main__")
    return [parser._light(kind) for kind in seen["__main__"]], seen["parse"]


def read_as(type_, word: str):
    """What a flag's type makes of a word."""
    try:
        return type_(word)
    except Exception as error:
        return type(error)


def shape(option: dict) -> dict:
    """What is comparable of an option: the values that its type gives in place of the type."""
    enums = {True: lambda value: getattr(value, "value", value), False: lambda value: value}
    values = [read_as(option["type"], word) for word in WORDS]
    plain = [enums[hasattr(value, "value")](value) for value in values]
    names = ("nargs", "const", "required", "choices")
    return {name: option.get(name) or None for name in names} | {"values": plain, "default": option["default"]}


def test_flags_are_those_of_hf_argument_parser(kinds):
    _, heavy = kinds
    stock, ours = HfArgumentParser(heavy), parser._RecipeParser("", heavy)
    flags = {option for action in stock._actions for option in action.option_strings} - {"-h"}
    assert {"--" + flag[2:].replace("-", "_") for flag in flags} == set(ours.flags)
    assert all(ours._spelled(f"{flag}=1").partition("=")[0] in ours.flags for flag in flags)
    for action in stock._actions:
        if action.dest == "liger_kernel_config":  # a mapping, of which the stock parser reads no word
            continue
        if action.dest != "help" and action.const is not False:  # which --no_X has
            assert shape(vars(action)) == shape(ours.options[action.dest]), action.dest


def test_a_union_is_read_in_its_order():
    """HfArgumentParser's rule asks for it, and typing has one object for both."""
    assert typing.Optional[typing.Union[str, dict]]  # noqa: UP007, UP045
    annotation = ast.parse("dict | str | None", mode="eval").body
    assert typing.get_args(declared._type("", annotation)) == (dict, str, type(None))


def test_what_is_read_early_is_what_is_trained_with(kinds):
    light, heavy = (parser._RecipeParser("", each) for each in kinds)
    assert light.options.keys() == heavy.options.keys()
    differ = {name for name in light.options if shape(light.options[name]) != shape(heavy.options[name])}
    # A class that is no enum, choices from code, a default by the version of torch, one by the machine
    assert differ <= {"parallelism_config", "log_level", "log_level_replica", "optim", "dataloader_pin_memory"}
    assert set(heavy.flags) <= set(light.flags) <= {*heavy.flags, "--no_dataloader_pin_memory"}
    helps = [
        {field.name: field.metadata.get("help") for kind in each for field in dataclasses.fields(kind)}
        for each in kinds
    ]
    assert {name for name in helps[0] if helps[0][name] != helps[1][name]} <= {"dataloader_pin_memory"}
    for name in differ - {"dataloader_pin_memory"}:  # help tells no default that is another one, or the source of one
        light_default, heavy_default = (
            re.findall(r"\(default: .*", each.options[name]["help"]) for each in (light, heavy)
        )
        assert light_default in ([], heavy_default), name


def test_both_spellings_and_negations_are_read():
    words = ["--task=sort-4", "--max-steps", "3", "--no-average-tokens-across-devices", "--no_skip_memory_metrics"]
    data, *_, args = parser.parse("", *PRETRAIN, argv=[*words, "--streaming", "--learning-rate=0.5"])
    assert (data.task, data.streaming, args.max_steps, args.learning_rate) == ("sort-4", True, 3, 0.5)
    assert not args.average_tokens_across_devices and not args.skip_memory_metrics


@pytest.mark.parametrize("command", [None, "hf-procedural pretrain"])
def test_help_of_a_command_tells_of_accelerates_flags(command, monkeypatch):
    monkeypatch.delenv(parser.COMMAND, raising=False)
    if command:
        monkeypatch.setenv(parser.COMMAND, command)
    text = parser._RecipeParser("", [RowArguments]).format_help()
    assert ("--num_processes" in text) == bool(command)


HEAVY = ("torch", "transformers", "datasets", "trl", "accelerate", "pyarrow")
MISTAKES = {
    "pretrain --task srot-4": "unknown task 'srot': did you mean sort",
    "pretrain --task sort-4 --size 2_3_16": "size: the width must be a multiple of the heads",
    "pretrain --task sort-4 --model_type gpt22": "model_type must be a causal language model of transformers, "
    "got 'gpt22': did you mean gpt2",
    "pretrain --task sort-4 --max_stepz 3": "unknown argument --max_stepz: did you mean --max_steps?",
    "pretrain --task sort-4 --max_steps many": "argument --max_steps: invalid int value: 'many'",
    "pretrain --task sort-4 --save_strategy never": "argument --save_strategy: invalid choice: 'never'",
    "pretrain --task sort-4 --bf16 perhaps": "argument --bf16: must be true or false, got 'perhaps'",
    "pretrain --task sort-4 --report_to trakio": "report_to must be none, all or a tracker that transformers knows, "
    "got 'trakio': did you mean trackio?",
    "pretrain --task sort-4 --per_device_train_batch_size 0": "per_device_train_batch_size must be at least 1, got 0",
    "pretrain --task sort-4 --init_from shuffled:runs/sort": "control must be permuted, statistics, or noise",
    "pretrain --task sort-4 --transfer atn": "components must be among attn, mlp, ln, embed and all, got 'atn'",
    "pretrain none.yaml": "no configuration file none.yaml",
    "probe --task sort-4 haystak-4": "unknown task 'haystak': did you mean haystack",
    "semantic --dataset stdlib --z_loss -1": "z_loss must be at least 0, got -1.0",
    "rlvr --task sort-4 --model_name_or_path x --max_steps 3 --num_generations 1": "num_generations must be at least 2",
    "rpt --model_name_or_path x --questions y --max_steps 3 --reward best": "reward must be one of",
    "rpt_evaluate --output_dir x": "nothing to do: give --questions and",
}
EACH = f"""
import contextlib, io, json, runpy, sys
sys.path.insert(0, {str(RECIPES)!r})
for command in json.loads(sys.argv[1]):
    name, *words = command.split()
    sys.argv, out, error, code = [f"{RECIPES}/{{name}}.py", *words], io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as exit:
            code = exit.code
    heavy = [module for module in {HEAVY} if module in sys.modules]
    print(json.dumps([command, code, out.getvalue(), error.getvalue(), heavy]), flush=True)
    if heavy: break
"""


@pytest.fixture(scope="module")
def answers():
    """Of --help and of mistakes, each in turn in one process: exit code, output, errors, heavy modules."""
    commands = [*(f"{name} --help" for name in SCRIPTS), *MISTAKES]
    words = [sys.executable, "-c", EACH, json.dumps(commands)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return {command: answer for command, *answer in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_shows_each_flag_once_and_imports_nothing_heavy(name, answers):
    code, text, errors, heavy = answers[f"{name} --help"]
    assert (code, errors, heavy) == (0, "", [])
    flags = re.findall(r"^  (?:-h, )?(--\S+)", text, re.MULTILINE)
    assert len(flags) == len(set(flags)) > 3
    assert not any("-" in flag[2:] for flag in flags) and not re.search(r"^  --.*, --", text, re.MULTILINE)
    negated = {flag for flag in flags if f"--{flag.removeprefix('--no_')}" in {*flags} - {flag}}
    words = re.sub(r"\s+", " ", text)
    assert all(f"{flag} The same as --{flag.removeprefix('--no_')} false." in words for flag in negated)


@pytest.mark.parametrize("command", MISTAKES)
def test_mistakes_are_told_before_anything_heavy_is_imported(command, answers):
    code, text, errors, heavy = answers[command]
    assert (code, text, heavy) == (2, "", [])
    (line,) = errors.splitlines()
    assert line.startswith(f"{command.split()[0]}.py: error: {MISTAKES[command]}")


def test_a_library_of_another_layout_is_imported_instead(monkeypatch, capsys, tmp_path):
    """The same line, later."""
    monkeypatch.setitem(declared._FILES, ("transformers", "TrainingArguments"), "transformers.elsewhere")
    for cached in (declared.stand_in, parser._light):
        cached.cache_clear()
    with pytest.raises(declared.Unreadable, match="elsewhere.py cannot be read"):
        parser._light(StageSettings)
    words = ["--task", "sort-4", "--max_steps", "many"]
    assert "argument --max_steps: invalid int value: 'many'" in error_of(
        monkeypatch, capsys, tmp_path, "pretrain", *words
    )


def test_what_is_read_from_source_is_what_an_import_gives():
    """In its order, also where a base hides behind code that hands out names."""
    from trl import GRPOConfig

    stand_in = declared.stand_in("trl", "GRPOConfig")
    assert [field.name for field in dataclasses.fields(stand_in)] == [
        field.name for field in dataclasses.fields(GRPOConfig)
    ]
    known = declared.keys_of("transformers.models.auto.modeling_auto", "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES")
    assert known == list(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    assert stand_in().num_generations == GRPOConfig.num_generations
    with pytest.raises(declared.Unreadable, match="no class Nothing"):
        declared.stand_in("transformers.training_args", "Nothing")
    with pytest.raises(declared.Unreadable, match="no_such_library is not installed"):
        declared.stand_in("no_such_library", "Nothing")


def test_the_command_checks_a_recipes_words_before_it_imports_the_launcher(monkeypatch, capfd):
    launched = []
    monkeypatch.setattr(launch, "_launch", lambda *words: launched.append(words))
    assert set(catalogue.TRAIN) <= set(OF_DATACLASSES)  # others would run
    for words, code in (("--max_steps many --num-processes 2", 2), ("--max_steps 3 --num-processes 2", 0)):
        monkeypatch.setattr(sys, "argv", ["hf-procedural", "pretrain", "quickstart", *words.split()])
        if code:
            with pytest.raises(SystemExit) as exit_:
                cli.main()
            assert exit_.value.code == code
        else:
            cli.main()
    assert [words[0] for words in launched] == ["pretrain"]
    seen = capfd.readouterr()
    line = "hf-procedural pretrain: error: argument --max_steps: invalid int value: 'many' "
    line += "(it must be a whole number, at least 1, or -1 for none)"
    assert (seen.out, seen.err.splitlines()) == ("", [line])


@pytest.fixture
def launched(monkeypatch, tmp_path):
    """The recipes that are started under accelerate launch, on a machine without settings of it."""
    names = []
    monkeypatch.setattr(launch, "_launch", lambda name, *_: names.append(name))
    monkeypatch.setattr(launch, "_check", lambda *_: None)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("ACCELERATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv(launch.ALONE, raising=False)
    yield names
    os.environ.pop(launch.ALONE, None)


@pytest.mark.parametrize(
    ("words", "settings", "is_launched"),
    [
        ("pretrain quickstart --seed 1", {}, False),
        ("pretrain quickstart --seed 1 --num_processes 1", {}, True),
        ("pretrain quickstart --cpu", {}, True),
        ("pretrain quickstart", {"ACCELERATE_MIXED_PRECISION": "bf16"}, True),
        ("pretrain quickstart", {launch.ALONE: ""}, True),
        ("pretrain --help", {}, False),
        ("recycle_classifier --seed 1", {}, False),
    ],
)
def test_one_process_needs_no_launcher(words, settings, is_launched, launched, monkeypatch):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    name, *rest = words.split()
    argv = launch.run(argparse.Namespace(name=name, words=rest))
    assert launched == [name] * is_launched and (argv is None) == is_launched
    if argv:
        config = [str(catalogue.config_of(name, "quickstart"))] if "quickstart" in rest else []
        assert argv == [str(catalogue.script_of(name)), *config, *rest[len(config) :]]
        assert os.environ.get(launch.ALONE) == ("pretrain" if config else None)


def test_what_accelerate_was_configured_for_needs_the_launcher(launched, tmp_path):
    (tmp_path / "accelerate").mkdir()
    (tmp_path / "accelerate" / "default_config.yaml").write_text("num_processes: 2")
    launch.run(argparse.Namespace(name="pretrain", words=["quickstart"]))
    assert launched == ["pretrain"]


def test_a_mistake_in_a_recipe_that_the_command_runs_is_told_by_its_name(monkeypatch, capsys, launched):
    monkeypatch.delenv("HF_PROCEDURAL_COMMAND", raising=False)
    for name in ("argv", "path"):
        monkeypatch.setattr(sys, name, list(getattr(sys, name)))
    with pytest.raises(SystemExit) as exit_:
        cli.main(["pretrain", "quickstart", "--max_stepz", "3"])
    os.environ.pop("HF_PROCEDURAL_COMMAND")
    assert exit_.value.code == 2 and launched == []
    assert capsys.readouterr().err.startswith("hf-procedural pretrain: error: unknown argument --max_stepz")


def test_flags_of_the_launcher_are_read_from_its_source():
    real = {}
    for action in launch_command_parser()._actions:
        real |= {launch._flag(flag): action.nargs != 0 for flag in action.option_strings if flag.startswith("--")}
    read = declared.flags_of("accelerate.commands.launch")
    assert {launch._flag(flag): value for flag, value in read.items()} | {"--help": False} == real


def test_a_kept_parser_forgets_the_yaml_before(tmp_path):
    """What one file says is no default of the next."""
    kept = parser.of_recipe(catalogue.script_of("pretrain"))
    (tmp_path / "first.yaml").write_text("task: sort-4\ntask_parameters: {vocab_size: 9}\n")
    (tmp_path / "second.yaml").write_text("task: sort-4\n")
    plain = kept.read([str(tmp_path / "second.yaml")])
    assert kept.read([str(tmp_path / "first.yaml")]) != plain
    assert kept.read([str(tmp_path / "second.yaml")]) == plain
