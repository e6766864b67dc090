"""The report over run folders: tables, curves, data efficiency, and how much of a gain its controls reproduce.

What the runs came to and how they compare is read in `read`; here it is written and drawn.
"""

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .. import looks
from ..files import check_folder, whole, write_csv, write_text
from ..locks import holding
from ..terminal import visible
from . import lengths
from .folder import LENGTHS_PLOT
from .measured import MEASURES, THRESHOLDS, Measure
from .read import FLOPS, LOSS, TOKENS, Run, arms, baseline_of, controls, finals, metric_of, rows_of, sign_of
from .tables import COUNT, NATS, POWER, SHARE, markdown_table, si

FILES = ("report.md", "report.csv", "report.png")
_MEANS = (
    "Means are over the finished seeds of an arm that did not diverge, ± their sample standard deviation where they "
    "differ."
)
SHARE_MEANS = (
    "Data efficiency: the tokens at which a run's evaluation loss first reaches the baseline's final loss (mean of its "
    "seeds), interpolated between evaluations, and their share of the baseline's tokens, without and with the tokens "
    "of earlier stages. A run that is there at its first evaluation counts with that."
)
_VERDICT_MEANS = (
    "Controls: the gain over the baseline in {}, and the share of it that each control reproduces. *Separated*: both "
    "arms have at least two seeds, and every seed of the arm is better than every seed of the other; chance alone does "
    "this to equally good arms of a and b seeds in 1 of C(a+b, a) cases (one-sided; 1 of 20 for 3 against 3). *No "
    "gain*: one that does not separate from the baseline has no share to reproduce."
)


_LENGTHS_MEAN = (
    f"Accuracy by length (answer tokens, all seeds together): first the lengths trained on, then longer ones; "
    f"{LENGTHS_PLOT} draws it where a report is written."
)
COLUMNS = ("steps", "tokens", "earlier_tokens", "flops", "earlier_flops", "seconds", "training_loss", "loss")
COLUMNS += ("perplexity", "bits_per_byte", "answer_accuracy", "exact_match")
COLUMNS += (*(f"accuracy_{name}" for name in THRESHOLDS), "threshold_step")
EFFICIENCY = ("tokens_needed", "share", "earlier_tokens", "share_with_earlier")
AXES = {  # label and format of ticks
    TOKENS: ("tokens of this stage", si),
    FLOPS: ("FLOPs of this stage", POWER),
    "step": ("optimizer steps", si),
}


def run_table(rows: list[dict], keys: tuple[str, ...], threshold: float) -> str:
    """A line for each run; for each arm of several that count, mean ± sample standard deviation, where not 0."""
    columns = {MEASURES[key].title.format(threshold): MEASURES[key] for key in keys}
    lines = []
    for label, members in itertools.groupby(rows, key=lambda row: row["arm"]):
        runs = list(members)
        counted = [run for run in runs if run["finished"] and "diverged" not in run]
        for run in runs:
            cells = {title: _value(run, measure) for title, measure in columns.items()}
            state = {"state": _state(run)}
            lines.append({"arm": label, "seed": str(run["seed"])} | cells | state)
        if len(counted) > 1:
            cells = {title: _mean(counted, measure) for title, measure in columns.items()}
            lines.append({"arm": label, "seed": f"mean of {len(counted)}"} | cells | {"state": ""})
    return markdown_table(lines)


def _state(run: dict) -> str:
    if "diverged" in run:
        return f"diverged at step {run['diverged']:,}"
    return "" if run["finished"] else "unfinished"


def _value(run: dict, measure: Measure) -> str:
    if measure.key not in run:
        return ""
    value = run[measure.key]
    return "not reached" if value is None else measure.format(value)


def _mean(runs: list[dict], measure: Measure) -> str:
    values = [run[measure.key] for run in runs if run.get(measure.key) is not None]
    if len(values) < len(runs):
        return ""
    deviation = f" ± {measure.format(np.std(values, ddof=1))}" if len(set(values)) > 1 else ""
    return measure.format(np.mean(values)) + deviation


