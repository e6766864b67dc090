"""Reinforcement Pre-Training as users run it, on questions and with a model that are made on the spot."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from datasets import Dataset
from huggingface_hub import ModelCard
from support import starting
from support.hub_server import empty_hub, environment, strays  # noqa: F401
from support.rigged import save_rigged
from support.running import RECIPES, error_of, history, kill_when, run_here, same_weights, weights
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel

from hf_procedural.files import Loader
from hf_procedural.rl import prefix_matching_reward, scaling
from hf_procedural.rl.grpo import GRPO
from hf_procedural.runs.measured import THRESHOLDS
from hf_procedural.text.tokenizers import END_OF_TEXT, train_tokenizer

CHAIN = [*"#\\boxed{", ("q", "r"), "}", END_OF_TEXT]  # after # comes \boxed{q} or \boxed{r}
POSITIONS = 64
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NUMBERS += ["thirteen", "fourteen"]
ASK = ["--model_name_or_path", "rigged", "--questions", "data", "--template", "ask.txt"]
FEW = ["--num_generations", "4", "--per_device_train_batch_size", "16", "--per_device_eval_batch_size", "64"]
FEW += ["--max_completion_length", "12", "--max_steps", "4", "--weight_decay", "0", "--logging_steps", "1"]
FEW += ["--save_strategy", "no", "--disable_tqdm", "true"]
QUICK = [*ASK, *FEW]


def save_questions(folder, split="train", names=NUMBERS, **columns):
    """A question about each number; three of four go on with a q, the others with an r. Two are trivial."""
    rows = [
        {
            "document": number,
            "context": f"{name} ",
            "continuation": "r ends" if number % 4 == 3 else "q goes on",
            "entropy": 0.3 + number / 6,
            "candidates": [b"q", b"r", b"s"],
            "probabilities": [0.5, 0.25, 0.125],
        }
        | columns
        for number, name in enumerate(names)
    ]
    Path(folder).mkdir(parents=True, exist_ok=True)
    Dataset.from_list(rows).to_parquet(f"{folder}/{split}.parquet")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder: questions, a model that can answer some of them, and what a user may trip over."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        tokenizer = train_tokenizer([], 257)
        save_rigged("rigged", tokenizer, CHAIN, POSITIONS)
        tokenizer.chat_template = (
            "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}#{% endif %}"
        )
        save_rigged("chat", tokenizer, CHAIN, POSITIONS)
        Path("ask.txt").write_text("{context}? #\n")
        Path("full.txt").write_text("no place")
        for split in ("train", "validation"):
            save_questions("data", split)
            save_questions("trivial", split, entropy=0.2)
            save_questions("long", split, context="x" * 80)
            save_questions("none", split, context="x" * 80)
            rows = [{"context": "a", "continuation": "b", "entropy": 1.0}]
            Dataset.from_list(rows).to_parquet(f"data/../bare_{split}.parquet")
        save_questions("train_only")
        Path("bare").mkdir()
        Path("unfinished").mkdir()
        save_questions("unfinished")
        Path("unfinished/recipe.yaml").write_text("dataset: text\n")
        Path("empty").mkdir()
        for split in ("train", "validation"):
            Path(f"bare_{split}.parquet").rename(f"bare/{split}.parquet")
        Path("texts").mkdir()
        Dataset.from_list([{"text": "a", "entropy": 1.0}]).to_parquet("texts/train.parquet")
        bert = BertConfig(vocab_size=300, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
        BertForMaskedLM(bert).save_pretrained("bert")
        tokenizer.save_pretrained("bert")
        Path("used").mkdir()
        Path("used/precious.txt").write_text("x")
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


def train(monkeypatch, folder, *words):
    run_here(monkeypatch, "rpt", *words, "--output_dir", folder)
    return folder


def completions(folder, step) -> pd.DataFrame:
    return pd.read_parquet(Path(folder, "completions", f"completions_{step:05d}.parquet"))


def rows_of(folder="data") -> dict[str, dict]:
    """Training questions by their prompt."""
    table = pd.read_parquet(f"{folder}/train.parquet")
    return {f"{row['context']}? #": row for row in table.to_dict("records")}


@pytest.fixture(scope="module")
def learned(home):
    """A run that learns that most questions go on with a q."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        words = ["--max_steps", "30", "--learning_rate", "1e-2", "--warmup_steps", "2", "--eval_steps", "10"]
        words += ["--save_strategy", "steps", "--save_steps", "10", "--num_generations", "8"]
        words += ["--per_device_train_batch_size", "64", "--per_device_eval_batch_size", "96"]
        return train(patch, home / "learned", *QUICK, *words)


