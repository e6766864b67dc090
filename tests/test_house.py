"""The house: imports run down its floors, without a circle, and no room is too large to be read."""

import ast
import graphlib

import pytest
from support.running import ROOT

PACKAGE = ROOT / "hf_procedural"
LONGEST = 450  # lines of a file; compiled loops may have more
# A folder may import those of the floors before its own, and nothing else; the files at the top of the package may be
# imported by all (GROUND) or by none (the others).
FLOORS = (
    "tasks metrics shards",
    "data text show",
    "models export",
    "runs",
    "training",
    "evaluation rl diagnosis",
    "environments trying",
    "recycle hub",
    "studies",
    "space",
    "cli",
)
GROUND = {
    "accepted",
    "compiled",
    "errors",
    "faults",
    "files",
    "locks",
    "layout",
    "looks",
    "machine",
    "moved",
    "registration",
    "renamed",
    "terminal",
    "upstream",
    "",
}  # "": the package itself, for its version


def _modules() -> dict:
    """Module names without the package's, and their files."""
    names = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE).with_suffix("").parts
        names[".".join(place).removesuffix("__init__").removesuffix(".")] = file
    return names


MODULES = _modules()


def _imports(name: str) -> set[str]:
    """The modules of ours that a module imports, at its top or inside."""
    file = MODULES[name]
    package = name.split(".") if file.name == "__init__.py" and name else name.split(".")[:-1]
    imported = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.removeprefix("hf_procedural.") for alias in node.names} & MODULES.keys()
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
            elif (node.module or "").split(".")[0] == "hf_procedural":
                base = node.module.split(".")[1:]
            else:
                continue
            base += (node.module or "").split(".") if node.level and node.module else []
            for alias in node.names:
                whole = ".".join([*base, alias.name])
                imported.add(whole if whole in MODULES else ".".join(base))
    return imported - {name}


IMPORTS = {name: _imports(name) for name in MODULES}


def test_the_graph_is_read():
    """What this file measures is there: an import of each kind is found."""
    assert "files" in IMPORTS["runs.folder"]  # from ..files import
    assert "data.blocks" in IMPORTS["data.builder"]  # from . import
    assert "hub.model_card" in IMPORTS["hub.runs"]  # from .model_card import
    assert len(IMPORTS) > 80


def test_no_file_imports_itself_through_others():
    # the package itself is the public page: whoever imports a room runs it first, as Python does
    graph = {name: imported - {""} for name, imported in IMPORTS.items() if name}
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError with the circle
    assert all(order.index(below) < order.index(name) for name in graph for below in graph[name])


def test_folders_import_down():
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}
    assert floor.keys() == {name.split(".")[0] for name in MODULES if "." in name}
    wrong = []
    for name, imported in IMPORTS.items():
        room = name.split(".")[0]
        for other in imported:
            target = other.split(".")[0]
            if room not in floor or target == room:
                continue
            down = target in GROUND if target not in floor else floor[target] < floor[room]
            if not down:
                wrong.append(f"{name} imports {other}")
    assert not wrong


def test_the_ground_stands_on_nothing():
    for name in (GROUND - {""}) & MODULES.keys():
        assert IMPORTS[name] <= GROUND, name


def test_each_room_says_what_it_is():
    silent = [name for name, file in MODULES.items() if not ast.get_docstring(ast.parse(file.read_text()))]
    assert [name for name in silent if not name.startswith("metrics.")] == []  # modules of evaluate's own form


@pytest.mark.parametrize("folder", ["hf_procedural", "recipes"])
def test_all_that_is_printed_passes_through_terminal(folder):
    """Names, labels and text from the web are shown there, and never obeyed."""
    wrong = []
    for file in (ROOT / folder).rglob("*.py"):
        if file == PACKAGE / "terminal.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            ours = called.endswith("getLogger") and not isinstance(node.args[0], ast.Constant)  # not a library's
            to_terminal = called in ("print", "Console", "sys.stdout.write", "sys.stderr.write")
            if ours or to_terminal:
                wrong.append(f"{file.relative_to(ROOT)}:{node.lineno} {called}")
    assert wrong == []


@pytest.mark.parametrize("folder", ["hf_procedural", "recipes"])
def test_no_file_is_too_long(folder):
    files = [file for file in (ROOT / folder).rglob("*.py") if "kernels" not in file.name]
    lengths = {str(file): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {file: length for file, length in lengths.items() if length > LONGEST} == {}
