"""What all recipes share beside their arguments: the run folder, batches, metrics."""

import dataclasses
import inspect
import json
import logging
import os
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

import torch
import yaml
from transformers import TrainerCallback, TrainerState, TrainingArguments

from .. import metrics
from ..models import transfer
from ..models.sources import parse_sources
from ..runs.plot import plot
from ..tasks import IGNORE
from .arguments import InitArguments, Loader, StageArguments

# Rows are padded on the right and models are causal, so that masks change nothing: transformers warns all the same.
logging.getLogger("transformers.modeling_utils").addFilter(lambda record: "attention_mask" not in str(record.msg))

# How the arguments begin that make no difference to what a run learns.
NO_ARM = ("seed", "data_seed", "output_dir", "run_name", "resume_", "logging_", "log_", "save_", "report_to", "hub_")
NO_ARM += ("eval_steps", "eval_strategy", "eval_delay", "eval_on_start", "eval_accumulation", "per_device_eval")
NO_ARM += ("include_num", "dataloader_", "disable_tqdm", "push_to_hub", "num_proc", "project", "trackio_")

RECIPE, PROVENANCE, PLOT = "recipe.yaml", "provenance.json", "training.png"


def open_run(args: StageArguments, *others) -> str | None:
    """Checks the run folder and gives the checkpoint to resume from, if any. Writes nothing.

    Raises ValueError where the folder holds anything and no resume was asked for, is a file, or is another run's.
    """
    output, wanted = Path(args.output_dir), args.resume_from_checkpoint
    if output.exists() and not output.is_dir():
        raise ValueError(f"output_dir {output} is a file; name a folder")
    if str(wanted).lower() in ("none", "false", ""):
        if output.is_dir() and any(output.iterdir()):
            raise ValueError(
                f"output_dir {output} is not empty: choose another, or go on with --resume_from_checkpoint true"
            )
        return None
    automatic = str(wanted).lower() == "true"
    checkpoint = last_checkpoint(output) if automatic else wanted
    if checkpoint is None:
        ours = re.compile(rf"({RECIPE}|{PROVENANCE})(\.tmp)?|checkpoint-\d+|completions")
        strangers = [file.name for file in output.glob("*") if not ours.fullmatch(file.name)]
        if strangers:
            raise ValueError(f"output_dir {output} holds {strangers[0]} but no checkpoint to resume from")
        logging.getLogger(__name__).warning("no checkpoint in %s yet: starting from the beginning", output)
        return None
    folder, recipe = Path(checkpoint), Path(checkpoint).absolute().parent / RECIPE
    if not (folder / "trainer_state.json").is_file() or not folder.name.startswith("checkpoint-"):
        raise ValueError(f"resume_from_checkpoint {checkpoint} is not a checkpoint-N folder of the Trainer")
    if not recipe.is_file():
        raise ValueError(f"resume_from_checkpoint {checkpoint} has no {RECIPE} beside it: leave it in its run folder")
    if folder.absolute().parent != output.absolute() and output.is_dir() and any(output.iterdir()):
        raise ValueError(f"output_dir {output} is not empty, and {checkpoint} is of another run folder")
    now = recipe_of(*others) | {"seed": args.seed, "data_seed": data_seed(args)}
    _check_same_run(recipe, checkpoint, now, {*_fields(*others), "seed", "data_seed"} - {"max_tokens"})
    return checkpoint


def last_checkpoint(output: Path) -> str | None:
    """The last whole checkpoint: its trainer_state.json comes last, and is not there where a kill cut it short."""
    states = [path for path in output.glob("checkpoint-*/trainer_state.json") if path.parent.name[11:].isdigit()]
    whole = [path.parent for path in states if path.read_bytes().rstrip().endswith(b"}")]
    return str(max(whole, key=lambda folder: int(folder.name[11:]))) if whole else None


def is_finished(folder) -> bool:
    """Whether the run of a folder needs nothing more."""
    return (Path(folder) / "eval_results.json").is_file()


def open_study(args: StageArguments, *others) -> None:
    """Checks a folder of runs, as `open_run` checks that of one; seeds and arms may be added. Writes nothing."""
    output, recipe = Path(args.output_dir), Path(args.output_dir) / RECIPE
    if str(args.resume_from_checkpoint).lower() != "true" or not recipe.is_file():
        open_run(args, *others)
    else:
        keys = {key for key in _fields(*others, args) if not key.startswith(NO_ARM)}
        _check_same_run(recipe, output, recipe_of(*others, args), keys - {"parallel", "seeds", "init_from"})


def _fields(*instances) -> list[str]:
    return [field.name for instance in instances for field in dataclasses.fields(instance)]


def _check_same_run(recipe: Path, label, now: dict, keys: set[str]) -> None:
    before = {"seed": 42} | yaml.load(recipe.read_text(), Loader)
    before = {"data_seed": before["seed"]} | before
    for key in (*now, *before):
        if key in keys and before.get(key) != now.get(key):
            raise ValueError(
                f"{label} belongs to a run with {key} {before.get(key)!r}, not {now.get(key)!r}: "
                "choose another output_dir, or resume with its own arguments"
            )


