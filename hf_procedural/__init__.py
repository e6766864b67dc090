"""Procedural pretraining in the Hugging Face ecosystem.

Importing this package makes ``datasets.load_dataset("procedural", "sort-64")`` work.
"""

import importlib

from . import moved as _moved
from . import registration as _registration
from .tasks import (
    Coding,
    Task,
    check_task,
    choice,
    flag,
    integer,
    list_tasks,
    load_task_file,
    probability,
    register,
    task,
)

__version__ = "0.1.0"
__all__ = [
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
    "tokenizer",
    "transfer",
]

_registration.register_when_imported()
_moved.install()


def __dir__():
    return sorted({*globals(), *__all__})


def __getattr__(name):
    # torch and transformers are loaded only where they are used
    if name == "tokenizer":
        return importlib.import_module(".data.tokenization", __name__).tokenizer
    if name == "transfer":
        return importlib.import_module(".models.transfer", __name__).transfer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
