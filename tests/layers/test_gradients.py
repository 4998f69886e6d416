"""Gradients as formulas: every kind in a network that learns, computed by LibreOffice from numbers typed anew."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conv_sheet.checks import check
from conv_sheet.layers import KINDS, Shape
from conv_sheet.network.graph import INPUT, Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.sheets.backprop import layout
from conv_sheet.state import WorkbookState
from tests.books import SWEEP, values_for
from tests.networks import written
from tests.oracles import libreoffice
from tests.sheets import agreement

Table = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Layers over a picture; three scores and their softmax stand behind them."""

    shape: Shape
    layers: tuple[Table, ...]
    more: dict[str, Any] = field(default_factory=dict)

    def network(self) -> Network:
        spec = {"input": list(self.shape), "layers": list(self.layers), **self.more}
        flat = [{"kind": "Flatten"}] if len(Network.from_spec(spec).output.out_shape) == 3 else []
        ending = [*flat, {"kind": "Linear", "name": "scores", "out_features": 3}, {"kind": "Softmax", "name": "shares"}]
        return Network.from_spec(spec | {"layers": [*self.layers, *ending]})


def maps(kind: str, shape: Shape = (4, 3, 4), **options: Any) -> Case:
    return Case(shape, ({"kind": kind, **options},))


def flat(kind: str, shape: Shape = (2, 2, 3), **options: Any) -> Case:
    """The same over a vector, which a Linear makes: what flattens the picture has cells."""
    return Case(shape, ({"kind": "Flatten"}, {"kind": kind, **options}))


def gated(*inputs: str, join: str = "Mul", **first: Any) -> Case:
    """A product (or a sum) of what the layers before it give, `maps` and `gate` among them."""
    layers = (
        {"kind": "Conv2d", "name": "maps", "out_channels": 3, "kernel_size": 2, "inputs": ["input"]},
        {"name": "gate", "inputs": ["maps"], **first},
        {"kind": join, "inputs": list(inputs)},
    )
    return Case((2, 4, 3), layers)


