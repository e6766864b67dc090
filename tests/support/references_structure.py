"""Clauses of MP-Struct and trees of its core, drawn and written one by one, as their rules are told in the paper."""

import random

NOUNS = {"sg": "cat dog book man girl house tree car", "pl": "cats dogs books men girls houses trees cars"}
VERBS = "see chase find like watch admire"


class Phrase:
    def __init__(self, rng, number, p_wh):
        self.noun, self.number = rng.choice(NOUNS[number].split()), number
        self.wh, self.trace = rng.random() < p_wh, False

    def copied(self):
        copy = object.__new__(Phrase)
        copy.__dict__.update(self.__dict__, trace=False)
        return copy

    def written(self, merge, strip):
        if self.trace:
            return "TR[-wh]" if self.wh else "TR[DP]"
        noun, determiner = ("N", "D") if strip else (f"N({self.noun})", "D(the)")
        label = f"DP[Num:{self.number}]"
        text = f"[ {label} [ {determiner} ] [ {noun} ] ]" if merge else f"{determiner} {noun} {label}"
        return f"{text} [-wh]" if self.wh else text


def clause(
    rng: random.Random,
    agrees=True,
    num_prior=0.5,
    p_wh_goal=0.2,
    p_c_wh=0.2,
    t_epp=True,
    enable_merge=True,
    enable_agree=True,
    enable_move=True,
    strip_lexical=True,
) -> str:
    number = "sg" if rng.random() < num_prior else "pl"
    other = {"sg": "pl", "pl": "sg"}[number]
    subject, object_ = Phrase(rng, number, p_wh_goal), Phrase(rng, number if agrees else other, p_wh_goal)
    verb = "V" if strip_lexical else f"V({rng.choice(VERBS.split())})"
    t = f"T({'+EPP,' * t_epp}uNum:{number if enable_agree else 'u'})"
    of_t = of_c = None
    if enable_move and t_epp:
        of_t = subject.copied()
        subject.trace = True
    c_wh = enable_move and rng.random() < p_c_wh
    goals = [phrase for phrase in (object_, subject) if phrase.wh]
    if c_wh and goals:
        of_c = goals[0].copied()
        of_c.wh = False
        goals[0].trace = True
    one, two = [subject, object_] if rng.random() < 0.5 else [object_, subject]
    one, two = one.written(enable_merge, strip_lexical), two.written(enable_merge, strip_lexical)
    before_t = f"[ {of_t.written(enable_merge, strip_lexical)} ] " if of_t else ""
    before_c = f"MOV[+wh] [ {of_c.written(enable_merge, strip_lexical)} ] " if of_c else ""
    c = "C(+wh)" if c_wh else "C"
    if enable_merge:
        return f"[ CP {before_c}[ {c} ] [ [ TP {before_t}[ {t} ] [ [ VP {verb} [ {one} ] [ {two} ] ] ] ] ] ]"
    return f"{before_c}{c} {before_t}{t} {verb} {one} {two}"


def clauses(rng: random.Random, length: int, agree_match_ratio: float = 1.0, **options) -> list[str]:
    """A row."""
    agrees, words = rng.random() < agree_match_ratio, []
    while len(words) < length:
        words += clause(rng, agrees, **options).split()
    return words[:length]


def _pair() -> str:
    return "[0 (4 ]0 [0 )4 ]0"


def tree(rng: random.Random, use_complex_args: bool = False, use_head_diversity: bool = True) -> str:
    moves, kind = rng.random() < 0.5, rng.choice("23")
    number = rng.choices([0, 1, 2], [33, 33, 34])[0] if use_complex_args else 1
    parts = ["[0 HEAD_VP ]0", "[0 )1 ]0" if moves else "[0 ]0", *[f"[0 {_pair()} ]0"] * number]
    rng.shuffle(parts)
    subject = f"[0 ({kind} {_pair()} ]0"
    tp = f"[0 {'[0 ]0' if moves else subject} [0 HEAD_TP ){kind} ]0 [0 {' '.join(parts)} ]0 ]0"
    cp = f"[0 [0 {subject} ]0 [0 HEAD_CP (1 ]0 {tp} ]0" if moves else f"[0 [0 ]0 [0 HEAD_CP ]0 {tp} ]0"
    words = cp.split()
    return " ".join(word for word in words if use_head_diversity or not word.startswith("HEAD"))


def trees(rng: random.Random, length: int, **options) -> list[str]:
    """A row."""
    words = []
    while len(words) < length:
        words += tree(rng, **options).split()
    return words[:length]
