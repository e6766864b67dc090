r"""What a text answers: the words of a task that a model's text ends with, however it is wrapped.

These all say ``2 6 6 9``:

    2 6 6 9.                               \boxed{2, 6, 6, 9}
    [2, 6, 6, 9]                           <think>9 6 6 2?</think> So: **2 6 6 9**
    2,6,6 and 9                            The answer is 2 6 6 9, of 4 numbers.
    Sorting 9 6 2 6 gives 2 6 6 9.         <answer>2 6 6 9</answer>

What counts, in this order:

1. A text ends at its first ``<eos>`` or ``<pad>``. Only what stands behind the last ``</think>`` counts; of a
   ``<think>`` that is not closed, nothing.
2. Of that, what is inside of the last ``\boxed{}`` or, without a box, of the last ``<answer></answer>``.
3. LaTeX's ``\text{}``, ``\left``, ``\quad``, ``\begin{}`` and their like are left out. Text is split at white space,
   line breaks too. A word counts as it is where it is a token of the task. Else without the punctuation, brackets,
   quotes, ``$``, ``*`` and backslashes around it, or its pieces between commas and semicolons where each is a token, or
   else its characters where each is one. A word that is punctuation alone, a bullet, "and" or "&" is passed over, but
   for brackets and the like that are tokens; any other word interrupts.
4. The answer is the last uninterrupted run of tokens; behind the last "answer is" or "answer:" the first one, if there
   is one. In a box or tag nothing else may interrupt. Where there are words but no run, there is no answer; where there
   are none, or "empty", "none" or "nothing" alone, it is empty.

Letter case counts. To take words as they stand, see `strict` of `Task.score`.
"""

import re
from collections.abc import Container

_END = re.compile("<eos>|<pad>")
_AROUND = ".,;:!?\"'`“”‘’*_$\\[](){}<>"
_KEPT = 8  # characters of these, at most, that a token begins or ends with
_PASSED_OVER = re.compile(rf"(?:[{re.escape(_AROUND)}•–—|-]+|and|&)\Z")
_LATEX = re.compile(
    r"\\(?:(?:text|math|operatorname)\w*(?=\{)|(?:left|right|quad|qquad|varnothing|emptyset)(?![a-zA-Z])"
    r"|(?:begin|end)\{\w+\*?\})|~"
)
MARKER = re.compile(r"\banswer(?:\s+is\b\s*:?|\s*:)", re.IGNORECASE)
_NOTHING = ("empty", "none", "nothing")


def boxed(completion: str) -> str | None:
    r"""What stands in the last ``\boxed{}`` behind the last ``</think>``, every space of it; None where there is none.

    Braces inside are counted, and one after a backslash counts, too: a prediction of LaTeX often ends in a backslash.
    A last box that is not closed is no prediction, nor is one within a ``<think>`` that is not closed.

    >>> boxed(r"<think>\boxed{a}</think> \boxed{b}, or rather \boxed{ \frac{1}{2}}")
    ' \\frac{1}{2}'
    """
    said = completion.rpartition("</think>")[2]
    _, box, rest = said.rpartition(r"\boxed{")
    if not box or "<think>" in said:
        return None
    depth = 1
    for place, char in enumerate(rest):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return rest[:place]
    return None


def answer_part(text: str) -> str | None:
    """The part of a text that is its answer, by rules 1 and 2; None where thinking is not closed."""
    return _part(text)[0]


def _part(text: str) -> tuple[str | None, bool]:
    """The part that is the answer, and whether it stood in a box or tag."""
    said, *rest = _END.split(text, maxsplit=1)
    said = said.rpartition("</think>")[2]
    if "<think>" in said:
        return None, False
    box = boxed(said + "}" * 9 if rest else said)  # a box or tag in which the text ends is closed by that
    if box is not None:
        return box, True
    start, stop = said.rfind("<answer>"), said.rfind("</answer>")
    if rest and start > stop:
        stop = len(said)
    start = said.rfind("<answer>", 0, max(stop, 0))
    return (said, False) if start < 0 else (said[start + len("<answer>") : stop], True)


def answer_words(text: str, tokens: Container[str]) -> list[str] | None:
    """The tokens that a text gives as its answer, by the rules above; None where it has no answer.

    >>> answer_words("The answer is [2, 6].", {"2", "6"})
    ['2', '6']
    """
    said, is_marked_off = _part(text)
    if said is None:
        return None
    said = _LATEX.sub(" ", said)
    *_, start = 0, *(marker.end() for marker in MARKER.finditer(said))
    if start:
        runs, interrupted = _runs(said[start:], tokens)
        if runs or not interrupted:
            return runs[0] if runs else []
    runs, interrupted = _runs(said, tokens)
    if not runs and (not interrupted or said.strip(_AROUND + " \n").lower() in _NOTHING):
        return []
    return None if not runs or (is_marked_off and interrupted) else runs[-1]


def _runs(text: str, tokens: Container[str]) -> tuple[list[list[str]], bool]:
    """The uninterrupted runs of tokens, none empty, and whether a word interrupted."""
    runs: list[list[str]] = [[]]
    for word in text.split():
        spoken = _tokens_of(word, tokens)
        if spoken is None:
            runs.append([])
        else:
            runs[-1] += spoken
    return [run for run in runs if run], len(runs) > 1


def _tokens_of(word: str, tokens: Container[str]) -> list[str] | None:
    """The tokens that one word says: none where it is passed over; None where it is no word of the task."""
    if word in tokens:
        return [word]
    is_bare = _PASSED_OVER.match(word)
    if is_bare and all(char in tokens for char in word):
        return list(word)
    starts = len(word) - len(word.lstrip(_AROUND))
    stops = len(word.rstrip(_AROUND))
    # As little is taken off as will do: a token may end in a bracket.
    for stop in range(min(len(word), stops + _KEPT), stops - 1, -1):
        for start in range(max(0, starts - _KEPT), starts + 1):
            if word[start:stop] in tokens:
                return [word[start:stop]]
    if is_bare:
        return []
    pieces = re.split("[,;]", word)
    if len(pieces) > 1:
        spoken = [_tokens_of(piece, tokens) if piece else [] for piece in pieces]
        return None if None in spoken else [token for piece in spoken for token in piece or ()]
    core = word[starts:stops]
    return list(core) if all(char in tokens for char in core) else None
