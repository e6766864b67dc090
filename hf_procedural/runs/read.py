"""Run folders: what they hold, and how their arms compare.

Everything comes from the files that a recipe leaves in its folder: `recipe.yaml` (what was asked for),
`provenance.json` (where the initial weights came from) and the Trainer's `trainer_state.json`, that of the latest
checkpoint where the run is not finished, or `diverged.json` where its loss is not a number. What these do not tell is
absent, never 0.

Runs that differ only in their seed are one *arm*. Arms evaluated on the same rows or text are one *group*; only these
are compared. Means, baselines and verdicts are over finished runs that did not diverge.
"""

import dataclasses
import itertools
import json
import math
from pathlib import Path

import numpy as np

from ..errors import nearest
from ..files import expected, read_mapping
from ..text import sources
from .checkpoints import STATE, check_state
from .folder import DIVERGED, NO_ARM, PROVENANCE, RECIPE, last_checkpoint, read_recipe
from .measured import THRESHOLDS, diverged_step, measure_of

TOKENS, FLOPS, LOSS, ACCURACY = "num_input_tokens_seen", "total_flos", "eval_loss", "eval_answer_accuracy"
_EVALUATED = ("bits_per_byte", "answer_accuracy", "exact_match", *(f"accuracy_{name}" for name in THRESHOLDS))
_LARGEST_EXPONENT = 700  # of which math.exp is finite
DOMAIN = ("task", "dataset", "data_files", "text", "validation", "tokenizer")  # how recipe keys of a group begin
TRANSFER = ("init_from", "transfer", "embeddings", "layers")  # recipe keys without effect on a run from scratch


@dataclasses.dataclass
class Run:
    """One run folder."""

    folder: Path
    recipe: dict  # by today's names of the keys
    sources: list[dict]  # of its initial weights, as provenance.json has them; none for scratch
    history: dict[int, dict]  # step, ascending: all that was logged at it
    finished: bool

    @property
    def seed(self) -> int:
        return self.recipe.get("seed", 42)  # recipes leave out the Trainer's defaults

    @property
    def control(self) -> str | None:
        """The controls among its sources, such as ``permuted`` or ``shuffle_tokens``."""
        kinds = [source.get("control") for source in self.sources]
        kinds += ["shuffle_tokens" for source in self.sources if _task(source)[1].get("shuffle_tokens")]
        return ", ".join(dict.fromkeys(filter(None, kinds))) or None

    def last(self, key: str) -> float | None:
        """The value of `key` that was logged last."""
        return next((entry[key] for entry in reversed(self.history.values()) if key in entry), None)

    def curve(self, key: str, against: str) -> np.ndarray:
        """float64 ``[2, points]``: `against` (TOKENS, FLOPS or step), and `key`, where both are known and finite."""
        points = [(entry[against], entry[key]) for entry in self.history.values() if key in entry and against in entry]
        points = np.array(points, float).reshape(-1, 2).T
        return points[:, np.isfinite(points).all(0)]

    @property
    def diverged(self) -> int | None:
        """The step at which its loss, or the norm of its gradient, was no number; None where they all are."""
        return diverged_step(self.history.values(), self.recipe.get("fp16", False))

    @property
    def counts(self) -> bool:
        """Whether it is in means, baselines and verdicts."""
        return self.finished and self.diverged is None

    def passes(self, threshold: float) -> float:
        """The first evaluated step with an answer accuracy of at least `threshold`; math.inf for never."""
        return next((step for step, entry in self.history.items() if entry.get(ACCURACY, -1) >= threshold), math.inf)

    def earlier(self, what: str) -> float | None:
        """``tokens`` or ``flops`` of all stages before this one; None where a source does not tell."""
        amounts = {source.get("path"): source.get(what) for source in self.sources}
        counted = [amount for amount in amounts.values() if amount]  # 0 is what was not counted
        return sum(counted) if len(counted) == len(amounts) else None


def _task(source: dict) -> tuple[str | None, dict]:
    return source.get("task"), source.get("task_parameters") or {}


