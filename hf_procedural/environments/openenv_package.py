"""A package of OpenEnv: a server, and the client for it, as ``openenv init`` of version 0.10.0 lays one out."""

from ..models.prompting import read_template
from .package import Package

_PROJECT = """\
[project]
name = "{distribution}"
version = "0.1.0"
description = "{title} of hf-procedural, as an environment of OpenEnv."
readme = "README.md"
requires-python = ">=3.10"
dependencies = ["{ours}", "openenv>=0.10,<0.11"]

[project.scripts]
server = "{module}.server.app:main"

[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[tool.setuptools]
packages = ["{module}", "{module}.server"]
package-dir = {{ "{module}" = ".", "{module}.server" = "server" }}
package-data = {{ "{module}.server" = ["*.txt"] }}
"""

_MANIFEST = """\
spec_version: 1
name: {module}
version: 0.1.0
type: space
runtime: fastapi
app: server.app:app
port: 8000
validation:
  reward:
    range: [0.0, 1.0]
    oracle_tolerance: 0.0
    floor_margin: 0.1
  resources:
    cpu: 1.0
    memory_mb: 2048
    disk_mb: 2048
    episode_timeout_s: 60.0
  capabilities:
    verifier:
      kind: reward_channel
  types:
    tags: [procedural]
"""

_INIT = '''\
"""{title}, {summary}: an environment of OpenEnv."""

from .client import ProceduralEnv
from .models import ProceduralAction, ProceduralObservation, ProceduralState

__all__ = ["ProceduralAction", "ProceduralEnv", "ProceduralObservation", "ProceduralState"]
'''

_MODELS = '''\
"""What goes over the wire."""

from hf_procedural.environments.openenv import ProceduralAction, ProceduralObservation, ProceduralState

__all__ = ["ProceduralAction", "ProceduralObservation", "ProceduralState"]
'''

_CLIENT = '''\
"""The client of a session."""

from hf_procedural.environments.openenv import ProceduralEnv

__all__ = ["ProceduralEnv"]
'''

_APP = '''\
"""The server: every session has its own episode, and seed, split and row decide its question."""

{path}from hf_procedural.environments import openenv

app = openenv.app({arguments})


def main() -> None:
    """Serves at --host and --port."""
    openenv.main_of(app)


if __name__ == "__main__":
    main()
'''

_DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /app/env
COPY . /app/env
# A wheel of hf-procedural that is not in a registry goes into this folder.
RUN pip install --no-cache-dir --find-links . .
EXPOSE 8000
HEALTHCHECK CMD python -c "import urllib.request; urllib.request.urlopen('http://localhost:8000/health')"
CMD ["server", "--host", "0.0.0.0", "--port", "8000"]
"""

_README = """\
---
title: {title}
sdk: docker
app_port: 8000
tags:
  - openenv
---

# {distribution}

{title}, {summary}: questions of hf-procedural as an environment of OpenEnv 0.10.

Question i is row i of `load_dataset("procedural", ...)`, the same on every machine; the rewards of an episode add up to
what the task's own verifier says. Written by

    {command}

## Install and serve

```sh
pip install -e .    # with hf-procedural and openenv
server --port 8000
```

or `docker build -t {distribution} -f server/Dockerfile .`, with the wheel of hf-procedural in this folder where no
registry has it; `openenv push` makes a Space of it.

## Play

```python
from {module} import ProceduralAction, ProceduralEnv

with ProceduralEnv(base_url="http://localhost:8000").sync() as env:
    result = env.reset(split="test", row=12)  # or reset(), for the next row that no session has had
    while not result.done:
        print(result.observation.text)
        result = env.step(ProceduralAction(reply=input()))
    print(env.state().reward)
```

Train on the split `train` and evaluate on `validation`: no question is in two splits.
"""


def files(package: Package) -> dict[str, str]:
    """The text of each file, by its path. Raises ValueError for a number of rows, which an endless server has not."""
    if package.rows is not None:
        raise ValueError(f"rows {package.rows}: an OpenEnv server has questions without an end; leave out rows")
    arguments = [repr(package.name)]
    arguments += [f"{name}={value!r}" for name, value in package.chosen.items() if name != "template"]
    texts = {}
    if package.template is not None:
        texts["server/template.txt"] = read_template(package.template, "prompt")
        arguments.append('template=str(Path(__file__).with_name("template.txt"))')
    if package.parameters:
        arguments.append(f"**{package.parameters!r}")
    names = package.texts
    path = "from pathlib import Path\n\n" if texts else ""
    return {
        "pyproject.toml": _PROJECT.format(**names),
        "openenv.yaml": _MANIFEST.format(**names),
        "README.md": _README.format(**names),
        "__init__.py": _INIT.format(**names),
        "models.py": _MODELS,
        "client.py": _CLIENT,
        "server/__init__.py": '"""The server."""\n',
        "server/app.py": _APP.format(path=path, arguments=", ".join(arguments)),
        "server/Dockerfile": _DOCKERFILE,
        **texts,
    }
