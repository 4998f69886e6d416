"""Specs in and out, and the errors that a user of them reads."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from conv_sheet.errors import DataError, ShapeError, SpecError
from conv_sheet.network.graph import Network
from conv_sheet.network.summary import summary
from tests.networks import SMALL, small

CONV = {"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3}


def spec(*layers: dict[str, Any], shape: tuple[int, ...] = (1, 8, 8), **more: Any) -> dict[str, Any]:
    return {"input": list(shape), "layers": list(layers)} | more


def test_a_spec_survives_its_own_toml() -> None:
    network = Network.from_spec(SMALL | {"try": [{"text": 'type "=1+1"', "at": "input_1"}], "description": "ä\n="})
    assert Network.from_toml(network.to_toml()) == network


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (spec(CONV | {"kernel_size": 9}), r"layer 'conv1' \(Conv2d\) after 'input' \(1, 8, 8\): .*9×9.*8×8"),
        (spec(CONV, {"kind": "Linear", "out_features": 3}), r"layer 'fc1' .*\(2, 6, 6\).*Flatten"),
        (spec(CONV | {"out_chanels": 2}), r"layer 'conv1'.*'out_chanels'.*out_channels"),
        (spec({"kind": "Conv2d", "out_channels": 2}), r"'kernel_size' is missing"),
        (spec(CONV | {"kernel_size": 9}), r"a smaller kernel_size or dilation, or more padding"),
        (spec({"kind": "MaxPool2d", "kernel_size": 9}), r"a smaller kernel_size or dilation, or more padding"),
        (spec(CONV | {"kernel_size": 0}), r"kernel_size = 0 must be a whole number, 1 or more"),
        (spec(CONV | {"stride": [1, 0]}), r"stride = \[1, 0\] must be a whole number, 1 or more, or a pair"),
        (spec(CONV | {"padding": -1}), r"padding = -1 must be a whole number, 0 or more, or a pair"),
        (spec(CONV | {"out_channels": 0}), r"out_channels = 0 must be a whole number, 1 or more$"),
        (spec(CONV | {"padding": "full"}), r"'full'"),
        (spec(CONV | {"groups": 2}), r"groups = 2"),
        (spec(CONV | {"padding": 8, "padding_mode": "reflect"}), r"'reflect'.*7×7"),
        (spec({"kind": "Conv3d"}), r"unknown kind 'Conv3d' .*; known are Conv2d"),
        (spec({"kind": "Conv2D"}), r"unknown kind 'Conv2D' \(did you mean 'Conv2d'\?\); known are Conv2d"),
        (spec({"kind": "relu"}), r"did you mean 'ReLU'\?"),
        (spec({"kind": "nix"}), r"unknown kind 'nix'; known are Conv2d"),
        (spec({"kind": ["ReLU"]}), r"unknown kind \['ReLU'\]"),
        (spec({"out_channels": 2}), r"^layer 1 has no kind: .* kind = \"Conv2d\"; known are Conv2d"),
        (spec(CONV | {"kernal_size": 3}), r"unknown option 'kernal_size' \(did you mean 'kernel_size'\?\); it takes"),
        (spec(CONV, titel="mine"), r"unknown key 'titel' \(did you mean 'title'\?\); a spec has"),
        ({}, r"has no input: .* input = \[1, 28, 28\]"),
        (spec({"kind": "Softmax"}), r"Softmax reads a vector.*\(1, 8, 8\)"),
        (spec(CONV, CONV), r"layer 2: the name 'conv1' is taken"),
        (spec(CONV | {"name": "Input"}), r"'Input' is taken"),
        (spec(CONV | {"name": "=cmd|1"}), r"name '=cmd\|1' is not a letter"),
        (spec(CONV, classes=["a", "b"]), r"2 classes.*'conv1'.*\(2, 6, 6\)"),
        (spec(CONV | {"initial": {"weight": [[1]]}}), r"\(1, 1\) and must have \(2, 1, 3, 3\)"),
        (spec(CONV | {"initial": {"wight": [1]}}), r"initial.wight"),
        (spec(CONV | {"initial": 3}), "initial = 3 is not a table"),
        (spec(), "no layers"),
        ({"input": [28, 28], "layers": [CONV]}, r"input = \[28, 28\]"),
        (spec(CONV, colour="red"), "unknown key 'colour'"),
    ],
)
def test_a_wrong_spec_is_told_in_one_line(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        Network.from_spec(bad)
    assert "\n" not in str(caught.value)


def test_broken_toml_names_its_source() -> None:
    with pytest.raises(SpecError, match=r"^mine\.toml is not TOML"):
        Network.from_toml("input = [1, 2", "mine.toml")


def test_weights_that_do_not_fit_are_listed_with_both_sides() -> None:
    good = small().initial(0)
    with pytest.raises(DataError, match=r"unknown conv9\.weight.*the network takes conv1\.weight \(3, 2, 3, 2\)"):
        small().checked(good | {"conv9.weight": np.zeros(2)}, "w.npz")
    with pytest.raises(DataError, match=r"missing fc\.weight"):
        small().checked({k: v for k, v in good.items() if k != "fc.weight"})
    with pytest.raises(DataError, match=r"conv1\.weight has \(3, 2, 2, 3\) and must have \(3, 2, 3, 2\)"):
        small().checked(good | {"conv1.weight": np.zeros((3, 2, 2, 3))})
    with pytest.raises(DataError, match=r"fc\.bias holds NaN"):
        small().checked(good | {"fc.bias": np.array([0.0, np.nan, 1.0])})


def test_missing_biases_are_zero() -> None:
    weights = {k: v for k, v in small().initial(0).items() if k.endswith("weight")}
    assert not small().checked(weights)["fc.bias"].any()


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
