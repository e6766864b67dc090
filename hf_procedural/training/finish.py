"""The last lines of a recipe: metrics, evaluation, all that is saved."""

import inspect

import torch

from .. import metrics
from ..runs.folder import PLOT
from ..runs.plot import plot
from ..tasks import IGNORE


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
    may_push_later = "_internal_call" in inspect.signature(trainer.save_model).parameters
    trainer.save_model(**{"_internal_call": True} if may_push_later else {})
    if args.should_save:
        plot(trainer.state.log_history, f"{args.output_dir}/{PLOT}", title)
    trainer.save_metrics("eval", results)
    return results
