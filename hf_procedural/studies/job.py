"""One run of a study, as Snakemake starts it in the study's folder: python -m hf_procedural.studies.job RUN THREADS.

It writes the run's YAML, runs its recipe with it, what that prints into a log beside the folder, and goes on where an
earlier try ended.
"""

import contextlib
import ctypes
import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import yaml

from ..files import read_mapping, write_text
from ..locks import check_free
from ..runs.folder import RESULTS, is_finished
from ..terminal import in_a_line

try:
    import fcntl
except ImportError:  # of Windows
    fcntl = None

HIDDEN = ".study"
PLAN = Path(HIDDEN, "plan.json")
LIVES = Path(HIDDEN, "lives")  # holds the same as STUDY while the study's command is there, and wants its runs
STUDY = "HF_PROCEDURAL_STUDY"  # the process of the study, 0 where that may be on another machine, and when it began
TRY = "# try: "  # how a line of a run's log begins behind which another try's begin
_END = 2**16  # bytes at the end of a log, in which its last try's lines are looked for
DEVICES = Path("/dev")
PATIENCE = 120  # seconds that a run may take to save a checkpoint and end
_PR_SET_PDEATHSIG = 1  # of linux/prctl.h
_UNFINISHED = 75  # EX_TEMPFAIL of sysexits.h: the same again goes on


def config_of(folder: Path) -> Path:
    """The YAML of a run, beside its folder."""
    return folder.with_name(f"{folder.name}.yaml")


def log_of(folder: Path) -> Path:
    """What a run's recipe has printed."""
    return folder.with_name(f"{folder.name}.log")


def last_line(log: Path) -> str:
    """Why what has written a log failed: the last error of its last try, else the last line."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _END))
        text = file.read().decode(errors="replace").replace("\r", "\n")
    _, is_run, last_try = text.rpartition(TRY)
    if is_run:
        text = last_try.partition("\n")[2]
    lines = [line for line in text.split("\n") if line.strip()]
    errors = [line for line in lines if ": error: " in line]
    return in_a_line((errors or lines or ["it ended without a word"])[-1].rpartition(": error: ")[2])


def digest_of(folder: Path) -> str | None:
    """From what a run was made, as its YAML's second line tells; None where there is none."""
    try:
        with config_of(folder).open(encoding="utf-8") as file:
            file.readline()
            return file.readline().removeprefix("# made from ").strip()
    except OSError:
        return None


def is_made(folder: Path, digest: str) -> bool:
    """Whether a run is finished, from these arguments and earlier runs."""
    return is_finished(folder) and digest_of(folder) == digest


def main() -> None:
    name, threads = sys.argv[1:]
    if not study_lives():
        sys.exit("the study has ended")
    plan = json.loads(PLAN.read_text(encoding="utf-8"))
    run = next(run for run in plan["runs"] if run["name"] == name)
    study = Path.cwd()
    folder = study / name
    _wait_until_free(folder)
    lives = functools.partial(study_lives, study)
    with _gpus(study, plan["gpus"], int(run["resources"].get("gpu", 0))) as devices:
        os.chdir(plan["directory"])  # where the study was begun, so that paths mean what they mean there
        config = config_of(Path(plan["output_dir"], name))
        command = f"hf-procedural {run['recipe']} {config}"
        text = yaml.safe_dump(run["arguments"], sort_keys=False, allow_unicode=True)
        config.parent.mkdir(parents=True, exist_ok=True)
        write_text(config, f"# {command}\n# made from {run['digest']}\n{text}")
        words = [sys.executable, "-m", "hf_procedural.cli", run["recipe"], str(config)]
        if run["recipe"] in plan["resumes"]:
            words += ["--resume_from_checkpoint", "true"]
        for flag, value in run["launch"].items():
            words += [f"--{flag}"] if value is True else [f"--{flag}", str(value)]
        with log_of(folder).open("ab") as log:
            log.write(f"{TRY}{command}\n".encode())
            log.flush()
            code = _run(words, log, os.environ | {"OMP_NUM_THREADS": threads} | devices, lives)
            if code < 0:
                log.write(f"\n{command}: error: ended by {signal.Signals(-code).name}\n".encode())
    if code == 0 and not is_finished(folder):
        if run["recipe"] in plan["resumes"]:  # ended in time, with a checkpoint: by max_hours or SIGTERM
            sys.exit(_UNFINISHED)
        folder.mkdir(parents=True, exist_ok=True)  # of a recipe that trains nothing
        write_text(folder / RESULTS, json.dumps(evaluated(folder), indent=4) + "\n")
    sys.exit(code if code >= 0 else 128 - code)  # of a signal, as shells have it


