"""DeepMind-Math (Saxton et al. 2019, arXiv:1904.01557) by characters: tokenizer, training rows, validation, scores.

Its files and problems are in `math_archive`. A training row is as many whole problems as fit::

    <bos> question <sep> answer <bos> question <sep> answer <pad> ... <pad>

and its labels are the answers' characters alone, as in Jiang et al. 2026 (zlshinnick/procedural-pretraining, 5356d9e,
downstream/semantic). Unlike there, damaged files are errors and whole answers are scored with their last character.
The order of the tokens is ours, as theirs is not known to us.
"""

import hashlib
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch.utils.data import Dataset, IterableDataset, get_worker_info
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from ..tasks import IGNORE
from .math_archive import DIFFICULTIES, Problems, find_modules, flat, lines_at, present
from .readers import DataError

Scores = tuple[dict[str, float], dict[str, dict[str, float]]]  # over all problems, and of each module

_SPECIAL = ("<pad>", "<unk>", "<bos>", "<sep>")
_PAD, _UNK, _BOS, _SEP = range(4)
_PRINTABLE = [chr(code) for code in range(32, 127)]
# Ids by byte of UTF-8. A character that is not ASCII is <unk> at its first byte; the others, 10xxxxxx, are left out.
_IDS = bytes(code - 32 + len(_SPECIAL) if 32 <= code < 127 else _UNK for code in range(256))
_LATER_BYTES = bytes(range(0x80, 0xC0))

_MARK_EVERY = 256  # rows
_MARKS = 64  # kept, the latest


def character_tokenizer() -> PreTrainedTokenizerFast:
    """99 tokens: <pad>, <unk>, <bos>, <sep>, and the 95 printable ASCII characters in their order.

    >>> tokenizer = character_tokenizer()
    >>> tokenizer("2 + 2").input_ids, tokenizer.decode([2, 22, 4, 3, 24])
    ([22, 4, 15, 4, 22], '<bos>2 <sep>4')

    Any other character is <unk>. Within a text, the name of a special token is that token.
    """
    ids = {token: index for index, token in enumerate([*_SPECIAL, *_PRINTABLE])}
    characters = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    characters.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    characters.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=characters,
        model_max_length=512,
        padding_side="right",
        clean_up_tokenization_spaces=False,
        **{f"{name[1:-1]}_token": name for name in _SPECIAL},
    )


def _encode(question: bytes, answer: bytes) -> tuple[bytes, int]:
    """A problem's ids, one byte each, and how many of them, at the end, are the answer's."""
    question = question.translate(_IDS, _LATER_BYTES)
    answer = answer.translate(_IDS, _LATER_BYTES)
    return bytes([_BOS]) + question + bytes([_SEP]) + answer, len(answer)


def _row(problems: list[tuple[bytes, int]], length: int) -> dict[str, torch.Tensor]:
    input_ids = np.full(length, _PAD, np.int64)
    labels = np.full(length, IGNORE, np.int64)
    end = 0
    for ids, answer in problems:
        start = end
        end += len(ids)
        input_ids[start:end] = np.frombuffer(ids, np.uint8)
        labels[end - answer : end] = input_ids[end - answer : end]
    return {"input_ids": torch.from_numpy(input_ids), "labels": torch.from_numpy(labels)}


class _Reader:
    """The problems of a file in order, begun again at its end. `offset`: the byte at which the next one begins."""

    def __init__(self, path: Path, offset: int):
        self.path = path
        self.offset = offset
        self.skipped = 0  # problems that are too long for a row
        self._lines = []  # read already, the next one last

    def peek(self, longest: int) -> tuple[bytes, int]:
        """The next problem of at most `longest` tokens, as `_encode` gives it; longer ones before it are skipped."""
        ends = 0
        while True:
            while not self._lines:
                self._lines = lines_at(self.path, self.offset)[::-1]
                if not self._lines:
                    self.offset = 0
                    ends += 1
                if ends == 2:  # once around, and nothing fits
                    raise DataError(f"{self.path}: no problem of it fits in a row of {longest} tokens")
            problem = _encode(self._lines[-1], self._lines[-2])
            if len(problem[0]) <= longest:
                return problem
            self.skipped += 1
            self.take()

    def take(self) -> None:
        self.offset += len(self._lines.pop()) + len(self._lines.pop()) + 2


