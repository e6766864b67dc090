"""Attention and GELU of our own beside PyTorch's in float64, in any number of threads, and compiled around."""

import copy
import ctypes
import itertools

import numpy as np
import pytest
import torch
from transformers import GPT2Config
from transformers.activations import ACT2FN

from hf_procedural import compiled, upstream
from hf_procedural.models import activation, attention, kernels, mlp, threads
from hf_procedural.models.build import new_model


def heads(*shape: int, seed: int = 0) -> list[torch.Tensor]:
    """Queries, keys and values as GPT-2 cuts them from one projection: ``[batch, heads, tokens, dims]``."""
    batch, number, tokens, dims = shape
    generator = torch.Generator().manual_seed(seed)
    cut = torch.randn(batch, tokens, 3, number, dims, generator=generator)
    return [cut[:, :, part].transpose(1, 2).detach().requires_grad_() for part in range(3)]


def outcome(attend, inputs) -> list[torch.Tensor]:
    """Of an attention that gives ``[batch, tokens, heads, dims]``: outputs, and the gradients of some sum of them."""
    out = attend(*inputs)
    weights = torch.arange(out.numel(), dtype=torch.float32).cos().add(1.5).view(out.shape).to(out.dtype)
    return [out, *torch.autograd.grad((out * weights).sum(), inputs)]


def ours(*inputs) -> torch.Tensor:
    return attention._by_kernel(*inputs, None, 0.0)


def exact(*inputs) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(*inputs, is_causal=True).transpose(1, 2)


def distance(one: torch.Tensor, two: torch.Tensor) -> float:
    return ((one - two).norm() / two.norm()).item()


@pytest.mark.parametrize("dims", [1, 2, 4, 16, 31])
def test_attention_is_that_of_float64(dims):
    for batch, number, tokens in ((1, 1, 1), (3, 5, 2), (2, 17, 33), (40, 1, 120)):
        inputs = heads(batch, number, tokens, dims)
        doubled = [tensor.detach().double().requires_grad_() for tensor in inputs]
        for mine, right in zip(outcome(ours, inputs), outcome(exact, doubled), strict=True):
            assert mine.shape == right.shape
            assert distance(mine, right) < 1e-6 or right.norm() < 1e-6  # the gradient of one token's score is 0


def test_attention_of_any_layout_in_memory():
    inputs = heads(2, 3, 9, 4)
    expected = outcome(ours, inputs)
    turned = [tensor.detach().mT.contiguous().mT.requires_grad_() for tensor in inputs]  # dims apart
    dense = [tensor.detach().contiguous().requires_grad_() for tensor in inputs]
    one_of_many = [tensor.detach().repeat(2, 1, 1, 1)[2:].requires_grad_() for tensor in inputs]
    for others in (turned, dense, one_of_many):
        assert all(map(torch.equal, outcome(ours, others), expected))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_no_number_depends_on_the_threads(dropout, monkeypatch):
    inputs, others = heads(7, 130, 40, 4), layers(1, 1, 4)[1:]

    def attend(*tensors):
        torch.manual_seed(5)
        attended = activation.gelu(attention._by_kernel(*tensors, None, dropout))
        return mlp.mlp(attended, *others)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = outcome(attend, inputs)
        torch.set_num_threads(4)
        assert all(map(torch.equal, outcome(attend, inputs), expected))
        monkeypatch.setattr(threads, "_team", lambda: None)  # where torch has another library of threads
        assert all(map(torch.equal, outcome(attend, inputs), expected))
    finally:
        torch.set_num_threads(before)


