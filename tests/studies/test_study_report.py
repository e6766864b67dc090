"""Reports of studies made by hand; every expected number is derived beside it."""

import csv
import fcntl
import json
import math
import re

import numpy as np
import pytest
from matplotlib.image import imread
from support.made_study import MadeStudy, accuracies, losses, source

from hf_procedural.studies import arms as study_arms
from hf_procedural.studies import comparisons, figures, report

T2 = 4.3026527  # quantile of Student's t of two degrees at 0.975


def table_with(text, title):
    """The lines of the first table with a column of that title, by the cell of its first column."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| ") and f"| {title} |" in line)
    titles, found = lines[start].strip("| ").split(" | "), {}
    for line in lines[start + 2 :]:
        if not line.startswith("| "):
            break
        cells = line.strip("| ").split(" | ")
        found.setdefault(cells[0], []).append(dict(zip(titles, cells, strict=True)))
    return found


def rows_of_csv(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def probes(tmp_path):
    """Scratch, set-16 whole and by attention, a control, a matched baseline: three seeds each; one run not begun."""
    study = MadeStudy(tmp_path)
    after = {seed: [f"warmup/set-16/seed_{seed}"] for seed in range(4)}
    for seed in range(3):
        study.add(f"warmup/set-16/seed_{seed}", {"task": "set-16"}, accuracies(0.5, 1.0), tokens=500)
    ends = {
        "scratch": (0.1, 0.2, 0.3),
        "warmup/set-16": (0.9, 0.8, 1.0),
        "attn=warmup/set-16": (0.5, 0.4, 0.3),
        "permuted:warmup/set-16": (0.31, 0.32, 0.33),
        "compute_matched 500": (0.2, 0.3, 0.4),
    }
    for init_from, values in ends.items():
        folder = init_from.translate(str.maketrans("/:= ", "____"))
        for seed, value in enumerate(values):
            path = str(tmp_path / after[seed][0])
            more = {"sources": [source(path)], "after": after[seed], "tokens": 2000}
            if init_from.startswith("permuted"):
                more["sources"] = [source(path, control="permuted")]
            if not init_from.endswith("set-16"):
                more = {"tokens": 2500 if "compute" in init_from else 2000}
            if "compute" in init_from:
                more["matched"] = {"kind": "compute_matched", "to": "haystack-8__warmup_set-16"}
            arm = {"task": "haystack-8", "init_from": init_from}
            study.add(f"probe/haystack-8__{folder}/seed_{seed}", arm, accuracies(value / 2, value), **more)
    arm = {"task": "haystack-8", "init_from": "warmup/set-16"}
    study.add("probe/haystack-8__warmup_set-16/seed_3", arm, after=["warmup/set-16/seed_3"], tokens=2000)
    return study


def test_evaluated_models_are_compared_by_what_all_were_asked(tmp_path):
    study = MadeStudy(tmp_path)
    figures = {"sort-8": [0.5, 0.6, 0.8], "set-8": [0.1, 0.3, 0.2]}
    for task, values in figures.items():
        for seed, value in enumerate(values):
            study.add(f"warmup/{task}/seed_{seed}", {"task": task}, accuracies(0.5))
            name = f"suite/warmup_{task}/seed_{seed}"
            folder = study.add(name, {"model_name_or_path": f"warmup/{task}"}, after=[f"warmup/{task}/seed_{seed}"])
            study.plan["runs"][-1]["recipe"] = "evaluate"
            folder.mkdir(parents=True)
            results = {"eval_aloud_exact_match": 0.0, "eval_blimp_bits_per_byte": 4 - value}
            results |= {f"eval_{task}_exact_match": value / 2}
            (folder / "eval_results.json").write_text(json.dumps(results))
    text = report.write(study.plan, tmp_path)
    figures_of = table_with(text, "sort-8, seed 2")
    assert figures_of["blimp bits per byte"][0]["sort-8, seed 2"] == "3.2000"
    assert figures_of["set-8 exact match"][0]["sort-8, seed 2"] == "-"
    assert "3.3667" in text  # the mean of the text's bits per byte, by which they are compared
    for run in study.plan["runs"]:  # nothing that both were asked
        if run["stage"] == "suite":
            file = tmp_path / run["name"] / "eval_results.json"
            results = json.loads(file.read_text())
            del results["eval_blimp_bits_per_byte"], results["eval_aloud_exact_match"]
            file.write_text(json.dumps(results))
    text = report.write(study.plan, tmp_path)
    assert table_with(text, "sort-8, seed 2")["sort-8 exact match"][0]["sort-8, seed 2"] == "40.0%"
    with pytest.raises(ValueError, match="no metric in common"):
        report.write(study.plan, tmp_path, metric="exact_match")


def test_gains_intervals_and_verdicts_are_those_worked_out_by_hand(probes, tmp_path):
    text = report.write(probes.plan, tmp_path)
    found = {label: lines[0] for label, lines in table_with(text, "gain").items()}
    assert list(found) == [
        "scratch",
        "set-16",
        "set-16, attention only",
        "permuted: set-16",
        "scratch, compute-matched 500",
    ]
    half = T2 * 0.1 / math.sqrt(3)  # differences 0.8, 0.6, 0.7
    assert found["set-16"]["answer accuracy"] == "90.0% ± 10.0%" and found["set-16"]["gain"] == "+0.7000"
    assert found["set-16"]["95 % interval"] == f"[{0.7 - half:+.4f}, {0.7 + half:+.4f}]"
    assert (found["set-16"]["verdict"], found["set-16"]["by"]) == ("separated", "paired t, 3 seeds")
    assert found["set-16"]["seeds"] == "3 of 4" and found["set-16"]["steps to 0.9"] == "200, never, 200"
    # differences 0.4, 0.2, 0.0: mean 0.2, standard deviation 0.2
    assert found["set-16, attention only"]["verdict"] == "not separated"
    half = T2 * 0.2 / math.sqrt(3)
    assert found["set-16, attention only"]["95 % interval"] == f"[{0.2 - half:+.4f}, {0.2 + half:+.4f}]"
    # each matched baseline is 0.1 better than its seed from scratch
    assert found["scratch, compute-matched 500"]["verdict"] == "no spread over seeds"
    assert found["scratch, compute-matched 500"]["95 % interval"] == "-"
    assert found["scratch"]["gain"] == "-"


def test_controls_have_their_share_of_the_gain(probes, tmp_path):
    text = report.write(probes.plan, tmp_path)
    whole, part = table_with(text, "share of the gain").values()
    assert [(line["it is"], line["share of the gain"]) for line in whole] == [
        ("permuted", "17.1%"),  # (0.32 - 0.2) / 0.7
        ("compute-matched", "14.3%"),  # (0.3 - 0.2) / 0.7
    ]
    assert [(line["it is"], line["share of the gain"]) for line in part] == [  # which has no gain that separates
        ("compute-matched", "-"),
        ("whole", "-"),
    ]
    # attention less whole: -0.4, -0.4, -0.7
    assert part[1]["gain over it"] == "-0.5000" and part[1]["verdict"] == "separated, worse"


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_one_seed_and_no_numbers_have_no_share(probes, tmp_path, seeds):
    if len(seeds) > 1:
        arm = tmp_path / "probe/haystack-8__warmup_set-16/seed_0/trainer_state.json"
        state = json.loads(arm.read_text())
        state["log_history"][-1]["eval_answer_accuracy"] = math.nan
        arm.write_text(json.dumps(state))
    kept = [run for run in probes.plan["runs"] if run["seed"] in seeds]
    text = report.write(probes.plan | {"runs": kept}, tmp_path)
    verdict = "one seed" if len(seeds) == 1 else "no number"
    assert table_with(text, "gain")["set-16"][0]["verdict"] == verdict
    lines = table_with(text, "gain over it")["set-16"]
    assert [line["verdict"] for line in lines] == [verdict, verdict]
    rows = rows_of_csv(tmp_path / "differences.csv")
    assert {row["share"] for row in rows if row["arm"] == "set-16"} == {""}


def test_p_values_are_corrected_for_all_of_the_report(probes, tmp_path):
    report.write(probes.plan, tmp_path)
    rows = [row for row in rows_of_csv(tmp_path / "differences.csv") if row["p"]]
    # of 4 gains over scratch and 4 other differences, one has no spread
    assert len(rows) == 7 and len(rows_of_csv(tmp_path / "differences.csv")) == 8
    smallest = min(rows, key=lambda row: float(row["p"]))
    assert float(smallest["p_holm"]) == pytest.approx(7 * float(smallest["p"]))
    assert "7 intervals in this report" in (tmp_path / "report.md").read_text()


def test_tokens_needed_are_without_and_with_those_of_earlier_stages(probes, tmp_path):
    text = report.write(probes.plan, tmp_path)
    lines = table_with(text, "share with earlier tokens")["set-16"]
    # scratch ends at a loss of 0.8 after 2,000 tokens; seed 0 has 0.55 at its first evaluation, at 1,000 tokens
    assert (lines[0]["tokens needed"], lines[0]["share"]) == ("1k", "50.0%")
    assert lines[0]["share with earlier tokens"] == "75.0%"  # 1,500 of 2,000
    attention = table_with(text, "share with earlier tokens")["set-16, attention only"]
    # its seed 2 goes from 0.85 to 0.7, and is at 0.8 after a third of the way
    assert attention[2]["tokens needed"] == "1.333k"


def test_what_is_not_finished_is_listed_and_in_no_mean(probes, tmp_path):
    arm = {"task": "haystack-8", "init_from": "warmup/eca"}
    diverged = [{"eval_loss": 1.0, "eval_answer_accuracy": 0.99}, {"loss": math.nan, "eval_loss": 1.0}]
    diverged[1]["eval_answer_accuracy"] = 0.99
    sources = [source("eca")]
    probes.add("probe/eca/seed_0", arm, accuracies(0.4, 0.5), sources=sources)
    probes.add("probe/eca/seed_1", arm, accuracies(0.9), sources=sources, finished=False)
    folder = probes.add("probe/eca/seed_2", arm, diverged, sources=sources)
    state = json.loads((folder / "trainer_state.json").read_text())
    assert math.isnan(state["log_history"][1]["loss"])
    text = report.write(probes.plan, tmp_path)
    assert "- probe/haystack-8\\_\\_warmup" not in text  # an underscore within a word needs no backslash
    for line in (
        "- probe/haystack-8__warmup_set-16/seed_3: not begun",
        "- probe/eca/seed_1: unfinished, at step 100",
        "- probe/eca/seed_2: diverged at step 200",
    ):
        assert line in text
    line = table_with(text, "gain")["warmup/eca"][0]
    assert (line["seeds"], line["answer accuracy"], line["verdict"]) == ("1 of 3", "50.0%", "one seed")
    assert line["gain"] == "+0.4000" and line["95 % interval"] == "-"  # over scratch of the same seed
    states = {row["run"]: row["state"] for row in rows_of_csv(tmp_path / "report.csv")}
    assert states["probe/eca/seed_0"] == "finished" and states["probe/eca/seed_1"] == "unfinished, at step 100"
    assert len(states) == len(probes.plan["runs"])


def test_a_run_without_its_mark_is_not_finished(probes, tmp_path):
    (tmp_path / "probe/haystack-8__scratch/seed_2/eval_results.json").unlink()
    line = table_with(report.write(probes.plan, tmp_path), "gain")["set-16"][0]
    assert line["by"] == "paired t, 2 seeds" and line["gain"] == "+0.7000"  # of 0.8 and 0.6


def test_a_bootstrap_is_named_where_it_was_asked_for(probes, tmp_path):
    text = report.write(probes.plan, tmp_path, method="bootstrap")
    assert table_with(text, "gain")["set-16"][0]["by"] == "BCa bootstrap, paired, 3 seeds"
    assert "a bootstrap of 3 seeds holds the true gain less often than 95 %" in text
    assert "by a BCa bootstrap" in text and "by a paired t test" not in text


def test_figures_are_there_and_of_something(probes, tmp_path):
    report.write(probes.plan, tmp_path)
    names = {file.name for file in tmp_path.glob("*.png")}
    assert names == {"heatmap.png", "components.png", "controls.png", "tokens.png", "curves_haystack-8.png"}
    for name in names:
        image = imread(tmp_path / name)
        assert min(image.shape[:2]) > 150 and len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 20, name


def test_an_arm_has_one_colour_and_mark_in_all_figures(tmp_path):
    study = MadeStudy(tmp_path)
    tasks_of = {"haystack-8": ("set-16", "sort-16", "dyck-8"), "brackets-4": ("dyck-8", "sort-16")}
    for domain, tasks in tasks_of.items():
        for task in ("", *tasks):
            init_from = f"warmup/{task}" if task else "scratch"
            arm = {"task": domain, "init_from": init_from}
            more = {"sources": [source(init_from)]} if task else {}
            for seed in range(2):
                values = accuracies(*((0.5, 0.6 + seed / 10) if task else (0.1, 0.2)))
                study.add(f"probe/{domain}__{task}/seed_{seed}", arm, values, tokens=2000, **more)
    groups = study_arms.groups(study_arms.read_arms(study.plan, tmp_path))
    metrics = dict.fromkeys(groups, "eval_answer_accuracy")
    looks_of, lines_in = {}, {}
    for name, figure, _, _ in figures._figures(groups, metrics, []):
        for axis in figure.axes:
            if name == "tokens":  # a line for each arm, from the top down
                labels = [tick.get_text() for tick in axis.get_yticklabels()]
                lines = [(labels[int(line.get_ydata()[0])], line) for line in axis.lines if line.get_marker() != "None"]
            elif name.startswith("curves"):
                lines = [(line.get_label(), line) for line in axis.lines if not line.get_label().startswith("_")]
            else:
                continue
            lines_in.setdefault(name, set()).update(label for label, _ in lines)
            for label, line in lines:
                looks_of.setdefault(label, set()).add((line.get_color(), line.get_marker()))
    assert {name: len(labels) for name, labels in lines_in.items()} == {
        "curves_haystack-8": 4,
        "curves_brackets-4": 3,
        "tokens": 3,
    }
    assert all(len(each) == 1 for each in looks_of.values()), looks_of
    assert len(set.union(*looks_of.values())) == 4  # and no two arms the same


def test_figures_that_are_drawn_no_more_are_removed_and_no_others(probes, tmp_path):
    report.write(probes.plan, tmp_path)
    (tmp_path / "mine.png").write_bytes(b"")
    fewer = [run for run in probes.plan["runs"] if "permuted" not in run["name"] and "compute" not in run["name"]]
    report.write(probes.plan | {"runs": fewer}, tmp_path)
    assert not (tmp_path / "controls.png").exists() and (tmp_path / "components.png").exists()
    assert (tmp_path / "mine.png").exists()


def test_curves_stand_with_their_own_domain(tmp_path):
    study = MadeStudy(tmp_path)
    for task in ("sort-8", "sort-80", "sort 8"):
        study.add(f"probe/{task}/seed_0", {"task": task, "init_from": "scratch"}, accuracies(0.1, 0.2))
    text = report.write(study.plan, tmp_path)
    sections = {part.splitlines()[0]: re.findall(r"\((curves.*)\)", part) for part in text.split("\n## ")[2:]}
    assert sections == {
        "sort-8": ["curves_sort-8.png"],
        "sort-80": ["curves_sort-80.png"],
        "sort 8": ["curves_sort_8.png"],
    }


def text_study(tmp_path, scratch_passes, arm_passes, **options):
    study = MadeStudy(tmp_path)
    for seed in range(2):
        scratch = losses(3.0, 2.0 + seed / 10, **scratch_passes)
        study.add(f"text/scratch/seed_{seed}", {"dataset": "stdlib", "init_from": "scratch"}, scratch)
        arm = {"dataset": "stdlib", "init_from": "warmup/set-16"}
        sources = [source("warmup/set-16", **options)]
        study.add(f"text/set/seed_{seed}", arm, losses(2.5, 1.5, **arm_passes), sources=sources)
    return report.write(study.plan, tmp_path)


def test_text_that_repeats_in_one_arm_only_is_told(tmp_path):
    text = text_study(tmp_path, {"text_passes": 2}, {"text_passes": 0})
    assert "stdlib: scratch read its data more than once (in pass 3)" in text
    assert "what did not: warmup/set-16 (in pass 1)" in text
    assert table_with(text, "passes")["scratch"][0]["passes"] == "in pass 3"


@pytest.mark.parametrize("passes", [({"text_passes": 0}, {"text_passes": 0}), ({"text_passes": 1}, {"text_passes": 2})])
def test_text_that_repeats_in_both_arms_or_none_is_not(tmp_path, passes):
    assert "more than once" not in text_study(tmp_path, *passes)


def test_text_of_which_no_run_tells_is_not_guessed(tmp_path):
    text = text_study(tmp_path, {"epoch": 1.0}, {"epoch": 1.0})  # of endless rows: a share of the steps
    assert "more than once" not in text and "passes" not in table_with(text, "gain")["scratch"][0]


def test_a_warm_up_on_the_same_text_has_read_it_before(tmp_path):
    text = text_study(tmp_path, {"text_passes": 0}, {"text_passes": 0}, dataset="stdlib")
    assert "warmup/set-16 read its data more than once (in pass 1, once more than a stage before)" in text


def test_passes_are_read_from_the_last_checkpoint_where_no_log_tells(tmp_path):
    study = MadeStudy(tmp_path)
    folder = study.add("text/a/seed_0", {"dataset": "stdlib"}, losses(2.0), finished=False)
    mark = {"row": 8, "sources": [{"epoch": 3, "document": 1, "tokens": 4}, {"task_row": 5, "tokens": 1}], "tokens": 0}
    (folder / "checkpoint-100" / "rows.json").write_text(json.dumps(mark))
    assert table_with(report.write(study.plan, tmp_path), "passes")["scratch"][0]["passes"] == "in pass 4"


def test_of_other_data_the_epoch_tells_it(tmp_path):
    study = MadeStudy(tmp_path)
    arm = {"task": "haystack-8"}
    evaluated = [each | {"epoch": 2.5} for each in accuracies(0.5)]
    study.add("probe/haystack-8/seed_0", arm, evaluated, recipe={"streaming": False})
    assert table_with(report.write(study.plan, tmp_path), "passes")["scratch"][0]["passes"] == "2.5"


def test_a_loss_is_better_where_it_is_smaller(tmp_path):
    text = text_study(tmp_path, {}, {})
    line = table_with(text, "gain")["warmup/set-16"][0]
    # 2.0 - 1.5 and 2.1 - 1.5: mean 0.55, and with one degree of freedom 12.7 times 0.05 beside it
    assert line["gain"] == "+0.5500" and line["95 % interval"] == "[-0.0853, +1.1853]"
    assert line["verdict"] == "not separated"
    assert "intervals over 2 seeds are wide" in text


ODD = "a|b<img src=x onerror=alert(1)>*c*`d`[e](javascript:alert(2))&lt;"


def test_names_with_odd_characters_are_shown_as_they_are(tmp_path):
    study = MadeStudy(tmp_path, name=ODD)
    for seed in range(2):
        study.add(f"probe/scratch/seed_{seed}", {"task": ODD, "init_from": "scratch"}, accuracies(0.1 + seed / 10))
        arm = {"task": ODD, "init_from": "warmup/$x$_y"}
        study.add(f"probe/x/seed_{seed}", arm, accuracies(0.5), sources=[source("warmup/$x$_y")])
    report.write(study.plan, tmp_path)
    page = (tmp_path / "index.html").read_text()
    body = page.partition("<main>")[2].partition("</main>")[0]
    shown = "a|b&lt;img src=x onerror=alert(1)&gt;*c*`d`[e](javascript:alert(2))&amp;lt;"
    assert f'<h1 id="section-0">{shown}: report of a study</h1>' in body
    assert "<em>c" not in body and "<code>" not in body and "href" not in body
    assert body.count("<img ") == body.count('src="data:image/png;base64,') == 3  # heat map, tokens, curves
    assert f"<title>{shown}: report of a study</title>" in page and "warmup/$x$_y" in body


def test_diagnoses_are_in_the_page(probes, tmp_path):
    folder = tmp_path / "diagnosis" / "set"
    folder.mkdir(parents=True)
    (folder / "diagnosis.md").write_text("# What changed\n\n![cka](cka.png) ![away](../../heatmap.png) ![no](no.png)\n")
    report.write(probes.plan, tmp_path)
    (folder / "cka.png").write_bytes((tmp_path / "heatmap.png").read_bytes())
    report.write(probes.plan, tmp_path)
    page = (tmp_path / "index.html").read_text()
    (shown,) = page.partition("What changed</h1>")[2].partition("</main>")[0].splitlines()[1:2]
    assert shown.count("<img ") == 1 and 'alt="cka"' in shown
    assert "- [set](<diagnosis/set/diagnosis.md>)" in (tmp_path / "report.md").read_text()


def test_an_empty_study_has_a_report(tmp_path):
    study = MadeStudy(tmp_path)
    study.add("probe/a/seed_0", {"task": "haystack-8", "init_from": "scratch"}, tokens=2000)
    text = report.write(study.plan, tmp_path)
    assert "0 of 1 runs are finished" in text and "- probe/a/seed_0: not begun" in text
    (row,) = rows_of_csv(tmp_path / "report.csv")
    assert (row["state"], row["planned_tokens"]) == ("not begun", "2000")


def test_a_run_that_has_a_log_says_why_it_is_not_finished(tmp_path):
    study = MadeStudy(tmp_path)
    for seed, evaluations in enumerate((None, accuracies(0.5), accuracies(0.9), None)):
        arm = {"task": "haystack-8", "init_from": "scratch"}
        folder = study.add(f"probe/a/seed_{seed}", arm, evaluations, finished=seed == 2)
        if seed < 3:
            folder.mkdir(parents=True, exist_ok=True)
            folder.with_name(f"{folder.name}.log").write_text(f"# try: x\nx: error: no *room* in {seed}\n")
    text = report.write(study.plan, tmp_path)
    assert r"- probe/a/seed_0: failed: no \*room\* in 0" in text.splitlines()
    assert [row["state"] for row in rows_of_csv(tmp_path / "report.csv")] == [
        "failed: no *room* in 0",
        "unfinished, at step 100: no *room* in 1",
        "finished",
        "not begun",
    ]
    with (tmp_path / "_lock").open("w") as lock:  # as the study's own command has it
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = report.write(study.plan, tmp_path)
    assert r"- probe/a/seed_0: running or failed: no \*room\* in 0" in text.splitlines()


def test_each_metric_has_its_own_heat_map_and_what_has_no_values_none(tmp_path):
    study = MadeStudy(tmp_path)
    for stage, evaluations in {"text": losses(1.0), "plain": [{"loss": 2.0}], "suite": None}.items():
        for name, init_from in {"scratch": "scratch", "set": "warmup/set"}.items():
            sources = None if name == "scratch" else [source("x")]
            folder = study.add(f"{stage}/{name}/seed_0", {"init_from": init_from}, evaluations, sources=sources)
            if evaluations is None:  # of a recipe that trains nothing
                folder.mkdir(parents=True)
                (folder / "eval_results.json").write_text("{}")
    report.write(study.plan, tmp_path)
    names = {file.name for file in tmp_path.glob("heatmap*")}
    assert names == {"heatmap_evaluation_loss.png", "heatmap_training_loss.png"}
    report.write(study.plan | {"runs": study.plan["runs"][-2:]}, tmp_path)
    assert not [*tmp_path.glob("heatmap*")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "bootstrp"}, "method must be one of t, bootstrap, got 'bootstrp': did you mean bootstrap?"),
        ({"threshold": 1.5}, "threshold must be an accuracy in"),
        ({"metric": "exact"}, "metric must be one that all evaluated runs have"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(probes, tmp_path, options, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        report.write(probes.plan, tmp_path, **options)
    assert not list(tmp_path.glob("*.png")) and not (tmp_path / "report.md").exists()


def test_a_plan_without_what_it_must_have_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"plan\.json does not hold what was written there \(KeyError 'runs'\)"):
        report.write({"name": "x"}, tmp_path)
    with pytest.raises(ValueError, match=r"\(KeyError 'stage'\)"):
        report.write({"runs": [{"name": "a/b/seed_0"}]}, tmp_path)


def compared(study, tmp_path):
    (group,) = study_arms.groups(study_arms.read_arms(study.plan, tmp_path)).values()
    return {(each.arm.label, each.role): each.other.label for each in _compare(group)}


def _compare(group):
    return comparisons.compare({"": group}, {"": "eval_answer_accuracy"})


def test_a_warm_up_of_shuffled_tokens_is_a_control_of_the_same_without(tmp_path):
    study = MadeStudy(tmp_path)
    study.add("warmup/set__shuffle/seed_0", {"task": "set", "length": "16", "shuffle_tokens": "true"})
    study.add("warmup/set__false/seed_0", {"task": "set", "length": "16", "shuffle_tokens": "false"})
    study.add("warmup/set-32/seed_0", {"task": "set", "length": "32"})
    for name in ("set__shuffle", "set__false", "set-32"):
        arm = {"task": "haystack-8", "init_from": f"warmup/{name}"}
        after = [f"warmup/{name}/seed_0"]
        study.add(f"probe/{name}/seed_0", arm, accuracies(0.5), after=after, sources=[source(name)])
    assert compared(study, tmp_path) == {("set__false", "shuffle_tokens"): "shuffle_tokens: set__shuffle"}


def test_shuffled_tokens_of_another_stage_are_known_by_its_arguments(tmp_path):
    study = MadeStudy(tmp_path)
    given = {"dyck": {}, "shuffled": {"shuffle_tokens": True}, "longer": {"shuffle_tokens": True}}
    for stage, parameters in given.items():
        arguments = {"task": "dyck-8", "task_parameters": parameters, "max_steps": 9 + (stage == "longer")}
        arguments |= {"output_dir": f"runs/{stage}", "seed": 0}
        study.add(f"{stage}/dyck-8/seed_0", {"task": "dyck-8"}, arguments=arguments)
        more = {"after": [f"{stage}/dyck-8/seed_0"], "sources": [source(stage)]}
        study.add(f"probe/{stage}/seed_0", {"init_from": f"{stage}/dyck-8"}, accuracies(0.5), **more)
    assert compared(study, tmp_path) == {("dyck/dyck-8", "shuffle_tokens"): "shuffle_tokens: shuffled/dyck-8"}


def test_a_substitutive_arm_has_the_controls_that_are_substitutive(tmp_path):
    study = MadeStudy(tmp_path)
    study.add("warmup/set/seed_0", {"task": "set"}, accuracies(1.0), tokens=500)
    for number, control in enumerate(("", "permuted:")):
        for suffix in ("", " substitutive"):
            arm = {"init_from": f"{control}warmup/set{suffix}"}
            more = {"after": ["warmup/set/seed_0"], "sources": [source("x")]}
            more |= {"matched": {"kind": "substitutive", "to": f"{number}"}} if suffix else {}
            study.add(f"probe/{number}{suffix.strip()}/seed_0", arm, accuracies(0.5), **more)
    assert compared(study, tmp_path) == {
        ("set", "permuted"): "permuted: set",
        ("set, substitutive", "permuted"): "permuted: set, substitutive",
    }


def test_components_of_two_sources_are_a_choice_of_their_own(tmp_path):
    study = MadeStudy(tmp_path)
    arms = {"a": "attn=warmup/set,mlp=warmup/eca", "b": "attn=warmup/set,mlp=permuted:warmup/eca", "c": "scratch"}
    arms |= {"d": "0.5*warmup/set,0.5*warmup/eca", "e": "attn+mlp=warmup/set"}
    for name, init_from in arms.items():
        more = {} if name == "c" else {"sources": [source("x")]}
        study.add(f"probe/{name}/seed_0", {"task": "haystack-8", "init_from": init_from}, accuracies(0.5), **more)
    both = "attn: warmup/set + mlp: warmup/eca, attention + MLP"  # no arm of this study has these names
    assert compared(study, tmp_path) == {
        (both, "baseline"): "scratch",
        (both, "permuted"): f"permuted: {both}",
        ("0.5*warmup/set + 0.5*warmup/eca", "baseline"): "scratch",
        ("warmup/set, attention + MLP", "baseline"): "scratch",
        (f"permuted: {both}", "baseline"): "scratch",
    }


def test_each_arm_is_compared_with_scratch_of_its_settings(tmp_path):
    study = MadeStudy(tmp_path)
    for rate in ("0.1", "0.2"):
        for init_from in ("scratch", "warmup/set"):
            for embeddings in ("average", "reinit"):  # without effect from scratch
                arm = {"task": "haystack-8", "learning_rate": rate, "init_from": init_from, "embeddings": embeddings}
                more = {} if init_from == "scratch" else {"sources": [source("x")]}
                name = f"probe/{rate}_{init_from.replace('/', '_')}_{embeddings}/seed_0"
                study.add(name, arm, accuracies(0.5), **more)
    found = compared(study, tmp_path)
    assert found == {
        (f"warmup/set, learning_rate={rate}, embeddings={embeddings}", "baseline"): f"scratch, learning_rate={rate}"
        for rate in ("0.1", "0.2")
        for embeddings in ("average", "reinit")
    }


def test_a_third_stage_is_compared_with_what_began_from_scratch_in_the_second(tmp_path):
    study = MadeStudy(tmp_path)
    study.add("warmup/set-16/seed_0", {"task": "set"}, accuracies(1.0), tokens=500)
    second = {
        "scratch": "scratch",
        "set": "warmup/set-16",
        "perm": "permuted:warmup/set-16",
        "attn": "attn=warmup/set-16",
    }
    for name, init_from in second.items():
        after = [] if name == "scratch" else ["warmup/set-16/seed_0"]
        study.add(f"text/{name}/seed_0", {"init_from": init_from}, losses(1.0), after=after)
        arm, after = {"task": "sort", "init_from": f"text/{name}"}, [f"text/{name}/seed_0"]
        study.add(f"rl/{name}/seed_0", arm, accuracies(0.5), after=after, sources=[source(f"text/{name}")])
    group = study_arms.groups(study_arms.read_arms(study.plan, tmp_path))["rl: sort"]
    assert {(each.arm.label, each.role): each.other.label for each in _compare(group)} == {
        ("set", "baseline"): "text/scratch",
        ("set", "permuted"): "permuted: perm",
        ("attn", "baseline"): "text/scratch",
        ("permuted: perm", "baseline"): "text/scratch",
    }
    report.write(study.plan, tmp_path)
    study.add("rl/new/seed_0", {"task": "sort", "init_from": "scratch"}, accuracies(0.1))  # then it is that one
    group = study_arms.groups(study_arms.read_arms(study.plan, tmp_path))["rl: sort"]
    assert {each.other.label for each in _compare(group) if each.role == "baseline"} == {"scratch"}
    assert [arm.label for arm in group][:2] == ["text/scratch", "scratch"]
    assert (tmp_path / "heatmap_answer_accuracy.png").exists()


def test_what_only_evaluates_has_its_results(tmp_path):
    study = MadeStudy(tmp_path)
    for name, value in {"scratch": 0.25, "set": 0.75}.items():
        init_from = "scratch" if name == "scratch" else "warmup/set"
        sources = None if name == "scratch" else [source("x")]
        study.add(f"text/{name}/seed_0", {"init_from": init_from}, losses(1.0), sources=sources)
        arm = {"model_name_or_path": f"text/{name}", "task": "sort"}
        folder = study.add(f"scores/{name}/seed_0", arm, after=[f"text/{name}/seed_0"])
        folder.mkdir(parents=True)
        (folder / "eval_results.json").write_text(json.dumps({"eval_exact_match": value}))
    text = report.write(study.plan, tmp_path)
    line = table_with(text.partition("## scores: sort")[2], "gain")["set"][0]
    assert (line["exact match"], line["gain"], line["verdict"]) == ("75.0%", "+0.5000", "one seed")


def test_one_matched_run_does_for_all_warm_ups_of_its_size(tmp_path):
    study = MadeStudy(tmp_path)
    for name, tokens in {"set": 500, "eca": 500, "dyck": 900}.items():
        study.add(f"warmup/{name}/seed_0", {"task": name}, accuracies(1.0), tokens=tokens)
        arm = {"task": "haystack-8", "init_from": f"warmup/{name}"}
        after = [f"warmup/{name}/seed_0"]
        study.add(f"probe/{name}/seed_0", arm, accuracies(0.5), after=after, sources=[source("x")])
    matched = {"kind": "compute_matched", "to": "set"}
    arm = {"task": "haystack-8", "init_from": "compute_matched 500"}
    study.add("probe/more/seed_0", arm, accuracies(0.2), matched=matched)
    natural = {"task": "haystack-8", "init_from": "natural 500"}
    study.add("probe_natural/n/seed_0", natural, accuracies(0.2), tokens=500)
    arm = {"task": "haystack-8", "init_from": "probe_natural/n"}
    more = {"after": ["probe_natural/n/seed_0"], "matched": matched | {"kind": "natural"}, "sources": [source("y")]}
    study.add("probe/n/seed_0", arm, accuracies(0.3), **more)
    arm = {"task": "haystack-8", "init_from": "warmup/dyck substitutive"}
    more = {
        "after": ["warmup/dyck/seed_0"],
        "matched": {"kind": "substitutive", "to": "dyck"},
        "sources": [source("z")],
    }
    study.add("probe/s/seed_0", arm, accuracies(0.3), **more)
    assert compared(study, tmp_path) == {
        (name, role): other
        for name in ("set", "eca")
        for role, other in {"compute-matched": "scratch, compute-matched 500", "natural": "natural 500"}.items()
    }
    labels = [arm.label for arm in study_arms.read_arms(study.plan, tmp_path) if arm.stage == "probe"]
    assert labels[-1] == "dyck, substitutive"
