"""Working memory of a convolution: made once for a shape, and used again by every call that has this shape.

A convolution copies its windows into the columns of a matrix, so that one product with the kernels makes every output.
Copied all at once they can take a thousand times the room of the image. So a plan holds room for some images, or for
some rows of them, and the output is made a strip at a time. In memory the batch comes last: then copies and sums run
over many neighbouring numbers, even where an image is narrow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from threading import get_ident

import numpy as np

from conv_sheet.ops.arrays import Array
from conv_sheet.ops.windows import Sweep, pad2d, windows

_COLUMNS = 2**17
"""Numbers in the columns of a strip, unless a single row of one image needs more."""
_TOGETHER = 8
"""Images that are made together, if a row of each fits: alone, their rows would be too short to be quick."""
_KEPT = 2**19
"""Numbers in a batch, above which making its plans costs little beside using them: they are not kept."""


@dataclass(frozen=True)
class Strip:
    """Some rows of the output of some images, with room for them and for the windows that make them."""

    rows: slice
    windows: Array
    """Windows of the padded images, a view: (C, KH, KW, OH, OW, N)."""
    columns: Array
    """Memory for a copy of them."""
    matrix: Array
    """The same memory, one window a column: (groups, C/groups·KH·KW, OH·OW·N)."""
    maps: Array
    """Memory for the output, or for its gradient: (N, O, OH, OW)."""
    products: Array
    """The same memory, one map a row: (groups, O/groups, OH·OW·N)."""


@dataclass(frozen=True)
class Plan:
    """Room for some padded images (N, C, H, W), and the strips in which their convolution is made."""

    sweep: Sweep
    padded: Array
    strips: tuple[Strip, ...]

    def filled(self, x: Array) -> Iterator[Strip]:
        """The strips, one after the other, with the windows of images (N, C, H, W) in their columns."""
        self.load(x)
        for strip in self.strips:
            np.copyto(strip.columns, strip.windows)
            yield strip

    def load(self, x: Array) -> None:
        """Pad the images. Zeros around them are there already: nothing else is ever written to the border."""
        if self.sweep.mode == "zeros":
            top, _, left, _ = self.sweep.padding
            self.padded[:, :, top : top + x.shape[2], left : left + x.shape[3]] = x
        else:
            self.padded[...] = pad2d(x, self.sweep.padding, self.sweep.mode)


def plans(
    sweep: Sweep, shape: tuple[int, ...], output: tuple[int, int, int], groups: int
) -> tuple[tuple[slice, Plan], ...]:
    """A batch of `shape` in parts, each with the plan that it fits into; `output` is (O, OH, OW).

    A plan belongs to a thread: no other writes into it. No result is a view of it, so none changes with the next call.
    """
    if prod(shape) > _KEPT:
        return _made(sweep, shape, output, groups)
    return _kept(sweep, shape, output, groups, get_ident())


@lru_cache(maxsize=16)
def _kept(
    sweep: Sweep, shape: tuple[int, ...], output: tuple[int, int, int], groups: int, thread: int
) -> tuple[tuple[slice, Plan], ...]:
    return _made(sweep, shape, output, groups)


@lru_cache(maxsize=16)
def _shared(size: int, thread: int) -> Array:
    """Memory for the columns of every plan of a thread: each fills them anew."""
    return np.empty(size)


def forget() -> None:
    """Let go of all memory that is kept, so that the next call is like the first."""
    _kept.cache_clear()
    _shared.cache_clear()


def _made(
    sweep: Sweep, shape: tuple[int, ...], output: tuple[int, int, int], groups: int
) -> tuple[tuple[slice, Plan], ...]:
    """Parts of one size have one plan."""
    count, channels, *_ = shape
    _, height, width = output
    row = channels * prod(sweep.kernel) * width
    size = max(_COLUMNS // (row * height), min(_TOGETHER, _COLUMNS // row), 1)
    parts = [slice(start, min(start + size, count)) for start in range(0, count, size)]
    lengths = {part.stop - part.start for part in parts}
    made = {length: _plan(sweep, (length, *shape[1:]), output, groups) for length in lengths}
    return tuple((part, made[part.stop - part.start]) for part in parts)


def _plan(sweep: Sweep, shape: tuple[int, ...], output: tuple[int, int, int], groups: int) -> Plan:
    count, channels, height, width = shape
    kernels, *places = output
    top, bottom, left, right = sweep.padding
    padded = np.zeros((channels, top + height + bottom, left + width + right, count)).transpose(3, 0, 1, 2)
    every = windows(padded, sweep.kernel, sweep.stride, sweep.dilation).transpose(1, 4, 5, 2, 3, 0)
    row = channels * prod(sweep.kernel) * places[1] * count
    most = min(places[0], max(1, _COLUMNS // row))
    memory = _shared(_COLUMNS, get_ident()) if row * most <= _COLUMNS else np.empty(row * most)
    results = np.empty(kernels * most * places[1] * count)
    strips = []
    for start in range(0, places[0], most):
        rows = slice(start, min(start + most, places[0]))
        view = every[:, :, :, rows, : places[1]]
        columns = memory[: view.size].reshape(view.shape)
        made = results[: kernels * view[0, 0, 0].size].reshape(kernels, *view.shape[3:])
        matrix, products = (array.reshape(groups, -1, view[0, 0, 0].size) for array in (columns, made))
        strips.append(Strip(rows, view, columns, matrix, made.transpose(3, 0, 1, 2), products))
    return Plan(sweep, padded, tuple(strips))
