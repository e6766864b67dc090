"""The test of a run at lengths that it was not trained on, where its task has such: tasks/lengths.py."""

from pathlib import Path
from typing import cast

import numpy as np
from transformers import Trainer

from ..data.rows import ValidationRows
from ..metrics import scores
from ..runs import lengths
from ..tasks import IGNORE, Task
from ..tasks.lengths import Lengths
from ..tasks.shuffled import Shuffled


def is_asked(task: Task) -> bool:
    """Whether the split test of a task has longer rows than training."""
    task = _inner(task)
    return isinstance(task, Lengths) and task.test_length is not None


def _inner(task: Task) -> Task:
    """The task whose rows are shuffled, or the task itself."""
    return task.inner if isinstance(task, Shuffled) else task


def test(trainer: Trainer, task: Task, seed: int, rows: int, title: str) -> dict[str, float]:
    """Evaluates the model on so many rows of validation and of test; writes accuracy by length into the run's folder.

    Gives the scores on those of test. The end of sequence counts in these, as in other scores, but not by length.
    """
    inner = cast(Lengths, _inner(task))
    ends = [IGNORE, *(number for number, word in enumerate(task.vocabulary) if word == "<eos>")]
    results, sizes = {}, []
    for split in ("validation", "test"):
        data = ValidationRows(task, seed, rows, split)
        loader = trainer.get_eval_dataloader(data)
        output = trainer.evaluation_loop(loader, f"lengths of {split}", metric_key_prefix=split)
        guesses, labels = cast(np.ndarray, output.predictions), cast(np.ndarray, output.label_ids)
        scored = ~np.isin(labels, ends)
        right = (guesses == labels) & scored
        sizes.append((inner.lengths_of(data.input_ids), scored.sum(axis=1), right.sum(axis=1)))
        results = {f"{split}_{name}": score(list(guesses), list(labels)) for name, score in scores.BY_NAME.items()}
    if trainer.is_world_process_zero():
        columns = (np.concatenate(column) for column in zip(*sizes, strict=True))
        found = lengths.by_length(*columns, border=inner.length)
        lengths.save(Path(cast(str, trainer.args.output_dir)), found, title)
    return results
