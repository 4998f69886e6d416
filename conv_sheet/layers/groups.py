"""Normalisation by the mean and variance of the values themselves, in groups of maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from conv_sheet import ops
from conv_sheet.cells.formula import MAX_ARGUMENTS, Formula, nested, number, total
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, arguments, beside, beside_other, maps
from conv_sheet.layers.rows import without_row
from conv_sheet.layers.said import CHANNELS, FREE, Said, only
from conv_sheet.ops import Array
from conv_sheet.ops.options import count, flag, real


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


@dataclass(frozen=True)
class _Grouped(Layer):
    """What normalisations share that take mean and variance from the values: those of `mean` and `var` have cells.

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

    def initial(self, shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
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
        return self._scales

    def words(self, shape: Shape) -> str:
        whose = self._whose(shape)
        own = " × weight" * self._scales + " + bias" * self._shifts
        return f"(value − mean) ÷ √(variance + eps){own}; mean and variance of {whose}"

    def _whose(self, shape: Shape) -> str:
        """Of which values mean and variance are, in words."""
        raise NotImplementedError

    def products(self, shape: Shape) -> tuple[int, ...]:
        return (1,) if self._scales else ()


@dataclass(frozen=True)
class GroupNorm(_Grouped):
    """Groups of maps, each normalised by its own mean and variance, as `torch.nn.GroupNorm`.

    >>> GroupNorm(2).torch((6, 8, 8))
    'nn.GroupNorm(2, 6)'
    """

    kind: ClassVar[str] = "GroupNorm"
    prefix: ClassVar[str] = "gn"
    said: ClassVar[Mapping[str, Said]] = {"num_channels": CHANNELS}

    num_groups: int
    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        count("num_groups", self.num_groups)
        real("eps", self.eps, least=0)
        flag("affine", self.affine)

    @property
    def _eps(self) -> float:
        return self.eps

    @property
    def _scales(self) -> bool:
        return self.affine

    def _groups(self, shape: Shape) -> int:
        return self.num_groups

    def output_shape(self, shape: Shape) -> Shape:
        if shape[0] % self.num_groups:
            raise ShapeError(f"num_groups = {self.num_groups} does not divide the {shape[0]} channels of its input")
        return shape

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": shape[:1], "bias": shape[:1]} if self.affine else {}

    def torch(self, shape: Shape) -> str:
        options = {name: value for name, value in self.options().items() if name != "num_groups"}
        return f"nn.GroupNorm({', '.join([str(self.num_groups), str(shape[0]), *arguments(options)])})"

    def _whose(self, shape: Shape) -> str:
        each = shape[0] // self.num_groups
        return f"its group of {each} {'maps' if len(shape) == 3 else 'values'}"


@dataclass(frozen=True)
class _InstanceNorm(_Grouped):
    """Each map normalised by its own mean and variance."""

    prefix: ClassVar[str] = "in"
    said: ClassVar[Mapping[str, Said]] = {
        "num_features": CHANNELS,
        "momentum": FREE,
        "track_running_stats": only(False),
    }

    eps: float = 1e-5
    affine: bool = False

    def __post_init__(self) -> None:
        real("eps", self.eps, least=0)
        flag("affine", self.affine)

    @property
    def _eps(self) -> float:
        return self.eps

    @property
    def _scales(self) -> bool:
        return self.affine

    def _groups(self, shape: Shape) -> int:
        return shape[0]

    def output_shape(self, shape: Shape) -> Shape:
        if prod(maps(shape, self.kind)[1:]) == 1:
            raise ShapeError("a map of one value has no variance to be normalised by")
        return shape

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": shape[:1], "bias": shape[:1]} if self.affine else {}

    def torch(self, shape: Shape) -> str:
        return f"nn.{self.kind}({', '.join([str(shape[0]), *arguments(self.options())])})"

    def _whose(self, shape: Shape) -> str:
        return "its map"


@dataclass(frozen=True)
class InstanceNorm2d(_InstanceNorm):
    """Each map normalised by its own mean and variance, as `torch.nn.InstanceNorm2d`.

    >>> InstanceNorm2d(affine=True).torch((6, 8, 8))
    'nn.InstanceNorm2d(6, affine=True)'
    """

    kind: ClassVar[str] = "InstanceNorm2d"


@dataclass(frozen=True)
class InstanceNorm1d(_InstanceNorm):
    """The same of maps of one row, as `torch.nn.InstanceNorm1d`.

    >>> InstanceNorm1d().torch((6, 1, 8))
    'nn.InstanceNorm1d(6)'
    """

    kind: ClassVar[str] = "InstanceNorm1d"

    def output_shape(self, shape: Shape) -> Shape:
        if maps(shape, self.kind)[1] != 1:
            raise ShapeError(f"InstanceNorm1d reads maps of one row, but its input has shape {shape}")
        return super().output_shape(shape)


def _whole(shape: Shape) -> tuple[object, ...]:
    """What PyTorch may call the shape of all that is read: of signals without the row, of vectors a number too."""
    return (shape, without_row(shape), *shape) if len(shape) == 1 else (shape, without_row(shape))


@dataclass(frozen=True)
class LayerNorm(_Grouped):
    """All values normalised by their mean and variance, as `torch.nn.LayerNorm` over whole pictures or vectors.

    >>> LayerNorm().parameters((3, 4, 4))
    {'weight': (3, 4, 4), 'bias': (3, 4, 4)}
    """

    kind: ClassVar[str] = "LayerNorm"
    prefix: ClassVar[str] = "ln"
    said: ClassVar[Mapping[str, Said]] = {
        "normalized_shape": Said(_whole, "is not all that it reads: it would be {} here")
    }

    eps: float = 1e-5
    elementwise_affine: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        real("eps", self.eps, least=0)
        flag("elementwise_affine", self.elementwise_affine)
        flag("bias", self.bias)

    @property
    def _eps(self) -> float:
        return self.eps

    @property
    def _scales(self) -> bool:
        return self.elementwise_affine

    @property
    def _shifts(self) -> bool:
        return self.elementwise_affine and self.bias

    def _groups(self, shape: Shape) -> int:
        return 1

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        there = {"weight": self._scales, "bias": self._shifts}
        return {short: shape for short, is_there in there.items() if is_there}

    def torch(self, shape: Shape) -> str:
        return f"nn.LayerNorm({', '.join([str(list(shape)), *arguments(self.options())])})"

    def _whose(self, shape: Shape) -> str:
        return "all values"


def _single(placed: Placed, index: int) -> str:
    """Address of one value of a vector for other sheets."""
    block, row, column = placed.locate(index)
    return block.part(row, column, 1, 1).reference


KINDS = (GroupNorm, LayerNorm, InstanceNorm2d, InstanceNorm1d)
