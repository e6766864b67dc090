"""hf-procedural: the tasks at hand, their rows to look at, data sets on disk or on
the Hugging Face Hub, and the recipes.

    hf-procedural list                  # tasks, sizes, vocabularies, papers
    hf-procedural show dyck-8 -n 3      # a few rows, as people read them
    hf-procedural generate sort-64 --output_dir data --rows 1000000
    hf-procedural export sort-64 --format megatron --output_dir data/sort --tokens 1e9
    hf-procedural publish sort-64 set-64 --repo me/procedural
    hf-procedural environment sort-16 --kind verifiers --output_dir environments/sort
    hf-procedural diagnose runs/sort runs/set --data sort-16
    hf-procedural try runs/sort         # what a model answers, to you, too
    hf-procedural study laptop          # a comparison of arms, in stages
    hf-procedural space                 # a page: tasks, runs, studies
    hf-procedural recipe list           # what can be trained
    hf-procedural pretrain quickstart   # a recipe, with one of its settings

COMMAND --help tells more. As an extension of the hf command it is called hf procedural.
"""

import argparse
import logging
import os
import sys

from .. import __version__
from ..errors import Parser, nearest, user_errors
from ..tasks import load_task_file
from ..terminal import tell
from ..training import catalogue
from . import diagnose, environment, export, launch, parameters, publish, recipes, rows, space, study, try_
from .command import FORMAT

INTERRUPTED = "hf-procedural: interrupted; run the same command again, it goes on where it stopped"
SHELLS = ("bash", "zsh", "tcsh")


def main(argv: list[str] | None = None) -> None:
    """The console script. A user's mistake ends with one line and exit code 2."""
    try:
        with user_errors():
            args = parse(sys.argv[1:] if argv is None else argv)
            is_recipe = args.run is launch.run
            if not is_recipe and not {"HF_DEBUG", "HF_HUB_VERBOSITY"} & os.environ.keys():
                logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # what we tell ourselves
            try:
                script = args.run(args)
                sys.stdout.flush()
            except BrokenPipeError:  # of | head, which has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor is the rest a mistake at the end
                sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    if script:
        launch.begin(args.name, script)


def parse(argv: list[str]) -> argparse.Namespace:
    """The command with its arguments; `run` is what it does. Raises ValueError, or ends with one line."""
    if argv and argv[0] in catalogue.FILES:  # whose flags, and accelerate's, are known elsewhere
        return argparse.Namespace(run=launch.run, name=argv[0], words=list(argv[1:]))
    parser, commands = _parser()
    known = {"": commands, "recipe": recipes.COMMANDS}
    for before, word in zip(["", *argv], argv[:2], strict=False):
        if before in known and not word.startswith("-") and word not in known[before]:
            raise ValueError(
                f"unknown command {word!r}{nearest(word, known[before])} (commands: {', '.join(known[before])})"
            )
    behind = argv.index("--") if argv[:1] == ["study"] and "--" in argv else len(argv)
    words, argv = argv[behind + 1 :], argv[:behind]  # which argparse finds only where no flag stands before
    args, others = parser.parse_known_args(argv)
    args.words = words
    if args.print_completion:
        args.run = lambda _: _print_completion(parser, args.print_completion)
    elif not args.command:
        parser.error("the following arguments are required: COMMAND")
    if getattr(args, "task_file", None):
        load_task_file(args.task_file)
    args.parameters = parameters.read(others, args, argv)
    return args


def _parser() -> tuple[Parser, list[str]]:
    """The parser of all commands, and their names."""
    parser = Parser("hf-procedural", description=__doc__, **FORMAT)
    parser.add_argument("--version", action="version", version=f"hf_procedural {__version__}")
    parser.add_argument(
        "--print_completion", choices=SHELLS, help="Print what makes a shell complete commands and flags."
    )
    parser.set_defaults(parser=parser, takes_parameters=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for module in (rows, export, publish, environment, diagnose, try_, recipes, study, space):
        module.add_commands(commands)
    return parser, list(commands.choices)


def _print_completion(parser: Parser, shell: str) -> None:
    import shtab

    tell(shtab.complete(parser, shell))
