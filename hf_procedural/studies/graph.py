"""The runs of a study, each with its arguments and those that it begins from."""

import dataclasses
import fnmatch
import functools
import glob
import hashlib
import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import accepted
from ..errors import nearest
from ..models.words import parse_sources
from ..runs.folder import NO_ARM
from ..training import catalogue, parser
from .amounts import Amount, amount_of
from .matched import add_matched
from .reading import REFERRING, TRANSFER, Reference, Stage, Study, references

SCRATCH = "scratch"
_ALIKE = 0.75  # of a word and a stage's name, from which on that is taken for misspelt
_LONGEST = 150  # characters of an arm's name, which is a folder's
# Arguments that NO_ARM leaves out, since arms may differ in them, and on which a run's result depends all the same.
_RESULT = ("data_seed", "dataloader_drop_last", "save_adapter")
_BEST = ("eval_", "save_")  # of load_best_model_at_end, which these choose among
# Arguments that may name a file or a folder of this machine, on whose content a run's result depends.
_LOCAL = (*REFERRING, "validation_dataset", "task_file", "data", "template", "quality_template")
_LOCAL += (
    "structure_template",
    "config_name",
    "tokenizer",
    "quality_tokenizer",
    "structure_tokenizer",
    "meaning_model",
)
_HASHED = 2**24  # bytes of a file up to which its content counts, and not its time
_SPEAKING = ("task", *REFERRING)  # axes whose values need no name


@dataclasses.dataclass
class Planned:
    """A run: its folder below the study's is `name`."""

    stage: str
    recipe: str
    arm: dict[str, str]  # by the study's own words
    seed: int
    arguments: dict  # of its recipe
    after: list["Planned"]
    matched: dict | None = None  # kind, and the arm to which it is matched
    amount: Amount | None = None
    resources: dict = dataclasses.field(default_factory=dict)
    launch: dict = dataclasses.field(default_factory=dict)
    digest: str = ""  # of all that its result depends on

    @property
    def arm_name(self) -> str:
        return arm_name(self.arm)

    @property
    def name(self) -> str:
        return f"{self.stage}/{self.arm_name}/seed_{self.seed}"


def arm_name(arm: dict[str, str]) -> str:
    """The name of an arm's folder, which may stand in a word of --init_from: no comma, colon, = or * is in it.

    >>> arm_name({"task": "sort", "length": "16", "init_from": "attn=warmup/set-16"})
    'sort__length-16__attn_warmup_set-16'
    """
    words = [value.strip("/") if key in _SPEAKING else f"{key}-{value}" for key, value in arm.items()]
    name = "__".join(re.sub(r"[^\w.+-]+", "_", word) for word in words) or "run"
    if len(name.encode()) <= _LONGEST:
        return name
    return f"{name.encode()[: _LONGEST - 9].decode(errors='ignore')}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


