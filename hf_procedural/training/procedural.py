"""Procedural rows in a run on text: coded, laid out in front of it or among it, validated each by itself."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerFast, Trainer

from ..data import blocks
from ..data.coded import CodedRows
from ..models.losses import labels_in_a_row
from ..tasks.coding import Coding
from ..text import sources
from ..text.documents import Documents
from ..text.mixing import MixedRows
from ..text.noise import Corrupter
from ..text.packing import PackedRows, filler
from ..text.turns import PaddedRows, RowsInTurn, after, by_weights
from .callbacks import LogMore
from .procedural_arguments import ProceduralArguments

_END = 2**62  # rows have no end
TEXT = "text"  # the name of the loss of all text
_CODINGS = "codings"  # the folder of several


@dataclasses.dataclass(frozen=True)
class ProceduralRows:
    """The rows of a task in a tokenizer's ids, as `text.mixing.TaskRows`. `name` is that of its loss."""

    name: str
    coding: Coding
    coded: CodedRows
    split: str = "train"

    def __str__(self):
        return f"{sources.PROCEDURAL}:{self.coded.task.config_name}"

    def read(self, start: int) -> Iterator[np.ndarray]:
        """Each row from number `start` on: ids and labels, int32 ``[2, tokens]``, without padding."""
        for block in self.coded.read(self.split, start, _END):
            both = np.stack((block.tokens, block.labels))
            first = 0
            for end in block.ends.tolist():
                yield both[:, first:end]
                first = end

    def about(self) -> dict:
        """What tells its rows from all others, for provenance.json."""
        task = self.coded.task
        return {
            "name": self.name,
            "task": task.config_name,
            "parameters": task.parameters,
            "seed": self.coded.seed,
            "fingerprint": blocks.fingerprint(task, self.coded.seed, self.split),
            "coding": self.coding.kind,
            "coding_digest": self.coding.digest,
        }


@dataclasses.dataclass(frozen=True)
class Layout:
    """How rows of the batch are filled: as `packing.PackedRows` takes it, and how a task's rows are packed."""

    tokenizer: PreTrainedTokenizerFast
    length: int
    separator: str
    packing: str
    seed: int
    noise: Corrupter | None = None  # of text

    def text(self, texts: Sequence[Documents], weights: list[float]) -> PackedRows:
        """Rows of text alone."""
        options = (self.tokenizer, self.length, self.separator)
        if len(texts) == 1:
            return PackedRows(texts[0], *options, noise=self.noise)
        return MixedRows(texts, weights, *options, seed=self.seed, noise=self.noise)

    def alone(self, rows: ProceduralRows) -> MixedRows | PaddedRows:
        """Rows of one task alone."""
        if self.packing == "packed":
            return MixedRows([rows], [1.0], self.tokenizer, self.length, self.separator, seed=self.seed)
        return PaddedRows(rows, self.length, filler(self.tokenizer))

    def check(self, rows: ProceduralRows) -> None:
        """Raises ValueError for rows that are longer than those of the batch, where each is to have its own."""
        ends = [rows.coded.block(split, 0).ends for split in ("train", "validation")]
        longest = max(int(np.diff(each, prepend=0).max()) for each in ends)
        if self.packing == "rows" and longest > self.length:
            raise ValueError(
                f"packing rows: {rows} has rows of {longest:,} tokens and sequence_length is {self.length:,}: "
                "raise that, or take packing packed"
            )


