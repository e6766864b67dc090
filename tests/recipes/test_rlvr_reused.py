"""rlvr goes on exactly between two steps that share their completions."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from support import starting
from support.running import RECIPES, history, run_here, same_weights

from hf_procedural.files import write_digests
from hf_procedural.rl.grpo import GRPO
from hf_procedural.training.interruption import OutOfTime

SORT = ["--task", "sort-4", "--task_parameters", '{"vocab_size": 10}']
PRETRAIN = ["--size", "1_2_32", "--dropout", "0", "--learning_rate", "3e-3", "--per_device_train_batch_size", "64"]
PRETRAIN += ["--validation_size", "32", "--eval_strategy", "no", "--max_steps", "50", "--train_size", "3200"]
WORDS = [*SORT, "--init_from", "sort", "--num_generations", "4", "--per_device_train_batch_size", "8", "--reward"]
WORDS += ["graded", "--max_steps", "10", "--learning_rate", "1e-3", "--validation_size", "8", "--logging_steps", "1"]
WORDS += ["--eval_strategy", "no", "--eval_on_start", "false", "--save_steps", "1", "--disable_tqdm", "true"]
WORDS += ["--num_iterations", "2"]  # with two batches of each sampling, below, for four steps
SEVERAL = {
    "plain": ["--steps_per_generation", "2"],
    "dynamic": ["--steps_per_generation", "2", "--dynamic_sampling_from", "0", "--loss_type", "grpo"],
    "accumulation": ["--gradient_accumulation_steps", "2", "--steps_per_generation", "4", "--beta", "0.1"],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        run_here(patch, "pretrain", *SORT, *PRETRAIN, "--disable_tqdm", "true", "--output_dir", "sort")
    return home


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch):
    monkeypatch.chdir(home)


def cut_to(whole: Path, folder: Path, step: int) -> Path:
    """A run as it is after its checkpoint of that step, when it is killed."""
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("*_results.json"))
    for checkpoint in folder.glob("checkpoint-*"):
        if int(checkpoint.name.rpartition("-")[2]) > step:
            shutil.rmtree(checkpoint)
    return folder


@pytest.mark.parametrize("more", SEVERAL.values(), ids=SEVERAL.keys())
def test_every_checkpoint_between_shared_steps_is_gone_on_from(more, monkeypatch, tmp_path):
    whole = tmp_path / "whole"
    run_here(monkeypatch, "rlvr", *WORDS, *more, "--output_dir", whole)
    between = [step for step in range(1, 11) if (whole / f"checkpoint-{step}" / "completions_0.pt").exists()]
    assert between == [step for step in range(1, 11) if step % 4]
    for step in (5, 6, 7) if more is SEVERAL["plain"] else (6,):
        cut = cut_to(whole, tmp_path / f"cut-{step}", step)
        run_here(monkeypatch, "rlvr", *WORDS, *more, "--resume_from_checkpoint", "true", "--output_dir", cut)
        assert same_weights(whole, cut) and not same_weights(whole, "sort")
        assert history(whole, "loss") == history(cut, "loss") and history(whole, "reward") == history(cut, "reward")


def test_sigterm_between_shared_steps(monkeypatch, tmp_path):
    words = [*WORDS, *SEVERAL["dynamic"], "--save_steps", "100", "--enable_jit_checkpoint", "true"]
    run_here(monkeypatch, "rlvr", *words, "--output_dir", tmp_path / "whole")
    step_of_training = GRPO.training_step

    def ended(self, *batch):
        if self.state.global_step == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return step_of_training(self, *batch)

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch, pytest.raises(OutOfTime, match="ended at step 6 of 10, as SIGTERM asked"):
        patch.setattr(GRPO, "training_step", ended)
        run_here(patch, "rlvr", *words, "--output_dir", tmp_path / "cut")
    run_here(monkeypatch, "rlvr", *words, "--resume_from_checkpoint", "true", "--output_dir", tmp_path / "cut")
    signal.signal(signal.SIGTERM, before)
    assert same_weights(tmp_path / "whole", tmp_path / "cut")


def test_a_checkpoint_without_its_completions(monkeypatch, capsys, tmp_path):
    whole = tmp_path / "whole"
    words = [*WORDS, *SEVERAL["plain"], "--max_steps", "3"]
    run_here(monkeypatch, "rlvr", *words, "--output_dir", whole)
    cut = cut_to(whole, tmp_path / "cut", 2)
    checkpoint = cut / "checkpoint-2"
    batches = torch.load(checkpoint / "completions_0.pt", weights_only=True)
    assert len(batches) == 2 and batches[0]["completion_ids"].shape == (8, 4)
    (checkpoint / "completions_0.pt").unlink()
    write_digests(checkpoint, [file for file in checkpoint.rglob("*") if file.is_file()])
    with pytest.raises(SystemExit):
        run_here(monkeypatch, "rlvr", *words, "--resume_from_checkpoint", "true", "--output_dir", cut)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert "it lacks completions_0.pt, which its next step shares with those before it" in line


def test_two_processes_keep_their_own(tmp_path):
    words = [*WORDS, *SEVERAL["dynamic"], "--max_steps", "3", "--use_cpu", "true"]
    whole = tmp_path / "whole"
    starting.run_two(RECIPES / "rlvr.py", *words, "--output_dir", whole)
    cut = cut_to(whole, tmp_path / "cut", 1)
    assert {file.name for file in cut.glob("checkpoint-1/*.pt")} >= {"completions_0.pt", "completions_1.pt"}
    again = ["--resume_from_checkpoint", "true"]
    starting.run_two(RECIPES / "rlvr.py", *words, *again, "--output_dir", cut)
    assert same_weights(whole, cut)
    assert json.loads((cut / "trainer_state.json").read_text())["global_step"] == 3
