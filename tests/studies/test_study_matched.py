"""Matched arms: as much as the warm-up's, in another way."""

import pytest

from hf_procedural.studies import graph, reading

STUDY = """
stages:
  warmup:
    recipe: pretrain
    task: [sort-8, set-16]
    size: 2_4_16
    per_device_train_batch_size: 10
    max_steps: 50
  probe:
    recipe: pretrain
    task: reverse-8
    size: 2_4_16
    per_device_train_batch_size: 10
    max_steps: 200
    transfer: [attn]
    init_from: [scratch, warmup, permuted:warmup/sort*]
    matched: [compute_matched, flops_matched, natural, substitutive]
"""
TEXT = """
stages:
  warmup:
    recipe: pretrain
    task: sort-8
    size: 2_4_16
    max_steps: 100
  middle:
    recipe: pretrain
    task: set-8
    max_steps: 50
    init_from: warmup
  text:
    recipe: semantic
    dataset: text.jsonl
    sequence_length: 64
    per_device_train_batch_size: 2
    max_tokens: 1_000_000
    init_from: attn=middle
    embeddings: average
    matched: [compute_matched, natural, substitutive]
"""


def _runs(tmp_path, content: str) -> dict[str, graph.Planned]:
    (tmp_path / "study.yaml").write_text(content)
    return graph.Graph(reading.read(tmp_path / "study.yaml", "out")).runs


def _matched(runs: dict, kind: str) -> list:
    return [run for run in runs.values() if run.matched and run.matched["kind"] == kind]


def test_each_arm_with_a_warm_up_has_its_own(tmp_path):
    runs = _runs(tmp_path, STUDY)
    sort, set_ = (runs[f"warmup/{name}/seed_0"].amount for name in ("sort-8", "set-16"))
    plain = runs["probe/warmup_sort-8/seed_0"].amount
    assert sort.tokens == 50 * 10 * 17 and set_.tokens == 50 * 10 * 33 and plain.tokens_per_step == 170
    for kind in ("compute_matched", "flops_matched", "natural", "substitutive"):
        assert [run.matched["to"] for run in _matched(runs, kind)] == ["warmup_sort-8", "warmup_set-16"]
    compute, flops = (_matched(runs, kind) for kind in ("compute_matched", "flops_matched"))
    for run, more, of_flops in zip(compute, (sort, set_), flops, strict=True):
        assert run.amount.tokens == pytest.approx(plain.tokens + more.tokens, abs=170)
        assert of_flops.amount.flops == pytest.approx(plain.flops + more.flops, abs=plain.flops / 200)
    for run in (*compute, *flops):  # their models are new
        assert run.arguments["init_from"] == "scratch" and "transfer" not in run.arguments and not run.after
    for run, less in zip(_matched(runs, "substitutive"), (sort, set_), strict=True):
        assert run.amount.tokens == pytest.approx(plain.tokens - less.tokens, abs=170)
        assert run.arguments["init_from"] == f"out/{run.after[0].name}" and run.arguments["transfer"] == ["attn"]


def test_natural_is_the_stages_own_data_first(tmp_path):
    runs = _runs(tmp_path, STUDY)
    for run in _matched(runs, "natural"):
        (first,) = run.after
        assert first.stage == "probe_natural" and first.arguments["task"] == "reverse-8" and not first.after
        assert first.arguments["init_from"] == "scratch" and "transfer" not in first.arguments
        assert run.arguments["init_from"] == f"out/{first.name}" and run.arguments["embeddings"] == "reinit"
        assert run.amount == runs["probe/scratch/seed_0"].amount
        warmup = runs[f"warmup/{run.matched['to'].removeprefix('warmup_')}/seed_0"]
        assert first.amount.tokens == pytest.approx(warmup.amount.tokens, abs=170)


def test_a_budget_of_tokens_counts_all_stages_before(tmp_path):
    runs = _runs(tmp_path, TEXT)
    before = (100 + 50) * 8 * 17
    (compute,), (natural,), (less,) = (_matched(runs, kind) for kind in ("compute_matched", "natural", "substitutive"))
    assert compute.arguments["max_tokens"] == pytest.approx(1_000_000 + before, abs=128)
    assert compute.arguments["init_from"] == "scratch"
    assert natural.after[0].arguments["max_tokens"] == round(before / 128) * 128
    assert natural.arguments["init_from"] == f"attn=out/{natural.after[0].name}"
    assert less.arguments["max_tokens"] == pytest.approx(1_000_000 - before, abs=128)
    own = TEXT.replace("    matched: [compute_matched, natural, substitutive]\n", "    substitutive: true\n")
    (run,) = [run for run in _runs(tmp_path, own).values() if run.stage == "text"]  # which the recipe counts itself
    assert run.amount.tokens == pytest.approx(1_000_000 - before, abs=128)
    assert run.amount.tokens == pytest.approx(less.amount.tokens, abs=128)  # a step: that one is rounded


