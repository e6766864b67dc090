"""Pages as files: the README is short, links lead somewhere, flags and files that sentences name are there."""

import re
from pathlib import Path

import pytest
from support.pages import DOCS, PAGES, blocks_of, name_of
from support.running import ROOT

from hf_procedural.training import catalogue, parser

README = ROOT / "README.md"
BY_HAND = [page for page in PAGES if not page.is_relative_to(DOCS / "reference")]
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md"]
OF_OTHERS = (  # flags of accelerate launch, pip, Slurm, hf jobs, and other frameworks' own commands
    "quiet no-deps multi_gpu num_processes job-name comment profile default-resources cpu data-path "
    "per-dataset-sequences-path seq-len data-key dataset-manifest train-data target-mask-left target-mask-individual "
    "env.agent.harness.id secrets timeout attempts with dry-run"
)


def _prose(page: Path) -> str:
    return re.sub(r"^( *)```.*?^\1```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 150


def test_what_ci_reads_of_the_readme_is_there():
    """.ci/run takes the first line of each."""
    wanted = re.findall(r"readme '([^']+)'", (ROOT / ".ci" / "run").read_text())
    assert len(wanted) == 3
    assert all(text in "\n".join(blocks_of(README, "sh")) for text in wanted)


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_every_link_leads_to_a_file(page):
    """Anchors are looked at in the built site, links to other hosts not at all."""
    targets = re.findall(r"\]\(([^)\s]+)\)", _prose(page))
    inside = [target.partition("#")[0] for target in targets if not re.match(r"\w+:", target)]
    missing = {target for target in inside if target and not (page.parent / target).exists()}
    assert not missing
    assert not re.search(r"github\.com/[^)\s]*hf[-_]procedural", page.read_text()), "the repository has no address yet"


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_every_file_of_ours_that_is_named_is_there(page):
    files = re.findall(
        r"`((?:recipes|benchmarks|hf_procedural|findings|tests|studies)/[\w/.-]+\.\w+)`", page.read_text()
    )
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_every_configuration_that_is_named_is_there():
    names = {name for page in PAGES for name in re.findall(r"`(\w+)\.yaml`", _prose(page))}
    known = {file.stem for folder in ("recipes", "studies") for file in (ROOT / folder).rglob("*.yaml")}
    assert len(names) > 10
    assert names - known <= {"mine", "openenv", "recipe", "seed_N"}  # files that are written


def test_every_flag_that_sentences_name_exists():
    flags = {}
    for page in BY_HAND:
        for flag in re.findall(r"`--([\w.-]+)", _prose(page)):
            flags.setdefault(flag, name_of(page))
    assert len(flags) > 40
    known = _known()
    assert {flag: page for flag, page in flags.items() if flag not in known} == {}


def _known() -> set[str]:
    known = set(OF_OTHERS.split())
    for name in catalogue.FILES:
        script = catalogue.script_of(name)
        known |= set(re.findall(r'"--(\w+)"', script.read_text()))
        if "answer_early" in script.read_text():
            known |= {word.lstrip("-") for word in parser.of_recipe(script)._option_string_actions}
    for file in (ROOT / "hf_procedural").rglob("*.py"):
        known |= set(re.findall(r'"--(\w+)"', file.read_text()))
    for file in (ROOT / "benchmarks").glob("*.py"):
        known |= set(re.findall(r'"--(\w+)"', file.read_text()))
    return known
