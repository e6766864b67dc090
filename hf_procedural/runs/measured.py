"""Every measured name once: what tables, cards and curves call it, how its values are written, and which are better."""

import dataclasses
import math
import re
from collections.abc import Callable, Collection, Mapping

from .tables import COUNT, HUNDREDTHS, NATS, POWER, SHARE, duration, si

REWARDS = ("quality", "meaning", "structure", "length", "format")  # of a paraphrase, in recycle/rewards.py
THRESHOLDS = {"easy": 0.5, "medium": 1.0, "hard": 1.5}  # nats; nested: hard ones are medium and easy, too


DIVERGED_STEP = "diverged_step"  # logged once, where a loss is not a number
PASSES = "text_passes"  # logged of runs on text: how many whole passes over it are behind them


@dataclasses.dataclass(frozen=True)
class Measure:
    """A number that a run comes to; those with `words` are logged as ``eval_KEY`` and stand in eval_results.json."""

    key: str
    title: str  # of its column in a table of runs
    format: Callable[[float], str]
    better: int = 0  # 1 where more is better, -1 where less is, 0 where it measures no quality
    words: str = ""  # in a model card
    kind: str = ""  # type of the metric on the Hub
    curve: str = ""  # label of its line in training.png


def _share(key: str, title: str, words: str, kind: str = "accuracy", curve: str = "") -> Measure:
    return Measure(key, title, SHARE, 1, words, kind, curve)


def _next_token(name: str) -> Measure:
    words = f"next tokens right, {name} questions"
    return _share(f"accuracy_{name}", f"accuracy, {name}", words, curve=f"{name} questions")


def _reward(key: str, show: Callable[[float], str], kind: str, words: str) -> Measure:
    # of no quality by itself: each can be had at the cost of the others
    return Measure(key, key.replace("_", " "), show, 0, words, kind, curve=key)


def _pass_at(k: int) -> Measure:
    return _share(f"pass@{k}", f"pass@{k}", f"pass@{k}, sampled", "pass@k", curve=f"pass@{k}")


_MEASURES = (  # evaluated ones in the order of a model card
    Measure("steps", "steps", COUNT),
    Measure("tokens", "tokens", si),
    Measure("earlier_tokens", "earlier tokens", si),
    Measure("flops", "FLOPs", POWER),
    Measure("earlier_flops", "earlier FLOPs", POWER),
    Measure("seconds", "wall time", duration),
    Measure("training_loss", "training loss", NATS, -1),
    _share("answer_accuracy", "accuracy", "scored tokens right", curve="answer tokens"),
    _share("exact_match", "exact match", "whole answers right", "exact_match", curve="whole answers, greedy"),
    _share("test_answer_accuracy", "accuracy, longer rows", "scored tokens right, at lengths beyond those of training"),
    _share("test_exact_match", "exact match, longer rows", "whole answers right, there", "exact_match"),
    _share("greedy_exact_match", "greedy exact match", "whole answers right, generated greedily", "exact_match"),
    _share("acc", "accuracy of choices", "choices right"),  # as lm-eval calls them
    _share("acc_norm", "accuracy of choices, by length", "choices right, by their length"),
    Measure("loss", "evaluation loss", NATS, -1, "loss (nats per token)", "loss", "validation"),
    Measure("perplexity", "perplexity", HUNDREDTHS, -1, "perplexity", "perplexity", "validation"),
    Measure("bits_per_byte", "bits per byte", NATS, -1, "bits per byte", "bits_per_byte", "validation"),
    *(_next_token(name) for name in THRESHOLDS),
    _reward("reward", NATS, "reward", "reward, weighted"),
    _reward("quality", NATS, "reward", "quality: the judge's score, new less old"),
    _reward("meaning", SHARE, "accuracy", "meaning kept (BERTScore at its threshold)"),
    _reward("structure", SHARE, "accuracy", "structure kept (by the judge)"),
    _reward("length", SHARE, "accuracy", "at most 1.25 times as long"),
    _reward("format", SHARE, "accuracy", "begin with the marker"),
    _reward("length_ratio", HUNDREDTHS, "length_ratio", "characters, new to old"),
    Measure("threshold_step", "step at accuracy {}", COUNT, -1),
    Measure("tokens_needed", "tokens needed", si, -1),
    Measure("share", "share", SHARE, -1),
    Measure("share_with_earlier", "share with earlier tokens", SHARE, -1),
)
MEASURES = {measure.key: measure for measure in _MEASURES}


def measure_of(logged: str) -> Measure | None:
    """The measure that a name in a log ends with, as ``eval_interpolate_exact_match`` does; None for other numbers.

    >>> measure_of("eval_interpolate_exact_match").words
    'whole answers right'
    >>> measure_of("eval_pass@6").better
    1
    """
    words = logged.split("_")
    for start in range(len(words)):
        key = "_".join(words[start:])
        if key in MEASURES:
            return MEASURES[key]
        if re.fullmatch(r"pass@\d+", key):
            return _pass_at(int(key.removeprefix("pass@")))
    return None


def diverged_step(history: Collection[dict], is_float16: bool = False) -> int | None:
    """The step from which on the losses of a log, entries by ascending step, are no numbers; None where they all are.

    Older logs tell it by the norm of the gradient alone, which of float16 may be no number in a step that is left out.
    """
    for entry in history:  # first, since of one step the loss stands before it
        if DIVERGED_STEP in entry:
            return entry[DIVERGED_STEP]
    for entry in history:
        losses = [entry.get(key, 0) for key in ("loss", "eval_loss", "train_loss")]
        norm = 0 if is_float16 else entry.get("grad_norm", 0)
        if not all(map(math.isfinite, losses)) or math.isnan(norm):
            return entry["step"]
    return None


def whole_passes(mark: Mapping) -> int | None:
    """The whole passes over text behind a place in its rows, of the source that had most; None without text.

    >>> whole_passes({"row": 9, "sources": [{"epoch": 2, "document": 5, "tokens": 0}, {"task_row": 7, "tokens": 0}]})
    2
    """
    inner = map(whole_passes, (*mark.get("sources", ()), *mark.get("kinds", ())))
    return max((passes for passes in (mark.get("epoch"), *inner) if passes is not None), default=None)


def source_losses(evaluated: Mapping[str, float]) -> dict[str, float]:
    """The loss on each source of a run on text and procedural tasks; none in others, which log no eval_text_loss.

    >>> source_losses({"eval_loss": 3.0, "eval_text_loss": 3.0, "eval_sort-64_loss": 2.5})
    {'sort-64': 2.5}
    """
    if "eval_text_loss" not in evaluated:
        return {}
    found = ((re.fullmatch(r"eval_(.+)_loss", key), value) for key, value in sorted(evaluated.items()))
    return {match[1]: value for match, value in found if match and match[1] != "text"}
