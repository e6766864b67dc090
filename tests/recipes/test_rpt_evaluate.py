"""Accuracy by difficulty against plain loops and models made to be right so often; the scaling fit against scipy."""

import csv
import itertools
import json
import math
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import curve_fit
from support import starting
from support.rigged import save_rigged
from support.running import RECIPES, error_of, run_here
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

from hf_procedural.models import generation
from hf_procedural.models.build import new_config, new_model
from hf_procedural.models.prompting import read_template
from hf_procedural.rl import accuracy as accuracy_module
from hf_procedural.rl import scaling
from hf_procedural.text.tokenizers import END_OF_TEXT, train_tokenizer

POSITIONS = 48
WORDS = ["under", "the", "tree", "a", "größer", "als", "zwei", "42", "naïve\n", "日本", "the", "tree", "under"]
CHAIN = [*"#\\boxed{", ("q", "r"), "}", END_OF_TEXT]  # after # comes \boxed{q} or \boxed{r}
QUESTIONS = [  # document, context, continuation, entropy
    (0, "one #", "q goes", 0.6),
    (0, "two #", "never", 0.7),
    (1, "three #", "\\ goes", 1.1),
    (1, "four #", "rq", 1.2),
    (1, "trivial #", "q", 0.5),
    (2, "five #", "r", 1.6),
    (2, "six #", "s", 2.0),
]
ODD = {"repetition_penalty": 5.0, "top_k": 1, "do_sample": True}  # what must not change what is measured
ONCE = ["--questions", "data", "--model_name_or_path", "rigged", "--template", "ask.txt", "--max_new_tokens", "12"]
EVALUATE = [*ONCE, "--batch_size", "2", "--samples", "4"]


def save_questions(folder, questions, split="validation", **columns):
    rows = [dict(zip(("document", "context", "continuation", "entropy"), row, strict=True)) for row in questions]
    Path(folder).mkdir(parents=True, exist_ok=True)
    Dataset.from_list([row | columns for row in rows]).to_parquet(f"{folder}/{split}.parquet")


def tiny(tokenizer, model_type="llama"):
    torch.manual_seed(0)
    size = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32}
    return new_model(new_config(tokenizer, POSITIONS, model_type=model_type, **size))


