"""A step of gradient descent on one picture: forward pass, gradients, update; and steps on several at once."""

from collections.abc import Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class BatchPass:
    """Forward passes of some pictures with the same parameters."""

    passes: tuple[ForwardPass, ...]

    @property
    def tensors(self) -> Mapping[str, Array]:
        return self.passes[0].tensors

    @property
    def loss(self) -> float:
        """The mean of their losses."""
        return float(np.mean([made.loss for made in self.passes]))


Example = tuple[Array, int]
"""A picture (C, H, W), and the number of its class."""


def batch_pass(network: Network, examples: Sequence[Example], tensors: Mapping[str, Array]) -> BatchPass:
    """The forward passes of some pictures."""
    return BatchPass(tuple(forward_pass(network, image, tensors, target) for image, target in examples))


def batch_gradients(network: Network, made: BatchPass) -> tuple[list[dict[str, Array]], dict[str, Array]]:
    """Gradients of the mean loss: by the activations of each picture, and by what training changes."""
    found = [{name: grad / len(made.passes) for name, grad in gradients(network, one).items()} for one in made.passes]
    return found, {name: sum((one[name] for one in found), start=np.zeros(())) for name in network.trainable()}


def descent(
    network: Network,
    examples: Sequence[Example],
    tensors: Mapping[str, Array],
    lr: float,
    momentum: float = 0.0,
    most: float = np.inf,
) -> Iterator[BatchPass]:
    """Passes before each step down the mean loss of some pictures, without end; no weight goes beyond `most`.

    At a constant rate PyTorch's momentum is a share of the step before, which needs no other state.
    """
    before = tensors
    while True:
        made = batch_pass(network, examples, tensors)
        yield made
        _, found = batch_gradients(network, made)
        stepped = {
            name: np.clip(tensors[name] - lr * grad + momentum * (tensors[name] - before[name]), -most, most)
            for name, grad in found.items()
        }
        before, tensors = tensors, {**tensors, **stepped}
