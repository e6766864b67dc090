"""hf-procedural publish: rows and tokenizers, or a run, to the Hub or to a folder."""

import contextlib
import shlex
from pathlib import Path

from .. import accepted
from ..files import check_folder
from ..locks import holding
from ..tasks import list_tasks, task_class
from ..tasks.splits import SIZES
from ..terminal import tell
from .command import USUAL_FORM, add_command, add_form, add_workers, builder_of, form_of, make, options_of_executor
from .rows import as_word

_PUBLISH = """Publishes tasks as configs of a data set on the Hub, and their tokenizers.

    hf-procedural publish sort-64 set-64 --repo me/procedural --dry_run
    hf-procedural publish sort-64 set-64 --repo me/procedural
    hf-procedural publish --all --repo me/procedural    # the papers' grid
    hf-procedural publish sort-64 --output_dir data/published    # on disk instead
    hf-procedural publish runs/sort --repo me/gpt2-sort    # a run, its card too

Anyone can then load_dataset("me/procedural", "sort-64") and
AutoTokenizer.from_pretrained("me/procedural-sort-64"). What is there with the
same fingerprint is skipped: run again after an interruption, it goes on. You
are who `hf auth login` or HF_TOKEN says. With --executor slurm the files are
made first: run it again when they are there, and they are pushed."""


def add_commands(commands) -> None:
    """Adds it to argparse's `commands`."""
    published = add_command(commands, "publish", publish, _PUBLISH, takes_parameters=True)
    published.add_argument("names", nargs="*", metavar="NAME", help="Tasks and sizes, or one folder of a run.")
    published.add_argument("--all", action="store_true", help="Every task at its published sizes.")
    published.add_argument("--repo", metavar="USER/NAME", help="The data set on the Hub.")
    published.add_argument("--output_dir", metavar="DIR", help="Folder to write the repo's files to, and keep them in.")
    published.add_argument("--private", action="store_true", default=None, help="Make new repos private.")
    published.add_argument("--revision", metavar="BRANCH", help="Branch to push to, made where it is not there.")
    published.add_argument("--dry_run", action="store_true", help="Only say what would be pushed.")
    published.add_argument("--task_file", metavar="FILE.py", help="A Python file with tasks of your own.")
    published.add_argument("--seed", type=int, default=0, help="Seed of the rows (default: 0).")
    add_form(published)
    published.ranges |= dict.fromkeys(("seed", *(f"{split}_size" for split in SIZES)), accepted.least(0))
    add_workers(published)
    for split, rows in SIZES.items():
        about = f"Rows of the {split} split (default: {rows})."
        published.add_argument(f"--{split}_size", type=int, default=rows, metavar="N", help=about)


def publish(args) -> None:
    """Publishes tasks or a run, or says what it would do.

    Raises ValueError for a mistake, and HubError with what the Hub says.
    """
    runs = [name for name in args.names if Path(name).is_dir() or "/" in name]
    if not runs:
        _publish_tasks(args)
    elif len(args.names) == 1 and not (args.all or args.output_dir or args.parameters):
        _publish_run(args, runs[0])
    else:
        raise ValueError(f"{runs[0]} is a folder: a run is published alone, with --repo, --private and --revision")


def _publish_tasks(args) -> None:
    from ..hub import repos

    if args.all == bool(args.names):
        raise ValueError("name the tasks to publish, such as sort-64, or give --all; one of the two")
    if not args.repo and not args.output_dir:
        raise ValueError("where to? Give --repo USER/NAME, or --output_dir DIR for a folder")
    place = None
    if args.repo and (args.all or args.dry_run):  # whether the Hub answers is known before minutes of work
        place = repos.retrying(lambda: repos.read_repo(args.repo, args.revision), args.repo)
    configs = _configs(args)
    if args.dry_run:
        _dry_run(args, configs, place)
    else:
        _publish_configs(args, configs)


def _configs(args) -> dict[str, tuple]:
    """Each config's builder and its entry in hf_procedural.json."""
    from ..hub.dataset_card import entry
    from ..hub.datasets import config_name

    names = args.names or [f"{name}-{size}" for name in list_tasks() for size in task_class(name).sizes]
    sizes = {f"{split}_size": getattr(args, f"{split}_size") for split in SIZES}
    configs = {}
    for name in names:
        builder = builder_of(name, args.parameters, seed=args.seed, **form_of(args), **sizes)
        if not builder.config.rows():
            raise ValueError("there are no rows to publish: one of train_size, validation_size, test_size must be > 0")
        config = config_name(builder.config, name, args.parameters)
        configs[config] = builder, entry(builder, name, args.parameters, _command(args, name, sizes))
    return configs


