"""How large a network may be, counted from shapes alone, before anything of that size is made."""

from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING

from conv_sheet.errors import ShapeError, SpecError
from conv_sheet.layers import Shape

if TYPE_CHECKING:
    from conv_sheet.network.node import Node

MOST_VALUES = 4_000_000
"""Of a network, parameters and activations together: a workbook stores each of them twice or more, and a reader of the
file has to take it all in."""
MOST_LAYERS = 1_000


def require_layers(count: int) -> None:
    """Raise SpecError where a network would have too many layers."""
    if count > MOST_LAYERS:
        raise SpecError(f"{count:,} layers; {MOST_LAYERS:,} are the most")


def require_size(shape: Shape, what: str) -> None:
    """Raise ShapeError where something of a shape would be too large."""
    if prod(shape) > MOST_VALUES:
        raise ShapeError(f"{what} would have {_count(prod(shape))} values; {MOST_VALUES:,} are the most of a network")


def require_node(node: "Node") -> None:
    """Raise ShapeError where a layer's output, its parameters or what it puts around its input are too large."""
    require_size(node.out_shape, "its output")
    for short, shape in node.parameters.items():
        require_size(shape, f"its {short}")
    if len(node.in_shape) == 3:
        border, (channels, height, width) = node.layer.border(), node.in_shape
        padded = channels, height + border.top + border.bottom, width + border.left + border.right
        require_size(padded, "its input with padding")


def require_network(nodes: Iterable["Node"]) -> None:
    """Raise ShapeError where the layers of a network are too large together."""
    values = sum(prod(shape) for node in nodes for shape in (node.out_shape, *node.parameters.values()))
    if values > MOST_VALUES:
        raise ShapeError(f"parameters and activations are {_count(values)} values; {MOST_VALUES:,} are the most")


def _count(number: int) -> str:
    """A number of values in words that fit a line.

    >>> _count(12_000_000), _count(10**40)
    ('12,000,000', 'more than a billion')
    """
    return f"{number:,}" if number < 10**9 else "more than a billion"