class Procedural:
    """The procedural rows of a run: those among the text, and those in front of it.

    Args:
        datasets, weights: those of the run, text and tasks.
        seed: of rows and codings.

    Raises ValueError for tasks, parameters and codings that do not fit.
    """

    def __init__(self, args: ProceduralArguments, datasets: list, weights: list[float], layout: Layout):
        self.layout = layout
        self.weights = weights
        self._made: dict[str, ProceduralRows] = {}  # by what they are
        named = sources.named(datasets)
        self.mixed = [None if each.task is None else self._rows(args, each) for each in named]  # None is text
        self.front = None if args.first is None else self._rows(args, *sources.named(args.first))
        self.front_rows = (args.first_tokens or 0) // layout.length
        if args.task_parameters and not self._made:
            raise ValueError(f"task_parameters {args.task_parameters}: neither dataset nor first names a task")
        if self.front is not None and self.front_rows < 1:
            raise ValueError(f"first_tokens {args.first_tokens} is no row of sequence_length {layout.length}")

    @property
    def by_name(self) -> dict[str, ProceduralRows]:
        """Those that differ, by the names of their losses."""
        return {rows.name: rows for rows in self._made.values()}

    def _rows(self, args: ProceduralArguments, source: sources.TextSource) -> ProceduralRows:
        task, kind = args.task_of(source), source.coding or args.coding
        if f"{task.key} {kind}" not in self._made:
            (name,) = sources.names([f"{sources.PROCEDURAL}:{task.config_name}"], self.by_name)
            coding = Coding.make(task, self.layout.tokenizer, kind, seed=self.layout.seed)
            rows = ProceduralRows(name, coding, CodedRows(task, self.layout.seed, padded=False, coding=coding))
            self.layout.check(rows)
            self._made[f"{task.key} {kind}"] = rows
        return self._made[f"{task.key} {kind}"]

    def training_rows(self, texts: Sequence[Documents]):
        """Endless rows of the text and of these, with `mark` and `start_at`; without any, as of text alone."""
        layout, given = self.layout, iter(texts)
        if layout.packing == "packed" and any(self.mixed):
            every = [next(given) if rows is None else rows for rows in self.mixed]
            options = (layout.tokenizer, layout.length, layout.separator)
            train = MixedRows(every, self.weights, *options, seed=layout.seed, noise=layout.noise)
        else:
            both = list(zip(self.mixed, self.weights, strict=True))
            of_text = [weight for rows, weight in both if rows is None]
            train = layout.text(texts, of_text)
            tasks = [(layout.alone(rows), weight) for rows, weight in both if rows is not None]
            if tasks:
                kinds, weights = zip(*tasks, strict=True)
                train = RowsInTurn([train, *kinds], by_weights([sum(of_text), *weights], layout.seed))
        if self.front is not None:
            train = RowsInTurn([layout.alone(self.front), train], after(self.front_rows))
        return train

    def validation_rows(self, count: int) -> dict[str, list]:
        """`count` rows of each, laid out as in training. Raises ValueError where none has a label."""
        held_out = {}
        for name, rows in self.by_name.items():
            alone = self.layout.alone(dataclasses.replace(rows, split="validation"))
            held_out[name] = list(itertools.islice(alone, count))
            labels_in_a_row(held_out[name])
        return held_out

    def about(self) -> dict:
        """All of it for provenance.json; nothing where there is none."""
        if not self._made:
            return {}
        share = sum(self.weights)
        mixed = [
            rows.about() | {"share": weight / share}
            for rows, weight in zip(self.mixed, self.weights, strict=True)
            if rows is not None
        ]
        tokens = self.front_rows * self.layout.length
        first = {} if self.front is None else {"first": self.front.about() | {"tokens": tokens}}
        return {"procedural": {"packing": self.layout.packing, "mixed": mixed, **first}}

    def save(self, folder: Path) -> None:
        """Writes coding.json; where there are several codings, each into its folder codings/NAME."""
        digests = {rows.coding.digest for rows in self._made.values()}
        for rows in self._made.values():
            place = folder if len(digests) == 1 else folder / _CODINGS / rows.name
            place.mkdir(parents=True, exist_ok=True)
            rows.coding.save(place)


class LogSources(LogMore):
    """Adds to an evaluation of the text eval_text_loss, which is its loss, and that of each source, eval_NAME_loss.

    The codings are in the run's folder when training begins.

    Args:
        rows: of each task, as `Procedural.validation_rows` gives them, and of each of several texts.
        weighed: as `losses.weigh_by_tokens` gives it.
    """

    def __init__(self, trainer: Trainer, procedural: Procedural, rows: dict[str, Any], weighed):
        super().__init__(trainer, self.losses)
        self.procedural, self.rows, self.weighed = procedural, rows, weighed

    def on_train_begin(self, args, state, control, **kwargs):
        if args.should_save:
            self.procedural.save(Path(args.output_dir))

    def losses(self, logs: dict) -> dict[str, float]:
        """Those of the sources, where `logs` have that of the text."""
        if "eval_loss" not in logs:
            return {}
        found = {f"eval_{TEXT}_loss": logs["eval_loss"]}
        for name, rows in self.rows.items():
            loader, key = self.trainer.get_eval_dataloader(rows), f"eval_{name}"
            with self.weighed(rows):
                output = self.trainer.evaluation_loop(loader, key, prediction_loss_only=True, metric_key_prefix=key)
            found[f"{key}_loss"] = output.metrics[f"{key}_loss"]
        return found
