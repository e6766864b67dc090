"""The report of a study: what its runs came to, which differences stand, and what carried them.

`write` leaves report.md, report.csv (a line for each run), differences.csv (a line for each two arms that are
compared), figures, and index.html, all of it in one file for a browser, in the study's folder.
"""

import math
import re
from pathlib import Path

import numpy as np

from ..errors import nearest
from ..files import read_text, write_csv, write_text
from ..locks import check_free
from ..runs.read import Run, finals, row_of, sign_of
from ..runs.report import COLUMNS, EFFICIENCY, SHARE_MEANS, run_table, title_of
from ..runs.tables import COUNT, NATS, SHARE, as_markdown, markdown_table
from ..terminal import in_a_line
from . import figures, job, page, passes
from .arms import Arm, baseline_of, groups, read_arms
from .comparisons import BASELINE, Comparison, compare, metrics_of
from .statistics import CONFIDENCE, METHODS

FILES = ("report.md", "report.csv", "differences.csv", "index.html")
_BY = {
    "t": "by a paired t test where two arms share seeds, else by Welch's",
    "bootstrap": "by a BCa bootstrap, of the differences where two arms share seeds; p is that of the t test",
}
_DIFFERENCES_MEAN = (
    "Gains are over the arm from scratch, positive is better, with their 95 % intervals over seeds, {}. Of the {} "
    "intervals in this report, one in 20 may leave out the true gain; *p, Holm* is corrected for their number. *Not "
    "separated*: the interval holds 0. *One seed*: nothing tells what another one would give. *No spread over seeds*: "
    "every seed has the same difference, of which a test says nothing. *No number*: a final value is infinite or nan."
)
_CONTROLS_MEAN = (
    "What an arm has more than its controls, what is matched to it, and, of some components, the whole; and the share "
    "of its gain over scratch that a control reproduces. A control that is *not separated* from its arm may carry all "
    "of the gain."
)
_PASSES_MEAN = "passes: how often a run read its data; of text, the pass that it ended in."
_SHOWN = 20  # unfinished runs that are listed
_FEW, _FEW_TO_DRAW = 3, 20  # seeds, for an interval and for a bootstrap


def write(plan: dict, folder, metric: str | None = None, threshold: float = 0.9, method: str = "t", into=None) -> str:
    """Writes the report of a study into its folder, over an earlier one, and gives the Markdown.

    Args:
        plan: as .study/plan.json has it. Runs that have not begun are listed.
        metric: what to compare, such as exact_match; default: answer accuracy, else loss.
        threshold: an answer accuracy in (0, 1], whose first step is shown.
        method: of the intervals, one of statistics.METHODS.
        into: the folder that is written, where it is not the study's.

    Raises ValueError, before anything is written, for arguments that are none of these, a plan that lacks something,
    and a run whose files cannot be read.
    """
    folder = Path(folder)
    output = folder if into is None else Path(into)
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be an accuracy in (0, 1], got {threshold}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}{nearest(method, METHODS)}")
    arms = read_arms(plan, folder)
    states = _states(arms, folder)
    compared = groups(arms)
    metrics = metrics_of(compared, metric)
    comparisons = compare(compared, metrics, method)
    earlier = _figures_of(output / FILES[0])
    drawn = figures.draw(compared, metrics, comparisons, output)
    title = f"# {as_markdown(in_a_line(plan.get('name') or folder.absolute().name))}: report of a study"
    paragraphs = [title, *_overview(states, comparisons), *_warnings(comparisons, method)]
    paragraphs += [*_means(compared, metrics), *_shown(drawn, "")]
    paragraphs.append(_DIFFERENCES_MEAN.format(_BY[method], sum(bool(each.difference.test) for each in comparisons)))
    for name, key in metrics.items():
        here = [each for each in comparisons if each.group == name]
        paragraphs += [f"## {as_markdown(in_a_line(name))}", *_group(compared[name], key, here, threshold)]
        paragraphs += _shown(drawn, name)
    paragraphs += [*_evaluated(arms), *_others(arms, compared, threshold)]
    text = "\n\n".join(filter(None, paragraphs)) + "\n"
    diagnoses = sorted(folder.glob("diagnosis/*/diagnosis.md"))
    links = [f"- [{as_markdown(file.parent.name)}](<{file.relative_to(folder).as_posix()}>)" for file in diagnoses]
    write_text(output / FILES[0], text + ("\n## Diagnoses\n\n" + "\n".join(links) + "\n" if links else ""))
    write_csv(output / FILES[1], _run_rows(arms, compared, states, threshold))
    write_csv(output / FILES[2], list(map(_difference_row, comparisons)))
    parts = [(text, output), *((read_text(file), file.parent) for file in diagnoses)]
    write_text(output / FILES[3], page.render(parts))
    for file in {*earlier} - {each.file for each in drawn}:  # of arms that are not there any more
        (output / file).unlink(missing_ok=True)
    return text


def _figures_of(report: Path) -> list[str]:
    """The figures that a report shows; none where there is no report."""
    return re.findall(r"^!\[[^]]*\]\(([\w.-]+\.png)\)$", read_text(report), re.MULTILINE) if report.is_file() else []


