"""The arms of a study, by what its plan says of them: which began where, and which are compared with which.

An arm is a point of a stage's grid, with a run for each seed. Arms of one stage on the same rows or text (`domain`) are
a group; only these are compared. Of a group, arms without a source are baselines; those whose weights are permuted,
drawn anew or come from shuffled tokens are controls of the arm that they are made from; matched ones are baselines that
were given as much more text as another arm's warm-up cost.
"""

import dataclasses
import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from ..files import expected, read_mapping
from ..models.words import Source, parse_sources
from ..runs.folder import DATA, NO_ARM, RECIPE, RESULTS, is_finished, read_recipe
from ..runs.read import DOMAIN, TRANSFER, Run, read_run, state_files, word_of
from ..runs.tables import short_paths, si

SCRATCH = "scratch"
WHOLE = "whole"
_COMPONENTS = {"all": WHOLE, "attn": "attention", "mlp": "MLP", "ln": "norms", "embed": "embeddings"}
_DOMAIN = (*DOMAIN, "questions")
_BEGINNING = ("init_from", "model_name_or_path", "transfer", "shuffle_tokens")  # dimensions that are no setting
SUBSTITUTIVE = "substitutive"
_SUBSTITUTIVE = f" {SUBSTITUTIVE}"  # behind what a substitutive arm begins from


@dataclasses.dataclass
class Arm:
    """One point of a stage's grid."""

    name: str  # the folder of its runs, below that of the study: its stage's, and one of its own
    stage: str
    domain: str  # its rows or text
    source: str  # what it began with: scratch, or names of arms and paths
    choice: str  # of components that came from there: whole, attention only ...; empty for scratch
    settings: str  # all other dimensions of its stage's grid
    model: str  # those of them that a model from scratch has, too
    control: str  # permuted, statistics, shuffle_tokens ...; empty for none
    matched: str  # how it is matched to another arm: compute-matched, natural, substitutive ...; empty for none
    match: str  # the name of that arm
    earlier: float  # tokens of the stages before, as planned
    origin: tuple  # identity of its sources without their controls
    inherits: bool  # whether all that it began with is the baseline of an earlier stage, which others had a source in
    plans: list[dict]  # its runs in the plan, by seed
    begun: list[Run | None]  # those in their folders, None for one that has not begun

    @property
    def label(self) -> str:
        """What tables and figures call it, within its group."""
        name = f"{self.control}: {self.source}" if self.control else self.source
        return ", ".join(filter(None, [name, self.choice if self.choice != WHOLE else "", self.settings]))

    @property
    def row(self) -> str:
        """The same without the choice of components: its row in a heat map."""
        return ", ".join(filter(None, [self.source, self.settings]))

    @property
    def is_baseline(self) -> bool:
        """Whether it began from scratch, here or in the stage before, with no more text than others."""
        return (self.inherits or not self.origin) and not self.matched

    @property
    def is_real(self) -> bool:
        """Whether it has weights of an earlier stage as they were; a substitutive one pays for that stage itself."""
        return bool(self.origin) and not self.inherits and not self.control and self.matched in ("", SUBSTITUTIVE)

    @property
    def runs(self) -> list[Run]:
        """The runs that have begun."""
        return [run for run in self.begun if run is not None]

    @property
    def counted(self) -> list[Run]:
        """The runs that are in means and differences."""
        return [run for run in self.runs if run.counts]


def read_arms(plan: dict, folder: Path) -> list[Arm]:
    """The arms of a plan, in its order, with their runs below `folder`.

    A run counts as finished when its eval_results.json is there. Raises ValueError for a plan that lacks what it must
    have, and for a file of a run that cannot be read.
    """
    with expected(folder / ".study" / "plan.json"):
        named: dict[str, list[dict]] = {}
        for run in plan["runs"]:
            named.setdefault(str(PurePosixPath(run["name"]).parent), []).append(run)
        known = {name: (runs[0]["stage"], dict(runs[0]["arm"])) for name, runs in named.items()}
        arguments = {name: runs[0].get("arguments") or {} for name, runs in named.items()}
        matched = {name: runs[0].get("matched") or {} for name, runs in named.items()}
        tokens = {run["name"]: (run.get("tokens") or 0, run.get("after") or []) for run in plan["runs"]}
        begun_from = {path for _, words in known.values() for path in _paths(words) if path in known}
        with_sources = {stage for stage, words in known.values() if _sources(words)}
        context = _Context(known, arguments, matched, tokens, begun_from, with_sources)
        return [_arm(name, runs, context, folder) for name, runs in named.items()]


