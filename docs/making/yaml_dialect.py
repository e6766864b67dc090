"""How YAMLs are read, with values as the loader itself reads them."""

import json

from hf_procedural.files import load_yaml
from hf_procedural.models.words import COMPONENTS, EMBEDDINGS, parse_sources

from ._words import code, table

_SCALARS = (
    "2_4_16",
    "5e-4",
    "1e-3",
    "64",
    "400_000",
    "007",
    "yes",
    "off",
    "true",
    "null",
    "~/runs",
    "2026-11-30",
    "0x10",
)
_SOURCES = (
    "scratch",
    "runs/set",
    "ORG/NAME",
    "permuted:runs/set",
    "statistics:runs/set",
    "noise0.1:runs/set",
    "attn=runs/set,mlp=runs/eca",
    "attn+ln=runs/set,mlp=permuted:runs/eca",
    "0.6*runs/set,0.4*runs/union",
)
_HEAD = """# YAML

A recipe reads one YAML, then flags, which win: `hf-procedural pretrain sort --seed 1` for one that comes with it,
`hf-procedural pretrain mine.yaml --seed 1` for a file. Keys are the flags without dashes; a key that is no argument is
an error that names the nearest, and so is one that stands twice. Nothing in a YAML is run: it has values alone, no tags
of Python.

## Scalars

Numbers and booleans are those of YAML 1.2, so that a size such as `2_4_16` stays a word and `5e-4` is a number (YAML
1.1, which PyYAML reads, has it the other way round):

"""
_MIDDLE = """

What a word means is for the argument to say: a whole number may be written `400_000` (but not `4e5`, which is no whole
number), a path may have `~` at its beginning for the home folder. `null`, or an empty value, is "none" where that is
the default, and an error elsewhere.

## Lists and mappings

What takes several values on the command line takes a list, what takes JSON takes keys and values:

```yaml
task: sort-64
task_parameters: {vocab_size: 50}
transfer: [attn, mlp]
lr_scheduler_type: cosine_with_min_lr
lr_scheduler_kwargs:
  min_lr_rate: 0.1
report_to: [tensorboard]
```

A mixture of texts is a list; a source that needs more than a name is a mapping (`recipes/semantic.py`):

```yaml
dataset:
  - stdlib
  - procedural:sort-64+set-64
weights: [0.997, 0.003]
```

## Where weights come from

`--init_from`, in a YAML `init_from`, names sources of weights; `--transfer` says which of their parts are taken
({components}, or `all`), `--embeddings` what becomes of embeddings ({embeddings}).

"""
_END = """

Several sources are joined by commas; shares are divided by their sum. Controls are told in
[controls](../guides/controls.md). `recipes/probe.py` takes several starting points, one run each, as a list.

## What a run writes

`recipe.yaml` in a run's folder is such a YAML, with every argument resolved: give it to the same recipe, and it is the
same run. Files of older versions are read, too: a key that has another name today is taken, and a line says so.
"""


def pages() -> dict:
    """The page."""
    text = _HEAD + table(["written", "read as", "which is"], [_scalar(word) for word in _SCALARS])
    words = {"components": ", ".join(map(code, COMPONENTS)), "embeddings": ", ".join(map(code, EMBEDDINGS))}
    text += _MIDDLE.replace("{components}", words["components"]).replace("{embeddings}", words["embeddings"])
    text += table(
        ["written", "path", "parts", "share", "control"], [line for word in _SOURCES for line in _source(word)]
    )
    return {"reference/yaml.md": text + _END}


def _scalar(word: str) -> list[str]:
    value = load_yaml(word)
    kinds = {"str": "a word", "int": "a whole number", "float": "a number", "bool": "true or false", "NoneType": "none"}
    kind = type(value).__name__
    shown = json.dumps(value) if kind in kinds else str(value)
    return [code(word), code(shown), kinds.get(kind, f"a {kind}")]


def _source(word: str) -> list[list[str]]:
    if word == "scratch":
        return [[code(word), "", "", "", "new weights"]]
    lines = []
    for place, source in enumerate(parse_sources(word)):
        components = ", ".join(source.components) if source.components else "those of `--transfer`"
        first = code(word) if place == 0 else ""
        lines.append([first, code(source.path), components, f"{source.weight:g}", source.control or ""])
    return lines
