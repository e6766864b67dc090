"""Compiled loops in their folders: a changed helper of another file makes new ones, and nothing else does."""

import ast
import os
import shutil
import subprocess
import sys

import numba
import numpy as np
import pytest
from support.running import ROOT

from hf_procedural import compiled
from hf_procedural.tasks import kernels

OWN = """
import numpy as np
from hf_procedural.tasks.kernels import below, njit
from own_helpers import double

@njit
def rows(state, out):
    for i in range(len(out)):
        out[i] = double(below(state, 1000))
    return out
"""
HELPERS = """
from hf_procedural.tasks.kernels import njit

@njit
def double(x):
    return 2 * x
"""
SHOW = """
import numpy as np
import hf_procedural as hp
import own_loops
print(hp.task("nca-10", complexity=None).rule(0)["conv0_kernel"].tobytes().hex())
print(own_loops.rows(np.arange(4, dtype=np.uint64), np.empty(8, np.int64)).tobytes().hex())
"""


def shown(folder, **environment) -> list[str]:
    """What two kinds of loops give in a new process: ours, and those of a user's own file."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache"), **environment}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


SHARED = """
import own_helpers
from own_numbers import K, TABLE
from hf_procedural.tasks.kernels import njit

@njit
def loop(x):
    return own_helpers.double(x) + K * TABLE[1] + own_helpers.ONE
