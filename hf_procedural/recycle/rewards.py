"""The rewards of RePro (Yu and Xiong 2025): is a paraphrase of web text better, and still faithful?

With x a text, c a completion and x' what stands in c behind the first marker ("Here is a paraphrased version:"), the
empty text where there is none:

    reward       value                                                                  weight
    quality      score(x') - score(x), the overall score of a judge like DataMan, 1-5        3
    meaning      1 if BERTScore F1(x, x') >= 0.65                                            1
    structure    0 or 1, the verdict of a judge that compares the formatting                 1
    length       1 if x' has at most 1.25 times the characters of x, also if it is empty     1
    format       1 if c begins with the marker (behind an empty <think></think>)             1

The signature is TRL's: ``(prompts, completions, text, **columns) -> list[float]``, text being x. An answer of a judge
that cannot be parsed counts as 0, as in the reference code: below every score, and as no. The share of such answers is
logged as ``NAME/unparsable`` where TRL gives a `log_metric`, and the first one is shown.

Deviation: the reference's F1 must exceed 0.65 by code, reach it by the paper.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..models.prompting import fill
from ..rl.rewards import Reward, text_of
from ..terminal import logger
from .pieces import MARKER, after_marker

if TYPE_CHECKING:  # what judges need is loaded by those who have one
    from .judges import Judge

WEIGHTS = {"quality": 3.0, "meaning": 1.0, "structure": 1.0, "length": 1.0, "format": 1.0}
QUALITY_TOKENS, STRUCTURE_TOKENS = 29, 8  # of an answer
THRESHOLD = 0.65  # of BERTScore F1
LONGEST = 1.25  # of the original's characters

_OVERALL = 15  # the line of DataMan's answer: a domain, thirteen criteria, the overall score
_NOISE = re.compile(r'^["“”](?:…+|\.{3,})["“”]|!\[\]\(/?[^)]+\)\n')  # which DataMan's own code takes out
_BEGINNING = re.compile(rf"\s*(<think>\s*</think>)?\s*{re.escape(MARKER)}")


def rephrased(completion) -> str:
    """What a completion says behind the marker, "" where there is none. Conversations: their last message."""
    return after_marker(text_of(completion)) or ""


def overall_score(answer: str) -> float | None:
    r"""The overall score in an answer of DataMan to its request for all ratings: line 15, 1 to 5; else None.

    >>> overall_score("\n".join("O55555555555543"))
    3.0
    """
    lines = answer.strip().split("\n")
    try:
        score = float(lines[_OVERALL - 1])
    except (IndexError, ValueError):
        return None
    return score if 1 <= score <= 5 else None


def verdict(answer: str) -> float | None:
    """The last character of an answer, 0 or 1; else None."""
    last = answer.strip()[-1:]
    return float(last) if last in ("0", "1") else None


def judged(judge: "Judge", questions: list[str], parse: Callable, name: str, log_metric=None) -> list[float]:
    """The judge's answers as numbers, 0 where `parse` finds none, which is reported."""
    answers = judge(questions)
    values = [parse(answer) for answer in answers]
    bad = [answer for answer, value in zip(answers, values, strict=True) if value is None]
    if bad and not judge.reported:
        judge.reported = True
        logger(__name__).warning(
            "%s: %d of the judge's %d answers cannot be parsed and count as 0, such as %r",
            name,
            len(bad),
            len(values),
            bad[0],
        )
    if log_metric is not None and values:
        log_metric(f"{name}/unparsable", len(bad) / len(values))
    return [0.0 if value is None else value for value in values]


def quality_reward(judge: "Judge", request: str) -> Reward:
    """score(x') - score(x). The column ``score`` has the latter where it is known.

    `request` is a template with {text}, DataMan's in recipes/templates/dataman.txt. Texts are cut to 20,000 characters
    and 1,894 tokens, beginning and end.
    """
    others = _tokens(judge, request, text="")
    judge.shorten("", 20_000, 1_894, others)  # which tells now if there is no room

    def question(text: str) -> str:
        return fill(request, text=judge.shorten(_NOISE.sub("", text), 20_000, 1_894, others))

    def quality_reward(prompts, completions, text, score=None, log_metric=None, **columns) -> list[float]:
        known = [None] * len(text) if score is None else score
        unknown = [original for original, value in zip(text, known, strict=True) if value is None]
        asked = [*map(rephrased, completions), *unknown]
        scores = judged(judge, list(map(question, asked)), overall_score, "quality", log_metric)
        after = scores[: len(text)]
        of_unknown = iter(scores[len(text) :])
        before = [next(of_unknown) if value is None else value for value in known]
        return [new - old for new, old in zip(after, before, strict=True)]

    return quality_reward


def structure_reward(judge: "Judge", request: str) -> Reward:
    """1 where the judge finds that the formatting was kept, else 0.

    `request` is a template with {text} and {paraphrase}, ours in recipes/templates/structure.txt. Both texts are cut to
    10,000 characters and 947 tokens.
    """
    others = _tokens(judge, request, text="", paraphrase="")

    def shorten(text: str) -> str:
        room = 947 if judge.positions is None else (judge.positions - judge.max_tokens - others - 2) // 2
        return judge.shorten(text, 10_000, min(947, room), others)

    shorten("")  # as above

    def structure_reward(prompts, completions, text, log_metric=None, **columns) -> list[float]:
        pairs = zip(text, map(rephrased, completions), strict=True)
        asked = [fill(request, text=shorten(original), paraphrase=shorten(new)) for original, new in pairs]
        return judged(judge, asked, verdict, "structure", log_metric)

    return structure_reward


def meaning_reward(bert_score: Callable, threshold: float = THRESHOLD) -> Reward:
    """1 where BERTScore F1 of paraphrase and text, `recycle.meaning.BertScore`, reaches the threshold, else 0."""

    def meaning_reward(prompts, completions, text, log_metric=None, **columns) -> list[float]:
        scores = bert_score(list(map(rephrased, completions)), list(text))
        if log_metric is not None and len(scores):
            log_metric("meaning/bert_score", float(scores.mean()))
        return [float(score >= threshold) for score in scores]

    return meaning_reward


def length_reward(prompts, completions, text, **columns) -> list[float]:
    """1 where the paraphrase has at most 1.25 times the text's characters, else 0."""
    pairs = zip(map(rephrased, completions), text, strict=True)
    return [float(len(new) <= LONGEST * len(original)) for new, original in pairs]


def format_reward(prompts, completions, **columns) -> list[float]:
    """1 where a completion begins with the marker, behind nothing or an empty think block, else 0."""
    return [float(_BEGINNING.match(text_of(completion)) is not None) for completion in completions]


def _tokens(judge: "Judge", request: str, **values: str) -> int:
    """Tokens of a request without its texts, with some for a chat around it."""
    if judge.tokenizer is None:
        return 0
    return len(judge.tokenizer(fill(request, **values), verbose=False)["input_ids"]) + 32
