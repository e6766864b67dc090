"""The command line: each command with what it does and what it takes."""

import argparse

from hf_procedural import cli
from hf_procedural.cli.command import _PARAMETERS
from hf_procedural.errors import actions_of
from hf_procedural.training import catalogue

from ._arguments import as_table
from ._words import plain, prose

_HEAD = """# Command line

`hf-procedural COMMAND --help` tells the same. As an extension of the `hf` command it is called `hf procedural`.

"""
_RECIPES = """
## Recipes {#recipes}

Each recipe is a command, too; its flags have a page of their own. Flags of `accelerate launch` may stand among them.

"""


def pages() -> dict:
    """The page."""
    parser, _ = cli._parser()
    text = _HEAD + as_table(parser) + "\n"
    for name, command in _commands(parser).items():
        inner = _commands(command)
        text += _command(name, command)
        for word, each in inner.items():
            text += _command(f"{name} {word}", each)
    text += _RECIPES
    for name in catalogue.FILES:
        text += f"- [`hf-procedural {name}`](recipes/{name}.md): {plain(catalogue.summary_of(name))}\n"
    return {"reference/command-line.md": text}


def _commands(parser) -> dict:
    for action in actions_of(parser):
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _command(name: str, parser) -> str:
    heading = "##" if " " not in name else "###"
    about = prose(parser.description or "")
    more = f"\n\n{plain(_PARAMETERS)}" if parser.get_default("takes_parameters") else ""
    return f"\n{heading} `hf-procedural {name}` {{#{name.replace(' ', '-')}}}\n\n{about}{more}\n\n{as_table(parser)}\n"
