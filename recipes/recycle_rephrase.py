# /// script
# requires-python = ">=3.10"
# dependencies = ["hf-procedural[recycle]"]
# ///
"""Rephrases web text for pretraining with a model of recipes/recycle_train.py (RePro; Yu and Xiong 2025).

    python recipes/recycle_rephrase.py --model_name_or_path runs/rephraser --dataset data/web --output_dir data/recycled
    python recipes/recycle_rephrase.py --model_name_or_path ORG/REPHRASER --dataset 'data/web/*.jsonl.zst' \\
        --output_dir data/recycled --num_proc 8                       # eight GPUs, or eight cores, of this machine
    python recipes/recycle_rephrase.py --model_name_or_path ORG/REPHRASER --dataset ORG/WEB-TEXT \\
        --output_dir data/recycled --executor slurm \\
        --executor_options '{"partition": "gpu", "time": "24:00:00", "gpus_per_task": 1}'
    python recipes/recycle_filter.py --dataset data/recycled --output_dir data/filtered --classifier quality.bin  # next

A document is cut into pieces of 7,000 characters at most, at the end of a sentence where there is one. Of each answer
of the model counts what follows "Here is a paraphrased version:"; a piece without it stays as it was (or is dropped),
and is counted. `load_dataset` reads the output folder: a parquet file for each shard of the input, with the columns id,
text, original, original_length, pieces, failed_pieces and metadata (JSON of the input's other columns). Beside them are
recipe.yaml, recycle.json (counts) and damaged.txt, which names lines that could not be read. Generation is by vLLM
where that is installed, else by transformers with continuous batching.

A run that was cut short goes on when it is started again, shard by shard, and ends with the same data; so does one with
another number of workers, each of which has a model of its own. On a cluster, datatrove runs the shards: --executor
slurm submits them with a task that writes recycle.json at the end, --executor ray waits for them.
"""

import dataclasses
import functools
from pathlib import Path
from typing import Any, ClassVar

from hf_procedural import accepted
from hf_procedural.errors import required, user_errors
from hf_procedural.files import templates_of
from hf_procedural.recycle import choices, pieces
from hf_procedural.shards.executors import EXECUTORS
from hf_procedural.terminal import tell
from hf_procedural.training import parser

TEMPLATE = templates_of(__file__) / "recycle.txt"
FREE = {"output_dir", "num_proc", "executor", "executor_options", "strict"}  # may change when a run goes on


