"""Languages of structure building: sentences are derived by merge, agreement and movement, and written as brackets.

MP-Struct and its core by Mita, Someya, Yoshida and Oseki 2026 (Language Acquisition Device in Large Language Models,
arXiv:2605.16758), with the derivations, distributions and ids of the reference code, osekilab/LAD-PPT at 9bee317 (its
newest commit has no code). `derive` of each task is the definition in plain Python;
the compiled loop of structure_kernels draws among what it gives.

As in the reference, a row is derivations without anything between them, until it is full, which cuts the last one. Its
oddities, which make the published rows, are told with each task. Not there: words from a user's own files (lex_dir).
"""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from .fields import flag, integer, probability
from .layouts import Stream
from .registry import register

_PAPER = "Mita et al. 2026, Language Acquisition Device in Large Language Models, arXiv:2605.16758"
Cell = str | int  # of a derivation: a token, or the slot of a word


@dataclasses.dataclass(frozen=True)
class _Derivations(Stream):
    """Derivations, one after another. A subclass has `chances`, `derive`, `words` and `symbols`."""

    headline: ClassVar[str] = "length"
    sizes: ClassVar[tuple[int, ...]] = (1024,)
    paper: ClassVar[str] = _PAPER

    length: int = integer(1024, 2, "tokens in a row, the last derivation cut")

    @property
    def symbols(self) -> tuple[str, ...]:
        """The tokens in id order, without <pad>."""
        raise TypeError(f"{type(self).__name__} must define the property symbols")

    @property
    def chances(self) -> list[tuple[float, ...]]:
        """What is chosen, the first once for a row: by the number of these thresholds that a uniform number reaches."""
        raise TypeError(f"{type(self).__name__} must define the property chances")

    @property
    def words(self) -> Sequence[Sequence[str]]:
        """The words that may stand in each slot, all as likely."""
        return ()

    def derive(self, *options: int) -> list[list[Cell]]:
        """The derivations, all as likely, where these options were chosen."""
        raise TypeError(f"{type(self).__name__} must define derive(*options)")

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*self.symbols, "<pad>")

    def derivations(self, token_ids) -> list[list[int]] | None:
        """The derivations of a row, of which a full row may cut the last one, or None where it has others."""
        tokens = [int(token) for token in token_ids]
        symbols = self.symbols
        if not all(0 <= token < len(symbols) for token in tokens):
            return None
        row = [symbols[token] for token in tokens]
        shapes = [_shape(self.words, word) for word in row]
        for group in _possible(self):
            before = {0: -1}  # by the place where a derivation may begin, where the one before it began
            last = None
            for start in itertools.takewhile(lambda start: start < len(row), _growing(before)):
                for end in self._ends(group, row, shapes, start):
                    before.setdefault(end, start)
                    if end == len(row):
                        last = start
            if last is not None:
                places = [last]
                while places[0]:
                    places.insert(0, before[places[0]])
                return [tokens[start:end] for start, end in itertools.pairwise([*places, len(tokens)])]
        return None

    def _ends(self, group, row, shapes, start) -> set[int]:
        """Where derivations end that begin here; at the end of a full row, also those that it cuts."""
        ends = set()
        for size, by_shape in group.items():
            end = start + size
            if end <= len(row):
                same = by_shape.get(tuple(shapes[start:end]), ())
                if any(self._matches(derivation, row[start:end]) for derivation in same):
                    ends.add(end)
            elif len(row) == self.length:
                rest = row[start:]
                if any(self._matches(each[: len(rest)], rest) for each in itertools.chain(*by_shape.values())):
                    ends.add(len(row))
        return ends

    def accepts(self, token_ids) -> bool:
        """Whether the tokens are derivations, the last one unfinished at most where a row is full."""
        return self.derivations(token_ids) is not None

    def _matches(self, derivation, row) -> bool:
        """Whether words are those of a derivation, each slot with one of its own, and the same each time."""
        drawn = {}
        for cell, word in zip(derivation, row, strict=True):
            if isinstance(cell, str):
                if word != cell:
                    return False
            elif word not in self.words[cell] or drawn.setdefault(cell, word) != word:
                return False
        return True

    def fill(self, state, input_ids):
        from . import structure_kernels

        structure_kernels.fill(state, input_ids, *_tables(self))


