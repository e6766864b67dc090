"""Rephrasing of web text for pretraining: the step, its columns, and what a run was like.

A document is cut into pieces, each of which is asked for itself; what follows the marker in the answers is joined.
"""

import functools
import itertools
import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import torch

from .. import upstream
from ..errors import GOES_ON
from ..files import expected, read_mapping, read_text, write_text
from ..moved import old_names
from ..runs.folder import versions
from . import pieces, pipeline, reading
from .choices import COMPLETE, ORIGINAL
from .generation import Generator, Settings
from .output import DAMAGED, HIDDEN, record_of, shard_file
from .pipeline import Document, PipelineStep

__getattr__ = old_names(__name__)

_IDENTITY = "multiprocessing.process:BaseProcess._identity"
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
_LISTED = 100  # damaged lines in COMPLETE; all are in output.DAMAGED


class Rephrase(PipelineStep):
    """Documents rephrased, in order; the record of a shard gets its counts.

    Args:
        piece_characters: the longest piece.
        batch_pieces: how many are generated together at most; a batch is seeded by `seed`, its shard and its number.
        without_marker: ORIGINAL or DROP.
    """

    type, name = "♻ - REPHRASER", "pieces"

    def __init__(
        self,
        output: Path,
        record: dict,
        settings: Settings,
        *,
        seed: int,
        piece_characters: int,
        batch_pieces: int,
        without_marker: str,
    ):
        super().__init__()
        self.output = output
        self.record = record
        self.settings = settings
        self.seed = seed
        self.piece_characters = piece_characters
        self.batch_pieces = batch_pieces
        self.without_marker = without_marker

    def run(self, data, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        generator = _generator(self.settings)
        self.record["counts"] = counts = Counter()
        seeds = ((self.seed, rank, batch) for batch in itertools.count())
        done = 0  # documents
        seconds = 0.0
        for group in self._groups(data):
            cut = list(itertools.chain.from_iterable(own for _, own in group))
            tell = _teller(self.output, rank, done, len(group) / max(len(cut), 1))
            rephrased = []
            for start in range(0, len(cut), self.batch_pieces):
                began = time.monotonic()
                with self.track_time("batch"):
                    batch = cut[start : start + self.batch_pieces]
                    rephrased += _rephrased(generator, batch, next(seeds), counts, tell)
                seconds += time.monotonic() - began
            of_documents = iter(rephrased)
            for document, own in group:
                yield self._together(document, own, list(itertools.islice(of_documents, len(own))), counts)
            done += len(group)
        write_text(_seconds_file(self.output, rank), str(seconds))  # not on record, which is the same in every run
        pipeline.tell_progress(self.output, rank, None)

    def _groups(self, data) -> Iterator[list[tuple[Document, list[str]]]]:
        """Documents with their pieces; of these a group has at most what is generated together, or is one document."""
        group = []
        size = 0
        for document in data:
            own = pieces.cut(document.text, self.piece_characters)
            if group and size + len(own) > self.batch_pieces:
                yield group
                group = []
                size = 0
            group.append((document, own))
            size += len(own)
        if group:
            yield group

    def _together(self, document: Document, own: list[str], rephrased: list[str | None], counts: Counter) -> Document:
        """The document of its own pieces, as they were rephrased; None is one that was not."""
        failed = rephrased.count(None)
        new: list[str | None]
        if self.without_marker == ORIGINAL:
            # White space between pieces that stay is theirs: the text comes out as it was.
            new = [None if part.isspace() else text for part, text in zip(own, rephrased, strict=True)]
        else:
            new = [text or "" for text in rephrased]
        text = pieces.join(own, new)
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


def _rephrased(generator: Generator, cut: list[str], seed, counts: Counter, tell) -> list[str | None]:
    """What pieces are rephrased to, None where that fails; white space alone is nothing to rephrase."""
    rephrased: list[str | None] = [""] * len(cut)
    asked = {}  # prompts, by the place of their piece
    for place, (piece, prompt) in enumerate(zip(cut, generator.ask(cut), strict=True)):
        if piece.isspace():
            continue
        rephrased[place] = None
        if len(prompt) > generator.settings.prompt_tokens:
            counts["long_prompt"] += 1
        elif generator.room(prompt) < 1:
            counts["no_room"] += 1
        else:
            asked[place] = prompt
    for place, completion in zip(asked, generator(list(asked.values()), seed, tell), strict=True):
        text = pieces.after_marker(completion.text)
        rephrased[place] = text
        counts.update(
            prompt_tokens=len(asked[place]),
            tokens=completion.tokens,
            no_marker=int(text is None),
            empty_pieces=int(text == ""),
            cut_completions=int(not completion.ended),
        )
    return rephrased


@functools.lru_cache(maxsize=1)
def _generator(settings: Settings) -> Generator:
    """Of this process. A worker of several on this machine takes one GPU alone, before torch has looked at any."""
    worker = upstream.of(multiprocessing.current_process(), _IDENTITY)  # of the N-th child of a process (N,)
    if worker:
        count = torch.cuda.device_count()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
        if count > 1:
            os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[worker[-1] % count]
    return Generator(settings)


def _teller(output: Path, rank: int, done: int, weight: float):
    """A function to be called at the end of each piece, which lets the bar know."""
    pieces_done = itertools.count(1)
    last = 0.0

    def tell():
        nonlocal last
        number = next(pieces_done)
        now = time.monotonic()
        if now - last > 0.5:  # seconds: the bar looks no more often
            last = now
            pipeline.tell_progress(output, rank, done + number * weight)

    return tell


def _seconds_file(output: Path, rank: int) -> Path:
    """How long the generation of a shard took: there before the shard's file is."""
    folder = output / HIDDEN / "seconds"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / str(rank)


def _seconds_of(output: Path, rank: int) -> float:
    file = _seconds_file(output, rank)
    remedy = f"write 0 into it, and {GOES_ON}"
    try:
        return float(read_text(file, remedy))
    except ValueError as error:
        raise ValueError(str(error) if str(file) in str(error) else f"{file} holds no number; {remedy}") from error


# What a run was like


def finish(output: Path, shards: int, settings: Settings) -> None:
    """Writes what is known when all shards are there: output.DAMAGED, where there is any, and COMPLETE last."""
    counts = Counter()
    damaged = []
    seconds = 0.0
    for rank in range(shards):
        record = record_of(shard_file(output, rank, shards))
        counts.update(record["counts"])
        damaged += record["damaged"]
        seconds += _seconds_of(output, rank)
    account = {
        "documents": counts["documents"],
        "documents_with_failure": counts["documents_with_failure"],
        "pieces": counts["pieces"],
        "failed_pieces": {reason: counts[reason] for reason in FAILURES},
        "empty_pieces": counts["empty_pieces"],
        "cut_completions": counts["cut_completions"],
        "damaged_lines": reading.lost(damaged),
        "damaged": damaged[:_LISTED],
        "characters": {"in": counts["characters_in"], "out": counts["characters_out"]},
        "length_ratio": counts["characters_out"] / counts["characters_in"] if counts["characters_in"] else None,
        "tokens": {"prompts": counts["prompt_tokens"], "completions": counts["tokens"]},
        "seconds": round(seconds, 3),  # of generation, summed over workers
        "tokens_per_second": round(counts["tokens"] / seconds, 1) if seconds else None,  # of completions, of one worker
        "shards": shards,
        "model": settings.model,
        "engine": settings.engine,
        "versions": versions("hf-procedural", "torch", "transformers", "datatrove", "tokenizers", "pyarrow"),
    }
    for file in output.glob(".*.tmp"):
        file.unlink()
    if damaged:
        write_text(output / DAMAGED, "".join(f"{line}\n" for line in damaged))
    write_text(output / CARD, _card(account))
    write_text(output / COMPLETE, json.dumps(account, indent=2) + "\n")


def _card(account: dict) -> str:
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

{account["documents"]:,} documents, rephrased by `{Path(account["model"]).name}` with recipes/recycle_rephrase.py of
hf_procedural, by the method of [RePro](https://arxiv.org/abs/2510.10681) (Yu and Xiong 2025). `text` is what `original`
was rephrased to; of {account["pieces"]:,} pieces {sum(account["failed_pieces"].values()):,} failed (`failed_pieces`).
{COMPLETE} has all counts.
"""


def summary(output: Path) -> str:
    """What a complete folder holds, as lines."""
    file, remedy = output / COMPLETE, f"remove it, and {GOES_ON}"
    account = read_mapping(file, remedy)
    with expected(file, remedy):
        return _in_lines(account, output)


def _in_lines(account: dict, output: Path) -> str:
    failed = {reason: number for reason, number in account["failed_pieces"].items() if number}
    lines = {
        "documents": f"{account['documents']:,}, {account['documents_with_failure']:,} of them with a failed piece",
        "pieces": f"{account['pieces']:,}, {sum(failed.values()):,} failed",
        "completions": f"{account['tokens']['completions']:,} tokens, {account['cut_completions']:,} without an end",
        "characters": "{in:,} in, {out:,} out".format(**account["characters"]),
        "damaged lines": f"{account['damaged_lines']:,}",
        "time": f"{account['seconds']:,.0f} s",
    }
    if failed:
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in failed.items())
        lines["pieces"] += f" ({reasons})"
    if account["length_ratio"] is not None:
        lines["characters"] += f" ({account['length_ratio']:.1%})"
    if account["damaged_lines"]:
        lines["damaged lines"] += f", named in {DAMAGED}"
    if account["tokens_per_second"]:
        lines["time"] += f", {account['tokens_per_second']:,.0f} tokens/s"
    table = [f"{name:<14} {value}" for name, value in lines.items()]
    return "\n".join([*table, f"in {output}, with {COMPLETE}"])
