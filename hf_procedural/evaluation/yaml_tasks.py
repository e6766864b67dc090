"""Tasks of lm-eval in YAML files of the user's: found, read without running anything, and loaded.

A YAML may name Python: `!function utils.prepare` is a function of utils.py beside it, `class` a whole task, a metric
that lm-eval does not have a script of the Hub. Such a file is refused unless its Python was asked for. Templates are
rendered in Jinja's sandbox, since those of lm-eval reach Python, too.
"""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from jinja2.sandbox import SandboxedEnvironment

from .. import upstream
from ..files import load_yaml
from .library import TaskManager, metric_registry

if TYPE_CHECKING:
    from lm_eval.tasks.manager import TaskDict

ENDINGS = (".yaml", ".yml")
RUN_CODE = "confirm_run_unsafe_code"  # lm-eval's name of the argument
_TEMPLATES = "lm_eval.utils:env"


class _Python(str):
    """What stands behind ``!function``."""


class _Loader(yaml.SafeLoader):
    """As lm-eval's, but that it imports nothing."""


_Loader.add_constructor("!function", lambda loader, node: _Python(loader.construct_scalar(node)))


def is_place(name: str) -> bool:
    """Whether a name of --tasks can only be that of a file or folder."""
    return name.endswith(ENDINGS) or "/" in name


def load(name: str, run_code: bool) -> dict[str, "TaskDict"]:
    """The tasks and groups of a YAML file, or of all that are below a folder, by their names.

    Those that are members of a group are not by themselves. Raises ValueError, in one line, for what is no task, cannot
    be loaded, or would run Python without `run_code`.
    """
    place = Path(name).expanduser()
    contents = {file: _read(file, run_code) for file in _files(place)}
    named = {file: content for file, content in contents.items() if {"task", "group"} & content.keys()}
    if not named:
        raise ValueError(f"tasks: {name} has no task of lm-eval: no YAML with the key task or group")
    manager = _manager(place, named)
    loaded = {}
    members = set()
    for file, content in named.items():
        label = str(content.get("group", content.get("task")))
        if label in loaded:
            raise ValueError(f"tasks: {file}: another YAML of {name} has the name {label!r}, too")
        # By its path lm-eval 0.4.13 loads no group, and by its name nothing that does not end with .yaml.
        loaded[label] = _loaded(manager, file, label if "group" in content else str(file))
        members |= {*loaded[label]["tasks"], *loaded[label]["groups"]} - {label}
    return {label: tasks for label, tasks in loaded.items() if label not in members}


def _loaded(manager: TaskManager, file: Path, spec: str) -> "TaskDict":
    try:
        loaded = manager.load([spec])
    except Exception as error:  # whatever network, disk, packages and templates raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"tasks: {file} cannot be loaded by lm-eval: {reason}") from error
    if not loaded["tasks"]:
        raise ValueError(f"tasks: {file} is a group without a task")
    return loaded


def _files(place: Path) -> list[Path]:
    if place.is_file():
        if place.suffix not in ENDINGS:
            raise ValueError(f"tasks: {place} must be a YAML file, or a folder of them")
        return [place.resolve()]
    if not place.is_dir():
        raise ValueError(f"tasks: there is no file or folder {place}")
    files = sorted(file for file in place.resolve().rglob("*") if file.suffix in ENDINGS and file.is_file())
    if not files:
        raise ValueError(f"tasks: there is no YAML file in {place}")
    return files


def _read(file: Path, run_code: bool, inside: tuple[Path, ...] = ()) -> dict:
    """What a YAML says, what it includes, too."""
    if file in inside:
        raise ValueError(f"tasks: {file} includes itself")
    try:
        content = load_yaml(file.read_text(encoding="utf-8"), _Loader)
    except (OSError, ValueError) as error:
        raise ValueError(f"tasks: {file} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"tasks: {file} must hold keys and values, got {type(content).__name__}")
    included = content.pop("include", None) or []
    merged = {}
    for other in included if isinstance(included, list) else [included]:
        merged |= _read((file.parent / str(other)).resolve(), run_code, (*inside, file))
    merged |= content
    code = None if run_code else _code_of(merged)
    if code is not None:
        raise ValueError(f"tasks: {file} runs Python ({code}): add --{RUN_CODE} if you trust it")
    return merged


def _code_of(content: dict) -> str | None:
    """The first thing in a task's configuration that is Python; None where there is none."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, _Python):
            return f"!function {value}"
        if isinstance(value, dict):
            if "class" in value:
                return f"class {value['class']}"
            script = _script_of(value)
            if script is not None:
                return f"the metric {script!r} is none of lm-eval's, but a script of the Hub"
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
    return None


def _script_of(task: dict) -> str | None:
    """The first metric of a task that lm-eval would have from the Hub."""
    metrics = task.get("metric_list")
    for metric in metrics if isinstance(metrics, list) else []:
        if not isinstance(metric, dict) or isinstance(metric.get("metric"), _Python):
            continue  # told elsewhere
        name = str(metric.get("metric"))
        if metric.get("hf_evaluate") or name not in metric_registry:
            return name
    return None


def _manager(place: Path, named: dict[Path, dict]) -> TaskManager:
    """An index of the YAMLs in a folder, or beside a file; of lm-eval's own, too, where a group has one: seconds."""
    folder = place if place.is_dir() else place.parent
    index = TaskManager(include_path=str(folder.resolve()), include_defaults=False)
    for content in named.values():
        members = content.get("task") if "group" in content else None
        for member in members if isinstance(members, list) else []:
            name = member.get("task", member.get("group")) if isinstance(member, dict) else member
            if name not in index.all_tasks:
                return TaskManager(include_path=str(folder.resolve()))
    return index


@contextlib.contextmanager
def sandboxed(wanted: bool) -> Generator[None]:
    """lm-eval renders templates in Jinja's sandbox meanwhile, where that is `wanted`."""
    if not wanted:
        yield
        return
    import lm_eval.utils

    before = upstream.need(_TEMPLATES)
    settings = {"undefined": before.undefined, "keep_trailing_newline": before.keep_trailing_newline}
    lm_eval.utils.env = SandboxedEnvironment(**settings)
    lm_eval.utils.env.filters |= before.filters
    try:
        yield
    finally:
        lm_eval.utils.env = before
