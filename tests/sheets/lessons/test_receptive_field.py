"""The lesson `receptive-field`, its choices made in LibreOffice and compared with PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import torch
import torch.nn.functional as F
from openpyxl.formula.translate import Translator
from torch import nn

from conv_sheet.errors import SpecError
from conv_sheet.network.graph import Network
from conv_sheet.network.lesson import Lesson
from conv_sheet.ops import Array
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons import field
from conv_sheet.state import WorkbookState
from tests import lessons, networks
from tests.oracles import cells, gnumeric, libreoffice, validator
from tests.sheets import agreement

FAR = 200
"""Rows below everything on the sheet."""


state, path, book = lessons.fixtures("receptive-field")


def test_both_ways_make_the_same_map_whatever_the_kernels(book: Any) -> None:
    rng = np.random.default_rng(4)
    kernels = {f"conv{number}_weight_1_1": rng.uniform(-1, 1, (3, 3)).round(3) for number in (1, 2, 3)}
    image = rng.random((16, 16)).round(3)
    lessons.put(book, input_1=image, **kernels)
    x, dot = torch.tensor(image)[None, None], torch.zeros(1, 1, 13, 13, dtype=torch.float64)
    dot[0, 0, 6, 6] = 1
    for kernel in kernels.values():
        x, dot = (F.conv2d(value, torch.tensor(kernel)[None, None]) for value in (x, dot))
    np.testing.assert_allclose(lessons.numbers(book, "field_at_once"), x[0, 0].numpy(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(lessons.numbers(book, "conv3_out_1"), x[0, 0].numpy(), rtol=0, atol=1e-9)
    answer_to_a_dot = dot[0, 0].flip((0, 1)).numpy()
    np.testing.assert_allclose(lessons.numbers(book, "field_kernel"), answer_to_a_dot, rtol=0, atol=1e-9)
    assert "both ways, the same map" in lessons.texts(book, "Field")


def with_relu(image: torch.Tensor, kernels: list[Array]) -> torch.Tensor:
    """What the kernels make of a picture with a ReLU between them."""
    for number, kernel in enumerate(kernels):
        image = F.conv2d(image.relu() if number else image, torch.tensor(kernel)[None, None])
    return image[0, 0]


@pytest.mark.parametrize("seed", [1, 2])
def test_with_a_relu_between_each_value_has_a_kernel_of_its_own(book: Any, seed: int) -> None:
    """What pixels count for a value is PyTorch's gradient: with a ReLU it is not the large kernel any more."""
    rng = np.random.default_rng(seed)
    kernels = [rng.uniform(-1, 1, (3, 3)).round(3) for _ in range(3)]
    image = rng.random((16, 16)).round(3)
    named = {f"conv{number}_weight_1_1": kernel for number, kernel in enumerate(kernels, 1)}
    lessons.put(book, input_1=image, field_relu="yes", **named)
    x = torch.tensor(image)[None, None].requires_grad_()
    made = with_relu(x, kernels)
    np.testing.assert_allclose(lessons.numbers(book, "field_last"), made.detach().numpy(), rtol=0, atol=1e-9)
    differ = np.abs(lessons.numbers(book, "field_at_once") - made.detach().numpy()) > 1e-4
    assert lessons.shown(book, "field_verdict") == [[f"{differ.sum()} of 100 values differ"]]
    assert differ.sum() > 50
    for row, column in ((1, 1), (10, 3), (4, 10)):
        lessons.put(book, field_row=float(row), field_column=float(column))
        (slopes,) = torch.autograd.grad(made[row - 1, column - 1], x, retain_graph=True)
        seen = slopes[0, 0, row - 1 : row + 6, column - 1 : column + 6].numpy()
        np.testing.assert_allclose(lessons.numbers(book, "field_own"), seen, rtol=0, atol=1e-9)
        assert np.abs(seen - lessons.numbers(book, "field_kernel")).max() > 0.01
    lessons.put(book, field_relu="no")
    assert "both ways, the same map" in lessons.texts(book, "Field")
    np.testing.assert_allclose(lessons.numbers(book, "field_own"), lessons.numbers(book, "field_kernel"), atol=1e-9)


@pytest.mark.parametrize("maps", [1, 64, 300])
def test_weights(book: Any, maps: int) -> None:
    lessons.put(book, field_maps=float(maps))
    small = sum(nn.Conv2d(maps, maps, 3, bias=False).weight.numel() for _ in range(3))
    large = nn.Conv2d(maps, maps, 7, bias=False).weight.numel()
    assert lessons.numbers(book, "field_small_weights").item() == small
    assert lessons.numbers(book, "field_large_weights").item() == large
    assert lessons.numbers(book, "field_part").item() == pytest.approx(small / large, abs=1e-12)


