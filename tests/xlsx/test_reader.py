"""Cells as the programs store them, read as the programs mean them."""

import io
import os
import re
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.formula.translate import Translator

from conv_sheet.cells.formula import mover
from conv_sheet.cells.values import UNKNOWN, CellError, Date
from conv_sheet.errors import WorkbookError
from conv_sheet.xlsx import package, parse
from conv_sheet.xlsx.parse import NAMESPACES, Cells, SheetReader
from conv_sheet.xlsx.reader import Stored

MAIN = NAMESPACES[0]


def cells_of(data: str, strings: list[str] | None = None, dates: frozenset[str] = frozenset()) -> Cells:
    reader = SheetReader("book.xlsx, sheet 'S'", strings or [], dates, 0)
    reader.parse(io.BytesIO(f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'.encode()))
    return reader.cells


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('<c r="A1"><v>0.5</v></c>', 0.5),
        ('<c r="A1" t="n"><v>1E-05</v></c>', 1e-5),
        ('<c r="A1" t="s"><v>1</v></c>', "two"),
        ('<c r="A1" t="b"><v>1</v></c>', True),
        ('<c r="A1" t="e"><v>#DIV/0!</v></c>', CellError("#DIV/0!")),
        ('<c r="A1" t="str"><f>B1</f><v>a_x000D_b &amp; c</v></c>', "a\rb & c"),
        ('<c r="A1" t="str"><f>B1</f><v></v></c>', ""),
        ('<c r="A1" t="inlineStr"><is><t> x </t></is></c>', " x "),
        ('<c r="A1" t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r><rPh><t>no</t></rPh></is></c>', "ab"),
        ('<c r="A1" t="d"><v>2024-02-01T12:00:00</v></c>', 45323.5),
        ('<c r="A1" s="3"><v>45323</v></c>', Date(45323)),
        ('<c r="A1"><f>B1</f></c>', UNKNOWN),
        ('<c r="A1"><f>B1</f><v/></c>', UNKNOWN),
        ('<c r="A1" s="1"/>', None),
        ("<c><v>7</v></c>", 7.0),
    ],
)
def test_values_of_every_type(cell: str, value: object) -> None:
    found = cells_of(f'<row r="1">{cell}</row>', ["one", "two"], frozenset({"3"})).value(1, 1)
    assert found == value
    assert type(found) is type(value) or isinstance(found, Date)


def test_cells_without_addresses_count_on() -> None:
    cells = cells_of('<row><c><v>1</v></c></row><row r="4"><c r="C4"><v>2</v></c><c><v>3</v></c></row>')
    assert sorted(cells.items()) == [(1, 1, 1.0), (4, 3, 2.0), (4, 4, 3.0)]


def test_a_shared_formula_is_each_cells_own() -> None:
    master = '<c r="B2"><f t="shared" ref="B2:C3" si="0">A1*$A$1+SUM(A:A)</f><v>1</v></c>'
    others = '<c r="C2"><f t="shared" si="0"/></c></row><row r="3"><c r="B3"><f t="shared" si="0"/></c>'
    again = '<c r="C3"><f t="shared" ref="C3:C4" si="0">A1</f></c></row><row r="4"><c r="C4"><f t="shared" si="0"/></c>'
    cells = cells_of(f'<row r="2">{master}{others}{again}</row>')
    found = [cells.formula(row, column) for row, column in ((2, 2), (2, 3), (3, 2), (3, 3), (4, 3))]
    assert found == ["A1*$A$1+SUM(A:A)", "B1*$A$1+SUM(B:B)", "A2*$A$1+SUM(A:A)", "A1", "A2"]


FORMULAS = st.sampled_from(
    ["A9+$B9*C$9-$D$9", 'SUM(A9:$C$12)&"A1"', "LOG10(E9)", "'A1 b'!C9+C10", "SUM(B:$C)", "SUM(9:$12)", "ATAN2(A9,B9)"]
)


@given(FORMULAS, st.integers(0, 30), st.integers(0, 30))
def test_formulas_move_as_openpyxl_moves_them(formula: str, down: int, right: int) -> None:
    origin, moved = "Z50", f"{openpyxl.utils.get_column_letter(26 + right)}{50 + down}"
    assert f"={mover(formula)(down, right)}" == Translator(f"={formula}", origin).translate_formula(moved)


