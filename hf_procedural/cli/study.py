"""hf-procedural study: a comparison of arms, in stages, from one YAML."""

import sys

from .. import accepted
from ..terminal import tell
from ..training import catalogue
from .command import add_command

_STUDY = """Runs a study, a comparison of arms in stages, and reports on it.

Stages are recipes whose lists are arms, with seeds, controls and matched arms: a graph of run folders.

    hf-procedural study laptop --dry_run       # the graph: tokens, hours
    hf-procedural study laptop
    hf-procedural study laptop --seeds 0 1 2   # only the new ones are run
    hf-procedural study laptop --executor slurm --jobs 200
    hf-procedural study laptop --report        # of what is there

A run is finished with its eval_results.json. The same command goes on with a
study that was interrupted, and makes anew what depends on an argument that has
changed; what was there before is kept in OUTPUT/.study/replaced. A failed run
leaves the others alone. Snakemake runs the graph; what stands behind -- are
words of its command line, such as -- --profile slurm."""


def add_commands(commands) -> None:
    """Adds it to argparse's `commands`."""
    added = add_command(commands, "study", study, _STUDY)
    about = f"A YAML (docs/guides/studies.md), or one that comes with the package: {', '.join(catalogue.studies())}."
    added.add_argument("study", metavar="STUDY", help=about)
    added.add_argument("--output_dir", metavar="DIR", help="Folder of all runs (default: the YAML's, else runs/NAME).")
    added.add_argument("--seeds", type=int, nargs="+", metavar="N", help="In place of the YAML's.")
    added.add_argument("--dry_run", action="store_true", help="Print the graph; run nothing, write nothing.")
    added.add_argument("--report", action="store_true", help="Report on what is there; run nothing.")
    added.add_argument("--metric", metavar="NAME", help="Of the report (default: answer_accuracy, else loss).")
    added.add_argument("--threshold", type=float, default=0.9, help="Accuracy whose step is shown (default: 0.9).")
    added.add_argument("--method", choices=("t", "bootstrap"), default="t", help="Of the intervals (default: t).")
    added.add_argument("--cores", type=int, metavar="N", help="Of this machine, for all runs (default: all).")
    added.add_argument("--executor", default="local", metavar="NAME", help="Snakemake's: local, slurm, kubernetes ...")
    added.add_argument("--jobs", type=int, metavar="N", help="Runs at a time, on a cluster (default: all).")
    added.ranges |= {"threshold": accepted.Accepted("above 0 and at most 1", lambda value: 0 < value <= 1)}
    added.ranges |= {"seeds": accepted.least(0), "cores": accepted.least(1), "jobs": accepted.least(1)}


def study(args) -> None:
    """Runs it. Raises ValueError for a mistake, before it writes; ends with 2 where a run has failed."""
    from ..locks import holding
    from ..runs.read import sign_of
    from ..studies import engine, job, outlook
    from ..studies.graph import Graph
    from ..studies.reading import read

    if args.metric is not None and not sign_of(args.metric):  # most mistakes, before the runs
        raise ValueError(f"metric must be a measure of quality, as answer_accuracy or loss, got {args.metric!r}")
    graph = Graph(read(catalogue.study_of(args.study), args.output_dir, args.seeds))
    output = graph.study.output
    engine.open_folder(graph.study)
    if args.dry_run:
        tell(outlook.outlook(graph))
        return
    from ..studies import report

    is_made = True
    if args.report and not (output / job.PLAN).is_file():
        raise ValueError(f"no study in {output} yet: run it first, without --report")
    if not args.report:
        engine.check(args.executor, args.words)
        with holding(output):
            is_made = engine.make(graph, args.executor, args.cores, args.jobs, args.words)
    text = report.write(engine.plan_of(graph), output, args.metric, args.threshold, args.method)
    summary = text.split("\n\n")[1]
    tell(f"{summary} Report: {output / 'index.html'}, {output / 'report.md'}")
    if not is_made:
        again = f"hf-procedural study {args.study}"
        tell(f"hf-procedural: error: not all runs are made; the same command goes on: {again}", error=True)
        sys.exit(2)
