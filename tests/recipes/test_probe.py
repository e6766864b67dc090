"""Studies of probes: every arm and seed a run, a report over all, interruptions, mistakes."""

import csv
import json
import time
from pathlib import Path

import pytest
import torch
import yaml
from support.running import ROOT, error_of, history, kill_when, run_here, same_weights, weights

from hf_procedural.files import Loader

CONFIGS = ROOT / "recipes" / "configs"
ARMS = ["scratch", "runs/source", "permuted:runs/source", "attn=runs/source"]
FOLDERS = ["scratch", "runs_source", "permuted_runs_source", "attn=runs_source"]
RUNS = [f"haystack-4/{folder}/seed_{seed}" for seed in (0, 1) for folder in FOLDERS]
TASK = ["--task", "haystack-4", "--task_parameters", '{"vocab_size": 20}', "--validation_size", "32"]
STEPS = ["--max_steps", "12", "--eval_steps", "4", "--logging_steps", "4", "--save_steps", "4"]
PROBE = [*TASK, *STEPS, "--per_device_train_batch_size", "8", "--learning_rate", "1e-2", "--dropout", "0.1"]
STUDY = [*PROBE, "--init_from", *ARMS, "--seeds", "0", "1"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder: runs/source (8 steps of 4 rows of 13 tokens), runs/study from it, things to trip over."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        words = ["--task", "sort-6", "--train_size", "64", "--validation_size", "8", "--dropout", "0"]
        words += ["--task_parameters", '{"vocab_size": 30}', "--max_steps", "8", "--per_device_train_batch_size", "4"]
        run_here(patch, "pretrain", *words, "--size", "2_2_16", "--output_dir", "runs/source")
        run_here(patch, "pretrain", *words, "--size", "2_2_8", "--output_dir", "runs/narrow")
        run_here(patch, "probe", *STUDY, "--output_dir", "runs/study")
        Path("full").mkdir()
        Path("full/precious.txt").write_text("x")
        Path("empty").mkdir()
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


def test_a_study_is_a_run_for_each_arm_and_seed_and_a_report():
    found = {path.parent.relative_to("runs/study").as_posix() for path in Path("runs/study").rglob("eval_results.json")}
    assert found == set(RUNS)
    for run in RUNS:
        names = {path.name for path in Path("runs/study", run).iterdir()}
        assert names >= {"model.safetensors", "tokenizer.json", "config.json", "recipe.yaml", "trainer_state.json"}
    names = {path.name for path in Path("runs/study").iterdir()}
    assert names == {"haystack-4", "recipe.yaml", "provenance.json", "report.md", "report.csv", "report.png"}
    assert Path("runs/study/report.png").read_bytes().startswith(b"\x89PNG")


def test_the_headline_study_runs_from_its_warm_up(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    small = {
        "headline_warmup": {"max_steps": 4, "eval_steps": 4, "validation_size": 8},
        "headline": {"max_steps": 4, "eval_steps": 2, "validation_size": 8, "seeds": [5], "num_proc": 1},
    }
    for recipe, name in (("pretrain", "headline_warmup"), ("probe", "headline")):
        content = yaml.load((CONFIGS / f"{name}.yaml").read_text(), Loader)
        Path(f"{name}.yaml").write_text(yaml.safe_dump(content | small[name]))
        run_here(monkeypatch, recipe, f"{name}.yaml")
    text = Path("runs/headline/report.md").read_text()
    assert all(f"{kind}:runs/headline_warmup ({kind})" in text for kind in ("permuted", "statistics"))


def test_the_report_has_the_numbers_of_every_arm_and_seed():
    with open("runs/study/report.csv", encoding="utf-8") as file:
        rows = {(row["arm"], int(row["seed"])): row for row in csv.DictReader(file)}
    assert rows.keys() == {(arm, seed) for arm in ARMS for seed in (0, 1)}
    text = Path("runs/study/report.md").read_text()
    for arm, folder in zip(ARMS, FOLDERS, strict=True):
        for seed in (0, 1):
            run, row = Path(f"runs/study/haystack-4/{folder}/seed_{seed}"), rows[arm, seed]
            keys = {"loss": "eval_loss", "answer_accuracy": "eval_answer_accuracy", "exact_match": "eval_exact_match"}
            keys |= {"tokens": "num_input_tokens_seen", "flops": "total_flos", "training_loss": "loss"}
            assert {name: float(row[name]) for name in keys} == {n: history(run, k)[-1][1] for n, k in keys.items()}
            assert f"| {arm} | {seed} | 12 |" in text and f"{float(row['loss']):.4f}" in text
            assert float(row["earlier_tokens"]) == (0 if arm == "scratch" else 8 * 4 * 13)
            results = json.loads((run / "eval_results.json").read_text())
            assert float(row["answer_accuracy"]) == results["eval_answer_accuracy"]
    assert "runs/source | permuted:runs/source (permuted)" in text


def test_provenance_tells_where_weights_came_from():
    def told(folder):
        return json.loads(Path(f"runs/study/haystack-4/{folder}/seed_1/provenance.json").read_text())

    assert "init_from" not in told("scratch")
    (source,) = told("permuted_runs_source")["init_from"]["sources"]
    assert (source["path"], source["control"], source["task"]) == ("runs/source", "permuted", "sort-6")
    assert source["tokens"] == 8 * 4 * 13 and source["flops"] > 0
    actions = {entry["name"]: entry["action"] for entry in told("attn=runs_source")["transfer"]["entries"]}
    assert actions.keys() == weights("runs/source").keys()
    assert {name for name, action in actions.items() if action == "copied"} == {n for n in actions if ".attn." in n}


def test_a_run_of_a_study_can_be_repeated_alone(monkeypatch, tmp_path):
    for arm in ("scratch", "permuted_runs_source"):
        run = Path("runs/study/haystack-4", arm, "seed_1")
        run_here(monkeypatch, "pretrain", run / "recipe.yaml", "--output_dir", tmp_path / arm)
        assert same_weights(tmp_path / arm, run)


@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_killed_study_goes_on_where_it_stopped(num_proc, monkeypatch, tmp_path, capfd):
    study = tmp_path / "study"
    words = [*STUDY, "--output_dir", study, "--num_proc", num_proc]
    kill_when(study / RUNS[2] / "checkpoint-4" / "trainer_state.json", "probe", *words)
    time.sleep(1)  # in which no process of the study goes on
    assert not (study / RUNS[2] / "eval_results.json").exists() and not (study / RUNS[-1]).exists()
    files = [path for run in RUNS if (study / run / "eval_results.json").exists() for path in (study / run).rglob("*")]
    times = {path: path.stat().st_mtime_ns for path in files}
    (study / RUNS[2] / "checkpoint-99").mkdir()  # as of a kill while it was saved
    capfd.readouterr()
    run_here(monkeypatch, "probe", study / "recipe.yaml", "--resume_from_checkpoint", "true")
    assert all(same_weights(study / run, Path("runs/study", run)) for run in RUNS)
    assert len(times) >= 20 and {path: path.stat().st_mtime_ns for path in files} == times
    last = Path("runs/study/report.csv").read_text().count("\n"), (study / "report.csv").read_text().count("\n")
    told = capfd.readouterr().out
    assert last == (9, 9) and "attn=runs/source, seed 1: answer_accuracy" in told
    logs = {path.relative_to(study).with_suffix("").as_posix() for path in study.rglob("seed_*.log")}
    assert logs == (set(RUNS) if num_proc == 2 else set()) and ("'loss'" in told) == (num_proc == 1)


@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_run_that_fails_leaves_the_others_alone(num_proc, monkeypatch, tmp_path, capfd):
    words = [*PROBE, "--learning_rate", "1e30", "--seeds", "0", "1", "--output_dir", tmp_path / "study"]
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "probe", *words, "--num_proc", num_proc)
    errors = [
        line for line in capfd.readouterr().err.splitlines() if "the run has diverged" in line or "failed" in line
    ]
    assert exit_.value.code == 2 and len(errors) == 3
    assert "error: 2 of 2 runs failed; this runs them again: " in errors[2]
    assert len([*(tmp_path / "study").rglob("diverged.json")]) == 2


def test_only_named_components_are_trained(monkeypatch, tmp_path):
    words = [*PROBE, "--init_from", "runs/source", "--seeds", "3", "--output_dir", tmp_path / "study"]
    run_here(monkeypatch, "probe", *words, "--train_components", "attn")
    run_here(monkeypatch, "probe", *words[:-1], tmp_path / "still", "--learning_rate", "0")
    trained, begun = (
        weights(tmp_path / study / "haystack-4" / "runs_source" / "seed_3") for study in ("study", "still")
    )
    same = {name for name in begun if torch.equal(trained[name], begun[name])}
    assert same == {name for name in begun if ".attn." not in name}
    source = weights("runs/source")
    assert all(torch.equal(begun[name], source[name]) for name in begun if ".h." in name)


def test_a_saved_study_is_a_configuration():
    recipe = yaml.load(Path("runs/study/recipe.yaml").read_text(), Loader)
    assert recipe["init_from"] == ARMS and recipe["seeds"] == [0, 1] and recipe["task_parameters"] == {"vocab_size": 20}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "haystak-4"], "unknown task 'haystak': did you mean haystack"),
        (["--task", "haystack-4", "sorting-0"], "length must be an integer >= 1, got 0"),
        (["--task", "haystack-4", "haystack-4"], "task: something is named twice in haystack-4 haystack-4"),
        (["--task", "haystack-4", "sorting-4", "--task_parameters", '{"min_digits": 1}'], "min_digits"),
        (["--task_parameters", "{oops"], "task_parameters must be JSON"),
        (["--seeds", "1", "0", "1"], "seeds: something is named twice in 1 0 1"),
        (["--seeds", "one"], "invalid int value: 'one'"),
        (["--init_from", "scratch", "scratch"], "init_from: something is named twice in scratch scratch"),
        (["--init_from", "runs/source", "runs/source/"], "init_from: something is named twice"),
        (
            ["--init_from", "runs/sauce"],
            "runs/sauce has no configuration of a model: there is no such folder, and on the Hub",
        ),
        (["--init_from", "scratch", "empty"], "empty is not a model's folder: it has no config.json"),
        (["--init_from", "missing.pth"], "no checkpoint missing.pth"),
        (["--init_from", "shuffled:runs/source"], "control must be permuted, statistics, or noise"),
        (["--init_from", "atn=runs/source"], "'atn': did you mean attn?"),
        (["--init_from", "runs/source", "--transfer", "atn"], "'atn': did you mean attn?"),
        (["--init_from", "runs/source", "--train_components", "head"], "components must be among"),
        (["--init_from", "runs/source", "--embeddings", "copy"], "embeddings must be one of"),
        (
            ["--init_from", "runs/source", "--embeddings", "retain"],
            "embeddings retain: the source has 32 rows, the target",
        ),
        (["--init_from", "runs/source", "--size", "2_2_32"], "has shape [32, 16], the target [20, 32]"),
        (["--init_from", "runs/source", "runs/narrow"], "runs/narrow has shape [32, 8], the target [20, 16]"),
        (["--init_from", "runs/source", "--size", "3_2_16"], "has 2 layers, the target 3: name the layers to copy"),
        (["--init_from", "runs/source", "--size", "3_2_16", "--layers", "2:0"], "source layer 2 does not exist"),
        (["--init_from", "runs/source", "--model_type", "llama", "--size", "2_2_16"], "is a gpt2, the target a llama"),
        (["--num_proc", "0"], "num_proc must be at least 1"),
        (["--validation_size", "0"], "validation_size must be at least 1, got 0"),
        (["--output_dir", "full"], "output_dir full is not empty"),
        (["--output_dir", "full", "--resume_from_checkpoint", "true"], "holds precious.txt but no checkpoint"),
        (["--output_dir", "full/precious.txt"], "output_dir full/precious.txt is a file"),
        (["--output_dir", "runs/study"], "output_dir runs/study is not empty"),
        (
            ["--output_dir", "runs/study", "--resume_from_checkpoint", "true", "--learning_rate", "1e-3"],
            "runs/study belongs to a run with learning_rate 0.01, not 0.001",
        ),
        (["--init_from", "runs/source", "./runs/source/"], "init_from: something is named twice"),
    ],
    ids=lambda value: "_".join(value)[-50:] if isinstance(value, list) else "",
)
def test_a_mistake_ends_with_one_line_and_changes_nothing(words, message, home, monkeypatch, capsys):
    assert message in error_of(monkeypatch, capsys, home, "probe", *PROBE, *words)