def test_reward_rises(learned):
    rewards = [value for _, value in history(learned, "reward")]
    assert np.mean(rewards[:6]) < 0.6 and np.mean(rewards[-9:]) > 0.66  # 0.5 by chance, 0.75 where all say q
    assert rewards == [value for _, value in history(learned, "rewards/prefix_matching_reward/mean")]
    for difficulty in THRESHOLDS:
        accuracy = [value for _, value in history(learned, f"eval_accuracy_{difficulty}")]
        assert accuracy[0] < 0.7 and 0.6 < accuracy[-1] <= 0.85 and len(accuracy) == 5
    assert dict(history(learned, "eval_accuracy_easy"))[30] > 0.7
    assert not torch.equal(weights(learned)["lm_head.weight"], weights("rigged")["lm_head.weight"])


def test_the_run_folder_tells_all(learned, monkeypatch, capsys, tmp_path):
    results = json.loads((learned / "all_results.json").read_text())
    assert {"eval_accuracy_easy", "eval_accuracy_medium", "eval_accuracy_hard", "eval_pass@8"} <= results.keys()
    recipe = yaml.load((learned / "recipe.yaml").read_text(), Loader)
    assert recipe["questions"] == "data" and recipe["reward"] == "prefix" and recipe["min_entropy"] == 0.5
    provenance = json.loads((learned / "provenance.json").read_text())
    assert provenance["questions"] == {"train": 12, "validation": 12} and "trl" in provenance["versions"]
    assert (learned / "training.png").read_bytes().startswith(b"\x89PNG")
    card = (learned / "README.md").read_text()
    for word in ("Reinforcement Pre-Training", "2506.08007", "GRPO", "recipes/rpt.py", "12 held-out questions"):
        assert word in card
    assert "trained from weights of `rigged` on next-token questions of `data`" in card and "Quick start" not in card
    metrics = {result.metric_name: result.metric_value for result in ModelCard(card).data.eval_results}
    assert metrics["next tokens right, hard questions"] == results["eval_accuracy_hard"]
    points = scaling.read_points(learned)
    assert points.keys() == THRESHOLDS.keys() and points["easy"].shape == (2, 3)
    run_here(monkeypatch, "report", learned, "--output_dir", tmp_path / "report", "--metric", "accuracy_easy")
    assert "| rigged | 42 | 30 |" in (told := capsys.readouterr().out)
    assert f"{results['eval_accuracy_hard']:.1%}" in told


@pytest.mark.parametrize("variant", ["prefix", "first_token", "dense"])
def test_rewards_are_those_of_the_variant(variant, monkeypatch, tmp_path):
    folder = train(monkeypatch, tmp_path / "run", *QUICK, "--reward", variant)
    table, known = pd.concat([completions(folder, step) for step in range(1, 5)]), rows_of()
    reward = prefix_matching_reward(AutoTokenizer.from_pretrained("rigged"), variant)
    rows = [known[prompt] for prompt in table["prompt"]]
    columns = {key: [row[key] for row in rows] for key in ("context", "continuation", "candidates", "probabilities")}
    expected = reward(prompts=table["prompt"], completions=table["completion"].tolist(), **columns)
    assert table[reward.__name__].tolist() == expected
    assert set(expected) == ({0.5, 0.25, 1} if variant == "dense" else {0, 1})


def test_accuracy_is_the_share_of_right_answers_by_difficulty(monkeypatch, tmp_path):
    found, scores = [], GRPO.scores

    def noted(self, rows, *args, **kwargs):
        found.append((rows, scores(self, rows, *args, **kwargs)))
        return found[-1][1]

    monkeypatch.setattr(GRPO, "scores", noted)
    words = ["--validation_size", "7", "--num_generations_eval", "8", "--max_steps", "1"]
    folder = train(monkeypatch, tmp_path / "run", *QUICK, *words)
    rows, values = found[0]
    assert values.shape == (7, 8) and set(np.unique(values)) == {0, 1} and len({row["context"] for row in rows}) == 7
    assert all(row["entropy"] > 0.5 for row in rows)
    for name, least in THRESHOLDS.items():
        chosen = [index for index, row in enumerate(rows) if row["entropy"] > least]
        assert history(folder, f"eval_accuracy_{name}")[0][1] == pytest.approx(values[chosen].mean())
    assert history(folder, "eval_pass@8")[0][1] == pytest.approx((values.max(1) == 1).mean())


def test_each_epoch_has_every_question_once_in_another_order(monkeypatch, tmp_path):
    folder = train(monkeypatch, tmp_path / "run", *QUICK, "--max_steps", "9")  # 4 of 12 questions in a step
    asked = [prompt for step in range(1, 10) for prompt in completions(folder, step)["prompt"][::4]]
    epochs = [asked[start : start + 12] for start in range(0, 36, 12)]
    assert all(sorted(epoch) == sorted(epochs[0]) and len(set(epoch)) == 12 for epoch in epochs)
    assert all(one != other for one, other in itertools.combinations(epochs, 2))
    assert {f"{name} ? #" for name in NUMBERS[2:]} == set(epochs[0])


