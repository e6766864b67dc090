"""What the commands share: how one is added, and how it opens a task's rows."""

import argparse
import contextlib

from .. import accepted, registration
from ..shards.executors import EXECUTORS
from ..terminal import tell
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


def add_form(parser) -> None:
    """Adds the flags of `form_of` to a command that writes rows."""
    parser.add_argument(
        "--view",
        default="ids",
        metavar="VIEW",
        help="ids (default), text, integers (ids as text), prompt_completion or messages: the columns of rows.",
    )
    about = "Whether lists have one fixed length (default), or may be mixed with rows of another length."
    parser.add_argument("--fixed_size", type=value_of, default=True, metavar="true|false", help=about)
    add_coding(parser)


def add_coding(parser) -> None:
    """Adds the flags of a tokenizer whose ids rows are to have."""
    parser.add_argument(
        "--tokenizer", metavar="NAME", help="Write rows in the ids of this tokenizer: a folder, or a Hub id."
    )
    parser.add_argument(
        "--coding",
        metavar="CODING",
        help="How: symbols (default), each symbol of the task as one token, kept in coding.json; text, in words; or "
        "integers, the ids as text.",
    )
    parser.add_argument(
        "--coding_seed", type=int, default=0, metavar="N", help="Of the choice of tokens for symbols (default: 0)."
    )
    parser.ranges["coding_seed"] = accepted.least(0)


USUAL_FORM = {"fixed_size": True, "view": "ids", "tokenizer": None, "coding": None, "coding_seed": 0}


def form_of(args) -> dict:
    """The form of rows that the flags ask for, as `load_dataset("procedural", ...)` takes it."""
    return {name: getattr(args, name) for name in USUAL_FORM}


def number_of(text: str) -> int:
    """A number of rows or tokens.

    >>> number_of("1_000_000"), number_of("1e9"), number_of("2.5e6")
    (1000000, 1000000000, 2500000)
    """
    try:
        return int(text)
    except ValueError:
        with contextlib.suppress(ValueError, OverflowError):
            if float(text) == int(float(text)):
                return int(float(text))
    raise argparse.ArgumentTypeError(f"must be a whole number, such as 1_000_000 or 1e6, got {text!r}")


def add_workers(parser, has_parts: bool = False) -> None:
    """Adds the flags of who makes files, for `make`, to a command."""
    parser.add_argument(
        "--workers",
        "--num_proc",
        dest="num_proc",
        type=int,
        metavar="N",
        help="Processes of this machine (default: 1), or tasks of a cluster (default: one for each file, at most "
        "1,000). The bytes are the same for any number.",
    )
    parser.add_argument("--executor", choices=EXECUTORS, default="local", help="Where; slurm and ray by datatrove.")
    parser.add_argument(
        "--executor_options",
        type=value_of,
        metavar="JSON",
        help="""Of datatrove's executor, e.g. '{"partition": "cpu", "time": "4:00:00"}'.""",
    )
    if has_parts:
        parser.add_argument(
            "--part", metavar="I/N", help="Only every N-th file, from the I-th on (0/N first): one job of an array."
        )


def options_of_executor(args) -> dict:
    """Of --executor_options. Raises ValueError for what is no mapping, and for options that nobody takes."""
    options = {} if args.executor_options is None else args.executor_options
    if not isinstance(options, dict):
        raise ValueError(f"executor_options must be JSON of keys and values, got {options!r}")
    if options and args.executor == "local":
        raise ValueError("executor_options are of --executor slurm and ray")
    if args.executor != "local" and getattr(args, "part", None):
        raise ValueError("part: a cluster shares the files out itself; give --part or --executor, one of the two")
    if args.executor != "local" and args.task_file:
        raise ValueError(f"executor {args.executor}: its machines know no --task_file; install it there as a package")
    return options


def make(work, args, **settings) -> bool:
    """Makes the files of some work as the flags of `add_workers` say; whether all are there now.

    Where that is not so, it says what is to come.
    """
    from ..shards.work import part_of, run

    options = options_of_executor(args)
    if args.executor == "local":
        part = part_of(getattr(args, "part", None))
        if run(work, args.num_proc or 1, part, **settings):
            return True
        tell(f"{work.folder}: part {part.index}/{part.of} is done; others are still to come")
        return False
    from ..shards import cluster

    queued = cluster.submit(args.executor, work, args.num_proc, options)
    if queued:
        tell(f"{plural(queued, 'task')} in the queue; run this again: it tells what became of them")
    return not queued


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
