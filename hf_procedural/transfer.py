"""Which weights go from one model to the next, and which of a model's weights are trained.

After Jiang et al. 2026 (Procedural Pretraining, arXiv:2601.21725; code zlshinnick/procedural-pretraining at 5356d9e)
and Shinnick et al. 2025 (arXiv:2505.22308). They select by substrings of GPT-2's parameter names; here a parameter
belongs to the outermost of these that it lies in inside its layer, so that other architectures work alike:

    attn    an attention module, with the norms of queries and keys that some architectures have
    mlp     a feed-forward module, with router and experts where there are any
    ln      a norm
    embed   token embeddings, output head, learned positions

What is none of these, as a state-space mixer, goes with `all` alone.

The papers' controls ask what carried a gain: `permuted` shuffles the entries within each tensor, `statistics` draws
each tensor at the source's mean and standard deviation (Wu et al. 2022, arXiv:2206.10139), `noise0.1` adds Gaussian
noise of a tenth of a tensor's size.
"""

import contextlib
import dataclasses
import difflib
import hashlib
import os
import re
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

COMPONENTS = ("attn", "mlp", "ln", "embed")
EMBEDDINGS = ("average", "partial", "retain", "by_token", "resample", "reinit")
CONTROLS = ("permuted", "statistics", "noise")
_KINDS = (  # of the modules inside a layer, by the name of their class
    ("attn", re.compile(r"Att(entio)?n")),
    ("ln", re.compile(r"Norm")),
    ("mlp", re.compile(r"MLP|Mlp|FeedForward|FFN|M[oO]E|Moe|Expert|Router")),
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """What happened to one parameter of the target."""

    name: str
    component: str
    action: str  # copied, averaged, resampled, reinitialised or skipped
    reason: str
    size: int  # entries of the tensor


@dataclasses.dataclass(frozen=True)
class TransferReport:
    """What happened to every parameter of the target; prints as a table."""

    entries: tuple[Entry, ...]

    def totals(self) -> dict[str, int]:
        """Entries of tensors by action."""
        totals = {}
        for entry in self.entries:
            totals[entry.action] = totals.get(entry.action, 0) + entry.size
        return totals

    def names(self, action: str) -> list[str]:
        """The parameters to which `action` happened."""
        return [entry.name for entry in self.entries if entry.action == action]

    def __str__(self) -> str:
        rows = {}  # layers that were treated alike share a line
        for entry in self.entries:
            layer, pattern = _layer(entry.name), _LAYER.sub("*", entry.name, count=1)
            key = (pattern, entry.component, entry.action, _LAYER.sub("*", entry.reason, count=1))
            rows.setdefault(key, []).append((layer, entry))
        lines = [("parameter", "component", "action", "entries", "why")]
        for (pattern, component, action, _), found in rows.items():
            layers = [layer for layer, _ in found if layer is not None]
            shown = f"{layers[0]}-{layers[-1]}" if len(layers) > 1 else "".join(map(str, layers))
            whole = layers == list(range(layers[0], layers[-1] + 1)) if layers else True
            name = pattern.replace("*", f"{{{shown if whole else ','.join(map(str, layers))}}}", 1)
            size = sum(entry.size for _, entry in found)
            lines.append(
                (name if len(found) > 1 else found[0][1].name, component, action, f"{size:,}", found[0][1].reason)
            )
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        table = [
            "  ".join(
                cell.rjust(width) if column == 3 else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=False))
            )
            + f"  {line[4]}"
            for line in lines
        ]
        totals = ", ".join(f"{action} {size:,}" for action, size in self.totals().items())
        return "\n".join([*(line.rstrip() for line in table), f"total: {totals}"])


@dataclasses.dataclass(frozen=True)
class Source:
    """One source of weights: `path` is a folder, Hub id, reference .pth or a model."""

    path: object
    components: tuple[str, ...] | None = None  # those that come from it; None: those of the call
    weight: float = 1.0  # its share where several sources are averaged
    control: str | None = None


