"""Biographies of people who do not exist, by Allen-Zhu 2025 (arXiv:2512.17351): see physics.py.

The sentences and the names are those of bioS in the reference (Allen-Zhu and Li 2023, Physics of Language Models: Part
3.1, arXiv:2309.14316). It publishes neither the people, nor how many there were, nor how texts were packed. Ours, by
decision: who has which attributes, which is a fixed map of `people_seed`; the sizes; a token for each word (there,
GPT-2's); a row for each biography; birthdays of 28 days in 12 months of the years 1900 to 2099.

Splits, where all is to be remembered: each row is of anyone, so all n people are in every split, again and again, and
what validation and test ask for was in train; but the wording, six sentences of some fifty each, decides the split, so
they ask for it in words that train never had in this combination. A person is seen about train_size / n times.
"""

import dataclasses
import functools
import re
from typing import NamedTuple

import numpy as np

from . import physics_names as names
from .base import IGNORE
from .fields import flag, integer
from .physics import Told
from .physics_sentences import SENTENCES
from .registry import register

_PAD, _BOS, _EOS, _STOP = range(4)
_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_YEARS = range(1900, 2100)
_COMPANIES, _COMPANY_CITIES = zip(*(company.split(" @ ") for company in names.COMPANIES), strict=True)
# What there is of each kind, in the order of `Person` and of physics_kernels.
_KINDS = (
    _MONTHS,
    list(map(str, range(1, 29))),
    list(map(str, _YEARS)),
    names.CITIES,
    names.UNIVERSITIES,
    names.FIELDS,
    _COMPANIES,
)
PEOPLE = len(names.FIRST) * len(names.MIDDLE) * len(names.LAST)  # whose names differ
_BITS, _ROUNDS, _DRAWS = 14, 4, 1 << 40  # half of the bits of a person's number


def _words_of(text: str) -> list[str]:
    return re.findall(r"[^\s,]+|,", text)


def _words_of_sentence(text: str) -> list[str]:
    return re.findall(r"'s(?!\w)|[\w'-]*\w|[.,*]", text.removeprefix("~"))


@functools.cache
def _vocabulary() -> tuple[str, ...]:
    words = ["<pad>", "<bos>", "<eos>", ".", ",", "'s", "of", "He", "She"]
    words += [*names.FIRST, *names.MIDDLE, *names.LAST]
    for kind in (*_KINDS, _COMPANY_CITIES):
        words += [word for text in kind for word in _words_of(text)]
    for texts in SENTENCES:
        words += [word for text in texts for word in _words_of_sentence(text) if word != "*"]
    return tuple(dict.fromkeys(words))


@functools.cache
def _ids() -> dict[str, int]:
    return {word: number for number, word in enumerate(_vocabulary())}


def _tokens(text: str) -> list[int]:
    return [_ids()[word] for word in _words_of(text)]


class _Wording(NamedTuple):
    """The tokens of a sentence between the person and the value, and behind the value."""

    before: list[int]
    after: list[int]


@functools.cache
def _wordings() -> list[list[_Wording]]:
    def parts_of(text: str) -> _Wording:
        words = _words_of_sentence(text)
        place = words.index("*")
        return _Wording(*([_ids()[word] for word in part] for part in (words[:place], words[place + 1 :])))

    return [[parts_of(text) for text in texts] for texts in SENTENCES]


def _mix(x: int) -> int:
    """The hash of kernels.py, of an integer."""
    x = x * 0x9E3779B97F4A7C15 & (1 << 64) - 1
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    x = (x ^ x >> 27) * 0x94D049BB133111EB & (1 << 64) - 1
    return x ^ x >> 31


def _half(key: int, turn: int, half: int) -> int:
    return _mix(key + (turn << _BITS | half)) >> 64 - _BITS


def _name_of(person: int, key: int) -> int:
    """The number of a person's name: a permutation, four rounds of Feistel's, of all that are below `PEOPLE`."""
    while True:
        left, right = person >> _BITS, person & (1 << _BITS) - 1
        for turn in range(_ROUNDS):
            left, right = right, left ^ _half(key, turn, right)
        person = left << _BITS | right
        if person < PEOPLE:
            return person


