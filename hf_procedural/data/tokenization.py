"""Fast tokenizers: a task's vocabulary, whose tokens are words separated by spaces, or bytes; and others by name."""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from ..files import why_unloadable
from ..tasks import Task, task
from ..tasks.byte_text import is_wholly_text

_FILES = ("tokenizer*", "*.model", "vocab*", "spiece*", "*.tiktoken")  # of a tokenizer, whatever its kind


def tokenizer(name: str | Task, **parameters) -> PreTrainedTokenizerFast:
    """The tokenizer of a task or mixture, by name and parameters or from a `Task`.

    >>> tokenizer("sort-4", vocab_size=10).decode([3, 1, 10])
    '3 1 <sep>'

    A word that is no token of the task raises an Exception instead of becoming another token. Its end token is <eos>,
    or <pad> in a task without it: whoever pads has ended, as `Task.score` reads completions. Of a task whose rows are
    text, its tokens are bytes of UTF-8; in a mixture with other tasks these are words, too, such as ``<0x41>``.
    """
    chosen = name if isinstance(name, Task) else task(name, **parameters)
    words = {token: index for index, token in enumerate(chosen.vocabulary)}
    if is_wholly_text(chosen):
        backend = Tokenizer(models.BPE(words, [], byte_fallback=True))
        backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    else:
        backend = Tokenizer(models.WordLevel(words))
        backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {f"{role}_token": f"<{role}>" for role in ("pad", "sep", "eos") if f"<{role}>" in words}
    special.setdefault("eos_token", special["pad_token"])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=chosen.max_length,
        padding_side="right",
        clean_up_tokenization_spaces=False,
        **special,
    )


def load_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """The fast tokenizer in a folder or on the Hub. Raises ValueError where there is none.

    It names no code of its own, which would be missing beside it where it is saved.
    """
    if Path(name).is_dir() and not any(any(Path(name).glob(pattern)) for pattern in _FILES):
        raise ValueError(f"{name} has no tokenizer with it: no tokenizer.json")
    try:
        # transformers 5.23 takes the tokenizer beside a qwen2 (and a few more) for Qwen's, whatever was saved there.
        kind = PreTrainedTokenizerFast if _is_of_no_model(name) else AutoTokenizer
        tokenizer = kind.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # missing, unreachable, damaged in any manner
        raise ValueError(f"tokenizer {name!r} cannot be loaded: {why_unloadable(name, error)}") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ValueError(f"tokenizer {name!r} is a slow one, without a tokenizer.json; a fast one is needed")
    tokenizer.init_kwargs.pop("auto_map", None)
    if len(tokenizer) <= len({*tokenizer.all_special_tokens}):
        raise ValueError(f"{name} has no tokenizer with it")  # transformers makes up an empty one
    return tokenizer


def is_misread(folder: str) -> bool:
    """Whether AutoTokenizer takes the tokenizer in a folder, which was saved as no model's own, for that of a model."""
    if not _is_of_no_model(folder):
        return False
    return type(AutoTokenizer.from_pretrained(folder, trust_remote_code=False)) is not PreTrainedTokenizerFast


def _is_of_no_model(name: str) -> bool:
    """Whether a tokenizer was saved as one that its tokenizer.json tells whole, without a class of a model's."""
    return get_tokenizer_config(name).get("tokenizer_class") in ("TokenizersBackend", "PreTrainedTokenizerFast")


def words(task: Task, prompt_ids: list[int]) -> str:
    """`Task.text`, under its name of 0.1."""
    return task.text(prompt_ids)
