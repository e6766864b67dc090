"""hf-procedural recipe list, recipe copy: what the recipes are, and their scripts for who wants to change them."""

import re
import shutil
from pathlib import Path

from ..errors import nearest
from ..files import check_folder, recipes_folder, whole
from ..locks import holding
from ..terminal import console, tell
from ..training.catalogue import (
    FILES,
    TRAIN,
    config_of,
    configs_of,
    launch_configurations,
    script_of,
    studies,
    summary_of,
)
from .command import FORMAT, add_command

COMMANDS = ("list", "copy")  # of hf-procedural recipe

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


def list_(args) -> None:
    """Prints the recipes with their settings."""
    from rich.padding import Padding

    screen = console()
    for name in FILES:
        screen.print(name, style="bold")
        screen.print(Padding(summary_of(name), (0, 0, 0, 4)))
        if configs_of(name):
            screen.print(Padding(f"settings: {', '.join(configs_of(name))}", (0, 0, 0, 4)))
    screen.print(f"\nFor hf-procedural study: {', '.join(studies())}")
    screen.print(f"For --config_file of those that train: {', '.join(launch_configurations())}")


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
