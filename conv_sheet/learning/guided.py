"""Three ways back through a ReLU: the gradient, and two that let through only what raises a score."""

from functools import partial

import numpy as np

from conv_sheet.layers import Array, Tensors
from conv_sheet.layers.activation import ReLU
from conv_sheet.network.graph import Network, Node

PLAIN, GUIDED, DECONVNET = "plain", "guided", "deconvnet"
RULES = PLAIN, GUIDED, DECONVNET
TINY = 1e-12
"""What rounding leaves of a sum that is zero is less, and differs between programs: a ReLU that gives this is off."""


def gradients(
    network: Network, values: Tensors, tensors: Tensors, start: str, upstream: Array, rule: str
) -> dict[str, Array]:
    """What comes back to every layer and to `input` from the output of layer `start`, as `Network.backward` names it.

    `values` is what `network.forward` gave, `upstream` the gradient of that output. At a ReLU, `plain` passes it where
    the output is above zero, `deconvnet` where it is itself above zero, and `guided` where both are.
    Source: Springenberg, Dosovitskiy, Brox and Riedmiller, Striving for Simplicity (2014); Zeiler and Fergus (2013).

    >>> layers = [{"name": "relu", "kind": "ReLU"}]
    >>> network = Network.from_spec({"input": [1, 1, 3], "layers": layers})
    >>> values = network.forward(np.array([[[[5.0, 5.0, -5.0]]]]), {})
    >>> upstream = np.array([[[[2.0, -2.0, 2.0]]]])
    >>> [gradients(network, values, {}, "relu", upstream, rule)["input"].ravel().tolist() for rule in RULES]
    [[2.0, -2.0, 0.0], [2.0, 0.0, 0.0], [2.0, 0.0, 2.0]]
    """
    hook = None if rule == PLAIN else partial(_positive, rule)
    return network.backward(upstream, settled(values), tensors, start=start, hook=hook)


def settled(values: Tensors) -> dict[str, Array]:
    """The values, and zero where they are `TINY`: so a gradient is the same on every processor."""
    return {name: np.where(np.abs(value) < TINY, 0.0, value) for name, value in values.items()}


def _positive(rule: str, node: Node, upstream: Array, passed: Array) -> Array:
    if node.layer.kind != ReLU.kind:
        return passed
    return np.maximum(upstream if rule == DECONVNET else passed, 0.0)
