"""What a task is, and the registry that finds one by name.

A task is a frozen dataclass of its parameters. It knows NumPy and nothing of torch, transformers or datasets.
Names are ``task-size``, such as ``sort-64``: the size sets the task's headline parameter, keywords set the others.
"""

import dataclasses
import difflib
import functools
import itertools
import json
import re
from typing import ClassVar

import numpy as np

IGNORE = -100  # the label of a position without loss, as everywhere in transformers


def integer(default, low, help, high=2**31 - 1, optional=False):
    """A dataclass field for an integer in ``low..high`` (None too, where ``optional``)."""
    bounds = f"an integer >= {low}" if high == 2**31 - 1 else f"an integer in {low}..{high}"

    def valid(value):
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return _parameter(default, valid, bounds, help, optional)


def probability(default, help):
    """A dataclass field for a number in 0..1."""

    def valid(value):
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1

    return _parameter(default, valid, "a number in 0..1", help, convert=float)


def flag(default, help):
    """A dataclass field for True or False."""
    return _parameter(default, lambda value: isinstance(value, bool), "true or false", help)


def choice(default, options, help):
    """A dataclass field for one of some words; as a headline, the word after the dash: ``lime-induct``."""
    options = tuple(options)
    return _parameter(default, options.__contains__, f"one of {', '.join(options)}", help, options=options)


