"""The families of tasks: the modules of hf_procedural/tasks in which they are registered."""

import sys

import hf_procedural
from hf_procedural.tasks import task_class
from hf_procedural.tasks.base import is_ours

_TITLES = {
    "sequence": "Lists of symbols",
    "dyck": "Brackets",
    "automata": "Elementary cellular automata",
    "probes": "Probes: haystack, arithmetic, sorting",
    "nca": "Neural cellular automata",
    "lime": "LIME",
    "simpler": "Simpler synthetic tasks",
    "nonsense": "Nonsense summarisation",
    "languages": "Artificial languages",
    "regbench": "RegBench",
    "structure": "Structure building",
    "rnn_language": "Random recurrent networks",
    "chomsky": "The Chomsky hierarchy",
    "tracking": "State tracking",
    "universal": "Universal data",
    "physics": "Physics of language models: mental arithmetic",
    "physics_graphs": "Physics of language models: graphs",
    "physics_grammar": "Physics of language models: grammars",
    "physics_people": "Physics of language models: people",
    "mad": "MAD: copying, compression, memorization",
    "mad_recall": "MAD: recall",
    "mqar": "Zoology: associative recall",
    "clrs": "CLRS-Text",
    "iterated": "Iterated random networks",
    "reasoning_gym": "Reasoning Gym",
}


def family_of(name: str) -> str:
    """The module of a task."""
    return task_class(name).__module__.rpartition(".")[2]


# Not those of plugins that happen to be installed, or of whoever imports this.
OURS = [name for name in hf_procedural.list_tasks() if is_ours(task_class(name))]


def _families() -> dict[str, list[str]]:
    families = {}
    for name in OURS:
        families.setdefault(family_of(name), []).append(name)
    return families


FAMILIES = _families()


def title_of(family: str) -> str:
    """What a family is called; one that has no title here, by its docstring."""
    return _TITLES.get(family) or docstring_of(family).partition("\n")[0].partition(":")[0].rstrip(".")


def docstring_of(family: str) -> str:
    """That of its module."""
    return sys.modules[task_class(FAMILIES[family][0]).__module__].__doc__ or ""
