"""The picture as a network was trained on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from conv_sheet.cells.formula import Formula
from conv_sheet.cells.grid import Placed
from conv_sheet.cells.inputs import Limits
from conv_sheet.errors import DataError, ShapeError, SpecError
from conv_sheet.layers.base import Layer, Shape, Site, Tensors, beside, beside_other, maps
from conv_sheet.ops import Array
from conv_sheet.ops.options import real


@dataclass(frozen=True)
class Normalize(Layer):
    """(x - mean) / std of each map, as `torchvision.transforms.Normalize`: both stand in cells.

    >>> Normalize(mean=(0.1307,), std=(0.3081,)).torch((1, 28, 28))
    'lambda x: (x - 0.1307) / 0.3081'
    """

    kind: ClassVar[str] = "Normalize"
    prefix: ClassVar[str] = "normalize"
    buffers: ClassVar[frozenset[str]] = frozenset({"mean", "std"})
    settings: ClassVar[frozenset[str]] = frozenset({"mean", "std"})
    limits: ClassVar[Mapping[str, Limits]] = {
        "mean": Limits(hint="What is subtracted from every pixel: the mean that the network was trained with."),
        "std": Limits(hint="What every pixel is divided by, and not 0: the deviation it was trained with."),
    }

    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            for value in self._each(name, 1):
                real(name, value)
        if 0 in self._each("std", 1):
            raise SpecError(f"std = {self.std!r} must not be 0: values are divided by it")

    def _each(self, name: str, channels: int) -> tuple[float, ...]:
        given = getattr(self, name)
        return given if isinstance(given, tuple) else (given,) * channels

    def output_shape(self, shape: Shape) -> Shape:
        channels = maps(shape, self.kind)[0]
        for name in ("mean", "std"):
            count = len(self._each(name, channels))
            if count != channels:
                raise ShapeError(f"{name} has {count} numbers, and its input {channels} channels: one a channel")
        return shape

    def parameters(self, shape: Shape) -> dict[str, Shape]:
        return {"mean": shape[:1], "std": shape[:1]}

    def initial(self, shape: Shape, rng: "np.random.Generator") -> dict[str, Array]:
        return {name: np.array(self._each(name, shape[0]), dtype=float) for name in ("mean", "std")}

    @staticmethod
    def _std(params: Tensors) -> Array:
        if not params["std"].all():
            raise DataError("std holds 0: values are divided by it")
        return params["std"][:, None, None]

    def forward(self, x: Array, params: Tensors) -> Array:
        return (x - params["mean"][:, None, None]) / self._std(params)

    def backward(self, grad: Array, x: Array, y: Array, params: Tensors) -> tuple[Array, dict[str, Array]]:
        return grad / self._std(params), {}

    def formulas(self, site: Site) -> dict[str, Formula]:
        def out(plane: int, y: int, x: int) -> str:
            mean, std = (beside(site[name], site.source.shape, plane, y, x) for name in ("mean", "std"))
            return f"({site.source.cell(plane, y, x)}-{mean})/{std}"

        return {"out": Formula(out, shared=True)}

    def gradient_formulas(self, site: Site, upstream: Placed) -> dict[str, Formula]:
        def of_input(plane: int, y: int, x: int) -> str:
            return f"{upstream.cell(plane, y, x)}/{beside_other(site['std'], site.source.shape, plane, y, x)}"

        return {"input": Formula(of_input, shared=True)}

    def gradient_words(self) -> dict[str, str]:
        return {"input": "gradient ÷ std"}

    def torch(self, shape: Shape) -> str:
        both = [self._each(name, shape[0]) for name in ("mean", "std")]
        if shape[0] == 1:
            return f"lambda x: (x - {both[0][0]!r}) / {both[1][0]!r}"
        mean, std = (f"torch.tensor({list(values)}).view(-1, 1, 1)" for values in both)
        return f"lambda x: (x - {mean}) / {std}"

    def words(self, shape: Shape) -> str:
        return "(value − mean) ÷ std"


KINDS = (Normalize,)
