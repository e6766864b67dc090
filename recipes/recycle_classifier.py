# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural[recycle]"]
# ///
"""A fastText classifier of text quality from examples, for recipes/recycle_filter.py: seconds to minutes on a CPU.

    python recipes/recycle_classifier.py --positive_dataset good.jsonl --negative_dataset data/web/*.jsonl.gz
    python recipes/recycle_classifier.py --dataset scored.jsonl --label_column dataman_score --positive 4 --epoch 25
    python recipes/recycle_classifier.py --dataset graded.parquet --label_column grade --positive good \\
        --output_file my.bin

Examples are two piles of text, or text with a score or a label; files are those of recipes/recycle_rephrase.py. The
settings are those with which DCLM (Li et al. 2024, arXiv:2406.11794) trained mlfoundations/fasttext-oh-eli5, on 200,000
good texts and as many others: words and pairs of words, and fastText's own defaults for all else. The labels are the
same, too: __label__hq and __label__cc. A share of the examples is held out, and precision, recall, AUC and quantiles of
the scores on them are printed, and written to quality.json beside the model. DCLM's threshold 0.018112 means nothing to
another model, whose scores depend on the share of good texts among its examples: choose by --keep_top or --tokens.
"""

import collections
import contextlib
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from hf_procedural import accepted
from hf_procedural.errors import user_errors
from hf_procedural.recycle import choices
from hf_procedural.terminal import in_a_line, tell
from hf_procedural.training import parser


@dataclasses.dataclass
class ClassifierArguments:
    """Which examples, and what to make of them."""

    _argument_group_name = "examples and classifier"
    ranges: ClassVar = {"validation_size": accepted.inside(0, 1), "seed": accepted.least(0, 2**31 - 1)}

    dataset: list[str] = dataclasses.field(
        default_factory=list,
        metadata={"help": "Labelled text: files, folders or globs (jsonl, parquet), or data sets of the Hub."},
    )
    label_column: str | None = dataclasses.field(default=None, metadata={"help": "Its column with score or label."})
    positive: str | None = dataclasses.field(
        default=None,
        metadata={"help": "A text is good where label_column is at least this number, or is this word."},
    )
    positive_dataset: list[str] = dataclasses.field(
        default_factory=list, metadata={"help": "Good text, instead of --dataset."}
    )
    negative_dataset: list[str] = dataclasses.field(default_factory=list, metadata={"help": "Other text, with them."})
    text_column: str = dataclasses.field(default="text", metadata={"help": "Column that holds the text."})
    strict: bool = dataclasses.field(default=False, metadata={"help": "End at a damaged line; else it is counted."})
    output_file: str = dataclasses.field(default="quality.bin", metadata={"help": "File for the model."})
    validation_size: float = dataclasses.field(default=0.1, metadata={"help": "Share of the examples to measure on."})
    word_ngrams: int = dataclasses.field(default=2, metadata={"help": "Longest run of words with a weight of its own."})
    lr: float = dataclasses.field(default=0.1, metadata={"help": "Learning rate, which falls to 0."})
    epoch: int = dataclasses.field(
        default=5, metadata={"help": "Passes over the examples; a few thousand of them need more, such as 25."}
    )
    dim: int = dataclasses.field(default=100, metadata={"help": "Weights of a word or run of words."})
    bucket: int = dataclasses.field(
        default=2_000_000, metadata={"help": "Slots that runs of words share; the model has 4 * dim * bucket bytes."}
    )
    min_count: int = dataclasses.field(default=1, metadata={"help": "Words that are rarer are left out."})
    threads: int = dataclasses.field(default=1, metadata={"help": "More are faster, and no two runs are then alike."})
    seed: int = dataclasses.field(default=42, metadata={"help": "Of weights, order and held-out examples."})

    def __post_init__(self):
        labelled = [bool(self.dataset), self.label_column is not None, self.positive is not None]
        piles = [bool(self.positive_dataset), bool(self.negative_dataset)]
        if not (all(labelled) and not any(piles)) and not (all(piles) and not any(labelled)):
            raise ValueError(
                "give --dataset FILE --label_column COLUMN --positive NUMBER_OR_WORD, or --positive_dataset GOOD "
                "--negative_dataset OTHERS"
            )
        if self.dim * self.bucket < choices.LEAST_WEIGHTS:
            raise ValueError(
                f"bucket must be at least {-(-choices.LEAST_WEIGHTS // self.dim):,} with dim {self.dim}, got "
                f"{self.bucket:,}: fastText does not set all weights of a smaller model"
            )
        for file in (Path(self.output_file), Path(self.output_file).with_suffix(".json")):
            if file.exists():
                raise ValueError(f"output_file {file} exists: choose another, or remove it")
        if not Path(self.output_file).absolute().parent.is_dir():
            raise ValueError(f"output_file {self.output_file}: there is no folder {Path(self.output_file).parent}")


parser.answer_early(__name__, __doc__, ClassifierArguments)

from datasets.utils import tqdm

