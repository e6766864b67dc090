"""The recipes by name: their scripts, and the settings that come with them."""

import functools
from pathlib import Path

from ..errors import nearest
from ..files import recipes_folder, shipped, studies_folder

# Each command with its script, in the order in which a model meets them.
FILES = {
    "pretrain": "pretrain.py",
    "probe": "probe.py",
    "semantic": "semantic.py",
    "report": "report.py",
    "rlvr": "rlvr.py",
    "rpt_prepare": "rpt_prepare.py",
    "rpt": "rpt.py",
    "rpt_evaluate": "rpt_evaluate.py",
    "recycle_train": "recycle_train.py",
    "recycle_rephrase": "recycle_rephrase.py",
    "recycle_report": "recycle_report.py",
    "recycle_classifier": "recycle_classifier.py",
    "recycle_filter": "recycle_filter.py",
    "evaluate": "run_suite.py",
}
TRAIN = ("pretrain", "probe", "semantic", "rlvr", "rpt", "recycle_train")  # by a Trainer, under accelerate launch


def script_of(name: str) -> Path:
    """The script of a recipe. Raises ValueError for a name that is none."""
    if name not in FILES:
        raise ValueError(f"unknown recipe {name!r}{nearest(name, FILES)} (recipes: {', '.join(FILES)})")
    return recipes_folder() / FILES[name]


def summary_of(name: str) -> str:
    """The first line of a recipe's docstring."""
    return script_of(name).read_text(encoding="utf-8").split('"""', 2)[1].partition("\n")[0]


def recipe_of(config: Path) -> str:
    """The recipe of a YAML in recipes/configs: its first line is the command that runs it."""
    with config.open(encoding="utf-8") as file:
        return file.readline().split()[2]


@functools.cache
def _configs() -> dict[str, list[str]]:
    configs = {name: [] for name in FILES}
    for config in sorted((recipes_folder() / "configs").glob("*.yaml")):
        configs[recipe_of(config)].append(config.stem)
    return configs


def configs_of(name: str) -> list[str]:
    """The names of a recipe's YAMLs."""
    return _configs()[name]


def launch_configurations() -> list[str]:
    """The names of accelerate's configurations in recipes/accelerate."""
    return sorted(file.stem for file in (recipes_folder() / "accelerate").glob("*.yaml"))


def config_of(name: str, word: str) -> Path:
    """The YAML that a user means by `word`: a file, or one of the recipe's by name. Raises ValueError for neither."""
    config = shipped("configs", word)
    if _is_file(word, config):
        return Path(word)
    if config is None:
        known = configs_of(name)
        raise ValueError(f"{name} has no settings {word!r}{nearest(word, known)} (its own: {', '.join(known)})")
    if recipe_of(config) != name:
        raise ValueError(f"{word} is no setting of {name}: hf-procedural {recipe_of(config)} {word}")
    return config


def studies() -> list[str]:
    """The names of the studies that come with the package."""
    return sorted(file.stem for file in studies_folder().glob("*.yaml"))


def study_of(word: str) -> Path:
    """The YAML that a user means by `word`: a file, or a study by name. Raises ValueError for neither."""
    file = studies_folder() / f"{word}.yaml"
    if _is_file(word, file if file.is_file() else None):
        return Path(word)
    if not file.is_file():
        raise ValueError(f"there is no study {word!r}{nearest(word, studies())} (by name: {', '.join(studies())})")
    return file


def _is_file(word: str, by_name: Path | None) -> bool:
    """Whether `word` names a file, rather than what has its name; where there is none, who reads it says so."""
    return Path(word).exists() or (by_name is None and ("/" in word or bool(Path(word).suffix)))
