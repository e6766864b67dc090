"""GELU by its tanh formula for float32 on CPUs, in one pass over memory each way.

PyTorch's takes three times as long for the tanh, and GPT-2's own formula of transformers goes through memory eight
times.
"""

import torch

from . import kernels, threads
from .lanes import LANES

BY_TANH = ("gelu_new", "gelu_pytorch_tanh")  # names in transformers of the same function


@torch.library.custom_op("hf_procedural::gelu", mutates_args=(), device_types="cpu")
def gelu(x: torch.Tensor) -> torch.Tensor:
    """``0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`` of a float32 tensor."""
    return _each(kernels.gelu_forward(), x)


@torch.library.custom_op("hf_procedural::gelu_backward", mutates_args=(), device_types="cpu")
def gelu_backward(x: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    """The gradient of `gelu` at x, times the gradient of its output."""
    return _each(kernels.gelu_backward(), x, grad)


@gelu.register_fake
def _(x):
    return torch.empty_like(x, memory_format=torch.contiguous_format)


@gelu_backward.register_fake
def _(x, grad):
    return torch.empty_like(x, memory_format=torch.contiguous_format)


gelu.register_autograd(
    lambda ctx, grad: gelu_backward(*ctx.saved_tensors, grad),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)


def _each(kernel, *inputs: torch.Tensor) -> torch.Tensor:
    inputs = tuple(tensor.contiguous() for tensor in inputs)
    out = torch.empty_like(inputs[0])
    numbers = out.numel()
    pieces = -(-numbers // (kernels.CHUNK * LANES))
    threads.run(kernel, [pieces, numbers, *(tensor.data_ptr() for tensor in (*inputs, out))])
    return out


class GeluByTanh(torch.nn.Module):
    """`gelu` where it is made for its input; PyTorch's elsewhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() >= LANES:
            return gelu(x)
        return torch.nn.functional.gelu(x, approximate="tanh")
