"""What a study will be, in a table."""

import json
import re

from hf_procedural.runs.folder import RESULTS
from hf_procedural.studies import graph, job, outlook, reading

STUDY = """
seeds: [0, 1]
stages:
  warmup: {recipe: pretrain, task: sort-8, max_steps: 1000, size: 2_4_16}
  probe: {recipe: pretrain, task: set-8, max_steps: 2000, size: 2_4_16, init_from: warmup}
  rl: {recipe: rlvr, task: sort-8, max_steps: 10, init_from: probe}
"""


def _graph(tmp_path) -> graph.Graph:
    (tmp_path / "study.yaml").write_text(STUDY)
    return graph.Graph(reading.read(tmp_path / "study.yaml", tmp_path / "out"))


def _rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def _make(planned, tmp_path, seconds: float) -> None:
    folder = tmp_path / "out" / planned.name
    folder.mkdir(parents=True)
    (folder / RESULTS).write_text("{}")
    (folder / "all_results.json").write_text(json.dumps({"train_runtime": seconds}))
    job.config_of(folder).write_text(f"#\n# made from {planned.digest}\n")


def test_a_row_for_each_arm_and_what_is_left(tmp_path):
    text = outlook.outlook(_graph(tmp_path))
    head, _, *rows = _rows(text)
    assert head == ["stage", "arm", "seeds", "begins from", "tokens", "FLOPs", "hours", "finished"]
    assert [row[:5] for row in rows] == [
        ["warmup", "run", "0 1", "-", "136k"],
        ["probe", "warmup_run", "0 1", "warmup/run", "272k"],
        ["rl", "probe_warmup_run", "0 1", "probe/warmup_run", "-"],
    ]
    assert [row[-1] for row in rows] == ["0 of 2"] * 3
    assert "6 of 6 runs are left: 816k tokens" in text and "roughly" in text


def test_hours_are_told_by_finished_runs(tmp_path):
    planned = _graph(tmp_path)
    _make(planned.runs["warmup/run/seed_0"], tmp_path, 1800.0)
    text = outlook.outlook(planned)
    rows = _rows(text)
    assert [row[-2:] for row in rows[2:]] == [["0.5", "1 of 2"], ["1", "0 of 2"], ["-", "0 of 2"]]  # half as fast each
    assert "5 of 6 runs are left" in text and re.search(r"2\.5 hours one after another \(by finished runs\)", text)
    _make(planned.runs["probe/warmup_run/seed_1"], tmp_path, 360.0)  # of a stage, its own come first
    assert [row[-2] for row in _rows(outlook.outlook(planned))[2:4]] == ["0.5", "0.1"]
