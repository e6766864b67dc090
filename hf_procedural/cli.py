"""hf-procedural: the tasks at hand, their rows to look at, and data sets on disk
or on the Hugging Face Hub.

    hf-procedural list                                     # tasks, sizes, vocabularies, papers
    hf-procedural show dyck-8 --length 32 -n 3             # a few rows, as people read them
    hf-procedural generate sort-64 --output data --rows 1000000
    hf-procedural publish sort-64 set-64 --repo me/procedural

COMMAND --help tells more. As an extension of the hf command it is called hf procedural.
"""

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import shlex
import sys
from pathlib import Path

import datasets
import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from . import __version__, registration
from .data import blocks
from .data.builder import SIZES
from .errors import Parser, at_least, nearest, user_errors
from .tasks import PRESETS, Task, list_tasks, load_task_file, task, task_class

_PARAMETERS = """A task is a name such as sort-64, or a mixture such as sort-64+set-64. The
task's own parameters are flags, too: --length 128, --vocab_size 50, --balanced
(hf-procedural list --json has them all)."""

_LIST = """Lists the tasks: what is learned, published sizes, vocabulary, row length.

    hf-procedural list
    hf-procedural list --presets
    hf-procedural list --json | jq '.[].name'

Any size works, not only the published ones: sort-17 is as good as sort-64."""

_SHOW = """Shows rows of a task, as people read them.

    hf-procedural show dyck-8 --length 32 -n 3
    hf-procedural show eca-30 --width 40 --steps 20 -n 1
    hf-procedural show haystack-30 --split validation --json

The rows are the first of load_dataset("procedural", NAME, seed=SEED)[SPLIT]. In
colour on a terminal, plain elsewhere."""

_GENERATE = """Writes rows of a task as Parquet files, in constant memory.

    hf-procedural generate sort-64 --output data/sort-64 --rows 10000000
    hf-procedural generate dyck-8 --length 128 --output data/dyck --rows 5000
    python -c 'import datasets; print(datasets.load_dataset("data/sort-64"))'

The rows are those of load_dataset("procedural", NAME, seed=SEED)[SPLIT]. After
an interruption, run it again: it goes on with the next file."""

_PUBLISH = """Publishes tasks as configs of a data set on the Hub, and their tokenizers.

    hf-procedural publish sort-64 set-64 --repo me/procedural --dry_run
    hf-procedural publish sort-64 set-64 --repo me/procedural
    hf-procedural publish --all --repo me/procedural    # the papers' grid
    hf-procedural publish sort-64 --output data/published    # on disk instead
    hf-procedural publish runs/sort --repo me/gpt2-sort    # a run, its card too

Anyone can then load_dataset("me/procedural", "sort-64") and
AutoTokenizer.from_pretrained("me/procedural-sort-64"). What is there with the
same fingerprint is skipped: run again after an interruption, it goes on. You
are who `hf auth login` or HF_TOKEN says."""


def main(argv: list[str] | None = None) -> None:
    """The console script. A user's mistake ends with one line and exit code 2."""
    datasets.logging.set_verbosity_error()
    if not {"HF_DEBUG", "HF_HUB_VERBOSITY"} & os.environ.keys():
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # what we tell ourselves
    try:
        with user_errors():
            args = _parse(sys.argv[1:] if argv is None else argv)
            try:
                args.run(args)
                sys.stdout.flush()
            except BrokenPipeError:  # of | head, which has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor is the rest a mistake at the end
                sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("hf-procedural: interrupted; run the same command again, it goes on where it stopped")


