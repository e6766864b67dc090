"""Prompts: a task's, as tokens or in words, and templates: text with ``{name}`` where something is filled in."""

import contextlib
import functools
from collections.abc import Callable, Iterator

import numpy as np

from ..data import blocks
from ..models.prompting import as_prompt, fill, token_ids
from ..moved import old_names
from ..tasks import IGNORE, Task
from ..tasks.byte_text import is_wholly_text

__getattr__ = old_names(__name__)


def in_words(template: str, tokenizer) -> Callable[[Task, list[int]], str | list[dict]]:
    """A function that puts a prompt of a task into a template, for a model that reads text, see `filled`."""
    return lambda task, prompt_ids: as_prompt(filled(template, task, prompt_ids), tokenizer)


def filled(template: str, task: Task, prompt_ids: list[int]) -> str:
    """A template with a prompt of a task in it.

    Places: {prompt}, {summary} (of the task), and {example_prompt} with {example_answer}, a solved one. Those of a
    mixture are its member's that the prompt is of.
    """
    member = member_of(task, prompt_ids)
    example, answer = _example(member)
    return fill(
        template, summary=member.summary, prompt=_asked(task, prompt_ids), example_prompt=example, example_answer=answer
    )


def usual_template(task: Task) -> str:
    """The name of the template in which a task is asked in one reply, where no other is given."""
    return "rlvr_text" if is_wholly_text(task) else "rlvr"


@functools.lru_cache(maxsize=64)
def _example(task: Task) -> tuple[str, str]:
    """A prompt of a task with its answer, as text."""
    input_ids, labels = task.sample_split(np.random.default_rng(0), 1, "train")
    prompt = task.prompt_of(input_ids[0], labels[0])
    return _asked(task, prompt), task.text(task.solve(prompt))


def _asked(task: Task, prompt_ids: list[int]) -> str:
    """A prompt in words; one that is text ends where its question does."""
    asked = task.text(prompt_ids)
    return asked.removesuffix("<sep>") if is_wholly_text(task) else asked


def member_of(task: Task, prompt_ids: list[int]) -> Task:
    """The member of a mixture that takes a prompt, the first if there are several; else the task itself."""
    for member in getattr(task, "members", ()):
        with contextlib.suppress(ValueError):
            member.score(task.text(prompt_ids), "")
            return member
    return task


class TaskPrompts:
    """The prompts of a split, which is endless, by number: those of the rows that the procedural stage would have.

    A row has `prompt_ids` and `prompt`: these tokens as text, up to the first that has a label. So an answer of an
    arithmetic probe is `begun` with its first token, which the procedural stage does not train; `answer_length` is the
    number of its labelled tokens. Or, where that is given, `prompt` is `show(task, prompt_ids)`. Another task may be
    set, for the next iterator, which begins at row `start`.
    """

    def __init__(self, task: Task, seed: int, split: str, show: Callable | None = None):
        self.task = task
        self.seed = seed
        self.split = split
        self.show = show
        self.start = 0

    def set_task(self, task: Task) -> None:
        """What the next iterator's rows are of, as for `data.rows.ValidationRows`."""
        self.task = task

    def __iter__(self) -> Iterator[dict]:
        task = self.task
        size = blocks.block_rows(task)
        number = self.start
        while True:
            rows = self._rows(task, *blocks.block(task, self.seed, self.split, number // size))
            for row in rows[number % size :]:
                yield row
                number += 1

    def draw(self, generator: np.random.Generator, number: int) -> list[dict]:
        """So many rows of the split from `generator`."""
        return self._rows(self.task, *self.task.sample_split(generator, number, self.split))

    def _rows(self, task: Task, input_ids: np.ndarray, labels: np.ndarray) -> list[dict]:
        asked, starts, _ = task.questions(input_ids, labels)
        prompts = [ids[:start] for ids, start in zip(asked.tolist(), starts, strict=True)]
        if self.show is not None:
            return [{"prompt": self.show(task, prompt), "prompt_ids": prompt} for prompt in prompts]
        rows = []
        for prompt, ids, scored in zip(prompts, asked.tolist(), labels != IGNORE, strict=True):
            of_answer = scored[len(prompt) :]
            begun = ids[len(prompt) :][: of_answer.argmax()] if of_answer.any() else []
            row = {"prompt": task.text(prompt + begun), "prompt_ids": prompt, "begun": begun}
            rows.append(row | {"answer_length": int(of_answer.sum())})
        return rows


def with_short_prompts(rows, show: Callable, tokenizer, longest: int, **settings):
    """Those rows of a `datasets.Dataset` whose prompt, `show(row)`, has so many tokens at most."""

    def short(batch):
        cells = zip(*batch.values(), strict=True)
        shown = [show(dict(zip(batch, values, strict=True))) for values in cells]
        return [len(ids) <= longest for ids in token_ids(shown, tokenizer, **settings)]

    return rows.filter(short, batched=True, desc="Prompt lengths")


class RowPrompts:
    """Rows in memory with their `prompt`, which is `show(row)`, without an end: all in a random order, then another."""

    def __init__(self, rows, show: Callable[[dict], str | list[dict]], seed: int):
        self.rows = rows
        self.show = show
        self.seed = seed

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
