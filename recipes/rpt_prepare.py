# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural[rl]"]
# ///
"""Questions for Reinforcement Pre-Training (Dong et al. 2025, arXiv:2506.08007), from any text.

    python recipes/rpt_prepare.py --dataset ORG/TEXT --proxy_model ORG/SMALL-LM --output_dir data/rpt
    python recipes/rpt_prepare.py recipes/configs/rpt_omnimath_prepare.yaml
    accelerate launch --multi_gpu --num_processes 8 recipes/rpt_prepare.py recipes/configs/rpt_omnimath_prepare.yaml
    accelerate launch recipes/semantic.py recipes/configs/stdlib.yaml --output_dir runs/rpt_proxy   # a tiny proxy, then
    python recipes/rpt_prepare.py recipes/configs/rpt_tiny_prepare.yaml                             # seconds on a CPU

A question is a text up to a token, and how it goes on. Asked are those positions where the next token of a small
language model, the proxy, is uncertain: the entropy of its 16 likeliest tokens is above min_entropy. `load_dataset`
reads the output folder: train-*.parquet, and validation-*.parquet with the questions of the first validation_size
documents; the columns are in hf_procedural/rl/questions.py. Beside them are recipe.yaml, prepare.json (counts, the
proxy) and entropy.png; demonstrations.jsonl, if asked for, is text from which recipes/semantic.py teaches a model to
answer in a box. A run that was cut short goes on where it was when it is started again, and ends with the same data.
"""

import collections
import contextlib
import dataclasses
import itertools
import json
import math
from pathlib import Path
from typing import ClassVar

from hf_procedural import accepted
from hf_procedural.errors import GOES_ON, required, user_errors
from hf_procedural.files import templates_of
from hf_procedural.rl.arguments import CANDIDATES
from hf_procedural.runs.measured import THRESHOLDS
from hf_procedural.terminal import tell, visible
from hf_procedural.text import sources
from hf_procedural.training import parser

TEMPLATE = templates_of(__file__) / "rpt.txt"
LARGEST = math.log(CANDIDATES)  # entropy of so many equal probabilities, in nats


@dataclasses.dataclass
class PrepareArguments(sources.ReadingArguments):
    """Which text to ask about, and where."""

    _argument_group_name = "questions"
    ranges: ClassVar = {"validation_size": accepted.least(0)}

    split: str = dataclasses.field(default="train", metadata={"help": "Split of the data set."})
    text_column: list[str] = dataclasses.field(
        default_factory=list,
        metadata={"help": f"{sources.COLUMN_HELP} Or several, whose texts a blank line joins."},
    )
    validation_size: int = dataclasses.field(
        default=0, metadata={"help": "Documents for the validation split: the first that are read, after shuffling."}
    )
    proxy_model: str | None = dataclasses.field(
        default=None, metadata={"help": "Folder or Hub id of a causal language model with a fast tokenizer."}
    )
    dtype: str = dataclasses.field(default="float32", metadata={"help": "Of its weights; bfloat16 for GPUs."})
    max_length: int = dataclasses.field(
        default=4_096, metadata={"help": "Only the first so many tokens of a document are asked about."}
    )
    min_context: int = dataclasses.field(
        default=15, metadata={"help": "Tokens before a position, at least; 15 as in casinca/LLM-quest."}
    )
    continuation_tokens: int = dataclasses.field(default=64, metadata={"help": "True tokens of a question to keep."})
    min_entropy: float = dataclasses.field(
        default=THRESHOLDS["easy"],
        metadata={"help": "Ask where the entropy is above so many nats: easy 0.5, medium 1.0, hard 1.5."},
    )
    positions_per_document: int | None = dataclasses.field(
        default=None, metadata={"help": "So many of them at most, drawn at random. Default: all."}
    )
    seed: int = dataclasses.field(default=42, metadata={"help": "Of the shuffling and the drawing."})
    demonstrations: bool = dataclasses.field(
        default=False, metadata={"help": "Also write training questions with prompt and answer in a box, as text."}
    )
    template: str | None = dataclasses.field(
        default=None, metadata={"help": "File with the prompt of these, with {context}. Default: templates/rpt.txt."}
    )
    output_dir: str | None = dataclasses.field(default=None, metadata={"help": "Folder to write."})
    batch_tokens: int = dataclasses.field(
        default=8_192, metadata={"help": "Tokens in a forward pass with their padding; more needs more memory."}
    )
    shard_documents: int = dataclasses.field(
        default=256, metadata={"help": "Documents to a file; an interrupted run loses at most one file's work."}
    )

    def __post_init__(self):
        required(self, dataset="ORG/TEXT", proxy_model="ORG/SMALL-LM", output_dir="data/rpt")
        self.dataset, weights = sources.checked_sources(self.dataset, [])
        if len(self.dataset) > 1 or weights:
            raise ValueError(f"dataset must be one, without a weight, got {' '.join(map(sources.label, self.dataset))}")
        if self.min_context >= self.max_length:
            raise ValueError(f"min_context must be below max_length, {self.max_length}, got {self.min_context}")
        if not 0 <= self.min_entropy < LARGEST:
            raise ValueError(
                f"min_entropy must be from 0 to below {LARGEST:.2f} (ln {CANDIDATES}), got {self.min_entropy}"
            )
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"dtype must be float32, bfloat16 or float16, got {self.dtype!r}")
        if self.template and not self.demonstrations:
            raise ValueError("template: only demonstrations have one; add --demonstrations true")


