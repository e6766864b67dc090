"""Models, attention, batches and rows behind the recipes."""

import importlib.util
import re

import numpy as np
import pytest
import torch
from datasets import Dataset, load_dataset
from support import starting
from support.running import RECIPES
from torch.utils.data import DataLoader
from transformers import default_data_collator
from transformers.integrations.sdpa_attention import sdpa_attention_forward

import hf_procedural
from hf_procedural.data import blocks
from hf_procedural.data.rows import TrainRows, ValidationRows
from hf_procedural.files import Loader
from hf_procedural.models import attention, losses
from hf_procedural.models.words import parse_size
from hf_procedural.runs import folder
from hf_procedural.training import arguments, finish
from hf_procedural.training.arguments import InitArguments, ModelArguments, RowArguments
from hf_procedural.training.curriculum import LengthCurriculum
from hf_procedural.training.stage_arguments import StageArguments

TASK = hf_procedural.task("set-8", vocab_size=20)
MODELS = ("gpt2", "llama", "qwen3")


def build(model_type="gpt2", **fields):
    model_args = arguments.ModelArguments(model_type=model_type, **{"size": "2_4_16", "dropout": 0.0} | fields)
    torch.manual_seed(0)
    return model_args.build(hf_procedural.tokenizer(TASK), TASK.max_length)


@pytest.mark.parametrize("model_type", MODELS)
def test_new_model_fits_the_task_and_loads_without_this_package(model_type, tmp_path):
    model = build(model_type, context_length=40)
    tokenizer = hf_procedural.tokenizer(TASK)
    assert model.config.vocab_size == len(tokenizer) and model.config.max_position_embeddings == 40
    assert model.config.pad_token_id == tokenizer.pad_token_id and model.config.bos_token_id is None
    ids = torch.from_numpy(TASK.sample(np.random.default_rng(0), 3)[0]).long()
    model.save_pretrained(tmp_path)
    torch.save(ids, tmp_path / "ids.pt")
    script = f"""
import sys
sys.modules["hf_procedural"] = None
import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained({str(tmp_path)!r})
ids = torch.load({str(tmp_path / "ids.pt")!r}, weights_only=True)
torch.save(model(ids).logits.detach(), {str(tmp_path / "out.pt")!r})
"""
    starting.run("-c", script, check=True)
    assert torch.allclose(torch.load(tmp_path / "out.pt", weights_only=True), model(ids).logits, atol=1e-5)


def test_sizes_and_configurations():
    config = build("llama").config
    assert (config.num_hidden_layers, config.num_attention_heads, config.hidden_size) == (2, 4, 16)
    assert (config.intermediate_size, config.num_key_value_heads) == (64, 4)
    parts = build(size=None, num_hidden_layers=3, num_attention_heads=2, hidden_size=8).config
    assert (parts.n_layer, parts.n_head, parts.n_embd) == (3, 2, 8)
    assert build(model_overrides={"tie_word_embeddings": False}).config.tie_word_embeddings is False
    assert build(dropout=0.3).config.attn_pdrop == build(dropout=0.3).config.embd_pdrop == 0.3


def test_configuration_from_a_folder(tmp_path):
    build("llama", size="3_2_8").config.save_pretrained(tmp_path)
    model = build(None, size=None, config_name=str(tmp_path))
    assert (model.config.model_type, model.config.num_hidden_layers, model.config.vocab_size) == ("llama", 3, 22)
    with pytest.raises(ValueError, match=f"model_type gpt2: {tmp_path} is a llama"):
        build(size=None, config_name=str(tmp_path))
    with pytest.raises(ValueError, match="a configuration has a size of its own"):
        build(size="2_4_16", config_name=str(tmp_path))