@dataclasses.dataclass(frozen=True)
class _Context:
    """What the plan says of all arms and runs, by their names."""

    known: dict[str, tuple[str, dict]]  # stage and dimensions of each arm
    arguments: dict[str, dict]  # of each arm's recipe; empty where the plan has none
    matched: dict[str, dict]  # how each arm is matched, and to which one of its stage; empty for no other
    tokens: dict[str, tuple[float, list[str]]]  # of each run, and the runs that it begins from
    begun_from: set[str]  # arms
    with_sources: set[str]  # stages


def _paths(words: dict) -> list[str]:
    return [str(source.path) for source in _sources(words)]


def _arm(name: str, plans: list[dict], context: _Context, folder: Path) -> Arm:
    known, tokens = context.known, context.tokens
    stage, words = known[name]
    plans = sorted(plans, key=lambda run: run["seed"])
    kind, match = _matched(name, context)
    sources = _sources(words)
    chosen = [_chosen(source.components or words.get("transfer")) for source in sources]
    origins = [_origin(str(source.path), context) for source in sources]
    shown = [_shown(source, context) for source in sources]
    if len(set(chosen)) > 1:
        shown = [f"{'+'.join(choice)}: {each}" for choice, each in zip(chosen, shown, strict=True)]
    if not sources:
        shown = [", ".join(filter(None, [SCRATCH, _more_text(words)]))]
    if context.matched[name].get("kind") == SUBSTITUTIVE:
        shown[-1] += ", substitutive"
    controls = [
        control for source, (before, _) in zip(sources, origins, strict=True) for control in (source.control, *before)
    ]
    inherits = (
        bool(sources)
        and not any(controls)
        and set(chosen) == {("all",)}
        and all(_is_scratch(path, context) for path in _paths(words))
    )
    settings = {k: v for k, v in words.items() if not k.startswith(_DOMAIN) and k not in _BEGINNING}
    model = _listed({key: value for key, value in settings.items() if key not in TRANSFER})
    return Arm(
        name=name,
        stage=stage,
        domain=_domain(words, plans[0].get("arguments") or {}) or stage,
        source=" + ".join(_paths(words) if inherits else shown),
        choice="" if inherits else _in_words(chosen),
        settings=_listed(settings) if sources and not inherits else model,
        model=model,
        control=", ".join(dict.fromkeys(filter(None, controls))),
        matched=kind.replace("_", "-"),
        match=match,
        earlier=sum(tokens[each][0] for each in _before(plans[0]["name"], tokens)),
        origin=tuple(
            (origin, choice, source.weight)
            for source, choice, (_, origin) in zip(sources, chosen, origins, strict=True)
        ),
        inherits=inherits,
        plans=plans,
        begun=[_run(folder / plan["name"]) for plan in plans],
    )


def _matched(name: str, context: _Context) -> tuple[str, str]:
    """How an arm is matched, and the name of the arm to which; empty for none.

    One that begins from a matched arm of an earlier stage is matched as that is, to the arm here which begins alike
    from what that is matched to.
    """
    stage, words = context.known[name]
    if own := context.matched[name]:
        return own["kind"], f"{stage}/{own['to']}"
    path, kind = _only_source(name, context), _kind(name, context)
    if not kind:
        return "", ""
    match = _matched(path, context)[1]
    key = next(key for key in _BEGINNING[:2] if words.get(key))
    alike = stage, words | {key: words[key].replace(path, match)}
    return kind, next((other for other, known in context.known.items() if known == alike), "")


def _kind(name: str, context: _Context) -> str:
    """How an arm, or what it begins from, is matched; empty for none."""
    path = _only_source(name, context)
    return context.matched[name].get("kind", "") or (_kind(path, context) if path else "")


def _only_source(name: str, context: _Context) -> str:
    """The arm from which alone an arm begins, with its weights as they are; empty for none."""
    sources = _sources(context.known[name][1])
    is_one = len(sources) == 1 and not sources[0].control and str(sources[0].path) in context.known
    return str(sources[0].path) if is_one else ""


def _before(name: str, tokens: dict[str, tuple[float, list[str]]]) -> set[str]:
    """The names of all runs before a run."""
    parents = [parent for parent in tokens[name][1] if parent in tokens]
    return {*parents}.union(*(_before(parent, tokens) for parent in parents))


