"""Rows and columns inserted or deleted on any sheet, by a program or a library, are noticed before anything is done."""

from pathlib import Path
from typing import Any

import openpyxl
import pytest

from conv_sheet import actions
from conv_sheet.checks import check
from conv_sheet.errors import WorkbookError
from conv_sheet.network.graph import Network
from conv_sheet.office.closed import press
from conv_sheet.office.libreoffice import connect
from conv_sheet.opening import read
from conv_sheet.sheets.standing import MovedError
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.patch import Formula
from conv_sheet.xlsx.reader import Stored
from tests.networks import small, state_of, written

SHEETS = ("Start", "Network", "NumPy", "Spec", "Original", "Kept")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook that has kept something."""
    path = written(tmp_path_factory.mktemp("book"), state_of(small()))
    press(path, actions.random_kernels)
    return path


def assert_refused(path: Path) -> None:
    before = path.read_bytes()
    for command in (check, read, lambda p: press(p, actions.recompute), lambda p: press(p, actions.reset)):
        with pytest.raises(MovedError, match="inserted or deleted") as refused:
            command(path)
        assert "\n" not in str(refused.value)
    assert path.read_bytes() == before


def test_a_new_workbook_stands(book: Path) -> None:
    assert check(book).ok


@pytest.fixture(scope="module")
def moved(book: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Copies that LibreOffice saved after one row or column was inserted or deleted on one sheet."""
    folder, copies = tmp_path_factory.mktemp("moved"), {}

    def save(opened: Any, sheet: str, what: str) -> None:
        copies[sheet, what] = folder / f"{sheet}-{what}.xlsx"
        opened.save(copies[sheet, what])

    with connect(book) as opened:
        for sheet in SHEETS:
            api = opened.sheets[sheet].api
            api.Rows.insertByIndex(2, 1)
            save(opened, sheet, "row inserted")
            api.Rows.removeByIndex(2, 1)
            api.Columns.insertByIndex(0, 1)
            save(opened, sheet, "column inserted")
            api.Columns.removeByIndex(0, 1)
    return copies


@pytest.mark.parametrize("what", ["row inserted", "column inserted"])
@pytest.mark.parametrize("sheet", SHEETS)
def test_what_libreoffice_moves_is_noticed(moved: dict[tuple[str, str], Path], sheet: str, what: str) -> None:
    assert_refused(moved[sheet, what])


@pytest.mark.parametrize(
    ("sheet", "edit"),
    [
        ("NumPy", lambda sheet: sheet.insert_rows(9)),
        ("NumPy", lambda sheet: sheet.delete_rows(20)),
        ("NumPy", lambda sheet: sheet.insert_cols(12)),
        ("Network", lambda sheet: sheet.insert_rows(9)),
        ("Network", lambda sheet: sheet.delete_cols(5)),
        ("Start", lambda sheet: sheet.insert_rows(3)),
        ("Spec", lambda sheet: sheet.insert_rows(1)),
        ("Spec", lambda sheet: sheet.insert_rows(6)),
        ("Spec", lambda sheet: sheet.delete_rows(4)),
        ("Original", lambda sheet: sheet.insert_rows(12)),
        ("Kept", lambda sheet: sheet.delete_cols(3)),
        ("Kept", lambda sheet: sheet.insert_rows(2)),
        ("NumPy", lambda sheet: sheet.insert_cols(58)),  # before its last block, a column with nothing behind it
        ("NumPy", lambda sheet: sheet.delete_cols(58)),
        ("Loupe", lambda sheet: sheet.insert_cols(20)),  # formulas and few texts
        ("Python", lambda sheet: sheet.insert_rows(6)),  # texts and no blocks
    ],
)
def test_what_a_library_moves_without_the_names_is_noticed(book: Path, tmp_path: Path, sheet: str, edit: Any) -> None:
    edited = openpyxl.load_workbook(book)
    edit(edited[sheet])
    edited.save(tmp_path / "edited.xlsx")
    assert_refused(tmp_path / "edited.xlsx")


def test_numbers_in_a_single_row_that_are_pushed_along_are_noticed(tmp_path: Path) -> None:
    network = Network.from_spec({"input": [1, 6], "layers": [{"kind": "ReLU"}]})
    book = written(tmp_path, state_of(network))
    edited = openpyxl.load_workbook(book)
    edited["NumPy"].insert_cols(17)  # in the middle of the last row
    edited.save(book)
    assert_refused(book)


def test_a_formula_that_was_copied_elsewhere_is_no_fault(book: Path, tmp_path: Path) -> None:
    formula = Stored.open(book).formulas(state_of(small()).layout.by_name["conv1"].out.blocks[0])[0][0]
    patch_cells(book, tmp_path / "book.xlsx", {"Network": {(60, 3): Formula(str(formula), 0.5)}})
    assert check(tmp_path / "book.xlsx").ok


@pytest.mark.parametrize("sheet", ["Original", "Kept"])
def test_what_is_kept_has_a_name_a_tensor_and_not_a_kernel(book: Path, sheet: str) -> None:
    names = openpyxl.load_workbook(book).defined_names
    found = [name for name, one in names.items() if str(one.attr_text).startswith(f"{sheet}!")]
    tensors = ["input", *(name.replace(".", "_") for name in small().parameters)]
    assert sorted(found) == sorted(f"{sheet.lower()}_{name}" for name in tensors)


@pytest.mark.parametrize("sheet", SHEETS)
def test_renamed_and_deleted_sheets_are_named(book: Path, tmp_path: Path, sheet: str) -> None:
    renamed = openpyxl.load_workbook(book)
    renamed[sheet].title = "Mine"
    for name in renamed.defined_names.values():  # as a program does, and openpyxl does not
        name.attr_text = name.attr_text.replace(f"{sheet}!", "Mine!")
    renamed.save(tmp_path / "renamed.xlsx")
    with pytest.raises(WorkbookError, match=f"'{sheet}' was renamed, and is called 'Mine' now"):
        read(tmp_path / "renamed.xlsx")
    deleted = openpyxl.load_workbook(book)
    del deleted[sheet]
    deleted.save(tmp_path / "deleted.xlsx")
    with pytest.raises(WorkbookError, match=f"has no sheet '{sheet}'"):
        read(tmp_path / "deleted.xlsx")


def test_a_rewritten_heading_and_a_deleted_name_are_no_fault(book: Path, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    edited = openpyxl.load_workbook(book)
    edited["Start"]["B1"] = "My own title"
    del edited.defined_names["conv1_out_2"]
    edited.save(path)
    press(path, actions.recompute)
    assert check(path).ok


def test_a_copy_of_a_sheet_with_names_of_its_own_is_no_fault(book: Path, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with connect(book) as opened:
        opened.api.Sheets.copyByName("Network", "Network (2)", 1)
        opened.save(path)
    assert "Network (2)" in Stored.open(path).titles
    press(path, actions.recompute)
    assert check(path).ok


def test_cells_that_were_cleared_are_said(book: Path, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    block = state_of(small()).layout.by_name["conv1"].out.blocks[0]
    patch_cells(book, path, {"NumPy": {block.position(1, x): None for x in range(block.width)}})
    with pytest.raises(MovedError, match=rf"NumPy!{block.cell(1, 0)}.* is empty and was built full"):
        read(path)