def _control_table(comparisons: list[dict], metric: str, threshold: float) -> str:
    show = SHARE if sign_of(metric) > 0 else NATS
    return markdown_table(
        [
            {
                "arm": row["arm"],
                "compared with": f"{row['against']} ({row['role']})",
                "its seeds": _listed(row["values"], show),
                "the other's": _listed(row["against_values"], show),
                "gain": f"{row['gain']:+.4f}" if "gain" in row else "",
                "share of the gain": _share_of_gain(row),
                "verdict": row["verdict"],
                "chance": _chance(row),
                f"its steps to {threshold}": _listed(row.get("steps", ()), COUNT),
                f"the other's to {threshold}": _listed(row.get("against_steps", ()), COUNT),
                "verdict on steps": row.get("steps_verdict", ""),
            }
            for row in comparisons
        ]
    )


def _listed(values, show: Callable[[float], str]) -> str:
    return ", ".join("never" if value == math.inf else show(value) for value in values)


def _share_of_gain(row: dict) -> str:
    if "share" not in row:
        return ""
    return "no gain" if row["share"] is None else SHARE(row["share"])


def _chance(row: dict) -> str:
    """How probable a separation of so many seeds is among equally good arms."""
    if not row["verdict"].endswith("separated"):
        return ""
    seeds, others = len(row["values"]), len(row["against_values"])
    return f"1/{math.comb(seeds + others, seeds)}"


