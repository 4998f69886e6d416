"""Normalisation with statistics that training has collected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, number
from conv_sheet.cells.grid import Placed
from conv_sheet.cells.inputs import Limits
from conv_sheet.errors import DataError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, arguments, maps
from conv_sheet.ops import Array
from conv_sheet.ops.options import flag, real


@dataclass(frozen=True)
class BatchNorm2d(Layer):
    """Each map shifted and scaled by its running mean and variance, as `torch.nn.BatchNorm2d` after `eval()`.

    >>> list(BatchNorm2d().parameters((3, 8, 8)))
    ['weight', 'bias', 'running_mean', 'running_var']
    """

    kind: ClassVar[str] = "BatchNorm2d"
    prefix: ClassVar[str] = "bn"
    takes_fold: ClassVar[bool] = True
    buffers: ClassVar[frozenset[str]] = frozenset({"running_mean", "running_var"})
    unused: ClassVar[frozenset[str]] = frozenset({"num_batches_tracked"})
    limits: ClassVar[Mapping[str, Limits]] = {
        "running_var": Limits(low=0, hint="A variance is zero or more: type any such number.")
    }

    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        real("eps", self.eps, least=0)
        flag("affine", self.affine)

    def output_shape(self, shape: Shape) -> Shape:
        return maps(shape, self.kind)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        names = (("weight", "bias") if self.affine else ()) + ("running_mean", "running_var")
        return dict.fromkeys(names, shape[:1])

    def initial(self, shape: Shape, rng: np.random.Generator) -> dict[str, Array]:
        ones = {"weight", "running_var"}
        return {name: np.full(size, float(name in ones)) for name, size in self.parameters(shape).items()}

    def _scale(self, params: Tensors) -> Array:
        return params["weight"] if self.affine else np.ones_like(params["running_mean"])

    def forward(self, x: Array, params: Tensors) -> Array:
        mean, var = params["running_mean"], params["running_var"]
        if var.min() + self.eps <= 0:
            raise DataError(f"running_var holds {var.min():g}: a variance must be above {-self.eps:g}")
        shift = params["bias"] if self.affine else np.zeros_like(mean)
        return ops.batch_norm2d(x, self._scale(params), shift, mean, var, eps=self.eps)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        statistics = params["running_mean"], params["running_var"]
        dx, dweight, dbias = ops.batch_norm2d_backward(grad, x, self._scale(params), *statistics, eps=self.eps)
        return dx, {"weight": dweight, "bias": dbias} if self.affine else {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        def out(c: int, y: int, x: int) -> str:
            value, mean, var = site.source.blocks[c].cell(y, x), site["running_mean"].at(c), site["running_var"].at(c)
            normal = f"({value}-{mean})/SQRT({var}+{number(self.eps)})"
            return f"{normal}*{site['weight'].at(c)}+{site['bias'].at(c)}" if self.affine else normal

        return {"out": Formula(out, shared=True)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        source, grads = site.source.blocks, upstream.blocks

        def setting(name: str, c: int) -> str:
            block, y, x = site[name].locate(c)
            return block.part(y, x, 1, 1).reference

        def deviation(c: int) -> str:
            return f"SQRT({setting('running_var', c)}+{number(self.eps)})"

        def of_input(c: int, y: int, x: int) -> str:
            scaled = f"{grads[c].cell(y, x)}/{deviation(c)}"
            return f"{scaled}*{setting('weight', c)}" if self.affine else scaled

        def weight(plane: int, y: int, c: int) -> str:
            mean = setting("running_mean", c)
            return f"SUMPRODUCT({source[c].foreign}-{mean},{grads[c].absolute})/{deviation(c)}"

        own = {"weight": Formula(weight), "bias": Formula(lambda plane, y, c: f"SUM({grads[c].absolute})")}
        return {"input": Formula(of_input, shared=True)} | (own if self.affine else {})

    def gradient_words(self) -> dict[str, str]:
        own = {"weight": "sum of normalised input × gradient", "bias": "sum of the gradients"}
        return {"input": "gradient ÷ √(variance + eps)" + (" × weight" if self.affine else "")} | (
            own if self.affine else {}
        )

    def torch(self, shape: Shape) -> str:
        return f"nn.BatchNorm2d({', '.join([str(shape[0]), *arguments(self.options())])})"

    def words(self, shape: Shape) -> str:
        return "(value − mean) ÷ √(variance + eps)" + (" × weight + bias" if self.affine else "")

    def products(self, shape: Shape) -> tuple[int, ...]:
        return (1,) if self.affine else ()


KINDS = (BatchNorm2d,)
