"""DeepMind-Math (Saxton et al. 2019, arXiv:1904.01557) by characters: tokenizer, training rows, validation, scores.

Read as the published archive, mathematics_dataset-v1.0, holds it: five folders of files module__name.txt, in which the
lines are a question, its answer, the next question ... A training row is as many whole problems as fit::

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

from ..errors import at_least
from ..tasks import IGNORE
from .readers import DataError

DIFFICULTIES = ("train-easy", "train-medium", "train-hard")
SPLITS = (*DIFFICULTIES, "interpolate", "extrapolate")

Problems = dict[str, list[tuple[str, str]]]  # of each module: question and answer
Scores = tuple[dict[str, float], dict[str, dict[str, float]]]  # over all problems, and of each module

_SPECIAL = ("<pad>", "<unk>", "<bos>", "<sep>")
_PAD, _UNK, _BOS, _SEP = range(4)
_PRINTABLE = [chr(code) for code in range(32, 127)]
# Ids by byte of UTF-8. A character that is not ASCII is <unk> at its first byte; the others, 10xxxxxx, are left out.
_IDS = bytes(code - 32 + len(_SPECIAL) if 32 <= code < 127 else _UNK for code in range(256))
_LATER_BYTES = bytes(range(0x80, 0xC0))

_CHUNK = 2**16  # bytes of a file that are in memory at a time, and more than any line has
_READ_WHOLE = 2**20  # bytes up to which a file is checked from beginning to end before anything starts
_MARK_EVERY, _MARKS = 256, 64  # rows between marks, and marks kept


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


def find_modules(folder: str | Path) -> dict[str, dict[str, Path]]:
    """The files of each split by module, in the order of `SPLITS` and of names.

    Files up to 1 MB are checked whole, of larger ones the beginning, the end and samples; the rest when it is read.

    Raises:
        ValueError: where there is no such folder, or it lacks a split; and, together, for all modules that one of the
            training and interpolation splits lacks and another has, and all damaged files.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"the DeepMind-Math folder {folder} does not exist, or is no folder")
    absent = [split for split in SPLITS if not (folder / split).is_dir()]
    if absent:
        raise ValueError(f"{folder} lacks the folders {', '.join(absent)}: give that which holds {', '.join(SPLITS)}")
    files = {split: _modules_in(folder / split) for split in SPLITS}
    flaws = {"missing": _missing(files), "damaged": _damaged(files)}
    flaws = [f"{flaw}: {', '.join(places)}" for flaw, places in flaws.items() if places]
    if flaws:
        raise ValueError(f"{folder}: {'; '.join(flaws)}")
    return files


def _modules_in(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("[!.]*__*.txt"))}


def _missing(files: dict[str, dict[str, Path]]) -> list[str]:
    """Splits without a file, and files that other splits have; extrapolate has modules of its own."""
    missing = [f"all modules of {split}" for split in SPLITS if not files[split]]
    alike = [split for split in SPLITS if split != "extrapolate" and files[split]]
    modules = sorted(set().union(*(files[split] for split in alike)))
    for split in alike:
        missing += [f"{split}/{module}.txt" for module in modules if module not in files[split]]
    return missing


def _damaged(files: dict[str, dict[str, Path]]) -> list[str]:
    damage = [_damage(path) for modules in files.values() for path in modules.values()]
    return list(filter(None, damage))


