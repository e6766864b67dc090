"""Evaluation by lm-evaluation-harness (lm-eval): our tasks for it, the models that answer, and the figures.

A checkpoint whose vocabulary is a task's reads *rows*: validation rows of a task, as the stage that trained it
evaluates them. Each labelled token is a loglikelihood request of its own, with all that stands before it:

    row          3 1 2 <sep> 1 2 3       labels on the last three
    requests     "3 1 2 <sep>" -> " 1"    "3 1 2 <sep> 1" -> " 2"    "3 1 2 <sep> 1 2" -> " 3"

so that answer_accuracy is the share of requests whose token is the greedy one, exact_match the share of rows where all
are, and loss the mean of their negative log-probabilities: the figures of recipes/pretrain.py and recipes/probe.py,
from other code, the saved model and the saved tokenizer. Where rows differ in their number of labels, the Trainer's
loss is a mean over batches of the mean of each, and so it is here.

A checkpoint that reads text gets held-out text (perplexity, bits per byte) and tasks as questions in words, with solved
ones before them: exact_match is the share of answers that greedy decoding gives. It can also be asked DCLM's Core,
which `suites` defines, and any task of lm-eval by its name.
"""

import collections
import dataclasses
import functools
import glob
import itertools
import logging
import math
import platform
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import yaml
from datasets import Dataset, DatasetDict
from datasets.utils import tqdm
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast
from transformers.utils import cached_file

from ..data import blocks
from ..data.rows import ValidationRows
from ..errors import nearest
from ..models.build import load_pretrained
from ..rl.prompts import words
from ..runs.read import read_mapping
from ..tasks import IGNORE, PRESETS, Task, list_tasks, task
from ..text import deepmind_math, documents
from ..training.arguments import Loader, TaskArguments
from ..training.begin import RECIPE
from . import suites

try:
    from lm_eval.api.instance import Instance
    from lm_eval.api.metrics import mean, mean_stderr
    from lm_eval.api.samplers import ContextSampler
    from lm_eval.api.task import ConfigurableTask, TaskConfig
    from lm_eval.api.task import Task as HarnessTask
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
except ImportError as error:
    raise ImportError(f"this recipe needs lm-eval: pip install 'hf-procedural[eval]' ({error})") from error

logging.getLogger("lm_eval").setLevel(logging.ERROR)

SEED = 1234  # of what is drawn, lm-eval's own default
PROBES = ("haystack-10", "sorting-5", "addition-3")  # asked in words, unless others are named
SHOTS, QUESTIONS = 5, 100  # of a probe in words
ROWS = 1_000  # of a task that the run does not have for its own
TEXT_BYTES = 200_000  # of a run's own validation text
_MEMORY, _REQUEST = 200_000_000, 1_200  # bytes: of a part of a task's requests, of one besides its text


# Checkpoints


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
    found, folder = {}, Path(path)
    where = str(folder.parent) if folder.name.startswith("checkpoint-") else path
    missing = dict.fromkeys(("gated_repo", "missing_entries", "connection_errors"), False)
    file = cached_file(where, RECIPE, **{f"_raise_exceptions_for_{what}": value for what, value in missing.items()})
    if file is not None:
        found = read_mapping(Path(file), lambda text: yaml.load(text, Loader))
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return Checkpoint(path, found, tokenizer, positions, max_length)


def load(checkpoint: Checkpoint, batch_size: int = 16, dtype: str = "auto", device: str | None = None) -> HFLM:
    """The model, for lm-eval. `dtype` auto is that of the weights, in autocast where the run was trained in bf16 or
    fp16; log-probabilities are in float32."""
    recipe, tokenizer = checkpoint.recipe, checkpoint.tokenizer
    mixed = next((name for key, name in (("bf16", "bfloat16"), ("fp16", "float16")) if recipe.get(key)), None)
    begin = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, 0)
    return (HFLM if checkpoint.reads_text else RowModel)(
        pretrained=checkpoint.path,
        tokenizer=tokenizer,
        backend="causal",
        dtype=dtype,
        mixed_precision_dtype=mixed if dtype == "auto" else None,
        softmax_dtype="float32",
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
        batch_size=batch_size,
        max_length=checkpoint.room if checkpoint.reads_text else checkpoint.positions,
        prefix_token_id=next(token for token in begin if token is not None),
    )


