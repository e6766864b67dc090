"""hf-procedural export: rows in the formats of others' frameworks."""

import re
from pathlib import Path

from .. import accepted
from ..errors import in_bytes
from ..export import formats
from ..layout import laid_out
from ..tasks import task
from ..tasks.splits import SIZES
from ..terminal import tell
from .command import add_coding, add_command, add_workers, make, number_of, options_of_executor, plural
from .parameters import value_of

_EXPORT = """Writes rows of a task as the files that a pretraining framework reads.

    hf-procedural export sort-64 --format megatron --output_dir data/sort --tokens 1e9
    hf-procedural export dyck-8 --length 128 --format olmo --output_dir data/dyck --rows 5000
    hf-procedural export sort-64 --format nanogpt --output_dir data/gpt2 --rows 5000 --tokenizer gpt2
    hf-procedural export sort-64 --format megatron --output_dir data/all --tokens 1e12 --dry_run

The rows are those of load_dataset("procedural", NAME, seed=SEED)[SPLIT], each
padded to one length unless --drop_padding is given. Without --tokenizer they are
in the task's own ids. export.json in the folder says what it holds.

Files are shards, whole or not there. After an interruption, run it again: it goes
on with what is missing. Several machines that see the folder share the work with
--part 0/2 and --part 1/2, or with --executor slurm; the bytes are the same."""

_UNITS = {"": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def add_commands(commands) -> None:
    """Adds it to argparse's `commands`."""
    exported = add_command(commands, "export", export, _EXPORT, takes_parameters=True)
    exported.add_argument("name", metavar="NAME", help="Task and size, such as sort-64.")
    exported.add_argument("--format", required=True, metavar="FORMAT", help=f"One of {', '.join(formats.FORMATS)}.")
    exported.add_argument(
        "--output_dir", "--output", required=True, metavar="DIR", help="Folder of the files, of this export alone."
    )
    exported.add_argument(
        "--tokens", type=number_of, metavar="N", help="Tokens to write, such as 1e9: rounded up to whole rows."
    )
    exported.add_argument("--rows", type=number_of, metavar="N", help="Rows to write, instead of --tokens.")
    exported.add_argument("--split", default="train", choices=list(SIZES), help="Default: train.")
    exported.add_argument("--seed", type=int, default=0, help="Seed of the rows (default: 0).")
    exported.add_argument("--task_file", metavar="FILE.py", help="A Python file with tasks of your own.")
    add_coding(exported)
    exported.add_argument("--dtype", metavar="DTYPE", help="Of ids, such as uint16 (default: the format's own choice).")
    exported.add_argument(
        "--loss_masks",
        type=value_of,
        metavar="true|false",
        help="Whether to write which tokens the loss counts on (default: where the format can hold it).",
    )
    exported.add_argument("--drop_padding", action="store_true", help="Leave out the padding behind rows.")
    exported.add_argument(
        "--end_token", action="store_true", help="End each row with the tokenizer's end token, in place of padding."
    )
    exported.add_argument("--shard_rows", type=number_of, metavar="N", help="Rows in a shard (default: 2**26 tokens).")
    exported.add_argument("--shard_size", metavar="SIZE", help="Or the size of a shard's ids at most, such as 500MB.")
    add_workers(exported, has_parts=True)
    exported.add_argument("--dry_run", action="store_true", help="Only say what would be written.")
    exported.ranges |= {"seed": accepted.least(0), "shard_rows": accepted.least(1)}
    plain = exported.format_help
    exported.format_help = lambda: f"{plain()}\nformats:\n{laid_out(formats.about_all())}\n"


def export(args) -> None:
    """Writes rows in a format, or says what it would write. Raises ValueError for a mistake, before it writes."""
    from ..shards.work import part_of

    options_of_executor(args)
    part = part_of(args.part)
    asked = _asked(args)
    if args.dry_run:
        asked.check_record()
        _tell_plan(asked)
        return
    asked.check(part.of)
    if make(asked, args):
        _tell_written(asked)


def _asked(args):
    """The export that the flags ask for. Raises ValueError for a mistake."""
    from ..data import blocks
    from ..data.coded import CodedRows, coding_of, end_id
    from ..export.planning import plan
    from ..export.work import Export

    formats.format_of(args.format)
    if args.loss_masks not in (None, True, False):
        raise ValueError(f"loss_masks must be true or false, got {args.loss_masks!r}")
    chosen = task(args.name, **args.parameters)
    blocks.check(chosen, args.split)
    coding = coding_of(chosen, args.tokenizer, args.coding, args.coding_seed)
    end = end_id(chosen, coding) if args.end_token else None
    rows = CodedRows(chosen, args.seed, not (args.drop_padding or args.end_token), coding, end)
    settings = {
        "count": args.rows,
        "tokens": args.tokens,
        "shard_rows": args.shard_rows,
        "shard_bytes": None if args.shard_size is None else _bytes_of(args.shard_size),
        "dtype": args.dtype,
        "masks": args.loss_masks,
    }
    asked = plan(rows, args.format, args.split, **settings)
    return Export(asked, args.format, Path(args.output_dir), blocks.fingerprint(chosen, args.seed, args.split))


def _bytes_of(text: str) -> int:
    """
    >>> _bytes_of("500MB"), _bytes_of("1.5 GiB")
    (500000000, 1610612736)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmg]i?b)?", text.lower())
    if found is None or not float(found[1]):
        raise ValueError(f"shard_size must be a number of bytes, such as 500MB or 2GiB, got {text!r}")
    return int(float(found[1]) * _UNITS[found[2] or ""])


def _tell_plan(asked) -> None:
    tell(f"{asked.plan.rows.task.config_name}, {asked.plan.split}: {_rows_and_tokens(asked)}")
    tell(f"{plural(asked.count, 'shard')} of {asked.plan.shard_rows:,} rows, from {asked.files(0)[0].name} on")
    tell(f"format {asked.format}, {asked.plan.dtype}: {in_bytes(asked.size)} of ids; {in_bytes(asked.free)} are free")
    _tell_of_loss(asked)
    tell(f"Nothing was written: --dry_run. It would go to {asked.folder}.")


def _tell_written(asked) -> None:
    files = size = 0
    for _, bytes_ in asked.written():
        files += 1
        size += bytes_
    about = f"{_rows_and_tokens(asked)}, {in_bytes(size)} in {plural(files, 'file')}"
    tell(f"{asked.folder}: {about} ({asked.format}, {asked.plan.dtype})")
    _tell_of_loss(asked)


def _rows_and_tokens(asked) -> str:
    from ..export.planning import mean_length

    plan = asked.plan
    length = mean_length(plan.rows, plan.split)
    rows, tokens = plural(plan.count, "row"), round(plan.count * length)
    if plan.row_length:
        return f"{rows} of {plan.row_length:,} tokens, {tokens:,} tokens"
    return f"{rows} of about {length:,.1f} tokens, about {tokens:,} tokens"


def _tell_of_loss(asked) -> None:
    """That there are tokens without a loss, where the files do not say which."""
    from ..export.planning import labelled

    if asked.plan.rows.in_place:
        tell(
            "Targets stand apart in this task: each row is told up to its last question, with the answer in its place."
        )
    share = labelled(asked.plan.rows, asked.plan.split)
    if share < 1 and not asked.plan.masks:
        tell(f"No loss masks: the loss will count on all tokens of a row, of which {share:.0%} have labels here.")
