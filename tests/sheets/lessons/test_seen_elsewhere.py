"""The sheets of `what-it-sees` for networks unlike the lesson's, in LibreOffice's cells, against PyTorch."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from conv_sheet.cells.inputs import InputValue
from conv_sheet.layers.base import Layer
from conv_sheet.learning import ascent as ascent_steps
from conv_sheet.learning.guided import RULES
from conv_sheet.lessons import first_state
from conv_sheet.network.spec import from_tables
from conv_sheet.ops import Array
from conv_sheet.pictures.samples import sample
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons.patch_layout import COUNT, DRAWN
from conv_sheet.state import WorkbookState
from tests import lessons, networks
from tests.oracles import libreoffice
from tests.sheets import agreement


def layer(kind: str, **options: Any) -> dict[str, Any]:
    return {"kind": kind} | options


STRIDES = [
    layer("Conv2d", name="a", out_channels=3, kernel_size=[3, 2], stride=[2, 1], padding=1),
    layer("LeakyReLU", name="a_out", negative_slope=0.2),
    layer("AvgPool2d", kernel_size=2),
    layer("Conv2d", name="b", out_channels=2, kernel_size=3, dilation=[1, 2]),
    layer("Tanh", name="b_out"),
    layer("MaxPool2d", kernel_size=2),
    *(layer("Flatten"), layer("Linear", out_features=6), layer("ReLU")),
    *(layer("Linear", name="fc", out_features=3), layer("Softmax")),
]
NORMS = [
    layer("Conv2d", name="a", out_channels=4, kernel_size=3, padding=2, padding_mode="reflect", bias=False),
    layer("BatchNorm2d"),
    layer("ReLU", name="a_out"),
    layer("MinPool2d", kernel_size=3, stride=2, padding=1),
    layer("Conv2d", name="b", out_channels=4, kernel_size=3, groups=2, padding=1),
    layer("Sigmoid", name="b_out"),
    layer("Conv2d", name="c", out_channels=2, kernel_size=1),
    layer("AdaptiveAvgPool2d", output_size=3),
    *(layer("Flatten"), layer("Linear", name="fc", out_features=3)),
]
COLOURS = [
    layer("Conv2d", name="a", out_channels=2, kernel_size=3),
    layer("ReLU", name="a_out"),
    *(layer("Flatten"), layer("Linear", name="fc", out_features=3), layer("Softmax")),
]
PATCHED = "strides", "norms"
"""Networks whose picture has one channel."""
SHEETS = {
    "strides": ([1, 20, 18], STRIDES, ("patches", "guided", "ascent")),
    "norms": ([1, 20, 18], NORMS, ("patches", "guided")),
    "colours": ([3, 8, 9], COLOURS, ("guided",)),
}
UNITS = {
    "strides": [("a", "a_out", 3), ("b", "b_out", 2)],
    "norms": [("a", "a_out", 4), ("b", "b_out", 4), ("c", "c", 2)],
    "colours": [("a", "a_out", 2)],
}
"""Of each convolution its name, the layer in which it answers, and its maps."""


def state_of(name: str) -> WorkbookState:
    shape, layers, sheets = SHEETS[name]
    spec = {"input": shape, "classes": ["0", "1", "2"], "layers": layers, "sheets": [*sheets, "images"]}
    made = from_tables(spec)
    state = first_state(made.network, made.lesson, made.network.initial(3))
    rng = np.random.default_rng(5)
    return state.with_typed({name: changed(state, name, rng) for name in state.network.parameters})


def changed(state: WorkbookState, name: str, rng: np.random.Generator) -> InputValue:
    """Other numbers for a parameter; deviations above zero."""
    drawn: Array = rng.uniform(0.5, 1.5, state.tensors[name].shape).round(3)
    return drawn if "running_var" in name else (drawn - 1) * 1.5


@dataclass
class Twin:
    """A network without joins in PyTorch, with one of the rules at its ReLUs."""

    state: WorkbookState
    rule: str = "plain"
    padding: float | None = None
    """What stands around maps in place of what the layers put there, NaN for nothing: then up to where they end."""

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        values = {"input": x}
        for node in self.state.network.nodes:
            if node.layer.kind == "Softmax" or (self.padding is not None and node.layer.kind in _ENDS):
                return values
            own = {short: torch.tensor(value) for short, value in node.own(self.state.tensors).items()}
            values[node.name] = x = self.layer(node.layer, x, own)
        return values

    def layer(self, one: Any, x: Tensor, own: dict[str, Tensor]) -> Any:
        if one.kind == "Conv2d":
            x = self.padded(x, one, one.padding_mode.replace("zeros", "constant"), 0.0)
            return F.conv2d(x, own["weight"], own.get("bias"), one.stride, 0, one.dilation, one.groups)
        if one.kind == "MinPool2d":
            return -F.max_pool2d(-self.padded(x, one, "constant", torch.inf), one.kernel_size, one.stride)
        made: dict[str, Any] = {
            "MaxPool2d": partial(F.max_pool2d, x, getattr(one, "kernel_size", 1)),
            "AvgPool2d": partial(F.avg_pool2d, x, getattr(one, "kernel_size", 1)),
            "AdaptiveAvgPool2d": partial(F.adaptive_avg_pool2d, x, 3),
            "BatchNorm2d": lambda: F.batch_norm(x, own["running_mean"], own["running_var"], own["weight"], own["bias"]),
            "LeakyReLU": lambda: F.leaky_relu(x, one.negative_slope),
            "Tanh": x.tanh,
            "Sigmoid": x.sigmoid,
            "ReLU": lambda: _ruled(x, self.rule),
            "Flatten": partial(x.flatten, 1),
            "Linear": lambda: F.linear(x, own["weight"], own["bias"]),
        }
        return made[one.kind]()

    def padded(self, x: Tensor, one: Layer, mode: str, usual: float) -> Tensor:
        width = one.padding  # type: ignore[attr-defined]
        if self.padding is None:
            return F.pad(x, (width,) * 4, mode) if mode != "constant" else F.pad(x, (width,) * 4, value=usual)
        return x if np.isnan(self.padding) else F.pad(x, (width,) * 4, value=self.padding)


class Ruled(torch.autograd.Function):
    """A ReLU, and what each rule lets back through it."""

    @staticmethod
    def forward(context: Any, x: Tensor, rule: str) -> Tensor:
        context.save_for_backward(x)
        context.rule = rule
        return x.clamp(min=0)

    @staticmethod
    def backward(context: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = context.saved_tensors
        through = {"plain": (x > 0) * grad, "guided": (x > 0) * grad.clamp(min=0), "deconvnet": grad.clamp(min=0)}
        return through[context.rule], None


_ruled: Any = Ruled.apply
_ENDS = "MaxPool2d", "AdaptiveAvgPool2d"
"""Kinds behind the last unit: a patch has become too small for them."""


@pytest.fixture(scope="module", params=SHEETS)
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A workbook of one of the networks, in LibreOffice."""
    folder = tmp_path_factory.mktemp(request.param)
    with libreoffice.opened(networks.written(folder, state_of(request.param))) as book:
        yield request.param, book


