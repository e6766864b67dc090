"""Snakemake's executor for Slurm, driven for real against commands that run its jobs here (support/slurm.py)."""

import os
import signal
import time

import psutil
import pytest
from support.slurm import Slurm, named
from support.studies import TWO_STAGES, Quick

pytest.importorskip("snakemake_executor_plugin_slurm")
RESOURCES = "    resources: {gpu: 1, mem_mb: 8000, runtime: 90, slurm_partition: gpu, threads: 4}\n"
ONE_RUN = TWO_STAGES.replace("[sort-8, set-8]", "sort-8").partition("  probe:")[0]
WORDS = ["--executor", "slurm", "--jobs", 10, "--", "--slurm-init-seconds-before-status-checks", 1]
WORDS += ["--seconds-between-status-checks", 1, "--latency-wait", 1]


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    return Slurm(monkeypatch, tmp_path / "slurm")


def test_each_run_is_a_job_with_the_resources_of_its_stage(slurm, tmp_path, monkeypatch, capsys):
    quick = Quick(tmp_path, ONE_RUN.replace("    size", f"{RESOURCES}    size"))
    code, out, error = quick.here(monkeypatch, capsys, *WORDS)
    assert code == 0, error + (quick.runs / ".study/snakemake.log").read_text()
    assert quick.begun() == ["warmup/run/seed_0"]
    (words,) = map(named, slurm.words())
    assert words.items() >= {"--mem": "8000", "-t": "90", "-p": "gpu", "--cpus-per-task": "4", "--gpus": "1"}.items()
    assert words["--comment"].startswith("rule_study_warmup")
    (script,) = slurm.scripts()
    assert " -m snakemake " in script and "--target-jobs 'study_warmup:arm=run,seed=0'" in script


def test_a_study_that_ends_cancels_its_jobs(slurm, tmp_path):
    """Killed even, and at Ctrl-C and SIGTERM by the same way: Snakemake is sent SIGINT, and calls scancel.

    That is not asserted, since it calls it for none while it asks for their states: a job then misses its study's file.
    """
    quick = Quick(tmp_path, ONE_RUN)
    study = quick.start(*WORDS, seconds=100)
    while not quick.told():
        assert study.poll() is None
        time.sleep(0.05)
    (group,) = slurm.groups()
    study.send_signal(getattr(signal, os.environ.get("BY", "SIGKILL")))
    study.communicate(timeout=100)
    began = time.monotonic()
    while any(_group(process) == group for process in psutil.process_iter()):
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    assert not quick.results()


def _group(process) -> int | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getpgid(process.pid)
    except (psutil.Error, OSError):
        return None
