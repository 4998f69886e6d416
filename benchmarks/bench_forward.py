"""Time a lesson's network on one image beside PyTorch in eager mode."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.measure import Row, ratio, show
from benchmarks.peers import module
from conv_sheet import lessons


def rows() -> Iterator[Row]:
    """The default lesson."""
    network = lessons.load("fastai").network
    tensors = network.initial(seed=0)
    peer = module(network, tensors)
    x = np.random.default_rng(0).random((1, *network.input_shape))
    image = torch.from_numpy(x)

    def theirs() -> torch.Tensor:
        with torch.no_grad():
            answer: torch.Tensor = peer(image)
        return answer

    np.testing.assert_allclose(network.forward(x, tensors)[network.output.name], theirs().numpy(), rtol=1e-9)
    yield Row("forward, fastai, one image", "PyTorch", ratio(lambda: network.forward(x, tensors), theirs), 0.5)


if __name__ == "__main__":
    show(rows())
