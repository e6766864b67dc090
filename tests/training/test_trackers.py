"""A training is one run of a tracker, its last evaluation among it; and what is counted as tokens."""

import importlib.machinery
import json
import shutil
import subprocess
import sys
import types
from types import SimpleNamespace

import pytest
from support.running import RECIPES, history, run_here
from transformers.integrations import TrackioCallback, integration_utils
from trl.extras import profiling

import hf_procedural
from hf_procedural.data import blocks
from hf_procedural.tasks import IGNORE
from hf_procedural.training.trackers import one_tracked_run

SIZE = ("--size", "1_2_8", "--streaming", "--validation_size", 8, "--max_steps", 2, "--per_device_train_batch_size", 16)
SIZE += ("--disable_tqdm", "true")


class Trackio(types.ModuleType):
    """As much of trackio as transformers' callback calls, and a list of the calls."""

    def __init__(self):
        super().__init__("trackio")
        self.__spec__ = importlib.machinery.ModuleSpec("trackio", None)
        self.__version__ = "0.43.0"
        self.config = {}
        self.context_vars = types.SimpleNamespace(current_space_id=types.SimpleNamespace(get=lambda: None))
        self.calls = []

    def init(self, **settings):
        self.calls.append(("init", settings["project"], settings["name"], settings["group"], settings["resume"]))

    def log(self, values, step):
        self.calls.append(("log", values, step))

    def finish(self):
        self.calls.append(("finish",))


@pytest.fixture
def trackio(monkeypatch):
    module = Trackio()
    monkeypatch.setitem(sys.modules, "trackio", module)
    monkeypatch.setattr(integration_utils, "is_trackio_available", lambda: True)
    return module


def test_trackio_has_one_run_and_tokens_without_padding(trackio, monkeypatch, tmp_path):
    words = ["--task", "multiplication-3", *SIZE, "--report_to", "trackio"]
    words += ["--include_num_input_tokens_seen", "non_padding", "--output_dir", tmp_path / "study/run"]
    run_here(monkeypatch, "pretrain", *words)
    kinds = [call[0] for call in trackio.calls]
    assert (
        trackio.calls[0] == ("init", "study", "run", None, "never")
        and kinds.count("init") == kinds.count("finish") == 1
    )
    assert kinds[-2:] == ["log", "finish"] and "eval/loss" in trackio.calls[-2][1]
    task = hf_procedural.task("multiplication-3")
    ids, labels = (rows[:32] for rows in blocks.block(task, 42, "train", 0))
    tokens = (ids != task.pad_id) | (labels != IGNORE)
    assert (ids != task.pad_id).sum() < tokens.sum() < tokens.size  # some padding is an answer's
    assert history(tmp_path / "study/run", "num_input_tokens_seen")[-1] == (2, tokens.sum())


def test_a_study_is_one_project(trackio, monkeypatch, tmp_path):
    words = ["--task", "haystack-8", *SIZE[:2], *SIZE[3:], "--report_to", "trackio"]
    run_here(monkeypatch, "probe", *words, "--output_dir", tmp_path / "study")
    calls = [call for call in trackio.calls if call[0] != "log"]
    name, group = "haystack-8_scratch_seed_0", "study_haystack-8_scratch"
    assert calls == [("init", "study", name, group, "never"), ("finish",)]


def test_what_trl_logs_is_told_at_its_step(trackio, monkeypatch, tmp_path):
    monkeypatch.setattr(profiling, "trackio", trackio, raising=False)
    monkeypatch.setattr(profiling, "is_trackio_available", lambda: True)
    task = ["--task", "sort-4", "--disable_tqdm", "true", "--validation_size", 8, "--max_steps", 2]
    run_here(monkeypatch, "pretrain", *task, *SIZE[:3], "--output_dir", tmp_path / "sort")
    words = ["--init_from", tmp_path / "sort", "--num_generations", 2, "--per_device_train_batch_size", 4]
    words += ["--logging_steps", 1, "--log_completions", "false", "--report_to", "trackio"]
    words += ["--output_dir", tmp_path / "study/run"]
    run_here(monkeypatch, "rlvr", *task, *words)
    logs = [call[1:] for call in trackio.calls if call[0] == "log"]
    assert {step for values, step in logs if any(name.startswith("profiling/") for name in values)} >= {0, 1}
    assert [step for values, step in logs if "train/loss" in values] == [1, 2]


def test_a_run_that_fails_is_ended_for_its_tracker(trackio, tmp_path):
    tracker = TrackioCallback()
    args = SimpleNamespace(report_to=["trackio"], run_name="run", project="study")
    state = SimpleNamespace(is_world_process_zero=True)
    handler = SimpleNamespace(callbacks=[tracker])
    trainer = SimpleNamespace(callback_handler=handler, args=args, state=state, control=None)
    trainer.model = trainer.processing_class = None
    init, log = trackio.init, trackio.log
    with pytest.raises(KeyboardInterrupt), one_tracked_run(trainer):
        tracker._initialized = True
        raise KeyboardInterrupt
    assert trackio.calls == [("finish",)]
    assert "on_train_end" not in vars(tracker) and (trackio.init, trackio.log) == (init, log)


@pytest.fixture
def train(monkeypatch, tmp_path):
    """Trains in a process of its own, told to trackio itself, whose data is in a folder of the test."""
    pytest.importorskip("trackio", reason="pip install trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    words = ["--task", "sort-4", *SIZE, "--report_to", "trackio", "--logging_steps", 1, "--eval_steps", 2]
    words += ["--save_steps", 2, "--output_dir", tmp_path / "study/run"]

    def train(*more):
        done = subprocess.run(list(map(str, [sys.executable, RECIPES / "pretrain.py", *words, *more])), text=True)
        assert done.returncode == 0

    return train


def ask_trackio(sql: str) -> list[dict]:
    """What trackio's own command reads in the project study."""
    command = ["trackio", "query", "project", "--project", "study", "--json", "--sql", sql]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["rows"]


def test_trackio_itself_has_steps_and_goes_on(train, tmp_path):
    train()
    train("--max_steps", 4, "--resume_from_checkpoint", "true")
    rows = ask_trackio("select run_name, run_id, step, metrics from metrics order by id")
    figures = [(row["step"], json.loads(row["metrics"])) for row in rows]
    assert {row["run_name"] for row in rows} == {"run"} and len({row["run_id"] for row in rows}) == 1
    assert [step for step, logged in figures if "train/loss" in logged] == [1, 2, 3, 4]
    evaluated = [(step, logged["eval/loss"]) for step, logged in figures if "eval/loss" in logged]
    assert [step for step, _ in evaluated] == [2, 2, 4, 4]  # that of the last step, and that of the end
    ours = dict(history(tmp_path / "study/run", "eval_loss"))
    assert dict(evaluated) == ours and "eval/answer_accuracy" in figures[-1][1]

    shutil.rmtree(tmp_path / "study/run")
    train()  # begun anew
    assert ask_trackio("select count(distinct run_id) as runs from metrics") == [{"runs": 2}]
