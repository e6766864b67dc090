"""The first lines of a recipe: weights to begin with, and how many steps there are."""

import itertools
import logging
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object

from ..accepted import LIFETIME
from ..data import sharing
from ..data.rows import Part
from ..models import transfer
from ..runs.folder import earlier_stages
from ..terminal import logger, tell
from .arguments import InitArguments


def hide_mask_warning() -> None:
    """Hides that transformers misses a mask, in this whole process: for the main of a script.

    Our rows are padded on the right and models are causal, so that a mask changes nothing.
    """
    logging.getLogger("transformers.modeling_utils").addFilter(_is_of_no_mask)


def _is_of_no_mask(record: logging.LogRecord) -> bool:
    return "attention_mask" not in str(record.msg)


def transfer_and_freeze(init: InitArguments, model, tokenizer, args) -> dict:
    """Transfers weights into `model` and freezes others, as asked for; gives what was done, for provenance.json.

    Raises ValueError for what does not fit, before anything is changed.
    """
    provenance = {}
    if init.init_from is not None:
        settings: dict[str, Any] = {"layers": init.layers, "tokenizer": tokenizer, "seed": args.seed}
        report = transfer.transfer(init.init_from, model, init.transfer, init.embeddings, **settings)
        provenance["init_from"] = earlier_stages(init.init_from)
        provenance["transfer"] = report
    if init.train_components:
        trained, frozen = transfer.train_only(model, init.train_components)
        provenance["weights"] = {"trained": trained, "frozen": frozen}
    return provenance


def print_transfer(provenance: dict, args) -> None:
    """Prints what `transfer_and_freeze` did."""
    if args.should_save and "transfer" in provenance:
        tell(provenance["transfer"])
    if args.should_save and "weights" in provenance:
        tell("{trained:,} weights are trained, {frozen:,} are frozen".format(**provenance["weights"]))


YEAR = 365.25 * 24 * 60 * 60  # seconds


def check_end(args, rows: int | None) -> None:
    """Raises ValueError for a training that does not end in a lifetime.

    `rows` are those of the training set, None where it has no end.
    """
    steps = args.max_steps if rows is None else steps_for(args, rows)
    batches = steps * args.gradient_accumulation_steps
    if batches > LIFETIME:
        epochs = (
            f"num_train_epochs {args.num_train_epochs:g} of {rows:,} rows: " if args.max_steps <= 0 else "max_steps: "
        )
        raise ValueError(
            f"{epochs}{steps:.3g} steps with gradient_accumulation_steps {args.gradient_accumulation_steps} are "
            f"{batches:.3g} batches, which takes {batches / (100 * YEAR):,.0f} years at 100 a second"
        )


def check_plan(args, rows: int | None) -> None:
    """As `check_end`; also for a training without a step. Warns where a step takes all rows."""
    check_end(args, rows)
    batch = args.train_batch_size * args.world_size
    if rows is not None and args.dataloader_drop_last and rows < batch:
        raise ValueError(
            f"dataloader_drop_last leaves out all {rows:,} rows, which are fewer than a batch of {batch:,}"
        )
    if rows is not None and 0 < rows < rows_per_step(args):
        logger(__name__).warning(
            "a step takes all %s rows there are, not the %s of per_device_train_batch_size, "
            "gradient_accumulation_steps and the processes together",
            f"{rows:,}",
            f"{rows_per_step(args):,}",
        )


def rows_per_step(args) -> int:
    """Rows in one optimizer step, over all processes."""
    return args.train_batch_size * args.gradient_accumulation_steps * args.world_size


def part_of(args) -> Part | None:
    """What this process has of a stream of rows of which each makes its own, None where it has to make all.

    All processes ask at the same time, since one on each machine makes a folder for them.
    """
    is_cut_otherwise = args.accelerator_config.split_batches or args.parallelism_config is not None
    if args.world_size == 1 or is_cut_otherwise:
        return None
    place = args.local_process_index
    folders = gather_object([(place, str(sharing.new_folder()) if place == 0 else "")])
    first = args.process_index - place  # of this machine
    same = itertools.takewhile(lambda other: other[0] != 0, folders[first + 1 :])
    return Part(args.process_index, args.world_size, place, 1 + len(list(same)), Path(folders[first][1]))


def steps_for(args, rows: int) -> int:
    """Optimizer steps: `max_steps`, or as many as `num_train_epochs` over `rows` rows take."""
    return args.max_steps if args.max_steps > 0 else max(1, int(args.num_train_epochs * (rows // rows_per_step(args))))
