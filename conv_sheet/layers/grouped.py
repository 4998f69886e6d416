"""What normalisations share that take mean and variance from the values themselves."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from conv_sheet import ops
from conv_sheet.cells.formula import MAX_ARGUMENTS, Formula, nested, number, total
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, beside, beside_other
from conv_sheet.ops import Array


@dataclass(frozen=True)
class _Member:
    """Some values of a group, for formulas on another sheet: the values, their gradients, and their weights.

    Without a weight there is none; it is `single` where it is one number for all of the values.
    """

    values: str
    grads: str
    weight: str = ""
    single: bool = True

    def weighed(self, values: str = "") -> str:
        """The sum of weight × gradient, or of weight × gradient × values."""
        factors = [*([values] if values else []), *([] if self.single else [self.weight]), self.grads]
        summed = f"SUM({factors[0]})" if len(factors) == 1 else f"SUMPRODUCT({','.join(factors)})"
        return f"{self.weight}*{summed}" if self.single and self.weight else summed


class Grouped(Layer):
    """Values normalised by mean and variance of their group: those of `mean` and `var` have cells.

    A value sees all of its group; with mean and variance given, it follows from the one in its place.
    """

    takes_fold: ClassVar[bool] = True
    in_place: ClassVar[bool] = True

    def _groups(self, shape: Shape) -> int:
        """Into how many groups the maps are divided."""
        raise NotImplementedError

    @property
    def _eps(self) -> float:
        raise NotImplementedError

    def fields(self, shape: Shape) -> None:
        return None

    def initial(self, shape: Shape, rng: "np.random.Generator") -> dict[str, Array]:
        return {name: np.full(size, float(name == "weight")) for name, size in self.parameters(shape).items()}

    def forward(self, x: Array, params: Tensors) -> Array:
        weight, bias = params.get("weight"), params.get("bias")
        return ops.group_norm(x, self._groups(x.shape[1:]), weight, bias, eps=self._eps)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        groups, weight = self._groups(x.shape[1:]), params.get("weight")
        dx, dweight, dbias = ops.group_norm_backward(grad, x, groups, weight, eps=self._eps)
        return dx, {short: d for short, d in (("weight", dweight), ("bias", dbias)) if short in params}

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        groups = self._groups(shape)
        if len(shape) == 3 and shape[0] // groups > MAX_ARGUMENTS:
            raise ShapeError(f"a group of {shape[0] // groups} maps has no formula: a function takes {MAX_ARGUMENTS}")
        return {"mean": (groups,), "var": (groups,)}

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        mean, var = ops.group_statistics(x, self._groups(x.shape[1:]))
        return {"mean": mean, "var": var}

    def _group(self, shape: Shape, plane: int, y: int) -> int:
        """Number of the group of a value."""
        return (y if len(shape) == 1 else plane) // max(1, shape[0] // self._groups(shape))

    def _members(self, placed: Placed, group: int, other: bool = False) -> list[str]:
        """Addresses of all values of a group, for other sheets or for their own."""
        each = placed.shape[0] // self._groups(placed.shape)
        first = group * each
        if len(placed.shape) == 3 or each == placed.shape[0]:
            blocks = placed.blocks[first : first + each] if len(placed.shape) == 3 else placed.blocks
        elif placed.regular:
            blocks = (placed.blocks[0].part(first, 0, each, 1),)
        else:
            found = (placed.locate(index) for index in range(first, first + each))
            blocks = tuple(block.part(row, column, 1, 1) for block, row, column in found)
        return [block.reference if other else block.absolute for block in blocks]

    def formulas(self, site: Site) -> dict[str, Formula]:
        source, shape, parameters = site.source, site.source.shape, ("weight" in site.own, "bias" in site.own)
        size = prod(shape) // self._groups(shape)

        def mean(plane: int, y: int, x: int) -> str:
            return f"{nested('SUM', self._members(source, y + x))}/{size}"

        def var(plane: int, y: int, x: int) -> str:
            return f"DEVSQ({','.join(self._members(source, y + x))})/{size}"

        def out(plane: int, y: int, x: int) -> str:
            group = self._group(shape, plane, y)
            scaled = f"({source.cell(plane, y, x)}-{site['mean'].at(group)})/SQRT({site['var'].at(group)}+{eps})"
            for short, sign, there in zip(("weight", "bias"), "*+", parameters, strict=True):
                scaled += f"{sign}{beside(site[short], shape, plane, y, x)}" if there else ""
            return scaled

        eps = number(self._eps)
        alike = source.regular and (len(shape) == 3 or self._groups(shape) == 1)
        return {"mean": Formula(mean), "var": Formula(var), "out": Formula(out, shared=alike)}

    def _gradient_members(self, site: Site, upstream: Placed, group: int) -> list[_Member]:
        source, weight = site.source, site.own.get("weight")
        values, grads = self._members(source, group, other=True), self._members(upstream, group)
        if weight is None:
            return [_Member(*pair) for pair in zip(values, grads, strict=True)]
        if weight.shape == source.shape:
            weights, single = self._members(weight, group, other=True), False
            if len(weights) != len(values):  # a vector in several pieces: value by value
                indices = range(source.shape[0])
                values, weights = ([_single(placed, i) for i in indices] for placed in (source, weight))
                grads = [upstream.at(i) for i in indices]
        else:
            first = group * len(values)
            weights = [beside_other(weight, source.shape, first + n, 0, 0) for n in range(len(values))]
            single = True
        return [_Member(*three, single) for three in zip(values, grads, weights, strict=True)]

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        source, shape, eps = site.source, site.source.shape, number(self._eps)
        size, weight = prod(shape) // self._groups(shape), site.own.get("weight")

        def given(short: str, group: int) -> str:
            block, row, column = site[short].locate(group)
            return block.part(row, column, 1, 1).reference

        def normal(plane: int, y: int, x: int) -> str:
            """The value in its place, normalised."""
            group = self._group(shape, plane, y)
            return f"({source.other(plane, y, x)}-{given('mean', group)})/SQRT({given('var', group)}+{eps})"

        def of_input(plane: int, y: int, x: int) -> str:
            group = self._group(shape, plane, y)
            members, mean = self._gradient_members(site, upstream, group), given("mean", group)
            even = total([member.weighed() for member in members])
            along = total([member.weighed(f"{member.values}-{mean}") for member in members])
            deviation = f"SQRT({given('var', group)}+{eps})"
            own = upstream.cell(plane, y, x)
            own += f"*{beside_other(weight, shape, plane, y, x)}" if weight is not None else ""
            return f"({own}-({even})/{size}-{normal(plane, y, x)}*({along})/{deviation}/{size})/{deviation}"

        def of_weight(plane: int, y: int, x: int) -> str:
            if weight is not None and weight.shape == shape:
                return f"{upstream.cell(plane, y, x)}*{normal(plane, y, x)}"
            group, grads = self._group(shape, y + x, y + x), upstream.blocks[y + x].absolute
            values = f"{source.blocks[y + x].reference}-{given('mean', group)}"
            return f"SUMPRODUCT({values},{grads})/SQRT({given('var', group)}+{eps})"

        def of_bias(plane: int, y: int, x: int) -> str:
            each = weight is not None and weight.shape == shape
            return upstream.cell(plane, y, x) if each else f"SUM({upstream.blocks[y + x].absolute})"

        alike = source.regular and upstream.regular and (len(shape) == 3 or self._groups(shape) == 1)
        each = weight is not None and weight.shape == shape
        gradients = {"input": Formula(of_input, shared=alike)}
        own = {"weight": Formula(of_weight, shared=each and alike), "bias": Formula(of_bias, shared=each)}
        return gradients | {short: formula for short, formula in own.items() if short in site.own}

    def gradient_words(self) -> dict[str, str]:
        normal = "(g − mean of g − normalised × mean of g × normalised) ÷ √(variance + eps), g being gradient"
        weighed = " × weight" if self._scales else ""
        own = {"weight": "sum of normalised input × gradient", "bias": "sum of the gradients"}
        return {"input": normal + weighed} | own

    @property
    def _scales(self) -> bool:
        """Whether there is a weight."""
        raise NotImplementedError

    @property
    def _shifts(self) -> bool:
        """Whether there is a bias."""
        raise NotImplementedError

    @property
    def _own(self) -> tuple[str, ...]:
        """What training changes."""
        return ("weight",) * self._scales + ("bias",) * self._shifts

    def words(self, shape: Shape) -> str:
        whose = self._whose(shape)
        own = " × weight" * self._scales + " + bias" * self._shifts
        return f"(value − mean) ÷ √(variance + eps){own}; mean and variance of {whose}"

    def _whose(self, shape: Shape) -> str:
        """Of which values mean and variance are, in words."""
        raise NotImplementedError

    def products(self, shape: Shape) -> tuple[int, ...]:
        return (1,) if self._scales else ()


def _single(placed: Placed, index: int) -> str:
    """Address of one value of a vector for other sheets."""
    block, row, column = placed.locate(index)
    return block.part(row, column, 1, 1).reference
