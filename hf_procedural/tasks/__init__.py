"""The tasks: what the data is. One module for each family, one registry for all."""

from . import sequence, dyck, automata, probes  # noqa: F401  isort: skip  (they register their tasks, in this order)
from .base import IGNORE, Task, flag, integer, list_tasks, probability, register, task, task_class

__all__ = ["IGNORE", "Task", "flag", "integer", "list_tasks", "probability", "register", "task", "task_class"]
