"""An answer that is typed, held against the task: right, or where its first mistake is."""

import html

import numpy as np

from ..show.drawing import has_answers
from ..tasks import Task
from ..tasks.base import ids_of_words
from .limits import text_of
from .rows import task_of


def check(chosen: dict, prompt: str, typed: str) -> str:
    """What is to be said of an answer to a prompt, or of a word of a language (without a prompt), as HTML."""
    task = task_of(chosen)
    text_of("prompt", prompt)
    text_of("answer", typed)
    if not has_answers(task):
        return _word(task, typed) if hasattr(task, "accepts") else _note("Shuffled rows have no answer.")
    if not typed.strip() and task.score(prompt, typed) < 1:
        return _note("Type the answer: it is checked as you type.")
    if task.score(prompt, typed) == 1:
        return _verdict("right", "Right.")
    given = _until_end(task, task.read(typed, strict=True) or [])
    answer = _until_end(task, solved(task, prompt))
    right = next((place for place, (ours, theirs) in enumerate(zip(given, answer, strict=False)) if ours != theirs), -1)
    if right < 0 and len(given) < len(answer):
        return _verdict("so-far", f"Right so far: {len(given)} of {len(answer)} tokens.")
    if right < 0:
        right = len(answer)
    words = task.words_of(typed)
    before = html.escape(task.spell(words[:right]))
    where = f"Token {right + 1}"
    why = "is the first mistake"
    if given[right] < 0:
        why = f"is no token of {task.config_name}"
    elif right >= len(answer):
        why = f"is one too many: the answer has {len(answer)}"
    shown = f'<span class="good">{before}</span> <mark>{html.escape(words[right])}</mark>'
    return _verdict("wrong", f"{where} {why}.", shown)


def reveal(chosen: dict, prompt: str) -> str:
    """The right answer to a prompt, in words."""
    task = task_of(chosen)
    if not has_answers(task):
        return ""
    return task.text(_until_end(task, solved(task, text_of("prompt", prompt))))


def solved(task: Task, prompt: str) -> list[int]:
    """The answer to a prompt in words, whose closing separator may be left out. Raises ValueError for no prompt."""
    task.score(prompt, "")  # which says what is wrong with a prompt
    ids = ids_of_words(task)
    return task.solve(task.closed([ids[word] for word in task.words_of(prompt)]))


def _until_end(task: Task, tokens: list[int]) -> list[int]:
    ends = {task.pad_id, ids_of_words(task).get("<eos>")}
    return tokens[: next((place for place, token in enumerate(tokens) if token in ends), len(tokens))]


def _word(task: Task, typed: str) -> str:
    if not typed.strip():
        return _note("Type a row: it is checked as you type.")
    input_ids = task.ids(typed)
    count = int(np.sum(input_ids != task.pad_id))
    if task.accepts(input_ids):
        return _verdict("right", f"A row of this language ({count:,} tokens).")
    return _verdict("wrong", f"No row of this language ({count:,} tokens; a row has {task.max_length:,}).")


def _verdict(kind: str, text: str, shown: str = "") -> str:
    below = f'<pre class="procedural-row">{shown}</pre>' if shown else ""
    return f'<p class="verdict {kind}" role="status">{html.escape(text)}</p>{below}'


def _note(text: str) -> str:
    return f'<p class="note">{html.escape(text)}</p>'
