"""Layers with kernels."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from conv_sheet import ops
from conv_sheet.cells.formula import pieces, total
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import Border, Field, Formula, Layer, Shape, Site, Tensors, arguments, maps
from conv_sheet.ops import Array
from conv_sheet.ops.options import count, flag, sizes

_Meetings = list[tuple[int, int, int]]
"""Along one axis: index of an input value, place in the kernel, and index of the output that gets their product."""

_Terms = Callable[[int, int, int], list[tuple[int, str]]]
"""Terms of the sum at (output map, row, column), each with its number among all that this map can have."""


@dataclass(frozen=True)
class _Kernels(Layer):
    """What convolutions of both kinds share: options, and sums in parts where one formula would be too long."""

    takes_fold: ClassVar[bool] = True
    _longest_term: ClassVar[int]

    out_channels: int
    kernel_size: int | tuple[int, int]
    stride: int | tuple[int, int] = 1
    padding: int | tuple[int, int] | str = 0
    dilation: int | tuple[int, int] = 1
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        count("out_channels", self.out_channels)
        count("groups", self.groups)
        flag("bias", self.bias)
        for name in ("kernel_size", "stride", "dilation"):
            sizes(name, getattr(self, name))

    @property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        """Kernel size, stride and dilation, each for rows and columns."""
        return tuple(sizes(name, getattr(self, name)) for name in ("kernel_size", "stride", "dilation"))

    def _each(self, shape: Shape) -> int:
        """Input maps, and kernels, of one output map."""
        return shape[0] // self.groups

    def _maps(self, shape: Shape) -> tuple[int, int, int]:
        """The input shape, checked to fit the groups."""
        channels, height, width = maps(shape, self.kind)
        if channels % self.groups or self.out_channels % self.groups:
            raise ShapeError(
                f"groups = {self.groups} must divide both the {channels} input channels "
                f"and the {self.out_channels} output channels"
            )
        return channels, height, width

    def _own(self, dweight: Array, dbias: Array) -> dict[str, Array]:
        """Gradients of the parameters that there are, by short name."""
        return {"weight": dweight} | ({"bias": dbias} if self.bias else {})

    def _numbers(self, shape: Shape) -> NDArray[np.intp]:
        """Number of the term in which each value of the weight stands, in a shape that broadcasts to the weight's."""
        raise NotImplementedError

    def _terms(self, site: Site) -> _Terms:
        raise NotImplementedError

    def _parts(self, shape: Shape) -> list[range]:
        """Numbers of the terms of each partial sum; one range where everything goes into one formula."""
        terms = int(self._numbers(shape).max()) + 1
        edges = np.linspace(0, terms, pieces(terms, self._longest_term) + 1).astype(int).tolist()
        return [range(first, last) for first, last in pairwise(edges)]

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        parts = len(self._parts(shape))
        return {"partial": (self.out_channels * parts, *self.output_shape(shape)[1:])} if parts > 1 else {}

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        parts, numbers = self._parts(x.shape[1:]), self._numbers(x.shape[1:])
        if len(parts) == 1:
            return {}
        inside = ((part.start <= numbers) & (numbers < part.stop) for part in parts)
        sums = [self.forward(x, {"weight": np.where(mask, params["weight"], 0.0)}) for mask in inside]
        return {"partial": np.stack(sums, axis=2).reshape(len(x), -1, *sums[0].shape[2:])}

    def formulas(self, site: Site) -> dict[str, Formula]:
        terms, parts = self._terms(site), self._parts(site.source.shape)
        bias = [site["bias"].at(o) for o in range(self.out_channels)] if self.bias else None

        def partial(k: int, y: int, x: int) -> str:
            o, part = k // len(parts), parts[k % len(parts)]
            return total([term for number, term in terms(o, y, x) if number in part])

        def out(o: int, y: int, x: int) -> str:
            if len(parts) == 1:
                summands = [term for _, term in terms(o, y, x)]
            else:
                summands = [site["partial"].blocks[o * len(parts) + i].cell(y, x) for i in range(len(parts))]
            return total(summands + ([bias[o]] if bias else []))

        return {"out": out} if len(parts) == 1 else {"partial": partial, "out": out}

    def _meetings(self, shape: Shape) -> tuple[_Meetings, _Meetings]:
        """What meets along rows and along columns."""
        raise NotImplementedError

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        shape, kernels, outs_in_group = (
            site.source.shape,
            self.kernels(site.source.shape),
            self.out_channels // self.groups,
        )
        pairs = [
            (o, o // outs_in_group * len(planes) + i, plane)
            for o, planes in enumerate(kernels)
            for i, plane in enumerate(planes)
        ]
        rows, columns = self._meetings(shape)

        def source(c: int, y: int, x: int) -> str:
            products = [
                f"{upstream.blocks[o].cell(row, column)}*{site['weight'].blocks[plane].part(ky, kx, 1, 1).reference}"
                for o, i, plane in pairs
                if i == c
                for at, ky, row in rows
                if at == y
                for to, kx, column in columns
                if to == x
            ]
            return total(products)

        def weight(plane: int, ky: int, kx: int) -> str:
            ((o, i),) = [(o, i) for o, i, of in pairs if of == plane]
            products = [
                f"{site.source.blocks[i].other(y, x)}*{upstream.blocks[o].fixed(row, column)}"
                for y, at, row in rows
                if at == ky
                for x, to, column in columns
                if to == kx
            ]
            return total(products)

        bias: dict[str, Formula] = (
            {"bias": lambda plane, y, o: f"SUM({upstream.blocks[o].absolute})"} if self.bias else {}
        )
        return {"input": source, "weight": weight} | bias

    def gradient_words(self) -> dict[str, str]:
        bias = {"bias": "sum of the gradients"} if self.bias else {}
        return {
            "input": "sum of gradient × kernel, over all outputs that read the value",
            "weight": "sum of input window × gradient",
        } | bias

    def torch(self, shape: Shape) -> str:
        options = {k: v for k, v in self.options().items() if k != "out_channels"}
        return f"nn.{self.kind}({', '.join([str(shape[0]), str(self.out_channels), *arguments(options)])})"

    def _words(self, products: str, shape: Shape) -> str:
        channels = "" if self._each(shape) == 1 else f", over {self._each(shape)} channels"
        return f"sum of {products}{channels}" + (" + bias" if self.bias else "")


@dataclass(frozen=True)
class Conv2d(_Kernels):
    """2-D convolution (cross-correlation) with the options of `torch.nn.Conv2d`; in_channels come from the input.

    >>> Conv2d(out_channels=2, kernel_size=3).output_shape((1, 28, 28))
    (2, 26, 26)
    """

    kind: ClassVar[str] = "Conv2d"
    prefix: ClassVar[str] = "conv"
    _longest_term: ClassVar[int] = len("SUMPRODUCT(XFD1000000:XFD1000000,$XFD$1000000:$XFD$1000000)")

    padding_mode: str = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise SpecError(f"padding = {self.padding!r} is neither a size nor 'same' nor 'valid'")
        else:
            sizes("padding", self.padding, least=0)
        if self.padding_mode not in ops.PADDING_MODES:
            raise SpecError(f"padding_mode = {self.padding_mode!r} is none of {', '.join(ops.PADDING_MODES)}")
        self.border(())

    def border(self, shape: Shape) -> Border:
        kernel, stride, dilation = self._pairs
        return Border(*ops.padding_of(self.padding, kernel, dilation, stride), mode=self.padding_mode)

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        border = self.border(shape)
        kernel, stride, dilation = self._pairs
        rows, columns = (
            Field(k, d, s, before)
            for k, d, s, before in zip(kernel, dilation, stride, (border.top, border.left), strict=True)
        )
        return rows, columns

    def output_shape(self, shape: Shape) -> Shape:
        _, height, width = self._maps(shape)
        border, (rows, columns) = self.border(shape), self.fields(shape)
        padded = height + border.top + border.bottom, width + border.left + border.right
        if padded[0] < rows.extent or padded[1] < columns.extent:
            raise ShapeError(
                f"a kernel that covers {rows.extent}×{columns.extent} does not fit "
                f"the padded input of {padded[0]}×{padded[1]}: "
                "choose a smaller kernel_size or dilation, or more padding"
            )
        if border.mode in ("reflect", "circular"):
            room = (height - 1, width - 1) if border.mode == "reflect" else (height, width)
            if max(border.top, border.bottom) > room[0] or max(border.left, border.right) > room[1]:
                raise ShapeError(
                    f"padding_mode {border.mode!r} can pad a {height}×{width} map by at most {room[0]}×{room[1]}, "
                    f"not by {max(border.top, border.bottom)}×{max(border.left, border.right)}"
                )
        return (
            self.out_channels,
            ops.output_size(padded[0], rows.size, rows.stride, 0, rows.dilation),
            ops.output_size(padded[1], columns.size, columns.stride, 0, columns.dilation),
        )

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        weight = {"weight": (self.out_channels, self._each(shape), *self._pairs[0])}
        return weight | ({"bias": (self.out_channels,)} if self.bias else {})

    def kernels(self, shape: Shape) -> list[list[int]]:
        each = self._each(shape)
        return [list(range(o * each, (o + 1) * each)) for o in range(self.out_channels)]

    def spacing(self) -> tuple[int, int]:
        return sizes("dilation", self.dilation)

    def _options(self) -> dict[str, Any]:
        names = ("stride", "padding", "dilation", "groups", "padding_mode")
        return {name: getattr(self, name) for name in names}

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.conv2d(x, params["weight"], params.get("bias"), **self._options())

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        dx, *own = ops.conv2d_backward(grad, x, params["weight"], **self._options())
        return dx, self._own(*own)

    def parameters_backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> dict[str, Array]:
        return self._own(*ops.conv2d_parameters_backward(grad, x, params["weight"], **self._options()))

    def _numbers(self, shape: Shape) -> NDArray[np.intp]:
        return np.arange(self._each(shape)).reshape(1, -1, 1, 1)

    def _terms(self, site: Site) -> _Terms:
        shape, each = site.source.shape, self._each(site.source.shape)
        rows, columns = self.fields(shape)
        weights = [[site["weight"].blocks[plane].absolute for plane in planes] for planes in self.kernels(shape)]
        outs_in_group = self.out_channels // self.groups

        def terms(o: int, y: int, x: int) -> list[tuple[int, str]]:
            first = o // outs_in_group * each
            window = y * rows.stride - rows.before, x * columns.stride - columns.before, rows.extent, columns.extent
            sources = site.source.blocks[first : first + each]
            pairs = zip(sources, weights[o], strict=True)
            return [(i, f"SUMPRODUCT({block.window(*window)},{weight})") for i, (block, weight) in enumerate(pairs)]

        return terms

    def _meetings(self, shape: Shape) -> tuple[_Meetings, _Meetings]:
        border, (_, height, width) = self.border(shape), self.output_shape(shape)
        numbers = [np.arange(1.0, size + 1) for size in shape[1:]]
        rows = ops.pad2d(numbers[0][None, None, :, None], (border.top, border.bottom, 0, 0), border.mode)
        columns = ops.pad2d(numbers[1][None, None, None, :], (0, 0, border.left, border.right), border.mode)

        def meetings(padded: Array, outputs: int, kernel: int, stride: int, dilation: int) -> _Meetings:
            """Every place of the padded input is one of the input, or zero."""
            stands = [int(number) - 1 for number in padded.ravel()]
            pairs = [
                (stands[out * stride + place * dilation], place, out)
                for out in range(outputs)
                for place in range(kernel)
            ]
            return [meeting for meeting in pairs if meeting[0] >= 0]

        down, right = zip(*self._pairs, strict=True)
        return meetings(rows, height, *down), meetings(columns, width, *right)

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        formulas, (rows, columns) = super().gradient_formulas(site, upstream), self.fields(site.source.shape)
        each, outs_in_group = self._each(site.source.shape), self.out_channels // self.groups

        def weight(plane: int, ky: int, kx: int) -> str:
            o, i = divmod(plane, each)
            block, grads = site.source.blocks[o // outs_in_group * each + i], upstream.blocks[o]
            window = block.part(ky * rows.dilation - rows.before, kx * columns.dilation - columns.before, *grads.shape)
            return f"SUMPRODUCT({window.foreign},{grads.absolute})"

        return formulas if (rows.stride, columns.stride) != (1, 1) else formulas | {"weight": weight}

    def words(self, shape: Shape) -> str:
        return self._words("window × kernel", shape)

    def size_formulas(self, shape: Shape, cells: tuple[str, ...]) -> tuple[str, ...]:
        border = self.border(shape)
        padding = border.top + border.bottom, border.left + border.right
        axes = zip(cells[1:], padding, *self._pairs, strict=True)
        return (str(self.out_channels), *(f"INT(({cell}+{p}-{d}*({k}-1)-1)/{s})+1" for cell, p, k, s, d in axes))

    def products(self, shape: Shape) -> tuple[int, ...]:
        return self.parameters(shape)["weight"][1:]


@dataclass(frozen=True)
class ConvTranspose2d(_Kernels):
    """Every input value lays its kernel down, times itself, `stride` places from its neighbour's; overlaps add up.

    The options are those of `torch.nn.ConvTranspose2d`; in_channels come from the input. The formula of a cell names
    the products that meet there.

    >>> ConvTranspose2d(out_channels=2, kernel_size=3, stride=2).output_shape((1, 4, 4))
    (2, 9, 9)
    """

    kind: ClassVar[str] = "ConvTranspose2d"
    prefix: ClassVar[str] = "convt"
    turned: ClassVar[bool] = True
    _longest_term: ClassVar[int] = len("XFD1000000*$XFD$1000000")

    output_padding: int | tuple[int, int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes("padding", self.padding, least=0)
        _, stride, dilation = self._pairs
        extra = sizes("output_padding", self.output_padding, least=0)
        if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
            raise SpecError(
                f"output_padding = {self.output_padding!r} must be smaller than the stride {self.stride!r} "
                f"or the dilation {self.dilation!r}"
            )

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        axes = zip(*self._pairs, sizes("padding", self.padding, least=0), strict=True)
        rows, columns = (Field(k, d, before=d * (k - 1) - p, spread=s) for k, s, d, p in axes)
        return rows, columns

    def output_shape(self, shape: Shape) -> Shape:
        _, *size = self._maps(shape)
        crop, extra = sizes("padding", self.padding, least=0), sizes("output_padding", self.output_padding, least=0)
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

    def _options(self) -> dict[str, Any]:
        names = ("stride", "padding", "output_padding", "dilation", "groups")
        return {name: getattr(self, name) for name in names}

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.conv_transpose2d(x, params["weight"], params.get("bias"), **self._options())

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        dx, *own = ops.conv_transpose2d_backward(grad, x, params["weight"], **self._options())
        return dx, self._own(*own)

    def _numbers(self, shape: Shape) -> NDArray[np.intp]:
        height, width = self._pairs[0]
        of_group = np.arange(self._each(shape) * height * width).reshape(-1, 1, height, width)
        return np.tile(of_group, (self.groups, 1, 1, 1))

    def _terms(self, site: Site) -> _Terms:
        shape, each = site.source.shape, self._each(site.source.shape)
        fields, kernel = self.fields(shape), self._pairs[0]
        kernels, outs_in_group = self.kernels(shape), self.out_channels // self.groups

        def hits(axis: int, position: int) -> list[tuple[int, int]]:
            """Row or column of the kernel, and of the input value that lays it here."""
            taps = fields[axis].taps(position)
            return [(kernel[axis] - 1 - place, index) for place, index in taps if 0 <= index < shape[axis + 1]]

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

    def _meetings(self, shape: Shape) -> tuple[_Meetings, _Meetings]:
        rows, columns = self.fields(shape)

        def meetings(field: Field, size: int, outputs: int) -> _Meetings:
            taps = ((index, field.size - 1 - place, out) for out in range(outputs) for place, index in field.taps(out))
            return [meeting for meeting in taps if 0 <= meeting[0] < size]

        _, height, width = self.output_shape(shape)
        return meetings(rows, shape[1], height), meetings(columns, shape[2], width)

    def words(self, shape: Shape) -> str:
        return self._words("value × kernel, of all that reach here", shape)

    def size_formulas(self, shape: Shape, cells: tuple[str, ...]) -> tuple[str, ...]:
        crop, extra = sizes("padding", self.padding, least=0), sizes("output_padding", self.output_padding, least=0)
        axes = zip(cells[1:], *self._pairs, crop, extra, strict=True)
        return (str(self.out_channels), *(f"({n}-1)*{s}-2*{p}+{d}*({k}-1)+{e}+1" for n, k, s, d, p, e in axes))

    def multiply_adds(self, shape: Shape) -> int:
        return int(np.prod((*shape, *self.parameters(shape)["weight"][1:])))

    def multiply_adds_formula(self, shape: Shape, before: tuple[str, ...], after: tuple[str, ...]) -> str:
        return "*".join((*before, *map(str, self.parameters(shape)["weight"][1:])))


KINDS = (Conv2d, ConvTranspose2d)
