"""Layers that join what they read."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np

from conv_sheet.cells.formula import Formula, total
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors
from conv_sheet.ops import Array


@dataclass(frozen=True)
class _Join(Layer):
    """What layers with several inputs share."""

    joins: ClassVar[bool] = True
    non_negative: ClassVar[bool | None] = None

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        if len(shapes) < 2:
            raise SpecError('it joins two inputs or more: add a line such as inputs = ["conv1", "conv2"]')
        return shapes[0]

    def torch(self, shape: Shape) -> str:
        raise NotImplementedError  # without the names of the inputs there is nothing to write


@dataclass(frozen=True)
class Add(_Join):
    """The sum of the inputs, value by value, as `x1 + x2` in PyTorch; all have one shape.

    >>> Add().joined_forward([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])], {}).tolist()
    [[4.0, 6.0]]
    """

    kind: ClassVar[str] = "Add"
    prefix: ClassVar[str] = "add"
    takes_fold: ClassVar[bool] = True

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        if len(set(shapes)) > 1:
            raise ShapeError("it adds values at the same positions: all its inputs must have one shape")
        return super().joined_shape(shapes)

    def joined_forward(self, xs: Sequence[Array], params: Tensors) -> Array:
        result = xs[0] + xs[1]
        for x in xs[2:]:
            result += x
        return result

    def joined_backward(
        self, grad: Array, xs: Sequence[Array], y: Array, params: Tensors
    ) -> tuple[tuple[Array, ...], dict[str, Array]]:
        return (grad,) * len(xs), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        def out(plane: int, y: int, x: int) -> str:
            return total([source.cell(plane, y, x) for source in site.sources])

        return {"out": Formula(out, shared=all(source.regular for source in site.sources))}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return {"input": Formula(upstream.cell, shared=upstream.regular)}

    def joined_gradient_formulas(self, site: Site, upstream: Placed) -> tuple[Formula, ...]:
        return (self.gradient_formulas(site, upstream)["input"],) * len(site.sources)

    def gradient_words(self) -> dict[str, str]:
        return {"input": "the gradient, the same for each input"}

    def joined_torch(self, names: Sequence[str], shape: Shape) -> str:
        return " + ".join(names)

    def words(self, shape: Shape) -> str:
        return "sum of the values at the same position of each input"


@dataclass(frozen=True)
class Concat(_Join):
    """The maps of all inputs, or the values of vectors, one after the other, as `torch.cat([x1, x2], dim=1)`.

    >>> Concat().joined_shape([(2, 6, 6), (3, 6, 6)]), Concat().joined_shape([(4,), (1,)])
    ((5, 6, 6), (5,))
    """

    kind: ClassVar[str] = "Concat"
    prefix: ClassVar[str] = "concat"
    keeps_values: ClassVar[bool] = True
    has_cells: ClassVar[bool] = False

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        first = super().joined_shape(shapes)
        if len({shape[1:] for shape in shapes}) > 1:
            raise ShapeError("it puts maps behind each other: all its inputs must have one height and one width")
        return sum(shape[0] for shape in shapes), *first[1:]

    def joined_forward(self, xs: Sequence[Array], params: Tensors) -> Array:
        return np.concatenate(xs, axis=1)

    def joined_backward(
        self, grad: Array, xs: Sequence[Array], y: Array, params: Tensors
    ) -> tuple[tuple[Array, ...], dict[str, Array]]:
        ends = list(accumulate(x.shape[1] for x in xs))
        return tuple(np.split(grad, ends[:-1], axis=1)), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        return {}  # its output is its inputs' cells

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return {}  # it has no parameters, and each input has a formula of its own

    def joined_gradient_formulas(self, site: Site, upstream: Placed) -> tuple[Formula, ...]:
        starts = accumulate((source.shape[0] for source in site.sources), initial=0)
        return tuple(_behind(upstream, start) for start, _ in zip(starts, site.sources, strict=False))

    def gradient_words(self) -> dict[str, str]:
        return {"input": "the gradients of the input's own maps or values"}

    def joined_torch(self, names: Sequence[str], shape: Shape) -> str:
        return f"torch.cat([{', '.join(names)}], dim=1)"

    def words(self, shape: Shape) -> str:
        return "all inputs, one after the other"

    def joined_size_formulas(self, shape: Shape, cells: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
        return "+".join(first for first, *_ in cells), *cells[0][1:]


def _behind(placed: Placed, start: int) -> Formula:
    """Formula of the values of a tensor from one of its maps on, or from one of its values on where it is a vector."""

    def value(plane: int, y: int, x: int) -> str:
        return placed.cell(start + plane, y, x) if len(placed.shape) == 3 else placed.cell(0, start + y, x)

    return Formula(value, shared=placed.regular)


KINDS = (Add, Concat)
