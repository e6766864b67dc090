"""Quality of web text: the probability that a fastText classifier gives a label, and such a classifier from examples.

DCLM-Baseline (Li et al. 2024, arXiv:2406.11794) and RePro (Yu and Xiong 2025) score by mlfoundations/fasttext-oh-eli5,
whose labels are __label__hq and __label__cc, and keep what reaches 0.018112. A score here is what `fasttext
predict-prob` prints for a label: its probability, to which fastText adds 1e-5. Where __label__cc is likelier, DCLM's
script takes 1 minus the score of that instead, which is 2e-5 less.
"""

import functools
import hashlib
import itertools
import multiprocessing
import os
from array import array
from collections.abc import Iterable
from concurrent import futures
from pathlib import Path

import numpy as np

from ..moved import old_names
from . import classifier_file, scoring
from .choices import LABEL, LEAST_WEIGHTS, OTHER

__getattr__ = old_names(__name__)

try:
    import fasttext
except ImportError as error:
    raise ImportError(f"quality is scored by fastText: pip install 'hf-procedural[recycle]' ({error})") from error

BATCH = 256  # texts that are scored at a time
TRAIN = "train.txt"
HELD_OUT = "held_out.txt"
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_PREFIX = "__label__"


def check_classifier(path: str, label: str) -> None:
    """Raises ValueError in one line for a file that is no classifier, is damaged, or has not the label.

    Another process loads it, which a damaged one may end.
    """
    try:
        labels = _labels_of(path, os.stat(path).st_mtime_ns)
    except OSError as error:
        raise ValueError(f"classifier {path} cannot be read ({error.strerror})") from error
    if label not in labels:
        raise ValueError(f"label {label!r} is not of {path}, which has: {', '.join(labels)}")


def load_classifier(path: str, label: str, is_checked: bool = False):
    """A supervised fastText model, which stays in memory for the next call. Raises ValueError as `check_classifier`,
    which is not asked where another process asked it (`is_checked`)."""
    if not is_checked:
        check_classifier(path, label)
    return _load(path, os.stat(path).st_mtime_ns)


def forget() -> None:
    """Frees the memory of a model that `load_classifier` keeps."""
    scoring.forget()
    _load.cache_clear()


@functools.lru_cache(1)
def _labels_of(path: str, _modified: int) -> list[str]:
    classifier_file.check(path)
    return classifier_file.labels_of(path)


@functools.lru_cache(1)
def _load(path: str, _modified: int):
    return fasttext.load_model(path)


def as_line(text: str) -> str:
    """As DCLM shows a text to fastText: its lines joined by spaces."""
    return " ".join(text.strip().splitlines())


def scores(model, texts: list[str], label: str) -> np.ndarray:
    """Probabilities of a label, float32 [n], each that of `model.predict(as_line(text), k=-1)`.

    0 where fastText gives none: for no known token, and for one below 1e-5 of a model with hierarchical softmax.
    """
    can_score = bool(texts) and scoring.can_score(model)
    if can_score and scoring.is_exact(model, texts, label, functools.partial(_predicted, model, texts, label)):
        return scoring.scores(model, texts, label)
    return _predicted(model, texts, label)


def _predicted(model, texts: list[str], label: str) -> np.ndarray:
    predictions = zip(*model.predict([as_line(text) for text in texts], k=-1), strict=True)
    shares = (values[labels.index(label)] if label in labels else 0 for labels, values in predictions)
    return np.fromiter(shares, np.float32, len(texts))