def _parse(argv: list[str]) -> argparse.Namespace:
    kind = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    parser = Parser("hf-procedural", description=__doc__, **kind)
    parser.add_argument("--version", action="version", version=f"hf_procedural {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def command(name, run, text, takes_parameters=True):
        about = text.partition("\n")[0]
        made = commands.add_parser(
            name, help=about, description=text, epilog=_PARAMETERS if takes_parameters else None, **kind
        )
        made.set_defaults(run=run, parser=made, takes_parameters=takes_parameters)
        return made

    listed = command("list", _list, _LIST, takes_parameters=False)
    listed.add_argument("--presets", action="store_true", help="The papers' settings instead.")
    shown = command("show", _show, _SHOW)
    generated = command("generate", _generate, _GENERATE)
    published = command("publish", _publish, _PUBLISH)
    for one in (shown, generated):
        one.add_argument("name", metavar="NAME", help="Task and size, such as sort-64.")
        one.add_argument("--split", default="train", choices=list(SIZES), help="Default: train.")
    for one in (listed, shown):
        one.add_argument("--json", action="store_true", help="JSON instead, for programs.")
    shown.add_argument("--image", metavar="FILE", help="A PNG or GIF of the rows instead (automata).")
    for one in (listed, shown, generated, published):
        one.add_argument("--task_file", metavar="FILE.py", help="A Python file with tasks of your own.")
    for one in (shown, generated, published):
        one.add_argument("--seed", type=int, default=0, help="Seed of the rows (default: 0).")
    shown.add_argument("-n", type=int, default=3, metavar="ROWS", help="Number of rows (default: 3).")
    generated.add_argument("--rows", type=int, required=True, metavar="N", help="Number of rows.")
    generated.add_argument("--output", required=True, metavar="DIR", help="Folder of the Parquet files.")
    published.add_argument("names", nargs="*", metavar="NAME", help="Tasks and sizes, or one folder of a run.")
    published.add_argument("--all", action="store_true", help="Every task at its published sizes.")
    published.add_argument("--repo", metavar="USER/NAME", help="The data set on the Hub.")
    published.add_argument("--output", metavar="DIR", help="Folder to write the repo's files to, and to keep them in.")
    published.add_argument("--private", action="store_true", default=None, help="Make new repos private.")
    published.add_argument("--revision", metavar="BRANCH", help="Branch to push to, made where it is not there.")
    published.add_argument("--dry_run", action="store_true", help="Only say what would be pushed.")
    for split, rows in SIZES.items():
        published.add_argument(
            f"--{split}_size", type=int, default=rows, metavar="N", help=f"Rows of the {split} split (default: {rows})."
        )
    for one in (generated, published):
        one.add_argument("--num_proc", type=int, default=1, metavar="N", help="Processes (default: 1).")
    args, others = parser.parse_known_args(argv)
    if args.task_file:
        load_task_file(args.task_file)
    flags = [flag for action in args.parser._actions for flag in action.option_strings]
    names = getattr(args, "names", [getattr(args, "name", "")])
    for flag, value in zip(argv, argv[1:], strict=False):
        if flag in others and flag[2:].rpartition(".")[2] in _own(list_tasks()) | {"weights"} and value in names:
            raise ValueError(f"{flag} {value}: the name of a task comes first, its parameters follow")
    args.parameters = _parameters(others, args, names or list_tasks(), flags)  # publish --all has none
    return args


def _parameters(words: list[str], args, names: list[str], flags: list[str]) -> dict:
    """The task's parameters from what is left of the command line: ``--length 128 --balanced --p_open=0.4``."""
    parameters, words = {}, list(words)
    while words:
        flag, equals, value = words.pop(0).partition("=")
        if not flag.startswith("-"):
            raise ValueError(f"unknown argument {flag!r}: names come first, all together")
        if not flag.startswith("--") or not args.takes_parameters:
            raise ValueError(f"unknown argument {flag!r}{nearest(flag, flags)} (--help lists all)")
        key = flag[2:]
        own = _own(names)
        if key.rpartition(".")[2] not in own | {"weights"}:
            known = [*flags, *(f"--{name}" for name in sorted(own))]
            raise ValueError(f"unknown argument {flag}{nearest(flag, known)} (accepted: {' '.join(known)})")
        if not equals:
            value = words.pop(0) if words and not words[0].startswith("--") else "true"
        parameters[key] = _value(value)
    return parameters


def _value(text: str):
    """A word of the command line as JSON would read it, with Python's spellings, too: ``True``, ``None``, ``.4``."""
    for read in (json.loads, {"none": None, "true": True, "false": False}.__getitem__, float):
        with contextlib.suppress(ValueError, KeyError):
            return read(text.lower())
    return text


def _own(names: list[str]) -> set[str]:
    """The names of all parameters of tasks, and of the members of mixtures."""
    names = [PRESETS[name].task if name in PRESETS else name for name in names]
    tasks = [task_class(part.partition("-")[0]) for name in names for part in name.split("+")]
    return {field.name for each in tasks for field in dataclasses.fields(each)} | {"shuffle_tokens"}


def _list_presets(args) -> None:
    if args.json:
        print(json.dumps({name: dataclasses.asdict(preset) for name, preset in PRESETS.items()}, indent=2))
        return
    console = Console(markup=False, highlight=False)
    for name, preset in PRESETS.items():
        flags = "".join(f" --{key} {shlex.quote(_shown(value))}" for key, value in preset.parameters.items())
        console.print(name, style="bold")
        for line in (preset.task + flags, preset.source, preset.note):
            if line:
                console.print(Padding(line, (0, 0, 0, 4)))


def _list(args) -> None:
    if args.presets:
        _list_presets(args)
        return
    tasks = [task(f"{name}-{task_class(name).sizes[-1]}") for name in list_tasks()]
    if args.json:
        print(json.dumps([_facts(each) for each in tasks], indent=2))
        return
    papers = list(dict.fromkeys(each.paper for each in tasks))
    table = Table(box=None, pad_edge=False)
    for name, justify in (("task", "left"), ("sizes", "left"), ("tokens", "right"), ("row", "right")):
        table.add_column(name, justify=justify, no_wrap=name == "task")
    table.add_column("what is learned")
    for each in tasks:
        sizes = each.headline if _has_words(each) else " ".join(map(str, type(each).sizes))
        learned = f"{each.summary} [{papers.index(each.paper) + 1}]"
        table.add_row(each.name, sizes, f"{len(each.vocabulary):,}", f"{each.max_length:,}", learned)
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print("\nTokens in the vocabulary and in a row are those of the last size. Words that stand for sizes:")
    for each in filter(_has_words, tasks):
        console.print(Padding(f"{each.name}-: {', '.join(type(each).sizes)}", (0, 0, 0, 4)))
    console.print("\nPapers:")
    for number, paper in enumerate(papers, 1):
        console.print(f"[{number}] {paper}")


def _has_words(each: Task) -> bool:
    return isinstance(type(each).sizes[-1], str)


def _shown(value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _facts(each: Task) -> dict:
    parameters = {
        field.name: {"default": getattr(each, field.name)}
        | {key: field.metadata.get(key, "") for key in ("accepted", "help")}
        for field in dataclasses.fields(each)
    }
    return {
        "name": each.name,
        "sizes": list(type(each).sizes),
        "headline": each.headline,
        "summary": each.summary,
        "parameters": parameters,
        "vocabulary_size": len(each.vocabulary),
        "row_length": each.max_length,
        "is_language": each.is_language,
        "paper": each.paper,
    }


def _show(args) -> None:
    from .show.rows import as_json, show

    at_least("-n", args.n, 1)
    chosen = _builder(args.name, args.parameters, seed=args.seed).config.task
    count = -(-args.n // blocks.block_rows(chosen))
    made = [blocks.block(chosen, args.seed, args.split, number) for number in range(count)]
    rows = [np.concatenate(part)[: args.n] for part in zip(*made, strict=True)]
    if args.image:
        from .show.image import image

        image(chosen, *rows, args.image)
        print(f"{args.image}: {args.n} row{'s'[: args.n - 1]} of {chosen.config_name}")
    elif args.json:
        print(json.dumps(as_json(chosen, *rows)))
    else:
        show(chosen, *rows)


def _generate(args) -> None:
    from .data import parquet

    at_least("--rows", args.rows, 1)
    sizes = {f"{split}_size": args.rows if split == args.split else 0 for split in SIZES}
    builder = _builder(args.name, args.parameters, seed=args.seed, **sizes)
    files = parquet.write(builder, args.output, args.num_proc)
    size, tokens = sum(file.stat().st_size for file in files), args.rows * builder.config.task.max_length
    made = f"{len(files)} Parquet file{'s'[: len(files) - 1]}"
    print(f"{args.output}: {args.rows:,} rows, {tokens:,} tokens, {size / 1e6:,.1f} MB in {made}")


def _publish(args) -> None:
    runs = [name for name in args.names if Path(name).is_dir() or "/" in name]
    if not runs:
        _publish_tasks(args)
    elif len(args.names) == 1 and not (args.all or args.output or args.parameters):
        _publish_run(args, runs[0])
    else:
        raise ValueError(f"{runs[0]} is a folder: a run is published alone, with --repo, --private and --revision")


def _publish_tasks(args) -> None:
    from .data import parquet
    from .hub import datasets as hub_datasets
    from .hub import repos
    from .hub.dataset_card import entry, tokenizer_repo

    if args.all == bool(args.names):
        raise ValueError("name the tasks to publish, such as sort-64, or give --all; one of the two")
    if not args.repo and not args.output:
        raise ValueError("where to? Give --repo USER/NAME, or --output DIR for a folder")
    names = args.names or [f"{name}-{size}" for name in list_tasks() for size in task_class(name).sizes]
    sizes = {f"{split}_size": getattr(args, f"{split}_size") for split in SIZES}
    configs = {}
    for name in names:
        builder = _builder(name, args.parameters, seed=args.seed, **sizes)
        if not builder.config.rows():
            raise ValueError("there are no rows to publish: one of train_size, validation_size, test_size must be > 0")
        config = hub_datasets.config_name(builder.config.task, name, args.parameters)
        configs[config] = builder, entry(builder, name, args.parameters, _command(args, name, sizes))
    at_least("num_proc", args.num_proc, 1)
    if args.dry_run:
        _dry_run(args, configs)
        return
    for config, (builder, _) in configs.items():
        if args.output:  # what cannot be written is found before anything is
            parquet.missing_shards(builder, Path(args.output, config))
    if args.output:
        repos.read_folder(args.output)
    if args.repo:
        repo, private = hub_datasets.open_dataset(args.repo, args.private, args.revision)
    nothing = True
    for number, (config, (builder, made)) in enumerate(configs.items(), 1):
        if args.repo:
            done = hub_datasets.publish_config(
                builder, config, made, repo, private, args.revision, args.output, args.num_proc
            )
            where = f"{repo}, tokenizer in {tokenizer_repo(repo, config)}"
        else:
            done, where = (
                hub_datasets.write_config(builder, config, made, args.output, args.num_proc),
                args.output,
            )
        nothing = nothing and not done
        told = {"new": f"in {where}", "replaced": f"replaced in {where}", "": "already there"}[done]
        print(f"[{number}/{len(configs)}] {config}: {told}", flush=True)
    if nothing:
        print("nothing to do: all of it is there already")


def _publish_run(args, folder: str) -> None:
    from .hub.runs import push_run

    if not Path(folder, "config.json").is_file():
        raise ValueError(f"{folder} is neither a task nor the folder of a run (it has no config.json)")
    if not args.repo:
        raise ValueError(f"where to? Give --repo USER/NAME for the run {folder}")
    if args.dry_run:
        print(f"{folder} would be pushed to the model repo {args.repo}")
        return
    changed = push_run(folder, args.repo, args.private, args.revision)
    print(f"{folder}: in {args.repo}" if changed else f"{folder}: nothing to do, it is in {args.repo} already")


def _dry_run(args, configs) -> None:
    from .hub import repos

    if args.repo:
        place = repos.patiently(lambda: repos.read_repo(args.repo, args.revision), args.repo)
    else:
        place = repos.read_folder(args.output)
    tokens = 0
    for config, (builder, made) in configs.items():
        rows = sum(builder.config.rows().values())
        other = "other rows" if config in place.published else "new"
        known = "already there" if repos.is_there(place, config, made) else other
        tokens += 0 if known == "already there" else rows * builder.config.task.max_length
        print(f"{known:<13} {rows:>10,} rows  {config}")
    print(f"{tokens:,} tokens to make. Nothing was pushed or written: --dry_run.")
    print(f"It would go to {args.repo or args.output}.")


def _command(args, name: str, sizes: dict) -> str:
    """The command that publishes one config alone."""
    words = ["hf-procedural", "publish", name, *(["--task_file", args.task_file] if args.task_file else [])]
    for key, value in args.parameters.items():
        words += [f"--{key}", _shown(value)]
    asked = {f"{split}_size": rows for split, rows in SIZES.items()} | {"seed": 0}
    where = {"repo": args.repo, "revision": args.revision} if args.repo else {"output": args.output}
    for key, value in (sizes | {"seed": args.seed} | where).items():
        if value is not None and value != asked.get(key):
            words += [f"--{key}", str(value)]
    return shlex.join(words)


def _builder(name: str, parameters: dict, **settings):
    registration.register()
    return datasets.load_dataset_builder("procedural", name, **parameters, **settings)


if __name__ == "__main__":
    main()