@pytest.mark.parametrize("keywords", [{"position_bias": torch.arange(25.0).view(1, 1, 5, 5)}, {"is_causal": False}])
def test_what_attention_does_not_know_is_left_to_pytorch(keywords):
    module = torch.nn.Module()
    q, k, v = (torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    ours, _ = attention.small_heads_attention(module, q, k, v, None, **keywords)
    torchs, _ = sdpa_attention_forward(module, q, k, v, None, **keywords)
    plain, _ = attention.small_heads_attention(module, q, k, v, None, position_ids=torch.arange(5), use_cache=True)
    assert torch.equal(ours, torchs) and not torch.allclose(ours, plain, atol=1e-2)
    assert torch.allclose(plain, attention.small_heads_attention(module, q, k, v, None, sliding_window=9)[0], atol=1e-5)


def test_attention_of_extreme_scores():
    q, k, v = (torch.randn(1, 1, 9, 4, generator=torch.Generator().manual_seed(i)) * 60 for i in range(3))
    ours, _ = attention.small_heads_attention(torch.nn.Module(), q, k, v, None)
    torchs = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
    assert torch.allclose(ours, torchs, atol=1e-3)


def test_attention_of_nothing_and_of_nan():
    q = torch.full((1, 2, 5, 4), float("nan"))
    assert attention.small_heads_attention(torch.nn.Module(), q, q, q, None)[0].isnan().all()
    assert attention.small_heads_attention(torch.nn.Module(), q[:0], q[:0], q[:0], None)[0].shape == (0, 5, 2, 4)


def test_architectures_with_attention_of_their_own_keep_it():
    for model_type in ("gpt_oss", "gemma2"):
        config = build(model_type, size="1_2_8").config
        assert config._attn_implementation != attention.NAME


def test_attention_dropout():
    """Same seed, same mask; the right share is kept; and the gradient is that of the masked function."""
    module, length = torch.nn.Module(), 64
    q = k = torch.zeros(8, 4, length, 4)
    v = torch.eye(length).expand(8, 4, length, length)[..., :4].contiguous()

    def dropped(query, key, value):
        torch.manual_seed(1)
        return attention.small_heads_attention(module, query, key, value, None, dropout=0.25)[0]

    assert torch.equal(dropped(q, k, v), dropped(q, k, v))
    ones = torch.ones(8, 4, length, 4)
    assert dropped(q, k, ones)[:, 8:].mean().item() == pytest.approx(1, abs=0.01)  # kept entries are scaled up
    zero = (dropped(q, k, v).transpose(1, 2)[..., 4:, 0] == 0).float().mean().item()
    assert zero == pytest.approx(0.25, abs=0.03)
    torch.manual_seed(2)
    inputs = [torch.randn(1, 2, 7, 3, requires_grad=True) for _ in range(3)]
    weight = torch.randn(1, 7, 2, 3)
    gradients = torch.autograd.grad((dropped(*inputs) * weight).sum(), inputs)
    for index, gradient in enumerate(gradients):
        shifted = [tensor.detach().clone() for tensor in inputs]
        direction = torch.randn(shifted[index].shape)
        values = []
        for sign in (1, -1):
            moved = [tensor + sign * 1e-2 * direction * (i == index) for i, tensor in enumerate(shifted)]
            values.append((dropped(*moved) * weight).sum().item())
        assert (values[0] - values[1]) / 2e-2 == pytest.approx((gradient * direction).sum().item(), rel=0.02, abs=1e-3)


def test_padding_masks_reach_pytorchs_attention():
    model = build("llama")
    assert model.config._attn_implementation == attention.NAME
    ids = torch.from_numpy(TASK.sample(np.random.default_rng(0), 2)[0]).long()
    mask = torch.ones_like(ids)
    mask[0, :5] = 0
    masked = model(ids, attention_mask=mask).logits
    model.set_attn_implementation("sdpa")
    assert torch.allclose(masked, model(ids, attention_mask=mask).logits, atol=1e-5)
    assert not torch.allclose(masked[0], model(ids).logits[0], atol=1e-3)


@pytest.mark.parametrize("model_type", MODELS)
def test_scoring_labelled_tokens_alone_gives_the_stock_loss_and_metrics(model_type):
    model = build(model_type)
    arrays = TASK.sample(np.random.default_rng(0), 6)
    names = ("input_ids", "labels")
    rows = [dict(zip(names, map(torch.from_numpy, pair), strict=True)) for pair in zip(*arrays, strict=True)]
    rows = [{name: column.long() for name, column in row.items()} for row in rows]
    batch = default_data_collator(rows)
    stock = model(**batch)
    losses.score_labelled_only(model)
    ours, unlabelled = model(**batch), model(batch["input_ids"])
    labels = torch.from_numpy(arrays[1]).long()
    assert ours.logits.shape[:2] == (1, (labels != -100).sum())
    assert torch.allclose(ours.loss, stock.loss, atol=1e-6)
    assert torch.equal(unlabelled.logits, stock.logits)
    gradients = [torch.autograd.grad(output.loss, model.parameters()) for output in (ours, stock)]
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(*gradients, strict=True))
    mine, reference = (finish.predictions(output.logits, labels) for output in (ours, stock))
    scored = labels != -100
    assert torch.equal(mine[scored], reference[scored])
    assert torch.equal(reference[:, 1:], stock.logits[:, :-1].argmax(-1))