parser.answer_early(__name__, __doc__, PrepareArguments)

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from datasets.utils import tqdm

from hf_procedural import looks, upstream
from hf_procedural.files import expected, read_mapping, whole, write_text
from hf_procedural.locks import holding
from hf_procedural.models import prompting
from hf_procedural.rl import questions
from hf_procedural.rl.questions import COMPLETE, SCHEMA, Proxy
from hf_procedural.runs.folder import RECIPE, open_output, recipe_of, versions
from hf_procedural.text import documents
from hf_procedural.training.launch import processes

DEMONSTRATIONS, PLOT = "demonstrations.jsonl", "entropy.png"
DATA = rf"(train|validation)-\d+\.parquet|{DEMONSTRATIONS}|{PLOT}"
BIN = 0.01  # nats, of the histogram
BINS = 280  # to 2.80
METADATA = "hf_procedural"  # the key under which a file tells its counts
_COLOURS = (looks.GREEN, looks.PURPLE, looks.ORANGE)  # of easy, medium and hard, as in training.png
GROUP = 1_000  # questions in a row group, which is in memory as a whole


def read_documents(args) -> documents.Documents:
    """The documents; names their columns in `args`. Raises ValueError where all of them would be held out."""
    texts = documents.open_documents(
        *args.dataset,
        config=args.dataset_config,
        split=args.split,
        column=args.text_column,
        limit=args.limit,
        shuffle_buffer=args.shuffle_buffer,
        seed=args.seed,
        skip_empty=args.skip_empty,
    )
    count = sum(1 for _ in itertools.islice(texts, args.validation_size + 1))
    if count <= args.validation_size:
        raise ValueError(
            f"validation_size must be less than the number of documents, {count}, got {args.validation_size}"
        )
    args.text_column = texts.columns
    return texts


def is_complete(args) -> bool:
    """Whether the output folder is. Raises ValueError where it holds anything that is not of this run."""
    begun = any(Path(args.output_dir).glob("*-*.parquet"))  # before, other arguments may take the place of these
    found = set() if args.text_column else {"text_column"}  # is yet to be found, in the same data as before
    free = {"output_dir"} | found if begun else None
    return open_output(Path(args.output_dir), recipe_of(args), COMPLETE, free, DATA)


def shards(args, texts):
    """(file, number of the first document, its documents) of all shards; those of held-out documents come first."""
    texts, start = iter(texts), 0
    for split, limit in (("validation", args.validation_size), ("train", None)):
        held = itertools.islice(texts, limit)
        for number in itertools.count():
            if not (some := list(itertools.islice(held, args.shard_documents))):
                break
            yield Path(args.output_dir, f"{split}-{number:05d}.parquet"), start, some
            start += len(some)


