"""Completions as models write them: right, wrong, malformed, empty, with text around them."""

import random

WRAPPED = (
    "{}",
    " {}\n",
    "{}.",
    "[{}]",
    r"\boxed{{{}}}",
    r"<think>\boxed{{1}}, or {}?</think> So: \boxed{{{}}}.",
    "The answer is {}, I think.",
    "<answer>{}</answer>",
    "{} <eos> 1",
    "I do not know.",
    "<think>{}",
    r"\boxed{{{}",
    "{} ?",
    "",
)


def random_completion(task, prompt, draw: random.Random) -> str:
    """One for a prompt of a task: its answer, which may have been changed, in words, which may stand in a text."""
    words = [task.vocabulary[token] for token in _answer(task, prompt)]
    place = draw.randrange(len(words) + 1)
    other = draw.choice(task.vocabulary)
    words = draw.choice(
        [words] * 4 + [words[:place], [*words[:place], other, *words[place:]], [*words[:place], "x?", *words[place:]]]
    )
    separator = draw.choice([" "] * 4 + [", ", "\n", ","])
    text = separator.join(words)
    wrapped = draw.choice(WRAPPED)
    return wrapped.format(*[text] * wrapped.count("{}"))


def _answer(task, prompt) -> list[int]:
    if not hasattr(task, "members"):
        return task.solve(prompt)
    words = " ".join(task.vocabulary[token] for token in prompt)
    for member in task.members:
        own = member.read(words, strict=True)
        if -1 not in own:
            answer = " ".join(member.vocabulary[token] for token in member.solve(own))
            return task.read(answer, strict=True)
    raise AssertionError(words)