def _publish_configs(args, configs: dict[str, tuple]) -> None:
    from ..data import parquet
    from ..hub import repos

    options_of_executor(args)
    if args.executor != "local" and not args.output_dir:
        raise ValueError(f"executor {args.executor} needs --output_dir DIR, a folder that all its machines see")
    if args.output_dir:  # what cannot be written is found before anything is
        check_folder(Path(args.output_dir))
        for config, (builder, _) in configs.items():
            parquet.Rows.of(builder, Path(args.output_dir, config)).check()
        repos.read_folder(args.output_dir)
    with holding(args.output_dir) if args.output_dir else contextlib.nullcontext():
        if args.executor == "local" or _make_by_cluster(args, configs):
            _publish_each(args, configs)


def _make_by_cluster(args, configs: dict[str, tuple]) -> bool:
    """Makes the files of all configs by a cluster; whether all are there now."""
    from ..data import parquet

    made = [make(parquet.Rows.of(builder, Path(args.output_dir, name)), args) for name, (builder, _) in configs.items()]
    return all(made)


def _publish_each(args, configs: dict[str, tuple]) -> None:
    from ..hub import datasets
    from ..hub.dataset_card import tokenizer_repo

    if args.repo:
        repo, private = datasets.open_dataset(args.repo, args.private, args.revision)
    nothing = True
    for number, (config, (builder, made)) in enumerate(configs.items(), 1):
        if args.repo:
            where = repo if builder.config.coding else f"{repo}, tokenizer in {tokenizer_repo(repo, config)}"
            done = datasets.publish_config(
                builder, config, made, repo, private, args.revision, args.output_dir, args.num_proc or 1
            )
        else:
            where = args.output_dir
            done = datasets.write_config(builder, config, made, args.output_dir, args.num_proc or 1)
        nothing = nothing and not done
        outcome = {"new": f"in {where}", "replaced": f"replaced in {where}", "": "already there"}[done]
        tell(f"[{number}/{len(configs)}] {config}: {outcome}", flush=True)
    if nothing:
        tell("nothing to do: all of it is there already")


def _publish_run(args, folder: str) -> None:
    from ..hub.runs import check_run, push_run

    if not Path(folder, "config.json").is_file():
        raise ValueError(f"{folder} is neither a task nor the folder of a run (it has no config.json)")
    if not args.repo:
        raise ValueError(f"where to? Give --repo USER/NAME for the run {folder}")
    if args.dry_run:
        check_run(folder, args.repo)
        tell(f"{folder} would be pushed to the model repo {args.repo}")
        return
    changed = push_run(folder, args.repo, args.private, args.revision)
    tell(f"{folder}: in {args.repo}" if changed else f"{folder}: nothing to do, it is in {args.repo} already")


def _dry_run(args, configs, place) -> None:
    from ..hub import repos

    place = place or repos.read_folder(args.output_dir)
    tokens = 0
    for config, (builder, made) in configs.items():
        sizes, task = builder.config.rows(), builder.config.task
        rows = sum(sizes.values())
        other = "other rows" if config in place.published else "new"
        known = "already there" if repos.is_there(place, config, made) else other
        if known != "already there":
            tokens += sum(count * task.row_length(split) for split, count in sizes.items())
        tell(f"{known:<13} {rows:>10,} rows  {config}")
    tell(f"{tokens:,} tokens to make. Nothing was pushed or written: --dry_run.")
    tell(f"It would go to {args.repo or args.output_dir}.")


def _command(args, name: str, sizes: dict) -> str:
    """The command that publishes one config alone."""
    words = ["hf-procedural", "publish", name, *(["--task_file", args.task_file] if args.task_file else [])]
    for key, value in args.parameters.items():
        words += [f"--{key}", as_word(value)]
    asked = {f"{split}_size": rows for split, rows in SIZES.items()} | {"seed": 0} | USUAL_FORM
    where = {"repo": args.repo, "revision": args.revision} if args.repo else {"output_dir": args.output_dir}
    for key, value in (sizes | {"seed": args.seed} | form_of(args) | where).items():
        if value is not None and value != asked.get(key):
            words += [f"--{key}", as_word(value)]
    return shlex.join(words)
