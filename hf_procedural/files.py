"""Files whole or not at all; files that are read back: YAML without surprises, and one line for what is wrong."""

import contextlib
import json
import os
import re
from collections.abc import Generator
from pathlib import Path

import yaml


@contextlib.contextmanager
def whole(file: Path, alone: bool = False) -> Generator[Path]:
    """A hidden file to write, of this process alone, which becomes `file` when it is complete.

    Where no other process writes `file` at the same time (`alone`), the hidden one has the same name at each try, so
    that what a killed process left is written over instead of lying there for ever.
    """
    temporary = file.with_name(f".{file.name}.tmp" if alone else f".{file.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(file: Path, text: str) -> None:
    """Writes a text file, UTF-8, whole or not at all."""
    with whole(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def no_empty_folders(folder: Path) -> Generator[None]:
    """Around what may make `folder` and then fail: removes it again, with folders in it and those made for it."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        yield
    except BaseException:
        inside = sorted(folder.rglob("*"), reverse=True) if missing else []
        with contextlib.suppress(OSError):  # there is a file, or another process was faster
            for each in (*inside, *missing):
                each.rmdir()
        raise


def recipes_folder() -> Path:
    """The folder of the recipes: in the package where that was installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def shipped(folder: str, name: str) -> Path | None:
    """A file of recipes/FOLDER (configs, accelerate, templates) by its name without ending, where there is one."""
    return next((file for file in (recipes_folder() / folder).glob("*.*") if file.stem == name), None)


def check_folder(folder: Path, ours: str = ".*", argument: str = "output_dir") -> None:
    """Raises ValueError, with the argument's name, for a file, and for a folder with names that `ours` does not match.

    `ours` is a regular expression. A folder that is not there is well.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{argument} {folder} is a file; name a folder")
    strange = sorted(file.name for file in folder.glob("*") if not re.fullmatch(ours, file.name))
    if strange:
        raise ValueError(f"{argument} {folder} holds {strange[0]}, which is not of this recipe: choose another folder")


class Loader(yaml.SafeLoader):
    """YAML with the numbers of YAML 1.2: 2_4_16 is a string, 5e-4 is a number, and only true and false are booleans.

    A key that stands twice is an error.
    """

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"the key {key!r} stands twice")
        return super().construct_mapping(node, deep)


def _use_yaml_12(loader) -> None:
    """Replaces how `loader` knows numbers and booleans, of YAML 1.1, by what YAML 1.2 says."""
    scalars = {
        "int": (r"[-+]?\d+", "-+0123456789"),
        "float": (r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?|[-+]?\.inf|\.nan", "-+.0123456789"),
        "bool": (r"true|false", "tf"),
    }
    replaced = {f"tag:yaml.org,2002:{kind}" for kind in scalars}
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in replaced]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for kind, (pattern, first) in scalars.items():
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(rf"(?:{pattern})\Z"), list(first))


_use_yaml_12(Loader)


def read_mapping(file: Path) -> dict:
    """The keys and values of a .json or .yaml file. Raises ValueError, in one line, for a file that holds none."""
    try:
        text = file.read_text(encoding="utf-8")
        content = json.loads(text) if file.suffix == ".json" else yaml.load(text, Loader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} must hold keys and values, got {type(content).__name__}")
    return content


def is_hub_id(name: str) -> bool:
    """Whether a name could be that of a repo of the Hub, such as ORG/NAME; not whether there is one."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True
