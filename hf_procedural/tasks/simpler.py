"""Simpler synthetic tasks: one operation on lists of ids, named at the head of the prompt.

The 18 tasks of Wu, Li and Liang 2022 (Insights into Pre-training via Simpler Synthetic Tasks, arXiv:2206.10139), and
three more that are in their code alone, with the ids and distributions of the reference, felixzli/synthetic_pretraining
at 58a6e0b. Ids are those of T5: symbols are 2..31999, all but <pad> (0) and <eos> (1); 32099 ends the name, 32098
stands between words, 32097 between two arguments, 32096 is an empty answer. Names, and numbers as answers, are T5's
pieces of their text; numbers lose the bare word-start piece that some begin with, as in the reference (74 is 4581).

Ours are: <sep> (32100), as a decoder has no second side; numbers above 220, digit by digit; the order of the answers of
set operations, that of first appearance (there, of a Python set: any order is right); `num_tokens`, the first so many
symbols (there, random ones). A query is absent where its ids are (there, where the text of its list is: "1, 2" is in
"11, 2"; with queries of three or more ids that makes no difference to be seen). Settings with which the reference
fails or hangs are refused.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .fields import choice, integer
from .layouts import Answered
from .registry import register
from .simpler_ids import AND, EOS, FIRST, NAME_END, NO, NOTHING, SEP, WORD_END, YES

SYMBOLS = 31_998  # from FIRST on
_MINUS_1 = 2292
_DIGITS = (632, 536, 357, 519, 591, 755, 948, 940, 927, 1298)
_NUMBERS = """
632 209 204 220 314 305 431 489 505 668 335 850 586 1179 968 627 898 1003 507 957 460 1401 1630 1902 997 944 2208 2307
2059 2838 604 2664 3538 5400 6154 3097 4475 6862 6654 6352 1283 8798 6426 8838 8537 3479 9668 10635 4678 9526 943 11696
9065 12210 10630 6897 11526 3436 3449 3390 1640 4241 4056 3891 6687 7123 3539 3708 3651 3951 2861 4450 9455 4552 4581
6374 3959 4013 3940 4440 2775 4959 4613 4591 4608 11989 3840 4225 4060 3914 2777 4729 4508 4271 4240 11923 4314 4327
3916 12185 910 13736 14388 17864 15442 12869 16431 18057 16169 17304 11190 15866 850+357 20522 18959 15660 20159 20275
20056 19993 5864 22011 20889 14574 22504 10124 21976 22367 209+2577 22174 12778 22048 23757 22974 23747 209+2469 23459
24636 22744 24090 11397 26059 24978 25133 20885 20987 24300 24719 24748 24816 4261 26578 26320 27025 27308 20896 25463
27452 26556 27904 11321 898+536 898+357 898+519 26987 22823 26811 27650 24274 27096 209+2518 1003+536 27156 1003+519
27693 209+3072 26782 26793 27640 26593 8003 507+536 507+357 24361 25987 21594 25398 25828 25794 25312 11776 957+536
19978 957+519 957+591 22464 26937 27181 24151 19479 2382 22772 19818 23330 26363 23201 24643 26426 23946 460+1298 15239
27278 24837 204+2368 27357 204+1808 27184 204+2517 204+2606 204+2294 204+1755
"""  # 0..220 by T5's SentencePiece model (SHA-256 d60acb12...), which gives all names and numbers of golden rows, too


@functools.cache
def _known_numbers() -> tuple[tuple[int, ...], ...]:
    numbers = [number.split("+") for number in _NUMBERS.split()]
    return tuple(tuple(map(int, ids)) for ids in numbers)


def pieces(number: int) -> list[int]:
    """A number, -1 at least, as ids."""
    if number < 0:
        return [_MINUS_1]
    known = _known_numbers()
    if number < len(known):
        return list(known[number])
    return [_DIGITS[int(digit)] for digit in str(number)]


def _words(ids: list[int]) -> list[list[int]]:
    ends = [place for place, token in enumerate(ids) if token == WORD_END]
    return [ids[before + 1 : end] for before, end in itertools.pairwise([-1, *ends, len(ids)])]


def index_of(ids: list[int], query: list[int]) -> int:
    """Where `query` first stands in `ids`, in one piece; -1 if nowhere."""
    for start in range(len(ids) - len(query) + 1):
        if ids[start : start + len(query)] == query:
            return start
    return -1


def _delete(ids, query):
    start = index_of(ids, query)
    return ids if start < 0 else ids[:start] + ids[start + len(query) :]


def _filter(ids, query):
    while index_of(ids, query) >= 0:
        ids = _delete(ids, query)
    return ids


def _sort(ids, order):
    last = {token: place for place, token in enumerate(order)}
    return sorted(ids, key=last.__getitem__)


def _replace(ids, pairs):
    new = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return [new.get(token, token) for token in ids]


def _distinct(ids) -> list[int]:
    return list(dict.fromkeys(ids))


def _duplicate(ids, _):
    return list(itertools.chain.from_iterable(zip(ids, ids, strict=True)))


def _deduplicate(ids, _):
    return [token for token, before in zip(ids, [None, *ids], strict=False) if token != before]


def _intersect(first, second):
    return [token for token in _distinct(first) if token in second]


def _difference(first, second):
    return [token for token in _distinct(first) if token not in second]


class _Operation(NamedTuple):
    """An operation, and what it asks of the parameters."""

    name: tuple[int, ...]  # T5's pieces of it
    answer: Callable[[list[int], list[int]], list[int]]  # of the two arguments; the second may be empty
    longest: Callable[[int], int]  # how many ids an answer has at most, by `length`
    least: int = 1  # of min_length
    spare: int = 0  # of length, above min_length
    tokens: Callable[[int, int], int] = lambda low, high: 1  # of num_tokens, by min_length and length


def _any_query(low, high):
    """The fewest symbols with which a query of `low` stands at most once in `high` on average: some are absent."""
    tokens = 2
    while tokens**low < high:
        tokens += 1
    return tokens


def _set_size(high):
    return max((high - 1) // 2, 1)


_QUERY: dict[str, Any] = {"least": 3, "spare": 1, "tokens": _any_query}
_SETS: dict[str, Any] = {"longest": _set_size, "least": 3, "tokens": lambda low, high: _set_size(high)}
_NUMBER: dict[str, Any] = {"longest": lambda high: len(str(high))}
_UNARY = {
    "copy": _Operation((2405,), lambda x, _: x, lambda high: high),
    "set": _Operation((356,), lambda x, _: _distinct(x), lambda high: high),
    "first_char": _Operation((166, 834, 4059), lambda x, _: x[:1], lambda high: 1),
    "last_char": _Operation((336, 834, 4059), lambda x, _: x[-1:], lambda high: 1),
    "duplicate": _Operation((19197,), _duplicate, lambda high: 2 * high),
    "deduplicate": _Operation((20, 26, 413, 26221), _deduplicate, lambda high: high),
    "reverse": _Operation((7211,), lambda x, _: x[::-1], lambda high: high),
    "length": _Operation((2475,), lambda x, _: pieces(len(x)), **_NUMBER),
    "longest_word": _Operation((14783, 834, 6051), lambda x, _: max(_words(x), key=len), lambda high: high),
}
_BINARY = {
    "count": _Operation((3476,), lambda x, query: pieces(x.count(query[0])), **_NUMBER, least=3),
    "search": _Operation((960,), lambda x, query: [NO if index_of(x, query) < 0 else YES], lambda high: 1, **_QUERY),
    "delete": _Operation((9268,), _delete, lambda high: high - 2, **_QUERY),
    "sort": _Operation((1843,), _sort, lambda high: high - 2, least=2, spare=1),
    "replace": _Operation((3601,), _replace, lambda high: high - 3, least=4),
}
_SET_OPERATIONS = {
    "union": _Operation((7021,), lambda a, b: _distinct(a + b), **_SETS),
    "intersect": _Operation((27806,), _intersect, **_SETS),
    "set_1_minus_2": _Operation((356, 834, 536, 834, 14078, 834, 357), _difference, **_SETS),
    "set_2_minus_1": _Operation((356, 834, 357, 834, 14078, 834, 536), lambda a, b: _difference(b, a), **_SETS),
}
_CODE_ONLY = {
    "filter": _Operation((4191,), _filter, lambda high: high - 2, **_QUERY),
    "get_index": _Operation((129, 834, 18288), lambda x, query: pieces(index_of(x, query)), **_NUMBER, **_QUERY),
    "replace_many": _Operation(
        (3601, 834, 348, 63), _replace, lambda high: high - 5, least=7, tokens=lambda low, high: (high - 1) // 3
    ),
}
_OPERATIONS = _UNARY | _BINARY | _SET_OPERATIONS | _CODE_ONLY  # in the order of simpler_kernels' codes
_GROUPS = {
    "unary": tuple(_UNARY),
    "binary": tuple(_BINARY),
    "set_operations": tuple(_SET_OPERATIONS),
    "all": (*_UNARY, *_BINARY, *_SET_OPERATIONS),
}
_BY_NAME = {operation.name: name for name, operation in _OPERATIONS.items()}


@functools.cache
def _vocabulary() -> tuple[str, ...]:
    return ("<pad>", "<eos>", *map(str, range(FIRST, SEP)), "<sep>")


@functools.cache
def _names() -> np.ndarray:
    """The name of each operation with its end, int32 ``[operations, longest]``."""
    rows = np.full((len(_OPERATIONS), 1 + max(map(len, _BY_NAME))), NAME_END, np.int32)
    for row, name in zip(rows, _BY_NAME, strict=True):
        row[: len(name)] = name
    return rows


@functools.lru_cache(maxsize=64)
def _numbers(high: int) -> np.ndarray:
    """The pieces of 0..high and, in the last row, of -1, then zeros; int32 ``[high + 2, most + 1]``."""
    numbers = [*map(pieces, range(high + 1)), pieces(-1)]
    rows = np.zeros((len(numbers), 1 + max(map(len, numbers))), np.int32)
    for row, ids in zip(rows, numbers, strict=True):
        row[: len(ids)] = ids
    return rows


@register
@dataclasses.dataclass(frozen=True)
class Simpler(Answered):
    """``name 32099 body <sep> answer <eos>``, then <pad>; a body of two arguments has 32097 between them.

    With symbols that are uniform and independent unless said otherwise: copy, reverse, duplicate (each twice),
    first_char, last_char, length: any list. set (distinct symbols), deduplicate (without repeats of a neighbour): runs
    of symbols, for set shuffled. longest_word: the first longest of words. count: how often; the query is placed
    there any number of times, each as likely. search (yes or no), delete (the first), filter (until none is left),
    get_index (of the first, or -1): a query of several symbols, in one piece. sort: in the order of the second list,
    by the last place where one is twice. replace, replace_many: pairs of old and new. union, intersect, set_1_minus_2,
    set_2_minus_1: of two lists from a few symbols.

    `operation` may be several, each as likely in every row: unary (9), binary (5), set_operations (4), or all these
    18. filter, get_index and replace_many are in the reference's code, but not in its paper.

    As in the reference, a query is to be absent in half of the rows of search and a quarter of delete's, but bodies
    outside of min_length..length are drawn again, which are mostly such: 59 % of search's answers are yes, and 83 % of
    delete's queries are there.
    """

    name = "simpler"
    headline = "operation"
    sizes = (*_OPERATIONS, *_GROUPS)
    summary = "one simple operation, which the prompt names, on lists of T5 ids"
    paper = "Wu et al. 2022, Insights into Pre-training via Simpler Synthetic Tasks, arXiv:2206.10139"
    sep_id, eos_id, pad_id = SEP, EOS, 0

    operation: str = choice("set", sizes, "what to do; unary, binary, set_operations, all: one of several in each row")
    length: int = integer(220, 1, "ids in the body, both arguments and what is between them, at most", high=2**20)
    min_length: int = integer(10, 1, "ids in the body, at least")
    num_tokens: int = integer(SYMBOLS, 1, "different symbols: the first of the ids 2..31999", high=SYMBOLS)

    def __post_init__(self):
        super().__post_init__()
        low, high = self.min_length, self.length
        for name in self.operations:
            asked = _OPERATIONS[name]
            shortest = low + asked.spare
            if low < asked.least:
                raise ValueError(f"{self.name}: min_length must be at least {asked.least} for {name}, got {low}")
            if high < shortest:
                raise ValueError(
                    f"{self.name}: length must be at least {shortest} for {name} with min_length={low}, got {high}"
                )
            tokens = asked.tokens(low, high)
            if self.num_tokens < tokens:
                raise ValueError(
                    f"{self.name}: num_tokens must be at least {tokens} for {name} with min_length={low} and "
                    f"length={high}, got {self.num_tokens}"
                )

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations that rows are drawn of."""
        return _GROUPS.get(self.operation, (self.operation,))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return _vocabulary()

    @functools.cached_property
    def max_length(self) -> int:
        lengths = []
        for name in self.operations:
            operation = _OPERATIONS[name]
            head = len(operation.name) + 1  # the name's end
            lengths.append(head + self.length + 1 + operation.longest(self.length) + 1)  # <sep> and <eos>
        return max(lengths)

    def solve(self, prompt_ids) -> list[int]:
        """The answer of the operation that the prompt names, whichever this task draws; ValueError if none."""
        name, first, second = self.parse(prompt_ids)
        return _OPERATIONS[name].answer(first, second) or [NOTHING]

    def is_answer(self, prompt_ids, answer_ids) -> bool:
        answer = list(answer_ids)
        right = self.solve(prompt_ids)
        if self.parse(prompt_ids)[0] in _SET_OPERATIONS:
            return sorted(answer) == sorted(right)
        return answer == right

    def parse(self, prompt_ids) -> tuple[str, list[int], list[int]]:
        """The operation that a prompt names, and its arguments; the second is empty where there is one alone."""
        prompt = [int(token) for token in prompt_ids if token != SEP]
        end = prompt.index(NAME_END) if NAME_END in prompt else 0
        name = tuple(prompt[:end])
        if name not in _BY_NAME:
            raise ValueError(f"{self.config_name}: the prompt must begin with an operation's name and {NAME_END}")
        body = prompt[end + 1 :]
        middle = body.index(AND) if AND in body else len(body)
        return _BY_NAME[name], body[:middle], body[middle + 1 :]

    def write(self, rng, input_ids):
        from . import kernels, simpler_kernels

        names = list(_OPERATIONS)
        codes = np.array([names.index(name) for name in self.operations], np.int32)
        sizes = (self.min_length, self.length, self.num_tokens)
        return simpler_kernels.rows(kernels.stream(rng), input_ids, codes, _names(), _numbers(self.length), *sizes)
