"""Models and data as a command line names them, and what can be said of them without torch."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ..errors import nearest
from ..files import is_hub_id
from ..tasks import PRESETS, Task, list_tasks, task
from ..text.sources import PROCEDURAL, checked_source, parse_source


def named(words: Sequence[str]) -> dict[str, str]:
    """The path of each model by its label: of LABEL=PATH, or as much of the end of a path as tells it from the others.

    >>> named(["runs/set/seed_0", "runs/sort/seed_0", "base=gpt2"])
    {'set/seed_0': 'runs/set/seed_0', 'sort/seed_0': 'runs/sort/seed_0', 'base': 'gpt2'}

    Raises ValueError where two have one label.
    """
    split = [_split(word) for word in words]
    paths = [path for label, path in split if not label]
    pieces = [[piece for piece in path.split("/") if piece not in ("", ".")] for path in paths]
    depth = 1
    while len({*map(tuple, (each[-depth:] for each in pieces))}) < len({*map(tuple, pieces)}):
        depth += 1
    short = iter("/".join(each[-(depth + each[-1].startswith("checkpoint-")) :]) for each in pieces)
    models = {}
    for label, path in split:
        label = label or next(short)
        if label in models:
            raise ValueError(f"two models are called {label!r}: name them, as in first={models[label]} second={path}")
        models[label] = path
    return models


def _split(word: str) -> tuple[str, str]:
    """Label, which may be empty, and path; the name of a folder may have a = itself."""
    label, equals, path = word.partition("=")
    own = not equals or Path(word).exists()
    label, path = ("", word) if own else (label, path)
    if not path or (not own and not label):
        raise ValueError(f"model {word!r}: give a folder, a Hub id, or LABEL=FOLDER")
    return label, path


def check_models(models: dict[str, str]) -> None:
    """Raises ValueError for a folder that is not there, with the nearest that is."""
    for path in models.values():
        folder = Path(path)
        if folder.exists():
            continue
        above = folder.parent
        beside = [str(above / each.name) for each in sorted(above.glob("*")) if each.is_dir()]
        close = nearest(str(folder), beside)
        if not is_hub_id(path) or (close and "/" in path.strip("./")):
            raise ValueError(f"no model {path}{close} (a folder, or a Hub id such as ORG/NAME)")


@dataclasses.dataclass(frozen=True)
class Data:
    """What models read: rows of a task, or of a text data set as `text.documents` names it."""

    name: str
    task: Task | None = None


def data_of(name: str, parameters: dict | None = None) -> Data:
    """The data of a name: sort-16, sort-16+set-16, procedural:sort-16, a preset; else text.

    Raises ValueError for a task that is none, and where text is given a task's parameters.
    """
    parameters = parameters or {}
    if not isinstance(parameters, dict):
        raise ValueError(f"task_parameters must be JSON of keys and values, got {parameters!r}")
    asked = name.removeprefix(f"{PROCEDURAL}:")
    first = asked.partition("+")[0].partition("-")[0]
    is_here = Path(name).exists()
    if asked != name or asked in PRESETS or (first in list_tasks() and not is_here):
        return Data(asked, task(asked, **parameters))
    meant = nearest(first, list_tasks(), cutoff=0.7)
    if "-" in asked and "/" not in asked and not is_here and meant:
        raise ValueError(f"data: unknown task {first!r}{meant} (or a text data set: stdlib, a file, a Hub id)")
    if parameters:
        raise ValueError(f"task_parameters: {name} is text, which has none")
    checked_source(name)
    if parse_source(name).name == "":
        raise ValueError("data is empty: name a task, such as sort-16, or a text data set")
    return Data(name)
