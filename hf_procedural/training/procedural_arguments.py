"""The arguments of procedural rows in a run on text. Light."""

import dataclasses
from typing import ClassVar

from ..errors import nearest
from ..tasks import Task, task
from ..tasks.coding import KINDS
from ..text import sources
from .words import mapping

PACKINGS = ("packed", "rows")


@dataclasses.dataclass
class ProceduralArguments:
    """Rows of procedural tasks in front of the text, or among it, as tokens of the run's tokenizer."""

    _argument_group_name = "procedural rows in the run (procedural:TASK)"
    described: ClassVar = ("first",)

    first: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "A task whose rows come before all else in the same run, with the same optimizer and schedule: "
            "procedural:dyck-64. In a YAML also a mapping with name, parameters and coding."
        },
    )
    first_tokens: int | None = dataclasses.field(
        default=None,
        metadata={"help": "So many tokens of max_tokens, those of first; whole rows of sequence_length that fit."},
    )
    coding: str = dataclasses.field(
        default="symbols",
        metadata={
            "help": "How a task's rows become tokens: symbols (each of the task's symbols is one ordinary token, drawn "
            "by data_seed: rows stay as long as they are, and nothing is learnt about words), text (they are written "
            "out, words with spaces between) or integers (their ids are, as in arXiv:2609.39827). Some tokenizers do "
            "not allow the latter two.",
        },
    )
    packing: str = dataclasses.field(
        default="packed",
        metadata={
            "help": "Where a task's rows go: packed (among the documents, as documents, each with its separator) or "
            "rows (each into a row of the batch of its own, padded; weights and first_tokens count padding, too).",
        },
    )
    task_parameters: dict | str | None = dataclasses.field(
        default=None,
        metadata={
            "help": """Parameters of the tasks that name none themselves, as JSON, such as '{"vocab_size": 50}'. """
            "In a YAML each may have its own: {name: procedural:sort-64, parameters: {vocab_size: 50}, weight: 0.003}."
        },
    )

    def __post_init__(self):
        self.task_parameters = mapping("task_parameters", self.task_parameters)
        for name, known in (("coding", KINDS), ("packing", PACKINGS)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name} must be {' or '.join(known)}, got {value!r}{nearest(str(value), known)}")
        if (self.first is None) != (self.first_tokens is None):
            there, missing = ("first", "first_tokens") if self.first_tokens is None else ("first_tokens", "first")
            example = {"first_tokens": "2_000_000", "first": "procedural:dyck-64"}[missing]
            raise ValueError(f"{there} is given, and {missing} is not: give --{missing} {example}, or neither")
        if self.first is not None:
            self.first, weight = sources.checked_source(self.first)
            if sources.parse_source(self.first).task is None or weight is not None:
                raise ValueError(f"first must be procedural:TASK, without a weight, got {sources.label(self.first)!r}")

    def check(self) -> None:
        """Raises ValueError for a parameter that first's task does not have."""
        if self.first is not None:
            self.task_of(sources.parse_source(self.first))

    def task_of(self, source: sources.TextSource) -> Task:
        """The task of a source. Raises ValueError for a parameter that it does not have."""
        given = self.task_parameters if source.parameters is None else source.parameters
        return task(source.task, **given)  # ty: ignore[invalid-argument-type]
