"""Pooling: one value for each window."""

from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np

from conv_sheet.errors import SpecError
from conv_sheet.ops.arrays import Array, expect, images
from conv_sheet.ops.options import IntOrPair, hashable, sizes
from conv_sheet.ops.windows import Sides, Sweep, extents, pad2d, pad2d_backward, padding_of

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
    options = hashable(kernel_size, stride, padding, dilation)
    sweep, places = _pool_sweep("max_pool2d", x.shape, *options, ceil_mode, fill=-np.inf)
    return _combined(np.maximum, sweep.padded(x), sweep, places)


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
    options = hashable(kernel_size, stride, padding, dilation)
    sweep, places = _pool_sweep("max_pool2d", x.shape, *options, ceil_mode, fill=-np.inf)
    padded = sweep.padded(x)
    largest = _combined(np.maximum, padded, sweep, places)
    grad = expect("max_pool2d_backward", "gradient", grad, largest.shape, input=x.shape)
    least, free = largest - _ROUNDING * np.abs(largest), np.ones(largest.shape, dtype=bool)
    dpadded = np.zeros_like(padded)
    for rows, columns in product(*sweep.taps(places)):
        wins = (padded[:, :, rows, columns] >= least) & free
        free ^= wins
        dpadded[:, :, rows, columns] += grad * wins
    return pad2d_backward(dpadded, sweep.padding)


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
    sweep, places = _pool_sweep("avg_pool2d", x.shape, *hashable(kernel_size, stride, padding), 1, ceil_mode)
    sums = _combined(np.add, sweep.padded(x), sweep, places)
    return sums / _window_counts(sweep, places, x.shape, padding_of(padding, kernel_size), count_include_pad)


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
    sweep, places = _pool_sweep("avg_pool2d", x.shape, *hashable(kernel_size, stride, padding), 1, ceil_mode)
    counts = _window_counts(sweep, places, x.shape, padding_of(padding, kernel_size), count_include_pad)
    shares = expect("avg_pool2d_backward", "gradient", grad, (*x.shape[:2], *places), input=x.shape) / counts
    dpadded = np.zeros_like(sweep.padded(x))
    for rows, columns in product(*sweep.taps(places)):
        dpadded[:, :, rows, columns] += shares
    return pad2d_backward(dpadded, sweep.padding)


@lru_cache(maxsize=64, typed=True)
def _pool_sweep(
    operation: str,
    shape: tuple[int, ...],
    kernel_size: IntOrPair,
    stride: IntOrPair | None,
    padding: IntOrPair,
    dilation: IntOrPair,
    ceil_mode: bool,
    fill: float = 0.0,
) -> tuple[Sweep, tuple[int, int]]:
    """Check a pooling's options and resolve them; `ceil_mode` may need more padding at the end."""
    kernel, gap = sizes("kernel_size", kernel_size), sizes("dilation", dilation)
    step = kernel if stride is None else sizes("stride", stride)
    spans = extents(kernel, gap)
    top, bottom, left, right = padding_of(padding, kernel)
    if max(top, bottom) > spans[0] // 2 or max(left, right) > spans[1] // 2:
        raise SpecError(f"{operation}: padding {(top, left)} must be at most half of the window {spans}")
    plain = Sweep(kernel, step, gap, (top, bottom, left, right), fill=fill)
    out_h, out_w = plain.output_shape(operation, shape, ceil_mode)
    bottom = max(bottom, (out_h - 1) * step[0] + spans[0] - shape[2] - top)
    right = max(right, (out_w - 1) * step[1] + spans[1] - shape[3] - left)
    return replace(plain, padding=(top, bottom, left, right)), (out_h, out_w)


def _window_counts(
    sweep: Sweep, places: tuple[int, int], shape: tuple[int, ...], padding: Sides, count_include_pad: bool
) -> Array:
    """How many elements each window's mean is taken over: (1, 1, OH, OW)."""
    own = padding if count_include_pad else (0, 0, 0, 0)
    counted = np.ones((1, 1, shape[2] + own[0] + own[1], shape[3] + own[2] + own[3]))
    top, bottom, left, right = (all_ - counts for all_, counts in zip(sweep.padding, own, strict=True))
    padded = pad2d(counted, (top, bottom, left, right))
    return _combined(np.add, padded, sweep, places)


def _combined(combine: np.ufunc, padded: Array, sweep: Sweep, places: tuple[int, int]) -> Array:
    """The values of each window combined by a function of two, such as the larger one: first rows, then columns."""
    rows, columns = sweep.taps(places)
    by_rows = _folded(combine, [padded[:, :, row] for row in rows])
    return _folded(combine, [by_rows[..., column] for column in columns])


def _folded(combine: np.ufunc, parts: list[Array]) -> Array:
    if len(parts) == 1:
        return parts[0].copy()
    total: Array = combine(parts[0], parts[1])
    for part in parts[2:]:
        combine(total, part, out=total)
    return total
