import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from conv_sheet import ops
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.ops import Array
from conv_sheet.ops.options import sizes as pair
from tests.ops.oracle import (
    Shape,
    agree,
    pairs,
    some,
)

IMAGE, KERNELS = np.zeros((1, 3, 8, 8)), np.zeros((4, 3, 3, 3))


@some
@given(st.data(), st.floats(-2, 2))
@pytest.mark.parametrize(
    ("mode", "theirs", "most"),
    [("zeros", "constant", 6), ("reflect", "reflect", 3), ("replicate", "replicate", 6), ("circular", "circular", 4)],
)
def test_pad2d(mode: str, theirs: str, most: int, data: st.DataObject, value: float) -> None:
    top, bottom, left, right = padding = data.draw(st.tuples(*[st.integers(0, most)] * 4))
    fill = value if mode == "zeros" else None
    agree(
        [(2, 3, 4, 5)],
        lambda x: F.pad(x, (left, right, top, bottom), mode=theirs, value=fill),
        lambda x: ops.pad2d(x, padding, mode, value),
        lambda grad, y, x: ops.pad2d_backward(grad, padding, mode),
    )


@some
@given(pairs(1, 3), pairs(1, 3), pairs(1, 2))
def test_windows(kernel: int, stride: int, dilation: int) -> None:
    x: Shape = (2, 3, 7, 8)
    kernel_h, kernel_w = pair("kernel_size", kernel)

    def unfolded(x: Array) -> Array:
        view = ops.windows(x, kernel, stride, dilation)
        return view.transpose(0, 1, 4, 5, 2, 3).reshape(len(x), 3 * kernel_h * kernel_w, -1)

    def folded(grad: Array, y: Array, images: Array) -> Array:
        rows, columns = ops.windows(images, kernel, stride, dilation).shape[2:4]
        patches = grad.reshape(2, 3, kernel_h, kernel_w, rows, columns).transpose(0, 1, 4, 5, 2, 3)
        return ops.windows_backward(patches, images.shape, stride, dilation)

    agree([x], lambda x: F.unfold(x, kernel, stride=stride, dilation=dilation), unfolded, folded)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.booleans(), st.data())
def test_output_size(size: int, kernel: int, stride: int, dilation: int, ceil_mode: bool, data: st.DataObject) -> None:
    padding = data.draw(st.integers(0, kernel // 2))
    arguments = size, kernel, stride, 2 * padding, dilation, ceil_mode
    try:
        pooled = F.max_pool1d(torch.zeros(1, 1, size), kernel, stride, padding, dilation, ceil_mode)
    except RuntimeError:
        with pytest.raises(ShapeError, match="does not fit"):
            ops.output_size(*arguments)
    else:
        assert ops.output_size(*arguments) == pooled.shape[-1]


def test_windows_share_the_memory_of_the_image() -> None:
    x = np.zeros((1, 1, 256, 256))
    view = ops.windows(x, 3, stride=2, dilation=2)
    assert np.shares_memory(view, x)
    assert not view.flags.writeable


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.pad2d(IMAGE, (0, 0, 9, 0), "circular"),
            "pad2d: input (1, 3, 8, 8) is too small for circular padding (0, 0, 9, 0)",
        ),
        (
            lambda: ops.windows(IMAGE, 9),
            "windows: input (1, 3, 8, 8) is smaller than the window (9, 9)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.padding_of("same", 3, stride=2),
            "padding 'same' needs stride 1, got 2: give the padding as a number",
        ),
        (
            lambda: ops.padding_of("full", 3),
            "padding must be 'same', 'valid', an integer or two integers, got 'full'",
        ),
        (
            lambda: ops.pad2d(IMAGE, (1, 1, 1, 1), "mirror"),
            "padding_mode must be one of zeros, reflect, replicate, circular; got 'mirror'",
        ),
        (lambda: ops.pad2d(IMAGE, (0, -1, 0, 0)), "padding must be 0 or more, got (0, -1, 0, 0)"),
    ],
)
def test_impossible_options_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        call()
