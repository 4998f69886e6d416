"""Layers that put something around maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, number, total
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import Layer, Shape, Site, Sizes, Tensors, maps
from conv_sheet.layers.field import Field
from conv_sheet.ops import Array
from conv_sheet.ops.options import real


@dataclass(frozen=True)
class _Pad(Layer):
    """More rows and columns; (left, right, top, bottom, front, back) as PyTorch has them, as far as the kind goes."""

    prefix: ClassVar[str] = "pad"
    non_negative: ClassVar[bool | None] = None
    _axes: ClassVar[int]
    """Axes that grow, from the last one on."""
    _mode: ClassVar[Any] = "constant"
    """What stands around, as `numpy.pad` calls it."""

    padding: int | tuple[int, ...]

    def __post_init__(self) -> None:
        given: Sequence[object] = self._all_sides()
        whole = all(isinstance(side, int) and not isinstance(side, bool) and side >= 0 for side in given)
        if not whole or len(given) != 2 * self._axes:
            shown = list(given) if isinstance(self.padding, tuple) else self.padding
            raise SpecError(f"padding = {shown!r} must be a whole number, 0 or more, or {2 * self._axes} of them")

    @property
    def _value(self) -> float:
        return 0.0

    def _all_sides(self) -> tuple[int, ...]:
        return self.padding if isinstance(self.padding, tuple) else (self.padding,) * (2 * self._axes)

    def pairs(self) -> list[tuple[int, int]]:
        """Before and behind, of maps, of rows and of columns."""
        sides = self._all_sides()
        pairs = [(sides[n], sides[n + 1]) for n in range(0, len(sides), 2)]
        return [(0, 0)] * (3 - self._axes) + pairs[::-1]

    def _sources(self, shape: Shape) -> list[NDArray[np.intp]]:
        """For maps, rows and columns which one of the input each repeats, -1 for none."""
        given: dict[str, Any] = {"constant_values": -1} if self._mode == "constant" else {}
        axes = zip(shape, self.pairs(), strict=True)
        return [np.pad(np.arange(size), pair, mode=self._mode, **given) for size, pair in axes]

    def output_shape(self, shape: Shape) -> Shape:
        size = maps(shape, self.kind)
        if self._axes == 1 and size[1] != 1:
            raise ShapeError(f"{self.kind} reads maps of one row, but its input has shape {shape}")
        for length, pair in zip(size, self.pairs(), strict=True):
            most = {"reflect": length - 1, "wrap": length}.get(self._mode, max(pair))
            if max(pair) > most:
                raise ShapeError(f"{self.kind} can pad {length} values by at most {most}, not by {max(pair)}")
        return tuple(length + sum(pair) for length, pair in zip(size, self.pairs(), strict=True))

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        _, rows, columns = (Field(before=before) for before, _ in self.pairs())
        return rows, columns

    def uniform(self, shape: Shape) -> bool:
        return self._mode == "constant" and self._value == 0 and self.pairs()[0] == (0, 0)

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return f"SUM({','.join(windows)})"

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.surround(x, self._sources(x.shape[1:]), self._value)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.surround_backward(grad, x, self._sources(x.shape[1:])), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        sources = [axis.tolist() for axis in self._sources(site.source.shape)]

        def out(*at: int) -> str:
            there = [axis[index] for axis, index in zip(sources, at, strict=True)]
            return number(self._value) if min(there) < 0 else site.source.cell(*there)

        shared = all(pair == (0, 0) for pair in self.pairs()[1:])
        return {"out": Formula(out, shared=shared)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        sources = self._sources(site.source.shape)
        axes = zip(sources, site.source.shape, strict=True)
        back = [[np.flatnonzero(axis == n).tolist() for n in range(size)] for axis, size in axes]

        def source(plane: int, y: int, x: int) -> str:
            planes, rows, columns = back[0][plane], back[1][y], back[2][x]
            return total([upstream.cell(p, row, column) for p in planes for row in rows for column in columns])

        return {"input": Formula(source, shared=self._mode == "constant" or not any(map(sum, self.pairs())))}

    def gradient_words(self) -> dict[str, str]:
        repeats = self._mode != "constant"
        return {"input": "sum of the gradients of all that repeats the value" if repeats else "gradient"}

    def words(self, shape: Shape) -> str:
        around = {"constant": number(self._value), "reflect": "its mirror image", "edge": "the outermost values"}
        return f"value; around the maps {around.get(self._mode, 'what stands on the other side')}"

    def sizes(self, shape: Shape, before: Sizes) -> Sizes:
        pairs = zip(before, map(sum, self.pairs()), strict=True)
        return tuple(size + more if more else size for size, more in pairs)


class ZeroPad2d(_Pad):
    """Zeros around each map, as `torch.nn.ZeroPad2d`: (left, right, top, bottom), or one number for all sides.

    >>> ZeroPad2d((1, 0, 2, 0)).output_shape((3, 8, 8))
    (3, 10, 9)
    """

    kind: ClassVar[str] = "ZeroPad2d"
    _axes: ClassVar[int] = 2


class ZeroPad1d(_Pad):
    """The same for maps of one row, as `torch.nn.ZeroPad1d`.

    >>> ZeroPad1d(2).output_shape((3, 1, 8))
    (3, 1, 12)
    """

    kind: ClassVar[str] = "ZeroPad1d"
    _axes: ClassVar[int] = 1


class ZeroPad3d(_Pad):
    """Zeros around each map and maps of zeros: (left, right, top, bottom, front, back), as `torch.nn.ZeroPad3d`.

    It is how a shortcut without weights gets as many maps as what it is added to.

    >>> ZeroPad3d((0, 0, 0, 0, 2, 2)).output_shape((4, 8, 8))
    (8, 8, 8)
    """

    kind: ClassVar[str] = "ZeroPad3d"
    _axes: ClassVar[int] = 3


@dataclass(frozen=True)
class _ConstantPad(_Pad):
    """One value around."""

    value: float

    def __post_init__(self) -> None:
        super().__post_init__()
        real("value", self.value)

    @property
    def _value(self) -> float:
        return float(self.value)


class ConstantPad2d(_ConstantPad):
    """One value around each map, as `torch.nn.ConstantPad2d`.

    >>> ConstantPad2d(1, 0.5).torch((3, 8, 8))
    'nn.ConstantPad2d(padding=1, value=0.5)'
    """

    kind: ClassVar[str] = "ConstantPad2d"
    _axes: ClassVar[int] = 2


class ConstantPad1d(_ConstantPad):
    """The same for maps of one row, as `torch.nn.ConstantPad1d`."""

    kind: ClassVar[str] = "ConstantPad1d"
    _axes: ClassVar[int] = 1


class ReflectionPad2d(_Pad):
    """The mirror image around each map, as `torch.nn.ReflectionPad2d`."""

    kind: ClassVar[str] = "ReflectionPad2d"
    _axes: ClassVar[int] = 2
    _mode: ClassVar[Any] = "reflect"


class ReflectionPad1d(_Pad):
    """The same for maps of one row, as `torch.nn.ReflectionPad1d`."""

    kind: ClassVar[str] = "ReflectionPad1d"
    _axes: ClassVar[int] = 1
    _mode: ClassVar[Any] = "reflect"


class ReplicationPad2d(_Pad):
    """The outermost values around each map, as `torch.nn.ReplicationPad2d`."""

    kind: ClassVar[str] = "ReplicationPad2d"
    _axes: ClassVar[int] = 2
    _mode: ClassVar[Any] = "edge"


class ReplicationPad1d(_Pad):
    """The same for maps of one row, as `torch.nn.ReplicationPad1d`."""

    kind: ClassVar[str] = "ReplicationPad1d"
    _axes: ClassVar[int] = 1
    _mode: ClassVar[Any] = "edge"


class CircularPad2d(_Pad):
    """What stands on the other side around each map, as `torch.nn.CircularPad2d`."""

    kind: ClassVar[str] = "CircularPad2d"
    _axes: ClassVar[int] = 2
    _mode: ClassVar[Any] = "wrap"


class CircularPad1d(_Pad):
    """The same for maps of one row, as `torch.nn.CircularPad1d`."""

    kind: ClassVar[str] = "CircularPad1d"
    _axes: ClassVar[int] = 1
    _mode: ClassVar[Any] = "wrap"


KINDS = (
    *(ZeroPad2d, ZeroPad1d, ZeroPad3d, ConstantPad2d, ConstantPad1d, ReflectionPad2d, ReflectionPad1d),
    *(ReplicationPad2d, ReplicationPad1d, CircularPad2d, CircularPad1d),
)
