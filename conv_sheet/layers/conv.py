"""Layers with kernels."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from conv_sheet import engine
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.formula import pieces, total
from conv_sheet.layers.base import (
    Array,
    Border,
    Field,
    Formula,
    Layer,
    Shape,
    Site,
    Tensors,
    arguments,
    count,
    maps,
    sizes,
)

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
_TERM = 60
"""No `SUMPRODUCT` of a window and a kernel is longer than this."""


@dataclass(frozen=True)
class Conv2d(Layer):
    """2-D convolution (cross-correlation) with the options of `torch.nn.Conv2d`; in_channels come from the input.

    >>> Conv2d(out_channels=2, kernel_size=3).output_shape((1, 28, 28))
    (2, 26, 26)
    """

    kind: ClassVar[str] = "Conv2d"
    prefix: ClassVar[str] = "conv"
    takes_fold: ClassVar[bool] = True

    out_channels: int
    kernel_size: int | tuple[int, int]
    stride: int | tuple[int, int] = 1
    padding: int | tuple[int, int] | str = 0
    dilation: int | tuple[int, int] = 1
    groups: int = 1
    bias: bool = True
    padding_mode: str = "zeros"

    def __post_init__(self) -> None:
        count("out_channels", self.out_channels)
        count("groups", self.groups)
        for name in ("kernel_size", "stride", "dilation"):
            sizes(name, getattr(self, name))
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise SpecError(f"padding = {self.padding!r} is neither a size nor 'same' nor 'valid'")
        else:
            sizes("padding", self.padding, least=0)
        if self.padding_mode not in PADDING_MODES:
            raise SpecError(f"padding_mode = {self.padding_mode!r} is none of {', '.join(PADDING_MODES)}")
        self.border((1, 1, 1))

    @property
    def _kernel(self) -> tuple[int, int]:
        return sizes("kernel_size", self.kernel_size)

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        pairs = zip(self._kernel, sizes("stride", self.stride), sizes("dilation", self.dilation), strict=True)
        rows, columns = (Field(d * (k - 1) + 1, s) for k, s, d in pairs)
        return rows, columns

    def border(self, shape: Shape) -> Border:
        sides = engine.padding_of(self.padding, self._kernel, self.dilation, self.stride)
        return Border(*sides, mode=self.padding_mode)

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = maps(shape, self.kind)
        if channels % self.groups or self.out_channels % self.groups:
            raise ShapeError(
                f"groups = {self.groups} must divide both the {channels} input channels "
                f"and the {self.out_channels} output channels"
            )
        border = self.border(shape)
        padded = height + border.top + border.bottom, width + border.left + border.right
        rows, columns = self.fields(shape)
        if padded[0] < rows.extent or padded[1] < columns.extent:
            raise ShapeError(
                f"a kernel that covers {rows.extent}×{columns.extent} does not fit "
                f"the padded input of {padded[0]}×{padded[1]}"
            )
        if border.mode in ("reflect", "circular"):
            room = (height - 1, width - 1) if border.mode == "reflect" else (height, width)
            if max(border.top, border.bottom) > room[0] or max(border.left, border.right) > room[1]:
                raise ShapeError(
                    f"padding_mode {border.mode!r} can pad a {height}×{width} map by at most {room[0]}×{room[1]}, "
                    f"not by {border.top}×{border.left}"
                )
        return (
            self.out_channels,
            (padded[0] - rows.extent) // rows.stride + 1,
            (padded[1] - columns.extent) // columns.stride + 1,
        )

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        weight = {"weight": (self.out_channels, shape[0] // self.groups, *self._kernel)}
        return weight | ({"bias": (self.out_channels,)} if self.bias else {})

    def forward(self, x: Array, params: Tensors) -> Array:
        return engine.conv2d(
            x,
            params["weight"],
            params.get("bias"),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            padding_mode=self.padding_mode,
        )

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        dx, dweight, dbias = engine.conv2d_backward(
            grad,
            x,
            params["weight"],
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            padding_mode=self.padding_mode,
        )
        return dx, {"weight": dweight} | ({"bias": dbias} if self.bias else {})

    def _pieces(self, shape: Shape) -> int:
        return pieces(shape[0] // self.groups, _TERM)

    def _slices(self, shape: Shape) -> list[slice]:
        """Input channels of each partial sum, counted within a group."""
        edges = np.linspace(0, shape[0] // self.groups, self._pieces(shape) + 1).astype(int).tolist()
        return [slice(a, b) for a, b in pairwise(edges)]

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        parts = self._pieces(shape)
        return {"partial": (self.out_channels * parts, *self.output_shape(shape)[1:])} if parts > 1 else {}

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        shape = x.shape[1:]
        if self._pieces(shape) == 1:
            return {}
        batch, _, height, width = x.shape
        grouped = x.reshape(batch, self.groups, -1, height, width)
        sums = []
        for part in self._slices(shape):
            piece = grouped[:, :, part].reshape(batch, -1, height, width)
            sums.append(self.forward(piece, {"weight": params["weight"][:, part]}))
        return {"partial": np.stack(sums, axis=2).reshape(batch, -1, *sums[0].shape[2:])}

    def formulas(self, site: Site) -> dict[str, Formula]:
        shape = site.source.shape
        weight, each = site["weight"], shape[0] // self.groups
        kernels = [block.absolute for block in weight.blocks]
        bias = [site["bias"].at(o) for o in range(self.out_channels)] if self.bias else None
        border, (rows, columns) = self.border(shape), self.fields(shape)
        outs_in_group = self.out_channels // self.groups
        slices = self._slices(shape)

        def products(o: int, y: int, x: int, part: slice) -> list[str]:
            row, column = y * rows.stride - border.top, x * columns.stride - border.left
            first = o // outs_in_group * each
            return [
                f"SUMPRODUCT({site.source.blocks[first + i].window(row, column, rows.extent, columns.extent)}"
                f",{kernels[o * each + i]})"
                for i in range(part.start, part.stop)
            ]

        def partial(k: int, y: int, x: int) -> str:
            return total(products(k // len(slices), y, x, slices[k % len(slices)]))

        def out(o: int, y: int, x: int) -> str:
            if len(slices) == 1:
                terms = products(o, y, x, slices[0])
            else:
                terms = [site["partial"].blocks[o * len(slices) + i].cell(y, x) for i in range(len(slices))]
            return total(terms + ([bias[o]] if bias else []))

        return {"out": out} if len(slices) == 1 else {"partial": partial, "out": out}

    def torch(self, shape: Shape) -> str:
        options = {k: v for k, v in self.options().items() if k != "out_channels"}
        return f"nn.{self.kind}({', '.join([str(shape[0]), str(self.out_channels), *arguments(options)])})"

    def words(self, shape: Shape) -> str:
        channels = "" if shape[0] // self.groups == 1 else f", over {shape[0] // self.groups} channels"
        return f"sum of window × kernel{channels}" + (" + bias" if self.bias else "")

    def size_formulas(self, shape: Shape, cells: tuple[str, ...]) -> tuple[str, ...]:
        border = self.border(shape)
        axes = zip(
            cells[1:],
            (border.top + border.bottom, border.left + border.right),
            self._kernel,
            sizes("stride", self.stride),
            sizes("dilation", self.dilation),
            strict=True,
        )
        return (str(self.out_channels), *(f"INT(({cell}+{p}-{d}*({k}-1)-1)/{s})+1" for cell, p, k, s, d in axes))

    def products(self, shape: Shape) -> tuple[int, ...]:
        return self.parameters(shape)["weight"][1:]
