"""One command at a time in a folder, whoever was killed before."""

import contextlib
import errno
import fcntl
import fnmatch
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import run_here
from transformers import trainer

from hf_procedural import cli, locks
from hf_procedural.runs import folder
from hf_procedural.training.stage_arguments import StageArguments

HOLDER = {"pid": 7, "host": "elsewhere", "since": "2026-11-29T02:00:00+00:00", "command": "pretrain.py --task sort-4"}
WHO = "is being written by process 7 on elsewhere since 2026-11-29T02:00:00+00:00 (pretrain.py --task sort-4)"


@contextlib.contextmanager
def held_by_another(place: Path, name: str = locks.LOCK):
    """A folder that another process holds, as far as this one can tell."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / name).open("w") as file:
        json.dump(HOLDER, file)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_who_writes_a_folder_keeps_others_out_and_leaves_nothing(tmp_path):
    place = tmp_path / "a" / "b"
    with locks.holding(place):
        (holder,) = place.iterdir()
        assert json.loads(holder.read_text())["pid"] == os.getpid()
        assert locks.names_in(place) == []
        with locks.holding(place):  # the same process may
            locks.check_free(place)
        script = f"from hf_procedural import locks; locks.check_free(locks.Path({str(place)!r}), 'DIR')"
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert f"ValueError: DIR {place} is being written by process {os.getpid()} on " in other.stderr
        (place / "made").touch()
    assert [path.name for path in place.iterdir()] == ["made"]
    with pytest.raises(ValueError), locks.holding(tmp_path / "c" / "d"):
        raise ValueError("before anything is written")
    assert not (tmp_path / "c").exists()


def test_the_line_says_who_holds_it(tmp_path):
    with held_by_another(tmp_path):
        for refused in (lambda: locks.check_free(tmp_path), locks.holding(tmp_path).__enter__):
            with pytest.raises(ValueError) as error:
                refused()
            assert str(error.value) == f"output_dir {tmp_path} {WHO}: wait for its end, or choose another"
    assert (tmp_path / locks.LOCK).is_file()  # as of a process that was killed: it does not hold
    locks.check_free(tmp_path)
    with locks.holding(tmp_path):
        pass
    assert not (tmp_path / locks.LOCK).exists()


def test_a_worker_that_outlives_a_killed_process_does_not_hold(tmp_path):
    script = f"""
import os, sys
from hf_procedural.locks import holding
with holding({str(tmp_path)!r}):
    worker = os.fork()
    if worker:
        print(worker, flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        with pytest.raises(ValueError, match=f"process {process.pid} on "):
            locks.check_free(tmp_path)
        process.kill()
        process.wait()
        os.kill(worker, 0)  # is there
        locks.check_free(tmp_path)
        os.kill(worker, signal.SIGKILL)


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, caplog):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with locks.holding(tmp_path):
        (tmp_path / "made").touch()
    (line,) = caplog.messages
    reason = f"[Errno {errno.ENOLCK}] {os.strerror(errno.ENOLCK)}"
    assert line == f"{tmp_path} has no locks ({reason}): nothing keeps a second command from writing there"


def test_a_lock_is_neither_pushed_nor_counted(tmp_path):
    ignored = Path(trainer.__file__).read_text().split('ignore_patterns=["')[1].partition('"')[0]
    for name in (locks.LOCK, locks.lock_of(Path("model.bin"))):
        assert fnmatch.fnmatch(name, ignored) and fnmatch.fnmatch(name, "_*")  # the second is hub.repos'
        (tmp_path / name).touch()
    assert folder.open_run(StageArguments(str(tmp_path))) is None


RECIPES = {
    "pretrain": ["--task", "sort-4"],
    "probe": ["--task", "sort-4", "--size", "1_1_8"],
    "report": ["."],
    "recycle_report": ["--dataset", "nothing.parquet"],
    "rpt_evaluate": ["--runs", "."],
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_say_who_holds_their_folder(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with held_by_another(Path("out")), pytest.raises(SystemExit) as exit_:
        run_here(monkeypatch, recipe, *RECIPES[recipe], "--output_dir", "out")
    assert exit_.value.code == 2 and f"output_dir out {WHO}" in capsys.readouterr().err


COMMANDS = {
    "generate": ["generate", "sort-4", "--rows", "8", "--output_dir", "out"],
    "publish": ["publish", "sort-4", "--train_size", "8", "--output_dir", "out"],
    "copy": ["recipe", "copy", "pretrain", "out"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_say_who_holds_their_folder(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with held_by_another(Path("out")), pytest.raises(SystemExit) as exit_:
        cli.main(COMMANDS[command])
    assert exit_.value.code == 2 and f"out {WHO}" in capsys.readouterr().err
    assert os.listdir("out") == [locks.LOCK]


def test_a_folder_that_was_written_since_it_was_looked_at(tmp_path):
    args = StageArguments(str(tmp_path / "run"))
    checkpoint = folder.open_run(args)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").touch()
    with locks.holding(tmp_path / "run"), pytest.raises(ValueError, match="is not empty: choose another"):
        folder.check_still(args, checkpoint)
