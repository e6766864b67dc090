"""Causal attention for small heads on CPUs, as an `attn_implementation` of transformers.

The papers' small models have heads of 4 dimensions, on which PyTorch's fused CPU kernel spends most of a training step
(and with dropout it falls back to whole matrices). This one goes through a row's scores once, in registers, forwards
and backwards. Whatever it is not made for (masks, caches, large heads, other devices) goes to PyTorch's.
"""

import functools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from transformers import AttentionInterface, AttentionMaskInterface

from .. import compiled, upstream

NAME = "small_heads_cpu"
LARGEST_HEAD = 8  # dimensions; PyTorch's kernel is as fast beyond
LARGEST_HEAD_WITH_DROPOUT = 16

_SDPA, _MASK = "transformers.integrations.sdpa_attention:sdpa_attention_forward", "transformers.masking_utils:sdpa_mask"
# What models pass on to every attention and ours has no use for. Anything else goes to PyTorch's, which may have one.
_HARMLESS = {"position_ids", "cache_position", "use_cache", "num_items_in_batch", "shift_labels", "return_dict"}
_HARMLESS |= {"output_router_logits", "output_hidden_states"}

_LANES = 32  # lengths are padded to multiples of it, which spares the compiled loops their tails
# Not the whole of fastmath: infinities and NaN (of a run that diverged) keep their meaning.
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}
_jit = compiled.njit(nogil=True, fastmath=_FAST, error_model="numpy")


@_jit
def _exp(x):
    """e^x in float32 for x <= 0 (1e-38 for -inf), to 2e-7: a polynomial, which the compiler can vectorise."""
    t = max(x * np.float32(1.44269504), np.float32(-126.0))
    whole = np.int32(t - np.float32(0.5))
    f = t - np.float32(whole)
    p = np.float32(1.5403530e-4)
    p = p * f + np.float32(1.3333558e-3)
    p = p * f + np.float32(9.6181291e-3)
    p = p * f + np.float32(5.5504109e-2)
    p = p * f + np.float32(2.4022651e-1)
    p = p * f + np.float32(6.9314718e-1)
    p = p * f + np.float32(1)
    return p * np.int32((whole + np.int32(127)) << np.int32(23)).view(np.float32)


