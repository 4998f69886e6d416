"""Layers that compute each value from one value."""

from dataclasses import dataclass
from typing import ClassVar

from conv_sheet import engine
from conv_sheet.layers.base import Array, Formula, Layer, Shape, Site, Tensors


@dataclass(frozen=True)
class Activation(Layer):
    """A function of one value; it folds into the formula of the layer before it where that layer allows it."""

    def formulas(self, site: Site) -> dict[str, Formula]:
        def out(plane: int, y: int, x: int) -> str:
            folded = self.fold(site.source.blocks[plane].cell(y, x))
            if folded is None:
                raise NotImplementedError(f"{self.kind} does not fold and has no formula of its own")
            return folded

        return {"out": out}

    def words_of(self, inner: str) -> str:
        """The formula in words, around the words of what it is applied to."""
        raise NotImplementedError

    def words(self, shape: Shape) -> str:
        return self.words_of("value")


@dataclass(frozen=True)
class ReLU(Activation):
    """max(0, x), as `torch.nn.ReLU`.

    >>> ReLU().fold("A1+B1")
    'MAX(0,A1+B1)'
    """

    kind: ClassVar[str] = "ReLU"
    prefix: ClassVar[str] = "relu"
    non_negative: ClassVar[bool | None] = True

    def forward(self, x: Array, params: Tensors) -> Array:
        return engine.relu(x)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return engine.relu_backward(grad, y), {}

    def fold(self, expression: str) -> str:
        return f"MAX(0,{expression})"

    def words_of(self, inner: str) -> str:
        return f"max(0, {inner})"
