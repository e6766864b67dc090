"""What the commands share: how one is added, and how it opens a task's rows."""

import argparse

from .. import registration
from .parameters import value_of

FORMAT = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
_PARAMETERS = """A task is a name such as sort-64, or a mixture such as sort-64+set-64. The
task's own parameters are flags, too: --length 128, --vocab_size 50, --balanced
(hf-procedural list --json has them all)."""


def add_command(commands, name: str, run, text: str, takes_parameters: bool = False):
    """Adds a command, whose help is `text`, to argparse's `commands`; gives its parser. `run` gets the arguments."""
    epilog = _PARAMETERS if takes_parameters else None
    added = commands.add_parser(name, help=text.partition("\n")[0], description=text, epilog=epilog, **FORMAT)
    added.set_defaults(run=run, parser=added, takes_parameters=takes_parameters)
    return added


def add_fixed_size(parser) -> None:
    """Adds the flag to a command that writes rows."""
    about = "Whether lists have one fixed length (default), or may be mixed with rows of another length."
    parser.add_argument("--fixed_size", type=value_of, default=True, metavar="true|false", help=about)


def builder_of(name: str, parameters: dict, **settings):
    """The builder of ``load_dataset("procedural", name)``; a terminal is spared its log."""
    import datasets

    registration.register()
    datasets.logging.set_verbosity_error()
    return datasets.load_dataset_builder("procedural", name, **parameters, **settings)


def plural(count: int, noun: str) -> str:
    """
    >>> plural(1, "row"), plural(2, "row")
    ('1 row', '2 rows')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
