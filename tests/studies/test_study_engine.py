"""A study is made whole, whatever ends it in between, and only that is made which is missing."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from support.studies import TWO_STAGES, Quick, state_of

from hf_procedural import locks
from hf_procedural.runs.folder import RESULTS
from hf_procedural.studies import engine, graph, job, reading

pytest.importorskip("snakemake")
WARMUPS = ["warmup/set-8/seed_0", "warmup/sort-8/seed_0"]
PROBES = [f"probe/{arm}/seed_0" for arm in ("attn_warmup_set-8", "warmup_set-8", "warmup_sort-8")]
ALL = [*PROBES, *WARMUPS]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The results of the study, uninterrupted, by name."""
    quick = Quick(tmp_path_factory.mktemp("whole"))
    assert quick.start().wait() == 0
    assert sorted(quick.results()) == ALL == quick.begun()
    return quick


def _copied(whole: Quick, folder) -> Quick:
    """A finished study, to be changed."""
    subprocess.run(["cp", "-r", str(whole.runs.parent), str(folder)], check=True)
    return Quick(folder)


def test_a_finished_study_makes_nothing(whole, monkeypatch, capsys):
    before = {path: state for path, state in state_of(whole.runs).items() if path.parts[-1] == RESULTS}
    code, _, error = whole.here(monkeypatch, capsys)
    assert (code, error) == (0, "") and whole.begun() == []
    assert {path: state_of(whole.runs)[path] for path in before} == before


@pytest.mark.parametrize(
    ("old", "new", "made"),
    [
        ("seeds: [0]", "seeds: [0, 1]", [name.replace("_0", "_1") for name in ALL]),
        ("set-8]", "set-8, stack-8]", ["probe/warmup_stack-8/seed_0", "warmup/stack-8/seed_0"]),
        ("max_steps: 20", "max_steps: 21", PROBES),
        ("max_steps: 10", "max_steps: 10\n    logging_steps: 2\n    report_to: none", []),
    ],
    ids=["a seed", "a task", "a last stage", "what changes no result"],
)
def test_a_change_makes_what_depends_on_it(old, new, made, whole, tmp_path, monkeypatch, capsys):
    quick = _copied(whole, tmp_path)
    quick.write(TWO_STAGES.replace(old, new))
    before = quick.results()
    code, out, _ = quick.here(monkeypatch, capsys)
    assert code == 0 and quick.begun() == sorted(made)
    replaced = sorted(set(made) & before.keys())
    lines = [line for line in out.splitlines() if "made from other arguments" in line]
    assert len(lines) == bool(replaced)
    for name in replaced:
        (kept,) = (quick.runs / ".study/replaced").glob(f"*/{name}")
        assert (kept / RESULTS).read_text() == before[name] and job.log_of(kept).is_file()
    assert {name: quick.results()[name] for name in before.keys() - replaced} == {
        name: before[name] for name in before.keys() - replaced
    }


def test_another_name_of_the_folder_makes_nothing(whole, tmp_path, monkeypatch, capsys):
    quick = _copied(whole, tmp_path)
    quick.runs.rename(tmp_path / "elsewhere")
    assert quick.here(monkeypatch, capsys, "--output_dir", "elsewhere")[0] == 0
    assert not quick.told()


def test_a_failed_arm_is_named_and_the_others_go_on(tmp_path, whole, monkeypatch, capsys):
    quick = Quick(tmp_path)
    code, out, error = quick.here(monkeypatch, capsys, fails="*/warmup/sort-8/seed_0")
    assert code == 2
    failed, waiting = "warmup/sort-8/seed_0", "probe/warmup_sort-8/seed_0"
    assert error.splitlines() == [
        f"{failed}: failed: task sort-8 is too hard (log: runs/study/{failed}.log)",
        f"{waiting}: not begun, since {failed} failed",
        "hf-procedural: error: not all runs are made; the same command goes on: hf-procedural study study.yaml",
    ]
    assert sorted(quick.results()) == [name for name in ALL if name not in (failed, waiting)]
    quick.begun()
    code, out, error = quick.here(monkeypatch, capsys)
    assert code == 0 and quick.begun() == sorted([failed, waiting]) and quick.results() == whole.results()


