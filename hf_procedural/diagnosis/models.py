"""A model that is looked into: how it is opened, and what a forward pass of it gives."""

import contextlib
import dataclasses
from collections.abc import Generator, Iterator
from typing import Any

import torch
from transformers.utils import logging

from ..models.build import load_pretrained, positions_of

_HELD = 2**28  # entries of attention, of all layers, that are held at a time at most; one row takes what it needs


@dataclasses.dataclass
class Subject:
    """A model under a label; `table`, where there is one, has its id for each id of the rows, int64."""

    label: str
    path: str
    model: Any
    tokenizer: Any = None
    table: torch.Tensor | None = None

    @property
    def positions(self) -> int | None:
        """Tokens that it reads at a time, where that is limited."""
        return positions_of(self.model.config)

    @property
    def width(self) -> int:
        """How many tokens it has a logit for."""
        return self.model.config.get_text_config().vocab_size

    def own(self, ids: torch.Tensor) -> torch.Tensor:
        """Ids or labels of the rows (those below 0 stay) in this model's, int64 of the same shape."""
        if self.table is None:
            return ids
        return torch.where(ids < 0, ids, self.table.to(ids.device)[ids.clamp_min(0)])

    def read(self, ids: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """What rows of ids int64 ``[rows, tokens]`` give: states of all layers, embeddings first, and logits.

        Each ``[rows, tokens, width]``; the last states are those that the output head reads, as transformers has it.
        """
        with torch.inference_mode():
            output = self.model(self.own(ids), output_hidden_states=True, use_cache=False)
        return output.hidden_states, output.logits

    def attentions(self, ids: torch.Tensor) -> Iterator[tuple[slice, list[torch.Tensor]]]:
        """Which rows, and their attention in each layer that has one: ``[rows, heads, queries, keys]``.

        Nothing where the eager implementation of the architecture does not give it.
        """
        config = self.model.config.get_text_config()
        heads = getattr(config, "num_hidden_layers", 1) * (getattr(config, "num_attention_heads", 1) or 1)
        step = max(1, _HELD // (heads * ids.shape[1] ** 2))
        with _eager(self.model) as is_eager:
            for first in range(0, len(ids), step):
                if not is_eager:
                    return
                rows = slice(first, first + step)
                with torch.inference_mode():
                    output = self.model(self.own(ids[rows]), output_attentions=True, use_cache=False)
                layers = [each for each in getattr(output, "attentions", None) or () if _is_attention(each)]
                if not layers:
                    return
                yield rows, layers


def _is_attention(layer) -> bool:
    return isinstance(layer, torch.Tensor) and layer.ndim == 4


@contextlib.contextmanager
def _eager(model) -> Generator[bool]:
    """Has a model make its attention in full; whether it can."""
    before = model.config._attn_implementation
    try:
        model.set_attn_implementation("eager")
        if model.config._attn_implementation != "eager":
            yield False
            return
    except (ValueError, ImportError):  # of an architecture without it
        yield False
        return
    try:
        yield True
    finally:
        model.set_attn_implementation(before)


@contextlib.contextmanager
def _without_bars() -> Generator[None]:
    """Has transformers load without its progress bars, which would stand before a mistake's one line."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def outline(label: str, path: str) -> Subject:
    """A model without its weights. Raises ValueError for what is no causal language model with a fast tokenizer."""
    with _without_bars():
        model, tokenizer = load_pretrained(path, device_map="meta")
    return Subject(label, path, model, tokenizer)


def fill(subject: Subject, device: str) -> None:
    """Reads the weights of an outline, in the number type that they are stored in."""
    with _without_bars():
        subject.model, _ = load_pretrained(subject.path, dtype="auto")
    subject.model.to(device).eval()
