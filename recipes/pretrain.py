# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural"]
# ///
"""The procedural stage: trains a model on rows of a procedural task.

    accelerate launch recipes/pretrain.py recipes/configs/quickstart.yaml
    accelerate launch recipes/pretrain.py recipes/configs/set.yaml --seed 1 --output_dir runs/set_seed1
    accelerate launch recipes/pretrain.py --task sort-16 --size 2_4_64 --max_steps 1000 --output_dir runs/sort
    accelerate launch recipes/pretrain.py runs/sort/recipe.yaml --resume_from_checkpoint true   # after an interruption
    accelerate launch recipes/pretrain.py --task set-16 --init_from runs/sort --output_dir runs/sort_set

The YAMLs of recipes/configs hold the published settings of Jiang et al. 2026 (Procedural Pretraining,
arXiv:2601.21725); quickstart.yaml takes under two minutes on two CPU cores, the others are for a GPU. The output folder
gets the model, its tokenizer, recipe.yaml (the resolved arguments), provenance.json (versions, seeds, data
fingerprints), all_results.json, trainer_state.json and training.png; where the task has a test_length, lengths.json and
lengths.png, too: accuracy by length, up to that one.
"""

from hf_procedural.training import parser
from hf_procedural.training.arguments import InitArguments, ModelArguments, RowArguments, StageSettings

parser.answer_early(__name__, __doc__, RowArguments, InitArguments, ModelArguments, StageSettings)

import functools
from typing import Any

from datasets import load_dataset
from transformers import EarlyStoppingCallback, Trainer, default_data_collator, set_seed

import hf_procedural
from hf_procedural import registration
from hf_procedural.data import blocks
from hf_procedural.data.rows import CachedRows, TrainRows, ValidationRows
from hf_procedural.errors import user_errors
from hf_procedural.hub.runs import train_and_publish
from hf_procedural.models import losses
from hf_procedural.runs import folder
from hf_procedural.training import begin, by_length, finish
from hf_procedural.training.callbacks import LogMore
from hf_procedural.training.curriculum import length_curriculum
from hf_procedural.training.launch import expect_threads
from hf_procedural.training.stage_arguments import StageArguments


def build_model(init, model_args, task, args):
    """Tokenizer, model, and what was transferred, for provenance.json."""
    tokenizer = hf_procedural.tokenizer(task)
    set_seed(args.seed)
    model = model_args.build(tokenizer, task.max_length, like=init.config_source())
    provenance = begin.transfer_and_freeze(init, model, tokenizer, args)
    losses.score_labelled_only(model)
    return tokenizer, model, provenance


def build_rows(data, task, args):
    """Training and validation rows: a data set in the cache, or made on the fly."""
    seed = folder.data_seed(args)
    if not (data.streaming or data.curriculum):
        sizes: dict[str, Any] = {"train_size": data.train_size, "validation_size": data.validation_size, "test_size": 0}
        registration.register()
        try:
            with args.main_process_first(desc="making rows"):
                rows = load_dataset("procedural", data.task, seed=seed, **sizes, **data.task_parameters)
        except OSError as error:
            if "disk space" not in str(error):
                raise
            needed = str(error).partition(" (")[0]
            raise ValueError(f"train_size {data.train_size:,}: {needed}; --streaming keeps no rows on it") from error
        return CachedRows(rows["train"]), CachedRows(rows["validation"])
    begin.check_end(args, data.train_size)
    args.max_steps = begin.steps_for(args, data.train_size)
    args.accelerator_config.dispatch_batches = False  # every process makes its own rows
    batch = args.train_batch_size * args.world_size
    return TrainRows(task, seed, batch, begin.part_of(args)), ValidationRows(task, seed, data.validation_size)


def prepare(data, init, model_args, args) -> finish.Prepared:
    """All that training needs. Raises ValueError for all that can be wrong; writes nothing."""
    task = data.resolve()
    if by_length.is_asked(task):
        blocks.check(task, "test")
    args.output_dir = args.output_dir or f"runs/{task.config_name}"
    checkpoint = folder.open_run(args, data, init, model_args)
    tokenizer, model, provenance = build_model(init, model_args, task, args)
    train, validation = build_rows(data, task, args)
    seed = folder.data_seed(args)
    provenance["dataset_fingerprints"] = {
        split: blocks.fingerprint(task, seed, split) for split in ("train", "validation")
    }
    curriculum = length_curriculum(data, args, train, validation, begin.rows_per_step(args))
    callbacks = [curriculum] if curriculum else []
    if args.patience is not None:
        callbacks.append(EarlyStoppingCallback(args.patience))

    def make_trainer():
        trainer = Trainer(
            model,
            args,
            data_collator=default_data_collator,
            train_dataset=train,
            eval_dataset=validation,
            processing_class=tokenizer,
            compute_metrics=finish.metric_function(curriculum.metrics if curriculum else dict),
            preprocess_logits_for_metrics=finish.predictions,
            callbacks=callbacks,
        )
        LogMore(trainer)
        return trainer

    title = f"{data.task}, {model.config.model_type}"
    more: dict[str, Any] = {}
    if by_length.is_asked(task):
        settings = {"task": task, "seed": seed, "rows": data.validation_size, "title": title}
        more["extra_metrics"] = functools.partial(by_length.test, **settings)
    return finish.Prepared("pretrain", args, model, tokenizer, make_trainer, checkpoint, provenance, title, **more)


def main():
    types = (RowArguments, InitArguments, ModelArguments, StageArguments)
    data, init, model_args, args = parser.parse(__doc__, *types)
    begin.hide_mask_warning()
    with user_errors():
        prepared = prepare(data, init, model_args, args)
    begin.print_transfer(prepared.provenance, args)
    train_and_publish(prepared, data, init, model_args)
    expect_threads()


if __name__ == "__main__":
    main()
