"""Pictures that a network makes: the weights stay, and the pixels move along their gradients.

Every step moves the pixels along the slope, that of the steepest slope by `reach`, and the others in proportion.
Pixels stay from 0 to 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from conv_sheet.layers import Array, Tensors
from conv_sheet.learning.guided import settled
from conv_sheet.learning.saliency import probabilities
from conv_sheet.network.graph import Network

SEED = 0
"""Of the noise that pictures begin with."""
NOISE = 0.2
"""Its largest pixel."""
SNAPSHOTS = 3, 10, 30
"""Steps after which a picture of a class is kept."""
REACH, DECAY = 0.05, 0.5
"""What a step to a class moves a pixel by at most, and what of every pixel is subtracted from its slope."""
FOOLING_REACH, ENOUGH, MOST_STEPS = 0.05, 0.9, 60
"""The same of a step to another class, the probability at which it ends, and how many there are at most."""
REBUILDING_REACH, REBUILDING_STEPS = 0.2, 60
"""The same of the first step to a layer's values, later ones being shorter, and how many there are."""


@dataclass(frozen=True)
class Fooled:
    """Pictures (N, C, H, W) that the network takes for each of its classes, and how many steps they took (N,)."""

    pictures: Array
    steps: Array


def noise(network: Network) -> Array:
    """The picture (C, H, W) that others begin with: not rounded, so that no sum of pixels is zero but for rounding.

    >>> network = Network.from_spec({"input": [1, 1, 4], "layers": [{"kind": "Flatten"}]})
    >>> noise(network).round(3).tolist()
    [[[0.127, 0.054, 0.008, 0.003]]]
    """
    return np.random.default_rng(SEED).uniform(0, NOISE, network.input_shape)


def moved(pictures: Array, slopes: Array, reach: float) -> Array:
    """Pictures (N, C, H, W) after a step; one without any slope stays as it is."""
    steepest = np.abs(slopes).max(axis=(1, 2, 3), keepdims=True)
    stepped: Array = np.clip(pictures + reach * slopes / np.where(steepest > 0, steepest, 1.0), 0.0, 1.0)
    return stepped


def _slopes(
    network: Network, tensors: Tensors, name: str, pictures: Array, upstream: Callable[[Array], Array]
) -> Array:
    """Slopes of the pixels, where `upstream` makes the slopes of a layer's values of these values."""
    values = settled(network.forward(pictures, tensors))
    return network.backward(upstream(values[name]), values, tensors, start=name)["input"]


def _given(upstream: Array, _: Array) -> Array:
    """Slopes that do not depend on the values."""
    return upstream


def of_classes(network: Network, tensors: Tensors) -> Array:
    """For every class pictures whose score was raised step by step, (classes, snapshots, C, H, W).

    What is raised is the score, less the sum of the squared pixels times a half of `DECAY`.
    Source: Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks (2013).
    """
    classes = np.eye(len(network.classes))
    pictures = np.repeat(noise(network)[np.newaxis], len(classes), axis=0)
    kept = []
    for step in range(1, SNAPSHOTS[-1] + 1):
        slopes = _slopes(network, tensors, network.logits, pictures, partial(_given, classes))
        pictures = moved(pictures, slopes - DECAY * pictures, REACH)
        if step in SNAPSHOTS:
            kept.append(pictures)
    return np.stack(kept, axis=1)


def fooled(network: Network, tensors: Tensors, picture: Array) -> Fooled:
    """A picture (C, H, W) changed for each class, until the network gives this one a probability of `ENOUGH`.

    What is raised is the score of the class, less that of what the picture was taken for.
    Source: Szegedy and others, Intriguing properties of neural networks (2013).
    """
    classes = np.eye(len(network.classes))
    before = int(probabilities(network, picture[np.newaxis], tensors)[0].argmax())
    pictures, steps = np.repeat(picture[np.newaxis], len(classes), axis=0), np.zeros(len(classes))
    for _ in range(MOST_STEPS):
        going = np.diagonal(probabilities(network, pictures, tensors)) < ENOUGH
        if not going.any():
            break
        upstream = classes[going] - classes[before]
        slopes = _slopes(network, tensors, network.logits, pictures[going], partial(_given, upstream))
        pictures[going] = moved(pictures[going], slopes, FOOLING_REACH)
        steps += going
    return Fooled(pictures, steps)


def rebuilt(network: Network, tensors: Tensors, picture: Array, name: str) -> Array:
    """A picture (C, H, W) made anew from what a layer makes of it alone: noise, until the layer answers alike.

    Source: Mahendran and Vedaldi, Understanding Deep Image Representations by Inverting Them (2014).
    """
    wanted = network.forward(picture[np.newaxis], tensors)[name]
    made = noise(network)[np.newaxis]
    for step in range(REBUILDING_STEPS):
        slopes = _slopes(network, tensors, name, made, lambda values: wanted - values)
        made = moved(made, slopes, REBUILDING_REACH * (1 - step / REBUILDING_STEPS))
    last: Array = made[0]
    return last
