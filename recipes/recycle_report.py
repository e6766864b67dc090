# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural[recycle]"]
# ///
"""How faithful recycled text is to its originals: a report over a sample of pairs, as a page and in the terminal.

    python recipes/recycle_report.py --dataset data/recycled --output_dir data/recycled_report
    python recipes/recycle_report.py --dataset data/recycled --output_dir data/recycled_report --meaning_model none
    python recipes/recycle_report.py --dataset 'data/pairs/*.jsonl' --original_column source --limit 1000 \\
        --output_dir report

Reads what recipes/recycle_rephrase.py wrote, or any JSON Lines, parquet files or data set of the Hub with both texts.
Of each pair it measures the length ratio, BERTScore (of as many tokens as its model has positions, 512 mostly), the
runs of 1 to 5 words that are in the original, and which numbers and names were kept, lost, or are new: a new one may be
made up. Pairs with pieces that could not be rephrased, and were kept or dropped, are summed up apart. The output folder
gets report.html, one file that needs no network, and report.json with all figures.
"""

import dataclasses
import json
from pathlib import Path

from hf_procedural.errors import required, user_errors
from hf_procedural.files import check_folder, write_text
from hf_procedural.locks import holding
from hf_procedural.recycle import choices
from hf_procedural.training import parser

PAGE, FIGURES = "report.html", "report.json"
SHARD = 1_000  # documents that are read together
REPHRASED, FAILED = "rephrased", "with pieces that failed"


@dataclasses.dataclass
class ReportArguments:
    """Which pairs, and how they are measured."""

    _argument_group_name = "report"

    dataset: str | None = dataclasses.field(
        default=None,
        metadata={"help": f"File, folder or glob ({choices.KINDS}), or a data set of the Hub, with both texts."},
    )
    output_dir: str | None = dataclasses.field(
        default=None,
        metadata={"help": "Folder of the report; better not in that of the data, where load_dataset finds its JSON."},
    )
    dataset_config: str | None = dataclasses.field(default=None, metadata={"help": "Of a data set of the Hub."})
    split: str = dataclasses.field(default="train", metadata={"help": "Split of it, or of a folder."})
    text_column: str = dataclasses.field(default="text", metadata={"help": "Column of the recycled text."})
    original_column: str = dataclasses.field(default="original", metadata={"help": "Column of the original."})
    id_column: str = dataclasses.field(default="id", metadata={"help": "Column that names a pair, where there is one."})
    limit: int = dataclasses.field(default=200, metadata={"help": "Pairs, drawn at random."})
    seed: int = dataclasses.field(default=42, metadata={"help": "Of the drawing."})
    worst: int = dataclasses.field(default=3, metadata={"help": "Least faithful pairs that are printed."})
    meaning_model: str = dataclasses.field(
        default="microsoft/deberta-large-mnli",
        metadata={"help": "Encoder for BERTScore, a folder or Hub id; none leaves BERTScore out."},
    )
    meaning_layer: int = dataclasses.field(default=18, metadata={"help": "Its layer, from 1."})
    meaning_threshold: float = dataclasses.field(
        default=0.65, metadata={"help": "F1 from which on the meaning counts as kept."}
    )

    def __post_init__(self):
        required(self, dataset="data/recycled", output_dir="data/recycled_report")


parser.answer_early(__name__, __doc__, ReportArguments)

import numpy as np
from datasets.utils import tqdm

from hf_procedural.recycle import faithfulness, reading, side_by_side


def draw(args, files: list[str]) -> tuple[list[dict], int, list[str]]:
    """The sampled pairs in order, how many there are in all, and what was damaged among what was read."""
    shards = reading.plan(files, SHARD)
    reading.check_columns(shards, args.text_column)
    total, pairs, damaged = sum(shard.count for shard in shards), [], []
    chosen = np.random.default_rng(args.seed).choice(total, min(args.limit, total), replace=False)
    ends = np.cumsum([shard.count for shard in shards])
    for shard, end in zip(tqdm(shards, desc="reading", unit=" shards"), ends, strict=True):
        places = set((chosen[(chosen >= end - shard.count) & (chosen < end)] - (end - shard.count)).tolist())
        columns = {"text_column": args.text_column, "id_column": args.id_column}
        rows = reading.read(shard, **columns, damaged=damaged.append) if places else []
        pairs += [pair_of(row, args) for place, row in enumerate(rows) if place in places]
    if not pairs:
        reason = (damaged or ["they are blank"])[0]
        raise ValueError(f"dataset: not one of the {len(chosen)} rows that were drawn can be read: {reason}")
    return pairs, total, damaged


