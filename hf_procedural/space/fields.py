"""The parameters of a task as what a page has controls for, and what is typed there as parameters again."""

import dataclasses
import json
import re
from typing import Any

from ..files import load_yaml
from ..tasks import Task
from .limits import text_of

FLAG, CHOICE, NUMBER, TEXT = "flag", "choice", "number", "text"
_SHUFFLED = "the papers' control: the same rows with their tokens in random order"


@dataclasses.dataclass(frozen=True)
class Field:
    """One parameter: the kind of its control, and what is said beside it."""

    name: str
    kind: str
    default: Any
    help: str
    options: tuple = ()
    whole: bool = False  # of a number: no fractions


def fields_of(cls: type[Task]) -> list[Field]:
    """All parameters of a class of tasks, the headline first, as the page begins with them: at its smallest size."""
    made = []
    first = cls(**{cls.headline: cls.sizes[0]})
    for field in dataclasses.fields(cls):
        default = getattr(first, field.name)
        about = f"{field.metadata.get('help', '')} ({field.metadata.get('accepted', 'any')})"
        options = tuple(field.metadata.get("options", ()))
        made.append(Field(field.name, _kind(field, default), default, about, options, "float" not in str(field.type)))
    made.sort(key=lambda field: field.name != cls.headline)
    return [*made, Field("shuffle_tokens", FLAG, False, _SHUFFLED)]


def _kind(field: dataclasses.Field, default) -> str:
    if field.metadata.get("options"):
        return CHOICE
    if isinstance(default, bool):
        return FLAG
    kind = field.type.__name__ if isinstance(field.type, type) else str(field.type)
    return NUMBER if re.fullmatch(r"(int|float)( \| None)?", kind) else TEXT


def shown(field: Field) -> Any:
    """The value that a field's control begins with."""
    return _as_yaml(field.default) if field.kind == TEXT else field.default


def _as_yaml(value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def read(cls: type[Task], values: dict) -> tuple[str, dict]:
    """The name, such as ``sort-16``, and the parameters that are not its own, of what the controls hold, by name.

    Values are as controls give them, or anything else: the task itself says what it takes.
    """
    parameters = {}
    headline = cls.sizes[0]
    for field in fields_of(cls):
        value = _read(field, values.get(field.name, shown(field)))
        if field.name == cls.headline:
            headline = value
        elif value != _read(field, shown(field)):
            parameters[field.name] = value
    if type(headline) is not type(cls.sizes[0]):
        return cls.name, {cls.headline: headline} | parameters  # which the task refuses
    return f"{cls.name}-{headline}", parameters


def _read(field: Field, value):
    if isinstance(value, str):
        text_of(field.name, value, 2_000)
        if field.kind in (TEXT, NUMBER):
            return load_yaml(value)
    if field.kind == NUMBER and field.whole and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
