"""The runs of a study: their names, what they begin from, and on what their results depend."""

import itertools
import json
import os
from pathlib import Path

import pytest

from hf_procedural.studies import engine, graph, reading

STUDY = """
seeds: [0, 1]
stages:
  warmup:
    recipe: pretrain
    task: [sort-8, set-8]
    size: 2_4_16
    max_steps: 10
  middle:
    recipe: pretrain
    task: union-8
    size: 2_4_16
    max_steps: 10
    init_from: attn=warmup
  probe:
    recipe: pretrain
    task: reverse-8
    size: 2_4_16
    learning_rate: [1e-3, 1e-4]
    max_steps: 10
    init_from: [scratch, "attn=warmup/sort*,mlp=middle/*set-8"]
"""


def _graph(tmp_path, content: str = STUDY, **more) -> graph.Graph:
    (tmp_path / "study.yaml").write_text(content)
    return graph.Graph(reading.read(tmp_path / "study.yaml", **{"output": "runs/study", **more}))


def _digests(tmp_path, content: str = STUDY, **more) -> dict[str, str]:
    return {name: planned.digest for name, planned in _graph(tmp_path, content, **more).runs.items()}


def test_each_arm_is_a_run_for_each_seed_behind_those_that_it_begins_from(tmp_path):
    runs = _graph(tmp_path).runs
    assert [name for name in runs if name.endswith("seed_0")] == [
        "warmup/sort-8/seed_0",
        "warmup/set-8/seed_0",
        "middle/attn_warmup_sort-8/seed_0",
        "middle/attn_warmup_set-8/seed_0",
        "probe/learning_rate-0.001__scratch/seed_0",
        "probe/learning_rate-0.001__attn_warmup_sort-8_mlp_middle_attn_warmup_set-8/seed_0",
        "probe/learning_rate-0.0001__scratch/seed_0",
        "probe/learning_rate-0.0001__attn_warmup_sort-8_mlp_middle_attn_warmup_set-8/seed_0",
    ]
    last = [*runs.values()][-1]
    assert last.arguments["init_from"] == (
        "attn=runs/study/warmup/sort-8/seed_1,mlp=runs/study/middle/attn_warmup_set-8/seed_1"
    )
    assert [before.name for before in last.after] == ["warmup/sort-8/seed_1", "middle/attn_warmup_set-8/seed_1"]
    order = [*runs]
    assert all(order.index(before.name) < order.index(run.name) for run in runs.values() for before in run.after)


def test_a_stage_of_one_seed_is_the_beginning_of_all(tmp_path):
    content = STUDY.replace("    max_steps: 10\n  middle", "    max_steps: 10\n    seeds: 7\n  middle")
    assert [before.seed for run in _graph(tmp_path, content).runs.values() for before in run.after if run.seed][:2] == [
        7,
        7,
    ]


def test_names_are_folders_and_may_stand_in_init_from(tmp_path):
    values = ["a,b", "a:b", "x=1", "0.5*a", {"a": [1]}, True, "größe", "../up", "."]
    for value in values:
        name = graph.arm_name({"model_overrides": json.dumps(value)})
        assert not set(name) & set(",:=*/ ") and name not in (".", "..")
    long = [graph.arm_name({"task": "x" * 300, "seed": str(number)}) for number in range(2)]
    assert len({*long}) == 2 and all(len(name) <= 150 for name in long)


@pytest.mark.parametrize(
    "line",
    ["logging_steps: 3", "report_to: none", "eval_steps: 5", "save_steps: 5", "save_total_limit: 1", "max_hours: 1"],
)
def test_arguments_that_change_no_result_change_no_digest(line, tmp_path):
    assert _digests(tmp_path, STUDY.replace("    size", f"    {line}\n    size")) == _digests(tmp_path)


@pytest.mark.parametrize("line", ["data_seed: 3", "weight_decay: 0.1", "launch: {num_processes: 2}", "dropout: 0.1"])
def test_other_arguments_change_that_of_all_runs_behind(line, tmp_path):
    before = _digests(tmp_path)
    after = _digests(tmp_path, STUDY.replace("    size", f"    {line}\n    size", 1))  # of the warm-up
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if "warmup" in name}
    after = _digests(tmp_path, f"    {line}\n    size".join(STUDY.rsplit("    size", 1)))  # of the last stage
    assert {name for name in before if before[name] != after[name]} == {name for name in before if "probe" in name}


def test_what_chooses_the_best_model_counts_where_it_is_chosen(tmp_path):
    best = STUDY.replace("    size", "    load_best_model_at_end: true\n    eval_steps: 2\n    save_steps: 2\n    size")
    assert _digests(tmp_path, best) != _digests(tmp_path, best.replace("_steps: 2", "_steps: 5"))


