"""The buttons on closed files: what they change, and what they leave alone."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.chart import LineChart, Reference
from openpyxl.comments import Comment

from conv_sheet import actions
from conv_sheet.cells.inputs import InputValue
from conv_sheet.checks import check
from conv_sheet.errors import WorkbookError
from conv_sheet.network.graph import Network
from conv_sheet.office.closed import press
from conv_sheet.opening import read
from conv_sheet.sheets import registry
from conv_sheet.sheets.addresses import DISTANCE, STATUS
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.package import Package
from conv_sheet.xlsx.reader import Stored
from tests.networks import changed, small, state_of, written
from tests.oracles import cells, libreoffice


@pytest.fixture
def state() -> WorkbookState:
    return state_of(small())


@pytest.fixture
def edited(state: WorkbookState, tmp_path: Path) -> Path:
    """A workbook whose pixels and weights were changed in LibreOffice, so that NumPy is stale."""
    path = cells.set_cells(written(tmp_path, state), tmp_path / "typed.xlsx", changed(state)[1])
    (saved,) = libreoffice.recalculate([path], tmp_path / "edited")
    return saved


def test_recompute_makes_the_check_green(edited: Path, state: WorkbookState) -> None:
    assert not check(edited).ok
    status, notes = press(edited, actions.recompute)
    assert check(edited).ok
    assert notes == []
    assert f"The network says {changed(state)[0].prediction}." in status
    assert status in cells.values(edited, STATUS.sheet).values()


def test_values_that_nothing_had_calculated_are_filled(state: WorkbookState, tmp_path: Path) -> None:
    path = cells.set_cells(written(tmp_path, state), tmp_path / "typed.xlsx", changed(state)[1])
    stored = openpyxl.load_workbook(path, data_only=True)[DISTANCE.sheet][DISTANCE.cell()].value
    assert not isinstance(stored, float)
    press(path, actions.recompute)
    assert check(path).ok
    (answer,) = libreoffice.recalculate([path], tmp_path / "out")
    assert check(answer).ok


def furnished(path: Path) -> Path:
    """A user's additions: a sheet with notes and formulas, a chart, a comment, a colour."""
    book = openpyxl.load_workbook(path)
    notes = book.create_sheet("My notes")
    notes["A1"], notes["A2"] = "=1+1 is what I think", "=Network!B10*2"
    notes["A1"].comment = Comment("mine", "me")
    chart = LineChart()
    chart.add_data(Reference(notes, min_col=1, min_row=1, max_row=2))
    notes.add_chart(chart, "C3")
    book["Network"]["A60"] = "a remark"
    book["Network"]["A60"].fill = openpyxl.styles.PatternFill("solid", fgColor="FFFF00")
    book.save(path)
    return path


@pytest.mark.parametrize("program", ["openpyxl", "libreoffice"])
def test_everything_else_stays_byte_for_byte_but_what_charts_show(edited: Path, tmp_path: Path, program: str) -> None:
    path = furnished(edited)
    if program == "libreoffice":
        (path,) = libreoffice.recalculate([path], tmp_path / "again")
    before = {n: zipfile.ZipFile(path).read(n) for n in zipfile.ZipFile(path).namelist()}
    typed = Stored.open(path)
    stored = {
        title: {(row, column): value for row, column, value in typed.sheet(title).items()} for title in typed.titles
    }
    press(path, actions.recompute)
    after = {n: zipfile.ZipFile(path).read(n) for n in zipfile.ZipFile(path).namelist()}
    assert list(before) == list(after)
    package = Package.open(path)
    ours = {part for title, part in package.worksheets.items() if title != "My notes"} | {package.workbook}
    changed = {name for name in before if before[name] != after[name]}
    assert {name for name in changed if not name.startswith("xl/charts/")} <= ours
    assert b'fullCalcOnLoad="1"' in after[package.workbook]
    blocks = [block for _, placed, _ in registry.engine_blocks(read(path)) for block in placed.blocks]
    written_to = {(block.sheet, *at) for block in blocks for at in block.positions()}
    written_to.add((STATUS.sheet, STATUS.row, STATUS.column))
    again = Stored.open(path)
    for title in again.titles:
        sheet = again.sheet(title)
        for row, column, value in sheet.items():
            if sheet.formula(row, column) is None and (title, row, column) not in written_to:
                assert stored[title][row, column] == value, (title, row, column)


