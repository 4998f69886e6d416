"""Padding and sliding windows: what a kernel covers, as a view of the image, and how many places it has."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.ops.arrays import Array, floats, images, unbuffered
from conv_sheet.ops.options import IntOrPair, sizes

Sides: TypeAlias = tuple[int, int, int, int]
"""Rows and columns around an image: (top, bottom, left, right)."""

COPY_MODES: dict[str, Literal["reflect", "edge", "wrap"]] = {
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}
"""Padding modes that copy values of the image, and what `numpy.pad` calls them."""
PADDING_MODES = ("zeros", *COPY_MODES)
"""The padding modes of `torch.nn.Conv2d`."""


def padding_of(
    padding: IntOrPair | str, kernel_size: IntOrPair, dilation: IntOrPair = 1, stride: IntOrPair = 1
) -> Sides:
    """Return the rows and columns that `padding` adds, as (top, bottom, left, right).

    'valid' adds none. 'same' keeps the size of the image, puts an odd row or column at the end, and needs
    stride 1. Other words and strides raise SpecError. Source: PyTorch, `torch.nn.Conv2d`. Four numbers are (left,
    right, top, bottom), as `torch.nn.ZeroPad2d` has them.

    >>> padding_of("same", (4, 3))
    (1, 2, 1, 1)
    >>> padding_of((0, 2), 3)
    (0, 0, 2, 2)
    >>> padding_of((0, 1, 2, 3), 3)
    (2, 3, 0, 1)
    """
    if padding == "valid":
        return 0, 0, 0, 0
    if padding == "same":
        if sizes("stride", stride) != (1, 1):
            raise SpecError(f"padding 'same' needs stride 1, got {stride!r}: give the padding as a number")
        rows, columns = extents(sizes("kernel_size", kernel_size), sizes("dilation", dilation))
        return (rows - 1) // 2, rows // 2, (columns - 1) // 2, columns // 2
    if isinstance(padding, str):
        raise SpecError(f"padding must be 'same', 'valid', an integer or two integers, got {padding!r}")
    if isinstance(padding, tuple | list) and len(padding) == 4:
        (left, right), (top, bottom) = (sizes("padding", pair, least=0) for pair in (padding[:2], padding[2:]))
        return top, bottom, left, right
    rows, columns = sizes("padding", padding, least=0)
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


def extents(kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns from the first to the last element of a dilated kernel."""
    return dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1


def pad2d(x: Array, padding: Sides, mode: str = "zeros", value: float = 0.0) -> Array:
    """Surround images (N, C, H, W) by `padding` = (top, bottom, left, right) rows and columns.

    `mode` is a `padding_mode` of PyTorch: "zeros" (filled with `value`), "reflect", "replicate", "circular".
    Without padding the array itself comes back, no copy. Raises SpecError for other modes and negative
    padding, ShapeError for images too small to be reflected or repeated.
    Source: PyTorch, `torch.nn.functional.pad`.

    >>> pad2d(np.array([[[[1.0, 2.0, 3.0]]]]), (0, 0, 2, 1), "reflect")
    array([[[[3., 2., 1., 2., 3., 2.]]]])
    """
    x = images("pad2d", x)
    _check_padding(x.shape, padding, mode)
    top, bottom, left, right = padding
    if not any(padding):
        return x
    if mode == "zeros":
        n, c, h, w = x.shape
        padded = np.full((n, c, top + h + bottom, left + w + right), value)
        padded[:, :, top : top + h, left : left + w] = x
        return padded
    rows, columns = _sources(x.shape, padding, mode)
    return x[:, :, rows[:, None], columns]


def pad2d_backward(grad: Array, padding: Sides, mode: str = "zeros") -> Array:
    """Gradient by the image: every padded element hands its gradient back to the element that it copied.

    >>> pad2d_backward(np.array([[[[1.0, 1.0, 1.0, 1.0, 1.0]]]]), (0, 0, 2, 0), "replicate")
    array([[[[3., 1., 1.]]]])
    """
    grad = floats("pad2d_backward", "gradient", grad, "N C H W")
    top, bottom, left, right = padding
    n, c, padded_h, padded_w = grad.shape
    shape = n, c, padded_h - top - bottom, padded_w - left - right
    _check_padding(shape, padding, mode)
    if mode == "zeros":
        return grad[:, :, top : top + shape[2], left : left + shape[3]]
    rows, columns = _sources(shape, padding, mode)
    return np.eye(shape[2])[rows].T @ grad @ np.eye(shape[3])[columns]


