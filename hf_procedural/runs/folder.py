"""The folder of a run: what is written into it, and whether a run may begin or go on there."""

import contextlib
import dataclasses
import json
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, cast

import yaml

from ..files import check_folder, expected, read_mapping, write_text
from ..locks import names_in
from ..models.words import Source, parse_sources
from ..renamed import with_current_keys
from ..terminal import logger
from . import checkpoints
from .checkpoints import STATE

if TYPE_CHECKING:  # it takes seconds to import, and what reads runs needs none of it
    from transformers import TrainingArguments

# How the arguments begin that make no difference to what a run learns.
NO_ARM = ("seed", "data_seed", "output_dir", "run_name", "resume_", "logging_", "log_", "save_", "report_to", "hub_")
NO_ARM += ("eval_steps", "eval_strategy", "eval_delay", "eval_on_start", "eval_accumulation", "per_device_eval")
NO_ARM += ("include_num", "dataloader_", "disable_tqdm", "push_to_hub", "num_proc", "project", "trackio_", "on_nan")
NO_ARM += ("max_hours", "enable_jit")

RECIPE, PROVENANCE, PLOT = "recipe.yaml", "provenance.json", "training.png"
RESULTS = "eval_results.json"  # which the Trainer writes at the end: the mark of a finished run
ANSWERS = "answers.json"  # of the model to a few validation prompts, at the end of a run
LENGTHS, LENGTHS_PLOT = "lengths.json", "lengths.png"  # of runs that were tested at other lengths
PROJECT = "huggingface"  # of TrainingArguments
DIVERGED = "diverged.json"  # the state of a run that ended since its loss is not a number
DATA = ("task", "dataset", "questions", "input")  # the keys of a recipe that name what a run learns; input before 0.2


def open_run(args: "TrainingArguments", *others) -> str | None:
    """Checks the run folder and gives the checkpoint to resume from, if any. Writes nothing.

    Trackers show the run under the folder's name, unless `args.run_name` is set, and trackio in the project of the
    folder above, unless `args.project` is.
    Raises ValueError where the folder holds anything and no resume was asked for, is a file, is another run's, or is
    being written by another process, and CheckpointError where no checkpoint is whole.
    """
    args.run_name = args.run_name or _name_of(_output_of(args))
    if args.project == PROJECT:
        args.project = _study_of(_output_of(args))
    chosen = _choose(args, *others)
    if chosen.note and args.should_save:
        logger(__name__).warning(chosen.note)
    return chosen.name


def check_still(args: "TrainingArguments", checkpoint: str | None, *others) -> None:
    """Raises ValueError where another process has written the run folder since `open_run` gave `checkpoint`."""
    if _choose(args, *others).name != checkpoint:
        raise ValueError(f"output_dir {args.output_dir} has another checkpoint by now: run the same command again")


def _choose(args: "TrainingArguments", *others) -> checkpoints.Chosen:
    """What `open_run` gives, and what it tells."""
    output = _output_of(args)
    wanted = args.resume_from_checkpoint
    check_folder(output)
    if str(wanted).lower() in ("none", "false", ""):
        if names_in(output):
            raise ValueError(
                f"output_dir {output} is not empty: choose another, or go on with --resume_from_checkpoint true"
            )
        return checkpoints.Chosen(None)
    automatic = str(wanted).lower() == "true"
    chosen = checkpoints.newest(output) if automatic else checkpoints.Chosen(Path(cast(str, wanted)))
    if chosen.folder is None:
        ours = re.compile(
            rf"{RECIPE}|{PROVENANCE}|{DIVERGED}|{PLOT}|{LENGTHS}|{LENGTHS_PLOT}|\..*\.tmp|checkpoint-\d+|completions|"
            r"codings?(\.json)?"
        )
        strangers = [name for name in names_in(output) if not ours.fullmatch(name)]
        if strangers:
            why = f" ({chosen.note})" if chosen.note else ""
            raise ValueError(f"output_dir {output} holds {strangers[0]} but no checkpoint to resume from{why}")
        start = f"no checkpoint in {output} yet: starting from the beginning"
        return checkpoints.Chosen(None, "; ".join(filter(None, [chosen.note, start])))
    checkpoint = wanted if not automatic else chosen.folder
    folder, recipe = chosen.folder, chosen.folder.absolute().parent / RECIPE
    if not (folder / STATE).is_file() or not folder.name.startswith("checkpoint-"):
        raise ValueError(
            f"resume_from_checkpoint {checkpoint} is not a checkpoint-N folder of the Trainer: give "
            "true for the newest one of output_dir, or such a folder"
        )
    if not recipe.is_file():
        raise ValueError(f"resume_from_checkpoint {checkpoint} has no {RECIPE} beside it: leave it in its run folder")
    if folder.absolute().parent != output.absolute() and names_in(output):
        raise ValueError(f"output_dir {output} is not empty, and {checkpoint} is of another run folder")
    now = recipe_of(*others) | {"seed": args.seed, "data_seed": data_seed(args)}
    keys = {*_defaults(*others), "seed", "data_seed"} - {"max_tokens"}
    _check_same_run(recipe, checkpoint, now, keys, _defaults(*others))
    checkpoints.check(folder, "--resume_from_checkpoint true takes the newest whole one")
    return chosen


