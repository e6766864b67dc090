"""hf-procedural try: a model's answers to prompts that training never saw, and to those that are typed in."""

import contextlib
import json
import sys
from collections.abc import Iterator

from .. import accepted
from ..diagnosis.words import check_models
from ..tasks import task
from ..terminal import console, tell, visible
from ..training.words import mapping
from .command import add_command
from .parameters import value_of

_TRY = """Shows what a model answers: to held-out prompts, then to what you type.

    hf-procedural try runs/sort
    hf-procedural try runs/sort/checkpoint-10 -n 10
    hf-procedural try runs/c4 --data pydoc --max_new_tokens 20
    echo "7 3 9 3" | hf-procedural try runs/sort -n 0 --json

A model is a run folder, a checkpoint-N folder of one, or an id of the Hub. First
come prompts of the validation split, which training never saw, with the model's
answer beside the right one; of text, how held-out text goes on. Then it reads
prompts, a line each, from the terminal or a pipe, until Ctrl-D: the symbols of
the task, such as 7 3 9 3, or text. It says what lengths the model was trained
on, and warns where a prompt has another one."""

_LONGEST = 400  # characters of a prompt or answer that are shown; --json has all


def add_commands(commands) -> None:
    """Adds it to argparse's `commands`."""
    added = add_command(commands, "try", try_, _TRY)
    added.add_argument("model", metavar="RUN_OR_REPO", help="Folder or Hub id.")
    added.add_argument(
        "-n", "--rows", dest="n", type=int, default=5, metavar="N", help="Held-out prompts (default: 5)."
    )
    added.ranges["n"] = accepted.least(0, 10_000)
    added.add_argument("--task", metavar="TASK", help="The task, such as sort-16, where the run does not tell it.")
    about = """The task's other parameters, e.g. '{"vocab_size": 50}'."""
    added.add_argument("--task_parameters", type=value_of, metavar="JSON", help=about)
    added.add_argument("--task_file", metavar="FILE.py", help="A Python file with tasks of your own.")
    added.add_argument("--data", metavar="TEXT", help="Held-out text of another data set: stdlib, a file, a Hub id.")
    added.add_argument(
        "--max_new_tokens",
        type=int,
        metavar="N",
        help="Of an answer at most (default: as many as the right one has; of text 32, of replies in words 256).",
    )
    added.ranges["max_new_tokens"] = accepted.least(1, 2**20)
    added.add_argument("--json", action="store_true", help="A JSON object for each answer instead, for programs.")


def try_(args) -> None:
    """Prints the answers, until what is typed ends, or Ctrl-C.

    Raises ValueError for a model, a task or data that are none, before anything is answered.
    """
    with contextlib.suppress(KeyboardInterrupt):
        _try(args)
        return
    tell("")


def _try(args) -> None:
    parameters = mapping("task_parameters", args.task_parameters)
    if parameters and not args.task:
        raise ValueError("task_parameters: there is no task that has them; give --task, too")
    if args.task and args.data:
        raise ValueError("task and data: a model is asked one or the other; leave one out")
    if args.task:
        task(args.task, **parameters)
    check_models({"model": args.model})
    import torch  # and with it the rest, which takes seconds

    from ..trying import asking, opening, table

    subject, run = opening.open_model(args.model)
    asked = opening.asking_of(subject, run, args.task, parameters, args.data, args.max_new_tokens)
    questions = asked.held_out(args.n)
    opening.models.fill(subject, "cuda" if torch.cuda.is_available() else "cpu")
    answers = asking.answers(subject.model, subject.tokenizer, questions)
    write = _write_json if args.json else _write
    if not args.json and questions:
        tell(f"{asked.source} {asked.trained}")
    for answer in answers:
        write(answer, asked.goes_on)
    if not args.json and answers:
        tell(f"\n{table.summary(answers)}", flush=True)
    if not args.json and sys.stdin.isatty():
        tell("Type a prompt, or Ctrl-D to end." if questions else f"{asked.trained} Type a prompt, or Ctrl-D to end.")
    for text in _lines():
        try:
            (answer,) = asking.answers(subject.model, subject.tokenizer, [asked.typed(text)])
        except ValueError as error:  # of a prompt; the next may be right
            tell(json.dumps({"prompt": text, "error": str(error)}) if args.json else f"  {error}", flush=True)
            continue
        write(answer, asked.goes_on)


def _lines() -> Iterator[str]:
    """What is typed, or comes by a pipe, line by line, until it ends; those without a word are left out."""
    if not sys.stdin.isatty():
        yield from (line.rstrip("\n") for line in sys.stdin if line.strip())
        return
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (lines can be edited, and come back by the arrow keys)
    with contextlib.suppress(EOFError):
        while True:
            text = input("> ")
            if text.strip():
                yield text
    tell("")


def _write_json(answer: dict, goes_on: bool) -> None:
    tell(json.dumps(answer), flush=True)


def _write(answer: dict, goes_on: bool) -> None:
    """An answer below its prompt, and the right one below that; on a terminal its wrong words in red."""
    from rich.text import Text

    screen = console()
    said = Text(_shown(answer["answer"], goes_on))
    if answer["right"] is not None and answer["is_right"] is False and len(answer["answer"]) <= _LONGEST:
        said = _marked(said.plain, answer["right"].split())
    mark = {True: ("  right", "green"), False: ("  WRONG", "bold red"), None: ("", "")}[answer["is_right"]]
    said.append(*mark)
    lines = [("prompt", Text(_shown(answer["prompt"], goes_on))), ("model", said)]
    if answer["right"] is not None:
        lines.append(("true" if goes_on else "right", Text(_shown(answer["right"], goes_on))))
    if answer["warning"]:
        lines.append(("warning", Text(answer["warning"], "yellow")))
    screen.print()
    for label, text in lines:
        for place, line in enumerate(text.wrap(screen, max(screen.width - 10, 20))):
            line.rstrip()
            screen.print(Text.assemble((f"{label if place == 0 else '':<10}", "dim"), line))


def _marked(said: str, right: list[str]):
    """An answer whose words that are not those of the right one are red."""
    from rich.text import Text

    words = said.split()
    pieces = [(word, "" if word in right[place : place + 1] else "red") for place, word in enumerate(words)]
    return Text(" ").join(Text(*piece) for piece in pieces) if words else Text("(nothing)", "red")


def _shown(text: str, goes_on: bool) -> str:
    from ..trying.table import shortened

    text = shortened(visible(text), _LONGEST)
    return json.dumps(text, ensure_ascii=False) if goes_on else text
