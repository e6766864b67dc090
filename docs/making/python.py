"""The Python reference: mkdocstrings shows what is named here, from its docstring and signature."""

_CONFIG = "hf_procedural.data.builder.ProceduralConfig"
# By subject: the name that a user writes, and where it is defined, if that is elsewhere.
SHOWN = {
    "Rows": {
        "hf_procedural.task": "hf_procedural.tasks.lookup.task",
        "hf_procedural.list_tasks": "hf_procedural.tasks.lookup.list_tasks",
        "hf_procedural.tokenizer": "hf_procedural.data.tokenization.tokenizer",
        "hf_procedural.Coding": "hf_procedural.tasks.coding.Coding",
        'load_dataset("procedural", ...)': _CONFIG,
    },
    "A task of your own": {
        "hf_procedural.Task": "hf_procedural.tasks.base.Task",
        "hf_procedural.register": "hf_procedural.tasks.registry.register",
        "hf_procedural.check_task": "hf_procedural.tasks.check.check_task",
        "hf_procedural.load_task_file": "hf_procedural.tasks.plugins.load_task_file",
        "hf_procedural.integer": "hf_procedural.tasks.fields.integer",
        "hf_procedural.probability": "hf_procedural.tasks.fields.probability",
        "hf_procedural.flag": "hf_procedural.tasks.fields.flag",
        "hf_procedural.choice": "hf_procedural.tasks.fields.choice",
        "hf_procedural.tasks.layouts.Stream": "",
        "hf_procedural.tasks.layouts.Answered": "",
        "hf_procedural.tasks.layouts.Asked": "",
        "hf_procedural.tasks.kernels.stream": "",
        "hf_procedural.tasks.kernels.below": "",
        "hf_procedural.tasks.kernels.between": "",
        "hf_procedural.tasks.kernels.uniform": "",
    },
    "Models": {
        "hf_procedural.transfer": "hf_procedural.models.transfer.transfer",
        "hf_procedural.models.transfer.TransferReport": "",
        "hf_procedural.models.transfer.Entry": "",
        "hf_procedural.models.transfer.components_of": "",
        "hf_procedural.models.transfer.train_only": "",
    },
    "Metrics and rewards": {
        "hf_procedural.metrics.load": "",
        "hf_procedural.metrics.scores.answer_accuracy": "",
        "hf_procedural.metrics.scores.exact_match": "",
        "hf_procedural.rl.answer_reward": "hf_procedural.rl.rewards.answer_reward",
        "hf_procedural.rl.prefix_matching_reward": "hf_procedural.rl.rewards.prefix_matching_reward",
    },
    "Diagnosis": {
        "hf_procedural.diagnosis.diagnose.diagnose": "",
        "hf_procedural.diagnosis.diagnose.compare": "",
    },
    "Environments": {
        "hf_procedural.environments.episodes.Question": "",
        "hf_procedural.environments.episodes.Questions": "",
        "hf_procedural.environments.episodes.Episode": "",
    },
    "Drawings": {
        "hf_procedural.show.rows.show": "",
        "hf_procedural.show.image.image": "",
    },
}
_HEAD = """# Python

`import hf_procedural` takes neither torch nor transformers with it; what needs them loads them when it is first used.
The thirteen names of the package are those that begin with `hf_procedural.` and have no other dot; the rest is imported
from where it stands. Arrays are NumPy's, ids are int32, rows are `[n, row length]`. What is wrong with an argument is a
ValueError in one line.

*In a checkout this page lists names alone: `mkdocs serve` fills in their docstrings, and `help()` in Python has them.*
"""


def places() -> list[str]:
    """Where everything that is shown is defined."""
    return [place or name for names in SHOWN.values() for name, place in names.items()]


def pages() -> dict:
    """The page, whose content mkdocstrings fills in."""
    text = _HEAD
    for subject, names in SHOWN.items():
        text += f"\n## {subject}\n"
        for name, place in names.items():
            label = name.rpartition(".")[2] if place != _CONFIG else "load_dataset"
            text += f"\n::: {place or name}\n    options:\n      heading: '{name}'\n      toc_label: {label}\n"
            if place == _CONFIG:  # keywords of load_dataset, and no class that a user makes
                text += "      members: false\n"
    return {"reference/python.md": text}
