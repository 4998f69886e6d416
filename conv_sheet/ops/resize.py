"""Making maps larger or smaller: each row and each column of the output from some of the input's."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from conv_sheet.errors import ShapeError
from conv_sheet.ops.arrays import Array, expect, images


def resize2d(x: Array, rows: Array, columns: Array) -> Array:
    """Mix the rows of images (N, C, H, W) by a matrix (OH, H), and their columns by a matrix (OW, W): (N, C, OH, OW).

    >>> resize2d(np.array([[[[1.0, 3.0]]]]), np.ones((2, 1)), np.array([[0.5, 0.5]]))
    array([[[[2.],
             [2.]]]])
    """
    x = images("resize2d", x)
    if x.shape[2:] != (rows.shape[1], columns.shape[1]):
        raise ShapeError(f"resize2d: matrices {rows.shape} and {columns.shape} do not fit input {x.shape}")
    mixed: Array = rows @ x @ columns.T
    return mixed


def resize2d_backward(grad: Array, rows: Array, columns: Array) -> Array:
    """Gradient by x of `resize2d`.

    >>> resize2d_backward(np.array([[[[2.0], [2.0]]]]), np.ones((2, 1)), np.array([[0.5, 0.5]]))
    array([[[[2., 2.]]]])
    """
    shape = (*grad.shape[:2], len(rows), len(columns))
    grad = expect("resize2d_backward", "gradient", grad, shape, rows=rows.shape, columns=columns.shape)
    return resize2d(grad, rows.T, columns.T)


def nearest(size: int, outputs: int, factor: float | None = None) -> list[int]:
    """For each row of the output the row of the input that it repeats; `factor` is how much larger it was asked to be.

    Source: PyTorch, `torch.nn.Upsample`, which calculates in single precision, and takes no notice of the factor where
    the output is as large as the input, or twice as large.

    >>> nearest(2, 5), nearest(3, 4, factor=1.5), nearest(2, 2, factor=1.25)
    ([0, 0, 0, 1, 1], [0, 0, 1, 2], [0, 1])
    """
    if outputs in (size, 2 * size):
        return [out * size // outputs for out in range(outputs)]
    step = Fraction(size, outputs) if factor is None else 1 / Fraction(factor)
    if step.numerator == 1:
        return [min(out // step.denominator, size - 1) for out in range(outputs)]
    scale = np.float32(size / outputs if factor is None else 1 / factor)
    return [min(math.floor(np.float32(out) * scale), size - 1) for out in range(outputs)]


def between(
    size: int, outputs: int, factor: float | None = None, align_corners: bool = False
) -> list[tuple[int, int, float]]:
    """For each row of the output the two rows of the input between which it lies, and how much of the second it has.

    With `align_corners` the outer rows of both are in line, else their outer edges. Source: PyTorch,
    `torch.nn.Upsample(mode="bilinear")`.

    >>> between(2, 3, align_corners=True), between(2, 4)
    ([(0, 1, 0.0), (0, 1, 0.5), (1, 1, 0.0)], [(0, 1, 0.0), (0, 1, 0.25), (0, 1, 0.75), (1, 1, 0.25)])
    """
    if align_corners:
        step = (size - 1) / (outputs - 1) if outputs > 1 else 0.0
        places = [out * step for out in range(outputs)]
    else:
        step = size / outputs if factor is None else 1 / factor
        places = [max(0.0, step * (out + 0.5) - 0.5) for out in range(outputs)]
    firsts = [min(int(place), size - 1) for place in places]
    return [
        (first, min(first + 1, size - 1), min(max(place - first, 0.0), 1.0))
        for first, place in zip(firsts, places, strict=True)
    ]


def shares(size: int, outputs: int) -> list[tuple[int, int]]:
    """For each window of an adaptive pool its first row of the input, and the first one behind it.

    Source: PyTorch, `torch.nn.AdaptiveAvgPool2d`.

    >>> shares(5, 3), shares(6, 3)
    ([(0, 2), (1, 4), (3, 5)], [(0, 2), (2, 4), (4, 6)])
    """
    return [(out * size // outputs, -(-(out + 1) * size // outputs)) for out in range(outputs)]


def averages(size: int, outputs: int) -> Array:
    """The matrix (outputs, size) that takes the mean of each of the `shares`.

    >>> averages(3, 2)
    array([[0.5, 0.5, 0. ],
           [0. , 0.5, 0.5]])
    """
    matrix = np.zeros((outputs, size))
    for out, (first, end) in enumerate(shares(size, outputs)):
        matrix[out, first:end] = 1 / (end - first)
    return matrix


def adaptive_avg_pool2d(x: Array, output_size: tuple[int, int] = (1, 1)) -> Array:
    """Mean of windows that share every map (N, C, H, W): (N, C, OH, OW).

    Source: PyTorch, `torch.nn.AdaptiveAvgPool2d`.

    >>> adaptive_avg_pool2d(np.arange(4.0).reshape(1, 1, 2, 2))
    array([[[[1.5]]]])
    """
    x = images("adaptive_avg_pool2d", x)
    if output_size == (1, 1):
        mean: Array = x.mean(axis=(2, 3), keepdims=True)
        return mean
    return resize2d(x, *(averages(*axis) for axis in zip(x.shape[2:], output_size, strict=True)))


def adaptive_avg_pool2d_backward(grad: Array, x: Array) -> Array:
    """Gradient by x of `adaptive_avg_pool2d`: an equal share for every element of a window.

    >>> adaptive_avg_pool2d_backward(np.array([[[[8.0]]]]), np.zeros((1, 1, 2, 2)))[0, 0]
    array([[2., 2.],
           [2., 2.]])
    """
    x = images("adaptive_avg_pool2d", x)
    shape = (*x.shape[:2], *np.shape(grad)[2:])
    grad = expect("adaptive_avg_pool2d_backward", "gradient", grad, shape, input=x.shape)
    return resize2d_backward(grad, *(averages(*axis) for axis in zip(x.shape[2:], grad.shape[2:], strict=True)))


def adaptive_max_pool2d(x: Array, output_size: tuple[int, int]) -> Array:
    """Largest value of windows that share every map (N, C, H, W): (N, C, OH, OW).

    Source: PyTorch, `torch.nn.AdaptiveMaxPool2d`.

    >>> adaptive_max_pool2d(np.arange(6.0).reshape(1, 1, 2, 3), (1, 2))
    array([[[[4., 5.]]]])
    """
    x = images("adaptive_max_pool2d", x)
    rows, columns = (shares(*axis) for axis in zip(x.shape[2:], output_size, strict=True))
    made = [[x[:, :, slice(*row), slice(*column)].max(axis=(2, 3)) for column in columns] for row in rows]
    return np.moveaxis(np.array(made), (0, 1), (2, 3))


def adaptive_max_pool2d_backward(grad: Array, x: Array) -> Array:
    """Gradient by x of `adaptive_max_pool2d`; of equal values in a window the first takes all.

    >>> adaptive_max_pool2d_backward(np.array([[[[7.0]]]]), np.array([[[[1.0, 3.0, 3.0]]]]))
    array([[[[0., 7., 0.]]]])
    """
    x = images("adaptive_max_pool2d", x)
    dx = np.zeros_like(x)
    batch, maps = np.ogrid[: x.shape[0], : x.shape[1]]
    rows, columns = (shares(*axis) for axis in zip(x.shape[2:], grad.shape[2:], strict=True))
    for out, (top, bottom) in enumerate(rows):
        for to, (left, right) in enumerate(columns):
            best = x[:, :, top:bottom, left:right].reshape(*x.shape[:2], -1).argmax(axis=2)
            y, across = np.divmod(best, right - left)
            dx[batch, maps, top + y, left + across] += grad[:, :, out, to]
    return dx


def pixel_shuffle(x: Array, factor: int) -> Array:
    """Maps laid out as blocks of `factor` × `factor` pixels: (N, C · factor², H, W) → (N, C, H · factor, W · factor).

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution"; PyTorch, `torch.nn.PixelShuffle`.

    >>> pixel_shuffle(np.arange(4.0).reshape(1, 4, 1, 1), 2)
    array([[[[0., 1.],
             [2., 3.]]]])
    """
    n, c, h, w = images("pixel_shuffle", x).shape
    parts = np.reshape(x, (n, c // factor**2, factor, factor, h, w))
    return parts.transpose(0, 1, 4, 2, 5, 3).reshape(n, c // factor**2, h * factor, w * factor)


def pixel_shuffle_backward(grad: Array, factor: int) -> Array:
    """Gradient by x of `pixel_shuffle`: the blocks as maps again.

    >>> pixel_shuffle_backward(np.arange(4.0).reshape(1, 1, 2, 2), 2).ravel()
    array([0., 1., 2., 3.])
    """
    n, c, h, w = images("pixel_shuffle_backward", grad).shape
    parts = np.reshape(grad, (n, c, h // factor, factor, w // factor, factor))
    return parts.transpose(0, 1, 3, 5, 2, 4).reshape(n, c * factor**2, h // factor, w // factor)


def surround(x: Array, sources: Sequence[NDArray[np.intp]], value: float = 0.0) -> Array:
    """Images (N, C, H, W) with more maps, rows and columns: `sources` says which one each repeats, below 0 none.

    What repeats none is `value`.

    >>> surround(np.array([[[[1.0, 2.0]]]]), (np.array([0]), np.array([0]), np.array([-1, 0, 1, 1])))
    array([[[[0., 1., 2., 2.]]]])
    """
    maps, rows, columns = sources
    made: Array = images("surround", x)[:, maps[:, None, None], rows[:, None], columns]
    outside = (maps < 0)[:, None, None] | (rows < 0)[:, None] | (columns < 0)
    return np.where(outside, value, made)


def surround_backward(grad: Array, x: Array, sources: Sequence[NDArray[np.intp]]) -> Array:
    """Gradient by x of `surround`: everything hands its gradient back to what it repeats.

    >>> sources = np.array([0]), np.array([0]), np.array([-1, 0, 1, 1])
    >>> surround_backward(np.ones((1, 1, 1, 4)), np.zeros((1, 1, 1, 2)), sources)
    array([[[[1., 2.]]]])
    """
    dx, batch = np.zeros(np.shape(x)), np.arange(len(x))[:, None, None, None]
    maps, rows, columns = (np.flatnonzero(source >= 0) for source in sources)
    kept = grad[:, maps[:, None, None], rows[:, None], columns]
    there = sources[0][maps][:, None, None], sources[1][rows][:, None], sources[2][columns]
    np.add.at(dx, (batch, *there), kept)
    return dx
