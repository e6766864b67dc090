"""A recipe that is sent somewhere alone, as `hf jobs uv run` and `uv run` do: what it asks for, and that it runs."""

import ast
import configparser
import importlib.metadata
import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.running import RECIPES, ROOT

SCRIPTS = sorted(RECIPES.glob("[!_]*.py"))
NAMES = [script.stem for script in SCRIPTS]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
HEAD = re.compile(r'# /// script\n# requires-python = "(.+)"\n# dependencies = \["(.+)"\]\n# ///\n"""')


def metadata_of(script: Path) -> tuple[str, Requirement]:
    python, package = HEAD.match(script.read_text()).groups()
    return python, Requirement(package)


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_its_metadata_is_that_of_the_package(script):
    python, package = metadata_of(script)
    assert (python, package.name) == (SETUP["options"]["python_requires"], SETUP["metadata"]["name"])
    assert package.extras <= {*SETUP["options.extras_require"]}


def _imported(file: Path) -> set[str]:
    """The modules that a file imports when it is imported itself."""
    package = [*file.relative_to(ROOT).parts[:-1]]
    modules, nodes = set(), [ast.parse(file.read_text())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef) or ast.unparse(node).startswith("if TYPE_CHECK"):
            continue  # what is imported later, if at all
        if isinstance(node, ast.Try) and "raise" not in ast.unparse(node.handlers[0]):
            continue  # what need not be there
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            modules |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return modules


def _file_of(module: str) -> Path | None:
    place = ROOT / module.replace(".", "/") if module.startswith("hf_procedural") else RECIPES / module
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _outside(script: Path) -> set[str]:
    """The packages of others that a recipe imports, itself or by ours."""
    seen, todo = set(), {script}
    outside = set()
    while todo:
        file = todo.pop()
        seen.add(file)
        for module in _imported(file):
            if (ours := _file_of(module)) is not None:
                todo |= {ours} - seen
            else:
                outside.add(module.split(".")[0])
    return outside - sys.stdlib_module_names - {"hf_procedural"}


def _brought(requirements: set[str]) -> set[str]:
    """The distributions that come with these, by their own metadata."""
    brought, todo = set(), requirements
    while todo:
        requirement = Requirement(todo.pop())
        name = requirement.name.lower().replace("_", "-")
        if name in brought or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        brought.add(name)
        try:
            todo |= {*(importlib.metadata.requires(name) or ())}
        except importlib.metadata.PackageNotFoundError:  # an extra that is not installed here
            continue
    return brought


def _lines(extra: str) -> set[str]:
    return {*filter(None, SETUP["options.extras_require"][extra].splitlines())}


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_its_extra_brings_what_it_imports(script):
    _, package = metadata_of(script)
    asked = {*filter(None, SETUP["options"]["install_requires"].splitlines())}
    brought = _brought(asked.union(*map(_lines, package.extras)))
    homes = importlib.metadata.packages_distributions()
    missing = {}
    for module in _outside(script):
        names = {name.lower().replace("_", "-") for name in homes.get(module, [])}
        if names and not names & brought:
            missing[module] = names
    assert missing == {}


def test_imports_are_read():
    assert {"torch", "transformers", "psutil"} <= _outside(RECIPES / "probe.py")  # transformers by pretrain.py
    assert "trl" in _outside(RECIPES / "rlvr.py")  # by hf_procedural.rl.grpo


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_it_needs_nothing_beside_it(script, tmp_path, monkeypatch):
    """Its imports find the package's other recipes, its prompts are the package's."""
    pytest.importorskip("trl", reason="pip install 'hf-procedural[recycle]'")
    alone = tmp_path / script.name
    shutil.copyfile(script, alone)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if Path(place) != RECIPES])
    monkeypatch.delitem(sys.modules, "pretrain", raising=False)
    names = runpy.run_path(str(alone), run_name=script.stem)
    templates = [value for name, value in names.items() if name.startswith("TEMPLATE")]
    assert all(value.exists() for value in templates)