def _shown(drawn: list[figures.Drawn], group: str) -> list[str]:
    """The figures of a group, or those of all, with their captions."""
    return [
        f"![{as_markdown(Path(each.file).stem)}]({each.file})\n\n*{as_markdown(each.caption)}*"
        for each in drawn
        if each.group == group
    ]


def _overview(states: dict[str, str], comparisons: list[Comparison]) -> list[str]:
    """How many runs are finished, what separates, and which runs are not finished."""
    missing = {name: state for name, state in states.items() if state}
    over = [each.difference for each in comparisons if each.role == BASELINE]
    verdicts = [each.verdict for each in over]
    counted = [f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)]
    corrected = [each for each in comparisons if each.corrected is not None and each.corrected < 1 - CONFIDENCE]
    lines = [
        f"{len(states) - len(missing)} of {len(states)} runs are finished. Of {len(over)} gains over scratch: "
        f"{', '.join(counted) or 'none'}. Of all {len(comparisons)} differences, {len(corrected)} have a p below "
        f"{1 - CONFIDENCE:.2g} by Holm."
    ]
    if missing:
        listed = [f"- {as_markdown(name)}: {as_markdown(state)}" for name, state in [*missing.items()][:_SHOWN]]
        rest = len(missing) - len(listed)
        lines.append(
            "Not in any mean or difference:\n\n" + "\n".join(listed) + (f"\n- and {rest} others" if rest else "")
        )
    return lines


def _states(arms: list[Arm], folder: Path) -> dict[str, str]:
    """How far each run of the plan is, by its name; empty for one that counts."""
    try:
        check_free(folder)
        failed = "failed"
    except ValueError:  # the study's command is at work there
        failed = "running or failed"
    return {
        plan["name"]: _state(run, job.log_of(folder / plan["name"]), failed)
        for arm in arms
        for plan, run in zip(arm.plans, arm.begun, strict=True)
    }


def _state(run: Run | None, log: Path, failed: str) -> str:
    """How far a run is, which is None without a checkpoint, and what its log says last."""
    if run is not None and run.diverged is not None:
        return f"diverged at step {run.diverged:,}"
    if run is not None and run.finished:
        return ""
    words = f": {job.last_line(log)}" if log.is_file() else ""
    if run is not None:
        return f"unfinished, at step {max(run.history, default=0):,}{words}"
    return failed + words if words else "not begun"


def _warnings(comparisons: list[Comparison], method: str) -> list[str]:
    """What a reader has to know before the figures."""
    lines = passes.warnings([(each.arm, each.other) for each in comparisons])
    seeds = [each.difference.seeds for each in comparisons if each.difference.test]
    if seeds and min(seeds) < _FEW:
        lines.append(f"intervals over {min(seeds)} seeds are wide, and say little where a metric is near its limits")
    if seeds and method == "bootstrap" and min(seeds) < _FEW_TO_DRAW:
        lines.append(
            f"a bootstrap of {min(seeds)} seeds holds the true gain less often than 95 %; the t interval does not"
        )
    return ["**Warnings**\n\n" + "\n".join(f"- {as_markdown(in_a_line(line))}" for line in lines)] if lines else []


def _number(metric: str):
    """How final values of a metric are shown."""
    return SHARE if sign_of(metric) > 0 else NATS


def _mean(arm: Arm, metric: str) -> str:
    """Mean and sample standard deviation of an arm's final values."""
    values, show = finals(arm.runs, metric), _number(metric)
    spread = f" ± {show(np.std(values, ddof=1))}" if len(set(values)) > 1 else ""
    return show(np.mean(values)) + spread if values else ""


def _means(compared: dict[str, list[Arm]], metrics: dict[str, str]) -> list[str]:
    """The means of all arms, controls too, by domain."""
    lines: dict[str, dict[str, str]] = {}
    for title, metric in metrics.items():
        for arm in compared[title]:
            lines.setdefault(arm.label, {"arm": as_markdown(arm.label)})[as_markdown(title)] = _mean(arm, metric)
    if not lines:
        return []
    titles = ["arm", *map(as_markdown, metrics)]
    names = dict.fromkeys(map(title_of, metrics.values()))
    table = markdown_table([{title: line.get(title, "") for title in titles} for line in lines.values()])
    return ["## All arms", f"Final {' or '.join(names)}: means of seeds ± their sample standard deviation.", table]