def test_dates_are_told_from_numbers_by_the_format_of_their_cells(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"], sheet["A2"], sheet["A3"], sheet["A4"] = datetime(2024, 2, 1), 0.25, 0.25, 1.5
    sheet["A3"].number_format, sheet["A4"].number_format = '0.0" days"', "[$-407]#,##0.00 [$€-407]"
    book.save(tmp_path / "dates.xlsx")
    cells = Stored.open(tmp_path / "dates.xlsx").sheet("Sheet")
    assert [type(cells.value(row, 1)) for row in range(1, 5)] == [Date, float, float, float]
    assert str(cells.value(1, 1)) == "1 February 2024"


def test_names_of_the_workbook_and_not_of_its_sheets(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "names.xlsx") as book:
        book.add_worksheet("it's")
        book.define_name("area", "='it''s'!$B$2:$C$3")
        book.define_name("rate", "=0.5")
        book.add_worksheet("Other")
        book.define_name("Other!local", "=Other!$A$1")
    stored = Stored.open(tmp_path / "names.xlsx")
    block = stored.refers("area")
    assert block is not None
    assert (block.sheet, block.relative) == ("it's", "B2:C3")
    assert (stored.has("rate"), stored.refers("rate"), stored.has("local")) == (True, None, False)


# -- what is damaged, or somebody's trap -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('<row r="2000000000"><c><v>1</v></c></row>', "a row 2,000,000,000"),
        ('<row r="2"/><row r="1"/>', "a row 1"),
        ('<row r="x"/>', "damaged"),
        ('<row r="1"><c r="B2"><v>1</v></c></row>', "row 1 has a cell B2"),
        ('<row r="1"><c r="XFE1"><v>1</v></c></row>', "too many"),
        ('<row r="1"><c r="1"><v>1</v></c></row>', "there is no cell 1"),
        ('<row r="1"><c r="A1" t="s"><v>5</v></c></row>', "cell A1 of type s stores '5'"),
        ('<row r="1"><c r="A1" t="s"><v>-1</v></c></row>', "cell A1 of type s stores '-1'"),
        ('<row r="1"><c r="A1"><v>abc</v></c></row>', "cell A1 of type n stores 'abc'"),
        ('<row r="1"><c r="A1"><v>1_0</v></c></row>', "cell A1 of type n stores '1_0'"),
        ('<row r="1"><c r="A1"><v>٣</v></c></row>', "cell A1 of type n stores '٣'"),
        ('<row r="1"><c r="A1" t="s"><v>1_0</v></c></row>', "cell A1 of type s stores '1_0'"),
        ('<row r="1_0"/>', "damaged"),
        ('<row r="1"><c r="A1" t="zz"><v>1</v></c></row>', "cell A1 of type zz"),
        ('<row r="1"><c r="A1"><f t="shared" si="9"/></c></row>', "cell A1 shares a formula"),
        ("<row>", "mismatched tag"),
    ],
)
def test_damaged_sheets_are_one_line(data: str, words: str) -> None:
    with pytest.raises(WorkbookError, match=f"^book.xlsx, sheet 'S': [^\n]*{words}[^\n]*$"):
        cells_of(data)


def rewritten(path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, change(data) if name == part else data)
    return path


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet("S")
        sheet.write_string(0, 0, "text")
        sheet.write_number(0, 1, 1.5)
    return path


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("xl/worksheets/sheet1.xml", lambda xml: xml.replace(b'encoding="UTF-8"', b'encoding="nosuch"')),
        ("xl/sharedStrings.xml", lambda xml: xml.replace(b'encoding="UTF-8"', b'encoding="nosuch"')),
        ("xl/workbook.xml", lambda xml: xml.replace(b'encoding="UTF-8"', b'encoding="nosuch"')),
        ("xl/workbook.xml", lambda xml: b'<!DOCTYPE a [<!ENTITY b "c">]>' + xml[xml.index(b"<workbook") :]),
        ("xl/worksheets/sheet1.xml", lambda xml: b"<!DOCTYPE a>" + xml[xml.index(b"<worksheet") :]),
        ("xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"<worksheet", b"<other").replace(b"</work", b"</oth")),
        ("xl/styles.xml", lambda xml: xml[:50]),
        ("_rels/.rels", lambda xml: b""),
    ],
)
def test_damaged_parts_are_one_line_with_file_and_part(book: Path, part: str, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(WorkbookError, match=rf"^{re.escape(str(book))}[^\n]*$"):
        Stored.open(rewritten(book, part, change)).sheet("S")


def with_bytes(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


def test_an_encrypted_or_strangely_packed_part_and_one_that_is_there_twice(book: Path, tmp_path: Path) -> None:
    data = bytearray(book.read_bytes())
    for mark, place, value, words in ((b"PK\x01\x02", 8, 1, "password"), (b"PK\x01\x02", 10, 93, "method 93")):
        changed = bytearray(data)
        changed[changed.index(mark) + place] = value
        path = tmp_path / "odd.xlsx"
        path.write_bytes(changed)
        with pytest.raises(WorkbookError, match=words):
            Stored.open(path)
    with zipfile.ZipFile(book, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("xl/workbook.xml", "again")
    with pytest.raises(WorkbookError, match=r"has the part xl/workbook\.xml twice"):
        Stored.open(book)


def test_limits_stand_at_the_door(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, limit, value, words in (
        (package, "MAX_ENTRIES", 3, "parts; 3 are the most"),
        (package, "MAX_UNPACKED", 1 << 10, "unpacks to"),
        (parse, "MAX_CELLS", 1, "more than 1 cells"),
        (parse, "MAX_STRINGS", 0, "more than 0 texts"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, limit, value)
            with pytest.raises(WorkbookError, match=words):
                Stored.open(book).sheet("S")
    assert Stored.open(book).sheet("S").value(1, 1) == "text"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
def test_pipes_folders_and_devices_are_refused_before_they_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.xlsx")
    (tmp_path / "link.xlsx").symlink_to(tmp_path / "pipe.xlsx")
    (tmp_path / "folder.xlsx").mkdir()
    for name, words in (("pipe", "a named pipe"), ("link", "a named pipe"), ("folder", "a folder")):
        with pytest.raises(WorkbookError, match=rf"{name}\.xlsx: this is {words}, not a file$"):
            Stored.open(tmp_path / f"{name}.xlsx")
    with pytest.raises(WorkbookError, match="/dev/zero: this is a device"):
        Stored.open(Path("/dev/zero"))
