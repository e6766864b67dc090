"""What the Trainer's arguments need, and the optimizers that --optim names: groups, steps, exact resume."""

import importlib.util
import logging
import os
import types

import pytest
import torch
from schedulefree import AdamWScheduleFree
from torch.utils.data import default_collate
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback
from transformers.training_args import OptimizerNames

import hf_procedural
from hf_procedural.locks import no_empty_folders
from hf_procedural.models.build import new_model
from hf_procedural.training import needs, optimizers, parser
from hf_procedural.training.arguments import ModelArguments, StageSettings
from hf_procedural.training.stage_arguments import StageArguments

PLAIN = {"lr_scheduler_type": "constant", "report_to": "none", "disable_tqdm": True, "eval_strategy": "no"}
ROWS = [{"input_ids": row, "labels": row} for row in torch.randint(0, 50, (48, 12), generator=torch.manual_seed(0))]


def build(**fields):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return new_model(LlamaConfig(vocab_size=50, max_position_embeddings=12, **sizes | fields), None)


def trainer_of(folder, model=None, callbacks=(), **settings):
    given = PLAIN | {"output_dir": str(folder), "max_steps": 6, "save_steps": 3, "use_cpu": True} | settings
    args = StageArguments(per_device_train_batch_size=8, learning_rate=1e-2, **given)
    trainer = Trainer(model or build(), args, data_collator=default_collate, train_dataset=ROWS, eval_dataset=ROWS[:8])
    for callback in callbacks:
        trainer.add_callback(callback)
    optimizers.make(trainer)
    optimizers.average_checkpoints(trainer)
    return trainer


def weights(model) -> dict:
    return {name: value.clone() for name, value in model.state_dict().items()}


def alike(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def light(**settings):
    """The arguments as they are before transformers is imported."""
    return parser._light(StageSettings)(**settings)


def test_the_package_of_every_optimizer_of_transformers_is_known():
    others = {member.value for member in OptimizerNames} - set(needs.TORCH)
    assert others and all(name.startswith(tuple(needs._PACKAGES)) for name in others)
    assert not set(needs.OURS) & {member.value for member in OptimizerNames}  # else transformers' own may serve


@pytest.mark.parametrize(
    "settings, line",
    [
        ({"optim": "muno"}, "optim must be muon, soap or one of transformers' names, got 'muno': did you mean muon"),
        ({"optim": "galore_adamw"}, "optim galore_adamw: its package is not installed: pip install galore-torch"),
        ({"optim": "adamw_8bit"}, "optim adamw_8bit: .*pip install bitsandbytes"),
        ({"optim": "adamw_torch_8bit"}, "optim adamw_torch_8bit: .*pip install torchao"),
        ({"optim": "adalomo"}, "optim adalomo: .*pip install lomo-optim"),
        ({"optim": "stable_adamw"}, "optim stable_adamw: .*pip install torch-optimi"),
        ({"optim": "schedule_free_sgd"}, r"optim schedule_free_sgd: .*pip install 'hf-procedural\[optim\]'"),
        ({"optim": "soap"}, r"optim soap: .*pip install 'hf-procedural\[optim\]'"),
        ({"optim": "grokadamw"}, "optim grokadamw: .*pip install grokadamw"),
        ({"optim_args": "beta=1"}, "optim_args beta=1: adamw_torch_fused has none"),
        ({"report_to": "mlflow"}, "report_to mlflow: .*pip install mlflow"),
        ({"report_to": ["none", "azure_ml"]}, "report_to azure_ml: .*pip install azureml-sdk"),
        ({"deepspeed": "x.json"}, "deepspeed x.json: .*pip install deepspeed .*recipes/accelerate/deepspeed.yaml"),
        ({"use_liger_kernel": True}, "use_liger_kernel: .*pip install liger-kernel"),
        ({"debug": "tpu_metrics_debug"}, "debug tpu_metrics_debug: .*pip install torch_xla"),
        ({"fsdp_config": '{"version": 2}'}, "fsdp_config is of fsdp, which is not set: .*recipes/accelerate/fsdp.yaml"),
        ({"parallelism_config": "x"}, "parallelism_config is no argument of a recipe: accelerate launch has"),
        ({"optim_target_modules": "all-linear"}, "optim_target_modules, .*: got all-linear with adamw_torch_fused"),
    ],
)
def test_what_is_needed_is_told_before_anything_is_imported(settings, line, monkeypatch):
    there = importlib.util.find_spec
    ours = ("transformers", "trl")  # whose source tells the arguments
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: there(name) if name.startswith(ours) else None)
    with pytest.raises(ValueError, match=f"^{line}"):
        light(**settings)