def recipe_of(*arguments) -> dict:
    """The resolved arguments as plain values: all of ours, and those of the Trainer that are not its defaults."""
    resolved = {}
    for instance in arguments:
        defaults = {field.name: field.default for field in dataclasses.fields(instance) if field.init}
        trainers = isinstance(instance, TrainingArguments)
        values = instance.to_dict() if trainers else dataclasses.asdict(instance)
        for key, default in defaults.items():
            unset = values[key] in (None, [], {}) or (values[key] is False and default is None)
            derived = trainers and (values[key] == default or key in ("accelerator_config", "disable_tqdm", "do_eval"))
            if not unset and not derived and not key.endswith("_token"):  # secrets of the Hub
                resolved[key] = values[key]
    if "max_tokens" in resolved:
        resolved.pop("max_steps", None)  # follows from it
    return json.loads(json.dumps(resolved))


def save_provenance(args, *others, **facts) -> None:
    """Writes the resolved recipe, and versions, seeds and other facts about the run, next to the model."""
    if not args.should_save:
        return
    output = Path(args.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    recipe = {key: value for key, value in recipe_of(*others, args).items() if key != "resume_from_checkpoint"}
    _write(output / RECIPE, yaml.safe_dump(recipe, sort_keys=False))
    packages = ["hf-procedural", "torch", "transformers", "datasets", "accelerate", "tokenizers", "numpy", "numba"]
    packages += ["trl"] if "trl" in sys.modules else []
    provenance = {
        "versions": {"python": platform.python_version()} | {package: version(package) for package in packages},
        "seed": args.seed,
        "data_seed": data_seed(args),
        **facts,
    }
    _write(output / PROVENANCE, json.dumps(provenance, indent=2, default=dataclasses.asdict) + "\n")


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


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


def earlier_stages(init_from: str | None) -> dict | None:
    """What the stages behind `init_from` cost and saw, for provenance.json: each source's task, tokens and FLOPs.

    Read from the recipe.yaml, provenance.json and trainer_state.json of its run; what is not there is left out.
    """
    if init_from is None:
        return None
    sources = []
    for source in parse_sources(init_from):
        facts = {"path": source.path, "control": source.control, "weight": source.weight}
        facts["components"] = source.components and list(source.components)
        folder = Path(source.path)
        run = folder.parent if folder.name.startswith("checkpoint-") else folder
        if (run / RECIPE).is_file():
            recipe = yaml.load((run / RECIPE).read_text(encoding="utf-8"), Loader)
            told = ("task", "task_parameters", "dataset", "questions", "input")
            facts |= {key: recipe[key] for key in told if key in recipe}
        if (folder / "trainer_state.json").is_file():
            state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
            before = _earlier_sources(run)
            for key, name in (("tokens", "num_input_tokens_seen"), ("flops", "total_flos")):
                facts[key] = state[name] + sum({other["path"]: other.get(key, 0) for other in before}.values())
        sources.append(facts)
    return {"spec": init_from, "sources": sources}


def _earlier_sources(run: Path) -> list[dict]:
    if not (run / PROVENANCE).is_file():
        return []
    return json.loads((run / PROVENANCE).read_text(encoding="utf-8")).get("init_from", {}).get("sources", [])


def data_seed(args) -> int:
    """The seed of the rows: `data_seed`, or `seed` where that is not set."""
    return args.seed if args.data_seed is None else args.data_seed


def rows_per_step(args) -> int:
    """Rows in one optimizer step, over all processes."""
    return args.train_batch_size * args.gradient_accumulation_steps * args.world_size


def steps_for(args, rows: int) -> int:
    """Optimizer steps: `max_steps`, or as many as `num_train_epochs` over `rows` rows take."""
    return args.max_steps if args.max_steps > 0 else max(1, int(args.num_train_epochs * (rows // rows_per_step(args))))


def score_labelled_only(model) -> None:
    """Makes `model`, when it is given labels, compute logits for the labelled tokens alone.

    A head of the papers' small models costs more than all their layers, and most positions of a prompt, or of a
    padded row, carry no label. The logits become float ``[1, labelled, vocabulary]``, in the order of
    ``labels[:, 1:]``. Two hooks, of which nothing is in a checkpoint.
    """
    if "logits_to_keep" not in inspect.signature(model.forward).parameters:
        return  # an architecture that computes its loss in a way of its own
    where = None

    def before_model(module, args, inputs):
        nonlocal where
        labels = inputs.get("labels")
        where = None if labels is None else (labels[:, 1:] != IGNORE).nonzero(as_tuple=True)
        return args, inputs if where is None else inputs | {"shift_labels": labels[:, 1:][where][None]}

    def before_head(module, args):
        return args if where is None else (args[0][where][None],)

    model.register_forward_pre_hook(before_model, with_kwargs=True)
    model.get_output_embeddings().register_forward_pre_hook(before_head)


def weigh_by_tokens(model, rows, args) -> None:
    """Makes the Trainer's evaluation loss on `rows` the mean over all labelled tokens, by a hook on `model`.

    The Trainer averages the means of batches, which depends on the batch size where rows differ in their labels. Here
    a batch's loss is its sum divided by the labelled tokens that so many rows have on average. (A batch that another
    process fills up with repeated rows counts them, too: one that divides the number of rows is exact.)
    """
    each = sum(int((row["labels"][1:] != IGNORE).sum()) for row in rows) / len(rows)
    factor = max(args.world_size, args.n_gpu) if args.average_tokens_across_devices else 1  # the Trainer's, afterwards

    def before_model(module, inputs, keywords):
        if not module.training and "num_items_in_batch" in keywords:
            keywords = keywords | {"num_items_in_batch": factor * each * len(keywords["labels"])}
        return inputs, keywords

    model.register_forward_pre_hook(before_model, with_kwargs=True)


def predictions(logits, labels) -> torch.Tensor:
    """For `preprocess_logits_for_metrics`: the token predicted *for* each labelled position, int64 like `labels`."""
    logits = logits[0] if isinstance(logits, tuple) else logits
    predicted, shifted = torch.full_like(labels, IGNORE), labels[:, 1:] != IGNORE
    if logits.shape[:2] == labels.shape:
        predicted[:, 1:] = logits[:, :-1].argmax(-1)
    else:  # those of `score_labelled_only`, and padding where another process has more
        predicted[:, 1:][shifted] = logits[0, : shifted.sum()].argmax(-1)
    return predicted


def metric_function(more=None):
    """A `compute_metrics` for the Trainer: answer accuracy and exact match, and what `more()` adds."""
    modules = [metrics.load(name) for name in metrics.NAMES]

    def compute(prediction):
        guesses, labels = prediction.predictions, prediction.label_ids
        used = (labels != IGNORE).any(0)  # all other columns carry no label in any row
        results = more() if more else {}
        for module in modules:
            results |= module.compute(predictions=guesses[:, used], references=labels[:, used])
        return results

    return compute


def finish(trainer, trained: dict, title: str, more=dict) -> dict:
    """Evaluates, and saves results, state, model and plot; eval_results.json last, as the mark of a finished run.

    `trained` are the metrics of training, `more()` gives
    further results of the evaluation by name, without ``eval_``. Gives all results of the evaluation.
    """
    args, model = trainer.args, trainer.model
    trainer.save_metrics("train", trained)
    results = trainer.evaluate()
    results |= {f"eval_{name}": value for name, value in more().items()}
    trainer.log_metrics("eval", results)
    trainer.save_state()
    model.config.use_cache = True  # off while training; whoever loads the model wants it on
    trainer.save_model(_internal_call=True)  # which does not push yet
    if args.should_save:
        plot(trainer.state.log_history, f"{args.output_dir}/{PLOT}", title)
    trainer.save_metrics("eval", results)
    return results


class LogMore(TrainerCallback):
    """Adds to everything that `trainer` logs, beside its count of tokens, the FLOPs so far (`total_flos`, the Trainer's
    estimate of 6 per token and weight outside of the embeddings), and what `derived(logs)` gives."""

    def __init__(self, trainer, derived=lambda logs: {}):
        self.trainer, self.derived = trainer, derived
        trainer.callback_handler.callbacks.insert(0, self)  # before the trackers, so that they see it

    def on_log(self, args, state, control, logs, **kwargs):
        self.trainer.store_flos()
        more = {"total_flos": state.total_flos} | self.derived(logs)
        logs.update(more)
        state.log_history[-1].update(more)


class SavePlace(TrainerCallback):
    """Saves in every checkpoint where the next row begins, and begins there when `trainer` resumes from `checkpoint`.

    The rows, `trainer.train_dataset`, have `mark(row)` and `start_at(row, mark)`, as `semantic.PackedRows`.
    """

    FILE = "rows.json"

    def __init__(self, trainer, checkpoint: str | None):
        self.rows, self.trainer, self.checkpoint = trainer.train_dataset, trainer, checkpoint
        self.ahead = 0  # rows more than the steps so far have now, where earlier steps had others
        trainer.add_callback(self)
        if checkpoint is not None:
            step = TrainerState.load_from_json(Path(checkpoint) / "trainer_state.json").global_step
            mark = Path(checkpoint) / self.FILE
            known = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else None
            row = known["row"] if known else step * rows_per_step(trainer.args)
            self.ahead = row - step * rows_per_step(trainer.args)
            self.rows.start_at(row, known)
            trainer.args.ignore_data_skip = True  # the rows before it are not read again

    def on_step_begin(self, args, state, control, **kwargs):
        if self.checkpoint is not None:  # a data loader draws a number when it starts, after the Trainer has done this
            self.trainer._load_rng_state(self.checkpoint)
            self.checkpoint = None

    def on_save(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            mark = self.rows.mark(state.global_step * rows_per_step(args) + self.ahead)
            _write(Path(args.output_dir) / f"checkpoint-{state.global_step}" / self.FILE, json.dumps(mark))
