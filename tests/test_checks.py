"""`check` sees what is wrong in a file, and nothing else."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conv_sheet.checks import Report, check
from conv_sheet.errors import WorkbookError
from conv_sheet.opening import read
from conv_sheet.sheets.addresses import DISTANCE
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.patch import Formula, Typed
from conv_sheet.xlsx.reader import Stored
from tests.networks import changed, small, state_of, written
from tests.oracles import cells, gnumeric, libreoffice


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return written(tmp_path, state_of(small()))


def report(path: Path) -> Report:
    return check(path)


def test_a_new_workbook_is_right(book: Path) -> None:
    assert report(book).ok
    assert "agree with NumPy" in list(report(book).lines("book.xlsx"))[-1]


def test_a_file_gives_back_what_was_built_into_it(book: Path) -> None:
    built, state = state_of(small()), read(book)
    assert state.network == built.network
    np.testing.assert_array_equal(state.image, built.image)
    for name, value in built.tensors.items():
        np.testing.assert_array_equal(state.tensors[name], value, err_msg=name)


@pytest.mark.parametrize("program", ["libreoffice", "gnumeric"])
def test_files_saved_by_other_programs_are_read(book: Path, tmp_path: Path, program: str) -> None:
    if program == "gnumeric":
        saved = gnumeric.recalculate(book, tmp_path / "saved.xlsx")
    else:
        (saved,) = libreoffice.recalculate([book], tmp_path / "out")
    assert report(saved).ok


def test_an_edit_that_a_program_has_calculated_leaves_only_numpy_stale(book: Path, tmp_path: Path) -> None:
    _, typed = changed(state_of(small()))
    edited = cells.set_cells(book, tmp_path / "edited.xlsx", typed)
    (saved,) = libreoffice.recalculate([edited], tmp_path / "out")
    found = report(saved)
    assert not found.formulas
    assert not found.values
    assert {d.owner for d in found.stale} >= {"input", "conv1_out", "fc_out"}
    assert "press Recompute" in list(found.lines("edited.xlsx"))[-1]
    owners = [difference.owner for difference in found.stale]
    for owner, line in zip(dict.fromkeys(owners), found.lines("edited.xlsx"), strict=False):
        count = owners.count(owner)
        assert f"{owner} " in line
        assert f"  {count} number{'s' if count > 1 else ''} of Python's wrong" in line


def test_an_edit_that_nothing_has_calculated_is_told_by_layer_and_first_cell(book: Path, tmp_path: Path) -> None:
    state = state_of(small())
    conv = state.layout.by_name["conv1"]
    edited = patched(book, tmp_path, conv.own["weight"].blocks[0].cell(), 9.0)
    found = report(edited)
    assert not found.ok
    assert not found.formulas
    first = next(d for d in found.values if d.owner == "conv1" and conv.out.blocks[0].cell() in d.address)
    assert first.amount > 1e-3
    lines = list(found.lines("edited.xlsx"))
    assert any(line.startswith("conv1") and "largest difference" in line and "Network!" in line for line in lines)


def patched(book: Path, folder: Path, cell: str, value: float) -> Path:
    """A copy in which one typed cell of `Network` holds another number, and nothing else has changed."""
    import re

    out = folder / "patched.xlsx"
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "xl/worksheets/sheet2.xml":
                data, count = re.subn(rb'(<c r="%s"[^>]*><v>)[^<]*' % cell.encode(), rb"\g<1>%r" % value, data)
                assert count == 1
            new.writestr(entry, data)
    return out


def test_a_formula_that_was_typed_over_is_found(book: Path, tmp_path: Path) -> None:
    cell = state_of(small()).layout.by_name["pool"].out.blocks[1].cell(0, 0)
    edited = cells.set_cells(book, tmp_path / "edited.xlsx", {f"Network!{cell}": 0.25})
    (saved,) = libreoffice.recalculate([edited], tmp_path / "out")
    assert f"Network!{cell}" in {d.address for d in report(saved).formulas}


def test_formulas_that_became_constants_are_told_although_all_values_are_right(book: Path, tmp_path: Path) -> None:
    state = state_of(small())
    block = state.layout.by_name["conv1"].out.blocks[1]
    values = state.layout.by_name["conv1"].out.planes(state.activations["relu1"][0])[1]
    constants = {at: Typed(value) for at, value in block.items(values)}
    patch_cells(book, tmp_path / "constants.xlsx", {"Network": constants})
    found = report(tmp_path / "constants.xlsx")
    assert not found.values
    assert not found.stale
    assert len(found.formulas) == len(constants)
    assert f"{len(constants)} of" in list(found.lines("book.xlsx"))[-1]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda formula: formula.replace(",", " , ").lower(), True),
        (lambda formula: f"{formula}+0", False),
        (lambda formula: formula.replace("SUMPRODUCT", "SUM"), False),
    ],
)
def test_formulas_are_compared_whatever_their_spelling(
    book: Path, tmp_path: Path, change: Callable[[str], str], same: bool
) -> None:
    state = state_of(small())
    block = state.layout.by_name["conv1"].out.blocks[0]
    value = float(state.activations["relu1"][0, 0, 0, 0])
    formula = Stored.open(book).formulas(block)[0][0]
    assert formula is not None
    other = {"Network": {block.position(0, 0): Formula(change(formula), value)}}
    patch_cells(book, tmp_path / "spelled.xlsx", other)
    found = report(tmp_path / "spelled.xlsx")
    assert [d.address for d in found.formulas] == ([] if same else [block.other()])
    assert not found.values


def test_another_formula_that_many_cells_share_is_told_for_each(book: Path, tmp_path: Path) -> None:
    """Every value that is stored stays right."""
    import re

    with zipfile.ZipFile(book) as old, zipfile.ZipFile(tmp_path / "shared.xlsx", "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "xl/worksheets/sheet2.xml":
                data, count = re.subn(
                    rb'(<f t="shared" ref="[^"]*" si="[0-9]+">)MAX\(0,', rb"\g<1>MAX(-1,", data, count=1
                )
                assert count == 1
            new.writestr(entry, data)
    found = report(tmp_path / "shared.xlsx")
    block = state_of(small()).layout.by_name["conv1"].out.blocks[0]
    assert sorted(d.address for d in found.formulas) == sorted(
        f"Network!{block.cell(y, x)}" for y, x in np.ndindex(*block.shape)
    )
    assert not found.values


def test_another_formula_in_a_cell_of_its_own_is_told(book: Path, tmp_path: Path) -> None:
    at = DISTANCE.row, DISTANCE.column
    patch_cells(book, tmp_path / "own.xlsx", {DISTANCE.sheet: {at: Formula("0*1", 0.0)}})
    assert [d.address for d in report(tmp_path / "own.xlsx").formulas] == [DISTANCE.other()]


def test_a_typed_cell_without_a_number_is_named(book: Path, tmp_path: Path) -> None:
    cell = state_of(small()).layout.by_name["conv1"].own["weight"].blocks[2].cell(1, 1)
    edited = cells.set_cells(book, tmp_path / "edited.xlsx", {f"Network!{cell}": "abc"})
    with pytest.raises(WorkbookError, match=rf"^Network!{cell} holds 'abc'.*conv1\.weight"):
        read(edited)


def test_an_empty_cell_is_zero_as_formulas_take_it(book: Path, tmp_path: Path) -> None:
    block = state_of(small()).layout.by_name["conv1"].own["weight"].blocks[2]
    edited = cells.set_cells(book, tmp_path / "edited.xlsx", {block.other(1, 1): None})
    (saved,) = libreoffice.recalculate([edited], tmp_path / "out")
    assert read(saved).tensors["conv1.weight"][1, 0, 1, 1] == 0
    assert not report(saved).values


def test_other_files_are_refused_in_one_line(book: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.xlsx"
    text.write_text("not a zip")
    with pytest.raises(WorkbookError, match=r"text\.xlsx is not an \.xlsx or \.xlsm workbook"):
        read(text)
    with pytest.raises(WorkbookError, match="does not exist"):
        read(tmp_path / "none.xlsx")
    half = tmp_path / "half.xlsx"
    half.write_bytes(book.read_bytes()[:5000])
    with pytest.raises(WorkbookError, match=r"half\.xlsx is not an"):
        read(half)
    import openpyxl

    openpyxl.Workbook().save(tmp_path / "other.xlsx")
    with pytest.raises(WorkbookError, match="not a conv-sheet workbook"):
        read(tmp_path / "other.xlsx")
