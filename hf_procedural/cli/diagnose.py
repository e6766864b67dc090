"""hf-procedural diagnose: what tells models apart inside, as tables and heat maps."""

from pathlib import Path

from ..terminal import tell
from .command import add_command, number_of
from .parameters import value_of

_DIAGNOSE = """Compares what is inside of models: layers, predictions, heads, weights.

    hf-procedural diagnose runs/sort runs/set --data sort-16 --output_dir diagnosis
    hf-procedural diagnose before=runs/sort/checkpoint-10 after=runs/sort --data sort-16
    hf-procedural diagnose runs/c4 runs/c4_warm --data c4.jsonl --rows 200 --output_dir diagnosis

A model is a run folder, a checkpoint-N folder of one, or what else
AutoModelForCausalLM loads with its tokenizer. Of each: effective rank of the
activations of every layer, spectra of weights, entropy and induction, copy and
previous-token scores of every head. Of each pair: CKA of all layers, KL and
Jensen-Shannon divergences of predictions, distances of weights. Writes
diagnosis.json, diagnosis.md and heat maps, and prints the tables."""

_SETTINGS = ("rows", "batch_size", "sequence_length", "task_parameters", "seed")


def add_commands(commands) -> None:
    """Adds it to argparse's `commands`."""
    added = add_command(commands, "diagnose", diagnose, _DIAGNOSE)
    added.add_argument("models", nargs="+", metavar="MODEL", help="Folder or Hub id, or LABEL=FOLDER.")
    added.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="What they read: validation rows of a task, such as sort-16, or held-out text: stdlib, a file, a Hub id.",
    )
    about = """Other parameters of the task, e.g. '{"vocab_size": 50}'."""
    added.add_argument("--task_parameters", type=value_of, metavar="JSON", help=about)
    added.add_argument("--task_file", metavar="FILE.py", help="A Python file with tasks of your own.")
    added.add_argument("--rows", type=number_of, default=1_000, metavar="N", help="Rows at most (default: 1,000).")
    added.add_argument("--batch_size", type=int, default=32, metavar="N", help="Rows at a time (default: 32).")
    added.add_argument(
        "--sequence_length",
        type=int,
        metavar="N",
        help="Tokens in a row of text (default: 256, or what all models can read where that is less).",
    )
    added.add_argument("--seed", type=int, default=0, help="Of a task's rows and of what is drawn (default: 0).")
    added.add_argument("--output_dir", default="diagnosis", metavar="DIR", help="Default: diagnosis.")


def diagnose(args) -> None:
    """Writes the diagnosis, and prints its tables. Raises ValueError for a mistake, before it writes."""
    from ..diagnosis import report, words

    models = words.named(args.models)
    words.check_models(models)
    words.data_of(args.data, args.task_parameters)
    report.check_output(args.output_dir)

    from ..diagnosis.diagnose import diagnose as compared  # and torch with it

    settings = {name: getattr(args, name) for name in _SETTINGS}
    tell(report.write(compared(models, args.data, **settings), args.output_dir))
    tell(f"{Path(args.output_dir) / 'diagnosis.md'} has these tables with pictures, diagnosis.json all numbers")