class RowModel(HFLM):
    """HFLM for rows: requests, one after another, that are beginnings of one row take one forward pass together."""

    def loglikelihood(self, requests, disable_tqdm=False):
        texts, spans = [], []  # of each row: its text, and where each request's continuation begins and ends in it
        for context, continuation in (request.args for request in requests):
            if texts and (context == texts[-1] or context.startswith(texts[-1] + " ")):
                texts[-1] = context + continuation
            else:
                texts.append(context + continuation)
                spans.append([])
            spans[-1].append((len(context), len(texts[-1])))
        encoded = self.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
        places = []
        for offsets, row in zip(encoded["offset_mapping"], spans, strict=True):
            count = {end: number for number, (_, end) in enumerate(offsets, 1)}  # tokens up to a character
            places.append([(count[first], count[last]) for first, last in row])
        return list(itertools.chain.from_iterable(self._answers(encoded["input_ids"], places, disable_tqdm)))

    @torch.inference_mode()
    def _answers(self, rows: list[list[int]], places: list[list[tuple]], disable_tqdm: bool) -> list[list[tuple]]:
        """Of each row, for each pair of places, the log-probability of the tokens between, and if all are greedy."""
        answers, order = [[]] * len(rows), sorted(range(len(rows)), key=lambda number: -len(rows[number]))
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


# Tasks for checkpoints with the vocabulary of a task


