"""The transposed convolution."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from conv_sheet import ops
from conv_sheet.cells.expr import Expr, of, times
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import Shape, Site, Sizes, Tensors
from conv_sheet.layers.field import Field
from conv_sheet.layers.kernels import Kernels, Meetings, Terms
from conv_sheet.layers.rows import OneRow, without_row
from conv_sheet.layers.said import CHANNELS, Said, only
from conv_sheet.ops import Array


@dataclass(frozen=True)
class _ConvTranspose(Kernels):
    """Every input value lays its kernel down, times itself, `stride` cells from its neighbour's; overlaps add up."""

    prefix: ClassVar[str] = "convt"
    turned: ClassVar[bool] = True
    said: ClassVar[Mapping[str, Said]] = {"in_channels": CHANNELS, "padding_mode": only("zeros")}
    _longest_term: ClassVar[int] = len("XFD1000000*$XFD$1000000")

    output_padding: int | tuple[int, ...] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._both("padding", least=0)
        _, stride, dilation = self._pairs
        extra = self._both("output_padding", least=0)
        if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
            raise SpecError(
                f"output_padding = {self.output_padding!r} must be smaller than the stride {self.stride!r} "
                f"or the dilation {self.dilation!r}"
            )

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        axes = zip(*self._pairs, self._both("padding", least=0), strict=True)
        rows, columns = (Field(k, d, before=d * (k - 1) - p, spread=s) for k, s, d, p in axes)
        return rows, columns

    def output_shape(self, shape: Shape) -> Shape:
        _, *size = self._maps(shape)
        crop, extra = self._both("padding", least=0), self._both("output_padding", least=0)
        axes = zip(size, *self._pairs, crop, extra, strict=True)
        height, width = ((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, d, p, e in axes)
        if min(height, width) < 1:
            raise ShapeError(f"padding = {self.padding!r} leaves nothing of the output: {height}×{width}")
        return self.out_channels, height, width

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        weight = {"weight": (shape[0], self.out_channels // self.groups, *self._pairs[0])}
        return weight | ({"bias": (self.out_channels,)} if self.bias else {})

    def kernels(self, shape: Shape) -> list[list[int]]:
        planes = np.arange(shape[0] * self.out_channels // self.groups)
        by_output = planes.reshape(self.groups, self._each(shape), -1).swapaxes(1, 2)
        kernels: list[list[int]] = by_output.reshape(self.out_channels, -1).tolist()
        return kernels

    @cached_property
    def _options(self) -> dict[str, Any]:
        _, stride, dilation = self._pairs
        around = {name: self._both(name, least=0) for name in ("padding", "output_padding")}
        return around | {"stride": stride, "dilation": dilation, "groups": self.groups}

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.conv_transpose2d(x, params["weight"], params.get("bias"), **self._options)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        dx, *own = ops.conv_transpose2d_backward(grad, x, params["weight"], **self._options)
        return dx, self._own(*own)

    def _numbers(self, shape: Shape) -> NDArray[np.intp]:
        height, width = self._pairs[0]
        of_group = np.arange(self._each(shape) * height * width).reshape(-1, 1, height, width)
        return np.tile(of_group, (self.groups, 1, 1, 1))

    def _terms(self, site: Site) -> Terms:
        shape, each = site.source.shape, self._each(site.source.shape)
        fields, kernel = self.fields(shape), self._pairs[0]
        kernels, outs_in_group = self.kernels(shape), self.out_channels // self.groups

        def hits(axis: int, position: int) -> list[tuple[int, int]]:
            """Row or column of the kernel, and of the input value that lays it here."""
            taps = fields[axis].taps(position)
            return [(kernel[axis] - 1 - tap, index) for tap, index in taps if 0 <= index < shape[axis + 1]]

        def terms(o: int, y: int, x: int) -> list[tuple[int, str]]:
            first = o // outs_in_group * each
            rows, columns = hits(0, y), hits(1, x)
            return [
                (
                    (i * kernel[0] + ky) * kernel[1] + kx,
                    f"{site.source.blocks[first + i].cell(row, column)}*{site['weight'].blocks[plane].fixed(ky, kx)}",
                )
                for i, plane in enumerate(kernels[o])
                for ky, row in rows
                for kx, column in columns
            ]

        return terms

    def _meetings(self, shape: Shape) -> tuple[Meetings, Meetings]:
        rows, columns = self.fields(shape)

        def meetings(field: Field, size: int, outputs: int) -> Meetings:
            taps = ((index, field.size - 1 - tap, out) for out in range(outputs) for tap, index in field.taps(out))
            return [meeting for meeting in taps if 0 <= meeting[0] < size]

        _, height, width = self.output_shape(shape)
        return meetings(rows, shape[1], height), meetings(columns, shape[2], width)

    def words(self, shape: Shape) -> str:
        return self._words("value × kernel", "all values that reach here", shape)

    def sizes(self, shape: Shape, before: Sizes) -> Sizes:
        crop, extra = self._both("padding", least=0), self._both("output_padding", least=0)
        axes = zip(before[1:], *self._pairs, crop, extra, strict=True)
        counts = ((n - 1) * s - of(2) * p + of(d) * (of(k) - 1) + e + 1 for n, k, s, d, p, e in axes)
        return (of(self.out_channels), *counts)

    def multiply_adds(self, shape: Shape) -> int:
        return int(np.prod((*shape, *self.parameters(shape)["weight"][1:])))

    def work(self, shape: Shape, before: Sizes, after: Sizes) -> Expr:
        return times(*before, *self.parameters(shape)["weight"][1:])


class ConvTranspose2d(_ConvTranspose):
    """Every input value lays its kernel down, times itself, `stride` cells from its neighbour's; overlaps add up.

    The options are those of `torch.nn.ConvTranspose2d`; in_channels come from the input. The formula of a cell names
    the products that meet there.

    >>> ConvTranspose2d(out_channels=2, kernel_size=3, stride=2).output_shape((1, 4, 4))
    (2, 9, 9)
    """

    kind: ClassVar[str] = "ConvTranspose2d"


class ConvTranspose1d(OneRow, _ConvTranspose):
    """The same over maps of one row, with the options of `torch.nn.ConvTranspose1d`.

    >>> ConvTranspose1d(out_channels=2, kernel_size=3, stride=2).output_shape((1, 1, 4))
    (2, 1, 9)
    """

    kind: ClassVar[str] = "ConvTranspose1d"

    def torch_shapes(self, shape: Shape) -> dict[str, Shape]:
        return {short: without_row(size) for short, size in self.parameters(shape).items()}


KINDS = (ConvTranspose2d, ConvTranspose1d)
