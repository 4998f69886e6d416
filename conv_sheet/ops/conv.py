"""Convolution and its transpose."""

import numpy as np  # noqa: F401 - for the examples

from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.ops.arrays import Array, expect, floats, images
from conv_sheet.ops.options import IntOrPair, sizes
from conv_sheet.ops.windows import Sweep, extents, padding_of


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
    grad: Array, x: Array, weight: Array, sweep: Sweep, groups: int
) -> tuple[Array, Array, Array]:
    """The gradient, checked, and those by weight and by bias."""
    view = sweep.windows(x)
    shape, partner = (len(x), len(weight), *view.shape[2:4]), f"input {x.shape} and weight {weight.shape}"
    grad = expect("conv2d_backward", "gradient", grad, shape, partner)
    return grad, _correlate_weight_backward(grad, view, weight.shape, groups), grad.sum(axis=(0, 2, 3))


def _conv_operands(operation: str, x: Array, weight: Array, axes: str) -> tuple[Array, Array]:
    return images(operation, x), floats(operation, "weight", weight, axes)


def _conv_sweep(
    x: Array,
    weight: Array,
    stride: IntOrPair,
    padding: IntOrPair | str,
    dilation: IntOrPair,
    groups: int,
    padding_mode: str,
) -> Sweep:
    """Check a convolution's shapes and options, and resolve them."""
    _check_groups("conv2d", len(weight), groups)
    if x.shape[1] != weight.shape[1] * groups:
        takes = f"takes {weight.shape[1] * groups} channels with groups={groups}"
        raise ShapeError(f"conv2d: weight {weight.shape} {takes}, input {x.shape} has {x.shape[1]}")
    kernel = sizes("kernel_size", weight.shape[2:])
    step, gap = sizes("stride", stride), sizes("dilation", dilation)
    sweep = Sweep(kernel, step, gap, padding_of(padding, kernel, gap, step), padding_mode)
    sweep.output_shape("conv2d", x.shape)
    return sweep


def _check_groups(operation: str, kernels: int, groups: int) -> None:
    if groups < 1 or kernels % groups:
        raise SpecError(f"{operation}: groups must divide the {kernels} kernels of the weight, got {groups}")


def _bias(operation: str, bias: Array, channels: int, weight: Array) -> Array:
    """A bias (O,) in the form that adds to (N, O, H, W)."""
    return expect(operation, "bias", bias, (channels,), f"weight {weight.shape}")[:, None, None]


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
    grad = expect("conv_transpose2d_backward", "gradient", grad, shape, partner)
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
) -> tuple[Sweep, tuple[int, int, int, int]]:
    """The sweep of the convolution that is transposed, and the shape that it sweeps over."""
    n, channels, h, w = x.shape
    _check_groups("conv_transpose2d", len(weight), groups)
    if channels != len(weight):
        takes = f"takes {len(weight)} channels"
        raise ShapeError(f"conv_transpose2d: weight {weight.shape} {takes}, input {x.shape} has {channels}")
    kernel = sizes("kernel_size", weight.shape[2:])
    step, gap = sizes("stride", stride), sizes("dilation", dilation)
    extra, (crop_h, crop_w) = sizes("output_padding", output_padding, least=0), sizes("padding", padding, least=0)
    if any(more >= max(options) for more, *options in zip(extra, step, gap, strict=True)):
        raise SpecError(f"output_padding {extra} must be smaller than stride {step} or dilation {gap}")
    spans = extents(kernel, gap)
    out_h = (h - 1) * step[0] + spans[0] + extra[0] - 2 * crop_h
    out_w = (w - 1) * step[1] + spans[1] + extra[1] - 2 * crop_w
    shape = n, weight.shape[1] * groups, out_h, out_w
    if min(out_h, out_w) < 1:
        made = f"input {x.shape} and weight {weight.shape} with padding {(crop_h, crop_w)} make {shape}"
        raise ShapeError(f"conv_transpose2d: {made}: nothing is left")
    return Sweep(kernel, step, gap, (crop_h, crop_h, crop_w, crop_w)), shape
