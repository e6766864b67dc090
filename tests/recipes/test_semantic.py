"""The semantic recipe as users run it: budgets, interruptions, several processes, maths by module, mistakes."""

import csv
import gzip
import json
import math
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from support import starting
from support.running import (
    CONFIGS,
    RECIPES,
    TESTS,
    error_of,
    history,
    kill_when,
    run_here,
    same_weights,
    weights,
)

from hf_procedural.data import tokenization
from hf_procedural.files import Loader
from hf_procedural.text import batches, documents, math_archive, packing, tokenizers

MATHS = TESTS / "data" / "deepmind_math"
LOGS = ["--eval_steps", "10", "--logging_steps", "5", "--save_steps", "10", "--per_device_train_batch_size", "4"]
TINY = [*LOGS, "--size", "2_2_16", "--dropout", "0", "--learning_rate", "1e-2"]
ROWS = ["--sequence_length", "32", "--validation_size", "24", "--separator", "bos"]
TEXT = [*TINY, *ROWS, "--dataset", "text/*.jsonl.gz", "--text_column", "content", "--tokenizer", "tokenizer"]
MIXED = [f"text/{name}.jsonl.gz" for name in "ab"]
MIXTURE = [*TEXT, "--dataset", *MIXED, "--weights", "3", "1", "--validation_size", "999"]
STDLIB = [
    *TINY,
    "--sequence_length",
    "32",
    "--dataset",
    "stdlib",
    "--limit",
    "20",
    "--tokenizer_size",
    "300",
    "--validation_size",
    "16",
]
MATH = [*TINY, "--sequence_length", "256", "--dataset", MATHS, "--validation_problems", "1"]
BEGIN = ["--init_from", "runs/source", "--transfer", "attn", "mlp", "ln"]
STEP = 4 * 32  # tokens in an optimizer step of TEXT and STDLIB
EARLIER = 8 * 4 * 13  # tokens that runs/source saw


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder: text in two shards, a tokenizer, a procedural run, and what a user may trip over."""
    home = tmp_path_factory.mktemp("home")
    generator = np.random.default_rng(0)
    words = np.array(["under", "the", "tree", "größer", "als", "zwei", "42", "(x", "+ y)", "naïve\n", "日本"])
    texts = [" ".join(generator.choice(words, generator.integers(5, 60))) for _ in range(300)]
    lines = [json.dumps({"content": text, "id": number}) + "\n" for number, text in enumerate(texts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        Path("text").mkdir()
        for name, part in (("a", lines[:200]), ("b", lines[200:])):
            Path(f"text/{name}.jsonl.gz").write_bytes(gzip.compress("".join(part).encode()))
        tokenizers.train_tokenizer(texts, 300).save_pretrained("tokenizer")
        task = ["--task", "sort-6", "--task_parameters", '{"vocab_size": 30}', "--train_size", "64"]
        steps = ["--max_steps", "8", "--validation_size", "8", "--per_device_train_batch_size", "4"]
        run_here(patch, "pretrain", *task, *steps, "--size", "2_2_16", "--output_dir", "runs/source")
        Path("empty.txt").write_text("")
        Path("gap.jsonl").write_text("".join(lines[:50]) + '{"content": "  "}\n')
        Path("few.jsonl").write_text("".join(lines[:19]))
        Path("numbers.csv").write_text("1,2\n")
        Path("full").mkdir()
        Path("full/precious.txt").write_text("x")
        shutil.copytree("runs/source", "runs/uncounted")
        Path("runs/uncounted/trainer_state.json").unlink()
        for name in ("lacking", "damaged"):
            shutil.copytree(MATHS, name)
        Path("lacking/train-hard/algebra__linear_1d.txt").unlink()
        Path("damaged/interpolate/algebra__linear_1d.txt").write_text("Solve 0 = 4*b + b + 15 for b.\n-3\nCalculate")
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


@pytest.fixture(scope="module")
def run(home):
    """A run of 60 steps on shuffled text, with dropout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        run_here(patch, "semantic", *SHUFFLED, "--output_dir", "runs/text")
    return home / "runs" / "text"


