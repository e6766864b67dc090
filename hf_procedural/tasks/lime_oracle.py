"""LIME's oracle, in words: infers a part of an example from the others, and says whether parts agree.

A prompt lists its symbols, a pattern or string is a tuple of them, a substitution maps each upper one to its value.
This is the definition that `lime` holds its rows against; rows come from the compiled loops of lime_kernels.
"""

import heapq
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

SEVERAL = ("rules", "strings")  # parts that are several, themselves separated by <space>


class Listed(NamedTuple):
    """The ids that a prompt lists."""

    upper: tuple[str, ...]
    lower: tuple[str, ...]
    math: tuple[str, ...]


def split(words, mark: str) -> list[tuple]:
    """What stands between the marks."""
    between = [[]]
    for word in words:
        if word == mark:
            between.append([])
        else:
            between[-1].append(word)
    return [tuple(piece) for piece in between]


def parts_of(names, words) -> dict:
    """The parts by name: tuples of words, or of such tuples where they are several. Raises ValueError for others."""
    pieces = split(words, "<space>")
    if names[0] in SEVERAL:
        several = len(pieces) - len(names) + 1
        pieces = [tuple(pieces[:several]), *pieces[several:]]
    return dict(zip(names, pieces, strict=True))


def agree(known: dict, asked, listed: Listed) -> bool:
    """Whether the parts agree, and those that were asked for are made of the listed symbols."""
    if "string" in known:
        return _rewriting_agrees(known, asked, listed)
    pattern = known["pattern"]
    if not set(pattern) <= {*listed.upper, *listed.math}:
        return False
    numbers = ("", " 2") if "result 2" in known else ("",)
    for number in numbers:
        result = known[f"result{number}"]
        substitution = known.get(f"substitution{number}")
        values = matched(pattern, result, listed) if substitution is None else values_of(substitution)
        if values is None:
            return False
        if "substitution" in asked and not _is_substitution(values, listed):
            return False
        if applied(values, pattern) != result:
            return False
    return True


def _rewriting_agrees(known: dict, asked, listed: Listed) -> bool:
    rules = known["rules"]
    if "rules" in asked and not (len(rules) == 1 and _is_rule(rules[0], listed)):
        return False
    reached = {known["string"]}
    if "strings" not in known:
        for rule in rules:
            reached = set(itertools.chain.from_iterable(_rewritings(rule, string, listed) for string in reached))
        return known["last"] in reached
    if len(known["strings"]) != len(rules):
        return False
    steps = itertools.pairwise([known["string"], *known["strings"]])
    return all(new in _rewritings(rule, old, listed) for rule, (old, new) in zip(rules, steps, strict=True))


# ---------------------------------------------------------------- substitutions


def values_of(words) -> dict:
    """The value of each upper id by a substitution as it is written, ``A : [ x y ] , B : [ z + ]``."""
    values = {}
    for name, *value in map(list, split(words, ",")):
        if value[:2] != [":", "["] or value[-1] != "]" or name in values:
            raise ValueError(f"not a substitution: {' '.join(words)}")
        values[name] = tuple(value[2:-1])
    return values


def written(values: dict | None) -> tuple | None:
    """A substitution as `values_of` reads it; None stays None."""
    if values is None:
        return None
    words = []
    for name, value in values.items():
        words += [name, ":", "[", *value, "]", ","]
    return tuple(words[:-1])


def _is_substitution(values: dict, listed: Listed) -> bool:
    symbols = {*listed.lower, *listed.math}
    return values.keys() == set(listed.upper) and all(
        2 <= len(value) <= 8 and set(value) <= symbols for value in values.values()
    )


def applied(values: dict, pattern) -> tuple:
    """The pattern with the values put in."""
    return tuple(itertools.chain.from_iterable(values.get(symbol, (symbol,)) for symbol in pattern))


def matched(pattern, result, listed: Listed) -> dict | None:
    """A substitution that makes `result` of `pattern`, or None."""
    expression = ""
    groups = {}
    for symbol in pattern:
        if symbol not in listed.upper:
            expression += f" {symbol}"
        elif symbol in groups:
            expression += f"(?P={groups[symbol]})"
        else:
            groups[symbol] = f"v{symbol}"
            expression += f"(?P<v{symbol}>(?: \\d+){{2,8}}?)"
    match = re.fullmatch(expression, "".join(f" {symbol}" for symbol in result))
    if match is None:
        return None
    values = {symbol: tuple(match[group].split()) for symbol, group in groups.items()}
    unused = listed.lower[:2]  # the value of a variable that the pattern does not have
    return {symbol: values.get(symbol, unused) for symbol in listed.upper}


