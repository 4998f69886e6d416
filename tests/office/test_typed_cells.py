"""What a user may have typed: the same words for closed files and open books; Reset over a formula of the user's."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from conv_sheet import actions
from conv_sheet.cells.grid import Block
from conv_sheet.checks import check
from conv_sheet.errors import WorkbookError
from conv_sheet.office.closed import press
from conv_sheet.office.libreoffice import connect
from conv_sheet.office.live import press as press_live
from conv_sheet.opening import read
from conv_sheet.sheets import reading
from conv_sheet.sheets.addresses import SEED
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.patch import Formula
from conv_sheet.xlsx.reader import Stored
from tests.networks import small, state_of, written
from tests.oracles import cells

STATE = state_of(small())
KERNEL = STATE.layout.by_name["conv1"].own["weight"].blocks[0]
CELL = KERNEL.other(0, 1)


class Answers:
    """A closed workbook as an open one, in which a program gives other values for some cells."""

    live = True

    def __init__(self, path: Path, values: Mapping[str, object]) -> None:
        self.stored = Stored.open(path)
        self.values = values

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stored, name)

    def block(self, block: Block) -> list[list[object]]:
        rows = self.stored.block(block)
        return [
            [self.values.get(block.other(y, x), value) for x, value in enumerate(row)] for y, row in enumerate(rows)
        ]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("book"), STATE)


def told_closed(book: Path, folder: Path, value: object) -> str:
    edited = openpyxl.load_workbook(book)
    edited["Network"][KERNEL.cell(0, 1)] = value
    edited.save(folder / "edited.xlsx")
    with pytest.raises(WorkbookError) as refused:
        read(folder / "edited.xlsx")
    return str(refused.value)


def told_live(book: Path, value: object) -> str:
    with pytest.raises(WorkbookError) as refused:
        reading.state_of(Answers(book, {CELL: value}))
    return str(refused.value)


@pytest.mark.parametrize(
    ("typed", "answered", "words"),
    [
        (datetime(2024, 2, 1), datetime(2024, 2, 1), "holds a date (1 February 2024); conv1.weight takes a number"),
        ("1,5", "1,5", "holds '1,5', which is not a number; conv1.weight takes a number"),
        (True, True, "holds TRUE, which is not a number"),
        (2e7, 2e7, "holds 20000000; conv1.weight takes a number from -1,000,000 to 1,000,000"),
        ("#DIV/0!", "#DIV/0!", "holds an error, #DIV/0!"),
    ],
)
def test_closed_files_and_open_books_are_told_the_same(
    book: Path, tmp_path: Path, typed: object, answered: object, words: str
) -> None:
    closed, live = told_closed(book, tmp_path, typed), told_live(book, answered)
    assert closed == live
    assert closed.startswith(f"{CELL} {words}")
    assert "datetime" not in closed


def test_a_currency_that_a_program_cuts_is_told_by_its_format(book: Path) -> None:
    told = told_live(book, Decimal("0.2"))
    assert told.startswith(f"{CELL} holds a currency (0.2)")
    assert "set the cell's format to General" in told


def test_a_formula_that_nothing_has_calculated_is_no_zero(book: Path, tmp_path: Path) -> None:
    assert "holds a formula that nothing has calculated" in told_closed(book, tmp_path, "=1/9")


def test_an_empty_setting_is_told_with_what_it_takes(book: Path, tmp_path: Path) -> None:
    edited = cells.set_cells(book, tmp_path / "edited.xlsx", {SEED.other(): -1})
    with pytest.raises(WorkbookError, match=r"^Python!C6 holds -1; random_seed takes a whole number from 0 to 999,999"):
        read(edited)


@pytest.fixture
def blurred(book: Path, tmp_path: Path) -> Path:
    """=1/6 typed into all cells of the first kernel, as a program stores it."""
    path = tmp_path / "blurred.xlsx"
    patch_cells(book, path, {"Network": {at: Formula("1/6", 1 / 6) for at in KERNEL.positions()}})
    press(path, actions.recompute)
    return path


def formulas(path: Path) -> list[list[str | None]]:
    return Stored.open(path).formulas(KERNEL)


def test_a_typed_formula_stays_until_reset_and_comes_back(blurred: Path) -> None:
    assert formulas(blurred) == [["1/6"] * 2] * 3
    assert np.all(read(blurred).tensors["conv1.weight"][0, 0] == 1 / 6)
    assert check(blurred).ok
    status, _ = press(blurred, actions.reset)
    assert "6 formulas of yours were replaced, the first in conv1.weight; Reset brings them back" in status
    assert formulas(blurred) == [[None] * 2] * 3
    np.testing.assert_array_equal(read(blurred).tensors["conv1.weight"], STATE.tensors["conv1.weight"])
    press(blurred, actions.reset)
    assert formulas(blurred) == [["1/6"] * 2] * 3
    assert openpyxl.load_workbook(blurred)["Network"][KERNEL.cell()].value == "=1/6"
    assert check(blurred).ok


def test_random_kernels_over_a_typed_formula_are_undone_by_reset(blurred: Path) -> None:
    status, _ = press(blurred, actions.random_kernels, seed=3)
    assert "Reset undoes it. 6 formulas of yours were replaced" in status
    assert formulas(blurred) == [[None] * 2] * 3
    press(blurred, actions.reset)
    assert formulas(blurred) == [["1/6"] * 2] * 3
    assert check(blurred).ok
    press(blurred, actions.reset)
    np.testing.assert_array_equal(read(blurred).tensors["conv1.weight"], STATE.tensors["conv1.weight"])
    press(blurred, actions.reset)
    assert formulas(blurred) == [["1/6"] * 2] * 3


def test_the_button_does_the_same_in_an_open_book(blurred: Path, tmp_path: Path) -> None:
    with connect(blurred) as opened:
        area = opened.sheets["Network"].range((KERNEL.row, KERNEL.column), (KERNEL.last_row, KERNEL.last_column))
        assert "6 formulas of yours were replaced" in press_live(opened, actions.reset)
        assert np.array(area.value)[0, 0] == STATE.tensors["conv1.weight"][0, 0, 0, 0]
        press_live(opened, actions.reset)
        assert area.formula[0][0] == "=1/6"
        assert np.allclose(np.array(area.value, dtype=float), 1 / 6)
        opened.save(tmp_path / "saved.xlsx")
    assert check(tmp_path / "saved.xlsx").ok