@dataclasses.dataclass
class RephraseArguments:
    """Which text to rephrase, how, and where."""

    _argument_group_name = "rephrasing"
    ranges: ClassVar = {"temperature": accepted.least(0)}

    model_name_or_path: str | None = dataclasses.field(
        default=None, metadata={"help": "Folder or Hub id of the rephraser."}
    )
    dataset: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": f"A file, folder or glob of {choices.KINDS}, read in sorted order; or a data set of the Hub."
        },
    )
    dataset_config: str | None = dataclasses.field(default=None, metadata={"help": "Of a data set of the Hub."})
    split: str = dataclasses.field(default="train", metadata={"help": "Split of a data set of the Hub or a folder."})
    output_dir: str | None = dataclasses.field(default=None, metadata={"help": "Folder to write."})
    text_column: str = dataclasses.field(default="text", metadata={"help": "Column that holds the text."})
    id_column: str | None = dataclasses.field(
        default=None, metadata={"help": "Column that names the document. Default: id; without one, FILE:LINE."}
    )
    limit: int | None = dataclasses.field(default=None, metadata={"help": "Only the first so many lines or rows."})
    strict: bool = dataclasses.field(
        default=False, metadata={"help": "End at the first damaged line. Default: they are named and counted."}
    )
    piece_characters: int = dataclasses.field(
        default=pieces.PIECE_CHARACTERS, metadata={"help": "Characters of a piece, at most."}
    )
    without_marker: str = dataclasses.field(
        default=choices.ORIGINAL,
        metadata={"help": "A piece that was not rephrased: original (stays as it was) or drop."},
    )
    template: str | None = dataclasses.field(
        default=None, metadata={"help": "File with the prompt, {text} in it. Default: templates/recycle.txt."}
    )
    system: str = dataclasses.field(
        default=choices.SYSTEM,
        metadata={"help": "What a chat begins with, where the model has a chat template; '' for none."},
    )
    chat_template_kwargs: dict | str | None = dataclasses.field(
        default_factory=lambda: {"enable_thinking": False}, metadata={"help": "Settings of the chat template, as JSON."}
    )
    temperature: float = dataclasses.field(default=1.0, metadata={"help": "Of the sampling; 0 takes the likeliest."})
    top_p: float = dataclasses.field(default=0.9, metadata={"help": "Sample from so much of the probability."})
    max_new_tokens: int = dataclasses.field(default=2_048, metadata={"help": "Tokens of a rephrased piece, at most."})
    max_prompt_length: int = dataclasses.field(
        default=8_192, metadata={"help": "A piece whose prompt has more tokens, or leaves no room, counts as failed."}
    )
    seed: int = dataclasses.field(default=42, metadata={"help": "Of the sampling."})
    engine: str | None = dataclasses.field(
        default=None,
        metadata={
            "help": "vllm, or of transformers continuous (batching) or padded (batches). Default: the first that is "
            "installed and knows the model."
        },
    )
    batch_pieces: int = dataclasses.field(default=1_024, metadata={"help": "Pieces that an engine gets at a time."})
    cache_tokens: int | None = dataclasses.field(
        default=None,
        metadata={
            "help": "Tokens whose keys and values transformers has in memory. Default: 8192 on a CPU, else 65536."
        },
    )
    vllm_options: dict | str | None = dataclasses.field(
        default=None, metadata={"help": """Of vllm.LLM as JSON, e.g. '{"tensor_parallel_size": 2}'."""}
    )
    shard_documents: int = dataclasses.field(
        default=1_000,
        metadata={"help": "Lines or rows to a file; an interrupted run loses at most one of each worker."},
    )
    num_proc: int | None = dataclasses.field(
        default=None,
        metadata={
            "help": "Shards at a time, each by a process with its own model and GPU. Default: 1; on a cluster all."
        },
    )
    threads: int = dataclasses.field(
        default=1,
        metadata={
            "help": "Of a worker on a CPU. The last bits of sums, and so now and then a word, depend on it, but not on "
            "num_proc, which is the better use of many cores."
        },
    )
    executor: str = dataclasses.field(default="local", metadata={"help": "Of datatrove: local, slurm or ray."})
    executor_options: dict | str | None = dataclasses.field(
        default=None,
        metadata={"help": """Its other settings as JSON, e.g. '{"partition": "gpu", "time": "24:00:00"}'."""},
    )

    def __post_init__(self):
        required(self, model_name_or_path="runs/rephraser", dataset="data/web", output_dir="data/recycled")
        for name in ("chat_template_kwargs", "vllm_options", "executor_options"):
            setattr(self, name, parser.mapping(name, getattr(self, name)))
        known = {
            "without_marker": (choices.ORIGINAL, choices.DROP),
            "executor": EXECUTORS,
            "engine": (None, *choices.ENGINES),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(
                    f"{name} must be one of {', '.join(filter(None, values))}, got {getattr(self, name)!r}"
                )
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature must be at least 0, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")

    @property
    def settings(self) -> "generation.Settings":
        """How completions are made. Raises ValueError for a template that is none."""
        different: dict[str, Any] = {
            "model": self.model_name_or_path,
            "template": prompting.read_template(self.template or TEMPLATE, "text"),
            "system": self.system or None,
            "prompt_tokens": self.max_prompt_length,
        }
        same = {field.name for field in dataclasses.fields(generation.Settings)} - different.keys()
        return generation.Settings(**different, **{name: getattr(self, name) for name in same})


parser.answer_early(__name__, __doc__, RephraseArguments)

from hf_procedural import locks
from hf_procedural.models import build, prompting, suited
from hf_procedural.recycle import generation, reading
from hf_procedural.runs import folder

with user_errors(ImportError):
    from hf_procedural.recycle import pipeline, rephrasing
    from hf_procedural.recycle.output import OURS, begin, model_digest, planned

DATA = rf"\d{{5,}}\.parquet|{OURS}"


def prepare(args):
    """The settings with an engine that knows the model. Raises ValueError or ImportError; loads no weights."""
    model, tokenizer = build.load_text_model(args.model_name_or_path, device_map="meta")
    args.engine = generation.choose_engine(model, args.engine)
    if args.engine == "vllm":  # which reads weights as they lie there
        suited.check_place(args.model_name_or_path)
    settings, positions = args.settings, build.positions_of(model.config)
    if positions is not None and (bare := len(generation.token_ids([""], settings, tokenizer)[0])) >= positions:
        raise ValueError(
            f"model_name_or_path {args.model_name_or_path} has {positions} positions, and the template alone "
            f"takes {bare}"
        )
    return settings


def main():
    (args,) = parser.parse(__doc__, RephraseArguments)
    pipeline.hide_logs()

    # 1. Model, input, output folder: what can be wrong is found before anything is written.
    with user_errors():
        output, settings = Path(args.output_dir), prepare(args)
        recipe = folder.recipe_of(args)
        if folder.open_output(output, recipe, choices.COMPLETE, FREE, DATA):
            tell(f"nothing to do:\n{rephrasing.summary(output)}")
            return
        files = reading.find_files(args.dataset, args.dataset_config, args.split)
        used = {"model_name_or_path": model_digest(args.model_name_or_path), "template": settings.template}
        shards = planned(output, files, args.shard_documents, args.limit, used)
        reading.check_columns(shards, args.text_column, args.id_column)
        record = {}
        steps = [
            pipeline.Read(output, record, args.text_column, args.id_column or "id", args.strict),
            rephrasing.Rephrase(
                output,
                record,
                settings,
                seed=args.seed,
                piece_characters=args.piece_characters,
                batch_pieces=args.batch_pieces,
                without_marker=args.without_marker,
            ),
            pipeline.Write(output, rephrasing.SCHEMA, record),
        ]
        run = functools.partial(
            pipeline.run,
            args.executor,
            steps,
            output,
            [shard.count for shard in shards],
            functools.partial(rephrasing.finish, output, len(shards), settings),
            workers=args.num_proc,
            options=args.executor_options,
        )
        pipeline.executor(args.executor, steps, output, tasks=1, workers=1, options=args.executor_options)

    # 2. Shard by shard, each once.
    with user_errors(), locks.holding(output):
        folder.open_output(output, recipe, choices.COMPLETE, FREE, DATA)  # nobody began it with other ones meanwhile
        begin(output, recipe, files, shards, used)
        if run():
            tell(rephrasing.summary(output))
        else:
            tell(f"{len(shards)} shards are in the queue; this command tells what became of them when they are done")


if __name__ == "__main__":
    main()
