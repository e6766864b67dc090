"""One run of a study, as Snakemake starts it in the study's folder: python -m hf_procedural.studies.job RUN THREADS.

It writes the run's YAML, runs its recipe with it, what that prints into a log beside the folder, and goes on where an
earlier try ended.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import yaml

from ..files import write_text
from ..locks import check_free
from ..runs.folder import is_finished

PLAN = Path(".study/plan.json")
MARK = "eval_results.json"
STUDY = "HF_PROCEDURAL_STUDY"  # the process of the study, where that is on this machine, and when it began
_PR_SET_PDEATHSIG = 1  # of linux/prctl.h
_PATIENCE = 120  # seconds that a run may take to save a checkpoint and end


def config_of(folder: Path) -> Path:
    """The YAML of a run, beside its folder."""
    return folder.with_name(f"{folder.name}.yaml")


def log_of(folder: Path) -> Path:
    """What a run's recipe has printed."""
    return folder.with_name(f"{folder.name}.log")


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
    plan = json.loads(PLAN.read_text(encoding="utf-8"))
    run = next(run for run in plan["runs"] if run["name"] == name)
    study = Path.cwd()
    folder = study / name
    if study_is_here() and not _study_lives():
        sys.exit("the study has ended")
    _wait_until_free(folder)
    os.chdir(plan["directory"])  # where the study was begun, so that paths mean what they mean there
    config = Path(plan["output_dir"], name).with_suffix(".yaml")
    command = f"hf-procedural {run['recipe']}"
    text = yaml.safe_dump(run["arguments"], sort_keys=False, allow_unicode=True)
    write_text(config, f"# {command} {config}\n# made from {run['digest']}\n{text}")
    words = [sys.executable, "-m", "hf_procedural.cli", run["recipe"], str(config)]
    if run["recipe"] in plan["resumes"]:
        words += ["--resume_from_checkpoint", "true"]
    for flag, value in run["launch"].items():
        words += [f"--{flag}"] if value is True else [f"--{flag}", str(value)]
    environment = os.environ | {"OMP_NUM_THREADS": threads}
    environment |= _gpus(study, int(run["resources"].get("gpu", 0)))
    with log_of(folder).open("ab") as log:
        code = _run(words, log, environment)
    if code == 0 and not (folder / MARK).is_file():  # of a recipe that trains nothing
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / MARK, "{}\n")
    sys.exit(code)


def _wait_until_free(folder: Path) -> None:
    """Waits for a run that a killed study has left, and that is about to end."""
    for _ in range(_PATIENCE):
        with contextlib.suppress(ValueError):
            check_free(folder)
            return
        time.sleep(1)


def _gpus(study: Path, count: int) -> dict[str, str]:
    """CUDA_VISIBLE_DEVICES of `count` GPUs of this machine, which are this process's alone among the study's.

    Empty where none were asked for, or a cluster hands them out.
    """
    if not count or not study_is_here():
        return {}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    taken = []
    for device in visible.split(",") if visible else map(str, range(gpus_here())):
        descriptor = os.open(study / ".study" / f"gpu_{device}.lock", os.O_RDWR | os.O_CREAT)  # closed with the process
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken.append(device)
        if len(taken) == count:
            break
    return {"CUDA_VISIBLE_DEVICES": ",".join(taken)}


def gpus_here() -> int:
    """The NVIDIA GPUs of this machine, without importing torch."""
    return len([*Path("/dev").glob("nvidia[0-9]*")])


def _run(words: list[str], log, environment: dict) -> int:
    """Runs a recipe, which ends with this process and with the study's; gives its exit code."""
    process = subprocess.Popen(words, stdout=log, stderr=log, env=environment, preexec_fn=end_with_parent)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    signal.signal(signal.SIGINT, lambda *_: None)  # of Ctrl-C, which the recipe gets, too, and saves a checkpoint
    while True:
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if study_is_here() and not _study_lives():
                process.terminate()


def end_with_parent() -> None:
    """In a new process: has Linux send it SIGTERM when the one that started it is gone, killed even."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def study_is_here() -> bool:
    """Whether the study runs on this machine, and not on a cluster's."""
    return STUDY in os.environ


def _study_lives() -> bool:
    number, _, began = os.environ[STUDY].partition(":")
    try:
        return psutil.Process(int(number)).create_time() == float(began)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    main()
