"""Texts and numbers by the format's rules: what is written is what every program reads."""

import re
import zipfile
from decimal import Context
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv_sheet.cells.grid import Block
from conv_sheet.cells.page import Page
from conv_sheet.cells.style import Style
from conv_sheet.errors import WorkbookError
from conv_sheet.network.spec import from_tables
from conv_sheet.sheets import reading
from conv_sheet.state import WorkbookState
from conv_sheet.xlsx import encode
from conv_sheet.xlsx.change import patch_cells
from conv_sheet.xlsx.reader import Stored
from conv_sheet.xlsx.writer import write
from tests.networks import SMALL, written
from tests.oracles import cells, libreoffice

TEXTS = ("bell \x07", "_x0041_", "_x000D_", "_x005F_", "\ufffe\uffff", "a\tb\nc\rd", "🙂 \ud800", " <&>\"' ")
MEANT = (*TEXTS[:6], "🙂 \ufffd", TEXTS[7])
PLAIN = Style()


def book(folder: Path, page: Page, title: str = "book") -> Path:
    path = folder / "book.xlsx"
    write(title, [page], path)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            ElementTree.fromstring(archive.read(name))
    return path


def test_texts_are_read_as_they_were_meant(tmp_path: Path) -> None:
    page = Page("S")
    for row, text in enumerate(TEXTS, 1):
        page.put(row, 1, text, PLAIN)
    path = book(tmp_path, page, title="a\x07\ufffe")
    assert [row[0] for row in Stored.open(path).block(Block("S", 1, 1, len(TEXTS), 1))] == list(MEANT)
    patch_cells(path, path, {"S": {(row, 2): text for row, text in enumerate(TEXTS, 1)}})
    assert [row[0] for row in Stored.open(path).block(Block("S", 1, 2, len(TEXTS), 1))] == list(MEANT)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_encoding_a_text_loses_nothing(text: str) -> None:
    xml = f"<v>{encode.text(text)}</v>"
    assert encode.decoded(ElementTree.fromstring(xml).text or "") == text


def test_results_have_fifteen_digits_and_what_is_typed_has_all(tmp_path: Path) -> None:
    page, values = Page("S"), np.array([[1 / 3, -2e-7 / 3, 1e22 / 7, 0.1 + 0.2, 0.0, 5.0]])
    page.account(Block("S", 1, 1, 1, 6), values, PLAIN, lambda y, x: "1/3")
    page.results(Block("S", 2, 1, 1, 6), values, PLAIN)
    page.fill(Block("S", 3, 1, 1, 6), values, PLAIN)
    path = book(tmp_path, page)
    rounded = [float(Context(prec=15).create_decimal(value)) for value in values[0].tolist()]
    for row in (1, 2):
        assert list(Stored.open(path).block(Block("S", row, 1, 1, 6))[0]) == rounded
    assert list(Stored.open(path).block(Block("S", 3, 1, 1, 6))[0]) == values[0].tolist() != rounded


def test_libreoffice_reads_the_same(tmp_path: Path) -> None:
    made = from_tables(SMALL | {"title": "_x0041_ & <b>", "description": "_x000D_ é 🙂"})
    state = WorkbookState.of(made.network, np.zeros((2, 7, 6)), made.network.initial(0), made.lesson)
    (again,) = libreoffice.recalculate([written(tmp_path, state)], tmp_path / "out")
    assert cells.values(again, "Start")["B1"] == "_x0041_ & <b>"
    assert reading.spec_of(Stored.open(again)).lesson == made.lesson


@pytest.mark.parametrize("text", ["x" * 32_768, "🙂" * 16_384])
def test_a_cell_takes_so_many_characters(text: str, tmp_path: Path) -> None:
    page = Page("S")
    page.put(3, 2, text, PLAIN)
    with pytest.raises(WorkbookError, match=r"S!B3: 32,768 characters of text; a cell holds 32,767"):
        book(tmp_path, page)
    assert not (tmp_path / "book.xlsx").exists()
    page.singles.clear()
    page.put(3, 2, text[1:], PLAIN)
    assert Stored.open(book(tmp_path, page)).sheet("S").value(3, 2) == text[1:]


def test_columns_and_rows_are_no_wider_than_the_format_takes(tmp_path: Path) -> None:
    page = Page("S", widths={1: 900.0}, heights={1: 900.0})
    page.put(1, 1, "wide", PLAIN)
    sheet = openpyxl.load_workbook(book(tmp_path, page))["S"]
    assert (sheet.column_dimensions["A"].width, sheet.row_dimensions[1].height) == (255, 409.5)


@pytest.mark.parametrize("number", [5e-324, 2e-308, -1e-310, 0.0, -0.0])
def test_numbers_that_excel_does_not_have_are_zero(number: float, tmp_path: Path) -> None:
    page = Page("S")
    page.put(1, 1, number, PLAIN)
    page.fill(Block("S", 2, 1, 1, 2), np.full((1, 2), number), PLAIN)
    with zipfile.ZipFile(book(tmp_path, page)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert re.findall("<v>(.*?)</v>", sheet) == ["0"] * 3


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan, 1.7e308])
def test_numbers_that_no_cell_holds_name_it(number: float, tmp_path: Path) -> None:
    single, block = Page("S"), Page("S")
    single.put(2, 1, number, PLAIN)
    block.fill(Block("S", 1, 1, 2, 1), np.array([[1.0], [number]]), PLAIN, owner="conv1")
    for page, where in ((single, "S!A2"), (block, r"S!A2 \(conv1\)")):
        with pytest.raises(WorkbookError, match=f"^{where}: a cell cannot hold the number"):
            book(tmp_path, page)


def test_a_rule_says_no_more_than_there_is_room_for() -> None:
    assert encode.short("🙂🙂🙂", 5) == "🙂🙂"
    assert encode.short("_x0041_", 30) == "_x005F_x0041_"