class Rows(HarnessTask):
    """Rows of tokens, of which those at some places are to be predicted.

    lm-eval holds all requests of a task in memory, each with its whole context. So rows have their turns, a part of
    them at a time, and what is aggregated is over all that had theirs.

    Args:
        name: of the task.
        rows: number, words, and places of the labels of each row that has one.
        count: of rows, with those that have none.
        joiner: what stands between words, in what the tokenizer reads.
        together: rows whose mean losses are averaged first, as in the Trainer's batches; None: all tokens count alike.
    """

    VERSION = 1
    OUTPUT_TYPE = "loglikelihood"

    def __init__(self, name: str, rows: list[dict], count: int, joiner: str = " ", together: int | None = None):
        super().__init__()
        self._config = TaskConfig(task=name, num_fewshot=0, output_type=self.OUTPUT_TYPE)
        self.rows, self.count, self.joiner, self.together = rows, count, joiner, together or count
        self.part, self.seen = rows, collections.defaultdict(list)

    def turns(self) -> Iterator[None]:
        """Makes the next rows, as many as fit into `_MEMORY`, those that lm-eval gets; until all had their turn."""
        self.seen.clear()
        parts, room = [[]], _MEMORY
        for row in self.rows:
            sizes = np.cumsum([0, *(len(self.joiner + word) for word in row["words"])])
            if (size := int(sizes[row["places"]].sum()) + _REQUEST * len(row["places"])) > room and parts[-1]:
                parts, room = [*parts, []], _MEMORY
            parts[-1].append(row)
            room -= size
        for self.part in parts:
            yield

    def download(self, *_, **__):
        """There is nothing to fetch."""

    def has_training_docs(self):
        return False

    def has_validation_docs(self):
        return True

    def has_test_docs(self):
        return False

    def validation_docs(self):
        return self.part

    def doc_to_text(self, doc):
        return ""

    def doc_to_target(self, doc):
        return ""

    def fewshot_context(self, doc, num_fewshot, **_):
        return ""

    def construct_requests(self, doc, ctx, metadata, **_):
        tokens, join = doc["words"], self.joiner.join
        asked = [(join(tokens[:place]), self.joiner + tokens[place]) for place in doc["places"]]
        return [Instance(self.OUTPUT_TYPE, doc, pair, number, metadata) for number, pair in enumerate(asked)]

    def process_results(self, doc, results):
        right = [greedy for _, greedy in results]
        return {
            "exact_match": float(all(right)),
            "answer_accuracy": (sum(right), len(right)),
            "loss": (doc["number"], -math.fsum(score for score, _ in results), len(right)),
        }

    def aggregation(self):
        how = {"exact_match": mean, "answer_accuracy": _share, "loss": self._loss}
        return {name: functools.partial(self._over_all, name, function) for name, function in how.items()}

    def higher_is_better(self):
        return {"exact_match": True, "answer_accuracy": True, "loss": False}

    def _over_all(self, name: str, function: Callable, items: list) -> float:
        self.seen[name] += items
        return function(self.seen[name])

    def _loss(self, items: list[tuple[int, float, int]]) -> float:
        """From number, sum and count of each row's."""
        totals = collections.defaultdict(lambda: np.zeros(2))
        for number, total, count in items:
            totals[number // self.together] += total, count
        weights = [min(self.together, self.count - batch * self.together) for batch in totals]
        return float(np.average([total / count for total, count in totals.values()], weights=weights))


def _share(items: list[tuple[int, int]]) -> float:
    return sum(right for right, _ in items) / sum(count for _, count in items)


def rows_of(checkpoint: Checkpoint, name: str, tokens: Iterable, limit: int | None, joiner=" ", together=None) -> Rows:
    """The first `limit` of the rows of words and labels as a task for `checkpoint`; rows end at their last label.

    Raises ValueError where its tokenizer cannot read them, its positions do not suffice, or no token is labelled.
    """
    known, rows, count = checkpoint.tokenizer.get_vocab(), [], 0
    for row, labels in itertools.islice(tokens, limit):
        places = (np.flatnonzero(np.asarray(labels)[1:] != IGNORE) + 1).tolist()
        if places:
            rows.append({"number": count, "words": row[: places[-1] + 1], "places": places})
        count += 1
    for row in rows:
        if unknown := [word for word in row["words"] if word not in known]:
            raise ValueError(f"{checkpoint.path}: its tokenizer cannot read {name}, it has no token {unknown[0]!r}")
        if checkpoint.positions is not None and len(row["words"]) > checkpoint.positions + 1:
            raise ValueError(
                f"{checkpoint.path} has {checkpoint.positions} positions, {name} takes {len(row['words']) - 1}"
            )
    if not rows:
        raise ValueError(f"{name}: none of {count} rows has a label")
    read = checkpoint.tokenizer([joiner.join(row["words"]) for row in rows], add_special_tokens=False)["input_ids"]
    assert read == [checkpoint.tokenizer.convert_tokens_to_ids(row["words"]) for row in rows]
    return Rows(name, rows, count, joiner, together)


def _own_task(checkpoint: Checkpoint) -> Task:
    """The task of the run that a checkpoint is of."""
    recipe = checkpoint.recipe
    if recipe.get("task_file") and not Path(checkpoint.path).is_dir():
        raise ValueError(f"{checkpoint.path}: its task_file {recipe['task_file']} is somebody else's and is not run")
    names = ("task", "task_parameters", "task_file")
    return TaskArguments(**{name: recipe[name] for name in names if name in recipe}).resolve()


def own_rows(checkpoint: Checkpoint, limit: int | None) -> Rows:
    """The validation rows of the run that a checkpoint is of."""
    recipe = checkpoint.recipe
    if "task" in recipe:
        seed = recipe.get("data_seed", recipe.get("seed", 42))
        together = None if "reward" in recipe else recipe.get("per_device_eval_batch_size", 8)
        size = recipe["validation_size"]
        return task_rows(checkpoint, recipe["task"], _own_task(checkpoint), seed, size, limit, together)
    if "validation_problems" not in recipe or not isinstance(recipe.get("dataset"), str):
        raise ValueError(f"{checkpoint.path} has no {RECIPE} that tells the task of its vocabulary: name some --tasks")
    problems = {
        f"{split}/{module}": pairs
        for split in ("interpolate", "extrapolate")
        for module, pairs in deepmind_math.problems(recipe["dataset"], split, recipe["validation_problems"]).items()
    }
    rows = deepmind_math.MathValidation(problems)
    tokens = checkpoint.tokenizer.convert_ids_to_tokens
    read = ((tokens(row["input_ids"].tolist()), row["labels"]) for row in _items(rows))
    return rows_of(checkpoint, "deepmind_math", read, limit, joiner="")


def task_rows(checkpoint: Checkpoint, name: str, asked: Task, seed: int, size: int, limit, together=None) -> Rows:
    """The first `size` validation rows of a task, or `limit` where that is less."""
    rows, spelled = ValidationRows(asked, seed, size if limit is None else min(size, limit)), asked.vocabulary
    read = (([spelled[token] for token in row["input_ids"].tolist()], row["labels"]) for row in _items(rows))
    return rows_of(checkpoint, name, read, limit, together=together)


def _items(rows):
    return map(rows.__getitem__, range(len(rows)))


# Tasks for checkpoints that read text


def _configured(name: str, output_type: str, **config) -> ConfigurableTask:
    return ConfigurableTask(
        config={"task": name, "output_type": output_type, "test_split": "test", "metadata": {"version": 1}} | config
    )


def _in_memory(**splits: list[dict]) -> Callable:
    return lambda **_: DatasetDict({name: Dataset.from_list(rows) for name, rows in splits.items()})


def _metric(name: str, aggregation="mean") -> list[dict]:
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
    _, held_out = documents.of_several(datasets, limit=recipe.get("documents"), **options)
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

    rows = _items(ValidationRows(asked, SEED, limit or QUESTIONS))
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
        metric_list=_metric("exact_match"),
    )
    return _checked(checkpoint, name, made)


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