def sees(number: int, row: int, column: int) -> list[Array]:
    """Which values of the picture, and of each map behind it, change one of the last map: by PyTorch's gradients."""
    values = [torch.rand(1, 1, 16, 16, requires_grad=True)]
    for _ in range(number):
        values.append(F.conv2d(values[-1], torch.rand(1, 1, 3, 3) + 0.1))
    for value in values[1:]:
        value.retain_grad()
    values[-1][0, 0, row - 1, column - 1].backward()  # type: ignore[no-untyped-call]
    return [(value.grad[0, 0] != 0).numpy() for value in values if value.grad is not None]


@pytest.mark.parametrize(("row", "column"), [(1, 1), (10, 3), (4, 10)])
def test_what_is_framed_is_what_the_value_depends_on(path: Path, tmp_path: Path, row: int, column: int) -> None:
    """The rules of conditional formatting, as formulas of cells far below, calculated by LibreOffice."""
    book = openpyxl.load_workbook(path)
    sheet, areas = book["Field"], []
    sheet[field_cell(book, field.ROW)], sheet[field_cell(book, field.COLUMN)] = row, column
    for ranges in sheet.conditional_formatting:
        for rule in ranges.rules:
            if rule.type == "expression" and rule.dxf.border is not None:
                (area,) = ranges.sqref.ranges
                areas.append(area)
                for y, x in area.cells:
                    to = sheet.cell(y, x).coordinate
                    formula = Translator(
                        f"={rule.formula[0]}", origin=sheet.cell(area.min_row, area.min_col).coordinate
                    )
                    sheet.cell(y + FAR, x, f"=IF({formula.translate_formula(to)[1:]},1,0)")
    book.save(tmp_path / "rules.xlsx")
    (answer,) = libreoffice.recalculate([tmp_path / "rules.xlsx"], tmp_path / "out")
    shown = cells.values(answer, "Field")
    for area in areas:
        area.shift(row_shift=FAR)
    found = [cells.array(shown, area.coord) for area in areas]
    maps = sees(3, row, column)
    for marked, expected in zip(found, [*maps, maps[0], maps[3]], strict=True):
        np.testing.assert_array_equal(marked, expected)


def field_cell(book: openpyxl.Workbook, name: str) -> str:
    ((_, cell),) = book.defined_names[name].destinations
    return str(cell).replace("$", "")


@pytest.mark.parametrize("name", [field.ROW, field.COLUMN])
@pytest.mark.parametrize("value", [11.0, 0.0, 1.5, None, "one"])
def test_a_value_that_the_map_does_not_have_is_told(book: Any, name: str, value: Any) -> None:
    lessons.put(book, **{field.ROW: 10.0, field.COLUMN: 1.0})
    assert "There is no such value" not in lessons.texts(book, "Field")
    lessons.put(book, **{name: value})
    assert "There is no such value: row 1 to 10, column 1 to 10." in lessons.texts(book, "Field")


def test_other_programs_agree_after_changes(path: Path, state: WorkbookState, tmp_path: Path) -> None:
    changed, _ = networks.changed(state)
    highest = {item.name: item.limits.high for item in field.inputs(state.layout, state.lesson) if not item.is_text}
    changes = {**changed.typed, **highest, field.RELU: "yes"}
    edited = agreement.edited(path, tmp_path / "edited.xlsx", state, changes)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    for file in (answer, gnumeric.recalculate(edited, tmp_path / "gnumeric.xlsx")):
        assert agreement.differences(file, state.with_typed(changes), field.FIELD) == []


def test_the_workbook_keeps_its_promises(path: Path, state: WorkbookState) -> None:
    assert validator.sdk_findings(path) == []
    assert lessons.strange_formulas(path) == []
    assert list(lessons.tries(path)) == [item.at for item in state.lesson.tries]


LESSON = Lesson(sheets=("field",))


def network(*kernels: int, **options: object) -> Network:
    layers = [{"kind": "Conv2d", "out_channels": 1, "kernel_size": k, "bias": False} | options for k in kernels]
    return Network.from_spec({"input": [1, 14, 12], "layers": layers})


@pytest.mark.parametrize("kernels", [(3, 3), (2, 5), (3, 1, 3, 2)])
def test_other_kernels(kernels: tuple[int, ...], tmp_path: Path) -> None:
    state = networks.state_of(network(*kernels), lesson=LESSON)
    bare = cells.set_cells(networks.written(tmp_path, state), tmp_path / "bare.xlsx", {})
    (answer,) = libreoffice.recalculate([bare], tmp_path / "out")
    assert agreement.differences(answer, state, field.FIELD) == []


@pytest.mark.parametrize(
    "made", [network(3), network(3, 3, stride=2), network(3, 3, bias=True), network(3, 3, out_channels=2)]
)
def test_a_network_that_no_single_kernel_replaces_is_told(made: Network) -> None:
    with pytest.raises(SpecError, match="needs two or more Conv2d layers and no others"):
        registry.pages(networks.state_of(made, lesson=LESSON))
