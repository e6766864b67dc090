"""The cards of published data sets and tokenizers, made from the registry and from what was written.

A data-set repo holds a folder of Parquet files for each config, the card, and `PUBLISHED`: a JSON object with an
`entry` for each config, from which the card's text is made. Configs that others add stay.
"""

import inspect
import json
from typing import Any

import numpy as np
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs

from .. import __version__
from ..data import blocks
from ..data.builder import CITATION, PAPER_URL
from ..show.rows import as_json
from ..tasks import Task
from ..tasks.coding import FILE as CODING
from .cards import Card, merged

PUBLISHED = "hf_procedural.json"
_SHOWN = 48  # tokens of an example
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_SIZES += ((10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B"))


def entry(builder, name: str, parameters: dict, command: str) -> dict:
    """What the card and a later `publish` need to know of a config, as plain JSON.

    `builder` is a `Procedural` builder made from `name` and `parameters`; `command` is what the user typed.
    """
    task, seed = builder.config.task, builder.config.seed
    rows = builder.config.rows()
    first = {split: blocks.block(task, seed, split, 0) for split in rows}
    splits = {split: {"rows": rows[split], "fingerprint": blocks.digest(*first[split])} for split in rows}
    coding = builder.config.coding
    form = builder.config.form | ({"apart": True} if task.apart else {})
    return form | {
        "task": name,
        "parameters": parameters,
        "all_parameters": task.parameters,
        "seed": seed,
        "splits": splits,
        "summary": task.summary,
        "layout": _layout(task),
        "example": _example(task, *next(iter(first.values()))),
        "row_length": task.max_length,
        "row_lengths": _row_length(task),
        "vocabulary_size": coding.vocab_size if coding else len(task.vocabulary),
        "paper": task.paper,
        "version": __version__,
        "command": command,
    }


def _row_length(task: Task) -> str:
    """The tokens in a row, in words; those of the split test too, where they are more."""
    usual, longer = task.row_length("train"), task.row_length("test")
    return f"{usual:,}" if usual == longer else f"{usual:,} (test: {longer:,})"


def _layout(task: Task) -> str:
    members = getattr(task, "members", None) or ([task.inner] if hasattr(task, "inner") else [])
    described = [inspect.getdoc(type(each)) for each in (task, *members)]
    return "\n\n".join(dict.fromkeys(filter(None, described)))


def _example(task: Task, input_ids: np.ndarray, labels: np.ndarray) -> dict[str, str]:
    """The first of some rows as text: prompt and answer, or the text of a language."""
    (row,) = as_json(task, input_ids[:1], labels[:1])
    if "text" in row:
        return {"text": _cut(row["text"].split())}
    return {"prompt": _cut(row["prompt"]), "answer": _cut(row["answer"])}


def _cut(words: list[str]) -> str:
    more = len(words) - _SHOWN
    return " ".join(words[:_SHOWN]) + (f" ... ({more:,} more)" if more > 0 else "")


def dataset_card(
    where: str,
    published: dict[str, dict],
    infos: DatasetInfosDict,
    before: Card | None = None,
    revision: str | None = None,
    is_folder: bool = False,
) -> str:
    """The card of a repo (or folder) with the `published` configs, each an `entry`, over the card that was there.

    `infos` are the infos of configs that the YAML does not have yet, or has otherwise. Configs in the YAML that are
    ours by name of `published` get its files; others stay. Raises ValueError for YAML that is not a data set's.
    """
    metadata: Any = dict(before.metadata) if before else {}  # which `datasets` takes for a DatasetCardData
    ours = {
        name: {"data_files": [{"split": split, "path": f"{name}/{split}-*"} for split in made["splits"]]}
        for name, made in published.items()
    }
    try:
        MetadataConfigs(ours).to_dataset_card_data(metadata)
        infos.to_dataset_card_data(metadata)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"the YAML of README.md of {where} is not that of a data set: {error}") from None
    rows = sum(split["rows"] for made in published.values() for split in made["splits"].values())
    usual = {
        "license": "apache-2.0",
        "pretty_name": "Procedural pretraining data",
        "task_categories": ["text-generation"],
    }
    tags = metadata.get("tags") or []
    tags = [tags] if isinstance(tags, str) else tags
    metadata = usual | metadata
    metadata["size_categories"] = [next((label for limit, label in _SIZES if rows < limit), "n>1T")]
    metadata["tags"] = list(
        dict.fromkeys([*tags, "procedural", "synthetic", "procedural-pretraining", "hf_procedural"])
    )
    return merged(_body(where, published, revision, is_folder), metadata, before)


def without(metadata: dict, configs: set[str]) -> dict:
    """A card's YAML without some configs."""
    kept = dict(metadata)
    for key in ("configs", "dataset_info"):
        if isinstance(kept.get(key), list):
            kept[key] = [each for each in kept[key] if each.get("config_name") not in configs]
    if isinstance(kept.get("dataset_info"), dict) and kept["dataset_info"].get("config_name") in configs:
        del kept["dataset_info"]
    return kept


def tokenizer_repo(repo: str, config: str) -> str:
    """The name of a config's tokenizer repo, beside the data set: ``me/procedural-sort-64``."""
    return f"{repo}-{config}".replace("+", "_and_")


def tokenizer_card(task: Task, made: dict, repo: str, config: str) -> str:
    """The card of the tokenizer of a config, whose entry is `made`, of the data set `repo`."""
    metadata = {"library_name": "transformers", "license": "apache-2.0", "datasets": [repo], "tags": ["hf_procedural"]}
    words = next(iter(made["example"].values())).split(" ...")[0]
    first = ", ".join(f"`{token}`" for token in task.vocabulary[:8])
    last = ", ".join(f"`{token}`" for token in task.vocabulary[-2:])
    text = f"""# Tokenizer of {config}

A tokenizer, no model: each of the {len(task.vocabulary):,} tokens of the procedural task {config} ({task.summary}) is a
word, words are separated by spaces. Ids in order: {first} ... {last}. It belongs to the config `{config}` of the data
set [{repo}](https://huggingface.co/datasets/{repo}), whose rows are {_row_length(task)} tokens long.

```python
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{tokenizer_repo(repo, config)}")
tokenizer({words!r})["input_ids"]
```

Made with hf_procedural {__version__}; nothing but transformers is needed to load it. Source of the task:
{task.paper}."""
    return merged(text, metadata)


def _body(where: str, published: dict[str, dict], revision: str | None, is_folder: bool) -> str:
    use = _use(where, *next(iter(published.items())), revision, is_folder)
    table = [
        "| config | what is learned | rows: train, validation, test | row length | tokens |",
        "|---|---|---|--:|--:|",
    ]
    for config, made in published.items():
        rows = ", ".join(
            f"{made['splits'].get(split, {}).get('rows', 0):,}" for split in ("train", "validation", "test")
        )
        tokens = made.get("row_lengths") or f"{made['row_length']:,}"
        table.append(f"| `{config}` | {made['summary']} | {rows} | {tokens} | {made['vocabulary_size']:,} |")
    table = "\n".join(table)
    sections = "\n\n".join(_section(config, made) for config, made in published.items())
    return f"""# Procedural pretraining data

Rows of procedural tasks: data without meaning that a language model sees before text, code or maths, and then learns
those faster. Generated, not collected: no text of any person is in it.

{table}

`tokens` is the size of the vocabulary, padding included.

## Use

{use}

## How it was made

By hf_procedural, with the command that stands with each config below. Rows depend on task, parameters, seed, split and
index alone. Train, validation and test are told apart by a hash of the prompt's tokens: no prompt is in two of them. A
fingerprint is a digest of the first rows of a split; `{PUBLISHED}` has all of this for programs.

{sections}

## Citation

The tasks' sources stand with them; the method is that of [Procedural Pretraining]({PAPER_URL}).

```bibtex
{CITATION}
```"""


_COLUMNS = {
    "ids": """Columns are `input_ids` and `labels`, lists of token ids: the labels equal the inputs where the loss
counts and are -100 elsewhere, not shifted, as models of transformers want them.""",
    "apart": """Columns are `input_ids` and `labels`, lists of token ids: a label is what is to be predicted in its
place from the tokens before it, which need not be the token there; -100 where the loss does not count. Not shifted, as
models of transformers want them.""",
    "text": """The column `text` has the tokens of a row as words, separated by spaces, without padding. The task's own
tokenizer gives the row's ids for it; any other reads it as text, as `trl sft` does with `--dataset_name`.""",
    "integers": """The column `text` has the ids of a row as integers, separated by spaces, without padding, for any
tokenizer of text, as in arXiv:2609.39827.""",
    "prompt_completion": """The columns `prompt` and `completion` are text, as SFTTrainer and GRPOTrainer of TRL take
them: one after the other, they are the row.""",
    "messages": """The column `messages` has a turn of the user, the prompt, and one of the assistant, the answer, as
chat templates take them.""",
}
_FIRST = {
    "ids": 'tokenizer.decode(rows["{split}"][0]["input_ids"])',
    "text": 'tokenizer(rows["{split}"][0]["text"])',
    "integers": 'rows["{split}"][0]["text"]',
    "prompt_completion": 'tokenizer(rows["{split}"][0]["prompt"])',
    "messages": 'rows["{split}"][0]["messages"]',
}


def _use(where: str, name: str, made: dict, revision: str | None, is_folder: bool) -> str:
    """How the config `name`, whose entry is `made`, is loaded, and trained on where the stock collator takes rows."""
    at = f', revision="{revision}"' if revision else ""
    view, coding = made.get("view", "ids"), made.get("coding")
    if coding:
        vocabulary = f'"{coding["tokenizer"]}"'
    elif is_folder:
        vocabulary = f'"{where}/{name}"'
    else:
        vocabulary = f'"{tokenizer_repo(where, name)}"{at}'
    first = _FIRST[view].format(split=next(iter(made["splits"])))
    text = f"""```python
from datasets import load_dataset
from transformers import AutoTokenizer

rows = load_dataset("{where}", "{name}"{at})  # or streaming=True
tokenizer = AutoTokenizer.from_pretrained({vocabulary})
print({first})
```

{_COLUMNS["apart" if view == "ids" and made.get("apart") else view]}"""
    if coding:
        text += f""" Ids are those of {coding["tokenizer"]}: `{name}/{CODING}` says how the task's tokens are written in
them, and `hf_procedural.Coding.load` reads it."""
    is_padded = view == "ids" and (coding is None or coding["kind"] == "symbols")
    return text + (_training(made) if is_padded else "")


def _training(made: dict) -> str:
    evaluation = "validation" if "validation" in made["splits"] else next(iter(made["splits"]))
    return f""" Rows are padded on the right and need no attention mask. With the stock Trainer:

```python
from transformers import AutoConfig, AutoModelForCausalLM, Trainer, TrainingArguments, default_data_collator

sizes = dict(n_layer=2, n_head=4, n_embd=64, n_positions={made["row_length"]}, vocab_size={made["vocabulary_size"]})
ends = dict(bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
model = AutoModelForCausalLM.from_config(AutoConfig.for_model("gpt2", **ends, **sizes))
arguments = TrainingArguments("out", per_device_train_batch_size=32, learning_rate=1e-3, max_steps=1000)
data = dict(train_dataset=rows["train"], eval_dataset=rows["{evaluation}"])
Trainer(model, arguments, data_collator=default_data_collator, **data).train()
```"""


def _section(config: str, made: dict) -> str:
    example = "\n".join(f"{name}: {text}" for name, text in made["example"].items())
    parameters = ", ".join(f"{key} = {json.dumps(value)}" for key, value in made["all_parameters"].items())
    fingerprints = ", ".join(f"{name} `{split['fingerprint']}`" for name, split in made["splits"].items())
    written = sum(split["bytes"] for split in made["splits"].values())
    size = f"{written / 1e6:,.1f} MB" if written >= 1e6 else f"{written / 1e3:,.1f} kB"
    return f"""### {config}

{made["summary"][0].upper()}{made["summary"][1:]}.

```text
{made["layout"].replace("``", "")}

{example}
```

- Parameters: `{parameters}`; seed {made["seed"]}.
- Size: {size} of Parquet. Fingerprints: {fingerprints}.
- Source: {made["paper"]}.
- Made with hf_procedural {made["version"]}: `{made["command"]}`"""