SHUFFLED = [*TEXT, "--shuffle_buffer", "30", "--dropout", "0.1", "--max_steps", "60", "--validation_size", "40"]


def provenance(folder):
    return json.loads((Path(folder) / "provenance.json").read_text())


def test_results_follow_from_each_other(run):
    results = json.loads((run / "eval_results.json").read_text())
    ratio = provenance(run)["bytes_per_token"]
    for step, loss in history(run, "eval_loss"):
        assert (step, math.exp(loss)) in history(run, "eval_perplexity")
        assert (step, pytest.approx(loss / math.log(2) / ratio)) in history(run, "eval_bits_per_byte")
    last = {key: history(run, key)[-1][1] for key in ("eval_loss", "eval_perplexity", "eval_bits_per_byte")}
    assert last == {key: results[key] for key in last}
    assert last["eval_loss"] < 0.8 * history(run, "eval_loss")[0][1], "it should have learned"
    log = json.loads((run / "trainer_state.json").read_text())["log_history"]
    assert all(entry["num_input_tokens_seen"] == entry["step"] * STEP for entry in log)
    flops = [entry["total_flos"] for entry in log]
    assert flops == sorted(flops) and flops[0] > 0 and len(set(flops)) == 12


def test_the_same_seed_gives_the_same_numbers_and_weights(run, monkeypatch, tmp_path):
    """And so does the recipe that a run leaves."""
    run_here(monkeypatch, "semantic", run / "recipe.yaml", "--output_dir", tmp_path / "again")
    assert same_weights(run, tmp_path / "again")
    for key in ("loss", "eval_loss", "grad_norm"):
        assert history(run, key) == history(tmp_path / "again", key)
    facts = "bytes_per_token", "dataset_fingerprints"
    assert [provenance(run)[fact] for fact in facts] == [provenance(tmp_path / "again")[fact] for fact in facts]
    run_here(monkeypatch, "semantic", run / "recipe.yaml", "--seed", "1", "--output_dir", tmp_path / "other")
    assert not same_weights(run, tmp_path / "other")


@pytest.mark.parametrize(
    "words",
    [
        SHUFFLED,
        [*SHUFFLED, "--noise", "unigram_rows:0.5"],
        [*STDLIB, "--max_steps", "60"],
        [*MATH, "--max_steps", "60", "--greedy", "false"],
    ],
    ids=["shuffled", "noisy", "stdlib", "maths"],
)
def test_killed_and_resumed_run_ends_with_the_same_weights(words, run, monkeypatch, tmp_path):
    whole = run if words is SHUFFLED else tmp_path / "whole"
    if whole is not run:
        run_here(monkeypatch, "semantic", *words, "--output_dir", whole)
    killed, unmarked = tmp_path / "killed", tmp_path / "unmarked"
    kill_when(killed / "checkpoint-20" / "rows.json", "semantic", *words, "--output_dir", killed)
    assert not (killed / "checkpoint-60").exists(), "killed in another place"
    shutil.copytree(killed, unmarked)
    for mark in unmarked.rglob("rows.json"):
        mark.unlink()
    for folder in (killed, unmarked):
        words = ["--output_dir", folder, "--resume_from_checkpoint", "true"]
        run_here(monkeypatch, "semantic", folder / "recipe.yaml", *words)
        assert same_weights(whole, folder) and history(whole, "eval_loss") == history(folder, "eval_loss")
        assert history(whole, "text_passes") == history(folder, "text_passes")


def test_two_processes_follow_one_with_twice_the_batch(monkeypatch, tmp_path):
    words = list(map(str, [*TEXT, "--max_steps", "20", "--shuffle_buffer", "30", "--use_cpu", "true"]))
    run_here(monkeypatch, "semantic", *words, "--output_dir", tmp_path / "one")
    words += ["--per_device_train_batch_size", "2", "--output_dir", str(tmp_path / "two")]
    starting.run_two(RECIPES / "semantic.py", *words)
    for key in ("loss", "eval_loss", "eval_bits_per_byte", "num_input_tokens_seen"):
        one, two = history(tmp_path / "one", key), history(tmp_path / "two", key)
        assert [step for step, _ in one] == [step for step, _ in two]
        assert [value for _, value in one] == pytest.approx([value for _, value in two], abs=1e-4)


