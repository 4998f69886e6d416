"""Layers that join what they read."""

from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

import numpy as np

from conv_sheet.cells.expr import largest
from conv_sheet.cells.formula import Formula, total
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import Layer, Shape, Site, Sizes, Tensors
from conv_sheet.ops import Array


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


class _Elementwise(_Join):
    """What combines the values at one position.

    An input may have one value for each map, (C, 1, 1) or a vector (C,), or one map for all, (1, H, W), as gates have.
    """

    _does: ClassVar[str]

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        super().joined_shape(shapes)
        rank = max(map(len, shapes))
        padded = [shape if len(shape) == rank else (*shape, 1, 1) for shape in shapes]
        largest = tuple(map(max, zip(*padded, strict=True)))
        for shape in padded:
            spread = shape[1:] in (largest[1:], (1, 1)) if rank == 3 else shape == largest
            if not spread or shape[0] not in (1, largest[0]):
                raise ShapeError(
                    f"it {self._does} values at the same positions: its inputs must have one shape, one value a map, "
                    "or one map"
                )
        return largest

    def joined_sizes(self, shape: Shape, before: Sequence[Sizes]) -> Sizes:
        axes = ([sizes[axis] for sizes in before if len(sizes) > axis] for axis in range(len(shape)))
        return tuple(largest(*axis) for axis in axes)

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return {}  # it has no parameters, and each input has a formula of its own


class Add(_Elementwise):
    """The sum of the inputs, value by value, as `x1 + x2` in PyTorch.

    An input may have one value for each map, (C, 1, 1) or a vector (C,), or one map for all, (1, H, W).

    >>> Add().joined_forward([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])], {}).tolist()
    [[4.0, 6.0]]
    """

    kind: ClassVar[str] = "Add"
    prefix: ClassVar[str] = "add"
    takes_fold: ClassVar[bool] = True
    _does: ClassVar[str] = "adds"

    def joined_forward(self, xs: Sequence[Array], params: Tensors) -> Array:
        rank = max(x.ndim for x in xs)
        result = _spread(xs[0], rank) + _spread(xs[1], rank)
        for x in xs[2:]:
            result = result + _spread(x, rank)
        return result

    def joined_backward(
        self, grad: Array, xs: Sequence[Array], y: Array, params: Tensors
    ) -> tuple[tuple[Array, ...], dict[str, Array]]:
        return tuple(_gathered(grad, own) for own in xs), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        shape = _joined_of(site)

        def out(plane: int, y: int, x: int) -> str:
            return total(
                [
                    source.cell(plane, y, x) if source.shape == shape else _repeated(source, len(shape), plane, y, x)
                    for source in site.sources
                ]
            )

        return {"out": Formula(out, shared=all(s.regular or s.shape != shape for s in site.sources))}

    def joined_gradient_formulas(self, site: Site, upstream: Placed) -> tuple[Formula, ...]:
        return tuple(_sum_gradient(source, upstream) for source in site.sources)

    def gradient_words(self) -> dict[str, str]:
        return {"input": "the gradient, the same for each input, summed where the input was repeated"}

    def joined_torch(self, names: Sequence[str], shape: Shape) -> str:
        return " + ".join(names)

    def words(self, shape: Shape) -> str:
        return "sum of the values at the same position of each input"


class Mul(_Elementwise):
    """The product of the inputs, value by value, as `x1 * x2` in PyTorch.

    An input may have one value for each map, (C, 1, 1) or a vector (C,), or one map for all, (1, H, W), as gates have.

    >>> Mul().joined_shape([(3, 6, 6), (3, 1, 1)]), Mul().joined_shape([(3,), (3, 6, 6)])
    ((3, 6, 6), (3, 6, 6))
    """

    kind: ClassVar[str] = "Mul"
    prefix: ClassVar[str] = "mul"
    _does: ClassVar[str] = "multiplies"

    def joined_forward(self, xs: Sequence[Array], params: Tensors) -> Array:
        rank = max(x.ndim for x in xs)
        result = _spread(xs[0], rank)
        for x in xs[1:]:
            result = result * _spread(x, rank)
        return result

    def joined_backward(
        self, grad: Array, xs: Sequence[Array], y: Array, params: Tensors
    ) -> tuple[tuple[Array, ...], dict[str, Array]]:
        found = []
        for number, own in enumerate(xs):
            product = grad
            for other in (*xs[:number], *xs[number + 1 :]):
                product = product * _spread(other, grad.ndim)
            found.append(_gathered(product, own))
        return tuple(found), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        rank = max(len(source.shape) for source in site.sources)

        def out(plane: int, y: int, x: int) -> str:
            return "*".join(_repeated(source, rank, plane, y, x) for source in site.sources)

        return {"out": Formula(out, shared=rank == 3 or all(source.regular for source in site.sources))}

    def joined_gradient_formulas(self, site: Site, upstream: Placed) -> tuple[Formula, ...]:
        return tuple(_product_gradient(site, upstream, number) for number in range(len(site.sources)))

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient × the other inputs, summed where the input was repeated"}

    def joined_torch(self, names: Sequence[str], shape: Shape) -> str:
        return " * ".join(names)

    def words(self, shape: Shape) -> str:
        return "product of the values at the same position of each input"


