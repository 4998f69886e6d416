"""Layers that summarise windows without weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, ClassVar

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, nested
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import Border, Shape, Site, Sizes, Tensors, arguments
from conv_sheet.layers.field import Field
from conv_sheet.layers.pool_gradients import extreme_gradient, mean_gradient
from conv_sheet.layers.rows import OneRow, Planar
from conv_sheet.layers.said import Said, only
from conv_sheet.ops import Array
from conv_sheet.ops.options import flag

_SIDES = {"1d": ("left", "right"), "2d": ("left", "right", "top", "bottom")}
"""What all sides of maps are, by the end of a kind's name."""


@dataclass(frozen=True)
class _Pool(Planar):
    """What pools of all kinds share. Padding has no cells: windows are cut off where the map ends."""

    prefix: ClassVar[str] = "pool"
    non_negative: ClassVar[bool | None] = None
    _value: ClassVar[str]
    """What a window gives, in words."""

    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] | None = None
    padding: int | tuple[int, ...] = 0

    def __post_init__(self) -> None:
        flag("ceil_mode", self._ceil)
        (rows, columns), border = self.fields(()), self.around
        if max(border.top, border.bottom) > rows.size // 2 or max(border.left, border.right) > columns.size // 2:
            raise SpecError(f"padding = {self.padding!r} is more than half of kernel_size = {self.kernel_size!r}")
        if self._ceil and (border.top, border.left) != (border.bottom, border.right):
            raise SpecError("padding that differs from side to side and ceil_mode together are not known")

    @property
    def _ceil(self) -> bool:
        raise NotImplementedError

    @property
    def _dilation(self) -> tuple[int, int]:
        return 1, 1

    @property
    def around(self) -> Border:
        """What stands around the input, without cells."""
        return Border(*ops.padding_of(self._around(), 1))

    def _totals(self) -> tuple[int, int]:
        """Rows and columns of the border, of both sides together."""
        return self.around.top + self.around.bottom, self.around.left + self.around.right

    def _common(self) -> dict[str, Any]:
        """Options that all pools have, for rows and columns."""
        rows, columns = self.fields(())
        stride = rows.stride, columns.stride
        return {"kernel_size": (rows.size, columns.size), "stride": stride, "padding": self._around()}

    def fields(self, shape: Shape) -> tuple[Field, Field]:
        kernel, border = self._both("kernel_size"), self.around
        stride = kernel if self.stride is None else self._both("stride")
        before = border.top, border.left
        rows, columns = (Field(*axis) for axis in zip(kernel, self._dilation, stride, before, strict=True))
        return rows, columns

    def output_shape(self, shape: Shape) -> Shape:
        channels, *size = self._planes(shape)
        axes = zip(size, self.fields(shape), self._totals(), strict=True)
        height, width = (ops.output_size(n, f.size, f.stride, pad, f.dilation, self._ceil) for n, f, pad in axes)
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

    def sizes(self, shape: Shape, before: Sizes) -> Sizes:
        axes = zip(before[1:], self.fields(shape), self._totals(), strict=True)
        return (before[0], *(field.count(size, pad, self._ceil) for size, field, pad in axes))


@dataclass(frozen=True)
class _Extreme(_Pool):
    """A pool that takes one value of each window."""

    _function: ClassVar[str]
    _theirs: ClassVar[str]
    """PyTorch's name of the kind that takes the largest."""
    said: ClassVar[Mapping[str, Said]] = {"return_indices": only(False)}
    _worse: ClassVar[str]
    """How the other values of a window compare to the one that it gives."""

    dilation: int | tuple[int, ...] = 1
    ceil_mode: bool = False

    @property
    def _ceil(self) -> bool:
        return self.ceil_mode

    @property
    def _dilation(self) -> tuple[int, int]:
        return self._both("dilation")

    @cached_property
    def _options(self) -> dict[str, Any]:
        return self._common() | {"dilation": self._dilation, "ceil_mode": self.ceil_mode}

    def _module(self, pads: str) -> str:
        """The module of PyTorch that pools, `pads` being what its padding is filled with where it has four sides."""
        options = self.options()
        sides = options.get("padding")
        if not isinstance(sides, list) or len(sides) < len(_SIDES[self.kind[-2:]]):
            return f"nn.{self._theirs}({', '.join(arguments(options))})"
        plain = {name: value for name, value in options.items() if name != "padding"}
        pad = f"nn.ConstantPad{self.kind[-2:]}({tuple(sides)}, float('{pads}'))"
        return f"nn.Sequential({pad}, nn.{self._theirs}({', '.join(arguments(plain))}))"

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return nested(self._function, windows)

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return extreme_gradient(site, upstream, self._seen(site.source.shape), self._function, self._worse)

    def gradient_words(self) -> dict[str, str]:
        return {"input": f"gradient for the first {self._value} of each window, 0 for the others"}


class _MaxPool(_Extreme):
    """The largest value of each window."""

    _value: ClassVar[str] = "largest value"
    _function: ClassVar[str] = "MAX"
    _worse: ClassVar[str] = "<"

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.max_pool2d(x, **self._options)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.max_pool2d_backward(grad, x, **self._options), {}

    def torch(self, shape: Shape) -> str:
        return self._module("-inf")


