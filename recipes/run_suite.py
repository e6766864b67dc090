# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural[eval]"]
# ///
"""Evaluates any checkpoint through lm-evaluation-harness: DCLM's Core, an offline suite, or tasks by name.

    python recipes/run_suite.py --model_name_or_path runs/recycle_400m --suite core
    python recipes/run_suite.py --model_name_or_path runs/organic runs/recycled --suite core \\
        --data local_data                                                                        # a column for each
    python recipes/run_suite.py --model_name_or_path runs/probe_haystack --suite offline         # every run of a study
    python recipes/run_suite.py --model_name_or_path ORG/MODEL --tasks mmlu haystack-30 core:lambada_openai --limit 100
    python recipes/run_suite.py --model_name_or_path ORG/MODEL --tasks my_tasks/ other/task.yaml --num_fewshot 5
    accelerate launch --multi_gpu --num_processes 8 recipes/run_suite.py --suite core \\
        --model_name_or_path runs/recycle_1_4b

core is the 22 tasks of DataComp-LM's Core with their shots, centred on chance and averaged, and MMLU beside them; what
differs from DCLM's own harness is told in hf_procedural/suites.py. It reads DCLM's files from MosaicML's llm-foundry on
GitHub, or from a copy of its folder scripts/eval/local_data (--data). offline needs no network: for a run of
pretrain.py, probe.py or rlvr.py, or one on DeepMind-Math, the validation rows of its own task, with the figures of its
eval_results.json; for a model that reads text, held-out text (pydoc, and the run's own validation text if it is on this
machine) and small probes in words, behind five solved ones each. --tasks takes names of our tasks (haystack-30), of
DCLM's (core:piqa) and any of lm-eval, and lm-eval's YAML tasks: a file, or a folder of them. Python that these name
(!function) is run with --confirm_run_unsafe_code alone.

A table is printed, and evaluation_SUITE.json holds all figures, with versions and settings: in the model's folder, or
in runs/evaluate_NAME for a model of the Hub. The figures of a run also go into its model card (README.md), so that they
are pushed with it.
"""

import dataclasses
import json
import logging
import os
import re
from pathlib import Path

from hf_procedural.errors import nearest, user_errors
from hf_procedural.evaluation import suites
from hf_procedural.terminal import tell
from hf_procedural.training import parser
from hf_procedural.training.arguments import TaskArguments


def check_device(name: str) -> None:
    """Raises ValueError for what is no device of this machine, for which lm-eval takes another."""
    import torch  # takes seconds, for those alone who name a device

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device must be cpu, cuda or cuda:N, got {name!r}") from error
    count = torch.cuda.device_count()
    if device.type not in ("cpu", "cuda") or (device.type == "cuda" and (device.index or 0) >= count):
        raise ValueError(f"device {name!r} is not there: this machine has a cpu and {count} GPUs")


