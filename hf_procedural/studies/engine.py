"""Makes the runs of a study with Snakemake: here, or by its executors on Slurm, Kubernetes or a cloud.

Whether a run is made is for job.py's `is_made`: it is finished, and from the same arguments and earlier runs. Snakemake
is given what is left, and keeps the order.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from tqdm import tqdm

from ..files import check_folder, read_mapping, write_text
from ..locks import check_free
from ..terminal import in_a_line, tell
from ..training import catalogue, parser
from . import job
from .graph import Graph, Planned, own_arguments
from .reading import Study

HIDDEN = ".study"
_SMALL = 10_000_000  # weights of a model whose run is as fast on one core as on several
_QUIET = ["--quiet", "all", "--nolock", "--keep-going", "--rerun-triggers", "mtime", "--ignore-incomplete"]
_QUIET += ["--drop-metadata"]


def left(graph: Graph) -> list[Planned]:
    """The runs that are still to be made, in their order."""
    output = graph.study.output
    return [planned for name, planned in graph.runs.items() if not job.is_made(output / name, planned.digest)]


def open_folder(study: Study) -> None:
    """Raises ValueError where a study's folder is another study's, or holds anything else. Writes nothing."""
    plan = study.output / job.PLAN
    if not plan.is_file():
        check_folder(study.output, ours=rf"{re.escape(HIDDEN)}")
        return
    check_free(study.output)
    name = read_mapping(plan).get("name")
    if name != study.name:
        raise ValueError(f"output_dir {study.output} is of the study {name!r}, not of {study.name!r}: choose another")


def _put_aside(graph: Graph) -> None:
    """Moves runs that were made from other arguments, with their logs, to .study/replaced."""
    output = graph.study.output
    replaced = output / HIDDEN / "replaced" / time.strftime("%Y-%m-%d_%H-%M-%S")
    for name, planned in graph.runs.items():
        folder = output / name
        if job.digest_of(folder) in (None, planned.digest):
            continue
        tell(f"{name} was made from other arguments: it is in {replaced} now")
        for there in (folder, job.config_of(folder), job.log_of(folder)):
            if there.exists():
                to = replaced / there.relative_to(output)
                to.parent.mkdir(parents=True, exist_ok=True)
                there.rename(to)


def plan_of(graph: Graph, gpus: int = 0) -> dict:
    """All that Snakemake, its jobs and the report need, as plain values."""
    to_do = {planned.name for planned in left(graph)}
    runs = []
    for name, planned in graph.runs.items():
        amount = planned.amount
        runs.append(
            {
                "name": name,
                "stage": planned.stage,
                "recipe": planned.recipe,
                "arm": planned.arm,
                "seed": planned.seed,
                "after": [before.name for before in planned.after],
                "matched": planned.matched,
                "tokens": amount and amount.tokens,
                "flops": (amount and amount.flops) or None,
                "digest": planned.digest,
                "to_do": name in to_do,
                "arguments": own_arguments(planned, graph.study.output),
                "launch": planned.launch,
                "resources": _resources(planned, gpus),
            }
        )
    recipes = {planned.recipe for planned in graph.runs.values()}
    options = {name: parser.of_recipe(catalogue.script_of(name)).options for name in recipes}
    return {
        "name": graph.study.name,
        "directory": str(Path.cwd()),
        "output_dir": str(graph.study.output),
        "resumes": sorted(name for name in recipes if "resume_from_checkpoint" in options[name]),
        "runs": runs,
    }


def _resources(planned: Planned, gpus: int) -> dict:
    own = dict(planned.resources)
    if gpus:
        own.setdefault("gpu", 1)
    if "threads" not in own:
        small = planned.amount is None or planned.amount.flops <= 6 * _SMALL * planned.amount.tokens
        own["threads"] = 1 if small else max(1, (os.cpu_count() or 1) // max(1, gpus))
    return own


def check(executor: str) -> None:
    """Raises ImportError where Snakemake, or its plugin for an executor, is not installed."""
    if importlib.util.find_spec("snakemake") is None:
        raise ImportError("a study is run by Snakemake: pip install 'hf-procedural[study]'")
    plugin = f"snakemake_executor_plugin_{executor.replace('-', '_')}"
    if executor not in ("local", "dryrun", "touch") and importlib.util.find_spec(plugin) is None:
        raise ImportError(f"executor {executor} is a plugin: pip install snakemake-executor-plugin-{executor}")


def make(graph: Graph, executor: str = "local", cores: int | None = None, jobs: int | None = None, words=()) -> bool:
    """Makes the runs that are left, and tells of each how it ended; whether all are made now.

    `words` are of snakemake's own command line. The study's folder is to be held.
    """
    output = graph.study.output
    _put_aside(graph)
    to_do = left(graph)
    gpus = job.gpus_here() if executor == "local" else 0
    (output / HIDDEN).mkdir(parents=True, exist_ok=True)
    write_text(output / job.PLAN, json.dumps(plan_of(graph, gpus), indent=1, default=str))
    shutil.copyfile(Path(__file__).with_name("Snakefile"), output / HIDDEN / "Snakefile")
    if not to_do:
        return True
    command = [sys.executable, "-m", "snakemake", "--snakefile", f"{HIDDEN}/Snakefile", "--executor", executor]
    command += ["--cores", str(cores or os.cpu_count() or 1)] if executor == "local" else []
    command += ["--jobs", str(jobs)] if jobs else []
    command += ["--resources", f"gpu={gpus}"] if gpus else []
    environment = dict(os.environ)
    if executor == "local":
        me = psutil.Process()
        environment[job.STUDY] = f"{me.pid}:{me.create_time()}"
    with (output / HIDDEN / "snakemake.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *_QUIET, *words],
            cwd=output,
            env=environment,
            stdout=log,
            stderr=log,
            preexec_fn=job.end_with_parent,
        )
        with _ending(process):
            code = _watch(process, output, to_do)
    missing = [planned for planned in to_do if not job.is_made(output / planned.name, planned.digest)]
    if code and not missing:
        tell(f"snakemake ended with {code}, see {output / HIDDEN / 'snakemake.log'}", error=True)
    for planned in missing:
        waits_for = [before.name for before in planned.after if before in missing]
        if waits_for:
            tell(f"{planned.name}: not begun, since {waits_for[0]} failed", error=True)
        else:
            tell(f"{planned.name}: failed: {_why(output, planned)}", error=True)
    return not missing


@contextlib.contextmanager
def _ending(process: subprocess.Popen):
    """Ends Snakemake, and so its runs, with this block, however that is left."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(job._PATIENCE)


