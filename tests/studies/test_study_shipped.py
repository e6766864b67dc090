"""The studies that come with the package: each can be run as it stands, with the papers' budgets."""

import re

import pytest
from support.running import ROOT

from hf_procedural import cli
from hf_procedural.studies.graph import Graph
from hf_procedural.studies.reading import read
from hf_procedural.training import catalogue

DOCS = (ROOT / "docs" / "guides" / "studies.md").read_text()
FILES = sorted((ROOT / "studies").glob("*.yaml"))
# Tokens of runs as the papers tell them, or by steps, rows and lengths that they tell.
BUDGETS = {
    "jiang2026_probes": {
        "dyck/dyck-64": 32.8e6,
        "haystack/scratch": 10_000 * 1_000 * 63,
        "addition/scratch": 10_000 * 1_000 * 19,
        "reversed_addition/lists_set": 10_000 * 1_000 * 34,
    },
    "jiang2026_semantic": {
        "warmup/sort__length-64": 20.6e6,
        "warmup/set__length-32": 10.4e6,
        "c4/scratch": 655.4e6,
        "c4/compute_matched_20648256": 655.4e6 + 20.6e6,
        "c4/warmup_sort__length-64_substitutive": 655.4e6 - 20.6e6,
        "c4_natural/natural_20648256": 20.6e6,
        "code/warmup_union__length-32": 983e6,
        "maths/permuted_warmup_set__length-32": 1.64e9,
    },
    "jiang2026_components": {"warmup/set-64": 20.6e6, "c4/attn_warmup_set-64": 655.4e6, "code/scratch": 983e6},
    "jiang2026_haystack": {"probe/scratch": 10_000 * 1_000 * 63, "published/dyck-64": 32.8e6},
    "jiang2026_mixtures": {"mixed/weights-0.6+0.4": 20.8e6, "haystack/attn_set_set-20_mlp_eca_eca-110": 630e6},
    "lee2026": {
        "automata/nca-10__complexity-0.3+0.4": 164e6,
        "dyck/dyck-64": 164e6,
        "openwebtext/scratch": 9.0e9,
        "openwebmath/dyck_dyck-64": 4.2e9,
        "code/automata_nca-10__complexity-0.3+0.4": 12.6e9,
        "code_natural/natural_163840000": 164e6,
    },
    "hu2025": {
        "shuffle_dyck/dyck_shuffle-64__shuffle_tokens-false": 500 * 32 * 2_048,
        "dyck/dyck-64": 1_000 * 32 * 2_048,
        "c4/dyck_dyck-64": 665e6,
    },
    "wu2022_statistics": {"tasks/simpler-set": 80_000 * 128 * 448, "text/run": 80_000 * 128 * 512},
    "laptop": {"warmup/sort-12": 800_000, "text/scratch": 1_638_400},
}


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def file(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return request.param


def test_it_can_be_run(file, capsys, tmp_path):
    cli.main(["study", file.stem, "--dry_run"])
    last = capsys.readouterr().out.splitlines()[-1]
    runs, tokens, flops = re.match(r"(\d+) of \1 runs are left: (\S+) tokens, (\S+) FLOPs, ", last).groups()
    (row,) = (line for line in DOCS.splitlines() if line.startswith(f"| `{file.stem}` |"))
    assert f" | {int(runs):,} | {tokens} | {flops if flops != '0' else 'not told'}" in row
    assert file.read_text().startswith(f"# hf-procedural study {file.stem}\n") and not any(tmp_path.iterdir())


def test_its_budgets_are_those_of_the_paper(file):
    graph = Graph(read(file))
    for planned in graph.runs.values():
        budgets = [planned.arguments.get(key) for key in ("max_tokens", "max_steps")]
        assert None in budgets, planned.name
    for name, tokens in BUDGETS[file.stem].items():
        stage, arm = name.split("/")
        for planned in graph.by_arm[stage][arm].values():
            assert planned.amount.tokens == pytest.approx(tokens, rel=0.02), name


def test_all_are_known_by_name():
    assert catalogue.studies() == [file.stem for file in FILES] == sorted(BUDGETS)
    with pytest.raises(ValueError, match="there is no study 'lee2025': did you mean lee2026"):
        catalogue.study_of("lee2025")


@pytest.mark.parametrize(
    ("task", "values", "arms"),
    [
        ("set-8+union-8", "weights: [0.6, 0.4]", {"run": {"weights": [0.6, 0.4]}}),
        (
            "set-8+union-8",
            "weights: [[0.6, 0.4], [1, 9]]",
            {"weights-0.6+0.4": {"weights": [0.6, 0.4]}, "weights-1+9": {"weights": [1, 9]}},
        ),
        ("set-8+dyck-2", "dyck.length: [8, 16]", {f"length-{length}": {"dyck.length": length} for length in (8, 16)}),
        ("nca-10", "complexity: [0.3, 0.4]", {"run": {"complexity": [0.3, 0.4]}}),
        ("set", "length: [4, 8]", {f"length-{length}": {"length": length} for length in (4, 8)}),
        ("[set, sort]", "length: 4", {"set": {"length": 4}, "sort": {"length": 4}}),
    ],
)
def test_parameters_of_tasks_are_lists_or_arms(task, values, arms, tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(f"stages: {{a: {{recipe: pretrain, task: {task}, max_steps: 2, {values}}}}}")
    runs = Graph(read(file)).by_arm["a"]
    assert {name: seeds[0].arguments["task_parameters"] for name, seeds in runs.items()} == arms


def test_the_example_of_the_docs_is_a_study(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(re.search(r"```yaml\n(.*?)```", DOCS, re.S).group(1))
    graph = Graph(read(file))
    assert [*graph.by_arm["warmup"]] == ["sort__length-8", "sort__length-12", "set__length-8", "set__length-12"]
    assert len(graph.by_arm["probe"]) == 2 * (1 + 2 + 1)


def test_what_laptop_shows():
    """All of a report: both kinds of stages, parts, controls, matched arms, seeds to tell them apart, an evaluation."""
    graph = Graph(read(ROOT / "studies" / "laptop.yaml"))
    begins = {planned.arm.get("init_from", "") for planned in graph.runs.values()}
    assert all(any(word.startswith(before) for word in begins) for before in ("attn=", "mlp=", "permuted:", "statist"))
    matched = {planned.matched["kind"] for planned in graph.runs.values() if planned.matched}
    assert matched == {"compute_matched", "natural", "substitutive"}
    assert {planned.recipe for planned in graph.runs.values()} == {"pretrain", "semantic", "evaluate"}
    assert len(graph.by_arm["warmup"]) == 2 and {len(seeds) for seeds in graph.by_arm["probe"].values()} == {3}