def _checked(checkpoint: Checkpoint, name: str, found: ConfigurableTask) -> ConfigurableTask:
    """The task. Raises ValueError where an answer is longer than what the model reads: lm-eval ends in mid-run then."""
    by_choice = found.config.doc_to_choice is not None and not found.multiple_input
    answers = [found.doc_to_choice(row) if by_choice else [found.doc_to_target(row)] for row in found.eval_docs]
    answers = list(itertools.chain.from_iterable(answers))
    longest = max(map(len, checkpoint.tokenizer(answers, add_special_tokens=False)["input_ids"]))
    if longest > checkpoint.room:
        raise ValueError(f"{checkpoint.path} reads {checkpoint.room} tokens, and an answer of {name} has {longest}")
    return found


class _OfCategory(ContextSampler):
    """Examples of the row's own category."""

    @functools.cached_property
    def _samplers(self):
        pools = collections.defaultdict(list)
        for row in self.df:
            pools[row["category"]].append(row)
        return {name: ContextSampler(rows) for name, rows in pools.items()}

    def sample(self, n, eval_doc=None, df=None, **_):
        sampler = self._samplers[eval_doc["category"]]
        sampler.rnd = self.rnd
        return sampler.sample(n, eval_doc)


def _by_category(items: list[tuple[str, float]]) -> float:
    """The mean over categories of their means."""
    names = {name for name, _ in items}
    return float(np.mean([np.mean([right for other, right in items if other == name]) for name in names]))


def core_config(label: str, data: str, tokenizer) -> dict:
    """The configuration of a task of `suites.CORE` for lm-eval; its figure is `accuracy`."""
    dclm = suites.CORE[label]

    def length(text):
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    def choices(row):
        found = row["choices" if dclm.kind == "multiple_choice" else "context_options"]
        return [f" {choice.strip()}" if dclm.kind == "multiple_choice" else choice.strip() for choice in found]

    def right(row, results):
        if dclm.kind == "language_modeling":
            right = results[0][1]
        else:
            lengths = map(length, choices(row)) if dclm.kind == "multiple_choice" else itertools.repeat(1)
            means = [score / max(count, 1) for (score, _), count in zip(results, lengths, strict=False)]
            right = int(np.argmax(means)) == row["gold"]
        return {"accuracy": (row["category"], float(right)) if dclm.by_category else float(right)}

    how = {
        "multiple_choice": {
            "output_type": "multiple_choice",
            "doc_to_text": lambda row: row["query"].strip() + dclm.answer,
            "doc_to_choice": choices,
            "doc_to_target": lambda row: row["gold"],
        },
        "schema": {
            "output_type": "multiple_choice",
            "doc_to_text": lambda row: row["gold"],
            "doc_to_choice": choices,
            "doc_to_target": lambda row: f" {row['continuation'].strip()}",
        },
        "language_modeling": {
            "output_type": "loglikelihood",
            "doc_to_text": lambda row: row["context"].strip() + dclm.answer,
            "doc_to_target": lambda row: f" {row['continuation'].strip()}",
        },
    }
    return how[dclm.kind] | {
        "task": f"core:{label}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{data}/{dclm.file}.jsonl"}},
        "test_split": "test",
        "fewshot_split": "test",
        "fewshot_config": {"sampler": _OfCategory if dclm.by_category else "default"},
        "num_fewshot": dclm.shots,
        "target_delimiter": "",
        "fewshot_delimiter": "\n",
        "process_results": right,
        "metric_list": _metric("accuracy", _by_category if dclm.by_category else "mean"),
        "metadata": {"version": 1},
    }