def test_a_mixture_ends_with_the_same_weights_after_a_kill(monkeypatch, tmp_path):
    """In the shares of its weights, with several passes, and with z-loss, which evaluations are without."""
    monkeypatch.setattr(batches, "BATCH", 4_000)  # of which the rows must not depend; the killed run has the usual
    words = [*MIXTURE, "--max_steps", "60", "--z_loss", "1e-3", "--gradient_accumulation_steps", "2"]
    run_here(monkeypatch, "semantic", *words, "--output_dir", tmp_path / "whole")
    killed = tmp_path / "killed"
    kill_when(killed / "checkpoint-20" / "rows.json", "semantic", *words, "--output_dir", killed)
    assert not (killed / "checkpoint-60").exists(), "killed in another place"
    run_here(monkeypatch, "semantic", killed / "recipe.yaml", "--resume_from_checkpoint", "true")
    assert same_weights(tmp_path / "whole", killed)
    assert history(tmp_path / "whole", "eval_loss") == history(killed, "eval_loss")
    one, other = json.loads((killed / "checkpoint-60" / "rows.json").read_text())["sources"]
    assert one["tokens"] / (one["tokens"] + other["tokens"]) == pytest.approx(0.75, abs=0.02)
    assert one["epoch"] > 0
    passes = [count for _, count in history(killed, "text_passes")]
    assert passes == sorted(passes) and passes[0] == 0 and passes[-1] == max(one["epoch"], other["epoch"])
    run_here(monkeypatch, "semantic", *words, "--z_loss", "0", "--output_dir", tmp_path / "without")
    first = [dict(history(tmp_path / name, "loss"))[5] for name in ("whole", "without")]
    assert first[0] - first[1] == pytest.approx(1e-3 * math.log(300) ** 2, rel=0.2)
    assert not same_weights(tmp_path / "whole", tmp_path / "without")


def test_a_mixture_of_sources_with_columns_of_their_own(monkeypatch, tmp_path):
    """As it is trained on, validated with, written down and gone on with."""
    lines = [json.dumps({"title": f"{number} the tree", "url": "x"}) + "\n" for number in range(60)]
    (tmp_path / "c.jsonl").write_text("".join(lines))
    mixed = [{"name": MIXED[0], "weight": 3}, {"name": f"{tmp_path}/c.jsonl", "text_column": "title", "weight": 1}]
    (tmp_path / "mixture.yaml").write_text(yaml.safe_dump({"dataset": mixed}))
    words = [*TINY, *ROWS, "--tokenizer", "tokenizer", "--validation_size", "999", "--max_steps", "1"]
    run_here(monkeypatch, "semantic", tmp_path / "mixture.yaml", *words, "--output_dir", tmp_path / "run")
    _, (first,) = documents.train_and_validation_of_each([MIXED[0]])
    _, (second,) = documents.train_and_validation_of_each([f"{tmp_path}/c.jsonl"], text_column="title")
    rows = packing.validation_rows([*first, *second], tokenization.load_tokenizer("tokenizer"), 32, "bos")
    assert provenance(tmp_path / "run")["bytes_per_token"] == rows.bytes_per_token
    recipe = yaml.load((tmp_path / "run" / "recipe.yaml").read_text(), Loader)
    own = {"name": f"{tmp_path}/c.jsonl", "text_column": "title"}
    assert recipe["dataset"] == [MIXED[0], own]
    assert recipe["text_column"] == ["content", "title"] and recipe["weights"] == [3, 1]
    shown = f"{MIXED[0]} + {tmp_path.name}/c.jsonl:::title"
    assert f"trained from scratch on text of `{shown}`" in (tmp_path / "run" / "README.md").read_text()
    words = [tmp_path / "run" / "recipe.yaml", "--max_steps", "2", "--resume_from_checkpoint", "true"]
    run_here(monkeypatch, "semantic", *words)
    assert history(tmp_path / "run", "eval_loss")[-1][0] == 2


