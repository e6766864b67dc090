"""A run whose loss is not a number ends at its step, or says so; a batch without a label is no such thing."""

import copy
import json
import types

import pytest
import torch
from support.running import run_here
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, default_data_collator

from hf_procedural.hub.model_card import model_card
from hf_procedural.models import losses
from hf_procedural.runs import measured, report
from hf_procedural.runs.read import read_runs
from hf_procedural.tasks import IGNORE
from hf_procedural.training import divergence
from hf_procedural.training.stage_arguments import StageArguments

SIZE = ("--task", "sort-8", "--size", "1_2_8", "--streaming", "--validation_size", 16, "--disable_tqdm", "true")
DIVERGING = (*SIZE, "--optim", "sgd", "--learning_rate", 1000, "--max_grad_norm", 0, "--max_steps", 12)


def test_a_run_ends_at_the_step_and_nothing_of_it_is_saved(monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        run_here(
            monkeypatch,
            "pretrain",
            *DIVERGING,
            "--disable_tqdm",
            "false",
            "--save_steps",
            1,
            "--output_dir",
            tmp_path / "run",
        )
    assert end.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    state = json.loads((tmp_path / "run/diverged.json").read_text())
    step = state["log_history"][-1]["diverged_step"]
    kept = tmp_path / f"run/checkpoint-{state['global_step'] - 1}"
    assert f"error: step {step}: the loss is not a number, so the run has diverged, and ends here: {kept} is" in line
    saved = torch.cat([weight.ravel() for weight in GPT2LMHeadModel.from_pretrained(kept).state_dict().values()])
    assert "it/s" not in line, "it begins behind the bar"
    assert step > 1 and saved.isfinite().all()
    assert {file.name for file in (tmp_path / "run").iterdir() if file.is_file()} == {
        "diverged.json",
        "recipe.yaml",
        "provenance.json",
        "training.png",
    }
    (run,) = read_runs([tmp_path / "run"])
    assert not run.finished and run.diverged == step
    assert f"| diverged at step {step} |" in report.markdown([run])


def test_or_warns_and_says_so_wherever_it_is_told(monkeypatch, tmp_path, caplog):
    run_here(monkeypatch, "pretrain", *DIVERGING, "--on_nan", "warn", "--output_dir", tmp_path / "run")
    (line,) = [record.getMessage() for record in caplog.records if record.name == divergence.__name__]
    (run,) = read_runs([tmp_path / "run"])
    assert run.finished and not run.counts
    assert f"step {run.diverged}: " in line and f"> **Diverged:** from step {run.diverged} on" in model_card(run.folder)
    assert f"| diverged at step {run.diverged} |" in report.markdown([run])
    good = copy.deepcopy(run)
    good.recipe["seed"], good.history = 1, {12: {"loss": 1.0, "eval_loss": 1.0, "eval_answer_accuracy": 0.5}}
    text = report.markdown([run, good])
    assert "mean of" not in text and "nan ±" not in text  # of one that counts there is no mean


@pytest.mark.parametrize(
    ("entries", "is_float16", "step"),
    [
        ([{"step": 5, "loss": 1.0, "grad_norm": 2.0}, {"step": 10, "loss": 0.0, "eval_loss": 3.0}], False, None),
        ([{"step": 5, "loss": 0.0, "grad_norm": float("nan")}], False, 5),  # of a version that logged 0
        ([{"step": 5, "loss": 1.0, "grad_norm": float("nan")}], True, None),
        ([{"step": 5, "loss": 1.0, "grad_norm": float("inf")}], False, None),  # a step of length 0
        ([{"step": 5, "loss": float("inf")}], True, 5),
        ([{"step": 5, "eval_loss": float("nan")}], False, 5),
        ([{"step": 5, "loss": float("nan")}, {"step": 5, "diverged_step": 2}], False, 2),  # as a Trainer logs it
        ([{"step": 5, "diverged_step": 2}, {"step": 10, "loss": float("nan")}], False, 2),
    ],
)
def test_what_a_log_tells(entries, is_float16, step):
    assert measured.diverged_step(entries, is_float16) == step


def test_the_very_step_is_told():
    args = types.SimpleNamespace(device="cpu", on_nan="warn", should_log=False, fp16=False)
    accelerator = types.SimpleNamespace(gather=lambda tensor: tensor)
    trainer = types.SimpleNamespace(
        args=args, accelerator=accelerator, add_callback=lambda _: None, _tr_loss=torch.zeros(())
    )
    watcher = divergence.WatchLoss(trainer)
    state = types.SimpleNamespace(global_step=0, log_history=[])
    control = types.SimpleNamespace(should_save=False)
    watcher.on_train_begin(args, state, control)
    for step in range(1, 21):
        state.global_step = step
        trainer._tr_loss += float("nan") if step == 13 else 1.0
        watcher.on_step_end(args, state, control)
        if step % 5 == 0:
            watcher.on_log(args, state, control, {"loss": trainer._tr_loss.item() / 5, "grad_norm": 1.0})
            trainer._tr_loss.zero_()
    assert state.log_history == [{"step": 15, "diverged_step": 13}]


def model():
    torch.manual_seed(0)
    sizes = {
        "n_layer": 1,
        "n_head": 2,
        "n_embd": 8,
        "n_positions": 8,
        "vocab_size": 11,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    return GPT2LMHeadModel(GPT2Config(**sizes, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0))


@pytest.mark.parametrize("number", [{}, {"num_items_in_batch": torch.tensor(0)}, {"num_items_in_batch": 0}])
@pytest.mark.parametrize("prepare", [lambda _: None, losses.score_labelled_only, lambda m: losses.add_z_loss(m, 1e-4)])
def test_a_batch_without_a_label_teaches_nothing(number, prepare):
    trained = model()
    prepare(trained)
    losses.zero_without_labels(trained)
    ids = torch.arange(10).view(2, 5)
    nothing = torch.full_like(ids, IGNORE)
    nothing[:, 0] = 3  # which no position predicts
    outcome = trained.train()(input_ids=ids, labels=nothing, **number)
    outcome.loss.backward()
    assert outcome.loss == 0
    assert all(weight.grad is None or not weight.grad.any() for weight in trained.parameters())
    labels = ids.clone()
    assert trained.eval()(input_ids=ids, labels=labels).loss.item() == pytest.approx(
        model()(ids, labels=labels).loss.item()
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_nor_does_it_spoil_a_training_or_an_evaluation(smoothing, tmp_path):
    ids = torch.arange(8)
    rows = [{"input_ids": ids, "labels": torch.full((8,), IGNORE) if number % 2 else ids} for number in range(6)]
    options = {"per_device_train_batch_size": 1, "per_device_eval_batch_size": 1, "logging_nan_inf_filter": False}
    options["label_smoothing_factor"] = smoothing
    args = TrainingArguments(str(tmp_path), max_steps=6, use_cpu=True, report_to="none", disable_tqdm=True, **options)
    trainer = Trainer(model(), args, train_dataset=rows, eval_dataset=rows, data_collator=default_data_collator)
    with_labels = dict(default_data_collator(rows[:1]))
    as_ever = trainer.compute_loss(trainer.model, dict(with_labels))
    losses.zero_without_labels(trainer.model)
    losses.zero_smoothed_without_labels(trainer)
    assert trainer.compute_loss(trainer.model, with_labels) == as_ever
    assert trainer.train().training_loss > 0
    assert 0 < trainer.evaluate()["eval_loss"] < 3


def test_rows_of_which_none_has_a_label_are_refused():
    rows = [{"input_ids": torch.arange(8), "labels": torch.full((8,), IGNORE)}] * 3
    with pytest.raises(ValueError, match="none of the 3 rows to validate with has a label"):
        losses.weigh_by_tokens(None, rows)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"on_nan": "ignore"}, "on_nan must be stop or warn, got 'ignore'"),
        ({"logging_nan_inf_filter": True}, "logging_nan_inf_filter must stay false: on_nan says what such a loss does"),
    ],
)
def test_arguments(fields, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        StageArguments(str(tmp_path), **fields)
