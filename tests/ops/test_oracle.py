import numpy as np
import pytest
import torch

from conv_sheet import ops
from conv_sheet.ops import Array
from tests.ops.oracle import agree, distinct, gradient_errors


def test_oracle_rejects_a_wrong_output_and_a_wrong_gradient() -> None:
    shapes = [(2, 3)]
    with pytest.raises(AssertionError, match="Not equal"):
        agree(
            shapes,
            torch.relu,
            lambda x: ops.relu(x) + 1e-9,
            lambda grad, y, x: ops.relu_backward(grad, x),
        )
    with pytest.raises(AssertionError, match="Not equal"):
        agree(shapes, torch.relu, ops.relu, lambda grad, y, x: 1.001 * ops.relu_backward(grad, x))


def test_gradient_check_finds_a_wrong_gradient() -> None:
    def without_overlap(grad: Array, x: Array, w: Array) -> tuple[Array, Array]:
        _, dw, _ = ops.conv2d_backward(grad, x, w)
        return np.pad(grad, ((0, 0), (0, 0), (0, 2), (0, 2))) * w[0, 0, 0, 0], dw

    dx_error, dw_error = gradient_errors([distinct(1, 1, 4, 4), distinct(1, 1, 3, 3)], ops.conv2d, without_overlap)
    assert dx_error > 1e-2
    assert dw_error < 1e-7


def test_gradient_check_fails_at_a_coarse_step() -> None:
    def error(h: float) -> float:
        return gradient_errors([distinct(3, 4)], ops.tanh, lambda grad, x: ops.tanh_backward(grad, ops.tanh(x)), h)[0]

    assert error(1e-5) < 1e-7
    assert error(0.1) > 1e-4
