"""How often runs read their text or rows, and where arms that are compared differ in it.

Text that is read again teaches less than new text, so that an arm which repeats its text is no match for one that does
not; a stage that goes on with the text of the one before begins it anew. Runs of the semantic stage read their text
over and over, as packing.PackedRows does; how many passes are behind them stands in their log (``text_passes``), and at
their last checkpoint in rows.json. Rows made on the fly never end. Of all other data, the Trainer's epoch tells it. (Of
endless rows, the epoch is no more than a share of the steps.)
"""

import dataclasses
from pathlib import Path

from ..files import read_mapping
from ..runs.folder import last_checkpoint
from ..runs.measured import PASSES, whole_passes
from ..runs.read import Run
from .arms import Arm

_MARK = "rows.json"  # of a checkpoint, as training.callbacks.SavePlace writes it
_NEW = "new rows"


@dataclasses.dataclass(frozen=True)
class Passes:
    """How often a run read its data: `times`, where that is known, and in words."""

    words: str = ""  # empty: not known
    times: float | None = None

    @property
    def repeat(self) -> bool | None:
        """Whether anything was read twice; None where that is not known."""
        return None if self.times is None else self.times > 1


def passes_of(run: Run) -> Passes:
    """How often one run read its data."""
    if "dataset" in run.recipe and "questions" not in run.recipe:
        done = run.last(PASSES)
        done = _of_checkpoint(run.folder) if done is None else int(done)
        if any(source.get("dataset") == run.recipe["dataset"] for source in run.sources):
            where = "" if done is None else f"in pass {done + 1}, "
            return Passes(f"{where}once more than a stage before", (done or 0) + 1.5)
        return Passes() if done is None else Passes(f"in pass {done + 1}", done + 0.5 if done else 1)
    if run.recipe.get("streaming"):
        return Passes(_NEW, 1)
    epoch = run.last("epoch")
    return Passes() if epoch is None else Passes(f"{epoch:.3g}", round(epoch, 6))


def _of_checkpoint(folder: Path) -> int | None:
    """The whole passes over text behind a run's last checkpoint; None where none tells."""
    checkpoint = last_checkpoint(folder)
    mark = Path(checkpoint, _MARK) if checkpoint else None
    return whole_passes(read_mapping(mark)) if mark is not None and mark.is_file() else None


def of_arm(arm: Arm) -> Passes:
    """Those of the seed that read its data most often."""
    every = [passes_of(run) for run in arm.runs]
    return max(every, key=lambda passes: passes.times or 0, default=Passes())


def warnings(pairs: list[tuple[Arm, Arm]]) -> list[str]:
    """A line for each arm that repeats its data, with those that it is compared with and that do not."""
    known: dict[int, Passes] = {id(arm): of_arm(arm) for pair in pairs for arm in pair}
    others: dict[str, list[str]] = {}
    for pair in pairs:
        for arm, other in (pair, pair[::-1]):
            passes = known[id(arm)]
            if passes.repeat and known[id(other)].repeat is False:
                line = f"{arm.domain}: {arm.label} read its data more than once ({passes.words}), and is compared with"
                others.setdefault(line, []).append(f"{other.label} ({known[id(other)].words})")
    return [f"{line} what did not: {'; '.join(dict.fromkeys(labels))}" for line, labels in others.items()]
