"""Our tasks in reasoning-gym (0.1.25): importing this file registers each task that has answers.

    import reasoning_gym
    import hf_procedural.environments.reasoning_gym

    data = reasoning_gym.create_dataset("hf_procedural.sort", length=8, seed=1, size=10)
    data.score_answer("2 6 6 9", data[0])

Item i of seed s is row i of the split of ``load_dataset("procedural", ..., seed=s)``, as text; so items of neighbouring
seeds have nothing in common, and none of `split="test"` is ever one to train on. A task's parameters are those of its
data set, which has, beside `seed` and `size`:

    split      train (the default), validation or test
    template   of the question, see episodes.Questions
    strict     whether an answer's words are taken as they stand, see `Task.score`
    graded     whether an answer that begins right is worth a part

`score_answer` is `Task.score`; no answer is worth 0. A curriculum (`reasoning_gym.factory.create_curriculum`) has one
attribute: what makes a task's prompts longer. Languages have no answers, and are refused when they are created.
"""

import dataclasses
import functools
from typing import Any

from ..data import blocks
from ..tasks import Task, list_tasks, task, task_class
from ..tasks.lengths import Lengths
from .episodes import Questions

try:
    from reasoning_gym.coaching import BaseCurriculum, ScalarAttributeDefinition
    from reasoning_gym.factory import DATASETS, ProceduralDataset, register_dataset
except ImportError as error:
    raise ImportError(f"this needs reasoning-gym: pip install 'hf-procedural[reasoning-gym]' ({error})") from error

PREFIX = "hf_procedural."
_OWN = {"split": "train", "template": None, "strict": False, "graded": False}
_LEVELS = 6  # of a curriculum, at most


class TaskDataset(ProceduralDataset):
    """The questions of a task, in reasoning-gym's form. A subclass has the `name` of the task."""

    name: str

    def __init__(self, config):
        super().__init__(config=config, seed=config.seed, size=config.size)
        self.task = task_of(config)
        self._level = level_of(type(self.task))
        self._questions = self._ask()

    def _ask(self) -> Questions:
        return Questions(self.task, self.seed, self.config.split, self.config.template)

    def __getstate__(self):
        return vars(self) | {"_questions": None}  # which keeps blocks

    def __setstate__(self, state):
        vars(self).update(state)
        self._questions = self._ask()

    def __getitem__(self, idx: int) -> dict[str, Any]:
        question = self._questions[idx]
        return {
            "question": question.text,
            "answer": self.task.text(self.task.solve(question.prompt_ids)),
            "metadata": {
                "source_dataset": PREFIX + self.name,
                "source_index": idx,
                "split": self.config.split,
                "prompt": self.task.text(question.prompt_ids),
                "parameters": self.task.parameters,
                "difficulty": {self._level: getattr(self.task, self._level)} if self._level else {},
            },
        }

    def score_answer(self, answer: str | None, entry: dict[str, Any]) -> float:
        """`Task.score` of an answer to an item, of this data set or of one of the task with other parameters."""
        if not isinstance(answer, str):
            return 0.0
        asked = entry["metadata"]
        own = self.task if asked["parameters"] == self.task.parameters else task(self.name, **asked["parameters"])
        return own.score(asked["prompt"], answer, self.config.graded, self.config.strict)


class TaskConfig:
    """The parameters of a task beside those of its data set. A subclass is a dataclass with the `name` of the task."""

    name: str

    def validate(self) -> None:
        """Raises ValueError, in one line, for a language, and for parameters that the task refuses."""
        if not hasattr(task_class(self.name), "solve"):
            raise ValueError(f"{PREFIX}{self.name} is a language: it has no questions, for every token is one")
        size = vars(self)["size"]
        if type(size) is not int or size < 1:
            raise ValueError(f"{PREFIX}{self.name}: size must be an integer >= 1, got {size!r}")
        task_of(self)


def task_of(config: TaskConfig) -> Task:
    """The task of a config. Raises ValueError for parameters that it refuses."""
    own = {field.name for field in dataclasses.fields(task_class(config.name))}
    return task(config.name, **{key: value for key, value in vars(config).items() if key in own})


def level_of(cls: type[Task]) -> str | None:
    """The parameter that makes prompts longer: `length` where that is what a task is about, else its headline's number.

    None where the headline is a word, or the rule of an automaton.
    """
    if issubclass(cls, Lengths):
        return "length"
    return cls.headline if isinstance(cls.sizes[-1], int) and cls.headline != "rule" else None


@functools.cache
def _levels(cls: type[Task], name: str) -> list[int]:
    """Values of such a parameter, increasing: the published ones, or the default and its halves, each a task."""
    default: Any = next(field.default for field in dataclasses.fields(cls) if field.name == name)
    sizes = {size for size in cls.sizes if name == cls.headline and isinstance(size, int)}
    halves = {max(sizes | {default}) >> shift for shift in range(_LEVELS)}
    levels = sorted(sizes if len(sizes) >= 4 else sizes | halves)
    return [level for level in levels if level >= default or _has_questions(cls, name, level)][-_LEVELS:]


def _has_questions(cls: type[Task], name: str, level: int) -> bool:
    """Whether there is such a task, with enough distinct prompts for splits."""
    try:
        blocks.check(cls(**{name: level}), "train")
    except ValueError:
        return False
    return True


def register() -> None:
    """Registers the tasks that are not yet: at import those of this package, once more those of files and packages."""
    for name in list_tasks():
        if PREFIX + name not in DATASETS and name != "reasoning_gym":
            register_dataset(PREFIX + name, *_classes(name))


@functools.cache
def _classes(name: str) -> tuple[Any, ...]:
    """The data set, the config and, where there is one, the curriculum of a task."""
    cls = task_class(name)
    stem = "".join(word.title() for word in name.split("_"))
    fields = [(field.name, Any, dataclasses.field(default=field.default)) for field in dataclasses.fields(cls)]
    fields += [("seed", Any, None), ("size", Any, 500), *((key, Any, value) for key, value in _OWN.items())]
    config = dataclasses.make_dataclass(f"{stem}Config", fields, bases=(TaskConfig,), namespace={"name": name})
    classes = [type(f"{stem}Dataset", (TaskDataset,), {"name": name}), config]
    level = level_of(cls)
    if level is not None and hasattr(cls, "solve"):
        classes.append(type(f"{stem}Curriculum", (BaseCurriculum,), {"__init__": _curriculum(config, level, cls)}))
    for each in classes:  # so that they can be pickled
        each.__module__ = __name__
        globals()[each.__name__] = each
    return tuple(classes)


def _curriculum(config: type, level: str, cls: type[Task]):
    """The constructor of a curriculum with one attribute."""

    def __init__(self):
        BaseCurriculum.__init__(self, type(self).__name__, config)
        levels = list(_levels(cls, level))
        said = next(field.metadata["help"] for field in dataclasses.fields(cls) if field.name == level)
        self._define_attributes(
            ScalarAttributeDefinition(name=level, field_name=level, levels=levels, default_level=0, description=said)
        )

    return __init__


register()
