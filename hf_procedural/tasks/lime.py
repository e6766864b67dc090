"""LIME: reasoning as substitution, in symbols whose roles each example defines anew.

Wu et al. 2021, LIME: Learning Inductive Bias for Primitives of Mathematical Reasoning, arXiv:2101.06223. The reference
is tonywu95/LIME: at 2a4045f for the modes that have golden rows, read at bbb7165 for the others.
"""

import dataclasses
import functools
import itertools

import numpy as np

from ..moved import old_names
from . import lime_oracle as oracle
from .fields import choice, integer
from .layouts import Answered
from .registry import register

__getattr__ = old_names(__name__)
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
        if self.mode in REASON:
            upper = 5
            # 10 variables and 19 math symbols; 5 values of 8 with name, colon, brackets and comma
            longest = {"pattern": 10 + 19, "substitution": 5 * (8 + 5) - 1, "result": 10 * 8 + 19}
        else:
            upper = 24 if self._multistep else 20
            string, substring, steps = (25, 7, self.steps) if self._multistep else (50, 20, 1)
            # A right side has as many math symbols as the left side is long, and as many variables at most.
            strings = [string + step * substring for step in range(1, steps + 1)]
            longest = {"string": string, "last": strings[-1], "strings": sum(strings) + steps - 1}
            longest["rules"] = steps * (substring + 1 + 2 * substring) + steps - 1
        header = upper + 24 + 20 + len(("<UPPER>", "<LOWER>", "<MATH>", "<space>"))
        prompt, answer = MODES[self.mode]
        names = [name.removesuffix(" 2") for name in (*prompt, *answer)]
        return header + sum(longest[name] + 1 for name in names)  # each ends with <space>, <sep> or <eos>

    @property
    def _multistep(self) -> bool:
        return self.mode.startswith("rewrite_multistep")

    def write(self, rng, input_ids):
        from . import kernels, lime_kernels

        starts, stops = np.empty((2, len(input_ids)), np.int32)
        prompt, answer = MODES[self.mode]
        names = _KERNEL_PARTS[self.mode in REWRITE]
        layout = np.array([*map(names.index, prompt), -1, *map(names.index, answer)])  # -1 is <sep>
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
            known["result"] = oracle.applied(oracle.values_of(known["substitution"]), known["pattern"])
        elif asked == ("substitution",):
            known["substitution"] = oracle.written(oracle.matched(known["pattern"], known["result"], listed))
        elif "substitution" in given:
            known["pattern"] = oracle.parsed(known["result"], oracle.values_of(known["substitution"]), listed)
        elif "result" in given:
            known["pattern"], *substitutions = oracle.explained([known[name] for name in given], listed)
            for name, substitution in zip(("substitution", "substitution 2"), substitutions, strict=False):
                known[name] = oracle.written(substitution)
        elif "rules" in given:
            strings = oracle.rewritten(known["rules"], known["string"], listed)
            known["strings"] = strings
            known["last"] = strings and strings[-1]
        else:
            rule = oracle.rule_of(known["string"], known["last"], listed)
            known["rules"] = rule and (rule,)
        if None in known.values():
            raise ValueError(f"{self.config_name}: no answer follows from this prompt")
        words = []
        for name in asked:
            for part in known[name] if name in oracle.SEVERAL else [known[name]]:
                words += [*part, "<space>"]
        words.pop()
        return [int(word) if word.isdigit() else self.vocab_size + MARKS.index(word) for word in words]

    def is_answer(self, prompt_ids, answer_ids) -> bool:
        listed, given = self._read(prompt_ids)
        asked = MODES[self.mode][1]
        try:
            answer = oracle.parts_of(asked, self._words(answer_ids))
            return oracle.agree(given | answer, asked, listed)
        except ValueError:  # these are not even the parts asked for
            return False

    def _words(self, ids) -> list[str]:
        return [self.vocabulary[int(token)] for token in ids]

    def _read(self, prompt_ids) -> tuple[oracle.Listed, dict]:
        """What a prompt lists, and its parts by name."""
        words = self._words(token for token in prompt_ids if token != self.sep_id)
        given = MODES[self.mode][0]
        try:
            marks = [words.index(mark) for mark in ("<UPPER>", "<LOWER>", "<MATH>", "<space>")]
            kinds = [tuple(words[start + 1 : end]) for start, end in itertools.pairwise(marks)]
            return oracle.Listed(*kinds), oracle.parts_of(given, words[marks[-1] + 1 :])
        except ValueError:
            layout = " <space> ".join(["<UPPER> ids <LOWER> ids <MATH> ids", *given])
            got = " ".join(words)
            raise ValueError(f"{self.config_name}: a prompt must be {layout}, got {got[:100]!r}") from None
