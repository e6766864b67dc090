"""Flags and YAML keys that had another name in 0.1, which goes on working until 0.3.

CONTRIBUTING.md has the table of the names: the same thing has the same one in every recipe and command.
"""

import os
from collections.abc import Iterable

from .terminal import tell

# No old name is one of today's anywhere. Of several new ones, a command has one.
RENAMED = {
    "input": ("dataset",),
    "organic": ("organic_dataset",),
    "organic_config": ("organic_dataset_config",),
    "positive_files": ("positive_dataset",),
    "negative_files": ("negative_dataset",),
    "documents": ("limit",),
    "sample": ("limit",),
    "held_out": ("validation_size",),
    "validation_rows": ("validation_size",),
    "output": ("output_dir", "output_file"),
    "workers": ("num_proc",),
    "parallel": ("num_proc",),
    "model": ("model_name_or_path", "classifier"),
    "models": ("model_name_or_path",),
    "prompt_tokens": ("max_prompt_length",),
    "characters": ("piece_characters",),
}


def current(name: str, known: Iterable[str] = ()) -> str:
    """What a flag or key is called today; `known` are those of a command, which decide where an old name became two.

    >>> current("documents"), current("model", {"classifier"}), current("task")
    ('limit', 'classifier', 'task')
    """
    names = RENAMED.get(name, (name,))
    return next((new for new in names if new in known), names[0])


def with_current_keys(recipe: dict, known: Iterable[str] = ()) -> dict:
    """The keys and values of a recipe.yaml, which an older version may have written, under today's names."""
    return {current(key, known): value for key, value in recipe.items()}


def with_current_flags(words: list[str], known: set[str], program: str | None) -> list[str]:
    """The words of a command line under today's names; `known` are the command's flags, without dashes.

    A line on stderr, from `program`, tells of each old one.
    """
    renamed = []
    for word in words:
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if flag.startswith("--") and name not in known and current(name, known) in known:
            if program is not None:
                warn(program, flag, f"--{current(name, known)}")
            word = f"--{current(name, known)}{equals}{value}"
        renamed.append(word)
    return renamed


def warn(program: str, old: str, new: str) -> None:
    """Says on stderr, by one process of several, that something has another name now."""
    if os.environ.get("RANK", "0") == "0":
        tell(f"{program}: warning: {old} is called {new} now; the old name goes in 0.3", error=True)
