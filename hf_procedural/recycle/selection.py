"""Which documents of a source are kept, and a report of them: by a threshold on their quality, which is given, or that
of the best share, or of the best until a token budget is reached.

The steps of datatrove are `Score`, which tells the quality of every document; MinHash, which finds copies; and `Keep`.
Between them all documents of a source are known as rows of FACTS. Sources are "organic", the web as it was, and
"recycled".
"""

import functools
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..data.tokenization import load_tokenizer
from ..moved import old_names
from ..runs.tables import markdown_table
from . import pipeline, quality
from .output import facts_of, shard_file
from .pipeline import Document, PipelineStep

__getattr__ = old_names(__name__)

FACTS = np.dtype(  # quality NaN: an empty text
    [("quality", "f4"), ("characters", "i4"), ("tokens", "i4"), ("duplicate", "?"), ("kept", "?")]
)
SCORED = pa.schema({"id": pa.string(), "quality": pa.float32(), "characters": pa.int32(), "tokens": pa.int32()})
KEPT = pa.schema(
    {
        "id": pa.string(),
        "text": pa.string(),
        "quality": pa.float64(),
        "source": pa.string(),
        "metadata": pa.string(),  # JSON of the other columns
    }
)


# Scores


class Score(PipelineStep):
    """Documents with the columns of SCORED as their metadata: null quality where the text is empty, 0 tokens without a
    tokenizer."""

    type, name = "📊 - SCORER", "fastText"

    def __init__(self, output: Path, model: str, label: str, tokenizer: str | None):
        super().__init__()
        self.output, self.model, self.label, self.tokenizer = output, model, label, tokenizer

    def run(self, data, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        model, done = quality.load(self.model, self.label), 0
        while group := list(itertools.islice(data, quality.BATCH)):
            with self.track_time("batch"):
                texts = [document.text for document in group]
                scores = quality.scores(model, texts, self.label).tolist()
                counts = count_tokens(self.tokenizer, texts) if self.tokenizer else [0] * len(texts)
            for document, score, count in zip(group, scores, counts, strict=True):
                known = None if not document.text or document.text.isspace() else score
                document.metadata = {"quality": known, "characters": len(document.text), "tokens": count}
                yield document
            done += len(group)
            pipeline.tell_progress(self.output, rank, done)
        pipeline.tell_progress(self.output, rank, None)


def count_tokens(tokenizer: str, texts: list[str]) -> list[int]:
    """Tokens of texts, without special ones."""
    encodings = _backend(tokenizer).encode_batch_fast(texts, add_special_tokens=False)
    return [len(encoding) for encoding in encodings]


@functools.lru_cache(1)
def _backend(tokenizer: str):
    return load_tokenizer(tokenizer).backend_tokenizer


@dataclass
class Known:
    """What is known of a source's documents."""

    facts: np.ndarray  # FACTS
    starts: list[int]  # where those of each shard begin, and where the last ends
    damaged: list[str]  # lines
    threshold: float = math.nan


def read_scores(folder: Path, shards: int) -> Known:
    """What `Score` has written."""
    parts, damaged = [], []
    for rank in range(shards):
        file = shard_file(folder, rank, shards)
        table = pq.read_table(file, columns=["quality", "characters", "tokens"])
        parts.append(np.zeros(len(table), FACTS))
        for name in table.column_names:
            parts[-1][name] = table[name].to_numpy()
        damaged += facts_of(file)["damaged"]
    return Known(np.concatenate(parts), [0, *np.cumsum([len(part) for part in parts]).tolist()], damaged)


class Keep(PipelineStep):
    """Of a source's documents those that are kept, with the columns of KEPT.

    Args:
        file: of all FACTS.
        starts: where those of each shard begin, and where the last ends.
    """

    type, name = "✂ - FILTER", "threshold"

    def __init__(self, output: Path, source: str, file: Path, starts: list[int]):
        super().__init__()
        self.output, self.source, self.file, self.starts = output, source, file, starts

    def run(self, data, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        facts = np.load(self.file, mmap_mode="r")[self.starts[rank] : self.starts[rank + 1]]
        rows = zip(data, facts["kept"].tolist(), facts["quality"].tolist(), strict=True)
        for done, (document, is_kept, score) in enumerate(rows):
            if done % 1_000 == 0:
                pipeline.tell_progress(self.output, rank, done)
            if is_kept:
                metadata = json.dumps(document.metadata, default=str)
                document.metadata = {"quality": score, "source": self.source, "metadata": metadata}
                yield document
        pipeline.tell_progress(self.output, rank, None)


# Thresholds


def candidates(facts: np.ndarray) -> np.ndarray:
    """bool [n]: neither empty nor the copy of another."""
    return ~np.isnan(facts["quality"]) & ~facts["duplicate"]


def threshold(rule: str, value: float, facts: np.ndarray) -> float:
    """The least quality that is kept, by a rule:

    threshold   `value` itself
    keep_top    that of the last of the best `value` (a share of the candidates, at least one)
    tokens      that of the document with which the best have `value` tokens together; the least of all where they are
                fewer

    All that have exactly this quality are kept. NaN where there is no candidate.
    """
    facts = facts[candidates(facts)]
    if rule == "threshold" or not len(facts):
        return value if rule == "threshold" else math.nan
    order = np.argsort(-facts["quality"], kind="stable")
    if rule == "keep_top":
        last = max(round(value * len(facts)), 1) - 1
    else:
        last = np.searchsorted(np.cumsum(facts["tokens"][order], dtype=np.int64), value)
    return float(facts["quality"][order[min(last, len(facts) - 1)]])


def choose(known: Known, rule: str, value: float) -> None:
    """Finds the threshold of a source, and marks what is kept: the candidates whose quality is at least that.

    Both are compared as float32, which is what fastText computes, so that a score keeps its document as it is printed.
    """
    known.threshold = threshold(rule, value, known.facts)
    known.facts["kept"] = candidates(known.facts) & (known.facts["quality"] >= np.float32(known.threshold))


# The report


def account(known: Known, rule: str, value: float, tokenizer: str | None) -> dict:
    """What became of a source's documents, in numbers. Tokens are told where a tokenizer counted them."""
    facts, chosen = known.facts, known.facts["kept"]
    told = {
        "rule": {rule: value},
        "threshold": None if math.isnan(known.threshold) else known.threshold,
        "at_threshold": int((facts["quality"][chosen] == np.float32(known.threshold)).sum()),
        "damaged_lines": len(known.damaged),
        "read": len(facts),
        "kept": int(chosen.sum()),
        "dropped": {
            "empty": int(np.isnan(facts["quality"]).sum()),
            "duplicate": int(facts["duplicate"].sum()),
            "quality": int((candidates(facts) & ~chosen).sum()),
        },
    }
    for unit in ("characters", "tokens") if tokenizer else ("characters",):
        sizes = facts[unit].astype(np.int64)
        told[unit] = {"read": int(sizes.sum()), "kept": int(sizes[chosen].sum())}
    return told


def notes(told: dict[str, dict]) -> list[str]:
    """What a reader of `account`s, by source, might not expect."""
    lines = []
    for source, facts in told.items():
        ((rule, value),) = facts["rule"].items()
        if lines_left := facts["damaged_lines"]:
            lines.append(f"{source}: {lines_left:,} damaged lines are left out, named in damaged.txt")
        if rule == "tokens" and (there := facts["tokens"]["kept"]) < value:
            lines.append(f"{source}: there are only {there:,} tokens for a budget of {value:,}; all are kept")
        if rule != "threshold" and (equal := facts["at_threshold"]) > 1:
            lines.append(f"{source}: {equal:,} documents have exactly the quality of the threshold; all are kept")
        if not facts["kept"]:
            lines.append(f"{source}: no document is kept")
    return lines


def markdown(told: dict[str, dict]) -> str:
    """`account`s by source as a table, a line for each source and, of two, their sum; and the notes."""

    def share(kept, read):
        return f"{kept:,} ({kept / read:.1%})" if read else f"{kept:,}"

    def line(source, facts):
        reasons = {reason: share(number, facts["read"]) for reason, number in facts["dropped"].items()}
        sizes = {f"{unit} kept": share(**facts[unit]) if unit in facts else "" for unit in ("characters", "tokens")}
        numbers = {"source": source, "documents": f"{facts['read']:,}", **reasons}
        return numbers | {"kept": share(facts["kept"], facts["read"])} | sizes

    def how(facts):
        ((rule, value),) = facts["rule"].items()
        asked = "" if rule == "threshold" else f" ({rule} {value:,})"
        return {"from quality": "" if facts["threshold"] is None else f"{facts['threshold']:.6g}{asked}"}

    lines = [line(source, facts) | how(facts) for source, facts in told.items()]
    if len(told) > 1:
        lines.append(line("together", _sum(list(told.values()))) | {"from quality": ""})
    return "\n\n".join([markdown_table(lines), *notes(told)])


def _sum(parts: list):
    """Of numbers, or of what dictionaries have under the same keys; None where one is None."""
    if isinstance(parts[0], dict):
        return {key: _sum([part[key] for part in parts]) for key in parts[0] if all(key in part for part in parts)}
    return None if None in parts else sum(parts)


def draw(known: dict[str, Known], path) -> None:
    """Draws as a PNG, a row a source, how qualities and lengths are distributed: of all texts, and of what is kept."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1 + 3 * len(known)), layout="constrained")
    grid = figure.subplots(len(known), 2, squeeze=False, sharex="col", sharey="col")
    full = {source: own.facts[~np.isnan(own.facts["quality"])] for source, own in known.items()}
    for column, field in enumerate(("quality", "characters")):
        seen = np.concatenate([rows[field] for rows in full.values()])
        edges = np.geomspace(seen.min(), seen.max() * (1 + 1e-6), 61) if len(seen) else [1, 2]
        for axis, (source, rows) in zip(grid[:, column], full.items(), strict=True):
            for some, name, filled in ((rows, "all", False), (rows[rows["kept"]], "kept", True)):
                counts = np.histogram(some[field], edges)[0]
                axis.stairs(counts, edges, label=f"{name}: {len(some):,}", color="tab:blue", fill=filled)
            least = known[source].threshold
            if field == "quality" and not math.isnan(least):
                axis.axvline(least, color="tab:red", linestyle="--", label=f"threshold: {least:.4g}")
            axis.set(title=source, ylabel="documents")
            if len(seen):
                axis.set(xscale="log", yscale="log")
            axis.grid(alpha=0.3)
            axis.legend()
        axis.set_xlabel({"quality": "quality", "characters": "characters of a document"}[field])
    figure.savefig(path, dpi=120, format="png")