def test_a_budget_in_tokens_is_whole_steps(monkeypatch, tmp_path):
    """Substitutive: less what the stages before saw."""
    for name, extra, earlier in (("additive", [], 0), ("substitutive", ["--substitutive", "true"], EARLIER)):
        budget = ["--max_tokens", 10 * STEP - 1, *extra]
        run_here(monkeypatch, "semantic", *TEXT, *BEGIN, *budget, "--output_dir", tmp_path / name)
        state = json.loads((tmp_path / name / "trainer_state.json").read_text())
        assert state["global_step"] == (10 * STEP - 1 - earlier) // STEP
        assert state["num_input_tokens_seen"] == state["global_step"] * STEP <= 10 * STEP - earlier
        (source,) = provenance(tmp_path / name)["init_from"]["sources"]
        assert (source["tokens"], source["task"]) == (EARLIER, "sort-6")


def test_tokens_of_all_earlier_stages_count(monkeypatch, tmp_path):
    run_here(monkeypatch, "semantic", *TEXT, *BEGIN, "--max_steps", "5", "--output_dir", tmp_path / "second")
    both = f"attn={tmp_path / 'second'},mlp={tmp_path / 'second'}"
    words = ["--init_from", both, "--max_tokens", 4 * STEP + 5 * STEP + EARLIER, "--substitutive", "true"]
    run_here(monkeypatch, "semantic", *TEXT, *words, "--output_dir", tmp_path / "third")
    assert history(tmp_path / "third", "num_input_tokens_seen")[-1] == (4, 4 * STEP)


def test_named_components_come_from_the_source(monkeypatch, tmp_path):
    still = [*TEXT, "--max_steps", "1", "--learning_rate", "0"]
    run_here(monkeypatch, "semantic", *still, "--output_dir", tmp_path / "scratch")
    run_here(monkeypatch, "semantic", *still, *BEGIN, "--output_dir", tmp_path / "begun")
    source, scratch, begun = map(weights, ("runs/source", tmp_path / "scratch", tmp_path / "begun"))
    taken = {name for name in begun if ".wte" not in name and ".wpe" not in name}
    assert all(torch.equal(begun[name], (source if name in taken else scratch)[name]) for name in begun)
    actions = {entry["name"]: entry["action"] for entry in provenance(tmp_path / "begun")["transfer"]["entries"]}
    assert {name for name, action in actions.items() if action == "copied"} == taken


def test_deepmind_math_is_scored_by_module(monkeypatch, tmp_path):
    """As it is published, packed, but without some of the difficulties."""
    archive = tmp_path / "mathematics_dataset-v1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for split in ("train-easy", "train-hard", "interpolate", "extrapolate"):
            packed.add(MATHS / split, f"mathematics_dataset-v1.0/{split}")
    words = ["--dataset", archive, "--max_steps", "10", "--output_dir", tmp_path / "run"]
    run_here(monkeypatch, "semantic", *MATH, *words)
    assert provenance(tmp_path / "run")["math_splits"]["train"] == ["train-easy", "train-hard"]
    assert "Training was without `train-medium`." in (tmp_path / "run" / "README.md").read_text()
    modules = json.loads((tmp_path / "run" / "modules.json").read_text())
    paths = [path for split in ("interpolate", "extrapolate") for path in (MATHS / split).glob("*.txt")]
    assert modules.keys() == {f"{path.parent.name}/{path.stem}" for path in paths}
    assert all({"answer_accuracy", "exact_match", "greedy_exact_match"} == scores.keys() for scores in modules.values())


def test_greedy_answers_are_right_where_all_their_characters_are(monkeypatch, tmp_path):
    """One module can be known by heart, the other not."""
    generator = np.random.default_rng(0)
    for split in math_archive.SPLITS:
        (tmp_path / split).mkdir()
        (tmp_path / split / "a__fixed.txt").write_text("What is 3*14?\n42\nWhat is -3?\n-3\n" * 20)
        asked = (f"What is {a}*{b}?\n{a * b}\n" for a, b in generator.integers(100, 999, (40, 2)))
        (tmp_path / split / "b__random.txt").write_text("".join(asked))
    words = ["--dataset", tmp_path, "--sequence_length", "128", "--max_steps", "120", "--validation_problems", "10"]
    run_here(monkeypatch, "semantic", *TINY, *words, "--output_dir", tmp_path / "run")
    modules = json.loads((tmp_path / "run" / "modules.json").read_text())
    assert all(scores["greedy_exact_match"] == scores["exact_match"] for scores in modules.values())
    exact = {module: scores["exact_match"] for module, scores in modules.items()}
    assert exact["interpolate/a__fixed"] == exact["extrapolate/a__fixed"] == 1 > exact["interpolate/b__random"]
    results = json.loads((tmp_path / "run" / "eval_results.json").read_text())
    assert results["eval_exact_match"] == results["eval_greedy_exact_match"] == np.mean(list(exact.values()))


