import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from conv_sheet import ops
from conv_sheet.errors import ShapeError
from tests.ops.oracle import (
    Shape,
    agree,
    some,
)

IMAGE, KERNELS = np.zeros((1, 3, 8, 8)), np.zeros((4, 3, 3, 3))


@some
@given(st.integers(1, 4), st.floats(1e-8, 1.0))
def test_batch_norm2d(channels: int, eps: float) -> None:
    rng = np.random.default_rng(channels)
    mean, var = rng.standard_normal(channels), rng.random(channels)
    agree(
        [(2, channels, 3, 4), (channels,), (channels,)],
        lambda x, w, b: F.batch_norm(x, torch.tensor(mean), torch.tensor(var), w, b, eps=eps),
        lambda x, w, b: ops.batch_norm2d(x, w, b, mean, var, eps=eps),
        lambda grad, y, x, w, b: ops.batch_norm2d_backward(grad, x, w, mean, var, eps=eps),
    )


@some
@given(st.integers(1, 3), st.integers(1, 3), st.floats(1e-8, 1.0), st.sampled_from([(4,), (3, 5), (2, 3, 4)]))
def test_group_norm(groups: int, each: int, eps: float, behind: Shape) -> None:
    channels = groups * each
    agree(
        [(2, channels, *behind), (channels,), (channels,)],
        lambda x, w, b: F.group_norm(x, groups, w, b, eps),
        lambda x, w, b: ops.group_norm(x, groups, w, b, eps=eps),
        lambda grad, y, x, w, b: ops.group_norm_backward(grad, x, groups, w, eps=eps),
    )


@pytest.mark.parametrize("shape", [(5,), (3, 4, 5)])
def test_one_group_with_a_weight_for_each_value_is_a_layer_norm(shape: Shape) -> None:
    agree(
        [(2, *shape), shape, shape],
        lambda x, w, b: F.layer_norm(x, shape, w, b),
        lambda x, w, b: ops.group_norm(x, 1, w, b),
        lambda grad, y, x, w, b: ops.group_norm_backward(grad, x, 1, w),
    )


@some
@given(st.integers(1, 7), st.integers(1, 6), st.floats(0, 2), st.floats(-1, 2), st.floats(0.5, 2))
def test_local_response_norm(size: int, channels: int, alpha: float, beta: float, k: float) -> None:
    agree(
        [(2, channels, 3, 4)],
        lambda x: F.local_response_norm(x, size, alpha, beta, k),
        lambda x: ops.local_response_norm(x, size, alpha, beta, k),
        lambda grad, y, x: ops.local_response_norm_backward(grad, x, size, alpha, beta, k),
    )


def test_large_neighbours_do_not_blur_small_ones() -> None:
    x = np.array([[[1e8], [0.0], [0.0], [1e-3]]])
    assert ops.neighbour_scale(x, 3, 3.0, 0.0)[0, 3, 0] == 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.group_norm(IMAGE, 2), "group_norm: 2 groups do not divide the channels of (1, 3, 8, 8)"),
        (
            lambda: ops.group_norm(IMAGE, 3, np.zeros(2)),
            "group_norm: weight (2,) must be (3,) to fit input (1, 3, 8, 8)",
        ),
        (
            lambda: ops.batch_norm2d(IMAGE, np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(2)),
            "batch_norm2d: running_var (2,) must be (3,) to fit input (1, 3, 8, 8)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        call()
