"""web.jsonl, with which the chain of recycling begins."""

import collections
import json
from pathlib import Path

import pytest

from hf_procedural.recycle import sample


def test_the_sample_has_texts_of_each_score_and_is_the_same_each_time(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sample.main(["web.jsonl"])
    assert capsys.readouterr().out == "web.jsonl: 500 documents\n"
    rows = [json.loads(line) for line in Path("web.jsonl").read_text().splitlines()]
    assert collections.Counter(row["dataman_score"] for row in rows) == dict.fromkeys(range(1, 6), 100)
    assert len({row["text"] for row in rows}) == 500 and all(100 < len(row["text"]) < 1_500 for row in rows)
    sample.main(["again.jsonl"])
    assert Path("again.jsonl").read_bytes() == Path("web.jsonl").read_bytes()


def test_a_file_that_is_there_is_left(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("web.jsonl").write_text("mine")
    with pytest.raises(SystemExit):
        sample.main(["web.jsonl"])
    error = capsys.readouterr().err
    assert "file web.jsonl is there already: name another" in error and error.count("\n") == 1
    assert Path("web.jsonl").read_text() == "mine"
