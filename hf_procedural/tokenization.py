"""A task's vocabulary as a fast tokenizer: tokens are words, separated by spaces."""

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from .tasks import Task, task


def tokenizer(name: str | Task, **parameters) -> PreTrainedTokenizerFast:
    """The tokenizer of a task or mixture, by name and parameters or from a `Task`.

    >>> tokenizer("sort-4", vocab_size=10).decode([3, 1, 10])
    '3 1 <sep>'

    A word that is no token of the task raises an Exception instead of becoming another token.
    """
    chosen = name if isinstance(name, Task) else task(name, **parameters)
    words = {token: index for index, token in enumerate(chosen.vocabulary)}
    words_only = Tokenizer(models.WordLevel(words))
    words_only.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {f"{role}_token": f"<{role}>" for role in ("pad", "sep", "eos") if f"<{role}>" in words}
    return PreTrainedTokenizerFast(
        tokenizer_object=words_only,
        model_max_length=chosen.max_length,
        padding_side="right",
        clean_up_tokenization_spaces=False,
        **special,
    )
