"""A study as its YAML has it: stages of recipes, whose lists are arms.

    seeds: [0, 1, 2]
    stages:
      warmup:
        recipe: pretrain
        task: [sort, set]
        length: [16, 32]
        max_steps: 600
      probe:
        recipe: probe
        settings: probe_haystack
        init_from: [scratch, warmup, attn=warmup, permuted:warmup/set*]

A list of values, where the recipe takes one, is as many arms; all lists of a stage are combined. What stands behind a
name of a stage (``warmup``, or ``warmup/set*`` by the names of its arms) is the output of each of its runs, of the same
seed. This module reads and checks; graph.py makes the runs.
"""

import contextlib
import dataclasses
import graphlib
import re
from pathlib import Path

from .. import accepted
from ..errors import nearest
from ..tasks import lookup
from ..tasks.presets import PRESETS
from ..training import catalogue, declared, parser

# Arguments that may name the output of a stage.
REFERRING = ("init_from", "model_name_or_path", "dataset", "organic_dataset", "positive_dataset", "negative_dataset")
REFERRING += ("questions", "proxy_model", "quality_model", "structure_model")
TRANSFER = ("transfer", "embeddings", "layers")  # without effect on a model from scratch
MATCHED = ("compute_matched", "flops_matched", "natural", "substitutive")  # see matched.py
_OF_STUDY = ("name", "output_dir", "seeds", "stages")
_OF_STAGE = ("recipe", "settings", "seeds", "controls", "matched", "resources", "launch")
_OURS = ("output_dir", "seed", "resume_from_checkpoint", "run_name", "hub_model_id")  # that a study gives its runs


@dataclasses.dataclass(frozen=True)
class Reference:
    """A word of an argument that names runs of a stage; `arms` is a pattern of their names, as of a shell."""

    before: str  # such as ``attn=permuted:``
    stage: str
    arms: str = "*"


@dataclasses.dataclass
class Stage:
    """A stage: `fixed` arguments of its recipe, and `axes`, each with the values of its arms."""

    name: str
    recipe: str
    fixed: dict
    axes: dict[str, list]
    seeds: list[int]
    matched: list[str]
    resources: dict
    launch: dict

    @property
    def script(self) -> str:
        """The recipe that makes its runs: probes are rows made on the fly for a run of pretrain."""
        return "pretrain" if self.recipe == "probe" else self.recipe


@dataclasses.dataclass
class Study:
    """What a YAML says. `stages` are in an order in which each stands behind those that it begins from."""

    name: str
    output: Path
    stages: dict[str, Stage]


def read(file, output=None, seeds: list[int] | None = None) -> Study:
    """The study of a YAML file; `output` and `seeds` are said in its stead.

    Raises ValueError, in a line that names the stage and the key, for all that is wrong in it.
    """
    content = parser.read_yaml(str(file))
    _check_keys(content, _OF_STUDY, str(file))
    given = content.get("stages")
    if not isinstance(given, dict) or not given:
        raise ValueError(f"{file}: stages must be a mapping of names to stages, got {given!r}")
    seeds = _seeds(content.get("seeds", [0]), str(file)) if seeds is None else _seeds(seeds, "--seeds")
    stages = {name: _stage(name, keys, seeds, given) for name, keys in given.items()}
    name = content.get("name", Path(file).stem)
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(f"{file}: name must be of letters, digits, _, . and -, got {name!r}")
    folder = output or content.get("output_dir", f"runs/{name}")
    if not folder or not isinstance(folder, str | Path):
        raise ValueError(f"{file}: output_dir must name a folder, got {folder!r}")
    return Study(name, Path(accepted.at_home(str(folder))), _ordered(stages))


def references(value, stages) -> list[Reference | str]:
    """A value in words, those that name runs of `stages` as references: ``attn=warmup,mlp=other/eca``.

    >>> references("attn=warmup/set*,mlp=runs/eca", {"warmup": None})
    [Reference(before='attn=', stage='warmup', arms='set*'), 'mlp=runs/eca']
    """
    if not isinstance(value, str):
        return [value]
    words = []
    for word in value.split(","):
        match = re.fullmatch(r"((?:[\w+.]+[=*:])*)(\w+)(?:/([^=:]+))?", word.strip())
        named = match is not None and match[2] in stages
        words.append(Reference(match[1], match[2], match[3] or "*") if named else word)
    return words


def _check_keys(content: dict, known, where: str) -> None:
    for key in content:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}{nearest(str(key), known)} (keys: {', '.join(known)})")


def _seeds(value, where: str) -> list[int]:
    seeds = value if isinstance(value, list) else [value]
    if not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ValueError(f"{where}: seeds must be different whole numbers from 0 on, got {value!r}")
    return seeds


