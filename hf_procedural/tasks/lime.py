"""LIME: reasoning as substitution, in symbols whose roles each example defines anew.

Wu et al. 2021, LIME: Learning Inductive Bias for Primitives of Mathematical Reasoning, arXiv:2101.06223. The reference
is tonywu95/LIME: at 2a4045f for the modes that have golden rows, read at bbb7165 for the others.
"""

import dataclasses
import functools
import heapq
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .fields import choice, integer
from .layouts import Answered
from .registry import register

MARKS = ("<UPPER>", "<LOWER>", "<MATH>", "<space>", ":", "[", "]", ",", "->", "<sep>", "<eos>", "<pad>")
REASON = {  # mode: the parts of its prompt and of its answer
    "induct": (("result", "substitution"), ("pattern",)),
    "deduct": (("pattern", "substitution"), ("result",)),
    "abduct": (("pattern", "result"), ("substitution",)),
    "induct_v2": (("result",), ("substitution", "pattern")),
    "induct_v2_double": (("result", "result 2"), ("substitution", "substitution 2", "pattern")),
    "induct_v3": (("result", "result 2"), ("pattern",)),
    "induct_hard": (("result",), ("pattern",)),
}
REWRITE = {
    "rewrite": (("rules", "string"), ("last",)),
    "induct_rewrite": (("string", "last"), ("rules",)),
    "rewrite_multistep_easy": (("rules", "string"), ("strings",)),
    "rewrite_multistep_hard": (("rules", "string"), ("last",)),
}
MODES = REASON | REWRITE
_KERNEL_PARTS = (  # in the order in which the kernels number them
    ("pattern", "substitution", "result", "substitution 2", "result 2"),
    ("rules", "string", "last", "strings"),
)
_SEVERAL = ("rules", "strings")  # parts that are several, themselves separated by <space>


@functools.lru_cache(maxsize=8)
def _vocabulary(vocab_size: int) -> tuple[str, ...]:
    return (*map(str, range(vocab_size)), *MARKS)