def test_a_text_in_a_kernel_is_named_and_the_file_stays(edited: Path, state: WorkbookState) -> None:
    cell = state.layout.by_name["conv1"].own["weight"].blocks[1].cell(0, 1)
    path = cells.set_cells(edited, edited.with_name("text.xlsx"), {f"Network!{cell}": "1,5"})
    before = path.read_bytes()
    with pytest.raises(WorkbookError, match=rf"^Network!{cell} holds '1,5'.*conv1\.weight"):
        press(path, actions.recompute)
    assert path.read_bytes() == before


def test_a_formula_of_the_users_among_the_engines_cells_is_not_overwritten(edited: Path, state: WorkbookState) -> None:
    cell = state.layout.by_name["pool"].out.blocks[0].cell(0, 0)
    path = cells.set_cells(edited, edited.with_name("formula.xlsx"), {f"NumPy!{cell}": "=1+1"})
    before = path.read_bytes()
    with pytest.raises(WorkbookError, match=f"^NumPy!{cell} holds a formula"):
        press(path, actions.recompute)
    assert path.read_bytes() == before


def test_a_formula_that_was_typed_over_is_noted_and_kept(edited: Path, state: WorkbookState) -> None:
    cell = state.layout.by_name["conv1"].out.blocks[0].cell(0, 0)
    path = cells.set_cells(edited, edited.with_name("constant.xlsx"), {f"Network!{cell}": 7})
    _, notes = press(path, actions.recompute)
    assert notes == [f"Network!{cell} no longer holds its formula"]
    assert cells.values(path, "Network")[cell] == 7


def test_a_file_that_is_open_elsewhere_is_left_alone(edited: Path) -> None:
    (edited.parent / f"~${edited.name}").write_text("someone")
    before = edited.read_bytes()
    with pytest.raises(WorkbookError, match="open in Excel"):
        press(edited, actions.recompute)
    assert edited.read_bytes() == before


def numbers(path: Path) -> dict[str, np.ndarray]:
    """Picture and weights."""
    return {name: np.asarray(value) for name, value in registry.restorable(read(path)).items()}


def equal(one: Mapping[str, np.ndarray], other: Mapping[str, InputValue]) -> bool:
    return all(np.array_equal(value, np.asarray(other[name])) for name, value in one.items())


def test_reset_brings_the_lesson_back_and_reset_again_what_was_there(edited: Path, state: WorkbookState) -> None:
    mine = numbers(edited)
    assert not equal(mine, state.typed)
    press(edited, actions.reset)
    assert equal(numbers(edited), state.typed)
    assert check(edited).ok
    press(edited, actions.reset)
    assert equal(numbers(edited), mine)
    press(edited, actions.reset)
    assert equal(numbers(edited), state.typed)


def test_random_kernels_are_seeded_small_and_keep_what_was_typed(edited: Path, state: WorkbookState) -> None:
    mine = numbers(edited)
    press(edited, actions.random_kernels)
    first = numbers(edited)
    press(edited, actions.random_kernels, seed=2)
    second = numbers(edited)
    assert not np.array_equal(first["conv1.weight"], second["conv1.weight"])
    assert np.abs(second["conv1.weight"]).max() < 3
    for name in mine.keys() - {"conv1.weight"}:
        np.testing.assert_array_equal(second[name], mine[name])
    press(edited, actions.random_kernels, seed=1)
    assert equal(numbers(edited), first)
    press(edited, actions.reset)
    assert equal(numbers(edited), mine)
    press(edited, actions.reset)
    assert equal(numbers(edited), state.typed)
    press(edited, actions.reset)
    assert equal(numbers(edited), mine)
    assert check(edited).ok


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"kind": "MaxPool2d", "kernel_size": 2}], "no weights"),
        ([{"kind": "Dropout"}], "no weights"),
        ([{"kind": "Flatten"}, {"kind": "Linear", "out_features": 2}], "no convolution"),
    ],
)
def test_where_there_are_no_kernels_none_are_drawn(
    tmp_path: Path, layers: list[dict[str, object]], message: str
) -> None:
    path = written(tmp_path, state_of(Network.from_spec({"input": [1, 4, 4], "layers": layers})))
    before = path.read_bytes()
    with pytest.raises(WorkbookError, match=f"^the network has {message}: there are no kernels to draw$"):
        press(path, actions.random_kernels, seed=3)
    assert path.read_bytes() == before
