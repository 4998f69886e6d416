import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from conv_sheet import ops
from conv_sheet.errors import DataError, ShapeError, SpecError
from conv_sheet.ops import Array
from conv_sheet.ops.options import sizes as pair

FASTAI = Path(__file__).resolve().parents[3] / "shared" / "reference" / "fastai_conv_example.npz"

Shape = tuple[int, ...]
Options = dict[str, Any]
Backward = Callable[..., Array | tuple[Array, ...]]

some = settings(max_examples=25, deadline=None)
same_warning = pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's, of a copy that it makes


# The oracle


def normal(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.standard_normal(shape)


def with_ties(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.integers(-1, 2, shape).astype(np.float64)


def agree(
    shapes: Sequence[Shape],
    theirs: Callable[..., Tensor],
    ours: Callable[..., Array],
    backward: Backward,
    values: Callable[[np.random.Generator, Shape], Array] = normal,
) -> None:
    """Compare with PyTorch: the output, and the gradients by all inputs for a random gradient by the output.

    `backward` gets that gradient, our output, and the inputs.
    """
    rng = np.random.default_rng(sum(map(sum, shapes)))
    arrays = [values(rng, shape) for shape in shapes]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    expected = theirs(*tensors)
    y = ours(*arrays)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-10, atol=1e-10)

    grad = rng.standard_normal(y.shape)
    gradients = backward(grad, y, *arrays)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for got, want in zip(gradients, torch.autograd.grad(expected, tensors, torch.tensor(grad)), strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-10, atol=1e-10)


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


# What Hypothesis draws

batches = st.integers(1, 3)
sizes = st.integers(7, 10)


def pairs(least: int, most: int) -> st.SearchStrategy[int | tuple[int, int]]:
    """An option as PyTorch takes it: an int or two."""
    ints = st.integers(least, most)
    return ints | st.tuples(ints, ints)


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


# Against PyTorch


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

    def test_tanh(self, shape: Shape, values: Callable[..., Array]) -> None:
        agree([shape], torch.tanh, ops.tanh, lambda grad, y, x: ops.tanh_backward(grad, y), values)

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
        (lambda x: ops.max_pool2d(x, 2), lambda x: F.max_pool2d(x, 2)),
        (lambda x: ops.avg_pool2d(x, 2), lambda x: F.avg_pool2d(x, 2)),
    ],
)
def test_an_empty_batch_gives_an_empty_batch(
    ours: Callable[[Array], Array], theirs: Callable[[Tensor], Tensor]
) -> None:
    assert ours(np.zeros((0, 1, 6, 6))).shape == theirs(torch.zeros(0, 1, 6, 6).double()).shape


# Published numbers


