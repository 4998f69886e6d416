"""The table of layers: what a value sees of the input, against the gradients of PyTorch."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from conv_sheet.network.graph import Network
from conv_sheet.network.summary import as_text, summary
from tests.graphs import GRAPHS, conv, graph, layer
from tests.network.specs import spec


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


SIDE = 24
PATHS = {
    "a short and a long path": graph(
        (1, SIDE, SIDE),
        conv("near", "input", out_channels=1, kernel_size=3, padding=1),
        conv("far", "near", out_channels=1, kernel_size=5, padding=2),
        layer("Add", "far", "input", name="last"),
    ),
    "neither path sees what the other does": graph(
        (1, SIDE, SIDE),
        conv("ahead", "input", out_channels=1, kernel_size=[4, 1], padding=[0, 0]),
        conv("behind", "input", out_channels=1, kernel_size=[4, 2], padding=[2, 0], dilation=[2, 1], stride=1),
        conv("fit", "ahead", out_channels=1, kernel_size=[2, 2], padding=[1, 0], dilation=[1, 1]),
        layer("Add", "behind", "fit", name="last"),
    ),
    "steps of two lengths": graph(
        (1, 9, 9),
        conv("slow", "input", out_channels=1, kernel_size=5),
        conv("fast", "input", out_channels=1, kernel_size=1, stride=2),
        layer("Concat", "slow", "fast", name="joined"),
        layer("MaxPool2d", kernel_size=3, name="last"),
    ),
}


def slopes(network: Network, at: tuple[int, ...]) -> Tensor:
    """By which pixels a value of the last map changes, when all kernels are ones and every pool a mean."""
    values: dict[str, Any] = {"input": torch.rand((1, *network.input_shape), dtype=torch.float64, requires_grad=True)}
    for node in network.nodes:
        if node.layer.joins:
            values[node.name] = eval(node.torch, {"torch": torch, **values})
            continue
        module = eval(node.torch.replace("MaxPool", "AvgPool"), {"nn": nn}).double()
        for parameter in module.parameters():
            nn.init.ones_(parameter)
        values[node.name] = module(values[node.inputs[0]])
    (grad,) = torch.autograd.grad(values[network.output.name][(0, slice(None), *at)].sum(), values["input"])
    pixels: Tensor = grad[0].sum(dim=0).nonzero()
    return pixels


@pytest.mark.parametrize("network", PATHS.values(), ids=PATHS)
def test_a_value_sees_what_it_sees_by_any_path(network: Network) -> None:
    seen = [slopes(network, at) for at in np.ndindex(*network.output.out_shape[1:])]
    spans = np.array([(pixels.max(dim=0).values - pixels.min(dim=0).values + 1).tolist() for pixels in seen])
    assert summary(network)[-1].field == tuple(spans.max(axis=0).tolist())


def test_the_step_is_the_longest_of_all_paths() -> None:
    assert [row.step[0] for row in summary(PATHS["steps of two lengths"])] == [1, 1, 2, 2, Fraction(6)]


def test_behind_what_sees_everything_everything_is_seen() -> None:
    rows = {row.name: row for row in summary(GRAPHS["vectors of two sizes"])}
    assert [name for name, row in rows.items() if row.sees_all] == [
        "small",
        "joined",
        "fc",
        "sigmoid",
        "concat2",
        "shares",
    ]
    assert rows["shares"].field == (4, 5)


def test_a_table_in_words_names_what_is_read_where_it_is_not_the_layer_above() -> None:
    lines = [line.split("  ")[0] for line in as_text(GRAPHS["a residual block"])]
    assert lines[2:-2] == ["input", "first", "bn1", "relu1", "second", "sum ← second, input", "relu2"]


def test_a_deep_network_of_many_paths_is_summed_up_at_once() -> None:
    layers: list[dict[str, Any]] = []
    for number in range(120):
        before = layers[-1]["name"] if layers else "input"
        layers.append(conv(f"conv{number}", before, out_channels=1, kernel_size=3, padding=1))
        layers.append(layer("Add", before, f"conv{number}", name=f"add{number}"))
    network = graph((1, 8, 8), *layers)
    last = summary(network)[-1]
    assert (last.field, last.sees) == ((241, 241), (8, 8))
    assert [*as_text(network)][-3].endswith("all 8×8")
