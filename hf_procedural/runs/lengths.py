"""Accuracy by the length of rows, of runs that were tested on longer ones than they were trained on.

lengths.json in a run folder: ``border``, the largest length trained on, and ``bins``, each with the lengths ``from``
and ``to``, ``rows``, ``exact`` (rows that are wholly right), ``tokens`` (of answers) and ``right`` ones.
"""

import json
from pathlib import Path

import numpy as np

from .. import looks
from ..files import expected, read_mapping, whole, write_text
from ..terminal import visible
from .folder import LENGTHS, LENGTHS_PLOT
from .tables import SHARE, markdown_table

_BINS = 4  # up to the border


def by_length(lengths: np.ndarray, tokens: np.ndarray, right: np.ndarray, border: int) -> dict:
    """What lengths.json holds, from arrays ``[rows]``: the length of each row, its scored tokens, the right ones."""
    width = -(-border // _BINS)
    numbers = -((border - lengths) // width)  # 0 for the last one up to the border
    bins = []
    for number in np.unique(numbers):
        here = numbers == number
        last = border + int(number) * width
        counts = {"rows": here, "exact": here & (tokens == right)}
        sums = {"tokens": tokens[here], "right": right[here]}
        edges = {"from": max(1, last - width + 1), "to": min(last, int(lengths.max()))}
        bins.append(edges | {name: int(values.sum()) for name, values in (counts | sums).items()})
    return {"border": border, "bins": bins}


def save(folder: Path, found: dict, title: str) -> None:
    """Writes lengths.json and its curve, lengths.png, into a run's folder."""
    write_text(folder / LENGTHS, json.dumps(found, indent=4))
    draw({"": {title: [found]}}, folder / LENGTHS_PLOT, {title: 0})


def read(folder: Path) -> dict | None:
    """The lengths.json of a run's folder; None where there is none."""
    file = folder / LENGTHS
    if not file.is_file():
        return None
    found = read_mapping(file)
    with expected(file):
        names = ("from", "to", "rows", "exact", "tokens", "right")
        bins = [{name: int(each[name]) for name in names} for each in found["bins"]]
        return {"border": int(found["border"]), "bins": bins}


def share(bins: list[dict]) -> float:
    """The share of right tokens in some bins."""
    return sum(each["right"] for each in bins) / sum(each["tokens"] for each in bins)


def table(arms: dict[str, list[dict]]) -> str:
    """A line for each arm, of which the contents of each run's lengths.json are given; lengths double by columns."""
    border = next(iter(arms.values()))[0]["border"]
    last = max(each["to"] for runs in arms.values() for found in runs for each in found["bins"])
    edges = [(1, border)]
    while edges[-1][1] < last:
        low = edges[-1][1]
        edges.append((low + 1, min(2 * low, last)))
    lines = []
    for label, runs in arms.items():
        every = [each for found in runs for each in found["bins"]]
        cells = {}
        for low, high in edges:
            inside = [each for each in every if low <= each["to"] <= high]
            cells[f"lengths {low}-{high}"] = SHARE(share(inside)) if inside else ""
        lines.append({"arm": label} | cells)
    return markdown_table(lines)


def draw(groups: dict[str, dict[str, list[dict]]], path: Path, numbers: dict[str, int]) -> None:
    """Draws a PNG: for each group accuracy against length, a line for every run, and the border of training.

    `numbers` are those of the arms, by which `looks` gives their colours and marks.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4 * len(groups)), layout="constrained")
    axes = figure.subplots(len(groups), 1, squeeze=False)[:, 0]
    for axis, (title, arms) in zip(axes, groups.items(), strict=True):
        for label, runs in arms.items():
            for number, found in enumerate(runs):
                middles = [(each["from"] + each["to"]) / 2 for each in found["bins"]]
                shares = [share([each]) for each in found["bins"]]
                name = None if number else visible(label)
                axis.plot(middles, shares, linewidth=1, label=name, **looks.marked(numbers[label]))
        border = next(iter(arms.values()))[0]["border"]
        axis.axvline(border + 0.5, color=looks.GRAY, linestyle="--", label=f"trained on lengths up to {border}")
        axis.set(xlabel="length", ylabel="accuracy (answer tokens)", ylim=(0, 1.02))
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_title(visible(title), parse_math=False)
        axis.grid(alpha=0.3)
        with rc_context({"text.parse_math": False}):
            axis.legend(fontsize="small")
    with whole(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
