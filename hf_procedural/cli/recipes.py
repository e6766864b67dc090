"""hf-procedural recipe list, recipe copy: what the recipes are, and their scripts for who wants to change them."""

import functools
import re
import shutil
from pathlib import Path

from ..errors import nearest
from ..files import check_folder, recipes_folder, shipped, whole
from ..locks import holding
from ..terminal import console, tell
from .command import FORMAT, add_command

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
COMMANDS = ("list", "copy")  # of hf-procedural recipe
TRAIN = ("pretrain", "probe", "semantic", "rlvr", "rpt", "recycle_train")  # by a Trainer, under accelerate launch

_RECIPE = """Lists the recipes and their settings, or copies one.

    hf-procedural recipe list
    hf-procedural recipe copy pretrain . --config quickstart

A recipe is a script, and a command: hf-procedural pretrain --help."""

_LIST = """Lists the recipes: what each does, and the settings that come with it.

    hf-procedural recipe list

hf-procedural RECIPE SETTING runs one, such as hf-procedural pretrain quickstart."""

_COPY = """Copies the script of a recipe into a folder, with all that it needs beside it.

    hf-procedural recipe copy pretrain my_recipes
    hf-procedural recipe copy pretrain . --config quickstart

What is there already is never overwritten."""


def add_commands(commands) -> None:
    """Adds `recipe` to argparse's `commands`, and a command for each recipe, which cli/launch.py runs."""
    recipe = add_command(commands, "recipe", None, _RECIPE)
    own = recipe.add_subparsers(dest="recipe_command", metavar="COMMAND", required=True, parser_class=type(recipe))
    add_command(own, "list", list_, _LIST)
    copied = add_command(own, "copy", copy, _COPY)
    copied.add_argument("name", metavar="NAME", help="The recipe, such as pretrain.")
    copied.add_argument("folder", metavar="DIR", help="Where to; made if it is not there.")
    copied.add_argument("--config", metavar="YAML", help="Settings to copy with it, such as quickstart.")
    for name in FILES:
        about = summary_of(name)
        runs = commands.add_parser(name, help=about.replace("%", "%%"), add_help=False, **FORMAT)
        runs.add_argument("config", nargs="?", choices=configs_of(name) or None)  # for completion alone
        if name in TRAIN:
            runs.add_argument("--config_file", choices=launch_configurations())


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
    if Path(word).exists() or (config is None and ("/" in word or Path(word).suffix)):
        return Path(word)  # where it is none, the recipe says so
    if config is None:
        known = configs_of(name)
        raise ValueError(f"{name} has no settings {word!r}{nearest(word, known)} (its own: {', '.join(known)})")
    if recipe_of(config) != name:
        raise ValueError(f"{word} is no setting of {name}: hf-procedural {recipe_of(config)} {word}")
    return config


def list_(args) -> None:
    """Prints the recipes with their settings."""
    from rich.padding import Padding

    screen = console()
    for name in FILES:
        screen.print(name, style="bold")
        screen.print(Padding(summary_of(name), (0, 0, 0, 4)))
        if configs_of(name):
            screen.print(Padding(f"settings: {', '.join(configs_of(name))}", (0, 0, 0, 4)))
    screen.print(f"\nFor --config_file of those that train: {', '.join(launch_configurations())}")


def copy(args) -> None:
    """Copies a script and what it needs. Raises ValueError where something is there already; then nothing is copied."""
    script = script_of(args.name)
    check_folder(Path(args.folder), argument="DIR")
    sources = {file: file.relative_to(recipes_folder()) for file in [script, *_needed_by(script)]}
    command = [Path(args.folder, script.name)]
    if args.config:
        config = config_of(args.name, args.config)
        if not config.is_file():
            raise ValueError(f"config: no file {args.config!r}{nearest(args.config, configs_of(args.name))}")
        sources[config] = Path(config.name)
        command.append(Path(args.folder, config.name))
    targets = {source: Path(args.folder, target) for source, target in sources.items()}
    for target in targets.values():
        if target.exists():
            raise ValueError(f"{target} is there already: choose another folder, or remove it")
    with holding(Path(args.folder), "DIR"):
        for source, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole(target, size=source.stat().st_size) as temporary:
                shutil.copyfile(source, temporary)
            tell(target)
    start = "accelerate launch" if args.name in TRAIN else "python"
    tell(f"Run it: {start} {' '.join(map(str, command))}{'' if args.config else ' --help'}")


def _needed_by(script: Path) -> list[Path]:
    """The other recipes that a script imports, and the templates that it reads."""
    text = script.read_text(encoding="utf-8")
    imported = re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)
    recipes = [script.with_name(f"{name}.py") for name in imported if f"{name}.py" in FILES.values()]
    templates = [file for file in (script.parent / "templates").glob("*.txt") if f'"{file.name}"' in text]
    return [*recipes, *sorted(templates)]
