"""Answers as people read them: long ones cut, how many are right, and a table for the card of a model."""

from ..runs.tables import markdown_table
from ..terminal import visible


def shortened(text: str, most: int) -> str:
    """A text of `most` characters at most: of a longer one its beginning and its end, cut between words.

    >>> shortened("1 2 3 4 5 6 7 8 9 10 11 12", 18)
    '1 2 3 4 ... 12'
    """
    if len(text) <= most:
        return text
    before, behind = text[: (most - 5) * 2 // 3], text[-((most - 5) // 3) :]
    if " " in before[len(before) // 2 :]:
        before = before.rpartition(" ")[0]
    if " " in behind[: len(behind) // 2 + 1]:
        behind = behind.partition(" ")[2]
    return f"{before} ... {behind}"


def summary(answers: list[dict]) -> str:
    """How many answers are right, in a sentence; of text, which share of next tokens is guessed."""
    judged = [answer["is_right"] for answer in answers if answer["is_right"] is not None]
    shares = [answer["share"] for answer in answers if answer["share"] is not None]
    sentences = []
    if judged:
        sentences.append(f"{sum(judged)} of {len(judged)} are right ({sum(judged) / len(judged):.0%}).")
    if shares:
        share = sum(shares) / len(shares)
        sentences.append(f"Of the true next tokens, each behind the true text, {share:.0%} are the model's likeliest.")
    return " ".join(sentences) or "Nothing tells what is right here."


def as_markdown(answers: list[dict], most: int = 60) -> str:
    """A table of prompts, answers, and what is right; cells have `most` characters at most."""
    lines = []
    right = "right answer" if all(answer["share"] is None for answer in answers) else "how the text goes on"
    for answer in answers:
        cells = {"prompt": answer["prompt"], "answer": answer["answer"], right: answer["right"] or ""}
        line = {title: _code(shortened(text, most)) for title, text in cells.items()}
        mark = {True: "yes", False: "no", None: ""}[answer["is_right"]]
        share = "" if answer["share"] is None else f"{answer['share']:.0%}"
        lines.append(line | {"is it right": mark, "next tokens guessed": share})
    return markdown_table(lines)


def _code(text: str) -> str:
    """A text that Markdown shows as it is, in a line; an empty one stays empty."""
    plain = visible(text).replace("\n", "⏎").replace("\t", " ")
    if not plain.strip():
        return ""
    fence = "``" if "`" in plain else "`"
    return f"{fence} {plain} {fence}" if fence == "``" else f"`{plain}`"
