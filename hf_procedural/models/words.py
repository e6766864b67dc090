"""The words that name sources of weights, components, layers and sizes: read and checked without torch."""

import dataclasses
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..accepted import at_home
from ..errors import nearest

LARGEST_HEAD = 32  # dimensions of an attention of ours; PyTorch's kernel is as fast beyond
WIDEST_MLP = 32  # dimensions of an MLP of ours; matrix products are as fast beyond

COMPONENTS = ("attn", "mlp", "ln", "embed")
SIZE = ("num_hidden_layers", "num_attention_heads", "hidden_size")
EMBEDDINGS = ("average", "partial", "retain", "by_token", "resample", "reinit")


@dataclasses.dataclass(frozen=True)
class Source:
    """One source of weights: `path` is a folder, Hub id, reference .pth or a model."""

    path: Any
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
        sources = []
        for components, value in spec.items():
            names = tuple(components.split("+"))
            sources += [dataclasses.replace(source, components=names) for source in parse_sources(value)]
        return sources
    if isinstance(spec, Source):
        return [spec]
    if isinstance(spec, Sequence) and not isinstance(spec, str):
        return list(itertools.chain.from_iterable(map(parse_sources, spec)))
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
    noise_of(match["control"])
    return Source(_plain(at_home(match["path"])), components, weight, match["control"])


def _plain(path: str) -> str:
    """One spelling for a path that exists: without ./ and a slash at the end."""
    return os.path.normpath(path) if Path(path).exists() else path


def noise_of(control: str | None) -> float | None:
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
            hint = nearest(str(component), (*COMPONENTS, "all"), cutoff=0.4)
            raise ValueError(f"components must be among {', '.join(COMPONENTS)} and all, got {component!r}{hint}")


def check_embeddings(embeddings: str) -> None:
    """Raises ValueError for what is no strategy."""
    if embeddings not in EMBEDDINGS:
        raise ValueError(f"embeddings must be one of {', '.join(EMBEDDINGS)}, got {embeddings!r}")


def layer_pairs(layers) -> list[tuple[int, int]] | None:
    """Pairs of source and target layer.

    >>> layer_pairs(["0-1:4-5"])
    [(0, 4), (1, 5)]
    """
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


# Where transformers lists what reads a text from both sides, some of which it has with a causal head, too.
ENCODERS = (
    "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES",
)
DTYPES = ("float32", "bfloat16", "float16")


def check_model_type(model_type: str, causal, encoders, argument: str = "model_type") -> None:
    """Raises ValueError for what is none of the `causal` architectures, or is among the `encoders`, too."""
    if model_type not in causal or model_type in encoders:
        others = [each for each in causal if each not in encoders]
        hint = nearest(model_type, others, most=3) or ": such as gpt2, llama, qwen3"
        encoder = ", an encoder or with one" if model_type in encoders else ""
        raise ValueError(
            f"{argument} must be a causal language model of transformers, got {model_type!r}{encoder}{hint}"
        )


def check_dtype(dtype: str | None) -> str:
    """The number type of weights; None is float32. Raises ValueError for what is none."""
    if dtype not in (None, *DTYPES):
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    return dtype or "float32"


def parse_size(size: str) -> dict[str, int]:
    """Layers, heads and width from the papers' size string.

    >>> parse_size("12_12_768")
    {'num_hidden_layers': 12, 'num_attention_heads': 12, 'hidden_size': 768}
    """
    if not re.fullmatch(r"\d+_\d+_\d+", str(size)):
        raise ValueError(f"size must be layers_heads_width, such as 2_4_16 or 12_12_768, got {size!r}")
    layers, heads, width = map(int, size.split("_"))
    if not layers or not heads or width % heads or width < heads:
        raise ValueError(f"size: the width must be a multiple of the heads, and none may be 0, got {size!r}")
    return dict(zip(SIZE, (layers, heads, width), strict=True))
