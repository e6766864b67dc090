"""Core of DataComp-LM, over its own files."""

import collections
import functools
import itertools

import numpy as np

from . import suites
from .in_words import metric
from .library import ContextSampler


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
        "metric_list": metric("accuracy", _by_category if dclm.by_category else "mean"),
        "metadata": {"version": 1},
    }
