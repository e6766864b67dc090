"""Arms that are given as much as those with a warm-up, in other ways: what a warm-up has to be held against.

    compute_matched   from scratch, with as many more tokens of this stage as the warm-up had
    flops_matched     from scratch, with as many more FLOPs of this stage as the warm-up had
    natural           the warm-up is as many tokens of this stage's own data, and embeddings are drawn anew behind it
    substitutive      the warm-up, and as many tokens fewer of this stage

Jiang et al. 2026 (Procedural Pretraining, arXiv:2601.21725) has the last one, and scratch, of these.
"""

import dataclasses
import math
import re

from .amounts import all_before
from .reading import MATCHED, Reference, Stage, references


def add_matched(graph, stage: Stage) -> None:
    """Adds the matched arms of a stage to the runs of a Graph. Raises ValueError where a warm-up's size is unknown."""
    if f"{stage.name}_natural" in graph.study.stages:
        raise ValueError(f"stage {stage.name}_natural has the name of natural warm-ups of {stage.name}: choose another")
    warmed = [run for run in graph.runs.values() if run.stage == stage.name and _is_warmed(graph, run)]
    if not warmed:
        raise ValueError(f"stage {stage.name}: matched arms are for those that begin from a stage, and none does")
    for run in warmed:
        amounts = [before.amount for before in all_before(run)]
        if run.amount is None or None in amounts:
            raise ValueError(
                f"stage {stage.name}: the tokens of {run.name} are not known before it has run, so nothing can be "
                "matched: give max_tokens or max_steps, here and in the stages before"
            )
        for kind in stage.matched:
            _MAKE[kind](graph, run, sum(amount.tokens for amount in amounts), sum(amount.flops for amount in amounts))


def _is_warmed(graph, run) -> bool:
    words = references(run.arm.get("init_from"), graph.study.stages)
    return any(isinstance(word, Reference) for word in words) and not re.search(r"\w:", run.arm["init_from"])


def _compute(graph, run, tokens: int, flops: float) -> None:
    _from_scratch(graph, run, tokens, f"compute_matched {tokens}", "compute_matched")


def _flops(graph, run, tokens: int, flops: float) -> None:
    if not (flops and run.amount.flops):
        raise ValueError(f"stage {run.stage}: the FLOPs of {run.name} are not known: match by compute_matched, tokens")
    more = math.ceil(flops / run.amount.flops * run.amount.tokens)
    _from_scratch(graph, run, more, f"flops_matched {more}", "flops_matched")


def _from_scratch(graph, run, tokens: int, label: str, kind: str) -> None:
    arguments = _with_budget(run, run.amount.tokens + tokens)
    for key in ("transfer", "embeddings", "layers"):
        arguments.pop(key, None)
    _add(graph, run, arguments | {"init_from": "scratch"}, [], label, kind)


def _natural(graph, run, tokens: int, flops: float) -> None:
    arguments = _with_budget(run, tokens) | {"init_from": "scratch"}
    for key in ("transfer", "embeddings", "layers"):
        arguments.pop(key, None)
    stage = f"{run.stage}_natural"
    graph.by_arm.setdefault(stage, {})
    arm = run.arm | {"init_from": f"natural {tokens}"}
    first = dataclasses.replace(run, stage=stage, arm=arm, arguments=arguments, after=[], matched=None)
    first = graph.runs.get(first.name) or first
    graph.add(first)
    words = [word for word in references(run.arm["init_from"], graph.study.stages) if isinstance(word, Reference)]
    before = {word.before for word in words}
    source = ",".join(f"{each}{graph.study.output / first.name}" for each in sorted(before))
    label = ",".join(f"{each}{stage}/{first.arm_name}" for each in sorted(before))
    _add(graph, run, run.arguments | {"init_from": source, "embeddings": "reinit"}, [first], label, "natural")


def _substitutive(graph, run, tokens: int, flops: float) -> None:
    left = run.amount.tokens - tokens
    if left < run.amount.tokens_per_step:
        raise ValueError(
            f"stage {run.stage}: substitutive: the warm-up of {run.name}, {tokens:,} tokens, leaves less than a step "
            f"of {run.amount.tokens:,}"
        )
    _add(graph, run, _with_budget(run, left), run.after, f"{run.arm['init_from']} substitutive", "substitutive")


_MAKE = dict(zip(MATCHED, (_compute, _flops, _natural, _substitutive), strict=True))


def _with_budget(run, tokens: int) -> dict:
    """A run's arguments, for so many tokens."""
    if "max_tokens" in run.arguments:
        return {key: value for key, value in run.arguments.items() if key != "substitutive"} | {"max_tokens": tokens}
    return run.arguments | {"max_steps": max(1, round(tokens / run.amount.tokens_per_step))}


def _add(graph, run, arguments: dict, after: list, label: str, kind: str) -> None:
    matched = {"kind": kind, "to": run.arm_name}
    arm = run.arm | {"init_from": label}
    planned = dataclasses.replace(run, arm=arm, arguments=arguments, after=after, matched=matched)
    if planned.name not in graph.runs:  # several warm-ups of one size have one arm beside them
        graph.add(planned)