def parsed(result, values: dict, listed: Listed) -> tuple | None:
    """The shortest pattern of which a substitution makes `result`, or None."""
    values = values | {symbol: (symbol,) for symbol in listed.math}
    shortest: list[tuple | None] = [*[None] * len(result), ()]  # by where in the result they start
    for start in reversed(range(len(result))):
        patterns = []
        for symbol, value in values.items():
            end = start + len(value)
            rest = shortest[end] if result[start:end] == value else None
            if rest is not None:
                patterns.append((symbol, *rest))
        shortest[start] = min(patterns, key=len, default=None)
    return shortest[0]


def explained(results, listed: Listed) -> tuple:
    """A pattern, and for each result a substitution that makes it of the pattern; (None,) if there are none.

    >>> explained([("x", "y", "+", "x", "y")], Listed(upper=("A",), lower=("x", "y"), math=("+",)))
    (('A', '+', 'A'), {'A': ('x', 'y')})
    """
    if not set().union(*results) <= {*listed.lower, *listed.math}:
        return (None,)
    return _Search(results, listed).run()


class _State(NamedTuple):
    """How far a search has read; results are strings, with a letter for each symbol."""

    way: int  # 1: from the left, -1: from the right, all strings the other way round
    rests: list[str]  # what is left to read of each result
    values: tuple[tuple[str, ...], ...]  # of each variable so far, in the order of the upper ids: one for each result
    pattern: tuple[str, ...]  # so far
    new: tuple[int, ...] | None = None  # the lengths of the value read last, where it does not occur again


class _Search:
    """A* for a pattern and values that explain results, from both ends.

    A state is taken up the earlier, the lower its cost: 4 less for each symbol read that cannot be chance (a variable
    again, or a math symbol, in all results at once), and some more for each choice. Of ``x y + x y``, with A the one
    variable, from the left:

        cost 0    left: x y + x y    pattern:        nothing is read
        cost 1    left:     + x y    pattern: A      A is a choice, x y, which occurs again
        cost 0    left:       x y    pattern: A +    a math symbol
        cost -6   left:              pattern: A + A  A again, two symbols: all is read

    Two rules narrow the choice of a value and lose nothing: none has a math symbol at an edge that could as well stand
    in the pattern; of two neighbours that occur once, the first is as long as can be.
    """

    def __init__(self, results, listed: Listed):
        self.listed = listed
        self.symbols = (*listed.lower, *listed.math)
        letters = {symbol: chr(index) for index, symbol in enumerate(self.symbols)}
        self.lower = {letters[symbol] for symbol in listed.lower}
        self.math = {letters[symbol] for symbol in listed.math}
        self.states = []
        self.numbers = itertools.count()  # of states with one cost, the first comes first
        texts = ["".join(map(letters.__getitem__, result)) for result in results]
        self.push(0, _State(1, texts, (), ()))
        self.push(0, _State(-1, [text[::-1] for text in texts], (), ()))

    def push(self, cost: int, state: _State) -> None:
        heapq.heappush(self.states, (cost, next(self.numbers), state))

    def run(self) -> tuple:
        """What `explained` gives."""
        while self.states:
            cost, _, state = heapq.heappop(self.states)
            if not any(state.rests):
                return self.answer(state)
            if self.is_possible(state):
                self.extend(cost, state)
        return (None,)

    def answer(self, state: _State) -> tuple:
        unused = self.listed.lower[:2]  # the value of a variable that the pattern does not have
        substitutions = []
        for number in range(len(state.rests)):
            substitution = dict.fromkeys(self.listed.upper, unused)
            for name, values in zip(self.listed.upper, state.values, strict=False):
                value = values[number][:: state.way]
                substitution[name] = tuple(self.symbols[ord(letter)] for letter in value)
            substitutions.append(substitution)
        return state.pattern[:: state.way], *substitutions

    def is_possible(self, state: _State) -> bool:
        """Whether every result has something left, and variables are left for lower symbols that are in no value."""
        if not all(state.rests):
            return False
        free = len(self.listed.upper) - len(state.values)
        for number, rest in enumerate(state.rests):
            known = [values[number] for values in state.values]
            if _values_needed(rest, self.lower.difference(*known)) > free:
                return False
        return True

    def extend(self, cost: int, state: _State) -> None:
        """Pushes all states that read one symbol of the pattern more."""
        way, rests, known, pattern, _ = state
        upper = self.listed.upper
        for name, values in zip(upper, known, strict=False):
            if all(map(str.startswith, rests, values)):
                lengths = [len(value) for value in values]
                again = _State(way, _behind(rests, lengths), known, (*pattern, name))
                self.push(cost - 4 * sum(lengths) + 2, again)
        letter = rests[0][0]
        is_math = letter in self.math and all(rest[0] == letter for rest in rests)
        if is_math:
            symbol = self.symbols[ord(letter)]
            rests_behind = _behind(rests, [1] * len(rests))
            self.push(cost - 4 * len(rests) + 3, _State(way, rests_behind, known, (*pattern, symbol)))
        if len(known) < len(upper):
            self.choose(cost, state, upper[len(known)], is_math)

    def choose(self, cost: int, state: _State, name: str, is_math: bool) -> None:
        """Pushes a state for each value that the next variable, `name`, may have; `is_math`: one begins all rests."""
        way, rests, known, pattern, before = state
        lengths_of = [range(2, min(8, len(rest)) + 1) for rest in rests]
        for lengths in itertools.product(*lengths_of):
            values = tuple(rest[:length] for rest, length in zip(rests, lengths, strict=True))
            ends = {value[-1] for value in values}
            math_at_edge = is_math or (len(ends) == 1 and ends <= self.math)
            if math_at_edge and min(lengths) > 2:
                continue
            rests_behind = _behind(rests, lengths)
            again = all(value in rest for value, rest in zip(values, rests_behind, strict=True))
            if before and not again and any(old < 8 and new > 2 for old, new in zip(before, lengths, strict=True)):
                continue  # the value before could have been longer by what this one begins with
            expected = sum(2 - again * (length - 1) for length in lengths)
            new = None if again else lengths
            self.push(cost + expected, _State(way, rests_behind, (*known, values), (*pattern, name), new))