def write_shard(args, proxy: Proxy, file: Path, start: int, texts: list[str], progress) -> None:
    """Writes the questions about `texts`, whose numbers begin at `start`, and their counts as the file's metadata.

    The last bits of a document's scores depend on those it is scored with: these are the same in every run.
    """
    readings = [proxy.read(text, args.continuation_tokens) for text in texts]
    entropies, chosen, counts = [], {}, collections.Counter()
    for places in questions.batches(readings, args.batch_tokens):
        for place, scores in zip(places, proxy.score([readings[place] for place in places]), strict=True):
            scores = scores[scores.positions >= args.min_context]
            entropies.append(scores.entropies)
            rules = (args.min_entropy, args.positions_per_document, np.random.default_rng([args.seed, start + place]))
            chosen[place], left_out = questions.choose(readings[place], scores, *rules)
            counts.update(left_out)
        progress(len(places))
    seen, asked = (np.concatenate([[], *parts]) for parts in (entropies, (part.entropies for part in chosen.values())))
    counted = {
        "documents": len(texts),
        "cut_documents": sum(reading.tokens < len(reading.ends) for reading in readings),
        "tokens": sum(reading.tokens for reading in readings),
        "positions": len(seen),
        **{reason: counts[reason] for reason in ("certain", "inside_characters", "not_drawn")},
        "questions": len(asked),
        **above(asked),
        "positions_above": above(seen),
        "largest": seen.max(initial=0),
        "histogram": np.histogram(seen, BINS, (0, BINS * BIN))[0].tolist(),
    }
    rows = itertools.chain.from_iterable(
        questions.question_rows(start + place, readings[place], chosen[place], args.continuation_tokens, proxy.bytes_of)
        for place in sorted(chosen)
    )
    schema = SCHEMA.with_metadata({METADATA: json.dumps(counted)})
    with whole(file) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while group := list(itertools.islice(rows, GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema))


def above(entropies: np.ndarray) -> dict[str, int]:
    """How many entropies, in nats, are above each threshold."""
    return {name: int((entropies > least).sum()) for name, least in THRESHOLDS.items()}


def together(parts: list[dict]) -> dict:
    """The sums of what shards tell, and the largest entropy of all."""

    def of(key, values):
        if isinstance(values[0], dict):
            return together(values)
        return max(values) if key == "largest" else np.sum(values, axis=0).tolist()

    return {key: of(key, [part[key] for part in parts]) for key in parts[0]}


def finish(args, proxy: Proxy, template: str | None) -> None:
    """Writes what is known when all shards are there; COMPLETE last, as the mark of it.

    Raises ValueError, and leaves no file, where no question is there to train on.
    """
    folder, splits = Path(args.output_dir), {}
    for file in sorted(folder.glob("*-*.parquet")):
        with expected(file, f"remove it, and {GOES_ON}"):
            counted = json.loads(pq.read_schema(file).metadata[METADATA.encode()])
        splits.setdefault(file.name.partition("-")[0], []).append(counted)
    splits = {split: together(parts) for split, parts in sorted(splits.items())}
    for split, counted in splits.items():
        if not counted["questions"]:  # load_dataset takes a split without rows for an error
            for file in folder.glob(f"{split}-*.parquet"):
                file.unlink()
    if not splits["train"]["questions"]:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        raise ValueError(
            "no question to train on: {positions:,} positions of {documents:,} documents were seen (min_context {}), "
            "whose largest entropy is {largest:.4f}; lower min_entropy {}".format(
                args.min_context, args.min_entropy, **splits["train"]
            )
        )
    everything = together(list(splits.values()))
    counts = {split: {key: counted[key] for key in counted if key != "histogram"} for split, counted in splits.items()}
    config = proxy.model.config
    account = {
        **counts,
        "entropy": {  # nats, of all positions
            "largest": everything["largest"],
            "quantiles": quantiles(everything["histogram"]),
            "positions_above": everything["positions_above"],
            "bin": BIN,
            "histogram": everything["histogram"],
        },
        "proxy": {
            "name": args.proxy_model,
            "revision": upstream.of(config, "transformers:PreTrainedConfig._commit_hash"),
            "architecture": type(proxy.model).__name__,
            "parameters": proxy.model.num_parameters(),
            "vocabulary": len(proxy.tokenizer),
            "max_length": proxy.max_length,
        },
        "versions": versions("hf-procedural", "torch", "transformers", "datasets", "tokenizers", "numpy", "pyarrow"),
    }
    with whole(folder / PLOT) as temporary:
        draw(everything, temporary, f"{sources.label(*args.dataset)}, proxy {args.proxy_model}")
    if template is not None:
        with whole(folder / DEMONSTRATIONS) as temporary, temporary.open("w", encoding="utf-8") as lines:
            for text in demonstrations(folder, template):
                lines.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    write_text(folder / COMPLETE, json.dumps(account, indent=2) + "\n")