def read_runs(folders) -> list[Run]:
    """The runs in `folders`, each of which is a run folder or holds some at any depth.

    A run that has saved no checkpoint yet is not among them. Raises ValueError for a folder that does not exist or
    holds no run, and for a file that cannot be read.
    """
    by_place = {}  # a run may be in two of the folders
    for folder in map(Path, folders):
        if not folder.is_dir():
            beside = [other.name for other in folder.parent.glob("*") if other.is_dir()]
            raise ValueError(f"no folder {folder}{nearest(folder.name, beside)}")
        runs = [file.parent for file in sorted(folder.rglob(RECIPE)) if state_files(file.parent)]
        if not runs:
            raise ValueError(f"{folder} holds no run: no {RECIPE} with a {STATE} beside it or in a checkpoint-N")
        by_place |= {run.resolve(): run for run in runs}
    return [read_run(folder) for folder in by_place.values()]


def state_files(folder: Path) -> list[Path]:
    """The files that tell how far a run is: its own at the end, those of its latest checkpoint and of a divergence.

    None of them is there before its first checkpoint.
    """
    checkpoint = last_checkpoint(folder)
    latest = [Path(checkpoint) / STATE] if checkpoint else []
    return [path for path in (folder / STATE, *latest, folder / DIVERGED) if path.is_file()]


def read_run(folder: Path) -> Run:
    """The run of a folder that has `state_files`. Raises ValueError for a file that cannot be read."""
    recipe = read_recipe(folder / RECIPE)
    sources = []
    source = recipe.get("init_from") or recipe.get("model_name_or_path")
    if source:
        init = read_mapping(folder / PROVENANCE).get("init_from")
        sources = init.get("sources") if isinstance(init, dict) else None
        if not isinstance(sources, list) or not sources or not all(isinstance(each, dict) for each in sources):
            raise ValueError(f"{folder / PROVENANCE} does not tell the sources of init_from {source}")
    # a checkpoint after the run's own state: a finished run that was resumed for more steps
    states = [(*_history(path), path == folder / STATE) for path in state_files(folder)]
    _, history, finished = max(states, key=lambda state: state[0])
    return Run(folder, recipe, sources, history, finished)


def _history(path: Path) -> tuple[int, dict[int, dict]]:
    """The last step of a trainer_state.json, and all that was logged, by step."""
    state = check_state(path)
    history = {}
    with expected(path):
        for entry in sorted(state["log_history"], key=lambda entry: entry["step"]):
            history.setdefault(entry["step"], {}).update(entry)
        final = history.setdefault(state["global_step"], {})
        final |= {key: state.get(key) for key in (TOKENS, FLOPS) if key not in final}
        for step, entry in history.items():
            uncounted = [key for key in (TOKENS, FLOPS) if step and not entry.get(key)]  # where the Trainer writes 0
            history[step] = {key: v for key, v in entry.items() if v is not None and key not in uncounted}
        return state["global_step"], history


def arms(runs: list[Run], baseline: str | None = None) -> dict[str, dict[str, list[Run]]]:
    """Runs by group and arm: scratch before real weights before controls, the runs of an arm by seed.

    An arm's label is what it began with, or scratch, with the settings in which arms that share it differ; a group's is
    made alike from its task or data set. Raises ValueError where `baseline` is not the label of an arm, and for a seed
    that an arm has twice.
    """
    grouped = {}
    for title, members in _labelled(runs, _group, "runs", ("task", "dataset", "data_files", "questions")).items():
        labelled = _labelled(members, _settings, "scratch", ("init_from", "model_name_or_path"))
        ordered = sorted(labelled, key=lambda label: _rank(labelled[label][0]))
        grouped[title] = {label: sorted(labelled[label], key=lambda run: run.seed) for label in ordered}
        for label, seeds in grouped[title].items():
            for one, other in itertools.pairwise(seeds):
                if one.seed == other.seed and one.recipe.get("data_seed") == other.recipe.get("data_seed"):
                    raise ValueError(f"seed {one.seed} of {label} stands twice: {one.folder} and {other.folder}")
    labels = list(dict.fromkeys(itertools.chain(*grouped.values())))
    if baseline is not None and baseline not in labels:
        raise ValueError(f"baseline must be one of {', '.join(map(repr, labels))}, got {baseline!r}")
    return grouped


