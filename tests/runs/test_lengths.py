"""Accuracy by length: bins that end at the border of training, tables, files, and a run that writes them."""

import json

import numpy as np
import pytest
from support.running import error_of, run_here

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


@pytest.mark.parametrize("shuffle_tokens", [False, True])
def test_a_run_is_tested_on_longer_rows(shuffle_tokens, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parameters = {"length": 8, "test_length": 20} | ({"shuffle_tokens": True} if shuffle_tokens else {})
    words = ["--task", "chomsky-bucket_sort", "--task_parameters", json.dumps(parameters), "--size", "1_2_8"]
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


@pytest.mark.parametrize("recipe", ["pretrain", "probe"])
@pytest.mark.parametrize("shuffle", ["", ', "shuffle_tokens": true'])
def test_a_test_without_a_prompt_is_refused_before_training(recipe, shuffle, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["--task", "chomsky-parity_check", "--task_parameters", f'{{"length": 2, "test_length": 3{shuffle}}}']
    words += ["--size", "1_2_16", "--max_steps", "3", "--validation_size", "8", "--output_dir", "run"]
    error = error_of(monkeypatch, capsys, tmp_path, recipe, *words)
    assert "chomsky-parity_check: too few distinct prompts for a test split" in error
    assert "raise test_length or another parameter" in error
