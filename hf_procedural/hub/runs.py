"""Runs on the Hub: the model, its tokenizer, its card, its scores."""

import contextlib
import shlex
from collections.abc import Callable, Sized
from pathlib import Path

from accelerate import PartialState

from ..errors import user_errors
from ..files import check_weights, read_text, write_text
from ..locks import holding
from ..runs.checkpoints import CheckpointError
from ..runs.folder import check_still
from ..terminal import tell
from ..training import optimizers
from ..training.begin import check_plan
from ..training.divergence import Diverged
from ..training.finish import Prepared, train_and_save
from ..trying.kept import keep_answers
from .cards import Card, parse_card
from .model_card import model_card
from .repos import AGAIN, LATER, README, HubError, open_repo, read_repo, retrying, upload_folder
from .scores import write_scores


def train_and_publish(prepared: Prepared, *arguments) -> dict:
    """The last lines of every recipe that trains: the Trainer, its run, its card, and the push where that is asked for.

    `arguments` are those of the recipe that recipe.yaml tells, beside `prepared.args`. Gives the results of the
    evaluation. What can be wrong before training, or on the Hub, ends the program with one line; so does a run folder
    that another process writes meanwhile.
    """
    args = prepared.args
    PartialState().wait_for_everyone()  # all have looked at the folder
    with contextlib.ExitStack() as stack:
        with user_errors():
            stack.enter_context(holding(args.output_dir, is_main=args.should_save))
            if args.should_save:
                check_still(args, prepared.checkpoint, *arguments)
            trainer = trainer_with_repo(prepared.make_trainer, args)
            check_plan(args, _rows_of(trainer.train_dataset))
            optimizers.make(trainer)
        with user_errors(ImportError, Diverged, CheckpointError):  # ImportError: where another library has changed
            results = train_and_save(trainer, prepared, *arguments)
        with user_errors(HubError):
            publish_when_done(trainer)
    return results


def _rows_of(dataset) -> int | None:
    """The rows of a training set; None where it does not tell, as a stream."""
    return len(dataset) if isinstance(dataset, Sized) else None


def check_run(folder, repo: str) -> None:
    """Raises ValueError for a folder that is no run, or whose files are damaged."""
    model_card(folder, repo)
    check_weights(Path(folder))


def push_run(folder, repo: str, private: bool | None = None, revision: str | None = None, again: str = AGAIN) -> bool:
    """Pushes the run of a folder, its checkpoints apart, with its model card; whether anything was new.

    What others wrote into the card on the Hub stays. Raises HubError, and what `check_run` raises.
    """
    check_run(folder, repo)
    name = open_repo(repo, private, revision, again=again)
    on_hub = retrying(lambda: read_repo(name, revision, "model"), name, again)
    write_card(folder, name, on_hub.card)
    return upload_folder(folder, name, "Model", revision, again)


def write_card(folder, repo: str | None = None, before: Card | None = None) -> None:
    """Writes the model card of a run, and its scores, into its folder: over the card `before`, or the one in it."""
    file = Path(folder, README)
    if before is None and file.is_file():
        before = parse_card(read_text(file), str(folder))
    write_text(file, model_card(folder, repo, before))
    write_scores(folder, repo)


def trainer_with_repo(make: Callable, args):
    """The Trainer that `make()` makes; with `push_to_hub`, its repo is there before. Raises HubError."""
    if not args.push_to_hub:
        return make()
    name = args.hub_model_id or Path(args.output_dir).absolute().name
    if args.should_save:
        open_repo(name, args.hub_private_repo, args.hub_revision, again=LATER)
    return retrying(make, name, LATER)


def publish_when_done(trainer) -> None:
    """Leaves a few answers of the model, and its card, in the folder of a finished run; pushes all if asked for.

    The Trainer's own push would write a card over ours. Raises HubError, which says how to push the run later.
    """
    args = trainer.args
    if args.should_save:
        keep_answers(trainer)
        write_card(args.output_dir, trainer.hub_model_id)
        output = shlex.quote(args.output_dir)
        tell(f"{output} has the model, its card and its curves; it answers: hf-procedural try {output}")
    trainer.accelerator.wait_for_everyone()  # where one process ends, the launcher may end the others
    if not args.push_to_hub:
        return
    uploads = getattr(trainer, "push_in_progress", None)  # of checkpoints
    if uploads is not None:
        uploads.wait_until_done()
    if not args.should_save:
        return
    again = f"the run is complete, hf-procedural publish {args.output_dir} --repo {trainer.hub_model_id} pushes it"
    push_run(args.output_dir, trainer.hub_model_id, revision=args.hub_revision, again=again)
