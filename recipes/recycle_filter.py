# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural[recycle]"]
# ///
"""The best of recycled and organic text: a quality filter by fastText, each source with a threshold of its own.

    python recipes/recycle_filter.py --dataset data/recycled --output_dir data/filtered --classifier quality.bin
    python recipes/recycle_filter.py --dataset data/recycled --tokens 7_200_000_000 --organic_dataset data/web \\
        --tokenizer EleutherAI/gpt-neox-20b --classifier quality.bin --output_dir data/filtered       # as RePro
    python recipes/recycle_filter.py --organic_dataset data/web --organic_keep_top 0.1 --deduplicate true \\
        --num_proc 8 --classifier quality.bin --output_dir data/best

A document's quality is the probability that a classifier gives it a label, read as DCLM does: as one line. It is kept
where that is at least the threshold of its source, which is given (threshold), or that of the best share (keep_top), or
of the best documents that have so many tokens together (tokens); all that have exactly the quality of the threshold are
kept. Empty texts are dropped. The classifier is that of DCLM, to which the threshold 0.018112 belongs (hf download
mlfoundations/fasttext-oh-eli5), or one of recipes/recycle_classifier.py. Files are those which recycle_rephrase.py
reads, or what it wrote: then its originals are the organic text, where no other is given.

What is kept is in OUTPUT/organic and OUTPUT/recycled: parquet files with the columns id, text, quality, source and
metadata (JSON of all others). filter.md, filter.png and filter.json tell what became of the rest, damaged.txt names
lines that could not be read, and OUTPUT/.datatrove/organic and .../recycled have the quality of every document. A run
that was cut short goes on where it was when it is started again, and ends with the same data, with any --num_proc, of
which each has the classifier in memory.

--deduplicate takes copies out before the thresholds are found, over both sources together, by datatrove's MinHash. Of
documents that are alike the first stays, and an organic one rather than a recycled one, even if it is then too bad to
be kept. Texts are compared by runs of 5 words, which are in lower case, without punctuation and accents, every number a
0, and end at white space (datatrove's own splitting of English needs spaCy). One of less than 5 words has no copies.
"""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import ClassVar

from hf_procedural.errors import GOES_ON, required, user_errors
from hf_procedural.recycle import choices
from hf_procedural.terminal import tell
from hf_procedural.training import parser

COMPLETE, REPORT, PLOT, FACTS = "filter.json", "filter.md", "filter.png", "facts.npy"
FREE = {"output_dir", "num_proc", "strict"}  # may change when a run goes on


@dataclasses.dataclass
class FilterArguments:
    """Which text to filter, by what, and where."""

    _argument_group_name = "filter"
    ranges: ClassVar = {"threshold": choices.PROBABILITY, "organic_threshold": choices.PROBABILITY}

    dataset: str | None = dataclasses.field(
        default=None,
        metadata={"help": f"Recycled text: a file, folder or glob of {choices.KINDS}, or a data set of the Hub."},
    )
    threshold: float | None = dataclasses.field(
        default=None,
        metadata={
            "help": f"Keep recycled documents of at least this quality. Default: {choices.THRESHOLD}, DCLM-Baseline's."
        },
    )
    keep_top: float | None = dataclasses.field(
        default=None,
        metadata={"help": "Instead, keep the best share of the recycled documents, such as 0.1."},
    )
    tokens: int | None = dataclasses.field(
        default=None,
        metadata={"help": "Instead, keep the best recycled documents with so many tokens together."},
    )
    text_column: str = dataclasses.field(default="text", metadata={"help": "Column that holds the text."})
    organic_dataset: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "Organic text, in the same ways. Default: the originals in what recycle_rephrase.py wrote; none "
            "leaves them out."
        },
    )
    organic_threshold: float | None = dataclasses.field(
        default=None,
        metadata={
            "help": f"Keep organic documents of at least this quality. Default: {choices.THRESHOLD}, DCLM-Baseline's."
        },
    )
    organic_keep_top: float | None = dataclasses.field(
        default=None,
        metadata={"help": "Instead, keep the best share of the organic documents, such as 0.1."},
    )
    organic_tokens: int | None = dataclasses.field(
        default=None,
        metadata={"help": "Instead, keep the best organic documents with so many tokens together."},
    )
    organic_text_column: str = dataclasses.field(default="text", metadata={"help": "Column that holds the text."})
    organic_dataset_config: str | None = dataclasses.field(default=None, metadata={"help": "Of a data set of the Hub."})
    organic_split: str = dataclasses.field(default="train", metadata={"help": "Split of it, or of a folder."})
    id_column: str = dataclasses.field(
        default="id", metadata={"help": "Column that names the document, where it has one; else FILE:LINE."}
    )
    output_dir: str | None = dataclasses.field(default=None, metadata={"help": "Folder to write."})
    classifier: str | None = dataclasses.field(default=None, metadata={"help": "File of a fastText classifier."})
    label: str = dataclasses.field(default=choices.LABEL, metadata={"help": "Its label for good text."})
    tokenizer: str | None = dataclasses.field(
        default=None, metadata={"help": "Folder or Hub id of the tokenizer that counts tokens. Default: none."}
    )
    deduplicate: bool = dataclasses.field(default=False, metadata={"help": "Take copies out, in both sources."})
    strict: bool = dataclasses.field(
        default=False, metadata={"help": "End at the first damaged line. Default: they are named and counted."}
    )
    shard_documents: int = dataclasses.field(
        default=50_000,
        metadata={"help": "Lines or rows to a file; an interrupted run loses at most one of each worker."},
    )
    num_proc: int = dataclasses.field(default=1, metadata={"help": "Processes, each with a shard at a time."})

    def __post_init__(self):
        required(self, classifier="quality.bin", output_dir="data/filtered")
        if self.organic_dataset is None and Path(self.dataset or "", choices.COMPLETE).is_file():
            self.organic_dataset, self.organic_text_column = self.dataset, "original"
        self.organic_dataset = None if self.organic_dataset == "none" else self.organic_dataset
        if not self.dataset and not self.organic_dataset:
            raise ValueError("dataset is missing: give --dataset data/recycled, --organic_dataset data/web, or both")
        for argument, prefix in (("dataset", ""), ("organic_dataset", "organic_")):
            given = {name: getattr(self, prefix + name) for name in choices.RULES}
            given = {prefix + name: value for name, value in given.items() if value is not None}
            if len(given) > 1:
                raise ValueError(f"give one of {' and '.join(given)}, got {' and '.join(map(str, given.values()))}")
            if given and not getattr(self, argument):
                raise ValueError(f"{min(given)}: there is no --{argument} to choose from")
            if prefix + "tokens" in given and not self.tokenizer:
                raise ValueError(
                    f"{prefix}tokens needs a tokenizer to count them: add --tokenizer EleutherAI/gpt-neox-20b"
                )

    def rule(self, source: str) -> tuple[str, float]:
        """Of choices.RULES one, and its value."""
        prefix = "organic_" if source == "organic" else ""
        given = {name: getattr(self, prefix + name) for name in choices.RULES}
        default = "threshold", choices.THRESHOLD
        return next(((name, value) for name, value in given.items() if value is not None), default)