def _stage(name: str, given, seeds: list[int], stages: dict) -> Stage:
    where = f"stage {name}"
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*", name):
        raise ValueError(f"{where}: a stage's name is of letters, digits and _, and begins with a letter")
    if name == "diagnosis":
        raise ValueError(f"{where} has the name of a folder of the report: choose another")
    if not isinstance(given, dict):
        raise ValueError(f"{where} must be a mapping of keys to values, got {given!r}")
    own = {key: given[key] for key in _OF_STAGE if key in given}
    recipe = own.get("recipe")
    if recipe not in catalogue.FILES:
        near = nearest(str(recipe), catalogue.FILES)
        raise ValueError(f"{where}: recipe must be one of {', '.join(catalogue.FILES)}, got {recipe!r}{near}")
    content = _settings(recipe, own["settings"]) if "settings" in own else {}
    content = content | {key: value for key, value in given.items() if key not in _OF_STAGE}
    stage = Stage(
        name,
        recipe,
        {},
        {},
        _seeds(own["seeds"], where) if "seeds" in own else seeds,
        _words("matched", own.get("matched", []), MATCHED, where),
        _resources(own.get("resources"), where),
        _launch(own.get("launch"), where),
    )
    _sort(stage, content, "settings" in own, where)
    controls = _words("controls", own.get("controls", []), ("permuted", "statistics"), where)
    if controls:
        _add_controls(stage, controls, stages, where)
    return stage


def _settings(recipe: str, name) -> dict:
    """The arguments of one of a recipe's YAMLs, without the study that is in those of probe."""
    content = parser.read_yaml(str(catalogue.config_of(recipe, str(name))))
    if recipe != "probe":
        return content
    content = {key: value for key, value in content.items() if key not in ("seeds", "num_proc")}
    lists = [key for key in ("task", "init_from") if isinstance(content.get(key), list) and len(content[key]) == 1]
    return {"streaming": True} | content | {key: content[key][0] for key in lists}


def _words(key: str, value, known, where: str) -> list[str]:
    words = value if isinstance(value, list) else [value]
    for word in words:
        if word not in known:
            raise ValueError(
                f"{where}: {key} must be among {', '.join(known)}, got {word!r}{nearest(str(word), known)}"
            )
    return words


def _mapping(key: str, value, where: str) -> dict:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{where}: {key} must be a mapping of names to values, got {value!r}")
    return value or {}


def _resources(value, where: str) -> dict:
    resources = _mapping("resources", value, where)
    for name, amount in resources.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"{where}: resources: {name!r} is no name of a resource, such as gpu, mem_mb, runtime")
        least = {"gpu": 0, "threads": 1}.get(name)
        if least is not None and not (type(amount) is int and amount >= least):
            raise ValueError(f"{where}: resources: {name} must be a whole number of at least {least}, got {amount!r}")
        if isinstance(amount, bool) or not isinstance(amount, int | float | str):
            raise ValueError(f"{where}: resources: {name} must be a number or a word, got {amount!r}")
    return resources


def _launch(value, where: str) -> dict:
    """Flags of accelerate launch, without dashes."""
    launch = _mapping("launch", value, where)
    flags = []
    with contextlib.suppress(declared.Unreadable):  # then the launcher tells it
        flags = [flag.removeprefix("--") for flag in declared.flags_of("accelerate.commands.launch")]
    for name, word in launch.items():
        if flags and name not in flags:
            raise ValueError(f"{where}: launch: accelerate launch has no --{name}{nearest(str(name), flags)}")
        is_count = name in ("num_processes", "num_machines")
        if is_count and not (type(word) is int and word >= 1):
            raise ValueError(f"{where}: launch: {name} must be a whole number of at least 1, got {word!r}")
        if not isinstance(word, bool | int | float | str):
            raise ValueError(f"{where}: launch: {name} must be a single value, got {word!r}")
    return launch