CASES: dict[str, Case] = {
    **{kind: maps(kind) for kind in ("ReLU", "ReLU6", "Sigmoid", "Hardsigmoid", "Hardswish", "Tanh", "SiLU", "GELU")},
    "GELU by tanh": maps("GELU", approximate="tanh"),
    "Hardtanh": maps("Hardtanh", min_val=-0.5, max_val=0.75),
    "LeakyReLU": maps("LeakyReLU", negative_slope=0.2),
    "ELU": maps("ELU", alpha=0.7),
    "Softplus": maps("Softplus", beta=2, threshold=1),
    "PReLU": maps("PReLU"),
    "PReLU of each map": maps("PReLU", num_parameters=4),
    "PReLU of a vector": flat("PReLU", num_parameters=12),
    "one PReLU of a vector": flat("PReLU"),
    "BatchNorm2d": maps("BatchNorm2d"),
    "BatchNorm2d without bias": maps("BatchNorm2d", bias=False),
    "BatchNorm1d": flat("BatchNorm1d"),
    "BatchNorm1d of signals": maps("BatchNorm1d", (3, 1, 5)),
    "GroupNorm": maps("GroupNorm", num_groups=2),
    "GroupNorm of a vector": flat("GroupNorm", num_groups=3),
    "GroupNorm without bias": maps("GroupNorm", num_groups=2, bias=False),
    "plain GroupNorm": maps("GroupNorm", num_groups=2, affine=False),
    "InstanceNorm2d": maps("InstanceNorm2d", affine=True),
    "InstanceNorm1d": maps("InstanceNorm1d", (3, 1, 5)),
    "LayerNorm": maps("LayerNorm"),
    "LayerNorm of a vector": flat("LayerNorm"),
    "plain LayerNorm": maps("LayerNorm", elementwise_affine=False),
    "LocalResponseNorm": maps("LocalResponseNorm", (5, 2, 3), size=3, alpha=0.7, k=2),
    "even LocalResponseNorm": maps("LocalResponseNorm", (5, 2, 3), size=4, alpha=0.7, k=1.5),
    "Dropout": maps("Dropout"),
    "Dropout2d": maps("Dropout2d"),
    "Dropout2d of a vector": flat("Dropout2d"),
    "MaxPool2d": maps("MaxPool2d", kernel_size=2),
    "MaxPool2d of four sides": maps("MaxPool2d", kernel_size=2, padding=[0, 1, 1, 0]),
    "MinPool2d": maps("MinPool2d", kernel_size=2, stride=1),
    "AvgPool2d of four sides": maps("AvgPool2d", kernel_size=2, padding=[0, 1, 1, 0], count_include_pad=False),
    "AvgPool2d": maps("AvgPool2d", kernel_size=2, padding=1),
    "MaxPool1d": maps("MaxPool1d", (2, 1, 7), kernel_size=2),
    "AvgPool1d": maps("AvgPool1d", (2, 1, 7), kernel_size=3, padding=1),
    "AdaptiveAvgPool2d": maps("AdaptiveAvgPool2d", (2, 5, 7), output_size=[3, 2]),
    "AdaptiveMaxPool2d": maps("AdaptiveMaxPool2d", (2, 5, 7), output_size=[3, 2]),
    "AdaptiveAvgPool1d": maps("AdaptiveAvgPool1d", (3, 1, 7), output_size=1),
    "AdaptiveMaxPool1d": maps("AdaptiveMaxPool1d", (3, 1, 7), output_size=3),
    "Conv2d": maps("Conv2d", out_channels=2, kernel_size=2),
    "Conv2d of four sides": maps("Conv2d", out_channels=2, kernel_size=2, padding=[0, 1, 2, 0]),
    "Conv1d": maps("Conv1d", (2, 1, 7), out_channels=2, kernel_size=3, padding=1, stride=2),
    "ConvTranspose2d": maps("ConvTranspose2d", (2, 2, 3), out_channels=2, kernel_size=2, stride=2),
    "ConvTranspose1d": maps("ConvTranspose1d", (2, 1, 4), out_channels=2, kernel_size=3, stride=2),
    "Identity": Case((2, 3, 3), ({"kind": "Tanh"}, {"kind": "Identity"})),
    "Flatten": Case((2, 3, 3), ({"kind": "Tanh"}, {"kind": "Flatten"}, {"kind": "Tanh"})),
    "Linear": flat("Linear", out_features=4),
    "Unflatten": flat("Unflatten", unflattened_size=[3, 2, 2]),
    "Slice of maps": maps("Slice", dim=1, start=1, step=2),
    "Slice of rows": maps("Slice", dim=2, start=1),
    "Slice of columns": maps("Slice", dim=3, end=-1, step=2),
    "Slice of a vector": flat("Slice", dim=1, start=2, end=9, step=3),
    "PixelShuffle": maps("PixelShuffle", (4, 2, 3), upscale_factor=2),
    "ZeroPad2d": maps("ZeroPad2d", (2, 2, 3), padding=[1, 0, 2, 1]),
    "ZeroPad3d": maps("ZeroPad3d", (2, 2, 3), padding=[0, 0, 0, 0, 1, 2]),
    "ConstantPad2d": maps("ConstantPad2d", (2, 2, 3), padding=1, value=0.5),
    "ReflectionPad2d": maps("ReflectionPad2d", (2, 3, 3), padding=2),
    "ReplicationPad2d": maps("ReplicationPad2d", (2, 2, 3), padding=2),
    "CircularPad2d": maps("CircularPad2d", (2, 2, 3), padding=[1, 2, 0, 1]),
    **{
        kind: maps(kind, (2, 1, 4), padding=[1, 2], **({"value": 2} if "Constant" in kind else {}))
        for kind in ("ZeroPad1d", "ConstantPad1d", "ReflectionPad1d", "ReplicationPad1d", "CircularPad1d")
    },
    "Upsample": maps("Upsample", (2, 2, 3), scale_factor=2),
    "Upsample to a size": maps("Upsample", (2, 2, 3), size=[3, 5]),
    "Upsample bilinear": maps("Upsample", (2, 2, 3), scale_factor=2, mode="bilinear"),
    "Upsample bilinear, corners": maps("Upsample", (2, 2, 3), size=[3, 4], mode="bilinear", align_corners=True),
    "Softmax": flat("Softmax"),
    "Softmax over maps": maps("Softmax"),
    "LogSoftmax": flat("LogSoftmax"),
    "LogSoftmax over maps": maps("LogSoftmax"),
    "Normalize": maps("Normalize", mean=[0.1, 0.2, 0.3, 0.4], std=0.5),
    "normalize": Case((2, 2, 3), ({"kind": "Tanh"},), {"normalize": {"range": [-1, 1]}}),
    "Add": Case((2, 2, 3), ({"kind": "Tanh"}, {"kind": "Add", "inputs": ["tanh1", "input"]})),
    "Add with a value a map": gated("maps", "gate", join="Add", kind="AdaptiveAvgPool2d", output_size=1),
    "Add with a map": gated("gate", "maps", join="Add", kind="Conv2d", out_channels=1, kernel_size=1),
    "Add with a value": gated("gate", "maps", join="Add", kind="Conv2d", out_channels=1, kernel_size=[3, 2]),
    "Concat": Case((2, 2, 3), ({"kind": "Tanh"}, {"kind": "Concat", "inputs": ["tanh1", "input"]})),
    "Mul": gated("maps", "gate", kind="Sigmoid"),
    "Mul with a value a map": gated("maps", "gate", kind="AdaptiveAvgPool2d", output_size=1),
    "Mul with a map": gated("gate", "maps", kind="Conv2d", out_channels=1, kernel_size=1),
    "Mul with a value": gated("gate", "maps", kind="Conv2d", out_channels=1, kernel_size=[3, 2]),
    "squeeze and excite": Case(
        (2, 4, 3),
        (
            {"kind": "AdaptiveAvgPool2d", "output_size": 1},
            {"kind": "Flatten"},
            {"kind": "Linear", "out_features": 2},
            {"kind": "Hardsigmoid", "name": "gate"},
            {"kind": "Mul", "inputs": ["input", "gate"]},
        ),
    ),
    "Mul of three": Case(
        (2, 3, 3),
        (
            {"kind": "Tanh", "name": "one"},
            {"kind": "AdaptiveMaxPool2d", "name": "two", "output_size": 1},
            {"kind": "Mul", "inputs": ["input", "one", "two"]},
        ),
    ),
    "Mul of vectors": Case(
        (2, 2, 2),
        (
            {"kind": "Flatten", "name": "flat"},
            {"kind": "Sigmoid", "name": "gate"},
            {"kind": "Mul", "inputs": ["flat", "gate"]},
        ),
    ),
}
LEARNT = [name for name in CASES if SWEEP or not (" " in name or name.endswith("1d"))]
"""Those that LibreOffice calculates: without a sweep one of each kind, and kinds of signals by those of maps."""