def test_web_text_trains_with_the_settings_of_c4(web_file, monkeypatch, tmp_path):
    content = yaml.load(next(path for path in CONFIGS if path.stem == "c4").read_text(), Loader)
    small = {"dataset": str(web_file), "dataset_config": None, "tokenizer": None, "tokenizer_size": 600}
    small |= {"limit": 200, "sequence_length": 128, "validation_size": 8, "size": "2_2_16", "learning_rate": 1e-2}
    small |= {"max_tokens": 10 * 4 * 8 * 128, "eval_steps": 5, "logging_steps": 1, "output_dir": str(tmp_path / "run")}
    (tmp_path / "c4.yaml").write_text(yaml.safe_dump(content | small))
    run_here(monkeypatch, "semantic", tmp_path / "c4.yaml")
    losses = [loss for _, loss in history(tmp_path / "run", "eval_loss")]
    assert losses[-1] < losses[0] < math.log(600)
    rates = [rate for _, rate in history(tmp_path / "run", "learning_rate")]
    assert rates[0] == 1e-2 and 1e-3 <= rates[-1] < 2e-3


def test_the_saved_model_has_the_same_loss_without_this_package(run):
    tokenizer = tokenization.load_tokenizer(str(run))
    _, held_out = documents.train_and_validation("text/*.jsonl.gz", text_column="content")
    rows = packing.validation_rows(held_out, tokenizer, 32, "bos", rows=40)
    np.save("rows.npy", torch.stack([row["labels"] for row in rows]).numpy())
    script = f"""
import sys
sys.modules["hf_procedural"] = None
import numpy, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
labels = torch.from_numpy(numpy.load("rows.npy"))
model, tokenizer = (kind.from_pretrained({str(run)!r}) for kind in (AutoModelForCausalLM, AutoTokenizer))
assert tokenizer.decode(tokenizer("größer 日本")["input_ids"]) == "größer 日本"
with torch.no_grad():
    print(model.eval()(labels.clamp(min=0), labels=labels).loss.item(), model.config.use_cache)
"""
    done = starting.run("-c", script, check=True)
    loss, use_cache = done.stdout.split()
    assert float(loss) == pytest.approx(history(run, "eval_loss")[-1][1], abs=1e-4)
    assert use_cache == "True"


def test_a_shard_that_turns_out_damaged_ends_training_with_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(batches, "BATCH_DOCUMENTS", 10)
    shutil.copytree("text", tmp_path / "text")
    whole = (tmp_path / "text" / "b.jsonl.gz").read_bytes()
    (tmp_path / "text" / "b.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    words = [*TEXT, "--dataset", tmp_path / "text" / "*.gz", "--max_steps", "400", "--output_dir", tmp_path / "run"]
    words += ["--validation_size", "4"]
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "semantic", *words)
    errors = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert exit_.value.code == 2 and len(errors) == 1 and "text/b.jsonl.gz cannot be read" in errors[0]
    assert (tmp_path / "run" / "checkpoint-10").is_dir() and not (tmp_path / "run" / "eval_results.json").exists()
    (tmp_path / "text" / "b.jsonl.gz").write_bytes(whole)  # mended, it goes on
    run_here(monkeypatch, "semantic", *words, "--max_steps", "400", "--resume_from_checkpoint", "true")
    assert history(tmp_path / "run", "eval_loss")[-1][0] == 400


