"""The kinds of stages: what the runs of each are called, trained on, evaluated on, and cited with.

A run tells its stage in provenance.json; of runs older than that the keys of recipe.yaml tell it, here alone.
"""

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..data.builder import CITATION, PAPER_URL
from ..files import is_hub_id
from ..tasks import task
from ..tasks.coding import FILE as CODING
from ..text.math_archive import DIFFICULTIES, TO_VALIDATE
from ..text.math_packed import PACKED
from ..text.readers import CORPORA, FILE_NAME
from ..text.sources import TextSource, label, named, parse_source, texts_of
from .folder import DATA
from .measured import REWARDS
from .read import ACCURACY, Run
from .tables import short_paths

_CORPORA = {"stdlib": "the source of Python's standard library", "pydoc": "Python's language reference"}
_PROCEDURAL = f"The method is that of [Procedural Pretraining]({PAPER_URL}).\n\n```bibtex\n{CITATION}\n```"
_RPT = "The method is that of [Reinforcement Pre-Training](https://arxiv.org/abs/2506.08007), Dong et al. 2025."
_REPRO = "The method is that of [RePro](https://arxiv.org/abs/2510.10681), Yu and Xiong 2025."


@dataclasses.dataclass(frozen=True)
class Stage:
    """What is to be said of the runs of one kind."""

    name: str  # that of its recipe, and in provenance.json
    trained_on: Callable[[Run], str]
    evaluated_on: Callable[[Run, dict], str]  # also of provenance.json; a sentence
    benchmark: Callable[[Run], dict[str, Any]]  # the data set of a result, as the Hub's metadata have it
    hub_key: str | None = None  # of recipe.yaml, where that may name data sets of the Hub
    citation: str = _PROCEDURAL
    reward: Callable[[dict], str] | None = None  # of recipe.yaml, in words; None where labels train

    @property
    def is_procedural(self) -> bool:
        """Whether rows of a task are all that it is trained on."""
        return self.trained_on is _rows


def stage_of(run: Run, provenance: dict) -> Stage:
    """The stage of a run. Raises KeyError for one that is not known."""
    if "stage" in provenance:
        name = provenance["stage"]
    else:  # of a run before 0.2
        name = next((name for key, name in _KEYS.items() if key in run.recipe), "pretrain")
    # of the semantic stage only DeepMind-Math has answers
    return _MATHS if name == "semantic" and run.last(ACCURACY) is not None else STAGES[name]


def data_of(recipe: dict) -> str:
    """The data of a recipe, or of an earlier stage in provenance.json; empty where these do not tell."""
    for key in DATA:
        if recipe.get(key):
            return f"`{short_paths(joined(recipe[key]))}`"
    return ""


def joined(datasets: str | dict | list) -> str:
    """The data set of a recipe, or those of a mixture."""
    if isinstance(datasets, list):
        return " + ".join(short_paths(label(dataset)) for dataset in datasets)
    return label(datasets)


def on_hub(name: str) -> bool:
    """Whether the name of a model or data set is one of the Hub, as far as can be told now."""
    return is_hub_id(name) and not Path(name).exists()


def dataset_on_hub(name: str) -> bool:
    """The same of a name that may be that of a corpus or file, too."""
    is_file = FILE_NAME.search(name) or PACKED.search(name)
    return name not in CORPORA and not is_file and on_hub(name)


def datasets_on_hub(datasets: str | dict | list) -> list[str]:
    """The ids of those data sets of a recipe that are on the Hub, each once."""
    return list(dict.fromkeys(source.name for source in named(texts_of(datasets)) if dataset_on_hub(source.name)))


def _rows(run: Run) -> str:
    about = ""
    with contextlib.suppress(ValueError):  # a task of the user's own
        about = f" ({task(run.recipe['task'], **run.recipe.get('task_parameters') or {}).summary})"
    return f"rows of the procedural task {data_of(run.recipe)}{about}"


def _validation_rows(run: Run, provenance: dict) -> str:
    return f"On {run.recipe['validation_size']:,} validation rows; their prompts are in no training row."


def _procedural(run: Run) -> dict:
    name = run.recipe["task"]
    return {
        "dataset_type": "procedural",
        "dataset_name": f"procedural {name}",
        "dataset_config": name,
        "dataset_split": "validation",
        "dataset_args": (run.recipe.get("task_parameters") or {}) | {"seed": run.recipe.get("data_seed", run.seed)},
    }


def _text(run: Run) -> str:
    recipe = run.recipe
    config, texts = recipe.get("dataset_config"), joined(texts_of(recipe["dataset"]))
    known = _CORPORA.get(texts)
    text = f"text of `{short_paths(texts)}`" + (f", `{config}`" if config else "") + (f" ({known})" if known else "")
    return text + _rows_with_text(run)


