"""What a model's loss counts: labelled tokens alone, each alike in an evaluation, PaLM's z-loss, bits per byte.

All but the last are hooks on a model, of which nothing is in a checkpoint: the Trainer stays the stock one.
"""

import contextlib
import functools
import inspect
import math

import torch

from .. import upstream
from ..tasks import IGNORE

_SHIFTED = "transformers:PreTrainedModel.loss_function"
_NUMBER = "transformers:Trainer._get_num_items_in_batch"


def zero_without_labels(model) -> None:
    """Makes the loss of a batch without a label 0, with gradients of 0, by hooks on `model`.

    A mean over nothing is not a number, and one such batch (a row of padding alone, a cut that leaves the prompt) would
    make all weights so. In an evaluation it counts as a batch of loss 0.
    """

    def before_model(module, inputs, keywords):
        number = keywords.get("num_items_in_batch")
        if number is not None:
            keywords = keywords | {"num_items_in_batch": number + (number == 0)}  # a tensor is not waited for
        return inputs, keywords

    def after_model(module, inputs, keywords, output):
        labels = keywords.get("shift_labels", keywords.get("labels"))
        if labels is None or keywords.get("num_items_in_batch") is not None:
            return
        labels = labels if "shift_labels" in keywords else labels[:, 1:]
        output.loss = torch.where((labels == IGNORE).all(), 0.0, output.loss)

    model.register_forward_pre_hook(before_model, with_kwargs=True)
    model.register_forward_hook(after_model, with_kwargs=True)