@dataclasses.dataclass
class EvaluateArguments:
    """What to evaluate, and on what."""

    _argument_group_name = "evaluation"

    model_name_or_path: list[str] = dataclasses.field(
        default_factory=list,
        metadata={"help": "Folders of runs, studies, checkpoints or other models, or ids of the Hub."},
    )
    suite: str | None = dataclasses.field(default=None, metadata={"help": "core or offline."})
    tasks: list[str] = dataclasses.field(
        default_factory=list,
        metadata={
            "help": "Instead of a suite: names of our tasks, of lm-eval's, core:LABEL, or lm-eval's YAML tasks by "
            "their file or folder."
        },
    )
    task_parameters: dict | str | None = dataclasses.field(
        default=None,
        metadata={"help": "Parameters of our tasks as JSON. Default: the run's own for its own task."},
    )
    task_file: str | None = dataclasses.field(
        default=None, metadata={"help": "A Python file with tasks of your own (docs/guides/your-own-task.md)."}
    )
    data: str = dataclasses.field(
        default=suites.LOCAL_DATA, metadata={"help": "Where DCLM's files are: an address, or a folder with a copy."}
    )
    limit: int | None = dataclasses.field(
        default=None, metadata={"help": "Only so many rows or questions of each task, the first ones: a trial."}
    )
    num_fewshot: int | None = dataclasses.field(
        default=None, metadata={"help": "With --tasks: solved questions before one. Default: the task's own."}
    )
    apply_chat_template: bool = dataclasses.field(
        default=False, metadata={"help": "With --tasks: ask in the tokenizer's chat template, shots as turns of it."}
    )
    log_samples: bool = dataclasses.field(
        default=False,
        metadata={"help": "Also write what was asked and answered: samples_TASK_DATE.jsonl, beside the figures."},
    )
    confirm_run_unsafe_code: bool = dataclasses.field(
        default=False,
        metadata={
            "help": "Run the Python that YAML tasks name (!function, class, metrics of the Hub), and what models "
            "answer in tasks that lm-eval calls unsafe. Only for files that you trust."
        },
    )
    batch_size: int = dataclasses.field(default=16, metadata={"help": "Sequences in a forward pass."})
    dtype: str = dataclasses.field(
        default="auto",
        metadata={
            "help": "float32, bfloat16, float16, or auto: that of the weights, in autocast where it was trained so."
        },
    )
    max_length: int = dataclasses.field(
        default=suites.MAX_LENGTH, metadata={"help": "Tokens of text that a model reads, at most; DCLM's."}
    )
    device: str | None = dataclasses.field(
        default=None, metadata={"help": "cpu, cuda, cuda:1 ... Default: a GPU where there is one."}
    )
    output_dir: str | None = dataclasses.field(
        default=None,
        metadata={"help": "Folder, or file.json, for the figures of one model, instead of the model's folder."},
    )

    def __post_init__(self):
        if not self.model_name_or_path:
            raise ValueError(
                "model_name_or_path is missing: give --model_name_or_path runs/sort, or several, or Hub ids"
            )
        if bool(self.suite) == bool(self.tasks):
            raise ValueError("give one of --suite (core or offline) and --tasks (names, such as haystack-30)")
        if twice := [name for name in self.tasks if self.tasks.count(name) > 1]:
            raise ValueError(f"tasks: {twice[0]} is named twice")
        if self.suite and self.suite not in suites.SUITES:
            raise ValueError(f"suite must be core or offline, got {self.suite!r}{nearest(self.suite, suites.SUITES)}")
        self.task_parameters = TaskArguments(
            task_parameters=self.task_parameters, task_file=self.task_file
        ).task_parameters
        if self.task_parameters and not self.tasks:
            raise ValueError("task_parameters: they are of our tasks, which --tasks names; a run knows its own")
        for name in ("num_fewshot", "apply_chat_template"):
            if getattr(self, name) and not self.tasks:
                raise ValueError(f"{name}: {self.suite} says itself how it asks; give --tasks instead of --suite")
            if getattr(self, name) and any(task.startswith("core:") for task in self.tasks):
                raise ValueError(f"{name}: DCLM's Core says itself how it asks; leave core: out of --tasks")
        if self.dtype not in ("auto", "float32", "bfloat16", "float16"):
            raise ValueError(f"dtype must be auto, float32, bfloat16 or float16, got {self.dtype!r}")
        if self.device is not None:
            check_device(self.device)
        if "://" not in self.data and not Path(self.data).is_dir():
            raise ValueError(f"data: there is no folder {self.data}")
        self.data = self.data.rstrip("/")


parser.answer_early(__name__, __doc__, EvaluateArguments)


from hf_procedural.files import write_text
from hf_procedural.hub.model_card import EVALUATION, place_in
from hf_procedural.hub.runs import write_card
from hf_procedural.locks import holding, lock_of
from hf_procedural.models.suited import ADAPTER
from hf_procedural.runs.folder import RECIPE
from hf_procedural.runs.read import STATE, read_runs
from hf_procedural.training.launch import processes

with user_errors(ImportError):
    from hf_procedural.evaluation import harness, yaml_tasks
    from hf_procedural.evaluation.checkpoints import harness_model, open_checkpoint


def models_of(names: list[str]) -> list[str]:
    """The models that are named, and the finished runs of a study. Raises ValueError for a study that has none."""
    models = []
    for name in names:
        is_model = any(Path(name, file).is_file() for file in ("config.json", ADAPTER))
        if Path(name).is_dir() and not is_model:
            runs = [str(run.folder) for run in read_runs([name]) if run.finished]
            if not runs:
                raise ValueError(f"model_name_or_path {name}: none of its runs is finished")
            models += runs
        else:
            models.append(name.rstrip("/") or name)
    if twice := [name for name in models if models.count(name) > 1]:
        raise ValueError(f"model_name_or_path: {twice[0]} is named twice")
    return models


def labels_of(models: list[str]) -> dict[str, str]:
    """A column's title for each model: as few of the last parts of the path as tell them apart."""
    for count in range(1, max(len(Path(model).parts) for model in models) + 1):
        labels = {model: "/".join(Path(model).parts[-count:]) for model in models}
        if len(set(labels.values())) == len(models):
            return labels
    return {model: model for model in models}


def output_of(model: str, args, several: bool) -> Path:
    """The file of a model's figures. Raises ValueError where it cannot be written."""
    if args.output_dir and several:
        raise ValueError(
            f"output_dir: one place for {len(models_of(args.model_name_or_path))} models; leave it out, or evaluate one"
        )
    folder = Path(args.output_dir or (model if Path(model).is_dir() else f"runs/evaluate_{Path(model).name}"))
    name = (args.suite or "tasks") + (f"_first_{args.limit}" if args.limit else "")
    file = folder if folder.suffix == ".json" else folder / EVALUATION.format(name)
    if file.is_dir():
        raise ValueError(f"output_dir {file} is a folder: a name that ends in .json is that of a file")
    nearest_there = next(path for path in (file.absolute(), *file.absolute().parents) if path.exists())
    if not file.exists() and not nearest_there.is_dir():
        raise ValueError(f"output_dir {file}: {nearest_there} is a file")
    if not os.access(nearest_there, os.W_OK):
        raise ValueError(f"output_dir {file} cannot be written: there is no right to write {nearest_there}")
    return file


