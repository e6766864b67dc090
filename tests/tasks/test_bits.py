"""Rows have the same bits on every machine: what loops must not lean on, and what they have in its place."""

import ast
import math

import numpy as np
import pytest
from support.running import ROOT

from hf_procedural.tasks import kernels

LOOPS = sorted((ROOT / "hf_procedural" / "tasks").glob("*kernels.py"))
# Correctly rounded everywhere, or of whole numbers: all else is the C library's, or NumPy's by the processor's width.
EXACT = {
    "math.sqrt",
    "math.floor",
    "math.ceil",
    "math.factorial",
    "math.isqrt",
    "np.sqrt",
    "np.floor",
    "np.abs",
    "np.sum",
}
BOUNDS = {"deflate_kernels": {"np.log2"}}  # of a bound that has room for all roundings together


def _calls(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


@pytest.mark.parametrize("file", LOOPS, ids=lambda file: file.stem)
def test_loops_call_no_function_of_the_c_library(file):
    wrong = []
    for node, name in _calls(file):
        room, _, function = name.rpartition(".")
        is_of_library = room == "math" or (room == "np" and hasattr(math, function))
        if is_of_library and name not in EXACT | BOUNDS.get(file.stem, set()):
            wrong.append(f"{file.name}:{node.lineno} {name}")
        if any(keyword.arg in ("fastmath", "parallel") for keyword in node.keywords):
            wrong.append(f"{file.name}:{node.lineno} {name} with fastmath or parallel")
    assert not wrong


@pytest.mark.parametrize("file", LOOPS, ids=lambda file: file.stem)
def test_loops_raise_no_fraction_to_a_power(file):
    """A power of whole numbers is exact; one of fractions is the C library's."""
    wrong = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            operands = [operand.value for operand in (node.left, node.right) if isinstance(operand, ast.Constant)]
            is_power_of_two = isinstance(node.left, ast.Constant) and node.left.value in (2, 2.0)
            if any(isinstance(operand, float) for operand in operands) and not is_power_of_two:
                wrong.append(f"{file.name}:{node.lineno} {ast.unparse(node)}")
    assert not wrong


def test_logarithm_and_exponential():
    rng = np.random.default_rng(0)
    numbers = np.concatenate([rng.random(20_000), 10.0 ** rng.uniform(-300, 300, 5_000), [1.0, 2.0, math.sqrt(2)]])
    ours = np.array([kernels.log(number) for number in numbers])
    assert (np.abs(ours - np.log(numbers)) <= 4 * np.spacing(np.abs(np.log(numbers)))).all()
    powers = np.concatenate([rng.uniform(-50, 50, 20_000), rng.uniform(-700, 700, 5_000), [0.0, -0.0, 1.0]])
    ours = np.array([kernels.exp(power) for power in powers])
    assert (np.abs(ours - np.exp(powers)) <= 4 * np.spacing(np.exp(powers))).all()
    assert kernels.log(1.0) == 0 and kernels.exp(0.0) == 1 and kernels.exp(-1000.0) == 0
