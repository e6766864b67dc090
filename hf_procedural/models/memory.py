"""Whether a model fits into this machine, found before it is made: counted without its weights."""

from collections.abc import Callable

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig

from .. import machine
from ..errors import in_bytes

_COUNTED = 1_000  # layers at most that are made, without weights, to count them; more are as the second one


def check_fits(make: Callable[[int], PreTrainedConfig], layers: int, dtype: torch.dtype) -> None:
    """Raises ValueError where the weights of the model with the configuration ``make(layers)`` do not fit."""
    try:
        if layers <= _COUNTED:
            number = _parameters(make(layers))
        else:
            first, second = _parameters(make(1)), _parameters(make(2))
            number = first + (layers - 1) * (second - first)
    except Exception:  # of what cannot be made without weights, making it tells more
        return
    needed, memory = number * dtype.itemsize, machine.memory()
    if needed > memory:
        kind = str(dtype).removeprefix("torch.")
        raise ValueError(
            f"a model of {layers:,} layers and {number:,} parameters takes {in_bytes(needed)} in {kind}, and this "
            f"machine has {in_bytes(memory)}: choose a smaller one"
        )


def _parameters(config: PreTrainedConfig) -> int:
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False).num_parameters()
