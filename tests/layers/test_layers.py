"""Every layer kind: the engine against PyTorch, and its formulas, in other programs, against the engine."""

import ast
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from itertools import chain, combinations, pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import conv_sheet
from conv_sheet.cells.expr import Expr
from conv_sheet.cells.formula import FUNCTIONS, MAX_ARGUMENTS, MAX_LENGTH, functions_in
from conv_sheet.checks import check
from conv_sheet.errors import DataError, SpecError, WorkbookError
from conv_sheet.layers import KINDS, Array, Shape, Tensors
from conv_sheet.layers.dropout import PRIME, random, random_cell
from conv_sheet.layers.pool import MaxPool2d, MinPool2d
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import NETWORK, plan
from conv_sheet.network.summary import summary
from conv_sheet.network.weights import checked
from conv_sheet.state import WorkbookState
from tests.books import SWEEP, Book, assert_agrees, batch, filled, on_one_sheet, values_for
from tests.networks import written
from tests.oracles import cells, formualizer, gnumeric, libreoffice, validator
from tests.sheets import agreement

# What is drawn


def pairs(least: int, most: int) -> st.SearchStrategy[int | list[int]]:
    number = st.integers(least, most)
    return number | st.lists(number, min_size=2, max_size=2)


def reals(least: float, most: float) -> st.SearchStrategy[float]:
    """Real numbers, none so small that it loses digits where LibreOffice writes formulas with at most 20 decimals."""
    return st.floats(least, most).map(lambda value: value if abs(value) >= 1e-6 else 0.0)


CONV = {
    "out_channels": st.sampled_from([1, 2, 3, 4]),
    "kernel_size": pairs(1, 4),
    "stride": pairs(1, 3),
    "dilation": pairs(1, 3),
    "groups": st.sampled_from([1, 1, 2]),
    "bias": st.booleans(),
}
CONV_ROW = {
    **CONV,
    **{name: st.integers(1, most) for name, most in (("kernel_size", 4), ("stride", 3), ("dilation", 3))},
}
POOL = {
    "kernel_size": pairs(1, 4),
    "stride": st.none() | pairs(1, 3),
    "padding": pairs(0, 2),
    "ceil_mode": st.booleans(),
}
POOL_ROW = {
    "kernel_size": st.integers(1, 4),
    "stride": st.none() | st.integers(1, 3),
    "padding": st.integers(0, 2),
    "ceil_mode": st.booleans(),
}
NORM = {"eps": st.floats(1e-6, 0.5), "affine": st.booleans(), "bias": st.booleans()}
MODES = st.sampled_from(["zeros", "reflect", "replicate", "circular"])


def sides(axes: int) -> st.SearchStrategy[int | list[int]]:
    """The option `padding` of the kinds that pad."""
    number = st.integers(0, 3)
    return number | st.lists(number, min_size=2 * axes, max_size=2 * axes)


OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Conv2d": CONV
    | {
        "padding": pairs(0, 3) | st.sampled_from(["same", "valid"]),
        "padding_mode": MODES,
    },
    "Conv1d": CONV_ROW | {"padding": st.integers(0, 3) | st.sampled_from(["same", "valid"]), "padding_mode": MODES},
    "ConvTranspose1d": CONV_ROW | {"padding": st.integers(0, 3), "output_padding": st.integers(0, 2)},
    "MaxPool1d": POOL_ROW | {"dilation": st.integers(1, 3)},
    "AvgPool1d": POOL_ROW | {"count_include_pad": st.booleans()},
    "ConvTranspose2d": CONV | {"padding": pairs(0, 3), "output_padding": pairs(0, 2)},
    "MaxPool2d": POOL | {"dilation": pairs(1, 3)},
    "MinPool2d": POOL | {"dilation": pairs(1, 3)},
    "AvgPool2d": POOL | {"count_include_pad": st.booleans()},
    "AdaptiveAvgPool2d": {"output_size": pairs(1, 5)},
    "AdaptiveMaxPool2d": {"output_size": pairs(1, 5)},
    "AdaptiveAvgPool1d": {"output_size": st.integers(1, 5)},
    "AdaptiveMaxPool1d": {"output_size": st.integers(1, 5)},
    "ZeroPad1d": {"padding": sides(1)},
    "ZeroPad2d": {"padding": sides(2)},
    "ZeroPad3d": {"padding": sides(3)},
    "ConstantPad1d": {"padding": sides(1), "value": reals(-2, 2)},
    "ConstantPad2d": {"padding": sides(2), "value": reals(-2, 2)},
    "ReflectionPad1d": {"padding": sides(1)},
    "ReflectionPad2d": {"padding": sides(2)},
    "ReplicationPad1d": {"padding": sides(1)},
    "ReplicationPad2d": {"padding": sides(2)},
    "CircularPad1d": {"padding": sides(1)},
    "CircularPad2d": {"padding": sides(2)},
    "Identity": {},
    "Slice": {
        "dim": st.integers(1, 3),
        "start": st.integers(-4, 4),
        "end": st.none() | st.integers(-2, 9),
        "step": st.integers(1, 3),
    },
    "Unflatten": {"unflattened_size": st.just([])},
    "Upsample": {
        "size": st.none() | pairs(1, 9),
        "scale_factor": st.none() | st.sampled_from([1, 2, 3, 1.25, 1.5, 2.5, 3.4, 0.5, [2, 1], [1.5, 3]]),
        "mode": st.sampled_from(["nearest", "bilinear"]),
        "align_corners": st.none() | st.booleans(),
    },
    "PixelShuffle": {"upscale_factor": st.integers(1, 2)},
    "Normalize": {"mean": reals(-1, 1), "std": st.floats(0.25, 2)},
    "BatchNorm2d": NORM,
    "BatchNorm1d": NORM,
    "GroupNorm": NORM | {"num_groups": st.integers(1, 4)},
    "InstanceNorm2d": NORM,
    "InstanceNorm1d": NORM,
    "LayerNorm": {
        "eps": st.floats(1e-6, 0.5),
        "elementwise_affine": st.booleans(),
        "bias": st.booleans(),
    },
    "LocalResponseNorm": {
        "size": st.integers(1, 6),
        "alpha": reals(0, 2),
        "beta": reals(-1, 2),
        "k": st.floats(0.5, 2),
    },
    "ReLU": {},
    "ReLU6": {},
    "Hardtanh": {"min_val": reals(-2, 0), "max_val": st.floats(0.25, 2)},
    "Hardsigmoid": {},
    "Hardswish": {},
    "SiLU": {},
    "ELU": {"alpha": reals(-1, 2)},
    "GELU": {"approximate": st.sampled_from(["none", "tanh"])},
    "Softplus": {"beta": st.floats(0.25, 3), "threshold": reals(-1, 20)},
    "PReLU": {"num_parameters": st.sampled_from([1, 1, 2, 3, 4, 6]), "init": reals(-1, 1)},
    "LeakyReLU": {"negative_slope": reals(-1, 2)},
    "Sigmoid": {},
    "Tanh": {},
    "Dropout": {"p": st.floats(0, 0.9)},
    "Dropout2d": {"p": st.floats(0, 0.9)},
    "Flatten": {},
    "Linear": {"out_features": st.integers(1, 20), "bias": st.booleans()},
    "Softmax": {},
    "LogSoftmax": {},
}
"""Every option of every kind; a new kind adds a line."""

VECTORS_ONLY = {"Linear", "Unflatten"}
POINTWISE = {
    *("ReLU", "ReLU6", "LeakyReLU", "ELU", "SiLU", "GELU", "Softplus", "PReLU"),
    *("Sigmoid", "Hardsigmoid", "Hardswish", "Tanh", "Hardtanh"),
}
VECTORS_TOO = {
    *(*POINTWISE, "Dropout", "Dropout2d", "Identity", "Slice", "Softmax", "LogSoftmax"),
    *("BatchNorm1d", "GroupNorm", "LayerNorm"),
}
NORMS = nn.modules.batchnorm._BatchNorm | nn.GroupNorm | nn.LayerNorm | nn.modules.instancenorm._InstanceNorm


@dataclass(frozen=True)
class Case:
    """One layer, called `layer`, over an input; `flat` where a Flatten stands before it."""

    kind: str
    options: Mapping[str, Any]
    shape: Shape
    flat: bool

    @property
    def spec(self) -> dict[str, Any]:
        layers = [{"kind": "Flatten", "name": "before"}] * self.flat
        return {"input": list(self.shape), "layers": [*layers, {"kind": self.kind, "name": "layer", **self.options}]}

    @property
    def reads(self) -> Shape:
        return (prod(self.shape),) if self.flat else self.shape

    def module(self) -> nn.Module:
        """The same in PyTorch, by the names of the options."""
        kind: Any = getattr(nn, self.kind, None) or OWN[self.kind]
        options = {name: tuple(value) if isinstance(value, list) else value for name, value in self.options.items()}
        asked = inspect.signature(kind).parameters
        sizes = {"in_channels", "num_features", "in_features", "num_channels", "channels"} & set(asked)
        more: dict[str, Any] = dict.fromkeys(sizes, self.reads[0])
        if self.kind in AXIS:
            more["dim"] = 1
        if self.kind == "LayerNorm":
            more["normalized_shape"] = self.reads
        layer: nn.Module = kind(**(options | more))
        if self.kind in ROWS and not self.flat:
            layer = OneRow(layer)
        return nn.Sequential(nn.Flatten(), layer) if self.flat else layer

    def settings(self) -> list[str]:
        """Each option with its value, or with whether it is the default; and where the layer stands."""
        settings = [f"flat {self.flat}"]
        for field in fields(KINDS[self.kind]):
            value = self.options[field.name]
            shown = value if isinstance(value, str | bool) else "default" if value == field.default else "other"
            settings.append(f"{field.name} {shown}")
        return settings


class OneRow(nn.Sequential):
    """A layer over signals (N, C, L), for maps of one row."""

    def forward(self, input: Tensor) -> Tensor:
        made: Tensor = self[0](input.squeeze(2))
        return made.unsqueeze(2)


