"""The curves of a run, as its folder keeps them in training.png."""

import numpy as np

from .measured import REWARDS, THRESHOLDS

# What a plot shows on the right where the key on the left was evaluated: (label of the axis, curves).
_MEASURES = {
    "eval_bits_per_byte": ("bits per byte", {"eval_bits_per_byte": "validation"}),
    "eval_accuracy_easy": (
        "next-token accuracy",
        {f"eval_accuracy_{name}": f"{name} questions" for name in THRESHOLDS},
    ),
    "eval_length_ratio": ("held-out texts, mean of each reward", {f"eval_{name}": name for name in REWARDS}),
    "eval_pass@1": (
        "validation accuracy",
        {"eval_exact_match": "whole answers, greedy"} | {f"eval_pass@{k}": f"pass@{k}" for k in (1, 8, 64)},
    ),
    "eval_answer_accuracy": (
        "validation accuracy",
        {"eval_answer_accuracy": "answer tokens", "eval_exact_match": "whole answers"},
    ),
}


def plot(history: list[dict], path, title: str) -> None:
    """Draws loss or reward, and what was evaluated, over steps from a Trainer's log history, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    logged = {key for entry in history for key in entry}
    by_reward = "reward" in logged
    measure = next((key for key in _MEASURES if key in logged), "eval_answer_accuracy")
    label, measures = _MEASURES[measure]
    losses = {"reward": "training"} if by_reward else {"loss": "training", "eval_loss": "validation"}
    for axis, curves in ((left, losses), (right, measures)):
        for key, name in curves.items():
            points = [(entry["step"], entry[key]) for entry in history if entry.get(key) is not None]
            if points:
                axis.plot(*np.array(points).T, label=name, marker="." if len(points) < 40 else None)
    lengths = [
        (entry["step"], entry["eval_curriculum_length"]) for entry in history if "eval_curriculum_length" in entry
    ]
    if lengths:
        twin = right.twinx()
        twin.step(*np.array(lengths).T, color="gray", where="post", linestyle=":")
        twin.set_ylabel("curriculum length (dotted)")
    if label == "validation accuracy":
        right.set_ylim(0, 1.02)
    for axis, name in ((left, "mean reward" if by_reward else "loss (nats per token)"), (right, label)):
        axis.set(xlabel="optimizer step", ylabel=name)
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
