"""Layers that summarise windows without weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, ClassVar

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, nested, total
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, arguments, maps
from conv_sheet.layers.field import Field
from conv_sheet.ops import Array
from conv_sheet.ops.options import flag, sizes


@dataclass(frozen=True)
class _Pool(Layer):
    """What pools of all kinds share. Padding has no cells: windows are cut off where the map ends."""

    prefix: ClassVar[str] = "pool"
    non_negative: ClassVar[bool | None] = None
    _value: ClassVar[str]
    """What a window gives, in words."""

    kernel_size: int | tuple[int, int]
    stride: int | tuple[int, int] | None = None
    padding: int | tuple[int, int] = 0

    def __post_init__(self) -> None:
        sizes("kernel_size", self.kernel_size)
        if self.stride is not None:
            sizes("stride", self.stride)
        flag("ceil_mode", self._ceil)
        if any(field.before > field.size // 2 for field in self.fields(())):
            raise SpecError(f"padding = {self.padding!r} is more than half of kernel_size = {self.kernel_size!r}")

    @property
    def _ceil(self) -> bool:
        raise NotImplementedError

    @property
    def _dilation(self) -> tuple[int, int]:
        return 1, 1

    @property
    def _padding(self) -> tuple[int, int]:
        return sizes("padding", self.padding, least=0)

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        kernel = sizes("kernel_size", self.kernel_size)
        stride = kernel if self.stride is None else sizes("stride", self.stride)
        rows, columns = (Field(*axis) for axis in zip(kernel, self._dilation, stride, self._padding, strict=True))
        return rows, columns

    def output_shape(self, shape: Shape) -> Shape:
        channels, *size = maps(shape, self.kind)
        axes = zip(size, self.fields(shape), strict=True)
        height, width = (ops.output_size(n, f.size, f.stride, 2 * f.before, f.dilation, self._ceil) for n, f in axes)
        for n, field, outputs in zip(size, self.fields(shape), (height, width), strict=True):
            if not all(any(0 <= i < n for _, i in field.taps(at)) for at in range(outputs)):
                raise ShapeError(
                    f"with dilation = {self._dilation} some windows would see nothing but padding of the "
                    f"{size[0]}×{size[1]} input: use less dilation or padding"
                )
        return channels, height, width

    def _seen(self, shape: Shape) -> tuple[list[list[int]], list[list[int]]]:
        """Along rows and along columns: for each output the indices of the input values in its window."""
        rows, columns = (
            [[index for _, index in field.taps(out) if 0 <= index < size] for out in range(outputs)]
            for field, size, outputs in zip(self.fields(shape), shape[1:], self.output_shape(shape)[1:], strict=True)
        )
        return rows, columns

    def _windows(self, source: Placed) -> Callable[[int, int, int], list[str]]:
        """Addresses of the cells that the output at (map, row, column) looks at: its window, cut off at the edges."""
        runs = [list(map(_runs, axis)) for axis in self._seen(source.shape)]

        def windows(plane: int, y: int, x: int) -> list[str]:
            block, areas = source.blocks[plane], product(runs[0][y], runs[1][x])
            return [block.window(row, column, height, width) for (row, height), (column, width) in areas]

        return windows

    @property
    def _moves(self) -> bool:
        """Whether neighbouring outputs see the same window, moved by one."""
        return all(field.stride == 1 and field.before == 0 for field in self.fields(()))

    def formulas(self, site: Site) -> dict[str, Formula]:
        windows = self._windows(site.source)
        return {"out": Formula(lambda plane, y, x: self.over(windows(plane, y, x), {}), self._moves)}

    def words(self, shape: Shape) -> str:
        rows, columns = self.fields(shape)
        return f"{self._value} of each {rows.size}×{columns.size} window"

    def size_formulas(self, shape: Shape, cells: tuple[str, ...]) -> tuple[str, ...]:
        axes = zip(cells[1:], self.fields(shape), strict=True)
        return (cells[0], *(field.count_formula(cell, 2 * field.before, self._ceil) for cell, field in axes))


@dataclass(frozen=True)
class _Extreme(_Pool):
    """A pool that takes one value of each window."""

    _function: ClassVar[str]
    _worse: ClassVar[str]
    """How the other values of a window compare to the one that it gives."""

    dilation: int | tuple[int, int] = 1
    ceil_mode: bool = False

    @property
    def _ceil(self) -> bool:
        return self.ceil_mode

    @property
    def _dilation(self) -> tuple[int, int]:
        return sizes("dilation", self.dilation)

    def _options(self) -> dict[str, Any]:
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        return {name: getattr(self, name) for name in names}

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return nested(self._function, windows)

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        rows, columns = self._seen(site.source.shape)

        def wins(block: Block, out: str, y: int, x: int, window: tuple[list[int], list[int]]) -> str:
            """Whether a value is the one that its window gives, and none before it is."""
            ys, xs = window
            before = [*_areas(block, ys[: ys.index(y)], xs), *_areas(block, [y], xs[: xs.index(x)])]
            equal = f"{block.other(y, x)}={out}"
            return f"AND({equal},{nested(self._function, before)}{self._worse}{out})" if before else equal

        def source(c: int, y: int, x: int) -> str:
            block, outs, grads = site.source.blocks[c], site["out"].blocks[c], upstream.blocks[c]
            shares = [
                f"IF({wins(block, outs.other(row, column), y, x, (ys, xs))},{grads.cell(row, column)},0)"
                for row, ys in enumerate(rows)
                if y in ys
                for column, xs in enumerate(columns)
                if x in xs
            ]
            return total(shares)

        return {"input": Formula(source)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": f"gradient for the first {self._value} of each window, 0 for the others"}


@dataclass(frozen=True)
class MaxPool2d(_Extreme):
    """The largest value of each window, as `torch.nn.MaxPool2d`.

    >>> MaxPool2d(2).output_shape((2, 24, 24))
    (2, 12, 12)
    """

    kind: ClassVar[str] = "MaxPool2d"
    _value: ClassVar[str] = "largest value"
    _function: ClassVar[str] = "MAX"
    _worse: ClassVar[str] = "<"

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.max_pool2d(x, **self._options())

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.max_pool2d_backward(grad, x, **self._options()), {}


@dataclass(frozen=True)
class MinPool2d(_Extreme):
    """The smallest value of each window; PyTorch has none, and writes -max_pool(-x).

    >>> MinPool2d(2).torch((2, 24, 24))
    'lambda x: -nn.MaxPool2d(kernel_size=2)(-x)'
    """

    kind: ClassVar[str] = "MinPool2d"
    _value: ClassVar[str] = "smallest value"
    _function: ClassVar[str] = "MIN"
    _worse: ClassVar[str] = ">"

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.min_pool2d(x, **self._options())

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.min_pool2d_backward(grad, x, **self._options()), {}

    def torch(self, shape: Shape) -> str:
        return f"lambda x: -nn.MaxPool2d({', '.join(arguments(self.options()))})(-x)"


@dataclass(frozen=True)
class AvgPool2d(_Pool):
    """The mean of each window, as `torch.nn.AvgPool2d`: with `count_include_pad`, padding counts as zeros.

    >>> AvgPool2d(3, padding=1, count_include_pad=False).over(["A1:B2"], {})
    'AVERAGE(A1:B2)'
    >>> AvgPool2d(3, padding=1).over(["A1:B2"], {})
    'SUM(A1:B2)/9'
    """

    kind: ClassVar[str] = "AvgPool2d"
    _value: ClassVar[str] = "mean"

    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        flag("count_include_pad", self.count_include_pad)

    @property
    def _ceil(self) -> bool:
        return self.ceil_mode

    def _options(self) -> dict[str, Any]:
        names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
        return {name: getattr(self, name) for name in names}

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.avg_pool2d(x, **self._options())

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.avg_pool2d_backward(grad, x, **self._options()), {}

    def _counted(self, shape: Shape) -> tuple[list[int], list[int]]:
        """Along rows and along columns: by how many values each output divides."""
        if not self.count_include_pad:
            rows, columns = ([len(indices) for indices in axis] for axis in self._seen(shape))
            return rows, columns
        rows, columns = (
            [sum(index < size + field.before for _, index in field.taps(out)) for out in range(outputs)]
            for field, size, outputs in zip(self.fields(shape), shape[1:], self.output_shape(shape)[1:], strict=True)
        )
        return rows, columns

    def formulas(self, site: Site) -> dict[str, Formula]:
        windows, counted = self._windows(site.source), self._counted(site.source.shape)
        seen = [[len(indices) for indices in axis] for axis in self._seen(site.source.shape)]

        def out(plane: int, y: int, x: int) -> str:
            (window,), count = windows(plane, y, x), counted[0][y] * counted[1][x]
            return f"AVERAGE({window})" if count == seen[0][y] * seen[1][x] else f"SUM({window})/{count}"

        return {"out": Formula(out, self._moves)}

    def _sums(self) -> bool:
        """Whether padding counts, so that a window cut off at an edge is no plain average."""
        return self.count_include_pad and self._padding != (0, 0)

    def uniform(self, shape: Shape) -> bool:
        axes = zip(self._counted(shape), self.fields(shape), strict=True)
        return not self._sums() or all(set(counted) == {field.size} for counted, field in axes)

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        (rows, columns), every = self.fields(()), ",".join(windows)
        return f"SUM({every})/{rows.size * columns.size}" if self._sums() else f"AVERAGE({every})"

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        seen, counted = self._seen(site.source.shape), self._counted(site.source.shape)

        def source(c: int, y: int, x: int) -> str:
            shares = [
                f"{upstream.blocks[c].cell(row, column)}/{counted[0][row] * counted[1][column]}"
                for row, ys in enumerate(seen[0])
                if y in ys
                for column, xs in enumerate(seen[1])
                if x in xs
            ]
            return total(shares)

        return {"input": Formula(source)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient ÷ number of values in the window"}


@dataclass(frozen=True)
class AdaptiveAvgPool2d(Layer):
    """The mean of each map, as `torch.nn.AdaptiveAvgPool2d(1)`; also called global average pooling.

    >>> AdaptiveAvgPool2d(1).output_shape((16, 7, 5))
    (16, 1, 1)
    """

    kind: ClassVar[str] = "AdaptiveAvgPool2d"
    prefix: ClassVar[str] = "pool"
    non_negative: ClassVar[bool | None] = None

    output_size: int | tuple[int, int]

    def __post_init__(self) -> None:
        if sizes("output_size", self.output_size) != (1, 1):
            raise SpecError(f"output_size = {self.output_size!r} must be 1: use AvgPool2d for more than one mean a map")

    def output_shape(self, shape: Shape) -> Shape:
        return maps(shape, self.kind)[0], 1, 1

    def fields(self, shape: Shape) -> None:
        return None

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.adaptive_avg_pool2d(x)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.adaptive_avg_pool2d_backward(grad, x), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        return {"out": Formula(lambda plane, y, x: self.over([site.source.blocks[plane].relative], {}))}

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return f"AVERAGE({','.join(windows)})"

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        count = prod(site.source.shape[1:])
        return {"input": Formula(lambda plane, y, x: f"{upstream.blocks[plane].fixed()}/{count}", shared=True)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient ÷ number of values in the map"}

    def words(self, shape: Shape) -> str:
        return "mean of a whole map"

    def size_formulas(self, shape: Shape, cells: tuple[str, ...]) -> tuple[str, ...]:
        return cells[0], "1", "1"


def _runs(indices: list[int]) -> list[tuple[int, int]]:
    """First index and length of the one run of neighbours, or of each index where they stand apart."""
    if indices[-1] - indices[0] == len(indices) - 1:
        return [(indices[0], len(indices))]
    return [(index, 1) for index in indices]


def _areas(block: Block, rows: list[int], columns: list[int]) -> list[str]:
    """Addresses, for other sheets, of the values in some rows and columns; one for all where they are neighbours."""
    if rows and columns and rows[-1] - rows[0] == len(rows) - 1 and columns[-1] - columns[0] == len(columns) - 1:
        return [block.part(rows[0], columns[0], len(rows), len(columns)).foreign]
    return [block.other(row, column) for row, column in product(rows, columns)]


KINDS = (MaxPool2d, MinPool2d, AvgPool2d, AdaptiveAvgPool2d)
