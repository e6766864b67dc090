"""What a recycling step writes: shards, the plan that they follow, and a record of each, kept in its file."""

import dataclasses
import hashlib
import json
import os
import re
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from ..errors import GOES_ON
from ..files import expected, read_mapping, write_text
from ..renamed import with_current_keys
from ..runs.folder import RECIPE
from ..shards.executors import HIDDEN  # of the plan, too
from . import reading

DAMAGED = "damaged.txt"
OURS = rf"README\.md|{DAMAGED}|{re.escape(HIDDEN)}"  # in every folder of a recycling step, beside its data
_ANEW = "choose another folder"
METADATA = b"hf_procedural"  # the key under which a file has the record of its shard


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
    plan = read_plan(output)
    in_one = sorted({*files} ^ {*plan["sizes"]})
    if in_one:
        was = "was not" if in_one[0] in files else "was"
        raise ValueError(f"dataset: {in_one[0]} {was} there when {output} was begun")
    for name, size in plan["sizes"].items():
        now = _size(name)
        if now != size:
            raise ValueError(f"dataset: {name} had {size} bytes when {output} was begun, and has {now} now")
    for argument, before in with_current_keys(plan["used"], used or {}).items():
        if (used or {}).get(argument) != before:
            raise ValueError(f"{argument} has changed since {output} was begun: choose another folder")
    return [reading.Shard(*shard) for shard in plan["shards"]]


def begin(output: Path, recipe: dict, files: list[str], shards: list[reading.Shard], used: dict | None = None) -> None:
    """Writes recipe.yaml and the plan, unless they are there."""
    (output / HIDDEN).mkdir(parents=True, exist_ok=True)
    if not (output / RECIPE).is_file():
        write_text(output / RECIPE, yaml.safe_dump(recipe, sort_keys=False))
    if not plan_file(output).is_file():
        plan = {
            "sizes": {file: _size(file) for file in files},
            "shards": [dataclasses.astuple(shard) for shard in shards],
            "used": used or {},
        }
        write_text(plan_file(output), json.dumps(plan))


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


def read_plan(output: Path) -> dict:
    """The plan that a folder was begun with. Raises ValueError, in one line, where it is damaged."""
    file = plan_file(output)
    plan = read_mapping(file, _ANEW)
    with expected(file, _ANEW):
        shards = [len(shard) == len(dataclasses.fields(reading.Shard)) for shard in plan["shards"]]
        if not (all(shards) and isinstance(plan["sizes"], dict) and isinstance(plan["used"], dict)):
            raise TypeError("no plan")
    return plan


def _size(file: str) -> int | None:
    """Of a local file; those of the Hub are of one revision, which does not change."""
    return None if "://" in file else os.path.getsize(file)


def shard_file(output, rank: int, shards: int) -> Path:
    """Of a shard; the names are in order, with digits enough for all."""
    return Path(output, f"{rank:0{max(5, len(str(shards - 1)))}d}.parquet")


def record_of(file: Path) -> dict:
    """What the steps of a shard had put on record when its file was complete."""
    try:
        return json.loads(pq.read_metadata(file).metadata[METADATA])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is not a file of this step ({error}); remove it, and {GOES_ON}") from error
