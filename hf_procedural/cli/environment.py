"""hf-procedural environment: a package that asks a task's questions in somebody else's framework."""

import argparse
from pathlib import Path

from .. import accepted
from ..tasks.splits import SIZES
from ..terminal import tell
from .command import add_command, number_of

KINDS = ("verifiers", "openenv", "nemo-gym")
_ENVIRONMENT = """Writes a package that makes a task an environment of an RL framework.

    hf-procedural environment sort-16 --kind verifiers --output_dir environments/sort
    hf-procedural environment stack-16 --kind openenv --turns --output_dir environments/stack
    hf-procedural environment sort-16+set-16 --kind nemo-gym --rows 1000 --output_dir gym

It has a few lines that call this library, and a README.md with the commands
that install it, ask a model and train one. Question i is row i of
load_dataset("procedural", NAME, seed=SEED)[SPLIT]; the reward is what the
task's own verifier says. Languages (dyck, nca, ...) have no questions."""


def add_commands(commands) -> None:
    """Adds it to argparse's `commands`."""
    added = add_command(commands, "environment", environment, _ENVIRONMENT, takes_parameters=True)
    added.add_argument("name", metavar="NAME", help="Task and size, such as sort-16, or a mixture.")
    added.add_argument("--kind", required=True, choices=KINDS, help="The framework.")
    added.add_argument("--output_dir", "--output", required=True, metavar="DIR", help="Folder of the package alone.")
    added.add_argument("--split", default="train", choices=list(SIZES), help="Default: train.")
    added.add_argument("--seed", type=int, default=0, help="Seed of the rows (default: 0).")
    added.add_argument(
        "--rows", type=number_of, metavar="N", help="Number of questions (default: without an end, where that can be)."
    )
    added.add_argument("--turns", action="store_true", help="Ask in steps: stack, eca, word_problem, flip_flop.")
    added.add_argument("--strict", action="store_true", help="Take the words of an answer as they stand.")
    added.add_argument("--template", metavar="FILE", help="Of the text that is asked (default: one of ours).")
    added.add_argument("--task_file", type=_no_file, metavar="FILE.py", help="Refused: a package cannot know it.")
    added.ranges["seed"] = accepted.least(0)


def _no_file(file: str):
    raise argparse.ArgumentTypeError(
        f"a package cannot know {file}: install its tasks as a package with the entry point hf_procedural.tasks"
    )


def environment(args) -> None:
    """Writes the package. Raises ValueError for a mistake, before it writes."""
    from ..environments import packages
    from ..environments.package import Package

    settings = {name: getattr(args, name) for name in ("seed", "split", "turns", "strict", "template")}
    package = Package(args.kind, args.name, args.parameters, args.rows, **settings)
    folder = Path(args.output_dir)
    packages.write(package, folder)
    tell(f"{folder}: {package.title}, for {args.kind}; {folder / 'README.md'} says how it is installed and run")