def test_only_the_same_run_is_resumed(run, home, monkeypatch, capsys):
    words = [*SHUFFLED, "--output_dir", "runs/text", "--resume_from_checkpoint", "true"]
    for key, value, shown in (
        ("sequence_length", "16", "32, not 16"),
        ("tokenizer", "runs/source", "'tokenizer', not"),
    ):
        error = error_of(monkeypatch, capsys, home, "semantic", *words, f"--{key}", value)
        assert f"runs/text/checkpoint-60 belongs to a run with {key} {shown}" in error


def test_report_has_the_numbers_of_the_runs(run, monkeypatch, tmp_path):
    run_here(monkeypatch, "semantic", *SHUFFLED, *BEGIN, "--output_dir", "runs/begun")
    run_here(monkeypatch, "report", "runs/text", "runs/begun", "--output_dir", tmp_path / "report")
    with open(tmp_path / "report" / "report.csv", encoding="utf-8") as file:
        rows = {row["arm"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["scratch", "runs/source"]
    text = (tmp_path / "report" / "report.md").read_text()
    keys = {"loss": "eval_loss", "perplexity": "eval_perplexity", "bits_per_byte": "eval_bits_per_byte"}
    keys |= {"tokens": "num_input_tokens_seen", "flops": "total_flos", "training_loss": "loss"}
    for folder, row in zip((run, "runs/begun"), rows.values(), strict=True):
        assert {name: float(row[name]) for name in keys} == {n: history(folder, k)[-1][1] for n, k in keys.items()}
        assert f"{float(row['loss']):.4f}" in text and row["finished"] == "True"
    assert (float(rows["scratch"]["earlier_tokens"]), float(rows["runs/source"]["earlier_tokens"])) == (0, EARLIER)
    assert float(rows["scratch"]["share"]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", ""], "dataset holds a value that is empty: leave it out"),
        (["--dataset", "nowhere.jsonl"], "dataset 'nowhere.jsonl': there is no such file or folder"),
        (["--dataset", "numbers.csv"], "numbers.csv is not json, jsonl or txt"),
        (["--dataset", "stdlib2"], "is no file, no folder, none of stdlib, pydoc, and cannot be had from the Hub"),
        (["--dataset", "empty.txt", "--text_column", "text"], "empty.txt is an empty file"),
        (["--dataset", "gap.jsonl"], "gap.jsonl, document 51: empty; skip_empty leaves empty documents out"),
        (["--dataset", "few.jsonl"], "has no 20th document to hold out for validation"),
        (["--dataset_config", "en"], "dataset_config: text/*.jsonl.gz is not a data set of the Hub"),
        (["--text_column", "text"], "text_column 'text' is not in text/a.jsonl.gz, document 1, which has: content, id"),
        (["--text_column", "id"], "holds int, not text"),
        (["--train_split", "test"], "train_split: text/*.jsonl.gz has no 'test', only: train"),
        (["--validation_split", "test"], "validation_split: text/*.jsonl.gz has no 'test', only: train"),
        (["--validation_dataset", "text/b.jsonl.gz"], "validation would be on what is trained on"),
        (["--limit", "0"], "limit must be at least 1, got 0"),
        (["--shuffle_buffer", "-1"], "shuffle_buffer must be at least 0, got -1"),
        (["--tokenizer", "runs/nowhere"], "tokenizer 'runs/nowhere' cannot be loaded"),
        (["--tokenizer_size", "100"], "tokenizer_size must be at least 257, got 100"),
        (["--separator", "comma"], "separator must be one of eos, bos, none, got 'comma'"),
        (["--tokenizer", "runs/source"], "runs/source: text is to be read, and its tokenizer knows 32 words"),
        (
            ["--dataset", *MIXED, "--weights", "1"],
            "weights must be 2 positive numbers, one for each dataset, got [1.0]",
        ),
        (["--dataset", *MIXED, "--weights", "1", "0"], "weights must be above 0, got 0.0"),
        (["--weights", "1", "2"], "weights must be 1 positive numbers, one for each dataset, got [1.0, 2.0]"),
        (["--dataset", MIXED[0], "text/*"], "text/a.jsonl.gz is in both text/a.jsonl.gz and text/*"),
        (["--dataset", *MIXED, "--dataset_config", "en"], "dataset_config: 2 data sets have none in common, got 'en'"),
        (["--dataset", *MIXED, "few.jsonl"], "'few.jsonl' has no 20th document to hold out for validation"),
        (["--z_loss", "-1"], "z_loss must be at least 0, got -1.0"),
        (["--z_loss", "1", "--label_smoothing_factor", "0.1"], "z_loss needs logits and labels, which label_smoothing"),
        (["--sequence_length", "1"], "sequence_length must be at least 2, got 1"),
        (["--validation_size", "0"], "validation_size must be at least 1, got 0"),
        (["--max_steps", "-1"], "max_tokens is missing: give --max_tokens 10_000_000, or --max_steps"),
        (["--max_steps", "-1", "--max_tokens", "100"], "max_tokens 100 less 0 of earlier stages is no step of 128"),
        (["--max_tokens", "640"], "max_steps 3 and max_tokens 640, 5 steps, contradict"),
        (["--max_steps", "-1", "--max_tokens", "9999", "--substitutive", "true"], "substitutive: the tokens behind"),
        (["--max_steps", "-1", "--max_tokens", "500", "--substitutive", "true", *BEGIN], "less 416 of earlier stages"),
        (
            ["--max_tokens", "9999", "--substitutive", "true", "--init_from", "attn=runs/source,mlp=runs/uncounted"],
            "the tokens behind init_from attn=runs/source,mlp=runs/uncounted are not known",
        ),
        (["--init_from", "runs/sauce"], "runs/sauce has no configuration of a model: there is no such folder"),
        ([*BEGIN, "--size", "2_2_32"], "runs/source has shape [16], the target [32]"),
        (["--patience", "0"], "patience must be at least 1, got 0"),
        (["--dataloader_num_workers", "2"], "dataloader_num_workers must be 0"),
        (["--output_dir", "full"], "output_dir full is not empty"),
        (["--dataset", MATHS, "--sequence_length", "16"], "sequence_length must be at least"),
        (["--validation_problems", "0"], "validation_problems must be at least 1, got 0"),
        (["--dataset", MATHS, "--limit", "3"], "limit: DeepMind-Math is read by characters and modules, got 3"),
        (["--metric_for_best_model", "answer_accuracy"], "metric_for_best_model must be one of loss, got 'answer"),
        (["--transfer", "atn"], "got 'atn': did you mean attn"),
        (["--dataset", "stdlib", MATHS], "holds DeepMind-Math (extrapolate/algebra__polynomial_roots_big.txt)"),
        (["--dataset", MATHS / "train-easy"], "is a part of DeepMind-Math: give the folder above"),
        (["--dataset", f"{MATHS}::train"], "dataset: DeepMind-Math has no configuration, split or column, got"),
        (
            ["--dataset", MATHS, "--validation_split", "extrapolate"],
            "validation_split: DeepMind-Math is read by characters",
        ),
        (["--dataset", MATHS, "--train_split", "train-hard"], "train_split: DeepMind-Math is read by characters"),
        (["--dataset", "lacking"], "lacking: missing: train-hard/algebra__linear_1d.txt"),
        (["--dataset", "damaged"], "algebra__linear_1d.txt (line 3 has no end: the file was cut off)"),
    ],
    ids=lambda value: "_".join(map(str, value))[-50:] if isinstance(value, list) else "",
)
def test_a_mistake_ends_with_one_line_and_changes_nothing(words, message, home, monkeypatch, capsys):
    is_math = {MATHS, f"{MATHS}::train", "lacking", "damaged"} & set(words)
    text = TEXT[:-2] if "--tokenizer_size" in words else TEXT  # whose last words name a tokenizer
    text = [*TINY, *ROWS] if is_math and "stdlib" not in words else text
    words = [*text, "--max_steps", "3", "--output_dir", "runs/mistake", *words]
    assert message in error_of(monkeypatch, capsys, home, "semantic", *words)


def test_a_data_set_has_to_be_named(home, monkeypatch, capsys):
    message = "dataset is missing: give --dataset stdlib, or a YAML with the key dataset"
    assert message in error_of(monkeypatch, capsys, home, "semantic", "--max_steps", "1")