@register
@dataclasses.dataclass(frozen=True)
class Lime(Answered):
    """``<UPPER> ids <LOWER> ids <MATH> ids <space> parts <sep> answer <eos>``: infer one part from the others.

    Every row deals 68 different ids out of `vocab_size`: 24 upper ones, which are variables, 24 lower and 20 math ones.
    Parts are separated by <space>; all draws are uniform and independent.

    The modes of reasoning: a pattern has 6, 8 or 10 variables (n in 3..5, then 2n out of the first n upper ids) and
    5..19 math symbols, shuffled; a substitution gives each variable 2..8 lower or math symbols, ``A : [ x y ] , B :
    [ z + ]``; the result is the pattern with them put in. The prompt lists only the upper ids that occur.

    - induct: result, substitution; answer: the pattern
    - deduct: pattern, substitution; answer: the result
    - abduct: pattern, result; answer: the substitution
    - induct_hard, induct_v2: a result alone; answer: the pattern, or the substitution and the pattern
    - induct_v3, induct_v2_double: results of two substitutions; answer: as before, with both substitutions

    The modes of rewriting: a rule ``left -> right`` is made of a substring, whose different lower symbols become the
    first upper ids; its right side is math symbols, whose number is drawn as the length of the left side is, and each
    variable once, shuffled.

    - rewrite: a rule, a string; answer: the string with that substring rewritten. n in 10..20 lower and 1.5 n math
      symbols, substrings of 5..20. The prompt lists only the upper ids that occur
    - induct_rewrite: such a string and what became of it; answer: the rule
    - rewrite_multistep_hard: `min_steps` to `steps` rules, each made of what the one before left, then the string;
      answer: what the last one leaves. n in 5..10 math and 1.5 n lower symbols, substrings of 3..7
    - rewrite_multistep_easy: the same; answer: what each rule leaves

    The reference draws all modes it is given from one stream; here that is a mixture, such as
    ``lime-induct+lime-deduct+lime-abduct``. Where its order is that of a Python set, of the listed upper ids and of
    the lower ids that become variables, ours is that of the alphabet, which is a random one and tells nothing of the
    answer. It stops with an error where rules have made a string shorter than the substring drawn; here a substring is
    at most the string.

    Kept from the reference: a rule may match in several places and is applied where it was made, not at the leftmost;
    a substitution may fit in several ways. So several answers can be right. A row has the one that was drawn, `solve`
    gives the first that it finds (for induct_v3 and induct_v2_double a search, of some seconds at worst), and
    `is_answer` takes any: what was asked for must be of the listed symbols, in any number, with values of 2..8, and
    all parts must agree.
    """

    name = "lime"
    headline = "mode"
    sizes = tuple(MODES)
    summary = "a pattern, a substitution, its result, or rewriting rules: infer one from the others"
    paper = "Wu et al. 2021, LIME, arXiv:2101.06223"

    mode: str = choice("induct", MODES, "what is given and what is asked")
    vocab_size: int = integer(1000, 68, "ids that a row's 68 symbols are drawn from", high=2**20)
    steps: int = integer(5, 1, "rules at most, in the multistep modes", high=32)
    min_steps: int = integer(1, 1, "rules at least, in the multistep modes", high=32)

    def __post_init__(self):
        super().__post_init__()
        if self.min_steps > self.steps:
            raise ValueError(f"lime: min_steps must be at most steps = {self.steps}, got {self.min_steps}")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return _vocabulary(self.vocab_size)

    @property
    def sep_id(self) -> int:
        return self.vocab_size + MARKS.index("<sep>")

    @property
    def eos_id(self) -> int:
        return self.vocab_size + MARKS.index("<eos>")

    @property
    def pad_id(self) -> int:
        return self.vocab_size + MARKS.index("<pad>")

    @property
    def max_length(self) -> int:
        parts = [part.removesuffix(" 2") for part in itertools.chain(*MODES[self.mode])]
        if self.mode in REASON:
            listed, longest = 5, {"pattern": 10 + 19, "substitution": 5 * (8 + 5) - 1, "result": 10 * 8 + 19}
        else:
            first, window, steps = (25, 7, self.steps) if self._multistep else (50, 20, 1)
            strings = [first + step * window for step in range(1, steps + 1)]
            listed = 24 if self._multistep else 20
            longest = {"string": first, "last": strings[-1], "strings": sum(strings) + steps - 1}
            longest["rules"] = steps * (window + 1 + 2 * window) + steps - 1
        return listed + 48 + sum(longest[part] + 1 for part in parts)  # each ends with <space>, <sep> or <eos>

    @property
    def _multistep(self) -> bool:
        return self.mode.startswith("rewrite_multistep")

    def write(self, rng, input_ids):
        from . import kernels, lime_kernels

        starts, stops = np.empty((2, len(input_ids)), np.int32)
        prompt, answer = MODES[self.mode]
        names = _KERNEL_PARTS[self.mode in REWRITE]
        layout = np.array([-1 if part is None else names.index(part) for part in (*prompt, None, *answer)])
        pool = np.arange(self.vocab_size, dtype=np.int32)
        shared = kernels.stream(rng), input_ids, pool, layout
        if self.mode in REASON:
            lime_kernels.reason(*shared, 2 if "result 2" in prompt else 1, starts, stops)
        elif self._multistep:
            steps = (self.min_steps, self.steps)
            lime_kernels.rewrite(*shared, (5, 10), 1.5, 1.0, (3, 7), steps, True, starts, stops)
        else:
            lime_kernels.rewrite(*shared, (10, 20), 1.0, 1.5, (5, 20), (1, 1), False, starts, stops)
        return starts, stops

    def solve(self, prompt_ids) -> list[int]:
        listed, known = self._read(prompt_ids)
        given, asked = MODES[self.mode]
        if asked == ("result",):
            known["result"] = _applied(_values(known["substitution"]), known["pattern"])
        elif asked == ("substitution",):
            known["substitution"] = _written(_matched(known["pattern"], known["result"], listed))
        elif "substitution" in given:
            known["pattern"] = _parsed(known["result"], _values(known["substitution"]), listed)
        elif "result" in given:
            known["pattern"], *found = _explained([known[part] for part in given], listed)
            known |= zip(("substitution", "substitution 2"), map(_written, found), strict=False)
        elif "rules" in given:
            known["strings"] = _rewritten(known["rules"], known["string"], listed)
            known["last"] = known["strings"] and known["strings"][-1]
        else:
            rule = _rule(known["string"], known["last"], listed)
            known["rules"] = rule and (rule,)
        if None in known.values():
            raise ValueError(f"{self.config_name}: no answer follows from this prompt")
        parts = [part for name in asked for part in (known[name] if name in _SEVERAL else [known[name]])]
        words = [word for part in parts for word in (*part, "<space>")][:-1]
        return [int(word) if word.isdigit() else self.vocab_size + MARKS.index(word) for word in words]

    def is_answer(self, prompt_ids, answer_ids) -> bool:
        listed, known = self._read(prompt_ids)
        asked = MODES[self.mode][1]
        try:
            return _follows(known | _parts(asked, self._words(answer_ids)), asked, listed)
        except ValueError:  # these are not even the parts asked for
            return False

    def _words(self, ids) -> list[str]:
        return [self.vocabulary[int(token)] for token in ids]

    def _read(self, prompt_ids) -> tuple["_Listed", dict]:
        """What a prompt lists, and its parts by name."""
        words = self._words(token for token in prompt_ids if token != self.sep_id)
        given = MODES[self.mode][0]
        try:
            marks = [words.index(mark) for mark in ("<UPPER>", "<LOWER>", "<MATH>", "<space>")]
            listed = _Listed(*(tuple(words[start + 1 : end]) for start, end in itertools.pairwise(marks)))
            return listed, _parts(given, words[marks[-1] + 1 :])
        except ValueError:
            layout = " <space> ".join(["<UPPER> ids <LOWER> ids <MATH> ids", *given])
            got = " ".join(words)
            raise ValueError(f"{self.config_name}: a prompt must be {layout}, got {got[:100]!r}") from None


