"""The registry: the classes of all tasks by name. Families and plugins add to it, lookup.py reads it."""

import dataclasses
import re
from typing import TypeVar

from .base import Task

_Class = TypeVar("_Class", bound=type[Task])  # what is decorated keeps its type for who checks types
REGISTRY: dict[str, type[Task]] = {}
CHECKED: set[type[Task]] = set()  # the classes from elsewhere that `check_task` has passed


def register(cls: _Class) -> _Class:
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
    where = f"{cls.__module__}.{cls.__qualname__}"
    # A subclass has its parent's fields even without a decorator of its own: look at the class itself.
    if not (isinstance(cls, type) and issubclass(cls, Task) and "__dataclass_params__" in vars(cls)):
        raise ValueError(f"{where} must be a subclass of Task with @dataclasses.dataclass(frozen=True) below @register")

    def demand(attribute, is_valid, accepted):
        value = getattr(cls, attribute, None)
        if not is_valid(value):
            raise ValueError(f"{where}: {attribute} must be {accepted}, got {value!r}")

    def is_word(value):
        return isinstance(value, str) and re.fullmatch("[a-z][a-z0-9_]*", value)

    fields = {field.name for field in dataclasses.fields(cls)}
    demand("name", is_word, "a word of lower-case letters, digits and _")
    demand("headline", lambda value: value in fields, "one of its fields")
    demand("sizes", lambda value: isinstance(value, tuple) and value, "a tuple of values of the headline")
    demand("summary", lambda value: isinstance(value, str) and value, "a line that says what is learned")