def _sort(stage: Stage, content: dict, has_settings: bool, where: str) -> None:
    """Puts arguments among a stage's `fixed` or its `axes`. Raises ValueError for what its recipe does not know."""
    try:
        options = parser.of_recipe(catalogue.script_of(stage.script))
    except ValueError:
        raise ValueError(f"{where}: recipe {stage.recipe} cannot be a stage: a YAML tells it nothing") from None
    for key in content:
        if not isinstance(key, str):
            raise ValueError(f"{where}: unknown key {key!r}")
    parameters = _task_parameters(content.get("task")) if "task_parameters" in options.options else {}
    for key in [key for key in content if key in _OURS]:
        if key not in ("output_dir", "seed") or not has_settings:
            raise ValueError(f"{where}: {key} is the study's: it gives each run its own")
        del content[key]
    if content.get("push_to_hub"):
        raise ValueError(f"{where}: push_to_hub: all runs would be one repository; push folders when they are made")
    for_task = {key: content.pop(key) for key in [*content] if key not in options.options and key in parameters}
    for key in content:
        near = nearest(key, [*_OF_STAGE, *parameters])
        if key not in options.options and near and not nearest(key, options.options, cutoff=0.8):
            raise ValueError(f"{where}: unknown key {key!r}{near}")
    for key, value in options.todays(content, where).items():
        is_list = options.takes_list(key) and key != "model_name_or_path"  # of which each has a run of its own
        if _is_axis(value, is_list):
            if not value:
                raise ValueError(f"{where}: {key} is an empty list, which is no arm")
            stage.axes[key] = value
        else:
            stage.fixed[key] = value
    for key, value in for_task.items():
        if _is_axis(value, parameters[key]):
            stage.axes[f"task_parameters.{key}"] = value  # of which an arm tells the last word
        else:
            stage.fixed["task_parameters"] = (stage.fixed.get("task_parameters") or {}) | {key: value}
    for key in ("init_from", "model_name_or_path"):
        for value in stage.axes.get(key, [stage.fixed.get(key)]):
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{where}: {key} must be a name of a stage, a folder or of the Hub, got {value!r}")


def _is_axis(value, is_list: bool) -> bool:
    """Whether a value is those of several arms, of an argument that is itself a list, or is none."""
    return isinstance(value, list) and (not is_list or (bool(value) and all(isinstance(item, list) for item in value)))


def _task_parameters(tasks) -> dict[str, bool]:
    """The parameters that the tasks of a stage have among them, and whether each is a list of values.

    Those of what is no task are left out, which is said later.
    """
    parameters = {"shuffle_tokens": False}
    for value in tasks if isinstance(tasks, list) else [tasks]:
        names = str(PRESETS[value].task if value in PRESETS else value).split("+")
        parameters |= {"weights": True} if len(names) > 1 else {}
        for name in names:
            with contextlib.suppress(ValueError):
                of_task = lookup.parse(name, {})[0]
                own = {field.name: "tuple" in str(field.type) for field in dataclasses.fields(of_task)}
                parameters |= own
                parameters |= {f"{of_task.name}.{key}": is_list for key, is_list in own.items() if len(names) > 1}
    return parameters


def _add_controls(stage: Stage, controls: list[str], stages, where: str) -> None:
    """Beside each arm that begins from a stage, one that begins from a control of it."""
    values = stage.axes.get("init_from") or [stage.fixed.pop("init_from", None)]
    words_of = [references(value, stages) for value in values]
    of_stages = [words for words in words_of if any(isinstance(word, Reference) for word in words)]
    plain = [words for words in of_stages if not any(re.search(r"\w:", _before(word)) for word in words)]
    if not plain:
        what = "only controls" if of_stages else "none"
        raise ValueError(f"{where}: controls are of arms that begin from a stage, and init_from names {what}")
    added = [",".join(_controlled(word, control) for word in words) for control in controls for words in plain]
    stage.axes["init_from"] = [*values, *(value for value in added if value not in values)]


def _before(word: Reference | str) -> str:
    return word.before if isinstance(word, Reference) else ""


def _controlled(word: Reference | str, control: str) -> str:
    if isinstance(word, str):
        return word
    kept = word.before if word.before.endswith(("=", "*")) or not word.before else ""
    return f"{kept}{control}:{word.stage}" + ("" if word.arms == "*" else f"/{word.arms}")


def begins_from(stage: Stage, stages) -> set[str]:
    """The stages whose runs a stage's arguments name."""
    values = [value for key in REFERRING for value in [stage.fixed.get(key), *stage.axes.get(key, [])]]
    words = []
    for value in values:
        for item in value if isinstance(value, list) else [value]:
            words += references(item, stages)
    return {word.stage for word in words if isinstance(word, Reference)}


def _ordered(stages: dict[str, Stage]) -> dict[str, Stage]:
    graph = {name: sorted(begins_from(stage, stages)) for name, stage in stages.items()}
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        first, *others = error.args[1]
        if others == [first]:  # such as a stage codeparrot, whose dataset is codeparrot/codeparrot-clean-train
            raise ValueError(
                f"stage {first} begins from itself; call it otherwise where a name was not meant"
            ) from None
        raise ValueError(f"stages begin from each other: {' -> '.join([*reversed(others), first])}") from None
    return {name: stages[name] for name in order}
