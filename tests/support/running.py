"""Recipes as users run them, and what they leave behind."""

import json
import multiprocessing
import runpy
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parent.parent.parent
TESTS = ROOT / "tests"
SHARED = ROOT.parent / "shared"  # not in everybody's clone
RECIPES = ROOT / "recipes"
BY_REWARD = ("rlvr_", "rpt_", "recycle_qwen3", "recycle_olmo2", "recycle_tiny")  # YAMLs that have tests of their own
CONFIGS = sorted(path for path in (RECIPES / "configs").glob("*.yaml") if not path.name.startswith(BY_REWARD))


def run_here(monkeypatch, recipe: str, *words):
    """Runs a recipe, such as pretrain, in this process."""
    _as_from_a_shell(monkeypatch, recipe, words)
    return runpy.run_path(sys.argv[0], run_name="__main__")


def _as_from_a_shell(monkeypatch, recipe, words):
    monkeypatch.syspath_prepend(RECIPES)
    monkeypatch.setattr(sys, "argv", [str(RECIPES / f"{recipe}.py"), *map(str, words)])


def kill_when(file: Path, monkeypatch, recipe: str, *words) -> None:
    """Runs a recipe in a process of its own, and kills that with SIGKILL as soon as `file` is there."""
    context = multiprocessing.get_context("forkserver")  # whose server has imported everything, and forks
    context.set_forkserver_preload(
        ["hf_procedural.training.begin", "hf_procedural.text.deepmind_math", "transformers.trainer"]
    )
    script = """
import multiprocessing, runpy, sys
multiprocessing.set_start_method("fork", force=True)  # as in a process of its own
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    with monkeypatch.context() as patch:
        _as_from_a_shell(patch, recipe, words)  # the new process takes over both
        process = context.Process(target=exec, args=(script, {}))
        process.start()
    deadline = time.time() + 120
    while not file.exists() and process.is_alive() and time.time() < deadline:
        time.sleep(0.005)
    process.kill()
    process.join()
    assert process.exitcode == -9 and file.exists(), f"ended by itself with {process.exitcode}"


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
