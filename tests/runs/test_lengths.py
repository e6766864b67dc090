"""Accuracy by length: bins that end at the border of training, tables, files, and a run that writes them."""

import json

import numpy as np
import pytest
from support.running import run_here

from hf_procedural.runs import lengths, read, report


def test_bins_end_at_the_border_and_hold_every_row():
    rng = np.random.default_rng(0)
    sizes, tokens = rng.integers(1, 51, 500), rng.integers(1, 9, 500)
    right = rng.integers(0, tokens + 1)
    found = lengths.by_length(sizes, tokens, right, border=10)
    edges = [(each["from"], each["to"]) for each in found["bins"]]
    assert edges[:5] == [(1, 1), (2, 4), (5, 7), (8, 10), (11, 13)] and edges[-1] == (50, 50)
    for each in found["bins"]:
        inside = (sizes >= each["from"]) & (sizes <= each["to"])
        assert each["rows"] == inside.sum() and each["exact"] == (inside & (right == tokens)).sum()
        assert (each["tokens"], each["right"]) == (tokens[inside].sum(), right[inside].sum())
    assert lengths.share(found["bins"]) == right.sum() / tokens.sum()


def test_columns_double_from_the_border_on():
    found = lengths.by_length(np.arange(1, 36), np.full(35, 2), np.arange(1, 36) % 3, border=8)
    table = lengths.table({"scratch": [found], "other": [found, found]})
    assert table.splitlines()[0] == "| arm | lengths 1-8 | lengths 9-16 | lengths 17-32 | lengths 33-35 |"
    assert table.splitlines()[2].split("|")[2:] == table.splitlines()[3].split("|")[2:]
    assert "| 50.0% |" in table


def test_a_damaged_file_is_told(tmp_path):
    assert lengths.read(tmp_path) is None
    (tmp_path / "lengths.json").write_text('{"border": 4, "bins": [{"from": 1}]}')
    with pytest.raises(ValueError, match="lengths.json does not hold what was written there"):
        lengths.read(tmp_path)


def test_a_run_is_tested_on_longer_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [
        "--task",
        "chomsky-bucket_sort",
        "--task_parameters",
        '{"length": 8, "test_length": 20}',
        "--size",
        "1_2_8",
    ]
    words += [
        "--streaming",
        "true",
        "--validation_size",
        "64",
        "--max_steps",
        "3",
        "--per_device_train_batch_size",
        "8",
    ]
    run_here(monkeypatch, "pretrain", *words, "--output_dir", "run")
    found = json.loads((tmp_path / "run/lengths.json").read_text())
    assert found["border"] == 8 and found["bins"][-1]["to"] <= 20
    assert sum(each["rows"] for each in found["bins"]) == 128
    assert sum(each["rows"] for each in found["bins"] if each["from"] > 8) == 64
    assert sum(each["tokens"] for each in found["bins"]) == sum(  # a token for each symbol, without <eos>
        each["tokens"] for each in lengths.read(tmp_path / "run")["bins"]
    )
    assert (tmp_path / "run/lengths.png").read_bytes().startswith(b"\x89PNG")
    results = json.loads((tmp_path / "run/eval_results.json").read_text())
    assert 0 <= results["eval_test_exact_match"] <= results["eval_test_answer_accuracy"] <= 1
    text = report.write(read.read_runs(["run"]), tmp_path / "report")
    assert "| arm | lengths 1-8 | lengths 9-16 | lengths 17-20 |" in text
    assert (tmp_path / "report/lengths.png").is_file()
