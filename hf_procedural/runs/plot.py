"""The curves of a run, as its folder keeps them in training.png."""

from pathlib import Path

import numpy as np

from .. import looks
from ..files import whole
from ..terminal import visible
from .measured import REWARDS, THRESHOLDS, diverged_step, measure_of, source_losses

_LOSSES = {"loss": "training", "eval_loss": "validation"}
_ACCURACY = "validation accuracy"
# What may stand on the right, by the label of its axis: the first of which anything was evaluated, else the last.
_PANELS = {
    "bits per byte": ("eval_bits_per_byte",),
    "next-token accuracy": tuple(f"eval_accuracy_{name}" for name in THRESHOLDS),
    "held-out texts, mean of each reward": tuple(f"eval_{name}" for name in REWARDS),
    _ACCURACY: ("eval_answer_accuracy", "eval_exact_match", "eval_pass@1", "eval_pass@8", "eval_pass@64"),
}
_FEW = 40  # points, which get a mark each


def plot(history: list[dict], path, title: str) -> None:
    """Draws loss or reward, and what was evaluated, over steps from a Trainer's log history, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    logged = {key for entry in history for key in entry}
    by_reward = "reward" in logged
    number = _draw(left, history, {"reward": "training"} if by_reward else _LOSSES | _losses_of_sources(logged))
    label = next((label for label, keys in _PANELS.items() if logged.intersection(keys)), _ACCURACY)
    measures = {key: measure_of(key) for key in _PANELS[label]}
    _draw(right, history, {key: measure.curve for key, measure in measures.items() if measure}, max(number, 2))
    steps, lengths = _points(history, "eval_curriculum_length")
    if len(steps):
        twin = right.twinx()
        twin.step(steps, lengths, color=looks.GRAY, where="post", linestyle=":")
        twin.set_ylabel("curriculum length (dotted)")
        twin.yaxis.get_major_locator().set_params(integer=True)
    if (diverged := diverged_step(history)) is not None:
        left.axvline(diverged, color=looks.BLACK, linestyle="--", label=f"diverged at step {diverged:,}")
        _legend(left)
    if label == _ACCURACY:
        right.set_ylim(0, 1.02)
    left.set_ylabel("mean reward" if by_reward else "loss (nats per token)")
    right.set_ylabel(label)
    figure.suptitle(visible(title), parse_math=False)
    with whole(Path(path)) as temporary:
        figure.savefig(temporary, dpi=120, format="png")


def _legend(axis) -> None:
    """A legend above the panel, where it covers no curve."""
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize="small", borderaxespad=0.2)


def _losses_of_sources(logged: set[str]) -> dict[str, str]:
    """The labels of the losses of sources, where each has one of its own."""
    return {f"eval_{name}_loss": f"validation, {name}" for name in source_losses(dict.fromkeys(logged, 0.0))}


def _points(history: list[dict], key: str) -> np.ndarray:
    """float64 ``[2, points]``: the steps at which `key` was logged, and its values."""
    points = [(entry["step"], entry[key]) for entry in history if entry.get(key) is not None]
    return np.array(points, float).reshape(-1, 2).T


def _draw(axis, history: list[dict], curves: dict[str, str], number: int = 0) -> int:
    """A line with its label for each key that was logged, in the looks of `number` and those that follow.

    Gives the number behind the last: no two curves of a figure look alike.
    """
    for key, label in curves.items():
        steps, values = _points(history, key)
        if len(steps):
            mark = {"marker": looks.marker(number), "markersize": 4} if len(steps) < _FEW else {}
            axis.plot(steps, values, label=label, color=looks.colour(number), **mark)
        number += 1
    axis.set_xlabel("optimizer step")
    axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)  # a run of one point, too, has no half steps
    axis.grid(alpha=0.3)
    if axis.lines:
        _legend(axis)
    else:
        axis.text(0.5, 0.5, "nothing was logged", ha="center", color=looks.GRAY, transform=axis.transAxes)
    return number
