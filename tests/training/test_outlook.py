"""What is told after the first steps, and the end of a run in time."""

import math
import re
import types

import psutil
import pytest
from support.running import run_here, same_weights
from transformers import TrainerControl, TrainerState

from hf_procedural.training.interruption import OutOfTime
from hf_procedural.training.outlook import Outlook
from hf_procedural.training.stage_arguments import StageArguments

STARTED = psutil.Process().create_time()


class Steps:
    """A Trainer's calls of an Outlook, by a clock that only they move, from the start of this process on."""

    def __init__(self, total: int, **options):
        settings = {"max_hours": None, "enable_jit_checkpoint": False, "world_size": 1, "device": "cpu"}
        settings |= {"eval_strategy": "steps", "save_strategy": "steps"} | options
        self.args = types.SimpleNamespace(**settings)
        self.now = STARTED
        trainer = types.SimpleNamespace(add_callback=lambda _: None)
        self.outlook = Outlook(trainer, clock=lambda: self.now)
        self.state = TrainerState(max_steps=total, eval_steps=10, num_train_epochs=1)
        self.control = TrainerControl()
        self.outlook.on_train_begin(self.args, self.state, self.control)

    def step(self, seconds: float, evaluation: float = 0.0, save: float = 0.0) -> None:
        self.state.global_step += 1
        self.now += seconds
        self.outlook.on_step_end(self.args, self.state, self.control)
        for event, after in ((self.outlook.on_evaluate, evaluation), (self.outlook.on_save, save)):
            self.now += after
            if after:
                event(self.args, self.state, self.control)


def told(capsys, seconds, evaluation: float = 0.0, total: int = 100, **options) -> str:
    steps = Steps(total, **options)
    for number in range(1, 31):
        steps.step(10.0 if number <= 5 else seconds, evaluation if number == 10 else 0.0)
    return capsys.readouterr().err


def test_one_line_of_the_steps_that_are_warm_and_of_evaluations(capsys):
    line = told(capsys, 2.0, evaluation=30.0)
    # at step 20, of which 80 are to come, with evaluations at 30, 40 ... 100, and one at the end
    assert line.startswith("80 steps of 2.0 s and 9 evaluations of 30.0 s will take about 0:07:10, until 20")
    assert line.count("\n") == 1 and re.search(r"; memory so far \d+\.\d [MG]B\n$", line)
    assert told(capsys, 0.5).startswith("80 steps of 500 ms, without evaluations, will take about 40.0 s, until 20")
    once = told(capsys, 1.0, evaluation=3.0, eval_strategy="no")
    assert once.startswith("80 steps of 1.0 s and 1 evaluation of 3.0 s will take about 0:01:23")


def test_nothing_is_told_of_a_run_that_is_over(capsys):
    assert told(capsys, 1.0, total=20) == ""


def test_a_run_ends_before_the_step_that_would_be_over_too_late():
    steps = Steps(1_000, max_hours=0.1)  # 360 s
    for number in range(1, 1_000):
        steps.step(7.0, save=20.0 if number == 3 else 0.0)
        if steps.control.should_training_stop:
            break
    assert steps.now - STARTED + 7 + 20 > 360 and steps.now - STARTED + 20 <= 360
    assert (
        steps.control.should_save and steps.outlook.ended == f"ended at step {number} of 1,000, as max_hours 0.1 asks"
    )


def test_a_run_that_is_done_is_not_ended():
    steps = Steps(3, max_hours=0.001)
    steps.state.global_step = 2
    steps.step(10.0)
    assert steps.outlook.ended is None and not steps.control.should_training_stop


def test_a_signal_ends_it():
    steps = Steps(50, enable_jit_checkpoint=False)
    steps.args.enable_jit_checkpoint = True
    steps.step(1.0)
    assert not steps.control.should_training_stop
    steps.outlook._ask(15, None)
    steps.step(1.0)
    assert steps.control.should_save and steps.outlook.ended == "ended at step 2 of 50, as SIGTERM asked"


def test_it_goes_on_bit_for_bit_and_is_no_finished_run_before(monkeypatch, tmp_path):
    words = ["--task", "set-8", "--size", "1_2_8", "--streaming", "--validation_size", 8, "--max_steps", 4]
    words += ["--disable_tqdm", "true", "--resume_from_checkpoint", "true", "--output_dir"]
    with pytest.raises(OutOfTime, match=r"ended at step 1 of 4, as max_hours 1e-09 asks"):
        run_here(monkeypatch, "pretrain", *words, tmp_path / "ended", "--max_hours", 1e-9)
    left = {file.name for file in (tmp_path / "ended").iterdir()}
    assert left == {"checkpoint-1", "recipe.yaml", "provenance.json"}
    run_here(monkeypatch, "pretrain", *words, tmp_path / "ended")
    run_here(monkeypatch, "pretrain", *words, tmp_path / "whole", "--report_to", "tensorboard")
    assert same_weights(tmp_path / "ended", tmp_path / "whole")
    assert len(list((tmp_path / "whole").rglob("*tfevents*"))) == 1  # the last evaluation is in it, too


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_hours": 0}, "max_hours must be above 0, got 0"),
        ({"max_hours": math.nan}, "max_hours must be above 0, got nan"),
        ({"max_hours": 1, "save_only_model": True}, "save_only_model: with max_hours or enable_jit_checkpoint"),
        ({"enable_jit_checkpoint": True, "save_only_model": True}, "save_only_model: with max_hours or"),
    ],
)
def test_arguments(fields, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        StageArguments(str(tmp_path), **fields)
