"""From a run folder or a repo of the Hub to how its model is asked: what its recipe.yaml and provenance.json say."""

from ..data import blocks
from ..diagnosis import models
from ..diagnosis.models import Subject
from ..files import read_mapping
from ..models.suited import check_text
from ..runs.checkpoints import STATE
from ..runs.folder import PROVENANCE, file_of, recipe_of_run, run_of, task_file_of
from ..tasks import Task, load_task_file, task
from ..text.math_archive import math_folder
from ..text.sources import named
from ..training.curriculum import of_length, size_parameter
from . import of_text
from .asking import Asking
from .of_tasks import OfTask


def open_model(path: str) -> tuple[Subject, str]:
    """A model without its weights, and the folder or repo of its run, which a checkpoint-N folder is in.

    Raises ValueError for what is no causal language model with a fast tokenizer.
    """
    return models.outline(path, path), run_of(path)


def asking_of(
    subject: Subject,
    run: str,
    task_name: str | None = None,
    parameters: dict | None = None,
    data: str | None = None,
    max_new_tokens: int | None = None,
) -> Asking:
    """How a model is asked: by the recipe of its `run`, unless a task or a data set of text is named.

    Raises ValueError, in one line, where nothing says what it was trained on, or that is not at hand.
    """
    recipe = recipe_of_run(run)
    if task_name is not None:
        return _of_task(subject, run, {"task": task_name, "task_parameters": parameters}, max_new_tokens)
    stage = _read(run, PROVENANCE).get("stage")
    if data is None and recipe.get("task"):
        if file := task_file_of(run, recipe):
            load_task_file(file)
        if recipe.get("model_name_or_path"):
            return of_text.of_rlvr(subject, _task(recipe), recipe, _seed(recipe), max_new_tokens)
        return _of_task(subject, run, recipe, max_new_tokens)
    if stage == "semantic" and data is None and _is_maths(recipe):
        return of_text.of_maths(subject, recipe, max_new_tokens)
    try:
        check_text(subject.path, subject.tokenizer)
    except ValueError as error:
        if recipe:
            raise
        raise ValueError(
            f"{subject.path}: nothing there says what it was trained on, and its tokenizer reads no text: name its "
            "task, such as --task sort-16"
        ) from error
    if stage == "rpt" and data is None:
        return of_text.of_rpt(subject, recipe, max_new_tokens)
    if stage == "recycle_train":
        return of_text.of_rephraser(subject, recipe, data, max_new_tokens)
    return of_text.OfText(subject, recipe, data, max_new_tokens)


def _is_maths(recipe: dict) -> bool:
    sources = named(recipe["dataset"])
    return len(sources) == 1 and math_folder(sources[0].name) is not None


def _of_task(subject: Subject, run: str, recipe: dict, max_new_tokens: int | None) -> OfTask:
    chosen = _task(recipe)
    blocks.check(chosen, "validation")
    return OfTask(subject, chosen, _seed(recipe), _stages(run, recipe, chosen), max_new_tokens)


def _task(recipe: dict) -> Task:
    return task(recipe["task"], **recipe.get("task_parameters") or {})


def _seed(recipe: dict) -> int:
    """The seed of the rows: that of the Trainer, 42, where the recipe has none."""
    return recipe.get("data_seed", recipe.get("seed", 42))


def _stages(run: str, recipe: dict, chosen: Task) -> list[Task]:
    """The tasks of a curriculum whose rows the model saw; empty without one."""
    if not recipe.get("curriculum"):
        return []
    history = _read(run, STATE).get("log_history", [])
    lengths = dict.fromkeys(
        int(entry["eval_curriculum_length"]) for entry in history if "eval_curriculum_length" in entry
    )
    name = size_parameter(chosen)
    return [of_length(chosen, name, length) for length in lengths]


def _read(run: str, name: str) -> dict:
    file = file_of(run, name)
    return {} if file is None else read_mapping(file)