@pytest.mark.parametrize(
    "settings, line",
    [
        (
            {"optim": "schedule_free_adamw"},
            "optim schedule_free_adamw is its own schedule: give --lr_scheduler_type co",
        ),
        (
            {"optim": "schedule_free_adamw", "warmup_steps": 0.1, "lr_scheduler_type": "constant"},
            "warmup_steps must be w",
        ),
        ({"optim": "galore_adamw"}, r"optim_target_modules, .*such as all-linear.*: got None with galore_adamw"),
        ({"optim": "lomo", "gradient_accumulation_steps": 2}, "gradient_accumulation_steps must be 1 with lomo"),
        ({"optim": "adamw_torch_8bit", "optim_args": "block_size=64"}, "optim_args block_size=64: transformers hands"),
        (
            {"optim": "stable_adamw", "optim_args": "decouple_lr=False"},
            "optim_args decouple_lr=False: .*reads any word",
        ),
        ({"optim": "muon", "optim_args": "momentum=0.9,ns_step=3"}, "optim_args ns_step=3: .*did you mean ns_steps"),
        ({"optim": "muon", "optim_args": "momentum=much"}, "optim_args momentum=much: momentum must be a number, as 0"),
        ({"optim": "adalomo"}, None),
        ({"optim": "muon"}, None),
    ],
)
def test_optimizers_and_the_arguments_that_go_with_them(settings, line, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: there(name) or types.ModuleType(name))
    if line is None:
        assert light(**settings).optim == settings["optim"]
        return
    with pytest.raises(ValueError, match=line):
        light(**settings)


def test_what_accelerates_configuration_asks_for_is_needed_too(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setattr(needs.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="^deepspeed: its package is not installed: pip install deepspeed"):
        needs.check(
            types.SimpleNamespace(**PLAIN, optim="sgd", optim_args=None, optim_target_modules=None, deepspeed=None)
        )


@pytest.mark.parametrize(
    "name, package",
    [("flash_attention_2", "flash-attn"), ("paged|flash_attention_3", "flash-attn-3"), ("ORG/KERNEL", "kernels")],
)
def test_attention_that_is_not_installed(name, package):
    with pytest.raises(ValueError, match=rf"^attn_implementation {name.replace('|', '.')}: .*pip install {package}\b"):
        ModelArguments(attn_implementation=name).check()
    ModelArguments(attn_implementation="sdpa").check()


@pytest.mark.parametrize(
    "settings, line",
    [
        (
            {"fsdp": "true"},
            "fsdp needs several processes, and this is one: accelerate launch --config_file recipes/acc",
        ),
        (
            {"activation_checkpointing": True, "activation_checkpointing_kwargs": {"every_n_layers": 2, "layer": 1}},
            "activation_checkpointing_kwargs {.*}: .*'layer'",
        ),
        ({"ddp_backend": "gloo"}, "ddp_backend gloo is how several processes talk, and this is one"),
        (
            {"accelerator_config": {"gradient_accumulation_kwargs": {"steps": 2}}},
            "accelerator_config: gradient_accumulation_kwargs {'steps': 2}: .*'steps'",
        ),
        (
            {"lr_scheduler_type": "cosine_with_restarts", "lr_scheduler_kwargs": {"num_cycles": "two"}},
            "lr_scheduler_kwargs {'num_cycles': 'two'}: could not convert",
        ),
        (
            {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"lr_end": 0.1}},
            r"lr_scheduler_kwargs {'lr_end': 0.1}: .*smaller than initial lr \(5e-05\)",
        ),
        ({"torch_compile_backend": "indoctor"}, "torch_compile with indoctor does not work here: Invalid backend"),
    ],
)
def test_what_the_machine_cannot_do(settings, line, tmp_path):
    with pytest.raises(ValueError, match=f"^{line}"):
        StageArguments(output_dir=str(tmp_path), use_cpu=True, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"lr_end": 1.0}, "learning_rate": 2.0},
        {"lr_scheduler_type": "cosine", "learning_rate": 0.0},
        {"lr_scheduler_type": "reduce_lr_on_plateau"},
        {"lr_scheduler_type": "greedy"},
        {"accelerator_config": {"gradient_accumulation_kwargs": {"num_steps": 2, "sync_each_batch": True}}},
    ],
)
def test_what_it_can_do(settings, tmp_path):
    args = StageArguments(output_dir=str(tmp_path), use_cpu=True, **settings)
    assert args.lr_scheduler_type == settings.get("lr_scheduler_type", "linear")
    assert args.lr_scheduler_kwargs == settings.get("lr_scheduler_kwargs", args.lr_scheduler_kwargs)
    assert args.learning_rate == settings.get("learning_rate", args.learning_rate)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="it works on GPUs")
