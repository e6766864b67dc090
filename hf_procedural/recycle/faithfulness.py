"""What a recycled text keeps of its original, and what it has that is not from there: measures of pairs of texts.

Words, numbers and names are found by rules that suit English: a hint where to look, not a judgement. All of them are
compared without regard to case; "five" is not the number 5, and a script without capitals has no names.
"""

import itertools
import re
import unicodedata
from typing import NamedTuple

import numpy as np

from ..moved import old_names

__getattr__ = old_names(__name__)

GRAMS = (1, 2, 3, 4, 5)
_WORD = re.compile(r"(?:[^\W\d_]\.){2,}|[^\W_]+(?:['’][^\W_]+)*")  # U.S., don't, H2O
_NUMBER = re.compile(r"(?<![^\W_])(?<!\d[.,'’])(?:(?<!\.)\.)?\d+(?:[.,'’\u00a0\u202f]\d+)*")
_GROUPED = re.compile(r"\d{1,3}([,'’\u00a0\u202f])\d{3}(?:\1\d{3})*(?:\.\d+)?")  # 1,234.5
_GROUPED_BY_DOTS = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}")  # 1.234,5
_TITLES = re.compile(r"mr|mrs|ms|dr|prof|st|jr|sr|no|vs|gen|sen|rep|gov|lt|col|mt|ft|.", re.IGNORECASE)
_PRONOUNS = {"i'm", "i've", "i'll", "i'd"}


class Mention(NamedTuple):
    """A number or word of a text, in characters from `start` to before `end`. Alike are those of one `key`."""

    key: str
    start: int
    end: int


def words(text: str) -> list[Mention]:
    """The words of a text; of "Obama's" and "U.S." the keys are obama and us.

    >>> [word.key for word in words("Don't ask the U.S. about Obama's H2O.")]
    ["don't", 'ask', 'the', 'us', 'about', 'obama', 'h2o']
    """
    return [Mention(_key(word[0]), *word.span()) for word in _WORD.finditer(text)]


def _key(word: str) -> str:
    return word.casefold().replace(".", "").replace("’", "'").removesuffix("'s")


def numbers(text: str) -> list[Mention]:
    """The numbers in digits that do not begin inside a word; the key is without thousands separators and idle zeros.

    A single dot before three digits is a decimal point, a single comma a thousands separator, before one or two a
    decimal comma.

    >>> [number.key for number in numbers("1,234.50 of 1234.5, 0007, 3,5, 1.234.567 and v1.2.3 of 2.10.2024, B2B")]
    ['1234.5', '1234.5', '7', '3.5', '1234567', '2.10.2024']
    """
    mentions = []
    for number in _NUMBER.finditer(text):
        # In ASCII, of any script: as many characters as before, so that places stay.
        written = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in number[0])
        if _GROUPED.fullmatch(written):
            written = re.sub(r"[^\d.]", "", written)
        elif _GROUPED_BY_DOTS.fullmatch(written):
            written = written.replace(".", "").replace(",", ".")
        elif re.fullmatch(r"\d+,\d{1,2}", written):
            written = written.replace(",", ".")
        elif not re.fullmatch(r"[\d.]+", written):  # several, as in 5,10,2024
            for single in re.finditer(r"[\d.]+", written):
                start = number.start() + single.start()
                mentions.append(Mention(_without_idle_zeros(single[0]), start, start + len(single[0])))
            continue
        mentions.append(Mention(_without_idle_zeros(written), *number.span()))
    return mentions


def _without_idle_zeros(written: str) -> str:
    if written.count(".") > 1:  # a date, a version, an address
        return written
    whole, _, fraction = written.partition(".")
    return f"{whole.lstrip('0') or '0'}.{fraction.rstrip('0')}".removesuffix(".")


def names(text: str) -> list[Mention]:
    """The words of names: capitalised ones inside of a sentence, and anywhere those of two capitals (NASA, YouTube).

    Not the words of a line of three or more without one in lower case, which is a heading or menu, and not those that
    also stand in lower case in the text.

    >>> [name.key for name in names("He met Mr. Smith of NASA. Then The end of YouTube's story came, the last.")]
    ['mr', 'smith', 'nasa', 'youtube']
    """
    mentions = []
    no_names = _PRONOUNS | {word.key for word in words(text) if text[word.start].islower()}
    for line in re.finditer(r"[^\r\n]+", text):
        in_line = list(_WORD.finditer(text, *line.span()))
        is_heading = len(in_line) >= 3 and not any(word[0][0].islower() for word in in_line)
        if is_heading:
            continue
        for before, word in zip([None, *in_line], in_line, strict=False):
            key = _key(word[0])
            has_two_capitals = sum(map(str.isupper, word[0])) >= 2
            is_capitalised = word[0][0].isupper()
            is_inside = is_capitalised and before is not None and not _begins(text, before, word)
            is_name = has_two_capitals or is_inside
            if is_name and len(key) > 1 and key not in no_names:
                mentions.append(Mention(key, *word.span()))
    return mentions


def _begins(text: str, before: re.Match, word: re.Match) -> bool:
    """Whether a sentence or an item begins with a word."""
    gap = text[before.end() : word.start()]
    if _TITLES.fullmatch(before[0]):
        gap = gap.removeprefix(".")
    return re.search(r"[.!?…:;|•·*]", gap) is not None


# Pairs


