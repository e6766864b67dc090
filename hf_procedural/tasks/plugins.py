"""Tasks of other people's: from a file, or from a package with the entry point ``hf_procedural.tasks``.

What does not keep the contract of check.py is not registered: of a file the reason is an error, of a package, which the
user may not have asked for, a warning.
"""

import importlib.machinery
import importlib.metadata
import importlib.util
import sys
import warnings
from pathlib import Path

from ..terminal import in_a_line
from .check import check_task
from .registry import CHECKED, REGISTRY

GROUP = "hf_procedural.tasks"


def load_task_file(file) -> list[str]:
    """Runs a Python file and gives the names of the tasks that it registers.

    Raises ValueError, with the reason, for a file that cannot be run, registers nothing, or has a task that breaks the
    contract (see `check_task`), which is then not registered.
    """
    path = Path(file).absolute()
    before = set(REGISTRY)
    if path.suffix != ".py":
        raise ValueError(f"task_file must be a Python file, got {file}")
    if not path.is_file():
        raise ValueError(f"there is no task_file {file}")
    name = path.stem
    module = sys.modules.get(name)
    is_loaded = module is not None and Path(getattr(module, "__file__", None) or "").absolute() == path
    if not is_loaded:
        if module is not None or name in sys.stdlib_module_names:
            raise ValueError(f"task_file {file}: there is a module {name} already; give the file another name")
        loader = importlib.machinery.SourceFileLoader(name, str(path))
        spec = importlib.util.spec_from_loader(name, loader)
        assert spec is not None  # which a loader always has
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        sys.path.append(str(path.parent))  # where other processes look for it
        try:
            loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            _forget(set(REGISTRY) - before)
            raise ValueError(f"task_file {file}: {type(error).__name__}: {error}") from error
    names = [key for key, cls in REGISTRY.items() if cls.__module__ == name]
    if not names:
        raise ValueError(f"task_file {file} registers no task: decorate a class with @hf_procedural.register")
    for key in names:
        _checked(key)
    return names


def load_entry_points() -> None:
    """Registers the tasks of installed packages; a broken one is told in a warning and left out."""
    for point in importlib.metadata.entry_points(group=GROUP):
        before = set(REGISTRY)
        try:
            point.load()
            for key in set(REGISTRY) - before:
                _checked(key)
        except Exception as error:
            _forget(set(REGISTRY) - before)
            place = f"entry point {point.name} = {point.value}"
            warnings.warn(in_a_line(f"{place}: {type(error).__name__}: {error}"), stacklevel=2)


def _checked(name: str) -> None:
    cls = REGISTRY[name]
    try:
        for size in cls.sizes:
            check_task(cls(**{cls.headline: size}))
    except Exception as error:
        _forget({name})
        raise ValueError(str(error) if isinstance(error, ValueError) else f"{name}: {error}") from error
    CHECKED.add(cls)


def _forget(names) -> None:
    for name in names:
        REGISTRY.pop(name, None)
