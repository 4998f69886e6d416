"""NumPy primitives of a convolutional network: each operation, and right beneath it its derivative.

Arrays are float64 and carry a batch dimension: images are (N, C, H, W), features (N, in). Names and meanings
are those of PyTorch. A convolution is a view of sliding windows (no copy, no loop over pixels) times its
kernels: one matrix product a layer. A `…_backward` takes the gradient of the loss by the output, then what
the forward took or made, and returns the gradients by the forward's arrays, in their order. Losses stand in
`losses.py`.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from conv_sheet.errors import DataError, ShapeError, SpecError

Array: TypeAlias = npt.NDArray[np.float64]
IntOrPair: TypeAlias = int | Sequence[int]
Sides: TypeAlias = tuple[int, int, int, int]

_NUMPY_MODES: dict[str, Literal["constant", "reflect", "edge", "wrap"]] = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}
_ROUNDING = 2.0**-44
"""Difference, relative to the values, that sums of the same products in another order do not reach."""


# Options and shapes


def pair(value: IntOrPair, name: str = "value", least: int = 0) -> tuple[int, int]:
    """Return `value` as (rows, columns): an int counts for both, two ints stay as they are.

    Raises SpecError, naming the option `name`, for anything else and for numbers below `least`.

    >>> pair(3), pair([1, 2])
    ((3, 3), (1, 2))
    """
    try:
        if isinstance(value, Sequence):
            rows, columns = map(operator.index, value)
        else:
            rows = columns = operator.index(value)
    except (TypeError, ValueError):
        raise SpecError(f"{name} must be an integer or two integers, got {value!r}") from None
    if min(rows, columns) < least:
        raise SpecError(f"{name} must be {least} or more, got {value!r}")
    return rows, columns


def padding_of(
    padding: IntOrPair | str, kernel_size: IntOrPair, dilation: IntOrPair = 1, stride: IntOrPair = 1
) -> Sides:
    """Return the rows and columns that `padding` adds, as (top, bottom, left, right).

    'valid' adds none. 'same' keeps the size of the image, puts an odd row or column at the end, and needs
    stride 1. Other words and strides raise SpecError. Source: PyTorch, `torch.nn.Conv2d`.

    >>> padding_of("same", (4, 3))
    (1, 2, 1, 1)
    >>> padding_of((0, 2), 3)
    (0, 0, 2, 2)
    """
    if padding == "valid":
        return 0, 0, 0, 0
    if padding == "same":
        if pair(stride, "stride", 1) != (1, 1):
            raise SpecError(f"padding 'same' needs stride 1, got {stride!r}: give the padding as a number")
        rows, columns = _spans(pair(kernel_size, "kernel_size", 1), pair(dilation, "dilation", 1))
        return (rows - 1) // 2, rows // 2, (columns - 1) // 2, columns // 2
    if isinstance(padding, str):
        raise SpecError(f"padding must be 'same', 'valid', an integer or two integers, got {padding!r}")
    rows, columns = pair(padding, "padding")
    return rows, rows, columns, columns


def output_size(size: int, kernel: int, stride: int, padding_total: int, dilation: int, ceil_mode: bool = False) -> int:
    """Return how many windows fit along an axis of `size` elements and `padding_total` more (at both ends).

    With `ceil_mode` a last, incomplete window counts too, provided that it starts inside the input or the
    padding before it. Raises ShapeError when not one fits. Source: PyTorch, `torch.nn.MaxPool2d`.

    >>> output_size(28, 3, 1, 0, 1)
    26
    >>> output_size(5, 2, 2, 0, 1), output_size(5, 2, 2, 0, 1, ceil_mode=True)
    (2, 3)
    """
    span = dilation * (kernel - 1) + 1
    room = size + padding_total - span
    steps = -(-room // stride) if ceil_mode else room // stride
    if ceil_mode and steps * stride >= size + padding_total // 2:
        steps -= 1
    if steps < 0:
        raise ShapeError(
            f"a window of {span} does not fit into {size} + {padding_total} of padding: "
            "choose a smaller kernel_size or dilation, or more padding"
        )
    return steps + 1


def _spans(kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns from the first to the last element of a dilated kernel."""
    return dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1


def _floats(operation: str, name: str, values: npt.ArrayLike, axes: str) -> Array:
    """Values as float64 with as many dimensions as `axes`, such as "N C H W", has words."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != len(axes.split()):
        raise ShapeError(f"{operation}: {name} must be ({', '.join(axes.split())}), got {array.shape}")
    return array


def _images(operation: str, values: npt.ArrayLike) -> Array:
    return _floats(operation, "input", values, "N C H W")


def _expect(operation: str, name: str, values: npt.ArrayLike, shape: tuple[int, ...], partner: str) -> Array:
    """Values as float64, of exactly the shape that `partner` asks for."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ShapeError(f"{operation}: {name} {array.shape} must be {shape} to fit {partner}")
    return array


def _gradient_like(operation: str, grad: Array, name: str, partner: npt.ArrayLike) -> Array:
    """A gradient as float64, checked to have its partner's shape."""
    return _expect(operation, "gradient", grad, np.shape(partner), f"{name} {np.shape(partner)}")