def _group(group: list[Arm], metric: str, comparisons: list[Comparison], threshold: float) -> list[str]:
    """The tables of one domain."""
    with_baseline = {each.arm.label: each for each in comparisons if each.role == BASELINE}
    passed = any(run.passes(threshold) < math.inf for arm in group for run in arm.runs)
    lines = []
    for arm in group:
        line = {"arm": as_markdown(arm.label), "seeds": f"{len(arm.counted)} of {len(arm.plans)}"}
        line[title_of(metric)] = _mean(arm, metric)
        line |= _difference(with_baseline.get(arm.label), "gain")
        line["passes"] = passes.of_arm(arm).words
        steps = [run.passes(threshold) for run in arm.counted] if passed else []
        line[f"steps to {threshold}"] = ", ".join("never" if step == math.inf else COUNT(step) for step in steps)
        lines.append(line)
    paragraphs = [markdown_table(lines), f"*{_PASSES_MEAN[0].upper()}{_PASSES_MEAN[1:]}*"]
    controls = [each for each in comparisons if each.role != BASELINE]
    if controls:
        rows = [
            {"arm": as_markdown(each.arm.label), "compared with": as_markdown(each.other.label), "it is": each.role}
            | _difference(each, "gain over it")
            | {"share of the gain": "" if each.share is None else SHARE(each.share)}
            for each in controls
        ]
        paragraphs += [_CONTROLS_MEAN, markdown_table(rows)]
    rows = [_row(arm, run, group, threshold) for arm in group for run in arm.runs]
    rows = [row | {"arm": as_markdown(row["arm"])} for row in rows]
    needed = [row for row in rows if "share" in row]
    if needed:
        paragraphs += [SHARE_MEANS, run_table(needed, EFFICIENCY, threshold)]
    return [*paragraphs, "All runs:", run_table(rows, COLUMNS, threshold)]


def _row(arm: Arm, run: Run, group: list[Arm], threshold: float) -> dict:
    base = baseline_of(arm, group)
    return row_of(arm.label, run, [] if base is None else base.runs, threshold)


def _difference(comparison: Comparison | None, title: str) -> dict[str, str]:
    """The cells of a comparison; empty ones for none."""
    titles = (title, "95 % interval", "p", "p, Holm", "verdict", "by")
    if comparison is None:
        return dict.fromkeys(titles, "")
    found = comparison.difference
    gain = "" if found.gain is None else f"{found.gain:+.4f}"
    interval = "" if found.low is None else f"[{found.low:+.4f}, {found.high:+.4f}]"
    p_values = ["" if p is None else f"{p:.2g}" for p in (found.p, comparison.corrected)]
    by = f"{found.test}, {found.seeds} seeds" if found.test else ""
    return dict(zip(titles, (gain, interval, *p_values, found.verdict, by), strict=True))


def _evaluated(arms: list[Arm]) -> list[str]:
    """All figures of stages that evaluate models, a line for each task and metric, a column for each run."""
    stages: dict[str, dict[str, dict]] = {}
    for arm in arms:
        for run in arm.runs if arm.plans[0]["recipe"] == "evaluate" else ():
            for name, value in run.history.get(0, {}).items():
                line = stages.setdefault(arm.stage, {}).setdefault(name, {"measured": as_markdown(title_of(name))})
                line[as_markdown(f"{arm.label}, seed {run.seed}")] = _number(name)(value)
    parts = []
    for stage, lines in stages.items():
        columns = dict.fromkeys(column for line in lines.values() for column in line)
        table = markdown_table([{column: line.get(column, "") for column in columns} for line in lines.values()])
        parts += [f"## Figures of stage {as_markdown(stage)}", table]
    return parts


def _others(arms: list[Arm], compared: dict[str, list[Arm]], threshold: float) -> list[str]:
    """The runs of stages that are only begun from."""
    shown = {arm.name for group in compared.values() for arm in group}
    stages: dict[str, list[dict]] = {}
    for arm in arms:
        if (
            arm.name not in shown
            and arm.runs
            and arm.stage not in {each.stage for g in compared.values() for each in g}
        ):
            name = as_markdown(arm.name.partition("/")[2] or arm.name)
            stages.setdefault(arm.stage, []).extend(row_of(name, run, [], threshold) for run in arm.runs)
    return [
        part
        for stage, rows in stages.items()
        for part in (f"## Stage {as_markdown(stage)}", run_table(rows, COLUMNS, threshold))
    ]


def _run_rows(arms: list[Arm], compared: dict[str, list[Arm]], states: dict[str, str], threshold: float) -> list[dict]:
    """A line for each run of the plan, in full precision."""
    by_arm = {arm.name: (title, group) for title, group in compared.items() for arm in group}
    rows = []
    for arm in arms:
        title, group = by_arm.get(arm.name, ("", []))
        for plan, run in zip(arm.plans, arm.begun, strict=True):
            row = {"stage": arm.stage, "group": title, "run": plan["name"], "state": states[plan["name"]] or "finished"}
            row |= {"arm": arm.label, "seed": plan["seed"]} if run is None else _row(arm, run, group, threshold)
            row |= {} if run is None else {"passes": passes.passes_of(run).words}
            rows.append(row | {"planned_tokens": plan.get("tokens"), "planned_flops": plan.get("flops")})
    return rows


def _difference_row(each: Comparison) -> dict:
    found = each.difference
    row: dict = {"group": each.group, "metric": each.metric, "arm": each.arm.label, "against": each.other.label}
    row |= {"role": each.role, "seeds": found.seeds, "gain": found.gain, "low": found.low, "high": found.high}
    row |= {"p": found.p, "p_holm": each.corrected, "by": found.test, "verdict": found.verdict, "share": each.share}
    return row
