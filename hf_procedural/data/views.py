"""A row in the forms that trainers take: ids, text, prompt and completion, or the messages of a chat.

    ids                  input_ids, labels    int32 lists: the task's own ids, or those of any tokenizer
    text                 text                 "3 1 2 <sep> 1 2 3"
    integers             text                 "3 1 2 100 1 2 3"                 the ids, as arXiv:2609.39827 has them
    prompt_completion    prompt, completion   "3 1 2 <sep>", " 1 2 3"           one after the other, they are the text
    messages             messages             [{"role": "user", "content": "3 1 2 <sep>"}, {"role": ...}]

Text is the task's token strings, separated by single spaces, without padding, in every family, as no token has a space
in it: `Task.ids` gives the ids back, and so does the tokenizer of the task. A row whose targets stand apart is text up
to its last question, and the answer to that. Rows that are text, byte by byte, are told as that text, with <sep> and
<eos> in it, which messages leave out unless rows of other tasks are among them:

    text                 text                 "What is 4 + 3?<sep>7<eos>"
    prompt_completion    prompt, completion   "What is 4 + 3?<sep>", "7<eos>"
    messages             messages             [{"role": "user", "content": "What is 4 + 3?"}, {"role": ..., "7"}]
"""

import dataclasses

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import nearest
from ..tasks import Task
from ..tasks.byte_text import is_wholly_text
from ..tasks.coding import Coding
from . import blocks
from .coded import in_ids

VIEWS = ("ids", "text", "integers", "prompt_completion", "messages")


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
                f"view {view}: {languages[0]} is a language, whose rows have no prompt (views: ids, text, integers)"
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
        if self.name in ("text", "integers"):
            return datasets.Features(text=text)
        if self.name == "prompt_completion":
            return datasets.Features(prompt=text, completion=text)
        if self.name == "messages":
            return datasets.Features(messages=datasets.List({"role": text, "content": text}))
        is_fixed = self.fixed_size and not (self.coding and self.coding.is_text)
        column = id_column(blocks.row_length(self.task) if is_fixed else None)
        return datasets.Features(input_ids=column, labels=column)

    def table(self, input_ids: np.ndarray, labels: np.ndarray) -> pa.Table:
        """Columns of rows, int32 ``[n, tokens]`` each, which may be written over."""
        return pa.table(self._columns(input_ids, labels), schema=self.features.arrow_schema)

    def _columns(self, input_ids, labels) -> list:
        if self.name == "ids":
            return self._ids(input_ids, labels)
        rows, starts, stops = self.task.questions(input_ids, labels)
        if self.task.is_text and self.name != "integers":
            return self._of_text(rows, starts, stops)
        vocabulary = self.task.vocabulary
        if self.name == "integers":
            vocabulary = tuple(map(str, range(len(vocabulary))))
        words = pa.array([*vocabulary, *(f" {word}" for word in vocabulary)])
        begins = np.zeros_like(stops)
        if self.name in ("text", "integers"):
            return [_text(words, rows, begins, stops)]
        prompts = _text(words, rows, begins, starts)
        completions = _text(words, rows, starts, stops, has_space=self.name == "prompt_completion")
        if self.name == "prompt_completion":
            return [prompts, completions]
        return [_messages(prompts, completions)]

    def _of_text(self, rows, starts, stops) -> list:
        """Those of a task with rows that are text."""
        texts = [self.task.text(row[:stop]) for row, stop in zip(rows, stops, strict=True)]
        if self.name == "text":
            return [pa.array(texts, pa.string())]
        prompts = [self.task.text(row[:start]) for row, start in zip(rows, starts, strict=True)]
        completions = [text[len(prompt) :] for text, prompt in zip(texts, prompts, strict=True)]
        if self.name == "prompt_completion":
            return [pa.array(prompts, pa.string()), pa.array(completions, pa.string())]
        if is_wholly_text(self.task):
            prompts = [prompt.removesuffix("<sep>") for prompt in prompts]
            completions = [text.removesuffix("<eos>") for text in completions]
        else:
            completions = [text.removeprefix(" ") for text in completions]
        return [_messages(pa.array(prompts, pa.string()), pa.array(completions, pa.string()))]

    def _ids(self, input_ids, labels) -> list:
        column = self.features["input_ids"]
        block = in_ids(self.task, input_ids, labels, self.coding)
        return [id_lists(column, tokens, block.ends) for tokens in (block.tokens, block.labels)]


def id_column(length: int | None) -> datasets.List:
    """The column of ids of rows that all have `length`, or differ."""
    return datasets.List(datasets.Value("int32"), length=-1 if length is None else length)


def id_lists(column: datasets.List, tokens: np.ndarray, ends: np.ndarray) -> pa.Array:
    """Rows of such a column: tokens one after another, int32 ``[tokens]``, and where each row ends, int64 ``[n]``."""
    if column.length == -1:
        return pa.ListArray.from_arrays(np.append(0, ends).astype(np.int32), pa.array(tokens))
    return pa.FixedSizeListArray.from_arrays(pa.array(tokens), column.length)


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