class Graph:
    """The runs of a study by name, each behind those that it begins from."""

    def __init__(self, study: Study):
        self.study = study
        self.runs: dict[str, Planned] = {}
        self.by_arm: dict[str, dict[str, dict[int, Planned]]] = {}  # stage, arm, seed
        self._local = functools.cache(_local)  # each file is read once for a plan
        for stage in study.stages.values():
            self.by_arm[stage.name] = {}
            for planned in self._runs_of(stage):
                self.add(planned)
            if stage.matched:
                add_matched(self, stage)

    def add(self, planned: Planned) -> None:
        """Raises ValueError where two arms would have one name, and for arguments that the recipe would refuse."""
        there = self.runs.setdefault(planned.name, planned)
        if there is not planned:
            raise ValueError(
                f"stage {planned.stage}: two arms have the name {planned.arm_name}: {there.arm}, {planned.arm}"
            )
        seeds = self.by_arm[planned.stage].setdefault(planned.arm_name, {})
        if not seeds:  # of others only the seed is another
            _check(planned, self.study.output)
        seeds[planned.seed] = planned
        planned.amount = amount_of(planned)
        planned.digest = _digest(planned, self.study.output, self._local)

    def _runs_of(self, stage: Stage) -> Iterator[Planned]:
        for chosen in itertools.product(*stage.axes.values()):
            axes = dict(zip(stage.axes, chosen, strict=True))
            if (stage.fixed | axes).get("init_from") in (None, SCRATCH):
                of_transfer = {key: axes.pop(key) for key in TRANSFER if key in axes}
                if any(value is not stage.axes[key][0] for key, value in of_transfer.items()):
                    continue  # the same once more
            arguments = with_axes(stage.fixed, axes)
            for names in self._choices(stage, arguments):
                arm = {key.rpartition(".")[2]: _label(value, names) for key, value in axes.items()}
                for key in REFERRING:
                    value = arguments.get(key)
                    words = references(value, self.study.stages) if isinstance(value, str) else []
                    if key not in axes and any(isinstance(word, Reference) for word in words):
                        arm[key] = _label(value, names)
                for seed in stage.seeds:
                    yield self.planned(stage, arguments, arm, names, seed)

    def _choices(self, stage: Stage, arguments: dict) -> Iterator[dict[tuple[str, str], str]]:
        """For each reference of a stage's arguments that takes one run an arm's name, in all combinations."""
        named: dict[tuple[str, str], list[str]] = {}
        for key in REFERRING:
            value = arguments.get(key)
            for word in references(value, self.study.stages):
                if isinstance(word, Reference):
                    named[word.stage, word.arms] = self._arms(stage, key, word)
                elif key == "init_from" and isinstance(word, str):
                    self._check_source(stage, word)
            for word in (value if isinstance(value, list) else [value]) if key != "init_from" else []:
                self._check_word(stage, key, word)
        for chosen in itertools.product(*named.values()):
            yield dict(zip(named, chosen, strict=True))

    def _arms(self, stage: Stage, key: str, word: Reference) -> list[str]:
        known = self.by_arm[word.stage]
        arms = [name for name in known if fnmatch.fnmatchcase(name, word.arms)]
        if not arms:
            raise ValueError(
                f"stage {stage.name}: {key} {word.before}{word.stage}/{word.arms}: no arm of {word.stage} has such a "
                f"name{nearest(word.arms, known)} (its arms: {', '.join(known)})"
            )
        return arms

    def _check_source(self, stage: Stage, word: str) -> None:
        """Raises ValueError for what an arm cannot begin from."""
        try:
            path = parse_sources(word)[0].path
        except ValueError as error:
            raise ValueError(f"stage {stage.name}: init_from: {error}") from None
        if path == SCRATCH or Path(path).exists():
            return
        near = nearest(path.partition("/")[0], self.study.stages)
        is_of_hub = re.fullmatch(r"[\w.-]+/[\w.-]+", path) and not near and not Path(path).parent.is_dir()
        if not is_of_hub:
            raise ValueError(
                f"stage {stage.name}: init_from {word}: {path!r} is no stage and no folder{near} "
                f"(stages: {', '.join(self.study.stages)})"
            )

    def _check_word(self, stage: Stage, key: str, word) -> None:
        """Raises ValueError for what is neither a stage, nor a file, and has nearly the name of one."""
        if not isinstance(word, str) or not re.fullmatch(r"[\w.-]+", word) or word in self.study.stages:
            return
        near = nearest(word, [name for name in self.study.stages if name != stage.name], cutoff=_ALIKE)
        if near and not os.path.exists(word):
            raise ValueError(
                f"stage {stage.name}: {key} {word} is no stage and no file{near} (call that stage otherwise where it "
                "is not meant)"
            )

    def planned(self, stage: Stage, arguments: dict, arm: dict, names: dict, seed: int) -> Planned:
        """A run of a stage, whose references are to the arms of `names`."""
        after = {}

        def folder(word: Reference, name: str) -> str:
            run = self._of_seed(stage, word, name, seed)
            after[run.name] = run
            return f"{word.before}{self.study.output / run.name}"

        own = dict(arguments)
        for key in REFERRING:
            value = arguments.get(key)
            if isinstance(value, list):
                words = [references(item, self.study.stages) for item in value]
                own[key] = [
                    item
                    for item, (word, *others) in zip(value, words, strict=True)
                    for item in (
                        [folder(word, name) for name in self._arms(stage, key, word)]
                        if isinstance(word, Reference) and not others
                        else [item]
                    )
                ]
            elif value is not None:
                words = references(value, self.study.stages)
                if any(isinstance(word, Reference) for word in words):
                    own[key] = ",".join(
                        folder(word, names[word.stage, word.arms]) if isinstance(word, Reference) else word
                        for word in words
                    )
        return Planned(
            stage.name,
            stage.script,
            arm,
            seed,
            own,
            [*after.values()],
            resources=stage.resources,
            launch=stage.launch,
        )

    def _of_seed(self, stage: Stage, word: Reference, name: str, seed: int) -> Planned:
        """The run of an arm with the same seed, or its only one."""
        seeds = self.by_arm[word.stage][name]
        if seed not in seeds and len(seeds) > 1:
            raise ValueError(
                f"stage {stage.name}: seed {seed} would begin from {word.stage}/{name}, whose seeds are "
                f"{' '.join(map(str, seeds))}: give one of them, or that stage one seed for all"
            )
        return seeds.get(seed) or next(iter(seeds.values()))


