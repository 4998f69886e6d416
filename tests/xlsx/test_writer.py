"""What a generated workbook promises, asked from other programs."""

import re
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from openpyxl.utils.cell import coordinate_from_string

from conv_sheet.cells.formula import FUNCTIONS, functions_in
from conv_sheet.cells.grid import column_letters
from conv_sheet.network.graph import Network
from conv_sheet.network.layout import SCALE_ROW
from conv_sheet.network.weights import checked
from conv_sheet.ops import Array
from conv_sheet.sheets import registry
from conv_sheet.state import WorkbookState
from tests.networks import REFERENCE, changed, fastai, small, state_of, written
from tests.oracles import cells, gnumeric, libreoffice, validator


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> tuple[WorkbookState, Path]:
    state = fastai()
    return state, written(tmp_path_factory.mktemp("lesson"), state, "fastai.xlsx")


def engine(state: WorkbookState) -> dict[str, Array]:
    """What the engine makes of every tensor on `Network`."""
    return {placed.name: value for title, placed, value in registry.engine_blocks(state) if title == "NumPy"}


def shown(path: Path, state: WorkbookState) -> dict[str, Array]:
    """Every computed tensor as another program's copy of the file shows it, by tensor name."""
    values = cells.values(path, "Network")
    return {
        placed.name: placed.tensor(np.stack([cells.array(values, block.relative) for block in placed.blocks]))
        for stage in state.layout.stages
        for _, placed in stage.computed()
    }


def assert_agree(path: Path, state: WorkbookState) -> None:
    for name, value in shown(path, state).items():
        np.testing.assert_allclose(value, engine(state)[name], rtol=0, atol=1e-9, err_msg=name)


def test_libreoffice_agrees_after_pixels_and_weights_were_changed(
    lesson: tuple[WorkbookState, Path], tmp_path: Path
) -> None:
    state, path = lesson
    other, typed = changed(state)
    assert not np.allclose(engine(other)["softmax_out"], engine(state)["softmax_out"])
    edited = cells.set_cells(path, tmp_path / "edited.xlsx", typed)
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    assert_agree(answer, other)
    assert other.prediction in cells.values(answer, "Start").values()
    assert "ahead of Python" in " ".join(map(str, cells.values(answer, "Python").values()))


def test_gnumeric_agrees_after_pixels_and_weights_were_changed(
    lesson: tuple[WorkbookState, Path], tmp_path: Path
) -> None:
    state, path = lesson
    other, typed = changed(state, seed=6)
    edited = cells.set_cells(path, tmp_path / "edited.xlsx", typed)
    assert_agree(gnumeric.recalculate(edited, tmp_path / "out.xlsx"), other)


def test_a_broken_formula_is_seen(lesson: tuple[WorkbookState, Path], tmp_path: Path) -> None:
    state, path = lesson
    other, typed = changed(state)
    cell = state.layout.by_name["conv2"].out.blocks[1].cell(9, 9)
    formula = openpyxl.load_workbook(path)["Network"][cell].value
    broken = formula.replace("SUMPRODUCT", "SUM", 1)
    assert broken != formula
    edited = cells.set_cells(path, tmp_path / "edited.xlsx", typed | {f"Network!{cell}": broken})
    (answer,) = libreoffice.recalculate([edited], tmp_path / "out")
    with pytest.raises(AssertionError, match="conv2_out"):
        assert_agree(answer, other)


def test_small_networks_with_texts_that_look_like_formulas(tmp_path: Path) -> None:
    state = state_of(small())
    other, typed = changed(state)
    path = cells.set_cells(written(tmp_path, state), tmp_path / "edited.xlsx", typed)
    (answer,) = libreoffice.recalculate([path], tmp_path / "out")
    assert_agree(answer, other)
    assert "=1+1" in cells.values(answer, "Start").values()