class MathRows(IterableDataset):
    """Endless training rows, each with as many whole problems as fit: int64 ``[length]`` input_ids and labels.

    Every problem is the next one of a file drawn uniformly from all difficulties and modules, by a generator of (seed,
    row); one that does not fit opens the next row, so that long ones are not drawn less often. Labels are not shifted.
    One process and at most one worker read; memory is constant. `difficulties` are those that are there.

    Args:
        folder: as for `find_modules`, whose errors it raises.
        seed: of the draws.
        length: tokens in a row. Longer problems are skipped and counted in `skipped`.
    """

    def __init__(self, folder: str | Path, seed: int, length: int = 512):
        if length < 4:
            raise ValueError(f"length must be at least 4 tokens, got {length}")
        files = find_modules(folder)
        self.length = length
        self.difficulties = present(files, DIFFICULTIES, "training")
        self._paths = [path for split in self.difficulties for path in files[split].values()]
        # Names and sizes, not where the folder lies: a run goes on from another machine's copy.
        sources = [f"{path.parent.name} {path.name} {path.stat().st_size}" for path in self._paths]
        identity = "\n".join([f"{seed} {length}", *sources])
        self._key = hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
        self._readers = []
        self.start_at(0)

    @property
    def skipped(self) -> int:
        """Problems that the latest iterator left out because they are longer than a row."""
        return sum(reader.skipped for reader in self._readers)

    def start_at(self, row: int, mark: dict | None = None) -> None:
        """Lets iterators begin at `row`. Without a `mark` of that row or an earlier one, all before is read again.

        Raises ValueError for a mark of a later row, or of other files, another seed or length.
        """
        mark = mark or {"row": 0, "source": self._key, "read": 0, "next": [], "offsets": [0] * len(self._paths)}
        if mark["source"] != self._key or mark["row"] > row:
            raise ValueError(f"the mark of row {mark['row']} is not one for row {row} of these files, seed and length")
        self.start = row
        self._origin = mark
        self._marks = deque(maxlen=_MARKS)

    def mark(self, row: int) -> dict:
        """Where reading for `row` has to begin, as JSON values: `offsets` (bytes) in the files before row `read`.

        Kept for every 256th of the latest 16,384 rows that this process read, else the start. Raises ValueError for a
        row before the start.
        """
        if row < self._origin["row"]:
            raise ValueError(f"row must be at least {self._origin['row']}, where reading began, got {row}")
        usable = [mark for mark in (self._origin, *self._marks) if mark["read"] <= row]
        return usable[-1] | {"row": row}

    def __iter__(self):
        info = get_worker_info()
        if info and info.num_workers > 1:
            raise ValueError(f"dataloader_num_workers must be 0 or 1 for DeepMind-Math, got {info.num_workers}")
        self._marks.clear()
        readers = [_Reader(path, offset) for path, offset in zip(self._paths, self._origin["offsets"], strict=True)]
        self._readers = readers
        waiting = self._origin["next"]  # the reader whose problem did not fit into the row before
        key = int(self._key, 16)
        for row in itertools.count(self._origin["read"]):
            if row % _MARK_EVERY == 0:
                offsets = [reader.offset for reader in readers]
                self._marks.append(self._origin | {"read": row, "next": waiting, "offsets": offsets})
            generator = np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, row]))
            # One more than fit: a problem has at least 4 tokens.
            draws = waiting + generator.integers(len(readers), size=self.length // 4 + 1).tolist()
            problems = []
            room = self.length
            for place in draws:
                problem = readers[place].peek(self.length)
                room -= len(problem[0])
                if room < 0:
                    waiting = [place]
                    break
                problems.append(problem)
                readers[place].take()
            if row >= self.start:
                yield _row(problems, self.length)


class MathValidation(Dataset):
    """One problem in each row, in their order, padded to `length`, by default the longest's. Labels on the answer.

    `modules` is the module of each row. Raises ValueError where there is no problem, or one longer than `length`.
    """

    def __init__(self, problems: Problems, length: int | None = None):
        self.modules = []
        self._rows = []
        for module, question, answer in flat(problems):
            self.modules.append(module)
            self._rows.append(_encode(question.encode(), answer.encode()))
        if not self._rows:
            raise ValueError("there are no validation problems")
        longest, module = max((len(ids), module) for (ids, _), module in zip(self._rows, self.modules, strict=True))
        self.length = longest if length is None else length
        if longest > self.length:
            raise ValueError(f"length must be at least {longest}, for a problem of {module}, got {length}")

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, index):
        return _row([self._rows[index]], self.length)


