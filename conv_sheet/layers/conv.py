"""The convolution."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from conv_sheet import ops
from conv_sheet.cells.expr import of
from conv_sheet.cells.formula import Formula
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import PADDED, Border, Shape, Site, Sizes, Tensors
from conv_sheet.layers.field import Field
from conv_sheet.layers.kernels import Kernels, Meetings, Terms
from conv_sheet.layers.rows import OneRow, without_row
from conv_sheet.ops import Array


@dataclass(frozen=True)
class _Conv(Kernels):
    """A convolution (cross-correlation)."""

    prefix: ClassVar[str] = "conv"
    _longest_term: ClassVar[int] = len("SUMPRODUCT(XFD1000000:XFD1000000,$XFD$1000000:$XFD$1000000)")

    padding_mode: str = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.padding, str) and self.padding not in ("same", "valid"):
            raise SpecError(f"padding = {self.padding!r} is neither a size nor 'same' nor 'valid'")
        if self.padding_mode not in ops.PADDING_MODES:
            raise SpecError(f"padding_mode = {self.padding_mode!r} is none of {', '.join(ops.PADDING_MODES)}")
        self._padding()

    def _padding(self) -> Border:
        """What stands around the input: zeros, or copies of its values."""
        kernel, stride, dilation = self._pairs
        return Border(*ops.padding_of(self._around(), kernel, dilation, stride))

    @property
    def _copies(self) -> bool:
        """Whether windows read a copy of the input, because other than zeros stand around it."""
        return self.padding_mode in ops.COPY_MODES and self._padding() != Border()

    def border(self) -> Border:
        return Border() if self._copies else self._padding()

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        border = self._padding()
        kernel, stride, dilation = self._pairs
        rows, columns = (
            Field(k, d, s, before)
            for k, d, s, before in zip(kernel, dilation, stride, (border.top, border.left), strict=True)
        )
        return rows, columns

    def output_shape(self, shape: Shape) -> Shape:
        _, height, width = self._maps(shape)
        border, (rows, columns) = self._padding(), self.fields(shape)
        padded = self._padded(shape)[1:]
        if padded[0] < rows.extent or padded[1] < columns.extent:
            raise ShapeError(
                f"a kernel that covers {rows.extent}×{columns.extent} does not fit "
                f"the padded input of {padded[0]}×{padded[1]}: "
                "choose a smaller kernel_size or dilation, or more padding"
            )
        if self.padding_mode in ("reflect", "circular"):
            room = (height - 1, width - 1) if self.padding_mode == "reflect" else (height, width)
            if max(border.top, border.bottom) > room[0] or max(border.left, border.right) > room[1]:
                raise ShapeError(
                    f"padding_mode {self.padding_mode!r} can pad a {height}×{width} map by at most "
                    f"{room[0]}×{room[1]}, not by {max(border.top, border.bottom)}×{max(border.left, border.right)}"
                )
        return (
            self.out_channels,
            ops.output_size(padded[0], rows.size, rows.stride, 0, rows.dilation),
            ops.output_size(padded[1], columns.size, columns.stride, 0, columns.dilation),
        )

    def _padded(self, shape: Shape) -> Shape:
        """Shape of the input with what stands around it."""
        border = self._padding()
        return shape[0], shape[1] + border.top + border.bottom, shape[2] + border.left + border.right

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        weight = {"weight": (self.out_channels, self._each(shape), *self._pairs[0])}
        return weight | ({"bias": (self.out_channels,)} if self.bias else {})

    def kernels(self, shape: Shape) -> list[list[int]]:
        each = self._each(shape)
        return [list(range(o * each, (o + 1) * each)) for o in range(self.out_channels)]

    def spacing(self) -> tuple[int, int]:
        return self._both("dilation")

    @cached_property
    def _options(self) -> dict[str, Any]:
        _, stride, dilation = self._pairs
        options = {"stride": stride, "padding": self._around(), "dilation": dilation}
        return options | {"groups": self.groups, "padding_mode": self.padding_mode}

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.conv2d(x, params["weight"], params.get("bias"), **self._options)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        dx, *own = ops.conv2d_backward(grad, x, params["weight"], **self._options)
        return dx, self._own(*own)

    def parameters_backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> dict[str, Array]:
        return self._own(*ops.conv2d_parameters_backward(grad, x, params["weight"], **self._options))

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        copy = {PADDED: self._padded(shape)} if self._copies else {}
        return copy | super().intermediates(shape)

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        copy = {PADDED: ops.pad2d(x, self._padding().sides, self.padding_mode)} if self._copies else {}
        return copy | super().intermediate_values(x, params)

    def formulas(self, site: Site) -> dict[str, Formula]:
        return (self._copy(site.source) if self._copies else {}) | super().formulas(site)

    def _copy(self, source: Placed) -> dict[str, Formula]:
        """Formulas of the copy of the input: each cell names the cell that it repeats."""
        border, mode = self._padding(), ops.COPY_MODES[self.padding_mode]
        rows = np.pad(np.arange(source.shape[1]), (border.top, border.bottom), mode=mode).tolist()
        columns = np.pad(np.arange(source.shape[2]), (border.left, border.right), mode=mode).tolist()
        return {PADDED: Formula(lambda plane, y, x: source.cell(plane, rows[y], columns[x]))}

    def _read(self, site: Site) -> tuple[tuple[Block, ...], int, int]:
        """The blocks that windows read, and row and column in them where the first window begins."""
        if self._copies:
            return site[PADDED].blocks, 0, 0
        rows, columns = self.fields(site.source.shape)
        return site.source.blocks, -rows.before, -columns.before

    def _moves(self, shape: Shape) -> bool:
        return self._pairs[1] == (1, 1)

    def _across(self, site: Site) -> bool:
        shape = site.source.shape
        return site.below and self.groups == 1 and not self._moves(shape) and len(self._ranges(shape)) == 1

    def _numbers(self, shape: Shape) -> NDArray[np.intp]:
        return np.arange(self._each(shape)).reshape(1, -1, 1, 1)

    def _terms(self, site: Site) -> Terms:
        shape, each = site.source.shape, self._each(site.source.shape)
        (rows, columns), (blocks, top, left) = self.fields(shape), self._read(site)
        kernels = [[site["weight"].blocks[plane] for plane in planes] for planes in self.kernels(shape)]
        outs_in_group, across = self.out_channels // self.groups, self._across(site)

        def term(block: Block, kernel: Block, window: tuple[int, int, int, int]) -> str:
            if across:
                return f"SUMPRODUCT({block.part(*window).absolute},{kernel.relative})"
            return f"SUMPRODUCT({block.window(*window)},{kernel.absolute})"

        def terms(o: int, y: int, x: int) -> list[tuple[int, str]]:
            first = o // outs_in_group * each
            window = top + y * rows.stride, left + x * columns.stride, rows.extent, columns.extent
            pairs = zip(blocks[first : first + each], kernels[o], strict=True)
            return [(i, term(*pair, window)) for i, pair in enumerate(pairs)]

        return terms

    def _meetings(self, shape: Shape) -> tuple[Meetings, Meetings]:
        border, (_, height, width) = self._padding(), self.output_shape(shape)
        numbers = [np.arange(1.0, size + 1) for size in shape[1:]]
        rows = ops.pad2d(numbers[0][None, None, :, None], (border.top, border.bottom, 0, 0), self.padding_mode)
        columns = ops.pad2d(numbers[1][None, None, None, :], (0, 0, border.left, border.right), self.padding_mode)

        def meetings(padded: Array, outputs: int, kernel: int, stride: int, dilation: int) -> Meetings:
            """Every row or column of the padded input is one of the input, or zero."""
            stands = [int(number) - 1 for number in padded.ravel()]
            pairs = [
                (stands[out * stride + tap * dilation], tap, out) for out in range(outputs) for tap in range(kernel)
            ]
            return [meeting for meeting in pairs if meeting[0] >= 0]

        down, right = zip(*self._pairs, strict=True)
        return meetings(rows, height, *down), meetings(columns, width, *right)

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        formulas, (rows, columns) = super().gradient_formulas(site, upstream), self.fields(site.source.shape)
        each, outs_in_group = self._each(site.source.shape), self.out_channels // self.groups
        blocks, top, left = self._read(site)

        def weight(plane: int, ky: int, kx: int) -> str:
            o, i = divmod(plane, each)
            grads = upstream.blocks[o]
            corner = top + ky * rows.dilation, left + kx * columns.dilation
            window = blocks[o // outs_in_group * each + i].part(*corner, *grads.shape)
            return f"SUMPRODUCT({window.foreign},{grads.absolute})"

        return formulas | {"weight": Formula(weight, shared=True)} if self._moves(site.source.shape) else formulas

    def words(self, shape: Shape) -> str:
        return self._words("window × kernel", "", shape)

    def sizes(self, shape: Shape, before: Sizes) -> Sizes:
        border = self._padding()
        padding = border.top + border.bottom, border.left + border.right
        axes = zip(before[1:], self.fields(shape), padding, strict=True)
        return (of(self.out_channels), *(field.count(size, around) for size, field, around in axes))

    def products(self, shape: Shape) -> tuple[int, ...]:
        return self.parameters(shape)["weight"][1:]


class Conv2d(_Conv):
    """2-D convolution with the options of `torch.nn.Conv2d`; in_channels come from the input.

    `padding` may have four sides too, (left, right, top, bottom) as `torch.nn.ZeroPad2d` has them.

    >>> Conv2d(out_channels=2, kernel_size=3).output_shape((1, 28, 28))
    (2, 26, 26)
    """

    kind: ClassVar[str] = "Conv2d"

    def torch(self, shape: Shape) -> str:
        if not isinstance(self.padding, tuple) or len(self.padding) != 4:
            return super().torch(shape)
        pads = {"zeros": "Zero", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}
        plain = replace(self, padding=0, padding_mode="zeros")
        return f"nn.Sequential(nn.{pads[self.padding_mode]}Pad2d({self.padding}), {plain.torch(shape)})"


class Conv1d(OneRow, _Conv):
    """1-D convolution with the options of `torch.nn.Conv1d`, over maps of one row.

    >>> Conv1d(out_channels=2, kernel_size=3).output_shape((1, 1, 64))
    (2, 1, 62)
    """

    kind: ClassVar[str] = "Conv1d"

    def torch_shapes(self, shape: Shape) -> dict[str, Shape]:
        return {short: without_row(size) for short, size in self.parameters(shape).items()}


KINDS = (Conv2d, Conv1d)
