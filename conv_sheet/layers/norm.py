"""Normalisation: with statistics that training has collected, or by neighbouring maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from conv_sheet import ops
from conv_sheet.cells.formula import Formula, number, total
from conv_sheet.cells.grid import Placed
from conv_sheet.cells.inputs import Limits
from conv_sheet.errors import DataError, ShapeError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, arguments, beside, beside_other, maps
from conv_sheet.layers.said import CHANNELS, FREE, Said, only
from conv_sheet.ops import Array
from conv_sheet.ops.options import count, flag, real


@dataclass(frozen=True)
class _BatchNorm(Layer):
    """Each map, or each value of a vector, shifted and scaled by its running mean and variance."""

    prefix: ClassVar[str] = "bn"
    takes_fold: ClassVar[bool] = True
    buffers: ClassVar[frozenset[str]] = frozenset({"running_mean", "running_var"})
    unused: ClassVar[frozenset[str]] = frozenset({"num_batches_tracked"})
    limits: ClassVar[Mapping[str, Limits]] = {
        "running_var": Limits(low=0, hint="A variance is zero or more: type any such number.")
    }
    said: ClassVar[Mapping[str, Said]] = {
        "num_features": CHANNELS,
        "momentum": FREE,
        "track_running_stats": only(True),
    }

    eps: float = 1e-5
    affine: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        real("eps", self.eps, least=0)
        flag("affine", self.affine)
        flag("bias", self.bias)

    @property
    def _own(self) -> tuple[str, ...]:
        """What training changes."""
        return ("weight",) * self.affine + ("bias",) * (self.affine and self.bias)

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return dict.fromkeys((*self._own, "running_mean", "running_var"), shape[:1])

    def initial(self, shape: Shape, rng: "np.random.Generator") -> dict[str, Array]:
        ones = {"weight", "running_var"}
        return {name: np.full(size, float(name in ones)) for name, size in self.parameters(shape).items()}

    def _scale(self, params: Tensors) -> Array:
        return params["weight"] if self.affine else np.ones_like(params["running_mean"])

    def forward(self, x: Array, params: Tensors) -> Array:
        mean, var = params["running_mean"], params["running_var"]
        if var.min() + self.eps <= 0:
            raise DataError(f"running_var holds {var.min():g}: a variance must be above {-self.eps:g}")
        shift = params.get("bias", np.zeros_like(mean))
        out = ops.batch_norm2d(_as_maps(x), self._scale(params), shift, mean, var, eps=self.eps)
        return out.reshape(x.shape)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        statistics = params["running_mean"], params["running_var"]
        dx, dweight, dbias = ops.batch_norm2d_backward(
            _as_maps(grad), _as_maps(x), self._scale(params), *statistics, eps=self.eps
        )
        own = {"weight": dweight, "bias": dbias}
        return dx.reshape(x.shape), {short: own[short] for short in self._own}

    def formulas(self, site: Site) -> dict[str, Formula]:
        def out(c: int, y: int, x: int) -> str:
            def own(name: str) -> str:
                return beside(site[name], site.source.shape, c, y, x)

            value = site.source.cell(c, y, x)
            normal = f"({value}-{own('running_mean')})/SQRT({own('running_var')}+{number(self.eps)})"
            return normal + "".join(f"{sign}{own(short)}" for sign, short in zip("*+", self._own, strict=False))

        return {"out": Formula(out, shared=site.source.regular)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        source, vector = site.source, len(site.source.shape) == 1

        def own(name: str, c: int, y: int) -> str:
            return beside_other(site[name], source.shape, c, y, 0)

        def deviation(c: int, y: int) -> str:
            return f"SQRT({own('running_var', c, y)}+{number(self.eps)})"

        def of_input(c: int, y: int, x: int) -> str:
            scaled = f"{upstream.cell(c, y, x)}/{deviation(c, y)}"
            return f"{scaled}*{own('weight', c, y)}" if self.affine else scaled

        def weight(plane: int, y: int, x: int) -> str:
            index = y + x
            if vector:
                value = source.other(0, index, 0)
                return f"({value}-{own('running_mean', 0, index)})*{upstream.cell(0, index, 0)}/{deviation(0, index)}"
            values, grads = source.blocks[index].reference, upstream.blocks[index].absolute
            return f"SUMPRODUCT({values}-{own('running_mean', index, 0)},{grads})/{deviation(index, 0)}"

        def bias(plane: int, y: int, x: int) -> str:
            return upstream.cell(0, y + x, 0) if vector else f"SUM({upstream.blocks[y + x].absolute})"

        shared = source.regular and upstream.regular
        of_own = {"weight": Formula(weight, shared=vector and shared), "bias": Formula(bias, shared=vector)}
        return {"input": Formula(of_input, shared=shared)} | {short: of_own[short] for short in self._own}

    def gradient_words(self) -> dict[str, str]:
        own = {"weight": "sum of normalised input × gradient", "bias": "sum of the gradients"}
        of_input = "gradient ÷ √(variance + eps)" + " × weight" * self.affine
        return {"input": of_input} | {short: own[short] for short in self._own}

    def torch(self, shape: Shape) -> str:
        return f"nn.{self.kind}({', '.join([str(shape[0]), *arguments(self.options())])})"

    def words(self, shape: Shape) -> str:
        own = "".join(f" {sign} {short}" for sign, short in zip("×+", self._own, strict=False))
        return f"(value − mean) ÷ √(variance + eps){own}"

    def products(self, shape: Shape) -> tuple[int, ...]:
        return (1,) if self.affine else ()


class BatchNorm2d(_BatchNorm):
    """Each map shifted and scaled by its running mean and variance, as `torch.nn.BatchNorm2d` after `eval()`.

    >>> list(BatchNorm2d().parameters((3, 8, 8)))
    ['weight', 'bias', 'running_mean', 'running_var']
    """

    kind: ClassVar[str] = "BatchNorm2d"

    def output_shape(self, shape: Shape) -> Shape:
        return maps(shape, self.kind)


class BatchNorm1d(_BatchNorm):
    """The same of each value of a vector, or of maps of one row, as `torch.nn.BatchNorm1d` after `eval()`.

    >>> BatchNorm1d().torch((8,))
    'nn.BatchNorm1d(8)'
    """

    kind: ClassVar[str] = "BatchNorm1d"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) == 3 and shape[1] != 1:
            raise ShapeError(f"BatchNorm1d reads a vector or maps of one row, but its input has shape {shape}")
        return shape


def _as_maps(x: Array) -> Array:
    return x[..., None, None] if x.ndim == 2 else x


@dataclass(frozen=True)
class LocalResponseNorm(Layer):
    """Each value divided by what stands in its place in the maps beside it, as `torch.nn.LocalResponseNorm`.

    >>> LocalResponseNorm(5, k=2).torch((8, 4, 4))
    'nn.LocalResponseNorm(size=5, k=2)'
    """

    kind: ClassVar[str] = "LocalResponseNorm"
    prefix: ClassVar[str] = "lrn"
    non_negative: ClassVar[bool | None] = None

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def __post_init__(self) -> None:
        count("size", self.size)
        real("alpha", self.alpha, least=0)
        real("beta", self.beta)
        real("k", self.k, least=0)

    def output_shape(self, shape: Shape) -> Shape:
        return maps(shape, self.kind)

    def forward(self, x: Array, params: Tensors) -> Array:
        return ops.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return ops.local_response_norm_backward(grad, x, self.size, self.alpha, self.beta, self.k), {}

    def intermediates(self, shape: Shape) -> dict[str, Shape]:
        return {"scale": shape}

    def intermediate_values(self, x: Array, params: Tensors) -> dict[str, Array]:
        return {"scale": ops.neighbour_scale(x, self.size, self.alpha, self.k)}

    def _beside(self, plane: int, maps: int, back: bool = False) -> range:
        """The maps around one; with `back` those around which it is."""
        before, after = self.size // 2, (self.size - 1) // 2
        before, after = (after, before) if back else (before, after)
        return range(max(0, plane - before), min(maps, plane + after + 1))

    def formulas(self, site: Site) -> dict[str, Formula]:
        source, scale = site.source, site["scale"]

        def squares(plane: int, y: int, x: int) -> str:
            cells = [source.cell(near, y, x) for near in self._beside(plane, source.shape[0])]
            return f"{number(self.k)}+{number(self.alpha / self.size)}*({total([f'{c}*{c}' for c in cells])})"

        def out(plane: int, y: int, x: int) -> str:
            return f"{source.cell(plane, y, x)}/{scale.cell(plane, y, x)}^{self._power(self.beta)}"

        return {"scale": Formula(squares, shared=True), "out": Formula(out, shared=True)}

    @staticmethod
    def _power(exponent: float) -> str:
        return number(exponent) if exponent >= 0 else f"({number(exponent)})"

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        source, scale, out = site.source, site["scale"], site["out"]
        factor = number(2 * self.alpha * self.beta / self.size)

        def of_input(plane: int, y: int, x: int) -> str:
            shares = [
                f"{upstream.cell(n, y, x)}*{out.other(n, y, x)}/{scale.other(n, y, x)}"
                for n in self._beside(plane, source.shape[0], back=True)
            ]
            own = f"{upstream.cell(plane, y, x)}/{scale.other(plane, y, x)}^{self._power(self.beta)}"
            return f"{own}-({factor})*{source.other(plane, y, x)}*({total(shares)})"

        return {"input": Formula(of_input, shared=True)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient ÷ scale^β − 2αβ ÷ size × input × sum of gradient × output ÷ scale"}

    def words(self, shape: Shape) -> str:
        scale = f"{number(self.k)} + {number(self.alpha)} ÷ {self.size} × sum of squares in {self.size} maps around"
        return f"value ÷ scale^{number(self.beta)}; scale: {scale}"


KINDS = (BatchNorm2d, BatchNorm1d, LocalResponseNorm)