class MaxPool2d(_MaxPool):
    """The largest value of each window, as `torch.nn.MaxPool2d`; `padding` may have four sides too.

    >>> MaxPool2d(2).output_shape((2, 24, 24))
    (2, 12, 12)
    """

    kind: ClassVar[str] = "MaxPool2d"
    _theirs: ClassVar[str] = "MaxPool2d"


class MaxPool1d(OneRow, _MaxPool):
    """The same over maps of one row, as `torch.nn.MaxPool1d`.

    >>> MaxPool1d(2).output_shape((2, 1, 24))
    (2, 1, 12)
    """

    kind: ClassVar[str] = "MaxPool1d"
    _theirs: ClassVar[str] = "MaxPool1d"


class MinPool2d(_Extreme):
    """The smallest value of each window; PyTorch has none, and writes -max_pool(-x).

    >>> MinPool2d(2).torch((2, 24, 24))
    'lambda x: -nn.MaxPool2d(kernel_size=2)(-x)'
    """

    kind: ClassVar[str] = "MinPool2d"
    _theirs: ClassVar[str] = "MaxPool2d"
    _value: ClassVar[str] = "smallest value"
    _function: ClassVar[str] = "MIN"
    _worse: ClassVar[str] = ">"

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.min_pool2d(x, **self._options)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.min_pool2d_backward(grad, x, **self._options), {}

    def torch(self, shape: Shape) -> str:
        return f"lambda x: -{self._module('-inf')}(-x)"


@dataclass(frozen=True)
class _AvgPool(_Pool):
    """The mean of each window."""

    _value: ClassVar[str] = "mean"

    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        flag("count_include_pad", self.count_include_pad)

    @property
    def _ceil(self) -> bool:
        return self.ceil_mode

    @cached_property
    def _options(self) -> dict[str, Any]:
        return self._common() | {"ceil_mode": self.ceil_mode, "count_include_pad": self.count_include_pad}

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.avg_pool2d(x, **self._options)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.avg_pool2d_backward(grad, x, **self._options), {}

    def torch(self, shape: Shape) -> str:
        options, sides = self.options(), self.padding
        if not isinstance(sides, tuple) or len(sides) < len(_SIDES[self.kind[-2:]]):
            return super().torch(shape)
        own = {name: value for name, value in options.items() if name not in ("padding", "count_include_pad")}
        pool = f"nn.{self.kind}({', '.join(arguments(own))})"
        pad = f"nn.ZeroPad{self.kind[-2:]}({sides})"
        if self.count_include_pad:
            return f"nn.Sequential({pad}, {pool})"
        return f"lambda x: {pool}({pad}(x)) / {pool}({pad}(x * 0 + 1))"

    def _counted(self, shape: Shape) -> tuple[list[int], list[int]]:
        """Along rows and along columns: by how many values each output divides."""
        if not self.count_include_pad:
            rows, columns = ([len(indices) for indices in axis] for axis in self._seen(shape))
            return rows, columns
        rows, columns = (
            [sum(index < size + total - field.before for _, index in field.taps(out)) for out in range(outputs)]
            for field, size, outputs, total in zip(
                self.fields(shape), shape[1:], self.output_shape(shape)[1:], self._totals(), strict=True
            )
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
        return self.count_include_pad and self.around != Border()

    def uniform(self, shape: Shape) -> bool:
        axes = zip(self._counted(shape), self.fields(shape), strict=True)
        return not self._sums() or all(set(counted) == {field.size} for counted, field in axes)

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        (rows, columns), every = self.fields(()), ",".join(windows)
        return f"SUM({every})/{rows.size * columns.size}" if self._sums() else f"AVERAGE({every})"

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return mean_gradient(upstream, self._seen(site.source.shape), self._counted(site.source.shape))

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient ÷ number of values in the window"}


class AvgPool2d(_AvgPool):
    """The mean of each window, as `torch.nn.AvgPool2d`: with `count_include_pad`, padding counts as zeros.

    `padding` may have four sides too.

    >>> AvgPool2d(3, padding=1, count_include_pad=False).over(["A1:B2"], {})
    'AVERAGE(A1:B2)'
    >>> AvgPool2d(3, padding=1).over(["A1:B2"], {})
    'SUM(A1:B2)/9'
    """

    kind: ClassVar[str] = "AvgPool2d"


class AvgPool1d(OneRow, _AvgPool):
    """The same over maps of one row, as `torch.nn.AvgPool1d`.

    >>> AvgPool1d(2).output_shape((2, 1, 24))
    (2, 1, 12)
    """

    kind: ClassVar[str] = "AvgPool1d"


def _runs(indices: list[int]) -> list[tuple[int, int]]:
    """First index and length of the one run of neighbours, or of each index where they stand apart."""
    if indices[-1] - indices[0] == len(indices) - 1:
        return [(indices[0], len(indices))]
    return [(index, 1) for index in indices]


KINDS = (MaxPool2d, MaxPool1d, MinPool2d, AvgPool2d, AvgPool1d)
