"""The `datasets` builder over the task registry: what `load_dataset("procedural", "sort-64")` runs."""

import dataclasses
import itertools
import json
import math
from hashlib import sha256
from typing import Any, cast

import datasets
import numpy as np
import pyarrow as pa

from .. import upstream
from ..tasks import Task, list_tasks, task, task_class
from ..tasks.splits import SIZES
from . import blocks
from .streaming import faster

# Numbers of shards: each divides by many numbers of nodes and workers, and none is slow to list.
_SHARDS = (1, 2, 4, 6, 12, 24, 36, 48, 60, 120, 180, 240, 360, 720, 840, 1260, 1680, 2520, 5040)
_VERSION = datasets.Version("1.0.0")  # rises whenever a row changes
PAPER_URL = "https://arxiv.org/abs/2601.21725"
CITATION = """@inproceedings{jiang2026procedural,
  title = {Procedural Pretraining},
  author = {Jiang and Shinnick and {van den Hengel} and Saratchandran and Teney},
  booktitle = {International Conference on Machine Learning},
  year = {2026},
  note = {arXiv:2601.21725}
}"""


@dataclasses.dataclass
class ProceduralConfig(datasets.BuilderConfig):
    """A task with its parameters, which rows of it (seed, rows in each split), and whether lists say their length."""

    task: Task = dataclasses.field(default=cast(Task, None))  # which only BUILDER_CONFIGS leave out
    seed: int = 0
    train_size: int = SIZES["train"]
    validation_size: int = SIZES["validation"]
    test_size: int = SIZES["test"]
    fixed_size: bool = True  # of the columns' type alone: rows are the same

    def __post_init__(self):
        super().__post_init__()
        for name in ("seed", *(f"{split}_size" for split in SIZES)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
                raise ValueError(f"{name} must be an integer >= 0, got {value!r}")
            setattr(self, name, int(value))
        if not isinstance(self.fixed_size, bool):
            raise ValueError(f"fixed_size must be true or false, got {self.fixed_size!r}")

    def rows(self) -> dict[str, int]:
        """The number of rows of each split that has any."""
        sizes = {split: getattr(self, f"{split}_size") for split in SIZES}
        return {split: rows for split, rows in sizes.items() if rows}

    def create_config_id(self, config_kwargs, custom_features=None):
        """The cache folder's name: the config's, and a digest of all that its rows depend on."""
        if self.task is None:  # as it is in BUILDER_CONFIGS, where the builder's own method was not asked
            raise upstream.lacking("datasets.builder:DatasetBuilder._create_builder_config")
        sizes = [getattr(self, f"{split}_size") for split in SIZES]
        everything = [self.task.key, self.seed, sizes]
        if not self.task.is_ours:  # no version of ours tells when its rows change: the rows themselves do
            everything.append(blocks.fingerprint(self.task, self.seed, "train"))
        if not self.fixed_size:
            everything.append("lists of any size")
        digest = sha256(json.dumps(everything).encode()).hexdigest()
        return f"{self.name[:60]}-{digest[:16]}"


def _published_configs() -> list[ProceduralConfig]:
    """A config for each published size of each task: what is listed, while any other size makes one too."""
    configs = []
    for name in list_tasks():
        configs += [ProceduralConfig(name=f"{name}-{size}", version=_VERSION) for size in task_class(name).sizes]
    return configs


class Procedural(datasets.ArrowBasedBuilder):
    """Rows of any task of the registry, generated: `input_ids` and `labels`, int32 lists of `config.fixed_size`."""

    config: ProceduralConfig
    VERSION = _VERSION
    BUILDER_CONFIG_CLASS = ProceduralConfig
    BUILDER_CONFIGS = _published_configs()

    def _create_builder_config(self, config_name=None, custom_features=None, config_id=None, **parameters):
        # Any task, size and parameter makes a config, where the stock method takes only those in BUILDER_CONFIGS.
        if config_name is None:
            raise ValueError(
                'which task? Give its name, as in load_dataset("procedural", "sort-64"); '
                f"tasks: {', '.join(list_tasks())}"
            )
        parameters.pop("data_files", None)
        if parameters.pop("data_dir", None) is not None:
            raise ValueError("procedural rows are generated: data_dir has no meaning here")
        if custom_features is not None:
            raise ValueError(
                "procedural columns are int32 lists, of one length or (fixed_size=False) of any: "
                "cast the data set instead of giving features"
            )
        # What the config does not take is the task's.
        fields = {field.name for field in dataclasses.fields(ProceduralConfig)} - {"task"}
        own = {key: parameters.pop(key) for key in list(parameters) if key in fields}
        chosen = task(config_name, **parameters)
        defaults: dict[str, Any] = {"name": chosen.config_name, "version": self.VERSION, "description": chosen.summary}
        config = ProceduralConfig(**defaults | own, task=chosen)
        for split in config.rows():  # what cannot be made is refused here, before anything is written
            for member in getattr(chosen, "members", [chosen]):
                member.sample_split(np.random.default_rng(0), 1, split)
        return config, config_id or config.create_config_id(parameters, custom_features)

    def _info(self):
        chosen = self.config.task
        is_method = Task.paper in chosen.paper
        column = datasets.List(datasets.Value("int32"), length=chosen.max_length if self.config.fixed_size else -1)
        # The sizes are known beforehand: they give the progress bar its end and an impossible order its refusal.
        splits = {split: datasets.SplitInfo(split, num_examples=rows) for split, rows in self.config.rows().items()}
        row_bytes = 2 * 4 * chosen.max_length
        return datasets.DatasetInfo(
            description=f"{chosen.config_name}: {chosen.summary}. {type(chosen).__doc__} Source: {chosen.paper}.",
            citation=CITATION if is_method else "",
            homepage=PAPER_URL if is_method else "",
            license="apache-2.0",
            features=datasets.Features(input_ids=column, labels=column),
            splits=datasets.splits.SplitDict(splits, dataset_name="procedural"),
            size_in_bytes=sum(self.config.rows().values()) * row_bytes,
        )

    def _split_generators(self, dl_manager):
        generators = []
        for split, rows in self.config.rows().items():
            count = math.ceil(rows / blocks.block_rows(self.config.task))
            shards = max(shards for shards in _SHARDS if shards <= count)
            borders = [count * shard // shards for shard in range(shards + 1)]
            ranges = list(itertools.pairwise(borders))
            generator = datasets.SplitGenerator(split, {"split": split, "rows": rows, "ranges": ranges})
            generator.split_info.num_examples = rows
            generators.append(generator)
        return generators

    def _as_streaming_dataset_single(self, *args, **kwargs):
        return faster(super()._as_streaming_dataset_single(*args, **kwargs))

    def _generate_tables(self, split, rows, ranges):
        chosen = self.config.task
        block_rows = blocks.block_rows(chosen)
        features = cast(datasets.Features, self.info.features)  # those of `_info`
        schema = features.arrow_schema
        make_key = upstream.get("datasets.builder:Key") or (lambda *numbers: numbers)
        for shard, (start, stop) in enumerate(ranges):
            for number in range(start, stop):
                wanted = rows - number * block_rows  # of the last block, fewer than it has
                columns = []
                for array, column in zip(blocks.block(chosen, self.config.seed, split, number), schema, strict=True):
                    columns.append(_lists(array[:wanted], column.type))
                yield make_key(shard, number - start), pa.Table.from_arrays(columns, schema=schema)


def _lists(rows: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Rows of equal length as lists, of a fixed size or not."""
    tokens = pa.array(rows.reshape(-1))
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(tokens, type=kind)
    ends = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(ends, tokens, type=kind)
