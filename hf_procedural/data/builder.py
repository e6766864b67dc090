"""The `datasets` builder over the task registry: what `load_dataset("procedural", "sort-64")` runs."""

import dataclasses
import functools
import itertools
import json
import math
from hashlib import sha256
from typing import Any, cast

import datasets
import numpy as np

from .. import upstream
from ..errors import nearest
from ..tasks import Task, list_tasks, task, task_class
from ..tasks.coding import Coding
from ..tasks.lookup import UnknownParameter
from ..tasks.splits import SIZES
from . import blocks, views
from .coded import coding_of
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
    """A task with its parameters, which rows of it (seed, rows in each split), and in which form.

    Args:
        task: of the name, such as sort-64, with the keywords that are parameters of the task; no keyword of its own.
        seed: of the rows; which split a prompt is in does not depend on it.
        train_size: rows of that split, which may be 0; of a larger one, the first are those of a smaller one.
        validation_size: the same of validation.
        test_size: the same of test.
        fixed_size: whether lists of ids say their length: of the columns' type alone, rows are the same.
        view: one of views.VIEWS.
        tokenizer: a folder, an id of the Hub, or a fast tokenizer, whose ids rows are to have. None: the task's own.
        coding: how: one of coding.KINDS, or a `Coding`, with which no tokenizer is needed.
        coding_seed: of the choice of symbols.
    """

    task: Task = dataclasses.field(default=cast(Task, None))  # which only BUILDER_CONFIGS leave out
    seed: int = 0
    train_size: int = SIZES["train"]
    validation_size: int = SIZES["validation"]
    test_size: int = SIZES["test"]
    fixed_size: bool = True
    view: str = "ids"
    tokenizer: Any = None
    coding: str | Coding | None = None
    coding_seed: int = 0

    def __post_init__(self):
        super().__post_init__()
        for name in ("seed", *(f"{split}_size" for split in SIZES)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
                raise ValueError(f"{name} must be an integer >= 0, got {value!r}")
            setattr(self, name, int(value))
        if not isinstance(self.fixed_size, bool):
            raise ValueError(f"fixed_size must be true or false, got {self.fixed_size!r}")
        if self.task is not None:
            views.check(self.view, self.task, is_coded=bool(self.coding or self.tokenizer is not None))
            self.coding = coding_of(self.task, self.tokenizer, self.coding, self.coding_seed)
            self.tokenizer = None  # the coding has all of it, is small, and is the same wherever it is unpickled

    @property
    def form(self) -> dict[str, Any]:
        """In what form rows are, where it is not the usual one: as plain JSON."""
        form: dict[str, Any] = {} if self.fixed_size else {"fixed_size": False}
        if self.view != "ids":
            form["view"] = self.view
        if isinstance(self.coding, Coding):
            form["coding"] = {name: getattr(self.coding, name) for name in ("kind", "tokenizer", "digest")}
        return form

    @property
    def row_length(self) -> int | None:
        """Tokens in each row; None where rows are text, or differ."""
        return blocks.row_length(self.task) if self.is_even else None

    @property
    def is_even(self) -> bool:
        """Whether all rows of a split have as many tokens."""
        return self.view == "ids" and not (isinstance(self.coding, Coding) and self.coding.is_text)

    @property
    def made(self) -> views.View:
        """What makes tables of rows."""
        return views.View(self.task, self.view, cast(Coding | None, self.coding), self.fixed_size)

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
        if self.form:
            everything.append(self.form)
        digest = sha256(json.dumps(everything).encode()).hexdigest()
        return f"{self.name[:60]}-{digest[:16]}"


# The keywords of load_dataset that no task has.
_OWN = [field.name for field in dataclasses.fields(ProceduralConfig) if field.name in ProceduralConfig.__annotations__]
_OWN.remove("task")


def _published_configs() -> list[ProceduralConfig]:
    """A config for each published size of each task: what is listed, while any other size makes one too."""
    configs = []
    for name in list_tasks():
        configs += [ProceduralConfig(name=f"{name}-{size}", version=_VERSION) for size in task_class(name).sizes]
    return configs


class Procedural(datasets.ArrowBasedBuilder):
    """Rows of any task of the registry, generated: in the columns of a view, mostly `input_ids` and `labels`."""

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
                f"procedural columns are those of a view ({', '.join(views.VIEWS)}): "
                "cast the data set instead of giving features"
            )
        # What the config does not take is the task's.
        fields = {field.name for field in dataclasses.fields(ProceduralConfig)} - {"task"}
        own = {key: parameters.pop(key) for key in list(parameters) if key in fields}
        try:
            chosen = task(config_name, **parameters)
        except UnknownParameter as error:
            hints = "".join(nearest(key, _OWN) for key in parameters)
            raise ValueError(f"{error}; of rows of any task: {', '.join(_OWN)}{hints}") from None
        defaults: dict[str, Any] = {"name": chosen.config_name, "version": self.VERSION, "description": chosen.summary}
        config = ProceduralConfig(**defaults | own, task=chosen)
        for split in config.rows():  # what cannot be made is refused here, before anything is written
            blocks.check(chosen, split)
        return config, config_id or config.create_config_id(parameters, custom_features)

    def _info(self):
        chosen = self.config.task
        is_method = Task.paper in chosen.paper
        # The sizes are known beforehand: they give the progress bar its end and an impossible order its refusal.
        splits = {split: datasets.SplitInfo(split, num_examples=rows) for split, rows in self.config.rows().items()}
        return datasets.DatasetInfo(
            description=f"{chosen.config_name}: {chosen.summary}. {type(chosen).__doc__} Source: {chosen.paper}.",
            citation=CITATION if is_method else "",
            homepage=PAPER_URL if is_method else "",
            license="apache-2.0",
            features=self.config.made.features,
            splits=datasets.splits.SplitDict(splits, dataset_name="procedural"),
            size_in_bytes=sum(rows * self.row_bytes(split) for split, rows in self.config.rows().items()),
        )

    def row_bytes(self, split: str) -> int:
        """Of a row of a split in memory; where rows differ, of a usual one."""
        if self.config.view == "ids" and not self.config.coding:
            return 2 * 4 * self.config.task.row_length(split)
        return self._usual_bytes

    @functools.cached_property
    def _usual_bytes(self) -> int:
        split = next(iter(self.config.rows()))
        rows = blocks.block(self.config.task, self.config.seed, split, 0)
        return self.config.made.table(*rows).nbytes // len(rows[0])

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

    def download_and_prepare(self, output_dir=None, *args, **kwargs):
        super().download_and_prepare(output_dir, *args, **kwargs)
        if isinstance(self.config.coding, Coding):
            self.config.coding.save(output_dir or self.cache_dir)

    def _as_streaming_dataset_single(self, *args, **kwargs):
        return faster(super()._as_streaming_dataset_single(*args, **kwargs))

    def _generate_tables(self, split, rows, ranges):
        chosen = self.config.task
        block_rows = blocks.block_rows(chosen)
        view = self.config.made
        make_key = upstream.get("datasets.builder:Key") or (lambda *numbers: numbers)
        for shard, (start, stop) in enumerate(ranges):
            for number in range(start, stop):
                wanted = rows - number * block_rows  # of the last block, fewer than it has
                rows_of_block = (array[:wanted] for array in blocks.block(chosen, self.config.seed, split, number))
                yield make_key(shard, number - start), view.table(*rows_of_block)