def _rank(run: Run) -> tuple[bool, bool]:
    """Scratch first, then real weights, then controls."""
    return bool(run.sources), bool(run.control)


def _group(run: Run) -> dict:
    return {key: value for key, value in run.recipe.items() if key.startswith(DOMAIN)}


def _settings(run: Run, without: tuple[str, ...] = ()) -> dict:
    without += () if run.sources else TRANSFER
    return {k: v for k, v in run.recipe.items() if not k.startswith(DOMAIN + NO_ARM) and k not in without}


def _labelled(runs, settings, default: str, names) -> dict[str, list[Run]]:
    """Runs of equal settings, by their name and the settings that tell them from others of that name."""
    named, labelled = {}, {}
    for run in runs:
        name = next((word_of(run.recipe[key]) for key in names if run.recipe.get(key)), default)
        by_settings = named.setdefault(name, {})
        by_settings.setdefault(json.dumps(settings(run), sort_keys=True), []).append(run)
    for name, by_settings in named.items():
        values = [settings(members[0]) for members in by_settings.values()]
        keys = dict.fromkeys(itertools.chain(*values))
        differ = [key for key in keys if any(value.get(key) != values[0].get(key) for value in values)]
        for value, members in zip(values, by_settings.values(), strict=True):
            shown = [f"{key}={word_of(value[key]) if key in value else 'default'}" for key in differ]
            labelled.setdefault(" ".join([name, *shown]), []).extend(members)
    return labelled


def word_of(value) -> str:
    """A value of a recipe as labels show it."""
    if isinstance(value, list):
        return "+".join(map(word_of, value))
    if isinstance(value, dict) and "name" in value:  # a data set with its configuration, split or column
        return sources.label(value)
    return value if isinstance(value, str) else json.dumps(value)


def baseline_of(group: dict[str, list[Run]], label: str, baseline: str | None = None) -> str | None:
    """The arm that an arm is compared with: `baseline`, or the one from scratch.

    Of several from scratch, the one with the arm's other settings. None where that leaves none or several.
    """
    if baseline is not None:
        return baseline if baseline in group else None
    scratch = [other for other, runs in group.items() if not runs[0].sources]
    wanted = _settings(group[label][0], TRANSFER)
    same = [other for other in scratch if _settings(group[other][0], TRANSFER) == wanted]
    for labels in (same, scratch):
        if len(labels) == 1:
            return labels[0]
    return None


def measures(run: Run, threshold: float = 0.9) -> dict[str, float]:
    """What a run came to, by the keys of `MEASURES`, without those that are not known.

    `seconds` are those of all sessions that the log of a resumed run shows; losses are in nats per token;
    `threshold_step` is the first evaluated step with an answer accuracy of at least `threshold`.
    """
    times = [entry["train_runtime"] for entry in run.history.values() if "train_runtime" in entry]
    sessions = [time for time, after in itertools.pairwise([*times, -1]) if after < time]  # each counts from 0
    loss = run.last(LOSS)
    perplexity = run.last("eval_perplexity")
    if perplexity is None and loss is not None and loss < _LARGEST_EXPONENT:
        perplexity = math.exp(loss)
    values = {
        "steps": max(run.history, default=None),
        "tokens": run.last(TOKENS),
        "earlier_tokens": run.earlier("tokens"),
        "flops": run.last(FLOPS),
        "earlier_flops": run.earlier("flops"),
        "seconds": sum(sessions) or None,
        "training_loss": run.last("loss"),
        "loss": loss,
        "perplexity": perplexity,
    }
    values |= {key: run.last(f"eval_{key}") for key in _EVALUATED}
    values["threshold_step"] = run.passes(threshold)
    return {key: value for key, value in values.items() if value not in (None, math.inf)}


