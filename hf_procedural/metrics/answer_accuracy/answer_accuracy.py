"""Share of labelled positions that are predicted. An `evaluate` module."""

import datasets
import evaluate
from evaluate.utils.file_utils import add_start_docstrings

from hf_procedural.metrics import scores

_DESCRIPTION = """Share of the labelled positions (references other than -100) whose token is the prediction, over all
rows together. This is the accuracy of Jiang et al. 2026 (arXiv:2601.21725), who score the answer's tokens by argmax."""
_INPUTS = """
Args:
    predictions: token ids, rows aligned with those of references: the token predicted *for* each position.
    references: labels, -100 where no token is scored.
Returns:
    answer_accuracy: a share in 0..1.
Raises:
    ValueError: where no position is labelled.
"""


@add_start_docstrings(_DESCRIPTION, _INPUTS)
class AnswerAccuracy(evaluate.Metric):
    def _info(self):
        ids = datasets.Sequence(datasets.Value("int32"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="arXiv:2601.21725",
            inputs_description=_INPUTS,
            features=datasets.Features(predictions=ids, references=ids),
        )

    def _compute(self, predictions, references):
        return {"answer_accuracy": scores.answer_accuracy(predictions, references)}