def _processes(study: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(study.pid).children(recursive=True)


def _chosen(study: subprocess.Popen, word: str) -> list[psutil.Process]:
    chosen = []
    for process in _processes(study):
        try:
            if process.cmdline()[1:3] == ["-m", word]:
                chosen.append(process)
        except psutil.Error:  # it has just ended
            continue
    return chosen


KILLS = {
    "the command": signal.SIGKILL,
    "the command, by a scheduler": signal.SIGTERM,
    "Ctrl-C": signal.SIGINT,
    "snakemake": signal.SIGKILL,
}


def _killed(quick: Quick, who: str, number: int, later: float) -> bool:
    """Whether a study was killed, which goes on from what is there; False where all was made before."""
    study = quick.start(seconds=0.5)
    while not (chosen := _chosen(study, who if "." in who else "hf_procedural.studies.job")):
        if study.poll() is not None:
            assert (study.returncode, study.communicate()[1]) == (0, "")
            return False
        time.sleep(0.02)
    time.sleep(later)
    started = _processes(study)
    if who == "Ctrl-C":
        os.killpg(study.pid, number)
    elif who.startswith("the command"):
        study.send_signal(number)
    else:
        with contextlib.suppress(psutil.NoSuchProcess):
            (_chosen(study, who) or chosen)[0].send_signal(number)
    _, error = study.communicate(timeout=100)
    assert "Traceback" not in error
    assert psutil.wait_procs(started, timeout=20)[1] == [], who
    assert not quick.runs.joinpath(job.LIVES).exists() or number == signal.SIGKILL
    return study.returncode != 0


def test_a_study_that_is_killed_in_any_way_goes_on(tmp_path, whole):
    """benchmarks/studies.py --kills does so with true runs, of which some are killed alone."""
    quick, rng = Quick(tmp_path), random.Random(0)
    for who, number in KILLS.items():
        for _ in range(5):
            if _killed(quick, who, number, rng.uniform(0, 0.5)):
                break
            assert quick.results() == whole.results()
            shutil.rmtree(quick.runs)  # on a slow machine all may be made by now
        else:
            pytest.fail(f"never killed: {who}")
    assert quick.start().wait() == 0
    assert quick.results() == whole.results()


def test_of_two_commands_on_a_folder_one_ends(tmp_path, monkeypatch, capsys):
    quick = Quick(tmp_path)
    quick.runs.mkdir(parents=True)
    first = quick.start(seconds=2)
    while not quick.told():
        time.sleep(0.05)
    code, _, error = quick.here(monkeypatch, capsys)
    assert code == 2 and error.count("\n") == 1
    assert re.search(rf"output_dir runs/study is being written by process {first.pid} on .*wait for its end", error)
    assert quick.here(monkeypatch, capsys, "--dry_run")[0] == 0  # what is there may be looked at
    first.terminate()
    assert first.wait() == 128 + signal.SIGTERM


def test_a_folder_of_something_else_is_refused(tmp_path, monkeypatch, capsys):
    quick = Quick(tmp_path)
    quick.runs.mkdir(parents=True)
    (quick.runs / "thesis.tex").touch()
    before = state_of(tmp_path)
    code, _, error = quick.here(monkeypatch, capsys)
    assert code == 2 and "output_dir runs/study holds thesis.tex, which is not of this recipe" in error
    assert state_of(tmp_path) == before


def test_a_metric_of_no_quality_is_refused_before_the_runs(tmp_path, monkeypatch, capsys):
    quick = Quick(tmp_path)
    code, _, error = quick.here(monkeypatch, capsys, "--metric", "runtime")
    assert code == 2 and "metric must be a measure of quality, as answer_accuracy or loss, got 'runtime'" in error
    assert not quick.runs.exists()


def test_a_folder_of_another_study_is_refused(whole, tmp_path, monkeypatch, capsys):
    quick = _copied(whole, tmp_path)
    quick.write("name: other\n" + TWO_STAGES)
    before = state_of(quick.runs)
    for words in ([], ["--dry_run"], ["--report"]):
        code, _, error = quick.here(monkeypatch, capsys, "--output_dir", "runs/study", *words)
        assert code == 2 and "output_dir runs/study is of the study 'study', not of 'other'" in error
    assert state_of(quick.runs) == before


def test_a_report_before_the_first_run_is_none(tmp_path, monkeypatch, capsys):
    quick = Quick(tmp_path)
    before = state_of(tmp_path)
    code, _, error = quick.here(monkeypatch, capsys, "--report")
    assert code == 2 and "error: no study in runs/study yet: run it first, without --report" in error
    assert state_of(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--method", "bayes"], "argument --method: invalid choice: 'bayes' (choose from"),
        (["--threshold", "0"], "threshold must be above 0 and at most 1, got 0.0"),
        (["--threshold", "90"], "threshold must be above 0 and at most 1, got 90.0"),
    ],
)
def test_what_a_report_would_refuse_is_told_before_the_runs(words, line, tmp_path, monkeypatch, capsys):
    quick = Quick(tmp_path)
    before = state_of(tmp_path)
    code, _, error = quick.here(monkeypatch, capsys, *words)
    assert code == 2 and line in error and state_of(tmp_path) == before


def test_a_run_of_unknown_arguments_is_no_run_of_a_study(whole, tmp_path, monkeypatch, capsys):
    """Who has removed a run's YAML, or put a run there, has it made anew; the other is kept."""
    quick = _copied(whole, tmp_path)
    name = "probe/warmup_set-8/seed_0"
    job.config_of(quick.runs / name).unlink()
    code, out, _ = quick.here(monkeypatch, capsys)
    assert code == 0 and quick.begun() == [name] and f"made from other arguments: {name}; kept in " in out
    assert quick.results() == whole.results()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--", "--profil", "slurm"], "snakemake does not take --profil slurm: "),
        (
            ["--", "--retries", "many"],
            "snakemake does not take --retries many: argument --retries/",
        ),
        (["--executor", "slrum"], "executor slrum is a plugin: pip install snakemake-executor-plugin-slrum"),
        (["--executor", "a.b"], "executor must be local, or the name of a plugin of Snakemake's, got 'a.b'"),
        (["--cores", "0"], "cores must be at least 1, got 0"),
        (["--jobs", "0"], "jobs must be at least 1, got 0"),
        (["--seeds", "-1"], "seeds must be at least 0, got -1"),
    ],
)
def test_what_snakemake_cannot_do_is_told_before_anything_is_written(words, line, tmp_path, monkeypatch, capsys):
    quick = Quick(tmp_path)
    before = state_of(tmp_path)
    code, _, error = quick.here(monkeypatch, capsys, *words)
    assert code == 2 and error.count("\n") == 1 and line in error
    assert state_of(tmp_path) == before