# ---------------------------------------------------------------- the oracle, in words


class _Listed(NamedTuple):
    """The ids that a prompt lists."""

    upper: tuple[str, ...]
    lower: tuple[str, ...]
    math: tuple[str, ...]


def split(words, mark: str) -> list[tuple]:
    """What stands between the marks."""
    parts = [[]]
    for word in words:
        parts.append([]) if word == mark else parts[-1].append(word)
    return [tuple(part) for part in parts]


def _parts(names, words) -> dict:
    """The parts by name: tuples of words, or of such tuples where they are several."""
    parts = split(words, "<space>")
    if names[0] in _SEVERAL:
        several = len(parts) - len(names) + 1
        parts = [tuple(parts[:several]), *parts[several:]]
    return dict(zip(names, parts, strict=True))


def _follows(known: dict, asked, listed: _Listed) -> bool:
    """Whether the parts agree, and those that were asked for are made of the listed symbols."""
    if "string" in known:
        rules, strings = known["rules"], known.get("strings")
        if "rules" in asked and not (len(rules) == 1 and _is_rule(rules[0], listed)):
            return False
        if strings is not None:
            steps = itertools.pairwise([known["string"], *strings])
            return len(strings) == len(rules) and all(
                new in _rewritings(rule, old, listed) for rule, (old, new) in zip(rules, steps, strict=True)
            )
        reached = {known["string"]}
        for rule in rules:
            reached = {new for old in reached for new in _rewritings(rule, old, listed)}
        return known["last"] in reached
    pattern = known["pattern"]
    if not set(pattern) <= {*listed.upper, *listed.math}:
        return False
    for number in ("", " 2")[: 1 + ("result 2" in known)]:
        result, substitution = known[f"result{number}"], known.get(f"substitution{number}")
        values = _matched(pattern, result, listed) if substitution is None else _values(substitution)
        if values is None or "substitution" in asked and not _is_substitution(values, listed):
            return False
        if _applied(values, pattern) != result:
            return False
    return True