def markdown(runs: list[Run], baseline: str | None = None, metric: str | None = None, threshold: float = 0.9) -> str:
    """The tables of all groups. For arguments and errors see `arms`, `metric_of` and `measures`."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be an accuracy in (0, 1], got {threshold}")
    paragraphs = [_MEANS]
    for title, group in arms(runs, baseline).items():
        rows = rows_of(group, baseline, threshold)
        paragraphs += [f"## {title}", run_table(rows, COLUMNS, threshold)]
        if len(group) > 1:
            paragraphs += _efficiency(group, rows, baseline, threshold)
        paragraphs += _controls(group, metric_of(group, metric), threshold, baseline)
        by_length = _by_length(group)
        if by_length:
            paragraphs += [_LENGTHS_MEAN, lengths.table(by_length)]
    return "\n\n".join(paragraphs) + "\n"


def _by_length(group: dict[str, list[Run]]) -> dict[str, list[dict]]:
    """What the finished runs of each arm have in lengths.json, without arms that have none."""
    found = {label: [lengths.read(run.folder) for run in runs if run.counts] for label, runs in group.items()}
    return {label: known for label, runs in found.items() if (known := [each for each in runs if each])}


def _efficiency(group: dict[str, list[Run]], rows: list[dict], baseline: str | None, threshold: float) -> list[str]:
    """What a group of several arms came to beside its baselines."""
    paragraphs = []
    alone = [label for label in group if baseline_of(group, label, baseline) is None]
    if alone:
        paragraphs.append(f"Without a baseline, so not compared: {', '.join(alone)}.")
    compared = [row for row in rows if "share" in row]
    if compared:
        paragraphs += [SHARE_MEANS, run_table(compared, EFFICIENCY, threshold)]
    return paragraphs


def _controls(group: dict[str, list[Run]], metric: str, threshold: float, baseline: str | None) -> list[str]:
    """What the controls of a group reproduce; nothing for a group without arms of real weights."""
    comparisons = controls(group, metric, threshold, baseline)
    if not comparisons:
        return []
    paragraphs = [_VERDICT_MEANS.format(title_of(metric)), _control_table(comparisons, metric, threshold)]
    controlled = {row["arm"] for row in comparisons if row["role"] != "baseline"}
    alone = [row["arm"] for row in comparisons if row["arm"] not in controlled]
    if alone:
        paragraphs.append(f"Without a control, so that the size of the weights may be all: {', '.join(alone)}.")
    return paragraphs


def title_of(metric: str) -> str:
    """What a logged key is called in tables and figures."""
    losses = {"loss": MEASURES["training_loss"], LOSS: MEASURES["loss"]}
    return losses[metric].title if metric in losses else metric.removeprefix("eval_").replace("_", " ")


def numbers_of(groups: dict[str, dict[str, list[Run]]]) -> dict[str, int]:
    """The number of each arm, by which `looks` gives its colour and mark: one in all groups and pictures."""
    return {label: number for number, label in enumerate(dict.fromkeys(itertools.chain(*groups.values())))}


def draw(runs: list[Run], path, baseline: str | None = None, metric: str | None = None) -> None:
    """Draws a PNG: for each group its metric against optimizer steps, tokens and FLOPs, a line for every run.

    Lines of unfinished runs are dashed; the dotted one is the baseline's final value, mean of its seeds. A panel of
    what the logs do not tell stays empty.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    groups = arms(runs, baseline)
    figure = Figure(figsize=(18, 4.5 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), 3, squeeze=False)
    numbers = numbers_of(groups)
    for row, (title, group) in zip(panels, groups.items(), strict=True):
        key = metric_of(group, metric)
        bases = {baseline_of(group, label, baseline) for label in group}
        for axis, against in zip(row, ("step", TOKENS, FLOPS), strict=True):
            points = []
            for label, members in group.items():
                look = looks.marked(numbers[label])
                for run in members:
                    x, y = run.curve(key, against)
                    points += [value for value in x if value > 0]
                    style = look | {"linestyle": "-" if run.finished else "--", "markevery": max(len(x) // 20, 1)}
                    name = visible(label) if run is members[0] else None
                    axis.plot(x, y, linewidth=1, label=name, **style)
                last = finals(members, key)
                if label in bases and last:
                    axis.axhline(np.mean(last), color=look["color"], linestyle=":", label=visible(f"{label}, final"))
            name, show = AXES[against]
            axis.set(xlabel=name, ylabel=title_of(key))
            axis.set_title(visible(title), parse_math=False)
            if sign_of(key) < 0 and points:  # losses fall fast, then slowly
                looks.log_ticks(axis, min(points), max(points), show)
            else:
                axis.xaxis.get_major_locator().set_params(nbins=6)
                axis.xaxis.set_major_formatter(lambda value, _, show=show: show(value))
            axis.grid(alpha=0.3)
        with rc_context({"text.parse_math": False}):
            row[-1].legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
    figure.savefig(path, dpi=120, format="png")


def write(
    runs: list[Run], output, baseline: str | None = None, metric: str | None = None, threshold: float = 0.9
) -> str:
    """Writes report.md, report.csv (a line for each run, full precision) and report.png into the folder `output`.

    Where runs were tested at other lengths, lengths.png, too.

    Gives the markdown. For arguments and errors, which come before anything is written, see `markdown`.
    """
    text = markdown(runs, baseline, metric, threshold)
    rows = []
    for title, group in arms(runs, baseline).items():
        rows += [{"group": title} | row for row in rows_of(group, baseline, threshold)]
    output = Path(output)
    with holding(output):
        write_text(output / FILES[0], f"# Comparison of runs\n\n![curves]({FILES[2]})\n\n{text}")
        write_csv(output / FILES[1], rows)
        with whole(output / FILES[2]) as temporary:
            draw(runs, temporary, baseline, metric)
        groups = arms(runs, baseline)
        by_length = {title: _by_length(group) for title, group in groups.items()}
        by_length = {title: found for title, found in by_length.items() if found}
        if by_length:
            lengths.draw(by_length, output / LENGTHS_PLOT, numbers_of(groups))
    return text


def check_output(output) -> None:
    """Raises ValueError where the folder `output` holds anything but an earlier report, or is a file."""
    check_folder(Path(output), "|".join((*FILES, LENGTHS_PLOT)))
