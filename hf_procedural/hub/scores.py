"""Scores where the Hub reads them: `.eval_results/*.yaml` beside the card, whose model-index it calls legacy.

The file has what the card has, of data sets that have an id on the Hub. Files of others in that folder stay.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml
from huggingface_hub import EvalResultEntry, constants, eval_result_entries_to_yaml

from ..files import write_text
from .model_card import eval_results
from .repos import SCORES


def write_scores(folder, repo: str | None = None) -> None:
    """Writes `SCORES` of the run in `folder`, with `repo` for their source; removes it where there is no such score."""
    entries = list(_entries(folder, repo))
    file = Path(folder, SCORES)
    if entries:
        file.parent.mkdir(exist_ok=True)
        write_text(file, yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True))
    else:
        file.unlink(missing_ok=True)


def _entries(folder, repo: str | None) -> Iterator[EvalResultEntry]:
    source = {"source_url": f"{constants.ENDPOINT}/{repo}", "source_name": "Model card"} if repo else {}
    for result in eval_results(folder):
        if "/" in result.dataset_type:  # else a name of ours, or of no data set of the Hub
            split = f", {result.dataset_split}" if result.dataset_split else ""
            yield EvalResultEntry(
                dataset_id=result.dataset_type,
                task_id=result.dataset_config or "default",
                value=result.metric_value,
                dataset_revision=result.dataset_revision,
                notes=f"{result.metric_name}{split}",
                **source,
            )
