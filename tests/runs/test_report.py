"""Reports on run folders with known curves; every expected number is derived by hand beside it."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.running import run_here

from hf_procedural.runs import read, report

SET = {"path": "runs/set", "control": None, "components": ["attn"], "weight": 1.0, "task": "set-64"}
SET |= {"task_parameters": {"vocab_size": 9}, "tokens": 500, "flops": 1e6}


def save_run(folder, evaluations, recipe=None, sources=None, finished=True, counted=True, runtimes=()):
    """A run folder as the Trainer and our recipes leave it: an evaluation each 100 steps of 10 tokens, 1000 FLOPs."""
    folder.mkdir(parents=True)
    recipe = {"task": "haystack-8", "size": "2_4_16"} | (recipe or {})
    if sources:
        recipe.setdefault("init_from", sources[0]["path"])
        init = {"spec": recipe["init_from"], "sources": sources}
        (folder / "provenance.json").write_text(json.dumps({"seed": 0, "init_from": init}))
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    history, step = [], 0
    for evaluation in evaluations:
        step += 100
        counts = {"num_input_tokens_seen": 10 * step, "total_flos": 1000.0 * step} if counted else {}
        history += [{"loss": 7.0, "step": step} | counts, {"step": step} | counts | evaluation]
    history += [{"train_runtime": time, "train_loss": 6.5, "step": step} for time in runtimes]
    target = folder if finished else folder / f"checkpoint-{step}"
    target.mkdir(exist_ok=True)
    state = {"global_step": step, "log_history": history, "num_input_tokens_seen": 0, "total_flos": 0}
    (target / "trainer_state.json").write_text(json.dumps(state))
    return folder


def losses(*values):
    return [{"eval_loss": value} for value in values]


def accuracies(*values):
    return [{"eval_loss": 1 - value, "eval_answer_accuracy": value} for value in values]


def group_of(*folders, baseline=None):
    (group,) = read.arms(read.read_runs(folders), baseline).values()
    return group


@pytest.fixture
def texts(tmp_path):
    """Two seeds from scratch that end at a loss of 2.0 on average, two from runs/set, one of them unfinished."""
    text = {"dataset": "wikitext", "task": None}
    for seed, last in enumerate((2.1, 1.9)):
        save_run(tmp_path / f"scratch_{seed}", losses(5, 4, 3, last), text | {"seed": seed}, runtimes=[60])
    save_run(tmp_path / "set" / "b", losses(4, 3, 1, 0.5), text | {"seed": 1, "output_dir": "b"}, [SET])
    save_run(tmp_path / "set" / "a", losses(4, 3), text | {"seed": 0, "output_dir": "a"}, [SET], finished=False)
    return tmp_path


def test_runs_are_found_at_any_depth_once_and_without_folders_that_only_hold_runs(texts):
    (texts / "recipe.yaml").write_text("init_from: [scratch, runs/set]\nseeds: [0, 1]\n")  # of a study
    found = read.read_runs([texts, texts / "set", texts / "set" / "a"])
    assert [run.folder.name for run in found] == ["scratch_0", "scratch_1", "a", "b"]
    assert [run.finished for run in found] == [True, True, False, True]
    assert [run.seed for run in found] == [0, 1, 0, 1]


def test_measures_are_those_of_the_log(texts):
    scratch, _, running, real = read.read_runs([texts])
    found = read.measures(scratch)
    assert found.pop("perplexity") == pytest.approx(math.exp(2.1))
    assert found == {
        "steps": 400,
        "tokens": 4000,
        "earlier_tokens": 0,
        "flops": 4e5,
        "earlier_flops": 0,
        "seconds": 60,
        "training_loss": 7.0,
        "loss": 2.1,
    }
    assert read.measures(real)["earlier_tokens"] == 500 and read.measures(real)["earlier_flops"] == 1e6
    assert read.measures(running)["steps"] == 200 and "seconds" not in read.measures(running)


def test_what_is_not_counted_is_absent(tmp_path):
    source = {"path": "hub/model", "control": None, "components": None, "weight": 1.0, "tokens": 0}
    (run,) = read.read_runs([save_run(tmp_path / "run", losses(2, 1), sources=[source], counted=False)])
    assert read.measures(run).keys() == {"steps", "training_loss", "loss", "perplexity"}
    assert run.curve("eval_loss", read.TOKENS).shape == (2, 0)


def test_an_entry_without_counts_has_those_of_its_step(tmp_path):
    folder = save_run(tmp_path / "run", losses(2, 1))
    state = json.loads((folder / "trainer_state.json").read_text())
    for entry in state["log_history"]:
        if "eval_loss" in entry:
            del entry["total_flos"], entry["num_input_tokens_seen"]
    state["log_history"].append({"step": 250, "eval_loss": 0.5, "eval_perplexity": 2.0, "eval_answer_accuracy": 0.95})
    state["log_history"].insert(0, {"step": 0, "eval_loss": 9.0, "num_input_tokens_seen": 0, "total_flos": 0})
    (folder / "trainer_state.json").write_text(json.dumps(state | {"global_step": 250, "total_flos": 3e5}))
    (run,) = read.read_runs([folder])
    assert run.curve("eval_loss", read.TOKENS).tolist() == [[0, 1000, 2000], [9, 2, 1]]
    assert run.curve("eval_loss", read.FLOPS).tolist() == [[0, 1e5, 2e5, 3e5], [9, 2, 1, 0.5]]
    assert read.measures(run)["perplexity"] == 2.0 and read.measures(run)["threshold_step"] == 250


def test_wall_time_is_of_all_sessions(tmp_path):
    folder = save_run(tmp_path / "run", losses(3, 2, 1))
    state = json.loads((folder / "trainer_state.json").read_text())
    for entry, time in zip(state["log_history"][::2], (10, 25, 8), strict=True):  # resumed after 200 steps
        entry["train_runtime"] = time
    (folder / "trainer_state.json").write_text(json.dumps(state))
    assert read.measures(*read.read_runs([folder]))["seconds"] == 25 + 8


def test_a_finished_run_that_was_resumed_for_more_steps_is_not_finished(tmp_path):
    folder = save_run(tmp_path / "run", losses(3, 2))
    save_run(tmp_path / "more", losses(3, 2, 1.5), finished=False)
    (tmp_path / "more" / "checkpoint-300").rename(folder / "checkpoint-300")
    (run,) = read.read_runs([folder])
    assert not run.finished and run.last("eval_loss") == 1.5


def test_arms_are_labelled_by_what_tells_them_apart(tmp_path):
    settings = {
        "a": {"transfer": ["all"], "learning_rate": 0.1},  # transfer is without effect from scratch
        "b": {"transfer": ["attn"], "learning_rate": 0.1, "seed": 1, "logging_steps": 7},
        "c": {"transfer": ["attn", "mlp"], "init_from": "runs/set", "seed": 3},
        "d": {"transfer": ["attn", "mlp"], "init_from": "runs/set", "seed": 2, "output_dir": "d"},
        "e": {"transfer": ["attn"], "init_from": "runs/set", "max_steps": 9},
        "f": {"init_from": "permuted:runs/set"},
    }
    for name, recipe in settings.items():
        source = SET | {"control": "permuted" if name == "f" else None}
        save_run(tmp_path / name, losses(1), recipe, [source] if "init_from" in recipe else None)
    group = group_of(tmp_path)
    assert {label: [run.folder.name for run in read] for label, read in group.items()} == {
        "scratch": ["b", "a"],  # seeds 1 and 42, the default
        "runs/set transfer=attn+mlp max_steps=default": ["d", "c"],
        "runs/set transfer=attn max_steps=9": ["e"],
        "permuted:runs/set": ["f"],
    }


def test_runs_with_other_rows_or_text_are_another_group(tmp_path):
    recipes = [{}, {"seed": 1}, {"task_parameters": {"a": 1}}, {"task": None, "dataset": "c4", "validation_size": 5}]
    for index, recipe in enumerate(recipes):
        save_run(tmp_path / str(index), losses(1), recipe)
    groups = read.arms(read.read_runs([tmp_path]))
    assert {title: [run.folder.name for run in group["scratch"]] for title, group in groups.items()} == {
        "haystack-8 task_parameters=default": ["1", "0"],  # seeds 1 and 42, the default
        'haystack-8 task_parameters={"a": 1}': ["2"],
        "c4": ["3"],
    }
    assert report.markdown(read.read_runs([tmp_path])).count("## ") == 3


def test_baseline_is_the_scratch_arm_with_the_same_settings(tmp_path):
    for name, recipe in {"a": {"size": "2_4_16"}, "b": {"size": "2_4_64"}}.items():
        save_run(tmp_path / name, losses(1), recipe)
        save_run(tmp_path / f"{name}_set", losses(1), recipe, [SET])
    save_run(tmp_path / "c_set", losses(1), {"size": "4_4_16"}, [SET])
    group = group_of(tmp_path)
    bases = {label: read.baseline_of(group, label) for label in group}
    assert bases["runs/set size=2_4_64"] == "scratch size=2_4_64" and bases["runs/set size=4_4_16"] is None
    assert "Without a baseline, so not compared: runs/set size=4_4_16." in report.markdown(read.read_runs([tmp_path]))
    assert read.baseline_of(group, "runs/set size=4_4_16", "scratch size=2_4_16") == "scratch size=2_4_16"


def test_efficiency_by_hand(texts):
    group = group_of(texts)
    running, real = group["runs/set"]
    # the baseline ends at (2.1 + 1.9) / 2 = 2; the real run is at 3 with 2,000 tokens and at 1 with 3,000: 2 at 2,500
    expected = {"tokens_needed": 2500, "share": 2500 / 4000, "share_with_earlier": 3000 / 4000}
    assert read.efficiency(real, group["scratch"]) == expected
    assert set(read.efficiency(running, group["scratch"]).values()) == {None}
    # seed 0 of the baseline never gets there, seed 1 between 3 at 3,000 and 1.9 at 4,000
    first, second = (read.efficiency(run, group["scratch"])["tokens_needed"] for run in group["scratch"])
    assert first is None and second == pytest.approx(3000 + 1000 / 1.1)
    assert read.efficiency(real, [running]) == {}  # a baseline that is not finished
    # the other way round: scratch never reaches 0.5
    assert read.efficiency(group["scratch"][0], [real])["share_with_earlier"] is None
    real.sources[0].pop("tokens")
    assert read.efficiency(real, group["scratch"]).keys() == {"tokens_needed", "share"}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.floats(-1, 51), st.randoms(use_true_random=False))
def test_crossing_agrees_with_a_dense_search(values, target, random):
    x = np.cumsum([random.randint(1, 20) for _ in values]).astype(float)
    found = read.crossing(x, np.array(values, float), target)
    dense = np.union1d(x, np.linspace(x[0], x[-1], 200_001))
    below = dense[np.interp(dense, x, values) <= target + 1e-9]
    if found is None:
        assert min(values) > target
    else:
        assert found == pytest.approx(below[0], abs=1e-3 + (x[-1] - x[0]) / 200_000)


@pytest.fixture
def probes(tmp_path):
    """Scratch 0.1, 0.2; real 0.9, 0.92; permuted 0.5, 0.95; statistics 0.3, 0.4; shuffled 0.15."""

    def save(name, finals, source=None):
        for seed, final in enumerate(finals):
            recipe = {"seed": seed, "embeddings": "resample"}
            if source:
                recipe["init_from"] = ":".join(filter(None, [source["control"], source["path"]]))
            save_run(tmp_path / name / f"seed_{seed}", accuracies(0.1, 0.5 * final, final), recipe, source and [source])

    shuffled = {"path": "runs/set_shuffled", "task_parameters": {"vocab_size": 9, "shuffle_tokens": True}}
    save("scratch", (0.1, 0.2))
    save("set", (0.9, 0.92), SET)
    save("permuted", (0.5, 0.95), SET | {"control": "permuted"})
    save("statistics", (0.3, 0.4), SET | {"control": "statistics"})
    save("shuffled", (0.15,), SET | shuffled)
    save("other", (0.99, 0.99), SET | {"path": "runs/union", "control": "permuted"})  # of another source
    return tmp_path


def test_controls_by_hand(probes):
    rows = read.controls(group_of(probes), "eval_answer_accuracy")
    assert {row["arm"] for row in rows} == {"runs/set"}
    assert {row["role"]: row["verdict"] for row in rows} == {
        "baseline": "separated",
        "permuted": "not separated",  # 0.95 is better than 0.9
        "statistics": "separated",
        "shuffle_tokens": "one seed",
    }
    assert rows[0]["gain"] == pytest.approx(0.91 - 0.15)
    shares = {row["role"]: row["share"] for row in rows if "share" in row}
    assert shares == {
        "permuted": pytest.approx((0.725 - 0.15) / 0.76),
        "statistics": pytest.approx(0.2 / 0.76),
        "shuffle_tokens": pytest.approx(0),
    }
    permuted = next(row for row in rows if row["role"] == "permuted")
    assert permuted["values"] == [0.9, 0.92] and permuted["against_values"] == [0.5, 0.95]
    assert permuted["steps"] == [300, 300] and permuted["against_steps"] == [math.inf, 300]
    assert permuted["steps_verdict"] == "not separated"


def test_a_loss_is_better_when_smaller_and_no_gain_has_no_share(probes):
    group = group_of(probes)
    assert read.controls(group, "eval_loss")[0]["gain"] == pytest.approx(0.76)
    against_permuted = read.controls(group, "eval_loss", baseline="permuted:runs/set")
    assert against_permuted[0]["verdict"] == "not separated" and against_permuted[0]["gain"] > 0
    assert [row["share"] for row in against_permuted[1:]] == [None, None]
    assert "no gain" in report.markdown(read.read_runs([probes]), baseline="permuted:runs/set", metric="loss")


def test_controls_have_the_settings_of_their_arm(probes):
    for seed in (0, 1):
        path = probes / "permuted" / f"seed_{seed}" / "recipe.yaml"
        path.write_text(path.read_text().replace("resample", "average"))
    roles = [row["role"] for row in read.controls(group_of(probes), "eval_answer_accuracy")]
    assert sorted(roles) == ["baseline", "shuffle_tokens", "statistics"]


def test_unfinished_runs_decide_nothing(probes):
    for seed in (0, 1):
        folder = probes / "set" / f"seed_{seed}"
        (folder / "checkpoint-300").mkdir()
        (folder / "trainer_state.json").rename(folder / "checkpoint-300" / "trainer_state.json")
    rows = read.controls(group_of(probes), "eval_answer_accuracy")
    assert {row["verdict"] for row in rows} == {"no finished run"}
    assert not any("gain" in row or "share" in row for row in rows)
    assert "unfinished" in report.markdown(read.read_runs([probes]))


@pytest.mark.parametrize(
    ("values", "others", "sign", "expected"),
    [
        ([3, 4], [1, 2], 1, "separated"),
        ([1, 2], [3, 4], 1, "not separated"),
        ([1, 2], [3, 4], -1, "separated"),
        ([2, 3], [1, 2], 1, "not separated"),
        ([math.inf, 1], [math.inf, math.inf], -1, "not separated"),
        ([3, math.nan], [1, 2], 1, "not separated"),
        ([3], [1, 2], 1, "one seed"),
        ([], [1, 2], 1, "no finished run"),
    ],
)
def test_verdicts(values, others, sign, expected):
    assert read.verdict(values, others, sign) == expected


def test_report_is_written_and_printed(texts, probes, monkeypatch, capsys):
    output = texts / "new" / "report"
    run_here(monkeypatch, "report", texts, "--output_dir", output, "--threshold", "0.5")
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert sorted(file.name for file in output.iterdir()) == sorted(report.FILES)
    assert (output / "report.md").read_text().strip().endswith(printed.strip())
    assert (output / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "| scratch | 0 | 400 | 4k | 0 | 4e+05 | 0 | 0:01:00 | 7.0000 | 2.1000 | 8.17 | - |" in lines
    # mean and sample standard deviation of 2.1 and 1.9; of their exponentials 8.166 and 6.686
    expected = "7.0000 | 2.0000 ± 0.1414 | 7.43 ± 1.05 | - |"
    assert f"| scratch | mean of 2 | 400 | 4k | 0 | 4e+05 | 0 | 0:01:00 | {expected}" in lines
    assert "| runs/set | 0 | not reached | not reached | 500 | not reached | unfinished |" in lines
    assert "| runs/set | 1 | 2.5k | 62.5% | 500 | 75.0% | - |" in lines
    assert (
        "| runs/set | scratch (baseline) | 90.0%, 92.0% | 10.0%, 20.0% | +0.7600 | - | separated | 1/6 | 300, 300 "
        "| never, never | separated |"
    ) in lines
    assert "| runs/set | statistics:runs/set (statistics) | 90.0%, 92.0% | 30.0%, 40.0% | - | 26.3% |" in printed
    assert "step at accuracy 0.5" in printed and "1 of 20 for 3 against 3" in printed
    rows = list(csv.DictReader((output / "report.csv").open()))
    assert len(rows) == 4 + 11 and {row["group"] for row in rows} == {"wikitext", "haystack-8"}
    (row,) = (row for row in rows if row["folder"] == str(texts / "set" / "b"))
    assert (float(row["share"]), row["seed"], row["answer_accuracy"]) == (0.625, "1", "")
    run_here(monkeypatch, "report", texts, "--output_dir", output)  # over an earlier report
    assert report.markdown(read.read_runs([texts])) == capsys.readouterr().out.removesuffix("\n")


def test_curves_are_those_of_the_log(probes, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: drawn.append(figure))
    report.draw(read.read_runs([probes]), tmp_path / "x.png")
    steps, tokens, flops = drawn[0].axes
    assert (
        len(steps.lines) == len(tokens.lines) == len(flops.lines) == 11 + 1
    )  # every seed, and the baseline's final value
    curve = next(line for line in tokens.lines if line.get_label() == "runs/set")
    assert curve.get_xdata().tolist() == [1000, 2000, 3000] and curve.get_ydata().tolist() == [0.1, 0.45, 0.9]
    final = next(line for line in flops.lines if line.get_label() == "scratch, final")
    assert list(final.get_ydata()) == pytest.approx([0.15, 0.15])
    assert flops.get_legend() is not None and flops.get_xlabel() == "FLOPs of this stage"


def test_runs_without_counts_or_evaluations_are_drawn_over_steps(tmp_path):
    save_run(tmp_path / "runs" / "a", [{}, {}], counted=False)
    for index in range(12):
        save_run(tmp_path / "runs" / str(index), [{}, {}], {"max_steps": index}, counted=False, finished=False)
    text = report.write(read.read_runs([tmp_path]), tmp_path / "report")
    assert "| scratch max_steps=3 | 42 | 200 | 0 | 0 | 7.0000 | unfinished |" in text
    assert (tmp_path / "report" / "report.png").stat().st_size > 10_000


@pytest.fixture
def folder(texts, monkeypatch):
    """A working folder with what a user may trip over."""
    monkeypatch.chdir(texts)
    for name in ("none", "mixed", "broken", "listed", "headless", "sourceless", "yaml"):
        save_run(Path("faulty") / name / "run", losses(1))
    Path("faulty/none/run/recipe.yaml").unlink()
    save_run(Path("faulty/mixed/other"), [{"eval_exact_match": 1.0}], {"seed": 7})
    for copy in "ab":
        save_run(Path("faulty/twice") / copy, losses(1))
    Path("faulty/broken/run/trainer_state.json").write_text('{"log_history": [')
    Path("faulty/listed/run/trainer_state.json").write_text("[]")
    Path("faulty/headless/run/trainer_state.json").write_text('{"log_history": [{"loss": 1}], "global_step": 1}')
    Path("faulty/sourceless/run/recipe.yaml").write_text("task: sort-4\ninit_from: runs/set\n")
    Path("faulty/sourceless/run/provenance.json").write_text("{}")
    Path("faulty/yaml/run/recipe.yaml").write_text("task: [sort-4\n")
    Path("file").write_text("x")
    Path("full").mkdir()
    Path("full/precious.md").write_text("x")
    return texts


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "required: FOLDER"),
        (["scrach_0"], "no folder scrach_0: did you mean scratch_0?"),
        (["set", "file"], "no folder file"),
        (["faulty/none"], "faulty/none holds no run: no recipe.yaml with a trainer_state.json"),
        (["set", "--baseline", "scratch"], "baseline must be one of 'runs/set', got 'scratch'"),
        (["set", "--metric", "accuracy"], "metric must be one that all evaluated runs have (loss), got 'accuracy'"),
        (["set", "--threshold", "90"], "threshold must be from 0 to 1, got 90.0"),
        (["set", "--threshold", "high"], "invalid float value: 'high'"),
        (["set", "--base", "x"], "unknown argument --base"),
        (["set", "--outptu_dir", "x"], "unknown argument --outptu_dir: did you mean --output_dir?"),
        (
            ["faulty/mixed"],
            "no metric in common: faulty/mixed/other has eval_exact_match; faulty/mixed/run has eval_loss",
        ),
        (["faulty/twice"], "seed 42 of scratch stands twice: faulty/twice/a and faulty/twice/b"),
        (["faulty/broken"], "faulty/broken/run/trainer_state.json cannot be read: "),
        (["faulty/listed"], "faulty/listed/run/trainer_state.json must hold keys and values, got list"),
        (["faulty/headless"], "faulty/headless/run/trainer_state.json is not the state of a Trainer (global_step"),
        (["faulty/sourceless"], "provenance.json does not tell the sources of init_from runs/set"),
        (["faulty/yaml"], "faulty/yaml/run/recipe.yaml cannot be read: "),
        (["set", "--output_dir", "file"], "output_dir file is a file; name a folder"),
        (
            ["set", "--output_dir", "full"],
            "output_dir full holds precious.md, which is not of this recipe",
        ),
    ],
    ids=lambda value: "_".join(value)[-50:] if isinstance(value, list) else "",
)
def test_a_mistake_ends_with_one_line_and_changes_nothing(words, message, folder, monkeypatch, capsys):
    before = sorted(folder.rglob("*"))
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "report", *words)
    captured = capsys.readouterr()
    assert exit_.value.code == 2 and captured.out == ""
    assert captured.err.count("\n") == 1 and captured.err.startswith("report.py: error: ") and message in captured.err
    assert sorted(folder.rglob("*")) == before
