"""Scores as probabilities, and their logarithms: over a vector, or in each place over the maps."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, nested, total
from conv_sheet.cells.grid import Placed
from conv_sheet.errors import ShapeError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors
from conv_sheet.layers.field import Field
from conv_sheet.layers.said import DIM, Said
from conv_sheet.ops import Array


class _Scores(Layer):
    """What both share: the largest score is subtracted first, so that no power is too large for a cell."""

    said: ClassVar[Mapping[str, Said]] = {"dim": DIM}
    sees: ClassVar[str | None] = "exp"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) not in (1, 3):
            raise ShapeError(f"{self.kind} reads a vector or maps, but its input has shape {shape}")
        return shape

    def fields(self, shape: Shape) -> tuple[Field, Field] | None:
        return (Field(), Field()) if len(shape) == 3 else None

    def maps_seen(self, shape: Shape) -> int:
        return shape[0] if len(shape) == 3 else 1

    def _shifted(self, x: Array) -> Array:
        shifted: Array = x - x.max(axis=1, keepdims=True)
        return shifted

    def _scores(self, site: Site) -> Formula:
        """A score less the largest one."""
        scores = site.source

        def shifted(plane: int, y: int, x: int) -> str:
            if len(scores.shape) == 1:
                every = [block.absolute for block in scores.blocks]
            else:
                every = [block.cell(y, x) for block in scores.blocks]
            return f"{scores.cell(plane, y, x)}-{nested('MAX', every)}"

        return Formula(shifted, shared=scores.regular)

    @staticmethod
    def _windows(placed: Placed, y: int, x: int) -> list[str]:
        """All values of a vector, or those of the maps in one place."""
        if len(placed.shape) == 1:
            return [block.absolute for block in placed.blocks]
        return [block.cell(y, x) for block in placed.blocks]

    def torch(self, shape: Shape) -> str:
        return f"nn.{self.kind}(dim=1)"


class Softmax(_Scores):
    """Scores as probabilities, e^z / Σ e^z, as `torch.nn.Softmax(dim=1)`; the largest score is subtracted first.

    >>> Softmax().forward(np.array([[0.0, 0.0]]), {}).tolist()
    [[0.5, 0.5]]
    """

    kind: ClassVar[str] = "Softmax"
    prefix: ClassVar[str] = "softmax"
    non_negative: ClassVar[bool | None] = True
    probabilities: ClassVar[bool] = True
    normalises: ClassVar[bool] = True

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.softmax(x.swapaxes(1, -1)).swapaxes(1, -1)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        dx = ops.softmax_backward(grad.swapaxes(1, -1), y.swapaxes(1, -1))
        return dx.swapaxes(1, -1), {}

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        return {"exp": shape}

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        return {"exp": np.exp(self._shifted(x))}

    def formulas(self, site: Site) -> dict[str, Formula]:
        scores, exps = self._scores(site), site["exp"]

        def out(plane: int, y: int, x: int) -> str:
            return self.over(self._windows(exps, y, x), {"exp": exps.cell(plane, y, x)})

        return {
            "exp": Formula(lambda plane, y, x: f"EXP({scores(plane, y, x)})", scores.shared),
            "out": Formula(out, shared=True),
        }

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return f"{own['exp']}/{nested('SUM', windows)}"

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        out = site["out"]

        def of_input(plane: int, y: int, x: int) -> str:
            if len(out.shape) == 1:
                products = f"SUMPRODUCT({upstream.blocks[0].absolute},{out.blocks[0].reference})"
            else:
                cells = range(out.shape[0])
                products = f"({total([f'{upstream.cell(n, y, x)}*{out.other(n, y, x)}' for n in cells])})"
            return f"{out.other(plane, y, x)}*({upstream.cell(plane, y, x)}-{products})"

        return {"input": Formula(of_input, shared=site.source.regular and upstream.regular)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "output × (gradient − sum of output × gradient)"}

    def words(self, shape: Shape) -> str:
        whose = "" if len(shape) == 1 else " of all maps in its place"
        return f"e^(score − largest score), then each ÷ their sum{whose}"


class LogSoftmax(_Scores):
    """The logarithm of the softmax, z - ln Σ e^z, as `torch.nn.LogSoftmax(dim=1)`.

    >>> LogSoftmax().forward(np.array([[0.0, 0.0]]), {}).round(4).tolist()
    [[-0.6931, -0.6931]]
    """

    kind: ClassVar[str] = "LogSoftmax"
    prefix: ClassVar[str] = "logsoftmax"

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.log_softmax(x.swapaxes(1, -1)).swapaxes(1, -1)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        dx = ops.log_softmax_backward(grad.swapaxes(1, -1), y.swapaxes(1, -1))
        return dx.swapaxes(1, -1), {}

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        return {"shifted": shape, "exp": shape}

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        shifted = self._shifted(x)
        return {"shifted": shifted, "exp": np.exp(shifted)}

    def formulas(self, site: Site) -> dict[str, Formula]:
        scores, shifted, exps = self._scores(site), site["shifted"], site["exp"]

        def out(plane: int, y: int, x: int) -> str:
            return self.over(self._windows(exps, y, x), {"shifted": shifted.cell(plane, y, x)})

        return {
            "shifted": scores,
            "exp": Formula(lambda plane, y, x: f"EXP({shifted.cell(plane, y, x)})", shared=True),
            "out": Formula(out, shared=True),
        }

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return f"{own['shifted']}-LN({nested('SUM', windows)})"

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        out = site["out"]

        def of_input(plane: int, y: int, x: int) -> str:
            every = nested("SUM", self._windows(upstream, y, x))
            return f"{upstream.cell(plane, y, x)}-EXP({out.other(plane, y, x)})*{every}"

        return {"input": Formula(of_input, shared=site.source.regular and upstream.regular)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient − e^output × sum of the gradients"}

    def words(self, shape: Shape) -> str:
        whose = "" if len(shape) == 1 else " in its place"
        return f"score − largest score − ln(sum of e^ of these{whose})"


KINDS = (Softmax, LogSoftmax)
