"""Controls over cells: spinners, as LibreOffice binds them to cells, and what the commands leave of them."""

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from conv_sheet import actions
from conv_sheet.builder import build
from conv_sheet.office.closed import press
from conv_sheet.sheets import registry
from conv_sheet.sheets.lessons.steps import STEPS
from conv_sheet.sheets.loupe.facts import LOUPE
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx.vml import EMPTY, Button, Spinner, shapes, with_shapes
from tests import lessons
from tests.oracles import validator

state, path, book = lessons.fixtures("first-steps")


def drawings(workbook: Path) -> dict[str, str]:
    """The VML of a workbook by name of the part."""
    with zipfile.ZipFile(workbook) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".vml")}


def controls(book: Any, title: str) -> dict[str, Any]:
    """The spinners of a sheet in LibreOffice, by the cell that they count."""
    sheets, found = book.api.Sheets, {}
    page = sheets.getByName(title).DrawPage
    for number in range(page.Count):
        model = page.getByIndex(number).Control
        at = model.getValueBinding().BoundCell
        assert sheets.getByIndex(at.Sheet).Name == title
        found[book.sheets[title].range((at.Row + 1, at.Column + 1)).address.replace("$", "")] = model
    return found


@pytest.mark.parametrize("title", [LOUPE, STEPS])
def test_libreoffice_binds_a_spinner_to_each_number_that_says_where(
    title: str, state: WorkbookState, book: Any
) -> None:
    asked = {
        item.at.cell(): item
        for item in registry.inputs_of(state)
        if item.at.sheet == title and item.placed.shape == () and not item.is_text
    }
    found = controls(book, title)
    assert set(found) == set(asked) and len(found) in (3, 5)
    for cell, item in asked.items():
        model, area = found[cell], book.sheets[title].range(cell)
        low, high = int(model.SpinValueMin), int(model.SpinValueMax)
        assert item.limits.allows(low) and item.limits.allows(high)
        assert not item.limits.allows(low - 1) and not item.limits.allows(high + 1)
        assert (model.SpinValue, model.SpinIncrement) == (area.value, 1)
        area.value = float(high)
        assert model.SpinValue == high
        area.value = state.number(item)


def test_both_kinds_of_workbook_have_the_same_spinners_with_texts_for_screen_readers(
    state: WorkbookState, path: Path, tmp_path: Path
) -> None:
    build(state, tmp_path / "first-steps.xlsm")
    plain, macros = drawings(path), drawings(tmp_path / "first-steps.xlsm")
    assert plain.items() <= macros.items() and len(macros) > len(plain)
    texts = re.findall(r'alt="([^"]*)"', "".join(plain.values()))
    assert "row: a spinner, it counts Loupe!E7 from 1 to 26" in texts and len(texts) == len(set(texts)) == 8
    assert validator.findings(path) == []
    assert validator.findings(tmp_path / "first-steps.xlsm") == []


@pytest.mark.parametrize("suffix", [".xlsx", ".xlsm"])
def test_commands_leave_spinners_as_they_are(suffix: str, state: WorkbookState, tmp_path: Path) -> None:
    workbook = tmp_path / f"first-steps{suffix}"
    build(state, workbook)
    whole, before = workbook.read_bytes(), drawings(workbook)
    press(workbook, actions.random_kernels, seed=3)
    assert workbook.read_bytes() != whole
    assert drawings(workbook) == before != {}
    press(workbook, actions.reset)
    assert drawings(workbook) == before


def test_a_sheet_with_buttons_and_spinners_has_one_type_of_shape() -> None:
    spinner = Spinner('row <of> the "window"', "'My Net'!$A$1", 1, 1, 9, (1, 2, 1, 2))
    both = with_shapes(with_shapes(EMPTY, shapes([spinner])), shapes([Button("My Net", "Run", "Run", (3, 2, 4, 2))]))
    drawing = both.decode()
    assert drawing.count("<v:shapetype") == 1
    ids = re.findall(r'<v:shape id="([^"]*)"', drawing)
    assert len(ids) == len(set(ids)) == 2
    assert "row &lt;of&gt; the" in drawing
