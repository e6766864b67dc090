"""Makes `datasets` know the name "procedural". It has no plug-in point, so this is the one place that reaches inside.

Written against datasets 5.2; needed until datasets lets a package register a builder.
"""

import functools
import hashlib
from pathlib import Path

import datasets

NAME = "procedural"


def _source_hash() -> str:
    """A digest of all code that makes rows, so that the cache never serves those of another version."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("tasks/*.py"), folder / "data/blocks.py", folder / "data/builder.py"]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def register() -> None:
    """Registers the builder. Raises ImportError where this version of datasets is built differently."""
    try:
        modules = datasets.load._PACKAGED_DATASETS_MODULES
        factory = datasets.load.PackagedDatasetModuleFactory
        module_class, no_files, original = datasets.load.DatasetModule, datasets.load.DataFilesDict, factory.get_module
    except AttributeError as error:
        raise ImportError(
            f"hf_procedural cannot register its builder with datasets {datasets.__version__} ({error}): "
            "pip install 'datasets>=5.2,<6'"
        ) from error
    if NAME in modules:
        return
    modules[NAME] = (f"{__package__}.data.builder", _source_hash())

    @functools.wraps(original)
    def get_module(self):
        if self.name != NAME:
            return original(self)
        if self.data_files is not None:
            raise ValueError("procedural rows are generated: data_files has no meaning here")
        # The stock method would look for data files in the current folder, and ask for them.
        return module_class(*modules[NAME], {"data_files": no_files(), "dataset_name": NAME})

    factory.get_module = get_module