def zero_smoothed_without_labels(trainer) -> None:
    """As `zero_without_labels`, for the loss of label_smoothing_factor, which a Trainer computes from logits itself."""
    smoother = trainer.label_smoother
    if smoother is None:
        return

    def smoothed(outputs, labels, shift_labels=False, **keywords):
        is_without = ((labels[:, 1:] if shift_labels else labels) == IGNORE).all()
        number = keywords.get("num_items_in_batch")
        if number is not None:
            keywords["num_items_in_batch"] = number + (number == 0)
        return smoother(outputs, labels.masked_fill(is_without, 0), shift_labels, **keywords) * ~is_without

    trainer.label_smoother = smoothed


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
        number = labelled.sum().clamp(min=1) if number is None else number
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
    ``labels[:, 1:]``. Hooks, of which nothing is in a checkpoint. A model of another kind computes all logits as ever.
    """
    if "logits_to_keep" not in inspect.signature(model.forward).parameters:
        return  # an architecture that computes its loss in a way of its own
    where = None

    def is_as_all(module, inputs):
        nonlocal where
        batch = _two_rows(inputs)
        try:
            with aside(module):
                everything = module.forward(**batch)
                where = _labelled(batch["labels"])
                ours = module.forward(**batch, shift_labels=batch["labels"][:, 1:][where][None])
        finally:
            where = None
        places = _labelled(batch["labels"])
        targets, all_logits = batch["labels"][:, 1:][places], everything.logits[:, :-1][places]
        if ours.logits.shape[:2] != (1, len(targets)) or _differ(ours.logits[0], all_logits):
            return False
        # Logits tell whether places are right, which the losses of a new model hardly show. What a model adds to the
        # cross-entropy of its logits must be the same both times.
        added = ours.loss - torch.nn.functional.cross_entropy(ours.logits[0].float(), targets)
        added_to_all = everything.loss - torch.nn.functional.cross_entropy(all_logits.float(), targets)
        return not (added - added_to_all).abs() > 1e-4 * (1 + everything.loss.abs())

    def before_model(module, args, inputs):
        nonlocal where
        where, labels = None, inputs.get("labels")
        if labels is None or not _agrees(_SHIFTED, is_as_all, module, inputs):
            return args, inputs
        where = _labelled(labels)
        return args, inputs | {"shift_labels": labels[:, 1:][where][None]}

    def before_head(module, args):
        return args if where is None else (args[0][where][None],)

    def after_model(module, args, output):
        nonlocal where
        where = None

    model.register_forward_pre_hook(before_model, with_kwargs=True)
    model.get_output_embeddings().register_forward_pre_hook(before_head)
    model.register_forward_hook(after_model, always_call=True)


def labels_in_a_row(rows) -> float:
    """How many labelled tokens rows have on average. Raises ValueError where they have none."""
    each = sum(int((row["labels"][1:] != IGNORE).sum()) for row in rows) / len(rows)
    if not each:
        raise ValueError(f"none of the {len(rows):,} rows to validate with has a label: there is no loss to measure")
    return each


def weigh_by_tokens(trainer, rows):
    """Makes a Trainer's evaluation loss on `rows` the mean over all labelled tokens, by a hook on its model.

    The Trainer averages the means of batches, which depends on the batch size where rows differ in their labels. Here
    a batch's loss is its sum divided by the labelled tokens that so many rows have on average. (A batch that another
    process fills up with repeated rows counts them, too: one that divides the number of rows is exact.) Gives a
    context manager of other rows, in which it is theirs. Raises ValueError where no row has a label.
    """
    each = labels_in_a_row(rows)
    # The Trainer multiplies a loss of several processes afterwards: by what, we ask it.
    factor = float(trainer.compute_loss(lambda **_: {"loss": torch.ones(())}, {}, num_items_in_batch=torch.ones(())))
    passes_number = upstream.of(trainer, "transformers:Trainer.model_accepts_loss_kwargs")

    def before_model(module, inputs, keywords):
        if module.training or "labels" not in keywords or not passes_number:
            return inputs, keywords
        if _agrees(_NUMBER, _divides_by_number, module, keywords):
            keywords = keywords | {"num_items_in_batch": factor * each * len(keywords["labels"])}
        return inputs, keywords

    # Before the hook of `score_labelled_only`, whose state this one's calls of the model would change.
    trainer.model.register_forward_pre_hook(before_model, with_kwargs=True, prepend=True)

    @contextlib.contextmanager
    def weighed(others):
        nonlocal each
        before, each = each, labels_in_a_row(others)
        try:
            yield
        finally:
            each = before

    return weighed


def _divides_by_number(module, keywords) -> bool:
    """Whether a batch comes with the number of its labels, and such a number divides the sum of a loss."""
    if "num_items_in_batch" not in keywords:
        return False
    batch = _two_rows(keywords)
    number = (batch["labels"][:, 1:] != IGNORE).sum()
    with aside(module):
        mean = module.forward(**batch).loss
        once, half, quarter = (module.forward(**batch, num_items_in_batch=number * times).loss for times in (1, 2, 4))
    # Differences, since a model may add to its loss what no number divides.
    far = 1e-4 * (1 + mean.abs())
    wrong = (once - mean).abs() > far or ((once - half) - 2 * (half - quarter)).abs() > far or once == half
    return not (mean.isfinite() and wrong)


def _agrees(name: str, check, module, inputs) -> bool:
    # What is compiled is not interrupted.
    return torch.compiler.is_compiling() or upstream.agrees(
        name, functools.partial(check, module, inputs), type(module)
    )


@contextlib.contextmanager
def aside(module):
    """Calls of the model that leave no trace: without gradients and dropout, and with the random numbers put back."""
    trained = [part for part in module.modules() if part.training]
    device = next(module.parameters()).device
    with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        module.eval()
        try:
            yield
        finally:
            for part in trained:
                part.training = True


def _two_rows(inputs: dict) -> dict:
    """The two rows of a batch with the most labels; of what has no rows, nothing."""
    labels = inputs["labels"]
    chosen = (labels[:, 1:] != IGNORE).sum(1).topk(min(2, len(labels))).indices
    batch = {}
    for name, value in inputs.items():
        if torch.is_tensor(value) and value.dim() and len(value) == len(labels):
            batch[name] = value[chosen]
    return batch


def _labelled(labels) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and places of what is predicted, places from that of the first token on."""
    return (labels[:, 1:] != IGNORE).nonzero(as_tuple=True)


def _differ(ours, theirs) -> bool:
    """Whether logits differ by more than the rounding of matrix products, also of TF32 or half precision, explains."""
    allowed = 1e-3 if theirs.dtype == torch.float32 else 3e-2
    return theirs.numel() > 0 and bool((ours - theirs).abs().max() > allowed * theirs.abs().max())
