"""Procedural pretraining in the Hugging Face ecosystem.

Importing this package makes ``datasets.load_dataset("procedural", "sort-64")`` work.
"""

from . import registration as _registration
from .tasks import Task, list_tasks, register, task

__version__ = "0.1.0"
__all__ = ["Task", "list_tasks", "register", "task", "tokenizer"]

_registration.register()


def __getattr__(name):
    if name == "tokenizer":  # transformers is loaded only where it is used
        from .tokenization import tokenizer

        return tokenizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
