"""Several runs at a time: each a log, failures that stay alone, an end by Ctrl-C."""

import contextlib
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hf_procedural.training import together

GB = 10**9
KILLED = "__import__('os').kill(__import__('os').getpid(), 9)"
REFUSED = "__import__('hf_procedural.errors').errors.Parser().error('no rows')"


def outcomes(folder: Path, *jobs: str) -> dict[int, object]:
    """What Python expressions give, or why they failed, by their numbers: two at a time, each with its log."""
    logs = [folder / f"{number}.log" for number in range(len(jobs))]
    found = {}
    with contextlib.closing(together.run_together(2, eval, [(job,) for job in jobs], logs)) as ended:
        for number, job in ended:
            error = job.exception()
            found[number] = job.result() if error is None else together.why(error, logs[number])
    return found


def test_a_failure_stays_alone_and_each_log_is_its_own(tmp_path):
    jobs = ["print('one') or 1", KILLED, "1 / 0", "__import__('os').system('echo two') + 2", REFUSED]
    assert outcomes(tmp_path, *jobs) == {
        0: 1,
        1: "its process was killed, for want of memory perhaps",
        2: "ZeroDivisionError division by zero",
        3: 2,
        4: "no rows",
    }
    logs = [(tmp_path / f"{number}.log").read_text() for number in range(len(jobs))]
    assert logs[0] == "one\n" and logs[3] == "two\n"
    assert logs[2].startswith("Traceback") and "ZeroDivisionError" in logs[2]


def test_a_log_is_added_to(tmp_path):
    for _ in range(2):
        outcomes(tmp_path, "print('one')")
    assert (tmp_path / "0.log").read_text() == "one\none\n"


SCRIPT = """
import contextlib
import types
from pathlib import Path

from hf_procedural.training import interruption, together

WAIT = "print(__import__('os').getpid(), flush=True) or {}__import__('threading').Event().wait()"
WAIT = "__import__('tqdm').tqdm.get_lock() and 0 or " + WAIT  # which is a semaphore, where nothing else is set
INTERRUPT = "__import__('os').kill(__import__('os').getppid(), __import__('signal').SIGINT) or "
if __name__ == "__main__":
    interruption.tell_how_to_go_on(types.SimpleNamespace(task="sort-8"))
    jobs = [(WAIT.format(""),), (WAIT.format(INTERRUPT),), ("print('never')",)]
    logs = [Path(f"{number}.log") for number in range(3)]
    with contextlib.closing(together.run_together(2, eval, jobs, logs)) as ended:
        list(ended)
"""


def test_an_interruption_ends_all(tmp_path):
    (tmp_path / "study.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "study.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "\nstudy.py: interrupted; run the same command again\n")
    assert not (tmp_path / "2.log").exists()
    begun = [int(log.read_text()) for log in tmp_path.glob("*.log") if log.read_text()]
    assert begun and not any(map(psutil.pid_exists, begun))


def test_none_begins_after_one_that_is_out_of_time(tmp_path):
    late = "(_ for _ in ()).throw(__import__('hf_procedural.training.interruption', fromlist=['_']).OutOfTime('late'))"
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    ((number, ended),) = together.run_together(1, eval, [(late,), ("1",), ("2",)], logs)
    assert (number, str(ended.exception())) == (0, "late")
    assert not logs[1].exists() and not logs[2].exists()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 4),
        ({"runs": 3}, 3),
        ({"runs": 0}, 1),
        ({"weights": None}, 1),  # on a GPU
        ({"weights": 124_000_000}, 1),
        ({"free": 5 * GB}, 2),
        ({"free": 0}, 1),
        ({"asked": 2, "weights": None}, 2),
        ({"asked": 9, "free": 0}, 6),
    ],
)
def test_how_many_at_a_time(settings, expected):
    usual = {"asked": None, "runs": 6, "cores": 4, "weights": 20_000, "free": 100 * GB}
    assert together.at_a_time(**usual | settings) == expected
