from collections.abc import Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from conv_sheet import ops
from tests.ops.oracle import agree, some, with_ties

outputs = st.tuples(st.integers(1, 9), st.integers(1, 9))


@some
@given(outputs)
def test_adaptive_avg_pool2d(size: tuple[int, int]) -> None:
    agree(
        [(2, 3, 5, 7)],
        lambda x: F.adaptive_avg_pool2d(x, size),
        lambda x: ops.adaptive_avg_pool2d(x, size),
        lambda grad, y, x: ops.adaptive_avg_pool2d_backward(grad, x),
    )


@some
@given(outputs, st.booleans())
def test_adaptive_max_pool2d(size: tuple[int, int], ties: bool) -> None:
    agree(
        [(2, 3, 5, 7)],
        lambda x: F.adaptive_max_pool2d(x, size),
        lambda x: ops.adaptive_max_pool2d(x, size),
        lambda grad, y, x: ops.adaptive_max_pool2d_backward(grad, x),
        *([with_ties] if ties else []),
    )


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_pixel_shuffle(factor: int) -> None:
    agree(
        [(2, 2 * factor**2, 3, 4)],
        lambda x: F.pixel_shuffle(x, factor),
        lambda x: ops.pixel_shuffle(x, factor),
        lambda grad, y, x: ops.pixel_shuffle_backward(grad, factor),
    )


@some
@given(st.integers(1, 9), st.integers(1, 20))
def test_nearest(size: int, new: int) -> None:
    wanted = F.interpolate(_counting(size), size=(1, new)).numpy().ravel()
    assert ops.nearest(size, new) == wanted.tolist()


@some
@given(st.integers(1, 9), st.floats(0.2, 4))
def test_nearest_by_a_factor(size: int, factor: float) -> None:
    new = int(size * factor)
    if new:
        wanted = F.interpolate(_counting(size), scale_factor=(1, factor)).numpy().ravel()
        assert ops.nearest(size, new, factor) == wanted.tolist()


def _counting(size: int) -> Tensor:
    return torch.arange(size, dtype=torch.float64).reshape(1, 1, 1, size)


@pytest.mark.parametrize(
    ("mode", "sides"), [("reflect", (1, 2, 3, 0)), ("replicate", (1, 2, 9, 0)), ("circular", (4, 2, 3, 0))]
)
def test_surround(mode: str, sides: tuple[int, int, int, int]) -> None:
    left, right, top, bottom = sides
    names = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}

    def sources() -> Sequence[NDArray[np.intp]]:
        pairs = [(3, (0, 0)), (4, (top, bottom)), (5, (left, right))]
        return [np.pad(np.arange(size), pair, mode=names[mode]) for size, pair in pairs]  # type: ignore[call-overload]

    agree(
        [(2, 3, 4, 5)],
        lambda x: F.pad(x, sides, mode=mode),
        lambda x: ops.surround(x, sources()),
        lambda grad, y, x: ops.surround_backward(grad, x, sources()),
    )
