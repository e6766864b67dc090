"""Tasks of lm-eval that are rows: exactly the metrics of the training."""

import collections
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import numpy as np

from .. import upstream
from ..data.rows import ValidationRows
from ..runs.folder import RECIPE, task_file_of
from ..tasks import IGNORE, Task
from ..text import deepmind_math, math_archive
from ..training.arguments import TaskArguments
from .checkpoints import Checkpoint
from .library import HarnessTask, Instance, TaskConfig, mean

ROWS = 1_000  # of a task that the run does not have for its own
_MEMORY = 200_000_000  # bytes: of the requests that lm-eval holds at a time
_REQUEST = 1_200  # bytes: of one of them, besides its text


class Rows(HarnessTask):
    """Rows of tokens, of which those at some places are to be predicted.

    lm-eval holds all requests of a task in memory, each with its whole context. So rows have their turns, some of them
    at a time, and what is aggregated is over all that had theirs.

    Args:
        name: of the task.
        rows: number, words, and places of the labels of each row that has one, with the `targets` there, which may
            differ from the row's own words.
        count: of rows, with those that have none.
        joiner: what stands between words, in what the tokenizer reads.
        together: rows whose mean losses are averaged first, as in the Trainer's batches; None: all tokens count alike.
    """

    VERSION = 1
    OUTPUT_TYPE: Literal["loglikelihood"] = "loglikelihood"

    def __init__(self, name: str, rows: list[dict], count: int, joiner: str = " ", together: int | None = None):
        super().__init__()
        self._config = TaskConfig(task=name, num_fewshot=0, output_type=self.OUTPUT_TYPE)
        if self.config is not self._config:
            raise upstream.lacking("lm_eval.api.task:Task._config")
        self.rows = rows
        self.count = count
        self.joiner = joiner
        self.together = together or count
        self.current = rows  # whose turn it is
        self.values = collections.defaultdict(list)  # by metric, of all rows that had their turn

    def turns(self) -> Iterator[None]:
        """Makes the next rows, as many as fit into `_MEMORY`, those that lm-eval gets; until all had their turn."""
        self.values.clear()
        turns = [[]]
        room = _MEMORY
        for row in self.rows:
            size = self._bytes(row)
            if size > room and turns[-1]:
                turns.append([])
                room = _MEMORY
            turns[-1].append(row)
            room -= size
        for self.current in turns:
            yield

    def _bytes(self, row: dict) -> int:
        """What the requests of a row take, of which each has all words before it."""
        sizes = np.cumsum([0, *(len(self.joiner + word) for word in row["words"])])
        contexts = int(sizes[row["places"]].sum())
        return contexts + _REQUEST * len(row["places"])

    def download(self, *_, **__):
        """There is nothing to fetch."""

    def has_training_docs(self):
        return False

    def has_validation_docs(self):
        return True

    def has_test_docs(self):
        return False

    def validation_docs(self):
        return self.current

    def doc_to_text(self, doc):
        return ""

    def doc_to_target(self, doc):
        return ""

    def fewshot_context(self, doc, num_fewshot, **_):
        return ""

    def construct_requests(self, doc, ctx, metadata, **_):
        words = doc["words"]
        requests = []
        for number, (place, target) in enumerate(zip(doc["places"], doc["targets"], strict=True)):
            context = self.joiner.join(words[:place])
            continuation = self.joiner + target
            requests.append(Instance(self.OUTPUT_TYPE, doc, (context, continuation), number, metadata))
        return requests

    def process_results(self, doc, results):
        right = [greedy for _, greedy in results]
        return {
            "exact_match": float(all(right)),
            "answer_accuracy": (sum(right), len(right)),
            "loss": (doc["number"], -math.fsum(score for score, _ in results), len(right)),
        }

    def aggregation(self):
        functions = {"exact_match": mean, "answer_accuracy": _share, "loss": self._loss}
        return {name: functools.partial(self._over_all, name, function) for name, function in functions.items()}

    def higher_is_better(self):
        return {"exact_match": True, "answer_accuracy": True, "loss": False}

    def _over_all(self, name: str, function: Callable, items: list) -> float:
        """The aggregate of a metric over the rows so far, of which `items` are those of this turn."""
        self.values[name] += items
        return function(self.values[name])

    def _loss(self, items: list[tuple[int, float, int]]) -> float:
        """The mean over batches of the Trainer of each one's mean, from number, sum and count of each row.

        A batch weighs as many rows as it had, those without a label included: so the Trainer averages.
        """
        totals = collections.defaultdict(lambda: np.zeros(2))
        for number, total, count in items:
            totals[number // self.together] += total, count
        means = [total / count for total, count in totals.values()]
        weights = [min(self.together, self.count - batch * self.together) for batch in totals]
        return float(np.average(means, weights=weights))


def _share(items: list[tuple[int, int]]) -> float:
    return sum(right for right, _ in items) / sum(count for _, count in items)


def rows_task(
    checkpoint: Checkpoint, name: str, labelled: Iterable, limit: int | None, joiner=" ", together=None
) -> Rows:
    """The first `limit` of the `labelled` rows as a task; rows end at their last label.

    Args:
        labelled: the words of each row, and as many targets: words, or None where there is no label.

    Raises ValueError where the checkpoint's tokenizer cannot read them, or reads other tokens, where its positions do
    not suffice, and where no token is labelled.
    """
    rows: list[dict[str, Any]] = []
    count = 0
    for words, targets in itertools.islice(labelled, limit):
        places = [place for place in range(1, len(targets)) if targets[place] is not None]  # nothing predicts the first
        if places:
            row = {"number": count, "words": words[: places[-1] + 1], "places": places}
            rows.append(row | {"targets": [targets[place] for place in places]})
        count += 1
    known = checkpoint.tokenizer.get_vocab()
    for row in rows:
        for word in row["words"] + row["targets"]:
            if word not in known:
                raise ValueError(f"{checkpoint.path}: its tokenizer cannot read {name}, it has no token {word!r}")
        if checkpoint.positions is not None and len(row["words"]) > checkpoint.positions + 1:
            raise ValueError(
                f"{checkpoint.path} has {checkpoint.positions} positions, {name} takes {len(row['words']) - 1}"
            )
    if not rows:
        raise ValueError(f"{name}: none of {count} rows has a label")
    _check_reading(checkpoint, name, rows, joiner)
    return Rows(name, rows, count, joiner, together)


def _check_reading(checkpoint: Checkpoint, name: str, rows: list[dict], joiner: str) -> None:
    """Raises ValueError where the tokenizer makes other tokens of a row's text than its words."""
    texts = [joiner.join(row["words"]) for row in rows]
    read = checkpoint.tokenizer(texts, add_special_tokens=False)["input_ids"]
    for row, ids in zip(rows, read, strict=True):
        if ids == checkpoint.tokenizer.convert_tokens_to_ids(row["words"]):
            continue
        tokens = checkpoint.tokenizer.convert_ids_to_tokens(ids)
        for word, token in itertools.zip_longest(row["words"], tokens):
            if word != token:
                raise ValueError(
                    f"{checkpoint.path}: its tokenizer reads {name} otherwise than word by word: "
                    f"{token!r} in place of {word!r}, in row {row['number']}"
                )


def task_of_run(checkpoint: Checkpoint) -> Task:
    """The task of the run that a checkpoint is of."""
    recipe = checkpoint.recipe
    task_file_of(checkpoint.path, recipe)  # may be a stranger's
    names = ("task", "task_parameters", "task_file")
    return TaskArguments(**{name: recipe[name] for name in names if name in recipe}).resolve()


def rows_of_run(checkpoint: Checkpoint, limit: int | None) -> Rows:
    """The validation rows of the run that a checkpoint is of."""
    recipe = checkpoint.recipe
    if "task" in recipe:
        seed = recipe.get("data_seed", recipe.get("seed", 42))
        together = None if "reward" in recipe else recipe.get("per_device_eval_batch_size", 8)
        size = recipe["validation_size"]
        return validation_rows(checkpoint, recipe["task"], task_of_run(checkpoint), seed, size, limit, together)
    if "validation_problems" not in recipe or not isinstance(recipe.get("dataset"), str):
        raise ValueError(f"{checkpoint.path} has no {RECIPE} that tells the task of its vocabulary: name some --tasks")
    problems = math_archive.validation_problems(recipe["dataset"], recipe["validation_problems"])
    rows = deepmind_math.MathValidation(problems)
    spell = checkpoint.tokenizer.convert_ids_to_tokens
    return rows_task(checkpoint, "deepmind_math", _labelled(rows, spell), limit, joiner="")


def validation_rows(checkpoint: Checkpoint, name: str, asked: Task, seed: int, size: int, limit, together=None) -> Rows:
    """The first `size` validation rows of a task, or `limit` where that is less."""
    rows = ValidationRows(asked, seed, size if limit is None else min(size, limit))

    def spell(ids):
        return [asked.vocabulary[token] for token in ids]

    return rows_task(checkpoint, name, _labelled(rows, spell), limit, together=together)


def _labelled(rows, spell: Callable) -> Iterator[tuple[list[str], list[str | None]]]:
    """The words of each row, and the word of each label; `spell` makes words of ids."""
    for row in each_row(rows):
        labels = row["labels"].tolist()
        targets = [None if label == IGNORE else spell([label])[0] for label in labels]
        yield spell(row["input_ids"].tolist()), targets


def each_row(rows) -> Iterator[dict]:
    """The rows of a dataset that knows its length and one row at a time."""
    return map(rows.__getitem__, range(len(rows)))