def save_run(folder, accuracies, counted="total_flos", steps=None, state="trainer_state.json"):
    """A run whose evaluations, every 10 steps of 1000 FLOPs, came to `accuracies`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries = [{"step": 0, "eval_accuracy_easy": 0.0, "eval_accuracy_hard": 0.0, counted: 0}]
    for step, (easy, hard) in zip(steps or itertools.count(10, 10), accuracies, strict=False):
        entries.append({"step": step, "loss": 0.1})
        entries.append({"step": step, "eval_accuracy_easy": easy, "eval_accuracy_hard": hard, counted: 1000 * step})
    Path(folder / state).parent.mkdir(exist_ok=True)
    Path(folder / state).write_text(json.dumps({"global_step": entries[-1]["step"], "log_history": entries}))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder: questions, models, runs, and what a user may trip over."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        byte_level = train_tokenizer([], 257)
        Path("ask.txt").write_text("{context}? #\n")
        Path("full.txt").write_text("no place")
        save_rigged("rigged", byte_level, CHAIN, POSITIONS, **ODD)
        save_questions("data", QUESTIONS)
        save_questions("trivial", [(0, "a", "b", 0.4)])
        save_questions("train_only", QUESTIONS, "train")
        save_questions("long", [(0, "x" * POSITIONS, "b", 1.0)])
        save_questions("empty_context", [(0, "", "b", 1.0)])
        Dataset.from_list([{"context": "a", "continuation": "b", "document": 1}]).to_parquet("bare/validation.parquet")
        bert = BertConfig(vocab_size=20, hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
        BertForMaskedLM(bert).save_pretrained("bert")
        byte_level.save_pretrained("bert")
        rising = [(0.4 - 0.3 * 10 / step, 0.1) for step in range(10, 80, 10)]
        save_run("runs/rpt", rising)
        save_run("runs/short", rising[:3])
        save_run("runs/uncounted", rising, counted="none")
        save_run("runs/unevaluated", [])
        shutil.copytree("rigged", "runs/no_state")
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


def rows_of(folder) -> dict:
    """(label, way, measure) to the values of easy, medium and hard."""
    rows = {}
    for row in json.loads(Path(folder, "accuracy.json").read_text()):
        rows.setdefault((row["label"], row["way"], row["measure"]), []).append(row.get("value"))
    return rows


# Accuracy


def test_rigged_model_is_right_as_often_as_it_must_be(monkeypatch, capsys, tmp_path):
    run_here(
        monkeypatch,
        "rpt_evaluate",
        *EVALUATE,
        "--model_name_or_path",
        "rigged",
        "again=rigged",
        "--output_dir",
        tmp_path,
    )
    rows = rows_of(tmp_path)
    assert list(rows)[:2] == [("rigged", "standard", "accuracy"), ("rigged", "reasoning", "accuracy")]
    assert rows["rigged", "standard", "accuracy"] == [1 / 6, 1 / 4, 0]  # of 6, 4 and 2: nested, and one is right
    lines = [json.loads(line) for line in Path(tmp_path, "answers-rigged-reasoning.jsonl").read_text().splitlines()]
    assert [line["question"] for line in lines] == [0, 1, 2, 3, 5, 6]
    by_question = {line["question"]: line for line in lines}
    for line in lines:  # the box holds q or r, and only that can be right
        assert set(line["predictions"]) <= {"q", "r"} and len(line["predictions"]) == 4
        truth = QUESTIONS[line["question"]][2][0]
        assert line["right"] == [prediction == truth for prediction in line["predictions"]]
    assert {guess for line in lines for guess in line["predictions"]} == {
        "q",
        "r",
    }  # sampled, whatever its settings say
    shares = [np.mean(by_question[number]["right"]) for number in (0, 1, 2, 3, 5, 6)]
    expected = [np.mean(shares), np.mean(shares[2:]), np.mean(shares[4:])]
    assert rows["rigged", "reasoning", "accuracy"] == pytest.approx(expected)
    some = [any(by_question[number]["right"]) for number in (0, 1, 2, 3, 5, 6)]
    assert rows["rigged", "reasoning", "pass@4"] == [np.mean(some), np.mean(some[2:]), np.mean(some[4:])]
    assert [rows[("again", *name)] for _, *name in list(rows)[:4]] == list(rows.values())[:4]  # the seed's doing
    shown = capsys.readouterr().out
    assert "| easy (6 questions) | medium (4 questions) | hard (2 questions) |" in shown
    assert "| rigged, standard | 16.67 ± " in shown and "| rigged, reasoning, pass@2 | " in shown
    assert Path(tmp_path, "accuracy.md").read_text().endswith(shown[:-1])
    with Path(tmp_path, "accuracy.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(row["value"]) for row in table] == [value for values in rows.values() for value in values]


@pytest.mark.parametrize("model_type", ["llama", "gpt2"])
def test_standard_way_equals_one_question_at_a_time(model_type, tmp_path):
    generator = np.random.default_rng(1)
    texts = [" ".join(generator.choice(WORDS, generator.integers(4, 60))) for _ in range(24)]
    tokenizer = train_tokenizer(texts, 300)
    tiny(tokenizer, model_type).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    cuts = [generator.integers(1, len(text) - 1) for text in texts]
    questions = [(0, text[:cut], text[cut:], 1.0) for text, cut in zip(texts, cuts, strict=True)]
    save_questions(tmp_path / "data", questions)
    rows = accuracy_module.read_questions(str(tmp_path / "data"), "validation", None, 0)
    prompts = accuracy_module.token_prompts(str(tmp_path), "standard", rows, "")
    model, tokenizer = generation.load(str(tmp_path), "cpu")
    found = generation.generate_all(model, prompts, 5, 0, "", do_sample=False, max_new_tokens=1)
    plain, lengths = [], []
    for context in rows["context"]:
        ids = tokenizer(context, return_tensors="pt")["input_ids"]
        lengths.append(ids.shape[1])
        plain.append([[int(model(ids[:, -POSITIONS:]).logits[0, -1].argmax())]])
    assert found == plain
    assert min(lengths) < 20 and max(lengths) > POSITIONS


def test_long_context_keeps_the_special_token_before_it(tmp_path):
    """And loses the one behind it, behind which nothing goes on."""
    tokenizer = train_tokenizer([], 257)
    around = TemplateProcessing(single=f"{END_OF_TEXT} $A {END_OF_TEXT}", special_tokens=[(END_OF_TEXT, 0)])
    tokenizer.backend_tokenizer.post_processor = around
    tiny(tokenizer).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    rows = Dataset.from_list([{"question": 0, "context": "x" * 100 + "y"}])
    [ids] = accuracy_module.token_prompts(str(tmp_path), "standard", rows, "")
    assert len(ids) == POSITIONS and ids[0] == 0 and tokenizer.decode(ids[1:]) == "x" * (POSITIONS - 2) + "y"
    [ids] = accuracy_module.token_prompts(str(tmp_path), "reasoning", rows, "{context}? #")
    assert ids[0] == 0 and tokenizer.decode(ids[1:]) == "x" * 100 + "y? #"


def test_token_is_right_by_bytes_and_borders_of_its_own_tokenizer():
    merged = train_tokenizer(["bc bc"], 258)
    assert merged.tokenize("abcd") == ["a", "bc", "d"]

    def right(tokenizer, context, continuation, token):
        rows = Dataset.from_list([{"question": 0, "context": context, "continuation": continuation}])
        [answer] = accuracy_module.judge_tokens(tokenizer, rows, [tokenizer.convert_tokens_to_ids(token)])
        return answer["right"] == [True]

    plain = train_tokenizer([], 257)
    assert right(merged, "a", "bcd", "bc") and right(plain, "a", "bcd", "b")
    assert not right(merged, "a", "bcd", "b")  # inside of a token
    assert not right(merged, "a", "b", "bc")  # longer than the truth
    assert not right(merged, "a", "bcd", "c")
    assert not right(merged, "a", "bcd", END_OF_TEXT)
    assert right(plain, "a", " b", "Ġ") and not right(plain, "a", "b", "Ġ")
    assert right(plain, "a", "é", "Ã") and not right(plain, "a", "é", "Â")  # half a character


def test_chat_template_and_missing_boxes(monkeypatch, tmp_path):
    shutil.copytree("rigged", tmp_path / "chat")
    tokenizer = AutoTokenizer.from_pretrained("rigged")
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ '!#' }}"
    tokenizer.save_pretrained(tmp_path / "chat")
    (tmp_path / "ask.txt").write_text("{context}?\n")
    words = [
        *EVALUATE,
        "--model_name_or_path",
        tmp_path / "chat",
        "--template",
        tmp_path / "ask.txt",
        "--ways",
        "reasoning",
    ]
    run_here(monkeypatch, "rpt_evaluate", *words, "--output_dir", tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert rows["chat", "reasoning", "accuracy"] != [0, 0, 0] and ("chat", "reasoning", "no answer") not in rows
    rows = accuracy_module.read_questions("data", "validation", None, 0)
    [first, *_] = accuracy_module.token_prompts(str(tmp_path / "chat"), "reasoning", rows, "{context}?")
    assert tokenizer.decode(first) == "<user>one #?!#"
    run_here(monkeypatch, "rpt_evaluate", *words, "--max_new_tokens", "4", "--output_dir", tmp_path / "cut")
    rows = rows_of(tmp_path / "cut")  # thinking that was cut off before its box
    assert rows["chat", "reasoning", "no answer"] == [1, 1, 1] and rows["chat", "reasoning", "accuracy"] == [0, 0, 0]


def test_limit_draws_questions_by_seed():
    def drawn(limit, seed):
        return accuracy_module.read_questions("data", "validation", limit, seed)["question"][:]

    assert drawn(None, 0) == drawn(99, 0) == [0, 1, 2, 3, 5, 6]
    draws = {tuple(drawn(3, seed)) for seed in range(20)}
    assert len(draws) > 5 and all(len(set(draw)) == 3 and list(draw) == sorted(draw) for draw in draws)
    assert drawn(3, 1) == drawn(3, 1)


def test_empty_set_has_no_value():
    rows = Dataset.from_list([{"entropy": 0.6, "document": 0}, {"entropy": 1.2, "document": 1}])
    answers = [{"predictions": ["a"], "right": [True]}, {"predictions": [None], "right": [False]}]
    easy, medium, hard, *missing = accuracy_module.measure(rows, answers)
    assert (easy["value"], easy["questions"], easy["standard_error"]) == (0.5, 2, 0.5)
    assert (medium["value"], medium["questions"], medium["standard_error"]) == (0, 1, None)
    assert (hard["questions"], "value" in hard) == (0, False)
    assert [row["measure"] for row in missing] == ["no answer"] * 3
    named = [row | {"label": "m", "way": "standard"} for row in (easy, medium, hard)]
    assert accuracy_module.table(named).splitlines()[-1] == "| m, standard | 50.00 ± 50.00 | 0.00 | - |"


@given(samples=st.integers(1, 7), data=st.data())
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(samples, data):
    right, k = data.draw(st.integers(0, samples)), data.draw(st.integers(1, samples))
    draws = list(itertools.combinations([True] * right + [False] * (samples - right), k))
    assert accuracy_module.pass_at_k(samples, right, k) == pytest.approx(np.mean([any(draw) for draw in draws]))


def test_standard_error():
    values = np.random.default_rng(0).random(50)
    plain = values.std(ddof=1) / math.sqrt(50)
    assert accuracy_module.standard_error(values, np.arange(50)) == pytest.approx(plain)
    repeated = accuracy_module.standard_error(np.repeat(values, 3), np.repeat(np.arange(50), 3))
    assert repeated == pytest.approx(plain)  # the same question three times says no more


def test_finished_parts_are_not_run_again(monkeypatch, capsys, tmp_path):
    words = [*EVALUATE, "--output_dir", tmp_path / "out"]
    run_here(monkeypatch, "rpt_evaluate", *words)
    first, table = capsys.readouterr().out, (tmp_path / "out" / "accuracy.json").read_bytes()
    (tmp_path / "out" / "answers-rigged-standard.jsonl").unlink()
    loaded = []
    whole = generation.load
    monkeypatch.setattr(generation, "load", lambda *words: loaded.append(words) or whole(*words))
    run_here(monkeypatch, "rpt_evaluate", *words)
    assert len(loaded) == 1 and capsys.readouterr().out == first
    monkeypatch.setattr(generation, "load", None)
    run_here(monkeypatch, "rpt_evaluate", *words)
    assert capsys.readouterr().out == first and (tmp_path / "out" / "accuracy.json").read_bytes() == table
    for other in (["--temperature", "1"], ["--seed", "1"], ["--batch_size", "3"], ["--limit", "2"]):
        message = error_of(monkeypatch, capsys, tmp_path, "rpt_evaluate", *words, *other)
        assert "answers-rigged-" in message and "was made with other settings" in message
    shutil.copytree("rigged", tmp_path / "other")
    words = [*words, "--model_name_or_path", f"rigged={tmp_path / 'other'}"]
    assert "other settings (model" in error_of(monkeypatch, capsys, tmp_path, "rpt_evaluate", *words)


def test_questions_with_long_prompts_are_left_out_for_all_models(monkeypatch, capsys, tmp_path):
    words = [*EVALUATE, "--output_dir", tmp_path / "all"]
    run_here(monkeypatch, "rpt_evaluate", *words)
    asked = capsys.readouterr().out
    rows = accuracy_module.read_questions("data", "validation", None, 42)
    lengths = [len(ids) for ids in accuracy_module.token_prompts("rigged", "reasoning", rows, read_template("ask.txt"))]
    limit = max(lengths) - 1
    run_here(monkeypatch, "rpt_evaluate", *EVALUATE, "--max_prompt_length", limit, "--output_dir", tmp_path / "some")
    told, kept = capsys.readouterr().out, sum(length <= limit for length in lengths)
    assert "left out" not in asked and f"{len(lengths) - kept} of {len(lengths)} questions are left out" in told
    lines = (tmp_path / "some" / "answers-rigged-standard.jsonl").read_text().splitlines()
    assert len(lines) == kept


def test_two_processes_find_what_one_finds(monkeypatch, tmp_path):
    run_here(monkeypatch, "rpt_evaluate", *EVALUATE, "--output_dir", tmp_path / "one")
    words = [*EVALUATE, "--output_dir", tmp_path / "two", "--runs", "runs/rpt"]
    said, silent = (done.stdout for done in starting.run_two(RECIPES / "rpt_evaluate.py", *words))
    assert said.count("| rigged, standard |") == 1 and said.count("| runs/rpt | easy |") == 1 and silent == ""
    for name in ("accuracy.md", "accuracy.json", "accuracy.csv", "answers-rigged-reasoning.jsonl", "answers.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_vllm_does_the_reasoning_where_it_is_asked_to(monkeypatch, tmp_path):
    asked = []

    class LLM:
        def __init__(self, model, seed):
            assert model == "rigged"

        def generate(self, prompts, params):
            asked.extend(zip(prompts, params, strict=True))
            completion = types.SimpleNamespace(text="so \\boxed{q}")
            return [types.SimpleNamespace(outputs=[completion] * own.n) for own in params]

    fake = types.ModuleType("vllm")
    fake.LLM, fake.SamplingParams = LLM, types.SimpleNamespace
    monkeypatch.setitem(sys.modules, "vllm", fake)
    monkeypatch.setattr(generation, "load", None)
    words = [*EVALUATE, "--use_vllm", "--ways", "reasoning", "--output_dir", tmp_path]
    run_here(monkeypatch, "rpt_evaluate", *words)
    assert rows_of(tmp_path)["rigged", "reasoning", "accuracy"] == [1 / 6, 0, 0]
    tokenizer = AutoTokenizer.from_pretrained("rigged")
    assert tokenizer.decode(asked[0][0]["prompt_token_ids"]) == "one #? #"
    expected = {"n": 4, "temperature": 0.8, "top_p": 1.0, "max_tokens": 12}
    assert all(vars(params) | expected == vars(params) for _, params in asked)
    assert len({params.seed for _, params in asked}) == 6


# Scaling


def points_of(A, alpha, P_star, least=1e18, span=100.0, count=9):
    compute = least * np.geomspace(1, span, count)
    return compute, A * (compute / least) ** -alpha + P_star, A * least**alpha


@given(
    A=st.floats(0.05, 0.5) | st.floats(-0.5, -0.05),
    alpha=st.floats(0.05, 2),
    P_star=st.floats(0, 1),
    least=st.floats(1e6, 1e22),
    span=st.floats(8, 1e4),
)
def test_fit_finds_what_made_exact_points(A, alpha, P_star, least, span):
    compute, accuracy, scaled = points_of(A, alpha, P_star, least, span)
    found = scaling.fit(compute, accuracy)
    assert found.alpha == pytest.approx(alpha, rel=1e-5)
    assert found.P_star == pytest.approx(P_star, abs=1e-5)
    assert pytest.approx(scaled, rel=1e-3) == found.A  # through least^alpha
    assert found.r_squared == pytest.approx(1, abs=1e-9)
    assert found(compute) == pytest.approx(accuracy, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_fit_agrees_with_scipy_on_noise(seed):
    generator = np.random.default_rng(seed)
    compute, accuracy, _ = points_of(-0.12, 0.7, 0.45, count=12)
    accuracy = accuracy + generator.normal(0, 0.004, len(accuracy))
    found = scaling.fit(compute, accuracy)
    x = compute / compute[0]
    theirs, _ = curve_fit(
        lambda x, A, alpha, P: A / x**alpha + P, x, accuracy, [-0.1, 0.5, 0.5], xtol=1e-12, ftol=1e-14
    )
    assert [found.A / compute[0] ** found.alpha, found.alpha, found.P_star] == pytest.approx(theirs, rel=1e-4)
    errors, spread = accuracy - found(compute), accuracy - accuracy.mean()
    assert found.r_squared == pytest.approx(1 - (errors @ errors) / (spread @ spread))


@given(
    accuracy=st.lists(st.integers(0, 100), min_size=4, max_size=12).filter(lambda values: len(set(values)) > 1),
    factor=st.floats(1e-6, 1e6),
)
def test_fit_of_any_points(accuracy, factor):
    accuracy = np.array(accuracy) / 100
    compute = 1e15 * np.arange(1, len(accuracy) + 1.0)
    found = scaling.fit(compute, accuracy)
    assert -1e-9 <= found.r_squared <= 1 and found.alpha > 0
    for alpha in (0.01, 0.3, 1, 3):  # no other alpha does better
        columns = np.stack([(compute / 1e15) ** -alpha, np.ones(len(compute))], 1)
        _, [error], _, _ = np.linalg.lstsq(columns, accuracy)
        assert ((accuracy - found(compute)) ** 2).sum() <= error * (1 + 1e-6) + 1e-12
    scaled = scaling.fit(factor * compute, accuracy)  # another estimate of FLOPs
    assert scaled.r_squared == pytest.approx(found.r_squared, abs=1e-7)


def test_fit_says_what_its_points_do_not_tell():
    compute = np.geomspace(1e18, 1e20, 6)
    constant = scaling.fit(compute, np.full(6, 0.1))
    assert (constant.A, constant.P_star) == (0, 0.1) and math.isnan(constant.r_squared) and math.isnan(constant.alpha)
    assert constant.remark == "constant: nothing to fit"
    assert "alpha is not determined" in scaling.fit(compute, np.linspace(0.1, 0.2, 6)).remark  # still a line
    assert "P* is no accuracy" in scaling.fit(*points_of(-3, 0.1, 2.9)[:2]).remark
    assert scaling.fit(*points_of(-0.1, 0.5, 0.4)[:2]).remark == ""


@pytest.mark.parametrize(
    ("compute", "accuracy", "message"),
    [
        ([1, 2, 3], [0.1, 0.2, 0.3], "4 different amounts of compute or more, got 3"),
        ([1, 1, 2, 3], [0.1, 0.2, 0.3, 0.4], "4 different amounts of compute or more, got 3"),
        ([0, 1, 2, 3], [0.1, 0.2, 0.3, 0.4], "compute must be positive"),
        ([1, 2, 3, 4], [0.1, 0.2, 0.3, math.nan], "finite"),
        ([1, 2, 3, 4], [0.1, 0.2, 0.3], "as many numbers"),
    ],
)
def test_fit_refuses(compute, accuracy, message):
    with pytest.raises(ValueError, match=message):
        scaling.fit(compute, accuracy)


def test_scaling_of_a_run(monkeypatch, capsys, tmp_path):
    run_here(monkeypatch, "rpt_evaluate", "--runs", "runs/rpt", "--output_dir", tmp_path)
    easy, hard = json.loads((tmp_path / "scaling.json").read_text())
    assert easy["compute"] == [1000 * step for step in range(10, 80, 10)]
    assert [easy[key] for key in ("alpha", "P_star", "r_squared")] == pytest.approx([1, 0.4, 1])
    assert easy["A"] == pytest.approx(-3 * 1000)
    assert (hard["P_star"], hard["A"], hard["alpha"], hard["r_squared"]) == (0.1, 0, None, None)
    shown = capsys.readouterr().out
    assert "| runs/rpt | easy | 7 | " in shown and "| 40.00% | 1.0000 | - |" in shown
    assert "| runs/rpt | hard | 7 | 0 | - | 10.00% | - | constant: nothing to fit |" in shown
    assert (tmp_path / "scaling.md").read_text().endswith(shown[:-1])
    assert (tmp_path / "scaling.png").stat().st_size > 20_000


def test_points_of_unfinished_and_resumed_runs(tmp_path):
    rising = [(0.4 - 1 / step, 0.2) for step in range(10, 80, 10)]
    save_run(tmp_path / "a", rising, state="checkpoint-70/trainer_state.json")
    save_run(tmp_path / "a", rising[:3], state="checkpoint-30/trainer_state.json")
    save_run(tmp_path / "b", rising[:3])  # was finished, then resumed for more
    save_run(
        tmp_path / "b", [(0.0, 0.0), *rising], state="checkpoint-70/trainer_state.json", steps=[20, *range(10, 80, 10)]
    )
    for name in "ab":
        points = scaling.read_points(tmp_path / name)
        assert list(points) == ["easy", "hard"] and points["easy"].shape == (2, 7)
        assert points["easy"][1].tolist() == [easy for easy, _ in rising]
        assert points["easy"][0].tolist() == scaling.read_points("runs/rpt")["easy"][0].tolist()


# Mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--questions", "nowhere"], "nowhere: no questions there"),
        (["--questions", "train_only"], "train_only has no split 'validation', only: train"),
        (["--questions", "bare"], "bare has no column 'entropy', only: context, continuation, document"),
        (["--questions", "trivial"], "trivial: no question of split 'validation' has an entropy above 0.5"),
        (["--questions", "empty_context"], "question 0 has an empty context, of which rigged makes no token"),
        (
            ["--questions", "long"],
            "max_new_tokens 12 leaves of the positions of rigged (48), is too short for all questions: 51 tokens",
        ),
        (
            ["--model_name_or_path", "rigged", "bert"],
            "bert is no causal language model of transformers but BertForMaskedLM",
        ),
        (["--model_name_or_path", "rigged", "nowhere"], "nowhere: no model there"),
        (["--model_name_or_path", "rigged", "x/rigged"], "model_name_or_path: the label rigged stands twice"),
        (["--model_name_or_path", "."], "model_name_or_path: '.' needs a label"),
        (["--template", "full.txt"], "template full.txt has no place {context}"),
        (["--template", "nowhere.txt"], "template nowhere.txt cannot be read"),
        (["--limit", "0"], "limit must be at least 1, got 0"),
        (["--samples", "0"], "samples must be at least 1, got 0"),
        (["--temperature", "0"], "temperature must be above 0, got 0.0"),
        (["--seed", "-1"], "seed must be at least 0, got -1"),
        (["--ways", "magic"], "invalid choice: 'magic'"),
        (["--use_vllm"], "use_vllm: vLLM is not installed"),
        (["--output_dir", "ask.txt"], "output_dir ask.txt is a file"),
        (["--runs", "runs/short"], "runs: runs/short, easy: three parameters need accuracies at 4 different amounts"),
    ],
)
def test_mistakes_end_with_one_line(home, monkeypatch, capsys, words, message):
    monkeypatch.setitem(sys.modules, "vllm", None)
    assert message in error_of(monkeypatch, capsys, home, "rpt_evaluate", *ONCE, "--output_dir", "out", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to do: give --questions and --model_name_or_path, or --runs"),
        (["--questions", "data"], "questions and models belong together"),
        (["--model_name_or_path", "rigged"], "questions and models belong together"),
        (["--runs", "nowhere"], "runs: no folder nowhere"),
        (["--runs", "runs/no_state"], "runs: runs/no_state is no run: no trainer_state.json in it"),
        (["--runs", "runs/uncounted"], "runs: runs/uncounted has no total_flos at step 10"),
        (["--runs", "runs/unevaluated"], "runs: runs/unevaluated has no evaluation after step 0"),
    ],
)
def test_what_is_missing_is_named(home, monkeypatch, capsys, words, message):
    assert message in error_of(monkeypatch, capsys, home, "rpt_evaluate", "--output_dir", "out", *words)