def parse_sources(spec) -> list[Source]:
    """The sources that a word such as those of --init_from names, joined by commas.

    >>> parse_sources("attn+ln=runs/set,mlp=permuted:runs/eca")[1]
    Source(path='runs/eca', components=('mlp',), weight=1.0, control='permuted')
    >>> [source.weight for source in parse_sources("0.6*runs/set,0.4*runs/union")]
    [0.6, 0.4]

    A mapping of components to sources, a sequence of sources, a model or a `Source` mean what they say.
    """
    if isinstance(spec, Mapping):
        return [
            dataclasses.replace(source, components=tuple(components.split("+")))
            for components, value in spec.items()
            for source in parse_sources(value)
        ]
    if isinstance(spec, Source):
        return [spec]
    if isinstance(spec, Sequence) and not isinstance(spec, str):
        return [source for value in spec for source in parse_sources(value)]
    if not isinstance(spec, str | Path):
        return [Source(spec)]
    if str(spec) and Path(spec).exists():
        return [Source(_plain(str(spec)))]
    return [_parse_source(part) for part in str(spec).split(",")]


def _parse_source(text: str) -> Source:
    grammar = r"(?:(?P<components>[\w+]+)=)?(?:(?P<weight>[\d.]+)\*)?(?:(?P<control>[\w.]+):)?(?P<path>[^=*]+)"
    match = re.fullmatch(grammar, text.strip())
    if match is None:
        raise ValueError(
            "source must read [COMPONENTS=][WEIGHT*][CONTROL:]PATH, such as attn=runs/set or permuted:runs/set, "
            f"got {text!r}"
        )
    weight = match["weight"]
    try:
        weight = 1.0 if weight is None else float(weight)
    except ValueError:
        raise ValueError(f"source {text!r}: the weight before * must be a number, got {weight!r}") from None
    if not 0 < weight < float("inf"):
        raise ValueError(f"source {text!r}: the weight before * must be positive, got {weight}")
    components = tuple(match["components"].split("+")) if match["components"] else None
    check_components(components or ())
    _noise(match["control"])
    return Source(_plain(match["path"]), components, weight, match["control"])


def _plain(path: str) -> str:
    """One spelling for a path that exists: without ./ and a slash at the end."""
    return os.path.normpath(path) if Path(path).exists() else path


def _noise(control: str | None) -> float | None:
    """The relative size of a control's noise. Raises ValueError for what is no control."""
    if control in (None, "permuted", "statistics"):
        return None
    try:
        size = float(control.removeprefix("noise")) if control.startswith("noise") else -1
    except ValueError:
        size = -1
    if not 0 <= size < float("inf"):
        raise ValueError(
            f"control must be permuted, statistics, or noise and its size such as noise0.1, got {control!r}"
        )
    return size


def check_components(components) -> None:
    """Raises ValueError for what is no component."""
    for component in components:
        if component not in (*COMPONENTS, "all"):
            close = difflib.get_close_matches(str(component), (*COMPONENTS, "all"), n=1, cutoff=0.4)
            hint = f": did you mean {close[0]}?" if close else ""
            raise ValueError(f"components must be among {', '.join(COMPONENTS)} and all, got {component!r}{hint}")


def check_embeddings(embeddings: str) -> None:
    """Raises ValueError for what is no strategy."""
    if embeddings not in EMBEDDINGS:
        raise ValueError(f"embeddings must be one of {', '.join(EMBEDDINGS)}, got {embeddings!r}")


def components_of(model: PreTrainedModel) -> dict[str, str]:
    """The component of each parameter, by name: attn, mlp, ln, embed, or other for what is none of these."""
    modules = dict(model.named_modules())
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    found = {}
    for name, _ in model.named_parameters():
        owner = modules[name.rpartition(".")[0]]
        if owner in (embedding, head) or isinstance(owner, torch.nn.Embedding):
            found[name] = "embed"
        elif layer := _LAYER.search(name):
            path = name[layer.end() + 1 :].split(".")[:-1]
            paths = [name[: layer.end() + 1] + ".".join(path[: depth + 1]) for depth in range(len(path))]
            found[name] = _kind([type(modules[inner]).__name__ for inner in paths])
        else:
            found[name] = "ln" if _kind([type(owner).__name__]) == "ln" else "other"
    return found


