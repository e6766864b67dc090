# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural"]
# ///
"""Algorithmic probes: what does a model learn from here, compared with the same model from elsewhere?

    accelerate launch recipes/probe.py recipes/configs/probe_haystack.yaml
    accelerate launch recipes/probe.py recipes/configs/probe_haystack.yaml --init_from scratch runs/dyck --seeds 0 1 2
    accelerate launch recipes/probe.py recipes/configs/probe_haystack.yaml \\
        --init_from scratch runs/dyck permuted:runs/dyck statistics:runs/dyck
    accelerate launch recipes/probe.py runs/probe_haystack/recipe.yaml --resume_from_checkpoint true

A study is every task from every initialisation (an arm; "scratch" is a new model) with every seed. Each run is one of
recipes/pretrain.py, with rows made on the fly, in OUTPUT/TASK/ARM/seed_N. The study folder gets report.md, report.csv
and report.png: all arms' accuracies, and how much of an arm's gain over scratch its controls reproduce; where a task
has a test_length, accuracy by length, and lengths.png. Finished runs are not run again, an interrupted one goes on
where it stopped.
"""

import contextlib
import copy
import dataclasses
import re
import sys
from pathlib import Path

from hf_procedural import metrics
from hf_procedural.errors import program, user_errors
from hf_procedural.files import recipes_folder
from hf_procedural.locks import holding
from hf_procedural.models.words import parse_sources
from hf_procedural.runs import report
from hf_procedural.runs.checkpoints import STATE
from hf_procedural.runs.folder import PROJECT, is_finished, open_study, save_provenance
from hf_procedural.runs.read import read_runs
from hf_procedural.terminal import tell
from hf_procedural.training import parser
from hf_procedural.training.arguments import SCRATCH, InitArguments, ModelArguments, RowArguments, StageSettings


@dataclasses.dataclass
class StudyArguments(InitArguments):
    """Which probes, from where, with which seeds."""

    _argument_group_name = "study"

    task: list[str] = dataclasses.field(
        default_factory=lambda: ["haystack-30"], metadata={"help": "One or several tasks, such as haystack-30."}
    )
    task_parameters: dict | str | None = dataclasses.field(
        default=None, metadata={"help": "The tasks' other parameters as JSON."}
    )
    task_file: str | None = dataclasses.field(
        default=None, metadata={"help": "A Python file with tasks of your own (docs/guides/your-own-task.md)."}
    )
    validation_size: int = dataclasses.field(default=4_000, metadata={"help": "Validation rows."})
    init_from: list[str] = dataclasses.field(
        default_factory=lambda: [SCRATCH],
        metadata={
            "help": "The arms: scratch, and sources of weights as in recipes/pretrain.py: DIR, permuted:DIR, "
            "attn=DIR,mlp=DIR ..."
        },
    )
    seeds: list[int] = dataclasses.field(default_factory=lambda: [0], metadata={"help": "A run of each arm for each."})
    num_proc: int | None = dataclasses.field(
        default=None,
        metadata={
            "help": "Runs at a time, which share the cores, or the GPU; each has a log, seed_N.log, beside its folder. "
            "Default: on CPUs, for models of up to 10 million weights, one for each core and each 2 GB of free memory; "
            "else one."
        },
    )

    def __post_init__(self):
        super().__post_init__()
        self.task_parameters = RowArguments(
            task_parameters=self.task_parameters, task_file=self.task_file
        ).task_parameters

    def check(self) -> None:
        """Raises ValueError for a task or a source that is none."""
        for name in self.task:
            RowArguments(name, self.task_parameters, validation_size=self.validation_size).check()
        for arm in self.init_from:
            InitArguments(init_from=arm).check()
        if self.layers and {*self.init_from} == {SCRATCH}:
            raise ValueError(f"layers {' '.join(self.layers)}: there is no model to copy them from; give --init_from")


parser.answer_early(__name__, __doc__, StudyArguments, ModelArguments, StageSettings)

sys.path.append(str(recipes_folder()))  # of the package, where this script was sent somewhere alone
import pretrain
import psutil
import torch

from hf_procedural.hub.runs import train_and_publish
from hf_procedural.training import begin, together
from hf_procedural.training.interruption import OutOfTime, resuming
from hf_procedural.training.launch import expect_threads, keep_memory
from hf_procedural.training.stage_arguments import StageArguments


def runs_of(study, model_args, args):
    """The arguments of every run, seed by seed, so that the first comparison of all arms comes early."""
    folders = {arm: re.sub(r"[^\w.+=,*-]+", "_", arm.strip("/")) for arm in study.init_from}
    arms = {arm: arm if arm == SCRATCH else str(parse_sources(arm)) for arm in study.init_from}
    twice = [
        ("task", study.task),
        ("seeds", study.seeds),
        ("init_from", arms.values()),
        ("init_from", folders.values()),
    ]
    for name, values in twice:
        if len(set(values)) < len(getattr(study, name)):
            raise ValueError(f"{name}: something is named twice in {' '.join(map(str, getattr(study, name)))}")
    sources = [arm for arm in study.init_from if arm != SCRATCH]
    if sources:  # one model for all arms
        model_args = model_args.like(InitArguments(init_from=sources[0]).config_source())
    for task in study.task:
        data = RowArguments(
            task, study.task_parameters, study.task_file, validation_size=study.validation_size, streaming=True
        )
        for seed in study.seeds:
            for arm in study.init_from:
                shared = {field.name: getattr(study, field.name) for field in dataclasses.fields(InitArguments)}
                init = InitArguments(**shared | {"init_from": arm})
                run_args = copy.deepcopy(args)
                run_args.seed = seed
                folder = Path(args.output_dir) / task / folders[arm] / f"seed_{seed}"
                run_args.output_dir = str(folder)
                study_name = args.run_name or Path(args.output_dir).absolute().name
                run_args.run_name = f"{study_name}_{task}_{folders[arm]}_seed_{seed}"
                if args.push_to_hub:
                    run_args.hub_model_id = _repo_of(study, args, f"{task}-{folders[arm]}-seed_{seed}")
                run_args.resume_from_checkpoint = "true" if folder.is_dir() else None
                yield arm, data, init, model_args, run_args


