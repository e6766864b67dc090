"""Causal attention for small heads on CPUs, as an `attn_implementation` of transformers.

The papers' small models have heads of 4 dimensions, on which PyTorch's fused CPU kernel spends most of a training step
(and with dropout it falls back to whole matrices). This one takes sixteen heads at once, side by side, and goes through
their scores once, in registers, forwards and backwards. Whatever it is not made for (masks, caches, large heads, other
devices) goes to PyTorch's.
"""

import functools
import math

import torch
from transformers import AttentionInterface, AttentionMaskInterface

from .. import compiled, upstream
from . import kernels, threads, words
from .lanes import LANES

NAME = "small_heads_cpu"
LARGEST_HEAD = LARGEST_HEAD_WITH_DROPOUT = words.LARGEST_HEAD
LARGEST_HEAD_OF_FEW = 8  # where there are too few heads to fill lanes and threads

_SDPA, _MASK = "transformers.integrations.sdpa_attention:sdpa_attention_forward", "transformers.masking_utils:sdpa_mask"
# What models pass on to every attention and ours has no use for. Anything else goes to PyTorch's, which may have one.
_HARMLESS = {"position_ids", "cache_position", "use_cache", "num_items_in_batch", "shift_labels", "return_dict"}
_HARMLESS |= {"output_router_logits", "output_hidden_states"}


@torch.library.custom_op("hf_procedural::causal_attention", mutates_args=(), device_types="cpu")
def causal_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, dropout: float, seed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Causal attention of float32 ``[batch, heads, tokens, dims]`` tensors.

    Gives outputs, ``[batch, tokens, heads, dims]``, and the statistics of scores that the gradient needs. `seed` is an
    integer of one element, of which it follows what dropout drops.
    """
    inputs = [_with_dense_heads(tensor) for tensor in (query, key, value)]
    batch, heads, tokens, dims = query.shape
    out = query.new_empty(batch, tokens, heads, dims)
    statistics = query.new_empty(-(-batch * heads // LANES), tokens, 2, LANES)
    kernel = kernels.attention_forward(dims, dropout > 0)
    _run(kernel, [*inputs, out.transpose(1, 2)], statistics, scale, dropout, seed)
    return out, statistics


@causal_attention.register_fake
def _(query, key, value, scale, dropout, seed):
    batch, heads, tokens, dims = query.shape
    statistics = query.new_empty((batch * heads + LANES - 1) // LANES, tokens, 2, LANES)
    return query.new_empty(batch, tokens, heads, dims), statistics


@torch.library.custom_op("hf_procedural::causal_attention_backward", mutates_args=(), device_types="cpu")
def causal_attention_backward(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    out: torch.Tensor,
    grad: torch.Tensor,
    statistics: torch.Tensor,
    scale: float,
    dropout: float,
    seed: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of `causal_attention`, each ``[batch, heads, tokens, dims]``."""
    inputs = [_with_dense_heads(tensor) for tensor in (query, key, value, grad.transpose(1, 2), out.transpose(1, 2))]
    gradients = [_gradient(tensor) for tensor in (query, key, value)]
    kernel = kernels.attention_backward(query.shape[-1], dropout > 0)
    _run(kernel, [*inputs, *gradients], statistics, scale, dropout, seed)
    return gradients[0], gradients[1], gradients[2]


@causal_attention_backward.register_fake
def _(query, key, value, out, grad, statistics, scale, dropout, seed):
    return _gradient(query), _gradient(key), _gradient(value)


def _save(ctx, inputs, output):
    query, key, value, ctx.scale, ctx.dropout, seed = inputs
    ctx.save_for_backward(query, key, value, *output, seed)
    ctx.mark_non_differentiable(output[1])


def _gradients(ctx, grad, _):
    query, key, value, out, statistics, seed = ctx.saved_tensors
    inputs = (query, key, value, out, grad, statistics, ctx.scale, ctx.dropout, seed)
    return *causal_attention_backward(*inputs), None, None, None


causal_attention.register_autograd(_gradients, setup_context=_save)


def _gradient(tensor: torch.Tensor) -> torch.Tensor:
    """An empty ``[batch, heads, tokens, dims]``, with tokens in memory as models have them: before heads."""
    batch, heads, tokens, dims = tensor.shape
    return tensor.new_empty(batch, tokens, heads, dims).transpose(1, 2)


