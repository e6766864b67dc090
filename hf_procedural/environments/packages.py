"""The kinds of packages that make a task an environment of a framework, and how one is written."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from .. import __version__
from ..files import check_folder, read_mapping, write_text
from . import nemo_gym_package, openenv_package, verifiers_package
from .package import Package

RECORD = "hf_procedural.json"  # in the folder of every package: what it was written for

# A kind gives the text of each file, by its path in the folder. It raises ValueError for what its framework cannot do,
# and imports no framework.
KINDS: dict[str, Callable[[Package], dict[str, str]]] = {
    "verifiers": verifiers_package.files,
    "openenv": openenv_package.files,
    "nemo-gym": nemo_gym_package.files,
}


def write(package: Package, folder: Path) -> None:
    """Writes a package into a folder that is empty, or has the same package already, whole or in part.

    Raises ValueError for any other folder, for a file there that is not as it would be written, for an unknown kind,
    and for what has no questions, before it writes.
    """
    if package.kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {package.kind!r}")
    record = {"hf_procedural": __version__} | dataclasses.asdict(package)
    texts = {RECORD: json.dumps(record, indent=2) + "\n"} | KINDS[package.kind](package)
    check_folder(folder)
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / RECORD).is_file():
            raise ValueError(f"output_dir {folder} is not empty, and no environment of ours: choose another folder")
        there = read_mapping(folder / RECORD)
        if there != record:
            other = f"{there.get('name')}, {there.get('kind')}, or of other settings"
            raise ValueError(f"output_dir {folder} holds another environment ({other}): choose another folder")
        for path, text in texts.items():
            file = folder / path
            if file.exists() and not (file.is_file() and file.read_bytes() == text.encode()):
                raise ValueError(f"output_dir {folder}: {path} is not as it would be written: choose another folder")
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / path, text)