"""


def test_what_a_module_has_and_numbers_of_other_files_make_new_loops(tmp_path):
    """Each is seen, and what did not change is not compiled again."""
    (tmp_path / "own_helpers.py").write_text(HELPERS + "\nONE = 1\n")
    (tmp_path / "own_numbers.py").write_text("import numpy as np\nK = 10\nTABLE = np.array([0, 1])\n")
    (tmp_path / "shared.py").write_text(SHARED)
    show = "from shared import loop; print(loop(1), sum(loop.stats.cache_hits.values()))"

    def shown():
        environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run([sys.executable, "-c", show], env=environment, capture_output=True, text=True, check=True)
        return tuple(map(int, done.stdout.split()))

    assert shown() == (13, 0)
    for file, before, after, result in (
        ("own_helpers", "2 * x", "3 * x", 14),
        ("own_numbers", "[0, 1]", "[0, 2]", 24),
    ):
        changed(tmp_path / f"{file}.py", before, after)
        assert shown() == (result, 0)
    assert shown() == (24, 1)


def test_the_numbers_of_a_function():
    values = {"K": 3, "TABLE": np.arange(3), "PAIR": (1, np.ones(1)), "np": np, "f": len, "OTHER": 4}

    def own(x):
        return [K + TABLE[0] * np.pi + PAIR[0] + f(x) for _ in range(UNKNOWN)]  # noqa: F821

    first = set(compiled._numbers(own.__code__, values))
    assert sorted(number.split()[0] for number in first) == ["K", "PAIR", "TABLE", "pi"]
    for name, value in (("K", 4), ("K", 3.0), ("TABLE", np.arange(3) + 1), ("PAIR", (1, np.zeros(1)))):
        assert len(first - set(compiled._numbers(own.__code__, values | {name: value}))) == 1
    assert set(compiled._numbers(own.__code__, values | {"OTHER": 5})) == first


def changed(file, before: str, after: str) -> None:
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, after))


def test_a_changed_helper_of_another_file_makes_new_loops(tmp_path):
    shutil.copytree(ROOT / "hf_procedural", tmp_path / "hf_procedural", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "own_loops.py").write_text(OWN)
    (tmp_path / "own_helpers.py").write_text(HELPERS)
    folders = tmp_path / "cache" / "hf_procedural"

    first = shown(tmp_path)
    assert len(list(folders.iterdir())) == 3  # of ours, of own_loops with its helpers, of own_helpers
    files = {file: file.stat().st_mtime_ns for file in folders.glob("*/*.nb*")}
    assert shown(tmp_path) == first
    assert files == {file: file.stat().st_mtime_ns for file in folders.glob("*/*.nb*")}  # nothing was compiled again

    changed(tmp_path / "own_helpers.py", "2 * x", "3 * x")
    second = shown(tmp_path)
    assert second[0] == first[0] and second[1] != first[1]

    # state[0] + state[3] is where all randomness comes from: in kernels.py, which nca_kernels.py and own_loops.py call
    changed(tmp_path / "hf_procedural/tasks/kernels.py", "state[0] + state[3], 23", "state[0] + state[2], 23")
    third = shown(tmp_path)
    assert third[0] != first[0] and third[1] != second[1]


def test_all_that_loops_are_made_of_is_in_the_digest():
    """The files that `compiled` looks at import no others of ours, but for itself."""
    rooms = [ROOT / "hf_procedural" / room for room in ("tasks", "models", "recycle")]
    files = [file for room in rooms for file in room.glob("*.py") if compiled._OURS.fullmatch(file.name)]
    assert len(files) == len(compiled._our_sources()) == 27
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                strange = [name for name in names if not compiled._OURS.fullmatch(f"{name}.py") and name != "compiled"]
                assert strange == [], file
    with_numba = [file.name for file in (ROOT / "hf_procedural").rglob("*.py") if "import numba" in file.read_text()]
    assert with_numba == ["compiled.py"]


@pytest.fixture
def fresh(monkeypatch):
    """Folders that are looked for again."""
    compiled._tell_none.cache_clear()
    compiled._folder.cache_clear()
    yield monkeypatch
    compiled._folder.cache_clear()


@kernels.njit
def one_more(x):
    return x + 1


def test_where_loops_are_kept(fresh, tmp_path, caplog):
    files = frozenset([__file__])
    fresh.setattr(numba.config, "CACHE_DIR", str(tmp_path / "chosen"))
    assert compiled._folder(files).parent == tmp_path / "chosen" / "hf_procedural"

    (tmp_path / "file").touch()
    fresh.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file"))  # where no folder can be
    compiled._folder.cache_clear()
    assert compiled._folder(files) is None and "set NUMBA_CACHE_DIR" in caplog.text

    fresh.setattr(numba.config, "CACHE_DIR", "")
    fresh.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    compiled._folder.cache_clear()
    assert compiled._folder(files).parent == tmp_path / "user" / "hf_procedural" / "loops"
    compiled._folder.cache_clear()
    assert compiled._folder(frozenset(["<string>"])) is None  # has no source


def test_only_the_last_used_folders_stay(fresh, tmp_path):
    fresh.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    old = [tmp_path / "hf_procedural" / f"{number:032x}" for number in range(20)]
    for number, folder in enumerate(old):
        folder.mkdir(parents=True)
        os.utime(folder, (number, number))
    new = compiled._folder(frozenset([__file__]))
    assert {*new.parent.iterdir()} == {new, *old[-compiled._FOLDERS + 1 :]}


def test_damaged_files_are_compiled_anew(fresh, tmp_path):
    fresh.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    decorate = compiled.njit(nogil=True)
    assert decorate(one_more.py_func)(1) == 2
    files = list(tmp_path.rglob("*.nb*"))
    for file in files:
        file.write_bytes(file.read_bytes()[:50])
    for hits in (0, 1):  # in the second process it is there again
        again = decorate(one_more.py_func)
        assert again(1) == 2 and sum(again.stats.cache_hits.values()) == hits
    assert len(files) == 2
    for file in files:  # and where it can be neither read nor written
        file.unlink()
        file.mkdir()
    assert decorate(one_more.py_func)(1) == 2


def test_without_jit_it_is_the_function(fresh):
    fresh.setattr(numba.config, "DISABLE_JIT", True)
    assert compiled.njit(nogil=True)(one_more.py_func) is one_more.py_func


AHEAD = """
from hf_procedural import compiled
compiled.compile_ahead("hf_procedural.models.kernels", {{"gelu_backward": [{}]}}, ["mine-4", {{}}])
began = list(compiled._helpers)
from hf_procedural.models import kernels
kernels.gelu_backward()
print(began, [process.wait() for process in compiled._helpers.values()])
"""


def ahead(folder, arguments: list) -> str:
    """What a process that asks for a loop ahead prints: the factories of its helper, and how that ended."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(folder)}
    command = [sys.executable, "-c", AHEAD.format(arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_a_loop_of_a_helper_is_waited_for_and_not_compiled_twice(tmp_path):
    assert ahead(tmp_path, []) == "['gelu_backward'] [0]"
    made = sorted(file.suffix for file in tmp_path.rglob("*gelu_backward*.nb*"))
    assert made == [".nbc", ".nbi"]
    assert ahead(tmp_path, []) == "[] []"  # what is there needs no helper


def test_a_helper_that_fails_is_not_waited_for(tmp_path):
    assert ahead(tmp_path, [1, 2]) == "['gelu_backward'] [1]"  # which takes no arguments
