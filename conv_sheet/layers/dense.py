"""Layers over vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import ClassVar

import numpy as np

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, nested, pieces, total
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, pointwise, vector
from conv_sheet.ops import Array
from conv_sheet.ops.options import count, flag

_MOST_OUTPUTS_AS_MAPS = 16
_LONGEST_TERM = len("SUMPRODUCT($XFD$1000000:$XFD$1000000,$XFD$1000000:$XFD$1000000)")


@dataclass(frozen=True)
class Flatten(Layer):
    """Maps as one vector, channel by channel and row by row, as `torch.nn.Flatten`.

    >>> Flatten().output_shape((2, 12, 12))
    (288,)
    """

    kind: ClassVar[str] = "Flatten"
    prefix: ClassVar[str] = "flatten"
    non_negative: ClassVar[bool | None] = None
    keeps_values: ClassVar[bool] = True

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)

    def forward(self, x: Array, params: Tensors) -> Array:
        return x.reshape(len(x), -1)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return grad.reshape(x.shape), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        def out(plane: int, y: int, x: int) -> str:
            block, row, column = site.source.locate(y)
            return block.cell(row, column)

        vector = len(site.source.shape) == 1
        return {"out": Formula(out, shared=vector and site.source.regular)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        _, height, width = (*site.source.shape, 1, 1)[:3]

        def source(plane: int, y: int, x: int) -> str:
            return upstream.cell(0, (plane * height + y) * width + x, 0)

        return {"input": Formula(source, shared=width == 1 and upstream.regular)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "the gradients of the column, back in the shape of the maps"}

    def words(self, shape: Shape) -> str:
        return "all maps in one column, row by row"

    def size_formulas(self, shape: Shape, cells: tuple[str, ...]) -> tuple[str, ...]:
        return ("*".join(cells),)


@dataclass(frozen=True)
class Linear(Layer):
    """A weighted sum of all inputs for each output, as `torch.nn.Linear`; in_features come from the input.

    >>> Linear(out_features=10).parameters((288,))
    {'weight': (10, 288), 'bias': (10,)}
    """

    kind: ClassVar[str] = "Linear"
    prefix: ClassVar[str] = "fc"
    takes_fold: ClassVar[bool] = True

    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        count("out_features", self.out_features)
        flag("bias", self.bias)

    def output_shape(self, shape: Shape) -> Shape:
        vector(shape, self.kind)
        return (self.out_features,)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        weight = {"weight": (self.out_features, vector(shape, self.kind))}
        return weight | ({"bias": (self.out_features,)} if self.bias else {})

    def reads_maps(self, maps: Shape) -> bool:
        channels, height, width = maps
        few = self.out_features <= _MOST_OUTPUTS_AS_MAPS and pieces(channels, _LONGEST_TERM) == 1
        return few and height * width > 1

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.linear(x, params["weight"], params.get("bias"))

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        dx, dweight, dbias = ops.linear_backward(grad, x, params["weight"])
        return dx, {"weight": dweight} | ({"bias": dbias} if self.bias else {})

    def formulas(self, site: Site) -> dict[str, Formula]:
        weight, blocks = site["weight"], site.source.blocks
        starts = list(accumulate((block.height for block in blocks), initial=0))

        def of(output: int) -> list[Block]:
            """The weights of an output, a block for each that is read."""
            if not weight.transposed:
                return list(weight.blocks[output * len(blocks) : (output + 1) * len(blocks)])
            matrix = weight.blocks[0]
            return [matrix.part(start, output, b.height, 1) for start, b in zip(starts, blocks, strict=False)]

        def out(plane: int, y: int, x: int) -> str:
            pairs = zip(blocks, of(y), strict=True)
            terms = [f"SUMPRODUCT({values.absolute},{weights.absolute})" for values, weights in pairs]
            return total(terms + ([site["bias"].blocks[0].cell(y, 0)] if self.bias else []))

        return {"out": Formula(out)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        placed, grad, maps = site["weight"], upstream.blocks[0], len(site.source.blocks)

        def weight(plane: int, y: int, x: int) -> str:
            if placed.transposed:
                return f"{site.source.other(0, y, 0)}*{grad.fixed(x, 0)}"
            output, block = divmod(plane, maps)
            return f"{site.source.blocks[block].other(y, x)}*{grad.fixed(output, 0)}"

        def source(plane: int, y: int, x: int) -> str:
            if placed.transposed:
                weights = [placed.blocks[0].other(y, output) for output in range(self.out_features)]
            else:
                weights = [block.other(y, x) for block in placed.blocks[plane::maps]]
            return total([f"{value}*{grad.fixed(output, 0)}" for output, value in enumerate(weights)])

        bias = {"bias": Formula(lambda plane, y, x: grad.cell(y, 0), shared=True)} if self.bias else {}
        return {"input": Formula(source, shared=True), "weight": Formula(weight, shared=not placed.transposed)} | bias

    def gradient_words(self) -> dict[str, str]:
        bias = {"bias": "gradient"} if self.bias else {}
        return {"input": "sum of weight × gradient", "weight": "input × gradient"} | bias

    def torch(self, shape: Shape) -> str:
        return f"nn.Linear({shape[0]}, {self.out_features}{'' if self.bias else ', bias=False'})"

    def words(self, shape: Shape) -> str:
        return "sum of every input × its weight" + (", plus bias" if self.bias else "")

    def fields(self, shape: Shape) -> None:
        return None

    def products(self, shape: Shape) -> tuple[int, ...]:
        return shape


@dataclass(frozen=True)
class Softmax(Layer):
    """Scores as probabilities, e^z / Σ e^z, as `torch.nn.Softmax(dim=1)`; the largest score is subtracted first.

    >>> Softmax().forward(np.array([[0.0, 0.0]]), {}).tolist()
    [[0.5, 0.5]]
    """

    kind: ClassVar[str] = "Softmax"
    prefix: ClassVar[str] = "softmax"
    non_negative: ClassVar[bool | None] = True
    probabilities: ClassVar[bool] = True
    normalises: ClassVar[bool] = True
    sees: ClassVar[str | None] = "exp"

    def output_shape(self, shape: Shape) -> Shape:
        return (vector(shape, self.kind),)

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.softmax(x)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.softmax_backward(grad, y), {}

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        return {"exp": shape}

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        return {"exp": np.exp(x - x.max(axis=1, keepdims=True))}

    def formulas(self, site: Site) -> dict[str, Formula]:
        scores, exps = site.source, site["exp"].blocks[0]
        largest = nested("MAX", [block.absolute for block in scores.blocks])
        return {
            "exp": Formula(lambda plane, y, x: f"EXP({scores.cell(plane, y, x)}-{largest})", shared=scores.regular),
            "out": Formula(lambda plane, y, x: self.over([exps.absolute], {"exp": exps.cell(y, x)}), shared=True),
        }

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return f"{own['exp']}/SUM({','.join(windows)})"

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        grads, shares = upstream.blocks[0].absolute, site["out"].blocks[0].reference
        return pointwise(site, upstream, lambda x, y, grad: f"{y}*({grad}-SUMPRODUCT({grads},{shares}))")

    def gradient_words(self) -> dict[str, str]:
        return {"input": "output × (gradient − sum of output × gradient)"}

    def fields(self, shape: Shape) -> None:
        return None

    def torch(self, shape: Shape) -> str:
        return "nn.Softmax(dim=1)"

    def words(self, shape: Shape) -> str:
        return "e^(score − largest score), then each ÷ their sum"


KINDS = (Flatten, Linear, Softmax)
