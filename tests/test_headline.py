"""The headline demonstration, scaled down: one command, all arms and seeds, a report; nothing is run twice."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

from hf_procedural.arguments import Loader

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "recipes" / "configs"


def test_one_command_runs_all_arms_and_reports(tmp_path):
    smaller = {
        "headline_warmup": {"max_steps": 4, "eval_steps": 4, "validation_size": 16, "size": "2_2_16"},
        "headline": {
            "dataset": "pydoc",
            "max_tokens": 2048,
            "eval_steps": 4,
            "validation_rows": 8,
            "size": "2_2_16",
            "tokenizer_size": 300,
        },
    }
    words = ["--output", "out", "--seeds", "3", "--parallel", "2"]
    for name, changes in smaller.items():
        content = yaml.load((CONFIGS / f"{name}.yaml").read_text(), Loader)
        assert changes.keys() <= content.keys()
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content | changes))
        words += [f"--{name}", f"{name}.yaml"]
    command = [sys.executable, ROOT / "recipes" / "headline.py", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    runs = sorted(str(path.parent.relative_to(tmp_path / "out")) for path in tmp_path.rglob("eval_results.json"))
    arms = ("permuted", "scratch", "statistics", "warmup")
    assert runs == [*(f"runs/{arm}/seed_3" for arm in arms), "warmup"]
    report = (tmp_path / "out" / "report" / "report.md").read_text()
    assert all(f"{kind}:out/warmup" in report for kind in ("permuted", "statistics")) and "one seed" in report
    assert (tmp_path / "out" / "report" / "report.png").is_file()

    lost = tmp_path / "out" / "runs" / "scratch" / "seed_3" / "eval_results.json"  # as if killed at the very end
    before = lost.read_text()
    lost.unlink()
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("eval_results.json")}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert json.loads(lost.read_text())["eval_loss"] == json.loads(before)["eval_loss"]
