"""Data sets of reasoning-gym (Stojanovski et al. 2025, arXiv:2505.24760), read from version 0.1.25.

    State the final answer to the following arithmetic problem: 4 + 3 =<sep>7<eos><pad>...

Each of its data sets is a task, and each row one item: its question, its answer, and its own `score_answer` for a
verifier. Ours by decision, since rows here depend on nothing but their generator:
- A row is item 0 of a data set of one item, with a seed of its own, drawn from 2^63 (from 2^32 where NumPy is seeded).
  There, item i has the seed `seed + i`, so that the items of neighbouring seeds are the same but one.
- Sets that draw from the global generators draw from some of the same seed; the user's stay as they are.
- Text is bytes of UTF-8, `length` of them at most with the answer and two marks; longer items are drawn again.
- An empty answer is worth 0 (there, some sets give it 0.01), and so is what `score_answer` stumbles over.
- Where a set's `score_answer` runs an answer as Python, ours has it read a literal, or first sees to it that it is
  arithmetic: a model wrote it.
- Sets without an answer that scores are refused, and codeio and intermediate_integration, see REFUSED.

docs/guides/reasoning-gym.md has what was seen of each set, made anew by ``python benchmarks/reasoning_gym_sets.py``.
What is right for a prompt is known from its seed, which this process remembers of the rows that it made last.
"""

import ast
import contextlib
import dataclasses
import fractions
import functools
import hashlib
import importlib.metadata
import io
import json
import random
import re
import sys
import threading
from typing import Any

import numpy as np

from . import byte_text
from .answers import MARKER, answer_part
from .base import whole_rows
from .fields import integer, parameter
from .layouts import Answered
from .reasoning_gym_sets import FORMULAS, KEPT, LENGTHS, LITERALS, NUMBERS, ORDERED, REFUSED, SEEDS_32
from .registry import register

_TRIES = 200  # items in a row that are too long
_REMEMBERED = 2**16  # prompts, about 10 MB
_LOCK = threading.RLock()  # around global generators and what is remembered
_seeds: dict[bytes, int] = {}  # of the digest of a prompt, the oldest first


