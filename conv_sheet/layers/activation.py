"""Layers that compute each value from one value."""

from dataclasses import dataclass
from typing import ClassVar

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, number
from conv_sheet.cells.grid import Placed
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, pointwise
from conv_sheet.ops import Array
from conv_sheet.ops.options import real


@dataclass(frozen=True)
class _Folding(Layer):
    """A function whose formula names its argument once, so that it can stand around the formula before it."""

    folds: ClassVar[bool] = True

    def formulas(self, site: Site) -> dict[str, Formula]:
        source = site.source
        return {"out": Formula(lambda plane, y, x: self.fold(source.cell(plane, y, x)), shared=source.regular)}

    def words(self, shape: Shape) -> str:
        return self.words_of("value")


@dataclass(frozen=True)
class ReLU(_Folding):
    """max(0, x), as `torch.nn.ReLU`.

    >>> ReLU().fold("A1+B1")
    'MAX(0,A1+B1)'
    """

    kind: ClassVar[str] = "ReLU"
    prefix: ClassVar[str] = "relu"
    non_negative: ClassVar[bool | None] = True

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.relu(x)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.relu_backward(grad, y), {}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return pointwise(site, upstream, lambda x, y, grad: f"IF({y}>0,{grad},0)")

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient where the output is above 0, else 0"}

    def fold(self, expression: str) -> str:
        return f"MAX(0,{expression})"

    def words_of(self, inner: str) -> str:
        return f"max(0, {inner})"


@dataclass(frozen=True)
class LeakyReLU(Layer):
    """x above zero, `negative_slope` · x below, as `torch.nn.LeakyReLU`.

    The formula names x twice, and x can be a long sum: so it has cells of its own behind those of x.

    >>> LeakyReLU(0.1).torch((8,))
    'nn.LeakyReLU(negative_slope=0.1)'
    """

    kind: ClassVar[str] = "LeakyReLU"
    prefix: ClassVar[str] = "lrelu"

    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        real("negative_slope", self.negative_slope)

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.leaky_relu(x, self.negative_slope)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.leaky_relu_backward(grad, x, self.negative_slope), {}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return pointwise(site, upstream, lambda x, y, grad: f"IF({x}>0,{grad},{number(self.negative_slope)}*{grad})")

    def gradient_words(self) -> dict[str, str]:
        return {"input": f"gradient, where the input is not above 0 times {number(self.negative_slope)}"}

    def formulas(self, site: Site) -> dict[str, Formula]:
        def out(plane: int, y: int, x: int) -> str:
            value = site.source.cell(plane, y, x)
            return f"IF({value}>0,{value},{number(self.negative_slope)}*{value})"

        return {"out": Formula(out, shared=site.source.regular)}

    def words(self, shape: Shape) -> str:
        return f"value above zero, {number(self.negative_slope)} × value below"


@dataclass(frozen=True)
class Sigmoid(_Folding):
    """1 / (1 + e^-x), as `torch.nn.Sigmoid`; below -700, where e^-x would be too large for a cell, x counts as -700.

    >>> Sigmoid().fold("A1")
    '1/(1+EXP(-MAX(-700,A1)))'
    """

    kind: ClassVar[str] = "Sigmoid"
    prefix: ClassVar[str] = "sigmoid"
    non_negative: ClassVar[bool | None] = True
    probabilities: ClassVar[bool] = True

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.sigmoid(x)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.sigmoid_backward(grad, y), {}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return pointwise(site, upstream, lambda x, y, grad: f"{grad}*{y}*(1-{y})")

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient × output × (1 − output)"}

    def fold(self, expression: str) -> str:
        return f"1/(1+EXP(-MAX(-700,{expression})))"

    def words_of(self, inner: str) -> str:
        return f"1 ÷ (1 + e^−({inner}))"


@dataclass(frozen=True)
class Tanh(_Folding):
    """Hyperbolic tangent, as `torch.nn.Tanh`.

    >>> Tanh().fold("A1+B1")
    'TANH(A1+B1)'
    """

    kind: ClassVar[str] = "Tanh"
    prefix: ClassVar[str] = "tanh"

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.tanh(x)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.tanh_backward(grad, y), {}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return pointwise(site, upstream, lambda x, y, grad: f"{grad}*(1-{y}*{y})")

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient × (1 − output²)"}

    def fold(self, expression: str) -> str:
        return f"TANH({expression})"

    def words_of(self, inner: str) -> str:
        return f"tanh({inner})"


KINDS = (ReLU, LeakyReLU, Sigmoid, Tanh)
