"""Tasks of lm-eval that are rows: exactly the metrics of the training."""

import collections
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from ..data.rows import ValidationRows
from ..runs.folder import RECIPE
from ..tasks import IGNORE, Task
from ..text import deepmind_math
from ..training.arguments import TaskArguments
from .checkpoints import Checkpoint
from .library import HarnessTask, Instance, TaskConfig, mean

ROWS = 1_000  # of a task that the run does not have for its own


_MEMORY, _REQUEST = 200_000_000, 1_200  # bytes: of a part of a task's requests, of one besides its text


class Rows(HarnessTask):
    """Rows of tokens, of which those at some places are to be predicted.

    lm-eval holds all requests of a task in memory, each with its whole context. So rows have their turns, a part of
    them at a time, and what is aggregated is over all that had theirs.

    Args:
        name: of the task.
        rows: number, words, and places of the labels of each row that has one.
        count: of rows, with those that have none.
        joiner: what stands between words, in what the tokenizer reads.
        together: rows whose mean losses are averaged first, as in the Trainer's batches; None: all tokens count alike.
    """

    VERSION = 1
    OUTPUT_TYPE = "loglikelihood"

    def __init__(self, name: str, rows: list[dict], count: int, joiner: str = " ", together: int | None = None):
        super().__init__()
        self._config = TaskConfig(task=name, num_fewshot=0, output_type=self.OUTPUT_TYPE)
        self.rows, self.count, self.joiner, self.together = rows, count, joiner, together or count
        self.part, self.seen = rows, collections.defaultdict(list)

    def turns(self) -> Iterator[None]:
        """Makes the next rows, as many as fit into `_MEMORY`, those that lm-eval gets; until all had their turn."""
        self.seen.clear()
        parts, room = [[]], _MEMORY
        for row in self.rows:
            sizes = np.cumsum([0, *(len(self.joiner + word) for word in row["words"])])
            if (size := int(sizes[row["places"]].sum()) + _REQUEST * len(row["places"])) > room and parts[-1]:
                parts, room = [*parts, []], _MEMORY
            parts[-1].append(row)
            room -= size
        for self.part in parts:
            yield

    def download(self, *_, **__):
        """There is nothing to fetch."""

    def has_training_docs(self):
        return False

    def has_validation_docs(self):
        return True

    def has_test_docs(self):
        return False

    def validation_docs(self):
        return self.part

    def doc_to_text(self, doc):
        return ""

    def doc_to_target(self, doc):
        return ""

    def fewshot_context(self, doc, num_fewshot, **_):
        return ""

    def construct_requests(self, doc, ctx, metadata, **_):
        tokens, join = doc["words"], self.joiner.join
        asked = [(join(tokens[:place]), self.joiner + tokens[place]) for place in doc["places"]]
        return [Instance(self.OUTPUT_TYPE, doc, pair, number, metadata) for number, pair in enumerate(asked)]

    def process_results(self, doc, results):
        right = [greedy for _, greedy in results]
        return {
            "exact_match": float(all(right)),
            "answer_accuracy": (sum(right), len(right)),
            "loss": (doc["number"], -math.fsum(score for score, _ in results), len(right)),
        }

    def aggregation(self):
        how = {"exact_match": mean, "answer_accuracy": _share, "loss": self._loss}
        return {name: functools.partial(self._over_all, name, function) for name, function in how.items()}

    def higher_is_better(self):
        return {"exact_match": True, "answer_accuracy": True, "loss": False}

    def _over_all(self, name: str, function: Callable, items: list) -> float:
        self.seen[name] += items
        return function(self.seen[name])

    def _loss(self, items: list[tuple[int, float, int]]) -> float:
        """From number, sum and count of each row's."""
        totals = collections.defaultdict(lambda: np.zeros(2))
        for number, total, count in items:
            totals[number // self.together] += total, count
        weights = [min(self.together, self.count - batch * self.together) for batch in totals]
        return float(np.average([total / count for total, count in totals.values()], weights=weights))


def _share(items: list[tuple[int, int]]) -> float:
    return sum(right for right, _ in items) / sum(count for _, count in items)


def rows_of(checkpoint: Checkpoint, name: str, tokens: Iterable, limit: int | None, joiner=" ", together=None) -> Rows:
    """The first `limit` of the rows of words and labels as a task for `checkpoint`; rows end at their last label.

    Raises ValueError where its tokenizer cannot read them, its positions do not suffice, or no token is labelled.
    """
    known, rows, count = checkpoint.tokenizer.get_vocab(), [], 0
    for row, labels in itertools.islice(tokens, limit):
        places = (np.flatnonzero(np.asarray(labels)[1:] != IGNORE) + 1).tolist()
        if places:
            rows.append({"number": count, "words": row[: places[-1] + 1], "places": places})
        count += 1
    for row in rows:
        if unknown := [word for word in row["words"] if word not in known]:
            raise ValueError(f"{checkpoint.path}: its tokenizer cannot read {name}, it has no token {unknown[0]!r}")
        if checkpoint.positions is not None and len(row["words"]) > checkpoint.positions + 1:
            raise ValueError(
                f"{checkpoint.path} has {checkpoint.positions} positions, {name} takes {len(row['words']) - 1}"
            )
    if not rows:
        raise ValueError(f"{name}: none of {count} rows has a label")
    read = checkpoint.tokenizer([joiner.join(row["words"]) for row in rows], add_special_tokens=False)["input_ids"]
    assert read == [checkpoint.tokenizer.convert_tokens_to_ids(row["words"]) for row in rows]
    return Rows(name, rows, count, joiner, together)


def own_task(checkpoint: Checkpoint) -> Task:
    """The task of the run that a checkpoint is of."""
    recipe = checkpoint.recipe
    if recipe.get("task_file") and not Path(checkpoint.path).is_dir():
        raise ValueError(f"{checkpoint.path}: its task_file {recipe['task_file']} is somebody else's and is not run")
    names = ("task", "task_parameters", "task_file")
    return TaskArguments(**{name: recipe[name] for name in names if name in recipe}).resolve()


def own_rows(checkpoint: Checkpoint, limit: int | None) -> Rows:
    """The validation rows of the run that a checkpoint is of."""
    recipe = checkpoint.recipe
    if "task" in recipe:
        seed = recipe.get("data_seed", recipe.get("seed", 42))
        together = None if "reward" in recipe else recipe.get("per_device_eval_batch_size", 8)
        size = recipe["validation_size"]
        return task_rows(checkpoint, recipe["task"], own_task(checkpoint), seed, size, limit, together)
    if "validation_problems" not in recipe or not isinstance(recipe.get("dataset"), str):
        raise ValueError(f"{checkpoint.path} has no {RECIPE} that tells the task of its vocabulary: name some --tasks")
    problems = {
        f"{split}/{module}": pairs
        for split in ("interpolate", "extrapolate")
        for module, pairs in deepmind_math.problems(recipe["dataset"], split, recipe["validation_problems"]).items()
    }
    rows = deepmind_math.MathValidation(problems)
    tokens = checkpoint.tokenizer.convert_ids_to_tokens
    read = ((tokens(row["input_ids"].tolist()), row["labels"]) for row in items_of(rows))
    return rows_of(checkpoint, "deepmind_math", read, limit, joiner="")


def task_rows(checkpoint: Checkpoint, name: str, asked: Task, seed: int, size: int, limit, together=None) -> Rows:
    """The first `size` validation rows of a task, or `limit` where that is less."""
    rows, spelled = ValidationRows(asked, seed, size if limit is None else min(size, limit)), asked.vocabulary
    read = (([spelled[token] for token in row["input_ids"].tolist()], row["labels"]) for row in items_of(rows))
    return rows_of(checkpoint, name, read, limit, together=together)


def items_of(rows):
    return map(rows.__getitem__, range(len(rows)))
