"""What a real SIGINT ends with. tests/test_wheel.py interrupts a training and goes on with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import signal
from types import SimpleNamespace

from hf_procedural.training.interruption import tell_how_to_go_on

tell_how_to_go_on(SimpleNamespace(task="sort-8"), SimpleNamespace({arguments}))
signal.raise_signal(signal.{signal})
raise ValueError("not reached by an interruption")
"""


def end_of(folder, arguments: str, signal: str = "SIGINT", command: str | None = None) -> tuple[int, str]:
    """Exit code and stderr of a script with a recipe's arguments that gets a signal."""
    script = folder / "recipe.py"
    script.write_text(SCRIPT.format(arguments=arguments, signal=signal))
    env = os.environ | ({"HF_PROCEDURAL_COMMAND": command} if command else {})
    done = subprocess.run([sys.executable, "recipe.py"], cwd=folder, env=env, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("command", "program", "again"),
    [
        (None, "recipe.py", "accelerate launch recipe.py"),
        ("hf-procedural pretrain --num_processes 2", "hf-procedural pretrain", None),
    ],
)
def test_a_run_says_how_to_go_on(command, program, again, tmp_path):
    Path(tmp_path, "my run").mkdir()
    Path(tmp_path, "my run/recipe.yaml").write_text("task: sort-8\n")
    code, errors = end_of(tmp_path, "output_dir='my run', resume_from_checkpoint=None", command=command)
    resumed = f"{again or command} 'my run/recipe.yaml' --resume_from_checkpoint true"
    assert code == 130
    assert errors == f"\n{program}: interrupted; this goes on from the last checkpoint: {resumed}\n"


@pytest.mark.parametrize("arguments", ["output_dir='run', resume_from_checkpoint=None", "output_dir=None", ""])
def test_before_the_first_step_there_is_nothing_to_go_on_from(arguments, tmp_path):
    assert end_of(tmp_path, arguments) == (130, "\nrecipe.py: interrupted; run the same command again\n")


def test_a_planned_end_is_no_error(tmp_path):
    ending = "raise OutOfTime('ended at step 3 of 9, as max_hours 1 asks')"
    script = SCRIPT.format(arguments="", signal="SIGINT").replace("signal.raise_signal(signal.SIGINT)", ending)
    (tmp_path / "recipe.py").write_text(script.replace("import tell", "import OutOfTime, tell"))
    done = subprocess.run([sys.executable, "recipe.py"], cwd=tmp_path, capture_output=True, text=True)
    line = "\nrecipe.py: ended at step 3 of 9, as max_hours 1 asks; run the same command again\n"
    assert (done.returncode, done.stderr) == (0, line)


@pytest.mark.parametrize(
    ("rank", "lines"), [("0", "\nrecipe.py: interrupted; run the same command again\n"), ("1", "")]
)
def test_while_the_libraries_are_imported(rank, lines, tmp_path):
    script = "import signal\nfrom hf_procedural.training import parser\nparser.answer_early(__name__, 'A recipe.')\n"
    (tmp_path / "recipe.py").write_text(f"{script}signal.raise_signal(signal.SIGINT)\n")
    command = [sys.executable, "recipe.py"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"RANK": rank}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, lines)


def test_of_several_processes_one_tells(tmp_path):
    assert end_of(tmp_path, "output_dir='run', should_save=False") == (130, "")


def test_other_errors_stay_as_they_are(tmp_path):
    code, errors = end_of(tmp_path, "output_dir='run'", signal="SIGCHLD")  # which nobody minds
    assert code == 1 and errors.startswith("Traceback") and "ValueError: not reached" in errors
