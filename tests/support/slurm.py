"""A Slurm of one machine: its commands, as far as Snakemake's executor asks for them, and jobs that are processes.

`with_slurm` of cluster.py notes what datatrove submits; here jobs are run.
"""

import os
import sys
from pathlib import Path

COMMANDS = ("sbatch", "srun", "sacct", "squeue", "scancel", "sinfo", "scontrol", "sacctmgr")
_SCRIPT = """#!{python}
import os, signal, subprocess, sys, time
from pathlib import Path

jobs, name, words = Path("{jobs}"), Path(sys.argv[0]).name, sys.argv[1:]


def states():
    for folder in sorted(jobs.iterdir(), key=lambda folder: int(folder.name)):
        code = folder / "code"
        state = "RUNNING" if not code.exists() else "COMPLETED" if code.read_text().strip() == "0" else "FAILED"
        yield folder.name, "CANCELLED" if (folder / "cancelled").exists() else state


if name == "sbatch":
    number = len(list(jobs.iterdir())) + 1
    folder = jobs / str(number)
    folder.mkdir()
    wrapped = next(word for word in words if word.startswith("--wrap=")).removeprefix("--wrap=")
    (folder / "words").write_text("\\0".join(word for word in words if not word.startswith("--wrap=")))
    (folder / "script").write_text(wrapped)
    log = words[words.index("--output") + 1].replace("%j", str(number))
    command = f"sh {{folder}}/script; echo $? > {{folder}}/code.tmp; mv {{folder}}/code.tmp {{folder}}/code"
    with open(log, "wb") as stream:
        process = subprocess.Popen(
            ["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
            env=os.environ | {{"SLURM_JOB_ID": str(number), "SLURM_JOBID": str(number)}},
        )
    (folder / "pid").write_text(str(process.pid))
    print(number)
elif name == "srun":
    while words[0].startswith("-"):
        words.pop(0)
    os.execvp(words[0], words)
elif name == "scancel":
    for number in words:
        (jobs / number / "cancelled").touch()
        os.killpg(int((jobs / number / "pid").read_text()), signal.SIGTERM)  # of all that the job has started
elif name == "sacct" and "--name" in words:
    for number, state in states():
        print(f"{{number}}|{{state}}")
elif name == "sinfo":
    print("PARTITION\\ncpu*")
elif name == "scontrol":
    print("MinJobAge = 300 sec\\nMaxArraySize = 1001")
"""


class Slurm:
    """Its jobs, each with the words that sbatch got and the script that it ran."""

    def __init__(self, monkeypatch, folder: Path):
        self.jobs = folder / "jobs"
        self.jobs.mkdir(parents=True)
        bin_ = folder / "bin"
        bin_.mkdir()
        for name in COMMANDS:
            (bin_ / name).write_text(_SCRIPT.format(python=sys.executable, jobs=self.jobs))
            (bin_ / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(bin_), prepend=os.pathsep)

    def words(self) -> list[list[str]]:
        """What each sbatch got, but for the script."""
        return [(self.jobs / number / "words").read_text().split("\0") for number in self._numbers()]

    def scripts(self) -> list[str]:
        return [(self.jobs / number / "script").read_text() for number in self._numbers()]

    def groups(self) -> list[int]:
        """The process groups of the jobs."""
        return [int((self.jobs / number / "pid").read_text()) for number in self._numbers()]

    def cancelled(self) -> list[str]:
        return sorted(folder.parent.name for folder in self.jobs.glob("*/cancelled"))

    def _numbers(self) -> list[str]:
        return sorted((folder.name for folder in self.jobs.glob("*") if (folder / "pid").exists()), key=int)


def named(words: list[str]) -> dict[str, str]:
    """Flags with their values.

    >>> named(["--mem", "100", "--gpus=1", "-t", "5", "--parsable", "-p", "gpu"])
    {'--mem': '100', '--gpus': '1', '-t': '5', '--parsable': '', '-p': 'gpu'}
    """
    flags = {}
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            flags[name] = value if equals else "" if after.startswith("-") else after
    return flags
