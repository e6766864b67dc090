"""Models side by side, in one pass over the rows."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from ..runs.folder import versions
from . import heads, spectra
from .heads import Heads
from .models import Subject, fill, outline
from .predictions import Predictions
from .rows import Rows, open_rows
from .similarity import Similarity
from .spectra import Spread
from .words import check_models, data_of, named

ROWS = 1_000
BATCH_SIZE = 32
SAMPLE = 256  # tokens of a batch, drawn at random, whose layers are compared
LOGITS = 2**20  # of a batch and a model: predictions of as many tokens are compared, but of `SAMPLE` at least
QUERIES = 2**11  # tokens of the first rows, of 8 at least, whose attention is made in full: it costs more than all else


def diagnose(
    models: Mapping[str, str] | Sequence[str],
    data: str,
    *,
    rows: int = ROWS,
    batch_size: int = BATCH_SIZE,
    sequence_length: int | None = None,
    task_parameters: dict | None = None,
    seed: int = 0,
    device: str | None = None,
) -> dict:
    """What tells models apart on the same rows: `compare` of models by name.

    Args:
        models: paths or Hub ids by label, or words of `words.named`.
        data: a task, such as sort-16, or a text data set, see `words.data_of`.
        rows: how many at most.
        batch_size: rows that are read at a time.
        sequence_length: tokens in a row of text; default: 256, or what all models can read where that is less.
        task_parameters: of the task.
        seed: of a task's rows and of what is drawn.
        device: of the models; default: a GPU where there is one.

    Raises ValueError, before any weights are read, for models or data that are not there or do not belong together.
    """
    models = dict(models) if isinstance(models, Mapping) else named(models)
    check_models(models)
    asked = data_of(data, task_parameters)
    subjects = [outline(label, path) for label, path in models.items()]
    opened = open_rows(asked, subjects, sequence_length, seed)
    next(opened.batches(1, 1))  # raises where there is none
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    for subject in subjects:
        fill(subject, device)
    return compare(subjects, opened, rows, batch_size, seed)


def compare(
    subjects: list[Subject], rows: Rows, count: int = ROWS, batch_size: int = BATCH_SIZE, seed: int = 0
) -> dict:
    """The first `count` rows read by all models, in batches; a dict of plain values, None for what is no number.

    - `models`: of each label its path, model_type, parameters, layers, and loss in nats per compared token.
    - `data`: name, rows, tokens (without padding), predicted (tokens with a label), compared (those of them, all or
      some of each batch at random, that losses and predictions are of), row_length.
    - `layers`: of each label the names of its layers: embed, 0, 1, ... (behind layer 0, behind layer 1).
    - `cka`: of each pair of labels, also of one with itself, a matrix: layers of the first by layers of the second.
    - `predictions`: of each pair kl (of the second from the first), kl_reversed and js, in nats per compared token.
    - `effective_rank`: of each label, of each layer.
    - `heads`: of each label entropy, induction, copy and previous_token, each a matrix: layers by heads.
    - `weights`: of each pair, see `spectra.distances`.
    - `spectra`: of each label, see `spectra.spectra`.
    - `notes`: what is left out, and why, a line each.
    """
    notes: list[str] = []
    pairs = list(itertools.combinations(range(len(subjects)), 2))
    labels = [subject.label for subject in subjects]
    compared = [pair for pair in pairs if _same_tokens(subjects[pair[0]], subjects[pair[1]], notes)]
    streamed = _Streamed(subjects, compared, rows.length, seed)
    for batch in rows.batches(count, batch_size):
        streamed.add(batch)
    names = [streamed.names(number) for number in range(len(subjects))]
    entropies = [each.means() for each in streamed.heads]
    scored = _scores(subjects, rows, streamed, seed, notes)
    result = {
        "models": {
            subject.label: _about(subject, loss, len(layers) - 1)
            for subject, loss, layers in zip(subjects, streamed.predictions.losses(), names, strict=True)
        },
        "data": {"name": rows.name, "row_length": rows.length} | streamed.counts,
        "settings": {"batch_size": batch_size, "sample": SAMPLE, "attention_rows": streamed.attended, "seed": seed},
        "layers": dict(zip(labels, names, strict=True)),
        "cka": _cka(streamed, labels, [len(each) for each in names]),
        "predictions": [
            {"models": [labels[first], labels[second]], "kl": kl, "kl_reversed": kl_reversed, "js": js}
            for (first, second), (kl, kl_reversed, js) in zip(compared, streamed.predictions.divergences(), strict=True)
        ],
        "effective_rank": {label: spread.ranks() for label, spread in zip(labels, streamed.spreads, strict=True)},
        "heads": {
            label: {"entropy": entropy} | score
            for label, entropy, score in zip(labels, entropies, scored, strict=True)
            if entropy
        },
        "weights": [_weights(subjects[first], subjects[second], notes) for first, second in pairs],
        "spectra": {subject.label: spectra.spectra(subject.model) for subject in subjects},
        "notes": notes,
        "versions": versions("hf-procedural", "torch", "transformers", "numpy"),
    }
    return _plain(result)


class _Streamed:
    """All that is summed over batches."""

    def __init__(self, subjects: list[Subject], compared: list[tuple[int, int]], length: int, seed: int):
        self.subjects = subjects
        self.similarity = Similarity()
        self.spreads = [Spread() for _ in subjects]
        self.heads = [Heads() for _ in subjects]
        self.predictions = Predictions(len(subjects), compared)
        self.counts = {"rows": 0, "tokens": 0, "predicted": 0, "compared": 0}
        self.attended = 0
        self.usable: np.ndarray = np.zeros(0, np.int64)  # ids of the rows whose attention is looked at
        self._depths = [0] * len(subjects)
        self._most = max(SAMPLE, LOGITS // max(subject.width for subject in subjects))
        self._rows = max(8, QUERIES // length)  # whose attention is looked at
        self._seed = seed
        self._batches = 0

    def add(self, batch) -> None:
        device = self.subjects[0].model.device
        ids = batch.ids.to(device)
        chosen = self._sample(batch.is_token, SAMPLE).to(device)
        places = self._sample(batch.is_predicting, self._most)
        labels = batch.labels.flatten()[places + 1].to(device)  # no row predicts behind its end
        places = places.to(device)
        stacks, logits, targets = [], [], []
        for number, subject in enumerate(self.subjects):
            states, scores = subject.read(ids)
            layers = torch.stack([state.flatten(0, 1)[chosen] for state in states]).double()
            mean = layers.mean(1, keepdim=True)
            layers -= mean
            self.spreads[number].add(layers, mean)
            self._depths[number] = len(states)
            stacks.append(layers)
            logits.append(scores.flatten(0, 1)[places])
            del states, scores  # before those of the next model are made
            targets.append(subject.own(labels))
        self.similarity.add(stacks)
        if len(labels):
            self.predictions.add(logits, targets)
        self._attend(ids, batch.is_token.to(device))
        self.counts["rows"] += len(ids)
        self.counts["tokens"] += int(batch.is_token.sum())
        self.counts["predicted"] += int(batch.is_predicting.sum())
        self.counts["compared"] += len(labels)
        self._batches += 1

    def _sample(self, wanted: torch.Tensor, most: int) -> torch.Tensor:
        """Numbers of the places of a batch that are `wanted`, bool ``[rows, tokens]``: all, or `most` at random."""
        places = wanted.flatten().nonzero().numpy()[:, 0]
        if len(places) > most:
            generator = np.random.default_rng([self._seed, 0, self._batches])
            places = np.sort(generator.choice(places, most, replace=False))
        return torch.from_numpy(places)

    def _attend(self, ids: torch.Tensor, is_token: torch.Tensor) -> None:
        count = min(len(ids), self._rows - self.attended)
        if count <= 0:
            return
        for subject, seen in zip(self.subjects, self.heads, strict=True):
            seen.add(subject.attentions(ids[:count]), is_token[:count])
        self.attended += count
        self.usable = np.union1d(self.usable, ids[:count][is_token[:count]].cpu().numpy())

    def names(self, number: int) -> list[str]:
        """Of the layers of a model."""
        return ["embed", *map(str, range(self._depths[number] - 1))]


def _about(subject: Subject, loss: float, layers: int) -> dict:
    model = subject.model
    sizes = {"parameters": sum(each.numel() for each in model.parameters()), "layers": layers}
    return {"path": subject.path, "model_type": model.config.model_type, **sizes, "loss": loss}


def _same_tokens(first: Subject, second: Subject, notes: list[str]) -> bool:
    """Whether the same logit of two models is of the same token; else it is noted."""
    same_ids = (first.table is None and second.table is None) or (
        first.table is not None and second.table is not None and torch.equal(first.table, second.table)
    )
    same = first.width == second.width and same_ids and _vocabulary(first) == _vocabulary(second)
    if not same:
        notes.append(
            f"{first.label}, {second.label}: predictions are not compared, since the vocabularies differ "
            f"({first.width} and {second.width} logits)"
        )
    return same


def _vocabulary(subject: Subject) -> dict[str, int] | None:
    return None if subject.tokenizer is None else subject.tokenizer.get_vocab()


def _cka(streamed: _Streamed, labels: list[str], depths: list[int]) -> list[dict]:
    whole = streamed.similarity.cka()
    ends = [0, *itertools.accumulate(depths)]
    spans = [slice(*each) for each in itertools.pairwise(ends)]
    both = itertools.combinations_with_replacement(range(len(labels)), 2)
    return [
        {"models": [labels[first], labels[second]], "cka": whole[spans[first], spans[second]].tolist()}
        for first, second in both
        if len(whole)
    ]


def _scores(subjects, rows: Rows, streamed: _Streamed, seed: int, notes: list[str]) -> list[dict]:
    """The scores of each model's heads, on sequences that all can read, of tokens that the rows had."""
    usable = np.setdiff1d(streamed.usable, np.array([*rows.special], np.int64))
    limits = [subject.positions for subject in subjects if subject.positions is not None]
    sequences = heads.repeated(usable, min(limits, default=None), seed)
    if sequences is None:
        notes.append(f"scores of heads need {heads.LEAST} kinds of tokens that fit twice into a row: left out")
    scored = []
    for subject, seen in zip(subjects, streamed.heads, strict=True):
        if not seen.means():
            kind = subject.model.config.model_type
            notes.append(f"{subject.label}: a {kind} does not give its attention, so that its heads are left out")
        given = sequences is not None and bool(seen.means())
        scored.append(heads.mean_scores(subject.attentions(sequences.to(subject.model.device))) if given else {})
    return scored


def _weights(first: Subject, second: Subject, notes: list[str]) -> dict:
    measured = spectra.distances(first.model, second.model)
    left_out = measured["left_out"]
    if left_out:
        more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        notes.append(
            f"{first.label}, {second.label}: weights that only one has, or in another shape, are left out: "
            f"{left_out[0]}{more}"
        )
    return {"models": [first.label, second.label]} | measured


def _plain(value):
    """Values as JSON has them: None for what is no finite number."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
