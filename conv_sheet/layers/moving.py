"""Layers that give what they read in other places, unchanged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from conv_sheet import ops
from conv_sheet.cells.expr import times
from conv_sheet.cells.formula import Formula
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import Layer, Shape, Site, Sizes, Tensors, maps, vector
from conv_sheet.layers.field import Field
from conv_sheet.layers.said import Said, only
from conv_sheet.ops import Array
from conv_sheet.ops.options import count


class Identity(Layer):
    """What it reads, as `torch.nn.Identity`: it has no cells of its own.

    >>> Identity().output_shape((2, 6, 6))
    (2, 6, 6)
    """

    kind: ClassVar[str] = "Identity"
    prefix: ClassVar[str] = "identity"
    non_negative: ClassVar[bool | None] = None
    keeps_values: ClassVar[bool] = True
    has_cells: ClassVar[bool] = False

    def forward(self, x: Array, params: Tensors) -> Array:
        return x

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return grad, {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        return {}  # its output is its input's cells

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return {"input": Formula(upstream.cell, shared=upstream.regular)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient"}

    def words(self, shape: Shape) -> str:
        return "value"


class Flatten(Layer):
    """Maps as one vector, channel by channel and row by row, as `torch.nn.Flatten`.

    >>> Flatten().output_shape((2, 12, 12))
    (288,)
    """

    kind: ClassVar[str] = "Flatten"
    prefix: ClassVar[str] = "flatten"
    non_negative: ClassVar[bool | None] = None
    keeps_values: ClassVar[bool] = True
    said: ClassVar[Mapping[str, Said]] = {
        "start_dim": only(1),
        "end_dim": Said(lambda shape: (-1, len(shape)), "leaves axes as they are, and only {} is known here"),
    }

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)

    def forward(self, x: Array, params: Tensors) -> Array:
        return x.reshape(len(x), -1)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return grad.reshape(x.shape), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        def out(plane: int, y: int, x: int) -> str:
            block, row, column = site.source.locate(y)
            return block.cell(row, column)

        vector = len(site.source.shape) == 1
        return {"out": Formula(out, shared=vector and site.source.regular)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        _, height, width = (*site.source.shape, 1, 1)[:3]

        def source(plane: int, y: int, x: int) -> str:
            return upstream.cell(0, (plane * height + y) * width + x, 0)

        return {"input": Formula(source, shared=width == 1 and upstream.regular)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "the gradients of the column, back in the shape of the maps"}

    def words(self, shape: Shape) -> str:
        return "all maps in one column, row by row"

    def sizes(self, shape: Shape, before: Sizes) -> Sizes:
        return (times(*before),)


@dataclass(frozen=True)
class Unflatten(Layer):
    """A vector as maps, channel by channel and row by row, as `torch.nn.Unflatten(1, (C, H, W))`.

    >>> Unflatten((2, 3, 4)).output_shape((24,))
    (2, 3, 4)
    """

    kind: ClassVar[str] = "Unflatten"
    prefix: ClassVar[str] = "unflatten"
    non_negative: ClassVar[bool | None] = None
    said: ClassVar[Mapping[str, Said]] = {"dim": only(1, -1)}

    unflattened_size: tuple[int, ...]
    """Maps, rows and columns; of signals maps and columns."""

    def __post_init__(self) -> None:
        given: object = self.unflattened_size
        if not isinstance(given, tuple) or len(given) not in (2, 3):
            raise SpecError(f"unflattened_size = {given!r} is not [channels, height, width]")
        for size in given:
            count("unflattened_size", size)

    def output_shape(self, shape: Shape) -> Shape:
        length, given = vector(shape, self.kind), self.unflattened_size
        if prod(given) != length:
            raise ShapeError(f"unflattened_size = {list(given)} has {prod(given)} values, and its input {length}")
        return given if len(given) == 3 else (given[0], 1, given[1])

    def uniform(self, shape: Shape) -> bool:
        return False

    def forward(self, x: Array, params: Tensors) -> Array:
        return x.reshape(len(x), *self.output_shape(x.shape[1:]))

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return grad.reshape(x.shape), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        height, width = (1, *self.unflattened_size)[-2:]

        def out(plane: int, y: int, x: int) -> str:
            block, row, column = site.source.locate((plane * height + y) * width + x)
            return block.cell(row, column)

        return {"out": Formula(out, shared=width == 1 and site.source.regular)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        def source(plane: int, y: int, x: int) -> str:
            block, row, column = upstream.locate(y + x)
            return block.cell(row, column)

        alone = len(upstream.blocks) == 1 and upstream.blocks[0].width == 1
        return {"input": Formula(source, shared=site.source.regular and alone)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "the gradients of the maps, in one column"}

    def torch(self, shape: Shape) -> str:
        return f"nn.Unflatten(1, {self.output_shape(shape)})"

    def words(self, shape: Shape) -> str:
        return "the column as maps, row by row"


@dataclass(frozen=True)
class Slice(Layer):
    """Some of the maps, of the rows or of the columns, as `x[:, start:end:step]` in PyTorch.

    `dim` counts as PyTorch does, the batch being 0: 1 for maps or the values of a vector, 2 for rows, 3 for columns.

    >>> Slice(dim=3, start=1, step=2).output_shape((2, 6, 6)), Slice(dim=3, start=1, step=2).torch((2, 6, 6))
    ((2, 6, 3), 'lambda x: x[:, :, :, 1:6:2]')
    """

    kind: ClassVar[str] = "Slice"
    prefix: ClassVar[str] = "slice"
    non_negative: ClassVar[bool | None] = None

    dim: int
    start: int = 0
    end: int | None = None
    step: int = 1

    def __post_init__(self) -> None:
        for name in ("dim", "start", "end"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | None) or (value is None and name != "end"):
                raise SpecError(f"{name} = {value!r} is not a whole number")
        count("step", self.step)

    def _axis(self, shape: Shape) -> int:
        """The axis of the shape; the columns of signals, maps of one row, are PyTorch's axis 2."""
        axis = self.dim - 1 if self.dim > 0 else len(shape) + self.dim
        if self.dim == 0 or not 0 <= axis < len(shape):
            raise SpecError(f"dim = {self.dim} must be from 1 to {len(shape)}: its input has shape {list(shape)}")
        return 2 if axis == 1 and shape[1] == 1 else axis

    def cut(self, shape: Shape) -> tuple[int, range]:
        """The axis, and the indices along it."""
        axis = self._axis(shape)
        cut = range(*slice(self.start, self.end, self.step).indices(shape[axis]))
        if not cut:
            raise ShapeError(f"nothing is left from {self.start} to {self.end} of {shape[axis]} along dim = {self.dim}")
        return axis, cut

    def _part(self, shape: Shape) -> tuple[slice, ...]:
        axis, cut = self.cut(shape)
        every = [slice(None)] * (len(shape) + 1)
        every[axis + 1] = slice(cut.start, cut.stop, cut.step)
        return tuple(every)

    def output_shape(self, shape: Shape) -> Shape:
        axis, cut = self.cut(shape)
        return *shape[:axis], len(cut), *shape[axis + 1 :]

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        if not shape:
            return Field(), Field()
        axis, cut = self.cut(shape)
        rows, columns = (
            Field(stride=cut.step, before=-cut.start) if axis == number and len(shape) == 3 else Field()
            for number in (1, 2)
        )
        return rows, columns

    def uniform(self, shape: Shape) -> bool:
        axis, cut = self.cut(shape)
        return axis > 0 or (cut.start, cut.step) == (0, 1)

    def forward(self, x: Array, params: Tensors) -> Array:
        part: Array = x[self._part(x.shape[1:])]
        return part

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        dx = np.zeros_like(x)
        dx[self._part(x.shape[1:])] = grad
        return dx, {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        source = site.source
        axis, cut = self.cut(source.shape)

        def out(*at: int) -> str:
            there = [cut[index] if number == axis else index for number, index in enumerate(at)]
            return source.cell(*there)

        def of_vector(plane: int, y: int, x: int) -> str:
            return source.cell(0, cut[y], 0)

        alone = len(source.shape) == 1
        alike = cut.step == 1 or (axis == 0 and not alone)
        return {"out": Formula(of_vector if alone else out, shared=source.regular and alike)}

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return f"SUM({','.join(windows)})"

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        axis, cut = self.cut(site.source.shape)
        back = {index: out for out, index in enumerate(cut)}
        alone = len(site.source.shape) == 1

        def source(plane: int, y: int, x: int) -> str:
            at = [plane, y, x]
            index = y + x if alone else at[axis]
            if index not in back:
                return "0"
            if alone:
                return upstream.cell(0, back[index], 0)
            at[axis] = back[index]
            return upstream.cell(*at)

        whole = len(cut) == site.source.shape[axis] and site.source.regular and upstream.regular
        return {"input": Formula(source, shared=whole or (not alone and axis == 0))}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient where the value was taken, 0 elsewhere"}

    def torch(self, shape: Shape) -> str:
        axis, cut = self.cut(shape)
        step = f":{cut.step}" if cut.step > 1 else ""
        return f"lambda x: x[{', '.join([':'] * (axis + 1))}, {cut.start}:{cut.stop}{step}]"

    def words(self, shape: Shape) -> str:
        axis, cut = self.cut(shape)
        what = ("values",) if len(shape) == 1 else ("maps", "rows", "columns")
        every = "" if cut.step == 1 else f", every {cut.step}."
        return f"{what[axis]} {cut.start + 1} to {cut[-1] + 1}{every}"


@dataclass(frozen=True)
class PixelShuffle(Layer):
    """Maps laid out as blocks of pixels, as `torch.nn.PixelShuffle`: fewer maps, larger ones.

    >>> PixelShuffle(2).output_shape((8, 3, 4))
    (2, 6, 8)
    """

    kind: ClassVar[str] = "PixelShuffle"
    prefix: ClassVar[str] = "shuffle"
    non_negative: ClassVar[bool | None] = None

    upscale_factor: int

    def __post_init__(self) -> None:
        count("upscale_factor", self.upscale_factor)

    def output_shape(self, shape: Shape) -> Shape:
        (channels, height, width), factor = maps(shape, self.kind), self.upscale_factor
        if channels % factor**2:
            raise ShapeError(f"{channels} maps cannot be put together in blocks of {factor}×{factor}")
        return channels // factor**2, height * factor, width * factor

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        factor = self.upscale_factor
        field = Field(factor, before=factor - 1, spread=factor)
        return field, field

    def uniform(self, shape: Shape) -> bool:
        return False

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.pixel_shuffle(x, self.upscale_factor)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.pixel_shuffle_backward(grad, self.upscale_factor), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        factor = self.upscale_factor

        def out(plane: int, y: int, x: int) -> str:
            (row, below), (column, right) = divmod(y, factor), divmod(x, factor)
            return site.source.cell((plane * factor + below) * factor + right, row, column)

        return {"out": Formula(out, shared=factor == 1)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        factor = self.upscale_factor

        def source(plane: int, y: int, x: int) -> str:
            channel, place = divmod(plane, factor**2)
            return upstream.cell(channel, y * factor + place // factor, x * factor + place % factor)

        return {"input": Formula(source, shared=factor == 1)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "the gradient of the pixel that shows the value"}

    def words(self, shape: Shape) -> str:
        return f"value of one of {self.upscale_factor**2} maps, which take turns"

    def sizes(self, shape: Shape, before: Sizes) -> Sizes:
        factor, (channels, height, width) = self.upscale_factor, before
        return channels / factor**2, height * factor, width * factor


KINDS = (Identity, Flatten, Unflatten, Slice, PixelShuffle)