def crossing(x: np.ndarray, y: np.ndarray, target: float) -> float | None:
    """The first x at which the line through the points (x, y), x ascending, is at or below `target`.

    Where the first point is there already, its x: an upper bound. None where no point is.

    >>> crossing(np.array([10, 20, 30]), np.array([5.0, 4.0, 2.0]), 3.0)
    25.0
    """
    reached = np.flatnonzero(y <= target)
    if not len(reached):
        return None
    points = [reached[0], max(reached[0] - 1, 0)]
    return float(np.interp(target, y[points], x[points]))


def efficiency(run: Run, baseline: list[Run]) -> dict[str, float | None]:
    """When a run's evaluation loss first reaches the final loss of a baseline, an arm.

    This is the figure of Jiang et al. 2026 (Procedural Pretraining, arXiv:2601.21725). The baseline's loss and tokens
    are means over its finished seeds. `tokens_needed` is interpolated between evaluations, `share` is of the baseline's
    tokens, `share_with_earlier` counts the tokens of earlier stages on both sides. None: not reached; absent: unknown.
    """
    losses, totals = finals(baseline, LOSS), finals(baseline, TOKENS)
    x, y = run.curve(LOSS, TOKENS)
    if not losses or not totals or not len(x):
        return {}
    tokens = crossing(x, y, float(np.mean(losses)))
    total = np.float64(np.mean(totals))
    values: dict[str, float | None] = {"tokens_needed": tokens, "share": None if tokens is None else tokens / total}
    earlier, before = run.earlier("tokens"), baseline[0].earlier("tokens")
    if earlier is not None and before is not None:
        values["share_with_earlier"] = None if tokens is None else (tokens + earlier) / (total + before)
    return values


def rows_of(group: dict[str, list[Run]], baseline: str | None = None, threshold: float = 0.9) -> list[dict]:
    """A dict for each run of a group: arm, seed, finished, folder, diverged (a step), `measures` and `efficiency`."""
    rows = []
    for label, runs in group.items():
        base = group.get(baseline_of(group, label, baseline), [])
        rows += [row_of(label, run, base, threshold) for run in runs]
    return rows


def row_of(label: str, run: Run, baseline: list[Run], threshold: float = 0.9) -> dict:
    """What `rows_of` gives for a run of the arm `label`, beside the runs of its baseline, if it has one."""
    row = {"arm": label, "seed": run.seed, "finished": run.finished, "folder": str(run.folder)}
    row |= {} if run.diverged is None else {"diverged": run.diverged}
    return row | measures(run, threshold) | efficiency(run, baseline)


def finals(runs: list[Run], key: str) -> list[float]:
    """The last value of `key` of each finished run that has one and did not diverge."""
    last = [run.last(key) for run in runs if run.counts]
    return [value for value in last if value is not None]


def sign_of(metric: str) -> int:
    """1 where more of a logged value is better, -1 where less is, 0 where it measures no quality."""
    measure = measure_of(metric)
    return measure.better if measure else 0


def metric_of(group: dict[str, list[Run]], metric: str | None = None) -> str:
    """The logged key to compare a group by: `metric`, else answer accuracy, else loss, that all evaluated runs have.

    The training loss where no run is evaluated. Raises ValueError where they have none in common, or not `metric`.
    """
    logged = {run.folder: _compared(run) for run in itertools.chain(*group.values())}
    logged = {folder: keys for folder, keys in logged.items() if keys}
    common = sorted(set.intersection(*logged.values())) if logged else ["loss"]
    if not common:
        shown = {", ".join(sorted(keys)): folder for folder, keys in logged.items()}
        raise ValueError("no metric in common: " + "; ".join(f"{folder} has {keys}" for keys, folder in shown.items()))
    if metric is None:
        of_text = (key for key in common if key.endswith("bits_per_byte"))  # of models that were asked many things
        return next((key for key in (ACCURACY, LOSS, *of_text) if key in common), common[0])
    if f"eval_{metric.removeprefix('eval_')}" not in common:
        names = ", ".join(key.removeprefix("eval_") for key in common)
        raise ValueError(f"metric must be one that all evaluated runs have ({names}), got {metric!r}")
    return f"eval_{metric.removeprefix('eval_')}"


