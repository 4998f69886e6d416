"""Convolution and its transpose."""

from functools import lru_cache
from math import prod

import numpy as np

from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.ops.arrays import Array, expect, floats, images
from conv_sheet.ops.options import IntOrPair, hashable, sizes
from conv_sheet.ops.plan import plans
from conv_sheet.ops.windows import Sweep, add_windows, extents, pad2d_backward, padding_of


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
    sweep, places = _conv_sweep(x.shape, weight.shape, *hashable(stride, padding, dilation), groups, padding_mode)
    start = 0.0 if bias is None else _bias("conv2d", bias, len(weight), weight)
    return _correlate(x, weight, sweep, places, groups, start)


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
    sweep, places = _conv_sweep(x.shape, weight.shape, *hashable(stride, padding, dilation), groups, padding_mode)
    grad = _conv_gradient(grad, x, weight, places)
    dx = _correlate_backward(grad, weight, x.shape, sweep, groups)
    return dx, _correlate_weight_backward(grad, x, weight.shape, sweep, groups), grad.sum(axis=(0, 2, 3))


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
    sweep, places = _conv_sweep(x.shape, weight.shape, *hashable(stride, padding, dilation), groups, padding_mode)
    grad = _conv_gradient(grad, x, weight, places)
    return _correlate_weight_backward(grad, x, weight.shape, sweep, groups), grad.sum(axis=(0, 2, 3))


def _conv_gradient(grad: Array, x: Array, weight: Array, places: tuple[int, int]) -> Array:
    shape = len(x), len(weight), *places
    return expect("conv2d_backward", "gradient", grad, shape, input=x.shape, weight=weight.shape)


def _conv_operands(operation: str, x: Array, weight: Array, axes: str) -> tuple[Array, Array]:
    return images(operation, x), floats(operation, "weight", weight, axes)


@lru_cache(maxsize=64, typed=True)
def _conv_sweep(
    x: tuple[int, ...],
    weight: tuple[int, ...],
    stride: IntOrPair,
    padding: IntOrPair | str,
    dilation: IntOrPair,
    groups: int,
    padding_mode: str,
) -> tuple[Sweep, tuple[int, int]]:
    """Check a convolution's shapes and options, and resolve them: the sweep, and its places (OH, OW)."""
    _check_groups("conv2d", weight[0], groups)
    if x[1] != weight[1] * groups:
        takes = f"takes {weight[1] * groups} channels with groups={groups}"
        raise ShapeError(f"conv2d: weight {weight} {takes}, input {x} has {x[1]}")
    kernel = sizes("kernel_size", weight[2:])
    step, gap = sizes("stride", stride), sizes("dilation", dilation)
    sweep = Sweep(kernel, step, gap, padding_of(padding, kernel, gap, step), padding_mode)
    return sweep, sweep.output_shape("conv2d", x)


def _check_groups(operation: str, kernels: int, groups: int) -> None:
    if groups < 1 or kernels % groups:
        raise SpecError(f"{operation}: groups must divide the {kernels} kernels of the weight, got {groups}")


def _bias(operation: str, bias: Array, channels: int, weight: Array) -> Array:
    """A bias (O,) in the form that adds to (N, O, H, W)."""
    return expect(operation, "bias", bias, (channels,), weight=weight.shape)[:, None, None]


def _correlate(
    x: Array, weight: Array, sweep: Sweep, places: tuple[int, int], groups: int, bias: Array | float = 0.0
) -> Array:
    """Windows of images (N, C, H, W) times kernels (O, C/groups, KH, KW), plus bias (O, 1, 1): (N, O, OH, OW)."""
    kernels = _matrices(weight, groups)
    out = np.empty((len(x), len(weight), *places))
    for part, plan in plans(sweep, x.shape, (len(weight), *places), groups):
        for strip in plan.filled(x[part]):
            np.matmul(kernels, strip.matrix, out=strip.products)
            np.add(strip.maps, bias, out=out[part, :, strip.rows])
    return out