def compare(text: str, original: str) -> dict:
    """The measures of a pair, without BERTScore; None where there is nothing to measure.

    - length_ratio: characters of the text to those of the original.
    - overlap_1 ... overlap_5: the share of the text's runs of so many words that are in the original.
    - longest_run: the words in the longest run that is in both.
    - numbers_kept, names_kept: the share of those of the original that are in the text, each once.
    - numbers_from_original, names_from_original: of those of the text that are in the original; less than 1 hints at
      what was made up.
    - lost_numbers, lost_names: those of the original that are not in the text, as written there; new_numbers and
      new_names the other way round. Names that follow one another are one.
    """
    ranks = _ranks(_keys(words(text)), _keys(words(original)))
    measures = {"length_ratio": len(text) / len(original) if original else None}
    for n, runs in zip(GRAMS, _grams(ranks), strict=True):
        measures[f"overlap_{n}"] = _share(np.isin(*runs))
    measures["longest_run"] = _longest_run(ranks)
    for kind in _KINDS:
        measures[f"{kind}_kept"], measures[f"lost_{kind}"] = _kept_and_missing(kind, original, text)
        measures[f"{kind}_from_original"], measures[f"new_{kind}"] = _kept_and_missing(kind, text, original)
    return measures


_KINDS = {"numbers": (numbers, numbers), "names": (names, words)}  # what they are, and what they are looked for among


def lacking(kind: str, one: str, other: str) -> list[Mention]:
    """The numbers or names, as `kind` says, of one text that are not in the other, all places of each."""
    mentioned, known = _KINDS[kind]
    keys = {*_keys(known(other))}
    return [mention for mention in mentioned(one) if mention.key not in keys]


def _kept_and_missing(kind: str, one: str, other: str) -> tuple[float | None, list[str]]:
    """The share of the numbers or names of one text that are in the other, and those that are not, as written."""
    mentioned, _ = _KINDS[kind]
    keys = {*_keys(mentioned(one))}
    missing = lacking(kind, one, other)
    share = 1 - len({*_keys(missing)}) / len(keys) if keys else None
    return share, _listed(one, missing)


def _keys(mentions: list[Mention]) -> list[str]:
    return [mention.key for mention in mentions]


def _listed(text: str, mentions: list[Mention]) -> list[str]:
    """Each once, as first written; neighbours with nothing but spaces between them as one."""
    runs = []
    for mention in mentions:
        end = runs[-1][1] if runs else mention.start
        if end < mention.start and not text[end : mention.start].strip(" "):
            runs[-1][1] = mention.end
        else:
            runs.append([mention.start, mention.end])
    written = {}
    for start, end in reversed(runs):  # so that the first one written stays
        written[text[start:end].casefold()] = text[start:end]
    return list(written.values())[::-1]


def _share(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


# Runs of words. Those that are alike have one rank in both texts: (ranks in one, ranks in the other), int [places].


def _ranks(one: list[str], other: list[str]) -> tuple[np.ndarray, np.ndarray]:
    known = {}

    def ranks(words: list[str]) -> np.ndarray:
        return np.array([known.setdefault(word, len(known)) for word in words], np.int64)

    return ranks(one), ranks(other)


def _joined(runs, others, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Runs of `length` words, of those of `runs`, with one of `others` behind them."""
    size = max(ranks.max(initial=0) for ranks in others) + 1
    pairs = []
    for one, other in zip(runs, others, strict=True):
        followed = one[: max(len(other) - length, 0)]
        pairs.append(followed * size + other[length:])  # a number for each pair of ranks
    _, ranks = np.unique(np.concatenate(pairs), return_inverse=True)
    in_one, in_other = np.split(ranks, [len(pairs[0])])
    return in_one, in_other


def _grams(ranks):
    """Runs of each length in GRAMS."""
    return itertools.accumulate(GRAMS[1:], lambda runs, n: _joined(runs, ranks, n - 1), initial=ranks)


def _longest_run(ranks) -> int:
    """The words in the longest run that is in both: by doubling its length, then adding what still fits."""
    powers = [ranks]
    while np.isin(*powers[-1]).any():
        powers.append(_joined(powers[-1], powers[-1], 2 ** (len(powers) - 1)))
    if len(powers) == 1:
        return 0
    best = powers[-2]
    length = 2 ** (len(powers) - 2)
    for power in reversed(range(len(powers) - 2)):
        longer = _joined(best, powers[power], length)
        if np.isin(*longer).any():
            best = longer
            length += 2**power
    return length


# Many pairs

MEASURES = ["length_ratio", "meaning", *(f"overlap_{n}" for n in GRAMS), "longest_run"]
MEASURES += [f"{kind}_{what}" for kind in _KINDS for what in ("kept", "from_original")]
_JUDGED = ("meaning", "overlap_1", "numbers_kept", "numbers_from_original", "names_kept", "names_from_original")


def faithfulness(pair: dict) -> float:
    """What pairs are sorted by, the least faithful first: the mean of BERTScore, of the words that are in the original,
    and of the shares of numbers and names, as far as they are there; 0 for a text without words."""
    values = [pair[name] for name in _JUDGED if pair.get(name) is not None]
    return float(np.mean(values)) if pair["overlap_1"] is not None else 0.0


def summary(pairs: list[dict]) -> dict[str, dict]:
    """By measure: pairs (that have it), mean, median, and the 5th and 95th percentiles."""
    by_measure = {}
    for name in MEASURES:
        values = [pair[name] for pair in pairs if pair.get(name) is not None]
        if not values:
            continue
        low, median, high = map(float, np.percentile(values, (5, 50, 95)))
        mean = float(np.mean(values))
        by_measure[name] = {"pairs": len(values), "mean": mean, "median": median, "5%": low, "95%": high}
    return by_measure
