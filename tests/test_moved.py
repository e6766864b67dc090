"""Module paths and public names of 0.1: each is importable, warns with its new place, and is what stands there."""

import ast
import importlib
import importlib.util
import json
import sys
import warnings
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
from support.running import TESTS

import hf_procedural as hp
from hf_procedural.moved import MOVED

# By module, what it defined of names without an underscore, and what packages offered, at commit 6c6f827.
NAMES = {module: names.split() for module, names in json.loads((TESTS / "data/names_0_1_0.json").read_text()).items()}
NAMES["metrics"].remove("library")  # the way around recipes/evaluate.py, which is recipes/run_suite.py now


def full(module: str) -> str:
    return f"hf_procedural.{module}".rstrip(".")


def file_of(path: str) -> Path | None:
    """The file of a module of today, by its full name; None for one that is gone."""
    folder = Path(hp.__file__).parent.parent.joinpath(*path.split("."))
    return next((file for file in (folder.with_suffix(".py"), folder / "__init__.py") if file.is_file()), None)


def defined(path: str) -> set[str]:
    """All that a module of today binds at its top level, imports apart."""
    nodes = [node for node in ast.parse(file_of(path).read_text()).body if not isinstance(node, ast.Import)]
    named = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    inner = [child for node in nodes for child in ast.walk(node) if isinstance(child, ast.Name)]
    return named | {child.id for child in inner if isinstance(child.ctx, ast.Store)}


def imported(path: str) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(file_of(path).read_text())) if isinstance(node, ast.ImportFrom)]
    return {name.asname or name.name for node in nodes for name in node.names}


@pytest.fixture
def warned():
    """The texts of the warnings of old paths; all of them come from this file."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.filterwarnings("always", r".* the old path goes in", DeprecationWarning)

        def texts():
            ours = [each for each in seen if "the old path goes in" in str(each.message)]
            seen.clear()
            assert {each.filename for each in ours} <= {__file__, importlib.__file__}
            return [str(each.message) for each in ours]

        yield texts


@pytest.mark.parametrize("module", sorted(NAMES.keys() - MOVED.keys()))
def test_modules_that_stayed_have_their_names(module):
    known = defined(full(module)) | imported(full(module))
    assert [name for name in NAMES[module] if name not in known] == []


@pytest.mark.parametrize("module", sorted(MOVED))
def test_old_names_are_the_new_objects_and_warn_once(module, warned, monkeypatch):
    path, place = full(module), MOVED[module]
    if file_of(path) is None and module != "transfer":  # which is there from the beginning, see below
        monkeypatch.delitem(sys.modules, path, raising=False)
    old = importlib.import_module(path)
    of_import = warned()
    assert len(of_import) == (file_of(path) is None and module != "transfer")
    if isinstance(place, str):
        assert of_import[0].startswith(f"{path} is {full(place)} now;")
    for name in NAMES[module]:
        is_used = name in vars(old)  # by a module that stayed, so that it imports it
        value = getattr(old, name)
        assert getattr(old, name) is value
        if isinstance(place, str):
            assert not warned() and name in defined(full(place))
            assert value is getattr(sys.modules[full(place)], name)
        elif not is_used:
            (text,) = warned()
            now, _, new = text.removeprefix(f"{path}.{name} is ").partition(" now;")[0].rpartition(".")
            assert new in defined(now) and value is getattr(sys.modules[now], new)


def test_each_way_of_importing_works_and_the_user_is_warned(warned, monkeypatch):
    for name in ("stage", "semantic", "arguments"):
        monkeypatch.delitem(sys.modules, f"hf_procedural.{name}", raising=False)
        monkeypatch.delattr(hp, name, raising=False)
    import hf_procedural.stage

    assert hf_procedural.stage.RECIPE == "recipe.yaml" and len(warned()) == 2
    from hf_procedural.semantic import PackedRows

    assert PackedRows.__module__ == "hf_procedural.text.packing"
    assert warned()[1].startswith("hf_procedural.semantic.PackedRows is hf_procedural.text.packing.PackedRows now;")
    from hf_procedural import arguments

    assert arguments.TaskArguments.__module__ == "hf_procedural.training.arguments"


def test_transfer_stays_the_function(monkeypatch, warned):
    function = hp.transfer
    monkeypatch.delitem(vars(sys.modules["hf_procedural.transfer"]), "transfer", raising=False)
    import hf_procedural.transfer
    from hf_procedural.transfer import transfer

    assert hf_procedural.transfer is transfer is function
    assert len(warned()) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_never_was_is_not_there():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("hf_procedural.staged")
    for module in ("hf_procedural.stage", "hf_procedural.hub", "hf_procedural.blocks"):
        assert not hasattr(importlib.import_module(module), "nothing")
        assert not hasattr(importlib.import_module(module), "__wrapped__")
    assert importlib.util.find_spec("stage") is None and PathFinder.find_spec("hf_procedural.stage") is None
