"""What a network computes, and what is said of it, against PyTorch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from conv_sheet.errors import ShapeError
from conv_sheet.network.graph import Network
from conv_sheet.network.summary import summary
from tests.network.specs import CONV, spec
from tests.networks import small


def test_an_image_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 6, 7\).*\(2, 7, 6\)"):
        small().forward(np.zeros((1, 2, 6, 7)), small().initial(0))


def test_initial_weights_are_seeded_and_keep_what_the_spec_gives() -> None:
    network = Network.from_spec(spec(CONV | {"initial": {"bias": [1, 2]}}))
    first, again, other = network.initial(3), network.initial(3), network.initial(4)
    assert first["conv1.bias"].tolist() == [1, 2]
    np.testing.assert_array_equal(first["conv1.weight"], again["conv1.weight"])
    assert (first["conv1.weight"] != other["conv1.weight"]).any()
    assert np.abs(first["conv1.weight"]).max() <= 1 / 3


def test_forward_is_what_pytorch_computes() -> None:
    network = small()
    tensors = network.initial(2)
    model = nn.Sequential(
        nn.Conv2d(2, 3, (3, 2)), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3), nn.Softmax(1)
    ).double()
    model.load_state_dict(
        {
            f"{place}.{short}": torch.tensor(tensors[f"{name}.{short}"])
            for place, name in ((0, "conv1"), (4, "fc"))
            for short in ("weight", "bias")
        }
    )
    x = np.random.default_rng(0).random((4, 2, 7, 6))
    expected = model(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(network.forward(x, tensors)["prob"], expected, rtol=0, atol=1e-12)
    assert network.count() == sum(p.numel() for p in model.parameters())


def test_the_receptive_field_is_the_pixels_whose_gradient_is_not_zero() -> None:
    layers: list[dict[str, Any]] = [
        {"kind": "Conv2d", "out_channels": 1, "kernel_size": [3, 5], "stride": 2, "bias": False},
        {"kind": "MaxPool2d", "kernel_size": [2, 1]},
        {"kind": "Conv2d", "out_channels": 1, "kernel_size": 2, "dilation": 2, "bias": False},
    ]
    network = Network.from_spec(spec(*layers, shape=(1, 31, 31)))
    x = torch.rand(1, 1, 31, 31, dtype=torch.float64, requires_grad=True)
    y = nn.functional.conv2d(x, torch.ones(1, 1, 3, 5, dtype=torch.float64), stride=2)
    y = nn.functional.avg_pool2d(y, (2, 1))
    y = nn.functional.conv2d(y, torch.ones(1, 1, 2, 2, dtype=torch.float64), dilation=2)
    (grad,) = torch.autograd.grad(y[0, 0, 0, 0], x)
    seen = grad[0, 0].nonzero().max(dim=0).values + 1
    assert summary(network)[-1].field == tuple(seen.tolist())