def evaluated(folder: Path) -> dict[str, float]:
    """What run_suite.py measured, by ``eval_TASK_METRIC``; empty of a recipe that measures nothing."""
    figures = {}
    for file in sorted(folder.glob("evaluation_*.json")):
        report = read_mapping(file)
        figures |= {f"eval_{row['task']}_{row['metric']}": row["value"] for row in report["figures"]}
        figures |= {"eval_core_acc": report["core"]} if "core" in report else {}
    return {re.sub(r"[^\w@.-]+", "_", name): value for name, value in figures.items()}


def _wait_until_free(folder: Path) -> None:
    """Waits for a run that a killed study has left, and that is about to end."""
    for _ in range(PATIENCE):
        with contextlib.suppress(ValueError):
            check_free(folder)
            return
        time.sleep(1)


@contextlib.contextmanager
def _gpus(study: Path, known: list[str], count: int):
    """The environment of a recipe with `count` of the GPUs that the study has here, its own alone among the runs.

    Raises TimeoutError where so many do not become free; Snakemake begins no more runs than there are GPUs for.
    """
    if not known:  # there is none, or a cluster hands them out
        yield {}
        return
    taken: dict[str, int] = {}
    try:
        for attempt in range(PATIENCE):
            if attempt and len(taken) < count:
                time.sleep(1)  # for a run that a killed study has left
            for device in known:
                if len(taken) < count and device not in taken:
                    _take(study, device, taken)
        if len(taken) < count:
            raise TimeoutError(f"{count} of the GPUs {', '.join(known)} did not become free")
        yield {"CUDA_VISIBLE_DEVICES": ",".join(taken)}
    finally:
        for descriptor in taken.values():
            os.close(descriptor)


def _take(study: Path, device: str, taken: dict[str, int]) -> None:
    name = re.sub(r"[^\w-]", "_", device)
    file = study / HIDDEN / f"gpu_{name}.lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT)  # which the kernel closes with this process, and so frees
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
    else:
        taken[device] = descriptor


def gpus_here() -> list[str]:
    """The NVIDIA GPUs that may be used here, as CUDA_VISIBLE_DEVICES has them; does not import torch."""
    count = len([*DEVICES.glob("nvidia[0-9]*")])
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None or not count:
        return [*map(str, range(count))]
    return [word.strip() for word in visible.split(",") if word.strip()]


def _run(words: list[str], log, environment: dict, lives: Callable[[], bool]) -> int:
    """Runs a recipe, which ends with this process and with the study's; gives its exit code."""
    process = subprocess.Popen(words, stdout=log, stderr=log, env=environment, preexec_fn=ends_with_parent())
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    signal.signal(signal.SIGINT, lambda *_: None)  # of Ctrl-C, which the recipe gets, too
    while True:
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if not lives():
                process.terminate()


def ends_with_parent(number: int = signal.SIGTERM) -> Callable[[], None] | None:
    """For Popen's preexec_fn: has Linux send the new process a signal when this one is gone, killed even.

    The process gets SIGINT, too, where this one does not, as behind a shell's &.
    """
    if os.name != "posix":
        return None
    parent = os.getpid()

    def begin() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with contextlib.suppress(OSError, AttributeError):  # not of Linux
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # which was killed just before
            os._exit(1)

    return begin


def study_lives(study: Path = Path()) -> bool:
    """Whether the study's command still wants this run; where none is known, it does."""
    own = os.environ.get(STUDY)
    if own is None:
        return True
    number = int(own.partition(":")[0])
    try:
        is_there = number == 0 or psutil.Process(number).status() != psutil.STATUS_ZOMBIE
        return is_there and (study / LIVES).read_text(encoding="utf-8") == own
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False


if __name__ == "__main__":
    main()
