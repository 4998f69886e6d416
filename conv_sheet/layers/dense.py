"""The fully connected layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, pieces, total
from conv_sheet.cells.grid import Block, Placed
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, vector
from conv_sheet.layers.said import CHANNELS, Said
from conv_sheet.ops import Array
from conv_sheet.ops.options import count, flag

_MOST_OUTPUTS_AS_MAPS = 16
_LONGEST_TERM = len("SUMPRODUCT($XFD$1000000:$XFD$1000000,$XFD$1000000:$XFD$1000000)")


@dataclass(frozen=True)
class Linear(Layer):
    """A weighted sum of all inputs for each output, as `torch.nn.Linear`; in_features come from the input.

    >>> Linear(out_features=10).parameters((288,))
    {'weight': (10, 288), 'bias': (10,)}
    """

    kind: ClassVar[str] = "Linear"
    prefix: ClassVar[str] = "fc"
    takes_fold: ClassVar[bool] = True
    said: ClassVar[Mapping[str, Said]] = {"in_features": CHANNELS}

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


KINDS = (Linear,)
