"""Values on their way through a model: which layer makes them, and how the source looks at them.

Reshapes, transpositions and slices of a source do no arithmetic. They are kept as a view: an array of indices, in the
source's shape, into what the layer gives. Only an operation that computes has to know where its numbers really stand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conv_sheet.layers import Shape

Index: TypeAlias = NDArray[np.int32]
Constant: TypeAlias = NDArray[Any]

LARGEST_VALUE = 4_000_000
"""Numbers of one activation from which on a model is refused: twice the cells that a workbook may have."""


@dataclass(frozen=True, eq=False)
class Value:
    """The output of a layer (or, with layer 0, the picture), and the source's view of it, batch axis included.

    >>> maps = value(1, (2, 3, 4))
    >>> maps.view.shape, maps.moved(maps.view.reshape(1, -1)).whole
    ((1, 2, 3, 4), True)
    """

    layer: int
    shape: Shape
    """As the layer gives it: (C, H, W), (C, L) or (N,)."""
    view: Index
    path: str = ""
    """Name of the module that looks at the values in this way."""

    def moved(self, view: Index, path: str = "") -> "Value":
        """The same values in another view."""
        return replace(self, view=view, path=path)

    @property
    def whole(self) -> bool:
        """Whether the source has every value, in the layer's order."""
        return self.view.size == prod(self.shape) and _counts(self.view.ravel())

    @property
    def complete(self) -> bool:
        """Whether the source has every value exactly once, in whatever order."""
        flat = self.view.ravel()
        return flat.size == prod(self.shape) and (_counts(flat) or np.unique(flat).size == flat.size)

    def spread(self, constant: Constant) -> Constant:
        """A constant that the source combines with its view, in the layer's own order and shape."""
        own = np.empty(prod(self.shape), constant.dtype)
        own[self.view.ravel()] = np.broadcast_to(constant, self.view.shape).ravel()
        return own.reshape(self.shape)


Operand: TypeAlias = Value | Constant
"""What an operation of the source takes: a value, or a constant."""


def value(layer: int, shape: Shape) -> Value:
    """The output of a layer as it is, under a batch of one."""
    return Value(layer, shape, np.arange(prod(shape), dtype=np.int32).reshape(1, *shape))


def channels_first(view: Index, last: bool) -> Index:
    """A view (1, C, …) without its batch axis; with `last` out of (1, …, C)."""
    return np.moveaxis(view[0], -1, 0) if last else view[0]


def channels_last(view: Index) -> Index:
    """The way back: a view (1, C, …) as (1, …, C)."""
    return np.moveaxis(view, 1, -1)


def _counts(flat: Index) -> bool:
    return bool((flat == np.arange(flat.size)).all())


def steps(flat: Index) -> tuple[int, int, int] | None:
    """Indices along an axis as (start, end, step), where they are evenly apart and ascend.

    >>> steps(np.array([1, 3, 5], np.int32)), steps(np.array([2, 1], np.int32))
    ((1, 6, 2), None)
    """
    first, step = int(flat[0]), int(flat[1] - flat[0]) if flat.size > 1 else 1
    if step < 1 or not (flat == first + step * np.arange(flat.size)).all():
        return None
    return first, int(flat[-1]) + 1, step


def ascending(flat: Index) -> Iterator[tuple[int, int, int]]:
    """Any indices as runs of those that `steps` knows.

    >>> [*ascending(np.array([0, 3, 1, 4, 2], np.int32))]
    [(0, 4, 3), (1, 5, 3), (2, 3, 1)]
    """
    start = 0
    while start < flat.size:
        stop = start + 1
        while stop < flat.size and steps(flat[start : stop + 1]):
            stop += 1
        yield steps(flat[start:stop]) or (0, 0, 1)
        start = stop


def reduced(view: Index) -> Index:
    """A view without the axes along which it only repeats itself: they keep a length of 1.

    >>> reduced(np.broadcast_to(np.arange(2, dtype=np.int32).reshape(2, 1), (2, 5))).shape
    (2, 1)
    """
    for axis, size in enumerate(view.shape):
        first = np.take(view, [0], axis=axis)
        if size > 1 and (view == first).all():
            view = first
    return view


def fitted(sizes: Sequence[int], total: int, batch: int) -> tuple[int, ...] | None:
    """A shape to be taken on, with its -1 filled in and the batch that the model was written with made 1.

    >>> fitted([1, -1], 12, batch=1), fitted([8, 12], 12, batch=8), fitted([5, 5], 12, batch=1)
    ((1, 12), (1, 12), None)
    """
    wanted = [int(size) for size in sizes]
    tries = [wanted, [1, *wanted[1:]]] if wanted and wanted[0] == batch else [wanted]
    for shape in tries:
        rest = prod(size for size in shape if size != -1)
        if shape.count(-1) == 1 and rest > 0 and total % rest == 0:
            return tuple(total // rest if size == -1 else size for size in shape)
        if -1 not in shape and prod(shape) == total:
            return tuple(shape)
    return None
