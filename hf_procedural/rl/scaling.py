"""Accuracy over training compute, and the scaling form of Reinforcement Pre-Training fitted to it.

    P(C) = A / C^alpha + P*        C: FLOPs, P: next-token accuracy (a share), P*: where it levels off

One fit for each run and difficulty, as in Dong et al. 2025 (Reinforcement Pre-Training, arXiv:2506.08007, section 4).
A is negative where accuracy rises. FLOPs are those that the run logged: see `grpo.GRPO.store_flos`. A constant factor
in C changes A alone.
"""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from .. import looks
from ..files import whole, write_text
from ..locks import holding
from ..runs.checkpoints import STATE, check_state
from ..runs.folder import last_checkpoint
from ..runs.measured import THRESHOLDS
from ..runs.read import FLOPS
from ..runs.tables import COUNT, POWER, markdown_table
from ..terminal import visible

FILES = ("scaling.md", "scaling.json", "scaling.png")
ALPHAS = np.geomspace(1e-3, 10, 401)


@dataclasses.dataclass(frozen=True)
class Fit:
    """P(C) = A / C^alpha + P_star; called with FLOPs it gives accuracies."""

    A: float  # FLOPs^alpha
    alpha: float
    P_star: float
    r_squared: float

    def __call__(self, compute):
        return self.A / np.asarray(compute, float) ** self.alpha + self.P_star

    @property
    def remark(self) -> str:
        """What keeps the figures from meaning what they say; empty where nothing does."""
        if math.isnan(self.alpha):
            return "constant: nothing to fit"
        if not ALPHAS[1] < self.alpha < ALPHAS[-2]:
            return f"alpha is not determined: the points want it outside of {ALPHAS[0]:g} to {ALPHAS[-1]:g}"
        if not 0 <= self.P_star <= 1:
            return "P* is no accuracy: the points do not show where it levels off"
        return ""


def fit(compute, accuracy) -> Fit:
    """The least-squares fit of P(C) = A / C^alpha + P*, with alpha between the ends of `ALPHAS`.

    For a given alpha, A and P* are a linear regression, which leaves a search in one dimension: a grid, then golden
    section around its best. Accuracies that are all the same give A 0, that value as P*, and NaN for the rest.

    Args:
        compute: FLOPs, positive, ``[points]``, at 4 different values or more.
        accuracy: ``[points]``, in any unit, which is that of A and P*.

    Raises ValueError for points that allow no fit.
    """
    compute, accuracy = np.asarray(compute, float), np.asarray(accuracy, float)
    if compute.ndim != 1 or compute.shape != accuracy.shape:
        raise ValueError(f"compute and accuracy must be as many numbers, got {compute.shape} and {accuracy.shape}")
    if not (np.isfinite(compute) & np.isfinite(accuracy) & (compute > 0)).all():
        raise ValueError("compute must be positive, and compute and accuracy finite, at every point")
    different = len(np.unique(compute))
    if different < 4:
        raise ValueError(f"three parameters need accuracies at 4 different amounts of compute or more, got {different}")
    mean = accuracy.mean()
    least = compute.min()
    if np.ptp(accuracy) == 0:
        return Fit(0.0, math.nan, float(accuracy[0]), math.nan)

    def regress(alpha):
        """Squared error, slope and intercept over (1 - (C / least)^-alpha) / alpha, which is safe at any scale."""
        rise = -np.expm1(-alpha * np.log(compute / least)) / alpha
        centred = rise - rise.mean()
        slope = centred @ accuracy / (centred @ centred)
        errors = accuracy - mean - slope * centred
        return errors @ errors, slope, mean - slope * rise.mean()

    best = int(np.argmin([regress(alpha)[0] for alpha in ALPHAS]))
    low, high = np.log(ALPHAS[[max(best - 1, 0), min(best + 1, len(ALPHAS) - 1)]])
    for _ in range(60):
        step = (math.sqrt(5) - 1) / 2 * (high - low)
        if regress(np.exp(high - step))[0] < regress(np.exp(low + step))[0]:
            high = low + step
        else:
            low = high - step
    alpha = math.exp((low + high) / 2)
    error, slope, intercept = regress(alpha)
    r_squared = 1 - error / ((accuracy - mean) ** 2).sum()
    return Fit(float(-slope / alpha * least**alpha), alpha, float(intercept + slope / alpha), float(r_squared))


