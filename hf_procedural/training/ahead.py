"""Loops that a run will need, compiled by another process while this one imports torch. Light, until it finds any."""

from collections.abc import Sequence
from typing import Any

from ..models.words import parse_size
from .arguments import DEFAULT_SIZE, ModelArguments

LARGEST_HEAD = 32  # dimensions; that of models/attention.py, which is heavy
FACTORIES = ("attention_forward", "attention_backward")  # of models/kernels.py, those that take seconds; in this order


def compile_loops(arguments: Sequence) -> None:
    """Begins with the attention of the model that a recipe's `arguments` describe, if its heads are small.

    What they do not tell, as of a model on the Hub, is compiled where it is needed.
    """
    model = next((each for each in arguments if isinstance(each, ModelArguments)), None)
    if model is None or model.attn_implementation is not None or model.config_name is not None:
        return
    size = model.given_size()
    if not size and any(getattr(each, "init_from", None) for each in arguments):
        return
    size = size or parse_size(DEFAULT_SIZE)
    dims = size["hidden_size"] // size["num_attention_heads"]
    if dims > LARGEST_HEAD:
        return
    from .. import compiled

    drops = model.model_type in (None, "gpt2") if model.dropout is None else model.dropout > 0
    variants: list[list[Any]] = [[dims, False], [dims, True]][: 1 + drops]  # evaluations drop nothing
    compiled.compile_ahead("hf_procedural.models.kernels", dict.fromkeys(FACTORIES, variants))
