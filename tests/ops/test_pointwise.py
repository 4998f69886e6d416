import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from conv_sheet import ops
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.ops import Array
from tests.ops.oracle import (
    Shape,
    agree,
    normal,
    with_ties,
)

IMAGE, KERNELS = np.zeros((1, 3, 8, 8)), np.zeros((4, 3, 3, 3))


@pytest.mark.parametrize("values", [normal, with_ties, lambda rng, shape: 1000 * normal(rng, shape)])
@pytest.mark.parametrize("shape", [(7,), (2, 5), (2, 3, 4, 5)])
class TestPointwise:
    """All of them on ordinary numbers, on zeros, and on numbers whose exponentials overflow."""

    def test_relu(self, shape: Shape, values: Callable[..., Array]) -> None:
        agree([shape], F.relu, ops.relu, lambda grad, y, x: ops.relu_backward(grad, x), values)

    def test_leaky_relu(self, shape: Shape, values: Callable[..., Array]) -> None:
        agree(
            [shape],
            lambda x: F.leaky_relu(x, 0.2),
            lambda x: ops.leaky_relu(x, 0.2),
            lambda grad, y, x: ops.leaky_relu_backward(grad, x, 0.2),
            values,
        )

    def test_sigmoid(self, shape: Shape, values: Callable[..., Array]) -> None:
        agree(
            [shape],
            torch.sigmoid,
            ops.sigmoid,
            lambda grad, y, x: ops.sigmoid_backward(grad, y),
            values,
        )

    @pytest.mark.parametrize(
        ("theirs", "ours", "backward"),
        [
            (F.relu6, lambda x: ops.hardtanh(x, 0, 6), lambda grad, x: ops.hardtanh_backward(grad, x, 0, 6)),
            (F.hardtanh, ops.hardtanh, ops.hardtanh_backward),
            (F.hardswish, ops.hardswish, ops.hardswish_backward),
            (F.silu, ops.silu, ops.silu_backward),
            (lambda x: F.elu(x, 0.7), lambda x: ops.elu(x, 0.7), lambda grad, x: ops.elu_backward(grad, x, 0.7)),
            (F.softplus, ops.softplus, ops.softplus_backward),
            (F.gelu, ops.gelu, ops.gelu_backward),
            (
                lambda x: F.gelu(x, approximate="tanh"),
                lambda x: ops.gelu(x, "tanh"),
                lambda grad, x: ops.gelu_backward(grad, x, "tanh"),
            ),
        ],
        ids=["relu6", "hardtanh", "hardswish", "silu", "elu", "softplus", "gelu", "gelu by tanh"],
    )
    def test_curves(
        self,
        theirs: Callable[..., Tensor],
        ours: Callable[..., Array],
        backward: Callable[..., Array],
        shape: Shape,
        values: Callable[..., Array],
    ) -> None:
        agree([shape], theirs, ours, lambda grad, y, x: backward(grad, x), values)

    def test_tanh(self, shape: Shape, values: Callable[..., Array]) -> None:
        agree([shape], torch.tanh, ops.tanh, lambda grad, y, x: ops.tanh_backward(grad, y), values)


@pytest.mark.parametrize("weights", [1, 3])
def test_prelu(weights: int) -> None:
    agree(
        [(2, 3, 4, 5), (weights,)],
        F.prelu,
        ops.prelu,
        lambda grad, y, x, weight: ops.prelu_backward(grad, x, weight),
    )


def test_leaky_relu_has_the_slope_of_pytorch() -> None:
    agree([(2, 5)], F.leaky_relu, ops.leaky_relu, lambda grad, y, x: ops.leaky_relu_backward(grad, x))


def test_sigmoid_keeps_its_digits_far_below_zero() -> None:
    x = np.array([-700.0, -300.0, -40.0])
    np.testing.assert_allclose(ops.sigmoid(x), np.exp(x), rtol=1e-14)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(("drop", "kept"), [(F.dropout, (2, 3, 4, 5)), (F.dropout2d, (2, 3, 1, 1))])
def test_dropout(drop: Callable[[Tensor, float], Tensor], kept: Shape, p: float) -> None:
    def theirs(x: Tensor) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return drop(x, p)

    whole = theirs(torch.ones(2, 3, 4, 5)).numpy() != 0
    mask = whole[:, :, : kept[2], : kept[3]].astype(np.float64)
    agree(
        [(2, 3, 4, 5)],
        theirs,
        lambda x: ops.dropout(x, mask, p),
        lambda grad, y, x: ops.dropout_backward(grad, mask, p),
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.relu_backward(np.zeros(3), np.zeros((3, 1))),
            "relu_backward: gradient (3,) must be (3, 1) to fit input (3, 1)",
        ),
        (
            lambda: ops.dropout(IMAGE, np.zeros((2, 2)), 0.5),
            "dropout: mask (2, 2) does not fit input (1, 3, 8, 8)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.dropout(IMAGE, IMAGE, 1.0), "dropout: p must be at least 0 and below 1, got 1.0"),
    ],
)
def test_impossible_options_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        call()