@_jit
def _kept(seed, row, column, threshold):
    """Whether dropout keeps an entry: a hash of where it stands (murmur3's finaliser), so that nothing is stored."""
    x = np.uint32(np.uint32(row) * np.uint32(0x9E3779B1) + np.uint32(column) * np.uint32(0x85EBCA77)) ^ np.uint32(seed)
    x = np.uint32((x ^ np.uint32(x >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    x = np.uint32((x ^ np.uint32(x >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(x ^ np.uint32(x >> np.uint32(16))) >= threshold


@_jit
def _forward(first, last, q, k, v, scale, dropout, seed, out, logsum):
    dims, length = q.shape[1], logsum.shape[1]
    threshold = np.uint32(dropout * 4294967295.0)
    gain = np.float32(1.0 / (1.0 - dropout))
    p = np.empty(q.shape[2], np.float32)
    for head in range(first, last):
        for i in range(length):
            stop = (i // _LANES + 1) * _LANES
            p[:stop] = 0
            for d in range(dims):
                qd = q[head, d, i] * scale
                for j in range(stop):
                    p[j] += qd * k[head, d, j]
            p[i + 1 : stop] = -np.inf
            top = p[0]
            for j in range(stop):
                top = max(top, p[j])
            total = np.float32(0)
            for j in range(stop):
                e = _exp(p[j] - top)
                total += e
                p[j] = e
            if dropout > 0:
                row = head * length + i
                for j in range(stop):
                    p[j] *= gain if _kept(seed, row, j, threshold) else np.float32(0)
            for d in range(dims):
                value = np.float32(0)
                for j in range(stop):
                    value += p[j] * v[head, d, j]
                out[head, d, i] = value / total
            logsum[head, i] = top + np.float32(math.log(total))


@_jit
def _backward(first, last, q, k, v, out, grad, logsum, scale, dropout, seed, dq, dk, dv):
    dims, length = q.shape[1], logsum.shape[1]
    threshold = np.uint32(dropout * 4294967295.0)
    gain = np.float32(1.0 / (1.0 - dropout))
    p = np.empty(q.shape[2], np.float32)
    dp = np.empty(q.shape[2], np.float32)
    for head in range(first, last):
        dk[head] = 0
        dv[head] = 0
        for i in range(length):
            stop = (i // _LANES + 1) * _LANES
            p[:stop] = 0
            dp[:stop] = 0
            inner = np.float32(0)
            for d in range(dims):
                qd = q[head, d, i] * scale
                gd = grad[head, d, i]
                inner += gd * out[head, d, i]
                for j in range(stop):
                    p[j] += qd * k[head, d, j]
                    dp[j] += gd * v[head, d, j]
            shift = logsum[head, i]
            for j in range(stop):
                p[j] = _exp(min(p[j] - shift, np.float32(0)))
            p[i + 1 : stop] = 0
            if dropout > 0:
                row = head * length + i
                for j in range(stop):
                    kept = gain if _kept(seed, row, j, threshold) else np.float32(0)
                    dp[j] = p[j] * (dp[j] * kept - inner) * scale
                    p[j] = p[j] * kept
            else:
                for j in range(stop):
                    dp[j] = p[j] * (dp[j] - inner) * scale
            for d in range(dims):
                gd = grad[head, d, i]
                qd = q[head, d, i]
                value = np.float32(0)
                for j in range(stop):
                    dv[head, d, j] += p[j] * gd
                    dk[head, d, j] += dp[j] * qd
                    value += dp[j] * k[head, d, j]
                dq[head, d, i] = value


_pool = ThreadPoolExecutor(max_workers=64)


def _over_heads(kernel, heads, *arguments):
    """Runs `kernel` on all heads; what a head gets depends on no other, nor on the number of threads.

    Half as many threads as torch has: torch's own spin on their cores for a while after its last operation, and on two
    cores a second thread made a training step a fifth slower.
    """
    threads = max(1, min(torch.get_num_threads() // 2, heads))
    borders = [heads * part // threads for part in range(threads + 1)]
    others = [_pool.submit(kernel, *borders[part : part + 2], *arguments) for part in range(1, threads)]
    kernel(0, borders[1], *arguments)
    for other in others:
        other.result()


class _Attention(torch.autograd.Function):
    """Over float32 ``[heads, dims, length]`` tensors: tokens last, and their number padded to whole blocks of lanes."""

    @staticmethod
    def forward(ctx, q, k, v, length, scale, dropout):
        seed = int(torch.randint(2**31, ())) if dropout else 0
        out, logsum = torch.zeros_like(q), torch.empty(len(q), length)
        settings = (np.float32(scale), float(dropout), seed)
        arrays = [tensor.numpy() for tensor in (q, k, v)]
        _over_heads(_forward, len(q), *arrays, *settings, out.numpy(), logsum.numpy())
        ctx.save_for_backward(q, k, v, out, logsum)
        ctx.settings = settings
        return out

    @staticmethod
    def backward(ctx, grad):
        q, k, v, out, logsum = ctx.saved_tensors
        gradients = [torch.zeros_like(q), torch.empty_like(q), torch.empty_like(q)]
        inputs = [tensor.numpy() for tensor in (q, k, v, out, grad.contiguous(), logsum)]
        _over_heads(_backward, len(q), *inputs, *ctx.settings, *(gradient.numpy() for gradient in gradients))
        return *gradients, None, None, None


def small_heads_attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs):
    """`attention(query, key, value)` of ``[batch, heads, length, dims]`` tensors, as transformers wants it."""
    made_for = attention_mask is None and _is_made_for(module, query, key, value, dropout, kwargs)
    if made_for and upstream.agrees(
        _SDPA,
        functools.partial(_is_as_sdpa, module, query, scaling),
        *(type(module), query.shape[-1], scaling, query.requires_grad),
    ):
        return _by_kernel(query, key, value, scaling, dropout), None
    sdpa = upstream.need(_SDPA)
    return sdpa(module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs)


def _is_made_for(module, query, key, value, dropout: float, keywords: dict) -> bool:
    """Whether this is plain causal attention of small heads on a CPU."""
    largest = LARGEST_HEAD_WITH_DROPOUT if dropout else LARGEST_HEAD
    keywords = {name: keyword for name, keyword in keywords.items() if keyword is not None}
    causal = keywords.pop("is_causal", getattr(module, "is_causal", True))
    return (
        query.device.type == "cpu"
        and query.dtype == key.dtype == value.dtype == torch.float32
        and key.shape == query.shape == value.shape
        and query.shape[-1] <= largest
        and bool(causal)
        and _HARMLESS.issuperset(keywords)
        and not torch.compiler.is_compiling()
    )


def _by_kernel(query, key, value, scaling: float | None, dropout: float) -> torch.Tensor:
    """``[batch, length, heads, dims]``."""
    batch, heads, length, dims = query.shape
    padding = -length % _LANES
    blocks = [
        torch.nn.functional.pad(tensor.transpose(2, 3), (0, padding))
        .contiguous()
        .view(batch * heads, dims, length + padding)
        for tensor in (query, key, value)
    ]
    out = _Attention.apply(*blocks, length, dims**-0.5 if scaling is None else scaling, dropout)
    return out[..., :length].reshape(batch, heads, dims, length).permute(0, 3, 1, 2)


def _is_as_sdpa(module, query, scaling: float | None) -> bool:
    """Whether two rows of such heads, of fixed numbers, come out as from PyTorch's, and their gradients where wanted.

    The numbers are not the model's, so that the answer is the same in every run; without dropout none are random.
    """
    sdpa, training = upstream.need(_SDPA), query.requires_grad
    _, heads, length, dims = query.shape
    shape = (2, heads, min(length, 2 * _LANES + 1), dims)

    def outcome(attend) -> list[torch.Tensor]:
        numbers = torch.arange(math.prod(shape), dtype=torch.float32)
        inputs = [(numbers * pace).sin().view(shape).requires_grad_(training) for pace in (1.0, 0.7, 0.3)]
        out = attend(*inputs)
        weights = (numbers * 0.9).cos().view(out.shape)
        return [out, *(torch.autograd.grad((out * weights).sum(), inputs) if training else ())]

    with torch.inference_mode(False), torch.set_grad_enabled(training), torch.autocast("cpu", enabled=False):
        ours = outcome(lambda q, k, v: _by_kernel(q, k, v, scaling, 0.0))
        theirs = outcome(lambda q, k, v: sdpa(module, q, k, v, None, scaling=scaling, dropout=0.0)[0])
    return all((our - their).abs().max() <= 1e-4 * their.abs().max() for our, their in zip(ours, theirs, strict=True))


def register() -> str | None:
    """Makes transformers know this attention. Gives its name for `attn_implementation`; None: take transformers'."""
    mask = upstream.get(_MASK)
    if mask is None or upstream.get(_SDPA) is None:
        return None
    AttentionInterface.register(NAME, small_heads_attention)
    AttentionMaskInterface.register(NAME, mask)
    return NAME