def _kind(owners: list[str]) -> str:
    """The component of the modules of these classes, one in the other, inside a layer: the outermost that is one."""
    if owners in (["Linear"], ["Conv1D"]):  # a layer that holds its feed-forward part itself, as OPT's
        return "mlp"
    return next((kind for owner in owners for kind, pattern in _KINDS if pattern.search(owner)), "other")


_LAYER = re.compile(r"(?<=\.)\d+(?=\.)")


def _layer(name: str) -> int | None:
    number = _LAYER.search(name)
    return None if number is None else int(number.group())


def _selected(model, components) -> dict[str, str]:
    """`components_of` for the parameters that `components` select. Raises ValueError where one selects nothing."""
    if isinstance(components, str):
        components = components.split()
    components = list(components)
    if not components:
        raise ValueError(f"components: name at least one of {', '.join(COMPONENTS)} and all")
    check_components(components)
    kinds = components_of(model)
    for component in components:
        if component != "all" and component not in kinds.values():
            raise ValueError(
                f"component {component!r} selects nothing in a {type(model).__name__}, which has "
                f"{', '.join(sorted(set(kinds.values())))}"
            )
    return {name: kind for name, kind in kinds.items() if "all" in components or kind in components}


def train_only(model: PreTrainedModel, components) -> tuple[int, int]:
    """Freezes all but `components`; gives the numbers of trained and of frozen weights."""
    selected = _selected(model, components)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in selected)
    sizes = {flag: sum(p.numel() for p in model.parameters() if p.requires_grad is flag) for flag in (True, False)}
    return sizes[True], sizes[False]


def transfer(
    source,
    target: PreTrainedModel,
    components=("all",),
    embeddings: str = "average",
    *,
    layers=None,
    tokenizer=None,
    source_tokenizer=None,
    control: str | None = None,
    seed: int = 0,
) -> TransferReport:
    """Copies `components` of `source` into `target`, in place.

    Args:
        source: a folder or Hub id of a causal language model, the reference code's ``.pth``, or a model; with a
            control or from several of them, the words of `parse_sources`. Sources of the same components are
            averaged by their weights, which are divided by their sum.
        target: the model that gets them, of the same architecture and width.
        components: among attn, mlp, ln, embed and all.
        embeddings: with embed or all, the rows of token embeddings and output head become
            ``average`` (the mean of the source's rows), ``partial`` (the first rows the source's, new ones their
            mean), ``retain`` (the source's; sizes must match), ``by_token`` (the source's where a token string is in
            both tokenizers, else their mean), ``resample`` (normal around the source's mean row, with the standard
            deviation of all its entries) or ``reinit`` (the target's own). Learned positions are the source's first
            rows where it has as many as the target, else the target's own.
        layers: pairs of source and target layer, such as ``[(0, 0), (1, 3)]`` or ``["0:0", "1:3", "2-5:6-9"]``;
            other layers of the target keep their weights. Needed where the depths differ.
        tokenizer, source_tokenizer: of target and source, for ``by_token``; the source's is found in its folder.
        control: for all sources: permuted, statistics, or noise with its size relative to each tensor's norm.
        seed: of everything that is drawn.

    Raises:
        ValueError: before anything is changed, for shapes, layers, sizes or names that do not fit.
    """
    check_embeddings(embeddings)
    _noise(control)
    sources = [dataclasses.replace(each, control=each.control or control) for each in parse_sources(source)]
    if len({each.components is None for each in sources}) > 1:
        raise ValueError("sources: name the components of each source or of none, such as attn=runs/set,mlp=runs/eca")
    groups = {}
    for each in sources:
        groups.setdefault(each.components or tuple(_words(components)), []).append(each)
    whole, plan = components_of(target), {}
    loaded = {}
    for wanted, group in groups.items():
        selected = _selected(target, wanted)
        if twice := [name for name in selected if name in plan]:
            raise ValueError(f"sources: {whole[twice[0]]} comes from more than one source without weights")
        state = _blend([_state(each, target, seed, loaded) for each in group], [each.weight for each in group])
        words = None
        if embeddings == "by_token" and "embed" in selected.values():
            words = _vocabulary(group[0].path, source_tokenizer, "source_tokenizer"), _vocabulary(None, tokenizer)
        plan |= _plan(target, state, selected, embeddings, layer_pairs(layers), words, seed, group)
    entries = []
    with torch.no_grad():
        for name, parameter in target.named_parameters():
            value, action, reason = plan.get(name, (None, "skipped", "not among the components"))
            if value is not None:
                parameter.copy_(value)
            entries.append(Entry(name, whole[name], action, reason, parameter.numel()))
    target.tie_weights()
    return TransferReport(tuple(entries))