def _values(words) -> dict:
    """The value of each upper id by a substitution as it is written, ``A : [ x y ] , B : [ z + ]``."""
    values = {}
    for name, *value in map(list, split(words, ",")):
        if value[:2] != [":", "["] or value[-1] != "]" or name in values:
            raise ValueError(f"not a substitution: {' '.join(words)}")
        values[name] = tuple(value[2:-1])
    return values


def _written(values: dict | None) -> tuple | None:
    return (
        values
        if values is None
        else tuple(word for name, value in values.items() for word in (name, ":", "[", *value, "]", ","))[:-1]
    )


def _is_substitution(values: dict, listed) -> bool:
    symbols = {*listed.lower, *listed.math}
    return values.keys() == set(listed.upper) and all(
        2 <= len(value) <= 8 and set(value) <= symbols for value in values.values()
    )


def _applied(values: dict, pattern) -> tuple:
    return tuple(word for symbol in pattern for word in values.get(symbol, [symbol]))


def _matched(pattern, result, listed) -> dict | None:
    """A substitution that makes `result` of `pattern`, or None."""
    expression, groups = "", {}
    for symbol in pattern:
        if symbol not in listed.upper:
            expression += f" {symbol}"
        elif symbol in groups:
            expression += f"(?P={groups[symbol]})"
        else:
            groups[symbol] = f"v{symbol}"
            expression += f"(?P<v{symbol}>(?: \\d+){{2,8}}?)"
    match = re.fullmatch(expression, "".join(f" {symbol}" for symbol in result))
    unused = listed.lower[:2]  # the value of a variable that the pattern does not have
    return match and {
        symbol: tuple(match[groups[symbol]].split()) if symbol in groups else unused for symbol in listed.upper
    }


def _parsed(result, values: dict, listed) -> tuple | None:
    """The shortest pattern of which a substitution makes `result`, or None."""
    values = values | {symbol: (symbol,) for symbol in listed.math}
    shortest = [None] * len(result) + [()]  # by where in the result they start
    for start in reversed(range(len(result))):
        patterns = [
            (symbol, *shortest[start + len(value)])
            for symbol, value in values.items()
            if result[start : start + len(value)] == value and shortest[start + len(value)] is not None
        ]
        shortest[start] = min(patterns, key=len, default=None)
    return shortest[0]


def _explained(results, listed) -> tuple:
    """A pattern, and for each result a substitution that makes it of the pattern; (None,) if there are none.

    A search from both ends, always on where most has been read that cannot be chance: a variable again, or a math
    symbol, in all results at once. Two rules narrow it and lose nothing: no value has a math symbol at an edge that
    could as well stand in the pattern; of two neighbours that occur once, the first is as long as can be.
    """
    symbols = (*listed.lower, *listed.math)
    if not set().union(*results) <= set(symbols):
        return (None,)
    letters = {symbol: chr(index) for index, symbol in enumerate(symbols)}  # so that a result is a str
    lower, maths = ({letters[symbol] for symbol in kind} for kind in (listed.lower, listed.math))
    texts = ["".join(letters[symbol] for symbol in result) for result in results]
    states, number = [], itertools.count()

    def add(cost, way, rests, found, pattern, once=None):
        """A state: what is left to read, the values found, the pattern read, the lengths of a value read just now."""
        heapq.heappush(states, (cost, next(number), way, rests, found, pattern, once))

    add(0, 1, texts, (), ())
    add(0, -1, [text[::-1] for text in texts], (), ())
    while states:
        cost, _, way, rests, found, pattern, once = heapq.heappop(states)
        if not any(rests):
            cases = [[value[::way] for value in values] for values in zip(*found, strict=True)] or [[]] * len(texts)
            unused = listed.lower[:2]
            return pattern[::way], *(
                {name: tuple(symbols[ord(letter)] for letter in value) or unused for name, value in zipped}
                for zipped in (itertools.zip_longest(listed.upper, case, fillvalue="") for case in cases)
            )
        free = listed.upper[len(found) :]
        values_of = zip(*found, strict=True) if found else [()] * len(texts)
        needed = (_needed(rest, lower.difference(*values)) for rest, values in zip(rests, values_of, strict=True))
        if not all(rests) or max(needed) > len(free):
            continue
        for name, values in zip(listed.upper, found, strict=False):
            if all(map(str.startswith, rests, values)):
                read = sum(map(len, values))
                add(cost - 4 * read + 2, way, _behind(rests, map(len, values)), found, (*pattern, name))
        literal = len({rest[0] for rest in rests}) == 1 and rests[0][0] in maths
        if literal:
            symbol = symbols[ord(rests[0][0])]
            add(cost - 4 * len(rests) + 3, way, _behind(rests, [1] * len(rests)), found, (*pattern, symbol))
        for lengths in itertools.product(*(range(2, min(8, len(rest)) + 1) for rest in rests)) if free else ():
            values = tuple(rest[:length] for rest, length in zip(rests, lengths, strict=True))
            ends = {value[-1] for value in values}
            if min(lengths) > 2 and (literal or (len(ends) == 1 and ends <= maths)):
                continue
            after = _behind(rests, lengths)
            again = all(value in rest for value, rest in zip(values, after, strict=True))
            if once and not again and any(a < 8 and b > 2 for a, b in zip(once, lengths, strict=True)):
                continue
            expected = sum(2 - again * (length - 1) for length in lengths)
            add(cost + expected, way, after, (*found, values), (*pattern, free[0]), None if again else lengths)
    return (None,)