parser.answer_early(__name__, __doc__, FilterArguments)

import numpy as np

from hf_procedural.data.tokenization import load_tokenizer
from hf_procedural.locks import holding
from hf_procedural.models.suited import check_text
from hf_procedural.recycle import reading
from hf_procedural.runs.folder import RECIPE, open_output, recipe_of, versions

with user_errors(ImportError):
    from hf_procedural.files import expected, read_mapping, whole, write_text
    from hf_procedural.recycle import duplicates, pipeline, quality, selection
    from hf_procedural.recycle.output import DAMAGED, HIDDEN, OURS, begin, model_digest, planned

DATA = "|".join((REPORT, PLOT, *choices.SOURCES, OURS))


@dataclasses.dataclass(frozen=True)
class Source:
    """One of choices.SOURCES, in shards."""

    name: str
    text_column: str
    files: list[str]
    shards: list[reading.Shard]
    folder: Path  # of its scores


def used(args) -> dict[str, str]:
    """What the scores depend on beside the text."""
    return {"classifier": model_digest(args.classifier)}


def find_source(args, name: str) -> Source:
    """Raises ValueError where there is no such text, or a recycling that was cut short."""
    place, column, where = args.dataset, args.text_column, ()
    if name == "organic":
        place, column = args.organic_dataset, args.organic_text_column
        where = args.organic_dataset_config, args.organic_split
    marks = [Path(place, mark) for mark in (choices.COMPLETE, COMPLETE)]
    if Path(place, RECIPE).is_file() and not any(mark.is_file() for mark in marks):
        raise ValueError(f"{place} is not complete: run recipes/recycle_rephrase.py with its arguments again")
    folder = Path(args.output_dir, HIDDEN, name)
    try:
        files = reading.find_files(place, *where)
        shards = planned(folder, files, args.shard_documents, None, used(args))
        reading.check_columns(shards, column)
    except ValueError as error:
        own = name == "organic" and str(error).startswith(("dataset", "text_column"))
        raise ValueError(f"organic_{error}" if own else str(error)) from error
    return Source(name, column, files, shards, folder)


def find_sources(args) -> list[Source]:
    """Organic before recycled. Raises ValueError where a file is in both."""
    given = {"organic": args.organic_dataset, "recycled": args.dataset}
    sources = [find_source(args, name) for name in choices.SOURCES if given[name]]
    same_column = len({source.text_column for source in sources}) < len(sources)
    if same_column and (both := {*sources[0].files} & {*sources[1].files}):
        raise ValueError(f"organic_dataset: {min(both)} is in --dataset, too")
    return sources


def run(args, what: str, steps: list, output: Path, source: Source) -> None:
    """Runs steps of datatrove for the shards of a source whose file in `output` is not there."""
    tell(f"{source.name}: {what}", error=True)
    counts = [shard.count for shard in source.shards]
    pipeline.run("local", steps, output, counts, lambda: None, workers=args.num_proc, options={})


