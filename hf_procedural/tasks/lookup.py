"""From a name to a task: sizes, parameters, presets, mixtures, shuffled rows.

A name is ``task-size``, such as ``sort-64``: the size sets the task's headline parameter, keywords set the others.
Several names joined by ``+`` are a mixture.
"""

import dataclasses
import functools
import re

import numpy as np

from ..errors import nearest
from . import plugins
from .base import Task
from .check import check_task
from .mixture import Mixture, proportions
from .presets import PRESETS
from .registry import CHECKED, REGISTRY
from .shuffled import Shuffled


@functools.cache
def _load_entry_points() -> None:
    plugins.load_entry_points()


def list_tasks() -> list[str]:
    """The names of all tasks, in the order of their definition; those of installed packages come last."""
    _load_entry_points()
    return list(REGISTRY)


def task_class(name: str) -> type[Task]:
    """The class of a task by its bare name, such as ``sort``."""
    if name not in REGISTRY:
        _load_entry_points()
    if name not in REGISTRY:
        hint = nearest(name, REGISTRY, most=3, cutoff=0.4)
        own = "one of your own needs its --task_file, or load_task_file"
        raise ValueError(f"unknown task {name!r}{hint} (`hf-procedural list` has all; {own})")
    return REGISTRY[name]


class UnknownParameter(ValueError):
    """A keyword that a task does not take."""


def task(name: str, /, **parameters) -> Task:
    """The task of a name such as ``sort-64``, ``sort`` or ``sort-64+set-64``, or of a preset; parameters as keywords.

    >>> task("sort-4", vocab_size=10).vocabulary[-2:]
    ('<sep>', '<pad>')

    Every task also takes ``shuffle_tokens=True``: the papers' control, its rows with their tokens in random order.

    Raises ValueError for an unknown task or parameter, or a value out of range.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"task must be a name such as sort-64, got {name!r}")
    if name in PRESETS:
        preset = PRESETS[name]
        return task(preset.task, **preset.parameters | parameters)
    if re.match(r"[a-z]+\d{4}-", name):
        hint = nearest(name, PRESETS, cutoff=0)
        raise ValueError(f"unknown preset {name!r}{hint} (hf-procedural list --presets has all)")
    if "+" in name:
        return mixture(name.split("+"), **parameters)
    cls, parameters = parse(name, parameters)
    known = [*(field.name for field in dataclasses.fields(cls)), "shuffle_tokens"]
    for key in parameters:
        if key not in known:
            hint = nearest(key, known)
            raise UnknownParameter(f"{cls.name}: unknown parameter {key!r}{hint} (parameters: {', '.join(known)})")
    shuffle = parameters.pop("shuffle_tokens", False)
    if not isinstance(shuffle, bool | np.bool_):
        raise ValueError(f"{cls.name}: shuffle_tokens must be true or false, got {shuffle!r}")
    chosen = cls(**parameters)
    if not chosen.is_ours and cls not in CHECKED:
        check_task(chosen)
        CHECKED.add(cls)
    if shuffle:
        return Shuffled(chosen)
    return chosen


def parse(name: str, parameters: dict) -> tuple[type[Task], dict]:
    """The class that `name` means, and `parameters` with the size in `name` added."""
    bare, dash, size = name.partition("-")
    cls = task_class(bare)
    if not dash:
        return cls, dict(parameters)
    if not isinstance(cls.sizes[-1], str):
        try:
            size = int(size)
        except ValueError:
            raise ValueError(
                f"{name}: the size after the dash must be an integer, as in {cls.name}-{cls.sizes[-1]}, got {size!r}"
            ) from None
    if parameters.get(cls.headline, size) != size:
        raise ValueError(f"{name}: {cls.headline}={parameters[cls.headline]!r} contradicts the size in the name")
    return cls, {cls.headline: size, **parameters}


def mixture(names: list[str], weights=None, **parameters) -> Mixture:
    """The mixture of the named tasks.

    `weights` are their proportions, equal unless told; they are divided by their sum. A parameter goes to every member
    that has it; one of a single member is written ``name.parameter``, such as ``{"dyck.length": 128}``.

    Raises ValueError for weights that do not fit and for parameters that no member has.
    """
    if not all(names):
        raise ValueError(f"mixture {'+'.join(names)!r}: names are joined by single plus signs, as in sort-64+set-64")
    members = []
    used = set()
    for name in names:
        if name in PRESETS:
            raise ValueError(f"{name} is a preset, which cannot be mixed: name its task, {PRESETS[name].task}")
        cls, sized = parse(name, {})
        free = {field.name for field in dataclasses.fields(cls)} | {"shuffle_tokens"}
        free -= sized.keys()  # the size in a name stays, whatever the others have
        shared = {key: value for key, value in parameters.items() if key in free}
        used |= shared.keys()
        own = {}
        for key, value in parameters.items():
            owner, _, parameter = key.rpartition(".")
            if owner in (cls.name, name):
                own[parameter] = value
                used.add(key)
        members.append(task(name, **shared | own))
    for key in parameters:
        if key not in used:
            raise ValueError(f"mixture {'+'.join(names)}: no member has a parameter {key!r} still to be set")
    return Mixture(tuple(members), proportions(weights, len(members)))
