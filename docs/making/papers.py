"""The papers: what of each is here, from the registry, the presets, CITATION.cff and the studies."""

import re

import yaml

from hf_procedural.files import studies_folder
from hf_procedural.tasks import PRESETS, task_class

from . import _papers
from ._families import OURS, family_of
from ._words import code, plain, table
from .footguns import FINDINGS

_PAPER = re.compile(r"arXiv:\d{4}\.\d{4,5}")
_RECIPES = {  # what is here beside tasks: the method itself
    "arXiv:2601.21725": "[pretrain](guides/pretrain.md), [transfer](guides/transfer.md), [text](guides/text.md), "
    "[controls](guides/controls.md)",
    "arXiv:2505.22308": "[probes](guides/probes.md)",
    "arXiv:2605.10129": "`--noise` of [semantic](reference/recipes/semantic.md)",
    "arXiv:2506.08007": "[rpt](guides/rpt.md)",
    "arXiv:2510.10681": "[recycling](guides/recycling.md)",
    "arXiv:2502.19249": "preset and study; marginal rates of substitution in [reports](guides/studies-report.md)",
    "arXiv:2505.24760": "[environments of reasoning-gym](guides/reasoning-gym.md)",
    "arXiv:2609.39827": "rows written as [integers](guides/any-trainer.md)",
}
_HEAD = """# Papers

What of each paper is here. **Tasks** give its rows: where it has code, ids and layouts are held against rows that its
code made (`tests/golden`). **Presets** are its settings by name, with the budget as a note. **Recipes** are its method
beside tasks. **Studies** are its comparison as a file for [`hf-procedural study`](guides/studies.md), with the
published figures in its head.

What was run here, and what not: two cores without a GPU ran the [haystack study](haystack.md) with fewer seeds and
steps than published, and the [headline](headline.md) in small. Each page says what was changed. No result at a paper's
own size (124M parameters and more) was reproduced here: those studies are written down, checked and tried in small, not
run. Figures that are quoted from papers stand beside their numbers, and are the papers'.

"""


def pages() -> dict:
    """The page."""
    named = dict(_papers.sources())
    references = yaml.safe_load((FINDINGS.parent / "CITATION.cff").read_text(encoding="utf-8"))["references"]
    for reference in references:
        for number in _PAPER.findall(reference["notes"])[:1]:
            named[number] = f"{_authors(reference)} {reference['year']}, {reference['title']}, {number}"
    lines = []
    for number, paper in sorted(named.items(), key=lambda item: item[1].lower()):
        lines.append([plain(paper), _tasks(number), _presets(number), _RECIPES.get(number, ""), _studies(number)])
    return {"papers.md": _HEAD + table(["paper", "tasks", "presets", "recipes", "studies"], lines) + "\n"}


def _authors(reference: dict) -> str:
    names = [author["family-names"] for author in reference["authors"] if "family-names" in author]
    if len(names) == 2 and len(reference["authors"]) == 2:
        return " and ".join(names)
    return names[0] + (" et al." if len(reference["authors"]) > 1 else "")


def _tasks(number: str) -> str:
    names = [name for name in OURS if number in task_class(name).paper]
    return ", ".join(f"[`{name}`](tasks/{family_of(name)}.md#{name})" for name in names)


def _presets(number: str) -> str:
    names = [name for name, preset in PRESETS.items() if number in preset.source.replace(";", " ")]
    if not names:
        return ""
    families = {family_of(name): None for preset in names for name in sorted(_papers.tasks_of(preset))}
    pages = ", ".join(f"[{family}](tasks/{family}.md#presets)" for family in families)
    shown = ", ".join(map(code, names[:2])) + (" ..." if len(names) > 2 else "")
    return f"{len(names)}: {shown} ({pages})"


def _studies(number: str) -> str:
    bare = number.removeprefix("arXiv:")
    files = sorted(studies_folder().glob("*.yaml"))
    named = [file.stem for file in files if bare in "".join(file.read_text(encoding="utf-8").split("\n\n")[0])]
    return ", ".join(map(code, named))
