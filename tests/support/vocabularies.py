"""Tokenizers of the sizes and manners that people train with, made here."""

import functools
import itertools
import string

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

END = "<|endoftext|>"


@functools.cache
def large_tokenizer(size: int = 151_643) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with as many tokens as Qwen's: bytes, and all short words of lower-case letters."""
    letters = string.ascii_lowercase
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(itertools.product(letters, letters))
    pairs = ["".join(pair) for pair in merges]
    merges += itertools.product(pairs, letters)
    merges += itertools.product(pairs, pairs)
    merges = [("Ġ", letter) for letter in letters] + merges
    merges = merges[: size - len(tokens)]
    tokens += map("".join, merges)
    vocabulary = {token: id for id, token in enumerate(dict.fromkeys(tokens))}
    return _wrapped(models.BPE(vocabulary, merges), pre_tokenizers.ByteLevel(add_prefix_space=False), END)


@functools.cache
def llama_like_tokenizer() -> PreTrainedTokenizerFast:
    """A BPE tokenizer in the manner of SentencePiece: a space is part of a word, and one stands before each text."""
    tokens = ["<unk>", "</s>", "▁", *string.printable.strip(), "▁1", "▁2", "12"]
    merges = [("▁", "1"), ("▁", "2"), ("1", "2")]
    vocabulary = {token: id for id, token in enumerate(tokens)}
    bpe = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>"))
    bpe.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bpe.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>", unk_token="<unk>")


@functools.cache
def lossy_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer of words that knows numbers alone, as BERT's knows no brackets without spaces around them."""
    words = {word: id for id, word in enumerate(["[UNK]", *map(str, range(200)), "(", ")"])}
    split = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    split.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=split, unk_token="[UNK]")


def _wrapped(model, pre_tokenizer, end: str) -> PreTrainedTokenizerFast:
    made = Tokenizer(model)
    made.pre_tokenizer = pre_tokenizer
    made.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=end, clean_up_tokenization_spaces=False)
