r"""What a text answers: the words of a task that a model's text ends with, however it is wrapped.

These all say ``2 6 6 9``:

    2 6 6 9.                               \boxed{2, 6, 6, 9}
    [2, 6, 6, 9]                           <think>9 6 6 2?</think> So: **2 6 6 9**
    2,6,6 and 9                            The answer is 2 6 6 9, of 4 numbers.
    Sorting 9 6 2 6 gives 2 6 6 9.         <answer>2 6 6 9</answer>

What counts, in this order:

1. Only what stands behind the last ``</think>``; of a ``<think>`` that is not closed, nothing. A text ends at its first
   ``<eos>`` or ``<pad>``.
2. Of that, what is inside of the last ``\boxed{}`` or, without a box, of the last ``<answer></answer>``.
3. LaTeX's ``\text{}`` and its like are what is inside. Text is split at white space, line breaks too. A word counts as
   it is where it is a token of the task. Else without the punctuation, brackets, quotes, ``$``, ``*`` and backslashes
   around it, or its pieces between commas and semicolons where each is a token, or else its characters where each is
   one. A word that is punctuation alone, a bullet, or "and" is passed over, but for brackets and the like that are
   tokens; any other word interrupts.
4. The answer is the last uninterrupted run of tokens; behind the last "answer is" or "answer:" the first one, if there
   is one. Where there are words but no run, there is no answer, and where there are no words, it is empty.

Letter case counts. To take words as they stand, see `strict` of `Task.score`.
"""

import re
from collections.abc import Container

_ENDS = ("<eos>", "<pad>")
_AROUND = ".,;:!?\"'`“”‘’*_$\\[](){}<>"
_PASSED_OVER = re.compile(rf"(?:[{re.escape(_AROUND)}•–—|-]+|and|&)\Z")
_LATEX = re.compile(r"\\(?:text|math|operatorname)\w*(?=\{)")
_TAG = re.compile(r".*<answer>(.*?)</answer>", re.DOTALL)
_MARKER = re.compile(r"\banswer(?:\s+is\b\s*:?|\s*:)", re.IGNORECASE)


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
    said = text.rpartition("</think>")[2]
    if "<think>" in said:
        return None
    box = boxed(said)
    if box is not None:
        return box
    tagged = _TAG.match(said)
    return tagged[1] if tagged else said


def answer_words(text: str, tokens: Container[str]) -> list[str] | None:
    """The tokens that a text gives as its answer, by the rules above; None where it has no answer.

    >>> answer_words("The answer is [2, 6].", {"2", "6"})
    ['2', '6']
    """
    said = answer_part(text)
    if said is None:
        return None
    marked = list(_MARKER.finditer(said))
    if marked and (runs := _runs(said[marked[-1].end() :], tokens)[0]):
        return runs[0]
    runs, is_blank = _runs(said, tokens)
    return runs[-1] if runs else [] if is_blank else None


def _runs(text: str, tokens: Container[str]) -> tuple[list[list[str]], bool]:
    """The uninterrupted runs of tokens, none empty, and whether no word interrupted."""
    runs, open_run, interrupted = [], [], False
    for word in _LATEX.sub("", text).split():
        if word in _ENDS:
            break
        spoken = _tokens_of(word, tokens)
        if spoken:
            open_run += spoken
        elif spoken is None:
            interrupted = True
            runs.append(open_run)
            open_run = []
    runs.append(open_run)
    return [run for run in runs if run], not interrupted


def _tokens_of(word: str, tokens: Container[str]) -> list[str] | None:
    """The tokens that one word says: none where it is passed over; None where it is no word of the task."""
    if word in tokens:
        return [word]
    is_bare = _PASSED_OVER.match(word)
    if is_bare and all(char in tokens for char in word):
        return list(word)
    starts = len(word) - len(word.lstrip(_AROUND))
    stops = len(word.rstrip(_AROUND))
    for stop in range(len(word), stops - 1, -1):  # as little is taken off as will do: a token may end in a bracket
        for start in range(starts + 1):
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
