"""Flags and keys by their names of 0.1 work, a line says what they are called now, and none means anything else."""

import json
import sys

import pytest
import yaml
from support.running import RECIPES, run_here

from hf_procedural import cli
from hf_procedural.files import read_mapping
from hf_procedural.recycle import output as recycling
from hf_procedural.renamed import RENAMED, current, with_current_keys
from hf_procedural.runs.folder import open_output, read_recipe

SCRIPTS = sorted(file.stem for file in RECIPES.glob("*.py") if file.stem != "__init__")


def flags_of(script: str, monkeypatch, capsys) -> set[str]:
    """A line of --help that begins with a flag is about it."""
    with pytest.raises(SystemExit):
        run_here(monkeypatch, script, "--help")
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  --")]
    return {first.removeprefix("--").rstrip(",") for first, *_ in lines}


def test_old_names_are_none_of_today_and_new_ones_are(monkeypatch, capsys):
    flags = {script: flags_of(script, monkeypatch, capsys) for script in SCRIPTS}
    assert len(flags) == 14 and all(len(some) > 3 and not some & RENAMED.keys() for some in flags.values())
    assert {new for names in RENAMED.values() for new in names} <= set().union(*flags.values())
    values = [read_mapping(file) for file in RECIPES.glob("configs/*.yaml")]
    assert len(values) > 30 and not set().union(*values) & RENAMED.keys()


def one_line_each(errors: str, *renamed: tuple[str, str]) -> bool:
    lines = [line for line in errors.splitlines() if "warning" in line]
    ends = [f"warning: {old} is called {new} now; the old name goes in 0.3" for old, new in renamed]
    return len(lines) == len(ends) and all(line.endswith(end) for line, end in zip(lines, ends, strict=True))


def test_old_flags_of_a_recipe_work_and_warn_once(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.jsonl").write_text('{"text": "new", "original": "old"}\n' * 3)
    words = ["--input", tmp_path / "a.jsonl", f"--output={tmp_path / 'report'}", "--sample", "2"]
    run_here(monkeypatch, "recycle_report", *words, "--meaning_model", "none")
    renamed = ("--input", "--dataset"), ("--output", "--output_dir"), ("--sample", "--limit")
    assert one_line_each(capsys.readouterr().err, *renamed)
    assert json.loads((tmp_path / "report/report.json").read_text())["arguments"]["limit"] == 2


def test_old_keys_of_a_yaml_work_and_warn(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.jsonl").write_text('{"text": "new", "original": "old"}\n' * 3)
    values = {"input": str(tmp_path / "a.jsonl"), "output_dir": str(tmp_path / "report"), "meaning_model": "none"}
    (tmp_path / "old.yaml").write_text(yaml.safe_dump(values))
    run_here(monkeypatch, "recycle_report", tmp_path / "old.yaml")
    assert one_line_each(capsys.readouterr().err, (f"input in {tmp_path / 'old.yaml'}", "dataset"))
    (tmp_path / "old.yaml").write_text(yaml.safe_dump(values | {"dataset": "b.jsonl"}))
    with pytest.raises(SystemExit) as end:
        run_here(monkeypatch, "recycle_report", tmp_path / "old.yaml")
    assert end.value.code == 2 and "input is called dataset now, and both are there" in capsys.readouterr().err


def test_old_flags_of_recipes_without_dataclasses(tmp_path, monkeypatch, capsys):
    (tmp_path / "report").write_text("a file")
    for script, words in (("report", [tmp_path]), ("rpt_evaluate", ["--runs", tmp_path])):
        with pytest.raises(SystemExit) as end:
            run_here(monkeypatch, script, *words, "--output", tmp_path / "report")
        errors = capsys.readouterr().err
        assert end.value.code == 2 and one_line_each(errors, ("--output", "--output_dir"))
        assert "output_dir" in errors.splitlines()[-1] and "is a file; name a folder" in errors.splitlines()[-1]


def test_old_flags_of_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hf-procedural"])
    cli.main(["generate", "sort-4", "--rows", "8", "--output", str(tmp_path / "data")])
    said = capsys.readouterr()
    assert one_line_each(said.err, ("--output", "--output_dir")) and len(list((tmp_path / "data").iterdir())) >= 1


def test_a_folder_that_0_1_began_goes_on(tmp_path):
    """Its recipe.yaml, and the plan of its shards, have the old names."""
    old = {"model": "runs/rephraser", "input": "web", "documents": 9, "seed": 42, "output": "data", "workers": 2}
    new = {"model_name_or_path": "runs/rephraser", "dataset": "web", "limit": 9, "seed": 42, "output_dir": "elsewhere"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(old))
    assert read_recipe(tmp_path / "recipe.yaml", new) == with_current_keys(read_mapping(tmp_path / "recipe.yaml"), new)
    free = {"output_dir", "num_proc"}
    assert not open_output(tmp_path, new, "recycle.json", free, recycling.OURS)
    with pytest.raises(ValueError, match=r"output_dir .* was begun with limit 9, not 8: choose another folder"):
        open_output(tmp_path, new | {"limit": 8}, "recycle.json", free, recycling.OURS)
    plan = recycling.plan_file(tmp_path)
    plan.parent.mkdir()
    plan.write_text(json.dumps({"sizes": {}, "shards": [], "used": {"model": "digest"}}))
    assert recycling.planned(tmp_path, [], None, None, {"model_name_or_path": "digest"}) == []
    assert recycling.planned(tmp_path, [], None, None, {"classifier": "digest"}) == []
    with pytest.raises(ValueError, match="^model_name_or_path has changed since"):
        recycling.planned(tmp_path, [], None, None, {"model_name_or_path": "another"})


def test_a_name_that_became_two_is_that_of_the_command():
    assert current("output", {"output_file"}) == "output_file" and current("output", {"output_dir"}) == "output_dir"
    assert current("output") == "output_dir" and current("task", set()) == "task"
