"""Where in some pictures the maps of a network answer most, and what they see there."""

from dataclasses import dataclass
from functools import reduce

import numpy as np

from conv_sheet.layers import Array, Field, Tensors
from conv_sheet.network.graph import INPUT, Network

_DIGITS = 9
"""Decimals by which answers are ranked: those that differ by rounding alone are equal, on every processor."""


@dataclass(frozen=True)
class Patch:
    """A window of a picture (C, H, W): number of the picture, the answer of a map there, and where in the map it is."""

    picture: int
    value: float
    row: int
    column: int
    pixels: Array


def field(network: Network, name: str) -> tuple[Field, Field]:
    """What a value of a layer's output sees of the picture, along rows and along columns.

    Layers before it must read one input each, and see windows of it.

    >>> conv = {"kind": "Conv2d", "out_channels": 1, "kernel_size": 3}
    >>> layers = [conv, {"kind": "MaxPool2d", "kernel_size": 2}, conv | {"name": "last"}]
    >>> rows, _ = field(Network.from_spec({"input": [1, 12, 12], "layers": layers}), "last")
    >>> rows.size, rows.stride
    (8, 2)
    """
    chain: list[tuple[Field, Field]] = []
    while name != INPUT:
        node = network.node(name)
        fields = node.layer.fields(node.in_shape)
        assert fields is not None and len(node.inputs) == 1
        chain.append(fields)
        (name,) = node.inputs
    rows, columns = zip(*chain, strict=True)
    return reduce(Field.through, rows), reduce(Field.through, columns)


def strongest(
    network: Network, pictures: Array, tensors: Tensors, name: str, count: int, size: int
) -> list[list[Patch]]:
    """For each map of a layer the patches that excite it most, the strongest first, at most one of each picture.

    Of `pictures` (N, C, H, W) each counts with its strongest place, the first of equals. Patches are (C, size, size),
    the receptive field in the middle, and zeros where a picture has ended.
    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (2013).
    """
    maps = network.forward(pictures, tensors)[name]
    places = maps.reshape(*maps.shape[:2], -1).round(_DIGITS).argmax(axis=-1)
    best = np.take_along_axis(maps.reshape(*maps.shape[:2], -1), places[..., np.newaxis], axis=-1)[..., 0]
    order = np.argsort(-best.round(_DIGITS), axis=0, kind="stable")[:count]
    fields = field(network, name)
    padded = np.pad(pictures, ((0, 0), (0, 0), (size, size), (size, size)))

    def patch(picture: int, channel: int) -> Patch:
        row, column = divmod(int(places[picture, channel]), maps.shape[-1])
        top, left = (
            size + place * one.stride - one.before - (size - one.size) // 2
            for place, one in zip((row, column), fields, strict=True)
        )
        pixels = padded[picture, :, top : top + size, left : left + size]
        return Patch(picture, float(best[picture, channel]), row, column, pixels)

    return [[patch(int(picture), channel) for picture in order[:, channel]] for channel in range(maps.shape[1])]
