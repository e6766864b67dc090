"""What a recipe sets for its process: threads, where nobody has asked for another number, and memory that it keeps."""

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
import torch

from hf_procedural.training import launch

BY_ACCELERATE = {"ACCELERATE_MIXED_PRECISION": "no", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def threads(monkeypatch, tmp_path):
    """OMP_NUM_THREADS of a process that accelerate has started on a machine with six cores."""
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 12 if logical else 6)
    monkeypatch.setattr(launch.os, "sched_getaffinity", lambda process: set(range(12)), raising=False)
    monkeypatch.setattr(launch, "CPU_QUOTA", tmp_path / "cpu.max")

    def started(environment=BY_ACCELERATE, above=None, words="recipes/pretrain.py --seed 1") -> str | None:
        for name in ("WORLD_SIZE", *BY_ACCELERATE):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        command = ["python", "accelerate", "launch", *words.split()]
        parent = SimpleNamespace(environ=lambda: above or {}, cmdline=lambda: command)
        monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(parent=lambda: parent))
        launch.use_all_cores()
        return launch.os.environ.get("OMP_NUM_THREADS")

    return started


@pytest.mark.parametrize(
    ("recipe", "gpus", "started"),
    [("pretrain", 2, ["-m", "hf_procedural.cli", "pretrain", "set.yaml"]), ("pretrain", 1, None), (None, 2, None)],
)
def test_several_gpus_get_a_launcher_after_all(recipe, gpus, started, monkeypatch):
    monkeypatch.setenv(launch.ALONE, recipe or "")
    monkeypatch.setattr(sys, "argv", ["recipes/pretrain.py", "set.yaml"])
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: gpus)
    commands = []
    monkeypatch.setattr(launch.os, "execv", lambda file, words: commands.append((words[1:], os.environ[launch.ALONE])))
    launch.start_gpu_processes()
    assert commands == ([(started, "")] if started else [])


def test_a_process_alone_gets_all_cores(threads):
    assert threads() == "6"


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", "6"), ("250000 100000", "2"), ("50000 100000", "1")])
def test_a_container_may_have_fewer(quota, expected, threads):
    launch.CPU_QUOTA.write_text(f"{quota}\n")
    assert threads() == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"environment": {}}, None),  # python recipes/pretrain.py
        ({"environment": {"OMP_NUM_THREADS": "1"}}, "1"),
        ({"environment": BY_ACCELERATE | {"OMP_NUM_THREADS": "4"}}, "4"),
        ({"environment": BY_ACCELERATE | {"WORLD_SIZE": "2"}}, "1"),
        ({"above": {"OMP_NUM_THREADS": "1"}}, "1"),
        ({"words": "--num_cpu_threads_per_process 1 recipes/pretrain.py"}, "1"),
        ({"words": "--num-cpu-threads-per-process=1 recipes/pretrain.py"}, "1"),
    ],
)
def test_what_somebody_has_chosen_stays(settings, expected, threads):
    assert threads(**settings) == expected


FAULTS = """
import resource
import numpy as np
from hf_procedural.training import launch
{}
for _ in range(9):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_memory_is_kept():
    def faults(line: str) -> int:
        return int(subprocess.check_output([sys.executable, "-c", FAULTS.format(line)]))

    assert faults("launch.keep_memory()") < 100 < faults("")


def test_the_first_process_of_a_container_has_no_parent(monkeypatch):
    monkeypatch.setattr(psutil.Process, "parent", lambda self: None)
    monkeypatch.setattr(psutil.Process, "environ", lambda self: dict(os.environ))
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    launch.use_all_cores()
    assert os.environ["OMP_NUM_THREADS"] == "1"  # whoever set it is not known
