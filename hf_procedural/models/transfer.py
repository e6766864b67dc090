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

import torch
from transformers import AutoTokenizer, PreTrainedModel

from .sources import LAYER, blend, label_of, layer_of, seeded, state_of
from .words import COMPONENTS, check_components, check_embeddings, layer_pairs, noise_of, parse_sources

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
            layer, pattern = layer_of(entry.name), LAYER.sub("*", entry.name, count=1)
            key = (pattern, entry.component, entry.action, LAYER.sub("*", entry.reason, count=1))
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


def components_of(model: PreTrainedModel) -> dict[str, str]:
    """The component of each parameter, by name: attn, mlp, ln, embed, or other for what is none of these."""
    modules = dict(model.named_modules())
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    found = {}
    for name, _ in model.named_parameters():
        owner = modules[name.rpartition(".")[0]]
        if owner in (embedding, head) or isinstance(owner, torch.nn.Embedding):
            found[name] = "embed"
        elif layer := LAYER.search(name):
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
    noise_of(control)
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
        state = blend([state_of(each, target, seed, loaded) for each in group], [each.weight for each in group])
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
    label = " and ".join(label_of(each) for each in group)
    depths = [
        1 + max((layer_of(name) for name in names if layer_of(name) is not None), default=-1)
        for names in (state, dict(target.named_parameters()))
    ]
    if pairs is None and depths[0] != depths[1] and any(layer_of(name) is not None for name in selected):
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
        if from_layer is not None and layer_of(name) is not None:
            if layer_of(name) not in from_layer:
                plan[name] = None, "skipped", "not among the layers"
                continue
            found = LAYER.sub(str(from_layer[layer_of(name)]), name, count=1)
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
            plan[name] = _rows(embeddings, value.float(), parameter, words, seeded(seed, "rows", name), reason)
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
