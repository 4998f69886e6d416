"""What convolutions share: kernels, groups, partial sums, and the gradients of all that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from conv_sheet.cells.formula import Formula, pieces, total
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError
from conv_sheet.layers.base import Shape, Site, Tensors, arguments
from conv_sheet.layers.field import Field
from conv_sheet.layers.rows import Planar
from conv_sheet.layers.said import CHANNELS, Said
from conv_sheet.ops import Array
from conv_sheet.ops.options import count, flag

Meetings = list[tuple[int, int, int]]
"""Along one axis: index of an input value, index in the kernel, and index of the output that gets their product."""

Terms = Callable[[int, int, int], list[tuple[int, str]]]
"""Terms of the sum at (output map, row, column), each with its number among all that this map can have."""


@dataclass(frozen=True)
class Kernels(Planar):
    """Options of convolutions, and partial sums where one formula would be too long."""

    takes_fold: ClassVar[bool] = True
    said: ClassVar[Mapping[str, Said]] = {"in_channels": CHANNELS}
    _longest_term: ClassVar[int]

    out_channels: int
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: int | tuple[int, ...] | str = 0
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        count("out_channels", self.out_channels)
        count("groups", self.groups)
        flag("bias", self.bias)
        _ = self._pairs  # checked where they are read

    @property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        """Kernel size, stride and dilation, each for rows and columns."""
        return tuple(self._both(name) for name in ("kernel_size", "stride", "dilation"))

    def _each(self, shape: Shape) -> int:
        """Input maps, and kernels, of one output map."""
        return shape[0] // self.groups

    def _maps(self, shape: Shape) -> tuple[int, int, int]:
        """The input shape, checked to fit the groups."""
        channels, height, width = self._planes(shape)
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

    def _terms(self, site: Site) -> Terms:
        raise NotImplementedError

    def _moves(self, shape: Shape) -> bool:
        """Whether neighbouring outputs see the same window, moved by one: then all formulas of a map are alike."""
        return self._one_to_one(shape)

    def _across(self, site: Site) -> bool:
        """Whether formulas move from map to map, along with the kernels, because they do not inside of a map."""
        return False

    def _one_to_one(self, shape: Shape) -> bool:
        """Whether a value of an output map sees the one at its position of each input map, as 1×1 kernels do."""
        single = all((f.extent, f.stride, f.spread, f.before) == (1, 1, 1, 0) for f in self.fields(shape))
        return single and self.output_shape(shape)[1:] == shape[1:]

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        raise NotImplementedError

    def _ranges(self, shape: Shape) -> list[range]:
        """Numbers of the terms of each partial sum; one range where everything goes into one formula."""
        terms = int(self._numbers(shape).max()) + 1
        edges = np.linspace(0, terms, pieces(terms, self._longest_term) + 1).astype(int).tolist()
        return [range(first, last) for first, last in pairwise(edges)]

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        sums = len(self._ranges(shape))
        return {"partial": (self.out_channels * sums, *self.output_shape(shape)[1:])} if sums > 1 else {}

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        ranges, numbers = self._ranges(x.shape[1:]), self._numbers(x.shape[1:])
        if len(ranges) == 1:
            return {}
        inside = ((r.start <= numbers) & (numbers < r.stop) for r in ranges)
        sums = [self.forward(x, {"weight": np.where(mask, params["weight"], 0.0)}) for mask in inside]
        return {"partial": np.stack(sums, axis=2).reshape(len(x), -1, *sums[0].shape[2:])}

    def formulas(self, site: Site) -> dict[str, Formula]:
        terms, ranges = self._terms(site), self._ranges(site.source.shape)
        across = self._across(site)
        own = range(self.out_channels if self.bias else 0)
        bias = [site["bias"].cell(0, o, 0) if across else site["bias"].at(o) for o in own]

        def partly(k: int, y: int, x: int) -> str:
            o, numbers = k // len(ranges), ranges[k % len(ranges)]
            return total([term for number, term in terms(o, y, x) if number in numbers])

        def out(o: int, y: int, x: int) -> str:
            if len(ranges) == 1:
                summands = [term for _, term in terms(o, y, x)]
            else:
                summands = [site["partial"].blocks[o * len(ranges) + i].cell(y, x) for i in range(len(ranges))]
            return total(summands + bias[o : o + 1])

        moves = self._moves(site.source.shape)
        made = {"out": Formula(out, moves, across)}
        return made if len(ranges) == 1 else {"partial": Formula(partly, moves), **made}

    def _meetings(self, shape: Shape) -> tuple[Meetings, Meetings]:
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

        bias = {"bias": Formula(lambda plane, y, o: f"SUM({upstream.blocks[o].absolute})")} if self.bias else {}
        return {"input": Formula(source, self._one_to_one(shape)), "weight": Formula(weight)} | bias

    def gradient_words(self) -> dict[str, str]:
        bias = {"bias": "sum of the gradients"} if self.bias else {}
        return {
            "input": "sum of gradient × kernel, over all outputs that read the value",
            "weight": "sum of input window × gradient",
        } | bias

    def torch(self, shape: Shape) -> str:
        options = {k: v for k, v in self.options().items() if k != "out_channels"}
        return f"nn.{self.kind}({', '.join([str(shape[0]), str(self.out_channels), *arguments(options)])})"

    def _words(self, products: str, over: str, shape: Shape) -> str:
        channels = f"{self._each(shape)} input channels" if self._each(shape) > 1 else ""
        ranges = " and ".join(filter(None, (over, channels)))
        return f"sum of {products}" + f" over {ranges}" * bool(ranges) + ", plus bias" * self.bias
