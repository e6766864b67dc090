"""What is accepted of people who click: sizes, and where a name may point. All else is one line that says so."""

import dataclasses
import re
from pathlib import Path

from ..files import is_hub_id
from ..tasks import Task, task

ROW = 65_536  # tokens of a row
TOKENS = 2**21  # tokens of a vocabulary
ROWS = 1_000_000  # the number of a row, at most
SHOWN, LONG = 3, 512  # rows that are drawn; of rows with more tokens than this, one
CHARACTERS = 200_000  # of what is typed, or of a row in words
SECONDS = 120  # that one answer may take
SECONDS_PUBLIC = 20  # where strangers ask; the first look at a task compiles its loops, and has SECONDS there too
MEMORY = 16 * 2**30  # bytes of addresses of a process, at most; most of them are libraries
WIDTHS = range(30, 121)  # characters of a drawn line
DOWNLOAD = 64 * 2**20  # bytes of one file from the Hub
CACHE = 2**30  # bytes that strangers have had fetched, above which all are forgotten
PASSING = "of strangers"  # the mark of a folder of those
SOURCES = 8  # folders or repos that are compared at a time
WORDS = (
    f"rows of at most {ROW:,} tokens, vocabularies of at most {TOKENS:,}, the first {ROWS:,} rows of a split, "
    f"{SECONDS_PUBLIC} s for an answer ({SECONDS} for the first of its kind)"
)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where runs, studies and tokenizers may be read.

    folder: all below it; None: no folder at all, as on the Hub, where whoever clicks is a stranger.
    """

    folder: str | None = None

    @property
    def is_public(self) -> bool:
        return self.folder is None

    def local(self, name: str) -> Path | None:
        """The folder that a name means; None for one that could be of the Hub. Raises ValueError for all others."""
        name = text_of("name", name.strip(), 400)
        if not name:
            raise ValueError("name is empty: type " + ("the id of a repo of the Hub" if self.is_public else "a folder"))
        if self.folder is not None:
            root = Path(self.folder).resolve()
            inside = (root / Path(name).expanduser()).resolve()
            if inside.is_dir():
                if not inside.is_relative_to(root):
                    raise ValueError(f"{name} is not below {root}: start hf-procedural space with another --runs")
                return inside
        if not re.fullmatch(r"[\w][\w.-]*(/[\w][\w.-]*)?", name) or not is_hub_id(name):
            kind = "the id of a repo of the Hub, such as me/gpt2-sort"
            wanted = kind if self.is_public else f"a folder below {Path(self.folder or '').resolve()}, nor {kind}"
            raise ValueError(f"{name!r} is not {wanted}")
        return None


def text_of(name: str, text, most: int = CHARACTERS) -> str:
    """What was typed. Raises ValueError for what is no text, and for more of it than is accepted."""
    if not isinstance(text, str):
        raise ValueError(f"{name} must be text, got {type(text).__name__}")
    if len(text) > most:
        raise ValueError(f"{name} has {len(text):,} characters; at most {most:,} are accepted here")
    return text


def whole_number(name: str, value, least: int, most: int) -> int:
    """A number that was typed. Raises ValueError for what is none in ``least..most``."""
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise ValueError(f"{name} must be a whole number in {least:,}..{most:,}, got {value!r}")
    return number


def bounded_task(name: str, parameters: dict) -> Task:
    """The task of a bare name with parameters. Raises ValueError for one that is too large here."""
    if not isinstance(name, str) or not re.fullmatch(r"\w{1,100}", name):
        raise ValueError(f"task must be one of the list, got {str(name)[:100]!r}")
    chosen = task(name, **parameters)
    if chosen.max_length > ROW:
        raise ValueError(
            f"{chosen.config_name}: a row has {chosen.max_length:,} tokens; at most {ROW:,} are drawn here"
        )
    if len(chosen.vocabulary) > TOKENS:
        size = len(chosen.vocabulary)
        raise ValueError(f"{chosen.config_name}: the vocabulary has {size:,} tokens; at most {TOKENS:,} are drawn here")
    return chosen