def _with_dense_heads(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _run(kernel, arrays: list[torch.Tensor], statistics, scale: float, dropout: float, seed) -> None:
    batch, heads, tokens, _ = arrays[0].shape
    threshold, gain = int(dropout * 4294967295.0), 1 / (1 - dropout)
    of_dropout = [int(seed) if dropout else 0, threshold, threads.bits(gain)]
    job = [len(statistics), heads, batch * heads, tokens, threads.bits(scale), *of_dropout, statistics.data_ptr()]
    for array in arrays:
        job += [array.data_ptr(), *(4 * stride for stride in array.stride()[:3])]
    threads.run(kernel, job)


def small_heads_attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs):
    """`attention(query, key, value)` of ``[batch, heads, length, dims]`` tensors, as transformers wants it."""
    if (
        attention_mask is None
        and _is_made_for(module, query, key, value, dropout, kwargs)
        and _agrees(module, query, scaling)
    ):
        return _by_kernel(query, key, value, scaling, dropout), None
    sdpa = upstream.need(_SDPA)
    return sdpa(module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs)


def _is_made_for(module, query, key, value, dropout: float, keywords: dict) -> bool:
    """Whether this is plain causal attention of small heads on a CPU."""
    few = query.shape[0] * query.shape[1] < 2 * LANES
    largest = LARGEST_HEAD_OF_FEW if few and not dropout else LARGEST_HEAD
    keywords = {name: keyword for name, keyword in keywords.items() if keyword is not None}
    causal = keywords.pop("is_causal", getattr(module, "is_causal", True))
    return (
        query.device.type == "cpu"
        and query.dtype == key.dtype == value.dtype == torch.float32
        and key.shape == query.shape == value.shape
        and query.shape[-1] <= largest
        and bool(causal)
        and _HARMLESS.issuperset(keywords)
    )


def _agrees(module, query, scaling: float | None) -> bool:
    if torch.compiler.is_compiling():  # which asks nothing of what it has no numbers of
        return True
    about = (type(module), query.shape[-1], scaling, query.requires_grad)
    return upstream.agrees(_SDPA, functools.partial(_is_as_sdpa, module, query, scaling), *about)


def _by_kernel(query, key, value, scaling: float | None, dropout: float) -> torch.Tensor:
    """``[batch, length, heads, dims]``."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    seed = torch.randint(2**31, ()) if dropout else torch.zeros((), dtype=torch.int64)
    out, _ = causal_attention(query, key, value, scale, dropout, seed)
    return out


def _is_as_sdpa(module, query, scaling: float | None) -> bool:
    """Whether two rows of such heads, of fixed numbers, come out as from PyTorch's, and their gradients where wanted.

    The numbers are not the model's, so that the answer is the same in every run; without dropout none are random.
    """
    sdpa, training = upstream.need(_SDPA), query.requires_grad
    _, heads, length, dims = query.shape
    shape = (2, heads, min(length, 65), dims)

    def outcome(attend) -> list[torch.Tensor]:
        numbers = torch.arange(math.prod(shape), dtype=torch.float32)
        inputs = [(numbers * pace).sin().view(shape).requires_grad_(training) for pace in (1.0, 0.7, 0.3)]
        out = attend(*inputs)
        weights = (numbers * 0.9).cos().view(out.shape)
        return [out.detach(), *(torch.autograd.grad((out * weights).sum(), inputs) if training else ())]

    # What is saved here is no part of a layer that saves memory by computing its forward pass twice.
    on_its_own = torch.autograd.graph.saved_tensors_hooks(torch.Tensor.detach, torch.Tensor.detach)
    with (
        torch.inference_mode(False),
        torch.set_grad_enabled(training),
        torch.autocast("cpu", enabled=False),
        on_its_own,
    ):
        ours = outcome(lambda q, k, v: _by_kernel(q, k, v, scaling, 0.0))
        theirs = outcome(lambda q, k, v: sdpa(module, q, k, v, None, scaling=scaling, dropout=0.0)[0])
    return all((our - their).abs().max() <= 1e-4 * their.abs().max() for our, their in zip(ours, theirs, strict=True))


def register() -> str | None:
    """Makes transformers know this attention. Gives its name for `attn_implementation`; None: take transformers'."""
    mask = upstream.get(_MASK)
    if mask is None or upstream.get(_SDPA) is None or compiled.is_switched_off():
        return None
    AttentionInterface.register(NAME, small_heads_attention)
    AttentionMaskInterface.register(NAME, mask)
    return NAME