def test_rules_for_many_kernels_are_few_and_cover_only_them(tmp_path: Path) -> None:
    conv = {"kind": "Conv2d", "name": "conv", "out_channels": 21, "kernel_size": 3}
    state = state_of(Network.from_spec({"input": [5, 6, 6], "layers": [conv]}))
    weight = state.layout.by_name["conv"].own["weight"]
    kernels = {at for block in weight.blocks for at in block.positions()}
    path = cells.set_cells(
        written(tmp_path, state), tmp_path / "edited.xlsx", {f"Network!{weight.cell(104, 2, 2)}": -9}
    )
    sheet = openpyxl.load_workbook(path)["Network"]
    scales = [found.cells for found in sheet.conditional_formatting if found.rules[-1].type == "colorScale"]
    for rules in (scales, [found.sqref for found in sheet.data_validations.dataValidation]):
        (ranges,) = (found.ranges for found in rules if weight.blocks[0].cell() in found)
        covered = {at for found in ranges for at in found.cells}
        assert len(ranges) == 21 and kernels < covered
        assert all(sheet.cell(*at).value is None for at in covered - kernels)
    (answer,) = libreoffice.recalculate([path], tmp_path / "out")
    row = cells.values(answer, "Network")
    assert row[f"{column_letters(weight.blocks[0].column)}{SCALE_ROW}"] == 9


