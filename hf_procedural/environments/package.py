"""What a package of an environment is asked for: questions, and names that are made of theirs."""

import dataclasses
import functools
import json
import re
import shlex

from .. import __version__
from ..tasks.reasoning_gym import ReasoningGym
from ..tasks.reasoning_gym_sets import ORDERED
from .episodes import Questions, arguments


@dataclasses.dataclass(frozen=True)
class Package:
    """A package of a kind, of a task's questions.

    Args:
        kind: of framework, see `packages.KINDS`.
        name: of the task or mixture.
        parameters: of the task.
        rows: how many questions; None is without an end, or as few as the kind shows.
        others: as for `Questions`.
    """

    kind: str
    name: str
    parameters: dict
    rows: int | None = None
    seed: int = 0
    split: str = "train"
    turns: bool = False
    strict: bool = False
    template: str | None = None

    @functools.cached_property
    def questions(self) -> Questions:
        """Raises ValueError for what has none, as `Questions` does."""
        return Questions(**arguments(self.name, self.settings, self.parameters))

    @property
    def settings(self) -> dict:
        """The arguments of `Questions` besides the task and its parameters."""
        return {name: getattr(self, name) for name in ("seed", "split", "template", "turns", "strict")}

    @property
    def chosen(self) -> dict:
        """What is not as it is by default, besides the task and its parameters."""
        fields = dataclasses.fields(self)[3:]
        return {each.name: getattr(self, each.name) for each in fields if getattr(self, each.name) != each.default}

    @property
    def texts(self) -> dict[str, str]:
        """What the texts of all kinds tell, by the name of its place."""
        names = ("title", "summary", "module", "distribution", "ours", "command")
        return {name: getattr(self, name) for name in names}

    @property
    def title(self) -> str:
        return self.questions.task.config_name

    @property
    def module(self) -> str:
        """The name of the package as Python's: ``procedural_sort_16``."""
        return "procedural_" + re.sub("[^a-z0-9]+", "_", self.name.lower()).strip("_")

    @property
    def distribution(self) -> str:
        """The name of the package as pip's: ``procedural-sort-16``."""
        return self.module.replace("_", "-")

    @property
    def ours(self) -> str:
        """The versions of this library that a package takes, as pip has them."""
        major, minor = map(int, __version__.split(".")[:2])
        extra = "[reasoning-gym]" if self._data_sets else ""
        return f"hf-procedural{extra}>={__version__},<{major}.{minor + 1}"

    @property
    def _data_sets(self) -> list[str]:
        """Those of reasoning-gym that are asked."""
        task = self.questions.task
        return [member.dataset for member in getattr(task, "members", [task]) if isinstance(member, ReasoningGym)]

    @property
    def summary(self) -> str:
        """The task's, and what Python is to be started with."""
        ordered = not ORDERED.isdisjoint(self._data_sets)
        return self.questions.task.summary + " (start Python with PYTHONHASHSEED=0)" * ordered

    @property
    def command(self) -> str:
        """The command that writes it."""
        flags = [f"--{name}" if value is True else f"--{name} {_word(value)}" for name, value in self.chosen.items()]
        flags += [f"--{name} {_word(value)}" for name, value in self.parameters.items()]
        return " ".join(["hf-procedural environment", self.name, "--kind", self.kind, *flags, "--output_dir DIR"])


def _word(value) -> str:
    """A value as a word of a shell."""
    return shlex.quote(value if isinstance(value, str) else json.dumps(value))