def _repo_of(study, args, run: str) -> str:
    """The model repo of a run: `hub_model_id`, to which a study of several runs adds the run's name."""
    base = args.hub_model_id or Path(args.output_dir).absolute().name
    several = len(study.task) * len(study.seeds) * len(study.init_from) > 1
    return base + re.sub(r"[^\w.-]+", "_", f"-{run}") if several else base


def run_one(label: str, run: list) -> str:
    """Trains one run of the study; gives its result as a line."""
    results = train_and_publish(pretrain.prepare(*run), *run[:-1])
    return f"{label}: " + ", ".join(f"{name} {results[f'eval_{name}']:.4f}" for name in metrics.NAMES)


def run_beside(label: str, run: list, threads: int) -> str:
    """As `run_one`, in a process beside others."""
    begin.hide_mask_warning()
    keep_memory()
    torch.set_num_threads(threads)
    run[-1].disable_tqdm = True  # of a log
    return run_one(label, run)


def main():
    study, model_args, args = parser.parse(__doc__, StudyArguments, ModelArguments, StageArguments)
    begin.hide_mask_warning()
    with user_errors():
        args.output_dir = args.output_dir or "runs/probe"
        if args.project == PROJECT:  # of trackio: one for the study
            args.project = Path(args.output_dir).absolute().name
        if (study.num_proc or 1) > 1 and args.world_size > 1:
            raise ValueError(f"num_proc must be 1 with several processes, got {study.num_proc}")
        open_study(args, study, model_args)
        all_runs = list(runs_of(study, model_args, args))
        runs = [run for run in all_runs if not is_finished(run[-1].output_dir)]
        weights = [pretrain.prepare(*run).model.num_parameters() for _, *run in runs]  # finds all that can be wrong
    # Of all runs, not of those that are left: a run has as many threads, and so the same rounding, when it goes on.
    on_cpu = max(weights, default=0) if args.device.type == "cpu" and args.world_size == 1 else None
    free = psutil.virtual_memory().available
    num_proc = together.at_a_time(study.num_proc, len(all_runs), torch.get_num_threads(), on_cpu, free)
    args.distributed_state.wait_for_everyone()  # all have looked at the folder
    with contextlib.ExitStack() as stack:
        with user_errors():
            stack.enter_context(holding(args.output_dir, is_main=args.should_save))
            if args.should_save:
                open_study(args, study, model_args)  # nobody began it with other arguments meanwhile
        run_all(study, model_args, args, runs, num_proc)
    expect_threads()


def run_all(study, model_args, args, runs: list, num_proc: int) -> None:
    """Trains all runs, and reports on them. Exit code 2 where one has failed, once the others are done."""
    save_provenance(args, study, model_args, stage="probe")
    labels = []
    for number, (arm, data, *_, run_args) in enumerate(runs, 1):
        labels.append(f"[{number}/{len(runs)}] {data.task}, {arm}, seed {run_args.seed}")
    jobs = [(label, run) for label, (_, *run) in zip(labels, runs, strict=True)]
    logs = [Path(f"{run[-1].output_dir}.log") for run in runs]
    if num_proc == 1:
        failed = in_turn(args, jobs)
    else:
        threads = max(1, torch.get_num_threads() // num_proc)
        tell(f"{len(runs)} runs, {num_proc} at a time with {threads} thread{'s'[: threads > 1]} each; logs: seed_N.log")
        failed = side_by_side(num_proc, [(*job, threads) for job in jobs], logs)
    has_some = any(Path(args.output_dir).rglob(STATE))
    if args.should_save and has_some:
        tell(report.write(read_runs([args.output_dir]), args.output_dir))
    if failed:
        again = f"this runs them again: {resuming(Path(args.output_dir))}"
        tell(f"{program()}: error: {failed} of {len(runs)} runs failed; {again}", error=True)
        sys.exit(2)


def in_turn(args, jobs: list) -> int:
    """Trains runs in this process; gives how many failed. Each of those has told why."""
    failed = 0
    for job in jobs:
        try:
            line = run_one(*job)
        except SystemExit:
            if args.world_size > 1:  # the other processes may not have met it
                raise
            failed += 1
            continue
        if args.should_save:
            tell(line, flush=True)
    return failed


def side_by_side(num_proc: int, jobs: list, logs: list[Path]) -> int:
    """Trains runs in processes of their own; gives how many failed. Raises OutOfTime where one has."""
    failed, late = 0, None
    with contextlib.closing(together.run_together(num_proc, run_beside, jobs, logs)) as ended:
        for number, run in ended:
            error = run.exception()
            if error is None:
                tell(run.result(), flush=True)
            elif isinstance(error, OutOfTime):
                late = error
            else:
                failed += 1
                reason = together.why(error, logs[number])
                tell(f"{jobs[number][0]}: failed: {reason} (log: {logs[number]})", error=True)
    if late is not None:
        raise late
    return failed


if __name__ == "__main__":
    main()
