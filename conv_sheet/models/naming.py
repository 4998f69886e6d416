"""Names of layers: made from the source's, as Excel and a spec take them."""

import re
from collections.abc import Iterable

from conv_sheet.layers import KINDS
from conv_sheet.network.node import INPUT

LONGEST = 40
"""Characters of a name."""

_PREFIXES = {
    "Conv1d": "conv",
    "ConvTranspose1d": "conv",
    "MaxPool1d": "pool",
    "AvgPool1d": "pool",
    "AdaptiveAvgPool1d": "pool",
    "AdaptiveMaxPool1d": "pool",
    "AdaptiveMaxPool2d": "pool",
    "BatchNorm1d": "bn",
    "GroupNorm": "gn",
    "LayerNorm": "ln",
    "InstanceNorm1d": "norm",
    "InstanceNorm2d": "norm",
    "LocalResponseNorm": "lrn",
    "Upsample": "up",
    "PixelShuffle": "shuffle",
    "Dropout2d": "dropout",
    "ZeroPad2d": "pad",
    "ZeroPad3d": "pad",
    "ConstantPad2d": "pad",
    "ReflectionPad2d": "pad",
    "ReplicationPad2d": "pad",
    "CircularPad2d": "pad",
}


def prefix(kind: str) -> str:
    """What layers of a kind are called when the source has no name for them, with a number behind.

    >>> prefix("Conv2d"), prefix("Upsample")
    ('conv', 'up')
    """
    known = KINDS.get(kind)
    return known.prefix if known else _PREFIXES.get(kind, kind.lower())


def legal(path: str, kind: str) -> str:
    """The name of a layer from the path of its module; empty where the path says nothing.

    >>> legal("layer1.0.conv1", "Conv2d"), legal("0", "Conv2d"), legal('=HYPERLINK("x")', "ReLU"), legal("", "ReLU")
    ('layer1_0_conv1', 'conv0', 'HYPERLINK_x', '')
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")
    if name and not name[0].isalpha():
        name = prefix(kind) + name
    return name if len(name) <= LONGEST else _tail(name, kind)


def _tail(name: str, kind: str) -> str:
    """The end of a name that is too long: there modules differ."""
    end = name[-LONGEST + len(prefix(kind)) + 1 :].lstrip("_")
    return f"{prefix(kind)}_{end}"


def layer_names(layers: Iterable[tuple[str, str]]) -> list[str]:
    """A name for each layer, given its module's path and its kind; no two are equal, capitals or not.

    >>> layer_names([("conv1", "Conv2d"), ("", "ReLU"), ("pool", "MaxPool2d"), ("Pool", "MaxPool2d"), ("", "ReLU")])
    ['conv1', 'relu1', 'pool', 'Pool_2', 'relu2']
    """
    wanted = [(legal(path, kind), kind) for path, kind in layers]
    taken = {INPUT}
    named = {place: _free(name, taken) for place, (name, _) in enumerate(wanted) if name}
    numbers: dict[str, int] = {}
    result = []
    for place, (_, kind) in enumerate(wanted):
        result.append(named[place] if place in named else _numbered(prefix(kind), numbers, taken))
    return result


def _free(name: str, taken: set[str]) -> str:
    """The name, or the name with the first number behind that makes it new; it is taken from now on."""
    number, found = 1, name
    while found.lower() in taken:
        number += 1
        found = f"{name[: LONGEST - 1 - len(str(number))]}_{number}"
    taken.add(found.lower())
    return found


def _numbered(start: str, numbers: dict[str, int], taken: set[str]) -> str:
    while True:
        numbers[start] = numbers.get(start, 0) + 1
        found = f"{start}{numbers[start]}"
        if found.lower() not in taken:
            taken.add(found.lower())
            return found