def test_conv2d_of_cs231n() -> None:
    """Assignment 2 of CS231n, `conv_forward_naive`."""
    x = np.linspace(-0.1, 0.5, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    w = np.linspace(-0.2, 0.3, num=3 * 3 * 4 * 4).reshape(3, 3, 4, 4)
    b = np.linspace(-0.1, 0.2, num=3)
    published = np.array([[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]])
    assert ops.relative_error(ops.conv2d(x, w, b, stride=2, padding=1)[0, 0], published) < 1e-7


def test_max_pool2d_of_cs231n() -> None:
    """Assignment 2 of CS231n, `max_pool_forward_naive`."""
    x = np.linspace(-0.3, 0.4, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    published = np.array([[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]])
    assert ops.relative_error(ops.max_pool2d(x, 2)[0, 0], published) < 1e-7


@pytest.mark.skipif(not FASTAI.exists(), reason=f"the numbers of fast.ai's workbook are not at {FASTAI}")
def test_network_of_fastai() -> None:
    """Every plane of the sheet `conv-example`, each computed from the image."""
    sheet = np.load(FASTAI)
    conv1 = ops.relu(ops.conv2d(sheet["image"][None, None], sheet["conv1_weight"]))
    conv2 = ops.relu(ops.conv2d(conv1, sheet["conv2_weight"]))
    pool = ops.max_pool2d(conv2, 2)
    output = ops.linear(pool.reshape(1, -1), sheet["linear_weight"])
    for name, plane in (("conv1", conv1), ("conv2", conv2), ("pool", pool), ("output", output)):
        np.testing.assert_allclose(plane[0], sheet[name], rtol=1e-12, atol=1e-12, err_msg=name)


# Numerical gradients


def distinct(*shape: int) -> Array:
    """Values further apart than the step of a numerical gradient, so that no maximum changes hands."""
    size = int(np.prod(shape))
    return np.random.default_rng(size).permutation(np.linspace(-1, 1, size)).reshape(shape)


def gradient_errors(
    arrays: Sequence[Array], forward: Callable[..., Array], backward: Backward, h: float = 1e-5
) -> list[float]:
    """Relative error of each gradient of `backward` against central differences of `forward`."""
    grad = np.random.default_rng(1).standard_normal(forward(*arrays).shape)
    analytic = backward(grad, *arrays)
    analytic = analytic if isinstance(analytic, tuple) else (analytic,)
    numeric = [ops.numerical_gradient(lambda _: float(np.sum(forward(*arrays) * grad)), a, h) for a in arrays]
    return [ops.relative_error(a, n) for a, n in zip(analytic, numeric, strict=True)]


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


def test_numerical_gradient_restores_its_array_and_wants_floats() -> None:
    x = distinct(3, 4)
    kept = x.copy()
    ops.numerical_gradient(lambda x: float(x.sum()), x)
    np.testing.assert_array_equal(x, kept)
    with pytest.raises(DataError, match="x must be float64, got int32"):
        ops.numerical_gradient(lambda x: float(x.sum()), np.arange(3, dtype=np.int32))


def test_relative_error_of_numbers_near_zero_is_measured_against_the_floor() -> None:
    assert ops.relative_error(np.array([0.0, 1.0]), np.array([1e-10, 1.0])) == pytest.approx(1e-2)


# No loops, no copies


def test_windows_share_the_memory_of_the_image() -> None:
    x = np.zeros((1, 1, 256, 256))
    view = ops.windows(x, 3, stride=2, dilation=2)
    assert np.shares_memory(view, x)
    assert not view.flags.writeable


def lines_run(call: Callable[[], object]) -> int:
    """Lines of `ops` that run during a call."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if Path(frame.f_code.co_filename).parent != Path(ops.__file__).parent:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "run",
    [
        lambda x: ops.conv2d(x, np.ones((2, 1, 3, 3)), padding=1),
        lambda x: ops.conv2d_backward(np.ones((1, 2, *x.shape[2:])), x, np.ones((2, 1, 3, 3)), padding=1),
        lambda x: ops.conv_transpose2d(x, np.ones((1, 2, 3, 3))),
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


# Mistakes

IMAGE, KERNELS = np.zeros((1, 3, 8, 8)), np.zeros((4, 3, 3, 3))


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
            lambda: ops.pad2d(IMAGE, (0, 0, 9, 0), "circular"),
            "pad2d: input (1, 3, 8, 8) is too small for circular padding (0, 0, 9, 0)",
        ),
        (
            lambda: ops.windows(IMAGE, 9),
            "windows: input (1, 3, 8, 8) is smaller than the window (9, 9)",
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
        (
            lambda: ops.batch_norm2d(IMAGE, np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(2)),
            "batch_norm2d: running_var (2,) must be (3,) to fit input (1, 3, 8, 8)",
        ),
        (
            lambda: ops.relu_backward(np.zeros(3), np.zeros((3, 1))),
            "relu_backward: gradient (3,) must be (3, 1) to fit input (3, 1)",
        ),
        (
            lambda: ops.dropout(IMAGE, np.zeros((2, 2)), 0.5),
            "dropout: mask (2, 2) does not fit input (1, 3, 8, 8)",
        ),
        (
            lambda: ops.linear(np.zeros((2, 4)), np.zeros((3, 5))),
            "linear: input (2, 4) and weight (3, 5) differ in their last size",
        ),
        (
            lambda: ops.linear(np.zeros((2, 4)), np.zeros((3, 4)), np.zeros((3, 1))),
            "linear: bias (3, 1) must be (3,) to fit weight (3, 4)",
        ),
        (
            lambda: ops.relative_error(np.zeros(2), np.zeros((2, 1))),
            "relative_error: a (2,) must be (2, 1) to fit b (2, 1)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pair("value", (1, 2, 3)), "value = [1, 2, 3] must be a whole number, 1 or more, or a pair of them"),
        (lambda: pair("stride", "ab"), "stride = 'ab' must be a whole number, 1 or more, or a pair of them"),
        (lambda: pair("stride", 1.5), "stride = 1.5 must be a whole number, 1 or more, or a pair of them"),
        (lambda: pair("stride", (1, True)), "stride = [1, True] must be a whole number, 1 or more, or a pair of them"),
        (
            lambda: pair("padding", (1, -1), least=0),
            "padding = [1, -1] must be a whole number, 0 or more, or a pair of them",
        ),
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
        (
            lambda: ops.conv_transpose2d(IMAGE, np.zeros((3, 1, 2, 2)), stride=2, output_padding=2),
            "output_padding (2, 2) must be smaller than stride (2, 2) or dilation (1, 1)",
        ),
        (
            lambda: ops.avg_pool2d(IMAGE, 3, padding=(2, 1)),
            "avg_pool2d: padding (2, 1) must be at most half of the window (3, 3)",
        ),
        (
            lambda: ops.max_pool2d(IMAGE, 2, padding=(1, 2), dilation=2),
            "max_pool2d: padding (1, 2) must be at most half of the window (3, 3)",
        ),
        (lambda: ops.dropout(IMAGE, IMAGE, 1.0), "dropout: p must be at least 0 and below 1, got 1.0"),
    ],
)
def test_impossible_options_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        call()
