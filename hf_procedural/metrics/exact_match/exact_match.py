"""Share of rows whose whole answer is predicted. An `evaluate` module."""

import datasets
import evaluate
from evaluate.utils.file_utils import add_start_docstrings

from hf_procedural.metrics import scores

_DESCRIPTION = """Share of the rows in which every labelled position (references other than -100) is predicted. Rows
without a label do not count."""
_INPUTS = """
Args:
    predictions: token ids, rows aligned with those of references: the token predicted *for* each position.
    references: labels, -100 where no token is scored.
Returns:
    exact_match: a share in 0..1.
Raises:
    ValueError: where no position is labelled.
"""


@add_start_docstrings(_DESCRIPTION, _INPUTS)
class ExactMatch(evaluate.Metric):
    def _info(self):
        ids = datasets.Sequence(datasets.Value("int32"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features(predictions=ids, references=ids),
        )

    def _compute(self, predictions, references):
        return {"exact_match": scores.exact_match(predictions, references)}