def test_warm_ups_of_one_size_share_what_is_beside_them(tmp_path):
    runs = _runs(tmp_path, STUDY.replace("set-16", "identity-8"))
    assert len(_matched(runs, "compute_matched")) == len(_matched(runs, "natural")) == 1
    assert len(_matched(runs, "substitutive")) == 2
    assert len([run for run in runs.values() if run.stage == "probe_natural"]) == 1


SHORT = """
stages:
  warmup: {recipe: pretrain, task: sort-8, max_steps: 25, size: 2_4_16}
  text:
    recipe: semantic
    dataset: text.jsonl
    sequence_length: 4
    init_from: warmup
    matched: [compute_matched, natural, substitutive]
"""


@pytest.mark.parametrize(("rows", "steps"), [(17, 50), (40, 21), (32, 27)])  # 3,400 tokens, by 4 of a row
@pytest.mark.parametrize("budget", ["max_steps: 100", "max_tokens: {}", "max_tokens: null\n    max_steps: 100"])
def test_budgets_are_whole_steps_the_nearest_and_one_of_the_two(budget, rows, steps, tmp_path):
    budget = budget.format(100 * rows * 4)
    runs = _runs(tmp_path, f"{SHORT}    per_device_train_batch_size: {rows}\n    {budget}\n")
    made = {kind: _matched(runs, kind)[0] for kind in ("compute_matched", "natural", "substitutive")}
    made["natural"] = made["natural"].after[0]
    planned = {"compute_matched": 100 + steps, "natural": steps, "substitutive": 100 - steps}
    assert {kind: run.amount.tokens for kind, run in made.items()} == {
        kind: count * rows * 4 for kind, count in planned.items()
    }
    for kind, run in made.items():
        expected = (planned[kind], None) if "max_steps" in budget else (None, planned[kind] * rows * 4)
        assert (run.arguments.get("max_steps"), run.arguments.get("max_tokens")) == expected


@pytest.mark.parametrize("kind", ["compute_matched", "flops_matched", "natural", "substitutive"])
def test_a_difference_of_less_than_a_step_is_none(kind, tmp_path):
    content = STUDY.replace("compute_matched, flops_matched, natural, substitutive", kind).replace("set-16", "set-8")
    small = content.replace("max_steps: 50", "max_steps: 1")
    assert len(_matched(_runs(tmp_path, small), kind)) >= 1  # just a step
    large = small.replace("max_steps: 200", "gradient_accumulation_steps: 2\n    max_steps: 200")
    with pytest.raises(ValueError, match=rf"stage probe: {kind}: 170 tokens beside .* are less than a step of 340"):
        _runs(tmp_path, large)


def test_what_has_no_effect_is_in_no_arm(tmp_path):
    axes = "    transfer: [[attn], [all]]\n    embeddings: [retain, reinit]\n"
    content = (
        STUDY.replace("    transfer: [attn]\n", axes).replace(", set-16]", "]").replace(", permuted:warmup/sort*", "")
    )
    runs = _runs(tmp_path, content)
    without = [run for run in runs.values() if run.arguments.get("init_from") == "scratch"]
    assert [run.name for run in without] == [
        "probe/scratch/seed_0",
        "probe/compute_matched_8500/seed_0",
        "probe/flops_matched_8500/seed_0",
        "probe_natural/natural_8500/seed_0",
    ]
    assert all(not {"transfer", "embeddings"} & (run.arguments.keys() | run.arm.keys()) for run in without)
    natural = _matched(runs, "natural")  # whose embeddings are drawn anew
    assert [run.arguments["transfer"] for run in natural] == [["attn"], ["all"]]
    assert all("embeddings" not in run.arm and run.arguments["embeddings"] == "reinit" for run in natural)
    assert len([run for run in runs.values() if run.arm.get("embeddings") == "retain" and not run.matched]) == 2
