"""The answers that a run keeps of its model, for its card: a few validation prompts, answered greedily."""

import json
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from ..diagnosis.models import Subject
from ..files import write_text
from ..runs.folder import ANSWERS, RECIPE, read_recipe
from ..runs.stages import dataset_on_hub
from ..terminal import in_a_line, logger
from ..text.readers import CORPORA
from ..text.sources import named, texts_of
from . import asking, opening

ROWS = 5
_LONGEST = 256  # tokens of an answer at most


def keep_answers(trainer) -> None:
    """Leaves answers.json in the folder of a finished run, from one process alone. The run never fails of it.

    There is none where the weights lie in shards over processes, and where prompts would be of text that not everybody
    can read, since a card shows them to all.
    """
    folder = Path(trainer.args.output_dir)
    (folder / ANSWERS).unlink(missing_ok=True)  # of an earlier end of the same run
    sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    if sharded:
        return
    try:
        if not _may_be_shown(read_recipe(folder / RECIPE)):
            return
        content = answers_of(trainer.model, trainer.processing_class, folder)
        write_text(folder / ANSWERS, json.dumps(content, indent=1) + "\n")
    except Exception as error:  # of any kind: the run is done, and its card can do without
        logger(__name__).warning("the card shows no answers of the model: %s", in_a_line(error))


def answers_of(model, tokenizer, folder: Path) -> dict:
    """What answers.json holds: a sentence on what was asked, one on lengths, and the answers."""
    subject = Subject(str(folder), str(folder), model, tokenizer)
    asked = opening.asking_of(subject, str(folder))
    questions = asked.held_out(ROWS)
    size = max((question.new_tokens for question in questions), default=0)
    if size > _LONGEST:
        asked = opening.asking_of(subject, str(folder), max_new_tokens=_LONGEST)
        questions = asked.held_out(ROWS)
    answers = asking.answers(model, tokenizer, questions)
    return {"source": asked.source, "trained": asked.trained, "answers": answers}


def _may_be_shown(recipe: dict) -> bool:
    """Whether what the model read is of a task, a corpus that everybody has, or public on the Hub."""
    if recipe.get("task"):
        return True
    keys = ("dataset", "validation_dataset", "questions")
    sources = [source for key in keys if recipe.get(key) for source in named(texts_of(recipe[key]))]
    return all(source.name in CORPORA or _is_public(source.name) for source in sources)


def _is_public(name: str) -> bool:
    """Whether everybody can read a data set of the Hub, as it tells somebody without a token."""
    if not dataset_on_hub(name):
        return False
    try:
        about = HfApi(token=False).dataset_info(name, timeout=10)
    except RepositoryNotFoundError:  # which it says of private ones
        return False
    return about.private is False and about.gated is False