def _sources(words: dict) -> list[Source]:
    """What an arm begins from; nothing for scratch."""
    spec = next((words[key] for key in _BEGINNING[:2] if words.get(key)), SCRATCH)
    if spec == SCRATCH or _more_text(words):
        return []
    return parse_sources(spec.removesuffix(_SUBSTITUTIVE))


def _more_text(words: dict) -> str:
    """How much text of the same stage an arm from scratch has in place of a warm-up, such as ``natural 1.2M``."""
    match = re.fullmatch(r"(compute_matched|flops_matched|natural) (\S+)", str(words.get("init_from")))
    if match is None:
        return ""
    return f"{match[1].replace('_', '-')} {si(int(match[2])) if match[2].isdigit() else match[2]}"


def _run(folder: Path) -> Run | None:
    """The run of a folder; None where it has not begun, or not saved a checkpoint yet."""
    finished = is_finished(folder)
    if (folder / RECIPE).is_file() and state_files(folder):
        return dataclasses.replace(read_run(folder), finished=finished)
    if not finished:
        return None
    recipe = {"seed": int(folder.name.rpartition("_")[2])}  # of what trains nothing
    recipe |= read_recipe(folder / RECIPE) if (folder / RECIPE).is_file() else {}
    return Run(folder, recipe, [], {0: read_mapping(folder / RESULTS)}, True)


def _chosen(components) -> tuple[str, ...]:
    names = re.split(r"[\s+]+", components) if isinstance(components, str) else components or ("all",)
    return tuple(sorted(names))


def _in_words(chosen: list[tuple[str, ...]]) -> str:
    """What comes from the sources: ``attention only`` of one component, ``attention + MLP`` of several."""
    names = [_COMPONENTS.get(name, name) for name in dict.fromkeys(name for choice in chosen for name in choice)]
    return f"{names[0]} only" if len(names) == 1 and names[0] != WHOLE else " + ".join(names)


def _origin(path: str, context: _Context) -> tuple[list[str | None], str]:
    """The controls behind a source, in all stages before, and what it is without them."""
    if path not in context.known:
        return [], path
    stage, words = context.known[path]
    own = context.arguments[path] or {"stage": stage} | words
    parameters = own.get("task_parameters")
    parameters = dict(parameters) if isinstance(parameters, dict) else {}
    shuffled = any(each.get("shuffle_tokens") in (True, "true") for each in (words, parameters))
    controls: list[str | None] = ["shuffle_tokens"] if shuffled else []
    plain = {k: v for k, v in own.items() if not k.startswith(NO_ARM) and k not in (*_BEGINNING, "task_parameters")}
    plain["task_parameters"] = {key: value for key, value in parameters.items() if key != "shuffle_tokens"}
    begun_from: list = [_more_text(words), str(words.get("init_from")).endswith(_SUBSTITUTIVE)]
    for source in _sources(words):
        before, origin = _origin(str(source.path), context)
        controls += [source.control, *before]
        begun_from.append([origin, _chosen(source.components or words.get("transfer")), source.weight])
    return controls, json.dumps([plain, begun_from], sort_keys=True, default=str)


def _is_scratch(path: str, context: _Context) -> bool:
    """Whether a source is the baseline of a stage in which others had a source."""
    if path not in context.known:
        return False
    stage, words = context.known[path]
    sources = _sources(words)
    if not sources:
        return stage in context.with_sources and not _more_text(words)
    plain = not any(source.control or source.components for source in sources)
    return plain and all(_is_scratch(each, context) for each in _paths(words))


def _shown(source: Source, context: _Context) -> str:
    """A source without its stage, where nothing begins from an arm of that name of another one."""
    path = str(source.path)
    if more := _in_place(path, context):
        of_stage = [name for name in context.begun_from if name.partition("/")[0] == path.partition("/")[0]]
        if not _kind(path, context) or [_in_place(name, context) for name in of_stage].count(more) == 1:
            return more
    tail = path.partition("/")[2]
    alike = [name for name in context.begun_from if name.partition("/")[2] == tail]
    name = tail if alike == [path] else short_paths(path)
    return name if source.weight == 1 else f"{source.weight:g}*{name}"


def _in_place(name: str, context: _Context) -> str:
    """The text that an arm had in place of a warm-up, such as ``natural 1.2M``, in its own or an earlier stage."""
    if name not in context.known or _kind(name, context) == SUBSTITUTIVE:
        return ""
    more = _more_text(context.known[name][1])
    path = _only_source(name, context)
    return more or (_in_place(path, context) if path else "")


