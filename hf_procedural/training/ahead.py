"""What makes a recipe start sooner: while it imports torch and transformers, and nothing of it is left behind.

Light, until it is used.
"""

import contextlib
import gc
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from .. import upstream
from ..models.words import LARGEST_HEAD, WIDEST_MLP, parse_size
from .arguments import DEFAULT_SIZE, ModelArguments, RowArguments

_SCAN = "transformers.utils.import_utils:create_import_structure_from_path"


@contextlib.contextmanager
def without_garbage() -> Generator[None]:
    """Around imports, which leave no garbage, and of whose time looking for it is a fifth.

    What is there at the end stays, so that no later search, such as the Trainer's, goes through it.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


@contextlib.contextmanager
def one_scan() -> Generator[None]:
    """Imports transformers; it reads the sources of all its models for that, and meanwhile not a second time."""
    scan = upstream.get(_SCAN)
    if scan is None:
        yield
        return
    module = sys.modules[scan.__module__]
    models = Path(str(module.__file__)).parents[1] / "models"
    structure = scan(models)  # which transformers itself still has in its cache

    def known(path):
        return structure if Path(path) in (models, models / "__init__.py") else scan(path)

    _, name = _SCAN.split(":")
    setattr(module, name, known)
    try:
        yield
    finally:
        setattr(module, name, scan)


def compile_loops(arguments: Sequence) -> None:
    """Begins with those of the model that a recipe's `arguments` describe, if its heads are small.

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

    is_gpt2 = model.model_type in (None, "gpt2")
    drops = is_gpt2 if model.dropout is None else model.dropout > 0
    variants: list[list[Any]] = [[dims, False], [dims, True]][: 1 + drops]  # evaluations drop nothing
    calls = {"attention_forward": variants}  # in the order in which a run needs them
    width = size["hidden_size"]
    if is_gpt2 and width <= WIDEST_MLP:
        calls |= {"mlp_forward": [[width]], "mlp_backward": [[width]]}
    elif is_gpt2:
        calls |= {"gelu_forward": [[]], "gelu_backward": [[]]}
    calls |= {"attention_backward": variants}
    rows_of = next(([each.task, each.task_parameters] for each in arguments if isinstance(each, RowArguments)), [])
    families = [name.partition("-")[0] for name in rows_of[0].split("+")] if rows_of else []
    if "nca" in families:  # whose first row takes a search for rules, which may be long
        rows_of = []
    compiled.compile_ahead("hf_procedural.models.kernels", calls, rows_of)
