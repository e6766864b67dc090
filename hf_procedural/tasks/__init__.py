"""The tasks: what the data is. One module for each family, one registry for all."""

from . import sequence, dyck, automata, probes  # noqa: F401  isort: skip  (they register their tasks, in this order)
from . import nca, lime, simpler, nonsense, languages  # noqa: F401  isort: skip
from . import regbench, structure, rnn_language  # noqa: F401  isort: skip
from . import chomsky, tracking  # noqa: F401  isort: skip
from . import universal  # noqa: F401  isort: skip
from . import physics, physics_graphs, physics_grammar, physics_people  # noqa: F401  isort: skip
from . import mad, mad_recall, mqar  # noqa: F401  isort: skip
from . import clrs  # noqa: F401  isort: skip
from . import iterated  # noqa: F401  isort: skip
from . import reasoning_gym  # noqa: F401  isort: skip
from .base import IGNORE, Task
from .check import check_task
from .coding import Coding
from .fields import choice, flag, integer, probability
from .lookup import list_tasks, task, task_class
from .plugins import load_task_file
from .presets import PRESETS
from .registry import register

__all__ = [
    "IGNORE",
    "PRESETS",
    "Coding",
    "Task",
    "check_task",
    "choice",
    "flag",
    "integer",
    "list_tasks",
    "load_task_file",
    "probability",
    "register",
    "task",
    "task_class",
]