def test_only_the_same_run_is_resumed(tmp_path):
    run = [RowArguments("sort-4", {"vocab_size": 9}), InitArguments("permuted:runs/a", train_components=["attn"])]
    args = StageArguments(str(tmp_path), resume_from_checkpoint="true")
    folder.save_provenance(args, *run, ModelArguments(context_length=20), stage="pretrain")
    (tmp_path / "checkpoint-4").mkdir()
    (tmp_path / "checkpoint-4" / "trainer_state.json").write_text('{"global_step": 4, "log_history": []}')
    assert folder.open_run(args, *run, ModelArguments(context_length=20)).endswith("checkpoint-4")
    for others, key in (
        ([RowArguments("sort-4"), run[1], ModelArguments(context_length=20)], "task_parameters"),
        ([run[0], InitArguments(train_components=["attn"]), ModelArguments(context_length=20)], "init_from"),
        ([run[0], InitArguments("permuted:runs/a"), ModelArguments(context_length=20)], "train_components"),
        ([*run, ModelArguments()], "context_length"),
    ):
        with pytest.raises(ValueError, match=f"belongs to a run with {key} .*, not None"):
            folder.open_run(args, *others)


def test_a_run_is_called_like_its_folder(tmp_path):
    for given, name in ((None, "my run"), ("other", "other")):
        args = StageArguments(str(tmp_path / "my run"), run_name=given)
        folder.open_run(args, RowArguments("sort-4"))
        assert args.run_name == name
        assert folder.recipe_of(args).get("run_name") == given  # so that another folder has its own


def test_a_run_without_a_folder_is_left_to_its_recipe_to_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(RECIPES)
    import pretrain

    args = StageArguments(use_cpu=True)
    assert args.output_dir is None
    data = RowArguments("sort-4", train_size=8, validation_size=8)
    prepared = pretrain.prepare(data, InitArguments(), ModelArguments(size="1_2_8"), args)
    assert prepared.args.output_dir == "runs/sort-4" and not list(tmp_path.iterdir())


def test_train_rows_are_those_of_load_dataset_for_any_number_of_workers():
    cached = load_dataset("procedural", "set-8", vocab_size=20, train_size=3000, seed=5, split="train")
    expected = np.array(cached.with_format("numpy")["input_ids"][:2400])
    for workers in (0, 2, 3):
        loader = iter(DataLoader(TrainRows(TASK, 5, 60), batch_size=60, num_workers=workers))
        found = np.concatenate([next(loader)["input_ids"].numpy() for _ in range(40)])
        assert np.array_equal(found, expected)
    validation = load_dataset("procedural", "set-8", vocab_size=20, validation_size=1500, seed=5, split="validation")
    rows = ValidationRows(TASK, 5, 1500)
    assert len(rows) == 1500
    assert [row["labels"].tolist() for row in (rows[0], rows[1499])] == [validation[i]["labels"] for i in (0, 1499)]


