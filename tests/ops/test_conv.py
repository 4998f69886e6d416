import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from conv_sheet import ops
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.ops import Array
from tests.ops.oracle import (
    Options,
    Shape,
    agree,
    batches,
    lines_run,
    pairs,
    sizes,
    some,
)

IMAGE, KERNELS = np.zeros((1, 3, 8, 8)), np.zeros((4, 3, 3, 3))

same_warning = pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's, of a copy that it makes


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Shape, Shape, Options]:
    """Shapes of images and kernels, with options that go together."""
    groups = draw(st.integers(1, 3))
    inputs, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = draw(pairs(0, 2) | st.sampled_from(["same", "valid"]))
    options = {
        "stride": 1 if padding == "same" else draw(pairs(1, 3)),
        "padding": padding,
        "dilation": draw(pairs(1, 2)),
        "groups": groups,
        "padding_mode": draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
    }
    x = draw(batches), inputs, draw(sizes), draw(sizes)
    return x, (outputs, inputs // groups, *kernel), options


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> tuple[Shape, Shape, Options]:
    groups = draw(st.integers(1, 3))
    inputs, depth = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    options = {
        "stride": stride,
        "padding": draw(pairs(0, 2)),
        "output_padding": draw(pairs(0, max(stride, dilation) - 1)),
        "dilation": dilation,
        "groups": groups,
    }
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    return (draw(batches), inputs, draw(sizes), draw(sizes)), (inputs, depth, *kernel), options


def agree_on_conv2d(x: Shape, weight: Shape, options: Options) -> None:
    layer = torch.nn.Conv2d(x[1], weight[0], (weight[2], weight[3]), **options)
    agree(
        [x, weight, weight[:1]],
        lambda x, w, b: torch.func.functional_call(layer, {"weight": w, "bias": b}, x),
        lambda x, w, b: ops.conv2d(x, w, b, **options),
        lambda grad, y, x, w, b: ops.conv2d_backward(grad, x, w, **options),
    )


@same_warning
@some
@given(convolutions())
def test_conv2d(drawn: tuple[Shape, Shape, Options]) -> None:
    agree_on_conv2d(*drawn)


@same_warning
@pytest.mark.parametrize("padding_mode", ["zeros", "circular"])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("kernel", [(1, 2), (2, 3), (3, 4), (4, 5)])
def test_conv2d_keeps_the_size_with_same_padding(kernel: tuple[int, int], dilation: int, padding_mode: str) -> None:
    options = {"padding": "same", "dilation": dilation, "padding_mode": padding_mode}
    agree_on_conv2d((2, 1, 7, 8), (2, 1, *kernel), options)


def test_conv2d_without_bias() -> None:
    agree(
        [(2, 2, 5, 5), (3, 2, 3, 3)],
        F.conv2d,
        ops.conv2d,
        lambda grad, y, x, w: ops.conv2d_backward(grad, x, w)[:2],
    )


@some
@given(transposed_convolutions())
def test_conv_transpose2d(drawn: tuple[Shape, Shape, Options]) -> None:
    x, weight, options = drawn
    agree(
        [x, weight, (weight[1] * options["groups"],)],
        lambda x, w, b: F.conv_transpose2d(x, w, b, **options),
        lambda x, w, b: ops.conv_transpose2d(x, w, b, **options),
        lambda grad, y, x, w, b: ops.conv_transpose2d_backward(grad, x, w, **options),
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            lambda x: ops.conv2d(x, np.ones((2, 1, 3, 3))),
            lambda x: F.conv2d(x, torch.ones(2, 1, 3, 3).double()),
        ),
        (
            lambda x: ops.conv_transpose2d(x, np.ones((1, 2, 3, 3))),
            lambda x: F.conv_transpose2d(x, torch.ones(1, 2, 3, 3).double()),
        ),
    ],
)
def test_an_empty_batch_gives_an_empty_batch(
    ours: Callable[[Array], Array], theirs: Callable[[Tensor], Tensor]
) -> None:
    assert ours(np.zeros((0, 1, 6, 6))).shape == theirs(torch.zeros(0, 1, 6, 6).double()).shape


