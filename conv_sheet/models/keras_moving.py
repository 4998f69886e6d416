"""Keras' layers that join values and move them about; and what a layer was made with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conv_sheet.layers import Array
from conv_sheet.models.builder import GraphBuilder
from conv_sheet.models.imported import shown
from conv_sheet.models.operations import arithmetic, reshaping
from conv_sheet.models.values import Operand, Value


@dataclass(frozen=True)
class KerasLayer:
    """What a layer was made with, and its weights in Keras' order."""

    config: Mapping[str, Any]
    weights: Sequence[Array]

    def get(self, name: str, default: Any = None) -> Any:
        """An argument of the layer."""
        value = self.config.get(name, default)
        return default if value is None else value

    def pair(self, name: str, axes: int, default: int = 1) -> list[int]:
        """An argument that is one whole number or one for each axis."""
        value = self.get(name, default)
        return [int(value)] * axes if isinstance(value, int) else [int(n) for n in value]

    @property
    def last(self) -> bool:
        """Whether channels are on the last axis."""
        return bool(self.get("data_format", "channels_last") != "channels_first")


Operation = Callable[[GraphBuilder, Sequence[Value], KerasLayer], Value]


def _joined(function: Callable[[GraphBuilder, Operand, Operand], Operand]) -> Operation:
    def joined(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
        total: Operand = xs[0]
        for x in xs[1:]:
            total = function(b, total, x)
        if not isinstance(total, Value):
            b.refuse("it joins nothing")
        return total

    return joined


def _concatenate(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    return reshaping.concat(b, xs, int(layer.get("axis", -1)))


def _reshape(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    return reshaping.reshape(b, xs[0], [1, *layer.get("target_shape")])


def _permute(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    return xs[0].moved(np.transpose(xs[0].view, [0, *layer.get("dims")]))


def _sides(layer: KerasLayer, name: str) -> list[tuple[int, int]]:
    value = layer.get(name)
    both = [value, value] if isinstance(value, int) else value
    return [(n, n) if isinstance(n, int) else (int(n[0]), int(n[1])) for n in both]


def _zero_padding(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    rows, columns = _sides(layer, "padding")
    own = [*columns, *rows]
    return reshaping.pad(b, xs[0], [0, 0, *own] if layer.last else own)


def _cropping(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    rows, columns = _sides(layer, "cropping")
    own = [-n for n in (*columns, *rows)]
    return reshaping.pad(b, xs[0], [0, 0, *own] if layer.last else own)


def _upsampling(b: GraphBuilder, xs: Sequence[Value], layer: KerasLayer) -> Value:
    factors, mode = layer.pair("size", 2, 2), layer.get("interpolation", "nearest")
    if mode not in ("nearest", "bilinear"):
        b.refuse(f"interpolation = {shown(mode)} is not supported: nearest and bilinear are")
    shape = xs[0].view.shape[1:-1] if layer.last else xs[0].view.shape[2:]
    size = tuple(n * factor for n, factor in zip(shape, factors, strict=True))
    return reshaping.upsample(b, xs[0], size, mode, last=layer.last)


MOVING: dict[str, Operation] = {
    "Add": _joined(arithmetic.add),
    "Multiply": _joined(arithmetic.multiply),
    "Concatenate": _concatenate,
    "Flatten": lambda b, xs, layer: reshaping.flatten(b, xs[0]),
    "Reshape": _reshape,
    "Permute": _permute,
    "ZeroPadding2D": _zero_padding,
    "Cropping2D": _cropping,
    "UpSampling2D": _upsampling,
}
"""By class."""