def options_of(args) -> "harness.Options":
    """How tasks by name are asked."""
    return harness.Options(args.num_fewshot, args.apply_chat_template, args.confirm_run_unsafe_code)


def ask(checkpoint, args) -> tuple[list, dict]:
    """What is asked of a checkpoint, and what cannot be had of it, with reasons."""
    if args.suite == "core":
        return harness.core(checkpoint, args.data)
    if args.suite == "offline":
        return harness.offline(checkpoint, args.limit), {}
    wanted = []
    for name in args.tasks:
        label = name.removeprefix("core:")
        if label == name:
            wanted += harness.named(checkpoint, [name], args.task_parameters, args.limit, options_of(args))
        elif label in suites.CORE:
            wanted += harness.core(checkpoint, args.data, [label])[0]
        else:
            raise ValueError(f"tasks: {name} is none of DCLM's Core{nearest(label, suites.CORE)}")
    return wanted, {}


def evaluate(checkpoint, asked: list, args, samples: dict | None) -> list[dict]:
    """The figures of a checkpoint; `samples`, where that is given, gets what was asked and answered."""
    model = harness_model(checkpoint, args.batch_size, args.dtype, args.device)
    rows = []
    for number, each in enumerate(asked, 1):
        if processes().is_main_process:
            tell(f"{checkpoint.path} [{number}/{len(asked)}] {each.name}", flush=True)
        rows += harness.figures(model, each, args.limit, options_of(args), samples)
    return rows


def save(file: Path, report: dict, model: str, samples: dict | None) -> None:
    """Writes a model's figures, what was asked, and its card, if it is a run's folder and its own figures are there."""
    if samples is not None:
        report["samples"] = harness.save_samples(file.parent, samples)
    write_text(file, json.dumps(report, indent=2) + "\n")
    if is_run(model) and file.parent.samefile(model) and re.fullmatch(EVALUATION.format(r"\w+"), file.name):
        write_card(model, place_in(Path(model)))


def is_run(model: str) -> bool:
    """Whether a folder is that of a run, and not one of its checkpoints or somebody's model."""
    return all(Path(model, name).is_file() for name in (RECIPE, STATE))


def main():
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    (args,) = parser.parse(__doc__, EvaluateArguments)
    with yaml_tasks.sandboxed(not args.confirm_run_unsafe_code):
        run(args)


def run(args) -> None:
    """Evaluates, prints and writes."""
    with user_errors():  # all that can be wrong is found before anything is written
        models = models_of(args.model_name_or_path)
        files = {model: output_of(model, args, len(models) > 1) for model in models}
        checkpoints = {model: open_checkpoint(model, args.max_length) for model in models}
        asked = {model: ask(checkpoint, args) for model, checkpoint in checkpoints.items()}
    labels, reports = labels_of(models), {}
    names = ("batch_size", "dtype", "max_length", "task_parameters", "data", "num_fewshot", "apply_chat_template")
    settings = {name: getattr(args, name) for name in names}
    is_main = processes().is_main_process
    for model, checkpoint in checkpoints.items():
        tasks, missing = asked[model]
        file = files[model]
        samples = {} if args.log_samples else None
        with user_errors(ValueError, ImportError), holding(file.parent, name=lock_of(file), is_main=is_main):
            rows = evaluate(checkpoint, tasks, args, samples)
            if is_main:
                of_model = harness.report(checkpoint, args.suite or "tasks", rows, args.limit, missing, **settings)
                save(file, of_model, model, samples)
                reports[labels[model]] = of_model
    if reports:
        show(reports, files, args.limit)


def show(reports: dict[str, dict], files: dict[str, Path], limit: int | None) -> None:
    """Prints the table, and what should be known about it."""
    tell(f"\n{suites.table(reports)}\n")
    if any("core" in figures for figures in reports.values()):
        tell("Core is the mean over all tasks but MMLU: the 22 of DCLM's code, CommonsenseQA among them.")
    if limit is not None:
        tell(f"Only the first {limit:,} of each task: a trial, no result.")
    missing = next(iter(reports.values())).get("missing") or {}
    for label, reason in missing.items():
        tell(f"{label} could not be computed: {reason}")
    if any(label in suites.AVERAGED for label in missing):
        tell("Core is not reported: tasks of it are missing.")
    tell(f"Figures: {', '.join(map(str, files.values()))}")


if __name__ == "__main__":
    main()
