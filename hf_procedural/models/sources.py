"""Sources of weights: their tensors, and the controls applied to these.

The papers' controls ask what carried a gain: `permuted` shuffles the entries within each tensor, `statistics` draws
each tensor at the source's mean and standard deviation (Wu et al. 2022, arXiv:2206.10139), `noise0.1` adds Gaussian
noise of a tenth of a tensor's size.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from ..files import check_weights, is_hub_id, why_unloadable
from .suited import check_place
from .words import Source, noise_of

LAYER = re.compile(r"(?<=\.)\d+(?=\.)")


def layer_of(name: str) -> int | None:
    """The layer of a parameter, such as 3 of ``h.3.mlp.weight``; None outside of the layers."""
    number = LAYER.search(name)
    return None if number is None else int(number.group())


def label_of(source: Source) -> str:
    """What reports and errors call a source."""
    path = source.path if isinstance(source.path, str) else f"a {type(source.path).__name__}"
    return f"{source.control}:{path}" if source.control else path


def seeded(*key) -> torch.Generator:
    """A generator of its own for a key, such as a seed and a parameter's name; not a sum of seeds, which collide."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def blend(states: list[dict], weights: list[float]) -> dict[str, torch.Tensor]:
    """The weighted average of checkpoints of the same shape."""
    if len(states) == 1:
        return states[0]
    first, *others = states
    for other in others:
        wrong = [name for name in first if name not in other or other[name].shape != first[name].shape]
        if wrong:
            shapes = [list(state[wrong[0]].shape) if wrong[0] in state else "none" for state in (first, other)]
            raise ValueError(
                f"sources: {wrong[0]} has shapes {shapes[0]} and {shapes[1]}; only equal ones are averaged"
            )
    shares = [weight / sum(weights) for weight in weights]
    average = {}
    for name in first:
        average[name] = sum(state[name].float() * share for state, share in zip(states, shares, strict=True))
    return average


def state_of(source: Source, target, seed, loaded) -> dict[str, torch.Tensor]:
    """A source's tensors by the target's names, its control applied to each."""
    key = source.path if isinstance(source.path, str) else id(source.path)
    if key not in loaded:
        loaded[key] = _renamed(load_state(source.path, target), target)
    state = loaded[key]
    if source.control is None:
        return state
    control = source.control
    return {name: _perturbed(tensor, control, seeded(seed, control, name)) for name, tensor in state.items()}


def _perturbed(tensor, control, generator):
    tensor = tensor.float()
    if control == "permuted":
        return tensor.flatten()[torch.randperm(tensor.numel(), generator=generator)].view_as(tensor)
    noise = torch.randn(tensor.shape, generator=generator)
    if control == "statistics":
        return tensor.mean() + tensor.std(correction=0) * noise
    size = noise_of(control)
    assert size is not None  # of what is neither of the two above
    return tensor + noise * size * tensor.norm() / tensor.numel() ** 0.5


def load_state(source, target: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The tensors of a model, folder, Hub id or reference ``.pth``, by their own names.

    Raises ValueError for what cannot be read, or holds more than plain tensors.
    """
    if not str(source).endswith((".pth", ".pt", ".bin")):
        model = source if isinstance(source, torch.nn.Module) else _pretrained(str(source))
        _check_kinship(model, target, label_of(Source(source)))
        return model.state_dict()
    if not Path(source).is_file():
        raise ValueError(f"no checkpoint {source}")
    # The reference keeps NumPy scalars (losses, steps) beside the tensors: what these are made of is harmless.
    scalar = np.float64(0).__reduce__()[0]
    dtypes: list[Any] = [scalar, np.dtype, *(type(np.dtype(kind)) for kind in ("f8", "f4", "i8"))]
    try:
        with torch.serialization.safe_globals(dtypes):
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
    if not folder.exists() and not is_hub_id(source):
        raise ValueError(f"no checkpoint {source}: neither a folder nor a Hub id such as ORG/NAME")
    check_place(source)
    check_weights(folder)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source, dtype=torch.float32, output_loading_info=True, trust_remote_code=False
        )
    except Exception as error:  # missing, unreachable, damaged, of an unknown kind
        where = "" if folder.is_dir() else "there is no such folder, and on the Hub: "
        raise ValueError(f"{source} cannot be loaded: {where}{why_unloadable(source, error)}") from error
    model, loading = loaded
    if loading["missing_keys"]:
        raise ValueError(f"{source} lacks {min(loading['missing_keys'])} and cannot be a source")
    return model


def _check_kinship(model, target, label: str) -> None:
    theirs = getattr(model, "config", None)
    ours = target.config
    kind = getattr(theirs, "model_type", ours.model_type)
    if kind != ours.model_type:
        raise ValueError(f"{label} is a {kind}, the target a {ours.model_type}: weights go between models of one kind")
    same_width = getattr(theirs, "hidden_size", None) == getattr(ours, "hidden_size", None)
    heads_of_source = getattr(theirs, "num_attention_heads", None)
    heads_of_target = getattr(ours, "num_attention_heads", None)
    if same_width and heads_of_source != heads_of_target:  # the tensors' shapes are equal, and would be copied
        raise ValueError(
            f"{label} has {heads_of_source} attention heads, the target {heads_of_target}: "
            "they cut the width differently"
        )


def _renamed(state: dict, target) -> dict[str, torch.Tensor]:
    """By the target's names, whatever stands before them: of DDP, torch.compile, a class of its own."""
    # In any layer: the source may have more of them than the target.
    known = {LAYER.sub("*", name, count=1) for name, _ in target.named_parameters(remove_duplicate=False)}
    renamed = {}
    for name, tensor in state.items():
        ours = _known_name(name, target.base_model_prefix, known)
        renamed[name if ours is None else ours] = tensor
    if not any(LAYER.sub("*", name, count=1) in known for name in renamed):
        raise ValueError(f"the source's {next(iter(state))} and others are no parameters of a {type(target).__name__}")
    return renamed


def _known_name(name: str, base: str, known: set[str]) -> str | None:
    """The longest end of a name that the target knows, as it is or below the `base` model; None if none is."""
    words = name.split(".")
    for start in range(len(words)):
        end = ".".join(words[start:])
        for candidate in (end, f"{base}.{end}"):
            if LAYER.sub("*", candidate, count=1) in known:
                return candidate
    return None