def _spread(x: Array, rank: int) -> Array:
    """A batch of vectors as one of maps of one value, where there are maps."""
    return x.reshape(*x.shape, *(1,) * (rank - x.ndim))


def _gathered(grad: Array, own: Array) -> Array:
    """The gradient of an input from that of every place where it was repeated."""
    shape = _spread(own, grad.ndim).shape
    summed = tuple(axis for axis in range(1, grad.ndim) if shape[axis] < grad.shape[axis])
    return grad.sum(axis=summed, keepdims=True).reshape(own.shape) if summed else grad.reshape(own.shape)


def _joined_of(site: Site) -> Shape:
    """Shape of the output: of the largest inputs, of each axis."""
    rank = max(len(source.shape) for source in site.sources)
    padded = [source.shape if len(source.shape) == rank else (*source.shape, 1, 1) for source in site.sources]
    return tuple(map(max, zip(*padded, strict=True)))


def _repeated(source: Placed, rank: int, plane: int, y: int, x: int, other: bool = False) -> str:
    """Address of an input's value: one for all of a map is fixed, and a map for all is the first one."""
    if len(source.shape) == rank and (rank == 1 or source.shape[1:] != (1, 1)):
        plane = plane if rank == 1 or source.shape[0] > 1 else 0
        return source.other(plane, y, x) if other else source.cell(plane, y, x)
    block, row, column = source.locate(plane if source.shape[0] > 1 else 0)
    return block.part(row, column, 1, 1).reference if other else block.fixed(row, column)


def _sum_gradient(own: Placed, upstream: Placed) -> Formula:
    """Formula of the gradient of one input of a sum: the gradient, summed over what the input is repeated for."""
    rank, maps = len(upstream.shape), upstream.shape[0]
    if own.shape == upstream.shape:
        return Formula(upstream.cell, shared=upstream.regular)
    every_map, every_place = own.shape[0] < maps, (*own.shape, 1, 1)[1:3] != upstream.shape[1:]

    def of_input(plane: int, y: int, x: int) -> str:
        plane, y, x = (y + x, 0, 0) if len(own.shape) < rank else (plane, y, x)
        planes = range(maps) if every_map else (plane,)
        if every_place:
            return f"SUM({','.join(upstream.blocks[n].absolute for n in planes)})"
        return total([upstream.cell(n, y, x) for n in planes])

    return Formula(of_input, shared=upstream.regular and not every_place and len(own.shape) == rank)


def _product_gradient(site: Site, upstream: Placed, number: int) -> Formula:
    """Formula of the gradient of one input of a product: the gradient times the others, summed over what it is for."""
    own = site.sources[number]
    others = [*site.sources[:number], *site.sources[number + 1 :]]
    rank, maps = len(upstream.shape), upstream.shape[0]
    every_map = rank == 3 and own.shape[0] < maps
    every_place = rank == 3 and (*own.shape, 1, 1)[1:3] != upstream.shape[1:]

    def product(plane: int, y: int, x: int) -> str:
        """In one place, or summed over a map."""
        if not every_place:
            return "*".join([upstream.cell(plane, y, x), *(_repeated(o, rank, plane, y, x, True) for o in others)])
        full = [o for o in others if len(o.shape) == 3 and o.shape[1:] == upstream.shape[1:]]
        ranges = [o.blocks[plane if o.shape[0] > 1 else 0].reference for o in full]
        single = [_repeated(o, rank, plane, 0, 0, True) for o in others if o not in full]
        return "*".join([f"SUMPRODUCT({','.join([upstream.blocks[plane].absolute, *ranges])})", *single])

    def of_input(plane: int, y: int, x: int) -> str:
        at = (y + x, 0, 0) if len(own.shape) < rank else (plane, y, x)
        return total([product(each, *at[1:]) for each in range(maps)]) if every_map else product(*at)

    alike = own.regular and upstream.regular and all(o.regular for o in others)
    return Formula(of_input, shared=alike and not every_place and len(own.shape) == rank)


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

    def joined_sizes(self, shape: Shape, before: Sequence[Sizes]) -> Sizes:
        (first, *_), *others = before
        return sum((channels for channels, *_ in others), start=first), *before[0][1:]


def _behind(placed: Placed, start: int) -> Formula:
    """Formula of the values of a tensor from one of its maps on, or from one of its values on where it is a vector."""

    def value(plane: int, y: int, x: int) -> str:
        return placed.cell(start + plane, y, x) if len(placed.shape) == 3 else placed.cell(0, start + y, x)

    return Formula(value, shared=placed.regular)


KINDS = (Add, Mul, Concat)
