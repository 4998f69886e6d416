import re
from collections.abc import Callable

import numpy as np
import pytest
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from conv_sheet import ops
from conv_sheet.errors import ShapeError
from conv_sheet.ops import Array
from tests.ops.oracle import (
    Shape,
    agree,
    normal,
    some,
    with_ties,
)


@some
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 5))
def test_linear(batch: int, features: int, outputs: int) -> None:
    agree(
        [(batch, features), (outputs, features), (outputs,)],
        F.linear,
        ops.linear,
        lambda grad, y, x, w, b: ops.linear_backward(grad, x, w),
    )


def test_linear_without_bias() -> None:
    agree(
        [(2, 5), (3, 5)],
        F.linear,
        ops.linear,
        lambda grad, y, x, w: ops.linear_backward(grad, x, w)[:2],
    )


@pytest.mark.parametrize("values", [normal, with_ties, lambda rng, shape: 1000 * normal(rng, shape)])
@pytest.mark.parametrize("shape", [(7,), (2, 5), (2, 3, 4, 5)])
class TestSoftmax:
    """On ordinary numbers, on equal ones, and on numbers whose exponentials overflow."""

    def test_softmax(self, shape: Shape, values: Callable[..., Array]) -> None:
        agree(
            [shape],
            lambda x: F.softmax(x, dim=-1),
            ops.softmax,
            lambda grad, y, x: ops.softmax_backward(grad, y),
            values,
        )

    def test_log_softmax(self, shape: Shape, values: Callable[..., Array]) -> None:
        agree(
            [shape],
            lambda x: F.log_softmax(x, dim=-1),
            ops.log_softmax,
            lambda grad, y, x: ops.log_softmax_backward(grad, y),
            values,
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.linear(np.zeros((2, 4)), np.zeros((3, 5))),
            "linear: input (2, 4) and weight (3, 5) differ in their last size",
        ),
        (
            lambda: ops.linear(np.zeros((2, 4)), np.zeros((3, 4)), np.zeros((3, 1))),
            "linear: bias (3, 1) must be (3,) to fit weight (3, 4)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        call()