def test_attention_without_a_backward_pass():
    tokenizer = hf_procedural.tokenizer("sort-4")
    with pytest.raises(ValueError, match="flex_attention trains on GPUs only"):
        ModelArguments(model_type="llama", size="1_2_8", attn_implementation="flex_attention").build(tokenizer, 9)


def test_folders_are_as_they_were_after_a_mistake(tmp_path):
    with pytest.raises(ValueError, match="x"), no_empty_folders(tmp_path / "runs" / "new"):
        (tmp_path / "runs" / "new" / "completions").mkdir(parents=True)
        raise ValueError("x")
    assert not os.listdir(tmp_path)
    (tmp_path / "there" / "empty").mkdir(parents=True)
    with pytest.raises(ValueError, match="x"), no_empty_folders(tmp_path / "there"):
        raise ValueError("x")
    assert os.listdir(tmp_path / "there") == ["empty"]


def test_muon_is_for_the_matrices_of_layers_and_adamw_for_the_rest(tmp_path):
    trainer = trainer_of(tmp_path, optim="muon", weight_decay=0.1, optim_args="momentum=0.9,adamw_lr=0.003")
    names = {parameter: name for name, parameter in trainer.model.named_parameters()}
    (matrices, embeddings, norms) = groups = trainer.optimizer.param_groups
    held = [{names[parameter] for parameter in group["params"]} for group in groups]
    assert held[0] == {name for name in names.values() if name.endswith("_proj.weight")}
    assert held[1] == {"model.embed_tokens.weight", "lm_head.weight"}
    assert set().union(*held) == set(names.values()) and held[2] == {name for name in names.values() if "norm" in name}
    assert [group["weight_decay"] for group in groups] == [0.1, 0.1, 0.0]
    assert (matrices["lr"], matrices["momentum"], embeddings["lr"], norms["lr"]) == (1e-2, 0.9, 3e-3, 3e-3)


