import re
from collections.abc import Callable

import numpy as np
import pytest

from conv_sheet import ops
from conv_sheet.errors import DataError, ShapeError
from conv_sheet.ops import Array
from tests.ops.oracle import (
    Backward,
    distinct,
    gradient_errors,
)


@pytest.mark.parametrize(
    ("arrays", "forward", "backward"),
    [
        pytest.param(
            [distinct(2, 3, 5, 5), distinct(2, 3, 3, 3), distinct(2)],
            lambda x, w, b: ops.conv2d(x, w, b, stride=2, padding=1),
            lambda grad, x, w, b: ops.conv2d_backward(grad, x, w, stride=2, padding=1),
            id="conv2d",
        ),
        pytest.param(
            [distinct(2, 2, 3, 3), distinct(2, 3, 2, 2), distinct(3)],
            lambda x, w, b: ops.conv_transpose2d(x, w, b, stride=2),
            lambda grad, x, w, b: ops.conv_transpose2d_backward(grad, x, w, stride=2),
            id="conv_transpose2d",
        ),
        pytest.param(
            [distinct(2, 2, 4, 4)],
            lambda x: ops.max_pool2d(x, 2),
            lambda grad, x: ops.max_pool2d_backward(grad, x, 2),
            id="max_pool2d",
        ),
        pytest.param(
            [distinct(2, 2, 4, 4)],
            lambda x: ops.avg_pool2d(x, 3, stride=1, padding=1),
            lambda grad, x: ops.avg_pool2d_backward(grad, x, 3, stride=1, padding=1),
            id="avg_pool2d",
        ),
        pytest.param(
            [distinct(3, 4), distinct(5, 4), distinct(5)],
            ops.linear,
            lambda grad, x, w, b: ops.linear_backward(grad, x, w),
            id="linear",
        ),
    ],
)
def test_gradients_match_central_differences(
    arrays: list[Array], forward: Callable[..., Array], backward: Backward
) -> None:
    assert max(gradient_errors(arrays, forward, backward)) < 1e-7


def test_numerical_gradient_restores_its_array_and_wants_floats() -> None:
    x = distinct(3, 4)
    kept = x.copy()
    ops.numerical_gradient(lambda x: float(x.sum()), x)
    np.testing.assert_array_equal(x, kept)
    with pytest.raises(DataError, match="x must be float64, got int32"):
        ops.numerical_gradient(lambda x: float(x.sum()), np.arange(3, dtype=np.int32))


def test_relative_error_of_numbers_near_zero_is_measured_against_the_floor() -> None:
    assert ops.relative_error(np.array([0.0, 1.0]), np.array([1e-10, 1.0])) == pytest.approx(1e-2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.relative_error(np.zeros(2), np.zeros((2, 1))),
            "relative_error: a (2,) must be (2, 1) to fit b (2, 1)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        call()