@pytest.mark.skipif(not REFERENCE.exists(), reason=f"{REFERENCE.name} is not beside this checkout")
def test_the_famous_sheet(tmp_path: Path) -> None:
    numbers = np.load(REFERENCE)
    network = Network.from_spec(
        {
            "input": [1, 28, 28],
            "layers": [
                {"name": "conv1", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3, "bias": False},
                {"kind": "ReLU"},
                {"name": "conv2", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3, "bias": False},
                {"kind": "ReLU"},
                {"name": "pool", "kind": "MaxPool2d", "kernel_size": 2},
                {"kind": "Flatten"},
                {"name": "linear", "kind": "Linear", "out_features": 1, "bias": False},
            ],
        }
    )
    weights = {f"{name}.weight": numbers[f"{name}_weight"] for name in ("conv1", "conv2", "linear")}
    state = WorkbookState.of(network, numbers["image"][np.newaxis], checked(network, weights))
    path = cells.set_cells(written(tmp_path, state), tmp_path / "bare.xlsx", {})
    (answer,) = libreoffice.recalculate([path], tmp_path / "out")
    planes = shown(answer, state)
    for name in ("conv1", "conv2", "pool"):
        np.testing.assert_allclose(planes[f"{name}_out"], numbers[name], rtol=0, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(planes["linear_out"], 258.73762671075724, rtol=0, atol=1e-9)


def test_every_formula_cell_carries_a_number_for_programs_that_do_not_calculate(
    lesson: tuple[WorkbookState, Path],
) -> None:
    state, path = lesson
    formulas, stored = openpyxl.load_workbook(path), openpyxl.load_workbook(path, data_only=True)
    frames = pd.read_excel(path, sheet_name=None, header=None)
    count = 0
    for sheet in formulas:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    value = stored[sheet.title][cell.coordinate].value
                    assert value is not None, f"{sheet.title}!{cell.coordinate}"
                    assert frames[sheet.title].iloc[cell.row - 1, cell.column - 1] == value
                    count += 1
    maps = sum(placed.area.height > 0 for stage in state.layout.stages for _, placed in stage.computed())
    assert count > sum(engine(state)[s.out.name].size for s in state.layout.stages[1:]) >= maps


def test_formulas_use_only_functions_that_every_program_has(lesson: tuple[WorkbookState, Path]) -> None:
    for sheet in openpyxl.load_workbook(lesson[1]):
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    assert isinstance(cell.value, str), f"{sheet.title}!{cell.coordinate} is an array formula"
                    assert functions_in(cell.value) <= FUNCTIONS, f"{sheet.title}!{cell.coordinate} {cell.value}"


def test_the_formula_of_a_convolution_is_the_one_that_learners_read(lesson: tuple[WorkbookState, Path]) -> None:
    state, path = lesson
    conv = state.layout.by_name["conv1"]
    kernel, bias = conv.own["weight"].blocks[0], conv.own["bias"].blocks[0]
    window = state.layout.input.blocks[0].window(0, 0, 3, 3)
    formula = openpyxl.load_workbook(path)["Network"][conv.out.blocks[0].cell()].value
    assert formula == f"=MAX(0,SUMPRODUCT({window},{kernel.absolute})+{bias.fixed()})"


def test_rules_for_the_same_cells_stand_together(lesson: tuple[WorkbookState, Path]) -> None:
    """LibreOffice shows lines, figures and a colour scale in one cell only then."""
    with zipfile.ZipFile(lesson[1]) as archive:
        for part in archive.namelist():
            if part.startswith("xl/worksheets/sheet"):
                areas = re.findall(r'<conditionalFormatting sqref="([^"]*)"', archive.read(part).decode())
                assert len(areas) == len(set(areas)), part


@pytest.mark.parametrize("name", ["small.xlsx", "fastai.xlsm"])
def test_the_open_xml_sdk_finds_nothing(name: str, tmp_path: Path) -> None:
    state = fastai() if name.startswith("fastai") else state_of(small())
    assert validator.findings(written(tmp_path, state, name)) == []


def test_the_same_contents_give_the_same_bytes(lesson: tuple[WorkbookState, Path], tmp_path: Path) -> None:
    assert written(tmp_path, fastai()).read_bytes() == lesson[1].read_bytes()
    with_macros = written(tmp_path, fastai(), "one.xlsm").read_bytes()
    assert written(tmp_path, fastai(), "two.xlsm").read_bytes() == with_macros


def test_names_lead_to_whole_tensors(lesson: tuple[WorkbookState, Path]) -> None:
    state, path = lesson
    book = openpyxl.load_workbook(path, data_only=True)

    def named(name: str) -> Array:
        ((sheet, area),) = book.defined_names[name].destinations
        return np.array([[cell.value for cell in row] for row in book[sheet][area]], dtype=float)

    np.testing.assert_array_equal(named("input_1"), state.image[0])
    np.testing.assert_array_equal(named("conv2_weight_2_1"), state.tensors["conv2.weight"][1, 0])
    np.testing.assert_array_equal(named("conv1_bias").ravel(), state.tensors["conv1.bias"])
    np.testing.assert_allclose(named("conv1_out_2"), engine(state)["conv1_out"][1], rtol=1e-14, atol=0)
    np.testing.assert_array_equal(named("fc_bias").ravel(), state.tensors["fc.bias"])
    np.testing.assert_allclose(named("fc_out").ravel(), engine(state)["fc_out"], rtol=1e-14, atol=0)
    tile = state.tensors["fc.weight"].reshape(10, 2, 12, 12)[3, 1]
    np.testing.assert_array_equal(named("fc_weight_4_2"), tile)
    ((_, area),) = book.defined_names["fc_weight"].destinations
    assert area == state.layout.by_name["fc"].own["weight"].area.absolute


def test_no_defined_name_could_be_a_cell(lesson: tuple[WorkbookState, Path]) -> None:
    for name in openpyxl.load_workbook(lesson[1]).defined_names:
        with pytest.raises(Exception, match=name):
            coordinate_from_string(name)
        assert not re.fullmatch(r"[Rr]\d*[Cc]?\d*", name)


def test_typed_cells_take_numbers_only_and_say_so(lesson: tuple[WorkbookState, Path]) -> None:
    state, path = lesson
    sheet = openpyxl.load_workbook(path)["Network"]
    pixel = state.layout.input.blocks[0].cell(3, 3)
    weight = state.layout.by_name["fc"].own["weight"].blocks[7].cell(2, 2)
    rules = {at: [v for v in sheet.data_validations.dataValidation if at in v.sqref] for at in (pixel, weight)}
    assert [(v.type, v.formula1, v.formula2) for v in rules[pixel]] == [("decimal", "0", "1")]
    assert [v.type for v in rules[weight]] == ["decimal"]
    assert all(v.showErrorMessage and v.error and not v.allow_blank for found in rules.values() for v in found)


def test_nothing_in_the_file_depends_on_the_clock(lesson: tuple[WorkbookState, Path]) -> None:
    with zipfile.ZipFile(lesson[1]) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {2020}
        assert b"2020-01-01" in archive.read("docProps/core.xml")


def test_the_headings_stay_in_view_and_the_main_sheet_is_not_tiny(lesson: tuple[WorkbookState, Path]) -> None:
    sheet = openpyxl.load_workbook(lesson[1])["Network"]
    assert sheet.freeze_panes == f"A{SCALE_ROW + 1}"
    assert 60 <= sheet.sheet_view.zoomScale <= 100
    assert not sheet.sheet_view.showGridLines
    assert sheet.page_setup.orientation == "landscape"
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
