"""The figures of a study's report, as PNGs: heat map, curves, components, controls, tokens needed."""

import dataclasses
import itertools
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context, ticker
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .. import looks
from ..files import whole
from ..runs.read import TOKENS, efficiency, finals, sign_of
from ..runs.report import title_of
from ..runs.tables import si
from ..terminal import visible
from .arms import Arm, baseline_of, weights_of
from .comparisons import Comparison, values_of

_DASHES = ("--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))  # of controls
_WIDTH, _LETTER = 44, 0.09  # characters of a line, and inches of one of them
_FEW = 40  # points, which get a mark each
_CROWD, _LEGEND = 10, 14  # arms in one panel with their controls, and in one column of a legend
_LARGEST = 40  # rows of a heat map of which each cell has its number
_PATTERN: dict[str, Any] = {
    "facecolor": "#DDDDDD",
    "edgecolor": looks.BLACK,
    "linewidth": 0.6,
}  # of a legend of hatches
_CAPTIONS = {
    "heatmap": "Final {} of what arms began with (rows), by domain (columns); colour: the gain over scratch, positive "
    "is better; an empty cell has no value yet.",
    "curves": "{}: every seed a thin line, their mean a thick one, ± sample standard deviation its band; dashes are "
    "controls, dots what is matched. Right: with the tokens of earlier stages.",
    "components": "What carries the gain: final {} by the components (patterns) that came from the source (colours "
    "as in the curves); bars are means, dots are seeds, the dashed line is scratch.",
    "controls": "The share of each arm's gain over scratch that its controls and matched baselines (patterns) "
    "reproduce; bars are means, dots are seeds, at 100% it is all of the gain; colours are those of the curves.",
    "tokens": "Tokens until the baseline's final loss, as a share of the baseline's: filled without, hollow with the "
    "tokens of earlier stages; left of the line is sooner. A seed that does not reach it has none. Colours and marks "
    "are those of the curves.",
}


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A figure: its file, its caption, and the group that it is of; empty where it is of all."""

    file: str
    caption: str
    group: str = ""


def draw(
    groups: dict[str, list[Arm]], metrics: dict[str, str], comparisons: list[Comparison], folder: Path
) -> list[Drawn]:
    """Draws all figures for which there is anything, as PNGs in `folder`."""
    drawn: list[Drawn] = []
    with rc_context({"text.parse_math": False, "axes.spines.top": False, "axes.spines.right": False}):
        for name, figure, caption, group in _figures({title: groups[title] for title in metrics}, metrics, comparisons):
            name = _slug(name)
            while f"{name}.png" in [each.file for each in drawn]:
                name += "_"
            with whole(folder / f"{name}.png") as temporary:
                figure.savefig(temporary, dpi=110, format="png")
            drawn.append(Drawn(f"{name}.png", caption, group))
    return drawn


def _figures(groups, metrics, comparisons) -> Iterator[tuple[str, Figure, str, str]]:
    """Name, figure, caption and group of each."""
    numbers = numbers_of(groups)
    by_metric: dict[str, dict[str, list[Arm]]] = {}
    for title, metric in metrics.items():
        by_metric.setdefault(metric, {})[title] = groups[title]
    for metric, alike in by_metric.items():
        more = "" if len(by_metric) == 1 else f"_{title_of(metric)}"
        for name, figure in (
            ("heatmap", _heat_map(alike, metric)),
            ("components", _components(alike, metric, numbers)),
        ):
            if figure:
                yield name + more, figure, _CAPTIONS[name].format(title_of(metric)), ""
    for name, figure in (("controls", _controls(comparisons, numbers)), ("tokens", _tokens(groups, numbers))):
        if figure:
            yield name, figure, _CAPTIONS[name], ""
    for title, group in groups.items():
        if figure := _curves(group, metrics[title], numbers):
            yield f"curves_{title}", figure, _CAPTIONS["curves"].format(visible(title)), title


def numbers_of(groups: dict[str, list[Arm]]) -> dict[tuple, int]:
    """The number, by which `looks` gives colour and mark, of all that an arm can begin with: one in all pictures.

    It counts what is planned, so that it stays while runs finish.
    """
    begun_with = dict.fromkeys(_begun_with(arm) for group in groups.values() for arm in group)
    return {key: number for number, key in enumerate(begun_with)}


def _begun_with(arm: Arm) -> tuple:
    """What an arm has its colour by: its source, whatever components and controls of it, and its settings."""
    return weights_of(arm) or arm.source, arm.settings


def _text(name: str) -> str:
    """A name as it is written in a figure: in lines, of which three are shown."""
    return "\n".join(textwrap.wrap(visible(name), _WIDTH, max_lines=3, placeholder=" ..."))


def _slug(name: str) -> str:
    """A name for a file: of letters, digits, dots, - and _, not too long."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("_.")[:80]


def _panels(rows: int, columns: int, width: float, height: float) -> tuple[Figure, np.ndarray]:
    """A figure of panels, and these, ``[rows, columns]``; width and height of one in inches."""
    figure = Figure(figsize=(width * columns, height * rows), layout=ConstrainedLayoutEngine(h_pad=0.12))
    return figure, figure.subplots(rows, columns, squeeze=False)


def _heat_map(groups: dict[str, list[Arm]], metric: str) -> Figure | None:
    """A panel for each choice of components; scratch is in each."""
    shown = {title: [arm for arm in group if arm.is_baseline or arm.is_real] for title, group in groups.items()}
    choices = [*dict.fromkeys(arm.choice for arm in itertools.chain(*shown.values()) if arm.is_real)]
    if not choices:
        return None
    grids = {}
    for choice in choices:
        arms = {title: [arm for arm in group if arm.choice in ("", choice)] for title, group in shown.items()}
        rows = [*dict.fromkeys(arm.row for group in arms.values() for arm in group)]
        means, gains = np.full((2, len(rows), len(groups)), np.nan)
        for column, (title, group) in enumerate(arms.items()):
            for arm in group:
                base = baseline_of(arm, groups[title])
                place = rows.index(arm.row), column
                means[place] = _mean(arm, metric)
                gains[place] = 0 if base is None else sign_of(metric) * (means[place] - _mean(base, metric))
        grids[choice] = rows, means, gains
    if not any(np.isfinite(means).any() for _, means, _ in grids.values()):
        return None
    largest = max((np.nanmax(np.abs(gains), initial=0) for _, _, gains in grids.values()), default=0) or 1
    rows_of = [rows for rows, _, _ in grids.values()]
    most = max(map(len, rows_of))
    left, below = (_LETTER * min(max(map(len, names)), _WIDTH) for names in (itertools.chain(*rows_of), groups))
    figure, panels = _panels(1, len(choices), 1.2 + left + 1.1 * len(groups), 1 + below * 0.7 + 0.34 * most)
    image = None
    for axis, (choice, (rows, means, gains)) in zip(panels[0], grids.items(), strict=True):
        image = axis.imshow(gains, cmap=looks.GRADED, vmin=-largest, vmax=largest, aspect="auto")
        axis.set_xticks(range(len(groups)), list(map(_text, groups)), rotation=30, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(len(rows)), list(map(_text, rows)))
        axis.set_title(_text(choice))
        for (row, column), mean in np.ndenumerate(means):
            if len(rows) <= _LARGEST and np.isfinite(mean):
                color = "white" if abs(gains[row, column]) > 0.6 * largest else "black"
                axis.text(column, row, _short(mean, metric), ha="center", va="center", color=color, fontsize="small")
    assert image is not None
    show = ticker.PercentFormatter(1) if sign_of(metric) > 0 else None
    figure.colorbar(image, ax=panels[0], label="gain over scratch", shrink=0.8, format=show)
    return figure


def _mean(arm: Arm, metric: str) -> float:
    last = finals(arm.runs, metric)
    return float(np.mean(last)) if last else float("nan")


def _short(value: float, metric: str) -> str:
    return f"{value:.1%}" if sign_of(metric) > 0 else f"{value:.3f}"


def _curves(group: list[Arm], metric: str, numbers: dict[tuple, int]) -> Figure | None:
    """A row of panels for each choice of components; scratch and what is matched are in each.

    Of many arms, controls have a row of their own.
    """
    with_curves = [arm for arm in group if any(run.curve(metric, TOKENS).size for run in arm.runs)]
    if not with_curves:
        return None
    apart = len(with_curves) > _CROWD
    key = {arm.name: (arm.choice, apart and bool(arm.control)) for arm in with_curves}
    keys = dict.fromkeys(key[arm.name] for arm in with_curves if not _is_in_all(arm))  # controls come last in a group
    kinds = filter(None, dict.fromkeys(arm.control or arm.matched for arm in with_curves if arm.origin))
    dashes = {"": "-"} | dict(zip(kinds, itertools.cycle(_DASHES), strict=False))
    figure, panels = _panels(max(len(keys), 1), 2, 6.5, 3.8)
    for row, (choice, is_control) in zip(panels, keys or [("", False)], strict=True):
        arms = [arm for arm in with_curves if key[arm.name] == (choice, is_control) or _is_in_all(arm)]
        for axis, is_all in zip(row, (False, True), strict=True):
            for arm in arms:
                style = ":" if arm.matched and not arm.is_real else dashes[arm.control or arm.matched]
                number = numbers[_begun_with(arm)]
                _seeds(axis, arm, metric, is_all, looks.colour(number), style, looks.marker(number))
            axis.set(xlabel="tokens, all stages" if is_all else "tokens of this stage", ylabel=title_of(metric))
            places = np.concatenate([line.get_xdata() for line in axis.lines] or [np.zeros(0)])
            if sign_of(metric) < 0 and (places > 0).any():  # losses fall fast, then slowly
                looks.log_ticks(axis, places[places > 0].min(), places.max(), si)
            else:
                axis.xaxis.set_major_formatter(lambda value, _: si(value))
            axis.grid(alpha=0.3)
        if choice:
            row[0].set_title(visible(f"{choice}, controls" if is_control else choice), loc="left")
        row[1].legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
    return figure


def _is_in_all(arm: Arm) -> bool:
    return arm.is_baseline or bool(arm.matched and not arm.is_real)


def _seeds(axis, arm: Arm, metric: str, is_all: bool, color, style, mark: str) -> None:
    """The curves of an arm's seeds, and their mean with its band where several have the same points."""
    curves = []
    for run in arm.runs:
        x, y = run.curve(metric, TOKENS)
        earlier = run.earlier("tokens") if is_all else 0
        if len(x) and earlier is not None:  # not known: in the other panel only
            curves.append((x + earlier, y))
    name = _text(arm.label)
    for x, y in curves:
        label = name if len(curves) == 1 else None
        marker = mark if len(x) < _FEW else None
        axis.plot(
            x, y, color=color, linestyle=style, linewidth=0.7, alpha=0.6, marker=marker, markersize=3, label=label
        )
    if len(curves) > 1:
        common = sorted(set.intersection(*({*x} for x, _ in curves)))
        values = np.array([y[np.isin(x, common)] for x, y in curves])  # [seeds, points]
        middle, spread = values.mean(0), values.std(0, ddof=1)
        look = {"color": color, "linestyle": style, "marker": mark, "markersize": 4, "markevery": []}  # in the legend
        axis.plot(common, middle, linewidth=2, label=name, **look)
        axis.fill_between(common, middle - spread, middle + spread, color=color, alpha=0.15, linewidth=0)


def _components(groups: dict[str, list[Arm]], metric: str, numbers: dict[tuple, int]) -> Figure | None:
    """Bars of each source by the components that came from it; nothing where there is one choice only."""
    real = {title: [arm for arm in group if arm.is_real] for title, group in groups.items()}
    real = {title: arms for title, arms in real.items() if len({arm.choice for arm in arms}) > 1}
    if not real:
        return None
    choices = [*dict.fromkeys(arm.choice for arms in real.values() for arm in arms)]
    most = max(len({arm.row for arm in arms}) for arms in real.values())
    figure, panels = _panels(len(real), 1, 3 + 0.5 * most * len(choices), 3.6)
    width = 0.8 / len(choices)
    for axis, (title, arms) in zip(panels[:, 0], real.items(), strict=True):
        rows = [*dict.fromkeys(arm.row for arm in arms)]
        for index, choice in enumerate(choices):
            for arm in (arm for arm in arms if arm.choice == choice and finals(arm.runs, metric)):
                values = finals(arm.runs, metric)
                place = rows.index(arm.row) + (index - (len(choices) - 1) / 2) * width
                axis.bar(place, np.mean(values), width * 0.92, **_filled(numbers[_begun_with(arm)], index))
                axis.plot([place] * len(values), values, "o", color=looks.BLACK, markersize=3)
        bases = {id(base): base for arm in arms if (base := baseline_of(arm, groups[title]))}.values()
        lines = [
            axis.axhline(_mean(base, metric), color=looks.BLACK, linestyle="--", linewidth=1, label=_text(base.label))
            for base in bases
        ]
        axis.set_xticks(range(len(rows)), list(map(_text, rows)), rotation=20, ha="right", rotation_mode="anchor")
        axis.set_xlim(-0.6, len(rows) - 0.4)
        axis.set_ylabel(title_of(metric))
        axis.set_title(_text(title))
        _legend(axis, lines + _patterns(choices))
    return figure


def _filled(number: int, pattern: int) -> dict:
    """A bar in the colour of what an arm began with, by its number, and one of the patterns."""
    colour = looks.colour(number)
    return {"facecolor": f"{colour}55", "edgecolor": colour, "hatch": looks.hatch(pattern), "linewidth": 1}


def _patterns(names: list[str]) -> list[Patch]:
    """Lines of a legend that say what the patterns of bars mean, whatever their colour."""
    return [Patch(**_PATTERN, hatch=looks.hatch(index), label=_text(name)) for index, name in enumerate(names)]


def _legend(axis, handles: list) -> None:
    axis.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        fontsize="small",
        handlelength=2.5,
        handleheight=1.2,
    )