class NegatedMaxPool2d(nn.MaxPool2d):
    def forward(self, input: Tensor) -> Tensor:
        smallest: Tensor = -super().forward(-input)
        return smallest


class Sliced(nn.Module):
    """Some values along an axis; of maps of one row, axis 2 is that of the columns, as it is of signals."""

    def __init__(self, dim: int, start: int, end: int | None, step: int) -> None:
        super().__init__()
        self.dim, self.cut = dim, slice(start, end, step)

    def forward(self, input: Tensor) -> Tensor:
        dim = 3 if self.dim == 2 and input.ndim == 4 and input.shape[2] == 1 else self.dim
        if dim >= input.ndim:
            raise ValueError(f"there is no axis {dim}")
        return input[(slice(None),) * dim + (self.cut,)]


class Normalized(nn.Module):
    """What torchvision's transform of this name does."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, mean: float, std: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((channels,), mean))
        self.register_buffer("std", torch.full((channels,), std))

    def forward(self, input: Tensor) -> Tensor:
        return (input - self.mean.view(-1, 1, 1)) / self.std.view(-1, 1, 1)


OWN = {"MinPool2d": NegatedMaxPool2d, "Slice": Sliced, "Normalize": Normalized}
"""Kinds that are no modules of PyTorch's."""


def cases(kind: str) -> st.SearchStrategy[Case]:
    flat = st.booleans() if kind in VECTORS_TOO else st.just(kind in VECTORS_ONLY)
    height = st.just(1) if kind in ROWS else st.integers(1, 8)
    shape = st.tuples(st.sampled_from([1, 2, 3, 4]), height, st.integers(1, 8))
    if kind == "Unflatten":
        return shape.flatmap(unflattened)
    return st.builds(Case, st.just(kind), st.fixed_dictionaries(OPTIONS[kind]), shape, flat)


def unflattened(shape: Shape) -> st.SearchStrategy[Case]:
    """The values of maps as maps of another shape."""
    sizes = st.permutations(shape).map(list)
    return st.builds(
        Case, st.just("Unflatten"), st.fixed_dictionaries({"unflattened_size": sizes}), st.just(shape), st.just(True)
    )


ROWS = {name for name in KINDS if name.endswith("1d")}
"""Kinds over signals: maps of one row."""
AXIS = {"Softmax", "LogSoftmax", "Unflatten"}

SINGLE = [name for name, kind in KINDS.items() if not kind.joins]
"""Kinds with one input; `test_join.py` has the others, and `test_graph.py` has graphs of all."""


def test_every_kind_and_every_option_is_drawn() -> None:
    drawn = {kind: set(options) for kind, options in OPTIONS.items()}
    assert drawn == {name: {field.name for field in fields(KINDS[name])} for name in SINGLE}


# The engine, and what is said of a layer, against PyTorch


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning:torch")
@pytest.mark.filterwarnings("ignore:dropout2d. Received a 2-D input:UserWarning:torch")
@pytest.mark.parametrize("kind", SINGLE)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_the_engine_is_pytorch(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, *case.shape))
    try:
        network = Network.from_spec(case.spec)
    except SpecError:
        assert refused_by_pytorch(case, x)
        assume(False)
    given = KINDS[kind].buffers == set(network.node("layer").parameters)
    tensors = network.initial(0) if given else values_for(network, rng)
    values = network.forward(x, tensors)
    module = case.module().double().eval()
    load(module, network, tensors)
    theirs = torch.tensor(x, requires_grad=True)
    expected = module(theirs)
    agree(values["layer"], expected)

    grad = rng.standard_normal(expected.shape)
    expected.backward(torch.tensor(grad))
    grads = network.backward(grad, values, tensors)
    # PyTorch has the sixth of Hardsigmoid's gradient in single precision, also for double.
    agree(grads["input"], theirs.grad, 1e-7 if kind == "Hardsigmoid" else 1e-10)
    node = network.node("layer")
    theirs_by_name = node.layer.torch_shapes(node.in_shape)
    for name, parameter in module.named_parameters():
        short = name.rpartition(".")[2]
        agree(grads[f"layer.{short}"].reshape(theirs_by_name[short]), parameter.grad)
    assert {name for name in grads if name.startswith("layer.")} == set(network.trainable())

    row = summary(network)[-1]
    assert row.shape == node.out_shape == expected.shape[1:]
    assert row.parameters == sum(parameter.numel() for parameter in module.parameters())
    assert row.multiply_adds == multiplications(module, x)
    assert_caption(node.layer.torch(node.in_shape), module, case)