# Padding and windows


def pad2d(x: Array, padding: Sides, mode: str = "zeros", value: float = 0.0) -> Array:
    """Surround images (N, C, H, W) by `padding` = (top, bottom, left, right) rows and columns.

    `mode` is a `padding_mode` of PyTorch: "zeros" (filled with `value`), "reflect", "replicate", "circular".
    Without padding the array itself comes back, no copy. Raises SpecError for other modes and negative
    padding, ShapeError for images too small to be reflected or repeated.
    Source: PyTorch, `torch.nn.functional.pad`.

    >>> pad2d(np.array([[[[1.0, 2.0, 3.0]]]]), (0, 0, 2, 1), "reflect")
    array([[[[3., 2., 1., 2., 3., 2.]]]])
    """
    x = _images("pad2d", x)
    _check_padding(x.shape, padding, mode)
    top, bottom, left, right = padding
    if not any(padding):
        return x
    if mode == "zeros":
        return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)
    rows, columns = _sources(x.shape, padding, mode)
    return x[:, :, rows[:, None], columns]


def pad2d_backward(grad: Array, padding: Sides, mode: str = "zeros") -> Array:
    """Gradient by the image: every padded element hands its gradient back to the element that it copied.

    >>> pad2d_backward(np.array([[[[1.0, 1.0, 1.0, 1.0, 1.0]]]]), (0, 0, 2, 0), "replicate")
    array([[[[3., 1., 1.]]]])
    """
    grad = _floats("pad2d_backward", "gradient", grad, "N C H W")
    top, bottom, left, right = padding
    n, c, padded_h, padded_w = grad.shape
    shape = n, c, padded_h - top - bottom, padded_w - left - right
    _check_padding(shape, padding, mode)
    if mode == "zeros":
        return grad[:, :, top : top + shape[2], left : left + shape[3]]
    rows, columns = _sources(shape, padding, mode)
    return np.eye(shape[2])[rows].T @ grad @ np.eye(shape[3])[columns]


def _check_padding(shape: tuple[int, ...], padding: Sides, mode: str) -> None:
    if mode not in _NUMPY_MODES:
        raise SpecError(f"padding_mode must be one of {', '.join(_NUMPY_MODES)}; got {mode!r}")
    if min(padding) < 0:
        raise SpecError(f"padding must be 0 or more, got {padding}")
    for size, widest in ((shape[2], max(padding[:2])), (shape[3], max(padding[2:]))):
        if (mode == "reflect" and widest >= size) or (mode == "circular" and widest > size):
            raise ShapeError(f"pad2d: input {shape} is too small for {mode} padding {padding}")


