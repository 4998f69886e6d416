"""A step of gradient descent on one picture: forward pass, gradients, update; and steps on several at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from conv_sheet.learning.objective import Objective
from conv_sheet.ops import Array
from conv_sheet.ops.optim import SGD


@dataclass(frozen=True)
class ForwardPass:
    """A forward pass of one picture: parameters, activations (a batch of one), its goal, and how far from that.

    The goal (classes,) has 1 for what the picture shows, and 0 for the others.
    """

    objective: Objective
    tensors: Mapping[str, Array]
    activations: Mapping[str, Array]
    goal: Array
    loss: float

    @property
    def scores(self) -> Array:
        """What the loss reads, (classes,)."""
        scores: Array = self.activations[self.objective.layer][0]
        return scores


def forward_pass(objective: Objective, image: Array, tensors: Mapping[str, Array], goal: Array) -> ForwardPass:
    """Activations and loss of one picture (C, H, W), whose goal is (classes,)."""
    activations = objective.network.forward(image[np.newaxis], tensors)
    loss, _ = objective.toward(activations[objective.layer], goal[np.newaxis])
    return ForwardPass(objective, tensors, activations, goal, loss)


def gradients(made: ForwardPass) -> dict[str, Array]:
    """Gradients of the loss by activations (a batch of one, by layer name) and by parameters (by full name)."""
    objective, values = made.objective, made.activations
    _, upstream = objective.toward(values[objective.layer], made.goal[np.newaxis])
    return objective.network.backward(upstream, values, made.tensors, start=objective.layer)


def updated(made: ForwardPass, lr: float) -> dict[str, Array]:
    """Parameters after one step of gradient descent.

    >>> from conv_sheet.network.graph import Network
    >>> conv = {"kind": "Conv2d", "out_channels": 1, "kernel_size": 2}
    >>> net = Network.from_spec({"input": [1, 2, 3], "layers": [conv, {"kind": "Flatten"}, {"kind": "Softmax"}]})
    >>> image, start = np.ones((1, 2, 3)), net.initial(seed=0)
    >>> updated(forward_pass(Objective.of(net), image, start, np.array([0.0, 1.0])), lr=0.0).keys() == start.keys()
    True
    """
    found = gradients(made)
    trainable = {name: found[name] for name in made.objective.network.trainable()}
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


Example = tuple[Array, Array]
"""A picture (C, H, W), and its goal (classes,)."""


def batch_pass(objective: Objective, examples: Sequence[Example], tensors: Mapping[str, Array]) -> BatchPass:
    """The forward passes of some pictures."""
    return BatchPass(tuple(forward_pass(objective, image, tensors, goal) for image, goal in examples))


def batch_gradients(made: BatchPass) -> tuple[list[dict[str, Array]], dict[str, Array]]:
    """Gradients of the mean loss: by the activations of each picture, and by what training changes."""
    found = [{name: grad / len(made.passes) for name, grad in gradients(one).items()} for one in made.passes]
    trainable = made.passes[0].objective.network.trainable()
    return found, {name: sum((one[name] for one in found), start=np.zeros(())) for name in trainable}


def descent(
    objective: Objective,
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
        made = batch_pass(objective, examples, tensors)
        yield made
        _, found = batch_gradients(made)
        stepped = {
            name: np.clip(tensors[name] - lr * grad + momentum * (tensors[name] - before[name]), -most, most)
            for name, grad in found.items()
        }
        before, tensors = tensors, {**tensors, **stepped}