def _check_padding(shape: tuple[int, ...], padding: Sides, mode: str) -> None:
    if mode not in PADDING_MODES:
        raise SpecError(f"padding_mode must be one of {', '.join(PADDING_MODES)}; got {mode!r}")
    if min(padding) < 0:
        raise SpecError(f"padding must be 0 or more, got {padding}")
    for size, widest in ((shape[2], max(padding[:2])), (shape[3], max(padding[2:]))):
        if (mode == "reflect" and widest >= size) or (mode == "circular" and widest > size):
            raise ShapeError(f"pad2d: input {shape} is too small for {mode} padding {padding}")


def _sources(shape: tuple[int, ...], padding: Sides, mode: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """For every row and every column of the padded image, which one of the image it copies."""
    rows = np.pad(np.arange(shape[2]), padding[:2], mode=COPY_MODES[mode])
    columns = np.pad(np.arange(shape[3]), padding[2:], mode=COPY_MODES[mode])
    return rows, columns


def windows(x: Array, kernel_size: IntOrPair, stride: IntOrPair = 1, dilation: IntOrPair = 1) -> Array:
    """View images (N, C, H, W) through a sliding window: (N, C, OH, OW, KH, KW), read-only, not a copy.

    `windows(...)[n, c, i, j]` is what the kernel covers when output (i, j) is made. Raises ShapeError when
    the window is larger than the image. Source: NumPy, `numpy.lib.stride_tricks.sliding_window_view`.

    >>> windows(np.arange(9.0).reshape(1, 1, 3, 3), 2)[0, 0, 1, 1]
    array([[4., 5.],
           [7., 8.]])
    """
    x = images("windows", x)
    kernel = sizes("kernel_size", kernel_size)
    (step_h, step_w), dilated = sizes("stride", stride), sizes("dilation", dilation)
    spans = extents(kernel, dilated)
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
    dx = np.zeros(shape)
    add_windows(dx, grad, sizes("stride", stride), sizes("dilation", dilation))
    return dx


def add_windows(total: Array, grad: Array, stride: tuple[int, int], dilation: tuple[int, int]) -> None:
    """Lay windows (N, C, OH, OW, KH, KW) down on `total` (N, C, H, W), in place."""
    kernel, places = grad.shape[4:], grad.shape[2:4]
    rows, columns = taps(kernel, places, stride, dilation)
    with unbuffered():
        for i, j in np.ndindex(kernel):
            total[:, :, rows[i], columns[j]] += grad[..., i, j]


@lru_cache(maxsize=64)
def taps(
    kernel: tuple[int, ...], places: tuple[int, ...], stride: tuple[int, int], dilation: tuple[int, int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Rows and columns of an image that each row and each column of a kernel meets when it visits all places.

    >>> taps((1, 2), (3, 3), (2, 2), (1, 1))
    ((slice(0, 5, 2),), (slice(0, 5, 2), slice(1, 6, 2)))
    """
    rows, columns = (
        tuple(slice(i * gap, i * gap + (count - 1) * step + 1, step) for i in range(size))
        for size, count, step, gap in zip(kernel, places, stride, dilation, strict=True)
    )
    return rows, columns


@dataclass(frozen=True, eq=False)
class Sweep:
    """How a kernel moves over an image; it is made once for shapes and options, and known by its identity."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Sides
    mode: str = "zeros"
    fill: float = 0.0

    def padded(self, x: Array) -> Array:
        return pad2d(x, self.padding, self.mode, self.fill) if any(self.padding) else x

    def taps(self, places: tuple[int, int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        return taps(self.kernel, places, self.stride, self.dilation)

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