def _behind(texts, lengths) -> list[str]:
    return [text[length:] for text, length in zip(texts, lengths, strict=True)]


def _values_needed(text: str, new: set) -> int:
    """How many values of 8 symbols the new ones in a text need at least."""
    count = place = 0
    while place < len(text):
        if text[place] in new:
            new = new.difference(text[place : place + 8])
            count += 1
            place += 8
        else:
            place += 1
    return count


# ---------------------------------------------------------------- rewriting


def _rewritings(rule, string, listed: Listed) -> Iterator[tuple]:
    """The string after one application of the rule, for each place where it matches, from the left."""
    left, right = split(rule, "->")
    variables = {symbol for symbol in left if symbol in listed.upper}
    for start in range(len(string) - len(left) + 1):
        end = start + len(left)
        pairs = {(ours, theirs) for ours, theirs in zip(left, string[start:end], strict=True) if ours != theirs}
        values = dict(pairs)
        one_to_one = len(pairs) == len(values) == len(set(values.values()))
        if one_to_one and values.keys() == variables and set(values.values()) <= {*listed.lower}:
            symbols = tuple(values.get(symbol, symbol) for symbol in right)
            yield (*string[:start], *symbols, *string[end:])


def rewritten(rules, string, listed: Listed) -> tuple | None:
    """What each rule in turn makes of the string: at the leftmost places with which all of them match, or None."""
    if not rules:
        return ()
    for new in _rewritings(rules[0], string, listed):
        rest = rewritten(rules[1:], new, listed)
        if rest is not None:
            return (new, *rest)
    return None


def _is_rule(rule, listed: Listed) -> bool:
    """Whether a rule has the listed upper ids on its left, each once on its right, and math symbols."""
    if rule.count("->") != 1:
        return False
    left, right = split(rule, "->")
    of_left = {symbol for symbol in left if symbol not in listed.math}
    of_right = [symbol for symbol in right if symbol not in listed.math]
    return left != () and of_left == {*listed.upper} and sorted(of_right) == sorted(listed.upper)


def rule_of(string, last, listed: Listed) -> tuple | None:
    """The rule with the shortest left side, of at least 5 symbols, that makes `last` of `string`, or None."""
    for size in range(5, len(string) + 1):
        for start in range(len(string) - size + 1):
            stop = start + size
            end = len(last) - len(string) + stop  # where the right side ends in `last`
            if end <= start or string[:start] != last[:start] or string[stop:] != last[end:]:
                continue
            left = string[start:stop]
            lowers = [symbol for symbol in listed.lower if symbol in left]
            names = dict(zip(lowers, listed.upper, strict=False))
            symbols = [names.get(symbol, symbol) for symbol in (*left, "->", *last[start:end])]
            if len(lowers) == len(listed.upper) and _is_rule(symbols, listed):
                return tuple(symbols)
    return None
