"""The public page: what `dir`, `help` and `inspect` say of the package's names, two of which are loaded late."""

import inspect
import pydoc
import subprocess
import sys

import hf_procedural as hp


def test_all_names_are_listed_documented_and_have_signatures():
    assert len(hp.__all__) == len(set(hp.__all__)) == 13 and set(hp.__all__) <= set(dir(hp))
    page = pydoc.plain(pydoc.render_doc(hp))
    for name in hp.__all__:
        public = getattr(hp, name)
        assert public.__name__ == name and inspect.getdoc(public) and callable(public), name
        shown = str(inspect.signature(public)).partition(",")[0] if inspect.isfunction(public) else ""
        assert f"{name}{shown}" in page, name
    assert inspect.isfunction(hp.transfer) and inspect.isfunction(hp.tokenizer)
    assert list(inspect.signature(hp.transfer).parameters)[:2] == ["source", "target"]
    assert list(inspect.signature(hp.tokenizer).parameters) == ["name", "parameters"]


def test_importing_and_listing_it_loads_neither_torch_nor_datasets():
    code = """
import contextlib, io, sys
import hf_procedural
assert {"tokenizer", "transfer"} <= set(dir(hf_procedural))
heavy = ("torch", "transformers", "datasets", "pyarrow", "numba")
assert not (loaded := [name for name in heavy if name in sys.modules]), loaded
from hf_procedural import cli
for words in (["--help"], ["list"], ["show", "--help"], ["lst"]):
    sys.argv, out = ["hf-procedural", *words], io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(out):
        cli.main()
    assert not (loaded := [name for name in heavy if name in sys.modules]), (words, loaded)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (0, "") and "did you mean list" in line
