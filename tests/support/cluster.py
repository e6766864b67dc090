"""A Slurm that only notes what it is given, and its jobs to run here."""

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

import dill

_SCONTROL = "#!/bin/sh\necho here\n"
_SBATCH = """#!{python}
import json, pathlib, sys
jobs = pathlib.Path("{jobs}")
known = json.loads(jobs.read_text()) if jobs.exists() else []
script = pathlib.Path(sys.argv[-1]).read_text()
jobs.write_text(json.dumps([*known, [sys.argv[1:-1], script]]))
print(f"Submitted batch job {{len(known) + 1}}")
"""


class Job(NamedTuple):
    """What sbatch was given: its words, and the script."""

    words: list[str]
    script: str

    def run(self, monkeypatch, task: int) -> None:
        """A task of the array, in this process."""
        monkeypatch.setenv("SLURM_NODELIST", "here")
        monkeypatch.setenv("SLURM_JOB_ID", "1")
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        file = re.search(r"launch_pickled_pipeline (\S+)", self.script)[1]
        with open(file, "rb") as stream:
            dill.load(stream).run()
        monkeypatch.delenv("SLURM_ARRAY_TASK_ID")


def with_slurm(monkeypatch, folder: Path) -> Path:
    """Puts sbatch and scontrol, which it writes into a folder, on the path; gives the file of `jobs_of`."""
    jobs = folder / "jobs.json"
    for name, script in (("sbatch", _SBATCH.format(python=sys.executable, jobs=jobs)), ("scontrol", _SCONTROL)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return jobs


def jobs_of(jobs: Path) -> list[Job]:
    """Those that run a pipeline; datatrove submits another one, which adds its statistics up."""
    made = [Job(*job) for job in json.loads(jobs.read_text())]
    return [job for job in made if "launch_pickled_pipeline" in job.script]
