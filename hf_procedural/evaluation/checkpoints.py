"""A checkpoint to evaluate: where it lies, what it was trained on, how it is loaded."""

import dataclasses
import itertools

import torch
from datasets.utils import tqdm
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from .. import upstream
from ..models import prompting
from ..models.build import load_pretrained, positions_of
from ..models.suited import adapter_base
from ..runs.folder import recipe_of_run, run_of
from . import suites
from .library import HFLM

_LOGITS = "lm_eval.models.huggingface:HFLM._model_call"


@dataclasses.dataclass
class Checkpoint:
    """A model that can be loaded, and what is known about it before that."""

    path: str  # a folder, or an id of the Hub
    recipe: dict  # of the run that it is of; empty where there is none
    tokenizer: PreTrainedTokenizerFast
    positions: int | None  # tokens that it can read at a time, where that is limited
    max_length: int  # tokens of text that it is given at a time, at most

    @property
    def room(self) -> int:
        """Tokens of text that it reads at a time."""
        return self.max_length if self.positions is None else min(self.positions, self.max_length)

    @property
    def reads_text(self) -> bool:
        """Whether its tokenizer is more than the vocabulary of a task, or of DeepMind-Math."""
        return not isinstance(self.tokenizer.backend_tokenizer.model, WordLevel)


def open_checkpoint(path: str, max_length: int = suites.MAX_LENGTH) -> Checkpoint:
    """Reads all but the weights. Raises ValueError where there is no causal language model or no fast tokenizer."""
    model, tokenizer = load_pretrained(path, device_map="meta")
    return Checkpoint(path, recipe_of_run(run_of(path)), tokenizer, positions_of(model.config), max_length)


def harness_model(checkpoint: Checkpoint, batch_size: int = 16, dtype: str = "auto", device: str | None = None) -> HFLM:
    """The model, for lm-eval. `dtype` auto is that of the weights, in autocast where the run was trained in bf16 or
    fp16; log-probabilities are in float32."""
    tokenizer = checkpoint.tokenizer
    autocast = None
    if dtype == "auto" and checkpoint.recipe.get("bf16"):
        autocast = "bfloat16"
    elif dtype == "auto" and checkpoint.recipe.get("fp16"):
        autocast = "float16"
    # lm-eval's prefix token: what stands before a text, so that its first token is predicted, too.
    beginnings = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, 0)
    kind = TextModel if checkpoint.reads_text else RowModel
    if kind is RowModel and upstream.of(kind, _LOGITS) is None:
        raise upstream.lacking(_LOGITS)
    base = adapter_base(checkpoint.path)
    return kind(
        pretrained=base or checkpoint.path,
        peft=None if base is None else checkpoint.path,
        tokenizer=prompting.open_ended(tokenizer) if checkpoint.reads_text else tokenizer,
        backend="causal",
        dtype=dtype,
        mixed_precision_dtype=autocast,
        softmax_dtype="float32",
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
        batch_size=batch_size,
        max_length=checkpoint.room if checkpoint.reads_text else checkpoint.positions,
        prefix_token_id=next(token for token in beginnings if token is not None),
    )


class TextModel(HFLM):
    """HFLM that predicts what a document has, and nothing else.

    HFLM puts its prefix token before a document, and has the tokenizer put bos before it, too, so that bos is predicted
    behind bos: nats that no text has.
    """

    is_whole = False  # whether what is encoded is a document, which begins behind the prefix token

    def loglikelihood_rolling(self, requests, disable_tqdm=False):
        self.is_whole = True
        try:
            return super().loglikelihood_rolling(requests, disable_tqdm)
        finally:
            self.is_whole = False

    def tok_encode(self, string, add_special_tokens=None, left_truncate_len=None, **settings):
        if self.is_whole:
            add_special_tokens = False
        return super().tok_encode(string, add_special_tokens, left_truncate_len, **settings)


class RowModel(HFLM):
    """HFLM for rows: requests, one after another, that are beginnings of one row take one forward pass together."""

    tokenizer: PreTrainedTokenizerFast

    def loglikelihood(self, requests, disable_tqdm=False):
        texts = []  # of each row
        spans = []  # where the continuation of each of its requests begins and ends in its text
        for context, continuation in (request.args for request in requests):
            if texts and (context == texts[-1] or context.startswith(texts[-1] + " ")):
                texts[-1] = context + continuation
            else:
                texts.append(context + continuation)
                spans.append([])
            spans[-1].append((len(context), len(texts[-1])))
        encoded = self.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        places = []  # the same in tokens
        for offsets, row in zip(encoded["offset_mapping"], spans, strict=True):
            count = {end: number for number, (_, end) in enumerate(offsets, 1)}  # tokens up to a character
            places.append([(count[first], count[last]) for first, last in row])
        return list(itertools.chain.from_iterable(self._answers(encoded["input_ids"], places, disable_tqdm)))

    @torch.inference_mode()
    def _answers(self, rows: list[list[int]], places: list[list[tuple]], disable_tqdm: bool) -> list[list[tuple]]:
        """Of each row, for each pair of places, the log-probability of the tokens between, and if all are greedy."""
        answers = [[]] * len(rows)
        order = sorted(range(len(rows)), key=lambda number: -len(rows[number]))  # what takes most memory comes first
        for start in tqdm(range(0, len(order), self.batch_size), desc="rows", unit="batch", disable=disable_tqdm):
            batch = order[start : start + self.batch_size]
            ids = torch.zeros(len(batch), len(rows[batch[0]]), dtype=torch.long)
            for line, number in enumerate(batch):
                ids[line, : len(rows[number])] = torch.tensor(rows[number])
            ids = ids.to(self.device)
            scores = self._model_call(ids[:, :-1]).log_softmax(-1, dtype=torch.float32)
            logs = scores.gather(2, ids[:, 1:, None])[..., 0].double().cpu().numpy()
            greedy = (scores.argmax(-1) == ids[:, 1:]).cpu().numpy()
            for line, number in enumerate(batch):
                answers[number] = [
                    (float(logs[line, first - 1 : last - 1].sum()), bool(greedy[line, first - 1 : last - 1].all()))
                    for first, last in places[number]
                ]
        return answers


def check_text(checkpoint: Checkpoint, name: str) -> None:
    """Raises ValueError for a checkpoint that knows the words of its task alone; `name` is what is asked in text."""
    if not checkpoint.reads_text:
        raise ValueError(f"{checkpoint.path}: its tokenizer knows the words of its task alone and cannot read {name}")
