"""The button's whole path in a live spreadsheet program: LibreOffice, through an xlwings engine over UNO."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conv_sheet import actions
from conv_sheet.checks import check
from conv_sheet.errors import WorkbookError
from conv_sheet.office.libreoffice import connect
from conv_sheet.office.live import press
from conv_sheet.sheets import registry
from conv_sheet.sheets.addresses import STATUS
from conv_sheet.state import WorkbookState
from tests.networks import changed, small, state_of, written


@pytest.fixture
def state() -> WorkbookState:
    return state_of(small())


@pytest.fixture
def book(state: WorkbookState, tmp_path: Path) -> Iterator[Any]:
    """An open workbook, in which a user has changed pixels and weights."""
    with connect(written(tmp_path, state, "book.xlsm")) as opened:
        for address, value in changed(state)[1].items():
            sheet, cell = address.split("!")
            opened.sheets[sheet].range(cell).value = value
        yield opened


def everything(book: Any) -> dict[tuple[str, int, int], object]:
    """Every cell of every sheet of ours."""
    cells: dict[tuple[str, int, int], object] = {}
    for sheet in book.sheets:
        name = sheet.name  # each time a question to LibreOffice
        for y, row in enumerate(sheet.range((1, 1), (90, 60)).options(ndim=2).value, 1):
            cells |= {(name, y, x): value for x, value in enumerate(row, 1)}
    return cells


def engines(state: WorkbookState) -> set[tuple[str, int, int]]:
    blocks = [block for _, placed, _ in registry.engine_blocks(state) for block in placed.blocks]
    return {(block.sheet, *at) for block in blocks for at in block.positions()}


def formulas(state: WorkbookState) -> set[tuple[str, int, int]]:
    return {(page.title, *at) for page in registry.pages(state) for at, cell in page.cells() if cell.formula}


def test_recompute_brings_the_engines_blocks_up_to_date_and_touches_nothing_else(
    book: Any, state: WorkbookState
) -> None:
    before = everything(book)
    assert book.names["distance"].refers_to_range.value > 1e-3
    status = press(book, actions.recompute)
    after = everything(book)
    assert book.names["distance"].refers_to_range.value <= 1e-9
    other = changed(state)[0]
    for _, placed, value in registry.engine_blocks(other):
        planes = [
            book.sheets[b.sheet].range((b.row, b.column), (b.last_row, b.last_column)).options(np.array, ndim=2).value
            for b in placed.blocks
        ]
        np.testing.assert_allclose(placed.tensor(np.array(planes)), value, rtol=0, atol=1e-9)
    written = engines(state) | {(STATUS.sheet, STATUS.row, STATUS.column)}
    followed = {at for at in formulas(state) if at[0] not in ("Network", "Images")}
    assert {at for at in before if before[at] != after[at]} <= written | followed
    assert f"The network says {other.prediction}." in status
    assert after[STATUS.sheet, STATUS.row, STATUS.column] == status


def test_a_text_in_a_kernel_is_told_in_the_sheet_and_nothing_is_written(book: Any, state: WorkbookState) -> None:
    cell = state.layout.by_name["conv1"].own["weight"].blocks[0].cell(1, 0)
    book.sheets["Network"].range(cell).value = "two"
    before = everything(book)
    with pytest.raises(WorkbookError, match=f"^Network!{cell} holds 'two'"):
        press(book, actions.recompute)
    after = everything(book)
    assert {at for at in before if before[at] != after[at]} == {(STATUS.sheet, STATUS.row, STATUS.column)}
    assert f"Network!{cell}" in str(after[STATUS.sheet, STATUS.row, STATUS.column])


@pytest.mark.parametrize("sheet", ["Network", "NumPy"])
def test_moved_rows_are_told_and_nothing_is_written(book: Any, sheet: str) -> None:
    book.sheets[sheet].api.Rows.insertByIndex(7, 1)
    before = everything(book)
    with pytest.raises(WorkbookError, match=rf"stands at {sheet}!.* was built at"):
        press(book, actions.recompute)
    after = everything(book)
    assert {at for at in before if before[at] != after[at]} == {(STATUS.sheet, STATUS.row, STATUS.column)}


def test_reset_twice_brings_back_what_was_typed(book: Any, state: WorkbookState) -> None:
    kernel = state.layout.by_name["conv1"].own["weight"].blocks[0]
    area = book.sheets["Network"].range((kernel.row, kernel.column), (kernel.last_row, kernel.last_column))
    mine = area.value
    press(book, actions.reset)
    np.testing.assert_array_equal(area.value, state.tensors["conv1.weight"][0, 0])
    assert book.names["distance"].refers_to_range.value <= 1e-9
    press(book, actions.reset)
    assert area.value == mine


def test_what_was_pressed_can_be_saved_and_checked(book: Any, tmp_path: Path) -> None:
    press(book, actions.random_kernels)
    book.save()
    assert check(tmp_path / "book.xlsm").ok