def pair_of(row: dict, args) -> dict:
    """A row as id, group, text and original. Raises ValueError where there is no original."""
    others = row["metadata"]
    if not isinstance(original := others.get(args.original_column), str):
        held = "holds no text" if args.original_column in others else f"is not in what it has: {', '.join(others)}"
        raise ValueError(f"original_column {args.original_column!r} of {row['id']} {held}")
    try:
        original.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"original_column of {row['id']} is not valid Unicode ({error.reason})") from error
    group = FAILED if others.get("failed_pieces") else REPHRASED
    return {"id": row["id"], "group": group, "text": row["text"], "original": original}


def scorer(args):
    """What gives BERTScore, or None. Raises ValueError where its model cannot be had."""
    if args.meaning_model == "none":
        return None
    from hf_procedural.recycle.meaning import BertScore

    try:
        return BertScore(args.meaning_model, args.meaning_layer)
    except ValueError as error:
        raise ValueError(f"meaning_model: {error}; none leaves BERTScore out") from error


def measure(pairs: list[dict], score) -> None:
    """Adds all measures to the pairs, and sorts them: the least faithful first."""
    for pair in tqdm(pairs, desc="comparing", unit=" pairs"):
        pair |= faithfulness.compare(pair["text"], pair["original"])
    if score is not None:
        step = 4 * score.batch_size
        for start in tqdm(range(0, len(pairs), step), desc="BERTScore", unit=" batches"):
            part = pairs[start : start + step]
            scores = score([pair["text"] for pair in part], [pair["original"] for pair in part])
            for pair, value in zip(part, scores.tolist(), strict=True):
                pair["meaning"] = value
    pairs.sort(key=faithfulness.faithfulness)


def notes_of(args, pairs: list[dict], total: int, damaged: list[str]) -> list[str]:
    """What a reader has to know about the figures."""
    failed, empty = sum(pair["group"] == FAILED for pair in pairs), sum(not pair["text"].strip() for pair in pairs)
    notes = [
        f"{len(pairs):,} of {total:,} pairs of {args.dataset}, drawn with seed {args.seed}. "
        f"In {failed:,} of them a piece failed; {empty:,} recycled texts are empty."
    ]
    if "meaning" in pairs[0]:
        scores = [pair["meaning"] for pair in pairs if pair["group"] == REPHRASED]
        kept = sum(value >= args.meaning_threshold for value in scores)
        notes.append(
            f"BERTScore by layer {args.meaning_layer} of {args.meaning_model}: {kept:,} of {len(scores):,} rephrased "
            f"texts are at the threshold of {args.meaning_threshold:g} or above."
        )
    if damaged:
        notes.append(f"{reading.lost(damaged):,} damaged rows are left out, the first: {damaged[0]}")
    return notes


def write(args, notes, groups, pairs) -> None:
    """Both files, the figures last."""
    folder = Path(args.output_dir)
    rephrased = [pair for pair in pairs if pair["group"] == REPHRASED]
    drawn = side_by_side.histograms(rephrased, args.meaning_threshold) if rephrased else None
    title = f"How faithful is {args.dataset}?"
    texts = ("text", "original")
    rows = [{key: value for key, value in pair.items() if key not in texts} for pair in pairs]
    content = {"arguments": dataclasses.asdict(args), "notes": notes, "groups": groups, "pairs": rows}
    with holding(folder):
        write_text(folder / PAGE, side_by_side.page(title, notes, groups, drawn, pairs))
        write_text(folder / FIGURES, json.dumps(content, indent=1) + "\n")


def main():
    (args,) = parser.parse(__doc__, ReportArguments)
    with user_errors():
        check_folder(Path(args.output_dir), f"{PAGE}|{FIGURES}")
        files = reading.find_files(args.dataset, args.dataset_config, args.split)
        score = scorer(args)
        pairs, total, damaged = draw(args, files)
        measure(pairs, score)
        members = {group: [pair for pair in pairs if pair["group"] == group] for group in (REPHRASED, FAILED)}
        groups = {f"{name}: {len(some):,} pairs": faithfulness.summary(some) for name, some in members.items() if some}
        notes = notes_of(args, pairs, total, damaged)
        write(args, notes, groups, pairs)
    worst = [pair for pair in members[REPHRASED] if pair["text"].strip() and pair["original"].strip()][: args.worst]
    side_by_side.print_report([*notes, f"All pairs: {args.output_dir}/{PAGE}"], groups, worst)


if __name__ == "__main__":
    main()