def _behind(texts, lengths) -> list[str]:
    return [text[length:] for text, length in zip(texts, lengths, strict=True)]


def _needed(text: str, new: set) -> int:
    """How many values of 8 symbols the new ones in a text need at least."""
    count = place = 0
    while place < len(text):
        if text[place] in new:
            new = new.difference(text[place : place + 8])
            count, place = count + 1, place + 8
        else:
            place += 1
    return count


def _rewritings(rule, string, listed) -> Iterator[tuple]:
    """The string after one application of the rule, for each place where it matches, from the left."""
    left, right = split(rule, "->")
    for start in range(len(string) - len(left) + 1):
        end = start + len(left)
        pairs = {(a, (b,)) for a, b in zip(left, string[start:end], strict=True) if a != b}
        values = dict(pairs)
        if (
            values.keys() == {symbol for symbol in left if symbol in listed.upper}
            and set(values.values()) <= {(lower,) for lower in listed.lower}
            and len(pairs) == len(values) == len(set(values.values()))
        ):
            yield (*string[:start], *_applied(values, right), *string[end:])


def _rewritten(rules, string, listed) -> tuple | None:
    """What each rule in turn makes of the string: at the leftmost places with which all of them match, or None."""
    if not rules:
        return ()
    for new in _rewritings(rules[0], string, listed):
        rest = _rewritten(rules[1:], new, listed)
        if rest is not None:
            return (new, *rest)
    return None


def _is_rule(rule, listed) -> bool:
    """Whether a rule has the listed upper ids on its left, each once on its right, and math symbols."""
    if rule.count("->") != 1:
        return False
    left, right = split(rule, "->")
    variables = [[symbol for symbol in side if symbol not in listed.math] for side in (left, right)]
    return left != () and {*variables[0]} == {*listed.upper} and sorted(variables[1]) == sorted(listed.upper)


def _rule(string, last, listed) -> tuple | None:
    """The rule with the shortest left side, of at least 5 symbols, that makes `last` of `string`, or None."""
    for size in range(5, len(string) + 1):
        for start in range(len(string) - size + 1):
            end = len(last) - len(string) + start + size
            if end > start and string[:start] == last[:start] and string[start + size :] == last[end:]:
                left, right = string[start : start + size], last[start:end]
                lowers = [symbol for symbol in listed.lower if symbol in left]
                names = {lower: (upper,) for lower, upper in zip(lowers, listed.upper, strict=False)}
                rule = (*_applied(names, left), "->", *_applied(names, right))
                if len(lowers) == len(listed.upper) and _is_rule(rule, listed):
                    return rule
    return None
