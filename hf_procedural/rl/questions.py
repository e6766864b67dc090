"""Questions of Reinforcement Pre-Training (Dong et al. 2025, arXiv:2506.08007): how does this text go on?

    text       The cat sat on the mat.          tokens of the proxy: The| cat| sat| on| the| mat|.
    question   context "The cat sat on", continuation " the mat."       position 4, counted without special tokens

Which positions are asked about is decided by a small language model, the proxy: those whose next token it finds
uncertain. The measure is the paper's, the entropy of the distribution over the 16 likeliest tokens. What the paper does
not tell is ours: the 16 probabilities are renormalised (as in casinca/LLM-quest), and the unit is nats.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset, load_dataset

from ..faults import tried_again
from ..models import build
from ..moved import old_names
from ..runs.measured import THRESHOLDS
from .arguments import CANDIDATES
from .token_bytes import token_bytes, token_ends

__getattr__ = old_names(__name__)

BELOW = "trivial"  # what the easy threshold leaves out
COMPLETE = "prepare.json"  # what recipes/rpt_prepare.py writes last

SCHEMA = pa.schema(
    {
        "document": pa.int64(),  # its number in the order of reading
        "position": pa.int32(),  # of the next token in the proxy's tokens, without special ones
        "context": pa.string(),  # context + continuation is a part of the document from its very beginning
        "continuation": pa.string(),
        "token": pa.string(),  # the beginning of the continuation that is the proxy's next token, in whole characters
        "entropy": pa.float32(),
        "difficulty": pa.string(),
        "candidates": pa.list_(pa.binary()),  # bytes of the likeliest next tokens, the likeliest first
        "probabilities": pa.list_(pa.float32()),  # of these, among all tokens
    }
)


def top_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy in nats of the softmax over the 16 largest logits alone (or all, where there are fewer).

    float ``[..., vocabulary]`` -> float64 ``[...]``, from 0 to ln 16 = 2.77.

    >>> top_entropy(torch.tensor([[0.0, 0.0, 0.0, 0.0], [99.0, 0.0, 0.0, 0.0]])).round(decimals=4).tolist()
    [1.3863, 0.0]
    """
    top = logits.topk(min(CANDIDATES, logits.shape[-1])).values.double()
    return torch.special.entr(top.softmax(-1)).sum(-1).clamp_min(0)


def difficulty(entropy: float) -> str:
    """The hardest of easy, medium and hard whose threshold `entropy`, in nats, is above; trivial where none is.

    >>> [difficulty(entropy) for entropy in (0.5, 0.6, 1.5, 1.6)]
    ['trivial', 'easy', 'medium', 'hard']
    """
    return next((name for name, least in reversed(THRESHOLDS.items()) if entropy > least), BELOW)


@dataclass(frozen=True)
class Reading:
    """A document as the proxy reads it."""

    text: bytes
    ids: list[int]  # the special tokens before the text, then the text's, as many as are read
    special: int  # how many special tokens these are
    ends: np.ndarray  # int64 [tokens of the whole text]: bytes up to the end of each

    @property
    def first(self) -> int:
        """The first position that has a distribution: 1, or 0 behind a special token."""
        return 0 if self.special else 1

    @property
    def tokens(self) -> int:
        """Tokens that are read, without special ones."""
        return len(self.ids) - self.special


