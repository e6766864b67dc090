"""Metrics as `evaluate` modules, loaded from this folder, so offline too."""

from pathlib import Path

NAMES = ("answer_accuracy", "exact_match")


def load(name: str):
    """The `evaluate.Metric` of that name.

    Raises ValueError for a name not in `NAMES`.
    """
    if name not in NAMES:
        raise ValueError(f"unknown metric {name!r} (metrics: {', '.join(NAMES)})")
    import evaluate

    return evaluate.load(str(Path(__file__).parent / name))
