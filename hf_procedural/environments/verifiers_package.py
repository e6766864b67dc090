"""A package of verifiers: a taskset, as ``vf-init`` of version 0.4.0 lays one out."""

import json

from ..models.prompting import read_template
from .package import Package

_PROJECT = """\
[project]
name = "{distribution}"
version = "0.1.0"
description = "{title} of hf-procedural, as an environment of verifiers."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["{ours}", "verifiers>=0.4,<0.5"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["{module}"]
"""

_MODULE = '''\
"""{title}, {summary}: a taskset of verifiers."""

{path}import verifiers.v1 as vf
from hf_procedural.environments.verifiers import (
    ChatHarness,
    ProceduralConfig,
    ProceduralEnv,
    ProceduralTaskset,
    QuestionTask,
)

__all__ = ["ChatHarness", "ProceduralEnv", "Taskset"]


class Config(ProceduralConfig):
{fields}


class Taskset(ProceduralTaskset, vf.Taskset[QuestionTask, Config]):
    """Question i is row i; the reward is what the task's own verifier says."""
'''

_README = """\
# {distribution}

{title}, {summary}: questions of hf-procedural as an environment of verifiers 0.4.

Question i is row i of `load_dataset("procedural", ...)`, the same on every machine; the reward, `answer`, is what the
task's own verifier says of the reply. Written by

    {command}

## Install

```sh
pip install -e .    # with hf-procedural and verifiers
vf-validate {distribution} -n 20 --runtime.type subprocess --no-rich    # the task's own solutions are right
```

## Ask a model

On any server that speaks OpenAI's protocol, such as `vllm serve MODEL`:

```sh
vf-eval {distribution} -n 20 -m MODEL --client.base-url http://localhost:8000/v1 --no-push
vf-eval {distribution} -n 20 -m MODEL --client.base-url http://localhost:8000/v1 --no-push --env.taskset.split test
```

`vf-eval {distribution} --help` lists all settings of the questions under `env.taskset`. The traces go to `outputs/`.

## Train

prime-rl trains on the environment by its id, `{distribution}`; give it the split `train`, and its evaluation
`validation`: no question is in two splits. TRL trains on the same questions with the same verifier by
`hf-procedural rlvr`.
"""


def files(package: Package) -> dict[str, str]:
    """The text of each file, by its path."""
    fields = [f"    task_name: str = {json.dumps(package.name)}"]
    if package.parameters:
        fields.append(f"    parameters: dict = {package.parameters!r}")
    for name, value in package.chosen.items():
        if name != "template":
            kind = "int | None" if name == "rows" else type(value).__name__
            fields.append(f"    {name}: {kind} = {json.dumps(value) if isinstance(value, str) else value}")
    texts = {}
    if package.template is not None:
        texts[f"{package.module}/template.txt"] = read_template(package.template, "prompt")
        fields.append('    template: str | None = str(Path(__file__).with_name("template.txt"))')
    module = _MODULE.format(
        title=package.title,
        summary=package.summary,
        path="from pathlib import Path\n\n" if texts else "",
        fields="\n".join(fields),
    )
    names = package.texts
    return {
        "pyproject.toml": _PROJECT.format(**names),
        "README.md": _README.format(**names),
        f"{package.module}/__init__.py": module,
        **texts,
    }
