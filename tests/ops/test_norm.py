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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.batch_norm2d(IMAGE, np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(2)),
            "batch_norm2d: running_var (2,) must be (3,) to fit input (1, 3, 8, 8)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        call()