def _controls(comparisons: list[Comparison], numbers: dict[tuple, int]) -> Figure | None:
    """Bars of the share of each arm's gain, by control; nothing where no gain was reproduced in part."""
    shared = [each for each in comparisons if each.share is not None]
    if not shared:
        return None
    titles = [*dict.fromkeys(each.group for each in shared)]
    roles = [*dict.fromkeys(each.role for each in shared)]
    lines = {title: {each.arm.label: 0 for each in shared if each.group == title} for title in titles}
    figure, panels = _lines(lines, max(1, 0.6 * len(roles)))
    for axis, title in zip(panels, titles, strict=True):
        for line, label in enumerate(lines[title]):
            here = [each for each in shared if (each.group, each.arm.label) == (title, label)]
            for index, each in enumerate(here):
                place = line + (index - (len(here) - 1) / 2) * 0.8 / len(roles)
                filled = _filled(numbers[_begun_with(each.arm)], roles.index(each.role))
                axis.barh(place, each.share, 0.7 / len(roles), **filled)
                shares = _shares(each)
                axis.plot(shares, [place] * len(shares), "o", color=looks.BLACK, markersize=3)
        axis.axvline(0, color=looks.BLACK, linewidth=0.8)
        axis.axvline(1, color=looks.BLACK, linestyle="--", linewidth=1)
        axis.set_title(_text(title))
        axis.set_xlabel("share of the gain")
        axis.xaxis.set_major_formatter(ticker.PercentFormatter(1))
        _legend(axis, _patterns(roles))
    return figure


