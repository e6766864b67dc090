"""What a recycling step writes: shards, the plan that they follow, and a record of each, kept in its file."""

import dataclasses
import hashlib
import json
import os
import re
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from ..files import read_mapping, whole
from ..runs.folder import RECIPE
from . import reading

HIDDEN = ".datatrove"  # the folder of the plan, and of datatrove's logs, statistics and marks
DAMAGED = "damaged.txt"
METADATA = b"hf_procedural"  # the key under which a file has the record of its shard


def open_output(output: Path, recipe: dict, complete: str, free: set[str], data: str = r"\d{5,}\.parquet") -> bool:
    """Whether the folder is complete: has the file `complete`. Writes nothing.

    `recipe` are the arguments, and `free` those that may differ from the run that began the folder; `data` matches the
    names of what a run leaves there. Raises ValueError where it is a file, holds anything else, or was begun with other
    arguments.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(f"output {output} is a file; name a folder")
    ours = re.compile(rf"{data}|{RECIPE}|README\.md|{complete}|{DAMAGED}|{re.escape(HIDDEN)}|\..*\.tmp")
    for name in sorted(file.name for file in output.glob("*")):
        if not ours.fullmatch(name):
            raise ValueError(f"output {output} holds {name}, which is not of this recipe: choose another folder")
    if not (output / RECIPE).is_file():
        if any(file.name[0] != "." for file in output.glob("*")):
            raise ValueError(f"output {output} is not empty and has no {RECIPE}: choose another folder")
        return False
    before = read_mapping(output / RECIPE)
    for key in {**recipe, **before}:
        if key not in free and before.get(key) != recipe.get(key):
            raise ValueError(
                f"output {output} was begun with {key} {before.get(key)!r}, not {recipe.get(key)!r}: "
                "choose another folder, or go on with its own arguments"
            )
    return (output / complete).is_file()


def planned(
    output: Path, files: list[str], shard_documents: int | None, limit: int | None, used: dict[str, str] | None = None
) -> list[reading.Shard]:
    """The shards of an output folder that was begun, else new ones; writes nothing.

    `used` is what else a run depends on, by argument, such as the `model_digest` of a model. Raises ValueError where
    other files were given than when it was begun, or one has changed, or what is used.
    """
    file = plan_file(output)
    if not file.is_file():
        return reading.plan(files, shard_documents, limit)
    plan = json.loads(file.read_text(encoding="utf-8"))
    in_one = sorted({*files} ^ {*plan["sizes"]})
    if in_one:
        was = "was not" if in_one[0] in files else "was"
        raise ValueError(f"input: {in_one[0]} {was} there when {output} was begun")
    for name, size in plan["sizes"].items():
        now = _size(name)
        if now != size:
            raise ValueError(f"input: {name} had {size} bytes when {output} was begun, and has {now} now")
    for argument, before in plan["used"].items():
        if (used or {}).get(argument) != before:
            raise ValueError(f"{argument} has changed since {output} was begun: choose another folder")
    return [reading.Shard(*shard) for shard in plan["shards"]]


def begin(output: Path, recipe: dict, files: list[str], shards: list[reading.Shard], used: dict | None = None) -> None:
    """Writes recipe.yaml and the plan, unless they are there."""
    (output / HIDDEN).mkdir(parents=True, exist_ok=True)
    if not (output / RECIPE).is_file():
        with whole(output / RECIPE) as temporary:
            temporary.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    if not plan_file(output).is_file():
        plan = {
            "sizes": {file: _size(file) for file in files},
            "shards": [dataclasses.astuple(shard) for shard in shards],
            "used": used or {},
        }
        with whole(plan_file(output)) as temporary:
            temporary.write_text(json.dumps(plan), encoding="utf-8")


def model_digest(model: str) -> str:
    """Of names, sizes and times of a model's files, in a folder or itself one; of one on the Hub, its name.

    Weights are not read: they may be many gigabytes, and nobody writes other ones with the times of these.
    """
    files = [Path(model)]
    for kind in ("*.safetensors", "*.bin", "tokenizer*", "*config.json"):
        files += sorted(Path(model).glob(kind))
    versions = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    return hashlib.blake2b(json.dumps([model, versions]).encode(), digest_size=8).hexdigest()


def plan_file(output: Path) -> Path:
    return Path(output, HIDDEN, "plan.json")


def _size(file: str) -> int | None:
    """Of a local file; those of the Hub are of one revision, which does not change."""
    return None if "://" in file else os.path.getsize(file)


def shard_file(output, rank: int, shards: int) -> Path:
    """Of a shard; the names are in order, with digits enough for all."""
    return Path(output, f"{rank:0{max(5, len(str(shards - 1)))}d}.parquet")


def record_of(file: Path) -> dict:
    """What the steps of a shard had put on record when its file was complete."""
    return json.loads(pq.read_metadata(file).metadata[METADATA])
