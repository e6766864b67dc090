"""Which arms of a planned study are compared with which, and how a report calls them."""

import pytest
import yaml
from support.made_study import MadeStudy

from hf_procedural.studies import arms, engine, graph, reading

SMALL = {"size": "2_4_16"}
WARMUP = SMALL | {"recipe": "pretrain", "task": ["sort-8"], "max_steps": 20, "per_device_train_batch_size": 4}
TEXT = SMALL | {"recipe": "semantic", "settings": "pydoc", "tokenizer_size": 512, "max_tokens": 32640}
TEXT |= {"sequence_length": 68, "per_device_train_batch_size": 1}  # of which the warm-up is 20 steps
TEXT |= {"matched": ["compute_matched", "natural"], "init_from": ["scratch", "w"]}
COMPUTE = "scratch, compute-matched 1.36k"  # 20 steps of 4 rows of 17 tokens


def groups_of(tmp_path, **stages):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"stages": {"w": WARMUP, **stages}}))
    plan = engine.plan_of(graph.Graph(reading.read(tmp_path / "study.yaml", tmp_path / "out")))
    return arms.groups(arms.read_arms(plan, tmp_path / "out"))


def pairs(group):
    """What each arm with real weights is compared with, by its label."""
    return {arm.label: {role: o.label for role, o in arms.controls_of(arm, group).items()} for arm in group}


@pytest.mark.parametrize(
    ("stage", "naturals"),
    [
        (
            {"init_from": ["scratch", "w", "attn=w"]},
            {"sort-8": "natural 1.36k", "sort-8, attention only": "natural 1.36k, attention only"},
        ),
        (
            {"transfer": [["attn"], ["all"]]},
            {"sort-8": "natural 1.36k", "sort-8, attention only": "natural 1.36k, attention only"},
        ),
    ],
)
def test_an_arm_has_its_own_natural_and_all_of_one_size_one_from_scratch(stage, naturals, tmp_path):
    (group,) = groups_of(tmp_path, s=TEXT | stage).values()
    matched = {label: roles for label, roles in pairs(group).items() if roles}
    assert matched == {label: {"natural": each, "compute-matched": COMPUTE} for label, each in naturals.items()}


@pytest.mark.parametrize("own", [True, False])
def test_an_arm_has_the_natural_of_its_settings(own, tmp_path):
    """One for each choice of embeddings, or one without, since embeddings are drawn anew in all of them."""
    study = MadeStudy(tmp_path)
    study.add("w/set/seed_0", {"task": "set"}, tokens=500)
    study.add("s_natural/n/seed_0", {"init_from": "natural 500"}, tokens=500)
    for embeddings in ("reinit", "retain"):
        more = {"embeddings": embeddings}
        study.add(f"s/set_{embeddings}/seed_0", {"init_from": "w/set"} | more, after=["w/set/seed_0"])
        if own or embeddings == "reinit":
            matched = {"kind": "natural", "to": f"set_{embeddings}"}
            arm = {"init_from": "s_natural/n"} | (more if own else {})
            study.add(f"s/n_{embeddings}/seed_0", arm, after=["s_natural/n/seed_0"], matched=matched)
    (group,) = arms.groups(arms.read_arms(study.plan, tmp_path)).values()
    assert {label: roles for label, roles in pairs(group).items() if roles} == {
        f"set, embeddings={each}": {"natural": f"natural 500, embeddings={each}" if own else "natural 500"}
        for each in ("reinit", "retain")
    }


def test_one_natural_does_for_warm_ups_of_one_size_with_its_choice(tmp_path):
    stage = TEXT | {"init_from": ["scratch", "w", "attn=w/sort-8"]}
    (group,) = groups_of(tmp_path, w=WARMUP | {"task": ["sort-8", "set-8"]}, s=stage).values()
    naturals = {label: roles["natural"] for label, roles in pairs(group).items() if roles}
    assert naturals == {
        "sort-8": "natural 1.36k",
        "set-8": "natural 1.36k",
        "sort-8, attention only": "natural 1.36k, attention only",
    }


def test_what_begins_from_a_matched_arm_is_matched(tmp_path):
    text = TEXT | {"matched": ["compute_matched", "natural", "substitutive"]}
    after = SMALL | {"recipe": "pretrain", "task": "set-8", "max_steps": 5, "init_from": "s"}
    evaluated = {"recipe": "evaluate", "suite": "offline", "model_name_or_path": "s"}
    last = {"recipe": "evaluate", "suite": "offline", "model_name_or_path": "p"}
    groups = groups_of(tmp_path, s=text, p=after, e=evaluated, last=last)
    assert len(groups) == 4
    for title in groups.keys() - {"s: pydoc"}:
        group = groups[title]
        real = [arm.label for arm in group if arm.is_real]
        assert len(real) == 2 and real[1].endswith("_substitutive"), title
        assert pairs(group)[real[0]] == {"compute-matched": "compute-matched 1.36k", "natural": "natural 1.36k"}, title
        assert {arms.baseline_of(arm, group).label for arm in group[1:]} == {group[0].label}, title
        assert len(group) == 5, title  # with what began from scratch


def test_matched_arms_behind_a_choice_of_components_keep_names_of_their_own(tmp_path):
    text = TEXT | {"init_from": ["scratch", "w", "attn=w"]}
    evaluated = {"recipe": "evaluate", "suite": "offline", "model_name_or_path": "s"}
    group = groups_of(tmp_path, s=text, e=evaluated)["e"]
    assert len(group) == len({arm.label for arm in group}) == 6
    naturals = {arm.match: arm.name for arm in group if arm.matched == "natural"}
    assert naturals.keys() == {"e/s_w_sort-8", "e/s_attn_w_sort-8"} and len({*naturals.values()}) == 2
    real = {arm.name: arms.controls_of(arm, group)["natural"].name for arm in group if arm.is_real}
    assert real == naturals
