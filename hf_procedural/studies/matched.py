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
from .reading import MATCHED, TRANSFER, Reference, Stage, references


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
    _from_scratch(graph, run, tokens, "compute_matched")


def _flops(graph, run, tokens: int, flops: float) -> None:
    if not (flops and run.amount.flops):
        raise ValueError(f"stage {run.stage}: the FLOPs of {run.name} are not known: match by compute_matched, tokens")
    more = math.ceil(flops / run.amount.flops * run.amount.tokens)
    _from_scratch(graph, run, more, "flops_matched")


def _from_scratch(graph, run, tokens: int, kind: str) -> None:
    more = _whole_steps(run, kind, tokens)
    arguments = _without_transfer(_with_budget(run, run.amount.tokens + more)) | {"init_from": "scratch"}
    _add(graph, run, _without_transfer(run.arm), arguments, [], f"{kind} {tokens}", kind)


def _natural(graph, run, tokens: int, flops: float) -> None:
    arguments = _without_transfer(_with_budget(run, _whole_steps(run, "natural", tokens))) | {"init_from": "scratch"}
    stage = f"{run.stage}_natural"
    graph.by_arm.setdefault(stage, {})
    arm = _without_transfer(run.arm) | {"init_from": f"natural {tokens}"}
    first = dataclasses.replace(run, stage=stage, arm=arm, arguments=arguments, after=[], matched=None)
    first = graph.runs.get(first.name) or first
    graph.add(first)
    words = [word for word in references(run.arm["init_from"], graph.study.stages) if isinstance(word, Reference)]
    before = {word.before for word in words}
    source = ",".join(f"{each}{graph.study.output / first.name}" for each in sorted(before))
    label = ",".join(f"{each}{stage}/{first.arm_name}" for each in sorted(before))
    arm = {key: value for key, value in run.arm.items() if key != "embeddings"}  # which are drawn anew in all
    _add(graph, run, arm, run.arguments | {"init_from": source, "embeddings": "reinit"}, [first], label, "natural")


def _substitutive(graph, run, tokens: int, flops: float) -> None:
    left = run.amount.tokens - _whole_steps(run, "substitutive", tokens)
    if left < run.amount.tokens_per_step:
        raise ValueError(
            f"stage {run.stage}: substitutive: the warm-up of {run.name}, {tokens:,} tokens, leaves less than a step "
            f"of {run.amount.tokens:,}"
        )
    label = f"{run.arm['init_from']} substitutive"
    _add(graph, run, run.arm, _with_budget(run, left), run.after, label, "substitutive")


_MAKE = dict(zip(MATCHED, (_compute, _flops, _natural, _substitutive), strict=True))


def _with_budget(run, tokens: int) -> dict:
    """A run's arguments, for so many tokens, which are whole steps."""
    if run.arguments.get("max_tokens") is None:
        return run.arguments | {"max_steps": tokens // run.amount.tokens_per_step}
    own = {key: value for key, value in run.arguments.items() if key not in ("substitutive", "max_steps")}
    return own | {"max_tokens": tokens}


def _whole_steps(run, kind: str, tokens: int) -> int:
    """As many tokens, to the nearest whole step of a run. Raises ValueError where they are less than one."""
    if tokens < run.amount.tokens_per_step:
        raise ValueError(
            f"stage {run.stage}: {kind}: {tokens:,} tokens beside {run.name} are less than a step of "
            f"{run.amount.tokens_per_step:,}: give the warm-up more, or smaller batches here"
        )
    return round(tokens / run.amount.tokens_per_step) * run.amount.tokens_per_step


def _without_transfer(words: dict) -> dict:
    """An arm, or its arguments, without those that have no effect on a model from scratch."""
    return {key: value for key, value in words.items() if key not in TRANSFER}


def _add(graph, run, arm: dict, arguments: dict, after: list, label: str, kind: str) -> None:
    matched = {"kind": kind, "to": run.arm_name}
    arm = arm | {"init_from": label}
    planned = dataclasses.replace(run, arm=arm, arguments=arguments, after=after, matched=matched)
    if planned.name not in graph.runs:  # several warm-ups of one size have one arm beside them
        graph.add(planned)