@pytest.mark.parametrize("kind", [kind for kind in SINGLE if kind not in OWN])
def test_what_a_pytorch_layer_says_of_itself_may_stand_in_a_spec(kind: str) -> None:
    read = 0
    for case in batch(cases(kind), 12):
        try:
            network = Network.from_spec(case.spec)
        except SpecError:
            continue
        said = {"kind": kind, "name": "layer", **said_by(case.module())}
        layers = [*case.spec["layers"][:-1], said]
        assert Network.from_spec(case.spec | {"layers": layers}).node("layer").out_shape == network.output.out_shape
        for name in KINDS[kind].said.keys() & said.keys() & {"in_channels", "num_features", "num_channels"}:
            with pytest.raises(SpecError, match=f"{name} = 99 does not agree with its input"):
                Network.from_spec(case.spec | {"layers": [*layers[:-1], said | {name: 99}]})
        read += 1
    assert read


def said_by(module: nn.Module) -> dict[str, Any]:
    """The arguments with which PyTorch would make a layer, as it remembers them; a spec has no None."""
    while isinstance(module, nn.Sequential):
        module = module[-1]
    named = {name: getattr(module, name, None) for name in inspect.signature(type(module)).parameters}
    named |= {"bias": named["bias"] is not None} if "bias" in named else {}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in named.items() if value is not None
    }


def refused_by_pytorch(case: Case, x: Array) -> bool:
    """Whether PyTorch refuses too, or makes something that no cell can hold."""
    try:
        made = case.module().double().eval()(torch.tensor(x))
    except (RuntimeError, ValueError):
        return True
    return not bool(made.isfinite().all()) or made.numel() == 0


def load(module: nn.Module, network: Network, tensors: Mapping[str, Array]) -> None:
    """Give a module our parameters, by name; PyTorch has no settings, and counts batches."""
    node = network.node("layer")
    own = {short: torch.tensor(value) for short, value in node.own(tensors).items() if value.shape}
    prefix = f"{len(module) - 1}." if isinstance(module, nn.Sequential) else ""
    theirs = node.layer.torch_shapes(node.in_shape)
    own = {short: value.reshape(theirs[short]) for short, value in own.items()}
    missing = module.load_state_dict({prefix + short: value for short, value in own.items()}, strict=False)
    assert set(missing.missing_keys) <= node.layer.unused
    assert not missing.unexpected_keys


def agree(ours: Array, theirs: Tensor | None, tolerance: float = 1e-10) -> None:
    assert theirs is not None
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