def test_curriculum_grows_to_the_end_and_restores_from_the_log():
    class State:
        def __init__(self, log):
            self.log_history, self.global_step = log, 7
            self.best_metric = self.best_model_checkpoint = self.best_global_step = 1

    class Control:
        should_epoch_stop = False

    train, validation = TrainRows(TASK, 0, 4), ValidationRows(TASK, 0, 16)
    growth = LengthCurriculum(train, validation, rows_per_step=4, start=3, step=4, threshold=0.9)
    control = Control()
    growth.on_evaluate(None, State([]), control, {"eval_answer_accuracy": 0.89})
    assert growth.length == 3 and not control.should_epoch_stop
    growth.on_evaluate(None, State([]), control, {"eval_answer_accuracy": 0.9})
    assert growth.length == 7 and control.should_epoch_stop and train.start == 28
    assert next(iter(train))["input_ids"].shape == validation[0]["labels"].shape == (15,)
    growth.on_evaluate(None, State([]), control, {"eval_answer_accuracy": 1.0})
    assert growth.length == TASK.length == 8
    growth.on_train_begin(None, State([{"eval_curriculum_length": 3, "eval_answer_accuracy": 0.95}]), control)
    assert growth.length == 7 and train.start == 0
    fresh = State([{"eval_curriculum_length": 3}])
    growth.on_epoch_begin(None, fresh, control)
    assert fresh.best_metric is None


def test_fingerprints_tell_rows_apart():
    tasks = [TASK, hf_procedural.task("set-8", vocab_size=21), hf_procedural.task("sort-8", vocab_size=20)]
    prints = {blocks.fingerprint(task, seed, split) for task in tasks for seed in (0, 1) for split in ("train", "test")}
    assert len(prints) == 12
    assert blocks.fingerprint(TASK, 0, "train") == blocks.fingerprint(TASK, 0, "train")


def test_fingerprint_of_a_data_set_is_of_its_values_alone(tmp_path):
    """Not of where they lie, nor of how they were chosen: as on two machines."""
    rows = [
        {"text": f"text {number}", "entropy": number / 7, "bytes": bytes([number % 256])} for number in range(2_500)
    ]
    made = Dataset.from_list(rows)
    made.to_parquet(tmp_path / "rows.parquet")
    read = load_dataset("parquet", data_files=str(tmp_path / "rows.parquet"), cache_dir=tmp_path)["train"]
    chosen = Dataset.from_list([*rows, *rows]).select(range(2_500))
    prints = [blocks.fingerprint_of(each) for each in (made, read, chosen)]
    assert len(set(prints)) == 1 and len({each._fingerprint for each in (made, read, chosen)}) == 3
    others = [made.select(range(2_499)), made.select([1, 0, *range(2, 2_500)]), made.rename_column("text", "texts")]
    assert len({*prints, *map(blocks.fingerprint_of, others)}) == 4
    assert blocks.fingerprint_of(made, ["text"]) == blocks.fingerprint_of(made.select_columns("text"))


@pytest.mark.parametrize(
    ("text", "value"),
    [("2_4_16", "2_4_16"), ("5e-4", 5e-4), ("5.0e-4", 5e-4), ("16", 16), ("-3", -3), ("no", "no"), ("true", True)],
)
def test_yaml_reads_what_people_write(text, value):
    import yaml

    assert yaml.load(f"key: {text}", Loader)["key"] == value


@pytest.mark.parametrize(
    ("tracker", "message"),
    [
        ("trakio", "got 'trakio': did you mean trackio?"),
        (["tensorboard", "wanb"], "got 'wanb': did you mean wandb?"),
        ("trackio", "report_to trackio: its package is not installed: pip install trackio"),
    ],
)
def test_a_tracker_that_cannot_be_had_is_refused_at_once(tracker, message, monkeypatch):
    installed = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trackio" else installed(name))
    with pytest.raises(ValueError, match=re.escape(message)):
        StageArguments(output_dir="run", report_to=tracker)


def test_parse_size_refuses_what_is_not_one():
    assert parse_size("12_12_768") == {
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "hidden_size": 768,
    }
    for wrong in ("", "1_2", "0_1_2", "1_3_16", "1_4_2", "a_b_c"):
        with pytest.raises(ValueError, match="size"):
            parse_size(wrong)
