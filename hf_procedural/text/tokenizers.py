"""Tokenizers for text, trained on it."""

import sys
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from .batches import groups_of

END_OF_TEXT = "<|endoftext|>"


def train_tokenizer(documents: Iterable[str], vocab_size: int, max_bytes: int = 2**28) -> PreTrainedTokenizerFast:
    """A new byte-level BPE tokenizer, lossless on all text.

    Args:
        documents: what to learn from; those that bring the total to `max_bytes` bytes of UTF-8 are the last.
        vocab_size: tokens, among them 256 bytes and <|endoftext|>, which is bos, eos and pad. There are fewer where no
            pair of tokens occurs twice any more.
    """
    if vocab_size < 257:
        raise ValueError(f"vocab_size must be at least 257 (256 bytes and {END_OF_TEXT}), got {vocab_size}")

    def first():
        size = 0
        for text in documents:
            yield text
            size += len(text.encode())
            if size >= max_bytes:
                return

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        show_progress=sys.stderr.isatty(),
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator(groups_of(first()), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