def test_questions_are_chosen_by_entropy_and_length(monkeypatch, tmp_path):
    words = ["--min_entropy", "1.0", "--max_prompt_length", "9"]  # tokens are bytes
    folder = train(monkeypatch, tmp_path / "run", *QUICK, *words)
    hard = [name for number, name in enumerate(NUMBERS) if 0.3 + number / 6 > 1 and len(f"{name} ? #") <= 9]
    assert len(hard) == 5
    assert {prompt for step in range(1, 5) for prompt in completions(folder, step)["prompt"]} == {
        f"{name} ? #" for name in hard
    }
    easy = [name for number, name in enumerate(NUMBERS) if 0.3 + number / 6 > 0.5 and len(f"{name} ? #") <= 9]
    counts = json.loads((folder / "provenance.json").read_text())["questions"]
    assert counts == {"train": len(hard), "validation": len(easy)}


def test_dynamic_sampling_asks_other_questions(monkeypatch, tmp_path):
    """A question that no completion answers is left out of the loss where another is found."""
    folder = train(monkeypatch, tmp_path / "run", *QUICK, "--dynamic_sampling_from", "2", "--learning_rate", "1e-3")
    rounds = history(folder, "dynamic_sampling/rounds")
    assert [step for step, _ in rounds] == [3, 4] and all(0 < number <= 8 for _, number in rounds)
    assert all(np.isfinite(value) for _, value in history(folder, "loss"))


def test_a_model_with_a_chat_template_is_asked_in_chat(monkeypatch, tmp_path):
    Path("plain.txt").write_text("{context}? ")
    words = ["--model_name_or_path", "chat", "--template", "plain.txt"]
    folder = train(monkeypatch, tmp_path / "run", *QUICK, *words)
    table = completions(folder, 1)
    assert all(prompt[0]["role"] == "user" and prompt[0]["content"].endswith(" ? ") for prompt in table["prompt"])
    assert all(said[0]["content"] in ("\\boxed{q}", "\\boxed{r}") for said in table["completion"])
    assert 0 < table["prefix_matching_reward"].mean() < 1


def test_questions_of_a_proxy_with_another_tokenizer(monkeypatch, tmp_path):
    texts = [
        "the tree under the größer tree and under 日本 the tree",
        "q goes on and the tree goes on 🌳 under the tree",
    ]
    Path("texts.jsonl").write_text("".join(json.dumps({"text": text * 3}) + "\n" for text in texts * 3))
    tokenizer = train_tokenizer(texts, 330)
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config(vocab_size=330, n_positions=64, n_embd=16, n_layer=1, n_head=2)).save_pretrained("proxy")
    tokenizer.save_pretrained("proxy")
    words = ["--dataset", "texts.jsonl", "--proxy_model", "proxy", "--validation_size", "2", "--min_context", "3"]
    run_here(monkeypatch, "rpt_prepare", *words, "--max_length", "24", "--output_dir", "prepared")
    words = ["--questions", "prepared", "--reward", "dense", "--max_prompt_length", "50"]
    folder = train(monkeypatch, tmp_path / "run", *QUICK, *words)
    counts = json.loads((folder / "provenance.json").read_text())["questions"]
    assert min(counts.values()) > 3 and len(history(folder, "rewards/dense_reward/mean")) == 4
    sources = pd.read_parquet("prepared/train-00000.parquet")["context"]
    assert {prompt[:-3] for prompt in completions(folder, 1)["prompt"]} <= set(sources)


@pytest.mark.parametrize(
    "extra",
    [["--gradient_accumulation_steps", "2"], ["--dynamic_sampling_from", "10"]],
    ids=["accumulation", "dynamic"],
)
def test_killed_and_resumed_run_ends_with_the_same_weights(extra, monkeypatch, tmp_path):
    words = [*QUICK, *extra, "--max_steps", "26", "--save_strategy", "steps", "--save_steps", "4", "--eval_steps", "5"]
    words += ["--learning_rate", "1e-2"]
    whole, killed = train(monkeypatch, tmp_path / "whole", *words), tmp_path / "killed"
    kill_when(killed / "checkpoint-8" / "trainer_state.json", "rpt", *words, "--output_dir", killed)
    assert not (killed / "model.safetensors").exists(), "killed in another place"
    train(monkeypatch, killed, *words, "--resume_from_checkpoint", "true")
    assert same_weights(whole, killed) and not same_weights(whole, "rigged")
    for key in ("reward", "eval_accuracy_easy", "num_tokens"):
        assert history(whole, key) == history(killed, key)
    for step in range(1, 27):
        assert completions(whole, step)["prompt"].tolist() == completions(killed, step)["prompt"].tolist()