def _config(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _is_config(value) -> bool:
    try:
        value = json.loads(_config(value))
    except (TypeError, ValueError):
        return False
    return isinstance(value, dict) and not value.keys() & {"seed", "size"}


@register
@dataclasses.dataclass(frozen=True)
class ReasoningGym(Answered):
    """``What is 4 + 3?<sep>7<eos>``, then <pad>: the question and the answer of an item, each byte of UTF-8 a token.

    The loss counts on the answer and <eos>. Byte b is id b; <sep>, <eos> and <pad> are 256, 257 and 258.
    """

    name = "reasoning_gym"
    headline = "dataset"
    sizes = ("leg_counting", "word_sorting", "gcd", "chain_sum")
    summary = "questions in words, of a data set of reasoning-gym, with their answers"
    paper = "Stojanovski et al. 2025, Reasoning Gym, arXiv:2505.24760"
    is_text = True
    spare = 1  # as items of some sets take seconds
    sep_id = byte_text.VOCABULARY.index("<sep>")
    eos_id = byte_text.VOCABULARY.index("<eos>")

    dataset: str = parameter(
        "chain_sum",
        lambda value: isinstance(value, str) and value in LENGTHS,
        "a data set of reasoning-gym 0.1.25 (docs/guides/reasoning-gym.md lists them)",
        "the data set's name in reasoning-gym",
        options=tuple(LENGTHS),
    )
    length: int | None = integer(
        None, 8, "bytes in a row, at most, with two marks; null: what suits the data set", high=2**20, optional=True
    )
    config: str = parameter(
        "{}",
        _is_config,
        "the data set's own parameters by name, without seed and size",
        "the data set's own parameters, such as {min_terms: 3}",
        convert=lambda value: _config(json.loads(_config(value))),
    )

    def __post_init__(self):
        if self.dataset in REFUSED:
            raise ValueError(f"{self.name}: {self.dataset} is refused: {REFUSED[self.dataset]}")
        super().__post_init__()
        if self.length is None:
            object.__setattr__(self, "length", LENGTHS[self.dataset])
        if self.config != "{}":
            _make(self, 0)

    @property
    def key(self) -> str:
        return f"{super().key} reasoning-gym {_version()}"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return byte_text.VOCABULARY

    @property
    def pad_id(self) -> int:
        return len(byte_text.VOCABULARY) - 1

    @property
    def max_length(self) -> int:
        return int(self.length or 0)

    def spell(self, words):
        return byte_text.spell(words)

    def words_of(self, text):
        return byte_text.words_of(text)

    def read(self, text, strict=False):
        """The ids of the answer that a text gives: what stands in its box, its answer tags, or behind its thoughts.

        Without `strict` white space around it is left out, too.
        """
        said = text if strict else answer_part(text)
        if said is None:
            return None
        said = re.split("<eos>|<pad>", said)[0]
        return [byte_text.VOCABULARY.index(word) for word in byte_text.words_of(said if strict else said.strip())]

    def sample(self, rng, n):
        input_ids, labels, seeds = self._draw(rng, n)
        self._remember(input_ids, labels, seeds)
        return input_ids, labels

    def candidates(self, rng, n, split):
        input_ids, labels, seeds = self._draw(rng, n)
        rows, write = whole_rows((input_ids, labels))

        def write_and_remember(kept, *targets):
            write(kept, *targets)
            self._remember(*targets, [seeds[place] for place in kept])

        return rows, write_and_remember

    def _draw(self, rng, n) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """`n` rows and their seeds."""
        from . import kernels

        input_ids, labels = self.empty_rows(n)
        starts, stops = np.empty((2, n), np.int32)
        seeds = []
        with _own_generators():
            for place in range(n):
                seed, prompt, answer = self._next(rng)
                starts[place] = len(prompt) + 1
                stops[place] = starts[place] + len(answer) + 1
                row = [*prompt, self.sep_id, *answer, self.eos_id]
                input_ids[place, : len(row)] = row
                seeds.append(seed)
        kernels.close_rows(input_ids, labels, starts, stops, self.pad_id)
        return input_ids, labels, seeds

    def _next(self, rng) -> tuple[int, bytes, bytes]:
        """The seed, question and answer of the next item that fits into a row."""
        for _ in range(_TRIES):
            seed = int(rng.integers(2**32 if self.dataset in SEEDS_32 else 2**63))
            item = _item(self, seed)
            told = item["question"], item["answer"]
            prompt, answer = (text.encode() for text in told)
            fits = len(prompt) + len(answer) + 2 <= self.max_length and not any(map(byte_text.has_mark, told))
            if fits and _is_harmless(self.dataset, item["answer"]):
                return seed, prompt, answer
        needed = len(prompt) + len(answer) + 2
        raise ValueError(
            f"{self.config_name}: none of {_TRIES} items fits into length={self.length} bytes, the last takes "
            f"{needed}; raise length"
        )

    def _remember(self, input_ids, labels, seeds: list[int]) -> None:
        _, starts, _ = self.questions(input_ids, labels)
        with _LOCK:
            for ids, start, seed in zip(input_ids, starts, seeds, strict=True):
                digest = _digest(self, ids[: start - 1].astype(np.uint8).tobytes())
                _seeds.pop(digest, None)
                _seeds[digest] = seed
            while len(_seeds) > _REMEMBERED:
                del _seeds[next(iter(_seeds))]

    def item(self, prompt) -> dict[str, Any]:
        """The item of reasoning-gym that a prompt, ids or text, asks for: question, answer, metadata.

        Raises ValueError for a prompt that is of none of the rows that this process made last.
        """
        words = self.words_of(prompt) if isinstance(prompt, str) else [self.vocabulary[token] for token in prompt]
        question = byte_text.spell(words[:-1] if words[-1:] == ["<sep>"] else words)
        with _LOCK:
            seed = _seeds.get(_digest(self, question.encode()))
        if seed is None:
            raise ValueError(
                f"{self.config_name}: {question[:60]!r} is no prompt of the rows that this process made last: make the "
                "rows anew, with sample or load_dataset in this process"
            )
        return _kept_item(self, seed)

    def solve(self, prompt_ids) -> list[int]:
        return list(self.item(prompt_ids)["answer"].encode())

    def is_answer(self, prompt_ids, answer_ids) -> bool:
        return self.score(prompt_ids, answer_ids) == 1

    def score(self, prompt, completion, graded=False, strict=False) -> float:
        """The data set's own score of an answer, with `graded` in [0, 1], else 1 where that is 1, and 0 elsewhere.

        Of a text, the answer is what `read` reads or, where that is worth more and not `strict`, what is left of it
        without ``\\text{}``, ``**``, ``$`` and a last full stop, behind a last "answer is" or "answer:" to the end of
        the line. An empty one is worth 0, and so is what is no UTF-8, and what `score_answer` cannot read. Raises
        ValueError as `item` does.
        """
        item = self.item(prompt)
        if not isinstance(completion, str):
            return self._score_ids([int(token) for token in completion], item, graded)
        score = self._score_ids(self.read(completion, strict), item, graded)
        if score == 1 or strict:
            return score
        unwrapped = _unwrapped(answer_part(completion) or "")
        return max(score, self._score_ids(self.read(unwrapped, strict=True), item, graded))

    def _score_ids(self, ids: list[int] | None, item: dict[str, Any], graded: bool) -> float:
        ends = [ids.index(end) for end in (self.eos_id, self.pad_id) if end in ids] if ids else []
        try:
            answer = bytes(ids[: min(ends, default=len(ids))] if ids else b"").decode()
        except ValueError:  # a mark among the bytes, or none of UTF-8
            return 0.0
        score = _score(self, answer, item)
        return min(max(score, 0.0), 1.0) if graded else float(score == 1)  # spell_backward gives more to wrong ones


def _unwrapped(said: str) -> str:
    """An answer without what stands around it, see `ReasoningGym.score`."""
    *_, start = 0, *(marker.end() for marker in MARKER.finditer(said))
    line = said[start:].strip().partition("\n")[0] if start else said
    bare = re.sub(r"\\(?:text|math)\w*\{([^{}]*)\}", r"\1", line)
    return bare.strip("$* \n").removesuffix(".").strip("$* \n")


def _digest(task: ReasoningGym, prompt: bytes) -> bytes:
    return hashlib.blake2b(prompt, digest_size=16, key=_key(task)).digest()


@functools.lru_cache(maxsize=64)
def _key(task: ReasoningGym) -> bytes:
    return hashlib.sha256(task.key.encode()).digest()


@functools.cache
def _version() -> str:
    _library()
    return importlib.metadata.version("reasoning-gym")  # its __version__ is another one


def _library():
    """The package, which takes seconds to import. Raises ImportError where it is not installed."""
    try:
        import reasoning_gym
    except ImportError as error:
        raise ImportError(
            f"tasks of reasoning-gym need it: pip install 'hf-procedural[reasoning-gym]' ({error})"
        ) from error
    return reasoning_gym


def _make(task: ReasoningGym, seed: int):
    """The data set of one item. Raises ValueError for parameters that it refuses."""
    library = _library()
    if task.dataset in ORDERED and sys.flags.hash_randomization:
        raise ValueError(
            f"{task.config_name}: its items depend on the order of sets, which is another in each process: "
            "start Python with PYTHONHASHSEED=0"
        )
    try:
        return library.create_dataset(task.dataset, seed=seed, size=1, **json.loads(task.config))
    except (AssertionError, TypeError, ValueError) as error:
        known = [name for name in _fields(task.dataset) if name not in ("seed", "size")]
        raise ValueError(
            f"{task.config_name}: config {task.config} is refused: {error} (its parameters: {', '.join(known)})"
        ) from error


def _fields(dataset: str) -> list[str]:
    from reasoning_gym.factory import DATASETS

    return list(vars(DATASETS[dataset][1])["__dataclass_fields__"])


_kept = functools.lru_cache(maxsize=64)(_make)


def _item(task: ReasoningGym, seed: int) -> dict[str, Any]:
    """The item of a seed. Within `_own_generators`."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if task.dataset not in KEPT:
        return _make(task, seed)[0]
    dataset = _kept(task, 0)
    dataset.seed = dataset.config.seed = seed
    return dataset[0]


@functools.lru_cache(maxsize=256)  # some take seconds to make, and a group of completions asks for the same one
def _kept_item(task: ReasoningGym, seed: int) -> dict[str, Any]:
    with _own_generators():
        return _item(task, seed)


@contextlib.contextmanager
def _own_generators():
    """Keeps what happens inside from the global generators, one thread at a time."""
    with _LOCK:
        states = random.getstate(), np.random.get_state()
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


_LONGEST = 1_000  # characters of an answer that is looked at as a formula
_NAMES = "a?(?:sin|cos|tan|sec|csc|cot)h?|exp|log|ln|sqrt|pi|[A-Za-z]"
_FORMULA = re.compile(rf"(?:[-+*/^(),=\s\d]|(?<=\d)\.|\.(?=\d)|\b(?:{_NAMES})\b(?!\.))*", re.ASCII)
_POWER = r"(?:\*\*|\^)"
_NUMBER = r"-?\s*\d{1,2}"
_EXPONENT = re.compile(
    rf"{_POWER}\s*(?:{_NUMBER}|[A-Za-z]|\(\s*{_NUMBER}\s*(?:/\s*\d{{1,2}}\s*)?\))(?![\w.])(?!\s*(?:{_POWER}|\())"
)


def _is_harmless(dataset: str, answer: str) -> bool:
    """Whether an answer can be given to a `score_answer` that runs it: of arithmetic, and without a tower of powers.

    An exponent is a number of two digits, a ratio of such in brackets, or a letter; two brackets are raised at most,
    to one digit each, and where numbers are all there is, there are no names.
    """
    if dataset not in FORMULAS:
        return True
    if len(answer) > _LONGEST or not _FORMULA.fullmatch(answer):
        return False
    if dataset in NUMBERS and re.search("[A-Za-z]", answer):
        return False
    raised = re.findall(rf"\)\s*{_POWER}[-(\s]*(\d\d)?", answer)
    powers = len(re.findall(_POWER, answer))
    return len(raised) <= 2 and not any(raised) and powers == len(_EXPONENT.findall(answer))


def can_be_right(dataset: str, answer: str, item: dict[str, Any]) -> bool:
    """Whether an answer may be asked for its score: it does no harm, and is none of those that some sets pay for.

    In reasoning-gym 0.1.25 game_of_life_halting gives 1 for any text, complex_arithmetic for ``nan``, coin_flip for the
    first digits of the right number, and puzzle24 for 24.9 of whatever numbers. Raises as the parsers do.
    """
    if not answer.strip() or not _is_harmless(dataset, answer):
        return False
    match dataset:
        case "game_of_life_halting":
            return answer.strip() == item["answer"]
        case "complex_arithmetic":
            return "nan" not in answer.lower()
        case "puzzle24":
            numbers = map(int, re.findall(r"[\d.]+", answer))
            return sorted(numbers) == sorted(item["metadata"]["numbers"]) and _parsed(answer) == 24
        case "coin_flip":
            return _is_near(answer, item["answer"])
    return True


def _parsed(answer: str):
    import sympy

    return sympy.parse_expr(answer)


def _is_near(answer: str, right: str) -> bool:
    """Whether a number, such as 0.25 or 1/4, is as near to a right one as coin_flip has it, and not 0."""
    if not re.fullmatch(r"[-+\d.,/\s]{1,100}(?:e-?\d\d?)?\s*", answer, re.ASCII | re.IGNORECASE):
        return False
    value = float(fractions.Fraction(answer.replace(",", "")))
    return value != 0 and abs(value - float(right)) <= 1e-4


def _score(task: ReasoningGym, answer: str, item: dict[str, Any]) -> float:
    """The data set's own score of an answer; what it stumbles over is worth 0, as an empty answer is."""
    with _own_generators(), contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))  # tower_of_hanoi tells of each wrong move
        random.seed(0)
        np.random.seed(0)
        dataset = _kept(task, 0)
        if task.dataset in LITERALS:
            names = vars(sys.modules[type(dataset).__module__])
            names["eval"] = ast.literal_eval
            stack.callback(names.pop, "eval")
        try:
            score = float(dataset.score_answer(answer, item)) if can_be_right(task.dataset, answer, item) else 0.0
        except Exception:  # of each set, and of the parsers that it asks, its own
            return 0.0
    return score