def multiplications(module: nn.Module, x: Array) -> int:
    """Multiplications by a weight for one image, as PyTorch counts them; it does not count those of norms."""
    with FlopCounterMode(display=False) as counter:
        made = module(torch.tensor(x))
    norms = [m for m in module.modules() if isinstance(m, NORMS) and getattr(m, "weight", None) is not None]
    return (int(counter.get_total_flops()) // 2 + len(norms) * int(made.numel())) // len(x)


def assert_caption(caption: str, module: nn.Module, case: Case) -> None:
    """The caption is PyTorch code that makes the same layer."""
    written = eval(caption, {"nn": nn, "torch": torch})
    layer = module[-1] if isinstance(module, nn.Sequential) else module
    x = torch.rand((2, *case.reads), dtype=torch.float64)
    x = x.squeeze(2) if isinstance(module, OneRow) else x
    if isinstance(written, nn.Module):
        written.double().eval().load_state_dict(layer.state_dict())
    torch.set_default_dtype(torch.float64)  # of the constants in a caption
    try:
        assert torch.equal(written(x), layer(x))
    finally:
        torch.set_default_dtype(torch.float32)


@given(
    st.lists(st.sampled_from(["Conv2d", "ConvTranspose2d", "MaxPool2d"]), min_size=1, max_size=4),
    st.lists(st.tuples(*[st.integers(1, 3)] * 3), min_size=4, max_size=4),
)
def test_a_layer_sees_the_pixels_whose_gradient_is_not_zero(kinds: list[str], sizes: list[tuple[int, ...]]) -> None:
    length, padding = 150, 1
    layers, steps = [], []
    y = x = torch.ones(1, 1, length, dtype=torch.float64, requires_grad=True)
    for kind, (kernel, stride, dilation) in zip(kinds, sizes, strict=False):
        extent = dilation * (kernel - 1) + 1
        options = {"kernel_size": [kernel, 1], "stride": [stride, 1], "dilation": [dilation, 1]}
        pad = padding if extent > 1 else 0
        layers.append({"kind": kind, "padding": [pad, 0], **options} | ({} if "Pool" in kind else {"out_channels": 1}))
        assume(kind == "ConvTranspose2d" or extent <= y.shape[2] + 2 * pad)
        slide = F.conv_transpose1d if kind == "ConvTranspose2d" else F.conv1d
        steps.append(Fraction(1, stride) if kind == "ConvTranspose2d" else Fraction(stride))
        weight = torch.ones(1, 1, kernel, dtype=torch.float64)
        y = slide(y, weight, stride=stride, dilation=dilation, padding=pad)
    assume(y.shape[2] > 40)
    row = summary(Network.from_spec({"input": [1, length, 1], "layers": layers}))[-1]
    period = prod(step.denominator for step in steps)
    middle = range(y.shape[2] // 2, y.shape[2] // 2 + period)
    seen = [torch.autograd.grad(y[0, 0, at], x, retain_graph=True)[0][0, 0].nonzero() for at in middle]
    widths = [int(places.max() - places.min()) + 1 if len(places) else 0 for places in seen]
    assert (row.field[0], row.field[1]) == (max(widths), 1)
    assert row.step == (prod(steps, start=Fraction(1)), Fraction(1))


# Dropout


@given(st.floats(0, 0.99), st.integers(-1_000_000, 1_000_000), st.integers(1, 60))
def test_active_dropout_is_pytorchs_with_a_mask_of_cubes(p: float, seed: int, size: int) -> None:
    network = Network.from_spec({"input": [1, 1, size], "layers": [{"kind": "Dropout"}]})
    x = np.random.default_rng(1).standard_normal((2, 1, 1, size))
    cubes = [pow(seed * 271_828 + place * 314_159, 3, PRIME) / PRIME for place in range(1, 2 * size + 1)]
    mask = torch.tensor([cube >= p for cube in cubes]).reshape(x.shape)
    theirs = torch.tensor(x, requires_grad=True)
    expected = theirs * mask / (1 - p)
    settings = {"dropout1.p": np.array(p), "dropout1.active": np.array(1.0), "dropout1.seed": np.array(float(seed))}
    values = network.forward(x, settings)
    agree(values["dropout1"], expected)
    (gradient,) = torch.autograd.grad(expected.sum(), theirs)
    agree(network.backward(np.ones_like(x), values, settings)["input"], gradient)


def test_masks_are_as_even_as_chance() -> None:
    count, seeds = 4_000, range(40)
    drawn = np.array([random(count, seed) for seed in seeds])
    deviation = 1 / np.sqrt(12 * count)
    assert np.abs(drawn.mean(axis=1) - 0.5).max() < 4 * deviation
    neighbours = [np.corrcoef(line[:-lag], line[lag:])[0, 1] for line in drawn for lag in (1, 2, 10, 28)]
    seeds_apart = [np.corrcoef(one, other)[0, 1] for one, other in pairwise(drawn)]
    assert np.abs([*neighbours, *seeds_apart]).max() < 4 / np.sqrt(count)


def test_random_numbers_are_the_same_everywhere(tmp_path: Path) -> None:
    seeds, places = [-1_000_000.0, -1, 0, 7.75, 1_000_000], [1, 2, 288, 100_000, 1_000_000]
    book = openpyxl.Workbook()
    for column, seed in enumerate(seeds, 1):
        letter = book.active.cell(1, column, seed).column_letter
        for row, place in enumerate(places, 2):
            book.active.cell(row, column, f"={random_cell(place, Expr(seed, f'${letter}$1')).formula}")
    book.save(tmp_path / "random.xlsx")
    expected = np.array([[random(place, seed)[-1] for seed in seeds] for place in places]) * PRIME
    answers = [
        *libreoffice.recalculate([tmp_path / "random.xlsx"], tmp_path / "out"),
        gnumeric.recalculate(tmp_path / "random.xlsx", tmp_path / "gnumeric.xlsx"),
        formualizer.recalculate(tmp_path / "random.xlsx", tmp_path / "formualizer.xlsx"),
    ]
    for answer in answers:
        shown = cells.array(cells.values(answer, "Sheet"), "A2:E6") * PRIME
        np.testing.assert_allclose(shown, expected.round(), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("Dropout", {"seed": 2e6, "active": 1}, r"seed holds 2e\+06 and must be from -1,000,000 to 1,000,000"),
        ("Dropout", {"p": 1, "active": 1}, "p must be at least 0 and below 1, got 1"),
        ("BatchNorm2d", {"running_var": -1}, "running_var holds -1: a variance must be above"),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind: str, settings: dict[str, float], message: str) -> None:
    network = Network.from_spec({"input": [1, 2, 2], "layers": [{"kind": kind, "name": "layer"}]})
    shapes = network.parameters
    given = {f"layer.{short}": np.full(shapes[f"layer.{short}"], float(value)) for short, value in settings.items()}
    with pytest.raises((DataError, SpecError), match=message):
        network.forward(np.ones((1, 1, 2, 2)), network.initial(0) | given)


def test_pytorchs_own_state_dict_fits() -> None:
    specs = [{"kind": "BatchNorm2d", "name": "bn"}, {"kind": "Dropout", "p": 0.25}]
    network = Network.from_spec({"input": [2, 3, 3], "layers": specs})
    module = nn.BatchNorm2d(2)
    weights = {f"bn.{name}": value.numpy() for name, value in module.state_dict().items()}
    fitting = checked(network, weights)
    assert list(fitting) == list(network.parameters)
    assert (float(fitting["dropout1.p"]), float(fitting["dropout1.active"])) == (0.25, 0)


# Formulas against the engine


def ending(network: Network) -> str:
    """Where the windows of the last row end, seen from the end of the map."""
    node = network.output
    fields = node.layer.fields(node.in_shape)
    if fields is None or fields[0].spread > 1 or len(node.out_shape) < 3 or len(node.in_shape) < 3:
        return "no windows"
    row = fields[0]
    past = (node.out_shape[1] - 1) * row.stride - row.before + row.extent - node.in_shape[1]
    return "ends " + (
        "before" if past < 0 else "there" if past == 0 else "in padding" if past <= row.before else "behind"
    )


@cache
def covering(kind: str) -> list[Network]:
    """Small networks of one layer that have every setting which was drawn, in as few as will do.

    In a sweep they have every pair of settings.
    """
    together = 2 if SWEEP else 1
    pairs_of: dict[int, set[tuple[str, ...]]] = {}
    networks: list[Network] = []
    for case in batch(cases(kind), 160):
        try:
            network = Network.from_spec(case.spec)
        except SpecError:
            continue
        if 2 < prod(network.output.out_shape) < 200:
            pairs_of[len(networks)] = set(combinations([*case.settings(), ending(network)], together))
            networks.append(network)
    missing = set().union(*pairs_of.values())
    options = fields(KINDS[kind])
    untouched = {f"{field.name} {value}" for field in options for value in ("default", field.default)}
    assert {field.name for field in options} <= {setting.split()[0] for setting in set(chain(*missing)) - untouched}
    chosen = []
    while missing:
        best = max(pairs_of, key=lambda number: len(pairs_of[number] & missing))
        missing -= pairs_of[best]
        chosen.append(networks[best])
    return chosen


@st.composite
def chains(draw: st.DrawFn) -> dict[str, Any]:
    """A spec of layers behind each other, each one that fits."""
    drawn = draw(st.lists(st.sampled_from(sorted(OPTIONS)).flatmap(cases), min_size=4, max_size=7))
    spec: dict[str, Any] = {"input": list(drawn[0].shape), "layers": []}
    for case in drawn:
        layer = {"kind": case.kind, **case.options}
        for more in ([layer], [{"kind": "Flatten"}, layer]):
            longer = spec | {"layers": [*spec["layers"], *more]}
            try:
                size = prod(Network.from_spec(longer).output.out_shape)
            except SpecError:
                continue
            spec = longer if size < 200 else spec
            break
    return spec


def deep(shape: Shape, *layers: dict[str, Any]) -> Network:
    return Network.from_spec({"input": list(shape), "layers": list(layers)})


DEEP = {
    "sums in parts": deep((280, 1, 2), {"kind": "Conv2d", "out_channels": 2, "kernel_size": 1}, {"kind": "Tanh"}),
    "sums in parts of groups": deep(
        (280, 1, 2), {"kind": "Conv2d", "out_channels": 2, "kernel_size": [1, 2], "groups": 2, "bias": False}
    ),
    "transposed sums in parts": deep(
        (1, 19, 19), {"kind": "ConvTranspose2d", "out_channels": 1, "kernel_size": 19, "padding": 17}
    ),
    "more arguments than a function takes": deep(
        (1, 31, 33), {"kind": "MaxPool2d", "kernel_size": [16, 17], "dilation": 2}
    ),
    "more maps than a sum": deep((300, 2, 1), {"kind": "Flatten"}, {"kind": "Linear", "out_features": 2}),
    "one output": deep(
        (1, 2, 2),
        {"kind": "Conv2d", "out_channels": 2, "kernel_size": 1},
        {"kind": "Flatten"},
        {"kind": "Linear", "out_features": 1},
    ),
}
"""Networks that would break Excel's limits of 8,192 characters and 255 arguments if nothing was done about it."""

EVERY_KIND = deep(
    (2, 9, 8),
    {"kind": "Normalize", "mean": [0.1, 0.2], "std": 0.5},
    {"kind": "Conv2d", "out_channels": 3, "kernel_size": 2, "padding": "same", "padding_mode": "circular"},
    {"kind": "BatchNorm2d"},
    {"kind": "ReLU"},
    {"kind": "MaxPool2d", "kernel_size": 3, "stride": 2, "padding": 1},
    {"kind": "ConvTranspose2d", "out_channels": 2, "kernel_size": 3},
    {"kind": "Tanh"},
    {"kind": "LeakyReLU"},
    {"kind": "Dropout"},
    {"kind": "AvgPool2d", "kernel_size": 2, "stride": 1},
    {"kind": "MinPool2d", "kernel_size": 2},
    {"kind": "Sigmoid"},
    {"kind": "Conv2d", "out_channels": 4, "kernel_size": 1},
    {"kind": "GroupNorm", "num_groups": 2},
    {"kind": "SiLU"},
    {"kind": "InstanceNorm2d", "affine": True},
    {"kind": "Softplus"},
    {"kind": "LocalResponseNorm", "size": 3, "alpha": 0.5},
    {"kind": "GELU"},
    {"kind": "Identity"},
    {"kind": "PixelShuffle", "upscale_factor": 2},
    {"kind": "Slice", "dim": 3, "start": 1},
    {"kind": "LayerNorm"},
    {"kind": "PReLU"},
    {"kind": "ZeroPad2d", "padding": 1},
    {"kind": "ConstantPad2d", "padding": [0, 1, 0, 0], "value": 0.5},
    {"kind": "ReflectionPad2d", "padding": [1, 0, 0, 0]},
    {"kind": "AdaptiveMaxPool2d", "output_size": [3, 4]},
    {"kind": "ReplicationPad2d", "padding": [0, 1, 0, 0]},
    {"kind": "CircularPad2d", "padding": [1, 0, 0, 0]},
    {"kind": "Dropout2d"},
    {"kind": "AdaptiveAvgPool2d", "output_size": [2, 3]},
    {"kind": "Upsample", "scale_factor": 2, "mode": "bilinear"},
    {"kind": "ZeroPad3d", "padding": [0, 0, 0, 0, 0, 1]},
    {"kind": "AdaptiveAvgPool2d", "output_size": [1, 6]},
    {"kind": "Conv1d", "out_channels": 3, "kernel_size": 2},
    {"kind": "BatchNorm1d"},
    {"kind": "Hardswish"},
    {"kind": "ZeroPad1d", "padding": 1},
    {"kind": "ConstantPad1d", "padding": [0, 1], "value": 1},
    {"kind": "ReflectionPad1d", "padding": 1},
    {"kind": "MaxPool1d", "kernel_size": 2, "stride": 1},
    {"kind": "ReplicationPad1d", "padding": 1},
    {"kind": "AvgPool1d", "kernel_size": 2},
    {"kind": "ELU"},
    {"kind": "CircularPad1d", "padding": 1},
    {"kind": "InstanceNorm1d"},
    {"kind": "ConvTranspose1d", "out_channels": 2, "kernel_size": 2},
    {"kind": "Hardtanh"},
    {"kind": "AdaptiveMaxPool1d", "output_size": 4},
    {"kind": "AdaptiveAvgPool1d", "output_size": 2},
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 4},
    {"kind": "Unflatten", "unflattened_size": [2, 1, 2]},
    {"kind": "ReLU6"},
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 3},
    {"kind": "Hardsigmoid"},
    {"kind": "Softmax"},
    {"kind": "LogSoftmax"},
)