def _person_of(name: int, key: int) -> int:
    """The person who has a name: backwards."""
    while True:
        left, right = name >> _BITS, name & (1 << _BITS) - 1
        for turn in reversed(range(_ROUNDS)):
            left, right = right ^ _half(key, turn, left), left
        name = left << _BITS | right
        if name < PEOPLE:
            return name


@register
@dataclasses.dataclass(frozen=True)
class Capo(Told):
    """``<bos> Ivy Noah Lake was born on May 2 , 1996 . He hails from Reno , NV . ... <eos>``: a biography.

    Anyone of n people, six sentences: birthday, city of birth, university, field, city of work and company (with
    `company_first`, the company before its city; with `permute`, all in any order), each in one of 46 to 52 wordings.
    The first has the name, the others He or She. Names differ; where a company is, is known of it; all other attributes
    are independent and uniform. A token is a word or a mark of punctuation. With `reverse_md` it is 2 of May, 1996.

    The loss counts on every token but <bos> or, without `score_all`, on what is told of the person alone: so much is
    to be remembered. A prompt is then all before the last of these; else all but <eos>.
    """

    name = "capo"
    headline = "n"
    sizes = (50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000)
    summary = "biographies of people who do not exist: capacity for knowledge"

    n: int = integer(50_000, 1, "people", high=PEOPLE)
    people_seed: int = integer(0, 0, "which people")
    permute: bool = flag(False, "sentences in any order")
    company_first: bool = flag(False, "the company before its city")
    reverse_md: bool = flag(False, "the day before the month")
    score_all: bool = flag(True, "count the loss on every token but <bos>; else on what is told of the person alone")

    @property
    def one_by_one(self) -> bool:
        return self.score_all

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return _vocabulary()

    @property
    def max_length(self) -> int:
        return _longest()

    @property
    def _key(self) -> int:
        return _mix(self.people_seed + 1) >> 1

    def values_of(self, person: int) -> list[list[int]]:
        """What the six sentences tell of a person, as tokens."""
        draws = (_mix(self._key + _DRAWS + 8 * person + place) >> 32 for place in range(len(_KINDS)))
        chosen = [draw * len(kind) >> 32 for draw, kind in zip(draws, _KINDS, strict=True)]
        month, day, year, city, university, field, company = map(list.__getitem__, map(list, _KINDS), chosen)
        birthday = f"{day} of {month}, {year}" if self.reverse_md else f"{month} {day}, {year}"
        return list(map(_tokens, (birthday, city, university, field, _COMPANY_CITIES[chosen[-1]], company)))

    def name_of(self, person: int) -> list[int]:
        """The three tokens of a person's name."""
        rest, last = divmod(_name_of(person, self._key), len(names.LAST))
        first, middle = divmod(rest, len(names.MIDDLE))
        return [_ids()[word] for word in (names.FIRST[first], names.MIDDLE[middle], names.LAST[last])]

    def person_of(self, name) -> int:
        """The person with a name of three tokens. Raises ValueError where there is none."""
        first, middle, last = (self.vocabulary[token] for token in name)
        number = names.FIRST.index(first) * len(names.MIDDLE) + names.MIDDLE.index(middle)
        person = _person_of(number * len(names.LAST) + names.LAST.index(last), self._key)
        if person >= self.n:
            raise ValueError(f"{self.config_name}: nobody is called {first} {middle} {last}")
        return person

    def parse(self, tokens: list[int]) -> tuple[list[tuple[int, int, int]], tuple[int, list[int]]]:
        """A biography, or its beginning: the whole sentences, each as what it tells (0 to 5) and where its value is.

        Then the person, and the tokens behind the last whole sentence, without its subject.
        """
        person = self.person_of(tokens[1:4])
        values = self.values_of(person)
        pronoun = [_ids()["He" if person % 2 == 0 else "She"]]
        told: list[tuple[int, int, int]] = []
        start, subject = 1, tokens[1:4]
        while _STOP in tokens[start:]:
            end = tokens.index(_STOP, start) + 1
            body = tokens[start + len(subject) : end]
            left = set(range(len(SENTENCES))) - {kind for kind, _, _ in told}
            fitting = [
                (kind, len(wording.before))
                for kind in left
                for wording in _wordings()[kind]
                if body == [*wording.before, *values[kind], *wording.after]
            ]
            if tokens[start : start + len(subject)] != subject or not fitting:
                raise ValueError(f"{self.config_name}: not so: {self.text(tokens[start:end])}")
            kind, before = fitting[0]
            place = start + len(subject) + before
            told.append((kind, place, place + len(values[kind])))
            start, subject = end, pronoun
        if not self.permute:
            order = [0, 1, 2, 3, 5, 4] if self.company_first else [0, 1, 2, 3, 4, 5]
            if [kind for kind, _, _ in told] != order[: len(told)]:
                raise ValueError(f"{self.config_name}: the sentences stand in another order")
        return told, (person, tokens[start + len(subject) :])

    def _asked(self, prompt_ids) -> tuple[list[int], list[list[int]]]:
        """What is to be told behind a prompt, and what may stand behind it in the same sentence."""
        told, (person, begun) = self.parse([int(token) for token in prompt_ids])
        known = [kind for kind, _, _ in told]
        if len(known) == len(SENTENCES) and not begun:
            return [], [[]]
        for kind, wordings in enumerate(_wordings()):
            ends = [wording.after for wording in wordings if wording.before == begun]
            if ends and kind not in known:
                return self.values_of(person)[kind], ends
        raise ValueError(f"{self.config_name}: the prompt must end where something is to be told")

    def solve(self, prompt_ids) -> list[int]:
        return self._asked(prompt_ids)[0]

    def is_answer(self, prompt_ids, answer_ids) -> bool:
        """Whether an answer is what is to be told, by itself or with the end of its sentence, or also with <eos>."""
        value, ends = self._asked(prompt_ids)
        whole = [value, *([*value, *end] for end in ends), *([*value, *end, _EOS] for end in ends)]
        return [int(token) for token in answer_ids] in whole

    def targets(self, input_ids) -> list[int]:
        tokens = [int(token) for token in input_ids]
        end = tokens.index(_EOS)
        told, _ = self.parse(tokens[:end])
        if len(told) < len(SENTENCES) or tokens[0] != _BOS or any(token != _PAD for token in tokens[end + 1 :]):
            raise ValueError(f"{self.config_name}: a row is <bos>, six sentences, <eos> and padding")
        if self.score_all:
            return [IGNORE, *tokens[1 : end + 1], *[IGNORE] * (len(tokens) - end - 1)]
        labels = [IGNORE] * len(tokens)
        for _, start, stop in told:
            labels[start:stop] = tokens[start:stop]
        return labels

    def sample(self, rng, n):
        from . import kernels, physics_kernels

        input_ids, labels = self.empty_rows(n)
        key = np.uint64(self._key)
        options = (self.permute, self.company_first, self.reverse_md, self.score_all)
        physics_kernels.capo(kernels.stream(rng), input_ids, labels, self.n, key, *_tables(), *options)
        return input_ids, labels