def _parameter(default, valid, accepted, help, optional=False, **more):
    if optional:
        required, accepted = valid, f"{accepted}, or null"

        def valid(value):
            return value is None or required(value)

    metadata = {"valid": valid, "accepted": accepted, "help": help} | more
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Task:
    """Base of all tasks: subclasses add parameters, `vocabulary`, `max_length`, `sample`, and `solve` or `accepts`.

    `sample(rng, n)` gives `input_ids` and `labels`, both int32 ``[n, max_length]``: right-padded rows, and labels
    equal to them where the loss counts, -100 elsewhere, not shifted. `solve(prompt_ids)` is the answer in plain
    Python; a language, in which every token is predicted, has `accepts(token_ids)` instead.
    """

    name: ClassVar[str]
    headline: ClassVar[str]  # the parameter that the number in "sort-64", or the word in "lime-induct", sets
    sizes: ClassVar[tuple[int | str, ...]]  # the published sizes
    summary: ClassVar[str]  # one line, for tables and cards
    paper: ClassVar[str] = "Jiang et al. 2026, Procedural Pretraining, arXiv:2601.21725"
    prompt_end: ClassVar[int | None] = None  # the id that ends a prompt, where an answer may begin without a label

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.integer | np.floating | np.bool_):
                value = value.item()
                object.__setattr__(self, field.name, value)
            if not field.metadata.get("valid", lambda _: True)(value):
                close = difflib.get_close_matches(str(value), field.metadata.get("options", ()), n=1)
                hint = f": did you mean {close[0]}?" if close else ""
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
    def is_language(self) -> bool:
        """Whether every token is to be predicted, so that there is no prompt and no one answer."""
        return not hasattr(self, "solve")

    def sample(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """`n` rows: `input_ids` and `labels`, int32 ``[n, max_length]`` each."""
        raise TypeError(f"{type(self).__name__} must define sample(rng, n)")

    def empty_rows(self, n: int) -> np.ndarray:
        """Uninitialised `input_ids` and `labels`, int32 ``[2, n, max_length]``.

        One allocation rather than two: malloc then keeps the memory from call to call instead of handing it back to
        the system, whose fresh pages would cost several times the sampling.
        """
        return np.empty((2, n, self.max_length), np.int32)

    def example(self, prompt_ids) -> tuple[np.ndarray, np.ndarray]:
        """The row of one prompt by `solve` (of a language: of one word), int32 ``[max_length]`` each.

        A prompt is all that stands before the answer; its closing separator may be left out.
        """
        prompt = [int(token) for token in prompt_ids]
        if self.is_language:
            prompt, answer = prompt[:1], prompt[1:]
        else:
            prompt = self._close(prompt)
            answer = self.solve(prompt)
        width = self.max_length
        input_ids = np.full(width, self.pad_id, np.int32)
        labels = np.full(width, IGNORE, np.int32)
        row = (prompt + answer)[:width]
        input_ids[: len(row)] = row
        labels[len(prompt) : len(row)] = row[len(prompt) :]
        return input_ids, labels

    def _close(self, prompt: list[int]) -> list[int]:
        """The prompt with its closing separator."""
        return prompt

    def is_answer(self, prompt_ids, answer_ids) -> bool:
        """Whether an answer is right: that of `solve`, unless a task has several right ones and says so here."""
        return list(answer_ids) == self.solve(prompt_ids)

    def is_row(self, input_ids, labels) -> bool:
        """Whether a row, ``[max_length]``, is one that the oracle makes: its answer (or word) and its labels."""
        if self.is_language:
            return self.accepts(input_ids) and np.array_equal(self.example(input_ids)[1], labels)
        return all(map(np.array_equal, self.example(self.prompt_of(input_ids, labels)), (input_ids, labels)))

    def score(self, prompt, completion, graded: bool = False) -> float:
        """How right a completion of a prompt is, in [0, 1]; both are token ids or text.

        1 where `is_answer` takes all of the completion before its first <eos> or <pad> (of a language: where `accepts`
        takes both together), else 0. With `graded`, a wrong one has the share of tokens before its first error, counted
        against `solve`: k / max(len(answer), len(completion)), below 1. A language has no answer to count against, so
        `graded` changes nothing there. A completion with a word that is no token has 0. Raises ValueError for what is
        no prompt of the task, and TypeError for rows that have no answer, such as shuffled ones. Where a task has no
        truth to compare with, as some of `nonsense`, this judges no more than the form.
        """
        ids = {token: index for index, token in enumerate(self.vocabulary)}
        if isinstance(prompt, str):
            if unknown := [word for word in prompt.split() if word not in ids]:
                raise ValueError(f"{self.config_name}: the prompt's {unknown[0]!r} is no token of the task")
            prompt = [ids[word] for word in prompt.split()]
        if isinstance(completion, str):
            completion = [ids.get(word, -1) for word in completion.split()]
        prompt, completion = [int(token) for token in prompt], [int(token) for token in completion]
        ends = [completion.index(end) for end in (self.pad_id, ids.get("<eos>")) if end in completion]
        completion = completion[: min(ends, default=len(completion))]
        if wrong := [token for token in prompt if not 0 <= token < len(ids)]:
            raise ValueError(f"{self.config_name}: the prompt's {wrong[0]} is no token id of the task")
        if any(not 0 <= token < len(ids) for token in completion):
            return 0.0
        if self.is_language:
            return float(self.accepts(prompt + completion))
        prompt = self._close(prompt)
        try:
            answer = self.solve(prompt)
        except (ValueError, LookupError, StopIteration, ArithmeticError, TypeError) as error:
            words = " ".join(self.vocabulary[token] for token in prompt)
            raise ValueError(f"{self.config_name}: no prompt of this task: {words!r}") from error
        if completion == answer or self.is_answer(prompt, completion):
            return 1.0
        if not graded:
            return 0.0
        equal = (ours == theirs for ours, theirs in zip(completion, answer, strict=False))
        return sum(itertools.takewhile(bool, equal)) / max(len(answer), len(completion))

    def prompt_of(self, input_ids, labels) -> list[int]:
        """The tokens of a row, ``[max_length]``, that stand before the answer, its closing separator included.

        They end at the first `prompt_end` or else before the first label; a row without labels has an empty answer, and
        all but its padding is prompt.
        """
        tokens = [int(token) for token in input_ids]
        if self.prompt_end in tokens:
            return tokens[: tokens.index(self.prompt_end) + 1]
        labelled = np.flatnonzero(np.asarray(labels) != IGNORE)
        return tokens[: labelled[0] if len(labelled) else len(tokens) - tokens.count(self.pad_id)]

    def candidates(self, rng: np.random.Generator, n: int):
        """`n` rows of which `sample_split` keeps some, and a function that writes those kept into two arrays.

        Where whole rows are dear, a task may give less of them: `input_ids` and `labels` as far as prompts go.
        """
        rows = self.sample(rng, n)

        def write(kept, *targets):
            for source, target in zip(rows, targets, strict=True):
                np.take(source, kept, axis=0, out=target, mode="clip")

        return rows, write

    def sample_split(self, rng: np.random.Generator, n: int, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Like `sample`, but only rows whose prompt belongs to `split` ("train", "validation" or "test").

        Raises ValueError where the task has (next to) no prompts of that split.
        """
        from . import splits

        rows = self.empty_rows(n)
        done = drawn = 0
        while done < n:
            number = min(65_536, int((n - done) / splits.SHARES[split] * 1.05) + 16)
            candidates, write = self.candidates(rng, number)
            kept = np.flatnonzero(splits.of_rows(self, *candidates) == splits.INDEX[split])[: n - done]
            write(kept, *(target[done : done + len(kept)] for target in rows))
            done += len(kept)
            drawn += number
            if drawn > 10_000 and done < drawn / 2_000:
                raise ValueError(
                    f"{self.config_name}: too few distinct prompts for a {split} split of its own ({done} of {drawn} "
                    f"drawn fell into it); raise {self.headline} or another parameter, or set {split}_size=0"
                )
        return rows[0], rows[1]


_REGISTRY: dict[str, type[Task]] = {}
CHECKED: set[type[Task]] = set()  # the classes from elsewhere that `check_task` has passed


def register(cls: type[Task]) -> type[Task]:
    """Class decorator: adds a task to the registry under its `name`.

    Raises ValueError for a class without what every task has, or a name that is taken. A class from outside of this
    package is checked by `check_task` when it is first used.
    """
    known = _REGISTRY.get(getattr(cls, "name", None), cls)
    if known.__qualname__ != cls.__qualname__ or known.__module__ != cls.__module__:
        raise ValueError(f"task name {cls.name!r} is taken by {known.__module__}.{known.__qualname__}")
    _check_class(cls)
    _REGISTRY[cls.name] = cls
    return cls


def _check_class(cls) -> None:
    wanted = {
        "name": lambda value: isinstance(value, str) and re.fullmatch("[a-z][a-z0-9_]*", value),
        "headline": lambda value: value in {field.name for field in dataclasses.fields(cls)},
        "sizes": lambda value: isinstance(value, tuple) and value,
        "summary": lambda value: isinstance(value, str) and value,
    }
    where = f"{cls.__module__}.{cls.__qualname__}"
    if not (isinstance(cls, type) and issubclass(cls, Task) and "__dataclass_params__" in vars(cls)):
        raise ValueError(f"{where} must be a subclass of Task with @dataclasses.dataclass(frozen=True) below @register")
    for attribute, valid in wanted.items():
        if not valid(getattr(cls, attribute, None)):
            accepted = {
                "name": "a word of lower-case letters, digits and _",
                "headline": "one of its fields",
                "sizes": "a tuple of values of the headline",
                "summary": "a line that says what is learned",
            }[attribute]
            raise ValueError(f"{where}: {attribute} must be {accepted}, got {getattr(cls, attribute, None)!r}")


@functools.cache
def _load_entry_points() -> None:
    from .plugins import load_entry_points

    load_entry_points()


def list_tasks() -> list[str]:
    """The names of all tasks, in the order of their definition; those of installed packages come last."""
    _load_entry_points()
    return list(_REGISTRY)


def task_class(name: str) -> type[Task]:
    """The class of a task by its bare name, such as ``sort``."""
    if name not in _REGISTRY:
        _load_entry_points()
    if name not in _REGISTRY:
        close = difflib.get_close_matches(name, _REGISTRY, n=3, cutoff=0.4)
        hint = f": did you mean {', '.join(close)}?" if close else ""
        raise ValueError(f"unknown task {name!r}{hint} (tasks: {', '.join(_REGISTRY)})")
    return _REGISTRY[name]


def task(name: str, /, **parameters) -> Task:
    """The task of a name such as ``sort-64``, ``sort`` or ``sort-64+set-64``, or of a preset; parameters as keywords.

    >>> task("sort-4", vocab_size=10).vocabulary[-2:]
    ('<sep>', '<pad>')

    Every task also takes ``shuffle_tokens=True``: the papers' control, its rows with their tokens in random order.

    Raises ValueError for an unknown task or parameter, or a value out of range.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"task must be a name such as sort-64, got {name!r}")
    from .presets import PRESETS

    if name in PRESETS:
        preset = PRESETS[name]
        return task(preset.task, **preset.parameters | parameters)
    if re.match(r"[a-z]+\d{4}-", name):
        hint = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0)
        raise ValueError(f"unknown preset {name!r}: did you mean {hint[0]}? (hf-procedural list --presets has all)")
    if "+" in name:
        from .mixture import mixture

        return mixture(name.split("+"), **parameters)
    cls, parameters = parse(name, parameters)
    known = [*(field.name for field in dataclasses.fields(cls)), "shuffle_tokens"]
    for key in parameters:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f": did you mean {close[0]}?" if close else ""
            raise ValueError(f"{cls.name}: unknown parameter {key!r}{hint} (parameters: {', '.join(known)})")
    shuffle = parameters.pop("shuffle_tokens", False)
    if not isinstance(shuffle, bool | np.bool_):
        raise ValueError(f"{cls.name}: shuffle_tokens must be true or false, got {shuffle!r}")
    chosen = cls(**parameters)
    if not is_ours(cls) and cls not in CHECKED:
        from .check import check_task

        check_task(chosen)
        CHECKED.add(cls)
    if shuffle:
        from .shuffled import Shuffled

        return Shuffled(chosen)
    return chosen


def is_ours(cls: type[Task]) -> bool:
    """Whether a class of tasks is of this package, so that its version tells what its rows are."""
    return cls.__module__.startswith(__name__.partition(".")[0] + ".")


def parse(name: str, parameters: dict) -> tuple[type[Task], dict]:
    """The class that `name` means, and `parameters` with the size in `name` added."""
    bare, dash, size = name.partition("-")
    cls = task_class(bare)
    if not dash:
        return cls, dict(parameters)
    if not isinstance(cls.sizes[-1], str):
        try:
            size = int(size)
        except ValueError:
            raise ValueError(
                f"{name}: the size after the dash must be an integer, as in {cls.name}-{cls.sizes[-1]}, got {size!r}"
            ) from None
    if parameters.get(cls.headline, size) != size:
        raise ValueError(f"{name}: {cls.headline}={parameters[cls.headline]!r} contradicts the size in the name")
    return cls, {cls.headline: size, **parameters}
