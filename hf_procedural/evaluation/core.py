"""Core of DataComp-LM, over its own files: a configuration for lm-eval of each task that `suites` defines.

multiple_choice     "query answer" -> " choice"         each choice is scored per token
schema              "option" -> " continuation"         the continuation is scored behind each option
language_modeling   "context answer" -> " continuation" greedy decoding has to give it
"""

import collections
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import upstream
from . import suites
from .library import ContextSampler, metric

_SAMPLER = ("lm_eval.api.samplers:ContextSampler.df", "lm_eval.api.samplers:ContextSampler.rnd")


class _OfCategory(ContextSampler):
    """Examples of the row's own category."""

    @functools.cached_property
    def _samplers(self):
        pools = collections.defaultdict(list)
        for row in self.df:
            pools[row["category"]].append(row)
        return {name: ContextSampler(rows) for name, rows in pools.items()}

    def sample(self, n, eval_doc: Any = None, df=None, **_):
        sampler = self._samplers[eval_doc["category"]]
        sampler.rnd = self.rnd
        return sampler.sample(n, eval_doc)


def _mean_of_categories(items: list[tuple[str, float]]) -> float:
    """The mean over categories of their means."""
    categories = collections.defaultdict(list)
    for category, right in items:
        categories[category].append(right)
    return float(np.mean([np.mean(values) for values in categories.values()]))


# The kinds of DCLM: what differs in the configuration, and a function of a row and lm-eval's results that is true where
# the answer is right. A result is (log-probability of the continuation, whether it is the greedy one).


def _multiple_choice(dclm: suites.CoreTask, tokenizer) -> tuple[dict, Callable]:
    def choices(row):
        return [f" {choice.strip()}" for choice in row["choices"]]

    def is_right(row, results):
        tokens = [len(tokenizer(choice, add_special_tokens=False)["input_ids"]) for choice in choices(row)]
        means = [score / max(count, 1) for (score, _), count in zip(results, tokens, strict=True)]
        return int(np.argmax(means)) == row["gold"]

    config = {
        "output_type": "multiple_choice",
        "doc_to_text": lambda row: row["query"].strip() + dclm.answer,
        "doc_to_choice": choices,
        "doc_to_target": lambda row: row["gold"],
    }
    return config, is_right


def _schema(dclm: suites.CoreTask, tokenizer) -> tuple[dict, Callable]:
    def is_right(row, results):
        scores = [score for score, _ in results]  # of the same continuation, so that its length does not matter
        return int(np.argmax(scores)) == row["gold"]

    config = {
        "output_type": "multiple_choice",
        "doc_to_text": lambda row: row["gold"],  # a number makes the choices contexts: lm-eval's `multiple_input`
        "doc_to_choice": lambda row: [option.strip() for option in row["context_options"]],
        "doc_to_target": lambda row: f" {row['continuation'].strip()}",
    }
    return config, is_right


def _language_modeling(dclm: suites.CoreTask, tokenizer) -> tuple[dict, Callable]:
    def is_right(row, results):
        _, is_greedy = results[0]
        return is_greedy

    config = {
        "output_type": "loglikelihood",
        "doc_to_text": lambda row: row["context"].strip() + dclm.answer,
        "doc_to_target": lambda row: f" {row['continuation'].strip()}",
    }
    return config, is_right


_KINDS = {"multiple_choice": _multiple_choice, "schema": _schema, "language_modeling": _language_modeling}


def core_config(label: str, data: str, tokenizer) -> dict:
    """The configuration of a task of `suites.CORE` for lm-eval; its figure is `accuracy`."""
    dclm = suites.CORE[label]
    for name in _SAMPLER:
        if dclm.by_category and upstream.of(ContextSampler([]), name) is None:
            raise upstream.lacking(name)
    config, is_right = _KINDS[dclm.kind](dclm, tokenizer)

    def accuracy(row, results):
        right = float(is_right(row, results))
        return {"accuracy": (row["category"], right) if dclm.by_category else right}

    return config | {
        "task": f"core:{label}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{data}/{dclm.file}.jsonl"}},
        "test_split": "test",
        "fewshot_split": "test",
        "fewshot_config": {"sampler": _OfCategory if dclm.by_category else "default"},
        "num_fewshot": dclm.shots,
        "target_delimiter": "",
        "fewshot_delimiter": "\n",
        "process_results": accuracy,
        "metric_list": [metric("accuracy", _mean_of_categories if dclm.by_category else "mean")],
        "metadata": {"version": 1},
    }
