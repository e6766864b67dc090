"""Each example runs as it stands, in a few steps, from an empty folder without a network."""

import importlib.util
import re
import shutil
import subprocess
import sys

import pytest
from support.running import ROOT, in_folder

EXAMPLES = ROOT / "examples"
SCRIPTS = {"datasets_only": "torch", "trl_sft": "trl", "trl_grpo": "trl"}  # with the package that each is about


def test_all_are_tried_and_told():
    names = {file.name for file in EXAMPLES.iterdir()} - {"README.md"}
    assert names == {f"{name}.py" for name in SCRIPTS} | {"litgpt.sh"}
    assert names == set(re.findall(r"examples/([\w.]+)`", (EXAMPLES / "README.md").read_text()))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs(name, tmp_path):
    pytest.importorskip(SCRIPTS[name], reason="pip install 'hf-procedural[rl]'")
    code, constants = re.subn(r"^STEPS = \d+$", "STEPS = 2", (EXAMPLES / f"{name}.py").read_text(), flags=re.MULTILINE)
    assert constants == 1
    (tmp_path / "example.py").write_text(code)
    done = subprocess.run([sys.executable, "example.py"], **in_folder(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]


def test_litgpt_trains(tmp_path):
    if shutil.which("litgpt") is None or importlib.util.find_spec("litdata") is None:
        pytest.skip("no litgpt: pip install --no-deps -r tests/readers.txt")
    settings = in_folder(tmp_path)
    settings["env"] = settings["env"] | {"STEPS": "2"}
    done = subprocess.run(["bash", EXAMPLES / "litgpt.sh"], **settings)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "runs/litgpt/final/lit_model.pth").is_file()