def _words(components) -> list[str]:
    return components.split() if isinstance(components, str) else list(components)


def _plan(target, state, selected, embeddings, pairs, words, seed, group) -> dict:
    """For each selected parameter: its new value (None: as it is), what is done, and why."""
    label = " and ".join(_label(each) for each in group)
    depths = [
        1 + max((_layer(name) for name in names if _layer(name) is not None), default=-1)
        for names in (state, dict(target.named_parameters()))
    ]
    if pairs is None and depths[0] != depths[1] and any(_layer(name) is not None for name in selected):
        raise ValueError(
            f"{label} has {depths[0]} layers, the target {depths[1]}: name the layers to copy, such as layers 0:0 1:1"
        )
    for which, (kind, depth) in enumerate(zip(("source", "target"), depths, strict=True)):
        for pair in pairs or ():
            if not 0 <= pair[which] < depth:
                raise ValueError(f"layers: {kind} layer {pair[which]} does not exist; the {kind} has {depth} layers")
    from_layer = None if pairs is None else {to: of for of, to in pairs}
    embedding, head = target.get_input_embeddings(), target.get_output_embeddings()
    modules = dict(target.named_modules())
    token_name = next(name for name, p in target.named_parameters() if p is embedding.weight)
    plan = {}
    for name, parameter in target.named_parameters():
        if name not in selected:
            continue
        owner, found, reason = modules[name.rpartition(".")[0]], name, f"from {label}"
        if from_layer is not None and _layer(name) is not None:
            if _layer(name) not in from_layer:
                plan[name] = None, "skipped", "not among the layers"
                continue
            found = _LAYER.sub(str(from_layer[_layer(name)]), name, count=1)
            reason = f"{reason}, {found}" if found != name else reason
        if owner is embedding and head is not None and head.weight is embedding.weight:
            reason = f"{reason}, the output head with it"
        elif owner is head and parameter.ndim == 2 and found not in state:
            found, reason = token_name, f"{reason}, whose head is {token_name}"
        rows = owner in (embedding, head)
        if rows and embeddings == "reinit":
            plan[name] = None, "reinitialised", "embeddings reinit: the target's own"
            continue
        if found not in state:
            raise ValueError(f"{label} has no {found}, which a {type(target).__name__} needs")
        value = state[found]
        positions = isinstance(owner, torch.nn.Embedding) and not rows
        if value.shape[(rows or positions) :] != parameter.shape[(rows or positions) :]:
            raise ValueError(
                f"{name}: {label} has shape {list(value.shape)}, the target {list(parameter.shape)}; "
                "weights go between models of the same width"
            )
        if rows:
            plan[name] = _rows(embeddings, value.float(), parameter, words, _generator(seed, "rows", name), reason)
        elif positions and len(value) < len(parameter):
            plan[name] = None, "reinitialised", f"{len(value)} source positions are fewer than {len(parameter)}"
        else:
            few = f", the first {len(parameter)} of {len(value)} positions" if len(value) > len(parameter) else ""
            plan[name] = value[: len(parameter)], "copied", reason + few
    return plan


