"""The layer kinds: a dataclass each, with everything that conv-sheet knows of the kind."""

from conv_sheet.layers.activation import Activation, ReLU
from conv_sheet.layers.base import Array, Border, Formula, Layer, Shape, Site, Tensors
from conv_sheet.layers.conv import Conv2d
from conv_sheet.layers.dense import Flatten, Linear, Softmax
from conv_sheet.layers.pool import MaxPool2d

KINDS: dict[str, type[Layer]] = {kind.kind: kind for kind in (Conv2d, ReLU, MaxPool2d, Flatten, Linear, Softmax)}
"""Every layer kind by the name that a spec gives it."""

__all__ = [
    "KINDS",
    "Activation",
    "Array",
    "Border",
    "Conv2d",
    "Flatten",
    "Formula",
    "Layer",
    "Linear",
    "MaxPool2d",
    "ReLU",
    "Shape",
    "Site",
    "Softmax",
    "Tensors",
]