# What a suite, or names, ask of a checkpoint


@dataclasses.dataclass
class Asked:
    """Tasks of lm-eval under a name of their own, as TaskManager.load gives them."""

    name: str
    loaded: dict
    chance: float | None = None


def _asked(name: str, found: HarnessTask, chance: float | None = None) -> Asked:
    return Asked(name, {"tasks": {found.task_name: found}, "groups": {}}, chance)


def core(checkpoint: Checkpoint, data: str, labels=tuple(suites.CORE)) -> tuple[list[Asked], dict[str, str]]:
    """DCLM's Core, and what of it cannot be had, with reasons by label.

    Raises ValueError where the model cannot be asked, and where the first three files cannot be had.
    """
    _check_text(checkpoint, "DCLM's Core")
    tasks, missing = {}, {}
    for label in labels:
        try:
            tasks[label] = ConfigurableTask(config=core_config(label, data, checkpoint.tokenizer))
        except Exception as error:  # whatever network, disk and damaged files raise
            missing[label] = _reason(error)
        if not tasks and len(missing) == min(3, len(labels)):
            label, reason = next(iter(missing.items()))
            raise ValueError(f"the data of {label} cannot be had: {reason} (--data FOLDER names a copy of all)")
    checked = {label: _checked(checkpoint, label, found) for label, found in tasks.items()}
    return [_asked(label, found, suites.CORE[label].chance) for label, found in checked.items()], missing


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _check_text(checkpoint: Checkpoint, name: str) -> None:
    if not checkpoint.reads_text:
        raise ValueError(f"{checkpoint.path}: its tokenizer knows the words of its task alone and cannot read {name}")


def offline(checkpoint: Checkpoint, limit: int | None) -> list[Asked]:
    """What needs no network: the run's own validation rows; of a model that reads text, `pydoc`'s held-out documents,
    the run's own validation text if it is on this machine, and in words the run's own task, or else `PROBES`."""
    if not checkpoint.reads_text:
        found = own_rows(checkpoint, limit)
        return [_asked(found.config.task, found)]
    _, pydoc = documents.train_and_validation("pydoc")
    texts, recipe = {"pydoc": pydoc}, checkpoint.recipe
    of_pydoc = recipe.get("dataset") == "pydoc" and not recipe.get("validation_dataset")
    if not of_pydoc and (own := own_text(checkpoint)) is not None:
        texts["own validation text"] = own
    found = [_asked(name, held_out_text(checkpoint, name, text)) for name, text in texts.items()]
    probes = [recipe["task"]] if "task" in recipe else PROBES
    return found + [asked for name in probes for asked in named(checkpoint, [name], None, limit)]


def named(checkpoint: Checkpoint, names: list[str], parameters: dict | None, limit: int | None) -> list[Asked]:
    """Tasks by name: ours, with `parameters`, and those of lm-eval. Raises ValueError for an unknown one.

    The task of the run that the checkpoint is of has that run's parameters and rows, where none are given.
    """
    found = []
    for name in names:
        if name in PRESETS or re.split(r"[-+]", name)[0] in list_tasks():
            own = name == checkpoint.recipe.get("task") and not parameters
            asked = _own_task(checkpoint) if own else task(name, **parameters or {})
            if checkpoint.reads_text:
                made = in_words(checkpoint, name, asked, limit)
            else:
                made = own_rows(checkpoint, limit) if own else task_rows(checkpoint, name, asked, 42, ROWS, limit)
            found.append(_asked(name, made))
        else:
            found.append(Asked(name, _of_harness(checkpoint, name)))
    return found


