"""Which checkpoint a run goes on from: the newest whose files are as they were saved."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from support.running import TESTS, run_here, same_weights

from hf_procedural.files import DIGESTS, write_digests
from hf_procedural.models import build, sources
from hf_procedural.runs import checkpoints, folder
from hf_procedural.training.callbacks import Seal

OLD = TESTS / "data" / "run_0_1_0" / "sort"
QUICK = ["--task", "sort-4", "--train_size", "64", "--validation_size", "16", "--size", "1_1_8", "--logging_steps", "2"]
QUICK += ["--save_steps", "2", "--eval_strategy", "no", "--per_device_train_batch_size", "4"]


def make(run, *steps: int, marked: bool = True):
    """Checkpoints as the Trainer leaves them, with digests or without."""
    for step in steps:
        checkpoint = run / f"checkpoint-{step}"
        checkpoint.mkdir(parents=True)
        save_file({"weight": np.arange(64, dtype=np.float32)}, checkpoint / "model.safetensors")
        torch.save({"state": torch.arange(64)}, checkpoint / "optimizer.pt")
        (checkpoint / "rows.json").write_text("{}")
        (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": step, "log_history": []}))
        if marked:
            write_digests(checkpoint, checkpoint.iterdir())


def flip(file, place: int = -1):
    """Flips one bit of a file."""
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def step_of(chosen: checkpoints.Chosen) -> str | None:
    return chosen.folder and chosen.folder.name


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "rows.json", "trainer_state.json"])
@pytest.mark.parametrize("harm", [flip, lambda file: file.unlink(), lambda file: file.write_bytes(b"")])
def test_a_file_that_is_not_as_it_was_saved(name, harm, tmp_path):
    make(tmp_path, 2, 4, 10)
    assert checkpoints.newest(tmp_path) == checkpoints.Chosen(tmp_path / "checkpoint-10")
    harm(tmp_path / "checkpoint-10" / name)
    chosen = checkpoints.newest(tmp_path)
    assert step_of(chosen) == "checkpoint-4"
    assert chosen.note == (
        f"{tmp_path}/checkpoint-10 is not whole: {name} is not as it was saved (digests.json): "
        f"going on from {tmp_path}/checkpoint-4"
    )
    with pytest.raises(checkpoints.CheckpointError, match=f"10 is not whole: {name} is not as .*; name another$"):
        checkpoints.check(tmp_path / "checkpoint-10", "name another")


def test_where_none_is_whole_one_line_says_so(tmp_path):
    make(tmp_path, 2, 4)
    for step in (2, 4):
        flip(tmp_path / f"checkpoint-{step}" / "model.safetensors")
    with pytest.raises(checkpoints.CheckpointError) as error:
        checkpoints.newest(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/checkpoint-4 is damaged: model.safetensors is not as it was saved")
    assert f"remove {tmp_path}/checkpoint-* to start from the beginning" in str(error.value)


def test_digests_come_last_as_the_mark_of_a_whole_one(tmp_path):
    make(tmp_path, 2)
    make(tmp_path, 4, marked=False)
    chosen = checkpoints.newest(tmp_path)
    assert step_of(chosen) == "checkpoint-2" and "checkpoint-4 is not whole: it has no digests.json" in chosen.note
    (tmp_path / "checkpoint-2" / DIGESTS).write_text('{"sha256": ')
    assert step_of(checkpoints.newest(tmp_path)) == "checkpoint-4"  # of those without, where no other is whole
    (tmp_path / "checkpoint-4" / "trainer_state.json").unlink()  # a kill
    with pytest.raises(checkpoints.CheckpointError, match=r"checkpoint-2/digests.json cannot be read"):
        checkpoints.newest(tmp_path)


def test_those_of_older_versions_are_looked_into(tmp_path):
    make(tmp_path, 2, 4, 6, 8, marked=False)
    assert checkpoints.newest(tmp_path) == checkpoints.Chosen(tmp_path / "checkpoint-8")
    (tmp_path / "checkpoint-8" / "trainer_state.json").write_text("{}")
    optimizer = tmp_path / "checkpoint-6" / "optimizer.pt"
    flip(optimizer, optimizer.read_bytes().index(np.arange(5, 9).tobytes()))
    (tmp_path / "checkpoint-4" / "model.safetensors").write_bytes(b"\0" * 8)
    chosen = checkpoints.newest(tmp_path)
    assert step_of(chosen) == "checkpoint-2"
    for reason in ("is not the state of a Trainer", "optimizer.pt cannot be read", "model.safetensors cannot be read"):
        assert reason in chosen.note


def test_a_first_one_that_was_cut_short_is_as_good_as_none(tmp_path):
    make(tmp_path, 2, marked=False)
    (tmp_path / "checkpoint-2" / "trainer_state.json").write_text('{"global_step": 2, "log_hi')
    chosen = checkpoints.newest(tmp_path)
    assert chosen.folder is None and "trainer_state.json, which comes last, is not complete" in chosen.note
    assert folder.last_checkpoint(tmp_path) is None


def test_a_run_goes_on_from_the_newest_whole_one(tmp_path, monkeypatch, caplog, capsys):
    monkeypatch.chdir(tmp_path)
    run_here(monkeypatch, "pretrain", *QUICK, "--max_steps", "8", "--output_dir", "whole")
    made = {path.name for path in (tmp_path / "whole" / "checkpoint-8").iterdir()}
    digests = json.loads((tmp_path / "whole" / "checkpoint-8" / DIGESTS).read_text())["sha256"]
    assert digests.keys() == made - {DIGESTS} and "optimizer.pt" in made
    shutil.copytree("whole", "other", ignore=shutil.ignore_patterns("*results.json", "training.png"))
    flip(tmp_path / "other" / "checkpoint-8" / "model.safetensors")
    recipe = tmp_path / "other" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("output_dir: whole", "output_dir: other"))
    run_here(monkeypatch, "pretrain", recipe, "--resume_from_checkpoint", "true")
    assert "checkpoint-8 is not whole: model.safetensors is not as it was saved" in caplog.text
    assert same_weights("whole", "other")
    assert checkpoints.damage(tmp_path / "other" / "checkpoint-8") is None  # saved anew

    # who begins from weights that have changed since is told, too
    flip(tmp_path / "other" / "model.safetensors")
    for read in (build.load_pretrained, lambda name: sources.load_state(name, build.load_pretrained("whole")[0])):
        with pytest.raises(ValueError, match="^other/model.safetensors is not as it was saved: put back a copy"):
            read("other")
    (tmp_path / "other" / DIGESTS).unlink()
    build.load_pretrained("other")

    # a disk that is full at a checkpoint leaves no half of it
    def save(*_, **__):
        raise RuntimeError("PytorchStreamWriter failed writing file data/1: file write failed")

    capsys.readouterr()
    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "pretrain", *QUICK, "--max_steps", "2", "--output_dir", "full")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert exit_.value.code == 2 and "full/checkpoint-2 cannot be written: no space is left (about " in line
    assert line.endswith("pretrain.py full/recipe.yaml --resume_from_checkpoint true")
    assert sorted(path.name for path in (tmp_path / "full").iterdir()) == ["provenance.json", "recipe.yaml"]


def test_a_whole_file_that_holds_something_else(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD, "runs/sort", ignore=shutil.ignore_patterns("*results.json", "training*", "trainer_state.json"))
    shutil.copy(OLD / "checkpoint-4" / "trainer_state.json", "runs/sort/checkpoint-4")
    torch.save([1, 2], "runs/sort/checkpoint-4/optimizer.pt")
    for file in (tmp_path / "runs" / "sort").glob("[!cpr]*"):
        file.unlink()
    (tmp_path / "runs" / "sort" / "config.json").unlink()
    with pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, "pretrain", "runs/sort/recipe.yaml", "--resume_from_checkpoint", "true")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert exit_.value.code == 2 and "runs/sort/checkpoint-4 cannot be gone on from (" in line


def test_the_best_one_is_compared_before_it_is_loaded(tmp_path):
    make(tmp_path, 2)
    seal = Seal(SimpleNamespace(add_callback=lambda callback: None))
    args, state = SimpleNamespace(load_best_model_at_end=True), SimpleNamespace()
    state.best_model_checkpoint = str(tmp_path / "checkpoint-2")
    seal.on_log(args, state, None, {"train_runtime": 1.0})
    flip(tmp_path / "checkpoint-2" / "model.safetensors")
    seal.on_log(args, state, None, {"loss": 1.0})
    with pytest.raises(checkpoints.CheckpointError, match="--load_best_model_at_end false keeps the last model"):
        seal.on_log(args, state, None, {"train_runtime": 1.0})
