"""Tasks of lm-eval that are text: held-out documents and probes in words."""

import glob
import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from datasets import Dataset, DatasetDict

from ..data import blocks
from ..data.rows import ValidationRows
from ..tasks import IGNORE, Task
from ..text import documents, readers, sources
from .as_rows import each_row
from .checkpoints import Checkpoint
from .library import ConfigurableTask, HarnessTask, metric, normalize_gen_kwargs

SEED = 1234  # of what is drawn, lm-eval's own default
PROBES = ("haystack-10", "sorting-5", "addition-3")  # asked in words, unless others are named
SHOTS = 5  # solved questions before one of a probe in words
QUESTIONS = 100  # of a probe, unless there is a limit
TEXT_BYTES = 200_000  # of a run's own validation text


def _configured(name: str, output_type: str, splits: dict[str, list[dict]], **config) -> ConfigurableTask:
    """A task of lm-eval over rows in memory, of which it reads those of the split test."""

    def read(**_):
        return DatasetDict({split: Dataset.from_list(rows) for split, rows in splits.items()})

    same = {"task": name, "output_type": output_type, "test_split": "test", "metadata": {"version": 1}}
    return ConfigurableTask(config=same | {"custom_dataset": read} | config)


def held_out_text(checkpoint: Checkpoint, name: str, texts: Iterable[str]) -> ConfigurableTask:
    """Perplexity and bits per byte of documents, of which the first are taken, `TEXT_BYTES` in all."""
    rows = []
    room = TEXT_BYTES
    for text in texts:
        taken = text.encode()[:room]
        rows.append({"text": taken.decode(errors="ignore")})  # the cut may be inside of a character
        room -= len(taken)
        if room <= 0:
            break
    _check_reading(checkpoint, name, [row["text"] for row in rows])
    return _configured(
        name,
        "loglikelihood_rolling",
        {"test": rows},
        num_fewshot=0,
        doc_to_text="",
        doc_to_target=lambda row: row["text"],
        metric_list=[
            metric("word_perplexity", "weighted_perplexity", higher_is_better=False),
            metric("byte_perplexity", "weighted_perplexity", higher_is_better=False),
            metric("bits_per_byte", "bits_per_byte", higher_is_better=False),
        ],
    )


def text_of_run(checkpoint: Checkpoint) -> Iterable[str] | None:
    """The validation documents of the run that a checkpoint is of; None where they are not on this machine."""
    recipe = checkpoint.recipe
    if "dataset" not in recipe or not Path(checkpoint.path).is_dir():
        return None
    datasets = recipe["dataset"] if isinstance(recipe["dataset"], list) else [recipe["dataset"]]
    datasets = sources.texts_of(datasets)
    for source in sources.named([*datasets, recipe.get("validation_dataset") or datasets[0]]):
        is_here = source.name in readers.CORPORA or Path(source.name).expanduser().exists() or glob.glob(source.name)
        if not is_here:  # on the Hub perhaps, where nothing is fetched from unasked
            return None
    names = ("dataset_config", "train_split", "validation_split", "validation_dataset", "text_column", "skip_empty")
    options = {name: recipe[name] for name in names if name in recipe}
    _, held_out = documents.train_and_validation_of_each(datasets, limit=recipe.get("limit"), **options)
    return itertools.chain.from_iterable(held_out)


def in_words(checkpoint: Checkpoint, name: str, asked: Task, limit: int | None) -> ConfigurableTask:
    """Prompts of a task's validation split as questions in words, each behind `SHOTS` solved ones of the other split.

    Raises ValueError for what has no answers, and where the tokenizer cannot read them.
    """
    if any(member.is_language for member in getattr(asked, "members", [asked])):
        raise ValueError(f"{name}: a language has no answers, and so no questions to ask in words")

    def questions(rows):
        for ids, labels in rows:
            prompt, answer = asked.question(ids, labels)
            scored = np.flatnonzero(labels[len(prompt) :] != IGNORE)
            answer = answer[: max(scored, default=-1) + 1]
            if answer:
                yield {"question": asked.text(prompt), "answer": asked.text(answer)}

    shown = zip(*blocks.block(asked, SEED, "train", 0), strict=True)
    rows = each_row(ValidationRows(asked, SEED, limit or QUESTIONS))
    splits = {
        "train": list(itertools.islice(questions(shown), 10 * SHOTS)),
        "test": list(questions((row["input_ids"].numpy(), row["labels"].numpy()) for row in rows)),
    }
    if not splits["test"] or len(splits["train"]) < SHOTS:
        raise ValueError(f"{name}: too few of its rows have an answer")
    _check_reading(checkpoint, name, [f"{row['question']} {row['answer']}" for row in splits["test"]])
    task = _configured(
        name,
        "loglikelihood",
        splits,
        fewshot_split="train",
        num_fewshot=SHOTS,
        description=f"Task: {asked.summary}\n\n",
        doc_to_text=lambda row: f"Input: {row['question']}\nAnswer:",
        doc_to_target=lambda row: f" {row['answer']}",
        target_delimiter="",
        process_results=lambda row, results: {"exact_match": float(results[0][1])},
        metric_list=[metric("exact_match")],
    )
    check_answers_fit(checkpoint, name, task)
    return task


def _check_reading(checkpoint: Checkpoint, name: str, texts: list[str]) -> None:
    """Raises ValueError where the tokenizer has no token for a part of the texts."""
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


def check_answers_fit(checkpoint: Checkpoint, name: str, task: ConfigurableTask) -> None:
    """Raises ValueError where an answer is longer than what the model reads: lm-eval would end in mid-run."""
    answers = []
    for row in task.eval_docs:
        # With `multiple_input` the choices are contexts, and one answer stands behind each of them.
        if task.config.doc_to_choice is not None and not task.multiple_input:
            answers += task.doc_to_choice(row)
        else:
            answers.append(task.doc_to_target(row))
    _check_fit(checkpoint, name, answers)


def check_requests_fit(checkpoint: Checkpoint, name: str, task: HarnessTask) -> None:
    """The same of the requests that a task has built, those of text to generate included."""
    answers = []
    for request in task.instances:
        if request.request_type == "loglikelihood":
            answers.append(request.args[1])
        elif request.request_type == "generate_until":
            tokens = normalize_gen_kwargs(request.args[1])["max_gen_toks"]
            if tokens >= checkpoint.room:
                raise ValueError(
                    f"{checkpoint.path} reads {checkpoint.room} tokens, and {name} generates {tokens} (max_gen_toks)"
                )
    _check_fit(checkpoint, name, answers)


def _check_fit(checkpoint: Checkpoint, name: str, answers: list) -> None:
    tokens = checkpoint.tokenizer(answers, add_special_tokens=False)["input_ids"] if answers else []
    longest = max(map(len, tokens), default=0)
    if longest > checkpoint.room:
        raise ValueError(f"{checkpoint.path} reads {checkpoint.room} tokens, and an answer of {name} has {longest}")
