"""The procedural stage: trains a model on rows of a procedural task.

    accelerate launch recipes/pretrain.py recipes/configs/quickstart.yaml
    accelerate launch recipes/pretrain.py recipes/configs/set.yaml --seed 1 --output_dir runs/set_seed1
    accelerate launch recipes/pretrain.py --task sort-16 --size 2_4_64 --max_steps 1000 --output_dir runs/sort
    accelerate launch recipes/pretrain.py runs/sort/recipe.yaml --resume_from_checkpoint true   # after an interruption
    accelerate launch recipes/pretrain.py --task set-16 --init_from runs/sort --output_dir runs/sort_set

The YAMLs of recipes/configs hold the published settings of Jiang et al. 2026 (Procedural Pretraining,
arXiv:2601.21725); quickstart.yaml takes under two minutes on two CPU cores, the others are for a GPU. The output folder
gets the model, its tokenizer, recipe.yaml (the resolved arguments), provenance.json (versions, seeds, data
fingerprints), all_results.json, trainer_state.json and training.png.
"""

import functools

from hf_procedural.training import parser
from hf_procedural.training.arguments import InitArguments, ModelArguments, RowArguments, StageSettings

parser.answer_early(__name__, __doc__, RowArguments, InitArguments, ModelArguments, StageSettings)

from datasets import load_dataset
from transformers import EarlyStoppingCallback, Trainer, default_data_collator, set_seed

import hf_procedural
from hf_procedural import registration
from hf_procedural.data import blocks
from hf_procedural.data.rows import TrainRows, ValidationRows
from hf_procedural.errors import user_errors
from hf_procedural.hub import repos, runs
from hf_procedural.models import losses
from hf_procedural.runs import folder
from hf_procedural.training import begin, finish
from hf_procedural.training.callbacks import LogMore
from hf_procedural.training.curriculum import LengthCurriculum
from hf_procedural.training.stage_arguments import StageArguments


def load_rows(data, task, args):
    """Training and validation rows: a data set in the cache, or made on the fly."""
    seed = folder.data_seed(args)
    if not (data.streaming or data.curriculum):
        sizes = {"train_size": data.train_size, "validation_size": data.validation_size, "test_size": 0}
        registration.register()
        with args.main_process_first(desc="making rows"):
            rows = load_dataset("procedural", data.task, seed=seed, **sizes, **data.task_parameters)
        return rows["train"].with_format("torch"), rows["validation"].with_format("torch")
    args.max_steps = begin.steps_for(args, data.train_size)
    args.accelerator_config.dispatch_batches = False  # every process makes its own rows
    batch = args.train_batch_size * args.world_size
    return TrainRows(task, seed, batch), ValidationRows(task, seed, data.validation_size)


def length_curriculum(data, args, train, validation):
    """The callback that lengthens rows, if asked for."""
    if not data.curriculum:
        return None
    if args.eval_strategy != "steps":
        raise ValueError(f"curriculum: eval_strategy must be steps, got {args.eval_strategy.value}")
    return LengthCurriculum(train, validation, begin.rows_per_step(args), **data.curriculum_settings)


def parts(data, init, model_args, args):
    """All that a trainer is made of, and the checkpoint to resume from. Writes nothing.

    Raises ValueError for all that can be wrong.
    """
    task = data.resolve()
    args.output_dir = args.output_dir or f"runs/{task.config_name}"
    checkpoint = folder.open_run(args, data, init, model_args)
    tokenizer = hf_procedural.tokenizer(task)
    set_seed(args.seed)
    model = model_args.build(tokenizer, task.max_length, like=init.config_source())
    facts = begin.begin_from(init, model, tokenizer, args)
    losses.score_labelled_only(model)
    train, validation = load_rows(data, task, args)
    splits = ("train", "validation")
    facts["dataset_fingerprints"] = {split: blocks.fingerprint(task, folder.data_seed(args), split) for split in splits}
    growth = length_curriculum(data, args, train, validation)
    return checkpoint, tokenizer, model, facts, train, validation, growth


def prepare(data, init, model_args, args):
    """The trainer, the checkpoint to resume from, and facts for provenance.json. For errors see `parts`."""
    checkpoint, tokenizer, model, facts, train, validation, growth = parts(data, init, model_args, args)
    callbacks = [growth] if growth else []
    if args.patience is not None:
        callbacks.append(EarlyStoppingCallback(args.patience))
    make = functools.partial(
        Trainer,
        model,
        args,
        data_collator=default_data_collator,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        compute_metrics=finish.metric_function(lambda: {"curriculum_length": growth.length} if growth else {}),
        preprocess_logits_for_metrics=finish.predictions,
        callbacks=callbacks,
    )
    trainer = runs.trainer_with_repo(make, args)
    LogMore(trainer)
    return trainer, checkpoint, facts


def train(trainer, checkpoint, facts, *recipe) -> dict:
    """Trains, evaluates (at full length) and saves all that another tool needs; gives the results."""
    folder.save_provenance(trainer.args, *recipe, stage="pretrain", **facts)
    trained = trainer.train(resume_from_checkpoint=checkpoint).metrics
    results = finish.finish(trainer, trained, f"{recipe[0].task}, {trainer.model.config.model_type}")
    with user_errors(repos.HubError):
        runs.publish_when_done(trainer)
    return results


def main():
    types = (RowArguments, InitArguments, ModelArguments, StageArguments)
    data, init, model_args, args = parser.parse(__doc__, *types)
    with user_errors():
        prepared = prepare(data, init, model_args, args)
    begin.show_beginning(prepared[-1], args)
    train(*prepared, data, init, model_args)


if __name__ == "__main__":
    main()
