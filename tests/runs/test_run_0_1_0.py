"""Run folders that version 0.1.0 left (commit 6c6f827) are resumed, reported on, evaluated and published as they are.

tests/data/run_0_1_0 was made on a CPU by recipes/pretrain.py (sort, finished, with its checkpoint of step 4),
recipes/semantic.py (text, killed after step 4), recipes/probe.py (study, without weights) and recipes/rlvr.py (rlvr, of
which its training_args.bin is here).
"""

import json
import shutil
import types

import pytest
import torch
from support.running import TESTS, history, run_here, weights

from hf_procedural.hub.runs import write_card
from hf_procedural.rl.arguments import LoraArguments
from hf_procedural.runs import read, report
from hf_procedural.runs.folder import open_run, read_recipe

OLD = TESTS / "data" / "run_0_1_0"
TEXT_LOSS = 5.14798  # of the run of 0.1.0 that nobody killed


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A copy of them, as runs of the working folder, as which they were made."""
    shutil.copytree(OLD, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def read_json(file):
    return json.loads(file.read_text())


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(runs, monkeypatch):
    for file in runs.glob("sort/*"):
        if file.name not in ("recipe.yaml", "provenance.json", "checkpoint-4"):
            file.unlink()
    run_here(monkeypatch, "pretrain", "runs/sort/recipe.yaml", "--resume_from_checkpoint", "true")
    torch.testing.assert_close(weights("runs/sort"), weights(OLD / "sort"))
    state, before = (read_json(folder / "sort" / "trainer_state.json") for folder in (runs, OLD))
    assert [entry["step"] for entry in state["log_history"]] == [entry["step"] for entry in before["log_history"]]
    provenance = read_json(OLD / "sort" / "provenance.json")
    now = read_json(runs / "sort" / "provenance.json")
    assert now.pop("stage") == "pretrain" and now.keys() == provenance.keys()
    assert now["dataset_fingerprints"] == provenance["dataset_fingerprints"]


def test_a_finished_run_goes_on_for_more_steps(runs, monkeypatch):
    words = ["--resume_from_checkpoint", "true", "--max_steps", "12"]
    run_here(monkeypatch, "pretrain", "runs/sort/recipe.yaml", *words)
    assert [step for step, _ in history("runs/sort", "loss")] == [2, 4, 6, 8, 10, 12]


def test_a_recipe_with_keys_of_then_goes_on(runs, monkeypatch):
    recipe = (runs / "text" / "recipe.yaml").read_text()
    assert "documents: 40" in recipe and "validation_rows: 8" in recipe
    run_here(monkeypatch, "semantic", "runs/text/recipe.yaml", "--resume_from_checkpoint", "true")
    assert [step for step, _ in history("runs/text", "loss")] == [2, 4, 6, 8]
    assert read_json(runs / "text" / "eval_results.json")["eval_loss"] == pytest.approx(TEXT_LOSS, abs=1e-4)


def test_a_study_goes_on_with_another_seed(runs, monkeypatch):
    words = ["--resume_from_checkpoint", "true", "--seeds", "0", "1"]
    before = (runs / "study/haystack-2/scratch/seed_0/trainer_state.json").read_bytes()
    run_here(monkeypatch, "probe", "runs/study/recipe.yaml", *words)
    assert (runs / "study/haystack-2/scratch/seed_0/trainer_state.json").read_bytes() == before
    (group,) = read.arms(read.read_runs(["runs/study"])).values()
    assert {label: [run.seed for run in arm] for label, arm in group.items()} == {
        "scratch": [0, 1],
        "runs/sort": [0, 1],
    }


def test_they_are_reported_on(runs):
    text = report.markdown(read.read_runs(["runs"]))
    for folder in ("sort", "study/haystack-2/scratch/seed_0", "study/haystack-2/runs_sort/seed_0"):
        loss = read_json(OLD / folder / "eval_results.json")["eval_loss"]
        assert f"| {loss:.4f} |" in text
    assert "## sort-4" in text and "## haystack-2" in text and "## runs/text.txt" in text
    assert text.count("unfinished") == 1


def test_the_suite_gives_the_figures_of_their_own_evaluation(runs, monkeypatch):
    pytest.importorskip("lm_eval")
    run_here(monkeypatch, "run_suite", "--model_name_or_path", "runs/sort", "--suite", "offline")
    results = read_json(OLD / "sort" / "eval_results.json")
    figures = read_json(runs / "sort" / "evaluation_offline.json")["figures"]
    values = {row["metric"]: row["value"] for row in figures if row["task"].startswith("sort-4")}
    assert values.keys() >= {"answer_accuracy", "exact_match"}
    for name, value in values.items():
        assert value == pytest.approx(results[f"eval_{name}"], abs=1e-5)


def test_the_card_is_the_one_that_they_had(runs):
    before = (runs / "sort" / "README.md").read_text()
    write_card("runs/sort")
    assert (runs / "sort" / "README.md").read_text() == before


@pytest.mark.filterwarnings("ignore:.* the old path goes in:DeprecationWarning")
@pytest.mark.parametrize("name, kind, steps", [("sort", "StageArguments", 8), ("rlvr", "RLArguments", 2)])
def test_their_arguments_are_read(name, kind, steps, runs):
    pytest.importorskip("trl")
    args = torch.load(runs / name / "training_args.bin", weights_only=False)  # our own file
    assert type(args).__name__ == kind and (args.max_steps, args.output_dir) == (steps, f"runs/{name}")
    assert args.to_dict()["patience"] is None


def test_arguments_that_are_new_have_their_defaults_in_them(runs):
    """A run of then goes on where nobody gives them, and not where somebody does."""
    checkpoint, args = (
        "runs/sort/checkpoint-4",
        types.SimpleNamespace(seed=42, data_seed=None, run_name=None, project="x"),
    )
    args.output_dir, args.resume_from_checkpoint = "runs/sort", checkpoint
    assert not {"use_peft", "lora_r"} & read_recipe(runs / "sort" / "recipe.yaml").keys()
    assert open_run(args, LoraArguments()) == checkpoint
    with pytest.raises(ValueError, match="belongs to a run with use_peft None, not True"):
        open_run(args, LoraArguments(use_peft=True))
