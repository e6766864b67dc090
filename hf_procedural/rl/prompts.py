"""Prompts: a task's, as tokens or in words, and templates: text with ``{name}`` where something is filled in."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..data import blocks
from ..tasks import IGNORE, Task


def read_template(path, *required: str) -> str:
    """The text of a template file, which must have each of the places ``{name}`` that are `required`.

    Raises ValueError for a file that is not there, is not text, or has no such place.
    """
    try:
        template = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"template {path} cannot be read: {error}") from error
    for name in required:
        if f"{{{name}}}" not in template:
            raise ValueError(f"template {path} has no place {{{name}}}, where the {name} goes")
    return template.rstrip("\n")


def fill(template: str, **values: str) -> str:
    r"""The template with its places filled in; what is filled in is not read again.

    >>> fill("Say {word} in \\boxed{}.", word="{word}")
    'Say {word} in \\boxed{}.'
    """
    places = re.compile("|".join(rf"\{{{re.escape(name)}\}}" for name in values))
    return places.sub(lambda found: values[found[0][1:-1]], template)


def as_prompt(text: str, tokenizer, system: str | None = None) -> str | list[dict[str, str]]:
    """A prompt as TRL takes it: a user's message where the tokenizer has a chat template, else the text itself.

    With `system`, a system's message stands before it, where there is a chat template.
    """
    if not tokenizer.chat_template:
        return text
    before = [] if system is None else [{"role": "system", "content": system}]
    return [*before, {"role": "user", "content": text}]


def token_ids(asked: list, tokenizer, **settings) -> list[list[int]]:
    """The tokens of prompts of `as_prompt`, as a model is given them; `settings` are those of a chat template."""
    if tokenizer.chat_template:
        return tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True, **settings)[
            "input_ids"
        ]
    return tokenizer(asked, verbose=False)["input_ids"]


def words(task: Task, prompt_ids: list[int]) -> str:
    """A prompt as the task's tokens, separated by spaces: what its tokenizer reads."""
    return " ".join(task.vocabulary[token] for token in prompt_ids)


def in_words(template: str, tokenizer) -> Callable[[Task, list[int]], str | list[dict]]:
    """A function that puts a prompt of a task into a template, for a model that reads text.

    Places: {prompt}, {summary} (of the task), and {example_prompt} with {example_answer}, a solved one. Those of a
    mixture are its member's that the prompt is of.
    """

    def prompt(task, prompt_ids):
        asked, task = words(task, prompt_ids), member_of(task, prompt_ids)
        ids, labels = (rows[0] for rows in task.sample_split(np.random.default_rng(0), 1, "train"))
        example = task.prompt_of(ids, labels)
        values = {"summary": task.summary, "prompt": asked, "example_prompt": words(task, example)}
        return as_prompt(fill(template, **values, example_answer=words(task, task.solve(example))), tokenizer)

    return prompt


def member_of(task: Task, prompt_ids: list[int]) -> Task:
    """The member of a mixture that takes a prompt, the first if there are several; else the task itself."""
    for member in getattr(task, "members", ()):
        with contextlib.suppress(ValueError):
            member.score(words(task, prompt_ids), "")
            return member
    return task


class TaskPrompts:
    """The prompts of a split, which is endless, by number: those of the rows that the procedural stage would have.

    A row has `prompt_ids` and `prompt`: these tokens as text, up to the first that has a label. So an answer of an
    arithmetic probe is `begun` with its first token, which the procedural stage does not train; `answer_length` is the
    number of labelled tokens. Or, where that is given, `prompt` is `show(task, prompt_ids)`. Another task may be
    assigned to `task`, for the next iterator, which begins at row `start`.
    """

    def __init__(self, task: Task, seed: int, split: str, show: Callable | None = None):
        self.task, self.seed, self.split, self.show = task, seed, split, show
        self.start = 0

    def __iter__(self) -> Iterator[dict]:
        task, size, number = self.task, blocks.block_rows(self.task), self.start
        while True:
            rows = self._rows(task, *blocks.block(task, self.seed, self.split, number // size))
            for row in rows[number % size :]:
                yield row
                number += 1

    def draw(self, generator: np.random.Generator, number: int) -> list[dict]:
        """So many rows of the split from `generator`."""
        return self._rows(self.task, *self.task.sample_split(generator, number, self.split))

    def _rows(self, task: Task, input_ids: np.ndarray, labels: np.ndarray) -> list[dict]:
        prompts = [task.prompt_of(*row) for row in zip(input_ids, labels, strict=True)]
        if self.show is not None:
            return [{"prompt": self.show(task, prompt), "prompt_ids": prompt} for prompt in prompts]
        rows = []
        for prompt, ids, scored in zip(prompts, input_ids.tolist(), labels != IGNORE, strict=True):
            begun = ids[len(prompt) : scored.argmax()] if scored.any() else []
            asked = {"prompt": words(task, prompt + begun), "prompt_ids": prompt, "begun": begun}
            rows.append(asked | {"answer_length": int(scored.sum())})
        return rows


def with_short_prompts(rows, show: Callable, tokenizer, longest: int, **settings):
    """Those rows of a `datasets.Dataset` whose prompt, `show(row)`, has so many tokens at most."""

    def short(batch):
        shown = [show(dict(zip(batch, values, strict=True))) for values in zip(*batch.values(), strict=True)]
        return [len(ids) <= longest for ids in token_ids(shown, tokenizer, **settings)]

    return rows.filter(short, batched=True, desc="Prompt lengths")


class RowPrompts:
    """Rows in memory with their `prompt`, which is `show(row)`, without an end: all in a random order, then another."""

    def __init__(self, rows, show: Callable[[dict], str | list[dict]], seed: int):
        self.rows, self.show, self.seed = rows, show, seed

    def __iter__(self) -> Iterator[dict]:
        epoch = 0
        while True:
            yield from self.draw(np.random.default_rng([self.seed, epoch]), len(self.rows))
            epoch += 1

    def draw(self, generator: np.random.Generator, number: int) -> Iterator[dict]:
        """So many rows, none twice before all were drawn."""
        for place in range(number):
            if place % len(self.rows) == 0:
                order = generator.permutation(len(self.rows))
            row = self.rows[int(order[place % len(self.rows)])]
            yield row | {"prompt": self.show(row)}
