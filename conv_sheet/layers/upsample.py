"""Maps made larger or smaller."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, number, total
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, maps
from conv_sheet.layers.field import Field
from conv_sheet.layers.said import FREE, Said
from conv_sheet.ops import Array
from conv_sheet.ops.options import flag, real, sizes

_Parts = list[tuple[int, float]]
"""What a row of the output is made of: rows of the input, and how much of each."""
_MODES = "nearest", "bilinear"


@dataclass(frozen=True, slots=True)
class _Between(Field):
    """What is read along one axis where the output lies between values of the input, `step` apart."""

    step: float = 1.0
    aligned: bool = False

    def taps(self, position: int) -> Iterator[tuple[int, int]]:
        if self.size == 1:
            yield 0, math.floor(position * self.step)
            return
        place = position * self.step if self.aligned else max(0.0, (position + 0.5) * self.step - 0.5)
        first = math.floor(place)
        yield 0, first
        if place > first:
            yield 1, first + 1


@dataclass(frozen=True)
class Upsample(Layer):
    """Maps made larger by repeating values, or by drawing lines between them, as `torch.nn.Upsample`.

    >>> Upsample(scale_factor=2).output_shape((3, 4, 5)), Upsample(size=(7, 7), mode="bilinear").output_shape((3, 4, 5))
    ((3, 8, 10), (3, 7, 7))

    Only by whole factors is every value repeated as often as the others:

    >>> Upsample(scale_factor=3).uniform((1, 2, 2)), Upsample(scale_factor=3.4).uniform((1, 2, 2))
    (True, False)
    """

    kind: ClassVar[str] = "Upsample"
    prefix: ClassVar[str] = "up"
    non_negative: ClassVar[bool | None] = None
    said: ClassVar[Mapping[str, Said]] = {"recompute_scale_factor": FREE}

    size: int | tuple[int, ...] | None = None
    scale_factor: float | tuple[float, ...] | None = None
    mode: str = "nearest"
    align_corners: bool | None = None

    def __post_init__(self) -> None:
        if (self.size is None) == (self.scale_factor is None):
            raise SpecError("it takes one of size and scale_factor: scale_factor = 2 makes maps twice as large")
        if self.mode not in _MODES:
            raise SpecError(f"mode = {self.mode!r} is not known: {' and '.join(_MODES)} are")
        if self.align_corners is not None:
            flag("align_corners", self.align_corners)
            if self.mode == "nearest":
                raise SpecError("align_corners is for mode = 'bilinear' only")
        if self.scale_factor is None:
            sizes("size", _with_row(self.size))
            return
        given = _with_row(self.scale_factor)
        if isinstance(given, tuple) and len(given) != 2:
            raise SpecError(f"scale_factor = {list(given)} must be a number or a pair of them")
        for factor in given if isinstance(given, tuple) else (given,):
            if real("scale_factor", factor) <= 0:
                raise SpecError(f"scale_factor = {factor!r} must be above 0")

    def _factors(self) -> tuple[float, float] | None:
        """By how much rows and columns grow; None where their number is given."""
        if self.scale_factor is None:
            return None
        given = self.scale_factor
        if not isinstance(given, tuple):
            return given, given
        return (1.0, given[0]) if len(given) == 1 else (given[0], given[1])

    def output_shape(self, shape: Shape) -> Shape:
        channels, *size = maps(shape, self.kind)
        factors = self._factors()
        if factors is None:
            return channels, *sizes("size", _with_row(self.size))
        height, width = (math.floor(length * factor) for length, factor in zip(size, factors, strict=True))
        if min(height, width) < 1:
            raise ShapeError(f"scale_factor = {self.scale_factor!r} leaves nothing of {size[0]}×{size[1]} maps")
        return channels, height, width

    def _whole(self, shape: Shape) -> bool:
        """Whether every value is repeated the same number of times."""
        return self.mode == "nearest" and all(
            out % size == 0 and ops.nearest(size, out, factor) == [n * size // out for n in range(out)]
            for size, out, factor in self.axes(shape)
        )

    def axes(self, shape: Shape) -> list[tuple[int, int, float | None]]:
        """For rows and for columns the size, that of the output, and the factor that was asked for."""
        factors = self._factors() or (None, None)
        return list(zip(shape[1:], self.output_shape(shape)[1:], factors, strict=True))

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        if self._whole(shape):
            each = [out // size for size, out, _ in self.axes(shape)]
            rows, columns = (Field(times, before=times - 1, spread=times) for times in each)
        else:
            rows, columns = (self._field(*axis) for axis in self.axes(shape))
        return rows, columns

    def _field(self, size: int, out: int, factor: float | None) -> Field:
        aligned = bool(self.align_corners)
        step = size / out if factor is None else 1 / factor
        if aligned:
            step = (size - 1) / (out - 1) if out > 1 else 0.0
        moved = Fraction(step).limit_denominator(24)
        values = 1 if self.mode == "nearest" else 2
        return _Between(values, stride=moved.numerator, spread=moved.denominator, step=step, aligned=aligned)

    def uniform(self, shape: Shape) -> bool:
        return self._whole(shape)

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return f"SUM({','.join(windows)})"

    def _parts(self, shape: Shape) -> list[list[_Parts]]:
        """For each row and for each column of the output what it is made of."""
        found: list[list[_Parts]] = []
        for axis in self.axes(shape):
            if self.mode == "nearest":
                found.append([[(index, 1.0)] for index in ops.nearest(*axis)])
                continue
            between = ops.between(*axis, align_corners=bool(self.align_corners))
            found.append([[(i, w) for i, w in ((a, 1 - share), (b, share)) if w] for a, b, share in between])
        return found

    def _matrices(self, shape: Shape) -> tuple[Array, Array]:
        """The same as matrices."""
        made = []
        for size, parts in zip(shape[1:], self._parts(shape), strict=True):
            matrix = np.zeros((len(parts), size))
            for out, several in enumerate(parts):
                for index, share in several:
                    matrix[out, index] += share
            made.append(matrix)
        return made[0], made[1]

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.resize2d(x, *self._matrices(x.shape[1:]))

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.resize2d_backward(grad, *self._matrices(x.shape[1:])), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        rows, columns = self._parts(site.source.shape)
        same = self.output_shape(site.source.shape) == site.source.shape
        return {"out": _mixed(site.source, rows, columns, shared=same)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        sized = zip(self._parts(site.source.shape), site.source.shape[1:], strict=True)
        rows, columns = (_back(parts, size) for parts, size in sized)
        return {"input": _mixed(upstream, rows, columns, shared=upstream.shape == site.source.shape)}

    def gradient_words(self) -> dict[str, str]:
        shares = "" if self.mode == "nearest" else ", each times its share"
        return {"input": f"sum of the gradients of all that the value is part of{shares}"}

    def torch(self, shape: Shape) -> str:
        given = ((k, _with_row(tuple(v) if isinstance(v, list) else v)) for k, v in self.options().items())
        return f"nn.Upsample({', '.join(f'{k}={v!r}' for k, v in given)})"

    def words(self, shape: Shape) -> str:
        if self.mode == "nearest":
            return "the value nearest to its place"
        return "the values around its place, each times how near it is"


def _with_row(given: object) -> object:
    """An option of signals, a list of one number, as one for maps of one row."""
    return (1, *given) if isinstance(given, tuple) and len(given) == 1 else given


def _mixed(placed: Placed, rows: list[_Parts], columns: list[_Parts], shared: bool) -> Formula:
    """Sums of what rows and columns are made of."""

    def value(plane: int, y: int, x: int) -> str:
        terms = []
        for row, down in rows[y]:
            for column, across in columns[x]:
                cell, share = placed.cell(plane, row, column), down * across
                terms.append(cell if share == 1 else f"{number(share)}*{cell}")
        return total(terms)

    return Formula(value, shared=shared)


def _back(parts: list[_Parts], size: int) -> list[_Parts]:
    """For each row of the input the rows of the output that have some of it, and how much."""
    found: list[_Parts] = [[] for _ in range(size)]
    for out, several in enumerate(parts):
        for index, share in several:
            found[index].append((out, share))
    return found


KINDS = (Upsample,)
