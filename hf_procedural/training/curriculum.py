"""Length curriculum: sequences start short and lengthen each time the model masters them.

Jiang et al. 2026 (arXiv:2601.21725, code) start at 2, step by 2 and ask for a validation accuracy of 0.99. A callback
on the stock Trainer, over rows that follow the current length.
"""

import dataclasses

from transformers import TrainerCallback

from ..data import blocks
from ..data.rows import TrainRows, ValidationRows
from ..errors import at_least
from ..tasks import Task
from ..tasks.shuffled import Shuffled

_LENGTH = "eval_curriculum_length"
_SHORT = 64  # up to which a task may have too few prompts of a length


def size_parameter(task: Task) -> str:
    """The parameter that a curriculum raises: `length`, or the `digits` of arithmetic.

    Raises ValueError for a task that has neither.
    """
    name = next((name for name in ("length", "digits") if name in task.parameters), None)
    if name is None:
        raise ValueError(f"curriculum: {task.config_name} has no parameter length or digits")
    value = task.parameters[name]
    if value is None:
        raise ValueError(f"curriculum: {task.config_name} must be given its {name}, which is to be reached in the end")
    return name


def of_length(task: Task, name: str, length: int) -> Task:
    """The task with another value of its `size_parameter`."""
    if isinstance(task, Shuffled):
        return Shuffled(of_length(task.inner, name, length))
    return dataclasses.replace(task, **{name: length})


def check_lengths(task: Task, name: str, lengths: list[int]) -> None:
    """Raises ValueError where the task cannot be had at a length, or its tokens change their meaning on the way."""
    for length in lengths:
        try:
            shorter = of_length(task, name, length)
            if length <= _SHORT:
                for split in ("train", "validation"):
                    blocks.check(shorter, split)
        except ValueError as error:
            raise ValueError(f"curriculum, at {name} {length} on the way to {lengths[-1]}: {error}") from error
        if length == lengths[0] and shorter.vocabulary != task.vocabulary:
            raise ValueError(f"curriculum: the tokens of {task.config_name} change their meaning with its {name}")


def length_curriculum(data, args, train, validation, rows_per_step: int, accuracy: str = "answer_accuracy"):
    """The callback that `data`, TaskArguments, ask for, or None.

    Raises ValueError where nothing is evaluated while training.
    """
    if not data.curriculum:
        return None
    if args.eval_strategy != "steps":
        raise ValueError(f"curriculum: eval_strategy must be steps, got {args.eval_strategy.value}")
    return LengthCurriculum(train, validation, rows_per_step, accuracy=accuracy, **data.curriculum_settings)


class LengthCurriculum(TrainerCallback):
    """Lengthens the rows of `train` and `validation` each time validation accuracy reaches `threshold`.

    The length is a function of the Trainer's log history, so that it is in every checkpoint and survives a resume.
    Changing it ends the Trainer's epoch, which makes the data loader (and its workers) begin again at the new length,
    with the row that follows the last one trained on.

    Args:
        train, validation: their `task` must have a `size_parameter`; its value is the final length.
        start: symbols in the first rows.
        step: symbols added at a time.
        threshold: validation accuracy that counts as mastery.
        rows_per_step: rows in one optimizer step, over all processes.
        accuracy: the metric that is meant by validation accuracy.
    """

    def __init__(
        self,
        train: TrainRows,
        validation: ValidationRows,
        rows_per_step: int,
        start: int = 2,
        step: int = 2,
        threshold: float = 0.99,
        accuracy: str = "answer_accuracy",
    ):
        self.parameter = size_parameter(train.task)
        self.final = train.task.parameters[self.parameter]
        if not 1 <= start <= self.final:
            raise ValueError(f"curriculum_start must be in 1..{self.final} (the task's {self.parameter}), got {start}")
        at_least("curriculum_step", step, 1)
        if not 0 < threshold <= 1:
            raise ValueError(f"curriculum_threshold must be in (0, 1], got {threshold}")
        self.train, self.validation, self.rows_per_step = train, validation, rows_per_step
        self.start, self.step, self.threshold, self.accuracy = start, step, threshold, f"eval_{accuracy}"
        check_lengths(train.task, self.parameter, [*range(start, self.final, step), self.final])
        self.set_length(start)

    @property
    def length(self) -> int:
        """Symbols in the current rows."""
        return self.train.task.parameters[self.parameter]

    def metrics(self) -> dict[str, int]:
        """What an evaluation tells of the rows that it was made on."""
        return {"curriculum_length": self.length}

    def set_length(self, length: int) -> None:
        """Makes the rows that long. Raises ValueError where the task has too few distinct prompts of that length."""
        shorter = of_length(self.train.task, self.parameter, length)
        self.train.task = shorter
        self.validation.set_task(shorter)

    def _grow(self, length: int, accuracy: float) -> int:
        return min(length + self.step, self.final) if accuracy >= self.threshold else length

    def on_train_begin(self, args, state, control, **kwargs):
        evaluations = [entry for entry in state.log_history if _LENGTH in entry]
        if evaluations:
            self.set_length(self._grow(int(evaluations[-1][_LENGTH]), evaluations[-1][self.accuracy]))
        self.train.start = 0  # on a resume the Trainer skips the rows that were trained on

    def on_train_end(self, args, state, control, **kwargs):
        self.set_length(self.final)  # for what is evaluated afterwards

    def on_evaluate(self, args, state, control, metrics, **kwargs):
        longer = self._grow(self.length, metrics[self.accuracy])
        if longer > self.length:
            self.set_length(longer)
            self.train.start = state.global_step * self.rows_per_step
            control.should_epoch_stop = True

    def on_epoch_begin(self, args, state, control, **kwargs):
        # Accuracies of different lengths do not compare: early stopping and the best model begin again.
        if not any(entry.get(_LENGTH) == self.length for entry in state.log_history):
            state.best_metric = state.best_model_checkpoint = state.best_global_step = None