FILES = """
stages:
  text: {recipe: semantic, dataset: 'data/*.txt', validation_dataset: held.txt, max_steps: 3}
  several: {recipe: semantic, dataset: [{name: large.txt}, stdlib], init_from: "attn=old,mlp=0.5*old/b", max_steps: 3}
  task: {recipe: pretrain, task: sort-8, config_name: own, max_steps: 3}
  behind: {recipe: pretrain, task: sort-8, init_from: task, max_steps: 3}
"""


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("data/a.txt", {"text"}),
        ("held.txt", {"text"}),
        ("large.txt", {"several"}),
        ("old/model.bin", {"several"}),
        ("old/b/model.bin", {"several"}),
        ("own/config.json", {"task", "behind"}),
        ("data/a.csv", set()),
        ("old/.hidden/x", set()),
        ("out/task/run/seed_0/model.bin", set()),
    ],
)
def test_what_is_in_local_files_counts_in_the_digest(file, stages, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(graph, "_HASHED", 100)
    others = ["data/a.txt", "held.txt", "large.txt", "old/model.bin", "old/b/model.bin", "own/config.json"]
    for name in {*others, "old/.hidden/x", file}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("# 1\n" * (200 if name == "large.txt" else 2))
    before = _digests(tmp_path, FILES, output="out")
    assert _digests(tmp_path, FILES, output=tmp_path / "out") == before  # the same folder by another name
    there = (tmp_path / file).read_text()
    (tmp_path / file).write_text(there.replace("1", "2") + "#")  # another size: times may be coarse
    after = _digests(tmp_path, FILES, output="out")
    assert {name.split("/")[0] for name in before if before[name] != after[name]} == stages


def test_a_small_file_counts_by_its_content_alone(tmp_path, monkeypatch):
    file = tmp_path / "own.py"
    file.write_text("# 1")
    planned = graph.Planned("a", "pretrain", {}, 0, {"task": "sort-8", "task_file": str(file)}, [])

    def digest(time: int) -> str:
        os.utime(file, (time, time))
        return graph._digest(planned, Path("out"))

    assert digest(1) == digest(2)
    monkeypatch.setattr(graph, "_HASHED", 2)
    assert digest(1) != digest(2)


def test_arms_of_transfer_are_of_what_is_transferred(tmp_path):
    axes = "[scratch, warmup/sort*]\n    transfer: [[attn], [all]]\n    embeddings: [retain, reinit]"
    content = STUDY.replace('[scratch, "attn=warmup/sort*,mlp=middle/*set-8"]', axes)
    runs = {name: run for name, run in _graph(tmp_path, content).runs.items() if name.startswith("probe")}
    scratch = [run for run in runs.values() if not run.after]
    assert [run.arm_name for run in scratch if run.seed == 0] == [
        "learning_rate-0.001__scratch",
        "learning_rate-0.0001__scratch",
    ]
    assert all(not {"transfer", "embeddings"} & run.arguments.keys() for run in scratch)
    assert len(runs) == 2 * 2 * (1 + 2 * 2)
    with pytest.raises(ValueError, match="two arms have the name learning_rate-0.001__scratch"):
        _graph(tmp_path, content.replace("[scratch,", "[scratch, scratch,"))


def test_a_wider_study_has_the_same_runs_and_more(tmp_path):
    before = _digests(tmp_path)
    for content, more in [
        (STUDY.replace("[0, 1]", "[0, 1, 10]"), {}),
        (STUDY, {"seeds": [0, 1, 2]}),
        (STUDY.replace("[sort-8, set-8]", "[set-8, sort-8, stack-8]"), {}),
        (STUDY.replace("[scratch,", "[scratch, warmup,"), {}),
    ]:
        after = _digests(tmp_path, content, **more)
        assert before.items() < after.items()


def test_the_folder_is_in_no_digest(tmp_path):
    assert _digests(tmp_path) == _digests(tmp_path, output="elsewhere/b") == _digests(tmp_path, output=tmp_path)
    seeds = {"seeds": [1, 10]}  # of whose folders one's name begins another's
    assert _digests(tmp_path, **seeds) == _digests(tmp_path, output="elsewhere", **seeds)
    digests = [*_digests(tmp_path, **seeds).values()]
    assert len({*digests}) == len(digests)


def test_each_of_several_models_has_a_run_of_its_own(tmp_path):
    content = STUDY + "  suite:\n    recipe: evaluate\n    tasks: [sort-8]\n    model_name_or_path: [warmup, gpt2]\n"
    runs = {name: run for name, run in _graph(tmp_path, content).runs.items() if name.startswith("suite")}
    assert [name for name in runs if name.endswith("seed_1")] == [
        "suite/warmup_sort-8/seed_1",
        "suite/warmup_set-8/seed_1",
        "suite/gpt2/seed_1",
    ]
    assert [before.name for before in runs["suite/warmup_set-8/seed_1"].after] == ["warmup/set-8/seed_1"]


def test_a_run_has_a_name_for_trackers(tmp_path):
    run = _graph(tmp_path).runs["warmup/sort-8/seed_1"]
    own = graph.own_arguments(run, Path("runs/study"))
    assert own["run_name"] == "warmup/sort-8/seed_1" and own["project"] == "study"
    assert own["seed"] == 1 and own["output_dir"] == "runs/study/warmup/sort-8/seed_1"


def test_a_study_of_a_thousand_runs_is_planned_in_so_many_steps(tmp_path, monkeypatch):
    """Each arm's arguments are read once, and each kind of task is looked up once: no work for each pair of runs."""
    content = STUDY.replace("[sort-8, set-8]", f"[{', '.join(f'sort-{length}' for length in range(2, 102))}]")
    counts = {"check": 0, "digest": 0}

    def counted(name, function):
        def call(*args):
            counts[name] += 1
            return function(*args)

        return call

    monkeypatch.setattr(graph, "_check", counted("check", graph._check))
    monkeypatch.setattr(graph, "_digest", counted("digest", graph._digest))
    large = _graph(
        tmp_path, content.replace("mlp=middle/*set-8", "mlp=middle/*sort-2").replace("sort*", "*"), seeds=[0, 1]
    )
    assert len(large.runs) == 2 * (100 + 100 + 2 + 2 * 100)
    assert counts == {"check": len(large.runs) // 2, "digest": len(large.runs)}
    plan = engine.plan_of(large)
    assert len(plan["runs"]) == len(large.runs) and all(run["to_do"] for run in plan["runs"])
    assert all(len(run["after"]) <= 2 for run in plan["runs"])
    names = itertools.chain.from_iterable(run["after"] for run in plan["runs"])
    assert {*names} <= large.runs.keys()