def _rows(strategy, value, parameter, words, generator, reason):
    """The new rows of a token embedding or an output head."""
    ours, theirs = len(parameter), len(value)
    mean = value.mean(0)
    rows = mean.expand(parameter.shape).clone()
    if strategy == "average":
        return rows, "averaged", f"{reason}: every row the mean of {theirs}"
    if strategy == "resample":
        drawn = torch.randn(parameter.shape, generator=generator) * value.std(correction=0) + mean
        return drawn, "resampled", f"{reason}: normal around the mean of {theirs} rows"
    if strategy == "retain":
        if ours != theirs:
            raise ValueError(
                f"embeddings retain: the source has {theirs} rows, the target {ours}; average, partial, by_token or "
                "resample go between vocabularies"
            )
        return value, "copied", reason
    if strategy == "partial":
        if ours < theirs:
            raise ValueError(f"embeddings partial: the target's {ours} rows are fewer than the source's {theirs}")
        rows[:theirs] = value
        return rows, "copied", f"{reason}: {theirs} rows, {ours - theirs} new ones their mean"
    of, to = words
    shared = [(of[word], index) for word, index in to.items() if word in of and of[word] < theirs and index < ours]
    if not shared:
        raise ValueError("embeddings by_token: no token string is in both vocabularies; average or resample need none")
    here, there = torch.tensor(shared).T
    rows[there] = value[here]
    return rows, "copied", f"{reason}: {len(shared)} rows by token string, {ours - len(shared)} their mean"


def _vocabulary(path, tokenizer, argument: str = "tokenizer") -> dict[str, int]:
    if tokenizer is None and isinstance(path, str):
        with contextlib.suppress(OSError, ValueError):
            tokenizer = AutoTokenizer.from_pretrained(path)
    if tokenizer is None:
        raise ValueError(f"embeddings by_token: {argument} is missing (a .pth brings none)")
    return tokenizer.get_vocab()


def layer_pairs(layers) -> list[tuple[int, int]] | None:
    """Pairs of source and target layer."""
    if layers is None or layers == []:
        return None
    pairs = []
    layers = layers.split() if isinstance(layers, str) else layers
    for item in layers.items() if isinstance(layers, Mapping) else layers:
        if isinstance(item, str):
            match = re.fullmatch(r"(\d+)(?:-(\d+))?(?::(\d+)(?:-(\d+))?)?", item)
            if match is None:
                raise ValueError(f"layers must read SOURCE:TARGET, such as 0:0 or 0-5:6-11, got {item!r}")
            first, last, to, end = match.groups()
            of = range(int(first), int(last or first) + 1)
            to = of if to is None else range(int(to), int(end or int(to) + len(of) - 1) + 1)
            if not of or len(of) != len(to):
                raise ValueError(f"layers: as many source as target layers, got {item!r}")
            pairs += zip(of, to, strict=True)
        else:
            pairs.append(tuple(item))
    targets = [to for _, to in pairs]
    if twice := [to for to in targets if targets.count(to) > 1]:
        raise ValueError(f"layers: target layer {twice[0]} is named twice")
    return pairs


def _label(source: Source) -> str:
    path = source.path if isinstance(source.path, str) else f"a {type(source.path).__name__}"
    return f"{source.control}:{path}" if source.control else path


def _generator(*key) -> torch.Generator:
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def _blend(states: list[dict], weights: list[float]) -> dict[str, torch.Tensor]:
    """The weighted average of checkpoints of the same shape."""
    if len(states) == 1:
        return states[0]
    first, *others = states
    for other in others:
        if wrong := [n for n in first if n not in other or other[n].shape != first[n].shape]:
            shapes = [list(state[wrong[0]].shape) if wrong[0] in state else "none" for state in (first, other)]
            raise ValueError(
                f"sources: {wrong[0]} has shapes {shapes[0]} and {shapes[1]}; only equal ones are averaged"
            )
    return {
        name: sum(state[name].float() * (weight / sum(weights)) for state, weight in zip(states, weights, strict=True))
        for name in first
    }


def _state(source: Source, target, seed, loaded) -> dict[str, torch.Tensor]:
    """A source's tensors by the target's names, its control applied to each."""
    key = source.path if isinstance(source.path, str) else id(source.path)
    if key not in loaded:
        loaded[key] = _renamed(load_state(source.path, target), target)
    if source.control is None:
        return loaded[key]
    return {
        name: _perturbed(tensor, source.control, _generator(seed, source.control, name))
        for name, tensor in loaded[key].items()
    }