def write_examples(examples: Iterable[tuple[str, bool]], folder: Path, held_out: float, seed: int) -> dict:
    """Writes texts, and whether they are good, as fastText reads them: TRAIN in random order, and HELD_OUT.

    A hash of its text decides which of the two an example is in, so that no text is in both. In a text, a word that
    fastText would take for a label is broken up. Empty texts are left out. Gives counts: {"train": {LABEL: number,
    OTHER: number}, "held_out": the same, "empty": number}. Memory: 8 bytes an example.
    """
    counts = {"train": {LABEL: 0, OTHER: 0}, "held_out": {LABEL: 0, OTHER: 0}, "empty": 0}
    salt = seed.to_bytes(8, "big")
    ends = array("q", [0])  # of examples in ordered.txt
    with open(folder / "ordered.txt", "wb") as ordered, open(folder / HELD_OUT, "wb") as held:
        for text, good in examples:
            line = as_line(text).replace(_PREFIX, "__label ").encode()
            if not line:
                counts["empty"] += 1
                continue
            label = LABEL if good else OTHER
            example = b"%s %s\n" % (label.encode(), line)
            place = int.from_bytes(hashlib.blake2b(line, digest_size=8, salt=salt).digest(), "big") / 2**64
            if place < held_out:
                counts["held_out"][label] += 1
                held.write(example)
            else:
                counts["train"][label] += 1
                ordered.write(example)
                ends.append(ordered.tell())
    order = np.random.default_rng(seed).permutation(len(ends) - 1)
    with open(folder / "ordered.txt", "rb") as ordered, open(folder / TRAIN, "wb") as train:
        for example in order:
            ordered.seek(ends[example])
            train.write(ordered.read(ends[example + 1] - ends[example]))
    os.unlink(folder / "ordered.txt")
    return counts


def train(file: Path, wordNgrams: int, dim: int, bucket: int, **settings):
    """A classifier of the examples in a file, with the settings of fastText by its own names.

    With one thread the same examples give the same model, byte for byte. A thread of fastText sets a tenth of the input
    matrix to random values, and what is left stays as it was in memory (0.9.2 and 0.9.3). With at least LEAST_WEIGHTS,
    32 MB, in a process that has freed no memory, that is 0, which does no harm: malloc takes so much from the system.
    Otherwise it is anything, NaN too. So another process trains.
    Raises ValueError where there may be fewer weights, and where the training diverges.
    """
    if wordNgrams < 2 or bucket * dim < LEAST_WEIGHTS:  # fastText has no buckets for words alone
        raise ValueError(f"fastText needs word n-grams, and bucket times dim of {LEAST_WEIGHTS:,}, to set all weights")
    options = {"wordNgrams": wordNgrams, "dim": dim, "bucket": bucket} | settings
    model = file.with_suffix(".bin")
    with futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            pool.submit(_train, str(file), str(model), options).result()
        except RuntimeError as error:  # Encountered NaN.
            raise ValueError(f"the training diverged ({error}): choose a smaller lr than {settings['lr']}") from error
    return fasttext.load_model(str(model))


def _train(file: str, model: str, options: dict) -> None:
    fasttext.train_supervised(file, **options).save_model(model)


def measure(model, file: Path) -> dict:
    """How well a model tells the examples of a file apart; a value that is not defined is left out.

    precision and recall of LABEL at 0.5; auc, the share of pairs of a good text and another in which the good one's
    score is higher; quantiles of all scores.
    """
    batches = []
    good = []
    with open(file, encoding="utf-8", newline="\n") as lines:
        while examples := [line.split(" ", 1) for line in itertools.islice(lines, BATCH)]:
            good += [label == LABEL for label, _ in examples]
            batches.append(scores(model, [text for _, text in examples], LABEL))
    values = np.concatenate(batches)
    good = np.array(good)
    taken = values >= 0.5
    right = good & taken
    measured = {"documents": len(good), "good": int(good.sum())}
    if taken.any():
        measured["precision"] = float(right.sum() / taken.sum())
    if good.any():
        measured["recall"] = float(right.sum() / good.sum())
    if good.any() and not good.all():
        measured["auc"] = area(values, good)
    measured["quantiles"] = {f"{share:g}": round(float(np.quantile(values, share)), 6) for share in QUANTILES}
    return measured


def area(values: np.ndarray, good: np.ndarray) -> float:
    """The area under the ROC curve of scores, by their ranks (equal ones share theirs)."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    number = good.sum()
    lowest = number * (number + 1) / 2  # the sum of the ranks where all good ones come first
    return float((ranks[good].sum() - lowest) / (number * (len(good) - number)))
