"""Models side by side, from the command line to what lies in the folder."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import compared, starting
from test_similarity import plain_cka
from transformers import AutoModelForCausalLM, AutoTokenizer

import hf_procedural as hp
from hf_procedural import cli
from hf_procedural.data import blocks
from hf_procedural.diagnosis import diagnose, drawing, report
from hf_procedural.diagnosis.words import named
from hf_procedural.tasks import IGNORE
from hf_procedural.tasks.coding import Coding

ALL = {"diagnosis.json", "diagnosis.md", "cka.png", "heads.png", "spectra.png"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(capsys):
    """The line with which the command ends, that leaves everything as it is."""

    def refused(*words) -> str:
        before = sorted(Path().rglob("*"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["diagnose", *map(str, words)])
        captured = capsys.readouterr()
        lines = captured.err.splitlines()
        assert ended.value.code == 2 and len(lines) == 1 and sorted(Path().rglob("*")) == before
        return lines[0]

    return refused


def plainly(folders: list, count: int) -> dict:
    """Losses, divergences and CKA (of one minibatch with all tokens) of models on sort-16, without the library."""
    task = hp.task("sort-16")
    ids, labels = (each[:count].astype(np.int64) for each in blocks.block(task, 0, "validation", 0))
    is_token, counts = ids != task.pad_id, labels[:, 1:] != IGNORE
    stacks, logs, losses = [], [], []
    for folder in folders:
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
        with torch.no_grad():
            output = model(torch.from_numpy(ids), output_hidden_states=True)
        stacks.append(np.stack([state.numpy()[is_token] for state in output.hidden_states]))
        log = output.logits.double().log_softmax(-1).numpy()[:, :-1][counts]
        losses.append(-log[np.arange(len(log)), labels[:, 1:][counts]].mean())
        logs.append(log)
    kl = (np.exp(logs[0]) * (logs[0] - logs[1])).sum(-1).mean()
    return {"losses": losses, "kl": kl, "cka": plain_cka([stacks]), "predicted": int(counts.sum())}


@pytest.mark.parametrize("batch_size", [7, 3])
def test_the_whole_is_the_plain_reference(batch_size):
    """7 rows have 231 tokens, so that a batch is its own sample; with batches of 3 CKA is of other minibatches."""
    folders = [compared.save_of_task("a"), compared.save_of_task("b", seed=1, num_hidden_layers=3)]
    result = diagnose.diagnose(list(map(str, folders)), "sort-16", rows=7, batch_size=batch_size)
    plain = plainly(folders, 7)
    counts = dict.fromkeys(("predicted", "compared"), plain["predicted"])
    assert result["data"] == {"name": "sort-16", "row_length": 33, "rows": 7, "tokens": 231} | counts
    assert [each["loss"] for each in result["models"].values()] == pytest.approx(plain["losses"], rel=1e-5)
    (pair,) = result["predictions"]
    assert pair["models"] == ["a", "b"] and pair["kl"] == pytest.approx(plain["kl"], rel=1e-3)
    assert 0 < pair["js"] < math.log(2) and pair["kl_reversed"] > 0
    assert result["layers"] == {"a": ["embed", "0", "1"], "b": ["embed", "0", "1", "2"]}
    whole = {tuple(entry["models"]): np.array(entry["cka"]) for entry in result["cka"]}
    assert whole["a", "b"].shape == (3, 4)
    if batch_size == 7:
        expected = plain["cka"]
        assert np.abs(whole["a", "a"] - expected[:3, :3]).max() < 1e-6
        assert np.abs(whole["a", "b"] - expected[:3, 3:]).max() < 1e-6
        assert np.abs(whole["b", "b"] - expected[3:, 3:]).max() < 1e-6
    assert [len(ranks) for ranks in result["effective_rank"].values()] == [3, 4]
    for label, depth in (("a", 2), ("b", 3)):
        for measure in ("entropy", "induction", "copy", "previous_token"):
            assert np.shape(result["heads"][label][measure]) == (depth, 4)
    assert not any("attention" in note or "predictions" in note for note in result["notes"])


def test_predictions_of_large_vocabularies_are_of_some_tokens(monkeypatch):
    """At random and without repetition, so that the loss is about that of all."""
    folders = [str(compared.save_of_task("a")), str(compared.save_of_task("b", seed=1))]
    whole = diagnose.diagnose(folders, "sort-16", rows=200, batch_size=50)
    monkeypatch.setattr(diagnose, "SAMPLE", 100)
    monkeypatch.setattr(diagnose, "LOGITS", 300 * 102)
    part = diagnose.diagnose(folders, "sort-16", rows=200, batch_size=50)
    assert part["data"] == whole["data"] | {"compared": 4 * 300} and whole["data"]["compared"] == 3_200
    for key in ("kl", "kl_reversed", "js"):
        assert part["predictions"][0][key] == pytest.approx(whole["predictions"][0][key], rel=0.1)
    assert part["models"]["a"]["loss"] == pytest.approx(whole["models"]["a"]["loss"], rel=0.01)


def test_a_model_is_as_itself():
    folder = str(compared.save_of_task("run"))
    result = diagnose.diagnose({"one": folder, "two": folder}, "sort-16", rows=40)
    (pair,) = result["predictions"]
    assert pair["kl"] == pair["kl_reversed"] == 0 and abs(pair["js"]) < 1e-7
    within, between, _ = (np.array(entry["cka"]) for entry in result["cka"])
    assert np.abs(np.diag(between) - 1).max() < 1e-9 and np.abs(within - between).max() < 1e-9
    for measures in result["weights"][0]["components"].values():
        assert measures["distance"] == 0 and measures["cosine"] == pytest.approx(1)
    assert result["heads"]["one"] == result["heads"]["two"] and result["notes"] == []


def test_one_model_has_no_pairs_and_still_something_to_say():
    result = diagnose.diagnose([str(compared.save_of_task("run"))], "sort-16", rows=20)
    assert result["predictions"] == result["weights"] == [] and len(result["cka"]) == 1
    text = report.tables(result)
    assert "## Heads" in text and "## Spectra" in text and "## Predictions" not in text


def test_the_command_leaves_a_whole_folder(capsys):
    compared.save_all(Path())
    cli.main(["diagnose", "runs/sort/checkpoint-10", "b=runs/set", "--data", "sort-16", "--rows", "50"])
    printed = capsys.readouterr().out
    folder = Path("diagnosis")
    assert {each.name for each in folder.iterdir() if each.name[0] != "_"} == ALL
    result = json.loads((folder / "diagnosis.json").read_text())
    assert list(result["models"]) == ["sort/checkpoint-10", "b"] and result["data"]["rows"] == 50
    markdown = (folder / "diagnosis.md").read_text()
    assert report.tables(result) in printed and report.tables(result) in markdown
    for name in drawing.FILES:
        assert f"({name})" in markdown
        with Image.open(folder / name) as image:
            assert image.width > 300 and len(image.convert("L").getcolors()) > 10
    before = (folder / "diagnosis.json").read_text()
    cli.main(["diagnose", "runs/sort/checkpoint-10", "b=runs/set", "--data", "sort-16", "--rows", "50"])  # again
    assert (folder / "diagnosis.json").read_text() == before


def test_text_is_what_the_semantic_stage_validates_with():
    """Every 20th document, packed; 10 of them have this many tokens with their ends."""
    folders = [str(compared.save_of_text(name, seed=seed)) for seed, name in enumerate("ab")]
    file = compared.save_text("text.jsonl")
    result = diagnose.diagnose(folders, str(file), rows=1_000)
    texts = [json.loads(line)["text"] for line in file.read_text().splitlines()][19::20]
    tokenizer = AutoTokenizer.from_pretrained(folders[0])
    tokens = sum(len(tokenizer(text)["input_ids"]) + 1 for text in texts)
    rows = -(-tokens // 32)
    counts = dict.fromkeys(("predicted", "compared"), tokens - rows)
    assert result["data"] == {"name": "text.jsonl", "row_length": 32, "rows": rows, "tokens": tokens} | counts
    short = diagnose.diagnose(folders, str(file), rows=2, sequence_length=8)
    assert short["data"]["tokens"] == 16 and short["data"]["predicted"] == 14


def test_a_larger_vocabulary_reads_the_same_words(refused):
    """The model of a mixture has other ids for the words of a task: layers are compared, predictions are not."""
    folders = [compared.save_of_task("a"), compared.save_of_task("b", "haystack-30+sort-16", seed=1)]
    result = diagnose.diagnose(list(map(str, folders)), "sort-16", rows=30)
    assert result["predictions"] == [] and "predictions are not compared" in result["notes"][0]
    assert len(result["cka"]) == 3 and "left out: transformer.wpe.weight and 1 more" in result["notes"][1]
    model = AutoModelForCausalLM.from_pretrained("b").eval()
    vocabulary = AutoTokenizer.from_pretrained("b").get_vocab()
    task = hp.task("sort-16")
    ids, labels = blocks.block(task, 0, "validation", 0)
    words = np.array([vocabulary[word] for word in task.vocabulary])
    ids, labels = words[ids[:30]], np.where(labels[:30] < 0, IGNORE, words[labels[:30]])
    with torch.no_grad():
        loss = model(torch.from_numpy(ids), labels=torch.from_numpy(labels)).loss
    assert result["models"]["b"]["loss"] == pytest.approx(float(loss), rel=1e-5)
    assert "has no token" in refused("a", "--data", "haystack-30")


def test_rows_of_a_run_that_wrote_them_in_a_tokenizers_ids():
    folder = compared.save_of_text("run", positions=64)
    task, tokenizer = hp.task("sort-16"), AutoTokenizer.from_pretrained("run")
    Coding.make(task, tokenizer, seed=5).save(folder)
    result = diagnose.diagnose(["run"], "procedural:sort-16", rows=30)
    coding = Coding.load(folder)
    rows = coding.symbols(*(each[:30].copy() for each in blocks.block(task, 0, "validation", 0)))
    ids, labels = (torch.from_numpy(each.astype(np.int64)) for each in rows)
    with torch.no_grad():
        loss = AutoModelForCausalLM.from_pretrained("run").eval()(ids, labels=labels).loss
    assert result["models"]["run"]["loss"] == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize(
    "model_type", ["llama", "qwen2", "gpt_neox", "opt", "mistral", "gemma3_text", "mamba", "bloom"]
)
def test_any_architecture(model_type):
    options = {"overrides": {"head_dim": 4}} if model_type == "gemma3_text" else {}
    folder = str(compared.save_of_task("run", model_type=model_type, **options))
    result = diagnose.diagnose({"a": folder, "b": folder}, "sort-16", rows=20)
    has_attention = model_type != "mamba"
    assert bool(result["heads"]) == has_attention
    assert any("does not give its attention" in note for note in result["notes"]) != has_attention
    assert result["predictions"][0]["kl"] == 0 and len(result["effective_rank"]["a"]) == 3
    assert "## Layers" in report.tables(result)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("runs/srot --data sort-16", "no model runs/srot: did you mean runs/sort? (a folder, or a Hub id"),
        ("runs/sort --data sort-64", "sort reads 33 tokens at a time, and rows of sort-64 have 129"),
        ("runs/sort --data text.jsonl", "sort: text is to be read, and its tokenizer knows 102 words"),
        ("runs/sort runs/c4 --data text.jsonl", "text is to be read"),
        ("runs/c4 --data sort-16", "c4: its tokenizer has no token"),
        ("runs/c4 runs/other --data text.jsonl", "other: its tokenizer reads text otherwise than that of c4"),
        ("runs/c4 --data empty.jsonl", "empty.jsonl is an empty file"),
        (
            "runs/c4 --data text.jsonl --sequence_length 33",
            "c4 reads 32 tokens at a time, and rows of text.jsonl have 33",
        ),
        ("runs/c4 --data text.jsonl --sequence_length 1", "sequence_length must be at least 2, got 1"),
        ("runs/sort --data sort-16 --sequence_length 9", "sequence_length: rows of sort-16 have a length of their own"),
        ("runs/c4 --data no_such.jsonl", "no_such.jsonl"),
        ("text.jsonl --data sort-16", "text.jsonl is a file: a model is a folder"),
        ("runs --data sort-16", "runs is not a model's folder: it has no config.json"),
        ("runs/sort --data sort-16 --output_dir runs", "runs holds c4, which is not of this recipe"),
        ("runs/sort --data sort-16 --output_dir text.jsonl", "text.jsonl is a file"),
        ("=runs/sort --data sort-16", "model '=runs/sort': give a folder, a Hub id, or LABEL=FOLDER"),
    ],
)
def test_a_mistake_is_one_line(words, message, refused):
    compared.save_of_task("runs/sort")
    compared.save_of_text("runs/c4")
    compared.save_of_text("runs/other", size=300)
    compared.save_text("text.jsonl")
    Path("empty.jsonl").write_text("")
    assert message in refused(*words.split())


def test_mistakes_and_help_need_no_torch():
    script = """