def _growing(places: dict):
    """The places in ascending order, those that are added meanwhile, too."""
    done = -1
    while later := [place for place in places if place > done]:
        done = min(later)
        yield done


def _shape(words: Sequence[Sequence[str]], word: str) -> str:
    """The same for all words of a slot: its first one; else the word itself."""
    return next((slot[0] for slot in words if word in slot), word)


@functools.lru_cache(maxsize=16)
def _possible(task: _Derivations) -> list[dict[int, dict[tuple[str, ...], list]]]:
    """The derivations that have a probability, by size and shape, for each option of the row that has one."""

    def possible(thresholds):
        borders = itertools.pairwise((0, *thresholds, 1))
        return [option for option, (low, high) in enumerate(borders) if low < high]

    first, *others = map(possible, task.chances)
    groups = []
    for option in first:
        derived = itertools.chain(*(task.derive(option, *rest) for rest in itertools.product(*others)))
        group = {}
        for derivation in dict.fromkeys(map(tuple, derived)):
            shape = tuple(cell if isinstance(cell, str) else task.words[cell][0] for cell in derivation)
            group.setdefault(len(derivation), {}).setdefault(shape, []).append(derivation)
        groups.append(group)
    return groups


@functools.lru_cache(maxsize=16)
def _tables(task: _Derivations) -> tuple[np.ndarray, ...]:
    """What the compiled loop draws from, as it takes it."""
    ids = {symbol: number for number, symbol in enumerate(task.symbols)}
    most = max(map(len, task.chances))
    thresholds = np.array([[*each, *[2.0] * (most - len(each))] for each in task.chances])
    options = [len(each) + 1 for each in task.chances]
    every = [task.derive(*chosen) for chosen in itertools.product(*map(range, options))]
    flat = list(itertools.chain(*every))
    cells = [ids[cell] if isinstance(cell, str) else -1 - cell for each in flat for cell in each]
    words = [ids[word] for slot in task.words for word in slot]

    def starts(parts):
        return np.cumsum([0, *map(len, parts)]).astype(np.int32)

    return (
        thresholds,
        np.array(options, np.int32),
        starts(every),
        starts(flat),
        np.array(cells, np.int32),
        np.array(words, np.int32),
        starts(task.words),
    )


# ---------------------------------------------------------------- MP-Struct


_SINGULAR = tuple(f"N({noun})" for noun in ("cat", "dog", "book", "man", "girl", "house", "tree", "car"))
_PLURAL = tuple(f"N({noun})" for noun in ("cats", "dogs", "books", "men", "girls", "houses", "trees", "cars"))
_VERBS = tuple(f"V({verb})" for verb in ("see", "chase", "find", "like", "watch", "admire"))
_DETERMINERS = ("D(the)",)
_WORDS = (_SINGULAR, _PLURAL, _SINGULAR, _PLURAL, _VERBS, _DETERMINERS, _DETERMINERS)  # by slot
_VERB_SLOT = 4
_NUMBERS = ("sg", "pl")


@dataclasses.dataclass(frozen=True)
class _Phrase:
    """A subject (0) or object (1) with its number and its feature -wh; a trace where it was moved from."""

    role: int
    number: int
    wh: bool
    trace: bool = False


