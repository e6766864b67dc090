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

from tqdm import tqdm

from ..files import check_folder, read_mapping, write_text
from ..runs.folder import RESULTS, is_finished
from ..terminal import tell
from ..training import catalogue, parser
from . import job
from .graph import Graph, Planned, own_arguments
from .job import HIDDEN
from .reading import Study

_SNAKEFILE = Path(__file__).with_name("Snakefile")
_SMALL = 10_000_000  # weights of a model whose run is as fast on one core as on several
_ALWAYS = ["--quiet", "all", "--nolock", "--keep-going", "--rerun-triggers", "mtime", "--ignore-incomplete"]
_ALWAYS += ["--drop-metadata", "--scheduler", "greedy"]  # the other solves an integer program for each choice
_READS = "import sys; from snakemake.cli import parse_args; parse_args(sys.argv[1:])"


def left(graph: Graph) -> list[Planned]:
    """The runs that are still to be made, in their order."""
    output = graph.study.output
    return [planned for name, planned in graph.runs.items() if not job.is_made(output / name, planned.digest)]


def open_folder(study: Study) -> None:
    """Raises ValueError where a study's folder is another study's, or holds anything else. Writes nothing.

    Whether another command is making its runs is for locks.holding.
    """
    plan = study.output / job.PLAN
    if not plan.is_file():
        check_folder(study.output, ours=rf"{re.escape(HIDDEN)}")
        return
    name = read_mapping(plan).get("name")
    if name != study.name:
        raise ValueError(f"output_dir {study.output} is of the study {name!r}, not of {study.name!r}: choose another")


def _put_aside(graph: Graph) -> None:
    """Moves runs that were made from other arguments, with their logs, to .study/replaced, and tells so.

    The YAML, which says from what a run was made, comes last, so that a command that was killed here is no trap.
    """
    output = graph.study.output
    replaced = output / HIDDEN / "replaced" / time.strftime("%Y-%m-%d_%H-%M-%S")
    names = []
    for name, planned in graph.runs.items():
        folder = output / name
        digest = job.digest_of(folder)
        if digest == planned.digest or (digest is None and not is_finished(folder)):
            continue
        names.append(name)
        for there in (folder, job.log_of(folder), job.config_of(folder)):
            if there.exists():
                to = replaced / there.relative_to(output)
                to.parent.mkdir(parents=True, exist_ok=True)
                there.rename(to)
    if names:
        others = f" and {len(names) - 1} others" if len(names) > 1 else ""
        tell(f"made from other arguments: {names[0]}{others}; kept in {replaced}", flush=True)


