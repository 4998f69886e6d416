"""Layers that compute each value from one value, named once in the formula."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, number
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import SpecError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, pointwise
from conv_sheet.layers.said import FLAG, Said
from conv_sheet.ops import Array
from conv_sheet.ops.options import real


class _Folding(Layer):
    """A function whose formula names its argument once, so that it can stand around the formula before it."""

    folds: ClassVar[bool] = True

    def formulas(self, site: Site) -> dict[str, Formula]:
        source = site.source
        return {"out": Formula(lambda plane, y, x: self.fold(source.cell(plane, y, x)), shared=source.regular)}

    def words(self, shape: Shape) -> str:
        return self.words_of("value")


class ReLU(_Folding):
    """max(0, x), as `torch.nn.ReLU`.

    >>> ReLU().fold("A1+B1")
    'MAX(0,A1+B1)'
    """

    kind: ClassVar[str] = "ReLU"
    prefix: ClassVar[str] = "relu"
    non_negative: ClassVar[bool | None] = True
    said: ClassVar[Mapping[str, Said]] = {"inplace": FLAG}

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


class _Clipped(_Folding):
    """Values cut off below and above."""

    @property
    def _limits(self) -> tuple[float, float]:
        raise NotImplementedError

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.hardtanh(x, *self._limits)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.hardtanh_backward(grad, x, *self._limits), {}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        low, high = map(number, self._limits)
        return pointwise(site, upstream, lambda x, y, grad: f"IF(AND({x}>{low},{x}<{high}),{grad},0)")

    def gradient_words(self) -> dict[str, str]:
        low, high = map(number, self._limits)
        return {"input": f"gradient where the input is between {low} and {high}, else 0"}

    def fold(self, expression: str) -> str:
        low, high = map(number, self._limits)
        return f"MIN({high},MAX({low},{expression}))"

    def words_of(self, inner: str) -> str:
        low, high = map(number, self._limits)
        return f"min({high}, max({low}, {inner}))"


class ReLU6(_Clipped):
    """min(6, max(0, x)), as `torch.nn.ReLU6`: the activation of MobileNets.

    >>> ReLU6().fold("A1+B1")
    'MIN(6,MAX(0,A1+B1))'
    """

    kind: ClassVar[str] = "ReLU6"
    prefix: ClassVar[str] = "relu"
    non_negative: ClassVar[bool | None] = True
    said: ClassVar[Mapping[str, Said]] = {"inplace": FLAG}

    @property
    def _limits(self) -> tuple[float, float]:
        return 0.0, 6.0


@dataclass(frozen=True)
class Hardtanh(_Clipped):
    """Values cut off below `min_val` and above `max_val`, as `torch.nn.Hardtanh`.

    >>> Hardtanh().fold("A1")
    'MIN(1,MAX(-1,A1))'
    """

    kind: ClassVar[str] = "Hardtanh"
    prefix: ClassVar[str] = "tanh"
    said: ClassVar[Mapping[str, Said]] = {"inplace": FLAG}

    min_val: float = -1.0
    max_val: float = 1.0

    def __post_init__(self) -> None:
        if real("min_val", self.min_val) >= real("max_val", self.max_val):
            raise SpecError(f"min_val = {self.min_val!r} must be below max_val = {self.max_val!r}")

    @property
    def _limits(self) -> tuple[float, float]:
        return float(self.min_val), float(self.max_val)


class Hardsigmoid(_Folding):
    """A sigmoid of straight lines, min(6, max(0, x + 3)) ÷ 6, as `torch.nn.Hardsigmoid`.

    >>> Hardsigmoid().fold("A1")
    'MIN(6,MAX(0,A1+3))/6'
    """

    kind: ClassVar[str] = "Hardsigmoid"
    prefix: ClassVar[str] = "sigmoid"
    non_negative: ClassVar[bool | None] = True
    said: ClassVar[Mapping[str, Said]] = {"inplace": FLAG}

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.hardsigmoid(x)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.hardsigmoid_backward(grad, x), {}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        return pointwise(site, upstream, lambda x, y, grad: f"IF(AND({x}>-3,{x}<3),{grad}/6,0)")

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient ÷ 6 where the input is between −3 and 3, else 0"}

    def fold(self, expression: str) -> str:
        return f"MIN(6,MAX(0,{expression}+3))/6"

    def words_of(self, inner: str) -> str:
        return f"min(6, max(0, {inner} + 3)) ÷ 6"


def logistic(expression: str) -> str:
    """The formula of the sigmoid of an expression, whose exponential no cell is too small for.

    >>> logistic("A1")
    '1/(1+EXP(-MAX(-700,A1)))'
    """
    return f"1/(1+EXP(-MAX(-700,{expression})))"


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
        return logistic(expression)

    def words_of(self, inner: str) -> str:
        return f"1 ÷ (1 + e^−({inner}))"


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


KINDS = (ReLU, ReLU6, Sigmoid, Hardsigmoid, Tanh, Hardtanh)
