"""Makes `datasets` know the name "procedural". It has no plug-in point, so this is the one place that reaches inside.

`import hf_procedural` does not import datasets, which is most of its cost: it waits for whoever does.
"""

import functools
import hashlib
import importlib.abc
import sys
from pathlib import Path

from . import upstream
from .terminal import logger

NAME = "procedural"
BUILDER = f"{__package__}.data.builder"


@functools.cache
def _source_hash() -> str:
    """A digest of all code that makes rows, so that the cache never serves those of another version."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("tasks/*.py"), folder / "data/blocks.py", folder / "data/builder.py"]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def register() -> None:
    """Registers the builder. Raises ImportError in one line where this version of datasets is built differently."""
    modules = upstream.need("datasets.load:_PACKAGED_DATASETS_MODULES")
    original = upstream.need("datasets.load:PackagedDatasetModuleFactory.get_module")
    module_class, no_files = upstream.need("datasets.load:DatasetModule"), upstream.need("datasets.load:DataFilesDict")
    if NAME in modules:
        return
    modules[NAME] = (BUILDER, NAME)  # a hash stands second, which nobody asks of ours: `get_module` gives the true one

    @functools.wraps(original)
    def get_module(self, *args, **kwargs):
        if self.name != NAME:
            return original(self, *args, **kwargs)
        if self.data_files is not None:
            raise ValueError("procedural rows are generated: data_files has no meaning here")
        # The stock method would look for data files in the current folder, and ask for them.
        module = {"module_path": BUILDER, "hash": _source_hash()}
        try:
            return module_class(**module, builder_kwargs={"data_files": no_files(), "dataset_name": NAME})
        except TypeError as error:
            raise upstream.lacking("datasets.load:DatasetModule") from error

    sys.modules["datasets.load"].PackagedDatasetModuleFactory.get_module = get_module


def register_when_imported() -> None:
    """Registers the builder now, if datasets is imported, or as soon as it is."""
    if "datasets" in sys.modules:
        _register_or_tell()
    elif _WAITING not in sys.meta_path:
        sys.meta_path = [_WAITING, *sys.meta_path]


def _register_or_tell() -> None:
    # Whoever imports datasets may want nothing of ours: that must not fail.
    try:
        register()
    except ImportError as error:
        logger("hf_procedural").warning("%s", error)


class _Waiting(importlib.abc.MetaPathFinder):
    """Finds datasets as the other finders do, and has its import end with the registration."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "datasets":
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None:
                return self._registering(spec)
        return None

    def _registering(self, spec):
        loader = spec.loader
        if loader is None or "exec_module" in vars(loader):  # a folder that only has the name; a spec found twice
            return spec

        def exec_module(module):
            del loader.exec_module  # the class's own again
            loader.exec_module(module)
            # A new list, since another thread may go through the old one.
            sys.meta_path = [finder for finder in sys.meta_path if finder is not self]
            _register_or_tell()

        loader.exec_module = exec_module
        return spec


_WAITING = _Waiting()
