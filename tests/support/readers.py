"""The frameworks whose own packages read our exports back: `tests/readers.txt`."""

import importlib.util
import sys
import types

import pytest

REASON = "pip install --no-deps -r tests/readers.txt"


def reader(module: str) -> types.ModuleType:
    """A module of a framework; where it is not installed, the test is skipped."""
    if module.split(".")[0] == "streaming":
        _without_torchvision("streaming")
    return pytest.importorskip(module, reason=REASON)


def _without_torchvision(package: str) -> None:
    """Imports a package without what its `__init__` imports: mosaicml-streaming's image data sets want torchvision."""
    spec = importlib.util.find_spec(package) if package not in sys.modules else None
    if spec is not None:
        module = types.ModuleType(package)
        module.__spec__ = spec
        module.__path__ = list(spec.submodule_search_locations)
        sys.modules[package] = module
