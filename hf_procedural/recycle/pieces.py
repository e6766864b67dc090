"""Long documents in pieces, each for itself before the rephraser, and what it made of them together again."""

import re
import unicodedata

MARKER = "Here is a paraphrased version:"
PIECE_CHARACTERS = 7_000

_SENTENCE = re.compile(r"""[.!?…]["'”’»)\]}]*(?=\s)|[。！？]["'”’»」』）)]*|\n""")  # up to its end
_SPACE = re.compile(r"\s")
_THINKING = re.compile(rf"<think>.*?(?:</think>|\Z)|{re.escape(MARKER)}", re.DOTALL)
_ZWJ = "\u200d"


def cut(text: str, characters: int = PIECE_CHARACTERS) -> list[str]:
    """Pieces of so many characters at most, which together are the text; none of an empty text.

    Each ends behind the last sentence, or line, that ends in the second half of what it may hold, where none does
    behind the last white space there, else where it must; but not before combining marks and inside of joined emoji.

    >>> cut("One two. Three four. Five", 12)
    ['One two. ', 'Three four. ', 'Five']
    """
    pieces = []
    start = 0
    while len(text) - start > characters:
        end = _end(text, start, start + (characters + 1) // 2, start + characters)
        pieces.append(text[start:end])
        start = end
    if start < len(text):
        pieces.append(text[start:])
    return pieces


def _end(text: str, start: int, first: int, last: int) -> int:
    """Where in first..last the piece ends that begins at `start`."""
    sentences = [sentence.end() for sentence in _SENTENCE.finditer(text, start, last + 1)]
    spaces = [space.end() for space in _SPACE.finditer(text, start, last)]
    for ends in (sentences, spaces, range(first, last + 1)):
        for least in reversed(ends):
            if first <= least <= last:
                end = least
                while end < last and text[end].isspace():  # which the next piece need not begin with
                    end += 1
                while end > least and _joined(text[end - 1], text[end]):  # a mark on a space, perhaps
                    end -= 1
                if not _joined(text[end - 1], text[end]):
                    return end
    return last


def _joined(before: str, after: str) -> bool:
    """Whether a character is shown as a part of that before it."""
    tied = unicodedata.category(after)[0] == "M" or "\U0001f3fb" <= after <= "\U0001f3ff" or after == _ZWJ
    return tied or before == _ZWJ


def after_marker(completion: str) -> str | None:
    """What follows the first marker, without white space around; None where there is none outside of <think></think>.

    >>> after_marker("<think></think>Here is a paraphrased version:\\nThe sky is blue.")
    'The sky is blue.'
    """
    for block in _THINKING.finditer(completion):  # a whole <think> is one match, so that no marker inside is found
        if block[0] == MARKER:
            return completion[block.end() :].strip()
    return None


def join(pieces: list[str], rephrased: list[str | None]) -> str:
    """The pieces of a text as they were rephrased, joined by a space without those that are empty.

    None stands for the piece as it was; so a text of which nothing was rephrased comes out unchanged.

    >>> join(["One. ", "Two. ", "Three."], [None, None, "3."])
    'One. Two. 3.'
    """
    texts = []
    before = None  # whether the piece before stayed as it was
    for piece, new in zip(pieces, rephrased, strict=True):
        stays = new is None
        if stays and before:  # neighbours that stay keep the white space between them
            texts[-1] += piece
        else:
            texts.append(piece if stays else new)
        before = stays
    if len(texts) == 1:
        return texts[0]
    return " ".join(filter(None, map(str.strip, texts)))