def _perturbed(tensor, control, generator):
    tensor = tensor.float()
    size = _noise(control)
    if control == "permuted":
        return tensor.flatten()[torch.randperm(tensor.numel(), generator=generator)].view_as(tensor)
    noise = torch.randn(tensor.shape, generator=generator)
    if control == "statistics":
        return tensor.mean() + tensor.std(correction=0) * noise
    return tensor + noise * size * tensor.norm() / tensor.numel() ** 0.5


def load_state(source, target: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The tensors of a model, folder, Hub id or reference ``.pth``, by their own names.

    Raises ValueError for what cannot be read, or holds more than plain tensors.
    """
    if not str(source).endswith((".pth", ".pt", ".bin")):
        model = source if isinstance(source, torch.nn.Module) else _pretrained(str(source))
        _check_kinship(model, target, _label(Source(source)))
        return model.state_dict()
    if not Path(source).is_file():
        raise ValueError(f"no checkpoint {source}")
    scalar, dtype = np.float64(0).__reduce__()[0], np.dtype
    try:
        with torch.serialization.safe_globals([scalar, dtype, type(dtype("f8")), type(dtype("f4")), type(dtype("i8"))]):
            content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises as many kinds as a file can be broken in
        reason = str(error).split("\n")[0]
        raise ValueError(f"{source} is not a checkpoint of plain tensors: {reason}") from error
    state = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not any(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f'{source} has no tensors, neither at its top nor under "model"')
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def _pretrained(source: str) -> PreTrainedModel:
    folder = Path(source)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise ValueError(f"{source} is not a model's folder: it has no config.json")
    if not folder.is_dir() and not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source):
        raise ValueError(f"no checkpoint {source}: neither a folder nor a Hub id such as ORG/NAME")
    try:
        model, found = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, output_loading_info=True)
    except Exception as error:  # missing, unreachable, damaged, of an unknown kind
        where = "" if folder.is_dir() else "there is no such folder, and on the Hub: "
        raise ValueError(f"{source} cannot be loaded: {where}{str(error).splitlines()[0]}") from error
    if found["missing_keys"]:
        raise ValueError(f"{source} lacks {sorted(found['missing_keys'])[0]} and cannot be a source")
    return model


def _check_kinship(model, target, label: str) -> None:
    theirs, ours = getattr(model, "config", None), target.config
    if getattr(theirs, "model_type", ours.model_type) != ours.model_type:
        raise ValueError(
            f"{label} is a {theirs.model_type}, the target a {ours.model_type}: weights go between models of one kind"
        )
    heads, width = ([getattr(c, name, None) for c in (theirs, ours)] for name in ("num_attention_heads", "hidden_size"))
    if heads[0] != heads[1] and width[0] == width[1]:
        raise ValueError(
            f"{label} has {heads[0]} attention heads, the target {heads[1]}: they cut the width differently"
        )


def _renamed(state: dict, target) -> dict[str, torch.Tensor]:
    """By the target's names, whatever stands before them: of DDP, torch.compile, a class of its own."""
    known = {_LAYER.sub("*", name, count=1) for name, _ in target.named_parameters(remove_duplicate=False)}
    base, found = target.base_model_prefix, {}
    for key, value in state.items():
        parts = key.split(".")
        ends = [".".join(parts[cut:]) for cut in range(len(parts))]
        names = [name for end in ends for name in (end, f"{base}.{end}") if _LAYER.sub("*", name, count=1) in known]
        found[names[0] if names else key] = value
    if not any(_LAYER.sub("*", name, count=1) in known for name in found):
        raise ValueError(f"the source's {next(iter(state))} and others are no parameters of a {type(target).__name__}")
    return found


class _Callable(types.ModuleType):
    """`hf_procedural.transfer` is a module, and the public function of that name: the one calls the other."""

    __call__ = staticmethod(transfer)


sys.modules[__name__].__class__ = _Callable
