"""One run of a study: how its recipe is begun, ended, and told of; and the GPUs that are its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.studies import Quick

from hf_procedural.runs.folder import RESULTS
from hf_procedural.runs.read import sign_of
from hf_procedural.studies import engine, graph, job, reading

ONE = "stages: {a: {recipe: pretrain, task: sort-8, max_steps: 10, init_from: scratch}}"
RUN = "a/run/seed_0"


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """A study of one run whose plan is written, as `engine.make` does before it begins Snakemake."""
    quick = Quick(tmp_path, ONE)
    monkeypatch.chdir(tmp_path)
    planned = graph.Graph(reading.read("study.yaml"))
    (quick.runs / ".study").mkdir(parents=True)
    (quick.runs / job.PLAN).write_text(json.dumps(engine.plan_of(planned)))
    return quick


def _start(quick: Quick, study: str | None = None, **settings) -> subprocess.Popen:
    environment = os.environ | quick.environment(settings)
    environment |= {} if study is None else {job.STUDY: study}
    words = [sys.executable, "-m", "hf_procedural.studies.job", RUN, "3"]
    return subprocess.Popen(words, cwd=quick.runs, env=environment, stderr=subprocess.PIPE, text=True)


def _recipe(quick: Quick) -> psutil.Process:
    """The process of the recipe, once it is there."""
    for _ in range(600):
        if quick.told():
            return psutil.Process(quick.told()[-1]["pid"])
        time.sleep(0.05)
    raise AssertionError("no recipe began")


def test_a_recipe_is_begun_where_the_study_was(quick):
    assert _start(quick).wait() == 0
    (told,) = quick.told()
    assert told["folder"] == f"runs/study/{RUN}" and told["OMP_NUM_THREADS"] == "3"
    assert told["words"] == [f"runs/study/{RUN}.yaml", "--resume_from_checkpoint", "true"]
    planned = graph.Graph(reading.read("study.yaml")).runs[RUN]
    assert job.is_made(quick.runs / RUN, planned.digest) and not job.is_made(quick.runs / RUN, "other")
    log = job.log_of(quick.runs / RUN).read_text()
    assert log == f"{job.TRY}hf-procedural pretrain runs/study/{RUN}.yaml\n"


def test_figures_of_an_evaluation_are_its_results(tmp_path):
    rows = [
        {"task": "blimp", "metric": "acc", "value": 0.75},
        {"task": "core:piqa", "metric": "acc_norm", "value": 0.5},
    ]
    (tmp_path / "evaluation_core.json").write_text(json.dumps({"suite": "core", "figures": rows, "core": 0.25}))
    results = {"eval_blimp_acc": 0.75, "eval_core_piqa_acc_norm": 0.5, "eval_core_acc": 0.25}
    assert job.evaluated(tmp_path) == results
    assert all(sign_of(name) > 0 for name in results)


def test_exit_codes_are_the_recipes(quick):
    assert _start(quick, fails="*").wait() == 2
    quick.log.unlink()
    started = _start(quick, seconds=60)
    _recipe(quick).kill()
    assert started.wait() == 128 + signal.SIGKILL
    assert "error: ended by SIGKILL" in job.log_of(quick.runs / RUN).read_text().rpartition(job.TRY)[2]
    assert not (quick.runs / RUN / RESULTS).exists()


def test_who_ended_in_time_is_not_finished(quick):
    """A recipe that has run out of max_hours ends well, with a checkpoint and without results."""
    assert _start(quick, ends_early=True).wait() == 75
    assert not (quick.runs / RUN / RESULTS).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_recipe_ends_with_its_job(quick, number):
    started = _start(quick, seconds=60)
    recipe = _recipe(quick)
    started.send_signal(number)
    assert started.wait(30) == (128 + number if number == signal.SIGTERM else -number)
    assert psutil.wait_procs([recipe], 30)[1] == []


@pytest.mark.parametrize("how", ["it is killed", "it wants no more"])
def test_a_job_ends_with_the_study(quick, how):
    study = subprocess.Popen(["sleep", "100"])
    own = f"{study.pid}:1"
    (quick.runs / job.LIVES).write_text(own)
    started = _start(quick, own, seconds=60)
    recipe = _recipe(quick)
    if how == "it is killed":
        study.kill()  # and is a zombie from now on
    else:
        (quick.runs / job.LIVES).unlink()
    assert started.wait(30) == 128 + signal.SIGTERM
    assert psutil.wait_procs([recipe], 30)[1] == []
    quick.log.unlink()
    late = _start(quick, own)
    assert late.wait(30) == 1 and late.stderr.read() == "the study has ended\n" and not quick.told()
    study.kill()
    study.wait()


def test_a_study_elsewhere_has_a_file_alone(monkeypatch, tmp_path):
    monkeypatch.delenv(job.STUDY, raising=False)
    assert job.study_lives(tmp_path)
    (tmp_path / ".study").mkdir()
    for own in (f"{os.getpid()}:1", "0:1"):
        monkeypatch.setenv(job.STUDY, own)
        assert not job.study_lives(tmp_path)
        (tmp_path / job.LIVES).write_text(own)
        assert job.study_lives(tmp_path)
        monkeypatch.setenv(job.STUDY, "0:2")  # of an earlier command
        assert not job.study_lives(tmp_path)
        (tmp_path / job.LIVES).unlink()


def test_gpus_are_each_of_one_run(tmp_path):
    (tmp_path / ".study").mkdir()
    known = ["0", "2", "MIG-1/2"]
    with job._gpus(tmp_path, known, 1) as first, job._gpus(tmp_path, known, 2) as second:
        assert first == {"CUDA_VISIBLE_DEVICES": "0"} and second == {"CUDA_VISIBLE_DEVICES": "2,MIG-1/2"}
    with job._gpus(tmp_path, known, 1) as again:
        assert again == first
    with job._gpus(tmp_path, known, 0) as none:  # of a run that is to be on the CPU
        assert none == {"CUDA_VISIBLE_DEVICES": ""}
    with job._gpus(tmp_path, [], 1) as elsewhere:  # a cluster hands them out
        assert elsewhere == {}


def test_a_gpu_is_free_with_the_process_that_had_it(tmp_path, monkeypatch):
    (tmp_path / ".study").mkdir()
    script = (
        "import time; from pathlib import Path; from hf_procedural.studies import job\n"
        f"with job._gpus(Path({str(tmp_path)!r}), ['0'], 1): print(flush=True); time.sleep(100)"
    )
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    other.stdout.readline()
    monkeypatch.setattr(job, "PATIENCE", 1)
    with pytest.raises(TimeoutError, match="1 of the GPUs 0 did not become free"), job._gpus(tmp_path, ["0"], 1):
        pass
    other.kill()
    other.communicate()
    with job._gpus(tmp_path, ["0"], 1) as mine:
        assert mine == {"CUDA_VISIBLE_DEVICES": "0"}


@pytest.mark.parametrize(
    ("names", "visible", "expected"),
    [
        ([], None, []),
        ([], "0,1", []),
        (["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"], None, ["0", "1"]),
        (["nvidia0", "nvidia1"], "1", ["1"]),
        (["nvidia3"], None, ["0"]),  # CUDA counts those that it sees
        (["nvidia0"], "", []),
        (["nvidia0"], "GPU-1, MIG-2", ["GPU-1", "MIG-2"]),
    ],
)
def test_gpus_of_this_machine(names, visible, expected, tmp_path, monkeypatch):
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.setattr(job, "DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert job.gpus_here() == expected


def test_it_is_imported_where_there_is_no_fcntl(monkeypatch):
    """As on Windows, where processes do not end with their parents by themselves."""
    script = (
        "import sys; sys.modules['fcntl'] = None\n"
        "from hf_procedural.studies import engine, job\n"
        "assert job.fcntl is None\n"
        "job.os.name = 'nt'; assert job.ends_with_parent() is None"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=Path.cwd()).returncode == 0
