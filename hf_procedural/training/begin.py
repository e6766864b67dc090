"""What all recipes share beside their arguments: the run folder, batches, metrics."""

import logging

from ..models import transfer
from ..runs.folder import earlier_stages
from .arguments import InitArguments

# Rows are padded on the right and models are causal, so that masks change nothing: transformers warns all the same.
logging.getLogger("transformers.modeling_utils").addFilter(lambda record: "attention_mask" not in str(record.msg))


def begin_from(init: InitArguments, model, tokenizer, args) -> dict:
    """Transfers weights into `model` and freezes others, as asked for; gives what was done, for provenance.json.

    Raises ValueError for what does not fit, before anything is changed.
    """
    facts = {}
    if init.init_from is not None:
        settings = {"layers": init.layers, "tokenizer": tokenizer, "seed": args.seed}
        report = transfer.transfer(init.init_from, model, init.transfer, init.embeddings, **settings)
        facts["init_from"] = earlier_stages(init.init_from)
        facts["transfer"] = report
    if init.train_components:
        trained, frozen = transfer.train_only(model, init.train_components)
        facts["weights"] = {"trained": trained, "frozen": frozen}
    return facts


def show_beginning(facts: dict, args) -> None:
    """Prints what `begin_from` did."""
    if args.should_save and "transfer" in facts:
        print(facts["transfer"])
    if args.should_save and "weights" in facts:
        print("{trained:,} weights are trained, {frozen:,} are frozen".format(**facts["weights"]))


def rows_per_step(args) -> int:
    """Rows in one optimizer step, over all processes."""
    return args.train_batch_size * args.gradient_accumulation_steps * args.world_size


def steps_for(args, rows: int) -> int:
    """Optimizer steps: `max_steps`, or as many as `num_train_epochs` over `rows` rows take."""
    return args.max_steps if args.max_steps > 0 else max(1, int(args.num_train_epochs * (rows // rows_per_step(args))))
