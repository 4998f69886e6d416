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


def inside(one: Field, size: int) -> range:
    """The places along an axis from which a layer sees nothing but the picture, of so many pixels: no padding.

    >>> inside(Field(3, stride=2, before=1), 8)
    range(1, 4)
    """
    return range(-(-one.before // one.stride), (size - one.size + one.before) // one.stride + 1)


def middle(one: Field, size: int) -> int:
    """Which of the places that a patch of so many pixels has, from 0, is the middle one: that of the patch.

    >>> middle(Field(3), 5), middle(Field(5), 5), middle(Field(3, stride=2), 8)
    (1, 0, 1)
    """
    return (size - one.size) // one.stride // 2


def strongest(
    network: Network, pictures: Array, tensors: Tensors, name: str, count: int, size: int
) -> list[list[Patch]]:
    """For each map of a layer the patches that excite it most, the strongest first, at most one of each picture.

    Of `pictures` (N, C, H, W) each counts with its strongest place of those `inside`, the first of equals. Patches are
    (C, size, size), the receptive field in the `middle`, and zeros where a picture has ended.
    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (2013).
    """
    fields = field(network, name)
    down, right = (inside(one, length) for one, length in zip(fields, pictures.shape[2:], strict=True))
    maps = network.forward(pictures, tensors)[name][..., down.start : down.stop, right.start : right.stop]
    places = maps.reshape(*maps.shape[:2], -1).round(_DIGITS).argmax(axis=-1)
    best = np.take_along_axis(maps.reshape(*maps.shape[:2], -1), places[..., np.newaxis], axis=-1)[..., 0]
    order = np.argsort(-best.round(_DIGITS), axis=0, kind="stable")[:count]
    padded = np.pad(pictures, ((0, 0), (0, 0), (size, size), (size, size)))

    def patch(picture: int, channel: int) -> Patch:
        row, column = divmod(int(places[picture, channel]), maps.shape[-1])
        row, column = row + down.start, column + right.start
        top, left = (
            size + (place - middle(one, size)) * one.stride - one.before
            for place, one in zip((row, column), fields, strict=True)
        )
        pixels = padded[picture, :, top : top + size, left : left + size]
        return Patch(picture, float(best[picture, channel]), row, column, pixels)

    return [[patch(int(picture), channel) for picture in order[:, channel]] for channel in range(maps.shape[1])]