def _watch(process: subprocess.Popen, output: Path, to_do: list[Planned]) -> int:
    """Tells of runs as they are made, until Snakemake ends; gives its exit code."""
    waiting = list(to_do)
    with tqdm(total=len(to_do), unit=" runs", disable=None) as bar:
        while True:
            try:
                code = process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                code = None
            made = [planned for planned in waiting if job.is_made(output / planned.name, planned.digest)]
            for planned in made:
                waiting.remove(planned)
                tell(f"[{len(to_do) - len(waiting)}/{len(to_do)}] {planned.name}{_result(output, planned)}", flush=True)
            bar.update(len(made))
            if code is not None:
                return code


def _result(output: Path, planned: Planned) -> str:
    results = json.loads((output / planned.name / job.MARK).read_text(encoding="utf-8"))
    shown = [f"{name.removeprefix('eval_')} {results[name]:.4f}" for name in _SHOWN if name in results]
    return f": {', '.join(shown)}" if shown else ""


_SHOWN = ("eval_answer_accuracy", "eval_exact_match", "eval_loss")


def _why(output: Path, planned: Planned) -> str:
    """The last line of a run's log that says something."""
    log = job.log_of(output / planned.name)
    if not log.is_file():
        return f"it left no log, see {output / HIDDEN / 'snakemake.log'}"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = [line for line in file.read().decode(errors="replace").replace("\r", "\n").split("\n") if line.strip()]
    errors = [line for line in lines if ": error: " in line]
    last = (errors or lines or ["nothing"])[-1]
    return f"{in_a_line(last.rpartition(': error: ')[2])} (log: {log})"
