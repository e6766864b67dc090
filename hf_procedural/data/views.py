"""A row in the forms that trainers take: ids, text, prompt and completion, or the messages of a chat.

    ids                  input_ids, labels    int32 lists: the task's own ids, or those of any tokenizer
    text                 text                 "3 1 2 <sep> 1 2 3"
    prompt_completion    prompt, completion   "3 1 2 <sep>", " 1 2 3"           one after the other, they are the text
    messages             messages             [{"role": "user", "content": "3 1 2 <sep>"}, {"role": ...}]

Text is the task's token strings, separated by single spaces, without padding, in every family, as no token has a space
in it: `Task.ids` gives the ids back, and so does the tokenizer of the task.
"""

import dataclasses

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import nearest
from ..tasks import IGNORE, Task
from ..tasks.coding import Coding

VIEWS = ("ids", "text", "prompt_completion", "messages")


def check(view, task: Task, is_coded: bool) -> None:
    """Raises ValueError for an unknown view, one that a task has not, and one of text where rows have other ids."""
    if view not in VIEWS:
        raise ValueError(f"view must be one of {', '.join(VIEWS)}, got {view!r}{nearest(str(view), VIEWS)}")
    if is_coded and view != "ids":
        raise ValueError(f"tokenizer: view {view} is text, which any tokenizer reads; ids are of view ids")
    if view in ("prompt_completion", "messages"):
        languages = [member.config_name for member in getattr(task, "members", [task]) if member.is_language]
        if languages:
            raise ValueError(
                f"view {view}: {languages[0]} is a language, whose rows have no prompt; it has view ids and view text"
            )


@dataclasses.dataclass(frozen=True)
class View:
    """How rows of a task are told: `table` makes the columns of `features` of them."""

    task: Task
    name: str = "ids"
    coding: Coding | None = None
    fixed_size: bool = True

    def __post_init__(self):
        check(self.name, self.task, self.coding is not None)

    @property
    def features(self) -> datasets.Features:
        """The columns."""
        text = datasets.Value("string")
        if self.name == "text":
            return datasets.Features(text=text)
        if self.name == "prompt_completion":
            return datasets.Features(prompt=text, completion=text)
        if self.name == "messages":
            return datasets.Features(messages=datasets.List({"role": text, "content": text}))
        is_fixed = self.fixed_size and not (self.coding and self.coding.kind == "text")
        column = datasets.List(datasets.Value("int32"), length=self.task.max_length if is_fixed else -1)
        return datasets.Features(input_ids=column, labels=column)

    def table(self, input_ids: np.ndarray, labels: np.ndarray) -> pa.Table:
        """Columns of rows, int32 ``[n, max_length]`` each, which may be written over."""
        return pa.table(self._columns(input_ids, labels), schema=self.features.arrow_schema)

    def _columns(self, input_ids, labels) -> list:
        if self.name == "ids":
            return self._ids(input_ids, labels)
        words = pa.array([*self.task.vocabulary, *(f" {word}" for word in self.task.vocabulary)])
        sizes = (input_ids != self.task.pad_id).sum(axis=1)  # padding stands at the end alone
        if self.name == "text":
            return [_text(words, input_ids, np.zeros_like(sizes), sizes)]
        starts = np.minimum(_answers(self.task, input_ids, labels), sizes)
        prompts = _text(words, input_ids, np.zeros_like(sizes), starts)
        completions = _text(words, input_ids, starts, sizes, has_space=self.name == "prompt_completion")
        if self.name == "prompt_completion":
            return [prompts, completions]
        return [_messages(prompts, completions)]

    def _ids(self, input_ids, labels) -> list:
        kind = self.features["input_ids"]
        if self.coding and self.coding.kind == "text":
            *columns, ends = self.coding.text(input_ids, labels)
            ends = np.concatenate(([0], ends)).astype(np.int32)
        else:
            columns = self.coding.symbols(input_ids, labels) if self.coding else (input_ids, labels)
            ends = np.arange(len(input_ids) + 1, dtype=np.int32) * input_ids.shape[1]
        lists = []
        for column in columns:
            tokens = pa.array(column.reshape(-1))
            if kind.length == -1:
                lists.append(pa.ListArray.from_arrays(ends, tokens))
            else:
                lists.append(pa.FixedSizeListArray.from_arrays(tokens, kind.length))
        return lists


def _answers(task: Task, input_ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Where the answer of each row begins, as `Task.prompt_of` says: int64 ``[n]``, the row's length for no answer."""
    width = input_ids.shape[1]
    is_scored = labels != IGNORE
    starts = np.where(is_scored.any(axis=1), is_scored.argmax(axis=1), width)
    if task.prompt_end is not None:
        is_end = input_ids == task.prompt_end
        starts = np.where(is_end.any(axis=1), is_end.argmax(axis=1) + 1, starts)
    return starts


def _text(words: pa.Array, input_ids, starts: np.ndarray, stops: np.ndarray, has_space: bool = False) -> pa.Array:
    """The words of each row from `starts` to `stops`; the first has a space before it if `has_space`, the others do.

    Args:
        words: the vocabulary, and once more with a space before each.
    """
    places = np.arange(input_ids.shape[1])
    is_chosen = (places >= starts[:, None]) & (places < stops[:, None])
    spaced = input_ids + len(words) // 2
    if not has_space:
        spaced = np.where(places == starts[:, None], input_ids, spaced)
    ends = np.concatenate(([0], np.cumsum(stops - starts))).astype(np.int32)
    lists = pa.ListArray.from_arrays(ends, words.take(pa.array(spaced[is_chosen])))
    return pc.call_function("binary_join", [lists, pa.scalar("")])


def _messages(prompts: pa.Array, completions: pa.Array) -> pa.Array:
    """A chat of two turns for each row."""
    rows = len(prompts)
    turns = np.arange(2 * rows).reshape(2, rows).T.reshape(-1)  # the prompt of a row, then its completion
    contents = pa.concat_arrays([prompts, completions]).take(pa.array(turns))
    roles = pa.array(["user", "assistant"] * rows)
    structs = pa.StructArray.from_arrays([roles, contents], names=["role", "content"])
    return pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * 2, structs)