@register
@dataclasses.dataclass(frozen=True)
class MPStruct(_Derivations):
    """``[ CP [ C ] [ [ TP [ subject ] [ T(+EPP,uNum:sg) ] [ [ VP V [ TR[DP] ] [ object ] ] ] ] ] ] [ CP ...``: clauses.

    A subject and an object, both ``[ DP[Num:sg] [ D ] [ N ] ]`` with [-wh] behind it with probability `p_wh_goal`. The
    subject is sg with probability `num_prior`; the object has its number in a share `agree_match_ratio` of the rows,
    and the other one all through the other rows. T agrees with the subject (`enable_agree`; else ``uNum:u``). With
    `t_epp` the subject moves to the front of TP and leaves TR[DP] or TR[-wh]. C is +wh with probability `p_c_wh`; then
    the object, if it is -wh, or else the subject, if it is, moves to the front of CP, behind MOV[+wh] and without its
    -wh. V comes before the object and the subject or before the subject and the object, each with probability 1/2.

    Without `enable_move` nothing moves, and C has no +wh; `allow_move` false takes MOV[+wh] and C(+wh) out of the
    vocabulary, and +wh away, while the subject moves. Without `enable_merge` there are no brackets but those of what
    was moved, and a phrase is ``D N DP[Num:sg]``. Without `strip_lexical` there are words: 8 nouns of each number as
    N(cat), 6 verbs as V(see), and D(the). Ids are the ranks of the tokens' strings by code point; then <pad>, which
    never occurs.

    Oddities of the reference: a subject that is -wh moves to CP from its trace, so that its copy in TP stays; in the
    default rows all agree, so that one cannot see whom T agrees with.
    """

    name = "mp_struct"
    summary = "clauses built by merge, agreement and movement, as brackets and features"

    agree_match_ratio: float = probability(1.0, "share of rows in which objects have their subjects' number")
    num_prior: float = probability(0.5, "probability that a subject is singular")
    p_wh_goal: float = probability(0.2, "probability that a subject, or an object, is -wh")
    p_c_wh: float = probability(0.2, "probability that C is +wh")
    t_epp: bool = flag(True, "T has EPP: the subject moves to it")
    allow_move: bool = flag(True, "have MOV[+wh] and C(+wh), and C +wh at all")
    enable_merge: bool = flag(True, "write brackets and phrases")
    enable_agree: bool = flag(True, "T has the subject's number")
    enable_move: bool = flag(True, "move subjects and -wh phrases")
    strip_lexical: bool = flag(True, "have N, V and D for all nouns, verbs and determiners")

    @property
    def symbols(self):
        words = ("N", "V", "D") if self.strip_lexical else (*_SINGULAR, *_PLURAL, *_VERBS, *_DETERMINERS)
        symbols = ["[", "]", "VP", "TP", "CP", "C", "TR[-wh]", "TR[DP]", "[-wh]", *words]
        symbols += [f"DP[Num:{number}]" for number in _NUMBERS]
        symbols += [f"T({epp}uNum:{number})" for epp in ("", "+EPP,") for number in (*_NUMBERS, "u")]
        return tuple(sorted([*symbols, "MOV[+wh]", "C(+wh)"] if self.allow_move else symbols))

    @property
    def chances(self):
        p_c_wh = self.p_c_wh if self.enable_move and self.allow_move else 0.0
        return [(self.agree_match_ratio,), (self.num_prior,), (self.p_wh_goal,), (self.p_wh_goal,), (p_c_wh,), (0.5,)]

    @property
    def words(self):
        return () if self.strip_lexical else _WORDS

    def derive(self, other_number, number, no_subject_wh, no_object_wh, no_c_wh, subject_first):
        subject = _Phrase(0, number, not no_subject_wh)
        goal = _Phrase(1, number ^ other_number, not no_object_wh)  # the object
        c_wh = self.enable_move and self.allow_move and not no_c_wh
        agreed = _NUMBERS[number] if self.enable_agree else "u"
        front_of_t = front_of_c = None
        if self.enable_move and self.t_epp:
            front_of_t, subject = subject, dataclasses.replace(subject, trace=True)
        if c_wh and goal.wh:
            front_of_c, goal = dataclasses.replace(goal, wh=False), dataclasses.replace(goal, trace=True)
        elif c_wh and subject.wh:
            front_of_c = dataclasses.replace(subject, wh=False, trace=False)
            subject = dataclasses.replace(subject, trace=True)

        def bracketed(*cells):
            return ["[", *cells, "]"] if self.enable_merge else [*cells]

        def label(category):
            return [category] if self.enable_merge else []

        def front(phrase):
            return [] if phrase is None else ["[", *self._phrase(phrase), "]"]

        verb = "V" if self.strip_lexical else _VERB_SLOT
        arguments = [subject, goal] if subject_first else [goal, subject]
        vp = bracketed(*label("VP"), verb, *itertools.chain(*(bracketed(*self._phrase(each)) for each in arguments)))
        t = bracketed(f"T({'+EPP,' if self.t_epp else ''}uNum:{agreed})")
        tp = bracketed(*label("TP"), *front(front_of_t), *t, *bracketed(*vp))
        moved = [] if front_of_c is None else ["MOV[+wh]", *front(front_of_c)]
        c = bracketed("C(+wh)" if c_wh else "C")
        return [bracketed(*label("CP"), *moved, *c, *bracketed(*tp))]

    def _phrase(self, phrase: _Phrase) -> list[Cell]:
        if phrase.trace:
            return ["TR[-wh]" if phrase.wh else "TR[DP]"]
        noun, determiner = ("N", "D") if self.strip_lexical else (2 * phrase.role + phrase.number, 5 + phrase.role)
        label = f"DP[Num:{_NUMBERS[phrase.number]}]"
        wh = ["[-wh]"] if phrase.wh else []
        if self.enable_merge:
            return ["[", label, "[", determiner, "]", "[", noun, "]", "]", *wh]
        return [determiner, noun, label, *wh]


