"""hf-procedural list, show, generate: tasks, and their rows."""

import dataclasses
import json
import shlex
from pathlib import Path

from .. import accepted
from ..tasks import PRESETS, Task, list_tasks, task, task_class
from ..tasks.splits import SIZES
from ..terminal import console, tell
from .command import (
    add_command,
    add_form,
    add_workers,
    builder_of,
    form_of,
    make,
    number_of,
    options_of_executor,
    plural,
)

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

    hf-procedural generate sort-64 --output_dir data/sort-64 --rows 10000000
    hf-procedural generate dyck-8 --length 128 --output_dir data/dyck --rows 5000
    python -c 'import datasets; print(datasets.load_dataset("data/sort-64"))'

The rows are those of load_dataset("procedural", NAME, seed=SEED)[SPLIT]. After
an interruption, run it again: it goes on with the next file. Several processes
and machines share the files out: smaller ones, by --shard_rows, give all some."""


def add_commands(commands) -> None:
    """Adds the three to argparse's `commands`."""
    listed = add_command(commands, "list", list_, _LIST)
    shown = add_command(commands, "show", show, _SHOW, takes_parameters=True)
    generated = add_command(commands, "generate", generate, _GENERATE, takes_parameters=True)
    listed.add_argument("--presets", action="store_true", help="The papers' settings instead.")
    for one in (shown, generated):
        one.add_argument("name", metavar="NAME", help="Task and size, such as sort-64.")
        one.add_argument("--split", default="train", choices=list(SIZES), help="Default: train.")
    for one in (listed, shown):
        one.add_argument("--json", action="store_true", help="JSON instead, for programs.")
    shown.add_argument("--image", metavar="FILE", help="A PNG or GIF of the rows instead (automata).")
    shown.add_argument("-n", "--rows", dest="n", type=int, default=3, metavar="N", help="Number of rows (default: 3).")
    for one in (listed, shown, generated):
        one.add_argument("--task_file", metavar="FILE.py", help="A Python file with tasks of your own.")
    for one in (shown, generated):
        one.add_argument("--seed", type=int, default=0, help="Seed of the rows (default: 0).")
        one.ranges["seed"] = accepted.least(0)
    generated.add_argument("--rows", type=number_of, required=True, metavar="N", help="Number of rows, such as 1e6.")
    generated.add_argument("--output_dir", required=True, metavar="DIR", help="Folder of the Parquet files.")
    add_form(generated)
    generated.add_argument(
        "--shard_rows", type=number_of, metavar="N", help="Rows in a file, in whole blocks (default: 2 GiB in memory)."
    )
    generated.ranges["shard_rows"] = accepted.least(1)
    add_workers(generated, has_parts=True)


def list_(args) -> None:
    """Prints the tasks, or the presets: for people, or as JSON."""
    if args.presets:
        _list_presets(args)
        return
    tasks = [task(f"{name}-{task_class(name).sizes[-1]}") for name in list_tasks()]
    if args.json:
        tell(json.dumps([_as_json(each) for each in tasks], indent=2))
        return
    from rich.padding import Padding

    screen = console()
    papers = list(dict.fromkeys(each.paper for each in tasks))
    screen.print(_table(tasks, papers))
    screen.print("\nTokens in the vocabulary and in a row are those of the last size, of these (others work, too):")
    for each in tasks:
        sizes = ", ".join(map(str, type(each).sizes))
        screen.print(Padding(f"{each.name}-: {sizes} ({each.headline})", (0, 0, 0, 4)))
    screen.print("\nPapers:")
    for number, paper in enumerate(papers, 1):
        screen.print(f"[{number}] {paper}")


def _table(tasks: list[Task], papers: list[str]):
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name, justify in (("task", "left"), ("tokens", "right"), ("row", "right")):
        table.add_column(name, justify=justify, no_wrap=name == "task")
    table.add_column("what is learned")
    for each in tasks:
        learned = f"{each.summary} [{papers.index(each.paper) + 1}]"
        table.add_row(each.name, f"{len(each.vocabulary):,}", f"{each.max_length:,}", learned)
    return table


def _list_presets(args) -> None:
    if args.json:
        tell(json.dumps({name: dataclasses.asdict(preset) for name, preset in PRESETS.items()}, indent=2))
        return
    from rich.padding import Padding

    screen = console()
    for name, preset in PRESETS.items():
        flags = "".join(f" --{key} {shlex.quote(as_word(value))}" for key, value in preset.parameters.items())
        screen.print(name, style="bold")
        for line in (preset.task + flags, preset.source, preset.note):
            if line:
                screen.print(Padding(line, (0, 0, 0, 4)))


def as_word(value) -> str:
    """A parameter's value as a word of the command line."""
    return value if isinstance(value, str) else json.dumps(value)


def _as_json(each: Task) -> dict:
    parameters = {}
    for field in dataclasses.fields(each):
        texts = {key: field.metadata.get(key, "") for key in ("accepted", "help")}
        parameters[field.name] = {"default": getattr(each, field.name)} | texts
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


def show(args) -> None:
    """Prints the first rows of a task, or writes a picture of them. Raises ValueError for a mistake."""
    import numpy as np

    from ..data import blocks
    from ..show.rows import as_json
    from ..show.rows import show as draw

    chosen = builder_of(args.name, args.parameters, seed=args.seed).config.task
    count = -(-args.n // blocks.block_rows(chosen))
    made = [blocks.block(chosen, args.seed, args.split, number) for number in range(count)]
    input_ids, labels = (np.concatenate(part)[: args.n] for part in zip(*made, strict=True))
    if args.image:
        from ..show.image import image

        image(chosen, input_ids, labels, args.image)
        tell(f"{args.image}: {plural(args.n, 'row')} of {chosen.config_name}")
    elif args.json:
        tell(json.dumps(as_json(chosen, input_ids, labels)))
    else:
        draw(chosen, input_ids, labels)


def generate(args) -> None:
    """Writes rows as Parquet files. Raises ValueError for a mistake, before anything is written."""
    from datasets.utils import tqdm

    from ..data import parquet
    from ..export.work import RECORD

    if (Path(args.output_dir) / RECORD).is_file():
        raise ValueError(f"output_dir {args.output_dir} holds {RECORD}, that of an export: choose another folder")
    sizes = {f"{split}_size": args.rows if split == args.split else 0 for split in SIZES}
    builder = builder_of(args.name, args.parameters, seed=args.seed, **form_of(args), **sizes)
    rows = parquet.Rows.of(builder, args.output_dir, args.shard_rows)
    options_of_executor(args)
    rows.check()
    if make(rows, args, bar=tqdm):
        size = sum((rows.folder / shard.file).stat().st_size for shard in rows)
        width = builder.config.task.row_length(args.split) if builder.config.is_even else None
        tokens = f"{args.rows * width:,} tokens, " if width else ""
        made = plural(rows.count, "Parquet file")
        tell(f"{args.output_dir}: {args.rows:,} rows, {tokens}{size / 1e6:,.1f} MB in {made}")
