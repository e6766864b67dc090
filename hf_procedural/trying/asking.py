"""A question to a model, the model's answer, and what is right: the same for rows of tasks and for text."""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol

import torch
from transformers.utils import logging

from ..models import generation


class Said(NamedTuple):
    """What a completion says: as people read it; whether it is right, None where nothing can tell that."""

    answer: str
    is_right: bool | None


@dataclasses.dataclass(frozen=True)
class Question:
    """What a model is asked.

    Args:
        prompt: as people read it.
        ids: what the model reads.
        new_tokens: that it writes, at most.
        read: what a completion, token ids, says.
        right: the right answer as people read it; None where there is none to compare with.
        is_sampled: whether the answer is drawn (with seed 0) instead of the likeliest token each time.
        warning: why the answer may mean little; empty where nothing is known.
        true_ids: how a text goes on, to be compared token by token.
    """

    prompt: str
    ids: list[int]
    new_tokens: int
    read: Callable[[list[int]], Said]
    right: str | None = None
    is_sampled: bool = False
    warning: str = ""
    true_ids: tuple[int, ...] = ()


class Asking(Protocol):
    """How models of one kind are asked."""

    @property
    def source(self) -> str:
        """What the held-out questions are, in a sentence."""
        ...

    @property
    def trained(self) -> str:
        """What lengths the model was trained on, in a sentence."""
        ...

    @property
    def goes_on(self) -> bool:
        """Whether an answer goes on behind its prompt."""
        ...

    def held_out(self, number: int) -> list[Question]:
        """So many questions that training never saw."""
        ...

    def typed(self, text: str) -> Question:
        """The question of a text that someone typed. Raises ValueError, in one line, for what cannot be asked."""
        ...


def answers(model, tokenizer, questions: list[Question]) -> list[dict[str, Any]]:
    """Each question with the model's answer: prompt, answer, right, is_right, share and warning, as plain JSON.

    `share` is that of the true next tokens which are the model's likeliest, each behind the true ones before it; None
    where a text has no true continuation. The model is left as it was.
    """
    rows: list[dict[str, Any]] = [{}] * len(questions)
    places = sorted(range(len(questions)), key=lambda place: _alike(questions[place]))
    with _at_rest(model, tokenizer):
        for _, same in itertools.groupby(places, key=lambda place: _alike(questions[place])):
            group = list(same)
            first = questions[group[0]]
            asked = [questions[place].ids for place in group]
            torch.manual_seed(0)
            done = generation.generate(
                model, asked, do_sample=first.is_sampled, max_new_tokens=first.new_tokens, use_cache=True
            )
            for place, (completion,) in zip(group, done, strict=True):
                rows[place] = _answer(model, questions[place], completion)
    return rows


def _alike(question: Question) -> tuple[int, int, bool]:
    """What questions share that are asked in one batch: without padding, so that any architecture can be asked."""
    return len(question.ids), question.new_tokens, question.is_sampled


def _answer(model, question: Question, completion: list[int]) -> dict[str, Any]:
    answer, is_right = question.read(completion)
    return {
        "prompt": question.prompt,
        "answer": answer,
        "right": question.right,
        "is_right": is_right,
        "share": _share(model, question),
        "warning": question.warning or None,
    }


@torch.inference_mode()
def _share(model, question: Question) -> float | None:
    if not question.true_ids:
        return None
    row = torch.tensor([[*question.ids, *question.true_ids]], device=model.device)
    guessed = model(input_ids=row[:, :-1]).logits[0, len(question.ids) - 1 :].argmax(-1)
    return float((guessed == row[0, len(question.ids) :]).float().mean())


@contextlib.contextmanager
def _at_rest(model, tokenizer) -> Generator[None]:
    """A model, which may be in training, with plain generation settings, no dropout, and no other random numbers."""
    was_training, settings, told = model.training, model.generation_config, logging.get_verbosity()
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            model.generation_config = generation.plain_settings(model, tokenizer)
            model.eval()
            logging.set_verbosity_error()  # else it warns of answers that have ended, within a batch
            yield
        finally:
            logging.set_verbosity(told)
            model.generation_config = settings
            model.train(was_training)
