"""What a task is: a frozen dataclass of its parameters, which samples rows and has an oracle that judges them.

A task knows NumPy and nothing of torch, transformers or datasets. registry.py holds the classes, lookup.py finds a task
by a name such as ``sort-64``, check.py holds a task to what is promised here.
"""

import dataclasses
import functools
import itertools
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..errors import nearest
from ..moved import old_names
from . import splits
from .answers import answer_words

__getattr__ = old_names(__name__)

IGNORE = -100  # the label of a position without loss, as everywhere in transformers
# What an oracle, a few plain lines each, stumbles over where a prompt has another form than its rows'.
NO_PROMPT = (ValueError, LookupError, StopIteration, ArithmeticError, TypeError)


def is_ours(cls: type) -> bool:
    """Whether a class of tasks is of this package."""
    return cls.__module__.startswith(__name__.partition(".")[0] + ".")


@dataclasses.dataclass(frozen=True)
class Task:
    """Base of all tasks: subclasses add parameters, `vocabulary`, `max_length`, `sample`, and `solve` or `accepts`.

    `sample(rng, n)` gives `input_ids` and `labels`, both int32 ``[n, max_length]``: right-padded rows, and labels
    equal to them where the loss counts, -100 elsewhere, not shifted. `solve(prompt_ids)` is the answer in plain
    Python; a language, in which every token is predicted, has `accepts(token_ids)` instead. Labels that need not be in
    the row are those of layouts.Asked.
    """

    name: ClassVar[str]
    headline: ClassVar[str]  # the parameter that the number in "sort-64", or the word in "lime-induct", sets
    sizes: ClassVar[tuple[int | str, ...]]  # the published sizes
    summary: ClassVar[str]  # one line, for tables and cards
    paper: ClassVar[str] = "Jiang et al. 2026, Procedural Pretraining, arXiv:2601.21725"
    prompt_end: ClassVar[int | None] = None  # the id that ends a prompt, where an answer may begin without a label
    apart: ClassVar[bool] = False  # whether labels may differ from the tokens in their places, as in layouts.Asked
    spare: ClassVar[int] = 16  # rows that are drawn for a split beyond those that will mostly do
    is_text: ClassVar[bool] = False  # whether rows are text, byte by byte, as byte_text.py has it

    if TYPE_CHECKING:  # a task has the first, a language the second

        def solve(self, prompt_ids) -> list[int]:
            """The token ids of the answer to a prompt, in plain Python: the oracle that `sample` is held against."""
            ...

        def accepts(self, token_ids) -> bool:
            """Whether token ids are a word of a language: what a language has in place of `solve`."""
            ...

    def __post_init__(self):
        # Parameters become plain Python values, in place although frozen: `key`, which seeds the rows, is their JSON.
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.integer | np.floating | np.bool_):
                value = value.item()
                object.__setattr__(self, field.name, value)
            if not field.metadata.get("valid", lambda _: True)(value):
                hint = nearest(str(value), field.metadata.get("options", ()))
                raise ValueError(f"{self.name}: {field.name} must be {field.metadata['accepted']}, got {value!r}{hint}")
            if "convert" in field.metadata:
                object.__setattr__(self, field.name, field.metadata["convert"](value))

    @property
    def parameters(self) -> dict:
        """All parameters by name, defaults included."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def config_name(self) -> str:
        """Task and headline size, such as ``sort-64``."""
        return f"{self.name}-{getattr(self, self.headline)}"

    @property
    def key(self) -> str:
        """Name and all parameters as one canonical string: what a row depends on beside seed, split and index."""
        return f"{self.name} {json.dumps(self.parameters, sort_keys=True)}"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The token strings in id order."""
        raise TypeError(f"{type(self).__name__} must define the property vocabulary")

    @property
    def max_length(self) -> int:
        """The row length, in tokens."""
        raise TypeError(f"{type(self).__name__} must define the property max_length")

    @property
    def pad_id(self) -> int:
        """The id of ``<pad>``."""
        return self.vocabulary.index("<pad>")

    @property
    def is_ours(self) -> bool:
        """Whether it is of this package, so that the package's version tells what its rows are."""
        return is_ours(type(self))

    @property
    def is_language(self) -> bool:
        """Whether every token is to be predicted, so that there is no prompt and no one answer."""
        return not hasattr(self, "solve")

    def sample(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """`n` rows: `input_ids` and `labels`, int32 ``[n, max_length]`` each."""
        raise TypeError(f"{type(self).__name__} must define sample(rng, n)")

    def row_length(self, split: str) -> int:
        """The tokens in a row of a split, `max_length` at most: a task may test on longer rows than it trains on."""
        return self.max_length

    def empty_rows(self, n: int, width: int | None = None) -> np.ndarray:
        """Uninitialised `input_ids` and `labels`, int32 ``[2, n, width]``; without a width, that is `max_length`.

        One allocation rather than two: malloc then keeps the memory from call to call instead of handing it back to
        the system, whose fresh pages would cost several times the sampling.
        """
        return np.empty((2, n, self.max_length if width is None else width), np.int32)

    def example(self, prompt_ids) -> tuple[np.ndarray, np.ndarray]:
        """The row of one prompt by `solve` (of a language: of one word), int32 ``[max_length]`` each.

        A prompt is all that stands before the answer; its closing separator may be left out.
        """
        prompt = [int(token) for token in prompt_ids]
        if self.is_language:
            prompt, answer = prompt[:1], prompt[1:]
        else:
            prompt = self.closed(prompt)
            answer = self.solve(prompt)
        width = self.max_length
        input_ids = np.full(width, self.pad_id, np.int32)
        labels = np.full(width, IGNORE, np.int32)
        row = (prompt + answer)[:width]
        input_ids[: len(row)] = row
        labels[len(prompt) : len(row)] = row[len(prompt) :]
        return input_ids, labels

    def closed(self, prompt: list[int]) -> list[int]:
        """The prompt with its closing separator."""
        return prompt

    def is_answer(self, prompt_ids, answer_ids) -> bool:
        """Whether an answer is right: that of `solve`, unless a task has several right ones and says so here."""
        return list(answer_ids) == self.solve(prompt_ids)

    @property
    def turn(self) -> str | None:
        """What is asked in each of `turns`, in words; None where there are none."""
        return None

    def turns(self, prompt_ids) -> list[tuple[list[int], list[int]]]:
        """A question in steps, where a task has `turn`: what is shown in each, and the answer to it."""
        raise TypeError(f"{self.config_name}: its questions have no steps")

    def is_row(self, input_ids, labels) -> bool:
        """Whether a row, ``[max_length]``, is one that the oracle makes: its answer (or word) and its labels."""
        if self.is_language:
            return self.accepts(input_ids) and np.array_equal(self.example(input_ids)[1], labels)
        expected_ids, expected_labels = self.example(self.prompt_of(input_ids, labels))
        return np.array_equal(expected_ids, input_ids) and np.array_equal(expected_labels, labels)

    def score(self, prompt, completion, graded: bool = False, strict: bool = False) -> float:
        """How right a completion of a prompt is, in [0, 1]; both are token ids or text.

        1 where `is_answer` takes all of the completion before its first <eos> or <pad> (of a language: where `accepts`
        takes both together), else 0. With `graded`, a wrong one has the share of tokens before its first error, counted
        against `solve`: k / max(len(answer), len(completion)), below 1. A language has no answer to count against, so
        `graded` changes nothing there. Of a text, the answer is what `read` reads; ids are taken as they are. Raises
        ValueError for what is no prompt of the task, and TypeError for rows that have no answer, such as shuffled ones.
        Where a task has no truth to compare with, as some of `nonsense`, this judges no more than the form.
        """
        ids = ids_of_words(self)
        prompt = self._prompt_ids(prompt, ids)
        completion = self.read(completion, strict) if isinstance(completion, str) else [int(t) for t in completion]
        if completion is None:
            return 0.0
        ends = [completion.index(end) for end in (self.pad_id, ids.get("<eos>")) if end in completion]
        completion = completion[: min(ends, default=len(completion))]
        if any(not 0 <= token < len(ids) for token in completion):
            return 0.0
        if self.is_language:
            return float(self.accepts(prompt + completion))
        prompt = self.closed(prompt)
        try:
            answer = self.solve(prompt)
        except NO_PROMPT as error:
            words = self.spell(self.vocabulary[token] for token in prompt)
            raise ValueError(f"{self.config_name}: no prompt of this task: {words!r}") from error
        if completion == answer or self.is_answer(prompt, completion):
            return 1.0
        if not graded:
            return 0.0
        equal = (ours == theirs for ours, theirs in zip(completion, answer, strict=False))
        right = sum(itertools.takewhile(bool, equal))
        return right / max(len(answer), len(completion))

    def read(self, text: str, strict: bool = False) -> list[int] | None:
        """The ids of the answer that a text gives, as tasks/answers.py says; None where it gives none.

        With `strict`, those of its words as they stand, -1 for what is no token of the task.
        """
        ids = ids_of_words(self)
        words = self.words_of(text) if strict else answer_words(text, ids)
        return None if words is None else [ids.get(word, -1) for word in words]

    def _prompt_ids(self, prompt, ids: dict[str, int], whose: str = "the prompt's") -> list[int]:
        """The ids of a prompt, ids or text. Raises ValueError for what is no token."""
        if isinstance(prompt, str):
            words = self.words_of(prompt)
            unknown = [word for word in words if word not in ids]
            if unknown:
                raise ValueError(f"{self.config_name}: {whose} {unknown[0]!r} is no token of the task")
            return [ids[word] for word in words]
        tokens = [int(token) for token in prompt]
        wrong = [token for token in tokens if not 0 <= token < len(ids)]
        if wrong:
            raise ValueError(f"{self.config_name}: the prompt's {wrong[0]} is no token id of the task")
        return tokens

    def text(self, input_ids) -> str:
        """A row, or a part of one, as its token strings, separated by spaces, without padding; `ids` is the way back.

        So it is for every task whose rows are not text themselves, as no token string has a space in it. Raises
        ValueError for what is no id, as -100.
        """
        tokens, vocabulary = self._unpadded(input_ids), self.vocabulary
        wrong = [token for token in tokens if not 0 <= token < len(vocabulary)]
        if wrong:
            raise ValueError(f"{self.config_name}: the row's {wrong[0]} is no token id of the task")
        return self.spell(vocabulary[token] for token in tokens)

    def spell(self, words: Iterable[str]) -> str:
        """Token strings as text; `words_of` is the way back."""
        return " ".join(words)

    def words_of(self, text: str) -> list[str]:
        """The token strings of a text, which need not be those of the vocabulary."""
        return text.split()

    def _unpadded(self, input_ids) -> list[int]:
        """The tokens of a row, or of a part of one, without padding."""
        tokens = [int(token) for token in input_ids]
        pad_id = self.pad_id
        while tokens and tokens[-1] == pad_id:
            tokens.pop()
        return tokens

    def ids(self, text: str) -> np.ndarray:
        """The row that `text` is of, padded: int32 ``[max_length]``.

        Raises ValueError for a word that is no token of the task, and for more words than a row has tokens.
        """
        words = self.words_of(text)
        if len(words) > self.max_length:
            raise ValueError(f"{self.config_name}: the text has {len(words)} words, a row {self.max_length} tokens")
        input_ids = np.full(self.max_length, self.pad_id, np.int32)
        input_ids[: len(words)] = self._prompt_ids(text, ids_of_words(self), "the text's")
        return input_ids

    def questions(self, input_ids: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, ``[n, max_length]``, as prompt and answer, one behind the other: ids, where answers start, and end.

        Ids are int32 ``[n, max_length]``, mostly the rows themselves, the others int64 ``[n]``. A prompt ends at the
        first `prompt_end` or else before the first label; a row without labels has an empty answer.
        """
        width = input_ids.shape[1]
        stops = width - (input_ids == self.pad_id).sum(axis=1)  # padding stands at the end alone
        is_scored = labels != IGNORE
        starts = np.where(is_scored.any(axis=1), is_scored.argmax(axis=1), width)
        if self.prompt_end is not None:
            is_end = input_ids == self.prompt_end
            starts = np.where(is_end.any(axis=1), is_end.argmax(axis=1) + 1, starts)
        return input_ids, np.minimum(starts, stops), stops

    def stand_apart(self, input_ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Of which rows, ``[n, max_length]``, the targets need not be in the row: bool ``[n]``."""
        return np.full(len(input_ids), self.apart)

    def question(self, input_ids, labels) -> tuple[list[int], list[int]]:
        """The prompt of a row, ``[max_length]``, its closing separator included, and the answer, without padding."""
        rows, starts, stops = self.questions(np.asarray(input_ids)[None], np.asarray(labels)[None])
        tokens = rows[0, : stops[0]].tolist()
        return tokens[: starts[0]], tokens[starts[0] :]

    def prompt_of(self, input_ids, labels) -> list[int]:
        """The tokens of a row, ``[max_length]``, that stand before the answer, as `questions` says."""
        return self.question(input_ids, labels)[0]

    def prompt_ends(self, input_ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Where the prompts end that decide on splits, int64 ``[n]``; empty where they are what has no label."""
        return np.empty(0, np.int64)

    def candidates(self, rng: np.random.Generator, n: int, split: str):
        """`n` rows of which `sample_split` keeps those of `split`, and a function that writes these into two arrays.

        Where whole rows are dear, a task may give less of them: `input_ids` and `labels` as far as prompts go. `split`
        is for tasks that draw other things for each split than prompts, such as the rules of `nca`.
        """
        return whole_rows(self.sample(rng, n))

    def sample_split(self, rng: np.random.Generator, n: int, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Like `sample`, but only rows whose prompt belongs to `split` ("train", "validation" or "test").

        They are int32 ``[n, row_length(split)]``.
        Raises ValueError where the task has (next to) no prompts of that split.
        """
        return self._sample_split(rng, n, split, self.candidates)

    def _sample_split(self, rng, n, split, candidates):
        input_ids, labels = self.empty_rows(n, self.row_length(split))
        done = drawn = 0
        while done < n:
            # As many as will mostly do, in one go; how many are drawn decides what rows there are: never change it.
            number = min(65_536, int((n - done) / splits.SHARES[split] * 1.05) + self.spare)
            rows, write = candidates(rng, number, split)
            kept = np.flatnonzero(splits.of_rows(self, *rows) == splits.INDEX[split])[: n - done]
            new = slice(done, done + len(kept))
            write(kept, input_ids[new], labels[new])
            done += len(kept)
            drawn += number
            if drawn > 10_000 and done < drawn / 2_000:
                is_number = not isinstance(getattr(self, self.headline), str)
                parameter = self.headline if is_number or "length" not in self.parameters else "length"
                if split == "test" and self.parameters.get("test_length") is not None:
                    parameter = "test_length"
                raise ValueError(
                    f"{self.config_name}: too few distinct prompts for a {split} split of its own ({done} of {drawn} "
                    f"drawn fell into it); raise {parameter} or another parameter, or set {split}_size=0"
                )
        return input_ids, labels


@functools.lru_cache(maxsize=64)
def ids_of_words(task: Task) -> dict[str, int]:
    """The id of each token string."""
    return {token: index for index, token in enumerate(task.vocabulary)}


def whole_rows(rows: tuple[np.ndarray, np.ndarray]):
    """What `Task.candidates` gives where rows are made whole."""

    def write(kept, *targets):
        for source, target in zip(rows, targets, strict=True):
            np.take(source, kept, axis=0, out=target, mode="clip")

    return rows, write
