"""A package of NeMo Gym: a resources server, its config and its rows, as ``gym env init`` of version 0.5 lays them out.

    DIR/resources_servers/procedural_sort_16/app.py                          calls this library
                                            /configs/procedural_sort_16.yaml
                                            /data/example.jsonl, train.jsonl
                                            /requirements.txt

NeMo Gym looks for ``resources_servers/`` in the folder where its command is called.
"""

import json

from .episodes import arguments
from .package import Package

_EXAMPLES = 5  # rows of example.jsonl, as in NeMo Gym's own servers

_APP = '''\
"""{title}, {summary}: a resources server of NeMo Gym."""

from hf_procedural.environments.nemo_gym import ProceduralResourcesServer

if __name__ == "__main__":
    ProceduralResourcesServer.run_webserver()
'''

_CONFIG = """\
{module}:
  resources_servers:
    {module}:
      entrypoint: app.py
      domain: other
      verified: false
      description: {about}
{module}_simple_agent:
  responses_api_agents:
    simple_agent:
      entrypoint: app.py
      resources_server:
        type: resources_servers
        name: {module}
      model_server:
        type: responses_api_models
        name: policy_model
      datasets:
      - name: example
        type: example
        jsonl_fpath: resources_servers/{module}/data/example.jsonl
"""

_DATASET = """\
      - name: {split}
        type: {type}
        jsonl_fpath: resources_servers/{module}/data/{split}.jsonl
        license: Apache 2.0
"""

_REQUIREMENTS = """\
nemo-gym>=0.4,<0.6
{ours}
"""

_README = """\
# {module}

{title}, {summary}: questions of hf-procedural as a resources server of NeMo Gym.

Each row of `data/` is a question of `load_dataset("procedural", ...)` and says which; the reward is what the task's own
verifier says of the reply. Written by

    {command}

With more `--rows N`, in another folder, it writes as many into `data/{split}.jsonl`.

## Install

NeMo Gym installs `requirements.txt` for the server when it starts it; itself it is `pip install nemo-gym` (0.4 or 0.5,
Python 3.12 or 3.13). Call it in this folder, where it looks for `resources_servers/`.

## Ask a model

With a model on any server that speaks OpenAI's protocol, and an `env.yaml` that says where (`policy_base_url`,
`policy_api_key`, `policy_model_name`):

```sh
gym env start --resources-server {module} --model-type vllm_model
gym eval run --no-serve --agent {module}_simple_agent \\
    --input resources_servers/{module}/data/example.jsonl --output results/{module}.jsonl
```

## Train

NeMo RL takes `resources_servers/{module}/configs/{module}.yaml` and the rows of `data/`.
"""


def files(package: Package) -> dict[str, str]:
    """The text of each file, by its path. Raises ValueError for `turns`."""
    if package.turns:
        raise ValueError("turns: kind nemo-gym asks in one reply only; verifiers and openenv ask in steps")
    about = json.dumps(f"{package.title}, {package.summary}")
    names = package.texts | {"split": package.split, "about": about}
    folder = f"resources_servers/{package.module}"
    config = _CONFIG.format(**names)
    texts = {f"{folder}/data/example.jsonl": _rows(package, _EXAMPLES)}
    if package.rows is not None:
        config += _DATASET.format(type="train" if package.split == "train" else "validation", **names)
        texts[f"{folder}/data/{package.split}.jsonl"] = _rows(package, package.rows)
    return {
        "README.md": _README.format(**names),
        f"{folder}/app.py": _APP.format(**names),
        f"{folder}/configs/{package.module}.yaml": config,
        f"{folder}/requirements.txt": _REQUIREMENTS.format(**names),
        **texts,
    }


def _rows(package: Package, count: int) -> str:
    return "".join(json.dumps(row(package, number)) + "\n" for number in range(count))


def row(package: Package, number: int) -> dict:
    """A question as a row of NeMo Gym's: what is asked; and `questions`, `row`, `prompt_ids`, by which it is scored."""
    question = package.questions[number]
    settings = {"seed": package.seed, "split": package.split, "strict": package.strict}
    return {
        "responses_create_params": {"input": [{"role": "user", "content": question.text}]},
        "questions": arguments(package.name, settings, package.parameters),
        "row": number,
        "prompt_ids": question.prompt_ids,
        "agent_ref": {"type": "responses_api_agents", "name": f"{package.module}_simple_agent"},
    }
