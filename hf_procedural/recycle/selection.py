"""Which documents of a source are kept, and a report of them: by a threshold on their quality, which is given, or that
of the best share, or of the best until a token budget is reached.

The steps of datatrove are `Score`, which tells the quality of every document; MinHash, which finds copies; and `Keep`.
Between them all documents of a source are known as rows of DOCUMENT. Sources are "organic", the web as it was, and
"recycled".
"""

import collections
import functools
import itertools
import json
import math
from collections.abc import Iterable, Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .. import looks
from ..data.tokenization import load_tokenizer
from ..moved import old_names
from ..runs.tables import markdown_table
from ..terminal import visible
from . import pipeline, quality, reading
from .output import record_of, shard_file
from .pipeline import Document, PipelineStep

__getattr__ = old_names(__name__)

DOCUMENT = np.dtype(  # quality NaN: an empty text
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
        self.output = output
        self.model = model
        self.label = label
        self.tokenizer = tokenizer

    def run(self, data, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        model = quality.load_classifier(self.model, self.label, is_checked=True)
        done = 0
        with futures.ThreadPoolExecutor(1) as thread:
            for group, coming in _one_ahead(self._submitted(data, model, thread)):
                with self.track_time("batch"):
                    scores, counts = coming.result()
                for document, score, count in zip(group, scores, counts, strict=True):
                    is_empty = not document.text or document.text.isspace()
                    document.metadata = {
                        "quality": None if is_empty else score,
                        "characters": len(document.text),
                        "tokens": count,
                    }
                    yield document
                done += len(group)
                pipeline.tell_progress(self.output, rank, done)
        pipeline.tell_progress(self.output, rank, None)

    def _submitted(self, data, model, thread: futures.Executor) -> Iterator[tuple[list[Document], futures.Future]]:
        """Groups of documents, and their scores to come from another thread."""
        while group := list(itertools.islice(data, quality.BATCH)):
            texts = [document.text for document in group]
            yield group, thread.submit(self._score, model, texts)

    def _score(self, model, texts: list[str]) -> tuple[list[float], list[int]]:
        scores = quality.scores(model, texts, self.label).tolist()
        return scores, count_tokens(self.tokenizer, texts) if self.tokenizer else [0] * len(texts)


def _one_ahead(items: Iterable) -> Iterator:
    """The same items, each when the next one has been asked for: so that it is read while the last are scored."""
    waiting = collections.deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting


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

    documents: np.ndarray  # of DOCUMENT
    starts: list[int]  # where those of each shard begin, and where the last ends
    damaged: list[str]  # lines
    threshold: float = math.nan


def read_scores(folder: Path, shards: int) -> Known:
    """What `Score` has written."""
    by_shard = []
    starts = [0]
    damaged = []
    for rank in range(shards):
        file = shard_file(folder, rank, shards)
        table = pq.read_table(file, columns=["quality", "characters", "tokens"])
        documents = np.zeros(len(table), DOCUMENT)
        for name in table.column_names:
            documents[name] = table[name].to_numpy()
        by_shard.append(documents)
        starts.append(starts[-1] + len(documents))
        damaged += record_of(file)["damaged"]
    return Known(np.concatenate(by_shard), starts, damaged)


class Keep(PipelineStep):
    """Of a source's documents those that are kept, with the columns of KEPT.

    Args:
        file: of all rows of DOCUMENT.
        starts: where those of each shard begin, and where the last ends.
    """

    type, name = "✂ - FILTER", "threshold"

    def __init__(self, output: Path, source: str, file: Path, starts: list[int]):
        super().__init__()
        self.output = output
        self.source = source
        self.file = file
        self.starts = starts

    def run(self, data, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        known = np.load(self.file, mmap_mode="r")[self.starts[rank] : self.starts[rank + 1]]
        rows = zip(data, known["kept"].tolist(), known["quality"].tolist(), strict=True)
        for done, (document, is_kept, score) in enumerate(rows):
            if done % 1_000 == 0:
                pipeline.tell_progress(self.output, rank, done)
            if is_kept:
                metadata = json.dumps(document.metadata, default=str)
                document.metadata = {"quality": score, "source": self.source, "metadata": metadata}
                yield document
        pipeline.tell_progress(self.output, rank, None)


# Thresholds


def candidates(documents: np.ndarray) -> np.ndarray:
    """bool [n]: neither empty nor the copy of another."""
    return ~np.isnan(documents["quality"]) & ~documents["duplicate"]


def threshold(rule: str, value: float, documents: np.ndarray) -> float:
    """The least quality that is kept, by a rule:

    threshold   `value` itself
    keep_top    that of the last of the best `value` (a share of the candidates, at least one)
    tokens      that of the document with which the best have `value` tokens together; the least of all where they are
                fewer

    All that have exactly this quality are kept. NaN where there is no candidate.
    """
    if rule == "threshold":
        return value
    documents = documents[candidates(documents)]
    if not len(documents):
        return math.nan
    order = np.argsort(-documents["quality"], kind="stable")
    if rule == "keep_top":
        last = max(round(value * len(documents)), 1) - 1
    else:
        last = np.searchsorted(np.cumsum(documents["tokens"][order], dtype=np.int64), value)
    return float(documents["quality"][order[min(last, len(documents) - 1)]])


def choose(known: Known, rule: str, value: float) -> None:
    """Finds the threshold of a source, and marks what is kept: the candidates whose quality is at least that.

    Both are compared as float32, which is what fastText computes, so that a score keeps its document as it is printed.
    """
    documents = known.documents
    known.threshold = threshold(rule, value, documents)
    documents["kept"] = candidates(documents) & (documents["quality"] >= np.float32(known.threshold))


# The report


def account(known: Known, rule: str, value: float, tokenizer: str | None) -> dict:
    """What became of a source's documents, in numbers. Tokens are told where a tokenizer counted them."""
    documents = known.documents
    kept = documents["kept"]
    numbers = {
        "rule": {rule: value},
        "threshold": None if math.isnan(known.threshold) else known.threshold,
        "at_threshold": int((documents["quality"][kept] == np.float32(known.threshold)).sum()),
        "damaged_lines": reading.lost(known.damaged),
        "read": len(documents),
        "kept": int(kept.sum()),
        "dropped": {
            "empty": int(np.isnan(documents["quality"]).sum()),
            "duplicate": int(documents["duplicate"].sum()),
            "quality": int((candidates(documents) & ~kept).sum()),
        },
    }
    for unit in ("characters", "tokens") if tokenizer else ("characters",):
        sizes = documents[unit].astype(np.int64)
        numbers[unit] = {"read": int(sizes.sum()), "kept": int(sizes[kept].sum())}
    return numbers


def notes(accounts: dict[str, dict]) -> list[str]:
    """What a reader of `account`s, by source, might not expect."""
    lines = []
    for source, numbers in accounts.items():
        ((rule, value),) = numbers["rule"].items()
        damaged = numbers["damaged_lines"]
        if damaged:
            lines.append(f"{source}: {damaged:,} damaged lines are left out, named in damaged.txt")
        if rule == "tokens" and numbers["tokens"]["kept"] < value:
            tokens = numbers["tokens"]["kept"]
            lines.append(f"{source}: there are only {tokens:,} tokens for a budget of {value:,}; all are kept")
        if rule != "threshold" and numbers["at_threshold"] > 1:
            equal = numbers["at_threshold"]
            lines.append(f"{source}: {equal:,} documents have exactly the quality of the threshold; all are kept")
        if not numbers["kept"]:
            lines.append(f"{source}: no document is kept")
    return lines


def markdown(accounts: dict[str, dict]) -> str:
    """`account`s by source as a table, a line for each source and, of two, their sum; and the notes."""
    lines = [_line(source, numbers, _threshold_cell(numbers)) for source, numbers in accounts.items()]
    if len(accounts) > 1:
        lines.append(_line("together", _sum(list(accounts.values())), ""))
    return "\n\n".join([markdown_table(lines), *notes(accounts)])


def _line(source: str, numbers: dict, from_quality: str) -> dict[str, str]:
    line = {"source": source, "documents": f"{numbers['read']:,}"}
    for reason, dropped in numbers["dropped"].items():
        line[reason] = _share(dropped, numbers["read"])
    line["kept"] = _share(numbers["kept"], numbers["read"])
    for unit in ("characters", "tokens"):
        line[f"{unit} kept"] = _share(**numbers[unit]) if unit in numbers else ""
    return line | {"from quality": from_quality}


def _share(kept: int, read: int) -> str:
    return f"{kept:,} ({kept / read:.1%})" if read else f"{kept:,}"


def _threshold_cell(numbers: dict) -> str:
    """The least quality that is kept, and the rule where that was not the threshold itself."""
    if numbers["threshold"] is None:
        return ""
    ((rule, value),) = numbers["rule"].items()
    by_rule = "" if rule == "threshold" else f" ({rule} {value:,})"
    return f"{numbers['threshold']:.6g}{by_rule}"


def _sum(accounts: list):
    """Of numbers, or of what all dictionaries have under the same keys; None where one is None."""
    if not isinstance(accounts[0], dict):
        return None if None in accounts else sum(accounts)
    shared = [key for key in accounts[0] if all(key in account for account in accounts)]
    return {key: _sum([account[key] for account in accounts]) for key in shared}


def draw(known: dict[str, Known], path) -> None:
    """Draws as a PNG, a row a source, how qualities and lengths are distributed: of all texts, and of what is kept."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1 + 3 * len(known)), layout="constrained")
    grid = figure.subplots(len(known), 2, squeeze=False, sharex="col", sharey="col")
    full = {source: own.documents[~np.isnan(own.documents["quality"])] for source, own in known.items()}
    for column, field in enumerate(("quality", "characters")):
        seen = np.concatenate([rows[field] for rows in full.values()])
        seen = seen[seen > 0]  # a text of nothing, and one without a known word, are no places of a logarithmic axis
        edges = np.geomspace(seen.min(), seen.max() * (1 + 1e-6), 61) if len(seen) else [1, 2]
        for axis, (source, rows) in zip(grid[:, column], full.items(), strict=True):
            kept = rows[rows["kept"]]
            for drawn, name, is_filled in ((rows, "all", False), (kept, "kept", True)):
                counts, _ = np.histogram(drawn[field], edges)
                axis.stairs(counts, edges, label=f"{name}: {len(drawn):,}", color=looks.BLUE, fill=is_filled)
            least = known[source].threshold
            if field == "quality" and not math.isnan(least):
                axis.axvline(least, color=looks.VERMILLION, linestyle="--", label=f"threshold: {least:.4g}")
            axis.set_title(visible(source), parse_math=False)
            axis.set_ylabel("documents")
            if len(seen):
                looks.log_ticks(axis, edges[0], edges[-1], "{:,.6g}".format)
                axis.set_yscale("log")
            axis.grid(alpha=0.3)
            axis.legend()
        axis.set_xlabel({"quality": "quality", "characters": "characters of a document"}[field])
    figure.savefig(path, dpi=120, format="png")