def test_without_snakemake_a_line_names_the_extra(tmp_path, monkeypatch, capsys):
    quick = Quick(tmp_path)
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    code, _, error = quick.here(monkeypatch, capsys)
    assert code == 2 and "a study is run by Snakemake: pip install 'hf-procedural[study]'" in error
    assert not quick.runs.exists()


def test_gpus_and_cores_are_shared_by_the_runs_at_a_time(tmp_path, monkeypatch, capsys):
    devices = tmp_path / "dev"
    devices.mkdir()
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (devices / name).touch()
    monkeypatch.setattr(job, "DEVICES", devices)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    quick = Quick(tmp_path, TWO_STAGES.replace("size: 2_4_16", "resources: {threads: 2}\n    size: 2_4_16", 1))
    assert quick.here(monkeypatch, capsys, "--cores", 2, seconds=0.3)[0] == 0
    runs = quick.told()
    ends = {end["pid"]: end["time"] for end in quick.told("ends")}
    assert {run["folder"].split("/")[2]: run["OMP_NUM_THREADS"] for run in runs} == {"warmup": "2", "probe": "1"}
    assert {run["CUDA_VISIBLE_DEVICES"] for run in runs} == {"0", "1"}
    for run in runs:  # what else is there when it begins
        beside = [other for other in runs if other["time"] < run["time"] < ends[other["pid"]]]
        assert run["CUDA_VISIBLE_DEVICES"] not in {other["CUDA_VISIBLE_DEVICES"] for other in beside}
        assert sum(int(each["OMP_NUM_THREADS"]) for each in (run, *beside)) <= 2


def test_threads_are_by_the_size_of_each_model(tmp_path):
    content = "stages: {a: {recipe: pretrain, task: sort-8, max_steps: 3, size: [2_4_16, 12_12_768]}}"
    (tmp_path / "study.yaml").write_text(content)
    plan = engine.plan_of(graph.Graph(reading.read(tmp_path / "study.yaml", tmp_path / "out")))
    assert [run["resources"]["threads"] for run in plan["runs"]] == [1, os.cpu_count()]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{job.TRY}a\nx: error: old\n{job.TRY}b\nnew\n", "new"),
        (f"{job.TRY}a\nx: error: true\nTraceback\n", "true"),
        (f"{job.TRY}a\n 10%\r 20%\r 30%\n\n", "30%"),
        (f"{job.TRY}a\n", "it ended without a word"),
        ("", "it ended without a word"),
        (f"{job.TRY}a\n{'long ' * 40_000}\nend\n", "end"),
        (f"{job.TRY}a\n\x1b[31mred\n", "␛[31mred"),
    ],
)
def test_the_last_line_of_a_log_is_of_its_last_try(text, line, tmp_path):
    (tmp_path / "log").write_text(text)
    assert job.last_line(tmp_path / "log") == line


def test_the_plan_is_what_snakemake_reads(tmp_path, monkeypatch):
    """As many rules as stages, and as many jobs as runs."""
    lengths = ", ".join(str(length) for length in range(2, 27))
    content = TWO_STAGES.replace("task: [sort-8, set-8]", f"task: sort\n    length: [{lengths}]")
    quick = Quick(tmp_path, content.replace("attn=warmup/set*", "attn=warmup"))
    monkeypatch.chdir(tmp_path)
    planned = graph.Graph(reading.read("study.yaml", seeds=[0, 1, 2, 3]))
    assert len(planned.runs) == 300
    with locks.holding(quick.runs):
        (quick.runs / ".study").mkdir()
        (quick.runs / job.PLAN).write_text(json.dumps(engine.plan_of(planned)))
        words = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(engine._SNAKEFILE),
            "--directory",
            str(quick.runs),
        ]
        done = subprocess.run([*words, "-n", "--cores", "2", "--quiet", "rules"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    counts = dict(re.findall(r"^(study_\w+|all|total) +(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    assert counts == {"study_warmup": "100", "study_probe": "200", "all": "1", "total": "301"}