def _check(planned: Planned, output: Path) -> None:
    """Raises ValueError, with the stage's name, for arguments that its recipe would refuse."""
    options = parser.of_recipe(catalogue.script_of(planned.recipe))
    where = f"stage {planned.stage}"
    try:
        for arguments in options.of_content(own_arguments(planned, output), where):
            if hasattr(arguments, "check"):
                arguments.check()
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith(where) else f"{where}, {planned.arm_name}: {text}") from None


def with_axes(fixed: dict, axes: dict) -> dict:
    """Arguments of a recipe with the values of some axes."""
    arguments = dict(fixed)
    for key, value in axes.items():
        name, _, parameter = key.partition(".")
        if parameter:
            arguments[name] = (arguments.get(name) or {}) | {parameter: value}
        else:
            arguments[name] = value
    return arguments


def own_arguments(planned: Planned, output: Path) -> dict:
    """All arguments of a run's recipe, as its YAML has them: with its seed, its folder and its name for trackers."""
    options = parser.of_recipe(catalogue.script_of(planned.recipe)).options
    folder = output / planned.name
    own = {
        "seed": planned.seed,
        "output_dir": str(folder),
        "output_file": str(folder / "model.bin"),
        "run_name": planned.name,
        "project": planned.arguments.get("project", output.absolute().name),
    }
    return planned.arguments | {key: value for key, value in own.items() if key in options}


def _label(value, names: dict) -> str:
    if isinstance(value, list):
        return "+".join(_label(item, names) for item in value)
    if isinstance(value, dict):
        return value["name"] if "name" in value else json.dumps(value, sort_keys=True)
    if not isinstance(value, str):
        return json.dumps(value)
    words = references(value, {stage: None for stage, _ in names})
    return ",".join(
        word if isinstance(word, str) else f"{word.before}{word.stage}/{names[word.stage, word.arms]}" for word in words
    )


def _local(word: str) -> list | None:
    """What tells whether a file, or those of a folder, have changed; None where there is none.

    Of files of up to 16 MiB the content, of larger ones and those of folders the size and the time of the last change.
    """
    place = accepted.at_home(word)
    if os.path.isfile(place) and os.path.getsize(place) <= _HASHED:
        return [hashlib.sha256(Path(place).read_bytes()).hexdigest()]
    if os.path.isdir(place):
        there = [file for file in Path(place).rglob("*") if not _is_hidden(file.relative_to(place))]
    else:
        there = [Path(file) for file in glob.glob(place, recursive=True)]  # of one name that one
    states = [(str(file), file.stat()) for file in sorted(there) if file.is_file()]
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states] or None


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _words_of(value) -> Iterator[str]:
    """All words in a value; of ``attn=a,mlp=permuted:b`` a and b, too."""
    if isinstance(value, str):
        yield value
        if re.search(r"[,=:]|^[\d.]+\*", value):
            yield from re.split("[,=:*]", value)
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _words_of(each)


def _digest(planned: Planned, output: Path, local: Callable[[str], list | None] = _local) -> str:
    """Of a run's arguments but those that change no result, of local files, and of the runs that it begins from."""
    chooses_best = planned.arguments.get("load_best_model_at_end")
    relevant = {
        key: value
        for key, value in planned.arguments.items()
        if not key.startswith(NO_ARM) or key in _RESULT or (chooses_best and key.startswith(_BEST))
    }
    of_run = [planned.recipe, planned.stage, planned.seed, relevant, *([planned.launch] if planned.launch else [])]
    named = {word for key in _LOCAL for word in _words_of(planned.arguments.get(key))}
    outside = [word for word in sorted(named) if word and not Path(word).absolute().is_relative_to(output.absolute())]
    if files := [each for each in ([word, local(word)] for word in outside) if each[1] is not None]:
        of_run.append(files)
    content = json.dumps(of_run, sort_keys=True, default=str)
    for run in sorted(planned.after, key=lambda run: -len(run.name)):  # seed_10 before seed_1, which begins it
        content = content.replace(json.dumps(str(output / run.name))[1:-1], run.digest)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