from hf_procedural.runs.folder import recipe_of, versions
from hf_procedural.runs.tables import markdown_table

with user_errors(ImportError):
    from hf_procedural.files import whole, write_text
    from hf_procedural.locks import holding, lock_of
    from hf_procedural.recycle import quality, reading


def read_examples(args, counts: collections.Counter):
    """(text, whether it is good) of all examples; those left out are counted as damaged or unlabelled."""

    def damaged(line):
        counts["damaged"] += reading.lost([line])
        tqdm.write(f"left out: {in_a_line(line)}", file=sys.stderr)

    piles = {"dataset": None} if args.dataset else {"positive_dataset": True, "negative_dataset": False}
    for argument, good in piles.items():
        try:
            files = [file for source in getattr(args, argument) for file in reading.find_files(source)]
            shards = reading.plan(files, None)
            reading.check_columns(shards, args.text_column)
        except ValueError as error:
            raise ValueError(f"{argument}: {str(error).removeprefix('dataset: ')}") from error
        with tqdm(total=sum(shard.count for shard in shards), desc=argument, unit=" documents") as bar:
            for shard in shards:
                for row in reading.read(shard, text_column=args.text_column, strict=args.strict, damaged=damaged):
                    bar.update()
                    if good is None and (label := row["metadata"].get(args.label_column)) is None:
                        counts["unlabelled"] += 1
                    else:
                        yield row["text"], is_good(label, args.positive) if good is None else good


def is_good(label, positive: str) -> bool:
    """Whether a label is the positive one, or a score reaches it. Raises ValueError for a score where it is a word."""
    try:
        return float(label) >= float(positive)
    except (TypeError, ValueError):
        if isinstance(label, str):
            return label == positive
        raise ValueError(f"positive must be a number, as label_column has {label!r}, got {positive!r}") from None


def check(counts: dict, args) -> None:
    """Raises ValueError where there is nothing to tell apart, or to measure on."""
    if not any(number for part in ("train", "held_out") for number in counts[part].values()) and counts["unlabelled"]:
        raise ValueError(f"label_column {args.label_column!r} is in no document of {' '.join(args.dataset)}")
    piles = {
        name: [counts[part][label] for part in ("train", "held_out")]
        for label, name in ((choices.LABEL, "good"), (choices.OTHER, "other"))
    }
    for name, numbers in piles.items():
        if not any(numbers):
            left_out = ", ".join(f"{counts[key]:,} {key}" for key in ("unlabelled", "empty", "damaged"))
            raise ValueError(f"there is no {name} text among the examples (left out: {left_out})")
    for name, (train, held_out) in piles.items():
        if not train or not held_out:
            raise ValueError(
                f"validation_size {args.validation_size} gives {held_out:,} of {train + held_out:,} {name} texts to "
                f"measure on and {train:,} to train on: choose another share, or give more"
            )


def table(account: dict) -> str:
    """What is known of a classifier, for people."""
    counts, measured = account["examples"], account["held_out"]
    lines = [
        {"examples": part, "good": f"{counts[key][choices.LABEL]:,}", "other": f"{counts[key][choices.OTHER]:,}"}
        for part, key in (("trained on", "train"), ("held out", "held_out"))
    ]
    shares = " ".join(f"{name} {measured[name]:.4f}" for name in ("precision", "recall", "auc") if name in measured)
    scores = {"share of the held-out": "score at most"} | {key: str(at) for key, at in measured["quantiles"].items()}
    return f"{markdown_table(lines)}\n\nheld out: {shares}\n\n{markdown_table([scores])}"


def main():
    (args,) = parser.parse(__doc__, ClassifierArguments)
    output, left_out = Path(args.output_file), collections.Counter()
    with contextlib.ExitStack() as stack, user_errors():
        stack.enter_context(holding(output.absolute().parent, "output_file", lock_of(output)))
        args.__post_init__()  # nobody has written it meanwhile
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recycle_classifier-")))
        counts = quality.write_examples(read_examples(args, left_out), folder, args.validation_size, args.seed)
        counts |= {key: left_out[key] for key in ("unlabelled", "damaged")}
        check(counts, args)
        settings = {"wordNgrams": args.word_ngrams, "minCount": args.min_count, "thread": args.threads}
        settings |= {name: getattr(args, name) for name in ("lr", "epoch", "dim", "bucket", "seed")}
        model = quality.train(folder / quality.TRAIN, **settings)
        measured = quality.measure(model, folder / quality.HELD_OUT)
        account = {
            "recipe": recipe_of(args),
            "examples": counts,
            "held_out": measured,
            "versions": versions("hf-procedural", "fasttext-numpy2-wheel", "numpy"),
        }
        write_text(output.with_suffix(".json"), json.dumps(account, indent=2) + "\n")
        with whole(output) as temporary:
            model.save_model(str(temporary))
    tell(f"{table(account)}\n\n{output} and {output.with_suffix('.json')}")


if __name__ == "__main__":
    main()