def _lines(labels: dict[str, dict[str, Any]], height: float = 1) -> tuple[Figure, np.ndarray]:
    """A figure with a panel for each title, ``[titles]``, and in it a line for each label, from the top down.

    `height` is that of a line, of the height that a letter needs.
    """
    heights = [height * len(each) + 1.5 for each in labels.values()]
    figure = Figure(
        figsize=(9, max(2.5, 0.3 * sum(heights) + 0.5 * len(heights))), layout=ConstrainedLayoutEngine(h_pad=0.12)
    )
    panels = figure.subplots(len(labels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, each in zip(panels, labels.values(), strict=True):
        axis.set_yticks(range(len(each)), list(map(_text, each)))
        axis.set_ylim(len(each) - 0.4, -0.6)
        axis.grid(alpha=0.3)
    return figure, panels


def _shares(comparison: Comparison) -> list[float]:
    """The share of the gain that each seed of a control has; their mean is the comparison's."""
    theirs = list(values_of(comparison.other, comparison.metric).values())
    middle = float(np.mean(theirs))
    assert comparison.share is not None and comparison.gain is not None
    return [comparison.share + sign_of(comparison.metric) * (value - middle) / comparison.gain for value in theirs]


def _tokens(groups: dict[str, list[Arm]], numbers: dict[tuple, int]) -> Figure | None:
    """Marks at the shares of the baseline's tokens, a line for each arm."""
    points: dict[str, dict[str, tuple[int, list[dict]]]] = {}
    for title, group in groups.items():
        for arm in group:
            base = baseline_of(arm, group)
            if base is not None and not (arm.matched and not arm.is_real):
                needed = [efficiency(run, base.runs) for run in arm.runs]
                if any(each.get("share") is not None for each in needed):
                    points.setdefault(title, {})[arm.label] = numbers[_begun_with(arm)], needed
    if not points:
        return None
    figure, panels = _lines(points)
    for axis, (title, arms) in zip(panels, points.items(), strict=True):
        for line, (number, needed) in enumerate(arms.values()):
            for key, fill in (("share", looks.colour(number)), ("share_with_earlier", "none")):
                at = [each[key] for each in needed if each.get(key)]
                axis.plot(at, [line] * len(at), linestyle="", markerfacecolor=fill, **looks.marked(number))
        axis.axvline(1, color=looks.BLACK, linestyle="--", linewidth=1)
        axis.set_xlim(left=0)
        axis.xaxis.set_major_formatter(ticker.PercentFormatter(1))
        axis.set_xlabel("share of the baseline's tokens")
        axis.set_title(_text(title))
        filled = Line2D([], [], color=looks.BLACK, marker="o", linestyle="", label="tokens of this stage")
        hollow = Line2D(
            [], [], color=looks.BLACK, marker="o", linestyle="", label="with earlier stages", fillstyle="none"
        )
        _legend(axis, [filled, hollow])
    return figure