def test_every_kind_of_layer_stands_in_a_network_of_all() -> None:
    assert {node.layer.kind for node in EVERY_KIND.nodes} == set(SINGLE)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Book]]:
    """Whole workbooks: one of each kind, and those of several layers."""
    folder = tmp_path_factory.mktemp("books")
    networks = {kind: covering(kind)[:1] for kind in SINGLE}
    networks["chains"] = [
        EVERY_KIND,
        *(Network.from_spec(spec) for spec in batch(chains(), 30) if len(spec["layers"]) > 2),
    ][:9]
    networks["deep"] = list(DEEP.values())
    return {
        group: [filled(folder, f"{group}-{number}", network) for number, network in enumerate(members)]
        for group, members in networks.items()
    }


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Book]]:
    """The sheet `Network` of each kind's other settings."""
    folder = tmp_path_factory.mktemp("others")
    return {
        kind: [on_one_sheet(folder, f"other-{kind}-{number}", network) for number, network in enumerate(rest)]
        for kind in SINGLE
        for _, *rest in (covering(kind),)
    }


@pytest.fixture(scope="module")
def answers(
    books: dict[str, list[Book]], others: dict[str, list[Book]], tmp_path_factory: pytest.TempPathFactory
) -> dict[Path, Path]:
    """What LibreOffice makes of each workbook, all in one call."""
    paths = [book.path for group in (*books.values(), *others.values()) for book in group]
    return dict(zip(paths, libreoffice.recalculate(paths, tmp_path_factory.mktemp("answers")), strict=True))


