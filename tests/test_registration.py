"""Tests of the registration with datasets: when it happens, and that others notice nothing of it."""

import subprocess
import sys

import datasets
import pytest

from hf_procedural import registration

_LATER = """
import importlib.util, sys
import hf_procedural
assert "datasets" not in sys.modules and "pyarrow" not in sys.modules
finder = sys.modules["hf_procedural.registration"]._WAITING
assert finder in sys.meta_path
hf_procedural.registration.register_when_imported()
assert sys.meta_path.count(finder) == 1

spec = importlib.util.find_spec("datasets")  # as transformers asks whether it is there
assert spec.loader is not None and "datasets" not in sys.modules
assert importlib.util.find_spec("no_such_package") is None

from datasets import load_dataset_builder
import datasets, datasets.load
assert finder not in sys.meta_path
assert vars(datasets.__loader__) == {"name": "datasets", "path": datasets.__file__}
assert load_dataset_builder("procedural", "sort-64").config.name == "sort-64"

once = datasets.load.PackagedDatasetModuleFactory.get_module
importlib.reload(datasets)
importlib.reload(hf_procedural)
assert datasets.load.PackagedDatasetModuleFactory.get_module is once and finder not in sys.meta_path
assert datasets.load_dataset_builder("procedural", "sort-64").config.name == "sort-64"
"""


def test_datasets_is_imported_by_whoever_wants_it_and_then_knows_us():
    done = subprocess.run([sys.executable, "-c", _LATER], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_import_of_datasets_that_fails_is_as_without_us_and_may_be_tried_again(tmp_path):
    (tmp_path / "datasets.py").write_text("import sys\nif not hasattr(sys, 'mended'): raise ValueError('broken')\n")
    code = """
import hf_procedural, sys
try:
    import datasets
except ValueError as error:
    assert str(error) == "broken" and "datasets" not in sys.modules
sys.mended = True
import datasets
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    # This one is no datasets of ours, which one line says; whoever imports it is not disturbed.
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 1
    assert "needs datasets.load._PACKAGED_DATASETS_MODULES" in done.stderr


def test_the_hash_of_all_tasks_is_only_made_when_it_is_asked_for():
    modules = datasets.load._PACKAGED_DATASETS_MODULES
    assert modules[registration.NAME] == (registration.BUILDER, registration.NAME)
    builder = datasets.load_dataset_builder("procedural", "sort-64")
    assert builder.hash == registration._source_hash() and len(builder.hash) == 64


def test_whatever_datasets_passes_on_reaches_its_own_method(monkeypatch):
    factory = datasets.load.PackagedDatasetModuleFactory
    monkeypatch.setattr(factory, "get_module", lambda self, *args, **kwargs: (self.name, args, kwargs))
    monkeypatch.delitem(datasets.load._PACKAGED_DATASETS_MODULES, registration.NAME)
    registration.register()
    assert factory("json").get_module(1, more=2) == ("json", (1,), {"more": 2})
    assert factory("procedural").get_module(1, more=2).module_path == registration.BUILDER


def test_data_files_are_refused_in_one_line():
    with pytest.raises(ValueError, match="procedural rows are generated: data_files has no meaning here"):
        datasets.load_dataset_builder("procedural", "sort-64", data_files="rows.json")