def _damage(path: Path) -> str | None:
    """What is wrong with a file, as far as can be seen without reading much."""
    try:
        size = path.stat().st_size
        if size <= _READ_WHOLE:
            deque(_chunks(path), maxlen=0)  # reads all, keeps nothing
            return None
        samples = (0, size // 4, size // 2, 3 * size // 4, size - _CHUNK // 2)
        for offset in samples:
            _lines(path, offset, inside=offset > 0)
    except (DataError, OSError) as error:
        return str(error)


def _chunks(path: Path) -> Iterator[list[bytes]]:
    """All lines of a file, some at a time."""
    offset = 0
    while lines := _lines(path, offset):
        yield lines
        offset += sum(map(len, lines)) + len(lines)


def _lines(path: Path, offset: int, inside: bool = False) -> list[bytes]:
    """The whole problems in the next 64 kB from byte `offset` on, question and answer in turn; none at the end.

    With `inside`, `offset` need not be where a problem begins: its line is left out, and any may be the first.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(_CHUNK)
            at_end = not file.read(1)
            *lines, rest = data.split(b"\n")
            lines = lines[1:] if inside else lines
            flaw = _first_flaw(lines, rest if at_end else None, inside)
            if flaw:
                place, reason = flaw
                file.seek(0)
                number = file.read(offset).count(b"\n") + inside + place + 1
                raise DataError(f"{path} (line {number} {reason})")
    except OSError as error:
        raise DataError(f"{path} ({error.strerror})") from error
    if not lines and offset == 0:
        raise DataError(f"{path} (the file is empty)")
    return lines[: len(lines) // 2 * 2]


def _first_flaw(lines: list[bytes], rest: bytes | None, inside: bool) -> tuple[int, str] | None:
    """The place of the first bad line and what is wrong with it. `rest`: what follows the last line at a file's end."""
    for place, line in enumerate(lines):
        flaw = _flaw(line)
        if flaw:
            return place, flaw
    if rest is None:
        return (0, f"opens a problem of more than {_CHUNK} bytes") if len(lines) < 2 else None
    if rest:
        return len(lines), "has no end: the file was cut off"
    if len(lines) % 2 and not inside:
        return len(lines) - 1, "is a question without an answer: an odd number of lines"
    return None


def _flaw(line: bytes) -> str | None:
    if not line.strip():
        return "is empty"
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    if text.isprintable():
        return None
    control = next(character for character in text if not character.isprintable())
    return f"holds {control!r}"


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
                self._lines = _lines(self.path, self.offset)[::-1]
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
    One process and at most one worker read; memory is constant.

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
        self._paths = [path for split in DIFFICULTIES for path in files[split].values()]
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


def problems(folder: str | Path, split: str, per_module: int | None = None) -> Problems:
    """The problems of a split, or the first `per_module` of each module.

    Raises ValueError for an unknown split, what `find_modules` refuses, and damage.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    at_least("per_module", per_module, 1)
    pairs = {}
    for module, path in find_modules(folder)[split].items():
        lines = itertools.chain.from_iterable(_chunks(path))
        texts = [line.decode() for line in itertools.islice(lines, per_module and 2 * per_module)]
        pairs[module] = list(zip(texts[::2], texts[1::2], strict=True))
    return pairs


def validation_problems(folder: str | Path, per_module: int) -> Problems:
    """The first `per_module` problems of each module of the splits to validate with, by split/module."""
    chosen = {}
    for split in ("interpolate", "extrapolate"):
        for module, pairs in problems(folder, split, per_module).items():
            chosen[f"{split}/{module}"] = pairs
    return chosen


def _flat(problems: Problems) -> Iterator[tuple[str, str, str]]:
    """Module, question and answer of each problem."""
    for module, pairs in problems.items():
        for question, answer in pairs:
            yield module, question, answer


class MathValidation(Dataset):
    """One problem in each row, in their order, padded to `length`, by default the longest's. Labels on the answer.

    `modules` is the module of each row. Raises ValueError where there is no problem, or one longer than `length`.
    """

    def __init__(self, problems: Problems, length: int | None = None):
        self.modules = []
        self._rows = []
        for module, question, answer in _flat(problems):
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
    modules = np.asarray(modules)

    def scores(rows):
        return {
            "answer_accuracy": float(right[rows].sum() / characters[rows].sum()),
            "exact_match": float((right == characters)[rows].mean()),
        }

    return scores(slice(None)), {str(module): scores(modules == module) for module in np.unique(modules)}


@torch.no_grad()
def greedy_exact_match(model, tokenizer, problems: Problems, batch_size: int = 64) -> Scores:
    """`greedy_exact_match`: the share of answers that greedy generation from ``<bos> question <sep>`` gives.

    The layout has no end token, so the length of the true answer is given: as many tokens are compared. Prompts of one
    length go together, so that no padding moves positions.
    """
    if not any(problems.values()):
        raise ValueError("there are no problems to answer")
    modules, questions, answers = zip(*_flat(problems), strict=True)
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