def _output_of(args: "TrainingArguments") -> Path:
    return Path(cast(str, args.output_dir))  # None only before the recipe names one


def _name_of(folder) -> str:
    return Path(folder).absolute().name


def _study_of(folder) -> str:
    return Path(folder).absolute().parent.name


def last_checkpoint(output: Path) -> str | None:
    """The last checkpoint that was saved to its end, to read how far a run is; `open_run` compares digests, too."""
    ended = [path for path in output.glob("checkpoint-*") if path.name[11:].isdigit() and (path / STATE).is_file()]
    ended = [path for path in ended if checkpoints.cut_short(path) is None]
    return str(max(ended, key=lambda folder: int(folder.name[11:]))) if ended else None


def is_finished(folder) -> bool:
    """Whether the run of a folder needs nothing more."""
    return (Path(folder) / RESULTS).is_file()


def open_study(args: "TrainingArguments", *others) -> None:
    """Checks a folder of runs, as `open_run` checks that of one; seeds and arms may be added. Writes nothing."""
    output = _output_of(args)
    recipe = output / RECIPE
    if str(args.resume_from_checkpoint).lower() != "true" or not recipe.is_file():
        open_run(args, *others)
    else:
        keys = {key for key in _defaults(*others, args) if not key.startswith(NO_ARM)}
        keys -= {"num_proc", "seeds", "init_from"}
        _check_same_run(recipe, output, recipe_of(*others, args), keys, _defaults(*others))


def _defaults(*instances) -> dict:
    """The fields of dataclasses, with the defaults of those that have plain ones."""
    fields = [field for instance in instances for field in dataclasses.fields(instance)]
    return {field.name: None if field.default is dataclasses.MISSING else field.default for field in fields}


def _check_same_run(recipe: Path, label, now: dict, keys: set[str], defaults: dict) -> None:
    before = {"seed": 42} | read_recipe(recipe)
    before = {"data_seed": before["seed"]} | before
    for key in (*now, *before):
        default = defaults.get(key) if key in now else None  # of what an older version did not have yet
        if key in keys and _plain(before.get(key, default)) != _plain(now.get(key)):
            raise ValueError(
                f"{label} belongs to a run with {key} {before.get(key)!r}, not {now.get(key)!r} ({RECIPE}): "
                "choose another output_dir, or resume with its own arguments"
            )


def recipe_of(*arguments) -> dict:
    """The resolved arguments as plain values: all of ours, of the Trainer's those that are given or no defaults."""
    resolved = {}
    for instance in arguments:
        defaults = {field.name: field.default for field in dataclasses.fields(instance) if field.init}
        trainers = hasattr(instance, "to_dict")  # as TrainingArguments has
        values = instance.to_dict() if trainers else dataclasses.asdict(instance)
        given = getattr(instance, "given", ())
        for key, default in defaults.items():
            unset = values[key] in (None, [], {}) or (values[key] is False and default is None)
            is_default = values[key] == default and key not in given
            derived = trainers and (is_default or key in ("accelerator_config", "disable_tqdm", "do_eval"))
            if not unset and not derived and not key.endswith("_token"):  # secrets of the Hub
                resolved[key] = values[key]
    if "max_tokens" in resolved:
        resolved.pop("max_steps", None)  # follows from it
    for key in ("dataset", "text_column"):
        if key in resolved:
            resolved[key] = _plain(resolved[key])
    if "run_name" in resolved and resolved["run_name"] == _name_of(resolved["output_dir"]):
        del resolved["run_name"]  # follows from the folder, another one too
    if "project" in resolved and resolved["project"] == _study_of(resolved["output_dir"]):
        del resolved["project"]  # likewise
    return json.loads(json.dumps(resolved))