import sys
from hf_procedural import cli
mistakes = (["x", "--data", "srot-4"], ["./no", "--data", "sort-4"], ["a=x", "--data", "s", "--rows", "0"])
for words in (["--help"], *mistakes):
    try:
        cli.main(["diagnose", *words])
    except SystemExit as ended:
        print("ended:", ended.code, *(name for name in ("torch", "transformers") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    ended = [line for line in done.stdout.splitlines() if line.startswith("ended:")]
    assert ended == ["ended: 0"] + ["ended: 2"] * 3


MEMORY = """
import resource, sys
from hf_procedural.diagnosis import diagnose
def peak(rows):
    diagnose.diagnose({"a": "run", "b": "run"}, sys.argv[1], rows=rows, batch_size=50)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB
first = peak(1_000)
print("KiB:", peak(10_000) - first)
"""


@pytest.mark.parametrize("data", ["sort-16", "text.jsonl"])
def test_memory_does_not_depend_on_the_number_of_rows(data):
    """10,000 rows of hidden states of these models are 60 MB, their logits 130 MB and more."""
    if data == "sort-16":
        compared.save_of_task("run")
    else:
        compared.save_of_text("run")
        compared.save_text("text.jsonl", 250_000)
    Path("memory.py").write_text(MEMORY)
    printed = starting.run("memory.py", data, check=True).stdout
    assert int(re.search(r"KiB: (\d+)", printed)[1]) < 25_000


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (["runs/a", "runs/b"], ["a", "b"]),
        (["runs/a/", "x=runs/a"], ["a", "x"]),
        (["p/t/one/seed_0", "p/t/two/seed_0", "p/t/two/seed_1"], ["one/seed_0", "two/seed_0", "two/seed_1"]),
        (["r/a/checkpoint-5", "r/a", "r/b"], ["a/checkpoint-5", "a", "b"]),
        (["Qwen/Qwen3-0.6B", "gpt2"], ["Qwen3-0.6B", "gpt2"]),
    ],
)
def test_labels(words, labels):
    assert list(named(words)) == labels


def test_a_folder_may_have_an_equals_sign():
    Path("attn=runs_set").mkdir()
    assert named(["attn=runs_set"]) == {"attn=runs_set": "attn=runs_set"}