def _sources(shape: tuple[int, ...], padding: Sides, mode: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """For every row and every column of the padded image, which one of the image it copies."""
    rows = np.pad(np.arange(shape[2]), padding[:2], mode=_NUMPY_MODES[mode])
    columns = np.pad(np.arange(shape[3]), padding[2:], mode=_NUMPY_MODES[mode])
    return rows, columns


def windows(x: Array, kernel_size: IntOrPair, stride: IntOrPair = 1, dilation: IntOrPair = 1) -> Array:
    """View images (N, C, H, W) through a sliding window: (N, C, OH, OW, KH, KW), read-only, not a copy.

    `windows(...)[n, c, i, j]` is what the kernel covers when output (i, j) is made. Raises ShapeError when
    the window is larger than the image. Source: NumPy, `numpy.lib.stride_tricks.sliding_window_view`.

    >>> windows(np.arange(9.0).reshape(1, 1, 3, 3), 2)[0, 0, 1, 1]
    array([[4., 5.],
           [7., 8.]])
    """
    x = _images("windows", x)
    kernel = pair(kernel_size, "kernel_size", 1)
    (step_h, step_w), dilated = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
    spans = _spans(kernel, dilated)
    if spans[0] > x.shape[2] or spans[1] > x.shape[3]:
        raise ShapeError(f"windows: input {x.shape} is smaller than the window {spans}")
    every = np.lib.stride_tricks.sliding_window_view(x, spans, axis=(2, 3))
    return every[:, :, ::step_h, ::step_w, :: dilated[0], :: dilated[1]]


def windows_backward(grad: Array, shape: tuple[int, ...], stride: IntOrPair = 1, dilation: IntOrPair = 1) -> Array:
    """Gradient by the images of `shape`: windows (N, C, OH, OW, KH, KW) laid back, summed where they overlap.

    >>> windows_backward(np.ones((1, 1, 2, 2, 2, 2)), (1, 1, 3, 3))[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    (step_h, step_w), (gap_h, gap_w) = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
    out_h, out_w, kernel_h, kernel_w = grad.shape[2:]
    dx = np.zeros(shape)
    for i, j in np.ndindex(kernel_h, kernel_w):
        rows = slice(i * gap_h, i * gap_h + (out_h - 1) * step_h + 1, step_h)
        columns = slice(j * gap_w, j * gap_w + (out_w - 1) * step_w + 1, step_w)
        dx[:, :, rows, columns] += grad[..., i, j]
    return dx


@dataclass(frozen=True)
class _Sweep:
    """How a kernel moves over an image: pad, then look through windows; and the derivative of both."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Sides
    mode: str = "zeros"
    fill: float = 0.0

    def windows(self, x: Array) -> Array:
        padded = pad2d(x, self.padding, self.mode, self.fill)
        return windows(padded, self.kernel, self.stride, self.dilation)

    def backward(self, grad: Array, shape: tuple[int, ...]) -> Array:
        n, c, h, w = shape
        top, bottom, left, right = self.padding
        padded_shape = n, c, top + h + bottom, left + w + right
        dpadded = windows_backward(grad, padded_shape, self.stride, self.dilation)
        return pad2d_backward(dpadded, self.padding, self.mode)

    def output_shape(self, operation: str, shape: tuple[int, ...], ceil_mode: bool = False) -> tuple[int, int]:
        """(OH, OW) for images of `shape`; the error says which operation and which shapes do not fit."""
        totals = sum(self.padding[:2]), sum(self.padding[2:])
        axes = zip(shape[2:], self.kernel, self.stride, totals, self.dilation, strict=True)
        try:
            rows, columns = (output_size(*axis, ceil_mode) for axis in axes)
        except ShapeError as error:
            message = f"{operation}: input {shape} is too small for kernel {self.kernel}: {error}"
            raise ShapeError(message) from None
        return rows, columns


# Convolution


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair | str = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Array:
    """Cross-correlate images (N, C, H, W) with kernels (O, C/groups, KH, KW), plus bias (O,): (N, O, OH, OW).

    Raises ShapeError when channels, groups, bias or sizes do not fit, SpecError for impossible options.
    Source: PyTorch, `torch.nn.Conv2d`; Dumoulin and Visin, "A guide to convolution arithmetic".

    >>> conv2d(np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2)))[0, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    x, weight = _conv_operands("conv2d", x, weight, "O C/groups KH KW")
    sweep = _conv_sweep(x, weight, stride, padding, dilation, groups, padding_mode)
    out = _correlate(sweep.windows(x), weight, groups)
    return out if bias is None else out + _bias("conv2d", bias, len(weight), weight)


def conv2d_backward(
    grad: Array,
    x: Array,
    weight: Array,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair | str = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> tuple[Array, Array, Array]:
    """Gradients (by x, by weight, by bias) of `conv2d` with the same options.

    >>> x, weight = np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2))
    >>> dx, dweight, dbias = conv2d_backward(np.ones((1, 1, 2, 2)), x, weight)
    >>> dweight[0, 0], dbias
    (array([[ 8., 12.],
           [20., 24.]]), array([4.]))
    """
    x, weight = _conv_operands("conv2d", x, weight, "O C/groups KH KW")
    sweep = _conv_sweep(x, weight, stride, padding, dilation, groups, padding_mode)
    grad, dweight, dbias = _conv_parameters_backward(grad, x, weight, sweep, groups)
    return sweep.backward(_spread(grad, weight, groups), x.shape), dweight, dbias


def conv2d_parameters_backward(
    grad: Array,
    x: Array,
    weight: Array,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair | str = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> tuple[Array, Array]:
    """Gradients (by weight, by bias) of `conv2d`: `conv2d_backward` without its larger half, the one by x.

    A network's first layer needs no more. Source: PyTorch, `torch.nn.grad.conv2d_weight`.

    >>> dweight, dbias = conv2d_parameters_backward(np.ones((1, 1, 1, 2)), np.ones((1, 1, 2, 3)), np.ones((1, 1, 2, 2)))
    >>> dweight[0, 0], dbias
    (array([[2., 2.],
           [2., 2.]]), array([2.]))
    """
    x, weight = _conv_operands("conv2d", x, weight, "O C/groups KH KW")
    sweep = _conv_sweep(x, weight, stride, padding, dilation, groups, padding_mode)
    _, dweight, dbias = _conv_parameters_backward(grad, x, weight, sweep, groups)
    return dweight, dbias


def _conv_parameters_backward(
    grad: Array, x: Array, weight: Array, sweep: _Sweep, groups: int
) -> tuple[Array, Array, Array]:
    """The gradient, checked, and those by weight and by bias."""
    view = sweep.windows(x)
    shape, partner = (len(x), len(weight), *view.shape[2:4]), f"input {x.shape} and weight {weight.shape}"
    grad = _expect("conv2d_backward", "gradient", grad, shape, partner)
    return grad, _correlate_weight_backward(grad, view, weight.shape, groups), grad.sum(axis=(0, 2, 3))


def _conv_operands(operation: str, x: Array, weight: Array, axes: str) -> tuple[Array, Array]:
    return _images(operation, x), _floats(operation, "weight", weight, axes)


def _conv_sweep(
    x: Array,
    weight: Array,
    stride: IntOrPair,
    padding: IntOrPair | str,
    dilation: IntOrPair,
    groups: int,
    padding_mode: str,
) -> _Sweep:
    """Check a convolution's shapes and options, and resolve them."""
    _check_groups("conv2d", len(weight), groups)
    if x.shape[1] != weight.shape[1] * groups:
        takes = f"takes {weight.shape[1] * groups} channels with groups={groups}"
        raise ShapeError(f"conv2d: weight {weight.shape} {takes}, input {x.shape} has {x.shape[1]}")
    kernel = pair(weight.shape[2:], "kernel_size", 1)
    step, gap = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
    sweep = _Sweep(kernel, step, gap, padding_of(padding, kernel, gap, step), padding_mode)
    sweep.output_shape("conv2d", x.shape)
    return sweep