def read_points(folder) -> dict[str, np.ndarray]:
    """FLOPs and accuracies of a run's evaluations after step 0, float64 ``[2, points]`` by difficulty.

    From the run's trainer_state.json, or that of its newest checkpoint where that is further. Raises ValueError, in one
    line, for a folder that is no run, and for a history without accuracies or without FLOPs.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"runs: no folder {folder}")
    places = [folder, Path(last_checkpoint(folder) or folder)]
    files = [place / STATE for place in places if (place / STATE).is_file()]
    if not files:
        raise ValueError(f"runs: {folder} is no run: no {STATE} in it or in a checkpoint-N")
    state = max(map(check_state, files), key=lambda state: state["global_step"])
    history = {}
    for entry in state["log_history"]:
        history.setdefault(entry["step"], {}).update(entry)
    points = {}
    for step, entry in sorted(history.items()):
        if not step:  # no compute yet, of which nothing can be a power
            continue
        measured = [name for name in THRESHOLDS if f"eval_accuracy_{name}" in entry]
        if measured and not entry.get(FLOPS):
            raise ValueError(f"runs: {folder} has no {FLOPS} at step {step}, so that its compute is not known")
        for name in measured:
            points.setdefault(name, []).append((entry[FLOPS], entry[f"eval_accuracy_{name}"]))
    if not points:
        raise ValueError(f"runs: {folder} has no evaluation after step 0 with eval_accuracy_{' or _'.join(THRESHOLDS)}")
    return {name: np.array(values, float).T for name, values in points.items()}


def draw(points: dict[str, dict[str, np.ndarray]], fits: dict[str, dict[str, Fit]], path) -> None:
    """Draws a PNG: a panel for each difficulty, a colour for each run, P* dashed. Both are by run and difficulty."""
    from matplotlib.figure import Figure

    measured = set().union(*points.values())
    names = [name for name in THRESHOLDS if name in measured]
    figure = Figure(figsize=(5 * len(names), 4.4 + 0.2 * len(points)), layout="constrained")
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for index, run in enumerate(points):
            if name in points[run]:
                _draw_run(axis, run, points[run][name], fits[run][name], looks.marked(index))
        compute = np.concatenate([of_run[name][0] for of_run in points.values() if name in of_run])
        looks.log_ticks(axis, compute.min(), compute.max(), _scientific)
        axis.set(xlabel="training compute C (FLOPs)", ylabel="next-token accuracy (%)")
        axis.set_title(f"{name} (entropy > {THRESHOLDS[name]:g})")
        axis.tick_params(axis="x", labelsize="small")
        axis.grid(alpha=0.3)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False, fontsize="small")
    figure.suptitle(r"Accuracy by compute, fitted by $P(C) = A\,/\,C^{\alpha} + P^*$, with $P^*$ dashed")
    figure.savefig(path, dpi=120, format="png")


def _draw_run(axis, run: str, points: np.ndarray, fitted: Fit, look: dict) -> None:
    compute, accuracy = points
    figures = rf"$P^*$ {fitted.P_star:.1%}, $\alpha$ {fitted.alpha:.3g}, $R^2$ {fitted.r_squared:.3f}"
    name = visible(run).replace("$", r"\$")  # its own is no mathematics
    label = f"{name}: {fitted.remark.partition(':')[0] or figures}"
    curve = np.geomspace(compute.min(), compute.max(), 200)
    axis.plot(compute, 100 * accuracy, linestyle="", **look)
    axis.plot(curve, 100 * fitted(curve), markevery=[], label=label, **look)  # its mark is in the legend alone
    if not fitted.remark:  # else it is not known, or far from all points
        axis.axhline(100 * fitted.P_star, color=look["color"], linestyle="--", linewidth=1)


def _scientific(value: float) -> str:
    factor, power = f"{value:.1e}".replace(".0", "").split("e")
    return ("" if factor == "1" else rf"{factor}$\times$") + f"$10^{{{int(power)}}}$"


def write(folders, output) -> str:
    """Fits every run, writes scaling.md, scaling.json (with the points) and scaling.png into `output`; gives the table.

    Raises ValueError, before anything is written, for what `read_points` and `fit` refuse.
    """
    points = {str(folder): read_points(folder) for folder in folders}
    fits = {run: {} for run in points}
    rows: list[dict[str, Any]] = []
    for run, by_difficulty in points.items():
        for name, (compute, accuracy) in by_difficulty.items():
            try:
                fitted = fit(compute, accuracy)
            except ValueError as error:
                raise ValueError(f"runs: {run}, {name}: {error}") from error
            fits[run][name] = fitted
            # JSON has no NaN.
            values = {key: value if math.isfinite(value) else None for key, value in vars(fitted).items()}
            measured = {"compute": compute.tolist(), "accuracy": accuracy.tolist(), "remark": fitted.remark}
            rows.append({"run": run, "difficulty": name} | values | measured)

    def cell(row, key, show=POWER):
        return "" if row[key] is None else show(row[key])

    table = markdown_table(
        [
            {
                "run": row["run"],
                "difficulty": row["difficulty"],
                "evaluations": COUNT(len(row["compute"])),
                "A": cell(row, "A"),
                "alpha": cell(row, "alpha"),
                "P*": cell(row, "P_star", "{:.2%}".format),
                "R squared": cell(row, "r_squared", "{:.4f}".format),
                "remark": row["remark"],
            }
            for row in rows
        ]
    )
    text = (
        "P(C) = A / C^alpha + P*, with C in FLOPs (8 for each token and weight outside of the embeddings) and P a "
        f"share.\n\n{table}\n"
    )
    output = Path(output)
    with holding(output):
        write_text(output / FILES[0], f"# Accuracy over compute\n\n![fit]({FILES[2]})\n\n{text}")
        write_text(output / FILES[1], json.dumps(rows, indent=2) + "\n")
        with whole(output / FILES[2]) as temporary:
            draw(points, fits, temporary)
    return text