def demonstrations(folder: Path, template: str):
    """For each training question the prompt, and the true next token in a box."""
    for file in sorted(folder.glob("train-*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(GROUP, columns=["context", "token"]):
            for row in batch.to_pylist():
                yield f"{prompting.fill(template, context=row['context'])}\n\\boxed{{{row['token']}}}"


def quantiles(histogram: list[int]) -> dict[str, float]:
    """Entropies, in nats and rounded up to whole bins, that such shares of all positions are at or below."""
    shares = np.cumsum(histogram) / sum(histogram)
    return {
        f"{share:g}": round(BIN * (1 + int(np.searchsorted(shares, share))), 2)
        for share in (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
    }


def draw(counted: dict, path: Path, title: str) -> None:
    """Draws the entropies of all positions as a PNG, and what share of them is above each threshold."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axis = figure.subplots()
    drawn = 5  # bins in one
    edges = np.arange(0, BINS + 1, drawn) * BIN
    axis.stairs(np.reshape(counted["histogram"], (-1, drawn)).sum(1), edges, fill=True, color=looks.SKY, alpha=0.6)
    axis.set_yscale("log")
    for (name, least), color in zip(THRESHOLDS.items(), _COLOURS, strict=True):
        share = counted["positions_above"][name] / counted["positions"]
        axis.axvline(least, color=color, label=f"{name}: {share:.1%} above {least}")
    axis.set(xlabel="entropy of the 16 likeliest next tokens (nats)", ylabel=f"positions in {drawn * BIN:g} nats")
    axis.set_title(visible(title), parse_math=False)
    axis.set_xlim(0, edges[-1])
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=120, format="png")


def summary(folder: Path) -> str:
    """What a complete folder holds, a line for each split."""
    file, remedy = folder / COMPLETE, f"remove it, and {GOES_ON}"
    account, lines = read_mapping(file, remedy), []
    with expected(file, remedy):
        for split in ("train", "validation"):
            if split in account:
                sizes = ", ".join(f"{account[split][name]:,} {name} (> {least})" for name, least in THRESHOLDS.items())
                lines.append("{}: {questions:,} questions from {documents:,} documents".format(split, **account[split]))
                lines[-1] += f"; {sizes}"
    return "\n".join([*lines, f"in {folder}, with {PLOT} and {COMPLETE}"])


def main():
    (args,) = parser.parse(__doc__, PrepareArguments)

    # 1. Documents, proxy, folder: what can be wrong is found before anything is written.
    with user_errors():
        folder = Path(args.output_dir)
        if is_complete(args):
            tell(f"nothing to do: {summary(folder)}")
            return
        state = processes()
        template = prompting.read_template(args.template or TEMPLATE, "context") if args.demonstrations else None
        texts = read_documents(args)
        proxy = Proxy(args.proxy_model, args.dtype, args.max_length, state.device)
        if args.min_context >= proxy.max_length:
            raise ValueError(
                f"min_context must be below the {proxy.max_length} positions of {args.proxy_model}, "
                f"got {args.min_context}"
            )
        proxy.read(next(iter(texts)))
    if proxy.max_length < args.max_length and state.is_main_process:
        tell(f"max_length: {args.proxy_model} has {proxy.max_length} positions; so many tokens of a document are read")
    state.wait_for_everyone()

    # 2. Every process asks about its share of the shards, while one holds the folder for all.
    with contextlib.ExitStack() as stack:
        with user_errors(ValueError):
            stack.enter_context(holding(folder, is_main=state.is_main_process))
            is_complete(args)  # nobody began it with other arguments meanwhile
        make(args, state, proxy, texts, template)


def make(args, state, proxy: Proxy, texts, template: str | None) -> None:
    """Writes the folder, as far as it is not there."""
    folder = Path(args.output_dir)
    with user_errors(documents.DataError, questions.ProxyError, OSError):
        if state.is_main_process:
            write_text(folder / RECIPE, yaml.safe_dump(recipe_of(args), sort_keys=False))
        state.wait_for_everyone()
        with tqdm(total=args.limit, unit=" documents", disable=not state.is_main_process) as bar:
            for number, (file, start, some) in enumerate(shards(args, texts)):
                done = bar.n
                if number % state.num_processes == state.process_index and not file.exists():
                    write_shard(args, proxy, file, start, some, bar.update)
                bar.update(done + len(some) - bar.n)
    state.wait_for_everyone()

    if state.is_main_process:
        with user_errors():
            finish(args, proxy, template)
        tell(summary(folder))


if __name__ == "__main__":
    main()
