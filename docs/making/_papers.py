"""Which paper has which task, by what the registry and the presets say."""

import re

from hf_procedural.tasks import PRESETS, task_class

from ._families import OURS

_PAPER = re.compile(r"arXiv:\d{4}\.\d{4,5}")
_NAMES = {  # of papers that presets name in passing
    "arXiv:2305.13673": "Allen-Zhu and Li 2023, Physics of Language Models: Part 1, arXiv:2305.13673",
    "arXiv:2309.14316": "Allen-Zhu and Li 2023, Physics of Language Models: Part 3.1, arXiv:2309.14316",
    "arXiv:2004.01853": "Zou et al. 2020, the tasks of STEP, arXiv:2004.01853",
}


def tasks_of(preset: str) -> set[str]:
    """The tasks of a preset, which may be a mixture."""
    return {member.name for member in _members(PRESETS[preset])}


def _members(preset) -> list:
    names = [part.partition("-")[0] for part in preset.task.split("+")]
    return [task_class(name) for name in names]


def presets_of(name: str) -> list[str]:
    """The names of the presets that have a task."""
    return [preset for preset in PRESETS if name in tasks_of(preset)]


def sources() -> dict[str, str]:
    """By number, such as arXiv:2601.21725, how the registry or else the presets first name a paper."""
    named = {}
    for name in OURS:
        _take(named, task_class(name).paper)
    for preset in PRESETS.values():
        for source in preset.source.split("; "):
            _take(named, source)
    return named


def _take(named: dict[str, str], source: str) -> None:
    for number in _PAPER.findall(source)[:1]:
        named.setdefault(number, _NAMES.get(number, source))


def numbers_of_task(name: str) -> list[str]:
    """The numbers of the papers that a task is of, its own first."""
    texts = [task_class(name).paper, *(PRESETS[preset].source for preset in presets_of(name))]
    return list(dict.fromkeys(number for text in texts for number in _PAPER.findall(text)))


def of_task(name: str) -> list[str]:
    """The papers of a task, as they are named."""
    named = sources()
    return [named.get(number, number) for number in numbers_of_task(name)]
