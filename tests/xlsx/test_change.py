"""What changes in a workbook beside its cells, as the validator, LibreOffice and the format want it."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import pytest
import xlsxwriter

from conv_sheet.errors import WorkbookError
from conv_sheet.xlsx.change import patch_cells, with_full_calculation
from conv_sheet.xlsx.package import Package
from conv_sheet.xlsx.parse import NAMESPACES
from conv_sheet.xlsx.patch import Typed
from tests.oracles import validator

MAIN = NAMESPACES[0]
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A workbook with a list of its formula cells, as Excel writes one."""
    path, plain = tmp_path / "book.xlsx", tmp_path / "plain.xlsx"
    with xlsxwriter.Workbook(plain) as made:
        made.add_worksheet("S").write_formula("A1", "=B1*2", None, 4)
    chain = f'<calcChain xmlns="{MAIN}"><c r="A1" i="1"/></calcChain>'
    link = f'<Relationship Id="rId99" Type="{_OFFICE}/relationships/calcChain" Target="calcChain.xml"/></Relationships>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.calcChain+xml"
    override = f'<Override PartName="/xl/calcChain.xml" ContentType="{kind}"/></Types>'
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            if name == "xl/_rels/workbook.xml.rels":
                text = text.replace("</Relationships>", link)
            elif name == "[Content_Types].xml":
                text = text.replace("</Types>", override)
            new.writestr(name, text)
        new.writestr("xl/calcChain.xml", chain)
    return path


def test_the_list_of_formula_cells_goes_with_the_first_of_them(book: Path, tmp_path: Path) -> None:
    assert validator.findings(book) == []
    kept, gone = tmp_path / "kept.xlsx", tmp_path / "gone.xlsx"
    patch_cells(book, kept, {"S": {(1, 1): 6.0}})
    assert "xl/calcChain.xml" in Package.open(kept).names
    patch_cells(book, gone, {"S": {(1, 1): Typed(6.0)}})
    package = Package.open(gone)
    assert "xl/calcChain.xml" not in package.names
    assert package.related(package.workbook, "calcChain") == ()
    assert b"calcChain" not in package.read("[Content_Types].xml")
    assert validator.findings(gone) == []
    assert openpyxl.load_workbook(gone)["S"]["A1"].value == 6


@pytest.mark.parametrize(
    "target",
    ["workbook.xml", "worksheets/sheet1.xml", "/_rels/.rels", "_rels/workbook.xml.rels", "/[Content_Types].xml"],
)
def test_what_is_only_called_such_a_list_stays(book: Path, target: str) -> None:
    with zipfile.ZipFile(book) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    rels = parts["xl/_rels/workbook.xml.rels"]
    parts["xl/_rels/workbook.xml.rels"] = rels.replace(b'Target="calcChain.xml"', f'Target="{target}"'.encode())
    with zipfile.ZipFile(book, "w") as new:
        for name, data in parts.items():
            new.writestr(name, data)
    patch_cells(book, book, {"S": {(1, 1): Typed(6.0)}})
    assert set(Package.open(book).names) == set(parts)
    assert openpyxl.load_workbook(book)["S"]["A1"].value == 6


def test_a_workbook_asks_to_be_calculated_where_it_is_told_to(book: Path, tmp_path: Path) -> None:
    patch_cells(book, tmp_path / "quiet.xlsx", {"S": {(1, 1): 6.0}})
    assert Package.open(tmp_path / "quiet.xlsx").read("xl/workbook.xml") == Package.open(book).read("xl/workbook.xml")
    patch_cells(book, tmp_path / "asks.xlsx", {"S": {(1, 1): 6.0}}, recalculate=True)
    assert openpyxl.load_workbook(tmp_path / "asks.xlsx").calculation.fullCalcOnLoad
    assert validator.findings(tmp_path / "asks.xlsx") == []


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<sheets/>", '<sheets/><calcPr fullCalcOnLoad="1"/>'),
        ("<sheets/><definedNames></definedNames><extLst/>", '<calcPr fullCalcOnLoad="1"/><extLst/>'),
        ('<sheets/><calcPr calcId="1" fullCalcOnLoad="0"/>', '<sheets/><calcPr calcId="1" fullCalcOnLoad="1"/>'),
        ("<sheets/><calcPr calcId='1'></calcPr>", "<sheets/><calcPr calcId='1' fullCalcOnLoad=\"1\"></calcPr>"),
        ('<sheets/><calcPr fullCalcOnLoad="1" a="2"/>', '<sheets/><calcPr fullCalcOnLoad="1" a="2"/>'),
    ],
)
def test_the_wish_stands_where_the_schema_has_it(inside: str, expected: str) -> None:
    asked = with_full_calculation(f'<workbook xmlns="{MAIN}">{inside}</workbook>'.encode()).decode()
    assert expected in asked
    ElementTree.fromstring(asked)
    prefixed = f'<x:workbook xmlns:x="{MAIN}"><x:sheets/></x:workbook>'.encode()
    assert b'<x:sheets/><x:calcPr fullCalcOnLoad="1"/>' in with_full_calculation(prefixed)


def test_a_damaged_workbook_part_is_one_line() -> None:
    for xml in (b"<workbook>", b'<?xml version="1.0" encoding="nosuch"?><workbook/>', b"<workbook/>"):
        with pytest.raises(WorkbookError, match="workbook part"):
            with_full_calculation(xml)