def test_threads_share_the_pieces_of_a_job():
    """Each of many pieces is done once: what a second thread did again would differ in no other test."""
    pieces, call = 4000, threads._team()
    job = np.zeros(2, np.int64)
    seen = []
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: seen.append(1))
    if call is None:
        pytest.skip("torch has no libgomp here")
    call(ctypes.cast(function, ctypes.c_void_p).value, job.ctypes.data, 2, 0)
    assert len(seen) == 2
    x = torch.ones(pieces * kernels.CHUNK * 16)
    assert torch.equal(activation.gelu(x), activation.gelu(x[:16]).repeat(len(x) // 16))


def test_operators_keep_torchs_contracts():
    """Their fake implementations, their gradients, and that they change none of their inputs."""
    inputs = heads(2, 3, 5, 4)
    calls = [(attention.causal_attention, (*inputs, 0.5, dropout, torch.tensor(3))) for dropout in (0.0, 0.5)]
    calls += [(activation.gelu, (torch.randn(3, 20, requires_grad=True),)), (mlp.mlp, tuple(layers(2, 7, 4)))]
    for operator, arguments in calls:
        assert set(torch.library.opcheck(operator, arguments).values()) == {"SUCCESS"}


def layers(batch: int, tokens: int, dims: int) -> list[torch.Tensor]:
    """Hidden states, and the weights and biases of GPT-2's MLP."""
    generator = torch.Generator().manual_seed(dims)
    shapes = ((batch, tokens, dims), (dims, 4 * dims), (4 * dims,), (4 * dims, dims), (dims,))
    parts = [torch.randn(shape, generator=generator) for shape in shapes]
    return [part.mul_(len(part) ** -0.5 if part.dim() == 2 else 1).requires_grad_() for part in parts]


def plainly(x, weight, bias, weight_out, bias_out) -> torch.Tensor:
    return torch.nn.functional.gelu(x @ weight + bias, approximate="tanh") @ weight_out + bias_out


@pytest.mark.parametrize("dims", [2, 16, 32])
def test_mlp_is_that_of_float64(dims):
    for batch, tokens in ((1, 1), (3, 5), (7, 16), (30, 77)):
        inputs = layers(batch, tokens, dims)
        doubled = [tensor.detach().double().requires_grad_() for tensor in inputs]
        for mine, right in zip(outcome(mlp.mlp, inputs), outcome(plainly, doubled), strict=True):
            assert mine.shape == right.shape and distance(mine, right) < 1e-6
    turned = inputs[0].detach().mT.contiguous().mT
    weights = [inputs[part].detach().mT.contiguous().mT for part in (1, 3)]
    assert torch.equal(mlp.mlp(turned, weights[0], inputs[2], weights[1], inputs[4]), mlp.mlp(*inputs))


def gpt2(**fields):
    sizes = {"n_layer": 1, "n_head": 2, "n_embd": 8, "vocab_size": 11, "n_positions": 12}
    return new_model(GPT2Config(**sizes | {"resid_pdrop": 0, "attn_pdrop": 0, "embd_pdrop": 0} | fields))


def test_where_an_mlp_is_left_to_pytorch(monkeypatch):
    """Layers that somebody watches or has replaced, GELU too; another number type, a wide one, mixed precision."""
    ids = torch.arange(24).view(2, 12) % 11
    counted = []
    original = mlp.mlp
    monkeypatch.setattr(mlp, "mlp", lambda *inputs: counted.append(1) or original(*inputs))
    model = gpt2()
    block, expected = model.transformer.h[0].mlp, model(ids).logits
    assert counted.pop()
    counted.clear()
    seen = []
    hook = block.c_fc.register_forward_hook(lambda *_: seen.append(1))
    assert torch.allclose(model(ids).logits, expected, atol=1e-5) and seen and not counted
    hook.remove()
    hook = block.act.register_forward_hook(lambda *_: seen.append(2))  # of who looks at what units do
    model(ids)
    hook.remove()
    hook = block.c_proj.register_full_backward_pre_hook(lambda *_: seen.append(3))
    model(ids).logits.sum().backward()
    hook.remove()
    block.c_fc.forward = lambda x: seen.append(4) or type(block.c_fc).forward(block.c_fc, x)
    model(ids)
    del block.c_fc.forward
    assert seen == [1, 2, 3, 4] and not counted
    gelu, block.act = block.act, torch.nn.ReLU()
    assert not torch.allclose(model(ids).logits, expected, atol=1e-3) and not counted
    block.act = gelu
    layer = block.c_proj

    class Adapter(torch.nn.Module):
        weight, bias = layer.weight, layer.bias

        def forward(self, x):
            return layer(x) * 20

    block.c_proj = Adapter()
    assert not torch.allclose(model(ids).logits, expected, atol=1e-3) and not counted
    block.c_proj = layer
    with torch.autocast("cpu", torch.bfloat16):
        assert model(ids).logits.dtype == torch.bfloat16 and not counted
    assert model.double()(ids).logits.dtype == torch.float64 and not counted
    gpt2(n_embd=64)(ids)
    gpt2(activation_function="relu")(ids)
    assert not counted
    model = copy.deepcopy(gpt2())  # whose MLP is its own, not the original's
    with torch.no_grad():
        model.transformer.h[0].mlp.c_proj.bias += 1
    stock = type(model)(model.config)
    stock.load_state_dict(model.state_dict())
    assert torch.allclose(model(ids).logits, stock(ids).logits, atol=1e-5) and counted


def test_layers_whose_hidden_states_are_computed_twice(monkeypatch):
    """Also the first one, at which attention is compared with PyTorch's."""
    ids = torch.arange(24).view(2, 12) % 11
    gradients = []
    for is_twice in (True, False):
        monkeypatch.setattr(upstream, "_checked", {})
        torch.manual_seed(0)
        model = gpt2().train()
        if is_twice:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        model(ids, labels=ids).loss.backward()
        gradients.append([weight.grad for weight in model.parameters()])
        assert all(upstream._checked.values())
    assert all(map(torch.equal, *gradients))


def test_dropout_after_an_mlp_is_pytorchs():
    model = gpt2(resid_pdrop=0.5).train()
    stock = type(model)(model.config).train()
    stock.load_state_dict(model.state_dict())
    ids = torch.arange(24).view(2, 12) % 11
    torch.manual_seed(0)
    ours = model(ids).logits
    torch.manual_seed(0)
    assert torch.allclose(ours, stock(ids).logits, atol=1e-5)


@pytest.mark.parametrize("numbers", [16, 17, 31, 1000, 70_000])
def test_gelu_is_that_of_float64(numbers):
    x = 3 * torch.randn(numbers, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    exactly = x.detach().double().requires_grad_()
    mine = activation.gelu(x)
    right = torch.nn.functional.gelu(exactly, approximate="tanh")
    assert distance(mine, right) < 1e-6
    assert distance(*(torch.autograd.grad(y.sum(), y_of)[0] for y, y_of in ((mine, x), (right, exactly)))) < 1e-6


def test_gelu_of_extremes():
    x = torch.tensor([0.0, 1e30, 1e4, 30.0, -30.0, -1e4, float("inf"), float("nan")] * 2)
    right = torch.tensor([0.0, 1e30, 1e4, 30.0, 0.0, 0.0, float("inf"), float("nan")] * 2)
    assert torch.allclose(activation.gelu(x), right, rtol=0, atol=1e-30, equal_nan=True)


@pytest.mark.parametrize("kind", ["gelu_new", "gelu_pytorch_tanh", "relu"])
def test_models_have_our_gelu_and_the_same_checkpoint(kind, tmp_path):
    model = gpt2(activation_function=kind)
    block = model.transformer.h[0].mlp
    assert isinstance(block.act, activation.GeluByTanh) == (kind != "relu")
    ids = torch.arange(24).view(2, 12) % 11
    expected = model(ids).logits
    model.save_pretrained(tmp_path)
    stock = type(model).from_pretrained(tmp_path)
    assert type(stock.transformer.h[0].mlp.act) is type(ACT2FN[kind]) and stock.config.activation_function == kind
    assert torch.allclose(stock(ids).logits, expected, atol=1e-5)
    assert torch.allclose(model.double()(ids).logits, stock.double()(ids).logits)  # float64 is PyTorch's


def test_a_model_is_compiled_in_one_piece():
    """torch.compile keeps our attention, and meets nothing that it cannot follow."""
    model = gpt2()
    ids = torch.arange(24).view(2, 12) % 11
    expected = model(ids, labels=ids)
    expected.loss.backward()
    gradients = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    calls = []

    def backend(graph, _):
        calls.extend(str(node.target) for node in graph.graph.nodes)
        return graph

    compiled_model = torch.compile(model, backend=backend, fullgraph=True)
    loss = compiled_model(ids, labels=ids).loss
    loss.backward()
    assert {"hf_procedural.causal_attention.default", "hf_procedural.mlp.default"} <= set(calls)
    assert torch.allclose(loss, expected.loss)
    for weight, gradient in zip(model.parameters(), gradients, strict=True):
        assert torch.allclose(weight.grad, gradient, atol=1e-6)


def test_without_compiled_loops_models_are_pytorchs(monkeypatch):
    monkeypatch.setattr(compiled, "is_switched_off", lambda: True)
    model = gpt2()
    assert model.config._attn_implementation == "sdpa"
    assert not isinstance(model.transformer.h[0].mlp.act, activation.GeluByTanh)


def test_kernels_are_compiled_for_what_is_asked_alone():
    made = [kernels.attention_forward(dims, drops) for dims, drops in itertools.product((2, 4), (False, True))]
    assert len({kernel.address for kernel in made}) == 4
    assert kernels.attention_forward(4, True) is made[3]