@dataclass(frozen=True)
class Scores:
    """The proxy's next-token distribution at positions of a document, where `N` is the number of these."""

    positions: np.ndarray  # int64 [N]
    entropies: np.ndarray  # float32 [N], nats
    candidates: np.ndarray  # int64 [N, up to 16], the likeliest first
    probabilities: np.ndarray  # float32, as candidates

    def __getitem__(self, chosen) -> "Scores":
        return Scores(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


class ProxyError(ValueError):
    """A proxy that turns out to give no numbers, or to need too much memory, when it reads."""


class Proxy:
    """A causal language model that tells how uncertain the next token is.

    Args:
        name: a folder or Hub id; ValueError where there is no causal language model with a fast tokenizer.
        dtype: of its weights, such as "float32"; probabilities are computed from logits in at least float32.
        max_length: tokens of a document that are read; the attribute is lower where the model has fewer positions.
    """

    def __init__(self, name: str, dtype: str = "float32", max_length: int = 4096, device="cpu"):
        self.name, self.device = name, device
        model, self.tokenizer = build.load_text_model(name, dtype=dtype)
        self.model = model.eval().to(device)
        self.positions = build.positions_of(model.config)
        self.max_length = min(max_length, self.positions or max_length)
        self.bytes_of = functools.cache(lambda token: token_bytes(self.tokenizer, token))

    def read(self, text: str, beyond: int = 0) -> Reading:
        """The tokens of a document, with the special ones that the tokenizer puts before it.

        A text that is much longer is cut, but has `beyond` tokens more than the model reads.
        """
        enough = self.max_length + beyond + 64  # a cut may change the last tokens before it
        size = 8 * enough
        ends = token_ends(self.tokenizer, text[:size])
        while len(ends) < enough and size < len(text):
            size *= 2
            ends = token_ends(self.tokenizer, text[:size])
        text = text[:size]
        ends = np.array(ends, np.int64)
        encoded = self.tokenizer(text, return_special_tokens_mask=True, verbose=False)  # or it warns of long ones
        mask = encoded["special_tokens_mask"]
        if mask.count(0) != len(ends):  # a template puts tokens into the text that are none of its own
            raise ProxyError(
                f"proxy_model {self.name}: its tokenizer makes {mask.count(0)} tokens of a text with special ones "
                f"around it, and {len(ends)} without"
            )
        special = mask.index(0) if len(ends) else 0
        ids = encoded["input_ids"][: min(special + len(ends), self.max_length)]
        return Reading(text.encode(), ids, min(special, len(ids)), ends)

    @torch.inference_mode()
    def score(self, readings: list[Reading]) -> list[Scores]:
        """Scores of every position of documents that are read together, in the order given.

        Raises ProxyError where the model gives no numbers, or has not enough memory.
        """
        longest = max(len(reading.ids) for reading in readings)
        ids = torch.zeros(len(readings), longest, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, reading in enumerate(readings):  # padding on the right changes nothing before it
            ids[row, : len(reading.ids)] = torch.tensor(reading.ids)
            mask[row, : len(reading.ids)] = 1
        try:
            inputs = {"input_ids": ids.to(self.device), "attention_mask": mask.to(self.device)}
            logits = self.model(**inputs, use_cache=False).logits
            return [self._scores(reading, row) for reading, row in zip(readings, logits, strict=True)]
        except torch.OutOfMemoryError as error:
            size = f"{len(readings)} x {longest}"
            raise ProxyError(f"batch_tokens: {size} tokens are too many for {self.device}, choose fewer") from error

    def _scores(self, reading: Reading, logits: torch.Tensor) -> Scores:
        rows = logits[reading.first + reading.special - 1 : len(reading.ids) - 1]  # each predicts the next token
        columns = ([], [], [])
        for few in rows.split(256):  # in float32 a long document's logits take gigabytes
            logits = few.float()
            top = logits.topk(min(CANDIDATES, logits.shape[-1]))
            shares = (top.values - logits.logsumexp(-1, keepdim=True)).exp()
            few_scores = (top_entropy(top.values.cpu()).float(), top.indices.cpu(), shares.cpu())
            for column, values in zip(columns, few_scores, strict=True):
                column.append(values)
        entropies, candidates, shares = (torch.cat(column).numpy() for column in columns)
        if np.isnan(entropies).any():
            raise ProxyError(f"proxy_model {self.name} gives NaN instead of probabilities: try dtype float32")
        return Scores(np.arange(reading.first, reading.tokens), entropies, candidates, shares)


def batches(readings: list[Reading], batch_tokens: int) -> Iterator[list[int]]:
    """Places in `readings` of documents to score together: of like length, `batch_tokens` with their padding.

    Documents without a position to predict are in none.
    """
    order = sorted(range(len(readings)), key=lambda place: -len(readings[place].ids))
    order = [place for place in order if readings[place].tokens > readings[place].first]
    while order:
        count = max(1, batch_tokens // len(readings[order[0]].ids))
        yield order[:count]
        order = order[count:]


def choose(
    reading: Reading,
    scores: Scores,
    min_entropy: float,
    positions: int | None,
    generator: np.random.Generator,
) -> tuple[Scores, dict[str, int]]:
    """The scores of the positions to ask about, and how many were left out for which reason.

    Args:
        min_entropy: nats; what is not above is left out as `certain`.
        positions: so many at most, drawn at random; others are left out as `not_drawn`. None is all.

    Left out as `inside_characters` are those whose context would end inside a character, and tokens without bytes.
    """
    starts = _starts(reading)[scores.positions]
    ends = reading.ends[scores.positions]
    uncertain = scores.entropies > np.float32(min_entropy)
    usable = uncertain & _borders(reading.text)[starts] & (ends > starts)
    chosen = np.flatnonzero(usable)
    if positions is not None and len(chosen) > positions:
        chosen = np.sort(generator.choice(chosen, positions, replace=False))
    left_out = {
        "certain": int((~uncertain).sum()),
        "inside_characters": int((uncertain & ~usable).sum()),
        "not_drawn": int(usable.sum()) - len(chosen),
    }
    return scores[chosen], left_out


def question_rows(
    number: int, reading: Reading, scores: Scores, continuation_tokens: int, bytes_of
) -> Iterator[dict[str, object]]:
    """The rows, as in SCHEMA, of document `number` at the positions of `scores`.

    A continuation has `continuation_tokens` tokens of the document, also behind those that were read, and so many more
    that it ends where a character ends. `bytes_of` gives the bytes of a token id, or None: then it is no candidate.
    """
    text = reading.text
    places = scores.positions
    last = np.minimum(places + continuation_tokens - 1, len(reading.ends) - 1)
    whole = reading.ends[_borders(text)[reading.ends]]  # ends of tokens that are ends of characters

    def end_of(tokens):
        """Where the text ends behind tokens, or behind the first after them that ends with a whole character."""
        return whole[np.searchsorted(whole, reading.ends[tokens])].tolist()

    starts = _starts(reading)[places].tolist()
    columns = [column.tolist() for column in vars(scores).values()]
    rows = zip(starts, end_of(places), end_of(last), *columns, strict=True)
    for start, token_end, end, position, entropy, ids, shares in rows:
        spelled = zip(map(bytes_of, ids), shares, strict=True)
        known = [(token, share) for token, share in spelled if token is not None]
        yield {
            "document": number,
            "position": position,
            "context": text[:start].decode(),
            "continuation": text[start:end].decode(),
            "token": text[start:token_end].decode(),
            "entropy": entropy,
            "difficulty": difficulty(entropy),
            "candidates": [token for token, _ in known],
            "probabilities": [share for _, share in known],
        }


def _starts(reading: Reading) -> np.ndarray:
    """Bytes before each token."""
    return np.concatenate(([0], reading.ends[:-1]))


def _borders(text: bytes) -> np.ndarray:
    """Whether a character ends at each byte offset, bool [bytes + 1]."""
    return np.append(np.frombuffer(text, np.uint8) & 0xC0 != 0x80, True)


def load_questions(path: str, split: str = "train", columns=()) -> Dataset:
    """The questions that recipes/rpt_prepare.py left in a folder, or others like them on the Hub.

    They have at least the columns context and continuation, text, and `columns`. Raises ValueError, in one line, where
    they have not, where there is nothing, or where the preparation was cut short.
    """
    folder = Path(path)
    if folder.is_dir() and (folder / "recipe.yaml").is_file() and not (folder / COMPLETE).is_file():
        raise ValueError(f"{path} is not complete: run recipes/rpt_prepare.py with its arguments again")
    try:
        splits = tried_again(lambda: load_dataset(path))
    except Exception as error:  # missing, unreachable, damaged, of no known kind
        where = "" if folder.is_dir() else "there is no such folder, and on the Hub: "
        cause = error.__cause__ or error  # datasets' own error of a damaged file tells nothing
        reason = next(iter(str(cause).splitlines()), type(cause).__name__)
        raise ValueError(f"{path}: no questions there: {where}{reason}") from error
    if split not in splits:
        raise ValueError(f"{path} has no split {split!r}, only: {', '.join(map(str, splits))}")
    rows = splits[split]
    for column in ("context", "continuation", *columns):
        if column not in rows.column_names:
            raise ValueError(f"{path} has no column {column!r}, only: {', '.join(rows.column_names)}")
    if not len(rows):
        raise ValueError(f"{path}: the split {split!r} is empty")
    return rows
