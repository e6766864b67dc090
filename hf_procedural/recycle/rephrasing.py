"""Rephrasing of web text for pretraining: the step, its columns, and what a run was like.

A document is cut into pieces, each of which is asked for itself; what follows the marker in the answers is joined.
"""

import functools
import itertools
import json
import multiprocessing
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import torch

from ..files import whole
from ..moved import old_names
from . import pieces, pipeline
from .choices import COMPLETE, ORIGINAL
from .generation import Generator, Settings
from .output import DAMAGED, HIDDEN, facts_of, shard_file
from .pipeline import Document, PipelineStep

__getattr__ = old_names(__name__)

CARD = "README.md"
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "text": pa.string(),  # rephrased
        "original": pa.string(),
        "original_length": pa.int64(),  # characters
        "pieces": pa.int32(),
        "failed_pieces": pa.int32(),
        "metadata": pa.string(),  # JSON of the other columns
    }
)
FAILURES = ("no_marker", "long_prompt", "no_room")  # why it was not
_TOLD = 100  # damaged lines in COMPLETE; all are in pipeline.DAMAGED


class Rephrase(PipelineStep):
    """Documents rephrased, in order; the facts of a shard get its counts.

    Args:
        piece_characters: the longest piece.
        batch_pieces: how many are generated together at most; a batch is seeded by `seed`, its shard and its number.
        without_marker: ORIGINAL or DROP.
    """

    type, name = "♻ - REPHRASER", "pieces"

    def __init__(
        self,
        output: Path,
        facts: dict,
        settings: Settings,
        *,
        seed: int,
        piece_characters: int,
        batch_pieces: int,
        without_marker: str,
    ):
        super().__init__()
        self.output, self.facts, self.settings, self.seed = output, facts, settings, seed
        self.piece_characters, self.batch_pieces, self.without_marker = piece_characters, batch_pieces, without_marker

    def run(self, data, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        generator, counts, done, seconds = _generator(self.settings), Counter(), 0, 0.0
        self.facts["counts"] = counts
        seeds = ((self.seed, rank, batch) for batch in itertools.count())
        for group in self._groups(data):
            parts = [part for _, own in group for part in own]
            tell = _teller(self.output, rank, done, len(group) / max(len(parts), 1))
            found = []
            for start in range(0, len(parts), self.batch_pieces):
                some, began = parts[start : start + self.batch_pieces], time.monotonic()
                with self.track_time("batch"):
                    found += _rephrased(generator, some, next(seeds), counts, tell)
                seconds += time.monotonic() - began
            found = iter(found)
            for document, own in group:
                yield self._together(document, own, list(itertools.islice(found, len(own))), counts)
            done += len(group)
        with whole(_seconds_file(self.output, rank)) as temporary:
            temporary.write_text(str(seconds))  # not among the facts, which are the same in every run
        pipeline.tell_progress(self.output, rank, None)

    def _groups(self, data) -> Iterator[list[tuple[Document, list[str]]]]:
        """Documents with their pieces; of these a group has at most what is generated together, or is one document."""
        group, size = [], 0
        for document in data:
            own = pieces.cut(document.text, self.piece_characters)
            if group and size + len(own) > self.batch_pieces:
                yield group
                group, size = [], 0
            group.append((document, own))
            size += len(own)
        if group:
            yield group

    def _together(self, document: Document, own: list[str], found: list[str | None], counts: Counter) -> Document:
        failed = found.count(None)
        stays = self.without_marker == ORIGINAL
        wanted = [
            None if stays and (new is None or part.isspace()) else new or ""
            for part, new in zip(own, found, strict=True)
        ]
        text = pieces.join(own, wanted)
        counts.update(
            documents=1,
            documents_with_failure=int(failed > 0),
            pieces=len(own),
            characters_in=len(document.text),
            characters_out=len(text),
        )
        columns = {
            "original": document.text,
            "original_length": len(document.text),
            "pieces": len(own),
            "failed_pieces": failed,
            "metadata": json.dumps(document.metadata, default=str),
        }
        return Document(text, document.id, metadata=columns)


def _rephrased(generator: Generator, parts: list[str], seed, counts: Counter, tell) -> list[str | None]:
    """What pieces are rephrased to, None where that fails; white space alone is nothing to rephrase."""
    found, asked = [""] * len(parts), {}
    for place, (part, prompt) in enumerate(zip(parts, generator.ask(parts), strict=True)):
        if part.isspace():
            continue
        found[place] = None
        if len(prompt) > generator.settings.prompt_tokens:
            counts["long_prompt"] += 1
        elif generator.room(prompt) < 1:
            counts["no_room"] += 1
        else:
            asked[place] = prompt
    for place, completion in zip(asked, generator(list(asked.values()), seed, tell), strict=True):
        found[place] = pieces.after_marker(completion.text)
        counts.update(
            prompt_tokens=len(asked[place]),
            tokens=completion.tokens,
            no_marker=int(found[place] is None),
            empty_pieces=int(found[place] == ""),
            cut_completions=int(not completion.ended),
        )
    return found


@functools.lru_cache(maxsize=1)
def _generator(settings: Settings) -> Generator:
    """Of this process. A worker of several on this machine takes one GPU alone, before torch has looked at any."""
    worker = multiprocessing.current_process()._identity  # of the N-th child of a process (N,)
    if worker and (count := torch.cuda.device_count()) > 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[worker[-1] % count]
    return Generator(settings)


def _teller(output: Path, rank: int, done: int, weight: float):
    """A function to be called at the end of each piece, which lets the bar know."""
    pieces_done, last = itertools.count(1), 0.0

    def tell():
        nonlocal last
        now, number = time.monotonic(), next(pieces_done)
        if now - last > 0.5:
            last = now
            pipeline.tell_progress(output, rank, done + number * weight)

    return tell


def _seconds_file(output: Path, rank: int) -> Path:
    """How long the generation of a shard took: there before the shard's file is."""
    folder = output / HIDDEN / "seconds"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / str(rank)


# What a run was like


def finish(output: Path, shards: int, settings: Settings) -> None:
    """Writes what is known when all shards are there: pipeline.DAMAGED, where there is any, and COMPLETE last."""
    counts, damaged, seconds = Counter(), [], 0.0
    for rank in range(shards):
        facts = facts_of(shard_file(output, rank, shards))
        counts.update(facts["counts"])
        damaged += facts["damaged"]
        seconds += float(_seconds_file(output, rank).read_text())
    packages = ("hf-procedural", "torch", "transformers", "datatrove", "tokenizers", "pyarrow")
    told = {
        "documents": counts["documents"],
        "documents_with_failure": counts["documents_with_failure"],
        "pieces": counts["pieces"],
        "failed_pieces": {reason: counts[reason] for reason in FAILURES},
        "empty_pieces": counts["empty_pieces"],
        "cut_completions": counts["cut_completions"],
        "damaged_lines": len(damaged),
        "damaged": damaged[:_TOLD],
        "characters": {"in": counts["characters_in"], "out": counts["characters_out"]},
        "length_ratio": counts["characters_out"] / counts["characters_in"] if counts["characters_in"] else None,
        "tokens": {"prompts": counts["prompt_tokens"], "completions": counts["tokens"]},
        "seconds": round(seconds, 3),  # of generation, summed over workers
        "tokens_per_second": round(counts["tokens"] / seconds, 1) if seconds else None,  # of completions, of one worker
        "shards": shards,
        "model": settings.model,
        "engine": settings.engine,
        "versions": {"python": platform.python_version()} | {package: version(package) for package in packages},
    }
    for file in output.glob(".*.tmp"):
        file.unlink()
    if damaged:
        with whole(output / DAMAGED) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in damaged), encoding="utf-8")
    with whole(output / CARD) as temporary:
        temporary.write_text(_card(told), encoding="utf-8")
    with whole(output / COMPLETE) as temporary:
        temporary.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _card(told: dict) -> str:
    """What the Hub shows, and what tells `datasets` which of the folder's files are the data."""
    return f"""---
configs:
- config_name: default
  data_files: "*.parquet"
task_categories:
- text-generation
tags:
- hf_procedural
---

# Rephrased web text

{told["documents"]:,} documents, rephrased by `{Path(told["model"]).name}` with recipes/recycle_rephrase.py of
hf_procedural, by the method of [RePro](https://arxiv.org/abs/2510.10681) (Yu and Xiong 2025). `text` is what `original`
was rephrased to; of {told["pieces"]:,} pieces {sum(told["failed_pieces"].values()):,} failed (`failed_pieces`).
{COMPLETE} has all counts.
"""


def summary(output: Path) -> str:
    """What a complete folder holds, as lines."""
    told = json.loads((output / COMPLETE).read_text(encoding="utf-8"))
    failed = ", ".join(f"{reason} {number:,}" for reason, number in told["failed_pieces"].items() if number)
    ratio, speed = told["length_ratio"], told["tokens_per_second"]
    lines = {
        "documents": f"{told['documents']:,}, {told['documents_with_failure']:,} of them with a failed piece",
        "pieces": f"{told['pieces']:,}, {sum(told['failed_pieces'].values()):,} failed"
        + (f" ({failed})" if failed else ""),
        "completions": f"{told['tokens']['completions']:,} tokens, {told['cut_completions']:,} without an end",
        "characters": "{in:,} in, {out:,} out".format(**told["characters"])
        + (f" ({ratio:.1%})" if ratio is not None else ""),
        "damaged lines": f"{told['damaged_lines']:,}" + (f", named in {DAMAGED}" if told["damaged_lines"] else ""),
        "time": f"{told['seconds']:,.0f} s" + (f", {speed:,.0f} tokens/s" if speed else ""),
    }
    return "\n".join([*(f"{name:<14} {value}" for name, value in lines.items()), f"in {output}, with {COMPLETE}"])