def test_muon_steps_as_the_two_optimizers_of_pytorch_do(tmp_path):
    trainer = trainer_of(tmp_path, optim="muon", weight_decay=0.1, max_grad_norm=0.0)
    model = build()
    layers = [p for name, p in model.named_parameters() if name.endswith("_proj.weight")]
    outer = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
    norms = [p for name, p in model.named_parameters() if "norm" in name]
    muon = torch.optim.Muon(layers, lr=1e-2, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    rest = [{"params": outer, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(rest, lr=1e-2, fused=True)
    for start in range(0, 48, 8):
        model(**default_collate(ROWS[start : start + 8])).loss.backward()
        for optimizer in (muon, adamw):
            optimizer.step()
            optimizer.zero_grad()
    trainer.train()
    assert alike(weights(trainer.model), weights(model))


@pytest.mark.parametrize(
    "settings",
    [
        {"optim": "muon", "lr_scheduler_type": "cosine"},
        {"optim": "muon", "lr_scheduler_type": "polynomial", "gradient_accumulation_steps": 2},
        {"optim": "soap", "optim_args": "precondition_frequency=2", "lr_scheduler_type": "linear"},
        {"optim": "schedule_free_adamw", "warmup_steps": 2},
        {"optim": "schedule_free_adamw", "eval_strategy": "steps", "eval_steps": 2},
        {"optim": "schedule_free_radam"},
        {"optim": "schedule_free_sgd"},
        {"optim": "adafactor"},
        {"optim": "adagrad"},
        {"optim": "rmsprop", "optim_args": "momentum=0.9"},
        {"optim": "sgd", "optim_args": "momentum=0.9"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_a_run_that_goes_on_is_the_same(settings, tmp_path):
    whole, later = (trainer_of(tmp_path / name, **settings) for name in ("whole", "later"))
    before = weights(whole.model)
    whole.train()
    later.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-3"))
    assert alike(weights(whole.model), weights(later.model)) and not alike(before, weights(whole.model))


def test_schedule_free_checkpoints_and_evaluations_hold_the_average(tmp_path):
    """As a plain loop has it, which calls eval() before it saves; no evaluation comes before checkpoint-3."""
    trainer = trainer_of(tmp_path, optim="schedule_free_adamw", warmup_steps=2, max_grad_norm=0.0, save_steps=3)
    model = build()
    optimizer = AdamWScheduleFree(model.parameters(), lr=1e-2, warmup_steps=2)
    averages = []
    for start in range(0, 48, 8):
        optimizer.train()
        model(**default_collate(ROWS[start : start + 8])).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if start in (16, 40):
            optimizer.eval()
            averages.append(weights(model))
    trainer.train()
    assert alike(weights(LlamaForCausalLM.from_pretrained(tmp_path / "checkpoint-3")), averages[0])
    assert alike(weights(trainer.model), averages[1])
    trainer.evaluate()
    assert alike(weights(trainer.model), averages[1])


class StopAt(TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = control.should_training_stop or state.global_step == self.step


def test_the_best_model_of_schedule_free_scores_as_it_did(tmp_path):
    """A run that stops between two evaluations is in training mode; one more would shift the best weights."""
    often = {"eval_strategy": "steps", "eval_steps": 2, "save_steps": 2, "load_best_model_at_end": True}
    trainer = trainer_of(tmp_path, callbacks=[StopAt(5)], optim="schedule_free_adamw", **often)
    trainer.train()
    assert trainer.state.global_step == 5 and trainer.state.best_global_step < 5
    assert trainer.evaluate()["eval_loss"] == trainer.state.best_metric


@pytest.mark.parametrize(
    "settings, line",
    [
        ({"optim": "muon", "optim_args": "adjust_lr_fn=no"}, "optim muon: Adjust learning rate function no is not"),
        ({"optim": "soap", "optim_args": "beta1=2"}, "optim soap: .*beta"),
        ({"optim": "sgd", "optim_args": "nesterov=true"}, "optim sgd: Nesterov momentum requires a momentum"),
    ],
)
def test_settings_that_are_none_are_told_before_the_run(settings, line, tmp_path):
    with pytest.raises(ValueError, match=line), no_empty_folders(tmp_path / "runs" / "new"):
        trainer_of(tmp_path / "runs" / "new", **settings)
    assert not os.listdir(tmp_path)


def test_muon_without_a_matrix_to_train(tmp_path):
    model = build()
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "_proj" not in name
    with pytest.raises(ValueError, match="^optim muon: no matrix of a layer is trained"):
        trainer_of(tmp_path, model, optim="muon")


@pytest.mark.parametrize("name", ["grokadamw", "galore_adamw_layerwise", "apollo_adamw", "adalomo"])
def test_optimizers_whose_state_no_checkpoint_keeps(name, caplog):
    with caplog.at_level(logging.WARNING):
        needs.check_resume(name, None)
    assert f"optim {name} does not keep its state in a checkpoint" in caplog.text
    with pytest.raises(
        ValueError, match=f"^resume_from_checkpoint runs/a/checkpoint-5: {name} does not keep its state"
    ):
        needs.check_resume(name, "runs/a/checkpoint-5")
    needs.check_resume("muon", "runs/a/checkpoint-5")