def test_every_kind_learns_somewhere() -> None:
    assert {node.layer.kind for case in CASES.values() for node in case.network().nodes} == set(KINDS)


@pytest.fixture(scope="module", autouse=True)
def few_look_ahead() -> Iterator[None]:
    """Without a sweep no network has the many copies of itself that take steps at once."""
    with pytest.MonkeyPatch.context() as patch:
        if not SWEEP:
            patch.setattr(layout, "MAX_AHEAD", 0)
        yield


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What LibreOffice makes of each network with its gradients, all in one call."""
    folder = tmp_path_factory.mktemp("learning")
    made: dict[str, Path] = {}
    for number, (name, case) in enumerate((name, CASES[name]) for name in LEARNT):
        rng, network = np.random.default_rng(number), case.network()
        image = np.arange(prod(network.input_shape)).reshape(network.input_shape) / 100
        before = WorkbookState.of(network, image, network.initial(0), Lesson(backprop=True))
        changes = {INPUT: rng.standard_normal(network.input_shape).round(4), **values_for(network, rng)}
        built = written(folder, before, f"{number}-built.xlsx")
        made[name] = agreement.edited(built, folder / f"{number}.xlsx", before, changes)
    return dict(zip(made, libreoffice.recalculate(list(made.values()), folder / "out"), strict=True))


@pytest.mark.parametrize("name", LEARNT)
def test_gradients_are_the_engines(name: str, answers: dict[str, Path]) -> None:
    report = check(answers[name])
    assert [*map(str, report.formulas), *map(str, report.values)] == []
    assert report.cells > 100
