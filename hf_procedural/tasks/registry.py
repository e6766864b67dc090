"""The registry: which tasks there are."""

import dataclasses
import re

from .base import Task

REGISTRY: dict[str, type[Task]] = {}


CHECKED: set[type[Task]] = set()  # the classes from elsewhere that `check_task` has passed


def register(cls: type[Task]) -> type[Task]:
    """Class decorator: adds a task to the registry under its `name`.

    Raises ValueError for a class without what every task has, or a name that is taken. A class from outside of this
    package is checked by `check_task` when it is first used.
    """
    known = REGISTRY.get(getattr(cls, "name", None), cls)
    if known.__qualname__ != cls.__qualname__ or known.__module__ != cls.__module__:
        raise ValueError(f"task name {cls.name!r} is taken by {known.__module__}.{known.__qualname__}")
    _check_class(cls)
    REGISTRY[cls.name] = cls
    return cls


def _check_class(cls) -> None:
    wanted = {
        "name": lambda value: isinstance(value, str) and re.fullmatch("[a-z][a-z0-9_]*", value),
        "headline": lambda value: value in {field.name for field in dataclasses.fields(cls)},
        "sizes": lambda value: isinstance(value, tuple) and value,
        "summary": lambda value: isinstance(value, str) and value,
    }
    where = f"{cls.__module__}.{cls.__qualname__}"
    if not (isinstance(cls, type) and issubclass(cls, Task) and "__dataclass_params__" in vars(cls)):
        raise ValueError(f"{where} must be a subclass of Task with @dataclasses.dataclass(frozen=True) below @register")
    for attribute, valid in wanted.items():
        if not valid(getattr(cls, attribute, None)):
            accepted = {
                "name": "a word of lower-case letters, digits and _",
                "headline": "one of its fields",
                "sizes": "a tuple of values of the headline",
                "summary": "a line that says what is learned",
            }[attribute]
            raise ValueError(f"{where}: {attribute} must be {accepted}, got {getattr(cls, attribute, None)!r}")


def is_ours(cls: type[Task]) -> bool:
    """Whether a class of tasks is of this package, so that its version tells what its rows are."""
    return cls.__module__.startswith(__name__.partition(".")[0] + ".")
