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
    normal,
    pairs,
    sizes,
    some,
    with_ties,
)

IMAGE, KERNELS = np.zeros((1, 3, 8, 8)), np.zeros((4, 3, 3, 3))


@st.composite
def poolings(draw: st.DrawFn) -> tuple[Shape, tuple[int, int], Options]:
    """Images, a kernel, and the options that all poolings have."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    options = {
        "stride": draw(st.none() | pairs(1, 4)),
        "padding": (draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2))),
        "ceil_mode": draw(st.booleans()),
    }
    return (draw(batches), draw(st.integers(1, 3)), draw(sizes), draw(sizes)), kernel, options


@pytest.mark.parametrize("values", [normal, with_ties])
@some
@given(poolings(), pairs(1, 2))
def test_max_pool2d(values: Callable[..., Array], drawn: tuple[Shape, tuple[int, int], Options], dilation: int) -> None:
    x, kernel, options = drawn
    options = options | {"dilation": dilation}
    agree(
        [x],
        lambda x: F.max_pool2d(x, kernel, **options),
        lambda x: ops.max_pool2d(x, kernel, **options),
        lambda grad, y, x: ops.max_pool2d_backward(grad, x, kernel, **options),
        values,
    )


@pytest.mark.parametrize("values", [normal, with_ties])
@some
@given(poolings())
def test_min_pool2d(values: Callable[..., Array], drawn: tuple[Shape, tuple[int, int], Options]) -> None:
    x, kernel, options = drawn
    agree(
        [x],
        lambda x: -F.max_pool2d(-x, kernel, **options),
        lambda x: ops.min_pool2d(x, kernel, **options),
        lambda grad, y, x: ops.min_pool2d_backward(grad, x, kernel, **options),
        values,
    )


@some
@given(poolings(), st.booleans())
def test_avg_pool2d(drawn: tuple[Shape, tuple[int, int], Options], count_include_pad: bool) -> None:
    x, kernel, options = drawn
    options = options | {"count_include_pad": count_include_pad}
    agree(
        [x],
        lambda x: F.avg_pool2d(x, kernel, **options),
        lambda x: ops.avg_pool2d(x, kernel, **options),
        lambda grad, y, x: ops.avg_pool2d_backward(grad, x, kernel, **options),
    )


def test_adaptive_avg_pool2d() -> None:
    agree(
        [(2, 3, 4, 5)],
        lambda x: F.adaptive_avg_pool2d(x, 1),
        ops.adaptive_avg_pool2d,
        lambda grad, y, x: ops.adaptive_avg_pool2d_backward(grad, x),
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: ops.max_pool2d(x, 2), lambda x: F.max_pool2d(x, 2)),
        (lambda x: ops.avg_pool2d(x, 2), lambda x: F.avg_pool2d(x, 2)),
    ],
)
def test_an_empty_batch_gives_an_empty_batch(
    ours: Callable[[Array], Array], theirs: Callable[[Tensor], Tensor]
) -> None:
    assert ours(np.zeros((0, 1, 6, 6))).shape == theirs(torch.zeros(0, 1, 6, 6).double()).shape


@pytest.mark.parametrize(
    "run",
    [
        lambda x: ops.max_pool2d(x, 2),
        lambda x: ops.max_pool2d_backward(x[:, :, ::2, ::2], x, 2),
        lambda x: ops.avg_pool2d_backward(x[:, :, ::2, ::2], x, 2),
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
            lambda: ops.max_pool2d(IMAGE, 9),
            "max_pool2d: input (1, 3, 8, 8) is too small for kernel (9, 9): "
            "a window of 9 does not fit into 8 + 0 of padding: "
            "choose a smaller kernel_size or dilation, or more padding",
        ),
        (
            lambda: ops.avg_pool2d_backward(IMAGE, IMAGE, 2),
            "avg_pool2d_backward: gradient (1, 3, 8, 8) must be (1, 3, 4, 4) to fit input (1, 3, 8, 8)",
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
            lambda: ops.avg_pool2d(IMAGE, 3, padding=(2, 1)),
            "avg_pool2d: padding (2, 1) must be at most half of the window (3, 3)",
        ),
        (
            lambda: ops.max_pool2d(IMAGE, 2, padding=(1, 2), dilation=2),
            "max_pool2d: padding (1, 2) must be at most half of the window (3, 3)",
        ),
    ],
)
def test_impossible_options_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        call()
