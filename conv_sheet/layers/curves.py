"""Layers that compute each value from one value, named more than once in the formula.

That value can be a long sum: so these have cells of their own behind those of the value.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, nested, number
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, beside, beside_other, pointwise
from conv_sheet.layers.said import FLAG, Said
from conv_sheet.ops import Array
from conv_sheet.ops.options import count, real


class _Curve(Layer):
    """A function of one value."""

    def _of(self, x: str) -> str:
        """The formula over the cell of the input."""
        raise NotImplementedError

    def _slope(self, x: str, y: str, grad: str) -> str:
        """The gradient over the cells of the input, the output and the output's gradient."""
        raise NotImplementedError

    def formulas(self, site: Site) -> dict[str, Formula]:
        source = site.source
        return {"out": Formula(lambda plane, y, x: self._of(source.cell(plane, y, x)), shared=source.regular)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return pointwise(site, upstream, self._slope)


@dataclass(frozen=True)
class LeakyReLU(_Curve):
    """x above zero, `negative_slope` · x below, as `torch.nn.LeakyReLU`.

    >>> LeakyReLU(0.1).torch((8,))
    'nn.LeakyReLU(negative_slope=0.1)'
    """

    kind: ClassVar[str] = "LeakyReLU"
    prefix: ClassVar[str] = "lrelu"
    said: ClassVar[Mapping[str, Said]] = {"inplace": FLAG}

    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        real("negative_slope", self.negative_slope)

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.leaky_relu(x, self.negative_slope)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.leaky_relu_backward(grad, x, self.negative_slope), {}

    def _of(self, x: str) -> str:
        return f"IF({x}>0,{x},{number(self.negative_slope)}*{x})"

    def _slope(self, x: str, y: str, grad: str) -> str:
        return f"IF({x}>0,{grad},{number(self.negative_slope)}*{grad})"

    def gradient_words(self) -> dict[str, str]:
        return {"input": f"gradient, where the input is not above 0 times {number(self.negative_slope)}"}

    def words(self, shape: Shape) -> str:
        return f"value above zero, {number(self.negative_slope)} × value below"


@dataclass(frozen=True)
class ELU(_Curve):
    """x above zero, `alpha` · (e^x - 1) below, as `torch.nn.ELU`.

    >>> ELU().torch((8,))
    'nn.ELU()'
    """

    kind: ClassVar[str] = "ELU"
    prefix: ClassVar[str] = "elu"
    said: ClassVar[Mapping[str, Said]] = {"inplace": FLAG}

    alpha: float = 1.0

    def __post_init__(self) -> None:
        real("alpha", self.alpha)

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.elu(x, self.alpha)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.elu_backward(grad, x, self.alpha), {}

    def _of(self, x: str) -> str:
        return f"IF({x}>0,{x},{number(self.alpha)}*(EXP({x})-1))"

    def _slope(self, x: str, y: str, grad: str) -> str:
        return f"IF({x}>0,{grad},{grad}*{number(self.alpha)}*EXP({x}))"

    def gradient_words(self) -> dict[str, str]:
        return {"input": f"gradient, where the input is not above 0 times {number(self.alpha)} × e^input"}

    def words(self, shape: Shape) -> str:
        return f"value above zero, {number(self.alpha)} × (e^value − 1) below"


class SiLU(_Curve):
    """x · sigmoid(x), as `torch.nn.SiLU`; also called swish.

    >>> SiLU()._of("A1")
    'A1/(1+EXP(-MAX(-700,A1)))'
    """

    kind: ClassVar[str] = "SiLU"
    prefix: ClassVar[str] = "silu"
    said: ClassVar[Mapping[str, Said]] = {"inplace": FLAG}

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.silu(x)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.silu_backward(grad, x), {}

    def _of(self, x: str) -> str:
        return f"{x}/(1+EXP(-MAX(-700,{x})))"

    def _slope(self, x: str, y: str, grad: str) -> str:
        share = f"1/(1+EXP(-MAX(-700,{x})))"
        return f"{grad}*{share}*(1+{x}*(1-{share}))"

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient × share × (1 + input × (1 − share)), share being 1 ÷ (1 + e^−input)"}

    def words(self, shape: Shape) -> str:
        return "value ÷ (1 + e^−value)"


class Hardswish(_Curve):
    """x · min(6, max(0, x + 3)) ÷ 6, as `torch.nn.Hardswish`.

    >>> Hardswish()._of("A1")
    'A1*MIN(6,MAX(0,A1+3))/6'
    """

    kind: ClassVar[str] = "Hardswish"
    prefix: ClassVar[str] = "hswish"
    said: ClassVar[Mapping[str, Said]] = {"inplace": FLAG}

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.hardswish(x)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.hardswish_backward(grad, x), {}

    def _of(self, x: str) -> str:
        return f"{x}*MIN(6,MAX(0,{x}+3))/6"

    def _slope(self, x: str, y: str, grad: str) -> str:
        return f"IF({x}>-3,IF({x}<3,{grad}*({x}/3+0.5),{grad}),0)"

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient × (input ÷ 3 + ½) between −3 and 3, 0 below, the gradient above"}

    def words(self, shape: Shape) -> str:
        return "value × min(6, max(0, value + 3)) ÷ 6"


@dataclass(frozen=True)
class Softplus(_Curve):
    """A smooth ReLU, ln(1 + e^(βx)) ÷ β, as `torch.nn.Softplus`; x itself where βx is above the threshold.

    >>> Softplus()._of("A1"), Softplus(beta=2)._of("A1")
    ('IF(A1>20,A1,LN(1+EXP(A1)))', 'IF(2*A1>20,A1,LN(1+EXP(2*A1))/2)')
    """

    kind: ClassVar[str] = "Softplus"
    prefix: ClassVar[str] = "softplus"
    non_negative: ClassVar[bool | None] = True

    beta: float = 1.0
    threshold: float = 20.0

    def __post_init__(self) -> None:
        if real("beta", self.beta) <= 0:
            raise SpecError(f"beta = {self.beta!r} must be above 0")
        real("threshold", self.threshold, least=-700, below=700)

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.softplus(x, self.beta, self.threshold)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.softplus_backward(grad, x, self.beta, self.threshold), {}

    def _of(self, x: str) -> str:
        scaled, divided = self._scaled(x), "" if self.beta == 1 else f"/{number(self.beta)}"
        return f"IF({scaled}>{number(self.threshold)},{x},LN(1+EXP({scaled})){divided})"

    def _scaled(self, x: str) -> str:
        return x if self.beta == 1 else f"{number(self.beta)}*{x}"

    def _slope(self, x: str, y: str, grad: str) -> str:
        scaled = self._scaled(x)
        return f"IF({scaled}>{number(self.threshold)},{grad},{grad}/(1+EXP(-MAX(-700,{scaled}))))"

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient ÷ (1 + e^(−β × input))"}

    def words(self, shape: Shape) -> str:
        beta = "" if self.beta == 1 else f"{number(self.beta)} × "
        return f"ln(1 + e^({beta}value))" + ("" if self.beta == 1 else f" ÷ {number(self.beta)}")


@dataclass(frozen=True)
class GELU(_Curve):
    """x · Φ(x), Φ being the normal distribution, as `torch.nn.GELU`; by `approximate` "tanh" a formula close to it.

    >>> GELU()._of("A1")
    '0.5*A1*(1+ERF(A1/SQRT(2)))'
    """

    kind: ClassVar[str] = "GELU"
    prefix: ClassVar[str] = "gelu"

    approximate: str = "none"

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise SpecError(f"approximate = {self.approximate!r} is neither 'none' nor 'tanh'")

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.gelu(x, self.approximate)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.gelu_backward(grad, x, self.approximate), {}

    def _inner(self, x: str) -> str:
        """Twice the normal distribution, less 1."""
        if self.approximate == "none":
            return f"ERF({x}/SQRT(2))"
        return f"TANH({number(ops.TANH_FACTOR)}*({x}+{number(ops.TANH_CUBE)}*{x}*{x}*{x}))"

    def _of(self, x: str) -> str:
        return f"0.5*{x}*(1+{self._inner(x)})"

    def _slope(self, x: str, y: str, grad: str) -> str:
        inner = self._inner(x)
        if self.approximate == "none":
            return f"{grad}*(0.5*(1+{inner})+{x}*EXP(-({x}*{x})/2)/{number(math.sqrt(2 * math.pi))})"
        steep = f"{number(ops.TANH_FACTOR)}*(1+{number(3 * ops.TANH_CUBE)}*{x}*{x})"
        return f"{grad}*0.5*(1+{inner}+{x}*(1-{inner}*{inner})*{steep})"

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient × (Φ(input) + input × the normal density there)"}

    def words(self, shape: Shape) -> str:
        if self.approximate == "none":
            return "value × (1 + erf(value ÷ √2)) ÷ 2"
        return f"value × (1 + tanh({ops.TANH_FACTOR:.4f} × (value + {ops.TANH_CUBE} × value³))) ÷ 2"


@dataclass(frozen=True)
class PReLU(Layer):
    """x above zero, below it x times a weight that is learnt, as `torch.nn.PReLU`: one for all, or one a map.

    >>> PReLU(num_parameters=3).parameters((3, 8, 8))
    {'weight': (3,)}
    """

    kind: ClassVar[str] = "PReLU"
    prefix: ClassVar[str] = "prelu"

    num_parameters: int = 1
    init: float = 0.25

    def __post_init__(self) -> None:
        count("num_parameters", self.num_parameters)
        real("init", self.init)

    def output_shape(self, shape: Shape) -> Shape:
        if self.num_parameters not in (1, shape[0]):
            raise ShapeError(f"num_parameters = {self.num_parameters} must be 1, or {shape[0]} as its input has")
        return shape

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_parameters,)}

    def initial(self, shape: Shape, rng: "np.random.Generator") -> dict[str, Array]:
        return {"weight": np.full(self.num_parameters, float(self.init))}

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.prelu(x, params["weight"])

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        dx, dweight = ops.prelu_backward(grad, x, params["weight"])
        return dx, {"weight": dweight}

    def formulas(self, site: Site) -> dict[str, Formula]:
        def out(plane: int, y: int, x: int) -> str:
            value = site.source.cell(plane, y, x)
            return f"IF({value}>0,{value},{beside(site['weight'], site.source.shape, plane, y, x)}*{value})"

        return {"out": Formula(out, shared=site.source.regular)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        source = site.source

        def of_input(plane: int, y: int, x: int) -> str:
            grad, weight = upstream.cell(plane, y, x), beside_other(site["weight"], source.shape, plane, y, x)
            return f"IF({source.other(plane, y, x)}>0,{grad},{grad}*{weight})"

        def below(plane: int) -> str:
            values, grads = source.blocks[plane].reference, upstream.blocks[plane].absolute
            return f"SUMPRODUCT(({values}<0)*{values},{grads})"

        def weight(plane: int, y: int, index: int) -> str:
            if len(source.shape) == 1:
                return self._of_vector(site, upstream, y + index)
            return below(index) if self.num_parameters > 1 else nested("SUM", list(map(below, range(source.shape[0]))))

        return {"input": Formula(of_input, shared=source.regular and upstream.regular), "weight": Formula(weight)}

    def _of_vector(self, site: Site, upstream: Placed, index: int) -> str:
        """Gradient of a weight over a vector."""
        indices = [index] if self.num_parameters > 1 else range(site.source.shape[0])
        return nested("SUM", [f"MIN(0,{site.source.other(0, i, 0)})*{upstream.at(i)}" for i in indices])

    def gradient_words(self) -> dict[str, str]:
        return {
            "input": "gradient, where the input is not above 0 times the weight",
            "weight": "sum of input × gradient where the input is below 0",
        }

    def torch(self, shape: Shape) -> str:
        return f"nn.PReLU({self.num_parameters if self.num_parameters > 1 else ''})"

    def words(self, shape: Shape) -> str:
        return "value above zero, weight × value below"


KINDS = (LeakyReLU, ELU, SiLU, Hardswish, Softplus, GELU, PReLU)
