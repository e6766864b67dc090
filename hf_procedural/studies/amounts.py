"""How much a run of a study is: tokens, FLOPs, and hours as far as they can be told before it has begun."""

import dataclasses
import functools
import re

from .. import tasks
from ..training.arguments import DEFAULT_SIZE

_BATCH, _LENGTH, _STEPS, _TRAIN_SIZE = 8, 1024, 3.0, 160_064  # what the recipes' defaults are


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
    given = planned.arguments
    try:
        length = _length(planned)
    except ValueError:  # of a task that is none, which is said with the other arguments
        return None
    if length is None:
        return None
    batch = given.get("per_device_train_batch_size", _BATCH) * given.get("gradient_accumulation_steps", 1)
    each = int(batch * int(planned.launch.get("num_processes", 1)) * length)
    tokens = given.get("max_tokens")
    if tokens is None:
        steps = given.get("max_steps", 0)
        if not steps or steps < 0:
            if planned.recipe == "semantic":
                return None
            rows = given.get("train_size", _TRAIN_SIZE)
            steps = int(given.get("num_train_epochs", _STEPS) * (rows * length // each))
        tokens = steps * each
    weights = weights_of(planned)
    return Amount(int(tokens), each, 6.0 * weights * tokens if weights else 0.0)


def _length(planned) -> int | None:
    given = planned.arguments
    if planned.recipe == "semantic":
        return int(given.get("sequence_length") or given.get("context_length") or _LENGTH)
    if not isinstance(given.get("task"), str):
        return None
    return _max_length(given["task"], repr(sorted((given.get("task_parameters") or {}).items())), planned)


_lengths: dict[tuple, int] = {}


def _max_length(name: str, key: str, planned) -> int:
    if (name, key) not in _lengths:
        _lengths[name, key] = tasks.task(name, **(planned.arguments.get("task_parameters") or {})).max_length
    return _lengths[name, key]


def weights_of(planned) -> int | None:
    """The weights of a run's model without embeddings; None where they cannot be told without its configuration."""
    root = planned
    while root.after and "size" not in root.arguments:
        root = root.after[0]
    given = root.arguments
    if given.get("model_type", "gpt2") != "gpt2" or "config_name" in given:
        return None
    return _gpt2_weights(str(given.get("size", DEFAULT_SIZE)))


@functools.cache
def _gpt2_weights(size: str) -> int | None:
    """
    >>> _gpt2_weights("12_12_768")
    85056000
    """
    match = re.fullmatch(r"(\d+)_(\d+)_(\d+)", size)
    if match is None:
        return None
    layers, _, width = map(int, match.groups())
    return layers * (12 * width * width + 13 * width) + 2 * width