def _plain(value):
    """A list of one as that one: what takes several is written so where there is one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def read_recipe(file: Path, known=()) -> dict:
    """The keys and values of a recipe.yaml; where an older version wrote it, under today's names.

    `known` are the keys of the recipe at hand. Raises ValueError, in one line, for a file that holds none.
    """
    return with_current_keys(read_mapping(file), known)


def versions(*packages: str) -> dict[str, str]:
    """The versions of Python and of packages that are installed."""
    return {"python": platform.python_version()} | {package: version(package) for package in packages}


def open_output(output: Path, recipe: dict, complete: str, free: set[str] | None, data: str) -> bool:
    """Whether the folder of a data set is complete: has the file `complete`. Writes nothing.

    `recipe` are the arguments, and `free` those that may differ from the run that began the folder, None: all. `data`
    matches the names of what a run leaves there. Raises ValueError where it is a file, holds anything else, or was
    begun with other arguments.
    """
    check_folder(output, rf"{data}|{RECIPE}|{re.escape(complete)}|\..*\.tmp")
    if not (output / RECIPE).is_file():
        if any(name[0] != "." for name in names_in(output)):
            raise ValueError(f"output_dir {output} is not empty and has no {RECIPE}: choose another folder")
        return False
    before = read_recipe(output / RECIPE, recipe)
    for key in {**recipe, **before}:
        if free is not None and key not in free and _plain(before.get(key)) != _plain(recipe.get(key)):
            raise ValueError(
                f"output_dir {output} was begun with {key} {before.get(key)!r}, not {recipe.get(key)!r}: "
                "choose another folder, or go on with its own arguments"
            )
    return (output / complete).is_file()


def run_of(path: str) -> str:
    """The run, a folder or an id of the Hub, that a model is of: a checkpoint-N folder is in it."""
    folder = Path(path)
    return str(folder.parent) if folder.name.startswith("checkpoint-") and folder.is_dir() else path


def file_of(run: str, name: str) -> Path | None:
    """A file of a run, here or on the Hub; None where it has none, or none can be had now."""
    if Path(run).is_dir():
        return Path(run, name) if Path(run, name).is_file() else None
    from transformers.utils import cached_file

    with contextlib.suppress(OSError):
        return Path(cast(str, cached_file(run, name)))
    return None


def recipe_of_run(run: str) -> dict:
    """The recipe of a run, here or on the Hub; empty where there is none."""
    file = file_of(run, RECIPE)
    return {} if file is None else read_recipe(file)


def task_file_of(run: str, recipe: dict) -> str | None:
    """The Python file with the task of a run.

    That of a folder is trusted, wherever the folder is from. Raises ValueError for a run of the Hub, whose file a
    stranger named.
    """
    file = recipe.get("task_file")
    if file and not Path(run).is_dir():
        raise ValueError(
            f"{run}: its task_file {file} may be a stranger's and is not run: name the task yourself, with a task_file "
            "that you have read"
        )
    return file


def save_provenance(args, *others, stage: str, **more) -> None:
    """Writes recipe.yaml and provenance.json next to the model.

    Args:
        args: the Trainer's, and `others` all further dataclasses of the recipe: the resolved arguments.
        stage: a name of `stages.STAGES`, or of another recipe.
        more: what provenance.json shall hold beside stage, versions and seeds.
    """
    if not args.should_save:
        return
    output = Path(args.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    recipe = recipe_of(*others, args)
    recipe.pop("resume_from_checkpoint", None)
    write_text(output / RECIPE, yaml.safe_dump(recipe, sort_keys=False))
    packages = ["hf-procedural", "torch", "transformers", "datasets", "accelerate", "tokenizers", "numpy", "numba"]
    packages += [package for package in ("trl", "peft") if package in sys.modules]
    provenance = {
        "stage": stage,
        "versions": versions(*packages),
        "seed": args.seed,
        "data_seed": data_seed(args),
        **more,
    }
    write_text(output / PROVENANCE, json.dumps(provenance, indent=2, default=dataclasses.asdict) + "\n")


def earlier_stages(init_from: str | None) -> dict | None:
    """What the stages behind `init_from` cost and saw, for provenance.json: each source's task, tokens and FLOPs.

    Read from the recipe.yaml, provenance.json and trainer_state.json of its run; what is not there is left out.
    """
    if init_from is None:
        return None
    return {"spec": init_from, "sources": [_earlier_stage(source) for source in parse_sources(init_from)]}


def _earlier_stage(source: Source) -> dict:
    stage = {
        "path": source.path,
        "control": source.control,
        "weight": source.weight,
        "components": source.components and list(source.components),
    }
    folder = Path(source.path)
    run = folder.parent if folder.name.startswith("checkpoint-") else folder
    if (run / RECIPE).is_file():
        recipe = read_recipe(run / RECIPE)
        stage |= {key: recipe[key] for key in (*DATA, "task_parameters") if key in recipe}
    if (folder / STATE).is_file():
        state = read_mapping(folder / STATE)
        with expected(run / PROVENANCE):
            before = {
                other["path"]: other for other in _earlier_sources(run)
            }  # one may be named for several components
            earlier = {key: sum(other.get(key, 0) for other in before.values()) for key in ("tokens", "flops")}
        with expected(folder / STATE):
            stage["tokens"] = state["num_input_tokens_seen"] + earlier["tokens"]
            stage["flops"] = state["total_flos"] + earlier["flops"]
    return stage


def _earlier_sources(run: Path) -> list[dict]:
    if not (run / PROVENANCE).is_file():
        return []
    return read_mapping(run / PROVENANCE).get("init_from", {}).get("sources", [])


def data_seed(args) -> int:
    """The seed of the rows: `data_seed`, or `seed` where that is not set."""
    return args.seed if args.data_seed is None else args.data_seed
