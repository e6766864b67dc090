"""Runs and studies on the page: from their folders, without writing there, and with nothing obeyed that they say."""

import shutil

import pytest
import yaml
from support.running import ROOT
from support.vocabularies import large_tokenizer

from hf_procedural.space import codings, rows, runs

STUDY = ROOT / "studies" / "results"
NAME = "jiang2026_haystack"
RUN = f"{NAME}/brackets/dyck-8/seed_0"


def tree(folder) -> dict:
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*")}


def test_what_can_be_looked_at_is_listed():
    found, several = runs.listed(str(STUDY))
    assert RUN in found and several[0] == NAME


def test_a_run_is_shown_with_its_curves_arguments_and_card():
    seen = runs.look(RUN, str(STUDY))
    assert RUN in seen["title"] and "10,000 steps" in seen["title"] and "answer accuracy" in seen["title"]
    assert 'src="data:image/png;base64,iVBOR' in seen["curves"] and 'alt="Curves of ' in seen["curves"]
    assert yaml.safe_load(seen["arguments"])["task"] == "dyck-8"
    assert (
        "<h2>Results</h2>" in seen["card"] and "<!--" not in seen["card"] and "hf_procedural: begin" not in seen["card"]
    )
    assert '<a target="_blank" rel="noopener noreferrer" href=' in seen["card"]


def test_a_card_says_and_nothing_of_it_is_done(tmp_path):
    shutil.copytree(STUDY / RUN, tmp_path / "run")
    card = "# x <script>alert(1)</script>\n\n[a](javascript:alert(1)) ![b](https://example.com/b.png)\n"
    card += "<img src=x onerror=alert(1)> ![c](../secret.png)\n"
    (tmp_path / "run" / "README.md").write_text(card)
    (tmp_path / "secret.png").write_bytes(b"\x89PNG")
    seen = runs.look("run", str(tmp_path))["card"]
    assert "&lt;script&gt;" in seen and "<script" not in seen and "<img" not in seen and "href" not in seen


def test_a_study_is_reported_on_without_writing(tmp_path):
    before = tree(STUDY / NAME)
    seen = runs.compare(NAME, "", 0.9, str(STUDY))
    assert tree(STUDY / NAME) == before
    assert "report of a study</h1>" in seen and "<table>" in seen and "data:image/png;base64," in seen


def test_runs_are_compared():
    seen = runs.compare(f"{NAME}/probe\n", "answer_accuracy", 0.5, str(STUDY))
    assert "<h2>haystack-30</h2>" in seen and "data:image/png;base64," in seen
    several = runs.compare("\n".join([RUN, f"{NAME}/probe/scratch"]), "", 0.5, str(STUDY))
    assert "<h2>dyck-8" in several


@pytest.mark.parametrize(
    ("names", "metric", "threshold", "message"),
    [
        ("", "", 0.9, "the number of folders must be a whole number in 1..8, got 0"),
        ("\n".join(["a"] * 9), "", 0.9, "the number of folders must be a whole number in 1..8, got 9"),
        (NAME, "", 2, "threshold must be an accuracy above 0 and at most 1, got 2"),
        (NAME, "", None, "threshold must be an accuracy above 0 and at most 1, got None"),
        (f"{NAME}/probe", "nonsense", 0.9, "metric must be one that all evaluated runs have"),
        ("../..", "", 0.9, "is not below"),
    ],
)
def test_a_mistake_in_a_comparison_is_one_line(names, metric, threshold, message):
    with pytest.raises(ValueError) as raised:
        runs.compare(names, metric, threshold, str(STUDY))
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_what_is_no_run_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty is no run: it has no recipe.yaml"):
        runs.look("empty", str(tmp_path))


def test_a_row_in_a_tokenizer_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    large_tokenizer().save_pretrained(tmp_path / "mine")
    chosen = rows.look("sort", {"length": 4, "vocab_size": 10}, "train", 0, 1, 80)["chosen"]
    seen = codings.coded(chosen, "mine", "symbols", str(tmp_path))
    assert "9 tokens of sort-4 are 9 of mine" in seen["html"] and seen["html"].count('class="piece scored"') == 4
    assert "tokenizer='mine', coding='symbols')" in seen["python"]
    exec(seen["python"].replace('split="train"', 'split="train", train_size=8, validation_size=0, test_size=0'), {})
    with pytest.raises(ValueError, match="coding must be one of text, integers, symbols, got 'bytes'"):
        codings.coded(chosen, "mine", "bytes", str(tmp_path))
    with pytest.raises(ValueError, match="tokenizer is empty"):
        codings.coded(chosen, " ", "symbols", None)
    with pytest.raises(ValueError, match="is not the id of a repo"):
        codings.coded(chosen, str(tmp_path / "mine"), "symbols", None)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="none has no tokenizer with it") as raised:
        codings.coded(chosen, "none", "symbols", str(tmp_path))
    assert str(tmp_path) not in str(raised.value)
