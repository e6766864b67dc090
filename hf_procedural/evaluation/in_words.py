"""Tasks of lm-eval that are text: held-out documents and probes in words."""

import glob
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from datasets import Dataset, DatasetDict

from ..data import blocks
from ..data.rows import ValidationRows
from ..data.tokenization import words
from ..tasks import IGNORE, Task
from ..text import documents
from .as_rows import items_of
from .checkpoints import Checkpoint
from .library import ConfigurableTask

SEED = 1234  # of what is drawn, lm-eval's own default


PROBES = ("haystack-10", "sorting-5", "addition-3")  # asked in words, unless others are named


SHOTS, QUESTIONS = 5, 100  # of a probe in words


TEXT_BYTES = 200_000  # of a run's own validation text


def _configured(name: str, output_type: str, **config) -> ConfigurableTask:
    return ConfigurableTask(
        config={"task": name, "output_type": output_type, "test_split": "test", "metadata": {"version": 1}} | config
    )


def _in_memory(**splits: list[dict]) -> Callable:
    return lambda **_: DatasetDict({name: Dataset.from_list(rows) for name, rows in splits.items()})


def metric(name: str, aggregation="mean") -> list[dict]:
    return [{"metric": name, "aggregation": aggregation, "higher_is_better": True}]


def held_out_text(checkpoint: Checkpoint, name: str, texts: Iterable[str]) -> ConfigurableTask:
    """Perplexity and bits per byte of documents, of which the first are taken, `TEXT_BYTES` in all."""
    rows, room = [], TEXT_BYTES
    for text in texts:
        part = text.encode()[:room]
        rows.append({"text": part.decode(errors="ignore")})
        if (room := room - len(part)) <= 0:
            break
    _check_reading(checkpoint, name, [row["text"] for row in rows])
    names = {"word_perplexity": "weighted_perplexity", "byte_perplexity": "weighted_perplexity"}
    metrics = [
        {"metric": metric, "aggregation": aggregation, "higher_is_better": False}
        for metric, aggregation in (names | {"bits_per_byte": "bits_per_byte"}).items()
    ]
    how = {"doc_to_text": "", "doc_to_target": lambda row: row["text"], "metric_list": metrics}
    return _configured(name, "loglikelihood_rolling", custom_dataset=_in_memory(test=rows), num_fewshot=0, **how)


def own_text(checkpoint: Checkpoint) -> Iterable[str] | None:
    """The validation documents of the run that a checkpoint is of; None where they are not on this machine."""
    recipe = checkpoint.recipe
    if "dataset" not in recipe or not Path(checkpoint.path).is_dir():
        return None
    datasets = recipe["dataset"] if isinstance(recipe["dataset"], list) else [recipe["dataset"]]
    for dataset in (*datasets, recipe.get("validation_dataset") or datasets[0]):
        if dataset not in documents.CORPORA and not Path(dataset).expanduser().exists() and not glob.glob(dataset):
            return None
    names = ("dataset_config", "train_split", "validation_split", "validation_dataset", "text_column", "skip_empty")
    options = {name: recipe[name] for name in names if name in recipe}
    _, held_out = documents.train_and_validation_of_each(datasets, limit=recipe.get("documents"), **options)
    return itertools.chain.from_iterable(held_out)


def in_words(checkpoint: Checkpoint, name: str, asked: Task, limit: int | None) -> ConfigurableTask:
    """Prompts of a task's validation split as questions in words, each behind `SHOTS` solved ones of the other split.

    Raises ValueError for what has no answers, and where the tokenizer cannot read them.
    """
    if any(part.is_language for part in getattr(asked, "members", [asked])):
        raise ValueError(f"{name}: a language has no answers, and so no questions to ask in words")

    def questions(rows):
        for ids, labels in rows:
            prompt, scored = asked.prompt_of(ids, labels), np.flatnonzero(labels != IGNORE)
            if answer := [token for token in ids[len(prompt) : max(scored, default=0) + 1] if token != asked.pad_id]:
                yield {"question": words(asked, prompt), "answer": words(asked, answer)}

    rows = items_of(ValidationRows(asked, SEED, limit or QUESTIONS))
    parts = {
        "train": list(questions(zip(*blocks.block(asked, SEED, "train", 0), strict=True)))[: 10 * SHOTS],
        "test": list(questions((row["input_ids"].numpy(), row["labels"].numpy()) for row in rows)),
    }
    if not parts["test"] or len(parts["train"]) < SHOTS:
        raise ValueError(f"{name}: too few of its rows have an answer")
    _check_reading(checkpoint, name, [f"{row['question']} {row['answer']}" for row in parts["test"]])
    made = _configured(
        name,
        "loglikelihood",
        custom_dataset=_in_memory(**parts),
        fewshot_split="train",
        num_fewshot=SHOTS,
        description=f"Task: {asked.summary}\n\n",
        doc_to_text=lambda row: f"Input: {row['question']}\nAnswer:",
        doc_to_target=lambda row: f" {row['answer']}",
        target_delimiter="",
        process_results=lambda row, results: {"exact_match": float(results[0][1])},
        metric_list=metric("exact_match"),
    )
    return checked_task(checkpoint, name, made)


def _check_reading(checkpoint: Checkpoint, name: str, texts: list[str]) -> None:
    unknown = checkpoint.tokenizer.unk_token_id
    if unknown is None:
        return
    for text in texts:
        encoding = checkpoint.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        if unknown in encoding["input_ids"]:
            first, last = encoding["offset_mapping"][encoding["input_ids"].index(unknown)]
            raise ValueError(
                f"{checkpoint.path}: its tokenizer cannot read {name}: {text[first:last]!r} is unknown to it"
            )


def checked_task(checkpoint: Checkpoint, name: str, found: ConfigurableTask) -> ConfigurableTask:
    """The task. Raises ValueError where an answer is longer than what the model reads: lm-eval ends in mid-run then."""
    by_choice = found.config.doc_to_choice is not None and not found.multiple_input
    answers = [found.doc_to_choice(row) if by_choice else [found.doc_to_target(row)] for row in found.eval_docs]
    answers = list(itertools.chain.from_iterable(answers))
    longest = max(map(len, checkpoint.tokenizer(answers, add_special_tokens=False)["input_ids"]))
    if longest > checkpoint.room:
        raise ValueError(f"{checkpoint.path} reads {checkpoint.room} tokens, and an answer of {name} has {longest}")
    return found