# ---------------------------------------------------------------- its core


@register
@dataclasses.dataclass(frozen=True)
class MPStructCore(_Derivations):
    """``[0 [0 ]0 [0 HEAD_CP ]0 [0 [0 (2 [0 (4 ]0 [0 )4 ]0 ]0 [0 HEAD_TP )2 ]0 [0 ... ]0 ]0 ]0 ...``: trees with links.

    Brackets of type 0 are the structure S; with `k_struct` 1, types 1 to 4 are links: a move, an agreement A or B, and
    a selection, P = S((4) S()4). All are written in one row, so a link's ends lie in two structures that need not nest.
    Each derivation moves with probability 1/2, and agrees by A or B with probability 1/2. VP is S of three parts in
    random order: S(HEAD_VP), S(P), and S(), which is S()1) where there is a move. The subject is S((a P), a the
    agreement. TP is S(subject S(HEAD_TP )a) VP), with S() for the subject if it moves; CP is S(S() S(HEAD_CP) TP),
    and with a move S(S(subject) S(HEAD_CP (1) TP): there the subject stands a structure deeper, an oddity.

    With `use_complex_args` VP has no S(P), one or two, with probabilities 0.33, 0.33 and 0.34. Without
    `use_head_diversity` there are no heads. A move opens in C and closes in VP, an agreement opens in the subject and
    closes in T. Opening type t is id t, closing it `k_struct` + `k_dep` + t; then come HEAD_CP, HEAD_TP and HEAD_VP.
    LEAF and <pad> never occur, and of more types (`k_struct`, `k_dep`) those beyond are never used.
    """

    name = "mp_struct_core"
    summary = "trees of brackets with movement, agreement and selection as links across them"

    k_struct: int = integer(1, 1, "types of structure brackets, of which the first is used", high=1024)
    k_dep: int = integer(4, 4, "types of links: move, agreement A, agreement B, selection, unused", high=1024)
    use_head_diversity: bool = flag(True, "mark the heads of CP, TP and VP")
    use_complex_args: bool = flag(False, "none to two arguments of a VP, else one")

    @property
    def symbols(self):
        kinds = range(self.k_struct + self.k_dep)
        shapes = [("[", "]") if kind < self.k_struct else ("(", ")") for kind in kinds]
        brackets = [f"{shapes[kind][side]}{kind}" for side in (0, 1) for kind in kinds]
        return (*brackets, "HEAD_CP", "HEAD_TP", "HEAD_VP", "LEAF")

    @property
    def chances(self):
        arguments = (0.33, 0.66) if self.use_complex_args else ()
        return [(), (0.5,), (0.5,), arguments]

    def derive(self, _, stays, is_b, arguments):
        move, a, b, selection = range(self.k_struct, self.k_struct + 4)
        agreement = b if is_b else a

        def s(*cells):
            return ["[0", *cells, "]0"]

        def head(name):
            return [f"HEAD_{name}"] if self.use_head_diversity else []

        pair = [*s(f"({selection}"), *s(f"){selection}")]
        subject = s(f"({agreement}", *pair)
        number = arguments if self.use_complex_args else 1
        elements = [s(*head("VP")), s() if stays else s(f"){move}"), *[s(*pair)] * number]
        t = s(*head("TP"), f"){agreement}")
        c = s(*head("CP")) if stays else s(*head("CP"), f"({move}")
        derivations = []
        for order in itertools.permutations(elements):
            vp = s(*itertools.chain(*order))
            tp = s(*(subject if stays else s()), *t, *vp)
            derivations.append(s(*(s() if stays else s(*subject)), *c, *tp))
        return derivations
