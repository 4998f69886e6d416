"""The lesson `activations`: maps and slopes in LibreOffice after changes, against PyTorch and its autograd."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conv_sheet.cells.inputs import InputValue
from conv_sheet.errors import SpecError
from conv_sheet.network.spec import from_tables
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons import activations
from conv_sheet.state import WorkbookState
from tests import lessons, networks
from tests.oracles import gnumeric, libreoffice, validator
from tests.sheets import agreement

state, path, book = lessons.fixtures("activations")


def by_torch(z: torch.Tensor, leak: float) -> dict[str, torch.Tensor]:
    return {"relu": F.relu(z), "leaky": F.leaky_relu(z, leak), "sigmoid": torch.sigmoid(z), "tanh": torch.tanh(z)}


def slope(z: torch.Tensor, leak: float, name: str) -> torch.Tensor:
    z = z.clone().requires_grad_()
    (found,) = torch.autograd.grad(by_torch(z, leak)[name].sum(), z)
    return found


def assert_close(book: Any, name: str, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(lessons.numbers(book, name), expected.numpy(), rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize(("number", "bias", "leak"), [(1, 0.0, 0.1), (2, -1.5, 0.25), (2, 9.0, 0.0), (1, -40.0, 1.0)])
def test_maps_and_slopes_are_pytorchs(book: Any, state: WorkbookState, number: int, bias: float, leak: float) -> None:
    choice = f"conv1 map {number}"
    lessons.put(book, conv1_bias=np.array([[bias, bias]]), activations_slope=leak, activations_map=choice)
    weight = torch.tensor(state.tensors["conv1.weight"])
    z = F.conv2d(torch.tensor(state.image)[None], weight, torch.full((2,), bias, dtype=torch.float64))[0, number - 1]
    assert_close(book, "activations_before", z)
    for name, expected in by_torch(z, leak).items():
        through = slope(z, leak, name)
        assert_close(book, f"activations_{name}", expected)
        assert_close(book, f"activations_{name}_slope", through)
        assert_close(book, f"activations_{name}_mean", expected.mean().reshape(1, 1))
        asleep = (through < activations.ASLEEP).double().mean()
        assert_close(book, f"activations_{name}_asleep", asleep.reshape(1, 1))


@pytest.mark.parametrize(("z", "leak", "layers"), [(2.0, 0.1, 1), (-3.5, 0.3, 4), (0.0, 0.1, 10), (-20.0, 0.0, 20)])
def test_one_number_and_what_is_left_of_a_gradient(book: Any, z: float, leak: float, layers: int) -> None:
    lessons.put(book, activations_z=z, activations_slope=leak, activations_layers=float(layers))
    one = torch.tensor([[z]], dtype=torch.float64)
    for name, expected in by_torch(one, leak).items():
        through = slope(one, leak, name)
        assert_close(book, f"activations_{name}_of_z", expected)
        assert_close(book, f"activations_{name}_slope_of_z", through)
        assert_close(book, f"activations_{name}_left", through**layers)


def test_the_curves_that_the_charts_draw(book: Any, state: WorkbookState) -> None:
    lessons.put(book, activations_slope=0.2)
    page = agreement.page(state, activations.ACTIVATIONS)
    curves, slopes = page.lines
    for line, of in ((curves, by_torch), (slopes, None)):
        for points, name in zip(line.points, activations.FOUR, strict=True):
            z, shown = (
                torch.tensor(np.array(book.sheets["Activations"].range(block.relative).options(ndim=2).value, float))
                for block in (points.numbers, points.values)
            )
            expected = of(z, 0.2)[name] if of else slope(z, 0.2, name)
            np.testing.assert_allclose(shown.numpy(), expected.numpy(), rtol=0, atol=1e-10, err_msg=name)


CHANGED = ("leaky_of_z", "sigmoid_left", "relu", "tanh_slope", "sigmoid", "leaky")
"""What each try changes."""


def test_every_try_does_what_it_says(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    with libreoffice.opened(Path(shutil.copy(path, tmp_path))) as fresh:
        seen = [
            np.array(lessons.perform(fresh, item, f"activations_{name}"), dtype=float)
            for item, name in zip(state.lesson.tries, CHANGED, strict=True)
        ]
        before = lessons.numbers(fresh, "activations_before")
    assert seen[0].item() == pytest.approx(-0.2)
    assert seen[1].item() == pytest.approx(4.0**-10)
    assert seen[2].max() == 0
    assert seen[3].max() < 1e-5
    np.testing.assert_array_equal(seen[4], np.full((14, 14), 0.5))
    np.testing.assert_array_equal(seen[5], before)


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    changes: dict[str, InputValue] = {
        **{"input": rng.random((1, 16, 16)), "conv1.bias": np.array([0.7, -0.4])},
        **{
            "activations_map": "conv1 map 2",
            "activations_z": -1.5,
            "activations_slope": 0.3,
            "activations_layers": 7.0,
        },
    }
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, changes)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        assert agreement.differences(file, state.with_typed(changes), activations.ACTIVATIONS) == []


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]


def test_other_networks(tmp_path: Path) -> None:
    """A convolution that two layers read has the sheet; one whose ReLU stands in its formulas has not."""
    conv = {"kind": "Conv2d", "name": "conv", "out_channels": 3, "kernel_size": 2}
    fork = [{"kind": "ReLU", "name": "a", "inputs": ["conv"]}, {"kind": "Tanh", "name": "b", "inputs": ["conv"]}]
    joined = from_tables(
        {
            **{"input": [2, 5, 9], "sheets": ["activations"]},
            "layers": [conv, *fork, {"kind": "Concat", "inputs": ["a", "b"]}],
        }
    )
    made = networks.state_of(joined.network, lesson=joined.lesson)
    assert networks.written(tmp_path, made).exists()
    assert [item.limits.choices for item in registry.inputs_of(made) if item.name == "activations_map"] == [
        ("conv map 1", "conv map 2", "conv map 3")
    ]
    folded = from_tables({"input": [1, 5, 5], "sheets": ["activations"], "layers": [conv, {"kind": "ReLU"}]})
    with pytest.raises(SpecError, match="'activations' needs a Conv2d of at most 8 maps that are seen before an act"):
        networks.written(tmp_path, networks.state_of(folded.network, lesson=folded.lesson))
