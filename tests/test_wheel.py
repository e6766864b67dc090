"""The wheel alone, in an empty folder: its command trains, and a script that it copies goes on with that."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from support.running import ROOT

from hf_procedural.runs.folder import is_finished, last_checkpoint

MODULE = "hf_procedural_verifiers.py"  # beside the package
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The built wheel; of a copy, since setuptools also packs what an earlier build has left in a checkout."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("hf_procedural", "recipes", "studies"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (MODULE, "setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(built)]
    subprocess.run([*PIP, "wheel", *options, str(source)], check=True)
    (file,) = built.iterdir()
    return file


@pytest.fixture
def shell(wheel, tmp_path, monkeypatch) -> list[str]:
    """The command `hf-procedural` of the wheel alone, and an empty folder to be in."""
    site, folder = tmp_path / "site", tmp_path / "folder"
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(site))
    return [str(site / "bin" / "hf-procedural")]


def test_the_wheel_has_the_package_and_the_recipes(wheel):
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {
        path.relative_to(ROOT)
        for path in (ROOT / "hf_procedural").rglob("*")
        if path.suffix in (".py", ".typed", ".html") or path.name == "Snakefile"
    }
    recipes = {
        path.relative_to(ROOT) for path in (ROOT / "recipes").rglob("*") if path.suffix in (".py", ".yaml", ".txt")
    }
    studies = {f"hf_procedural/recipes/studies/{path.name}" for path in (ROOT / "studies").glob("*.yaml")}
    recipes = {f"hf_procedural/{path}" for path in recipes}
    assert packed == {MODULE} | {str(path) for path in package} | recipes | studies


def test_a_study_by_its_name(shell):
    printed = subprocess.run([*shell, "study", "laptop", "--dry_run"], capture_output=True, text=True, check=True)
    assert "| warmup | sort-12 " in printed.stdout and not any(Path().iterdir())


def test_train_interrupt_and_go_on_with_a_copied_script(shell):
    small = shlex.split("--train_size 256 --validation_size 64 --per_device_train_batch_size 32 --size 2_2_16")
    endless = ["--max_steps", "1000000", "--save_steps", "2"]
    command = [*shell, "pretrain", "quickstart", *small, *endless]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 240
    while last_checkpoint(Path("runs/quickstart")) is None and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as on a terminal
    _, errors = process.communicate(timeout=240)
    again = "hf-procedural pretrain runs/quickstart/recipe.yaml --resume_from_checkpoint true"
    line = f"hf-procedural pretrain: interrupted; this goes on from the last checkpoint: {again}"
    assert process.returncode == 130 and "Traceback" not in errors
    assert errors.splitlines()[-1] == line

    printed = subprocess.run([*shell, "recipe", "copy", "pretrain", "."], capture_output=True, text=True, check=True)
    assert printed.stdout.splitlines() == ["pretrain.py", "Run it: accelerate launch pretrain.py --help"]
    step = int(last_checkpoint(Path("runs/quickstart")).rpartition("-")[2])
    words = [*shlex.split(again)[2:], "--max_steps", str(step + 2)]
    subprocess.run([sys.executable, "pretrain.py", *words], check=True)
    assert is_finished("runs/quickstart")
