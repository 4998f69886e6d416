"""Layers that summarise windows without weights."""

from dataclasses import dataclass
from typing import ClassVar

from conv_sheet import engine
from conv_sheet.errors import ShapeError
from conv_sheet.layers.base import Array, Field, Formula, Layer, Shape, Site, Tensors, maps, sizes


@dataclass(frozen=True)
class MaxPool2d(Layer):
    """The largest value of each window, as `torch.nn.MaxPool2d`.

    >>> MaxPool2d(2).output_shape((2, 24, 24))
    (2, 12, 12)
    """

    kind: ClassVar[str] = "MaxPool2d"
    prefix: ClassVar[str] = "pool"
    non_negative: ClassVar[bool | None] = None

    kernel_size: int | tuple[int, int]
    stride: int | tuple[int, int] | None = None

    def __post_init__(self) -> None:
        sizes("kernel_size", self.kernel_size)
        if self.stride is not None:
            sizes("stride", self.stride)

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        steps = sizes("stride", self.kernel_size if self.stride is None else self.stride)
        rows, columns = (Field(k, s) for k, s in zip(sizes("kernel_size", self.kernel_size), steps, strict=True))
        return rows, columns

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = maps(shape, self.kind)
        rows, columns = self.fields(shape)
        if height < rows.extent or width < columns.extent:
            raise ShapeError(f"a {rows.extent}×{columns.extent} window does not fit the {height}×{width} input")
        return channels, (height - rows.extent) // rows.stride + 1, (width - columns.extent) // columns.stride + 1

    def forward(self, x: Array, params: Tensors) -> Array:
        return engine.max_pool2d(x, self.kernel_size, stride=self.stride)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return engine.max_pool2d_backward(grad, x, self.kernel_size, stride=self.stride), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        rows, columns = self.fields(site.source.shape)

        def out(c: int, y: int, x: int) -> str:
            window = site.source.blocks[c].window(y * rows.stride, x * columns.stride, rows.extent, columns.extent)
            return f"MAX({window})"

        return {"out": out}

    def words(self, shape: Shape) -> str:
        rows, columns = self.fields(shape)
        return f"largest value of each {rows.extent}×{columns.extent} window"

    def size_formulas(self, shape: Shape, cells: tuple[str, ...]) -> tuple[str, ...]:
        axes = zip(cells[1:], self.fields(shape), strict=True)
        return (cells[0], *(f"INT(({cell}-{f.extent})/{f.stride})+1" for cell, f in axes))
