"""Files whole or not at all; files that are read back, here alone: one line names what is damaged, and the remedy."""

import contextlib
import csv
import hashlib
import itertools
import json
import os
import re
import socket
import zipfile
from collections.abc import Generator, Iterable
from pathlib import Path

import yaml

from . import locks
from .errors import disk_error, in_bytes, writing


@contextlib.contextmanager
def whole(file: Path, alone: bool = False, size: int | None = None, mark: str = "") -> Generator[Path]:
    """A hidden file to write, of this process alone, which becomes `file` when it is complete.

    Where no other process writes `file` at the same time (`alone`), the hidden one has the same name at each try, so
    that what a killed process left is written over instead of lying there for ever; `mark` is then in that name, of
    one of several that might. Raises DiskError where there is no room, which tells the `size` in bytes, or how many
    had been written.
    """
    owner = mark if alone else f".{os.getpid()}"
    temporary = file.with_name(f".{file.name}{owner}.tmp")
    try:
        yield temporary
        os.replace(temporary, file)
    except Exception as error:  # of each library its own
        written = temporary.stat().st_size if temporary.exists() else 0
        least = f"more than {in_bytes(written)} needed" if written else ""
        full = disk_error(error, file, least if size is None else f"{in_bytes(size)} needed")
        if full is None or full is error:
            raise
        raise full from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(file: Path, text: str) -> None:
    """Writes a text file, UTF-8, whole or not at all."""
    content = text.encode()
    with whole(file, size=len(content)) as temporary:
        temporary.write_bytes(content)


def write_first(file: Path, text: str) -> None:
    """Writes a text file, whole or not at all, unless it is there: of several at the same time, one's is."""
    with writing(file):
        temporary = file.with_name(f".{file.name}.{socket.gethostname()}.{os.getpid()}.tmp")
        try:
            temporary.write_text(text, encoding="utf-8")
            try:
                os.link(temporary, file)
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                if not file.exists():
                    os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)


def write_csv(file: Path, rows: list[dict]) -> None:
    """Writes a table, whole or not at all; its columns are all keys of the rows, in their order."""
    with whole(file) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(dict.fromkeys(itertools.chain(*rows))))
        writer.writeheader()
        writer.writerows(rows)


DIGESTS = "digests.json"  # of the files beside it; it comes last, as the mark that they are whole


def write_digests(folder: Path, files: Iterable[Path]) -> None:
    """Writes the SHA-256 of files in or below a folder, by their names in it."""
    others = [file for file in sorted(files) if file != folder / DIGESTS]  # which may be there, of an earlier time
    digests = {file.relative_to(folder).as_posix(): _digest(file) for file in others}
    write_text(folder / DIGESTS, json.dumps({"sha256": digests}, indent=2) + "\n")


def changed_file(folder: Path, pattern: str = "*") -> str | None:
    """The name of the first file that is gone, or not as it was when the folder's digests were written; None for none.

    Only those of names like `pattern` are read. Raises ValueError for digests that cannot be read.
    """
    digests = read_mapping(folder / DIGESTS).get("sha256")
    if not isinstance(digests, dict):
        raise ValueError(f"{folder / DIGESTS} holds no digests; {MEND}")
    for name, digest in digests.items():
        file = folder / name
        if file.match(pattern) and not (file.is_file() and _digest(file) == digest):
            return name
    return None


def check_weights(folder: Path) -> None:
    """Raises ValueError where a folder has digests, and weights in it are not as they were saved."""
    if not (folder / DIGESTS).is_file():
        return
    changed = changed_file(folder, "*.safetensors")
    if changed is not None:
        raise ValueError(
            f"{folder / changed} is not as it was saved: put back a copy, or remove {folder / DIGESTS} to take it so"
        )


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def recipes_folder() -> Path:
    """The folder of the recipes: in the package where that was installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def templates_of(script: str) -> Path:
    """The prompts beside a recipe's script; of a script without them, as where it was sent alone, the package's."""
    beside = Path(script).parent / "templates"
    return beside if beside.is_dir() else recipes_folder() / "templates"


def studies_folder() -> Path:
    """The folder of the studies: in that of the recipes in an installed package, beside it in a checkout."""
    inside = recipes_folder() / "studies"
    return inside if inside.is_dir() else recipes_folder().parent / "studies"


def shipped(folder: str, name: str) -> Path | None:
    """A file of recipes/FOLDER (configs, accelerate, templates) by its name without ending, where there is one."""
    return next((file for file in (recipes_folder() / folder).glob("*.*") if file.stem == name), None)


_LONGEST_NAME = 255  # bytes, of all common file systems


def check_folder(folder: Path, ours: str = ".*", argument: str = "output_dir") -> None:
    """Raises ValueError, with the argument's name, for a file, and for a folder with names that `ours` does not match.

    The same for a folder that another process is writing, and for one that cannot be made. `ours` is a regular
    expression. A folder that is not there is well.
    """
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), Path())
    if not there.is_dir():
        what = "a file" if there.exists() else "a link to nothing"
        below = "" if there == folder else f"below {there}, "
        raise ValueError(f"{argument} {folder} is {below}{what}; name a folder")
    if too_long := [part for part in folder.parts if len(os.fsencode(part)) > _LONGEST_NAME]:
        raise ValueError(f"{argument} has a name of {len(too_long[0])} characters, {too_long[0][:20]}...: too long")
    locks.check_free(folder, argument)
    strange = [name for name in locks.names_in(folder) if not re.fullmatch(ours, name)]
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


MEND = "mend or remove it"


def read_text(file: Path, remedy: str = MEND) -> str:
    """The text of a UTF-8 file. Raises ValueError, in one line that ends with the remedy, where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error, remedy) from None


