"""How a data set of text is named: by NAME, NAME:CONFIG:SPLIT:TEXT_COLUMN, or a mapping. Light, for arguments.

    stdlib
    allenai/c4:en
    allenai/c4:en:train:text
    codeparrot/codeparrot-clean-train:::content                    fields may be empty
    {name: allenai/c4, config: en, text_column: text, weight: 3}   the same as a mapping of a YAML
    {name: allenai/c4:en, weight: 3}                               or in both ways
    procedural:sort-64+set-64                                      rows of a task, as one source among texts
    {name: procedural:sort-64, parameters: {vocab_size: 50}, coding: text, weight: 0.003}

A field that is not given is that of dataset_config, train_split and text_column, which are for all data sets. Names of
files and folders may have colons of their own: what has a slash or ends as a file does belongs to the name, and so does
the longest beginning that exists here. A column with a slash or a colon can be named in a mapping.
"""

import dataclasses
import glob
import itertools
import json
import math
import os
import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, ClassVar

from ..errors import nearest
from ..tasks import task
from ..tasks.coding import check_kind

FORM = "NAME:CONFIG:SPLIT:TEXT_COLUMN"
KEYS = ("name", "config", "split", "text_column", "validation_split", "weight", "parameters", "coding")
PROCEDURAL = "procedural"  # the name of rows of a task, whose configuration the task is
_OF_TASKS = ("name", "config", "parameters", "coding")
# A piece with a slash or the end of a file's name belongs to the name: C:\\x, a/12:30/x, x:y.jsonl, hf://a.
_OF_A_PATH = re.compile(r"[/\\]|\.(jsonl?|txt|parquet|gz|zst|bz2|lz4|tar|tgz)$")


HELP = (
    "stdlib (Python's source), pydoc (its reference, in English), a file, folder or glob (json, jsonl, txt, packed or "
    f"not; parquet), or a data set of the Hub; also as {FORM}, where fields may be empty."
)
COLUMN_HELP = "Column that holds the text. Default: text, else what plainly is it, which the log tells."


@dataclasses.dataclass
class ReadingArguments:
    """What every recipe that reads text asks for."""

    described: ClassVar[tuple[str, ...]] = ("dataset",)  # may be mappings in a YAML

    dataset: list[str] = dataclasses.field(default_factory=list, metadata={"help": HELP})
    dataset_config: str | None = dataclasses.field(default=None, metadata={"help": "Of a data set of the Hub."})
    limit: int | None = dataclasses.field(default=None, metadata={"help": "Only the first so many documents."})
    shuffle_buffer: int = dataclasses.field(default=0, metadata={"help": "Draw each document from so many at random."})
    skip_empty: bool = dataclasses.field(default=False, metadata={"help": "Leave empty documents out; else an error."})


@dataclasses.dataclass(frozen=True)
class TextSource:
    """A data set of text, or rows of a procedural task; None is a field that was not given."""

    name: str
    config: str | None = None
    split: str | None = None
    text_column: str | None = None
    validation_split: str | None = None
    parameters: dict | None = None  # of a task
    coding: str | None = None

    @property
    def task(self) -> str | None:
        """The name of the task whose rows it is; None for text."""
        return self.config if self.name == PROCEDURAL else None


def parse_source(dataset: str | dict) -> TextSource:
    """What a data set's name, or its mapping without a weight, says. Raises ValueError, in one line."""
    if isinstance(dataset, dict):
        return TextSource(**dataset)
    pieces = dataset.split(":")
    length = 1 + max((place for place, piece in enumerate(pieces) if _OF_A_PATH.search(piece)), default=0)
    for longer in range(len(pieces), length, -1):
        if _is_here(":".join(pieces[:longer])):
            length = longer
            break
    name = ":".join(pieces[:length])
    fields = [piece or None for piece in pieces[length:]]
    if len(fields) > 3:
        raise ValueError(f"dataset {dataset!r}: after {name!r} come {len(fields)} fields, of at most 3: {FORM}")
    config, split, text_column, *_ = [*fields, None, None, None]
    return TextSource(name, config, split, text_column)


def _is_here(path: str) -> bool:
    path = os.path.expanduser(path)
    return os.path.exists(path) or (glob.has_magic(path) and any(True for _ in glob.iglob(path, recursive=True)))


def checked_source(dataset) -> tuple[Any, float | None]:
    """A data set as a YAML or a command line names it, with `config` for `configuration`, and its weight, if any.

    Raises ValueError, in one line that says what is accepted.
    """
    if isinstance(dataset, str):
        _check_task(parse_source(dataset))
        return dataset, None
    if not isinstance(dataset, dict):
        raise ValueError(f"dataset must be {FORM}, or a mapping with the keys {', '.join(KEYS)}, got {dataset!r}")
    fields = {("config" if key == "configuration" else key): value for key, value in dataset.items()}
    for key, value in fields.items():
        if key not in KEYS:
            close = nearest(str(key), KEYS)
            raise ValueError(f"dataset: unknown key {key!r}{close} (accepted: {', '.join(KEYS)})")
        kind, words = (dict, "a mapping of names to values") if key == "parameters" else (str, "a string")
        if key != "weight" and not (isinstance(value, kind) or value is None):
            raise ValueError(f"dataset: {key} must be {words}, got {value!r}")
    if not fields.get("name"):
        raise ValueError(f"dataset: {dataset} has no name (accepted: {', '.join(KEYS)})")
    weight = fields.pop("weight", None)
    fields = {key: value for key, value in fields.items() if value}
    named = dataclasses.asdict(parse_source(fields["name"]))
    named = {key: value for key, value in named.items() if value}
    twice = sorted(named.keys() & fields.keys() - {"name"})
    if twice or "name" not in named:
        reason = (
            f"says its {twice[0]}, and so does {twice[0]}: {fields[twice[0]]}"
            if twice
            else "has no name before a colon"
        )
        raise ValueError(f"dataset: name {fields['name']!r} {reason}")
    _check_task(TextSource(**fields | named))
    only_name = len(fields) == 1 and (len(named) == 1 or named["name"] == PROCEDURAL)
    return fields["name"] if only_name else fields | named, weight