def _compared(run: Run) -> set[str]:
    """The keys of its log by which a run can be compared."""
    keys = set().union(*run.history.values())
    return {key for key in keys if key.startswith("eval_") and sign_of(key)}


def verdict(values: list[float], others: list[float], sign: int) -> str:
    """Whether each of `values` is better than each of `others`: greater, or for `sign` -1 smaller."""
    if not values or not others:
        return "no finished run"
    if min(len(values), len(others)) < 2:
        return "one seed"
    better = all(sign * value > sign * other for value in values for other in others)
    return "separated" if better else "not separated"


def controls(
    group: dict[str, list[Run]], metric: str, threshold: float = 0.9, baseline: str | None = None
) -> list[dict]:
    """The gain of each arm with real weights over its baseline, and what each of its controls reproduces of it.

    A control has the arm's settings and sources but for `control`, or sources of its tasks with `shuffle_tokens`.
    Each dict is a comparison: arm, against (an arm), role (baseline, or the kind of control), values and
    against_values (the final metric of finished seeds), verdict; with the baseline gain (of means, positive is better),
    with a control share (of that gain, that the control reproduces; None where there is no gain); where a seed passes
    the threshold steps, against_steps (math.inf: never) and steps_verdict.
    """
    rows = []
    for label, runs in group.items():
        base = baseline_of(group, label, baseline)
        if not runs[0].sources or runs[0].control or base in (None, label):
            continue
        roles: dict[str, str | None] = {base: "baseline"}
        roles |= {other: theirs[0].control for other, theirs in group.items() if _is_control(theirs[0], runs[0])}
        for other, role in roles.items():
            row = {"arm": label, "against": other, "role": role}
            row |= _compare(runs, group[other], group[base], metric)
            row |= _compare_steps(runs, group[other], threshold)
            rows.append(row)
    return rows


def _compare(runs: list[Run], others: list[Run], baseline: list[Run], metric: str) -> dict:
    """What `controls` tells of an arm and another one: the gain where that is the baseline, else its share."""
    sign = sign_of(metric)
    values, theirs, ground = (finals(arm, metric) for arm in (runs, others, baseline))
    row = {"values": values, "against_values": theirs, "verdict": verdict(values, theirs, sign)}
    if not (values and theirs and ground):
        return row
    gain = sign * (np.mean(values) - np.mean(ground))
    if others is baseline:
        row["gain"] = gain
    elif gain > 0 and verdict(values, ground, sign) != "not separated":
        row["share"] = sign * (np.mean(theirs) - np.mean(ground)) / gain
    else:
        row["share"] = None
    return row


def _compare_steps(runs: list[Run], others: list[Run], threshold: float) -> dict:
    """The steps to the threshold of the finished seeds of two arms; empty where none of them passes it."""
    steps, theirs = ([run.passes(threshold) for run in arm if run.counts] for arm in (runs, others))
    if all(step == math.inf for step in itertools.chain(steps, theirs)):
        return {}
    return {"steps": steps, "against_steps": theirs, "steps_verdict": verdict(steps, theirs, -1)}


def _is_control(control: Run, real: Run) -> bool:
    def origins(run, by_task):
        for source in run.sources:
            task, parameters = _task(source)
            origin = [task, parameters | {"shuffle_tokens": None}] if by_task else source.get("path")
            yield source.get("components"), source.get("weight"), origin

    if not control.control or _settings(control, ("init_from",)) != _settings(real, ("init_from",)):
        return False
    by_task = "shuffle_tokens" in control.control and all(_task(source)[0] for source in real.sources)
    return any(list(origins(control, by)) == list(origins(real, by)) for by in {False, by_task})