def _rows_with_text(run: Run) -> str:
    """The procedural rows of a run on text, in words; empty where there are none."""
    recipe = run.recipe
    datasets = recipe["dataset"] if isinstance(recipe["dataset"], list) else [recipe["dataset"]]
    weights = recipe.get("weights") or [1.0] * len(datasets)
    parts = []
    if recipe.get("first"):
        parts.append(f"behind {recipe['first_tokens']:,} tokens of {_coded(recipe, recipe['first'])}")
    for dataset, weight in zip(datasets, weights, strict=True):
        if dataset not in texts_of(datasets):
            parts.append(f"with {weight / sum(weights):.3%} of the tokens from {_coded(recipe, dataset)}")
    if not parts:
        return ""
    seed = recipe.get("data_seed", run.seed)
    return f", {' and '.join(parts)} (seed {seed}; `{CODING}` tells which token is which)"


def _coded(recipe: dict, dataset: str | dict) -> str:
    coding = parse_source(dataset).coding or recipe["coding"]
    return f"`{label(dataset)}` coded as {coding}"


def _held_out_text(run: Run, provenance: dict) -> str:
    recipe = run.recipe
    name = joined(recipe.get("validation_dataset") or texts_of(recipe["dataset"]))
    split = recipe.get("validation_split")
    where = f"the split `{split}` of `{short_paths(name)}`" if split else f"`{short_paths(name)}`"
    if name in CORPORA and not recipe.get("validation_dataset"):
        where += " (every 20th document, which training left out)"
    size = provenance.get("bytes_per_token")
    end = f", {size:.3f} bytes per token." if size else "."
    return f"On at most {recipe['validation_size']:,} rows of {recipe['sequence_length']:,} tokens from {where}{end}"


def _text_on_hub(run: Run) -> dict:
    other = run.recipe.get("validation_dataset")
    validated = other or texts_of(run.recipe["dataset"])
    several = named(validated)
    (source,) = several if len(several) == 1 else [TextSource(joined(validated))]
    own_split = source.split if other else source.validation_split
    return {
        "dataset_type": source.name if source.name in CORPORA or dataset_on_hub(source.name) else "text",  # an id
        "dataset_name": short_paths(source.name),
        "dataset_split": own_split or run.recipe.get("validation_split"),
        "dataset_config": source.config or (None if other else run.recipe.get("dataset_config")),
    }


def _problems(run: Run) -> str:
    return f"the problems of DeepMind-Math ({data_of(run.recipe)}), by characters"


def _held_out_problems(run: Run, provenance: dict) -> str:
    each = run.recipe["validation_problems"]
    splits = provenance.get("math_splits", {"train": DIFFICULTIES, "validation": TO_VALIDATE})
    where = " and ".join(f"`{split}`" for split in splits["validation"])
    lacking = [f"`{split}`" for split in DIFFICULTIES if split not in splits["train"]]
    without = f" Training was without {' and '.join(lacking)}." if lacking else ""
    return f"On the first problems of each module in {where}, at most {each} of each.{without}"


def _mathematics(run: Run) -> dict:
    return {"dataset_type": "mathematics_dataset", "dataset_name": "DeepMind-Math"}


def _questions(run: Run) -> str:
    return f"next-token questions of {data_of(run.recipe)}"


def _held_out_questions(run: Run, provenance: dict) -> str:
    number = provenance.get("questions", {}).get("validation") or run.recipe["validation_size"]
    return f"On {number:,} held-out questions, graded by the entropy of a proxy model."


def _questions_on_hub(run: Run) -> dict:
    name = run.recipe["questions"]
    return {
        "dataset_type": name if dataset_on_hub(name) else "text",
        "dataset_name": f"next-token questions, {short_paths(name)}",
        "dataset_split": "validation",
    }


def _web_text(run: Run) -> str:
    return f"web text of {data_of(run.recipe)}, which it paraphrases"


def _held_out_web_text(run: Run, provenance: dict) -> str:
    number = provenance.get("texts", {}).get("validation") or run.recipe["validation_size"]
    return f"On paraphrases of {number:,} held-out texts, sampled; means."


def _web_text_on_hub(run: Run) -> dict:
    name = run.recipe["dataset"]
    return {
        "dataset_type": name if dataset_on_hub(name) else "text",
        "dataset_name": f"web text, {short_paths(name)}",
    }


def _reward(recipe: dict) -> str:
    return f"`{recipe['reward']}`"


def _weighted(recipe: dict) -> str:
    weights = {name: recipe.get(f"{name}_weight") for name in REWARDS}
    return ", ".join(f"{name} x {weight:g}" for name, weight in weights.items() if weight)


_PRETRAIN = Stage("pretrain", _rows, _validation_rows, _procedural)
_MATHS = Stage("semantic", _problems, _held_out_problems, _mathematics)
_STAGES = (
    _PRETRAIN,
    dataclasses.replace(_PRETRAIN, name="rlvr", reward=_reward),
    Stage("semantic", _text, _held_out_text, _text_on_hub, "dataset"),
    Stage("rpt", _questions, _held_out_questions, _questions_on_hub, "questions", _RPT, _reward),
    Stage("recycle_train", _web_text, _held_out_web_text, _web_text_on_hub, "dataset", _REPRO, _weighted),
)
STAGES = {stage.name: stage for stage in _STAGES}
_KEYS = {"questions": "rpt", "reward": "rlvr", "quality_weight": "recycle_train", "dataset": "semantic"}
