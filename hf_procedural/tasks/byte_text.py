"""Text as tokens: each byte of UTF-8 is one, ``<0x00>`` to ``<0xFF>`` as in Llama's vocabulary; and <sep> and its like.

So a byte is never taken for a token of another task: the digit 3 of a text is ``<0x33>``, the number 3 is ``3``.
"""

import itertools
import re
from collections.abc import Iterable

BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
MARKS = ("<sep>", "<eos>", "<pad>")
VOCABULARY = (*BYTES, *MARKS)
_BYTE_OF = {word: bytes([byte]) for byte, word in enumerate(BYTES)}
_MARK = re.compile("(" + "|".join(MARKS) + ")")


def spell(words: Iterable[str], joiner: str = "") -> str:
    """Tokens as text: bytes as what they write, others with `joiner` between them.

    >>> spell(words_of("Is it 2?<sep>no<eos>")), spell(["3", "1", "<sep>", "1", "3"], " ")
    ('Is it 2?<sep>no<eos>', '3 1 <sep> 1 3')

    Bytes that are no UTF-8 become U+FFFD.
    """
    pieces = []
    for is_text, run in itertools.groupby(words, _BYTE_OF.__contains__):
        named = list(run)
        pieces.append(
            b"".join(map(_BYTE_OF.__getitem__, named)).decode(errors="replace") if is_text else joiner.join(named)
        )
    return "".join(pieces)


def words_of(text: str) -> list[str]:
    """The tokens of a text: its bytes, and <sep>, <eos> and <pad> where it has them; or those it names one by one.

    >>> words_of("no<eos>") == words_of("<0x6E> <0x6F> <eos>") == ["<0x6E>", "<0x6F>", "<eos>"]
    True
    """
    named = text.split()
    if all(word in _BYTE_OF or word in MARKS for word in named) and named:
        return named
    words = []
    for piece in _MARK.split(text):
        words += [piece] if piece in MARKS else map(BYTES.__getitem__, piece.encode(errors="replace"))
    return words


def has_mark(text: str) -> bool:
    """Whether a text has <sep>, <eos> or <pad> in it."""
    return _MARK.search(text) is not None


def is_wholly_text(task) -> bool:
    """Whether all rows of a task or mixture are text."""
    return all(member.is_text for member in getattr(task, "members", [task]))
