"""The pages that come from the code: they are as it says, and nothing of it is left out."""

import functools
import re
import sys

import griffe
import pytest
import yaml
from support.pages import DOCS
from support.running import ROOT

import hf_procedural
from hf_procedural import cli
from hf_procedural.runs import folder
from hf_procedural.training import catalogue, parser

sys.path.insert(0, str(DOCS))
import make  # noqa: E402
from making import _docstrings, _families, _speed, commands, python, yaml_dialect  # noqa: E402

GALLERY = (DOCS / "gallery" / "index.md").read_text()


class _Nav(yaml.SafeLoader):
    """mkdocs.yml, whose nav has none of Python's tags."""


def _pages_of(nav) -> list[str]:
    pages = []
    for entry in nav:
        inner = next(iter(entry.values())) if isinstance(entry, dict) else entry
        pages += _pages_of(inner) if isinstance(inner, list) else [inner]
    return pages


NAV = _pages_of(yaml.load((ROOT / "mkdocs.yml").read_text(), _Nav)["nav"])


def test_what_is_made_is_as_the_code_says():
    stale = [str(file.relative_to(ROOT)) for file in make.stale()]
    assert not stale, f"not as the code says: {', '.join(stale)}: python docs/make.py"


def test_what_is_made_of_nothing_is_gone():
    """A picture or page of a task that is no more would stay, and be published."""
    made = set(make.made())
    for place in ("gallery", "tasks", "reference/recipes"):
        assert {file for file in (DOCS / place).rglob("*") if file.is_file()} <= made


@pytest.mark.parametrize("name", _families.OURS)
def test_every_task_is_in_the_gallery_and_on_its_familys_page(name):
    card = GALLERY.split(f"\n### `{name}` {{#{name}}}\n")[1].split("\n### ")[0]
    speed = _speed.read()["tasks"][name]
    assert speed["rows"] > 0 and speed["tokens"] > 0
    assert f'src="{name}.svg"' in card and card.count('<pre class="row">') == 3
    assert f'load_dataset("procedural", "{name}-' in card and "arXiv:" in card
    family = _families.family_of(name)
    assert f"tasks/{family}.md" in NAV
    assert f"## `{name}`" in (DOCS / "tasks" / f"{family}.md").read_text()


def test_pictures_say_what_is_seen_and_are_small():
    pictures = list((DOCS / "gallery").glob("*.svg"))
    assert len(pictures) == len(_families.OURS)
    assert sum(file.stat().st_size for file in pictures) < 3_000_000
    for alt in (line.split('alt="')[1].split('"')[0] for line in GALLERY.splitlines() if "<img" in line):
        assert len(alt) > 40 and "row of" in alt.lower()


def test_every_made_page_is_in_the_navigation():
    missing = [str(file.relative_to(DOCS)) for file in make.made() if file.suffix == ".md"]
    missing = [page for page in missing if page not in NAV]
    assert not missing


def test_every_finding_is_a_footgun():
    page = (DOCS / "footguns.md").read_text()
    stems = [file.stem for file in (ROOT / "findings").glob("*.sh")]
    assert len(stems) > 20 and all(f"{{#{stem}}}" in page for stem in stems)
    assert not re.search(r"Exits (0|non-zero)", page)


@pytest.mark.parametrize("name", catalogue.FILES)
def test_every_recipe_has_its_arguments(name):
    """Those that it reads itself, and none of the hundred that are another library's."""
    page = (DOCS / "reference" / "recipes" / f"{name}.md").read_text()
    assert f"`hf-procedural {name}`" in (DOCS / "reference" / "command-line.md").read_text()
    try:
        options = parser.of_recipe(catalogue.script_of(name)).options
    except ValueError:  # one of two that read theirs by argparse
        options = {"output_dir": {}}
    ours = [field for field in options if f"| `--{field}`" in page]
    assert ours and "`--deepspeed`" not in page
    assert "`transformers.TrainingArguments`" in page or "`trl.GRPOConfig`" in page or len(ours) == len(options)


def test_every_command_is_told():
    page = (DOCS / "reference" / "command-line.md").read_text()
    _, names = cli._parser()
    assert len(names) > 6 and all(f"## `hf-procedural {name}`" in page for name in names)


def test_tables_of_arguments_do_not_depend_on_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    page = (DOCS / "reference" / "command-line.md").read_text()
    assert commands.pages() == {"reference/command-line.md": page}


@functools.cache
def _package():
    return griffe.load("hf_procedural", search_paths=[ROOT])


def _shown():
    """What the reference shows: each object, and the public methods and properties of the classes among them."""
    package = _package()
    for place in python.places():
        thing = package[place.removeprefix("hf_procedural.")]
        yield thing
        if thing.is_class and thing.name != "ProceduralConfig":  # whose own fields alone are shown
            yield from (each for each in thing.members.values() if not each.is_alias and each.is_public)


def test_nothing_that_is_shown_lacks_a_docstring():
    """Methods that a base class tells of are not told again; fields stand in the docstring of their class."""
    package = _package()
    told = {name for name, each in package["tasks.base.Task"].members.items() if each.has_docstring}
    lacking = []
    for thing in _shown():
        is_method = thing.is_function or "property" in thing.labels
        if (thing.is_class or is_method) and not thing.has_docstring:
            is_known = thing.name in told and thing.parent.name != "Task"
            lacking += [] if is_known or thing.name.startswith("__") else [thing.path]
    assert not lacking


def test_the_reference_has_every_public_name():
    """The thirteen of the package, and no name of a place that is none."""
    shown = {name for names in python.SHOWN.values() for name in names}
    assert {f"hf_procedural.{name}" for name in hf_procedural.__all__} <= shown
    assert all(hasattr(hf_procedural, name.split(".")[1]) for name in shown if name.count(".") == 1)


def test_docstrings_are_read_without_a_warning(caplog):
    """As mkdocs reads them, which ends at a warning: a section of arguments that names one that is not there."""
    with caplog.at_level("WARNING"):
        sections = [thing.docstring.parse("google") for thing in _shown() if thing.has_docstring]
    assert len(sections) > 60
    assert not [record.getMessage() for record in caplog.records if "No type or annotation" not in record.getMessage()]


def test_docstrings_become_markdown():
    """Tokens are no HTML but in code, an example is a block of code."""
    made = _docstrings.as_markdown("Ends with <eos> or `<pad>`.\n\n    >>> f(1)\n    '<a>'\n\nMore, x < 2.")
    assert made.startswith("Ends with &lt;eos> or `<pad>`.\n\n    ```pycon\n    >>> f(1)\n    '<a>'\n    ```\n")
    assert made.endswith("\nMore, x < 2.")


def test_yaml_page_names_what_is_read():
    page = yaml_dialect.pages()["reference/yaml.md"]
    assert '| `2_4_16` | `"2_4_16"` | a word |' in page and "| `5e-4` | `0.0005` | a number |" in page


def test_run_folder_names_are_those_of_the_code():
    page = (DOCS / "reference" / "run-folder.md").read_text()
    names = [folder.RECIPE, folder.PROVENANCE, folder.PLOT, folder.RESULTS, folder.LENGTHS, folder.DIVERGED]
    assert all(f"`{name}`" in page for name in names)
