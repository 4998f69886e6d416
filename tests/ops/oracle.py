"""PyTorch and finite differences, and what is drawn to ask them."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from conv_sheet import ops
from conv_sheet.ops import Array

Shape = tuple[int, ...]
Options = dict[str, Any]
Backward = Callable[..., Array | tuple[Array, ...]]

some = settings(max_examples=25, deadline=None)
batches = st.integers(1, 3)
sizes = st.integers(7, 10)


def normal(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.standard_normal(shape)


def with_ties(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.integers(-1, 2, shape).astype(np.float64)


def distinct(*shape: int) -> Array:
    """Values further apart than the step of a numerical gradient, so that no maximum changes hands."""
    size = int(np.prod(shape))
    return np.random.default_rng(size).permutation(np.linspace(-1, 1, size)).reshape(shape)


def pairs(least: int, most: int) -> st.SearchStrategy[int | tuple[int, int]]:
    """An option as PyTorch takes it: an int or two."""
    ints = st.integers(least, most)
    return ints | st.tuples(ints, ints)


def agree(
    shapes: Sequence[Shape],
    theirs: Callable[..., Tensor],
    ours: Callable[..., Array],
    backward: Backward,
    values: Callable[[np.random.Generator, Shape], Array] = normal,
) -> None:
    """Compare with PyTorch: the output, and the gradients by all inputs for a random gradient by the output.

    `backward` gets that gradient, our output, and the inputs.
    """
    rng = np.random.default_rng(sum(map(sum, shapes)))
    arrays = [values(rng, shape) for shape in shapes]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    expected = theirs(*tensors)
    y = ours(*arrays)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-10, atol=1e-10)

    grad = rng.standard_normal(y.shape)
    gradients = backward(grad, y, *arrays)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for got, want in zip(gradients, torch.autograd.grad(expected, tensors, torch.tensor(grad)), strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-10, atol=1e-10)


def gradient_errors(
    arrays: Sequence[Array], forward: Callable[..., Array], backward: Backward, h: float = 1e-5
) -> list[float]:
    """Relative error of each gradient of `backward` against central differences of `forward`."""
    grad = np.random.default_rng(1).standard_normal(forward(*arrays).shape)
    analytic = backward(grad, *arrays)
    analytic = analytic if isinstance(analytic, tuple) else (analytic,)
    numeric = [ops.numerical_gradient(lambda _: float(np.sum(forward(*arrays) * grad)), a, h) for a in arrays]
    return [ops.relative_error(a, n) for a, n in zip(analytic, numeric, strict=True)]


def lines_run(call: Callable[[], object]) -> int:
    """Lines of `ops` that run during a call."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if Path(frame.f_code.co_filename).parent != Path(ops.__file__).parent:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count