def plan_of(graph: Graph, gpus: list[str] | None = None) -> dict:
    """All that Snakemake, its jobs and the report need, as plain values; `gpus` are those that a study has here."""
    gpus = gpus or []
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
                "resources": _resources(planned, len(gpus)),
            }
        )
    recipes = {planned.recipe for planned in graph.runs.values()}
    options = {name: parser.of_recipe(catalogue.script_of(name)).options for name in recipes}
    return {
        "name": graph.study.name,
        "directory": str(Path.cwd()),
        "gpus": gpus,
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


def check(executor: str, words=()) -> None:
    """Raises ImportError where Snakemake, or its plugin for an executor, is not installed, ValueError for the rest."""
    if importlib.util.find_spec("snakemake") is None:
        raise ImportError("a study is run by Snakemake: pip install 'hf-procedural[study]'")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", executor):
        raise ValueError(f"executor must be local, or the name of a plugin of Snakemake's, got {executor!r}")
    plugin = f"snakemake_executor_plugin_{executor.replace('-', '_')}"
    if executor != "local" and importlib.util.find_spec(plugin) is None:
        raise ImportError(f"executor {executor} is a plugin: pip install snakemake-executor-plugin-{executor}")
    if words:
        _check_words(executor, words)


def _check_words(executor: str, words) -> None:
    """Raises ValueError for what Snakemake does not take, in its own last line."""
    reads = [sys.executable, "-c", _READS, *_ALWAYS, "--executor", executor, "--snakefile", str(_SNAKEFILE), *words]
    done = subprocess.run(reads, capture_output=True, text=True, check=False)
    if done.returncode:
        line = (done.stderr.strip().splitlines() or ["unknown words"])[-1]
        raise ValueError(f"snakemake does not take {' '.join(words)}: {line.rpartition('error: ')[2]}")


def make(graph: Graph, executor: str = "local", cores: int | None = None, jobs: int | None = None, words=()) -> bool:
    """Makes the runs that are left, and tells of each how it ended; whether all are made now.

    `words` are of snakemake's own command line. The study's folder is to be held. However this is left, what was
    started ends: here within the time that a run takes to end, and of a cluster Snakemake cancels the jobs.
    """
    output = graph.study.output
    _put_aside(graph)
    to_do = left(graph)
    gpus = job.gpus_here() if executor == "local" else []
    (output / HIDDEN).mkdir(parents=True, exist_ok=True)
    write_text(output / job.PLAN, json.dumps(plan_of(graph, gpus), indent=1, default=str))
    shutil.copyfile(_SNAKEFILE, output / HIDDEN / "Snakefile")
    if not to_do:
        return True
    sizes = {planned.name: _size(job.log_of(output / planned.name)) for planned in to_do}
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(output / HIDDEN / "Snakefile")]
    command += ["--directory", str(output), "--executor", executor]
    command += ["--cores", str(cores or os.cpu_count() or 1)] if executor == "local" else []
    command += ["--jobs", str(jobs or "unlimited")] if jobs or executor != "local" else []
    command += ["--resources", f"gpu={len(gpus)}"] if gpus else []
    with (output / HIDDEN / "snakemake.log").open("wb") as log, _living(output, executor) as environment:
        process = subprocess.Popen(
            [*command, *_ALWAYS, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # else Ctrl-C would reach it twice, and break into its cancelling of jobs
            preexec_fn=job.ends_with_parent(signal.SIGINT),
        )
        with _ending(process, output):
            code = _watch(process, output, to_do)
    missing = [planned for planned in to_do if not job.is_made(output / planned.name, planned.digest)]
    _tell_missing(output, missing, sizes, code)
    return not missing


def _tell_missing(output: Path, missing: list[Planned], sizes: dict[str, int], code: int) -> None:
    """Tells why runs are missing; `sizes` had their logs in bytes before Snakemake began, which ended with `code`."""
    names = {planned.name for planned in missing}
    tried = {name for name in names if _size(job.log_of(output / name)) > sizes[name]}
    own = output / HIDDEN / "snakemake.log"
    if code < 0:
        tell(f"snakemake was ended by {signal.Signals(-code).name}, and its runs with it", error=True)
        return
    if code and not tried:
        tell(f"snakemake ended with {code}: {job.last_line(own)} (log: {own})", error=True)
    for planned in missing:
        log = job.log_of(output / planned.name)
        first = planned
        while waits_for := [before for before in first.after if before.name in names]:
            first = waits_for[0]
        if planned.name in tried:
            tell(f"{planned.name}: failed: {job.last_line(log)} (log: {log})", error=True)
        elif first is planned:
            tell(f"{planned.name}: not begun (log: {own})", error=True)
        else:
            why = "failed" if first.name in tried else "was not begun"
            tell(f"{planned.name}: not begun, since {first.name} {why}", error=True)


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


@contextlib.contextmanager
def _living(output: Path, executor: str):
    """The environment of Snakemake, while this process lives and wants its runs, which watch that."""
    own = f"{os.getpid() if executor == 'local' else 0}:{time.time_ns()}"
    write_text(output / job.LIVES, own)
    try:
        yield os.environ | {job.STUDY: own}
    finally:
        (output / job.LIVES).unlink(missing_ok=True)


@contextlib.contextmanager
def _ending(process: subprocess.Popen, output: Path):
    """Ends Snakemake, and so its runs, with this block, however that is left.

    At SIGINT Snakemake cancels the jobs of a cluster, while at SIGTERM it waits for them (9.27); those that it does not
    know while it asks for their states miss their file.
    """
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        (output / job.LIVES).unlink(missing_ok=True)
        if process.poll() is None:
            process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(job.PATIENCE)


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
    results = json.loads((output / planned.name / RESULTS).read_text(encoding="utf-8"))
    shown = [f"{name.removeprefix('eval_')} {results[name]:.4f}" for name in _SHOWN if name in results]
    return f": {', '.join(shown)}" if shown else ""


_SHOWN = ("eval_answer_accuracy", "eval_exact_match", "eval_loss")