@pytest.mark.parametrize(
    "run",
    [
        lambda x: ops.conv2d(x, np.ones((2, 1, 3, 3)), padding=1),
        lambda x: ops.conv2d_backward(np.ones((1, 2, *x.shape[2:])), x, np.ones((2, 1, 3, 3)), padding=1),
        lambda x: ops.conv_transpose2d(x, np.ones((1, 2, 3, 3))),
    ],
)
def test_a_larger_image_of_one_strip_runs_no_more_python(run: Callable[[Array], object]) -> None:
    def lines(size: int) -> int:
        x = np.zeros((1, 1, size, size))
        run(x)
        return lines_run(lambda: run(x))

    assert lines(64) == lines(8) > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.conv2d(np.zeros((8, 8)), KERNELS),
            "conv2d: input must be (N, C, H, W), got (8, 8)",
        ),
        (
            lambda: ops.conv2d(IMAGE, np.zeros((3, 3))),
            "conv2d: weight must be (O, C/groups, KH, KW), got (3, 3)",
        ),
        (
            lambda: ops.conv2d(IMAGE, np.zeros((4, 2, 3, 3))),
            "conv2d: weight (4, 2, 3, 3) takes 2 channels with groups=1, input (1, 3, 8, 8) has 3",
        ),
        (
            lambda: ops.conv2d(IMAGE, KERNELS, np.zeros(3)),
            "conv2d: bias (3,) must be (4,) to fit weight (4, 3, 3, 3)",
        ),
        (
            lambda: ops.conv2d(np.zeros((1, 3, 2, 8)), KERNELS, dilation=2, padding=1),
            "conv2d: input (1, 3, 2, 8) is too small for kernel (3, 3): "
            "a window of 5 does not fit into 2 + 2 of padding: "
            "choose a smaller kernel_size or dilation, or more padding",
        ),
        (
            lambda: ops.conv2d(IMAGE, KERNELS, padding=8, padding_mode="reflect"),
            "pad2d: input (1, 3, 8, 8) is too small for reflect padding (8, 8, 8, 8)",
        ),
        (
            lambda: ops.conv2d_backward(IMAGE, IMAGE, KERNELS),
            "conv2d_backward: gradient (1, 3, 8, 8) must be (1, 4, 6, 6) to fit "
            "input (1, 3, 8, 8) and weight (4, 3, 3, 3)",
        ),
        (
            lambda: ops.conv_transpose2d(IMAGE, KERNELS),
            "conv_transpose2d: weight (4, 3, 3, 3) takes 4 channels, input (1, 3, 8, 8) has 3",
        ),
        (
            lambda: ops.conv_transpose2d(np.zeros((1, 4, 1, 1)), KERNELS, padding=2),
            "conv_transpose2d: input (1, 4, 1, 1) and weight (4, 3, 3, 3) with padding (2, 2) "
            "make (1, 3, -1, -1): nothing is left",
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
            lambda: ops.conv2d(IMAGE, KERNELS, stride=0),
            "stride = 0 must be a whole number, 1 or more, or a pair of them",
        ),
        (
            lambda: ops.conv2d(IMAGE, KERNELS, dilation=0),
            "dilation = 0 must be a whole number, 1 or more, or a pair of them",
        ),
        (
            lambda: ops.conv2d(IMAGE, KERNELS, groups=3),
            "conv2d: groups must divide the 4 kernels of the weight, got 3",
        ),
        (
            lambda: ops.conv_transpose2d(IMAGE, np.zeros((3, 1, 2, 2)), stride=2, output_padding=2),
            "output_padding (2, 2) must be smaller than stride (2, 2) or dilation (1, 1)",
        ),
    ],
)
def test_impossible_options_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        call()