def _domain(words: dict, arguments: dict) -> str:
    """The rows or text of an arm: its own dimensions, else what its recipe was given."""
    own = {key: value for key, value in words.items() if key.startswith(_DOMAIN)}
    return _listed(own or {key: short_paths(arguments[key]) for key in DATA if arguments.get(key)})


def _listed(words: dict[str, Any]) -> str:
    """The values of dimensions, with their names where they are no task or data set."""
    return ", ".join(word_of(value) if key in DATA else f"{key}={word_of(value)}" for key, value in words.items())


def groups(arms: list[Arm]) -> dict[str, list[Arm]]:
    """The arms that are compared, by a title: those of stages with sources, and of stages that nothing begins from.

    Baselines come first, then real weights, then controls and what is matched.
    """
    earlier = {parent for arm in arms for run in arm.plans for parent in run.get("after", ())}
    first = {arm.stage for arm in arms if any(run["name"] in earlier for run in arm.plans)}
    compared = [arm for arm in arms if arm.origin or arm.stage not in first]
    stages = dict.fromkeys(arm.stage for arm in compared)
    together: dict[str, dict[str, Arm]] = {}
    for arm in sorted(arms, key=lambda arm: (not arm.is_baseline, not arm.is_real)):
        if arm.stage in stages:
            title = arm.domain if len(stages) == 1 or arm.domain == arm.stage else f"{arm.stage}: {arm.domain}"
            together.setdefault(title, {}).setdefault(arm.label, arm)  # of equal ones from scratch, the first
    return {title: [*group.values()] for title, group in together.items()}


def baseline_of(arm: Arm, group: list[Arm]) -> Arm | None:
    """The arm from scratch that an arm is compared with: that of its settings, else the only one of the group.

    Where none is, the one whose earlier stages began from scratch.
    """
    scratch = [other for other in group if other.is_baseline and not other.inherits]
    scratch = scratch or [other for other in group if other.is_baseline]
    same = [other for other in scratch if other.model == arm.model]
    for others in (same, scratch):
        if len(others) == 1 and others[0] is not arm:
            return others[0]
    return None


def controls_of(arm: Arm, group: list[Arm]) -> dict[str, Arm]:
    """The controls of an arm with real weights, and the baselines that are matched to it, by what they are.

    Where no arm is matched to it, but one to another arm of as large a warm-up, that one does for both.
    """
    if not arm.is_real:
        return {}
    roles = {}
    for other in group:
        if other.control and (other.origin, other.settings, other.matched) == (arm.origin, arm.settings, arm.matched):
            roles[other.control] = other
    baselines = [other for other in group if other.matched and not (other.control or other.is_real or arm.matched)]
    own = [other for other in baselines if other.match == arm.name]
    for other in own + [other for other in baselines if _does_for(other, arm, group)]:
        roles.setdefault(other.matched, other)
    return roles


def whole_of(arm: Arm, group: list[Arm]) -> Arm | None:
    """The arm with all components of the sources from which an arm has some of them."""
    if not arm.is_real or arm.choice == WHOLE or len({choice for _, choice, _ in arm.origin}) > 1:
        return None
    alike = [other for other in group if other.is_real and other.choice == WHOLE]
    alike = [other for other in alike if (other.settings, other.matched) == (arm.settings, arm.matched)]
    return next((other for other in alike if weights_of(other) == weights_of(arm)), None)


def weights_of(arm: Arm) -> tuple[tuple[str, float], ...]:
    """The identities of an arm's sources and the weights of their averages, whatever components came from them."""
    return tuple((origin, weight) for origin, _, weight in arm.origin)


def _does_for(other: Arm, arm: Arm, group: list[Arm]) -> bool:
    """Whether an arm is matched to one of as large a warm-up, and differs from what is matched to `arm` in nothing."""
    named = [each for each in group if each.name == other.match and each.model == arm.model]
    if si(arm.earlier) not in [si(each.earlier) for each in named]:
        return False
    if not other.origin:  # nothing is transferred
        return other.settings == arm.model
    theirs = {key: value for key, value in other.plans[0]["arm"].items() if key not in _BEGINNING[:2]}
    # embeddings of a natural one are drawn anew in any case, and may be none of its dimensions
    return other.choice == arm.choice and theirs.items() <= arm.plans[0]["arm"].items()