def look_into(file: Path) -> None:
    """Raises ValueError where a file of tensors tells that it is damaged: by the sums of its parts, or by its size."""
    if file.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(file, "np"):
                return
        except (SafetensorError, OSError) as error:
            raise _unreadable(file, error, MEND) from error
    if file.suffix in (".pt", ".pth"):
        try:
            with zipfile.ZipFile(file) as parts:
                damaged = parts.testzip()
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise _unreadable(file, error, MEND) from error
        if damaged is not None:
            raise ValueError(f"{file} cannot be read: its part {damaged} is not as it was saved; {MEND}")


def why_unloadable(name: str, error: Exception) -> str:
    """Why a library could not load the model or tokenizer `name`: the file of the folder that is damaged, if one is."""
    if "trust_remote_code" in str(error):
        return "it is of a kind that transformers does not have, and needs code of its own, which is never run"
    for pattern in ("config.json", "generation_config.json", "tokenizer*.json", "*.index.json", "*.safetensors"):
        for file in sorted(Path(name).glob(pattern)):
            try:
                if file.suffix == ".safetensors":
                    look_into(file)
                elif "model" not in read_mapping(file) and file.name == "tokenizer.json":
                    return f"{file} holds no tokenizer; {MEND}"
            except ValueError as damage:
                return str(damage)
    reason = str(error) or type(error).__name__
    return " ".join(reason.split()) if Path(name).is_dir() else reason.splitlines()[0]


def read_mapping(file: Path, remedy: str = MEND) -> dict:
    """The keys and values of a .json or .yaml file. Raises ValueError, in one line, for a file that holds none."""
    text = read_text(file, remedy)
    try:
        content = json.loads(text) if file.suffix == ".json" else load_yaml(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, error, remedy) from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} must hold keys and values, got {type(content).__name__}; {remedy}")
    return content


def _unreadable(file: Path, error: Exception, remedy: str) -> ValueError:
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return ValueError(f"{file} cannot be read: {' '.join(str(reason).split())}; {remedy}")


@contextlib.contextmanager
def expected(file: Path, remedy: str = MEND) -> Generator[None]:
    """Around what uses what was read from a file: raises ValueError, naming the file, where it is of another kind."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__} {error}"
        raise ValueError(f"{file} does not hold what was written there ({reason}); {remedy}") from error


def load_yaml(text: str, loader=Loader):
    """What a YAML holds; nothing in it is run. Raises ValueError for all that is not valid, and for loops."""
    try:
        content = yaml.load(text, loader)
        _check_loops(content, (), set())
        return content
    except Exception as error:  # a tag with a value that is not of its kind ends in any error of Python
        reason = str(error) if isinstance(error, yaml.YAMLError | ValueError) else f"{type(error).__name__} {error}"
        raise ValueError(" ".join(reason.split())) from None


def _check_loops(value, above: tuple, seen: set[int]) -> None:
    """Raises ValueError for a list or mapping within itself, which an alias makes."""
    if any(value is each for each in above):
        raise ValueError("a value holds itself")
    if not isinstance(value, dict | list) or id(value) in seen:
        return
    for each in value.values() if isinstance(value, dict) else value:
        _check_loops(each, (*above, value), seen)
    seen.add(id(value))


def is_hub_id(name: str) -> bool:
    """Whether a name could be that of a repo of the Hub, such as ORG/NAME; not whether there is one."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True
