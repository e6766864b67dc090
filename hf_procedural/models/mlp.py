"""GPT-2's MLP of few dimensions for float32 on CPUs, in one pass over its tokens each way.

At 16 dimensions matrix products are at the speed of memory, and what goes through it are four numbers for one of the
hidden states. Here sixteen tokens side by side go through all units in registers; of what is between the two layers
nothing is kept, and the gradient computes it again.
"""

import functools

import torch
from transformers.activations import ACT2FN
from transformers.pytorch_utils import Conv1D

from .. import compiled, upstream
from . import kernels, threads
from .activation import BY_TANH, GeluByTanh
from .losses import aside
from .words import WIDEST_MLP

_MLP = "transformers.models.gpt2.modeling_gpt2:GPT2MLP"


@torch.library.custom_op("hf_procedural::mlp", mutates_args=(), device_types="cpu")
def mlp(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, weight_out: torch.Tensor, bias_out: torch.Tensor
) -> torch.Tensor:
    """``gelu(x @ weight + bias) @ weight_out + bias_out`` of float32 ``[..., dims]``, with GELU by tanh.

    `weight` is ``[dims, units]`` and `weight_out` ``[units, dims]``, as Conv1D of transformers has them.
    """
    inputs = [x.contiguous(), weight.mT.contiguous(), *(part.contiguous() for part in (bias, weight_out, bias_out))]
    out = torch.empty_like(inputs[0])
    _run(kernels.mlp_forward(x.shape[-1]), inputs, [out])
    return out


@mlp.register_fake
def _(x, weight, bias, weight_out, bias_out):
    return torch.empty_like(x, memory_format=torch.contiguous_format)


@torch.library.custom_op("hf_procedural::mlp_backward", mutates_args=(), device_types="cpu")
def mlp_backward(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, weight_out: torch.Tensor, grad: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of `mlp`, in the order of its inputs."""
    inputs = [x.contiguous(), weight.mT.contiguous(), *(part.contiguous() for part in (bias, weight_out, grad))]
    dims, units = weight.shape
    dx = torch.empty_like(inputs[0])
    sizes = [units * dims, units, units * dims, dims]
    of_pieces = x.new_empty(_pieces(x), sum(sizes))
    _run(kernels.mlp_backward(dims), inputs, [dx, of_pieces])
    first, of_bias, second, of_bias_out = of_pieces.sum(0).split(sizes)
    return (
        dx,
        first.view(units, dims).mT.contiguous(),
        of_bias.clone(),
        second.view(units, dims).clone(),
        of_bias_out.clone(),
    )


@mlp_backward.register_fake
def _(x, weight, bias, weight_out, grad):
    parts = (x, weight, bias, weight_out, x[(0,) * (x.dim() - 1)])
    return tuple(torch.empty_like(part, memory_format=torch.contiguous_format) for part in parts)


def _save(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:-1])


mlp.register_autograd(lambda ctx, grad: mlp_backward(*ctx.saved_tensors, grad), setup_context=_save)


def _pieces(x: torch.Tensor) -> int:
    return -(-x.numel() // (x.shape[-1] * kernels.TOKENS))


def _run(kernel, inputs: list[torch.Tensor], outputs: list[torch.Tensor]) -> None:
    x, weight = inputs[:2]
    tokens = x.numel() // x.shape[-1]
    threads.run(kernel, [_pieces(x), tokens, len(weight), *(part.data_ptr() for part in inputs + outputs)])


def speed_up(model: torch.nn.Module) -> None:
    """Has a model compute its GELU by tanh, and GPT-2's MLP around it, in ours, where they are made for their input.

    Its modules and weights stay where they are: nothing of it is in a checkpoint.
    """
    if compiled.is_switched_off():
        return
    kinds = tuple(type(ACT2FN[name]) for name in BY_TANH)
    mlp_class = upstream.get(_MLP)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, kinds):
                setattr(module, name, GeluByTanh())
        if type(module) is mlp_class and isinstance(module.act, GeluByTanh):
            module.forward = functools.partial(_forward, module)


def _forward(module, hidden_states: torch.Tensor) -> torch.Tensor:
    first, second = module.c_fc, module.c_proj
    if not (_is_made_for(first, module.act, second, hidden_states) and _agrees(module, hidden_states.shape[-1])):
        return type(module).forward(module, hidden_states)
    return module.dropout(mlp(hidden_states, first.weight, first.bias, second.weight, second.bias))


def _is_made_for(first, act, second, x: torch.Tensor) -> bool:
    """Whether these are a plain model's layers in float32 on a CPU: no adapter's, watched by nobody."""
    return (
        _is_plain(first, Conv1D)
        and _is_plain(act, GeluByTanh)
        and _is_plain(second, Conv1D)
        and x.device.type == "cpu"
        and x.dtype == first.weight.dtype == second.weight.dtype == torch.float32
        and x.shape[-1] == len(first.weight) == second.weight.shape[1] <= WIDEST_MLP
        and x.numel() > 0
        and not torch.is_autocast_enabled("cpu")
    )


def _is_plain(layer, kind: type) -> bool:
    """Whether a call of the layer is its class's and no more."""
    hooks = (layer._forward_pre_hooks, layer._forward_hooks, layer._backward_pre_hooks, layer._backward_hooks)
    return type(layer) is kind and "forward" not in vars(layer) and not any(hooks)


def _agrees(module, dims: int) -> bool:
    if torch.compiler.is_compiling():
        return True
    return upstream.agrees(_MLP, functools.partial(_is_as_theirs, module, dims), type(module), dims)


def _is_as_theirs(module, dims: int) -> bool:
    x = torch.arange(20.0 * dims).sin().view(20, dims)
    with aside(module):
        ours = mlp(x, module.c_fc.weight, module.c_fc.bias, module.c_proj.weight, module.c_proj.bias)
        theirs = type(module).forward(module, x)
    return bool((ours - theirs).abs().max() <= 1e-4 * theirs.abs().max())
