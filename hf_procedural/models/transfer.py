"""Which weights go from one model to the next, and which of a model's weights are trained.

After Jiang et al. 2026 (Procedural Pretraining, arXiv:2601.21725; code zlshinnick/procedural-pretraining at 5356d9e)
and Shinnick et al. 2025 (arXiv:2505.22308). They select by substrings of GPT-2's parameter names; here a parameter
belongs to the outermost of these that it lies in inside its layer, so that other architectures work alike:

    attn    an attention module, with the norms of queries and keys that some architectures have
    mlp     a feed-forward module, with router and experts where there are any
    ln      a norm
    embed   token embeddings, output head, learned positions

What is none of these, as a state-space mixer, goes with `all` alone.
"""

import contextlib
import dataclasses
import re
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from ..data.tokenization import load_tokenizer
from .sources import LAYER, blend, label_of, layer_of, seeded, state_of
from .words import COMPONENTS, check_components, check_embeddings, layer_pairs, noise_of, parse_sources

_KINDS = (  # of the modules inside a layer, by the name of their class
    ("attn", re.compile(r"Att(entio)?n")),
    ("ln", re.compile(r"Norm")),
    ("mlp", re.compile(r"MLP|Mlp|FeedForward|FFN|M[oO]E|Moe|Expert|Router")),
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """What happened to one parameter of the target.

    Args:
        name: that of the parameter.
        component: attn, mlp, ln, embed or other, by what its module is.
        action: copied, averaged, resampled, reinitialised or skipped.
        reason: why, in a few words.
        size: entries of the tensor.
    """

    name: str
    component: str
    action: str
    reason: str
    size: int


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
        alike = {}  # layers that were treated alike share a line
        for entry in self.entries:
            pattern = LAYER.sub("*", entry.name, count=1)
            reason = LAYER.sub("*", entry.reason, count=1)
            alike.setdefault((pattern, entry.component, entry.action, reason), []).append(entry)
        rows = [("parameter", "component", "action", "entries", "why")]
        for (pattern, component, action, _), entries in alike.items():
            first = entries[0]
            layers = [layer for entry in entries if (layer := layer_of(entry.name)) is not None]
            name = first.name if len(entries) == 1 else pattern.replace("*", f"{{{_span(layers)}}}", 1)
            size = sum(entry.size for entry in entries)
            rows.append((name, component, action, f"{size:,}", first.reason))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = []
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            cells[3] = row[3].rjust(widths[3])
            table.append("  ".join(cells).rstrip())
        totals = ", ".join(f"{action} {size:,}" for action, size in self.totals().items())
        return "\n".join([*table, f"total: {totals}"])


def _span(layers: list) -> str:
    """Layers in short: 0-3, or 0,2,3 where some are left out."""
    first, last = layers[0], layers[-1]
    if layers == list(range(first, last + 1)):
        return f"{first}-{last}"
    return ",".join(map(str, layers))


def components_of(model: PreTrainedModel) -> dict[str, str]:
    """The component of each parameter, by name: attn, mlp, ln, embed, or other for what is none of these."""
    modules = dict(model.named_modules())
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    components = {}
    for name, _ in model.named_parameters():
        owner = modules[name.rpartition(".")[0]]
        layer = LAYER.search(name)
        if owner in (embedding, head) or isinstance(owner, torch.nn.Embedding):
            components[name] = "embed"
        elif layer:
            path = name[: layer.end()]
            classes = []  # of the modules between the layer and the parameter, from the outermost
            for word in name[layer.end() + 1 :].split(".")[:-1]:
                path = f"{path}.{word}"
                classes.append(type(modules[path]).__name__)
            components[name] = _kind(classes)
        else:
            components[name] = "ln" if _kind([type(owner).__name__]) == "ln" else "other"
    return components


def _kind(owners: list[str]) -> str:
    """The component of the modules of these classes, one in the other, inside a layer: the outermost that is one."""
    if owners in (["Linear"], ["Conv1D"]):  # a layer that holds its feed-forward part itself, as OPT's
        return "mlp"
    for owner in owners:
        for kind, pattern in _KINDS:
            if pattern.search(owner):
                return kind
    return "other"


def _selected(model, components) -> dict[str, str]:
    """`components_of` for the parameters that `components` select. Raises ValueError where one selects nothing."""
    components = _words(components)
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
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    frozen = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
    return trained, frozen


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
        tokenizer: of the target, for ``by_token``.
        source_tokenizer: of the source; default: the one in its folder.
        control: for all sources: permuted, statistics, or noise with its size relative to each tensor's norm.
        seed: of everything that is drawn.

    Raises:
        ValueError: before anything is changed, for shapes, layers, sizes or names that do not fit.
    """
    check_embeddings(embeddings)
    noise_of(control)
    sources = [dataclasses.replace(each, control=each.control or control) for each in parse_sources(source)]
    named = [each.components is not None for each in sources]
    if any(named) and not all(named):
        raise ValueError("sources: name the components of each source or of none, such as attn=runs/set,mlp=runs/eca")
    groups = {}
    for each in sources:
        groups.setdefault(each.components or tuple(_words(components)), []).append(each)
    component_of = components_of(target)
    plan = {}
    loaded = {}  # checkpoints by path: several sources may be one, with different controls
    for wanted, group in groups.items():
        selected = _selected(target, wanted)
        twice = [name for name in selected if name in plan]
        if twice:
            raise ValueError(f"sources: {component_of[twice[0]]} comes from more than one source without weights")
        state = blend([state_of(each, target, seed, loaded) for each in group], [each.weight for each in group])
        vocabularies = None
        if embeddings == "by_token" and "embed" in selected.values():
            theirs = _vocabulary(group[0].path, source_tokenizer, "source_tokenizer")
            vocabularies = theirs, _vocabulary(None, tokenizer)
        label = " and ".join(label_of(each) for each in group)
        plan |= _plan(target, state, selected, embeddings, layer_pairs(layers), vocabularies, seed, label)
    entries = []
    with torch.no_grad():  # from here on nothing can fail: a target is changed wholly or not at all
        for name, parameter in target.named_parameters():
            change = plan.get(name, _Change(None, "skipped", "not among the components"))
            if change.value is not None:
                parameter.copy_(change.value)
            entries.append(Entry(name, component_of[name], change.action, change.reason, parameter.numel()))
    target.tie_weights()
    return TransferReport(tuple(entries))


def _words(components) -> list[str]:
    return components.split() if isinstance(components, str) else list(components)


class _Change(NamedTuple):
    """What becomes of a parameter: its new value (None: as it is), what is done, and why."""

    value: torch.Tensor | None
    action: str
    reason: str


def _plan(target, state, selected, embeddings, pairs, vocabularies, seed, label: str) -> dict[str, _Change]:
    """The change of each selected parameter; `label` is what errors and reasons call the source of the state."""
    source_layer = _source_layers(pairs, state, target, selected, label)
    embedding, head = target.get_input_embeddings(), target.get_output_embeddings()
    is_tied = head is not None and head.weight is embedding.weight
    modules = dict(target.named_modules())
    token_name = next(name for name, parameter in target.named_parameters() if parameter is embedding.weight)
    plan = {}
    for name, parameter in target.named_parameters():
        if name not in selected:
            continue
        owner = modules[name.rpartition(".")[0]]
        is_rows = owner in (embedding, head)
        layer = layer_of(name)
        source_name = name
        reason = f"from {label}"
        if source_layer is not None and layer is not None:
            if layer not in source_layer:
                plan[name] = _Change(None, "skipped", "not among the layers")
                continue
            source_name = LAYER.sub(str(source_layer[layer]), name, count=1)
            if source_name != name:
                reason = f"{reason}, {source_name}"
        if owner is embedding and is_tied:
            reason = f"{reason}, the output head with it"
        elif owner is head and parameter.ndim == 2 and source_name not in state:  # the source's head is tied
            source_name = token_name
            reason = f"{reason}, whose head is {token_name}"
        if is_rows and embeddings == "reinit":
            plan[name] = _Change(None, "reinitialised", "embeddings reinit: the target's own")
            continue
        if source_name not in state:
            raise ValueError(f"{label} has no {source_name}, which a {type(target).__name__} needs")
        value = state[source_name]
        is_positions = isinstance(owner, torch.nn.Embedding) and not is_rows
        varying = 1 if is_rows or is_positions else 0  # dimensions that may differ: the number of tokens or positions
        if value.shape[varying:] != parameter.shape[varying:]:
            raise ValueError(
                f"{name}: {label} has shape {list(value.shape)}, the target {list(parameter.shape)}; "
                "weights go between models of the same width"
            )
        if is_rows:
            generator = seeded(seed, "rows", name)
            plan[name] = _rows(embeddings, value.float(), parameter, vocabularies, generator, reason)
        elif is_positions:
            plan[name] = _positions(value, parameter, reason)
        else:
            plan[name] = _Change(value, "copied", reason)
    return plan


def _source_layers(pairs, state, target, selected, label: str) -> dict[int, int] | None:
    """The source's layer for each of the target's that gets one; None: each its own.

    Raises ValueError where the depths differ and no pairs are named, and for pairs of layers that are not there.
    """
    depths = {"source": _depth(state), "target": _depth(dict(target.named_parameters()))}
    if pairs is None:
        if depths["source"] != depths["target"] and any(layer_of(name) is not None for name in selected):
            raise ValueError(
                f"{label} has {depths['source']} layers, the target {depths['target']}: name the layers to copy, such "
                "as layers 0:0 1:1"
            )
        return None
    for which, (kind, depth) in enumerate(depths.items()):
        for pair in pairs:
            if not 0 <= pair[which] < depth:
                raise ValueError(f"layers: {kind} layer {pair[which]} does not exist; the {kind} has {depth} layers")
    return {of_target: of_source for of_source, of_target in pairs}


def _depth(names) -> int:
    layers = [layer_of(name) for name in names]
    return 1 + max((layer for layer in layers if layer is not None), default=-1)


def _positions(value, parameter, reason: str) -> _Change:
    """The new learned positions: the first of the source's, or the target's own where the source has fewer."""
    ours, theirs = len(parameter), len(value)
    if theirs < ours:
        return _Change(None, "reinitialised", f"{theirs} source positions are fewer than {ours}")
    if theirs > ours:
        reason = f"{reason}, the first {ours} of {theirs} positions"
    return _Change(value[:ours], "copied", reason)


def _rows(strategy: str, value, parameter, vocabularies, generator, reason: str) -> _Change:
    """The new rows of a token embedding or an output head."""
    ours, theirs = len(parameter), len(value)
    mean = value.mean(0)
    rows = mean.expand(parameter.shape).clone()
    if strategy == "average":
        return _Change(rows, "averaged", f"{reason}: every row the mean of {theirs}")
    if strategy == "resample":
        drawn = torch.randn(parameter.shape, generator=generator) * value.std(correction=0) + mean
        return _Change(drawn, "resampled", f"{reason}: normal around the mean of {theirs} rows")
    if strategy == "retain":
        if ours != theirs:
            raise ValueError(
                f"embeddings retain: the source has {theirs} rows, the target {ours}; average, partial, by_token or "
                "resample go between vocabularies"
            )
        return _Change(value, "copied", reason)
    if strategy == "partial":
        if ours < theirs:
            raise ValueError(f"embeddings partial: the target's {ours} rows are fewer than the source's {theirs}")
        rows[:theirs] = value
        return _Change(rows, "copied", f"{reason}: {theirs} rows, {ours - theirs} new ones their mean")
    theirs_of, ours_of = vocabularies
    # An embedding may have fewer rows than its tokenizer has tokens.
    shared = []
    for word, index in ours_of.items():
        source_index = theirs_of.get(word, theirs)
        if source_index < theirs and index < ours:
            shared.append((source_index, index))
    if not shared:
        raise ValueError("embeddings by_token: no token string is in both vocabularies; average or resample need none")
    source_indices, indices = torch.tensor(shared).T
    rows[indices] = value[source_indices]
    return _Change(rows, "copied", f"{reason}: {len(shared)} rows by token string, {ours - len(shared)} their mean")


def _vocabulary(path, tokenizer, argument: str = "tokenizer") -> dict[str, int]:
    if tokenizer is None and isinstance(path, str):
        with contextlib.suppress(ValueError):
            tokenizer = load_tokenizer(path)
    if tokenizer is None:
        raise ValueError(f"embeddings by_token: {argument} is missing (a .pth brings none)")
    return tokenizer.get_vocab()
