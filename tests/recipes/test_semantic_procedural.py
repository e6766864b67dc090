"""Procedural rows in a run on text: in front of it and among it, packed and by themselves, gone on with, told of."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from datasets import load_dataset
from support import starting
from support.running import RECIPES, TESTS, error_of, history, kill_when, run_here, same_weights
from transformers import AutoModelForCausalLM

from hf_procedural.data import tokenization
from hf_procedural.files import Loader
from hf_procedural.hub.model_card import model_card
from hf_procedural.tasks import IGNORE
from hf_procedural.tasks.coding import Coding
from hf_procedural.text import tokenizers

MATHS = TESTS / "data" / "deepmind_math"
TINY = ["--eval_steps", "10", "--logging_steps", "5", "--save_steps", "5", "--per_device_train_batch_size", "4"]
TINY += ["--size", "2_2_16", "--dropout", "0.1", "--learning_rate", "1e-2", "--max_steps", "20"]
ROWS = ["--sequence_length", "32", "--validation_size", "24", "--tokenizer", "tokenizer"]
TEXTS = ["text/a.jsonl", "text/b.jsonl"]
FEW = ["--task_parameters", '{"vocab_size": 30}']
MIXED = [*TINY, *ROWS, "--dataset", *TEXTS, "procedural:sort-6+set-6", "--weights", "3", "1", "2", *FEW]
# The border, at row 25, is inside of a step of 4 rows.
BOTH = {
    "dataset": [*TEXTS, {"name": "procedural:sort-6", "parameters": {"vocab_size": 30}}],
    "weights": [3, 1, 2],
    "first": {"name": "procedural:dyck-2", "parameters": {"length": 10}, "coding": "text"},
    "first_tokens": 25 * 32 + 31,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder: text in two files, a tokenizer, a YAML with rows of tasks in front and among it."""
    home = tmp_path_factory.mktemp("home")
    generator = np.random.default_rng(0)
    words = np.array(["under", "the", "tree", "größer", "als", "zwei", "42", "(x", "+ y)", "naïve\n", "日本"])
    texts = [" ".join(generator.choice(words, generator.integers(5, 60))) for _ in range(300)]
    lines = [json.dumps({"text": text}) + "\n" for text in texts]
    (home / "text").mkdir()
    for name, part in (("a", lines[:200]), ("b", lines[200:])):
        (home / f"text/{name}.jsonl").write_text("".join(part))
    tokenizers.train_tokenizer(texts, 300).save_pretrained(home / "tokenizer")
    (home / "both.yaml").write_text(yaml.safe_dump(BOTH))
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