def strongest(state: WorkbookState, name: str, channel: int) -> Array:
    """The largest answers of a map to the drawn pictures, where no padding is seen: whatever stands there."""
    pictures = torch.tensor(np.stack([sample(one, state.network.input_shape) for one in DRAWN]))
    one, other = (Twin(state, padding=around)(pictures)[name][:, channel] for around in (0.31, -7.7))
    inner = torch.where((one - other).abs().amax(0) < 1e-12, one, -torch.inf)
    best: Array = inner.flatten(1).amax(1).sort(descending=True).values[:COUNT].numpy()
    return best


@pytest.mark.parametrize("opened", PATCHED, indirect=True)
def test_patches_are_the_strongest_and_answered_as_pytorch_does(opened: tuple[str, Any]) -> None:
    name, book = opened
    state, row = state_of(name), 0
    size = len(lessons.numbers(book, "patch"))
    own = np.random.default_rng(1).random((size, size)).round(3)
    found = lessons.numbers(book, "patch_values")
    for convolution, answers, channels in UNITS[name]:
        for channel in range(channels):
            np.testing.assert_allclose(found[row], strongest(state, answers, channel), rtol=0, atol=1e-10)
            row += 1
            lessons.put(book, patch_map=f"{convolution} map {channel + 1}", patch_number=2.0)
            assert lessons.shown(book, "patch_said") == [["Python found the same."]], (convolution, channel)
            lessons.put(book, patch_number=0.0, patch_own=own)
            made = Twin(state, padding=np.nan)(torch.tensor(own[None, None]))[answers][0, channel]
            y, x = ((length - 1) // 2 for length in made.shape)
            assert lessons.numbers(book, "patch_answer").item() == pytest.approx(made[y, x].item(), abs=1e-10)
    assert row == len(found)


@pytest.mark.parametrize("rule", RULES)
def test_the_way_back_is_pytorchs(opened: tuple[str, Any], rule: str) -> None:
    name, book = opened
    state = state_of(name)
    starts: list[tuple[str, str, tuple[int, ...]]] = [("class 1", "fc", (0, 1))]
    starts += [(f"{one} map 2", answers, (0, 1, 2, 3)) for one, answers, _ in UNITS[name]]
    for label, last, at in starts:
        lessons.put(book, guided_of=label, guided_rule=rule, guided_row=3.0, guided_column=4.0)
        x = torch.tensor(state.image[None], requires_grad=True)
        (back,) = torch.autograd.grad(Twin(state, rule)(x)[last][at], x)
        shown = np.stack([lessons.numbers(book, f"input_back_{c + 1}") for c in range(len(state.image))])
        np.testing.assert_allclose(shown, back[0].numpy(), rtol=0, atol=1e-10, err_msg=f"{label} {rule}")
        assert np.abs(shown).max() > 0 or last != "fc"  # a unit may be off


def test_pictures_of_classes_are_pytorchs() -> None:
    state = state_of("strides")
    made = {placed.name: value for _, placed, value in registry.engine_blocks(state)}
    x = torch.tensor(ascent_steps.noise(state.network)[None])
    for _ in range(3):
        pixels = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(Twin(state)(pixels)["fc"][0, 2], pixels)
        slope = slope - 0.5 * x
        x = (x + 0.05 * slope / slope.abs().max()).clamp(0, 1)
    np.testing.assert_allclose(made["ascent_classes"][2, 0], x[0, 0].numpy().round(4), rtol=0, atol=1e-10)


@pytest.mark.parametrize("opened", PATCHED, indirect=True)
def test_every_cell_follows_other_weights(opened: tuple[str, Any], tmp_path: Path) -> None:
    name, _ = opened
    state = state_of(name)
    rng = np.random.default_rng(11)
    changes: dict[str, InputValue] = {one: changed(state, one, rng) for one in state.network.parameters}
    changes |= {"patch_map": "b map 2", "guided_of": "b map 1", "guided_row": 3.0}
    path = networks.written(tmp_path, state)
    (answer,) = libreoffice.recalculate(
        [agreement.edited(path, tmp_path / "edited.xlsx", state, changes)], tmp_path / "out"
    )
    expected = registry.settled(state).with_typed(changes)
    for title in ("Patches", "Guided"):
        assert agreement.differences(answer, expected, title) == []