def read(args, source: Source, record: dict) -> pipeline.Read:
    return pipeline.Read(source.folder, record, source.text_column, args.id_column, args.strict)


def score(args, sources: list[Source], minhash: Path) -> None:
    """Writes the scores of all documents, and where copies are to be found their signatures."""
    first = 0
    for source in sources:
        record = {}
        steps = [
            read(args, source, record),
            selection.Score(source.folder, args.classifier, args.label, args.tokenizer),
            *([duplicates.Signatures(minhash, first)] if args.deduplicate else []),
            pipeline.Write(source.folder, selection.SCORED, record),
        ]
        run(args, "scores", steps, source.folder, source)
        first += len(source.shards)


def select(args, sources: list[Source], minhash: Path) -> dict[str, selection.Known]:
    """What is known of each source, and what of it is kept."""
    known = {source.name: selection.read_scores(source.folder, len(source.shards)) for source in sources}
    shards = [(source.name, rank) for source in sources for rank in range(len(source.shards))]
    copies = duplicates.find(minhash, len(shards)) if args.deduplicate else {}
    for number, places in copies.items():
        name, rank = shards[number]
        known[name].documents["duplicate"][known[name].starts[rank] + places] = True
    for name, own in known.items():
        selection.choose(own, *args.rule(name))
    return known


def write(args, sources: list[Source], known: dict[str, selection.Known]) -> None:
    """Writes what is kept of each source."""
    for source in sources:
        output, file, record = Path(args.output_dir, source.name), source.folder / FACTS, {}
        with whole(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, known[source.name].documents)
        steps = [
            read(args, source, record),
            selection.Keep(output, source.name, file, known[source.name].starts),
            pipeline.Write(output, selection.KEPT, record),
        ]
        run(args, "what is kept", steps, output, source)


def report(args, known: dict[str, selection.Known]) -> None:
    """Writes what became of the documents; COMPLETE last, as the mark that all is there."""
    accounts = {name: selection.account(own, *args.rule(name), args.tokenizer) for name, own in known.items()}
    title = f"# Filtered by {args.classifier}, {args.label}"
    everything = {
        "sources": accounts,
        "model": args.classifier,
        "label": args.label,
        "tokenizer": args.tokenizer,
        "versions": versions("hf-procedural", "fasttext-numpy2-wheel", "datatrove", "tokenizers", "pyarrow", "numpy"),
    }
    texts = {
        DAMAGED: "".join(f"{line}\n" for own in known.values() for line in own.damaged),
        REPORT: f"{title}\n\n{selection.markdown(accounts)}\n\n![qualities and lengths]({PLOT})\n",
        COMPLETE: json.dumps(everything, indent=2) + "\n",
    }
    with whole(Path(args.output_dir, PLOT)) as temporary:
        selection.draw(known, temporary)
    for name, text in texts.items():
        if text:
            write_text(Path(args.output_dir, name), text)


def clean(output: Path, sources: list[Source], minhash: Path) -> None:
    """Removes what nobody needs any more: of the finding of copies, and of runs that were killed."""
    shutil.rmtree(minhash, ignore_errors=True)
    for folder in (output, *(folder for source in sources for folder in (source.folder, output / source.name))):
        for file in (*folder.glob(".*.tmp"), *folder.glob(FACTS)):
            file.unlink()


def summary(output: Path) -> str:
    file, remedy = output / COMPLETE, f"remove it, and {GOES_ON}"
    account = read_mapping(file, remedy)
    with expected(file, remedy):
        return f"{selection.markdown(account['sources'])}\n\nin {output}, with {REPORT}, {PLOT} and {COMPLETE}"


def main():
    (args,) = parser.parse(__doc__, FilterArguments)
    pipeline.hide_logs()

    # 1. Text, classifier, output folder: what can be wrong is found before anything is written.
    with user_errors():
        output, recipe = Path(args.output_dir), recipe_of(args)
        if open_output(output, recipe, COMPLETE, FREE, DATA):
            tell(f"nothing to do:\n{summary(output)}")
            return
        sources = find_sources(args)
        quality.check_classifier(args.classifier, args.label)
        if args.tokenizer:
            check_text(args.tokenizer, load_tokenizer(args.tokenizer))

    # 2. Scores, thresholds, what is kept: shard by shard, each once.
    with user_errors(), holding(output):
        open_output(output, recipe, COMPLETE, FREE, DATA)  # nobody began it with other arguments meanwhile
        files = [file for source in sources for file in source.files]
        shards = [shard for source in sources for shard in source.shards]
        begin(output, recipe, files, shards)
        for source in sources:
            begin(source.folder, recipe, source.files, source.shards, used(args))
        minhash = output / HIDDEN / "minhash"
        score(args, sources, minhash)
        known = select(args, sources, minhash)
        write(args, sources, known)
        report(args, known)
        clean(output, sources, minhash)
    tell(summary(output))


if __name__ == "__main__":
    main()
