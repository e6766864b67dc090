"""What is taken along from a page: the line of Python, the YAML and the command that give the rows it shows."""

import json
import shlex
from typing import Any

import yaml

_MODEL = {"size": "2_4_64", "dropout": 0}
_TRAINING = {"max_steps": 600, "per_device_train_batch_size": 32, "learning_rate": 3e-3, "eval_steps": 100}


def take_along(name: str, parameters: dict, split: str = "train", seed: int = 0, row: int = 1) -> dict[str, str]:
    """``python``, ``yaml`` and ``command`` of a task: its rows from number `row` on, and a model trained on it."""
    return {
        "python": python_line(name, parameters, split, seed, row),
        "yaml": recipe(name, parameters, seed),
        "command": command(name, parameters, split, seed),
    }


def python_line(name: str, parameters: dict, split: str = "train", seed: int = 0, row: int = 1, **more) -> str:
    """The rows as a data set, and one of them; `more` are other arguments, such as a tokenizer."""
    given = parameters | ({"seed": seed} if seed else {}) | more
    words = "".join(f", {key}={value!r}" for key, value in given.items())
    return f"""import hf_procedural
from datasets import load_dataset

rows = load_dataset("procedural", "{name}", split="{split}"{words})
print(rows[{row - 1}])"""


def recipe(name: str, parameters: dict, seed: int = 0) -> str:
    """Settings of `hf-procedural pretrain`, for a small model."""
    settings: dict[str, Any] = {"task": name}
    settings |= {"task_parameters": parameters} if parameters else {}
    settings |= _MODEL | {"output_dir": f"runs/{name}"} | _TRAINING
    settings |= {"data_seed": seed}  # of 0, too: a recipe's own is 42
    lines = [f"# saved as {name}.yaml: hf-procedural pretrain {name}.yaml"]
    for key, value in settings.items():
        line = yaml.safe_dump({key: value}, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
        lines.append(line.strip()[1:-1])  # without its braces
    return "\n".join(lines)


def command(name: str, parameters: dict, split: str = "train", seed: int = 0) -> str:
    """The rows on a terminal, and a million of them as files."""
    flags = [word for key, value in parameters.items() for word in (f"--{key}", _as_word(value))]
    flags += ["--split", split] if split != "train" else []
    flags += ["--seed", str(seed)] if seed else []
    task = shlex.join([name, *flags])
    return f"""hf-procedural show {task}
hf-procedural generate {task} --rows 1_000_000 --output_dir data/{name}"""


def _as_word(value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
