"""Tokens and FLOPs of runs, before they are made, and as they were."""

import json

import pytest
from support.running import run_here

from hf_procedural.studies import amounts, graph, reading


def _first(tmp_path, content: str) -> graph.Planned:
    (tmp_path / "study.yaml").write_text(content)
    return next(iter(graph.Graph(reading.read(tmp_path / "study.yaml", tmp_path / "out")).runs.values()))


def _amount(tmp_path, lines: str, recipe: str = "pretrain") -> amounts.Amount | None:
    return _first(tmp_path, f"stages: {{a: {{recipe: {recipe}, {lines}}}}}").amount


@pytest.mark.parametrize(
    ("lines", "steps"),
    [
        ("max_steps: '3'", 3),
        ("num_train_epochs: 1.5, train_size: 24", 5),
        ("num_train_epochs: 1.5, train_size: 24, streaming: true", 4),
        ("max_steps: 2, model_overrides: {tie_word_embeddings: false}", 2),
    ],
)
def test_as_many_as_the_recipe_then_takes(lines, steps, tmp_path, monkeypatch):
    common = "task: sort, length: 8, size: 2_4_16, per_device_train_batch_size: 4, gradient_accumulation_steps: 2"
    content = f"recipe: pretrain, {common}, {lines}, include_num_input_tokens_seen: all, validation_size: 8"
    run = _first(tmp_path, f"stages: {{a: {{{content}, report_to: none}}}}")
    config = tmp_path / "run.yaml"
    config.write_text(json.dumps(graph.own_arguments(run, tmp_path / "out")))
    run_here(monkeypatch, "pretrain", config)
    state = json.loads((tmp_path / "out" / run.name / "trainer_state.json").read_text())
    assert run.amount.tokens == state["num_input_tokens_seen"] == steps * 8 * 17
    assert run.amount.flops == pytest.approx(state["total_flos"])


def test_batches_are_of_all_processes(tmp_path):
    one = _amount(tmp_path, "task: sort-8, max_steps: 10")
    two = _amount(tmp_path, "task: sort-8, max_steps: 10, launch: {num_processes: 2}")
    assert (two.tokens, two.tokens_per_step) == (2 * one.tokens, 2 * one.tokens_per_step) == (20 * 8 * 17, 16 * 17)


def test_text_is_counted_in_rows(tmp_path):
    text = "dataset: text.jsonl, per_device_train_batch_size: 2"
    amount = _amount(tmp_path, f"{text}, max_tokens: 10000, context_length: 4096", "semantic")
    assert (amount.tokens, amount.tokens_per_step) == (4 * 2048, 2048)  # whole steps of rows of 1,024
    assert _amount(tmp_path, f"{text}, max_steps: 5, sequence_length: 10", "semantic").tokens == 100


def test_a_head_of_its_own_counts_where_its_vocabulary_is_known(tmp_path):
    text = "dataset: text.jsonl, max_steps: 10, sequence_length: 16, size: 2_4_16"
    untied = "model_overrides: {tie_word_embeddings: false}"
    tied = _amount(tmp_path, text, "semantic")
    for more, head in [("", 4_096), (", tokenizer_size: 512", 512), (", tokenizer_size: '600'", 600)]:
        amount = _amount(tmp_path, f"{text}{more}, {untied}", "semantic")
        assert amount.flops - tied.flops == 6 * 16 * head * tied.tokens
    assert _amount(tmp_path, f"{text}, tokenizer: gpt2", "semantic").flops == tied.flops
    assert _amount(tmp_path, f"{text}, tokenizer: gpt2, {untied}", "semantic").flops == 0.0


def test_what_cannot_be_told_is_not(tmp_path):
    assert _amount(tmp_path, "task: sort-8, max_steps: 3, model_name_or_path: gpt2", "rlvr") is None
    assert _amount(tmp_path, "task: sort-8, max_steps: 3, model_type: llama").flops == 0.0
    assert _amount(tmp_path, "task: sort-8, max_steps: 3, num_hidden_layers: 3").flops == 0.0