@pytest.mark.parametrize("group", [*SINGLE, "chains", "deep"])
def test_libreoffice_agrees_with_the_engine(
    group: str, books: dict[str, list[Book]], answers: dict[Path, Path]
) -> None:
    assert books[group]
    for book in books[group]:
        assert_agrees(answers[book.path], book.state)


@pytest.mark.parametrize("kind", SINGLE)
def test_libreoffice_agrees_with_every_setting(
    kind: str, others: dict[str, list[Book]], answers: dict[Path, Path]
) -> None:
    for book in others[kind]:
        assert agreement.differences(answers[book.path], book.state, NETWORK) == []


@pytest.mark.parametrize("group", [*SINGLE, "chains"])
@pytest.mark.parametrize("program", [gnumeric, formualizer], ids=["gnumeric", "formualizer"])
def test_a_third_and_a_fourth_program_agree(
    group: str, program: Any, books: dict[str, list[Book]], tmp_path: Path
) -> None:
    book = books[group][0]
    assert_agrees(program.recalculate(book.path, tmp_path / "answer.xlsx"), book.state)


def test_values_far_from_zero_are_no_errors(tmp_path: Path) -> None:
    image = np.array([[[-1e6, -1000, -700.5, 0, 710, 1e6]]])
    networks = [deep(image.shape, {"kind": kind}) for kind in ("Sigmoid", "Tanh")]
    networks.append(deep(image.shape, {"kind": "Flatten"}, {"kind": "Softmax"}))
    states = [WorkbookState.of(network, image, {}) for network in networks]
    paths = [written(tmp_path, state, f"{number}.xlsx") for number, state in enumerate(states)]
    answers = libreoffice.recalculate(paths, tmp_path / "out")
    answers += [gnumeric.recalculate(path, tmp_path / f"gnumeric-{path.name}") for path in paths]
    for answer, state in zip(answers, states * 2, strict=True):
        assert_agrees(answer, state)


