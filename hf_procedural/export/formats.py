"""The formats by name. Each is a module of this folder, imported when it is asked for."""

import importlib
from types import ModuleType

from ..errors import nearest

FORMATS: dict[str, str] = {  # name on the command line, and module
    "megatron": "megatron",
    "nanogpt": "nanogpt",
    "llmc": "llmc",
    "olmo": "olmo",
    "datatrove": "datatrove",
    "litdata": "litdata",
    "mds": "mds",
    "dclm": "dclm",
    "open_lm": "open_lm",
    "parquet": "parquet",
}
PACKED = ("dclm", "open_lm", "parquet")  # compressed, so that nobody knows beforehand how small files are


def format_of(name: str) -> ModuleType:
    """The module of a format. Raises ValueError for a name that is none."""
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}{nearest(name, FORMATS)} (formats: {', '.join(FORMATS)})")
    return importlib.import_module(f".{FORMATS[name]}", __package__)


def about_all() -> str:
    """A line about each, for --help."""
    return "\n".join(f"  {name:<10} {format_of(name).ABOUT}" for name in FORMATS)
