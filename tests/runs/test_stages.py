"""A run's stage is what provenance.json tells, and is guessed from the recipe of an older run."""

from pathlib import Path

import pytest

from hf_procedural.runs.read import ACCURACY, Run
from hf_procedural.runs.stages import STAGES, data_of, dataset_on_hub, stage_of

TASK = {"task": "sort-4", "task_parameters": {"vocab_size": 9}}
RECIPES = {
    "pretrain": TASK,
    "rlvr": TASK | {"reward": "graded"},
    "rpt": {"questions": "me/questions", "reward": "prefix", "validation_size": 9},
    "semantic": {"dataset": "pydoc", "validation_size": 8, "sequence_length": 16},
    "recycle_train": {"dataset": "web/*.jsonl", "quality_weight": 3.0, "length_weight": 0.0, "validation_size": 4},
}


def run_of(recipe, **logged) -> Run:
    return Run(Path("run"), recipe, [], {1: {"step": 1} | logged}, True)


def test_every_stage_has_a_recipe_of_its_name():
    recipes = Path(__file__).parent.parent.parent / "recipes"
    assert RECIPES.keys() == STAGES.keys()
    assert all((recipes / f"{name}.py").is_file() for name in STAGES)


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_of_an_older_run_tells_its_stage(name):
    assert stage_of(run_of(RECIPES[name]), {}) is STAGES[name]


def test_what_provenance_tells_wins():
    assert stage_of(run_of(RECIPES["rlvr"]), {"stage": "pretrain"}) is STAGES["pretrain"]
    with pytest.raises(KeyError):
        stage_of(run_of(RECIPES["rlvr"]), {"stage": "unheard_of"})


@pytest.mark.parametrize(
    "name, trained_on, reward",
    [
        ("pretrain", "rows of the procedural task `sort-4` (sort the symbols, duplicates kept)", None),
        ("rlvr", "rows of the procedural task `sort-4` (sort the symbols, duplicates kept)", "`graded`"),
        ("rpt", "next-token questions of `me/questions`", "`prefix`"),
        ("semantic", "text of `pydoc` (Python's language reference)", None),
        ("recycle_train", "web text of `web/*.jsonl`, which it paraphrases", "quality x 3"),
    ],
)
def test_it_says_what_a_run_was_trained_on(name, trained_on, reward):
    run, stage = run_of(RECIPES[name]), STAGES[name]
    assert stage.trained_on(run) == trained_on
    assert (stage.reward and stage.reward(run.recipe)) == reward
    assert stage.is_procedural == (name in ("pretrain", "rlvr"))


def test_deepmind_math_is_known_by_its_answers():
    run = run_of({"dataset": "/data/maths", "validation_problems": 3}, **{ACCURACY: 0.5})
    stage = stage_of(run, {"stage": "semantic"})
    assert stage.trained_on(run) == "the problems of DeepMind-Math (`data/maths`), by characters"
    assert "at most 3 of each" in stage.evaluated_on(run, {})


@pytest.mark.parametrize(
    "stage, data",
    [
        ({"task": "sort-4", "dataset": None}, "`sort-4`"),
        ({"dataset": ["allenai/c4", "/home/me/text/own.jsonl"]}, "`allenai/c4 + text/own.jsonl`"),
        ({"input": "web"}, "`web`"),  # a source in the provenance.json of an older run
        ({"path": "runs/x"}, ""),
    ],
)
def test_the_data_of_a_stage(stage, data):
    assert data_of(stage) == data


def test_only_what_could_be_there_is_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "local").mkdir()
    names = (
        "allenai/c4",
        "c4",
        "pydoc",
        "web.jsonl",
        "data/mathematics_dataset-v1.0.tar.gz",
        "a/b/c",
        "web/*",
        "local",
    )
    assert [name for name in names if dataset_on_hub(name)] == ["allenai/c4", "c4"]
