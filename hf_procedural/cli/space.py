"""hf-procedural space: a page to click, here or as a Space of the Hub."""

import importlib.util
from pathlib import Path

from .. import accepted
from ..terminal import tell
from .command import add_command

_SPACE = """Opens a page of tasks, runs and studies in the browser, or publishes it.

    hf-procedural space
    hf-procedural space --runs runs --port 8000
    hf-procedural space --publish me/procedural-explorer --dry_run
    hf-procedural space --publish me/procedural-explorer
    hf-procedural space --output_dir explorer    # the same files on disk

First tab: a task and its parameters, rows, an answer checked as you type it, a
row in your own tokenizer, and what to take along. Second: a run, or a model of
the Hub that a recipe trained. Third: the arms of a study, or of several runs.
Folders below --runs alone are read. A published page reads none, and uses no
token. What is on the Hub and the same is not pushed again."""


def add_commands(commands) -> None:
    """Adds it to argparse's `commands`."""
    added = add_command(commands, "space", space, _SPACE)
    about = "Folder whose runs, studies and tokenizers can be looked at (default: this one; of another --host: none)."
    added.add_argument("--runs", metavar="DIR", help=about)
    added.add_argument("--port", type=int, metavar="N", help="Default: the first free one from 7860 on.")
    added.add_argument("--host", metavar="ADDRESS", help="To listen at (default: 127.0.0.1; 0.0.0.0: all of them).")
    added.add_argument("--publish", metavar="USER/NAME", help="The Space on the Hub, instead of opening it here.")
    added.add_argument("--output_dir", metavar="DIR", help="Folder to write the Space's files to, instead.")
    added.add_argument("--private", action="store_true", default=None, help="Make a new Space private.")
    added.add_argument("--dry_run", action="store_true", help="Only say what would be pushed or written.")
    added.ranges["port"] = accepted.Accepted("from 1 to 65535", lambda port: 0 < port < 65_536)


def space(args) -> None:
    """Opens or publishes the page. Raises ValueError for a mistake, and HubError with what the Hub says."""
    if importlib.util.find_spec("gradio") is None:
        raise ImportError("space needs gradio: pip install 'hf-procedural[space]'")
    if args.publish and args.output_dir:
        raise ValueError("publish and output_dir: give one of the two")
    if args.publish or args.output_dir:
        _publish(args)
        return
    for name in ("private", "dry_run"):
        if getattr(args, name):
            raise ValueError(f"{name} is of --publish USER/NAME or --output_dir DIR")
    _open(args)


def _publish(args) -> None:
    from ..space import publish

    for name in ("runs", "port", "host"):
        if getattr(args, name) is not None:
            raise ValueError(f"{name} is of a page that is opened here: leave it out where it is published")
    where = args.publish or args.output_dir
    if args.dry_run:
        changed = publish.would_push(where) if args.publish else publish.would_write(where)
        listed = f"{', '.join(changed)} would go to {where}" if changed else f"nothing to do: all is in {where} already"
        tell(f"{listed}. Nothing was pushed or written: --dry_run.")
        return
    is_new = publish.publish(where, args.private) if args.publish else publish.write(where)
    tell(f"{where}: the page is there" if is_new else f"{where}: nothing to do, the page is there already")


def _open(args) -> None:
    from ..space import app

    if args.runs is not None and not Path(args.runs).is_dir():
        raise ValueError(f"runs: no folder {args.runs}")
    host = (args.host or "127.0.0.1").strip("[]")  # said, for else GRADIO_SERVER_NAME may say another
    folder = args.runs or ("." if app.is_local(host) else None)
    app.serve(folder, host, args.port)
