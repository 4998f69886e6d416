"""Pooling: one value for each window."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from conv_sheet.errors import SpecError
from conv_sheet.ops.arrays import Array, expect, images
from conv_sheet.ops.options import IntOrPair, sizes
from conv_sheet.ops.windows import Sweep, extents, pad2d, windows

_ROUNDING = 2.0**-44
"""Difference, relative to the values, that sums of the same products in another order do not reach."""


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
    x = images("max_pool2d", x)
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
    x = images("max_pool2d", x)
    sweep = _pool_sweep("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode, fill=-np.inf)
    candidates = _by_position(sweep.windows(x))
    grad = expect("max_pool2d_backward", "gradient", grad, candidates.shape[1:], f"input {x.shape}")
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
    x = images("avg_pool2d", x)
    sweep = _pool_sweep("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
    sums: Array = _by_position(sweep.windows(x)).sum(axis=0)
    return sums / _window_counts(sweep, x.shape, sizes("padding", padding, least=0), count_include_pad)


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
    x = images("avg_pool2d", x)
    sweep = _pool_sweep("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
    counts = _window_counts(sweep, x.shape, sizes("padding", padding, least=0), count_include_pad)
    out_shape = *x.shape[:2], *counts.shape[2:]
    grad = expect("avg_pool2d_backward", "gradient", grad, out_shape, f"input {x.shape}")
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
) -> Sweep:
    """Check a pooling's options and resolve them; `ceil_mode` may need more padding at the end."""
    kernel, gap = sizes("kernel_size", kernel_size), sizes("dilation", dilation)
    step = kernel if stride is None else sizes("stride", stride)
    spans = extents(kernel, gap)
    top, left = sizes("padding", padding, least=0)
    if top > spans[0] // 2 or left > spans[1] // 2:
        raise SpecError(f"{operation}: padding {(top, left)} must be at most half of the window {spans}")
    plain = Sweep(kernel, step, gap, (top, top, left, left), fill=fill)
    out_h, out_w = plain.output_shape(operation, x.shape, ceil_mode)
    bottom = max(top, (out_h - 1) * step[0] + spans[0] - x.shape[2] - top)
    right = max(left, (out_w - 1) * step[1] + spans[1] - x.shape[3] - left)
    return replace(plain, padding=(top, bottom, left, right))


def _window_counts(sweep: Sweep, shape: tuple[int, ...], padding: tuple[int, int], count_include_pad: bool) -> Array:
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
    mean: Array = images("adaptive_avg_pool2d", x).mean(axis=(2, 3), keepdims=True)
    return mean


def adaptive_avg_pool2d_backward(grad: Array, x: Array) -> Array:
    """Gradient by x of `adaptive_avg_pool2d`: an equal share for every element of a map.

    >>> adaptive_avg_pool2d_backward(np.array([[[[8.0]]]]), np.zeros((1, 1, 2, 2)))[0, 0]
    array([[2., 2.],
           [2., 2.]])
    """
    n, c, h, w = shape = images("adaptive_avg_pool2d", x).shape
    grad = expect("adaptive_avg_pool2d_backward", "gradient", grad, (n, c, 1, 1), f"input {shape}")
    return np.broadcast_to(grad / (h * w), shape).copy()