def test_two_processes(tmp_path):
    words = [*QUICK, "--use_cpu", "true", "--per_device_train_batch_size", "8", "--dynamic_sampling_from", "2"]
    words += ["--beta", "0.1"]  # whose reference each process has
    starting.run_two(RECIPES / "rpt.py", *words, "--output_dir", tmp_path / "run")
    assert len(history(tmp_path / "run", "reward")) == 4 and len(history(tmp_path / "run", "eval_accuracy_hard")) == 3
    assert len(history(tmp_path / "run", "kl")) == 4
    asked = [prompt for step in (1, 2) for prompt in completions(tmp_path / "run", step)["prompt"][::4]]
    assert len(set(asked)) == 8, "each process has questions of its own"
    assert (tmp_path / "run" / "all_results.json").is_file() and (tmp_path / "run" / "README.md").is_file()


def test_it_is_pushed_with_our_card(hub, tmp_path):
    words = [RECIPES / "rpt.py", *QUICK, "--use_cpu", "true", "--push_to_hub"]
    words += ["--hub_model_id", "alice/rpt", "--output_dir", tmp_path / "run"]
    starting.run(*words, env=environment(hub, tmp_path / "home", "hf_alice"), check=True)
    files = hub.files("models", "alice/rpt")
    assert {"model.safetensors", "tokenizer.json", "training.png", "recipe.yaml"} <= files.keys()
    text = files["README.md"].decode()
    assert "Reinforcement Pre-Training" in text and "alice/rpt" in text and "trl" not in ModelCard(text).data.tags
    assert not strays(tmp_path / "home")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model_name_or_path", "rigged", *FEW], "questions is missing: give --questions"),
        (["--questions", "data", *FEW], "model_name_or_path is missing: give --model_name_or_path"),
        ([*QUICK, "--questions", "nowhere"], "nowhere: no questions there: there is no such folder"),
        ([*QUICK, "--questions", "empty"], "empty: no questions there"),
        ([*QUICK, "--questions", "unfinished"], "unfinished is not complete: run recipes/rpt_prepare.py"),
        ([*QUICK, "--questions", "texts"], "texts has no column 'context', only: text, entropy"),
        ([*QUICK, "--questions", "bare", "--reward", "dense"], "bare has no column 'candidates', only"),
        ([*QUICK, "--questions", "train_only"], "train_only has no split 'validation', only: train"),
        (
            [*QUICK, "--questions", "trivial"],
            "questions trivial: none of 14 in train has an entropy above 0.5",
        ),
        ([*QUICK, "--questions", "long"], "questions long: none of 12 in train has a prompt of at most 52 tokens"),
        ([*QUICK, "--max_prompt_length", "3"], "none of 12 in train has a prompt of at most 3 tokens"),
        ([*QUICK, "--max_completion_length", "63"], "of at most 1 tokens (max_prompt_length, or what max_completion"),
        ([*QUICK, "--max_prompt_length", "0"], "max_prompt_length must be at least 1, got 0"),
        ([*QUICK, "--validation_size", "0"], "validation_size must be at least 1, got 0"),
        ([*QUICK, "--min_entropy", "2.7"], "none of 14 in train has an entropy above 2.7"),
        ([*QUICK, "--reward", "suffix"], "reward must be one of prefix, first_token, dense, got 'suffix'"),
        (
            [*QUICK, "--model_name_or_path", "bert"],
            "bert is no causal language model of transformers but BertForMasked",
        ),
        ([*QUICK, "--model_name_or_path", "nowhere"], "nowhere: no model there"),
        ([*QUICK, "--template", "full.txt"], "template full.txt has no place {context}"),
        ([*QUICK, "--template", "none.txt"], "template none.txt cannot be read"),
        ([*QUICK, "--num_generations", "5", "--num_generations_eval", "4"], "num_generations 5 must divide the batch"),
        ([*QUICK, "--max_steps", "0"], "max_steps must be at least 1"),
        ([*QUICK, "--output_dir", "used"], "output_dir used is not empty"),
        (
            [*QUICK, "--min_entropy", "0.7", "--output_dir", "learned", "--resume_from_checkpoint", "true"],
            "min_entropy 0.5, not 0.7",
        ),
    ],
    ids=lambda value: "_".join(value[-2:]) if isinstance(value, list) else "",
)
def test_a_mistake_ends_with_one_line_and_changes_nothing(words, message, home, learned, monkeypatch, capsys):
    words = words if "--output_dir" in words else [*words, "--output_dir", "new"]
    assert message in error_of(monkeypatch, capsys, home, "rpt", *words)
    assert not Path("new").exists()


def test_help_teaches(monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "rpt", "--help")
    text = capsys.readouterr().out
    assert exit_.value.code == 0
    for word in ("accelerate launch recipes/rpt.py", "--questions", "--min_entropy", "--dynamic_sampling_from"):
        assert word in text