@pytest.mark.parametrize("network", [DEEP["one output"], EVERY_KIND], ids=["one output", "every kind"])
def test_nothing_stands_where_numbers_should(network: Network, tmp_path: Path) -> None:
    state = WorkbookState.of(network, np.ones(network.input_shape), network.initial(0))
    assert check(written(tmp_path, state)).ok


def test_one_wrong_formula_of_any_kind_is_found(books: dict[str, list[Book]], tmp_path: Path) -> None:
    book = books["chains"][0]
    firsts = [stage.out.blocks[0].cell() for stage in book.state.layout.stages if stage.nodes]
    sheet = openpyxl.load_workbook(book.path)["Network"]
    wrong = {f"Network!{cell}": f"{sheet[cell].value}+1E-6" for cell in firsts}
    broken = cells.set_cells(book.path, tmp_path / "broken.xlsx", wrong)
    found = {d.address for d in check(formualizer.recalculate(broken, tmp_path / "answer.xlsx")).formulas}
    assert set(wrong) <= found


def test_a_workbook_of_every_kind_is_valid(books: dict[str, list[Book]], tmp_path: Path) -> None:
    assert validator.findings(written(tmp_path, books["chains"][0].state)) == []


def longest_call(formula: str) -> int:
    """Arguments of the innermost call that has most."""
    return max((call.count(",") + 1 for call in re.findall(r"\(([^()]*)\)", formula)), default=0)


@pytest.mark.parametrize("network", [*DEEP.values(), EVERY_KIND], ids=[*DEEP, "every kind"])
def test_no_formula_is_more_than_excel_takes(network: Network) -> None:
    layout = plan(network)
    for stage in layout.stages[1:]:
        formulas = stage.layer.formulas(layout.site(stage))
        for short, placed in stage.computed():
            height, width = placed.blocks[0].shape
            last = formulas[short](len(placed.blocks) - 1, height - 1, width - 1)
            assert len(last) <= MAX_LENGTH
            assert longest_call(last) <= MAX_ARGUMENTS
            assert functions_in(last) <= FUNCTIONS


@pytest.mark.parametrize(
    ("shape", "layer", "message"),
    [
        ((1, 3, 20_000), {"kind": "ReLU"}, r"'input' has no room .*16,384 columns"),
        ((1, 1_100, 1_000), {"kind": "Flatten"}, r"'flatten1' has no room .*1,048,576 rows"),
        (
            (6_000, 3, 3),
            {"kind": "Conv2d", "out_channels": 1, "kernel_size": 3},
            r"use a smaller input, or fewer channels",
        ),
        ((1, 99, 99), {"kind": "MaxPool2d", "kernel_size": 50, "dilation": 2}, r"1\d,\d+ characters .* 8,192"),
    ],
)
def test_what_cannot_fit_a_sheet_is_refused_with_the_numbers(
    shape: Shape, layer: dict[str, Any], message: str, tmp_path: Path
) -> None:
    network = deep(shape, layer)
    with pytest.raises(WorkbookError, match=message) as caught:
        written(tmp_path, WorkbookState.of(network, np.zeros(shape), network.initial(0)))
    assert "\n" not in str(caught.value)


# A new kind


@dataclass(frozen=True)
class RangePool(MaxPool2d):
    """Largest minus smallest value of each window: all that a kind of its own takes."""

    kind = "RangePool"

    def forward(self, x: Array, params: Tensors) -> Array:
        return super().forward(x, params) - MinPool2d(**self.options()).forward(x, params)

    def over(self, windows: Sequence[str], own: Mapping[str, str]) -> str:
        return f"MAX({windows[0]})-MIN({windows[0]})"


def test_a_kind_of_ones_own_is_all_that_it_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(KINDS, "RangePool", RangePool)
    layers: list[dict[str, Any]] = [
        {"kind": "RangePool", "kernel_size": 2, "padding": 1},
        {"kind": "Flatten"},
        {"kind": "ReLU"},
    ]
    made = filled(tmp_path, "own", deep((2, 5, 4), *layers))
    assert_agrees(formualizer.recalculate(made.path, tmp_path / "answer.xlsx"), made.state)


def test_nothing_but_a_lesson_about_a_kind_asks_for_it() -> None:
    package = Path(conv_sheet.__file__).parent
    names = {kind.__name__ for kind in KINDS.values()}
    about_relu = package / "learning/guided.py"
    others = [path for path in package.rglob("*.py") if path.parent.name not in ("layers", "lessons")]
    others.remove(about_relu)
    assert len(others) > 20
    for path in others:
        used = {node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}
        assert not used & names, path
