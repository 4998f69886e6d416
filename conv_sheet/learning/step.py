"""A step of gradient descent on one picture: forward pass, gradients, update."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from conv_sheet.network.graph import Network
from conv_sheet.ops import Array
from conv_sheet.ops.losses import cross_entropy
from conv_sheet.ops.optim import SGD


@dataclass(frozen=True)
class ForwardPass:
    """A forward pass of one picture: parameters, activations (a batch of one), and what follows for the target."""

    tensors: Mapping[str, Array]
    activations: Mapping[str, Array]
    target: int
    probability: float
    """What the network gives the target, from 0 to 1."""
    loss: float
    """-log(probability), in nats."""


def forward_pass(network: Network, image: Array, tensors: Mapping[str, Array], target: int) -> ForwardPass:
    """Activations and loss of one picture (C, H, W), whose class has the number `target`."""
    activations = network.forward(image[np.newaxis], tensors)
    loss, _ = cross_entropy(activations[network.logits], np.array([target]))
    probability = float(activations[network.output.name][0, target])
    return ForwardPass(tensors, activations, target, probability, loss)


def gradients(network: Network, made: ForwardPass) -> dict[str, Array]:
    """Gradients of the loss by activations (a batch of one, by layer name) and by parameters (by full name)."""
    scores = network.logits
    _, upstream = cross_entropy(made.activations[scores], np.array([made.target]))
    return network.backward(upstream, made.activations, made.tensors, start=scores)


def updated(network: Network, made: ForwardPass, lr: float) -> dict[str, Array]:
    """Parameters after one step of gradient descent.

    >>> conv = {"kind": "Conv2d", "out_channels": 1, "kernel_size": 2}
    >>> net = Network.from_spec({"input": [1, 2, 3], "layers": [conv, {"kind": "Flatten"}, {"kind": "Softmax"}]})
    >>> image, start = np.ones((1, 2, 3)), net.initial(seed=0)
    >>> updated(net, forward_pass(net, image, start, target=1), lr=0.0).keys() == start.keys()
    True
    """
    found = gradients(network, made)
    trainable = {name: found[name] for name in network.trainable()}
    return SGD(lr).step(made.tensors, trainable, {})[0]
