"""Losses: labelled tokens alone, weighed by tokens, with a z-loss, in bits per byte."""

import inspect
import math

from ..tasks import IGNORE


def add_z_loss(model, coefficient: float) -> None:
    """Adds `coefficient` times the mean of log(Z)^2 over labelled tokens to the loss in training, by a hook on `model`.

    Z is the sum of exp(logits) over the vocabulary (PaLM, Chowdhery et al. 2022, section 5). The mean is that of the
    Trainer: over all tokens of a step, where it gives `num_items_in_batch`, or over those of a batch. The loss of an
    evaluation stays as it is; what the Trainer logs as the loss of training has the term in it.
    """

    def after_model(module, inputs, keywords, output):
        if not module.training:
            return
        labels, squares = keywords.get("shift_labels"), output.logits.float().logsumexp(-1) ** 2
        if labels is None:
            labels, squares = keywords["labels"][:, 1:], squares[:, :-1]
        labelled = labels != IGNORE
        number = keywords.get("num_items_in_batch")
        number = labelled.sum() if number is None else number
        output.loss = output.loss + coefficient * squares[labelled].sum() / number

    model.register_forward_hook(after_model, with_kwargs=True)


def bits_per_byte(loss: float, bytes_per_token: float) -> float:
    """Bits per byte of text from a loss in nats per token; the perplexity is exp(loss).

    >>> bits_per_byte(math.log(256), bytes_per_token=1.0)
    8.0
    """
    return loss / math.log(2) / bytes_per_token


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