def _check_groups(operation: str, kernels: int, groups: int) -> None:
    if groups < 1 or kernels % groups:
        raise SpecError(f"{operation}: groups must divide the {kernels} kernels of the weight, got {groups}")


def _bias(operation: str, bias: Array, channels: int, weight: Array) -> Array:
    """A bias (O,) in the form that adds to (N, O, H, W)."""
    return _expect(operation, "bias", bias, (channels,), f"weight {weight.shape}")[:, None, None]


def _correlate(view: Array, weight: Array, groups: int) -> Array:
    """Windows (N, C, OH, OW, KH, KW) times kernels (O, C/groups, KH, KW): (N, O, OH, OW)."""
    n, _, out_h, out_w = view.shape[:4]
    kernels = weight.reshape(groups, len(weight) // groups, -1)
    return (kernels @ _columns(view, groups)).reshape(len(weight), n, out_h, out_w).swapaxes(0, 1)


def _spread(grad: Array, weight: Array, groups: int) -> Array:
    """Derivative of `_correlate` by the windows: each output's gradient times its kernel."""
    n, _, out_h, out_w = grad.shape
    depth, kernel_h, kernel_w = weight.shape[1:]
    kernels = weight.reshape(groups, len(weight) // groups, -1)
    patches = kernels.swapaxes(1, 2) @ _rows(grad, groups)
    return patches.reshape(depth * groups, kernel_h, kernel_w, n, out_h, out_w).transpose(3, 0, 4, 5, 1, 2)


def _correlate_weight_backward(grad: Array, view: Array, shape: tuple[int, ...], groups: int) -> Array:
    """Derivative of `_correlate` by the kernels: each output's gradient times its window, summed."""
    return (_rows(grad, groups) @ _columns(view, groups).swapaxes(1, 2)).reshape(shape)


def _columns(view: Array, groups: int) -> Array:
    """Windows as matrices, one window a column: (groups, C/groups·KH·KW, N·OH·OW)."""
    n, channels, out_h, out_w, kernel_h, kernel_w = view.shape
    height = channels // groups * kernel_h * kernel_w
    return view.transpose(1, 4, 5, 0, 2, 3).reshape(groups, height, n * out_h * out_w)


def _rows(maps: Array, groups: int) -> Array:
    """Maps (N, O, H, W) as matrices, one channel a row: (groups, O/groups, N·H·W)."""
    n, channels, h, w = maps.shape
    return maps.swapaxes(0, 1).reshape(groups, channels // groups, n * h * w)


def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    output_padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    """Lay a kernel down for every element of (N, C, H, W): `conv2d`'s derivative by its input, as a layer.

    Kernels are (C, O/groups, KH, KW), bias (O,); the output is (N, O, OH, OW) with
    OH = (H - 1)·stride - 2·padding + dilation·(KH - 1) + output_padding + 1. Raises ShapeError and SpecError
    as `conv2d` does. Source: PyTorch, `torch.nn.ConvTranspose2d`.

    >>> conv_transpose2d(np.array([[[[1.0, 2.0]]]]), np.array([[[[1.0, 10.0]]]]), stride=(1, 2))
    array([[[[ 1., 10.,  2., 20.]]]])
    """
    x, weight = _conv_operands("conv_transpose2d", x, weight, "C O/groups KH KW")
    sweep, shape = _transpose_sweep(x, weight, stride, padding, output_padding, dilation, groups)
    out = sweep.backward(_spread(x, weight, groups), shape)
    return out if bias is None else out + _bias("conv_transpose2d", bias, shape[1], weight)


def conv_transpose2d_backward(
    grad: Array,
    x: Array,
    weight: Array,
    *,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    output_padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> tuple[Array, Array, Array]:
    """Gradients (by x, by weight, by bias) of `conv_transpose2d` with the same options.

    >>> x, weight = np.array([[[[1.0, 2.0]]]]), np.array([[[[1.0, 10.0]]]])
    >>> conv_transpose2d_backward(np.ones((1, 1, 1, 4)), x, weight, stride=(1, 2))
    (array([[[[11., 11.]]]]), array([[[[3., 3.]]]]), array([4.]))
    """
    x, weight = _conv_operands("conv_transpose2d", x, weight, "C O/groups KH KW")
    sweep, shape = _transpose_sweep(x, weight, stride, padding, output_padding, dilation, groups)
    partner = f"input {x.shape} and weight {weight.shape}"
    grad = _expect("conv_transpose2d_backward", "gradient", grad, shape, partner)
    view = sweep.windows(grad)[:, :, : x.shape[2], : x.shape[3]]
    dweight = _correlate_weight_backward(x, view, weight.shape, groups)
    return _correlate(view, weight, groups), dweight, grad.sum(axis=(0, 2, 3))


def _transpose_sweep(
    x: Array,
    weight: Array,
    stride: IntOrPair,
    padding: IntOrPair,
    output_padding: IntOrPair,
    dilation: IntOrPair,
    groups: int,
) -> tuple[_Sweep, tuple[int, int, int, int]]:
    """The sweep of the convolution that is transposed, and the shape that it sweeps over."""
    n, channels, h, w = x.shape
    _check_groups("conv_transpose2d", len(weight), groups)
    if channels != len(weight):
        takes = f"takes {len(weight)} channels"
        raise ShapeError(f"conv_transpose2d: weight {weight.shape} {takes}, input {x.shape} has {channels}")
    kernel = pair(weight.shape[2:], "kernel_size", 1)
    step, gap = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
    extra, (crop_h, crop_w) = pair(output_padding, "output_padding"), pair(padding, "padding")
    if any(more >= max(options) for more, *options in zip(extra, step, gap, strict=True)):
        raise SpecError(f"output_padding {extra} must be smaller than stride {step} or dilation {gap}")
    spans = _spans(kernel, gap)
    out_h = (h - 1) * step[0] + spans[0] + extra[0] - 2 * crop_h
    out_w = (w - 1) * step[1] + spans[1] + extra[1] - 2 * crop_w
    shape = n, weight.shape[1] * groups, out_h, out_w
    if min(out_h, out_w) < 1:
        made = f"input {x.shape} and weight {weight.shape} with padding {(crop_h, crop_w)} make {shape}"
        raise ShapeError(f"conv_transpose2d: {made}: nothing is left")
    return _Sweep(kernel, step, gap, (crop_h, crop_h, crop_w, crop_w)), shape


# Pooling


def max_pool2d(
    x: Array,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> Array:
    """Largest value in every window of (N, C, H, W): (N, C, OH, OW).

    The stride is the kernel's size unless given; padding never wins. Raises ShapeError when no window
    fits, SpecError for padding above half a window. Source: PyTorch, `torch.nn.MaxPool2d`.

    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    x = _images("max_pool2d", x)
    sweep = _pool_sweep("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode, fill=-np.inf)
    largest: Array = _by_position(sweep.windows(x)).max(axis=0)
    return largest


def max_pool2d_backward(
    grad: Array,
    x: Array,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> Array:
    """Gradient by x of `max_pool2d` with the same options; of equal values in a window the first takes all.

    >>> max_pool2d_backward(np.array([[[[7.0]]]]), np.array([[[[1.0, 3.0], [3.0, 2.0]]]]), 2)[0, 0]
    array([[0., 7.],
           [0., 0.]])
    """
    x = _images("max_pool2d", x)
    sweep = _pool_sweep("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode, fill=-np.inf)
    candidates = _by_position(sweep.windows(x))
    grad = _expect("max_pool2d_backward", "gradient", grad, candidates.shape[1:], f"input {x.shape}")
    shares = _first_largest(candidates) * grad
    return sweep.backward(_by_position_backward(shares, sweep.kernel), x.shape)


def _first_largest(candidates: Array) -> npt.NDArray[np.bool_]:
    """Where the largest value along the first axis stands first: what `argmax` says, in a quarter of its time.

    Values that differ by rounding alone are equal here, as they are to spreadsheet programs: BLAS may give equal
    windows sums that differ in the last bit.
    """
    largest = candidates.max(axis=0)
    winners: npt.NDArray[np.bool_] = candidates >= largest - _ROUNDING * np.abs(largest)
    free = np.ones(winners.shape[1:], dtype=bool)
    for wins in winners:
        wins &= free
        free &= ~wins
    return winners


def min_pool2d(
    x: Array,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> Array:
    """Smallest value in every window: `-max_pool2d(-x)`, with its shapes, options and errors.

    >>> min_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 0.,  2.],
           [ 8., 10.]])
    """
    negative = np.negative(x)
    return -max_pool2d(negative, kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)


def min_pool2d_backward(
    grad: Array,
    x: Array,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
) -> Array:
    """Gradient by x of `min_pool2d` with the same options; of equal values in a window the first takes all.

    >>> min_pool2d_backward(np.array([[[[7.0]]]]), np.array([[[[4.0, 3.0], [3.0, 5.0]]]]), 2)[0, 0]
    array([[0., 7.],
           [0., 0.]])
    """
    negative = np.negative(x)
    return max_pool2d_backward(
        grad, negative, kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )


def avg_pool2d(
    x: Array,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Mean of every window of (N, C, H, W): (N, C, OH, OW).

    The stride is the kernel's size unless given. Without `count_include_pad` the padding's zeros do not
    count; what `ceil_mode` adds after them never does. Raises ShapeError when no window fits, SpecError for
    padding above half a window. Source: PyTorch, `torch.nn.AvgPool2d`.

    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    x = _images("avg_pool2d", x)
    sweep = _pool_sweep("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
    sums: Array = _by_position(sweep.windows(x)).sum(axis=0)
    return sums / _window_counts(sweep, x.shape, pair(padding), count_include_pad)


def avg_pool2d_backward(
    grad: Array,
    x: Array,
    kernel_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Gradient by x of `avg_pool2d` with the same options: an equal share for every element of a window.

    >>> avg_pool2d_backward(np.array([[[[8.0]]]]), np.zeros((1, 1, 2, 2)), 2)[0, 0]
    array([[2., 2.],
           [2., 2.]])
    """
    x = _images("avg_pool2d", x)
    sweep = _pool_sweep("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
    counts = _window_counts(sweep, x.shape, pair(padding), count_include_pad)
    out_shape = *x.shape[:2], *counts.shape[2:]
    grad = _expect("avg_pool2d_backward", "gradient", grad, out_shape, f"input {x.shape}")
    shares = np.broadcast_to((grad / counts)[..., None, None], (*out_shape, *sweep.kernel))
    return sweep.backward(shares, x.shape)


def _pool_sweep(
    operation: str,
    x: Array,
    kernel_size: IntOrPair,
    stride: IntOrPair | None,
    padding: IntOrPair,
    dilation: IntOrPair,
    ceil_mode: bool,
    fill: float = 0.0,
) -> _Sweep:
    """Check a pooling's options and resolve them; `ceil_mode` may need more padding at the end."""
    kernel, gap = pair(kernel_size, "kernel_size", 1), pair(dilation, "dilation", 1)
    step = kernel if stride is None else pair(stride, "stride", 1)
    spans = _spans(kernel, gap)
    top, left = pair(padding, "padding")
    if top > spans[0] // 2 or left > spans[1] // 2:
        raise SpecError(f"{operation}: padding {(top, left)} must be at most half of the window {spans}")
    plain = _Sweep(kernel, step, gap, (top, top, left, left), fill=fill)
    out_h, out_w = plain.output_shape(operation, x.shape, ceil_mode)
    bottom = max(top, (out_h - 1) * step[0] + spans[0] - x.shape[2] - top)
    right = max(left, (out_w - 1) * step[1] + spans[1] - x.shape[3] - left)
    return replace(plain, padding=(top, bottom, left, right))


def _window_counts(sweep: _Sweep, shape: tuple[int, ...], padding: tuple[int, int], count_include_pad: bool) -> Array:
    """How many elements each window's mean is taken over: (1, 1, OH, OW)."""
    rows, columns = padding if count_include_pad else (0, 0)
    top, bottom, left, right = sweep.padding
    counted = np.ones((1, 1, shape[2] + 2 * rows, shape[3] + 2 * columns))
    padded = pad2d(counted, (top - rows, bottom - rows, left - columns, right - columns))
    counts: Array = _by_position(windows(padded, sweep.kernel, sweep.stride)).sum(axis=0)
    return counts


def _by_position(view: Array) -> Array:
    """Windows as one map for each position in the kernel, (KH·KW, N, C, OH, OW): quick to reduce."""
    return view.transpose(4, 5, 0, 1, 2, 3).reshape(view.shape[4] * view.shape[5], *view.shape[:4])


def _by_position_backward(grad: Array, kernel: tuple[int, int]) -> Array:
    return grad.reshape(*kernel, *grad.shape[1:]).transpose(2, 3, 4, 5, 0, 1)


def adaptive_avg_pool2d(x: Array) -> Array:
    """Mean of every map: (N, C, H, W) → (N, C, 1, 1). Source: PyTorch, `torch.nn.AdaptiveAvgPool2d(1)`.

    >>> adaptive_avg_pool2d(np.arange(4.0).reshape(1, 1, 2, 2))
    array([[[[1.5]]]])
    """
    mean: Array = _images("adaptive_avg_pool2d", x).mean(axis=(2, 3), keepdims=True)
    return mean


def adaptive_avg_pool2d_backward(grad: Array, x: Array) -> Array:
    """Gradient by x of `adaptive_avg_pool2d`: an equal share for every element of a map.

    >>> adaptive_avg_pool2d_backward(np.array([[[[8.0]]]]), np.zeros((1, 1, 2, 2)))[0, 0]
    array([[2., 2.],
           [2., 2.]])
    """
    n, c, h, w = shape = _images("adaptive_avg_pool2d", x).shape
    grad = _expect("adaptive_avg_pool2d_backward", "gradient", grad, (n, c, 1, 1), f"input {shape}")
    return np.broadcast_to(grad / (h * w), shape).copy()


# Normalisation, activations, dropout


def batch_norm2d(
    x: Array, weight: Array, bias: Array, running_mean: Array, running_var: Array, *, eps: float = 1e-5
) -> Array:
    """Normalise each channel of (N, C, H, W) by its running statistics, as a network in evaluation mode does.

    The vectors are (C,): (x - running_mean) / sqrt(running_var + eps) · weight + bias. Raises ShapeError.
    Source: Ioffe and Szegedy, "Batch Normalization"; PyTorch, `torch.nn.BatchNorm2d` after `eval()`.

    >>> one = np.ones(1)
    >>> batch_norm2d(np.array([[[[3.0, 7.0]]]]), 2 * one, one, 3 * one, 4 * one, eps=0.0)
    array([[[[1., 5.]]]])
    """
    x = _images("batch_norm2d", x)
    scale, shift = _per_channel(x, weight=weight, bias=bias)
    mean, var = _per_channel(x, running_mean=running_mean, running_var=running_var)
    return (x - mean) / np.sqrt(var + eps) * scale + shift


def batch_norm2d_backward(
    grad: Array, x: Array, weight: Array, running_mean: Array, running_var: Array, *, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Gradients (by x, by weight, by bias) of `batch_norm2d`; the running statistics are constants.

    >>> x, one = np.array([[[[3.0, 7.0]]]]), np.ones(1)
    >>> batch_norm2d_backward(np.ones((1, 1, 1, 2)), x, 2 * one, 3 * one, 4 * one, eps=0.0)
    (array([[[[1., 1.]]]]), array([2.]), array([2.]))
    """
    x = _images("batch_norm2d", x)
    grad = _gradient_like("batch_norm2d_backward", grad, "input", x)
    scale, mean, var = _per_channel(x, weight=weight, running_mean=running_mean, running_var=running_var)
    deviation = np.sqrt(var + eps)
    dweight: Array = (grad * (x - mean) / deviation).sum(axis=(0, 2, 3))
    return grad * scale / deviation, dweight, grad.sum(axis=(0, 2, 3))


def _per_channel(x: Array, **vectors: Array) -> list[Array]:
    """A batch norm's vectors (C,) in the form that broadcasts over (N, C, H, W)."""
    shape, partner = (x.shape[1],), f"input {x.shape}"
    checked = (_expect("batch_norm2d", name, vector, shape, partner) for name, vector in vectors.items())
    return [vector[:, None, None] for vector in checked]


def relu(x: Array) -> Array:
    """Return x where it is positive, else 0; any shape. Source: PyTorch, `torch.nn.ReLU`.

    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return np.maximum(x, 0.0)


def relu_backward(grad: Array, x: Array) -> Array:
    """Gradient by x of `relu`; the slope at 0 is 0.

    >>> relu_backward(np.ones(3), np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 1.])
    """
    return _gradient_like("relu_backward", grad, "input", x) * np.greater(x, 0)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Return x where it is positive, else `negative_slope` · x; any shape.

    Source: PyTorch, `torch.nn.LeakyReLU`.

    >>> leaky_relu(np.array([-2.0, 3.0]), 0.5)
    array([-1.,  3.])
    """
    return np.where(np.greater(x, 0), x, np.multiply(x, negative_slope))


def leaky_relu_backward(grad: Array, x: Array, negative_slope: float = 0.01) -> Array:
    """Gradient by x of `leaky_relu`; the slope at 0 is `negative_slope`.

    >>> leaky_relu_backward(np.ones(3), np.array([-2.0, 0.0, 3.0]), 0.5)
    array([0.5, 0.5, 1. ])
    """
    slope = np.where(np.greater(x, 0), 1.0, negative_slope)
    return _gradient_like("leaky_relu_backward", grad, "input", x) * slope


def sigmoid(x: Array) -> Array:
    """Logistic function 1 / (1 + exp(-x)), without overflow; any shape. Source: PyTorch, `torch.nn.Sigmoid`.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    decay = np.exp(-np.abs(x))
    return np.where(np.greater_equal(x, 0), 1.0, decay) / (1.0 + decay)


def sigmoid_backward(grad: Array, y: Array) -> Array:
    """Gradient by x of `y = sigmoid(x)`.

    >>> sigmoid_backward(np.ones(1), np.array([0.5]))
    array([0.25])
    """
    return _gradient_like("sigmoid_backward", grad, "output", y) * y * (1.0 - y)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent; any shape. Source: PyTorch, `torch.nn.Tanh`.

    >>> tanh(np.array([-1000.0, 0.0, 1000.0]))
    array([-1.,  0.,  1.])
    """
    return np.tanh(x)


def tanh_backward(grad: Array, y: Array) -> Array:
    """Gradient by x of `y = tanh(x)`.

    >>> tanh_backward(np.ones(2), np.array([0.0, 0.5]))
    array([1.  , 0.75])
    """
    return _gradient_like("tanh_backward", grad, "output", y) * (1.0 - np.square(y))


def dropout(x: Array, mask: Array, p: float) -> Array:
    """Keep x where `mask` is 1, rescaled by 1 / (1 - p), and drop it where `mask` is 0.

    The mask has the shape of x or broadcasts to it, so that (N, C, 1, 1) drops whole maps; `p` in [0, 1) is
    the probability of a drop. Raises ShapeError and SpecError. Source: Srivastava et al., "Dropout";
    PyTorch, `torch.nn.Dropout` while training.

    >>> dropout(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 1.0]), 0.5)
    array([2., 0., 6.])
    """
    if not 0 <= p < 1:
        raise SpecError(f"dropout: p must be at least 0 and below 1, got {p}")
    try:
        return x * np.broadcast_to(mask, np.shape(x)) / (1.0 - p)
    except ValueError:
        raise ShapeError(f"dropout: mask {np.shape(mask)} does not fit input {np.shape(x)}") from None


def dropout_backward(grad: Array, mask: Array, p: float) -> Array:
    """Gradient by x of `dropout`: what was dropped learns nothing.

    >>> dropout_backward(np.ones(3), np.array([1.0, 0.0, 1.0]), 0.5)
    array([2., 0., 2.])
    """
    return dropout(grad, mask, p)


# Dense layer and softmax


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Features (N, in) times weight (out, in), plus bias (out,): (N, out). Raises ShapeError.

    Source: PyTorch, `torch.nn.Linear`.

    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([0.5, 0.0]))
    array([[11.5, 17. ]])
    """
    x, weight = _linear_operands("linear", x, weight)
    out = x @ weight.T
    if bias is None:
        return out
    return out + _expect("linear", "bias", bias, weight.shape[:1], f"weight {weight.shape}")


def linear_backward(grad: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Gradients (by x, by weight, by bias) of `linear`.

    >>> linear_backward(np.array([[1.0]]), np.array([[2.0, 3.0]]), np.array([[5.0, 7.0]]))
    (array([[5., 7.]]), array([[2., 3.]]), array([1.]))
    """
    x, weight = _linear_operands("linear_backward", x, weight)
    partner = f"input {x.shape} and weight {weight.shape}"
    grad = _expect("linear_backward", "gradient", grad, (len(x), len(weight)), partner)
    return grad @ weight, grad.T @ x, grad.sum(axis=0)


def _linear_operands(operation: str, x: Array, weight: Array) -> tuple[Array, Array]:
    x, weight = _floats(operation, "input", x, "N in"), _floats(operation, "weight", weight, "out in")
    if x.shape[1] != weight.shape[1]:
        raise ShapeError(f"{operation}: input {x.shape} and weight {weight.shape} differ in their last size")
    return x, weight


def softmax(x: Array) -> Array:
    """Exponentials, divided so that they sum to 1 along the last axis, without overflow.

    For features (N, C) that is the channel axis. Source: PyTorch, `torch.nn.Softmax(-1)`.

    >>> softmax(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    powers: Array = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / _sum(powers)


def softmax_backward(grad: Array, y: Array) -> Array:
    """Gradient by x of `y = softmax(x)`.

    >>> softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    array([[ 0.25, -0.25]])
    """
    grad = _gradient_like("softmax_backward", grad, "output", y)
    return y * (grad - _sum(grad * y))


def log_softmax(x: Array) -> Array:
    """Natural logarithm of `softmax(x)`, exact where the softmax itself rounds to 0.

    Source: PyTorch, `torch.nn.LogSoftmax(-1)`.

    >>> log_softmax(np.array([[0.0, 1000.0]]))
    array([[-1000.,     0.]])
    """
    shifted: Array = x - np.max(x, axis=-1, keepdims=True)
    return shifted - np.log(_sum(np.exp(shifted)))


def log_softmax_backward(grad: Array, y: Array) -> Array:
    """Gradient by x of `y = log_softmax(x)`.

    >>> log_softmax_backward(np.array([[1.0, 0.0]]), np.log([[0.5, 0.5]]))
    array([[ 0.5, -0.5]])
    """
    grad = _gradient_like("log_softmax_backward", grad, "output", y)
    return grad - np.exp(y) * _sum(grad)


def _sum(values: Array) -> Array:
    """Sum along the last axis, which stays, with length 1."""
    total: Array = values.sum(axis=-1, keepdims=True)
    return total


# Checking gradients


def numerical_gradient(f: Callable[[Array], float], x: Array, h: float = 1e-5) -> Array:
    """Gradient of the number f(x) by x: for each element the central difference (f(x + h) - f(x - h)) / 2h.

    `x` is changed in place, one element at a time, and restored; so it must be float64, else DataError.
    Source: CS231n, "Neural Networks Part 3: gradient checks".

    >>> numerical_gradient(lambda x: float(np.sum(x**2)), np.array([1.0, -3.0])).round(6)
    array([ 2., -6.])
    """
    if x.dtype != np.float64:
        raise DataError(f"numerical_gradient: x must be float64, got {x.dtype}")
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + h
        above = f(x)
        x[index] = kept - h
        below = f(x)
        x[index] = kept
        gradient[index] = (above - below) / (2 * h)
    return gradient


def relative_error(a: Array, b: Array) -> float:
    """Largest |a - b| / max(1e-8, |a| + |b|). Raises ShapeError when the shapes differ.

    Source: CS231n, "Neural Networks Part 3: gradient checks".

    >>> relative_error(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    0.5
    """
    a = _expect("relative_error", "a", a, np.shape(b), f"b {np.shape(b)}")
    return float(np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b))))
