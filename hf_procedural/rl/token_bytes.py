"""Where tokens end in a text, in bytes of UTF-8.

The five bytes of "né a", for instance, are 6E C3 A9 20 61, and its tokens end at:

    byte-level BPE      n Ã © Ġa                    1 2 3 5     a token may end inside a character
    SentencePiece       ▁n <0xC3> <0xA9> ▁a         1 2 3 5     the space before the text is none of its own
    words               né a                        3 5         the space between is no token's
"""

import copy
import functools
import itertools
import re

_PRINTED = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]  # GPT-2 writes these bytes as themselves,
_OTHERS = [byte for byte in range(0x100) if byte not in _PRINTED]  # and these as the characters from U+0100 on
_BYTE_OF = {chr(byte): byte for byte in _PRINTED} | {chr(0x100 + place): byte for place, byte in enumerate(_OTHERS)}
_BYTE_TOKEN = "<0x[0-9A-F]{2}>"
_UNSPACED = re.compile(r"\S*")


def token_ends(tokenizer, text: str) -> list[int]:
    """For each token of ``tokenizer(text, add_special_tokens=False)``, at which byte of `text` it ends.

    Exact where the tokens' own bytes make up those of `text`, one space before them left out if need be: byte-level BPE
    and SentencePiece, byte fallback and added tokens included. Else, as where a text is normalised, split at white
    space, or has unknown characters, they are the ends of the tokenizer's character offsets. A token then ends before
    white space that no token covers, but behind other such characters, which normalisation took away. Where tokens
    share a character, all but the last end before its last byte, to say that they end inside of it.

    Raises ValueError for a slow tokenizer, which has no offsets, where bytes do not do.
    """
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    own = text.encode()
    ends = _spelled(tokenizer, ids, own)
    if ends is None:  # SentencePiece's first token stands for a space that the text has not
        after_space = _spelled(tokenizer, ids, b" " + own)
        ends = after_space and [end - 1 for end in after_space]
    return _by_offsets(tokenizer, text) if ends is None else ends


def token_bytes(tokenizer, token_id: int) -> bytes | None:
    """The bytes that a token stands for inside of a text; None for special tokens and ids that are no token."""
    token = tokenizer.convert_ids_to_tokens(token_id)
    added = tokenizer.added_tokens_decoder.get(token_id)
    if token is None or (added and added.special):
        return None
    if _is_byte_level(tokenizer):
        return token.encode() if added else _bytes_of(token, True)
    if "▁" in token or re.fullmatch(_BYTE_TOKEN, token):
        return _bytes_of(token, False)
    return tokenizer.decode([token_id], clean_up_tokenization_spaces=False).encode()


def _is_byte_level(tokenizer) -> bool:
    """Whether "é" is two characters to it, one for each byte, by what it does with a text or with tokens."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    splitter, decoder = getattr(backend, "pre_tokenizer", None), getattr(backend, "decoder", None)
    if splitter is not None and any("Ã©" in piece for piece, _ in splitter.pre_tokenize_str("é")):
        return True
    return decoder is not None and "é" in decoder.decode(["Ã©"])


def _bytes_of(token: str, byte_level: bool) -> bytes:
    if byte_level:
        return b"".join(bytes([_BYTE_OF[char]]) if char in _BYTE_OF else char.encode() for char in token)
    if re.fullmatch(_BYTE_TOKEN, token):
        return bytes.fromhex(token[3:5])
    return token.replace("▁", " ").encode()


def _spelled(tokenizer, ids: list[int], whole: bytes) -> list[int] | None:
    """The ends of tokens whose bytes together are `whole`, or None where they are not."""
    added = tokenizer.added_tokens_decoder
    byte_level = _is_byte_level(tokenizer)
    ends = [0]
    for index, token in zip(ids, tokenizer.convert_ids_to_tokens(ids), strict=True):
        written = token.encode()  # an added token stands in a text as itself
        is_added = index in added and whole.startswith(written, ends[-1])
        if not is_added:
            written = _bytes_of(token, byte_level)
        if not whole.startswith(written, ends[-1]):
            return None
        ends.append(ends[-1] + len(written))
    return ends[1:] if ends[-1] == len(whole) else None


def _by_offsets(tokenizer, text: str) -> list[int]:
    if not tokenizer.is_fast:
        raise ValueError(f"{type(tokenizer).__name__} is a slow tokenizer, which cannot tell where its tokens end")
    offsets = _untrimmed(tokenizer, len(tokenizer)).encode(text, add_special_tokens=False).offsets
    at = [0, *itertools.accumulate(len(char.encode()) for char in text)]
    ends = []
    for (_, end), (next_start, _) in itertools.pairwise([*offsets, (len(text), len(text))]):
        if next_start < end:  # they share a character, inside of which this one ends
            ends.append(at[end] - 1)
        else:
            unspaced = _UNSPACED.match(text, end, next_start)
            assert unspaced is not None  # it may be empty
            ends.append(at[unspaced.end()])
    return ends


@functools.lru_cache(maxsize=4)
def _untrimmed(tokenizer, tokens: int):
    """A copy of the tokenizer's backend, as of so many tokens, whose offsets have all white space that tokens have."""
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.post_processor = None  # ByteLevel's takes spaces away from both ends
    return backend