@pytest.fixture(scope="module", params=["packed", "rows"])
def run(request, home):
    """A run of 20 steps with rows in front of text and among it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        words = ["--packing", request.param, "--output_dir", f"runs/{request.param}"]
        run_here(patch, "semantic", "both.yaml", *TINY, *ROWS, *words)
    return home / "runs" / request.param


def provenance(folder):
    return json.loads((Path(folder) / "provenance.json").read_text())


def test_each_source_has_a_loss_of_its_own(run):
    results = json.loads((run / "all_results.json").read_text())
    for name in ("text", "a", "b", "sort-6", "dyck-2"):
        logged = history(run, f"eval_{name}_loss")
        assert [step for step, _ in logged] == [10, 20, 20]
        assert results[f"eval_{name}_loss"] == logged[-1][1]
    assert results["eval_text_loss"] == results["eval_loss"] and results["eval_perplexity"] > 1
    assert len({results[f"eval_{name}_loss"] for name in ("text", "a", "b", "sort-6", "dyck-2")}) == 5
    told = ", ".join(f"`{name}` {results[f'eval_{name}_loss']:.4f}" for name in ("a", "b", "dyck-2", "sort-6"))
    assert f"Loss on each source by itself, nats per token: {told}." in (run / "README.md").read_text()


def test_the_loss_of_a_task_is_that_of_its_rows(run):
    """By the model, the rows of load_dataset and coding.json alone."""
    coding = Coding.load(run / "codings" / "sort-6" / "coding.json")
    symbols = torch.tensor([ids[0] if ids else coding.pad_id for ids in coding.first])
    rows = load_dataset("procedural", "sort-6", seed=42, vocab_size=30, split="validation", validation_size=99)
    ids, labels = (torch.tensor(rows[name]) for name in ("input_ids", "labels"))
    labels = torch.where(labels == IGNORE, IGNORE, symbols[labels.clamp(min=0)])
    more = 32 - 13 if run.name == "rows" else 1  # padding, or the separator, which has no label
    end = tokenization.load_tokenizer("tokenizer").eos_token_id
    ids, labels = (
        torch.cat((column, torch.full((99, more), other)), 1).flatten()[: 24 * 32].view(24, 32)
        for column, other in ((symbols[ids], end), (labels, IGNORE))
    )
    model = AutoModelForCausalLM.from_pretrained(run).eval()
    with torch.no_grad():
        logits = model(ids).logits[:, :-1].flatten(0, 1)
    loss = torch.nn.functional.cross_entropy(logits, labels[:, 1:].flatten())
    assert loss.item() == pytest.approx(history(run, "eval_sort-6_loss")[-1][1], rel=1e-4)


def test_what_was_trained_on_is_told(run):
    packing = run.name
    told = provenance(run)["procedural"]
    (mixed,) = told["mixed"]
    assert told["packing"] == packing
    assert mixed["task"] == "sort-6" and mixed["parameters"] == {"length": 6, "vocab_size": 30}
    assert mixed["share"] == 2 / 6 and mixed["seed"] == 42 and mixed["coding"] == "symbols"
    assert told["first"]["tokens"] == 25 * 32 and told["first"]["coding"] == "text"
    for about in (mixed, told["first"]):
        coding = Coding.load(run / "codings" / about["name"])
        assert (coding.kind, coding.digest) == (about["coding"], about["coding_digest"])
    recipe = yaml.load((run / "recipe.yaml").read_text(), Loader)
    assert recipe["dataset"][2]["parameters"] == {"vocab_size": 30} and recipe["first_tokens"] == 831
    assert recipe["first"]["coding"] == "text" and recipe["packing"] == packing and recipe["text_column"] == "text"
    card = model_card(run)
    assert (
        "trained from scratch on text of `text/a.jsonl + text/b.jsonl`, behind 831 tokens of `procedural:dyck-2 "
        in card
    )
    assert "coded as text and with 33.333% of the tokens from `procedural:sort-6 {" in card
    assert "(seed 42; `coding.json` tells which token is which)" in card and "\n- procedural\n" not in card


def test_a_run_goes_on_on_both_sides_of_the_border(run, monkeypatch, tmp_path):
    """From checkpoints before and after it, killed, and without the mark of its row."""
    words = [*TINY, *ROWS, "--packing", run.name]
    killed = tmp_path / "killed"
    kill_when(killed / "checkpoint-5" / "rows.json", "semantic", "both.yaml", *words, "--output_dir", killed)
    assert not (killed / "checkpoint-20").exists(), "killed in another place"
    assert (killed / "codings" / "sort-6" / "coding.json").exists()
    for step, is_marked in ((5, True), (10, True), (15, False)):
        again = tmp_path / f"{step}_{is_marked}"
        shutil.copytree((killed if step == 5 else run) / f"checkpoint-{step}", again / f"checkpoint-{step}")
        shutil.copy(run / "recipe.yaml", again)
        if not is_marked:
            for name in ("rows.json", "digests.json"):
                (again / f"checkpoint-{step}" / name).unlink(missing_ok=True)
        words = ["--output_dir", again, "--resume_from_checkpoint", "true"]
        run_here(monkeypatch, "semantic", again / "recipe.yaml", *words)
        assert same_weights(run, again), step
        assert history(run, "eval_sort-6_loss")[-1] == history(again, "eval_sort-6_loss")[-1]
    marks = [json.loads((run / f"checkpoint-{step}" / "rows.json").read_text())["kinds"] for step in (5, 10)]
    assert [[kind["row"] for kind in mark] for mark in marks] == [[20, 0], [25, 15]]


def test_a_killed_run_meets_the_same_noise(run, monkeypatch, tmp_path):
    words = ["both.yaml", *TINY, *ROWS, "--packing", run.name, "--noise", "insert:0.3"]
    run_here(monkeypatch, "semantic", *words, "--output_dir", tmp_path / "whole")
    assert not same_weights(run, tmp_path / "whole"), "no noise"
    killed = tmp_path / "killed"
    kill_when(killed / "checkpoint-5" / "rows.json", "semantic", *words, "--output_dir", killed)
    assert not (killed / "checkpoint-20").exists(), "killed in another place"
    run_here(monkeypatch, "semantic", killed / "recipe.yaml", "--resume_from_checkpoint", "true")
    assert same_weights(tmp_path / "whole", killed)
    for name in ("text", "sort-6"):
        assert history(tmp_path / "whole", f"eval_{name}_loss") == history(killed, f"eval_{name}_loss")


def test_one_coding_of_tasks_that_share_their_words(monkeypatch, tmp_path):
    """On the command line, of a tokenizer that is trained on the text alone."""
    words = [*TINY, "--sequence_length", "32", "--validation_size", "8", "--tokenizer_size", "300", "--max_steps", "10"]
    words += ["--dataset", TEXTS[0], "procedural:sort-6", "procedural:reverse-6", "--weights", "8", "1", "1", *FEW]
    run_here(monkeypatch, "semantic", *words, "--output_dir", tmp_path / "run")
    coding = Coding.load(tmp_path / "run")
    tokenizer = tokenization.load_tokenizer(str(tmp_path / "run"))
    ids = [ids[0] for ids in coding.first if ids]
    assert len(set(ids)) == len(ids) == 31 and tokenizer.eos_token_id not in ids
    assert all(tokenizer(tokenizer.decode([token])).input_ids == [token] for token in ids)
    assert {"eval_sort-6_loss", "eval_reverse-6_loss"} <= json.loads(
        (tmp_path / "run" / "all_results.json").read_text()
    ).keys()


def test_a_task_in_front_is_learned_in_the_same_run(monkeypatch, tmp_path):
    words = [
        *TINY,
        *ROWS,
        "--dataset",
        *TEXTS,
        "--first",
        "procedural:identity-6",
        "--dropout",
        "0",
        "--max_steps",
        "150",
    ]
    words += ["--first_tokens", 140 * 4 * 32, "--task_parameters", '{"vocab_size": 4}', "--packing", "rows"]
    run_here(monkeypatch, "semantic", *words, "--output_dir", tmp_path / "run")
    losses = dict(history(tmp_path / "run", "eval_identity-6_loss"))
    assert losses[140] < math.log(3) < losses[10], "it knows which symbols there are"
    texts = dict(history(tmp_path / "run", "eval_text_loss"))
    assert texts[150] < texts[140], "text has come"


def test_two_processes_follow_one_with_twice_the_batch(monkeypatch, tmp_path):
    words = ["both.yaml", *TINY, *ROWS, "--use_cpu", "true", "--dropout", "0", "--packing", "packed"]
    run_here(monkeypatch, "semantic", *words, "--output_dir", tmp_path / "one")
    words += ["--per_device_train_batch_size", "2", "--output_dir", str(tmp_path / "two")]
    starting.run_two(RECIPES / "semantic.py", *words)
    for key in ("loss", "eval_loss", "eval_sort-6_loss", "eval_dyck-2_loss", "num_input_tokens_seen"):
        one, two = history(tmp_path / "one", key), history(tmp_path / "two", key)
        assert [step for step, _ in one] == [step for step, _ in two]
        assert [value for _, value in one] == pytest.approx([value for _, value in two], abs=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", *TEXTS, "procedural:srot-6"], "unknown task 'srot': did you mean sort"),
        (["--dataset", *TEXTS, "procedural:"], "dataset 'procedural' names no task: procedural:sort-64, or another"),
        (["--dataset", *TEXTS, "procedual:sort-6"], "is neither here nor on the Hub: did you mean procedural"),
        (["--dataset", *TEXTS, "procedural:sort-6:train"], "has no split (accepted: name, config, parameters, coding"),
        (
            ["--dataset", "procedural:sort-6", "--weights", "1"],
            "procedural:sort-6 has no text: name some, too, or train",
        ),
        (["--weights", "0", "0", "0"], "weights must be above 0, got 0.0"),
        (["--weights", "1", "1"], "weights must be 3 positive numbers, one for each dataset"),
        (["--coding", "words"], "coding must be text or integers or symbols, got 'words'"),
        (["--packing", "tight"], "packing must be packed or rows, got 'tight'"),
        (["--task_parameters", '{"vocab_sise": 30}'], "no member has a parameter 'vocab_sise' still to be set"),
        (["--task_parameters", "30"], "task_parameters must be a mapping of names to values, got 30"),
        (["--dataset", *TEXTS, "--weights", "1", "1"], "task_parameters {'vocab_size': 30}: neither dataset nor first"),
        (["--task_parameters", '{"vocab_size": 999}'], "ordinary single tokens for the 1,000 symbols of sort-6+set-6"),
        (["--first", "procedural:sort-6"], "first is given, and first_tokens is not: give --first_tokens 2_000_000"),
        (
            ["--first_tokens", "99"],
            "first_tokens is given, and first is not: give --first procedural:dyck-64, or neither",
        ),
        (
            ["--first", "stdlib", "--first_tokens", "99"],
            "first must be procedural:TASK, without a weight, got 'stdlib'",
        ),
        (["--first", "procedural:sort-6", "--first_tokens", "2561"], "first_tokens must be at most the 2560 tokens of"),
        (["--first", "procedural:sort-6", "--first_tokens", "31"], "first_tokens 31 is no row of sequence_length 32"),
        (["--first", "procedural:sort-6", "--first_tokens", "0"], "first_tokens must be at least 1, got 0"),
        (["--first", "procedural:dyck-2", "--first_tokens", "99"], "dyck: unknown parameter 'vocab_size'"),
        (["--validation_dataset", "procedural:sort-6"], "validation_dataset must be text, got 'procedural:sort-6'"),
        (
            ["--packing", "rows", "--sequence_length", "12"],
            "sort-6+set-6 has rows of 13 tokens and sequence_length is 12",
        ),
        (["--sequence_length", "3", "--validation_size", "1"], "none of the 1 rows to validate with has a label"),
        (["--dataset", MATHS, "procedural:sort-6", "--weights", "1", "1"], "holds DeepMind-Math"),
    ],
    ids=lambda value: "_".join(map(str, value))[-50:] if isinstance(value, list) else "",
)
def test_a_mistake_ends_with_one_line_and_changes_nothing(words, message, home, monkeypatch, capsys):
    words = [*MIXED, "--output_dir", "runs/mistake", *words]
    assert message in error_of(monkeypatch, capsys, home, "semantic", *words)


def test_maths_has_no_rows_of_tasks_in_front(home, monkeypatch, capsys):
    words = [*TINY, "--dataset", MATHS, "--first", "procedural:sort-6", "--first_tokens", "2000"]
    error = error_of(monkeypatch, capsys, home, "semantic", *words, "--output_dir", "runs/mistake")
    assert "first, task_parameters: DeepMind-Math is read by characters" in error


def test_only_the_same_run_is_resumed(run, home, monkeypatch, capsys):
    words = [run / "recipe.yaml", "--output_dir", run, "--resume_from_checkpoint", "true"]
    for key, value, shown in (("coding", "text", "'symbols', not 'text'"), ("first_tokens", "900", "831, not 900")):
        error = error_of(monkeypatch, capsys, home, "semantic", *words, f"--{key}", value)
        assert f"belongs to a run with {key} {shown}" in error
