"""Studies whose runs take no time: see quick/sitecustomize.py."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from hf_procedural import cli
from support.running import ROOT, TESTS

QUICK = TESTS / "support" / "quick"
COMMAND = "import sys; from hf_procedural.cli import main; sys.exit(main())"
TWO_STAGES = """
seeds: [0]
stages:
  warmup:
    recipe: pretrain
    task: [sort-8, set-8]
    size: 2_4_16
    max_steps: 10
  probe:
    recipe: pretrain
    task: reverse-8
    size: 2_4_16
    max_steps: 20
    init_from: [warmup, attn=warmup/set*]
"""


class Quick:
    """A folder with a study.yaml, whose runs do nothing but tell that they were there."""

    def __init__(self, folder: Path, content: str = TWO_STAGES):
        self.folder, self.runs = folder, folder / "runs/study"
        self.write(content)
        self.log = folder / "log.jsonl"

    def write(self, content: str) -> None:
        (self.folder / "study.yaml").write_text(content)

    def environment(self, settings: dict) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(QUICK), str(ROOT), os.environ.get("PYTHONPATH")]))
        return {"PYTHONPATH": path, "QUICK": json.dumps(settings), "QUICK_LOG": str(self.log)}

    def here(self, monkeypatch, capsys, *words, **settings) -> tuple[int, str, str]:
        """Runs hf-procedural study in this process: its exit code, and what it printed on both streams."""
        for name, value in self.environment(settings).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(self.folder)
        capsys.readouterr()
        code = 0
        try:
            cli.main(["study", "study.yaml", *map(str, words)])
        except SystemExit as exit_:
            code = exit_.code
        return (code, *capsys.readouterr())

    def start(self, *words, **settings) -> subprocess.Popen:
        """Begins hf-procedural study in a process and a group of its own."""
        words = [sys.executable, "-c", COMMAND, "study", "study.yaml", *map(str, words)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # which pytest may not hear
        return subprocess.Popen(words, cwd=self.folder, env=os.environ | self.environment(settings), **options)

    def told(self, what: str = "begins") -> list[dict]:
        """What runs told, in the order of time."""
        if not self.log.is_file():
            return []
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line["what"] == what]

    def begun(self) -> list[str]:
        """The names of runs that have begun since this was asked last, sorted."""
        names = [(self.folder / line["folder"]).relative_to(self.runs).as_posix() for line in self.told()]
        self.log.unlink(missing_ok=True)
        return sorted(names)

    def results(self) -> dict[str, str]:
        """The results of all runs, by name."""
        files = sorted(self.runs.glob("*/*/seed_*/eval_results.json"))
        return {file.parent.relative_to(self.runs).as_posix(): file.read_text() for file in files}


def state_of(folder: Path) -> dict:
    """All files below a folder, with their times and sizes."""
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}