@functools.cache
def _manager() -> TaskManager:
    return TaskManager()


def _of_harness(checkpoint: Checkpoint, name: str) -> dict:
    """A task, group or tag of lm-eval."""
    if name not in _manager().all_tasks:
        near = nearest(name, [*list_tasks(), *PRESETS, *_manager().all_tasks])
        raise ValueError(f"tasks: neither we nor lm-eval {version('lm_eval')} have a task {name!r}{near}")
    _check_text(checkpoint, name)
    try:
        return _manager().load([name])
    except Exception as error:  # whatever network, disk and packages that a task needs raise
        raise ValueError(f"{name}: its data cannot be had: {_reason(error)}") from error


# Figures


def figures(model: HFLM, asked: Asked, limit: int | None = None) -> list[dict]:
    """What was measured: a dict for each task and metric, in processes other than the first an empty list.

    It has task, metric, value, documents, shots and version, and where they are known stderr, chance and centred.
    Raises ValueError where memory does not suffice.
    """
    found, rows = _evaluated(model, asked.loaded, limit), []
    if not found:
        return rows
    as_one = any("," in key for key in found["results"].get(asked.name, ()))  # a task, or a group with its means
    names = [asked.name] if as_one else list(asked.loaded["tasks"])
    for name in names:
        results = found["results"][name]
        about = {"task": name if len(names) > 1 else asked.name}
        about |= {"documents": results["sample_len"], "version": found["versions"].get(name)}
        about["shots"] = (
            None if "loss,none" in results or "bits_per_byte,none" in results else found["n-shot"].get(name)
        )
        for key, value in results.items():
            metric, comma, filtered = key.partition(",")
            if not comma or metric.endswith("_stderr"):
                continue
            row = about | {"metric": metric if filtered == "none" else f"{metric}, {filtered}", "value": float(value)}
            error = results.get(f"{metric}_stderr,{filtered}", "N/A")
            row |= {} if error == "N/A" else {"stderr": float(error)}
            if asked.chance is not None:
                row |= {"chance": asked.chance, "centred": suites.centred(value, asked.chance)}
            rows.append(row)
    return rows


def _evaluated(model: HFLM, loaded: dict, limit: int | None) -> dict:
    """What lm-eval gives for tasks; of rows, over all their turns."""
    for each in loaded["tasks"].values():
        each.set_fewshot_seed(SEED)
        if each.get_config("num_fewshot") is None:
            each.set_config("num_fewshot", 0)
    name, first = next(iter(loaded["tasks"].items()))
    try:
        for _ in first.turns() if isinstance(first, Rows) else [None]:
            found = evaluate(model, loaded, limit=limit, log_samples=False, bootstrap_iters=1_000) or {}
    except torch.OutOfMemoryError as error:
        raise ValueError(f"batch_size: {model.batch_size} sequences are too much for {model.device}") from error
    if isinstance(first, Rows) and found:
        right = first.seen["exact_match"]
        found["results"][name]["sample_len"] = len(right)
        if len(right) > 1:
            found["results"][name]["exact_match_stderr,none"] = mean_stderr(right)
    return found


def report(checkpoint: Checkpoint, suite: str, rows: list[dict], limit: int | None, missing: dict, **settings) -> dict:
    """All that evaluation_SUITE.json holds; Core only where none of its tasks is missing."""
    found = {"suite": suite, "model": checkpoint.path, "limit": limit, "figures": rows, "settings": settings}
    if suite == "core":
        score = suites.core({row["task"]: row["value"] for row in rows})
        found |= {"core": score} if score is not None else {}
        found |= {"core_is_the_mean_of": list(suites.AVERAGED), "missing": missing}
    packages = ("hf-procedural", "lm_eval", "torch", "transformers", "datasets", "tokenizers")
    found["versions"] = {"python": platform.python_version()} | {package: version(package) for package in packages}
    return found
