"""The runs of a study, each with its arguments and those that it begins from."""

import dataclasses
import fnmatch
import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import nearest
from ..models.words import parse_sources
from ..runs.folder import NO_ARM
from ..training import catalogue, parser
from .amounts import Amount, amount_of
from .matched import add_matched
from .reading import REFERRING, Reference, Stage, Study, references

SCRATCH = "scratch"
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
    return "__".join(re.sub(r"[^\w.+-]+", "_", word) for word in words) or "run"


class Graph:
    """The runs of a study by name, each behind those that it begins from."""

    def __init__(self, study: Study):
        self.study = study
        self.runs: dict[str, Planned] = {}
        self.by_arm: dict[str, dict[str, dict[int, Planned]]] = {}  # stage, arm, seed
        for stage in study.stages.values():
            self.by_arm[stage.name] = {}
            for planned in self._runs_of(stage):
                self.add(planned)
            if stage.matched:
                add_matched(self, stage)
        self._check()

    def add(self, planned: Planned) -> None:
        """Raises ValueError where two arms would have one name."""
        there = self.runs.setdefault(planned.name, planned)
        if there is not planned:
            raise ValueError(
                f"stage {planned.stage}: two arms have the name {planned.arm_name}: {there.arm}, {planned.arm}"
            )
        self.by_arm[planned.stage].setdefault(planned.arm_name, {})[planned.seed] = planned
        planned.amount = amount_of(planned)
        planned.digest = _digest(planned, self.study.output)

    def _runs_of(self, stage: Stage) -> Iterator[Planned]:
        for chosen in itertools.product(*stage.axes.values()):
            axes = dict(zip(stage.axes, chosen, strict=True))
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
            for word in references(arguments.get(key), self.study.stages):
                if isinstance(word, Reference):
                    named[word.stage, word.arms] = self._arms(stage, key, word)
                elif key == "init_from" and isinstance(word, str):
                    self._check_source(stage, word)
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
        is_of_hub = re.fullmatch(r"[\w.-]+/[\w.-]+", path) and not near
        if not is_of_hub:
            raise ValueError(
                f"stage {stage.name}: init_from {word}: {path!r} is no stage and no folder{near} "
                f"(stages: {', '.join(self.study.stages)})"
            )

    def planned(self, stage: Stage, arguments: dict, arm: dict, names: dict, seed: int, **more) -> Planned:
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
            **more,
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

    def _check(self) -> None:
        """Raises ValueError, with the stage's name, for arguments that its recipe would refuse."""
        for planned in self.runs.values():
            if planned.seed != min(self.by_arm[planned.stage][planned.arm_name]):
                continue
            options = parser.of_recipe(catalogue.script_of(planned.recipe))
            where = f"stage {planned.stage}"
            try:
                for arguments in options.of_content(own_arguments(planned, self.study.output), where):
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
    """All arguments of a run's recipe, as its YAML has them: with its seed and its folder."""
    options = parser.of_recipe(catalogue.script_of(planned.recipe)).options
    folder = output / planned.name
    own: dict = {}
    if "seed" in options:
        own["seed"] = planned.seed
    if "output_dir" in options:
        own["output_dir"] = str(folder)
    if "output_file" in options:
        own["output_file"] = str(folder / "model.bin")
    return planned.arguments | own


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


def _digest(planned: Planned, output: Path) -> str:
    """Of a run's arguments, without those that change no result, and of the runs that it begins from."""
    relevant = {key: value for key, value in planned.arguments.items() if not key.startswith(NO_ARM)}
    content = json.dumps([planned.recipe, planned.stage, planned.seed, relevant], sort_keys=True, default=str)
    for run in planned.after:
        content = content.replace(json.dumps(str(output / run.name))[1:-1], run.digest)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def steps_for(tokens: float, each: float) -> int:
    """As many steps of `each` tokens as make up `tokens`, at least 1."""
    return max(1, math.ceil(tokens / each))