def _check_task(source: TextSource) -> None:
    """Raises ValueError for rows of a task with fields of text, an unknown task or coding; and for text with a task's.

    Parameters that are not the source's own are not known here.
    """
    given = {key: value for key, value in dataclasses.asdict(source).items() if value is not None}
    if source.name != PROCEDURAL or (source.task is None and _is_here(PROCEDURAL)):  # a folder of that name
        strange = [key for key in ("parameters", "coding") if key in given]
        if strange:
            raise ValueError(f"dataset: {strange[0]} is of {PROCEDURAL}:TASK alone, and {source.name} is text")
        meant = "" if _is_here(source.name) else nearest(source.name, [PROCEDURAL], cutoff=0.8)
        if meant and source.name != PROCEDURAL:
            raise ValueError(f"dataset {source.name!r} is neither here nor on the Hub{meant}")
        return
    strange = [key for key in given if key not in _OF_TASKS]
    if strange:
        raise ValueError(f"dataset: {label(given)} has no {strange[0]} (accepted: {', '.join(_OF_TASKS)}, weight)")
    if source.task is None:
        raise ValueError(f"dataset {PROCEDURAL!r} names no task: {PROCEDURAL}:sort-64, or another")
    if source.coding is not None:
        check_kind(source.coding)
    task(source.task, **source.parameters or {})


def checked_sources(datasets: list, weights: list[float]) -> tuple[list, list[float]]:
    """Data sets as `checked_source` gives them, and their weights, from one of both places; none is equal weights.

    Raises ValueError.
    """
    datasets = [datasets] if isinstance(datasets, str | dict) else datasets
    checked = [checked_source(dataset) for dataset in datasets]
    own = [weight for _, weight in checked if weight is not None]
    if own and weights:
        raise ValueError(f"weights: the data sets have their own weight, {own}; leave one out")
    if own and len(own) < len(checked):
        raise ValueError(f"weight: {len(own)} of {len(checked)} data sets have one; give it to all or to none")
    weights = own or weights
    numbers = all(type(weight) in (int, float) and 0 < weight < math.inf for weight in weights)
    if checked and weights and (len(weights) != len(checked) or not numbers):
        raise ValueError(f"weights must be {len(checked)} positive numbers, one for each dataset, got {weights}")
    return [dataset for dataset, _ in checked], [float(weight) for weight in weights]


def columns_of_each(text_column: str | list[str] | None, count: int) -> list[str | None]:
    """A column for each of `count` data sets, of none, one, or one for each. Raises ValueError for another number."""
    columns = [text_column] if isinstance(text_column, str) else list(text_column or [None])
    if "" in columns:
        raise ValueError("text_column is empty: name a column, or leave it out")
    if len(columns) == 1:
        return columns * count
    if len(columns) != count:
        several = f", or {count}, one for each dataset" if count > 1 else ""
        raise ValueError(f"text_column must be one column{several}, got {columns}")
    return columns


def named(dataset: str | dict | list) -> list[TextSource]:
    """The data sets of a recipe.yaml: one, or those of a mixture."""
    return list(map(parse_source, dataset if isinstance(dataset, list) else [dataset]))


def texts_of(datasets: str | dict | list) -> list[str | dict]:
    """Those of the data sets of a recipe.yaml that are text, in their order."""
    datasets = datasets if isinstance(datasets, list) else [datasets]
    return [dataset for dataset in datasets if parse_source(dataset).task is None]


def names(datasets: list, taken: Iterable[str] = ()) -> list[str]:
    """A short name of each, as trackers take it: of no other, and none of those that are `taken`.

    >>> names(["allenai/c4:en", "allenai/c4:de", "data/*.jsonl.gz", "procedural:sort-64+set-64"])
    ['c4', 'c4_2', '_.jsonl', 'sort-64_set-64']
    """
    taken = list(taken)
    first = len(taken)
    for source in named(datasets):
        name = re.sub(r"[^\w.-]", "_", source.task or PurePath(source.name).stem)
        numbered = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
        taken.append(next(each for each in numbered if each not in taken))
    return taken[first:]


def label(dataset: str | dict) -> str:
    """A data set in words: as it was named, or what its mapping says."""
    if isinstance(dataset, str):
        return dataset
    source = parse_source(dataset)
    fields = [source.name, source.config, source.split, source.text_column]
    parameters = f" {json.dumps(source.parameters)}" if source.parameters else ""
    return ":".join(field or "" for field in fields).rstrip(":") + parameters
