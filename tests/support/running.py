"""Recipes as users run them, and what they leave behind."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file

from support import starting

ROOT = Path(__file__).parent.parent.parent
TESTS = ROOT / "tests"
SHARED = ROOT.parent / "shared"  # not in everybody's clone
RECIPES = ROOT / "recipes"
BY_REWARD = ("rlvr_", "rpt_", "recycle_qwen3", "recycle_olmo2", "recycle_tiny")  # YAMLs that have tests of their own
CONFIGS = sorted(path for path in (RECIPES / "configs").glob("*.yaml") if not path.name.startswith(BY_REWARD))


def run_here(monkeypatch, recipe: str, *words):
    """Runs a recipe, such as pretrain, in this process."""
    monkeypatch.syspath_prepend(RECIPES)
    monkeypatch.setattr(sys, "argv", [str(RECIPES / f"{recipe}.py"), *map(str, words)])
    return runpy.run_path(sys.argv[0], run_name="__main__")


def kill_when(file: Path, recipe: str, *words) -> None:
    """Runs a recipe in a process of its own, which dies of SIGKILL as soon as `file` is there."""
    done = starting.run(RECIPES / f"{recipe}.py", *words, signal_at=(str(file), signal.SIGKILL))
    assert done.returncode == -9 and file.exists(), done.stdout + done.stderr


def made_once(tmp_path_factory, name: str, make) -> Path:
    """A folder that ``make(folder)`` has filled, in the first of pytest's processes to ask for it, for all of them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            unfinished = folder.with_name(f"{name}-unfinished")
            unfinished.mkdir(exist_ok=True)
            make(unfinished)
            unfinished.rename(folder)
    return folder


def launch_two(recipe: str, *words) -> subprocess.CompletedProcess:
    """A recipe in two processes as users start them; `starting.run_two` costs a fifth."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    launch = ["accelerate", "launch", "--cpu", "--num_processes", "2", "--main_process_port", port]
    command = [*map(str, [*launch, RECIPES / f"{recipe}.py", *words])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def in_folder(folder: Path) -> dict:
    """How commands of this environment run in a folder, without a GPU."""
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": paths, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    return {"cwd": folder, "env": environment, "capture_output": True, "text": True}


def error_of(monkeypatch, capsys, folder: Path, recipe: str, *words) -> str:
    """The one line with which a recipe ends that refuses its words, and changes nothing in `folder`."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, recipe, *words)
    errors = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert exit_.value.code == 2
    assert len(errors) == 1 and errors[0].startswith(f"{recipe}.py: error: ")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    return errors[0]


def history(folder, key) -> list[tuple]:
    """(step, value) of every log entry with `key`."""
    state = json.loads((Path(folder) / "trainer_state.json").read_text())
    return [(entry["step"], entry[key]) for entry in state["log_history"] if key in entry]


def weights(folder) -> dict[str, torch.Tensor]:
    """The saved weights of a run, by name."""
    return load_file(Path(folder) / "model.safetensors")


def same_weights(folder, other) -> bool:
    """Whether two runs ended bit for bit alike."""
    ours, theirs = weights(folder), weights(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
