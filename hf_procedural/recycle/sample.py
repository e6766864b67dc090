"""Writes web.jsonl, what the recycling recipes begin with, in small: text such as the web has, with a score of quality.

    python -m hf_procedural.recycle.sample web.jsonl

Five hundred documents of Python's language reference, which every Python has, a fifth of each score in the column
dataman_score: 5 as they are, 4 with a headline that shouts, 3 between what pages have around their text, 2 with their
sentences in another order and an advertisement, 1 as a heap of their words. The same Python writes the same bytes.
"""

import argparse
import itertools
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import Parser, user_errors
from ..files import write_text
from ..terminal import tell
from ..text.documents import open_documents

DOCUMENTS = 500
_LEAST, _MOST = 200, 700  # characters of a document, before it is spoilt
_MENU = "Home | About | Archive | Contact\nYou are here: Home > Articles"
_FOOT = "Share this page   Tweet   Print\nCopyright. All rights reserved. 3 comments (log in to reply)"
_BUY = "CLICK HERE to save 50% today only!!! Best prices, free shipping!"


def documents() -> Iterator[dict]:
    """The documents, `text` and `dataman_score`."""
    for number, text in enumerate(itertools.islice(_paragraphs(), DOCUMENTS)):
        score = 5 - number % 5
        yield {"text": _spoilt(text, score, random.Random(number)), "dataman_score": score}


def _paragraphs() -> Iterator[str]:
    """Prose of the language reference, a few paragraphs at a time, each once: its topics share some."""
    seen = set()
    for text in open_documents("pydoc"):
        gathered = ""
        for paragraph in re.split(r"\n\s*\n", text):
            words = " ".join(paragraph.split())
            if words in seen or not re.match(r"[A-Z`\"].*[.:]$", words):  # a headline, a list, or code
                continue
            seen.add(words)
            gathered = f"{gathered}\n\n{words}".strip()
            if len(gathered) >= _LEAST:
                yield gathered[:_MOST].rpartition(". ")[0] + "." if len(gathered) > _MOST else gathered
                gathered = ""


def _spoilt(text: str, score: int, rng: random.Random) -> str:
    """A text of so high a score."""
    if score == 5:
        return text
    if score == 4:
        return f"{' '.join(text.split()[:5]).upper()}!!\n\n{text}"
    if score == 3:
        return f"{_MENU}\n\n{text}\n\n{_FOOT}"
    sentences = re.split(r"(?<=\.)\s+", text)
    rng.shuffle(sentences)
    if score == 2:
        return " ".join([_BUY, *sentences, _BUY])
    words = text.split()
    rng.shuffle(words)
    return " ".join(words[: len(words) // 2] * 2)


def main(argv: list[str] | None = None) -> None:
    """Writes the file that is named."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = Parser("python -m hf_procedural.recycle.sample", description=__doc__, formatter_class=formatter)
    parser.add_argument("file", metavar="FILE", help="Such as web.jsonl; it must not be there.")
    with user_errors():
        file = Path(parser.parse_args(argv).file)
        if file.exists():
            raise ValueError(f"file {file} is there already: name another")
        lines = [json.dumps(document) for document in documents()]
        write_text(file, "\n".join(lines) + "\n")
    tell(f"{file}: {len(lines)} documents")


if __name__ == "__main__":
    main()
