"""The proof that a model can be saved and loaded again, before it is trained."""

import contextlib
import tempfile

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

from ..data.tokenization import load_tokenizer
from ..files import why_unloadable
from ..terminal import in_a_line, logger

_SENTENCE = "It's 4,321 o'clock  in the na\u00efve caf\u00e9;\n\n\tdef x2(y):  return [y]*10 # \u4e16\u754c"
_WRITTEN = 64 * 2**20  # bytes of weights at most that are written; of more, only names and shapes are compared


def prove_saving(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Saves model, configuration and tokenizer into an empty temporary folder, and loads them again.

    Weights of more than 64 MiB are not written: then the configuration is proved to give a model of the same tensors.
    Raises ValueError, in one line, where anything fails or comes back as something else.
    """
    kind = model.config.model_type
    with tempfile.TemporaryDirectory() as folder, _silence(), torch.random.fork_rng(devices=[]):
        try:
            tokenizer.save_pretrained(folder)
            writes = sum(parameter.nbytes for parameter in model.parameters()) <= _WRITTEN
            if writes:
                model.save_pretrained(folder)
            else:
                model.config.save_pretrained(folder)
                if model.generation_config is not None:
                    model.generation_config.save_pretrained(folder)
        except Exception as error:  # each architecture has errors of its own
            raise ValueError(f"this {kind} could not be saved after training: {in_a_line(error)}") from error
        try:
            loaded = _load(folder, writes)
            alike = _read_alike(tokenizer, load_tokenizer(folder))
            by_transformers = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        except Exception as error:
            raise ValueError(
                f"this {kind} could not be loaded after training: {why_unloadable(folder, error)}"
            ) from error
    if not alike:
        raise ValueError(f"the tokenizer of this {kind} would not be loaded as it is saved: it reads other tokens")
    if not _read_alike(tokenizer, by_transformers):
        logger(__name__).warning(
            f"AutoTokenizer of transformers {transformers.__version__} takes the tokenizer of a {kind} for a "
            f"{type(by_transformers).__name__}, which reads other tokens: load it with PreTrainedTokenizerFast, as all "
            "recipes here do, or choose another model_type, such as qwen3"
        )
    ours, theirs = model.state_dict(), loaded.state_dict()
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours or name not in theirs or not _same(ours[name], theirs[name]):
            raise ValueError(f"this {kind} would not be loaded as it is saved: {name} differs")


def _load(folder: str, with_weights: bool) -> PreTrainedModel:
    if with_weights:
        return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)


def _read_alike(first: PreTrainedTokenizerFast, second) -> bool:
    """Whether two tokenizers have the same tokens and find the same in a text: a sentence, and their own tokens."""
    if first.get_vocab() != second.get_vocab():
        return False
    words = " ".join(map(str, first.convert_ids_to_tokens([*range(0, len(first), 1 + len(first) // 1_000)])))
    for text in (_SENTENCE, words):
        try:
            ids = first(text, verbose=False)["input_ids"]
        except Exception:  # tokenizers has no other; the tokenizer of a task reads only its words
            continue
        if second(text, verbose=False)["input_ids"] != ids:
            return False
    return True


def _same(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    """Whether shapes and types are the same, and the numbers where they were written."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return False
    return theirs.is_meta or torch.allclose(ours.cpu(), theirs, rtol=0, atol=0, equal_nan=True)


@contextlib.contextmanager
def _silence():
    """transformers shows no bars and no warnings meanwhile: it will when the run is saved."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
