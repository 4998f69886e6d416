"""Pools that give as many values as are asked for, whatever they read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from conv_sheet import ops
from conv_sheet.cells.expr import of
from conv_sheet.cells.formula import Formula
from conv_sheet.cells.grid import Placed
from conv_sheet.layers.base import Shape, Site, Sizes, Tensors
from conv_sheet.layers.field import Field, Shares
from conv_sheet.layers.pool_gradients import Counted, Seen, extreme_gradient, mean_gradient
from conv_sheet.layers.rows import OneRow, Planar
from conv_sheet.layers.said import Said, only
from conv_sheet.ops import Array


@dataclass(frozen=True)
class _Adaptive(Planar):
    """Windows that share each map as evenly as they can; they overlap where it cannot be divided."""

    prefix: ClassVar[str] = "pool"
    non_negative: ClassVar[bool | None] = None
    _value: ClassVar[str]
    """What a window gives, in words."""
    _function: ClassVar[str]

    output_size: int | tuple[int, ...]

    def __post_init__(self) -> None:
        self._both("output_size")

    def output_shape(self, shape: Shape) -> Shape:
        return self._planes(shape)[0], *self._both("output_size")

    def fields(self, shape: Shape) -> tuple[Field, Field] | None:
        if self._both("output_size") == (1, 1):
            return None
        rows, columns = (
            Field(size // out, stride=size // out) if size % out == 0 else Shares.of(size, out)
            for size, out in zip(shape[1:], self._both("output_size"), strict=True)
        )
        return rows, columns

    def uniform(self, shape: Shape) -> bool:
        return all(size % out == 0 for size, out in zip(shape[1:], self._both("output_size"), strict=True))

    def _shares(self, shape: Shape) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        rows, columns = (ops.shares(*axis) for axis in zip(shape[1:], self._both("output_size"), strict=True))
        return rows, columns

    def _seen(self, shape: Shape) -> Seen:
        rows, columns = ([list(range(*share)) for share in axis] for axis in self._shares(shape))
        return rows, columns

    def formulas(self, site: Site) -> dict[str, Formula]:
        rows, columns = self._shares(site.source.shape)

        def out(plane: int, y: int, x: int) -> str:
            (top, bottom), (left, right) = rows[y], columns[x]
            window = site.source.blocks[plane].window(top, left, bottom - top, right - left)
            return self.over([window], {})

        moves = ({(first - at, end - at) for at, (first, end) in enumerate(axis)} for axis in (rows, columns))
        alike = all(len(each) == 1 for each in moves)
        return {"out": Formula(out, shared=alike)}

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return f"{self._function}({','.join(windows)})"

    def words(self, shape: Shape) -> str:
        rows, columns = self._both("output_size")
        return f"{self._value} of {'a whole map' if (rows, columns) == (1, 1) else f'one of {rows}×{columns} windows'}"

    def sizes(self, shape: Shape, before: Sizes) -> Sizes:
        return before[0], *map(of, self._both("output_size"))


class _AdaptiveAvgPool(_Adaptive):
    """Means."""

    _value: ClassVar[str] = "mean"
    _function: ClassVar[str] = "AVERAGE"

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.adaptive_avg_pool2d(x, self._both("output_size"))

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.adaptive_avg_pool2d_backward(grad, x), {}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        if self._both("output_size") == (1, 1):
            count = prod(site.source.shape[1:])
            return {"input": Formula(lambda plane, y, x: f"{upstream.blocks[plane].fixed()}/{count}", shared=True)}
        rows, columns = ([end - first for first, end in axis] for axis in self._shares(site.source.shape))
        counted: Counted = rows, columns
        return mean_gradient(upstream, self._seen(site.source.shape), counted)

    def gradient_words(self) -> dict[str, str]:
        alone = self._both("output_size") == (1, 1)
        return {"input": f"gradient ÷ number of values in the {'map' if alone else 'window'}"}


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means of so many windows, as `torch.nn.AdaptiveAvgPool2d`; with 1, of each map: global average pooling.

    >>> AdaptiveAvgPool2d(1).output_shape((16, 7, 5)), AdaptiveAvgPool2d((3, 2)).output_shape((16, 7, 5))
    ((16, 1, 1), (16, 3, 2))
    """

    kind: ClassVar[str] = "AdaptiveAvgPool2d"


class AdaptiveAvgPool1d(OneRow, _AdaptiveAvgPool):
    """The same over maps of one row, as `torch.nn.AdaptiveAvgPool1d`.

    >>> AdaptiveAvgPool1d(1).output_shape((16, 1, 64))
    (16, 1, 1)
    """

    kind: ClassVar[str] = "AdaptiveAvgPool1d"


class _AdaptiveMaxPool(_Adaptive):
    """Largest values."""

    said: ClassVar[Mapping[str, Said]] = {"return_indices": only(False)}
    _value: ClassVar[str] = "largest value"
    _function: ClassVar[str] = "MAX"

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.adaptive_max_pool2d(x, self._both("output_size"))

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.adaptive_max_pool2d_backward(grad, x), {}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return extreme_gradient(site, upstream, self._seen(site.source.shape), "MAX", "<")

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient for the first largest value of each window, 0 for the others"}


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Largest values of so many windows, as `torch.nn.AdaptiveMaxPool2d`.

    >>> AdaptiveMaxPool2d(1).over(["A1:C3"], {})
    'MAX(A1:C3)'
    """

    kind: ClassVar[str] = "AdaptiveMaxPool2d"


class AdaptiveMaxPool1d(OneRow, _AdaptiveMaxPool):
    """The same over maps of one row, as `torch.nn.AdaptiveMaxPool1d`.

    >>> AdaptiveMaxPool1d(2).output_shape((16, 1, 64))
    (16, 1, 2)
    """

    kind: ClassVar[str] = "AdaptiveMaxPool1d"


KINDS = (AdaptiveAvgPool2d, AdaptiveAvgPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool1d)