def _correlate_backward(grad: Array, weight: Array, shape: tuple[int, ...], sweep: Sweep, groups: int) -> Array:
    """Derivative of `_correlate` by images of `shape`: gradients times kernels, laid where the windows were."""
    kernels = _matrices(weight, groups)
    dx = np.empty(shape)
    for part, plan in plans(sweep, shape, grad.shape[1:], groups):
        dpadded = np.zeros_like(plan.padded)
        for strip in plan.strips:
            np.copyto(strip.maps, grad[part, :, strip.rows])
            np.matmul(kernels.swapaxes(1, 2), strip.products, out=strip.matrix)
            below = dpadded[:, :, strip.rows.start * sweep.stride[0] :]
            add_windows(below, strip.columns.transpose(5, 0, 3, 4, 1, 2), sweep.stride, sweep.dilation)
        dx[part] = pad2d_backward(dpadded, sweep.padding, sweep.mode)
    return dx


def _correlate_weight_backward(grad: Array, x: Array, shape: tuple[int, ...], sweep: Sweep, groups: int) -> Array:
    """Derivative of `_correlate` by kernels of `shape`: each output's gradient times its window, summed."""
    dkernels = np.zeros((groups, shape[0] // groups, prod(shape[1:])))
    for part, plan in plans(sweep, x.shape, grad.shape[1:], groups):
        for strip in plan.filled(x[part]):
            np.copyto(strip.maps, grad[part, :, strip.rows])
            dkernels += strip.products @ strip.matrix.swapaxes(1, 2)
    return dkernels.reshape(shape)


def _matrices(weight: Array, groups: int) -> Array:
    """Kernels, one a row: (groups, O/groups, C/groups·KH·KW)."""
    return weight.reshape(groups, len(weight) // groups, -1)


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
    options = hashable(stride, padding, output_padding, dilation)
    sweep, shape = _transpose_sweep(x.shape, weight.shape, *options, groups)
    out = _correlate_backward(x, weight, shape, sweep, groups)
    return out if bias is None else np.add(out, _bias("conv_transpose2d", bias, shape[1], weight), out=out)


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
    options = hashable(stride, padding, output_padding, dilation)
    sweep, shape = _transpose_sweep(x.shape, weight.shape, *options, groups)
    grad = expect("conv_transpose2d_backward", "gradient", grad, shape, input=x.shape, weight=weight.shape)
    dx = _correlate(grad, weight, sweep, x.shape[2:], groups)
    return dx, _correlate_weight_backward(x, grad, weight.shape, sweep, groups), grad.sum(axis=(0, 2, 3))


@lru_cache(maxsize=64, typed=True)
def _transpose_sweep(
    x: tuple[int, ...],
    weight: tuple[int, ...],
    stride: IntOrPair,
    padding: IntOrPair,
    output_padding: IntOrPair,
    dilation: IntOrPair,
    groups: int,
) -> tuple[Sweep, tuple[int, int, int, int]]:
    """The sweep of the convolution that is transposed, and the shape that it sweeps over."""
    n, channels, h, w = x
    _check_groups("conv_transpose2d", weight[0], groups)
    if channels != weight[0]:
        takes = f"takes {weight[0]} channels"
        raise ShapeError(f"conv_transpose2d: weight {weight} {takes}, input {x} has {channels}")
    kernel = sizes("kernel_size", weight[2:])
    step, gap = sizes("stride", stride), sizes("dilation", dilation)
    extra, (crop_h, crop_w) = sizes("output_padding", output_padding, least=0), sizes("padding", padding, least=0)
    if any(more >= max(options) for more, *options in zip(extra, step, gap, strict=True)):
        raise SpecError(f"output_padding {extra} must be smaller than stride {step} or dilation {gap}")
    spans = extents(kernel, gap)
    out_h = (h - 1) * step[0] + spans[0] + extra[0] - 2 * crop_h
    out_w = (w - 1) * step[1] + spans[1] + extra[1] - 2 * crop_w
    shape = n, weight[1] * groups, out_h, out_w
    if min(out_h, out_w) < 1:
        made = f"input {x} and weight {weight} with padding {(crop_h, crop_w)} make {shape}"
        raise ShapeError(f"conv_transpose2d: {made}: nothing is left")
    return Sweep(kernel, step, gap, (crop_h, crop_h, crop_w, crop_w)), shape