@functools.cache
def _longest() -> int:
    """The tokens of the longest biography."""
    kinds = [_KINDS[3], _KINDS[4], _KINDS[5], _COMPANY_CITIES, _KINDS[6]]
    values = [5, *(max(len(_tokens(text)) for text in kind) for kind in kinds)]  # 2 of May, 1996: five tokens
    longest = (max(sum(map(len, wording)) for wording in wordings) for wordings in _wordings())
    return 1 + 3 + len(SENTENCES) - 1 + sum(values) + sum(longest) + 1


def _table(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of different lengths as one array, int32 ``[rows, longest]``, and their lengths."""
    sizes = np.array(list(map(len, rows)))
    table = np.zeros((len(rows), sizes.max()), np.int32)
    for row, tokens in zip(table, rows, strict=True):
        row[: len(tokens)] = tokens
    return table, sizes


@functools.cache
def _tables() -> tuple[np.ndarray, ...]:
    """What physics_kernels.capo writes: names, values, and wordings, with where each kind of them begins."""
    called = [np.array([_ids()[word] for word in part], np.int32) for part in (names.FIRST, names.MIDDLE, names.LAST)]
    kinds = [[_tokens(text) for text in kind] for kind in (*_KINDS, _COMPANY_CITIES)]
    before, after = zip(*sum(_wordings(), []), strict=True)
    starts = (np.cumsum([0, *map(len, lists)]) for lists in (kinds, _wordings()))
    marks = np.array([_ids()[word] for word in (",", "of", "He", "She")], np.int32)
    return (*called, *_table(sum(kinds, [])), *_table(list(before)), *_table(list(after)), *starts, marks)
