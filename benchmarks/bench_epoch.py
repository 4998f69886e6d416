"""Time an epoch of training beside the same loop in PyTorch: 8,000 pictures of noise, which cost what digits do."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.measure import Row, ratio, show
from benchmarks.peers import module
from conv_sheet import lessons
from conv_sheet.learning.data import Dataset
from conv_sheet.learning.train import Settings, fit
from conv_sheet.network.graph import Network
from conv_sheet.ops.optim import Adam

PICTURES, BATCH, ROUNDS = 8_000, 64, 3


def torch_epoch(network: Network, data: Dataset) -> None:
    """The peer: shuffled batches, the loss by the scores before the softmax, Adam."""
    *scores, _softmax = module(network, network.initial(seed=0))
    model = torch.nn.Sequential(*scores)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    for part in torch.randperm(len(images)).split(BATCH):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images[part]), labels[part]).backward()
        optimizer.step()


def rows() -> Iterator[Row]:
    """The default lesson, and the one with the most weights."""
    rng = np.random.default_rng(0)
    settings = Settings(Adam(lr=1e-3), epochs=1, batch_size=BATCH)
    for name in ("fastai", "lenet"):
        network = lessons.load(name).network
        images, labels = rng.random((PICTURES, *network.input_shape)), rng.integers(0, 10, PICTURES)
        data = Dataset(images, labels, network.classes, "noise")
        tensors, few = network.initial(seed=0), data.take(np.arange(BATCH))
        taken = ratio(
            lambda: fit(network, tensors, data, few, settings),  # noqa: B023 - called before the next lesson
            lambda: torch_epoch(network, data),  # noqa: B023
            ROUNDS,
        )
        yield Row(f"epoch, {name}, {PICTURES:,} pictures, batch {BATCH}", "PyTorch", taken, 1.2)


if __name__ == "__main__":
    show(rows())
