"""What a network is trained for: to name what it sees, or to draw it again."""

import numpy as np
from numpy.typing import NDArray

from conv_sheet.layers import Array
from conv_sheet.network.graph import Network
from conv_sheet.ops.losses import cross_entropy, mse

Labels = NDArray[np.int64]


def redraws(network: Network) -> bool:
    """Whether a network's output is a picture like the one that it reads: an autoencoder.

    >>> redraws(Network.from_spec({"input": [1, 4, 4], "layers": [{"kind": "Sigmoid"}]}))
    True
    """
    return network.output.out_shape == network.input_shape


def loss_of(network: Network, out: Array, images: Array, labels: Labels) -> tuple[float, Array]:
    """Loss of a batch and its gradient by the outputs: cross-entropy of scores (N, classes), or mean squared error."""
    return mse(out, images) if redraws(network) else cross_entropy(out, labels)


def right(network: Network, out: Array, images: Array, labels: Labels) -> float:
    """How many pictures of a batch come out right; of one that is drawn again the share of pixels, black or white."""
    if redraws(network):
        return float(((out > 0.5) == (images > 0.5)).mean(axis=(1, 2, 3)).sum())
    return float(np.count_nonzero(out.argmax(axis=1) == labels))
