"""How much a run of a study is: tokens, FLOPs, and hours as far as they can be told before it has begun."""

import dataclasses
import functools
import json
import math
import re

from .. import tasks
from ..models.words import SIZE
from ..training.arguments import DEFAULT_SIZE

_BATCH, _LENGTH, _EPOCHS, _TRAIN_SIZE, _TOKENIZER_SIZE = 8, 1024, 3.0, 160_064, 4_096  # what the recipes' defaults are


@dataclasses.dataclass(frozen=True)
class Amount:
    """Tokens that a run sees, those of a step, and FLOPs as the Trainer counts them (6 for each weight and token)."""

    tokens: int
    tokens_per_step: int
    flops: float


def amount_of(planned) -> Amount | None:
    """Of a run of pretrain or semantic; None where it cannot be told, as of RL. Runs may end earlier."""
    if planned.recipe not in ("pretrain", "semantic"):
        return None
    length = _length(planned)
    if length is None:
        return None
    rows = _number(planned, "per_device_train_batch_size", _BATCH) * _number(planned, "gradient_accumulation_steps", 1)
    rows *= planned.launch.get("num_processes", 1)
    each = int(rows * length)
    steps = _number(planned, "max_steps", 0)
    if planned.arguments.get("max_tokens") is not None:
        budget = _number(planned, "max_tokens", 0)
        if planned.arguments.get("substitutive"):
            earlier = [before.amount for before in all_before(planned)]
            if None in earlier:
                return None
            budget -= sum(amount.tokens for amount in earlier)
        steps = budget // each
    elif steps <= 0:
        if planned.recipe == "semantic":
            return None
        steps = _steps_of_epochs(planned, rows)
    weights = weights_of(planned)
    tokens = int(steps) * each
    return Amount(tokens, each, 6.0 * weights * tokens if weights else 0.0)


def _steps_of_epochs(planned, rows: float) -> int:
    """Steps of so many rows: whole ones of rows that are made on the fly, else as the Trainer rounds."""
    epochs, size = _number(planned, "num_train_epochs", _EPOCHS), _number(planned, "train_size", _TRAIN_SIZE)
    if planned.arguments.get("streaming") or planned.arguments.get("curriculum"):
        return max(1, int(epochs * (size // rows)))
    return math.ceil(epochs * math.ceil(size / rows))


def all_before(planned) -> list:
    """All runs before a run, each once."""
    names = {}
    for before in planned.after:
        names[before.name] = before
        names |= {other.name: other for other in all_before(before)}
    return [*names.values()]


def _number(planned, key: str, default: float) -> float:
    """An argument, which its recipe takes as a number."""
    value = planned.arguments.get(key)
    return default if value is None else float(value)


def _length(planned) -> int | None:
    given = planned.arguments
    if planned.recipe == "semantic":
        return int(_number(planned, "sequence_length", _LENGTH))
    sizes = _task(given)
    return None if sizes is None else sizes[0]


def _task(given: dict) -> tuple[int, int] | None:
    """The tokens of a row of a run's task, and of its vocabulary."""
    if not isinstance(given.get("task"), str):
        return None
    return _sizes_of_task(given["task"], json.dumps(given.get("task_parameters") or {}, sort_keys=True))


@functools.cache
def _sizes_of_task(name: str, parameters: str) -> tuple[int, int]:
    task = tasks.task(name, **json.loads(parameters))
    return task.max_length, len(task.vocabulary)


def weights_of(planned) -> int | None:
    """The weights of a run's model without embeddings; None where they cannot be told without its configuration.

    A head that is tied to the embeddings is one of them; one of its own counts, as for the Trainer.
    """
    root, overrides = planned, _overrides(planned)
    while root.after and "size" not in root.arguments:
        root = root.after[0]
        overrides = _overrides(root) | overrides
    given = root.arguments
    if (
        given.get("model_type", "gpt2") != "gpt2"
        or "config_name" in given
        or any(given.get(part) is not None for part in SIZE)
    ):
        return None
    head = 0 if overrides.get("tie_word_embeddings", True) else overrides.get("vocab_size", _vocabulary(planned))
    return None if head is None else _gpt2_weights(str(given.get("size", DEFAULT_SIZE)), head)


def _overrides(planned) -> dict:
    given = planned.arguments.get("model_overrides")
    return given if isinstance(given, dict) else {}


def _vocabulary(planned) -> int | None:
    """The tokens that a run's model knows; None where a tokenizer would have to be read."""
    if planned.recipe == "pretrain":
        sizes = _task(planned.arguments)
        return None if sizes is None else sizes[1]
    if planned.arguments.get("tokenizer") is not None:
        return None
    return int(_number(planned, "tokenizer_size", _TOKENIZER_SIZE))


@functools.cache
def _gpt2_weights(size: str, head: int = 0) -> int | None:
    """Of layers, and of as many rows of a head of its own.

    >>> _gpt2_weights("12_12_768")
    85056000
    """
    match = re.fullmatch(r"(\d+)_(\d+)_(\d+)", size)
    if match is None:
        return None
    layers, _, width = map(int, match.groups())
    return layers * (12 * width * width + 13 * width) + 2 * width + head * width
