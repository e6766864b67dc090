"""Rows of a task in the ids of any tokenizer, with labels on what the task labels, exactly.

    symbols   each of the task's tokens is one ordinary token of the tokenizer, drawn by a seed: nothing is learnt about
              words, no row grows, and padding is the tokenizer's
    text      the row is written out, words separated by spaces, without padding. Where a task's tokens are numbers, all
              of it is integers: those of <sep> and its like are their ids
    integers  the row is written out as the task's ids, whatever its words: the text of arXiv:2609.39827

In both each word is tokenized by itself, with the space before it: no token spans two words, and so none spans a prompt
and its answer. Tokenizers that split at spaces first (GPT-2's, Llama 3's, Qwen's) give the same ids for the whole text.
"""

import copy
import dataclasses
import functools
import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import nearest
from .base import IGNORE, Task

KINDS = ("text", "integers", "symbols")
FILE = "coding.json"
_TRIED = 4_096  # tokens of a tokenizer that are looked at in one go


@dataclasses.dataclass(frozen=True)
class Coding:
    """How the tokens of a task are written in a tokenizer's ids.

    Args:
        kind: one of KINDS.
        tokenizer: its name.
        vocab_size: all ids are below it.
        pad_id: behind rows of symbols.
        end_id: the tokenizer's end token, which is not part of a row; None where it has none.
        words: the task's token strings, in id order.
        first: the ids of each of them at the beginning of a row; none for padding and what no row has.
        rest: the same behind another word.
        seed: of the choice of symbols.
    """

    kind: str
    tokenizer: str
    vocab_size: int
    pad_id: int
    end_id: int | None
    words: tuple[str, ...]
    first: tuple[tuple[int, ...], ...]
    rest: tuple[tuple[int, ...], ...]
    seed: int = 0

    @classmethod
    def make(cls, task: Task, tokenizer, kind: str = "symbols", seed: int = 0) -> "Coding":
        """The coding of a task in the ids of a fast tokenizer of transformers.

        Raises ValueError for an unknown kind, a tokenizer with too few ordinary tokens for `symbols`, and one that does
        not give a word back where rows are written out.
        """
        check_kind(kind)
        if kind == "text" and task.is_text:
            raise ValueError(
                f"coding text: rows of {task.config_name} are text already, which a tokenizer reads as a whole: take "
                "view text, prompt_completion or messages, or coding symbols"
            )
        if getattr(tokenizer, "backend_tokenizer", None) is None:
            raise ValueError(f"tokenizer must be a fast tokenizer of transformers, got {type(tokenizer).__name__}")
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"coding_seed must be an integer >= 0, got {seed!r}")
        used = [word != "<pad>" and not word.startswith("<unused") for word in task.vocabulary]
        ends = [tokenizer.eos_token_id, tokenizer.pad_token_id]
        pad_id = next((id for id in reversed(ends) if id is not None), 0)
        if kind == "symbols":
            chosen = iter(_symbols(task, tokenizer, sum(used), int(seed), pad_id))
            first = rest = tuple((next(chosen),) if is_used else () for is_used in used)
        else:
            words = _written(task) if kind == "text" else map(str, range(len(task.vocabulary)))
            written = [word if is_used else None for word, is_used in zip(words, used, strict=True)]
            first, rest = _pieces(tokenizer, written)
        name = str(tokenizer.name_or_path or type(tokenizer).__name__)
        vocab_size = max([len(tokenizer), pad_id + 1, *(1 + id for ids in first + rest for id in ids)])
        return cls(kind, name, vocab_size, pad_id, ends[0], task.vocabulary, first, rest, int(seed))

    @property
    def is_text(self) -> bool:
        """Whether rows are written out, so that they differ in length and have no padding."""
        return self.kind != "symbols"

    @property
    def digest(self) -> str:
        """What tells it from all codings that give other ids: 16 hexadecimal digits."""
        content = json.dumps([self.kind, self.vocab_size, self.pad_id, self.words, self.first, self.rest])
        return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()

    @functools.cached_property
    def _table(self) -> np.ndarray:
        """The id of each label from -100 on, which stays: int32 ``[100 + len(words)]``."""
        labels = [IGNORE] * -IGNORE
        return np.array(labels + [ids[0] if ids else self.pad_id for ids in self.first], np.int32)

    @functools.cached_property
    def _sizes(self) -> np.ndarray:
        """How many ids each word has as the first of a row, and behind another: int64 ``[2, len(words)]``."""
        return np.array([list(map(len, self.first)), list(map(len, self.rest))], np.int64)

    @functools.cached_property
    def _pieces(self) -> tuple[np.ndarray, np.ndarray]:
        """The ids of all words, int32, and where those of each begin."""
        pieces = np.array([*itertools.chain(*self.first, *self.rest)], np.int32)
        return pieces, np.concatenate([[0], np.cumsum(self._sizes)])

    def symbols(self, input_ids: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the task, int32 ``[n, max_length]`` each, in the tokenizer's ids. Writes over the arrays."""
        from .coding_kernels import look_up

        rows = np.ascontiguousarray(input_ids), np.ascontiguousarray(labels)
        for ids in rows:
            look_up(ids.reshape(-1), self._table)
        return rows

    def text(self, input_ids: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the task, written out: ids and labels of all, int32 ``[ids]``, and where rows end, int64 ``[n]``."""
        from .coding_kernels import row_sizes, write_pieces

        first, rest = self._sizes
        words, sizes = row_sizes(input_ids, self.words.index("<pad>"), first, rest)
        tokens, token_labels = np.empty((2, sizes.sum()), np.int32)
        write_pieces(input_ids, labels, words, *self._pieces, tokens, token_labels)
        return tokens, token_labels, np.cumsum(sizes)

    def decode(self, ids) -> list[int]:
        """The task's token ids that are written so, without padding. Raises ValueError for what is no row of them."""
        ids = [int(id) for id in ids]
        tokens, place = [], 0
        while place < len(ids):
            known, longest = self._known[1 if tokens else 0]
            most = min(longest, len(ids) - place)
            sizes = (size for size in range(most, 0, -1) if tuple(ids[place : place + size]) in known)
            size = next(sizes, None)
            if size is None:
                if {*ids[place:]} <= {self.pad_id, self.end_id}:  # behind the row
                    break
                raise ValueError(f"ids[{place}] is {ids[place]}, where no word of the task is written")
            tokens.append(known[tuple(ids[place : place + size])])
            place += size
        return tokens

    @functools.cached_property
    def _known(self) -> list[tuple[dict[tuple[int, ...], int], int]]:
        """The task's id of the ids of each word, and most ids of one: beginning a row, and behind another word."""
        known = ({ids: word for word, ids in enumerate(each) if ids} for each in (self.first, self.rest))
        return [(words, max(map(len, words))) for words in known]

    def save(self, folder) -> Path:
        """Writes it into a folder as coding.json, which `load` reads; gives the file."""
        from ..files import write_text  # here, as it reads YAML, too, which takes a while to import

        file = Path(folder, FILE)
        write_text(file, json.dumps(self.content, ensure_ascii=False) + "\n")
        return file

    @property
    def content(self) -> dict:
        """All of it, as JSON has it."""
        content = dataclasses.asdict(self)
        if self.first == self.rest:
            del content["rest"]
        return content

    @classmethod
    def load(cls, folder) -> "Coding":
        """The coding in a folder, or in a file. Raises ValueError where there is none."""
        from ..files import MEND, expected, read_mapping

        file = Path(folder, FILE) if Path(folder).is_dir() else Path(folder)
        content: dict[str, Any] = read_mapping(file)
        names = {field.name for field in dataclasses.fields(cls)}
        if content.keys() - names or names - content.keys() - {"rest"}:
            raise ValueError(f"{file} holds no coding: its keys must be {', '.join(sorted(names))}")
        content.setdefault("rest", content["first"])
        with expected(file):
            for name in ("first", "rest"):
                content[name] = tuple(map(tuple, content[name]))
            content["words"] = tuple(content["words"])
            made = cls(**content)
            ids = [made.pad_id, *itertools.chain(*made.first, *made.rest)]
            are_ids = all(type(id) is int and 0 <= id < made.vocab_size for id in ids)
        if made.kind not in KINDS or not are_ids or not len(made.words) == len(made.first) == len(made.rest):
            raise ValueError(f"{file} holds no coding: a list of ids below vocab_size for each word; {MEND}")
        return made


def check_kind(kind) -> None:
    """Raises ValueError for what is none of KINDS."""
    if kind not in KINDS:
        raise ValueError(f"coding must be one of {', '.join(KINDS)}, got {kind!r}{nearest(str(kind), KINDS)}")


def _written(task: Task) -> tuple[str, ...]:
    """The words that stand for a task's tokens in text: integers where all but <sep> and its like are numbers."""
    plain = [(id, word) for id, word in enumerate(task.vocabulary) if not _is_special(word)]
    if all(word == str(id) for id, word in plain):
        return tuple(map(str, range(len(task.vocabulary))))
    return task.vocabulary


def _is_special(word: str) -> bool:
    return len(word) > 2 and word[0] == "<" and word[-1] == ">"


def _backend(tokenizer):
    """The tokenizer's own, which neither cuts nor pads."""
    backend = tokenizer.backend_tokenizer
    if backend.padding or backend.truncation:
        backend = copy.deepcopy(backend)
        backend.no_padding()
        backend.no_truncation()
    return backend


def _symbols(task: Task, tokenizer, count: int, seed: int, pad_id: int) -> list[int]:
    """So many ordinary tokens of a tokenizer, drawn by a seed. Raises ValueError where it has fewer."""
    backend = _backend(tokenizer)
    strange = backend.get_added_tokens_decoder().keys() | {*tokenizer.all_special_ids, pad_id}
    strange.add(backend.token_to_id(getattr(backend.model, "unk_token", None) or ""))
    ids = (id for id in _in_random_order(tokenizer, seed) if id not in strange)
    chosen = []
    while len(chosen) < count and (tried := list(itertools.islice(ids, _TRIED))):
        texts = backend.decode_batch([[id] for id in tried], skip_special_tokens=False)
        for id, text, encoded in zip(tried, texts, _encoded(tokenizer, backend, texts), strict=True):
            if encoded == [id] and text.strip():
                chosen.append(id)
    if len(chosen) >= count:
        return chosen[:count]
    missing = count - len(chosen)
    name = tokenizer.name_or_path or "of this run"
    raise ValueError(
        f"tokenizer {name}: {len(chosen):,} ordinary single tokens for the {count:,} symbols of {task.config_name}: "
        f"{missing:,} are missing; take coding text, or a smaller task"
    )


def _in_random_order(tokenizer, seed: int) -> Iterator[int]:
    """All ids of a tokenizer, and perhaps some that it leaves out; at last those behind such holes."""
    random = np.random.Generator(np.random.Philox(seed))
    yield from random.permutation(len(tokenizer)).tolist()
    yield from random.permutation(sorted(id for id in tokenizer.get_vocab().values() if id >= len(tokenizer))).tolist()


def _encoded(tokenizer, backend, texts: list[str]) -> list[list[int]]:
    """The ids of each text, by the tokenizer's `_backend`. Raises ValueError where it has none, nor of unknowns."""
    try:
        encodings = backend.encode_batch(texts, add_special_tokens=False)
    except Exception as error:  # tokenizers has no other
        raise ValueError(f"tokenizer {tokenizer.name_or_path} cannot write these rows: {error}") from error
    return [encoding.ids for encoding in encodings]


def _pieces(tokenizer, words: list[str | None]) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """The ids of words at the beginning of a row, and behind another; of None, none.

    Raises ValueError for the first word that does not come back.
    """
    backend = _backend(tokenizer)
    encode = functools.partial(_encoded, tokenizer, backend)
    used = [word for word in words if word is not None]
    firsts = encode(used)
    # Behind another word, as many tokenizers write the beginning of a text as if a space were there.
    before, in_row = firsts[0], [f"{used[0]} {word}" for word in used]
    both = encode(in_row)
    alone = encode([f" {word}" for word in used])
    rests = []
    for ids, own in zip(both, alone, strict=True):
        rests.append(ids[len(before) :] if ids[: len(before)] == before else own)
    texts = backend.decode_batch(firsts + [before + ids for ids in rests], skip_special_tokens=False)
    for word, wanted, text in zip(used * 2, [*used, *in_row], texts, strict=True):
        if text != wanted:
            name = tokenizer.name_or_path or "of this run"
            raise ValueError(f"tokenizer {name} does not give {word!r} back: {wanted!r} becomes {text!r}")
    return _of_used(words, firsts), _of_used(words, rests)


def _of_used(words: list[str | None], ids: list[list[int]]) -> tuple[tuple[int, ...], ...]:
    """The ids of each word, none for None."""
    given = iter(ids)
    return tuple(() if word is None else tuple(next(given)) for word in words)
