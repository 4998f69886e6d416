"""What a network looks at: the slope of a class's score by each pixel, and what is lost without a place."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from conv_sheet import ops
from conv_sheet.layers import Array, Tensors
from conv_sheet.network.graph import Network

_BATCH_VALUES = 640_000
"""Values of all layers that are calculated together: fastest, because they stay in the processor's cache."""
_WORK = 3_000_000_000
"""Most multiply-adds of one occlusion map, about a second."""
_OF_A_VALUE = 100
"""As many multiply-adds cost as much time as a value does beside them."""


def gradient(network: Network, values: Tensors, tensors: Tensors, number: int) -> Array:
    """Slope of a class's score by every pixel, (C, H, W); the score is the value before a last Softmax.

    `values` is what `network.forward` gave for a batch of one, `number` that of the class, from 0.
    Source: Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks (2013).

    >>> linear = [{"kind": "Flatten"}, {"name": "fc", "kind": "Linear", "out_features": 2}, {"kind": "Softmax"}]
    >>> network = Network.from_spec({"input": [1, 1, 3], "classes": ["no", "yes"], "layers": linear})
    >>> tensors = {"fc.weight": np.array([[1.0, 2, 3], [4, 5, 6]]), "fc.bias": np.zeros(2)}
    >>> gradient(network, network.forward(np.ones((1, 1, 1, 3)), tensors), tensors, 1)
    array([[[4., 5., 6.]]])
    """
    start = np.zeros_like(values[network.logits])
    start[0, number] = 1.0
    slopes: Array = network.backward(start, values, tensors, start=network.logits)["input"][0]
    return slopes


def occlusion(network: Network, image: Array, tensors: Tensors, number: int) -> Array:
    """How far the output for a class falls, (H, W), when a square of zeros covers the picture (C, H, W) around a place.

    `patch` says how large the square is and how far it goes each time; places that share a square share its value.
    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (2013).
    """
    side, stride = patch(network)
    height, width = image.shape[1:]
    rows, columns = _covered(height, side, stride), _covered(width, side, stride)
    down, right = rows.repeat(len(columns), axis=0), np.tile(columns, (len(rows), 1))
    alike = not any(node.layer.draws(node.own(tensors)) for node in network.nodes)
    size = max(1, _BATCH_VALUES // _values(network)) if alike else 1
    left = []
    for first in range(0, len(down), size):
        batch = slice(first, first + size)
        covered = down[batch, None, :, None] & right[batch, None, None, :]
        left.append(_answers(network, np.where(covered, 0.0, image), tensors)[:, number])
    whole = _answers(network, image[None], tensors)[0, number]
    falls = (whole - np.concatenate(left)).reshape(len(rows), len(columns))
    enlarged: Array = falls.repeat(stride, axis=0).repeat(stride, axis=1)
    return enlarged[:height, :width]


def patch(network: Network) -> tuple[int, int]:
    """Side of the square that occludes, about a sixth of the picture's and odd, and how far it goes each time.

    It goes pixel by pixel, but further where that would take too long.

    >>> convolution = {"kind": "Conv2d", "out_channels": 8, "kernel_size": 3}
    >>> [patch(Network.from_spec({"input": [1, n, n], "layers": [convolution]})) for n in (8, 28, 96)]
    [(3, 1), (5, 1), (17, 6)]
    """
    height, width = network.input_shape[1:]
    work = sum(node.layer.multiply_adds(node.in_shape) for node in network.nodes) + _OF_A_VALUE * _values(network)
    stride = 1
    while -(-height // stride) * -(-width // stride) * work > _WORK and stride < max(height, width):
        stride += 1
    return max(3, min(height, width) // 6 | 1, stride), stride


def _values(network: Network) -> int:
    """Activations of one picture."""
    return sum(prod(node.out_shape) for node in network.nodes)


def probabilities(network: Network, images: Array, tensors: Tensors) -> Array:
    """The network's answers (N, classes) to pictures (N, C, H, W); scores become probabilities by softmax."""
    answers = _answers(network, images, tensors)
    return answers if network.output.layer.probabilities else ops.softmax(answers)


def _answers(network: Network, images: Array, tensors: Tensors) -> Array:
    outputs: Array = network.forward(images, tensors)[network.output.name]
    return outputs


def _covered(size: int, side: int, stride: int) -> NDArray[np.bool_]:
    """Which of `size` rows or columns a square covers, for each place where it stands: (places, size)."""
    starts = np.arange(0, size, stride) + (stride - side) // 2
    apart = np.arange(size) - starts[:, None]
    return (apart >= 0) & (apart < side)
