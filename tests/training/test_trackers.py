"""A training is one run of a tracker, its last evaluation among it; and what is counted as tokens."""

import importlib.machinery
import sys
import types

import pytest
from support.running import history, run_here
from transformers.integrations import integration_utils

import hf_procedural
from hf_procedural.data import blocks
from hf_procedural.tasks import IGNORE

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
        self.calls.append(("init", settings["project"], settings["name"]))

    def log(self, values):
        self.calls.append(("log", values))

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
    assert trackio.calls[0] == ("init", "study", "run") and kinds.count("init") == kinds.count("finish") == 1
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
    assert calls == [("init", "study", "study_haystack-8_scratch_seed_0"), ("finish",)]
