"""What we lean on in other libraries beyond what they promise: each such name once, with what happens without it.

An entry ends in one of two ways where the installed version has changed: in the library's own way of doing it (`get`
gives None, `agrees` is false; slower is fine), or in one line that names the versions that work (`need`). Nothing is
looked up before it is used, so that a name that is gone harms only what needs it. To add one, write its entry below and
what takes it away into tests/test_upstream.py, which asks for one of each.
"""

import dataclasses
import logging
import pkgutil
from collections.abc import Callable
from importlib import metadata

_LOG = logging.getLogger("hf_procedural")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One name, ``module:name`` or ``module:Class.name``, or ``module:`` and what we expect of it."""

    why: str  # what we do with it
    works: str  # the versions that it was written against, as pip takes them
    until: str  # what would end the need
    without: str  # what happens where it is gone

    @property
    def package(self) -> str:
        return self.works.partition(">")[0].partition("=")[0]


_DATASETS, _PLUGIN = "datasets>=5.2,<6", "datasets lets a package register a builder"

PRIVATE = {
    "datasets.load:_PACKAGED_DATASETS_MODULES": Entry(
        'load_dataset("procedural", ...)',
        _DATASETS,
        _PLUGIN,
        "one line when datasets is imported, and again when asked",
    ),
    "datasets.load:PackagedDatasetModuleFactory.get_module": Entry(
        'load_dataset("procedural", ...)',
        _DATASETS,
        _PLUGIN,
        "one line when datasets is imported, and again when asked",
    ),
    "datasets.load:DatasetModule": Entry(
        'load_dataset("procedural", ...)',
        _DATASETS,
        _PLUGIN,
        "one line when datasets is imported, and again when asked",
    ),
    "datasets.load:DataFilesDict": Entry(
        'load_dataset("procedural", ...)',
        _DATASETS,
        _PLUGIN,
        "one line when datasets is imported, and again when asked",
    ),
}


def get(name: str):
    """The object of that name; None where the installed version has none."""
    if name not in PRIVATE:
        raise KeyError(f"{name} has no entry in hf_procedural/upstream.py")
    try:
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return None


def need(name: str):
    """The object of that name. Raises ImportError in one line where the installed version has none."""
    found = get(name)
    if found is None:
        raise lacking(name)
    return found


def lacking(name: str) -> ImportError:
    """The error that says which versions have what this one has not."""
    entry = PRIVATE[name]
    return ImportError(
        f"{entry.why} needs {name.replace(':', '.')}, which {entry.package} {_version(entry.package)} does not have "
        f"as we know it: pip install '{entry.works}'"
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


_checked: dict[tuple, bool] = {}


def agrees(name: str, check: Callable[[], bool], *about) -> bool:
    """Whether `check()` finds our way and the plain way to agree: asked at first use, once in a process for `about`.

    Where it does not, or cannot be asked, one line is logged: what happens instead.
    """
    if (name, *about) not in _checked:
        try:
            reason = None if check() else "other results"
        except Exception as error:  # whatever another version does where we expect something else
            reason = " ".join(f"{type(error).__name__}: {error}".split())
        _checked[name, *about] = reason is None
        if reason is not None:
            tell(name, reason)
    return _checked[name, *about]


def tell(name: str, reason: str) -> None:
    """Logs what happens instead of what we lean on."""
    entry = PRIVATE[name]
    shown = f"{entry.package} {_version(entry.package)}, not as in {entry.works}"
    _LOG.warning("%s (%s; %s): %s", name.replace(":", "."), shown, reason, entry.without)