def accuracy(predictions: np.ndarray, labels: np.ndarray, modules: Sequence[str]) -> Scores:
    """Teacher-forced `answer_accuracy` (share of answer characters) and `exact_match` (share of whole answers).

    Args:
        predictions: int64 ``[n, length]``, the token predicted *for* each position (`training.finish.predictions`).
        labels: int64 ``[n, length]``, -100 outside of answers.
        modules: the module of each row (`MathValidation.modules`).

    But for rounding, an answer is right here as a whole exactly where greedy generation gives it.
    """
    if not labels.shape == predictions.shape == (len(modules), labels.shape[1]):
        raise ValueError(f"rows do not match: {predictions.shape}, {labels.shape}, {len(modules)} modules")
    scored = labels != IGNORE
    characters = scored.sum(1)
    right = ((predictions == labels) & scored).sum(1)
    if not characters.all():
        raise ValueError(f"labels: row {int(characters.argmin())} has no answer to score")
    names = np.asarray(modules)

    def scores(rows):
        return {
            "answer_accuracy": float(right[rows].sum() / characters[rows].sum()),
            "exact_match": float((right == characters)[rows].mean()),
        }

    return scores(slice(None)), {str(name): scores(names == name) for name in np.unique(names)}


@torch.no_grad()
def greedy_exact_match(model, tokenizer, problems: Problems, batch_size: int = 64) -> Scores:
    """`greedy_exact_match`: the share of answers that greedy generation from ``<bos> question <sep>`` gives.

    The layout has no end token, so the length of the true answer is given: as many tokens are compared. Prompts of one
    length go together, so that no padding moves positions.
    """
    if not any(problems.values()):
        raise ValueError("there are no problems to answer")
    modules, questions, answers = zip(*flat(problems), strict=True)
    questions = tokenizer(list(questions), add_special_tokens=False).input_ids
    answers = tokenizer(list(answers), add_special_tokens=False).input_ids
    prompts = [[tokenizer.bos_token_id, *question, tokenizer.sep_token_id] for question in questions]
    right = np.zeros(len(prompts))
    was_training = model.training
    model.eval()
    batches = list(_batches_of_one_length(prompts, answers, batch_size))
    for batch in tqdm(batches, desc="greedy generation", unit="batch", disable=None):
        fed = torch.tensor([prompts[case] for case in batch], device=model.device)
        ids = model.generate(
            fed,
            attention_mask=torch.ones_like(fed),
            max_new_tokens=max(len(answers[case]) for case in batch),
            do_sample=False,
            eos_token_id=None,
            pad_token_id=tokenizer.pad_token_id,
        )
        for case, generated in zip(batch, ids[:, fed.shape[1] :].tolist(), strict=True):
            right[case] = generated[: len(answers[case])] == answers[case]
    model.train(was_training)
    modules = np.asarray(modules)
    scores = {
        str(module): {"greedy_exact_match": float(right[modules == module].mean())} for module in np.unique(modules)
    }
    return {"greedy_exact_match": float(right.mean())}, scores


def _batches_of_one_length(prompts: list[list], answers: list[list], batch_size: int) -> Iterator[list[int]]:
    """Places in `prompts` to answer together: prompts of one length, with answers of like lengths."""
    order = sorted(range(len(prompts)), key=lambda case: (len(prompts[case]), len(answers[case])))
    for _, group in itertools.groupby(order, key=lambda case: len(prompts[case])):
        group = list(group)
        for first in range(0, len(group), batch_size):
            yield group[first : first + batch_size]
